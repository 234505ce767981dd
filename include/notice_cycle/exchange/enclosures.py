"""A file with personal data that a contractor sends: an age file or an AES-256 ZIP, and nothing else comes in.

Only the container is looked at, never what is inside: nothing is decrypted or unpacked, so no archive can grow here.
Of a ZIP every entry must be encrypted and the first begin at the first byte.
"""

import os
import struct
from typing import BinaryIO, Literal

from notice_cycle.encryption.age import read_header
from notice_cycle.errors import Refused

Container = Literal["age", "zip-aes256"]

_AGE = b"age-encryption.org/v1\n"
_AGE_PAYLOAD_LEAST = 16 + 16  # nonce and the tag of an empty last chunk
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END_BYTES, _COMMENT_MOST = 22, 65_535
_DIRECTORY_MOST, _ENTRIES_MOST = 64 * 1024, 100
_LOCAL_BYTES, _CENTRAL_BYTES = 30, 46
_AES_METHOD, _AES_256 = 99, 3
_AES_EXTRA, _AES_EXTRA_BYTES, _AES_STRENGTH_AT = 0x9901, 7, 8
_FIELD_HEAD_BYTES = 4


class Unprotected(Refused):
    """What came is not wholly encrypted."""


def container_of(source: BinaryIO) -> Container:
    """What an open file is encrypted in. Raises Unprotected for anything that is not wholly encrypted."""
    source.seek(0)
    start = source.read(len(_AGE))
    if start.startswith(_AGE):
        _expect_age(source)
        return "age"
    if start.startswith(_LOCAL):
        _expect_aes(source)
        return "zip-aes256"
    raise _refused("age でも AES の ZIP でもありません")


def _expect_age(source: BinaryIO) -> None:
    source.seek(0)
    try:
        read_header(source)
    except Refused:
        raise _refused("age のヘッダーが壊れています") from None
    if len(source.read(_AGE_PAYLOAD_LEAST)) < _AGE_PAYLOAD_LEAST:
        raise _refused("age の中身がありません")


def _expect_aes(source: BinaryIO) -> None:
    size = source.seek(0, os.SEEK_END)
    tail_bytes = min(size, _END_BYTES + _COMMENT_MOST)
    source.seek(size - tail_bytes)
    tail = source.read(tail_bytes)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise _refused("ZIP の目録がありません")
    _, this, first, here, entries, length, offset, comment = struct.unpack(
        "<4s4H2LH", tail[at : at + _END_BYTES]
    )
    ends_here = at + _END_BYTES + comment == len(tail)
    begins = size - tail_bytes + at - length
    if this or first or here != entries or not ends_here or begins != offset:
        raise _refused("ZIP の目録が壊れています")
    if not 0 < entries <= _ENTRIES_MOST or length > _DIRECTORY_MOST:
        raise _refused("ZIP の中のファイルが多すぎるか、ありません")
    source.seek(offset)
    directory, lowest = source.read(length), size
    for _ in range(entries):
        directory, local_at = _after_entry(directory)
        lowest = min(lowest, local_at)
        source.seek(local_at)
        local = source.read(_LOCAL_BYTES)
        # What an unpacker goes by may be either: both must say that it is encrypted.
        if len(local) != _LOCAL_BYTES or not local.startswith(_LOCAL) or not _is_encrypted(local, flags_at=6):
            raise _refused("ZIP の中に暗号化されていないファイルがあります")
    if directory or lowest != 0:
        raise _refused("ZIP の前後に余分な内容があります")


def _after_entry(directory: bytes) -> tuple[bytes, int]:
    """The directory behind its first entry, and where that entry's file begins."""
    if len(directory) < _CENTRAL_BYTES or not directory.startswith(_CENTRAL):
        raise _refused("ZIP の目録が壊れています")
    name, extra, comment = struct.unpack("<3H", directory[28:34])
    fields, whole = (
        directory[_CENTRAL_BYTES + name : _CENTRAL_BYTES + name + extra],
        _CENTRAL_BYTES + name + extra + comment,
    )
    if len(directory) < whole:
        raise _refused("ZIP の目録が壊れています")
    if not _is_encrypted(directory, flags_at=8) or not _has_aes_256(fields):
        raise _refused("ZIP の中に AES-256 で暗号化されていないファイルがあります")
    (local_at,) = struct.unpack("<L", directory[42:46])
    return directory[whole:], local_at


def _is_encrypted(header: bytes, *, flags_at: int) -> bool:
    flags, method = struct.unpack("<2H", header[flags_at : flags_at + 4])
    return bool(flags & 1) and method == _AES_METHOD


def _has_aes_256(extra: bytes) -> bool:
    while len(extra) >= _FIELD_HEAD_BYTES:
        kind, length = struct.unpack("<2H", extra[:_FIELD_HEAD_BYTES])
        if kind == _AES_EXTRA:
            whole = length == _AES_EXTRA_BYTES and len(extra) >= _FIELD_HEAD_BYTES + length
            return whole and extra[_AES_STRENGTH_AT] == _AES_256
        extra = extra[_FIELD_HEAD_BYTES + length :]
    return False


def _refused(what: str) -> Unprotected:
    return Unprotected(
        f"添付ファイルが暗号化されていません（{what}）。",
        advice="委託先に電話し、age か AES-256 の ZIP で暗号化して置き直し、置いたものは消去するよう依頼してください。",
    )
