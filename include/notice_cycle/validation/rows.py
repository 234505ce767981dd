"""One Arrow batch as the checks read it: whole columns as NumPy arrays or filled texts, each converted once.

No check ever sees a null. What a column lacks is filled with a harmless value, and the row is noted as
incomplete for the check that read it: whoever judges counts such a row as broken. Only `day_or_none` lets a
missing day through. A column that is missing or of another type raises UnfitColumn.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Flags: TypeAlias = NDArray[np.bool_]
Whole: TypeAlias = NDArray[np.int64]
Days: TypeAlias = NDArray[np.datetime64]

Kept: TypeAlias = Any
"""What a check of rows gives: one flag a row as a NumPy or Arrow array, true where the row keeps the rule."""

_T = TypeVar("_T")
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2**64
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
TYPES: dict[str, Callable[[pa.DataType], bool]] = {
    "text": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    "whole": pa.types.is_integer,
    "day": pa.types.is_date32,
    "moment": lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None,
    "flag": pa.types.is_boolean,
}
_LABELS_JA = {"text": "文字", "whole": "整数", "day": "日付", "moment": "時差付きの日時", "flag": "真偽"}


class UnfitColumn(Exception):
    """A rule reads a column that is not there, or that is of another type. The sentence names no value."""


class Digits(NamedTuple):
    """A column of numbers written in digits: which rows are well formed, each digit, and the number (0 if not)."""

    well_formed: Flags
    digits: NDArray[np.uint8]
    number: Whole


class Characters(NamedTuple):
    """The code points of a whole column, one row after another, and where each row starts and ends in them."""

    codes: NDArray[np.uint32]
    starts: Whole
    ends: Whole


class Rows:
    """A batch and the row number of its first row. `incomplete` speaks for the columns read since `forget`."""

    def __init__(self, batch: pa.RecordBatch, first_row: int = 0) -> None:
        self.batch, self.first_row = batch, first_row
        self._kept: dict[tuple[str, ...], Any] = {}
        self._lacking: dict[str, Flags] = {}
        self._read: set[str] = set()

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def forget(self) -> None:
        """Another check begins."""
        self._read.clear()

    def incomplete(self) -> Flags | None:
        """Rows with a null in any column read; None when no column read has a null."""
        lacking = [self._lacking[name] for name in self._read if name in self._lacking]
        return np.logical_or.reduce(lacking) if lacking else None

    def text(self, name: str) -> pa.StringArray:
        """A text column; nulls as empty text."""
        column = self._column(name, "text")
        return self.once(("text", name), lambda: _filled(column.cast(pa.string()), ""))

    def whole(self, name: str) -> Whole:
        """A column of whole numbers; nulls as 0."""
        column = self._column(name, "whole")
        return self.once(("whole", name), lambda: _filled(column.cast(pa.int64()), 0).to_numpy())

    def wholes(self, names: Sequence[str]) -> list[Whole]:
        """Several columns of whole numbers."""
        return [self.whole(name) for name in names]

    def day(self, name: str) -> Days:
        """A column of days; a null is not a day, so that no comparison with it holds."""
        self._column(name, "day")
        return self.day_or_none(name)

    def day_or_none(self, name: str) -> Days:
        """A column of days that may be missing (NaT): the row counts as complete."""
        column = self._column(name, "day", may_be_missing=True)
        return self.once(("day", name), lambda: column.to_numpy(zero_copy_only=False))

    def moment(self, name: str) -> Days:
        """A column of moments in UTC, in microseconds."""
        column = self._column(name, "moment").cast(pa.timestamp("us", "UTC"))
        return self.once(("moment", name), lambda: column.to_numpy(zero_copy_only=False))

    def flag(self, name: str) -> Flags:
        """A column of flags; nulls as false."""
        column = self._column(name, "flag")
        return self.once(("flag", name), lambda: _filled(column, False).to_numpy(zero_copy_only=False))

    def digits(self, name: str, length: int) -> Digits:
        """A text column read as numbers of `length` half-width digits."""
        text = self.text(name)
        return self.once(("digits", name, str(length)), lambda: _digits(text, length))

    def characters(self, name: str) -> Characters:
        """A text column as code points."""
        text = self.text(name)
        return self.once(("characters", name), lambda: _characters(text))

    def fingerprint(self, names: Sequence[str]) -> NDArray[np.uint64]:
        """64 bits of the texts of several columns together: equal texts agree, different ones as good as never."""
        columns = [self.characters(name) for name in names]
        return self.once(("fingerprint", *names), lambda: _fingerprint(columns, len(self)))

    def _column(self, name: str, kind: str, *, may_be_missing: bool = False) -> pa.Array:
        place = self.batch.schema.get_field_index(name)
        if place < 0:
            raise UnfitColumn(f"抽出データに項目 {name} がありません")
        column = self.batch.column(place)
        if not TYPES[kind](column.type):
            raise UnfitColumn(f"抽出データの項目 {name} が{_LABELS_JA[kind]}ではありません")
        if not may_be_missing:
            self._read.add(name)
            if column.null_count and name not in self._lacking:
                self._lacking[name] = column.is_null().to_numpy(zero_copy_only=False)
        return column

    def once(self, key: tuple[str, ...], make: Callable[[], _T]) -> _T:
        """What `make` gives, made once a batch."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: _T = self._kept[key]
        return kept


def _filled(column: pa.Array, value: Any) -> pa.Array:
    return pc.fill_null(column, value) if column.null_count else column


def _bytes(text: pa.StringArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Where each row starts in the UTF-8 data (and the last ends), and the data of these rows."""
    _, offsets, data = text.buffers()
    places = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1]
    if data is None:
        return places - places[0], np.empty(0, dtype=np.uint8)
    return places - places[0], np.frombuffer(data, np.uint8)[places[0] : places[-1]]


def _digits(text: pa.StringArray, length: int) -> Digits:
    places, data = _bytes(text)
    well_formed = np.diff(places) == length
    if not well_formed.all():
        places, data = _bytes(pc.if_else(pa.array(well_formed), text, "0" * length))
    digits = data.reshape(len(text), length) - ord("0")  # what is no digit wraps round to more than 9
    well_formed &= (digits <= 9).all(axis=1)  # noqa: PLR2004
    number = np.zeros(len(text), dtype=np.int64)
    for place in range(length):
        number = number * 10 + digits[:, place]
    return Digits(well_formed, digits, np.where(well_formed, number, 0))


def _characters(text: pa.StringArray) -> Characters:
    _, data = _bytes(text)
    codes = np.frombuffer(data.tobytes().decode().encode("utf-32-le"), np.uint32)
    ends = np.cumsum(pc.utf8_length(text).to_numpy(), dtype=np.int64)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    return Characters(codes, starts, ends)


def _fingerprint(columns: list[Characters], rows: int) -> NDArray[np.uint64]:
    mixed = np.zeros(rows, dtype=np.uint64)
    for codes, starts, ends in columns:
        power, inverse = _powers(len(codes) + 1)
        sums = np.zeros(len(codes) + 1, dtype=np.uint64)
        np.cumsum((codes.astype(np.uint64) + np.uint64(1)) * power[:-1], out=sums[1:])
        mixed = _scattered(mixed + (sums[ends] - sums[starts]) * inverse[starts])
    return mixed


def _scattered(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Other numbers for other numbers, near ones far apart: so a column's end is seen (the finaliser of splitmix64)."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


_powers_known: list[NDArray[np.uint64]] = [np.ones(1, dtype=np.uint64), np.ones(1, dtype=np.uint64)]


def _powers(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The first powers of the base and of its inverse, modulo 2**64."""
    if len(_powers_known[0]) < count:
        for place, base in enumerate((_BASE, _INVERSE)):
            factors = np.full(2 * count, base, dtype=np.uint64)
            factors[0] = 1
            _powers_known[place] = np.cumprod(factors, dtype=np.uint64)
    return _powers_known[0][:count], _powers_known[1][:count]
