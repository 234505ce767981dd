"""Mailing 予定数量 and 確定数量 to the contractor, once: at the task that makes them true, else at the next look of the watch."""

import logging
from collections.abc import Callable

from notice_cycle import clock
from notice_cycle.alerts import Mail, Post
from notice_cycle.catalogue import Configuration
from notice_cycle.ledger.entry import System
from notice_cycle.ledger.store import Ledger
from notice_cycle.people import People
from notice_cycle.quantities import find_untold, mail_of, told
from notice_cycle.records import ClosingRecord, OpeningRecord, QuantitiesTold
from notice_cycle.settings import Settings

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


def tell_all_quantities(ledger: Ledger, settings: Settings, actor: System, deliver: Deliver) -> int:
    """Every open cycle's. How many were told."""
    cycles = [str(entry.cycle) for entry in ledger.entries(kind=OpeningRecord.kind())]
    is_open = (cycle for cycle in cycles if ledger.history(cycle).entry_of(ClosingRecord) is None)
    return sum(tell_quantities(ledger, settings, cycle, actor, deliver) for cycle in is_open)
