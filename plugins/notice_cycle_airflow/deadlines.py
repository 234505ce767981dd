"""The one deadline Airflow itself keeps: the run of a cycle must have ended by the plan's closing date.

Airflow's alerts are per run and fire only while it is unfinished, so they fit the end of the cycle and nothing
before it: what is due in between is deadline_watch's. Evaluated where the run is created, so it must never raise:
without a plan there is no alert, and deadline_watch still tells.
"""

import logging
from datetime import datetime
from typing import Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference

from notice_cycle import clock
from notice_cycle.alerts import Post
from notice_cycle.catalogue import load_notice
from notice_cycle.deadlines import load
from notice_cycle.dispatch_plan import due_moment, plan_annual, plan_from_opening, said
from notice_cycle.errors import Refused
from notice_cycle.fiscal_year import FiscalYear
from notice_cycle.people import People
from notice_cycle.settings import Settings
from notice_cycle_airflow.notifiers.ward_mail import deliver

_log = logging.getLogger(__name__)
CLOSING = "closing"


class ClosingDue(BaseDeadlineReference):
    """When the run should have ended: the plan's closing date, for a yearly run or counted from the trigger."""

    required_kwargs = {"dag_id", "run_id"}  # noqa: RUF012 - Airflow reads a set

    def _evaluate_with(self, *, session: Any, **kwargs: Any) -> datetime | None:
        from airflow.models import DagRun

        try:
            (run,) = DagRun.find(dag_id=kwargs["dag_id"], run_id=[kwargs["run_id"]], session=session)
            begun = run.logical_date or run.run_after
            return closing_due(kwargs["dag_id"], begun, yearly=str(run.run_type) in _SCHEDULED)
        except Exception as unknown:
            _log.warning(
                "完了の期限を決められません（%s: %s）。", kwargs.get("dag_id"), type(unknown).__name__
            )
            return None


_SCHEDULED = {"scheduled", "DagRunType.SCHEDULED"}


def closing_due(notice_id: str, begun: datetime, *, yearly: bool) -> datetime:
    """The closing date of a run that begins at a moment. Raises NotConfigured."""
    config = Settings().config_folder
    deadlines, calendars = load(config)
    notice = load_notice(config, notice_id)
    year = FiscalYear.of(begun.astimezone(clock.TOKYO)).year
    rules = deadlines.rules(notice.id, year, notice.party)
    plan = plan_from_opening(notice.id, year, notice.party, rules, calendars, opened_at=begun)
    if yearly:
        try:
            plan = plan_annual(notice, year, rules, calendars)
        except Refused:
            _log.debug("%s has no yearly plan", notice_id)
    return due_moment(rules.milestone(CLOSING), plan, calendars)


def tell_closing_missed(context: Any) -> None:
    """What Airflow calls when the date has passed and the run goes on: a mail to the section's 課長 and the operator."""
    run, due_at = context["dag_run"], context["deadline"]["deadline_time"]
    settings = Settings()
    people, notice = People.load(settings.config_folder), load_notice(settings.config_folder, run["dag_id"])
    post = Post.of(settings, people)
    moment = due_at if isinstance(due_at, datetime) else datetime.fromisoformat(str(due_at))
    facts = {
        "notice": notice.name_ja,
        "run": str(run["dag_run_id"]),
        "due": said(moment),
        "link": f"{settings.base_url}/dags/{run['dag_id']}/runs/{run['dag_run_id']}",
    }
    failed: Exception | None = None
    for address in sorted({people.address("director", section=notice.section), people.operator}):
        try:
            deliver(
                post.mail("closing_missed", address, facts, thread=str(run["dag_id"]), once=[facts["run"]])
            )
        except Exception as unsent:  # the other is told all the same
            failed = unsent
    if failed:
        raise failed
