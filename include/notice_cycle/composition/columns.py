"""Arrow columns seen as bytes: the few views that composition needs, without a Python object for each row."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.errors import Refused

Digits = npt.NDArray[np.uint8]
"""Digits of many numbers of the same width: one row a number, each digit 0-9."""


def utf8_bytes(texts: pa.Array) -> Any:
    """The bytes of all texts in a row."""
    offsets = _offsets(texts)
    data = texts.buffers()[2] or b""
    return memoryview(data)[offsets[0] : offsets[-1]]


def widths(texts: pa.Array) -> npt.NDArray[np.int32]:
    """How many bytes each text has."""
    return np.diff(_offsets(texts))


def binary(offsets: npt.NDArray[np.int32], data: npt.NDArray[np.uint8]) -> pa.Array:
    """A column of bytes, cut at the offsets."""
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def offsets_of(lengths: npt.NDArray[Any], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Where texts of so many characters end in bytes; `ends`: the end of each character, from 0 on."""
    places = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    return ends[places].astype(np.int32)


def texts_of(rows: npt.NDArray[np.uint8], kept: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Rows of ASCII bytes as texts; empty where `kept` is False."""
    count, width = rows.shape
    kept = np.ones(count, dtype=bool) if kept is None else kept
    offsets = np.concatenate(([0], np.cumsum(kept * width))).astype(np.int32)
    data = rows if kept.all() else rows[kept]
    return binary(offsets, data).view(pa.string())


class Growing:
    """A long column put together from short ones in one piece of memory, without a second copy at the end."""

    def __init__(self, kind: pa.DataType) -> None:
        """`kind`: the type of the pieces. Whole numbers take half the space as long as they fit."""
        self._kind = pa.int32() if kind == pa.int64() else kind
        self._data, self._lengths, self._missing = bytearray(), bytearray(), bytearray()
        self._rows = 0

    def add(self, piece: pa.Array) -> None:
        """Appends; missing texts become empty ones."""
        if pa.types.is_binary(self._kind):
            piece = pc.fill_null(piece, b"")
            self._lengths += widths(piece).tobytes()
            self._data += utf8_bytes(piece)
            return
        if piece.null_count:
            self._missing += (self._rows + np.flatnonzero(piece.is_null())).tobytes()
        self._rows += len(piece)
        piece = piece.cast(pa.uint8()) if pa.types.is_boolean(self._kind) else self._narrow(piece)
        width = piece.type.bit_width // 8
        self._data += memoryview(piece.buffers()[1])[
            piece.offset * width : (piece.offset + len(piece)) * width
        ]

    def column(self) -> pa.Array:
        """All pieces as one column."""
        if pa.types.is_binary(self._kind):
            ends = np.frombuffer(self._lengths, dtype=np.int32).cumsum(dtype=np.int64)
            return binary(
                np.concatenate(([0], ends)).astype(np.int32), np.frombuffer(self._data, dtype=np.uint8)
            )
        known = np.ones(self._rows, dtype=bool)
        known[np.frombuffer(self._missing, dtype=np.int64)] = False
        buffers = [pa.array(known).buffers()[1] if self._missing else None, pa.py_buffer(self._data)]
        if pa.types.is_boolean(self._kind):
            return pa.Array.from_buffers(pa.uint8(), self._rows, buffers).cast(pa.bool_())
        return pa.Array.from_buffers(self._kind, self._rows, buffers)

    def _narrow(self, piece: pa.Array) -> pa.Array:
        try:
            return piece.cast(self._kind)
        except pa.ArrowInvalid:  # more than 32 bits hold: all of the column becomes wide
            self._data = bytearray(np.frombuffer(self._data, dtype=np.int32).astype(np.int64).tobytes())
            self._kind = piece.type
            return piece


def digits_of(texts: pa.Array, width: int) -> tuple[Digits, npt.NDArray[np.bool_]]:
    """The digits of texts of that width, and where there are such; elsewhere they are noughts."""
    texts = pc.fill_null(texts, "")
    fits = widths(texts) == width
    found = np.zeros((len(texts), width), dtype=np.uint8)
    fitting = texts if fits.all() else texts.filter(pa.array(fits))
    raw = np.frombuffer(utf8_bytes(fitting), dtype=np.uint8).reshape(-1, width) - np.uint8(ord("0"))
    found[fits] = raw
    fits[fits] = (raw <= 9).all(axis=1)  # noqa: PLR2004 - the last digit
    found[~fits] = 0
    return found, fits


def whole_numbers(digits: Digits) -> npt.NDArray[np.int64]:
    """Rows of digits as numbers."""
    total = np.zeros(len(digits), dtype=np.int64)
    for place in range(digits.shape[1]):
        total = total * 10 + digits[:, place]
    return total


def refuse_odd_postcodes(postcode: pa.Array) -> None:
    """Raises Refused with the number of postcodes that are not seven digits."""
    _, fits = digits_of(postcode, 7)
    if odd := int((~fits).sum()):
        raise Refused(
            f"郵便番号が7桁の数字ではありません（{odd}件）。",
            advice="基幹系の送付先の郵便番号を担当課で確認し、直してから抽出をやり直してください。",
        )


def notice_digits(notice_no: pa.Array) -> Digits:
    """The eleven digits of every notice number. Raises Refused with the number of odd ones."""
    digits, fits = digits_of(notice_no, 11)
    if odd := int((~fits).sum()):
        raise Refused(
            f"通知書番号が11桁の数字ではありません（{odd}件）。",
            advice="基幹系の通知書番号を担当課で確認し、直してから抽出をやり直してください。",
        )
    return digits


def _offsets(texts: pa.Array) -> npt.NDArray[np.int32]:
    if not len(texts):
        return np.zeros(1, dtype=np.int32)
    return np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
