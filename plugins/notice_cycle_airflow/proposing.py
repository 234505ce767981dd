"""A send that fails again and again, or beyond the configured hour, proposes the disc; a person decides.

The proposal is part of the error's advice, so it stands in the task's log and in the mail of the failed task.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from airflow.sdk import get_current_context

from notice_cycle import clock
from notice_cycle.deadlines import judge, load, plan_of
from notice_cycle.errors import CannotLook, NoticeCycleError
from notice_cycle.handover.route import propose_disc
from notice_cycle_airflow.run_context import RunningCycle

_log = logging.getLogger(__name__)
_HANDOVER = "handover"


@contextmanager
def proposing_disc(cycle: RunningCycle) -> Iterator[None]:
    """Adds the proposal to what a failed send advises, once it is time for it."""
    try:
        yield
    except CannotLook as unreachable:
        if (
            cycle.is_pullout
        ):  # it goes the way of its dispatch, which the contractor has opened: nothing to switch
            raise
        tries = int(get_current_context()["ti"].try_number)
        proposal = propose_disc(tries, give_up_at=_give_up_at(cycle), now=clock.now())
        if proposal is None:
            raise
        _log.warning("%s", proposal)
        raise CannotLook(unreachable.message, advice=f"{unreachable.advice}{proposal}") from None


def _give_up_at(cycle: RunningCycle) -> datetime | None:
    """When the hand-over turns red in deadlines.yaml; None when that cannot be told, which must not hide the fault."""
    try:
        history, now = cycle.history(), clock.now()
        deadlines, calendars = load(cycle.settings.config_folder)
        plan = plan_of(history, cycle.configuration.notice, deadlines, calendars)
        dues = judge(plan, history, now, calendars, subject=cycle.id)
        return next((due.red_at for due in dues if due.milestone == _HANDOVER), None)
    except NoticeCycleError as unreadable:
        _log.warning("引渡しの期限を読めません。%s", unreadable)
        return None
