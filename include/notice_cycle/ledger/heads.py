"""The ledger's head, noted apart from its database, so that a ledger restored to an earlier state is noticed at once.

A chain shows what was altered, not what was cut off at its end. Whoever appended leaves an empty file named by seq
and digest in a folder that no backup of the database brings back. There is nothing in it that could be half
written, and no lock: of several, the highest seq counts. A note that is missing after a crash is one behind.
The folder is never made here: one that is not mounted must not look like one in which nothing was noted.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from notice_cycle.errors import CannotLook
from notice_cycle.ledger.entry import Entry

_NAME = re.compile(r"([0-9]{9,})-([0-9a-f]{64})")
_SUPERSEDED = "superseded"


class Head(NamedTuple):
    """An entry by its place and digest: everything before it follows from the chain."""

    seq: int
    digest: str

    @classmethod
    def of(cls, entry: Entry) -> "Head":
        """The head that the ledger had when this entry was its last."""
        return cls(entry.seq, entry.digest)

    @property
    def name(self) -> str:
        """The name of the file that notes it."""
        return f"{self.seq:09d}-{self.digest}"


class Heads:
    """The folder of noted heads, shared by everyone who appends to one ledger."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def noted(self) -> list[Head]:
        """Every note, the highest last; several only where a writer was killed or is about to remove lower ones.

        Raises CannotLook when the folder cannot be read.
        """
        try:
            names = [path.name for path in self._folder.iterdir()]
        except OSError as unreadable:
            raise _cannot_look() from unreadable
        return sorted(Head(int(found[1]), found[2]) for name in names if (found := _NAME.fullmatch(name)))

    def note(self, head: Head) -> None:
        """Notes a head that was committed and removes lower ones. Raises CannotLook when the folder cannot be written."""
        try:
            (self._folder / head.name).touch()
            _sync(self._folder)  # the new note must be on disk before the old one goes
            noted = self.noted()
            for lower in noted:
                if lower.seq < noted[-1].seq:
                    (self._folder / lower.name).unlink(missing_ok=True)
        except OSError as unwritable:
            raise _cannot_look() from unwritable

    def supersede(self, head: Head) -> None:
        """Puts away a note that no longer counts; it is kept as evidence. Twice changes nothing."""
        kept = self._folder / _SUPERSEDED
        try:
            kept.mkdir(exist_ok=True)
            if (noted := self._folder / head.name).exists():
                noted.replace(kept / head.name)
        except OSError as unwritable:
            raise _cannot_look() from unwritable


def _cannot_look() -> CannotLook:
    return CannotLook(
        "証跡台帳の末尾の控えのフォルダーを読み書きできません。",
        advice="環境変数 NOTICE_CYCLE_HEADS のフォルダーがあるか、マウントと権限を確認してください。",
    )


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
