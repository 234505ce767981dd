"""What the ledger proves about data that left: the cipher, and that the passphrase went on another occasion.

A breach of what was well encrypted need not be reported, but only if it can be proved. Where a step is missing this
says so; it never says more than the records do.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from notice_cycle.forms import tokyo
from notice_cycle.handover.route import ROUTES_JA
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    ContentReceiptRecord,
    EncryptionRecord,
    HandoverBegun,
    HandoverRecord,
    PassphraseHandoverRecord,
    ReceiptRecord,
    Record,
)
from notice_cycle.values import Frozen

R = TypeVar("R", bound=Record)


class Protection(Frozen):
    """One package. `proved`: cipher and separate occasion stand in the ledger, and nobody has opened it yet."""

    package: str
    proved: bool
    sentence_ja: str


def protection_of(history: CycleHistory) -> list[Protection]:
    """Every package of a cycle, superseded ones too, in order; empty when none was made."""
    begun = {fact.package for fact in history.facts(HandoverBegun)}
    return [_protection(entries, begun) for entries in _by_package(history)]


def _by_package(history: CycleHistory) -> Iterator[list[Entry]]:
    """The records from one encryption up to the next: what became of that package."""
    starts = [n for n, entry in enumerate(history.records) if entry.kind == EncryptionRecord.kind()]
    ends = [*starts[1:], len(history.records)]
    yield from (list(history.records[start:end]) for start, end in zip(starts, ends, strict=False))


def _protection(entries: list[Entry], begun: set[str]) -> Protection:
    made = EncryptionRecord.model_validate(entries[0].data)
    handed, password = _last(entries, HandoverRecord), _last(entries, PassphraseHandoverRecord)
    receipt, opened = _last(entries, ReceiptRecord), _last(entries, ContentReceiptRecord)
    if handed is None and made.package not in begun:
        return _said(made, "まだ区の外に出ていません。", proved=True)
    parts = [f"{made.cipher} で暗号化"]
    if handed:
        parts.append(f"{tokyo(_left_at(handed))} に{ROUTES_JA[handed.route]}で引渡し")
    else:
        parts.append("引渡しに着手（完了の記録はありません）")
    if receipt:
        parts.append(f"受領通知 {tokyo(receipt.received_at)}")
    if password is None:
        return _said(
            made,
            f"{'、'.join(parts)}。パスワードは渡していません。暗号化と鍵の分離を証明できます。",
            proved=True,
        )
    parts.append(
        f"パスワードは {tokyo(password.handed_at)} に{password.means}（{password.confirmation_number}）"
    )
    apart = handed is not None and password.handed_at >= _to_the_minute(_left_at(handed))
    verdict = (
        "暗号化と、別の機会での鍵の引渡しを証明できます。"
        if apart
        else "鍵を別の機会に渡したことは証明できません。"
    )
    if opened:
        verdict += (
            f"ただし委託先は {tokyo(opened.opened_at)} に開いています。開いた後の控えは暗号化されていません。"
        )
    return _said(made, f"{'、'.join(parts)}。{verdict}", proved=apart and opened is None)


def _last(entries: list[Entry], record: type[R]) -> R | None:
    found = [record.model_validate(entry.data) for entry in entries if entry.kind == record.kind()]
    return found[-1] if found else None


def _left_at(handed: HandoverRecord) -> datetime:
    return handed.dvd.handed_at if handed.dvd else handed.sent_at


def _to_the_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)  # people enter minutes, machines seconds


def _said(made: EncryptionRecord, sentence: str, *, proved: bool) -> Protection:
    return Protection(package=made.package, proved=proved, sentence_ja=sentence)
