"""One ledger entry: its canonical text, its digest, and how both are read back and checked."""

import json
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, field_serializer

from notice_cycle.values import CycleId, Digest, Frozen, Person, canonical, sha256

GENESIS = "genesis"


class System(Frozen):
    """A task of ours that did something by itself, e.g. `extraction.extract`."""

    task: str


class Entry(Frozen):
    """What stands in the ledger. `digest` is the SHA-256 of `text()` and is not part of it.

    `follows` names the record this one was built on (None for facts that stand outside the chain of
    records); `previous` is the digest of the entry before it in the whole ledger.
    """

    seq: int
    previous: Digest | None
    recorded_at: AwareDatetime
    actor: Person | System
    cycle: CycleId | None
    kind: str
    follows: Digest | None
    data: dict[str, Any]
    schema_version: Literal[1] = 1

    @field_serializer("recorded_at")
    def _in_utc(self, moment: datetime) -> str:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def text(self) -> str:
        """The canonical JSON that is stored and hashed."""
        return canonical(self.model_dump(mode="json")).decode()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text: the name by which later records refer to this one."""
        return sha256(self.text().encode())

    @classmethod
    def from_text(cls, text: str) -> "Entry":
        """Reads a stored entry. Raises ValueError when the text is not a canonical entry."""
        try:
            entry = cls.model_validate(json.loads(text))
            is_canonical = entry.text() == text
        except (TypeError, RecursionError) as forged:  # a float, a nesting that no writer of ours makes
            raise ValueError("not an entry") from forged
        if not is_canonical:
            raise ValueError("not canonical")
        return entry
