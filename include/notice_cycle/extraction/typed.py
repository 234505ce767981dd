"""Texts of a dropped file as the types declared for them, a column at a time, guessing nothing.

An amount is whole yen, a date is in the calendar, a flag is 1 or 0. The only null is an empty date.
"""

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.catalogue import ColumnType

ARROW = {"text": pa.string(), "integer": pa.int64(), "date": pa.date32(), "flag": pa.bool_()}
LABELS_JA = {"text": "CP932 の文字", "integer": "整数", "date": "日付", "flag": "1か0の区分"}

_INTEGER = r"^[+-]?0*[0-9]{1,18}$"  # as many digits as an int64 always holds
_DATE = r"^([12][0-9]{3}([0-9]{4}|-[0-9]{2}-[0-9]{2}))?$"
_FLAGS = pa.array(["0", "1"])


class Unreadable(Exception):
    """A field is not what it should be: `row` counts from nought within its block. Tells nothing of the field."""

    def __init__(self, row: int) -> None:
        super().__init__()
        self.row = row


def typed(texts: pa.Array, kind: ColumnType) -> pa.Array:
    """Raises Unreadable for the first text that is not of the kind."""
    match kind:
        case "text":
            return texts
        case "integer":
            _all(pc.match_substring_regex(texts, _INTEGER))
            return pc.ascii_ltrim(texts, characters="+").cast(pa.int64())
        case "flag":
            _all(pc.is_in(texts, _FLAGS))
            return pc.equal(texts, "1")
        case "date":
            _all(pc.match_substring_regex(texts, _DATE))
            return _dates(texts)


def _all(good: pa.Array) -> None:
    if (bad := pc.index(good, False).as_py()) >= 0:
        raise Unreadable(bad)


def _dates(texts: pa.Array) -> pa.Array:
    hyphened = pc.replace_substring_regex(texts, r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3")
    try:
        return pc.if_else(pc.equal(texts, ""), None, hyphened).cast(pa.date32())
    except pa.ArrowInvalid:  # 31 February; the exception names it, so it goes no further
        pass
    raise Unreadable(next(row for row, text in enumerate(hyphened.to_pylist()) if not _is_date(text)))


def _is_date(text: str) -> bool:
    try:
        return not text or date.fromisoformat(text) is not None
    except ValueError:
        return False
