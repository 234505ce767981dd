"""The contractor's messages: small signed JSON files, one kind a file, read as hostile until proved otherwise.

A message is `<kind>.json` with an SSHSIG `<kind>.json.sig` (namespace notice-cycle-message) in the cycle's
folder. Its form is judged here, its signature at the door; whether it says the right thing is judged by the
stage that waits for it. No message holds personal data of insured persons.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints, ValidationError

from notice_cycle.errors import Refused
from notice_cycle.records import Quantities
from notice_cycle.values import CycleId, Digest, FileName, Frozen, canonical

MESSAGE_NAMESPACE = "notice-cycle-message"
MAX_MESSAGE_BYTES = 1024 * 1024
MAX_ENCLOSURE_BYTES = 100 * 1024 * 1024

Form = Literal["json", "csv"]
"""How a message is written down."""
# A spreadsheet takes what begins so for a formula, in full width too; what officers open in one must not begin so.
_NO_FORMULA = r"[^=+\-@＝＋－＠\x00-\x1f\x7f][^\x00-\x1f\x7f]*"
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=f"^{_NO_FORMULA}$")]
Remark = Annotated[str, StringConstraints(max_length=200, pattern=f"^({_NO_FORMULA})?$")]
"""A text that may be empty."""
Count = Annotated[int, Field(ge=0, le=100_000_000)]
Yen = Annotated[int, Field(ge=0, le=10**12)]


def _countable(quantities: Quantities) -> Quantities:
    if not all(0 <= count <= _MOST for count in quantities.model_dump().values()):
        raise ValueError("a quantity beyond reason")
    return quantities


_MOST = 100_000_000


class Message(Frozen):
    """What every message says: its format, for which dispatch, and about which package."""

    kind: ClassVar[str]
    label_ja: ClassVar[str]
    several: ClassVar[bool] = False
    """Whether a package may have more than one of it: the second is `<kind>-2.json`."""
    contractor_only: ClassVar[bool] = False
    """Whether only 乙 may say it; everything else a consented 丙 may say as well."""
    format: Literal["notice-cycle-message/1"] = "notice-cycle-message/1"
    message: str
    cycle: CycleId
    manifest_sha256: Digest

    def content(self) -> bytes:
        """The bytes to write and sign."""
        return canonical(self.model_dump(mode="json")) + b"\n"

    def moments(self) -> list[datetime]:
        """Every time the message states."""
        return list(_moments(self))

    @classmethod
    def file_name(cls, *, signer: str = "", number: int = 1, form: Form = "json") -> str:
        """`<kind>.json`; a subcontractor's `<signer>.<kind>.json`, the second of several `<kind>-2.json`."""
        whose = f"{signer}." if signer else ""
        which = f"-{number}" if number > 1 else ""
        return f"{whose}{cls.kind}{which}.{form}"

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Reads a message strictly. Raises Refused naming the field and what is wrong, never its value."""
        if len(content) > MAX_MESSAGE_BYTES:
            raise Refused("届出が大きすぎます（上限1MiB）。", advice=_ASK_AGAIN)
        try:
            json.loads(
                content.decode("utf-8"),
                object_pairs_hook=_unique,
                parse_float=_no_float,
                parse_constant=_no_float,
            )
            return cls.model_validate_json(content, strict=True)  # strict: "12" and true are no counts
        except ValidationError as wrong:
            where = _where(wrong)
            raise Refused(f"{cls.label_ja}の項目 {where} が正しくありません。", advice=_ASK_AGAIN) from None
        except (ValueError, RecursionError):
            raise Refused(f"{cls.label_ja}が JSON として読めません。", advice=_ASK_AGAIN) from None


_ASK_AGAIN = "委託先に、様式どおりに作り直して署名し、同じ名前で置き直すよう依頼してください。"


class Receipt(Message):
    """受領通知（第1段階）: the files arrived and their digests are these."""

    kind = "receipt"
    label_ja = "受領通知（第1段階）"
    contractor_only = True
    message: Literal["receipt"] = "receipt"
    files: dict[FileName, Digest]
    received_at: AwareDatetime
    received_by: Text


class ContentReceipt(Message):
    """受領通知（第2段階）: the package could be opened; this is what was counted in it."""

    kind = "content-receipt"
    label_ja = "受領通知（第2段階）"
    contractor_only = True
    message: Literal["content-receipt"] = "content-receipt"
    print_file_sha256: Digest
    quantities: Annotated[Quantities, AfterValidator(_countable)]
    totals_yen: dict[Text, Yen]
    unreadable_characters: Count
    opened_at: AwareDatetime
    opened_by: Text


class PrintLogLine(Frozen):
    """One print job. The five fields of the council paper, and the reason for more than was planned."""

    source_computer: Text
    printed_at: AwareDatetime
    print_file: FileName
    printer: Text
    sheets: Count
    purpose: Literal["planned", "spoilage", "test", "reprint"]
    reason: Remark = ""


class PrintLog(Message):
    """印刷ログ."""

    kind = "print-log"
    label_ja = "印刷ログ"
    message: Literal["print-log"] = "print-log"
    lines: tuple[PrintLogLine, ...] = Field(min_length=1, max_length=10_000)


class Lot(Frozen):
    """One lot: delivered to the ward's place, or handed in at the post."""

    lot: Text
    envelopes: Count


class DeliveryReport(Message):
    """納品報告: how many envelopes were delivered, lot by lot, by whom."""

    kind = "delivery-report"
    label_ja = "納品報告"
    contractor_only = True
    message: Literal["delivery-report"] = "delivery-report"
    lots: tuple[Lot, ...] = Field(min_length=1, max_length=1_000)
    sheets_spoiled: Count
    place: Text
    delivering_party: Literal["乙", "丙"]
    delivered_at: AwareDatetime
    delivered_by: Text


Carrier = Literal["パソコン", "サーバー", "DVD", "紙", "その他"]
"""What the ward's data lies on. その他 can be said, and is a violation."""


class ErasedCopy(Frozen):
    """One copy of the ward's data that was erased: where it was, on what, and how it was erased.

    `method` is the class of NIST SP 800-88; `serial_number` that of the machine or medium.
    """

    place: Text
    carrier: Carrier
    file_sha256: Digest
    method: Literal["clear", "purge", "destroy"]
    tool: Text
    serial_number: Text
    started_at: AwareDatetime
    erased_at: AwareDatetime
    operator: Text
    witness: Text


class ErasureReport(Message):
    """データ消去報告書: every copy, one by one."""

    kind = "erasure-report"
    label_ja = "データ消去報告書"
    message: Literal["erasure-report"] = "erasure-report"
    notices: Count
    copies: tuple[ErasedCopy, ...] = Field(min_length=1, max_length=1_000)
    backups: Text


class ErasureCertificate(Message):
    """消去証明書: the party's responsible person certifies the report; a subcontractor's goes to 甲 and 乙."""

    kind = "erasure-certificate"
    label_ja = "消去証明書"
    message: Literal["erasure-certificate"] = "erasure-certificate"
    certificate_number: Text
    report_sha256: Digest
    addressed_to: tuple[Literal["甲", "乙"], ...] = Field(min_length=1, max_length=2)
    certified_at: AwareDatetime
    responsible_person: Text


# ---- messages that no stage waits for, or only some cycles know


class Rejection(Message):
    """否認: the package cannot be taken or used, and why. Takes the place of a receipt of the same level."""

    kind = "rejection"
    label_ja = "受領の否認"
    contractor_only = True
    message: Literal["rejection"] = "rejection"
    level: Literal[1, 2]
    reason_code: Literal[
        "files_missing",
        "digest_mismatch",
        "signature_invalid",
        "malware_found",
        "cannot_open",
        "passphrase_wrong",
        "count_mismatch",
        "unreadable_characters",
        "wrong_layout",
        "not_contracted",
    ]
    note: Remark = ""
    rejected_at: AwareDatetime
    rejected_by: Text


class DeclaredCopy(Frozen):
    """A copy the party holds and why: the work needs it, or it came into being on the way (backup, cache)."""

    place: Text
    carrier: Carrier
    file_sha256: Digest
    made_at: AwareDatetime
    purpose: Literal["work", "backup", "cache"]
    access: Text


class CopyDeclaration(Message):
    """控えの届出: every place where the party holds the data now. A later one replaces the earlier."""

    kind = "copy-declaration"
    label_ja = "控えの届出"
    several = True
    message: Literal["copy-declaration"] = "copy-declaration"
    copies: tuple[DeclaredCopy, ...] = Field(min_length=1, max_length=1_000)
    declared_at: AwareDatetime
    declared_by: Text


class TransferRecord(Message):
    """移送記録: what 乙 handed to 丙 (or took back): a file or printed matter, by whom to whom."""

    kind = "transfer-record"
    label_ja = "移送記録"
    several = True
    message: Literal["transfer-record"] = "transfer-record"
    taken_by_party: Text
    carrier: Literal["パソコン", "紙"]
    file_sha256: Digest
    sheets: Count
    encrypted: bool
    means: Text
    giver: Text
    taker: Text
    handed_at: AwareDatetime


class DestroyedPaper(Frozen):
    """Printed matter that was destroyed."""

    what: Literal["spoilage", "test", "pulled", "replaced"]
    sheets: Count
    method: Literal["shredding", "dissolving", "incineration"]
    destroyed_at: AwareDatetime
    operator: Text
    witness: Text


class DestructionCertificate(Message):
    """廃棄証明書 of 損紙・試し刷り・引き抜いたもの・差し替えたもの."""

    kind = "destruction-certificate"
    label_ja = "廃棄証明書"
    several = True
    message: Literal["destruction-certificate"] = "destruction-certificate"
    certificate_number: Text
    papers: tuple[DestroyedPaper, ...] = Field(min_length=1, max_length=1_000)
    certified_at: AwareDatetime
    responsible_person: Text


class PulloutConfirmation(Message):
    """引抜き・差替えの確認: what was asked for in the numbered request, and what could be taken out."""

    kind = "pullout-confirmation"
    label_ja = "引抜き・差替えの確認"
    contractor_only = True
    message: Literal["pullout-confirmation"] = "pullout-confirmation"
    request_number: Text
    request_sha256: Digest
    pulled: Count
    replaced: Count
    not_found: Count
    done_at: AwareDatetime
    done_by: Text


class PostingReceipt(Message):
    """差出票: what was handed in at the post, when the contract lets the contractor post."""

    kind = "posting-receipt"
    label_ja = "差出票"
    several = True
    message: Literal["posting-receipt"] = "posting-receipt"
    receipt_number: Text
    post_office: Text
    lots: tuple[Lot, ...] = Field(min_length=1, max_length=1_000)
    posted_at: AwareDatetime
    posted_by: Text


class ReturnNotice(Message):
    """返却届: discs and passphrase notices go back to the ward; the ward's own 返却確認書 counts them."""

    kind = "return-notice"
    label_ja = "返却届"
    several = True
    message: Literal["return-notice"] = "return-notice"
    discs: tuple[Text, ...] = Field(max_length=100)
    passphrase_notices: tuple[Text, ...] = Field(max_length=100)
    means: Literal["手渡し", "簡易書留"]
    tracking_number: str = Field("", pattern=r"^([0-9]{11,12})?$")
    returned_at: AwareDatetime
    returned_by: Text


class MeasureChange(Message):
    """対策の変更の届出."""

    kind = "measure-change"
    label_ja = "対策の変更の届出"
    several = True
    message: Literal["measure-change"] = "measure-change"
    summary: Text
    planned_from: AwareDatetime | None = None
    reported_at: AwareDatetime
    reported_by: Text


class IncidentNotice(Message):
    """事故の通知: an accident, the likelihood of one, or a breach of a clause; from 乙, or from 丙 directly."""

    kind = "incident-notice"
    label_ja = "事故の通知"
    several = True
    message: Literal["incident-notice"] = "incident-notice"
    what: Literal["accident", "likelihood", "breach"]
    category: Literal[
        "leak", "loss", "damage", "misdelivery", "unauthorised_access", "malware", "unerased", "other"
    ]
    known_at: AwareDatetime
    outline: Text
    persons_at_most: Count
    measures_taken: Text
    contact: Text
    reported_at: AwareDatetime
    reported_by: Text


class Enclosure(Message):
    """添付: a file with personal data, encrypted (age or AES ZIP); its passphrase comes on another occasion."""

    kind = "enclosure"
    label_ja = "添付ファイルの届出"
    several = True
    message: Literal["enclosure"] = "enclosure"
    file: FileName
    file_sha256: Digest
    size_bytes: Annotated[int, Field(ge=1, le=MAX_ENCLOSURE_BYTES)]
    purpose: Literal["pullout_not_found", "unreadable_characters", "misprint", "other"]
    sent_at: AwareDatetime
    sent_by: Text


M = TypeVar("M", bound=Message)


def _moments(value: object) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _moments(item)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _moments(getattr(value, name))


MESSAGES: dict[str, type[Message]] = {message.kind: message for message in Message.__subclasses__()}
"""Every kind of message by its name."""


def _where(wrong: ValidationError) -> str:
    """The place of the first mistake in names of ours: a key that we do not know may hold anything."""
    known = [
        str(part) if isinstance(part, int) or part in _field_names() else "（知らない名前）"
        for part in wrong.errors(include_input=False)[0]["loc"]
    ]
    return ".".join(known) or "（全体）"


@cache
def _field_names() -> frozenset[str]:
    models: tuple[type[Frozen], ...] = (
        *MESSAGES.values(),
        *(Quantities, PrintLogLine, Lot, ErasedCopy, DeclaredCopy, DestroyedPaper),
    )
    return frozenset(name for model in models for name in model.model_fields)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key twice")
    return dict(pairs)


def _no_float(text: str) -> Any:
    raise ValueError("amounts and counts are whole numbers")
