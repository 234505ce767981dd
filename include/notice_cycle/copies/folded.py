"""The copy ledger: one pass over a cycle's entries gives every copy, and what became of it.

A receipt implies a copy whose place is not told yet; a declaration or the erasure report tells it. A declaration only
adds: what a later one leaves out stays open until its erasure, return or delivery is proved. An erased copy that
nobody had told before is a copy all the same, `declared` False.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal, TypeVar

from pydantic import BaseModel

from notice_cycle.catalogue import Configuration
from notice_cycle.copies.facts import (
    CopiesDeclared,
    CopyTransferred,
    Keepable,
    PapersDestroyed,
    kept_as_instructed,
)
from notice_cycle.exchange.messages import Carrier
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout import DeliveredPulledOut, certified_by_contractor, pulled
from notice_cycle.records import (
    CompositionRecord,
    ContentReceiptRecord,
    CopyErased,
    CopyWithdrawn,
    DeliveryRecord,
    DestructionRecord,
    DiscsMade,
    EncryptionRecord,
    ErasureRecord,
    ExtractionRecord,
    HandoverBegun,
    HandoverRecord,
    NoticesReconciled,
    PackageBeyond,
    PassphraseHandoverRecord,
    PassphraseNoticeRecord,
    PulloutStep,
    ReceiptRecord,
    StagingWipeRecord,
    WithdrawalCleanup,
)
from notice_cycle.values import StoredFile
from notice_cycle.vault.names import DISPATCH_INDEX

Became = Literal["", "返還", "引渡し", "消去"]
Erased = CopyErased
WARD = "甲"
"""The party of the ward's own copies."""

VAULT, OUTBOX, DESK = "一時保管領域", "送信箱", "庁内"
PAPERS_JA = {"spoilage": "損紙", "test": "試し刷り", "pulled": "引き抜いたもの", "replaced": "差し替えたもの"}
PRINTED = "印刷物"
NOTICE = "パスワード通知書"


@dataclass(frozen=True)
class Copy:
    """One copy. `place` empty: not told yet. `quantity` counts paper in sheets. `evidence` are numbers in the ledger."""

    party: str
    what: str
    carrier: Carrier
    place: str
    since: datetime
    evidence: int
    sha256: str | None = None
    name: str = ""
    quantity: int | None = None
    declared: bool = True
    became: Became = ""
    to: str = ""
    ended_at: datetime | None = None
    end_evidence: int | None = None
    kept_until: date | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still there, as far as anybody has proved."""
        return not self.became

    @property
    def holds_data(self) -> bool:
        """Whether it holds data of insured persons; a passphrase notice does not."""
        return self.what != NOTICE


def copies_of(
    history: CycleHistory,
    *,
    beyond: Sequence[PackageBeyond] = (),
    erased: Mapping[str, Sequence[CopyErased]] | None = None,
) -> tuple[Copy, ...]:
    """Every copy there ever was, oldest first. `beyond`: packages that a restored ledger has forgotten.

    `erased`: how it would be if a party's report were true; nothing of it is in the ledger yet.
    """
    if not history.entries:
        return ()
    configuration = Configuration.model_validate(history.opening.configuration)
    book = _Book(configuration.party.id, configuration.party.host)
    for entry in history.entries:
        if reader := _READERS.get(entry.kind):
            reader(book, entry)
    for package in beyond:
        book.at_contractors_host(package.encrypted_file, history.entries[-1].recorded_at, 0)
    for party, report in (erased or {}).items():
        for told in report:
            _erase(book, party, told, history.entries[-1].seq)
    _settle_paper(book, history)
    _mark_kept(book, history)
    return tuple(sorted(book.copies, key=lambda copy: copy.since))


class _Book:
    """The copies while they are folded."""

    def __init__(self, contractor: str, host: str) -> None:
        self.contractor, self.host = contractor, host
        self.copies: list[Copy] = []
        self.package: StoredFile | None = None

    def add(self, copy: Copy) -> None:
        """A copy, unless the same is there and open."""
        same = (copy.party, copy.what, copy.carrier, copy.place, copy.sha256, copy.name)
        for one in self.copies:
            if one.is_open and same == (one.party, one.what, one.carrier, one.place, one.sha256, one.name):
                return
        self.copies.append(copy)

    def at_contractors_host(self, file: StoredFile, at: datetime, evidence: int) -> None:
        """The package on the host or page of the contractor."""
        self.add(
            Copy(
                party=self.contractor, what="暗号化された印字データ", carrier="サーバー", place=self.host,
                since=at, evidence=evidence, sha256=file.sha256, name=file.name,
            )
        )  # fmt: skip

    def in_vault(self, what: str, name: str, sha256: str | None, entry: Entry) -> None:
        """An artefact of the vault; a new one of the same name has replaced the old."""
        self.end(
            lambda copy: copy.party == WARD and copy.place == VAULT and copy.name == name,
            entry.recorded_at, entry.seq,
        )  # fmt: skip
        self.add(
            Copy(
                party=WARD, what=what, carrier="サーバー", place=VAULT, since=entry.recorded_at,
                evidence=entry.seq, sha256=sha256, name=name,
            )
        )  # fmt: skip

    def end(
        self,
        which: Callable[[Copy], bool],
        at: datetime,
        evidence: int,
        became: Became = "消去",
        to: str = "",
    ) -> None:
        """What became of every open copy that `which` picks."""
        self.copies = [
            replace(copy, became=became, to=to, ended_at=at, end_evidence=evidence)
            if copy.is_open and which(copy)
            else copy
            for copy in self.copies
        ]

    def find(self, party: str, carrier: Carrier, place: str, sha256: str) -> int | None:
        """The copy that a party means: of the place it names, else one whose place only the ward has told.

        Open ones first: what was withdrawn or erased before may be told once more.
        """
        mine = [
            (number, copy)
            for number, copy in enumerate(self.copies)
            if (copy.party, copy.sha256, copy.carrier) == (party, sha256, carrier)
        ]
        for is_open in (True, False):
            for wanted in ({place}, {"", self.host}):
                for number, copy in mine:
                    if copy.is_open == is_open and copy.place in wanted:
                        return number
        return None


M = TypeVar("M", bound=BaseModel)
_READERS: dict[str, Callable[[_Book, Entry], None]] = {}


def _reads(kept: type[M]) -> Callable[[Callable[[_Book, Entry, M], None]], None]:
    """Enters how a kind of entry changes the book."""

    def entered(reader: Callable[[_Book, Entry, M], None]) -> None:
        _READERS[kept.kind()] = lambda book, entry: reader(book, entry, kept.model_validate(entry.data))  # type: ignore[attr-defined]

    return entered


# ---- the ward's own


@_reads(ExtractionRecord)
def _extracted(book: _Book, entry: Entry, record: ExtractionRecord) -> None:
    book.in_vault("抽出したデータ", record.staging.name, record.staging.sha256, entry)


@_reads(CompositionRecord)
def _composed(book: _Book, entry: Entry, record: CompositionRecord) -> None:
    book.in_vault("印字データ", record.print_file.name, record.print_file.sha256, entry)
    book.in_vault("通知書番号の索引", DISPATCH_INDEX, None, entry)


@_reads(NoticesReconciled)
def _reconciled(book: _Book, entry: Entry, fact: NoticesReconciled) -> None:
    if fact.kept:
        book.in_vault("照合差異一覧", fact.kept.name, fact.kept.sha256, entry)


@_reads(EncryptionRecord)
def _encrypted(book: _Book, entry: Entry, record: EncryptionRecord) -> None:
    book.package = record.files[0]
    book.end(
        lambda copy: copy.place == OUTBOX, entry.recorded_at, entry.seq
    )  # it is emptied for each package
    book.add(
        Copy(
            party=WARD, what="暗号化された印字データ", carrier="サーバー", place=OUTBOX, since=entry.recorded_at,
            evidence=entry.seq, sha256=record.files[0].sha256, name=record.files[0].name,
        )
    )  # fmt: skip


@_reads(PulloutStep)
def _pullout_step(book: _Book, entry: Entry, step: PulloutStep) -> None:
    """A package of a pull-out is a package like another, but what it is about is a list."""
    record = entry.model_copy(update={"kind": step.record, "data": step.data})
    if step.record == CompositionRecord.kind():
        listed = CompositionRecord.model_validate(step.data).print_file
        book.in_vault("引抜きの一覧", listed.name, listed.sha256, record)
    elif reader := _READERS.get(step.record):
        reader(book, record)


@_reads(DeliveredPulledOut)
def _pulled_out_after_delivery(book: _Book, entry: Entry, fact: DeliveredPulledOut) -> None:
    book.in_vault("納品後の引抜きの一覧", fact.list_file.name, fact.list_file.sha256, entry)


@_reads(DiscsMade)
def _discs_made(book: _Book, entry: Entry, fact: DiscsMade) -> None:
    for disc in fact.discs:
        book.add(
            Copy(
                party=WARD, what="媒体のイメージ", carrier="サーバー", place=OUTBOX, since=fact.made_at,
                evidence=entry.seq, sha256=disc.image.sha256, name=disc.image.name,
            )
        )  # fmt: skip


@_reads(StagingWipeRecord)
def _wiped(book: _Book, entry: Entry, record: StagingWipeRecord) -> None:
    gone = {file.name for file in record.wiped}
    book.end(lambda copy: copy.place == VAULT and copy.name in gone, record.wiped_at, entry.seq)


@_reads(DestructionRecord)
def _destroyed(book: _Book, entry: Entry, record: DestructionRecord) -> None:
    book.end(lambda copy: copy.place in {VAULT, OUTBOX}, record.destroyed_at, entry.seq)


@_reads(WithdrawalCleanup)
def _withdrawn_cycle(book: _Book, entry: Entry, fact: WithdrawalCleanup) -> None:
    _ = fact.destruction
    book.end(lambda copy: copy.place in {VAULT, OUTBOX}, fact.destruction.destroyed_at, entry.seq)


# ---- on the way, and with the contractor


@_reads(HandoverBegun)
def _begun(book: _Book, entry: Entry, fact: HandoverBegun) -> None:
    if fact.route != "dvd":
        book.at_contractors_host(fact.encrypted_file, fact.begun_at, entry.seq)


@_reads(HandoverRecord)
def _handed_over(book: _Book, entry: Entry, record: HandoverRecord) -> None:
    package = record.files[0]
    if record.dvd:
        for disc in record.dvd.discs:
            book.add(
                Copy(
                    party=book.contractor, what=f"媒体 {disc.label}", carrier="DVD", place=record.dvd.kept_in_safe,
                    since=record.dvd.handed_at, evidence=entry.seq, sha256=disc.image.sha256, name=disc.image.name,
                )
            )  # fmt: skip
        return
    book.at_contractors_host(package, record.sent_at, entry.seq)
    if by_hand := record.manual:
        book.add(
            Copy(
                party=WARD, what="暗号化された印字データ", carrier="パソコン", place=by_hand.computer,
                since=record.sent_at, evidence=entry.seq, sha256=package.sha256, name=package.name, became="消去",
                ended_at=by_hand.copy_deleted_at, end_evidence=entry.seq,
            )
        )  # fmt: skip


@_reads(CopyWithdrawn)
def _withdrawn(book: _Book, entry: Entry, fact: CopyWithdrawn) -> None:
    if fact.left:
        return
    found = {file.name for file in fact.found}
    book.end(
        lambda copy: copy.place == book.host and copy.name in found, fact.withdrawn_at, entry.seq, to=WARD
    )


@_reads(ReceiptRecord)
def _received(book: _Book, entry: Entry, record: ReceiptRecord) -> None:
    if book.package:
        book.add(
            Copy(
                party=book.contractor, what="暗号化された印字データ", carrier="パソコン", place="",
                since=record.received_at, evidence=entry.seq, sha256=book.package.sha256, name=book.package.name,
            )
        )  # fmt: skip


@_reads(ContentReceiptRecord)
def _opened(book: _Book, entry: Entry, record: ContentReceiptRecord) -> None:
    book.add(
        Copy(
            party=book.contractor, what="開いた印字データ", carrier="パソコン", place="", since=record.opened_at,
            evidence=entry.seq, sha256=record.print_file_sha256,
        )
    )  # fmt: skip


@_reads(PassphraseNoticeRecord)
def _notice_printed(book: _Book, entry: Entry, record: PassphraseNoticeRecord) -> None:
    book.add(
        Copy(
            party=WARD, what=NOTICE, carrier="紙", place=DESK, since=record.printed_at, evidence=entry.seq,
            sha256=record.document_sha256, name=record.notice_number, quantity=1,
        )
    )  # fmt: skip


@_reads(PassphraseHandoverRecord)
def _notice_handed(book: _Book, entry: Entry, record: PassphraseHandoverRecord) -> None:
    book.end(
        lambda copy: copy.what == NOTICE and copy.name == record.notice_number,
        record.handed_at, entry.seq, "引渡し", "乙",
    )  # fmt: skip
    book.add(
        Copy(
            party=book.contractor, what=NOTICE, carrier="紙", place="", since=record.handed_at, evidence=entry.seq,
            name=record.notice_number, quantity=record.quantity,
        )
    )  # fmt: skip


def _came_back(what: Callable[[Copy], bool]) -> Callable[[_Book, Entry], None]:
    """返却確認書: the ward counted them back, all of them."""

    def reader(book: _Book, entry: Entry) -> None:
        at = datetime.fromisoformat(str(entry.data["returned_at"]))
        book.end(lambda copy: copy.party == book.contractor and what(copy), at, entry.seq, "返還", WARD)

    return reader


_READERS["media_return"] = _came_back(lambda copy: copy.carrier == "DVD")
_READERS["passphrase_return"] = _came_back(lambda copy: copy.what == NOTICE)


@_reads(CopiesDeclared)
def _declared(book: _Book, entry: Entry, fact: CopiesDeclared) -> None:
    for told in fact.copies:
        known = book.find(fact.party, told.carrier, told.place, told.file_sha256)
        found = book.copies[known] if known is not None else None
        if known is not None and found and found.place == told.place:
            continue
        if known is not None and found and found.is_open and told.purpose == "work":
            book.copies[known] = replace(found, place=found.place or told.place)
            continue
        book.add(
            Copy(
                party=fact.party, what=_PURPOSES_JA[told.purpose], carrier=told.carrier, place=told.place,
                since=told.made_at, evidence=entry.seq, sha256=told.file_sha256,
            )
        )  # fmt: skip


_PURPOSES_JA = {"work": "作業用の控え", "backup": "予備の控え", "cache": "作業中に生じた控え"}


@_reads(CopyTransferred)
def _transferred(book: _Book, entry: Entry, fact: CopyTransferred) -> None:
    is_paper = fact.carrier == "紙"
    for number, copy in enumerate(book.copies):
        is_it = (copy.party, copy.carrier, copy.sha256) == (fact.to, fact.carrier, fact.file_sha256)
        if is_it and not copy.declared and not is_paper:  # its erasure came before its transfer record
            book.copies[number] = replace(
                copy, what="移送された印字データ", declared=True, since=fact.handed_at
            )
            return
    book.add(
        Copy(
            party=fact.to, what=PRINTED if is_paper else "移送された印字データ", carrier=fact.carrier, place="",
            since=fact.handed_at, evidence=entry.seq, sha256=None if is_paper else fact.file_sha256,
            quantity=fact.sheets if is_paper else None,
        )
    )  # fmt: skip
    if is_paper:
        to = "乙" if fact.to == book.contractor else "丙"
        book.end(
            lambda copy: copy.party == fact.party and copy.what == PRINTED and copy.quantity == fact.sheets,
            fact.handed_at, entry.seq, "返還" if to == "乙" else "引渡し", to,
        )  # fmt: skip


@_reads(ErasureRecord)
def _erased(book: _Book, entry: Entry, record: ErasureRecord) -> None:
    for proof in record.parties:
        for told in proof.copies:
            _erase(book, proof.party, told, entry.seq)


def _erase(book: _Book, party: str, told: CopyErased, evidence: int) -> None:
    """One erased copy: the one it means, or one that nobody had told of."""
    known = book.find(party, told.carrier, told.place, told.file_sha256)
    if known is None or (not book.copies[known].is_open and book.copies[known].place == ""):
        book.copies.append(
            Copy(
                party=party, what="届け出のない控え", carrier=told.carrier, place=told.place, since=told.started_at,
                evidence=evidence, sha256=told.file_sha256, declared=False, became="消去",
                ended_at=told.erased_at, end_evidence=evidence,
            )
        )  # fmt: skip
        return
    copy = book.copies[known]
    if copy.is_open:
        book.copies[known] = replace(
            copy,
            place=copy.place or told.place,
            became="消去",
            ended_at=told.erased_at,
            end_evidence=evidence,
        )


def _settle_paper(book: _Book, history: CycleHistory) -> None:
    """Printed matter is delivered, and what was printed beside it destroyed: told by counts, in whatever order they came."""
    entry = history.entry_of(DeliveryRecord)
    if entry is None:
        return
    record = DeliveryRecord.model_validate(entry.data)
    good = record.sheets_printed - record.sheets_spoiled - record.sheets_test - record.sheets_pulled
    out = pulled(history)
    book.add(
        Copy(
            party=book.contractor, what=PRINTED, carrier="紙", place="", since=record.delivered_at,
            evidence=entry.seq, quantity=good,
        )
    )  # fmt: skip
    book.end(
        lambda copy: copy.what == PRINTED and copy.since <= record.delivered_at,
        record.delivered_at, entry.seq, "引渡し", WARD,
    )  # fmt: skip
    certified = [
        (one, PapersDestroyed.model_validate(one.data))
        for one in history.entries
        if one.kind == PapersDestroyed.kind()
    ]
    for what, sheets in (
        ("spoilage", record.sheets_spoiled),
        ("test", record.sheets_test),
        ("pulled", out.sheets - out.replaced + certified_by_contractor(history)),
        ("replaced", out.replaced),
    ):
        papers = [
            (one, fact, paper) for one, fact in certified for paper in fact.papers if paper.what == what
        ]
        gone = sum(paper.sheets for _, _, paper in papers)
        if not sheets and not gone:
            continue
        is_done = gone == sheets
        book.copies.append(
            Copy(
                party=book.contractor, what=PAPERS_JA[what], carrier="紙", place="", since=record.delivered_at,
                evidence=entry.seq, quantity=sheets, became="消去" if is_done else "",
                ended_at=max(paper.destroyed_at for _, _, paper in papers) if is_done else None,
                end_evidence=papers[-1][0].seq if is_done else None,
            )
        )  # fmt: skip


def _mark_kept(book: _Book, history: CycleHistory) -> None:
    """What the ward has instructed a party to keep."""
    instructed = kept_as_instructed(history)
    for number, copy in enumerate(book.copies):
        what = keepable_as(copy, history)
        if copy.is_open and what and (kept := instructed.get((copy.party, what))):
            book.copies[number] = replace(copy, kept_until=kept.until)


def keepable_as(copy: Copy, history: CycleHistory) -> Keepable | None:
    """As what the ward may have it kept: by which file it is, or paper that is to be destroyed; None: not at all."""
    if copy.carrier == "紙":
        return "paper" if copy.what in PAPERS_JA.values() else None
    if copy.carrier == "DVD":
        return None
    if copy.sha256 in {record.print_file.sha256 for record in history.ever(CompositionRecord)}:
        return "opened"
    packages = {record.files[0].sha256 for record in history.ever(EncryptionRecord)}
    return "package" if copy.sha256 in packages else None
