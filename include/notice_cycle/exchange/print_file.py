"""Reading a print file back: records, persons, envelopes, sheets and totals counted from the bytes themselves.

For either party, with nothing but the manifest's description: CSV or fixed length in bytes, CP932 or UTF-8, with
or without a trailer record. Independent of what wrote the file. Raises Refused naming line and column, never a
value, and Altered when the trailer does not say what was counted.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import BinaryIO

from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange.package import PrintFormat
from notice_cycle.records import Quantities
from notice_cycle.values import Frozen

TRAILER_KIND = "8"
DATA_KIND = "2"
TRAILER_DIGITS = 14
"""Record kinds and the width of a trailer's numbers, after the bank's 全銀 format."""

MARK, CYCLE, ENVELOPE = "データ区分", "発送回", "封筒番号"

_CALL = "印刷せずに、区に連絡してください。"
_ENCODINGS = {"cp932-windows": "cp932", "utf-8": "utf-8"}
# What did not decode, control characters, and 外字 (private use): those decode, but a print shop has a glyph only if agreed.
_UNREADABLE = re.compile("[\ufffd\x00-\x1f\x7f-\x9f\ue000-\uf8ff]")


class PrintFileCount(Frozen):
    """What was counted. `totals_yen` by heading; `marks` and `cycles`: every value found in those two columns."""

    quantities: Quantities
    totals_yen: dict[str, int]
    unreadable_characters: int
    marks: frozenset[str]
    cycles: frozenset[str]


def count_print_file(
    source: BinaryIO,
    description: PrintFormat,
    charset: str,
    *,
    subject: str,
    totals: Collection[str],
    gaiji: Collection[str] = (),
) -> PrintFileCount:
    """Counts an open print file. `subject`, `totals`: headings. `gaiji`: characters agreed with the ward, readable."""
    headings = [column.heading for column in description.columns]
    totals = [heading for heading in headings if heading in set(totals)]
    if missing := [heading for heading in (MARK, CYCLE, ENVELOPE, subject) if heading not in headings]:
        raise Refused(f"印字データに列 {'、'.join(missing)} がありません。", advice=_CALL)
    at = {heading: place for place, heading in enumerate(headings)}
    persons: Counter[str] = Counter()
    envelopes, marks, cycles = set(), set(), set()
    total_yen = dict.fromkeys(totals, 0)
    unreadable, trailer = 0, None
    for line, row in _rows(source, description, _encoding(charset)):
        if trailer is not None:
            raise Refused(f"印字データの{line:,}行目が、後ろのレコードより後にあります。", advice=_CALL)
        if description.trailer and row[0] == TRAILER_KIND:
            trailer = row
            continue
        persons[row[at[subject]]] += 1
        envelopes.add(row[at[ENVELOPE]])
        marks.add(row[at[MARK]])
        cycles.add(row[at[CYCLE]])
        for heading in totals:
            total_yen[heading] += _yen(row[at[heading]], line, heading)
        unreadable += sum(found not in gaiji for found in _UNREADABLE.findall("".join(row)))
    records = persons.total()
    if description.trailer:
        _compare(trailer, [records, len(envelopes), records, *total_yen.values()], description)
    return PrintFileCount(
        quantities=Quantities(
            persons=len(persons), notices=records, envelopes=len(envelopes), sheets=records
        ),
        totals_yen=total_yen,
        unreadable_characters=unreadable,
        marks=frozenset(marks),
        cycles=frozenset(cycles),
    )


def notices_by_envelope(source: BinaryIO, description: PrintFormat, charset: str) -> Counter[int]:
    """How many notices of a print file, or of a list of letters to take out, lie in the envelope of each number."""
    at = [column.heading for column in description.columns].index(ENVELOPE)
    return Counter(
        int(row[at])  # of a fixed length with zeros before it, in a list without
        for _, row in _rows(source, description, _encoding(charset))
        if not (description.trailer and row[0] == TRAILER_KIND)
    )


def _rows(source: BinaryIO, description: PrintFormat, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Records with their line; the last one may be the trailer."""
    return (
        _fixed(source, description, encoding)
        if description.format == "fixed"
        else _csv(source, description, encoding)
    )


def _csv(source: BinaryIO, description: PrintFormat, encoding: str) -> Iterator[tuple[int, list[str]]]:
    text = io.TextIOWrapper(source, encoding=encoding, errors="replace", newline="")
    rows = csv.reader(text, strict=True)
    try:
        if next(rows, []) != [column.heading for column in description.columns]:
            raise Refused("印字データの見出しが、送付目録の列と一致しません。", advice=_CALL)
        for row in rows:
            if len(row) != len(description.columns):
                raise _unreadable_line(rows.line_num, "CSV")
            yield rows.line_num, row
    except csv.Error:
        raise _unreadable_line(rows.line_num, "CSV") from None
    finally:
        text.detach()  # the file is the caller's to close


def _fixed(source: BinaryIO, description: PrintFormat, encoding: str) -> Iterator[tuple[int, list[str]]]:
    widths = [column.bytes or 0 for column in description.columns]
    whole, line = sum(widths) + 2, 0
    while record := source.read(whole):
        line += 1
        if len(record) != whole or not record.endswith(b"\r\n"):
            raise _unreadable_line(line, f"{whole - 2}バイトの固定長")
        if description.trailer and record[: widths[0]].strip() == TRAILER_KIND.encode():
            numbers = record[widths[0] : whole - 2].decode("ascii", "replace").split()
            yield line, [TRAILER_KIND, *re.findall(f".{{{TRAILER_DIGITS}}}", "".join(numbers))]
            continue
        fields, start = [], 0
        for width in widths:
            fields.append(record[start : start + width].decode(encoding, "replace").strip(" "))
            start += width
        yield line, fields


def _compare(trailer: list[str] | None, counted: list[int], description: PrintFormat) -> None:
    if trailer is None:
        raise Altered("印字データに後ろのレコード（件数・合計）がありません。", advice=_CALL)
    said = trailer[1 : 1 + len(counted)]
    rest = trailer[1 + len(counted) :]
    is_number = all(text.isascii() and text.isdecimal() for text in said)
    if (
        not is_number
        or [int(text) for text in said] != counted
        or (description.format == "csv" and any(rest))
    ):
        raise Altered("印字データの件数または合計が、後ろのレコードと一致しません。", advice=_CALL)


def _encoding(charset: str) -> str:
    if charset not in _ENCODINGS:
        raise Refused(f"文字コード {charset} を読めません。", advice=_CALL)
    return _ENCODINGS[charset]


def _yen(text: str, line: int, heading: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise Refused(f"印字データの{line:,}行目の{heading}が整数ではありません。", advice=_CALL)
    return int(text)


def _unreadable_line(line: int, form: str) -> Refused:
    return Refused(f"印字データの{line:,}行目を {form} として読めません。", advice=_CALL)
