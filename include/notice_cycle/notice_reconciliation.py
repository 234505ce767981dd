"""通知書番号までの照合: which notices stand behind a difference between what was planned and what was delivered or posted.

The dispatch index in the vault knows each notice's envelope and lot, the contractor tells counts by lot. The numbers
stay in the vault and leave it on one numbered list for the section; the ledger learns counts and digests. Stops
nothing: what must agree is refused by its stage. Refuses an index that is not the composition's.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any

from pyarrow import ipc

from notice_cycle.catalogue import Configuration
from notice_cycle.documents import render
from notice_cycle.errors import Altered
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import postings
from notice_cycle.printing import print_document
from notice_cycle.pullout import Pulled
from notice_cycle.reconciliation import DIFFERENCES_JA
from notice_cycle.records import CompositionRecord, LotDelivered, NoticeDifference, NoticesReconciled
from notice_cycle.settings import Settings
from notice_cycle.values import canonical, sha256
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import DIFFERENCE_LIST, DISPATCH_INDEX

_MOST_PRINTED = 10_000


@dataclass(frozen=True)
class Letter:
    """A notice as the dispatch index traces it."""

    notice_no: str
    subject: str
    envelope_no: int
    lot_no: int


@dataclass(frozen=True)
class Dispatched:
    """All letters in order of dispatch; what was pulled out of them, and the numbers of those notices."""

    letters: tuple[Letter, ...]
    pulled: Pulled
    numbers: frozenset[str]

    @cached_property
    def planned(self) -> dict[int, int]:
        """Envelopes by lot."""
        by_lot: dict[int, set[int]] = {}
        for letter in self.letters:
            by_lot.setdefault(letter.lot_no, set()).add(letter.envelope_no)
        return {lot: len(envelopes) for lot, envelopes in by_lot.items()}

    def without(self, numbers: Iterable[str]) -> "Dispatched":
        """The same after further notices were taken out, which the delivery still counted."""
        return replace(self, numbers=self.numbers.union(numbers))

    @property
    def envelopes(self) -> int:
        """All of them, those pulled out too."""
        return sum(self.planned.values())

    def in_lot(self, lot: int) -> tuple[str, ...]:
        """The notices of a lot, those pulled out too."""
        return tuple(letter.notice_no for letter in self.letters if letter.lot_no == lot)

    def staying_in(self, lot: int) -> tuple[str, ...]:
        """The notices of a lot that nobody pulled out."""
        return tuple(number for number in self.in_lot(lot) if number not in self.numbers)


@dataclass(frozen=True)
class Difference:
    """One difference, with the notices among which it is to be looked for; these never leave vault and print tray."""

    kind: str
    lot: str
    due: int
    told: int
    notices: tuple[str, ...] = ()

    def counted(self) -> NoticeDifference:
        """The difference as the ledger may keep it."""
        known = {"kind": self.kind, "lot": self.lot, "due": self.due, "told": self.told}
        return NoticeDifference.model_validate(known | {"notices": len(self.notices)})


def read_dispatch(
    vault: CycleVault, subject: str, composition: CompositionRecord, pulled: Pulled
) -> Dispatched:
    """The dispatch index beside what was pulled out. Raises Altered when it is not what was composed."""
    with vault.reading(DISPATCH_INDEX) as source:
        index = ipc.open_stream(source).read_all()
    columns = [index[name].to_pylist() for name in ("notice_no", subject, "envelope_no", "lot_no")]
    letters = tuple(Letter(*row) for row in zip(*columns, strict=True))
    dispatched = Dispatched(letters, pulled, pulled_numbers(vault, pulled.lists))
    is_whole = len(letters) == composition.quantities.notices
    if not is_whole or dispatched.planned != {lot.lot_no: lot.envelopes for lot in composition.lots}:
        raise Altered(
            "一時保管領域の通知書番号の索引が、印字データ作成の記録と一致しません。",
            advice="情報システム課に連絡してください。差異がどの通知のものかを確かめられません。",
        )
    return dispatched


def pulled_numbers(vault: CycleVault, lists: Iterable[str]) -> frozenset[str]:
    """The notices that pull-out lists in the vault name, under the heading by which the contractor finds them."""
    found: set[str] = set()
    for name in lists:
        with vault.reading(name) as kept:
            text = _decoded(kept.read())
        found.update(row[_NOTICE_NO] for row in csv.DictReader(io.StringIO(text, newline="")))
    return frozenset(found)


_NOTICE_NO = "通知書番号"


def _decoded(content: bytes) -> str:
    """A list is in the charset of the dispatch's layout."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp932")


def delivery_differences(dispatched: Dispatched, told: Sequence[LotDelivered]) -> list[Difference]:
    """What was delivered beside what the index says, lot by lot."""
    names, pulled = [_lot_number(one.lot) for one in told], dispatched.pulled
    delivered = sum(one.envelopes for one in told)
    least, most = dispatched.envelopes - pulled.envelopes, dispatched.envelopes - pulled.fewest_envelopes
    agrees = least <= delivered <= most
    by_lot: Counter[int] = Counter()
    for name, one in zip(names, told, strict=True):
        by_lot[name] += one.envelopes
    if not _are_the_wards(by_lot, dispatched.planned):
        return [] if agrees else [_of_all(dispatched, delivered, least=least, most=most)]
    judged = (_of_lot(dispatched, lot, by_lot[lot], names.count(lot)) for lot in sorted(dispatched.planned))
    found = [one for one in judged if one]
    if agrees and all(one.kind in {"short", "over"} for one in found):
        return [Difference("split", one.lot, one.due, one.told) for one in found]
    return found


def posting_differences(
    dispatched: Dispatched,
    delivered: Sequence[LotDelivered],
    posted: Sequence[LotDelivered],
    out: Pulled,
) -> list[Difference]:
    """Which delivered lots were not posted whole, as the posting receipts name them; `out`: taken out since the delivery."""
    due, told = _by_name(delivered), _by_name(posted)
    by_lot: Counter[int] = Counter()
    for lot, envelopes in due.items():
        by_lot[_lot_number(lot)] += envelopes
    are_ours = _are_the_wards(by_lot, dispatched.planned)
    if are_ours:
        due = Counter({lot: envelopes - out.by_lot[_lot_number(lot)] for lot, envelopes in due.items()})
    elif (due - told).total() <= out.envelopes:
        return []  # of whose lots something was taken out, his names do not tell
    return [
        Difference(
            "not_posted",
            lot,
            due[lot],
            told[lot],
            dispatched.staying_in(_lot_number(lot)) if are_ours else (),
        )
        for lot in due
        if told[lot] < due[lot]
    ]


def posted_digest(history: CycleHistory) -> str:
    """Which receipts a comparison with the posting was made from."""
    return sha256(canonical([one.model_dump(mode="json") for one in postings(history)]))


def reconcile(
    dispatched: Dispatched,
    differences: Sequence[Difference],
    history: CycleHistory,
    vault: CycleVault,
    settings: Settings,
    *,
    against: str,
    told_sha256: str,
    cycle: str,
    at: datetime,
) -> NoticesReconciled:
    """The fact, after its list is kept in the vault and printed; the standing one when it says the same.

    Raises CannotLook when the printer is away.
    """
    fact = NoticesReconciled.model_validate(
        {
            "against": against,
            "told_sha256": told_sha256,
            "notices": len(dispatched.letters),
            "envelopes": dispatched.envelopes,
            "lots": len(dispatched.planned),
            "pulled": dispatched.pulled.notices,
            "differences": tuple(one.counted() for one in differences),
            "reconciled_at": at,
        }
    )
    earlier = history.facts(NoticesReconciled)
    if same := [one for one in earlier if _content(one) == _content(fact)]:
        return same[-1]
    if not any(one.notices for one in differences):
        return fact
    number = f"{cycle}-RL{sum(bool(one.list_number) for one in earlier) + 1}"
    with vault.writing(DIFFERENCE_LIST) as artefact:
        named = [{"kind": one.kind, "lot": one.lot, "notices": one.notices} for one in differences]
        artefact.buffer.write(json.dumps(named).encode())
    configuration = Configuration.model_validate(history.opening.configuration)
    facts = {
        "number": number,
        "cycle": cycle,
        "against": against,
        "notice": configuration.notice.name_ja,
        "section": f"{configuration.ward} {configuration.notice.section}",
        "differences": _listed(dispatched, differences),
    }
    synthetic, documents = history.opening.synthetic, settings.config_folder / "documents"
    pdf = render("difference_list", facts, at=at, synthetic=synthetic, documents=documents)
    print_document(settings, number, pdf)
    listed = {"list_number": number, "kept": artefact.stored, "document_sha256": sha256(pdf)}
    return fact.model_copy(update=listed)


def _are_the_wards(told: Mapping[int, int], planned: Mapping[int, int]) -> bool:
    """Whether the contractor kept the ward's lots: all of them, or some and in none more than it holds.

    One lot `L01` with everything in it is a lot of his own, whatever its number.
    """
    return set(told) == set(planned) or all(count <= planned.get(lot, -1) for lot, count in told.items())


def _of_all(dispatched: Dispatched, delivered: int, *, least: int, most: int) -> Difference:
    if delivered < least:
        return Difference("short", "", least, delivered)
    if delivered <= dispatched.envelopes:  # as many as if nothing had been pulled out
        return Difference("pulled_but_delivered", "", most, delivered, tuple(sorted(dispatched.numbers)))
    return Difference("over", "", most, delivered)


def _of_lot(dispatched: Dispatched, lot: int, told: int, times: int) -> Difference | None:
    whole, pulled = dispatched.planned[lot], dispatched.pulled
    least = whole - pulled.by_lot[lot]
    most = min(whole, least + pulled.not_found)
    if least <= told <= most:
        return None
    if told < least:
        kind = "short" if times else "not_delivered"
        return Difference(kind, str(lot), least, told, dispatched.staying_in(lot))
    every = dispatched.in_lot(lot)
    if times > 1:
        return Difference("twice", str(lot), most, told, every)
    if told > whole:
        return Difference("over", str(lot), most, told, every)
    out = tuple(number for number in every if number in dispatched.numbers)
    return Difference("pulled_but_delivered", str(lot), most, told, out)


def _lot_number(name: str) -> int:
    """The ward's number of a lot as a contractor writes it (`ロット 1`, `No.01`); 0, which no lot has, without digits."""
    return int("".join(character for character in name if character in "0123456789") or "0")


def _by_name(lots: Sequence[LotDelivered]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for lot in lots:
        counted["".join(lot.lot.split())] += lot.envelopes
    return counted


def _content(fact: NoticesReconciled) -> tuple[object, ...]:
    return (fact.against, fact.told_sha256, fact.pulled, fact.differences)


def _listed(dispatched: Dispatched, differences: Sequence[Difference]) -> list[dict[str, Any]]:
    wanted = set(chain.from_iterable(one.notices for one in differences))
    envelope = {letter.notice_no: letter.envelope_no for letter in dispatched.letters}
    known = wanted & envelope.keys()
    return [
        {
            "kind": DIFFERENCES_JA[one.kind],
            "lot": one.lot,
            "due": one.due,
            "told": one.told,
            "notices": len(one.notices),
            "rows": [
                [number, str(envelope[number])] for number in one.notices[:_MOST_PRINTED] if number in known
            ],
        }
        for one in differences
    ]
