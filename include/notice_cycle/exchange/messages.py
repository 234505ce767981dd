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

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, ValidationError

from notice_cycle.errors import Refused
from notice_cycle.records import Quantities
from notice_cycle.values import CycleId, Digest, FileName, Frozen, canonical

MESSAGE_NAMESPACE = "notice-cycle-message"
MAX_MESSAGE_BYTES = 1024 * 1024

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Count = Annotated[int, Field(ge=0, le=100_000_000)]
Yen = Annotated[int, Field(ge=0, le=10**12)]


class Message(Frozen):
    """What every message says: its format, for which dispatch, and about which package."""

    kind: ClassVar[str]
    label_ja: ClassVar[str]
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
    def file_name(cls) -> str:
        """`<kind>.json`."""
        return f"{cls.kind}.json"

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
    message: Literal["receipt"] = "receipt"
    files: dict[FileName, Digest]
    received_at: AwareDatetime
    received_by: Text


class ContentReceipt(Message):
    """受領通知（第2段階）: the package could be opened; this is what was counted in it."""

    kind = "content-receipt"
    label_ja = "受領通知（第2段階）"
    message: Literal["content-receipt"] = "content-receipt"
    print_file_sha256: Digest
    quantities: Quantities
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
    reason: str = ""


class PrintLog(Message):
    """印刷ログ."""

    kind = "print-log"
    label_ja = "印刷ログ"
    message: Literal["print-log"] = "print-log"
    lines: tuple[PrintLogLine, ...] = Field(min_length=1, max_length=10_000)


class Lot(Frozen):
    """One delivered lot."""

    lot: Text
    envelopes: Count


class DeliveryReport(Message):
    """納品報告: how many envelopes were delivered, lot by lot, by whom."""

    kind = "delivery-report"
    label_ja = "納品報告"
    message: Literal["delivery-report"] = "delivery-report"
    lots: tuple[Lot, ...] = Field(min_length=1, max_length=1_000)
    sheets_spoiled: Count
    delivered_at: AwareDatetime
    delivered_by: Text


class ErasedCopy(Frozen):
    """One copy of the ward's data that was erased: where it was and how it was erased."""

    place: Text
    file_sha256: Digest
    method: Literal["clear", "purge", "destroy"]
    tool: Text
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
    """消去証明書: the contractor's responsible person certifies the report."""

    kind = "erasure-certificate"
    label_ja = "消去証明書"
    message: Literal["erasure-certificate"] = "erasure-certificate"
    certificate_number: Text
    report_sha256: Digest
    certified_at: AwareDatetime
    responsible_person: Text


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


MESSAGES: dict[str, type[Message]] = {
    message.kind: message
    for message in (Receipt, ContentReceipt, PrintLog, DeliveryReport, ErasureReport, ErasureCertificate)
}


def _where(wrong: ValidationError) -> str:
    """The place of the first mistake in names of ours: a key that we do not know may hold anything."""
    known = [
        str(part) if isinstance(part, int) or part in _field_names() else "（知らない名前）"
        for part in wrong.errors(include_input=False)[0]["loc"]
    ]
    return ".".join(known) or "（全体）"


@cache
def _field_names() -> frozenset[str]:
    models: tuple[type[Frozen], ...] = (*MESSAGES.values(), Quantities, PrintLogLine, Lot, ErasedCopy)
    return frozenset(name for model in models for name in model.model_fields)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key twice")
    return dict(pairs)


def _no_float(text: str) -> Any:
    raise ValueError("amounts and counts are whole numbers")
