"""Writing beside and renaming, so that a name never stands for half a file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, content: bytes) -> None:
    """Writes a small file that appears under its name only when it is complete."""
    with writing(path) as (target, _):
        target.write(content)


@contextmanager
def writing(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A private file (0600) beside `path` and its name; it becomes `path` when the block succeeds, else it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        with open(partial, "wb", opener=_private) as target:
            yield target, partial
            target.flush()
            os.fsync(target.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o600)
