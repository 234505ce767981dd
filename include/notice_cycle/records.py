"""What a cycle leaves in the ledger: one frozen model a step, and the facts and decisions around them.

Records form a chain: each names (through the ledger) the record it follows, and holds only while that one
holds. Facts and decisions stand beside the chain. Nothing here may hold personal data of insured persons,
a passphrase or a key; amounts are whole yen, quantities whole numbers.
"""

import hashlib
import hmac
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from notice_cycle.values import (
    CycleId,
    Digest,
    FileName,
    Frozen,
    Item,
    NoticeId,
    Occasion,
    PackageId,
    Person,
    StoredFile,
    canonical,
)

Route = Literal["lgwan", "manual", "dvd"]
"""How a package reaches the contractor: sent over LGWAN, uploaded by an officer, or carried on disc."""

Originals = Literal["差出し前にすべて抜き取った", "損傷・紛失し、届かない"]
"""Why nobody gets two letters when a dispatch is made again (再印字)."""

SMALL_CYCLE = 10
"""Below this many persons an amount total would tell about a person."""


class _Kept(Frozen):
    """Anything that is kept in the ledger. `kind()` is its name there."""

    label_ja: ClassVar[str] = ""

    @classmethod
    def kind(cls) -> str:
        """The name in the ledger: the class name in snake_case without its ending."""
        name = cls.__name__.removesuffix("Record")
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class Record(_Kept):
    """A step of a cycle, in the chain."""


class Fact(_Kept):
    """Something that happened beside the chain."""


# ---- values inside records


class AmountTotal(Frozen):
    """A total in yen, or only its keyed digest where the cycle is too small to tell it (`yen` is None).

    The keyed digest is HMAC-SHA256 of the decimal amount: equal totals can be recognised, not read.
    """

    yen: int | None
    hmac: Digest | None

    @classmethod
    def of(cls, yen: int, *, persons: int, key: bytes) -> Self:
        """Tells the total, or hides it when fewer than ten persons stand behind it."""
        if persons >= SMALL_CYCLE:
            return cls(yen=yen, hmac=None)
        return cls(yen=None, hmac=_keyed(yen, key))

    def equals(self, yen: int, *, key: bytes) -> bool:
        """Whether this is the total `yen`."""
        return self.yen == yen if self.hmac is None else hmac.compare_digest(self.hmac, _keyed(yen, key))

    @property
    def label_ja(self) -> str:
        """The amount for a page or a mail."""
        return f"{self.yen:,}円" if self.yen is not None else "10人未満のため非表示"


class Quantities(Frozen):
    """What is counted from extraction to erasure. persons ≥ envelopes; one notice a person."""

    persons: int
    notices: int
    envelopes: int
    sheets: int


class PostalLot(Frozen):
    """A lot of envelopes of one postal class."""

    lot_no: int
    postal_class: str
    envelopes: int


class LotDelivered(Frozen):
    """A lot as it was delivered."""

    lot: str
    envelopes: int


class CopyErased(Frozen):
    """One erased copy as a party reported it: where, on what, how (NIST SP 800-88), from when to when, by whom."""

    place: str
    carrier: Literal["パソコン", "サーバー", "DVD", "紙", "その他"]
    file_sha256: Digest
    method: Literal["clear", "purge", "destroy"]
    tool: str
    serial_number: str
    started_at: datetime
    erased_at: datetime
    operator: str
    witness: str


class PartyErasure(Frozen):
    """The proof of one party, 乙 or 丙: its report, copy by copy, and its certificate."""

    party: str
    signed_by: str
    report_sha256: Digest
    certificate_sha256: Digest
    certificate_number: str
    addressed_to: tuple[Literal["甲", "乙"], ...]
    certified_at: datetime
    responsible_person: str
    backups: str
    copies: tuple[CopyErased, ...]


def _keyed(yen: int, key: bytes) -> str:
    return hmac.new(key, str(yen).encode(), hashlib.sha256).hexdigest()


# ---- the chain


class OpeningRecord(Record):
    """開始: what dispatch this is, and the configuration it will run by from here on.

    `reprint_of`: the dispatch whose letters it replaces (再作成), and what became of the `originals`.
    """

    label_ja = "開始"
    fiscal_year: int
    notice: NoticeId
    occasion: Occasion
    round: int
    dag_id: str
    run_id: str
    batch_no: str
    reason_code: str
    reprint_of: CycleId | None = None
    originals: Originals | None = None
    prepared: Digest | None = None
    synthetic: bool
    configuration: dict[str, Any]
    configuration_sha256: Digest

    @model_validator(mode="after")
    def _configuration_is_what_is_named(self) -> Self:
        if hashlib.sha256(canonical(self.configuration)).hexdigest() != self.configuration_sha256:
            raise ValueError("configuration_sha256 does not belong to configuration")
        return self


class YearSettingsRecord(Record):
    """年度設定確認: premium table, income threshold and instalments of the year were compared with the section's papers.

    One person confirms them once a year; later cycles of the year carry over the same confirmation (`confirmed_in`).
    """

    label_ja = "年度設定確認"
    fiscal_year: int
    premiums_sha256: Digest
    papers: str
    confirmed_by: Person
    confirmed_at: datetime
    confirmed_in: CycleId


class ExtractionRecord(Record):
    """抽出: what was read from the core system, equal to its control totals."""

    label_ja = "抽出"
    as_of: datetime
    rows: int
    persons: int
    columns: tuple[str, ...]
    totals: dict[Item, AmountTotal]
    staging: StoredFile
    circumstances: StoredFile


class RuleOutcome(Frozen):
    """One rule of the suite: how many rows were looked at and how many broke it."""

    rule: str
    sentence_ja: str
    severity: Literal["error", "warning"]
    requirement: str
    checked: int
    broken: int
    allowed: int

    @property
    def holds(self) -> bool:
        """Whether no more rows broke the rule than are allowed."""
        return self.broken <= self.allowed


class ValidationRecord(Record):
    """検証: the outcome of every rule, counts only."""

    label_ja = "検証"
    staging_sha256: Digest
    rules: tuple[RuleOutcome, ...]
    counts: dict[Item, dict[str, int]]
    last_year: dict[Item, dict[str, int]]
    last_year_of: int | None

    @property
    def errors(self) -> int:
        """How many rules of severity error do not hold."""
        return sum(1 for rule in self.rules if rule.severity == "error" and not rule.holds)


class ValidationConfirmationRecord(Record):
    """検証確認: the section's officer has read the outcome and lets it pass."""

    label_ja = "検証確認"
    confirmed_by: Person
    confirmed_at: datetime


class CompositionRecord(Record):
    """印字データ作成: the print file, its quantities, and everything that was decided on the way to it.

    `excluded` and `corrected` count what the differential list changed, by reason, `differences_read` its entries then
    (None: there is none, or the record is older than the count); `replaced_characters` the
    外字 that were printed as agreed with the contractor; `ambiguous` the cases of bundling a person should see.
    """

    label_ja = "印字データ作成"
    quantities: Quantities
    totals: dict[Item, AmountTotal]
    layout: str
    charset: str
    print_file: StoredFile
    variants: dict[str, int]
    lots: tuple[PostalLot, ...]
    excluded: dict[str, int]
    corrected: int
    unknown_differences: int
    differences_read: int | None = None
    ambiguous: int
    replaced_characters: dict[str, int]
    without_customer_barcode: int


class HandoverApprovalRecord(Record):
    """引渡し承認: the approver, another person than the confirming officer, releases these bytes."""

    label_ja = "引渡し承認"
    approved_by: Person
    approved_at: datetime
    print_file_sha256: Digest


class EncryptionRecord(Record):
    """暗号化: the package in the outbox and who signed its manifest."""

    label_ja = "暗号化"
    package: PackageId
    cipher: str
    files: tuple[StoredFile, ...]
    manifest_sha256: Digest
    signer_fingerprint: str


class RemoteFile(Frozen):
    """A file as the contractor's host lists it."""

    name: FileName
    size_bytes: int


class OverLgwan(Frozen):
    """The line and the host a package was sent to, what lay there afterwards, and how we know that it is the same."""

    host: str
    host_key_fingerprint: str
    transport: str
    remote_folder: str
    listing: tuple[RemoteFile, ...]
    proved_by: Literal["読み戻し", "委託先のダイジェストファイル"] = "読み戻し"


class ByUpload(Frozen):
    """An officer's own upload from the intranet PC, and the deletion of the copy on that PC.

    `listing`: what the contractor's page showed afterwards; empty in records made before it was asked for.
    """

    computer: str
    remote_folder: str
    digest_compared: Literal["送信前に照合した"]
    listing: Literal["", "4つのファイルが正しい名前で並んだ", "一覧を表示しないページである"] = ""
    uploader: str
    copy_deleted_at: datetime
    entered_by: Person
    entered_at: datetime


class Disc(Frozen):
    """One disc: its label, and the image that was read back from it."""

    label: FileName
    image: StoredFile


class OnDisc(Frozen):
    """媒体引渡確認書: which discs went from whom to whom, and where disc and passphrase notice are kept apart.

    `lgwan_copy`: what became of packages sent over LGWAN before, so that nothing can be printed twice.
    """

    confirmation_number: str
    discs: tuple[Disc, ...]
    burnt_at: str
    kept_in_safe: str
    notice_kept_in: str
    giver: str
    taker: str
    handed_at: datetime
    means: Literal["手渡し", "簡易書留"]
    tracking_number: str
    quantity: int
    lgwan_copy: Literal["送っていない", "引き上げた", "未開封を書面で確認した"]
    filed_under: str
    signed_by: str = ""
    entered_by: Person
    entered_at: datetime


class HandoverRecord(Record):
    """引渡し: the contractor holds the package, byte for byte; exactly one of the three routes tells how."""

    label_ja = "引渡し"
    party: str
    files: tuple[StoredFile, ...]
    sent_at: datetime
    lgwan: OverLgwan | None = None
    manual: ByUpload | None = None
    dvd: OnDisc | None = None

    @property
    def route(self) -> Route:
        """Which of the routes it was."""
        routes: tuple[Route, ...] = ("lgwan", "manual", "dvd")
        return next(route for route in routes if getattr(self, route) is not None)

    @model_validator(mode="after")
    def _one_route(self) -> Self:
        if sum(way is not None for way in (self.lgwan, self.manual, self.dvd)) != 1:
            raise ValueError("a hand-over goes by exactly one route")
        return self


class ReceiptRecord(Record):
    """受領確認（第1段階）: the contractor holds the same bytes."""

    label_ja = "受領通知（第1段階）"
    message_sha256: Digest
    signed_by: str
    received_at: datetime
    received_by: str


class PassphraseNoticeRecord(Record):
    """パスワード通知書: printed under a number; the passphrase itself is nowhere but on the paper and in the vault."""

    label_ja = "パスワード通知書の発行"
    notice_number: str
    document_sha256: Digest
    printed_at: datetime


class PassphraseHandoverRecord(Record):
    """パスワード引渡確認書: on which occasion, by whom, to whom and by what means."""

    label_ja = "パスワード引渡確認書"
    confirmation_number: str
    notice_number: str
    handed_at: datetime
    giver: str
    taker: str
    means: Literal["手渡し", "簡易書留", "口頭"]
    tracking_number: str
    quantity: int
    entered_by: Person
    entered_at: datetime
    signed_by: str = ""
    filed_under: str = ""


class ContentReceiptRecord(Record):
    """受領確認（第2段階）: the contractor could open the package and counted the same."""

    label_ja = "受領通知（第2段階）"
    message_sha256: Digest
    signed_by: str
    print_file_sha256: Digest
    opened_at: datetime
    quantities: Quantities
    unreadable_characters: int


class StagingWipeRecord(Record):
    """中間データの消去: plaintext staging is gone; only the encrypted dispatch index stays."""

    label_ja = "中間データの消去"
    wiped: tuple[StoredFile, ...]
    kept: tuple[FileName, ...]
    wiped_at: datetime


class DeliveryRecord(Record):
    """納品報告・印刷ログ: what was printed and delivered, equal to what was planned.

    `reasons`: by which mode a reason was asked for; `computers`: where was printed from; `deliveries`: lot by lot.
    `…_pulled`: what was printed as planned, but taken out after the hand-over.
    """

    label_ja = "納品の照合"
    print_log_sha256: Digest
    delivery_report_sha256: Digest
    signed_by: str
    sheets_printed: int
    sheets_spoiled: int
    envelopes_delivered: int
    lots: int
    delivered_at: datetime
    sheets_test: int = 0
    reasons: Literal["per_item", "literal"] = "per_item"
    computers: tuple[str, ...] = ()
    place: str = ""
    delivering_party: Literal["乙", "丙"] = "乙"
    delivered_by: str = ""
    deliveries: tuple[LotDelivered, ...] = ()
    envelopes_pulled: int = 0
    sheets_pulled: int = 0


class DeliveryConfirmationRecord(Record):
    """納品確認書: the ward's officer received the goods (日時・取扱者・情報の内容・数量)."""

    label_ja = "納品確認書"
    confirmation_number: str
    delivered_at: datetime
    handler: str
    contents: str
    quantity: int
    party: str
    deliverer: str
    entered_by: Person
    entered_at: datetime
    signed_by: str = ""
    filed_under: str = ""
    delivering_party: Literal["乙", "丙"] = "乙"


class ErasureRecord(Record):
    """消去報告・消去証明: what the contractor and its subcontractors say they have erased, copy by copy.

    The first five fields are the contractor's; `parties` holds the whole proof, one a party.
    """

    label_ja = "消去報告の照合"
    report_sha256: Digest
    certificate_sha256: Digest
    certificate_number: str
    signed_by: str
    copies_erased: int
    notices: int
    erased_at: datetime
    parties: tuple[PartyErasure, ...] = ()


class ErasureConfirmationRecord(Record):
    """消去確認: the ward itself confirmed the erasure (別紙1 第15項).

    `subcontractor_confirmed_by`: who of 乙 confirmed the erasure of 丙, and when (別紙2 第13項); empty without 丙.
    """

    label_ja = "消去確認"
    method: Literal["立入り", "ビデオ通話", "写真", "書面"]
    confirmed_on: str
    note_number: str
    entered_by: Person
    entered_at: datetime
    subcontractor_confirmed_by: str = ""
    subcontractor_confirmed_on: str = ""


class DestructionRecord(Record):
    """廃棄: vault, outbox, inbox and keys of the cycle are gone, and were looked for again."""

    label_ja = "区の控えの廃棄"
    destroyed: tuple[StoredFile, ...]
    keys_destroyed: int
    files_left: int
    destroyed_at: datetime


class ClosingRecord(Record):
    """完了: the evidence is complete and the ledger's chain holds."""

    label_ja = "完了"
    evidence: dict[str, Digest]
    ledger_entries: int
    ledger_head: Digest
    closed_at: datetime


# ---- beside the chain


class DecisionKind(StrEnum):
    """What a person may decide about records that stand."""

    SENT_BACK = "差戻し"
    REDO = "やり直し"
    WITHDRAWN = "取下げ"


class Decision(Fact):
    """差戻し, やり直し or 取下げ: supersedes a record and all that follow it."""

    label_ja = "差戻し・やり直し・取下げ"
    decision: DecisionKind
    supersedes: Digest
    stage: str
    reason_code: str
    decided_by: Person


class FindingListPrinted(Fact):
    """検証該当者一覧: the numbers concerned by findings left on paper; how many each rule named."""

    label_ja = "検証該当者一覧の印刷"
    list_number: str
    validation_sha256: Digest
    rules: dict[str, int]
    document_sha256: Digest
    printed_at: datetime


class HandoverBegun(Fact):
    """From here on the package may lie with the contractor: its erasure is asked for, whatever comes."""

    label_ja = "引渡しの着手"
    package: PackageId
    route: Route
    encrypted_file: StoredFile
    begun_at: datetime


class HandoverCompleting(Fact):
    """The last file of a package is whole and proved on the contractor's host and about to get its name.

    From here on the contractor may take the package away: a later try that finds nothing does not send it again.
    """

    label_ja = "引渡しの仕上げ"
    package: PackageId
    completing_at: datetime


class DiscsMade(Fact):
    """媒体イメージの作成: what is to be written to disc."""

    label_ja = "媒体イメージの作成"
    package: PackageId
    discs: tuple[Disc, ...]
    made_at: datetime


class DiscBurnt(Fact):
    """媒体の書込みと読み戻し: a disc was written on the ward's drive and read back, byte for byte."""

    label_ja = "媒体の書込みと読み戻し"
    package: PackageId
    disc: Disc
    program: str
    device: str
    files_compared: int
    read_back_at: datetime


class DiscPaperPrinted(Fact):
    """盤面ラベル or 送付票: laid out with the discs under a number of its own, once."""

    label_ja = "盤面ラベル・送付票の印刷"
    package: PackageId
    number: str
    document_sha256: Digest
    printed_at: datetime


class CopyWithdrawn(Fact):
    """A package was taken off the contractor's host before it counted; what its folder held before and after."""

    label_ja = "LGWAN の控えの引上げ"
    package: PackageId
    found: tuple[RemoteFile, ...]
    left: tuple[RemoteFile, ...]
    withdrawn_at: datetime


class NoticeDifference(Frozen):
    """What the dispatch index and a contractor's counts do not agree on, in envelopes; `lot` empty: all lots together.

    `notices`: how many notice numbers the list names, 0 where the contractor's own lots do not say which they are.
    """

    kind: Literal["not_delivered", "short", "over", "twice", "pulled_but_delivered", "split", "not_posted"]
    lot: str
    due: int
    told: int
    notices: int


class NoticesReconciled(Fact):
    """通知書番号までの照合: the dispatch index beside what was delivered or posted; every difference by count.

    The numbers stand in the vault (`kept`) and on the list printed under `list_number`, nowhere else.
    """

    label_ja = "通知書番号までの照合"
    against: Literal["納品", "差出し"]
    told_sha256: Digest
    notices: int
    envelopes: int
    lots: int
    pulled: int
    differences: tuple[NoticeDifference, ...]
    list_number: str = ""
    kept: StoredFile | None = None
    document_sha256: Digest | None = None
    reconciled_at: datetime


class ResultsReturned(Fact):
    """発送結果の返送: what became of every notice, as a file in the core system's folder; counts and digests only."""

    label_ja = "発送結果の返送"
    file: StoredFile
    control_file: StoredFile
    layout_valid_from: date
    results: dict[str, int]
    written_at: datetime


class _Returned(Frozen):
    """返却確認書: what came back from the contractor, from whom to whom, and where the signed paper is filed."""

    confirmation_number: str
    package: PackageId
    returned_at: datetime
    giver: str
    taker: str
    contents: str
    quantity: int
    filed_under: str
    entered_by: Person
    entered_at: datetime


class MediaReturn(_Returned, Fact):
    """返却確認書（媒体）: so many discs came back."""

    label_ja = "返却確認書（媒体）"


class PassphraseReturn(_Returned, Fact):
    """返却確認書（パスワード）: so many passphrase notices came back."""

    label_ja = "返却確認書（パスワード）"


class RouteSwitched(Fact):
    """経路の変更: a person decides that the dispatch goes another way, with a reason."""

    label_ja = "経路の変更"
    route: Route
    reason_code: str
    decided_by: Person


class DestructionBegun(Fact):
    """What was found and is about to go: if the process dies on the way, its retry can still tell all of it."""

    label_ja = "廃棄の着手"
    found: tuple[StoredFile, ...]


class WithdrawalCleanup(Fact):
    """After a 取下げ: what was destroyed in vault, outbox and inbox."""

    label_ja = "取下げ後の廃棄"
    destruction: DestructionRecord


class HandoverRecalled(Fact):
    """引渡し後の取下げ: the dispatch is given up after it left; what left (name and SHA-256) is to be erased.

    No record is superseded: what happened stays true. The cycle goes on to its erasure and nothing else.
    """

    label_ja = "引渡し後の取下げ"
    left: dict[FileName, Digest]
    reason_code: str
    decided_by: Person


class AnswerRefused(Fact):
    """A form's answer that was not accepted, and why. The answer itself is not kept."""

    label_ja = "回答の不受理"
    form: str
    answered_by: Person
    reason_ja: str


class ConfirmationPrinted(Fact):
    """確認書: laid out to be signed, under a number of its own; never printed again with other content."""

    label_ja = "確認書の印刷"
    form: str
    number: str
    after: Digest
    document_sha256: Digest
    printed_at: datetime


class PaperReprinted(Fact):
    """再発行: a paper printed again under its number, as the `issue`-th 再発行; `asked_in`: the run that was started for it."""

    label_ja = "印刷物の再発行"
    number: str
    issue: int
    reason_code: str
    document_sha256: Digest
    asked_in: str
    decided_by: Person
    printed_at: datetime


class DiscrepancyOpened(Fact):
    """An answer differed from the records or the register; open until the form has a right answer."""

    label_ja = "不一致"
    discrepancy: int
    form: str
    reason_ja: str
    answered_by: Person


class DiscrepancyClosed(Fact):
    """A later answer agreed."""

    label_ja = "不一致の解消"
    discrepancy: int
    form: str
    answered_by: Person


class PassphraseNoticeVoided(Fact):
    """無効化: a printed notice no longer counts; `disclosure_possible` asks for a new package besides."""

    label_ja = "パスワード通知書の無効化"
    notice_number: str
    package: PackageId
    reason_code: str
    disclosure_possible: bool
    decided_by: Person


class QuantitiesTold(Fact):
    """予定数量 or 確定数量 were mailed to the contractor: counts only; `source_ja` says where planned ones come from."""

    label_ja = "数量の通知"
    stage: Literal["予定数量", "確定数量"]
    party: str
    notices: int
    envelopes: int
    sheets: int
    source_ja: str
    message_id: str
    told_at: datetime


class ReplyReceived(Fact):
    """A message that passed the door: signed by an allowed key, well formed, for this cycle.

    `party`: whose it is, by its id (empty: the contractor's, as every one was once). `file`: its name in the inbox.
    """

    label_ja = "委託先からの届出の受理"
    message: str
    message_sha256: Digest
    signed_by: str
    party: str = ""
    file: FileName | Literal[""] = ""
    package: PackageId | Literal[""] = ""


class ReplyRefused(Fact):
    """A contractor's message that was turned away, and where it is kept."""

    label_ja = "委託先からの届出の不受理"
    message: str
    message_sha256: Digest
    reason_ja: str
    quarantined_as: str


class ReplyRepeated(Fact):
    """The same message once more, under another name or for another package: known, and nothing to do."""

    label_ja = "同じ届出の再着"
    message: str
    message_sha256: Digest
    party: str
    file: FileName
    package: PackageId


class ReplyConflict(Fact):
    """A second message of a kind that a party says once, different from the first: the cycle stops, a person decides."""

    label_ja = "異なる二通の届出"
    message: str
    party: str
    package: PackageId
    first_sha256: Digest
    second_sha256: Digest
    quarantined_as: str


class ConflictDecided(Fact):
    """Which of two different messages holds, decided by a person; the other is never taken."""

    label_ja = "異なる届出についての判断"
    message: str
    party: str
    held_sha256: Digest
    dropped_sha256: Digest
    reason_code: str
    decided_by: Person


class PaperReply(Fact):
    """A message that came on paper was transcribed: only the file with this digest comes in without a signature."""

    label_ja = "書面の届出の転記"
    message: str
    message_sha256: Digest
    party: str
    document_number: str
    entered_by: Person
    entered_at: datetime


class PulloutStep(Fact):
    """引抜き・差替えの依頼の一歩: a record of a pull-out's own package, kept beside the chain of the dispatch.

    `pullout`: which request of the cycle; `record` and `data`: the record as a stage would have entered it.
    """

    label_ja = "引抜き・差替えの依頼の記録"
    pullout: int
    record: str
    data: dict[str, Any]

    @classmethod
    def of(cls, pullout: int, record: Record) -> Self:
        """The step that keeps a record."""
        return cls(pullout=pullout, record=record.kind(), data=record.model_dump(mode="json"))

    @model_validator(mode="after")
    def _is_a_record(self) -> Self:
        if self.record not in record_kinds():
            raise ValueError("no record of a stage")
        return self


class IncidentTold(Fact):
    """A party told the ward of an incident, as it classified it; what it wrote stays in the inbox."""

    label_ja = "事故の通知の着信"
    message_sha256: Digest
    party: str
    what: Literal["accident", "likelihood", "breach"]
    category: str
    persons_at_most: int
    party_knew_at: datetime
    received_at: datetime


class EnclosureKept(Fact):
    """A file with personal data came, encrypted, and is kept as it came."""

    label_ja = "添付ファイルの受領"
    announced_in_sha256: Digest
    party: str
    encrypted_file: StoredFile
    container: Literal["age", "zip-aes256"]
    kept_as: str


class EnclosureUnprotected(Fact):
    """A file with personal data came and was not wholly encrypted: a breach, and nothing of it was kept."""

    label_ja = "暗号化されていない添付の着信"
    announced_in_sha256: Digest
    party: str
    file_sha256: Digest
    found_at: datetime


class EnclosurePassphraseReceived(Fact):
    """The passphrase of an enclosure came, on an occasion of its own; what it is, is nowhere."""

    label_ja = "添付ファイルのパスワードの受領"
    encrypted_file_sha256: Digest
    means: Literal["手渡し", "簡易書留", "口頭"]
    giver: str
    received_on: str
    entered_by: Person
    entered_at: datetime


class PackageBeyond(Frozen):
    """A package that was found in the outbox and that no record knows: it may lie with the contractor."""

    package: PackageId
    encrypted_file: StoredFile


class LedgerRestored(Fact):
    """台帳の復旧: the ledger came back in an earlier state (`found`), without the head noted last (`lost`).

    Of no cycle. `entries_lost` is the difference of the two numbers, at least the lost head itself.
    """

    label_ja = "台帳の復旧"
    found_seq: int
    found_digest: Digest
    lost_seq: int
    lost_digest: Digest
    entries_lost: int
    packages_beyond: tuple[PackageBeyond, ...]
    reason_code: str
    note_number: str
    decided_by: Person


@cache
def record_kinds() -> frozenset[str]:
    """The names of all records of the chain."""
    return frozenset(record.kind() for record in Record.__subclasses__())
