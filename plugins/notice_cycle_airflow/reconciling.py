"""Comparing what a contractor tells with the dispatch index in the vault, notice by notice: noted once, listed on paper.

A dispatch whose index is gone with its vault is not compared: the log says so, and nothing stops for it.
"""

import logging
from collections.abc import Sequence

from notice_cycle import clock
from notice_cycle.exchange.messages import DeliveryReport
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import postings
from notice_cycle.pullout import pulled, pulled_after_delivery
from notice_cycle.records import (
    CompositionRecord,
    DeliveryRecord,
    EncryptionRecord,
    LotDelivered,
    NoticesReconciled,
)
from notice_cycle.vault.names import DISPATCH_INDEX
from notice_cycle_airflow.run_context import RunningCycle

_log = logging.getLogger(__name__)


def reconcile_delivery(cycle: RunningCycle, report: DeliveryReport, report_sha256: str) -> str:
    """Compares a delivery report that is about this package; gives the number of the printed list, or nothing."""
    history = cycle.history()
    if report.manifest_sha256 != history.latest(EncryptionRecord).manifest_sha256:
        return ""
    told = [LotDelivered(lot=lot.lot, envelopes=lot.envelopes) for lot in report.lots]
    return _reconcile(cycle, history, told, None, report_sha256)


def reconcile_posting(cycle: RunningCycle) -> str:
    """Compares the posting receipts with the delivery; gives the number of the printed list, or nothing."""
    from notice_cycle.notice_reconciliation import posted_digest

    history = cycle.history()
    posted = [lot for one in postings(history) for lot in one.lots]
    if not posted:
        return ""  # entered by an officer: by count only
    return _reconcile(
        cycle, history, history.latest(DeliveryRecord).deliveries, posted, posted_digest(history)
    )


def _reconcile(
    cycle: RunningCycle,
    history: CycleHistory,
    delivered: Sequence[LotDelivered],
    posted: Sequence[LotDelivered] | None,
    told_sha256: str,
) -> str:
    from notice_cycle.notice_reconciliation import (
        delivery_differences,
        posting_differences,
        pulled_numbers,
        read_dispatch,
        reconcile,
    )

    if not cycle.vault.has(DISPATCH_INDEX):
        _log.warning("一時保管領域に通知書番号の索引がないため、通知書番号までの照合はできません。")
        return ""
    subject, composition = cycle.configuration.notice.subject, history.latest(CompositionRecord)
    dispatched = read_dispatch(cycle.vault, subject, composition, pulled(history))
    if posted is None:
        differences = delivery_differences(dispatched, delivered)
    else:
        out = pulled_after_delivery(history)
        dispatched = dispatched.without(pulled_numbers(cycle.vault, out.lists))
        differences = posting_differences(dispatched, delivered, posted, out)
    fact = reconcile(
        dispatched,
        differences,
        history,
        cycle.vault,
        cycle.settings,
        against="納品" if posted is None else "差出し",
        told_sha256=told_sha256,
        cycle=cycle.id,
        at=clock.now(),
    )
    if fact not in history.facts(NoticesReconciled):
        cycle.note(fact)
    return fact.list_number
