"""The entries of one cycle, folded: which records are current, which were superseded and by what.

A record is current while the record it follows is current and no decision has superseded it. Nothing is
ever edited: 差戻し, やり直し and 取下げ are entries that name the first record they supersede.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

from notice_cycle.errors import Refused
from notice_cycle.ledger.entry import Entry
from notice_cycle.records import (
    Decision,
    EncryptionRecord,
    Fact,
    HandoverRecalled,
    OpeningRecord,
    PulloutStep,
    Record,
    record_kinds,
)

R = TypeVar("R", bound=Record)
F = TypeVar("F", bound=Fact)


class CycleHistory:
    """All entries of one cycle in order of seq."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)

    @cached_property
    def records(self) -> tuple[Entry, ...]:
        """The entries that are records, current or not, oldest first."""
        return tuple(e for e in self.entries if e.kind in record_kinds())

    @cached_property
    def current(self) -> tuple[Entry, ...]:
        """The records that hold now, oldest first."""
        superseded = {decision.supersedes for decision in self.facts(Decision)}
        alive: dict[str, Entry] = {}
        for entry in self.records:
            if entry.digest not in superseded and (entry.follows is None or entry.follows in alive):
                alive[entry.digest] = entry
        return tuple(alive.values())

    def entry_of(self, record: type[Record]) -> Entry | None:
        """The current entry of a kind of record, None when there is none."""
        return next((e for e in reversed(self.current) if e.kind == record.kind()), None)

    def find(self, record: type[R]) -> R | None:
        """The current record of a kind, None when there is none."""
        entry = self.entry_of(record)
        return record.model_validate(entry.data) if entry else None

    def latest(self, record: type[R]) -> R:
        """The current record of a kind. Raises Refused when there is none."""
        if (found := self.find(record)) is None:
            raise Refused(
                f"前の段階の記録（{record.label_ja}）が有効ではありません。",
                advice="差戻し・やり直しの記録を確認し、該当の段階から再実行してください。",
            )
        return found

    def ever(self, record: type[R]) -> list[R]:
        """Every record of a kind, superseded ones too, oldest first."""
        return [record.model_validate(entry.data) for entry in self.records if entry.kind == record.kind()]

    def ever_with_pullouts(self, record: type[R]) -> list[R]:
        """Every record of a kind, those of pull-outs' own packages too: whatever left the ward, under every number."""
        steps = [fact for fact in self.facts(PulloutStep) if fact.record == record.kind()]
        return [*self.ever(record), *(record.model_validate(fact.data) for fact in steps)]

    def number_of(self, record: type[Record]) -> int:
        """The number the next record of a kind takes, superseded ones counted: 1 for the first."""
        return len(self.ever_with_pullouts(record)) + 1

    def is_answered_here(self, package: str) -> bool:
        """Whether answers about a package are answers to the dispatch itself; a pull-out's are heard apart."""
        steps = [fact for fact in self.facts(PulloutStep) if fact.record == EncryptionRecord.kind()]
        return package not in {fact.data["package"] for fact in steps}

    def facts(self, fact: type[F]) -> list[F]:
        """Every fact of a kind (facts stand outside the chain of records), oldest first."""
        return [fact.model_validate(e.data) for e in self.entries if e.kind == fact.kind()]

    @property
    def opening(self) -> OpeningRecord:
        """How the cycle was opened, also when it was withdrawn since."""
        return OpeningRecord.model_validate(self.records[0].data)

    @property
    def withdrawn(self) -> bool:
        """Whether the cycle as a whole was withdrawn (取下げ)."""
        return bool(self.records) and not self.current

    @property
    def recalled(self) -> bool:
        """Whether the dispatch was given up after it left: only its erasure is still to be proved."""
        return any(entry.kind == HandoverRecalled.kind() for entry in self.entries)
