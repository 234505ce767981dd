"""Mailing 予定数量 and 確定数量 to the contractor, once: at the task that makes them true, else at the next look of the watch."""

import logging
from collections.abc import Callable

from airflow.sdk.exceptions import AirflowException

from notice_cycle import clock
from notice_cycle.alerts import Mail, Post
from notice_cycle.catalogue import Configuration
from notice_cycle.ledger.entry import System
from notice_cycle.ledger.store import Ledger
from notice_cycle.people import People
from notice_cycle.quantities import find_untold, mail_of, told
from notice_cycle.records import ClosingRecord, OpeningRecord, QuantitiesTold
from notice_cycle.settings import Settings
from notice_cycle.unsent_mail import STOPS_THE_REST, MailUnsent
from notice_cycle_airflow.notifiers.ward_mail import reason_of

_log = logging.getLogger(__name__)
Deliver = Callable[[Mail], None]


def tell_quantities(ledger: Ledger, settings: Settings, cycle: str, actor: System, deliver: Deliver) -> bool:
    """Tells what is untold of a cycle. Whether it did. Raises what reading the addresses or sending raises."""
    with ledger.locked(cycle, QuantitiesTold.kind()):
        history = ledger.history(cycle)
        counts = find_untold(history, ledger.entries(kind=OpeningRecord.kind()), ledger.history)
        if counts is None:
            return False
        configuration = Configuration.model_validate(history.opening.configuration)
        people, party = People.load(settings.config_folder), configuration.party.id
        to, post = people.address("contractor", party=party), Post.of(settings, people)
        mail = mail_of(counts, configuration, cycle=cycle, to=to, post=post)
        deliver(mail)
        ledger.note(cycle, told(counts, mail, party=party, at=clock.now()), actor)
        _log.info("%sを委託先に知らせました。", counts.stage)
        return True


def try_to_tell_quantities(
    ledger: Ledger, settings: Settings, cycle: str, actor: System, deliver: Deliver
) -> None:
    """The same for a task that must go on: what cannot be told now is told by the watch."""
    try:
        tell_quantities(ledger, settings, cycle, actor, deliver)
    except Exception as unsent:
        _log.warning(
            "数量の通知を送れませんでした（%s）。期限の見張りが送り直します。", type(unsent).__name__
        )


def tell_all_quantities(
    ledger: Ledger, settings: Settings, actor: System, deliver: Deliver
) -> tuple[int, list[MailUnsent]]:
    """Every open cycle's. How many were told, and what did not go out: it is tried again at the next look."""
    cycles = [str(entry.cycle) for entry in ledger.entries(kind=OpeningRecord.kind())]
    told, unsent = 0, []
    for cycle in cycles:
        if ledger.history(cycle).entry_of(ClosingRecord) is not None:
            continue
        try:
            told += tell_quantities(ledger, settings, cycle, actor, deliver)
        except (OSError, AirflowException) as failed:  # smtplib's errors are OSErrors too
            _log.error("数量の通知を送れませんでした（%s）。", type(failed).__name__)
            reason = reason_of(failed)
            unsent.append(
                MailUnsent(
                    template="quantities",
                    subject=cycle,
                    to_role="contractor",
                    section="",
                    reason=reason,
                    tried_at=clock.now(),
                )
            )
            if reason in STOPS_THE_REST:
                break
    return told, unsent
