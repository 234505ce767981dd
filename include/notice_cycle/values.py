"""The small domain types that records, messages and files share, and the digest of bytes.

Strings are checked where they enter and are trusted inside. No type here may hold personal data.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import rfc8785
from pydantic import BaseModel, ConfigDict, StringConstraints

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lower-case hexadecimal."""

NoticeId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,49}$")]
"""A notice's name in the catalogue, e.g. premium_notice_ordinary."""

CYCLE_ID_PATTERN = r"^[0-9]{4}-[a-z][a-z0-9_]{2,49}-(annual|supplementary)-[0-9]{2,3}$"
CycleId = Annotated[str, StringConstraints(pattern=CYCLE_ID_PATTERN)]
"""One dispatch: fiscal year, notice, occasion, round; e.g. 2026-premium_notice_ordinary-annual-01."""

PACKAGE_ID_PATTERN = CYCLE_ID_PATTERN.removesuffix("$") + r"-p[1-9][0-9]{0,2}$"
PackageId = Annotated[str, StringConstraints(pattern=PACKAGE_ID_PATTERN)]
"""One package of a dispatch: the cycle's id and a number that grows when the dispatch is made again."""

FILE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$"
FileName = Annotated[str, StringConstraints(pattern=FILE_NAME_PATTERN)]
"""A bare file name: no path, no leading dot."""

Item = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""An item of information about a notice: a column of the core system, named as it stands in a query."""

_BLOCK = 1024 * 1024


class Frozen(BaseModel):
    """A value that is checked when made, knows no surplus fields and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Occasion(StrEnum):
    """Why a dispatch happens: the yearly July run, or a supplementary run through the year."""

    ANNUAL = "annual"
    SUPPLEMENTARY = "supplementary"

    @property
    def label_ja(self) -> str:
        """当初 or 随時."""
        return {"annual": "当初", "supplementary": "随時"}[self.value]


class Person(Frozen):
    """Who did something: the account that was logged in. Staff only, never an insured person."""

    user_id: str
    name: str


class StoredFile(Frozen):
    """A file by name, size in bytes and SHA-256."""

    name: FileName
    size_bytes: int
    sha256: Digest


def canonical(value: Any) -> bytes:
    """RFC 8785 canonical JSON (UTF-8). Raises TypeError on a float: amounts are whole yen; ValueError beyond 2⁵³."""
    try:
        if _is_plain(value):
            # Of a plain value json says byte for byte what rfc8785 says, ten times as fast: the ledger lives on it.
            return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        _refuse_floats(value)
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as unsayable:
        raise ValueError("a number or text that canonical JSON cannot say") from unsayable


def sha256(data: bytes) -> str:
    """SHA-256 of bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_chunks(chunks: Iterable[bytes]) -> tuple[str, int]:
    """SHA-256 and length in bytes of a stream of chunks."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def blocks(source: BinaryIO) -> Iterable[bytes]:
    """A binary file's content in blocks of 1 MiB."""
    while block := source.read(_BLOCK):
        yield block


def stored_file(path: Path) -> StoredFile:
    """Describes a file on disk."""
    with path.open("rb") as source:
        digest, size = sha256_of_chunks(blocks(source))
    return StoredFile(name=path.name, size_bytes=size, sha256=digest)


def found_file(path: Path) -> StoredFile:
    """Describes a file that may not be ours: a name that we would not give is told by its digest only."""
    with path.open("rb") as source:
        digest, size = sha256_of_chunks(blocks(source))
    return StoredFile(name=known_name(path.name), size_bytes=size, sha256=digest)


def known_name(name: str) -> str:
    """A file's name, or `foreign-<digest>` for one that we would not give: it may say anything."""
    return name if re.fullmatch(FILE_NAME_PATTERN, name) else f"foreign-{sha256(os.fsencode(name))[:16]}"


def _is_plain(value: Any) -> bool:
    """Whether json and rfc8785 say it alike. Keys beyond the surrogates sort differently, and are rare."""
    kind = type(value)
    if kind is dict:
        keys = all(type(key) is str and (key.isascii() or max(key) < "\ud800") for key in value)
        return keys and all(map(_is_plain, value.values()))
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    return kind is str or kind is bool or value is None or (kind is int and abs(value) < 2**53)


def _refuse_floats(value: Any) -> None:
    match value:
        case float():
            raise TypeError("floats do not enter canonical JSON")
        case dict():
            for item in value.values():
                _refuse_floats(item)
        case list() | tuple():
            for item in value:
                _refuse_floats(item)
