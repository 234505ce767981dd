"""Rows of columns as the bytes of a print file: CSV or fixed length, headings, trailer.

CSV: every field quoted, CRLF, dates as YYYY-MM-DD, moments in Tokyo. Fixed length: widths in bytes, texts filled
up with spaces behind, numbers before. The trailer follows the bank's 全銀 format in idea: record kind 8, then the
numbers of records, envelopes and sheets and the totals in the order of their columns. Refuses a field that is
too long for its place: nothing is cut.
"""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.composition import windows31j
from notice_cycle.composition.columns import utf8_bytes, widths
from notice_cycle.composition.rules import Layout
from notice_cycle.errors import NotConfigured, Refused
from notice_cycle.exchange.print_file import TRAILER_DIGITS, TRAILER_KIND

_END = b"\r\n"
_TOKYO_HOURS = np.timedelta64(9 * 3600, "s")


class Lines:
    """Writes rows as one layout says. `too_long` counts the fields that did not fit, by heading."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._is_fixed = layout.format == "fixed"
        self.too_long: Counter[str] = Counter()

    def head(self) -> bytes:
        """The line of headings; fixed length has none."""
        if self._is_fixed:
            return b""
        return self._csv_line([column.heading_ja for column in self._layout.columns])

    def body(self, columns: list[pa.Array]) -> Any:
        """The rows' bytes, from the columns in the layout's order; texts are in the character set already."""
        return self._fixed(columns) if self._is_fixed else self._csv(columns)

    def trailer(self, counted: list[int]) -> bytes:
        """The last record. `counted`: records, envelopes, sheets, totals. Raises NotConfigured when it has no room."""
        if not self._layout.trailer:
            return b""
        columns = self._layout.columns
        if self._is_fixed:
            length = sum(column.bytes or 0 for column in columns)
            kind = TRAILER_KIND.ljust(columns[0].bytes or 0)
            record = kind + "".join(f"{number:0{TRAILER_DIGITS}}" for number in counted)
            if len(record) <= length:
                return record.ljust(length).encode("ascii") + _END
        elif len(counted) < len(columns):
            return self._csv_line(
                [TRAILER_KIND, *map(str, counted), *[""] * (len(columns) - 1 - len(counted))]
            )
        raise NotConfigured(
            f"様式 {self._layout.id} に、後ろのレコード（件数・合計）を書く場所が足りません。",
            advice="layouts の columns を増やすか、trailer を外してください。",
        )

    def refuse_too_long(self) -> None:
        """Raises Refused when any field did not fit, naming column and number."""
        if self.too_long:
            raise Refused(
                "様式の長さに収まらない項目があります: "
                + "、".join(f"{heading} {count}件" for heading, count in self.too_long.items()),
                advice="委託先と様式の長さを取り決め直すか、担当課で表記を確認してください。切り詰めては印字しません。",
            )

    def _csv_line(self, fields: list[str]) -> bytes:
        quoted = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
        return self._encode(quoted) + _END

    def _encode(self, text: str) -> bytes:
        return text.encode() if self._layout.charset == "utf-8" else windows31j.encode(text)

    def _csv(self, columns: list[pa.Array]) -> Any:
        fields = [as_text(column) for column in columns]
        lines = pc.binary_join_element_wise(*fields, b'","', null_handling="replace", null_replacement=b"")
        return utf8_bytes(pc.binary_join_element_wise(b'"', lines, b'"' + _END, b""))

    def _fixed(self, columns: list[pa.Array]) -> Any:
        pieces = [np.full((len(columns[0]), len(_END)), np.frombuffer(_END, dtype=np.uint8))]
        for described, column in zip(reversed(self._layout.columns), reversed(columns), strict=True):
            pieces.insert(0, self._field(column, described.bytes or 0, described.heading_ja))
        return np.hstack(pieces).data

    def _field(self, column: pa.Array, width: int, heading: str) -> Any:
        texts = pc.fill_null(as_text(column), b"")
        lengths = widths(texts)
        if long := int((lengths > width).sum()):
            self.too_long[heading] += long
            texts = pc.if_else(
                pa.array(lengths > width), b"", texts
            )  # never written: `refuse_too_long` comes first
            lengths = widths(texts)
        field = np.full((len(texts), width), ord(" "), dtype=np.uint8)
        place = np.arange(width)
        start = width - lengths if pa.types.is_integer(column.type) else np.zeros_like(lengths)
        inside = (place >= start[:, None]) & (place < (start + lengths)[:, None])
        field[inside] = np.frombuffer(utf8_bytes(texts), dtype=np.uint8)
        return field


def as_text(column: pa.Array) -> pa.Array:
    """A column as it is printed, in bytes: whole numbers plain, flags 1 or 0, days and moments as in ISO 8601."""
    kind = column.type
    if pa.types.is_binary(kind):
        return column
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    if pa.types.is_timestamp(kind):
        local = pc.add(column.cast(pa.timestamp("us")), pa.scalar(_TOKYO_HOURS))
        return pc.strftime(local.cast(pa.timestamp("s"), safe=False), "%Y-%m-%d %H:%M").cast(pa.binary())
    return column.cast(pa.string()).cast(pa.binary())
