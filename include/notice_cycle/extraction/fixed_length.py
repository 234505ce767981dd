"""Records of fixed length in bytes, taken apart as bytes: a Japanese character is one or two of them.

Reading such a file as text counts characters and shifts every field behind the first name without a word.
Here a record is a row of bytes; each column is cut out of many records at once and only then decoded. A
record that is a byte too long or too short stops it.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.errors import Refused
from notice_cycle.extraction.typed import Unreadable

Bytes = npt.NDArray[np.uint8]
"""Bytes of many records: one row a record."""

_CR, _LF, _LAST_ASCII = 0x0D, 0x0A, 0x7F
_BLANKS = " \u3000"


def records(blocks: Iterable[bytes], length: int) -> Iterator[tuple[int, Bytes]]:
    """Whole records without their ends (all LF or all CRLF), with the number of the first one's line.

    Raises Refused with the line of the first record whose length differs.
    """
    incoming = iter(blocks)
    rest = next(incoming, b"")
    end = b"\r\n" if rest[length : length + 1] == b"\r" else b"\n"
    whole, line = length + len(end), 1
    for block in chain(incoming, [b""]):
        there = rest + (b"" if block else bytes(-len(rest) % whole))  # nought fills up a last one cut short
        count = len(there) // whole
        rows = np.frombuffer(there, np.uint8, count * whole).reshape(count, whole)
        if len(wrong := np.flatnonzero(~_are_records(rows, length, end))):
            raise Refused(
                f"連携ファイルの{line + int(wrong[0]):,}行目が、定めた{length}バイトと改行（全行で同じもの）に"
                "なっていません。",
                advice="カタログの source.columns の bytes と、基幹系の出力様式を照合してください。",
            )
        if count:
            yield line, rows[:, :length]
        line, rest = line + count, there[count * whole :] + block


def texts(field: Bytes) -> pa.Array:
    """A column as decoded text, without blanks of half or full width at the end. Raises Unreadable."""
    rows, width = field.shape
    lines = np.full((rows, width + 1), _LF, np.uint8)  # no record holds LF, and CP932 never as second byte
    lines[:, :width] = field
    try:
        utf8 = lines.tobytes().decode("cp932").encode()
    except UnicodeDecodeError as broken:
        row = broken.start // (width + 1)
    else:
        ends = np.flatnonzero(np.frombuffer(utf8, np.uint8) == _LF) + 1
        return pc.utf8_rtrim(_strings(utf8, ends), characters=_BLANKS + "\n")
    raise Unreadable(row)  # here and not above: the decoder's exception holds the whole column


def codes(field: Bytes) -> pa.Array:
    """A column of digits without the blanks before them; what is not ASCII becomes `?`, which is no digit."""
    rows, width = field.shape
    ascii_only = np.where(field <= _LAST_ASCII, field, ord("?")).astype(np.uint8)
    digits = _strings(ascii_only.tobytes(), np.arange(1, rows + 1) * width)
    return pc.ascii_ltrim(digits, characters=" ")


def _are_records(rows: Bytes, length: int, end: bytes) -> npt.NDArray[np.bool_]:
    ended = (rows[:, length:] == np.frombuffer(end, np.uint8)).all(axis=1)
    body = rows[:, :length]
    torn = ((body == _LF) | (body == _CR) | (body == 0)).any(axis=1)
    return np.asarray(ended & ~torn)


def _strings(utf8: bytes, ends: npt.NDArray[np.int64]) -> pa.Array:
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(utf8))
