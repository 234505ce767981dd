"""The pull-outs of a dispatch, folded from its entries: what was asked for, how far each came, and what it changes.

`pulled` is what later stages subtract; the notices themselves are named in the vault (`lists`). A request counts while
the print file that it is about is the current one, and was not cancelled.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory, R
from notice_cycle.pullout.facts import (
    DeliveredPulledOut,
    DeliveredPulloutCancelled,
    PulloutCancelled,
    PulloutConfirmed,
    PulloutRequested,
)
from notice_cycle.records import (
    CompositionRecord,
    ConflictDecided,
    ContentReceiptRecord,
    Decision,
    DeliveryRecord,
    EncryptionRecord,
    HandoverApprovalRecord,
    HandoverRecord,
    PulloutStep,
    Record,
)
from notice_cycle.stage import CYCLE_RECORDS


class State(StrEnum):
    """How far a request came."""

    REQUESTED = "承認待ち"
    APPROVED = "引渡し待ち"
    HANDED_OVER = "受領・開封の確認待ち"
    OPENED = "引抜きの確認待ち"
    CONFIRMED = "確認済み"
    CANCELLED = "取りやめ"


@dataclass(frozen=True)
class Pullout:
    """One request and what became of it."""

    request: PulloutRequested
    state: State
    confirmed: PulloutConfirmed | None = None

    @property
    def is_open(self) -> bool:
        """Whether the contractor's confirmation is still missing."""
        return self.state not in (State.CONFIRMED, State.CANCELLED)


@dataclass(frozen=True)
class Pulled:
    """What all confirmed pull-outs of a dispatch take off its totals.

    `envelopes`: those that disappear when everything asked for was found; of `not_found` notices an envelope may be
    delivered all the same. `lists`: names in the cycle's vault, of the CSV files that name the notices.
    """

    requests: int = 0
    notices: int = 0
    replaced: int = 0
    not_found: int = 0
    envelopes: int = 0
    by_lot: Counter[int] = field(default_factory=Counter)
    lists: tuple[str, ...] = ()

    @property
    def sheets(self) -> int:
        """One notice is one sheet."""
        return self.notices

    @property
    def fewest_envelopes(self) -> int:
        """How many fewer envelopes are delivered at least."""
        return max(0, self.envelopes - self.not_found)


def pullouts(history: CycleHistory) -> tuple[Pullout, ...]:
    """Every request about the current print file, oldest first."""
    composition = history.find(CompositionRecord)
    if composition is None:
        return ()
    requests = history.facts(PulloutRequested)
    about_it = [one for one in requests if one.dispatch == composition.print_file.sha256]
    return tuple(_pullout(one, history) for one in about_it)


def open_pullouts(history: CycleHistory) -> tuple[Pullout, ...]:
    """The requests that the contractor has not confirmed."""
    return tuple(one for one in pullouts(history) if one.is_open)


def pulled(history: CycleHistory) -> Pulled:
    """What the confirmed requests take off the totals of the dispatch."""
    done = [(one.request, one.confirmed) for one in pullouts(history) if one.confirmed]
    by_lot: Counter[int] = Counter()
    for request, _ in done:
        by_lot.update({lot.lot_no: lot.envelopes for lot in request.lots})
    return Pulled(
        requests=len(done),
        notices=sum(confirmed.pulled for _, confirmed in done),
        replaced=sum(confirmed.pulled for request, confirmed in done if request.purpose == "差替え"),
        not_found=sum(confirmed.not_found for _, confirmed in done),
        envelopes=by_lot.total(),
        by_lot=by_lot,
        lists=tuple(request.list_file.name for request, _ in done),
    )


def confirmation_of(history: CycleHistory, pullout: int) -> PulloutConfirmed | None:
    """The contractor's confirmation that holds: of two different ones a person may have dropped the first."""
    dropped = {fact.dropped_sha256 for fact in history.facts(ConflictDecided)}
    said = [
        fact
        for fact in history.facts(PulloutConfirmed)
        if fact.pullout == pullout and fact.message_sha256 not in dropped
    ]
    return said[-1] if said else None


# ---- after the delivery


def taken_after_delivery(history: CycleHistory) -> tuple[DeliveredPulledOut, ...]:
    """Those that stand, oldest first: of the current print file, delivered, not cancelled."""
    composition = history.find(CompositionRecord)
    if composition is None or history.find(DeliveryRecord) is None:
        return ()
    cancelled = {one.pullout for one in history.facts(DeliveredPulloutCancelled)}
    return tuple(
        one
        for one in history.facts(DeliveredPulledOut)
        if one.pullout not in cancelled and one.dispatch == composition.print_file.sha256
    )


def pulled_after_delivery(history: CycleHistory) -> Pulled:
    """What they take off the envelopes that are to be posted."""
    standing, by_lot = taken_after_delivery(history), Counter[int]()
    for one in standing:
        by_lot.update({lot.lot_no: lot.envelopes for lot in one.lots})
    return Pulled(
        requests=len(standing),
        notices=sum(one.notices for one in standing),
        envelopes=by_lot.total(),
        by_lot=by_lot,
        lists=tuple(one.list_file.name for one in standing),
    )


def certified_by_contractor(history: CycleHistory) -> int:
    """Sheets of which the contractor's certificate is the proof, beside those of pull-outs before the delivery."""
    return sum(one.notices for one in taken_after_delivery(history) if one.destroyed is None)


# ---- helpers

_STATES: tuple[tuple[type[Record], State], ...] = (
    (ContentReceiptRecord, State.OPENED),
    (HandoverRecord, State.HANDED_OVER),
    (HandoverApprovalRecord, State.APPROVED),
)


def _pullout(request: PulloutRequested, history: CycleHistory) -> Pullout:
    number = request.pullout
    if any(fact.pullout == number for fact in history.facts(PulloutCancelled)):
        return Pullout(request, State.CANCELLED)
    if confirmed := confirmation_of(history, number):
        return Pullout(request, State.CONFIRMED, confirmed)
    own = PulloutHistory(history, number)
    state = next((state for record, state in _STATES if own.entry_of(record)), State.REQUESTED)
    return Pullout(request, state)


# ---- one pull-out as if it were a dispatch


class _StepEntry(Entry):
    """A step, read as the record that it keeps; it is still named by the digest under which it stands in the ledger."""

    stands_as: str

    @property
    def digest(self) -> str:
        return self.stands_as


class PulloutHistory(CycleHistory):
    """A dispatch's history with the records of one pull-out's package in the place of its own.

    So the stages from the approval to the receipts do for a list of numbers what they do for print data; a decision
    supersedes a step, and all after it, as it would a record.
    """

    def __init__(self, whole: CycleHistory, pullout: int) -> None:
        self.whole, self.pullout = whole, pullout
        kept: list[Entry] = []
        holding: list[str] = []  # the steps that held when the next entry came
        own = {record.kind() for record in CYCLE_RECORDS[CYCLE_RECORDS.index(CompositionRecord) - 1 :]}
        for entry in whole.entries:
            if entry.kind == PulloutStep.kind() and entry.data["pullout"] == pullout:
                kept.append(_read(entry, holding[-1] if holding else None))
                holding.append(entry.digest)
            elif entry.kind not in own:
                kept.append(entry)
            if entry.kind == Decision.kind() and entry.data["supersedes"] in holding:
                del holding[holding.index(entry.data["supersedes"]) :]
        super().__init__(kept)

    @property
    def request(self) -> PulloutRequested:
        """What was asked for."""
        return next(one for one in self.facts(PulloutRequested) if one.pullout == self.pullout)

    def ever_with_pullouts(self, record: type[R]) -> list[R]:
        """Every record of a kind in the whole dispatch: numbers are given once."""
        return self.whole.ever_with_pullouts(record)

    def is_answered_here(self, package: str) -> bool:
        """Only the answers about the pull-out's own package."""
        made = self.find(EncryptionRecord)
        return made is not None and package == made.package


def packages_of(history: CycleHistory) -> tuple[PulloutHistory, ...]:
    """Every pull-out that ever was, each as a dispatch of its own."""
    numbers = dict.fromkeys(fact.pullout for fact in history.facts(PulloutStep))
    return tuple(PulloutHistory(history, number) for number in numbers)


def _read(entry: Entry, before: str | None) -> _StepEntry:
    step = PulloutStep.model_validate(entry.data)
    known = entry.model_dump() | {"kind": step.record, "follows": before, "data": step.data}
    return _StepEntry.model_validate(known | {"stands_as": entry.digest})
