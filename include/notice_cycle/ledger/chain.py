"""Verifying the chain: every digest recomputed, every link compared, the first bad entry named.

Pure: it takes rows and answers; it trusts neither the database's triggers nor our own writer.
"""

from collections.abc import Iterable
from typing import NamedTuple

from notice_cycle.ledger.entry import Entry
from notice_cycle.values import Frozen, sha256


class Row(NamedTuple):
    """A row of ledger.entry as it is stored."""

    seq: int
    cycle: str | None
    kind: str
    follows: str | None
    body: str
    digest: str


class Verdict(Frozen):
    """The outcome of a verification. `first_bad` is the seq of the first bad entry, None when all hold."""

    entries: int
    head: str | None
    first_bad: int | None
    reason_ja: str

    @property
    def holds(self) -> bool:
        """Whether every entry is what it was when it was written."""
        return self.first_bad is None


def verify_chain(rows: Iterable[Row]) -> Verdict:
    """Walks the rows in order of seq."""
    count, head = 0, None
    for row in rows:
        if reason := _fault(row, expected_seq=count + 1, previous=head):
            return _broken(count, head, first_bad=row.seq, reason=reason)
        count, head = row.seq, row.digest
    if not count:  # a ledger that was begun has at least its first entry
        return _broken(count, head, first_bad=1, reason="第1号がありません")
    return Verdict(entries=count, head=head, first_bad=None, reason_ja=f"{count}件すべて一致しました。")


def _broken(entries: int, head: str | None, *, first_bad: int, reason: str) -> Verdict:
    return Verdict(
        entries=entries,
        head=head,
        first_bad=first_bad,
        reason_ja=f"証跡台帳の第{first_bad}号が改ざんされているか欠けています: {reason}。"
        "業務を止め、情報システム課と監査担当に連絡し、控え（検証済みの写し）と照合してください。",
    )


def _fault(row: Row, *, expected_seq: int, previous: str | None) -> str | None:
    if row.seq != expected_seq:
        return f"第{expected_seq}号がありません"
    if sha256(row.body.encode()) != row.digest:
        return "本文とダイジェストが合いません"
    try:
        entry = Entry.from_text(row.body)
    except ValueError:
        return "本文が記録の形式ではありません"
    if entry.previous != previous:
        return "前の記録とのつながりが合いません"
    if (entry.seq, entry.cycle, entry.kind, entry.follows) != (row.seq, row.cycle, row.kind, row.follows):
        return "見出しと本文が合いません"
    return None
