"""Characters: what can be printed, what does not belong into a name, and numbers that must never be given.

A column's code points are looked up in a table of properties; only a character that was never met before is
asked about. Nothing is normalised or replaced here. A 外字 agreed as a sequence is let through by its characters:
composition's gate judges the sequence itself.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from notice_cycle.composition import windows31j
from notice_cycle.validation.facts import Facts
from notice_cycle.validation.rows import Kept, Rows

_UNPRINTABLE, _CONTROL, _HALF_KANA, _BLANK, _WIDE_BLANK, _KANA, _DIGIT, _UNMET = (
    1 << bit for bit in range(8)
)
_HALF_WIDTH_KANA = range(0xFF61, 0xFFA0)
_KANA_LETTERS = frozenset([*map(chr, range(0x30A1, 0x30FB)), "ー", "・", "\u3000", "ヽ", "ヾ"])
_DIGITS = frozenset("0123456789０１２３４５６７８９")
_INDIVIDUAL_NO_DIGITS = 12
_ALL_CHARACTERS = 0x110000
_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)  # of the first eleven digits (総務省令第85号 第5条)
_ONE = r"[0-9０-９]"
_INDIVIDUAL_NO = re.compile(rf"(?<!{_ONE})(?:{_ONE}{{4}}[-－ 　]?){{2}}{_ONE}{{4}}(?!{_ONE})")

_WITHOUT_GLYPH = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn", "Zl", "Zp"})


def printable(rows: Rows, facts: Facts, *, columns: Sequence[str]) -> Kept:
    """Only characters that the print file's character set gives back unchanged; no line end."""
    return _without(rows, facts, columns, _UNPRINTABLE)


def no_controls(rows: Rows, facts: Facts, *, columns: Sequence[str]) -> Kept:
    """No control character, no line end."""
    return _without(rows, facts, columns, _CONTROL)


def no_half_width_kana(rows: Rows, facts: Facts, *, columns: Sequence[str]) -> Kept:
    """No half-width kana."""
    return _without(rows, facts, columns, _HALF_KANA)


def no_outer_blanks(rows: Rows, facts: Facts, *, columns: Sequence[str]) -> Kept:
    """No blank before or after the text."""
    kept = np.ones(len(rows), dtype=np.bool_)
    for name in columns:
        _, starts, ends = rows.characters(name)
        blank = (_of(rows, facts, name) & _BLANK) != 0
        some = ends > starts
        kept[some] &= ~(blank[starts[some]] | blank[ends[some] - 1])
    return kept


def full_width_space(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """A full-width space between surname and given name, and no other blank."""
    return _with(rows, facts, column, _WIDE_BLANK) & ~_with(rows, facts, column, _BLANK, but=_WIDE_BLANK)


def kana_only(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """Full-width katakana and the space between the names."""
    _, starts, ends = rows.characters(column)
    return (ends > starts) & ~_rows_at(rows, column, (_of(rows, facts, column) & _KANA) == 0)


def no_individual_number(rows: Rows, facts: Facts, *, columns: Sequence[str]) -> Kept:
    """No twelve digits with the check digit of an 個人番号, half-width or full-width, in one piece or by fours."""
    kept = np.ones(len(rows), dtype=np.bool_)
    for name in columns:
        _, starts, ends = rows.characters(name)
        if (ends - starts).max(initial=0) < _INDIVIDUAL_NO_DIGITS:
            continue
        counted = np.concatenate([[0], np.cumsum((_of(rows, facts, name) & _DIGIT) != 0)])
        suspect = np.flatnonzero(counted[ends] - counted[starts] >= _INDIVIDUAL_NO_DIGITS)
        texts = rows.text(name).take(pa.array(suspect)).to_pylist()
        kept[suspect] &= np.array([not _has_individual_number(text) for text in texts], dtype=np.bool_)
    return kept


def _has_individual_number(text: str) -> bool:
    return any(_is_individual_number(found) for found in _INDIVIDUAL_NO.findall(text))


def _is_individual_number(written: str) -> bool:
    *digits, check = (int(c) for c in written if c in _DIGITS)
    rest = sum(digit * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 11
    return check == (0 if rest <= 1 else 11 - rest)


# ---- properties of characters


def _without(rows: Rows, facts: Facts, columns: Sequence[str], unwanted: int) -> Kept:
    kept = np.ones(len(rows), dtype=np.bool_)
    for name in columns:
        kept &= ~_with(rows, facts, name, unwanted)
    return kept


def _with(rows: Rows, facts: Facts, column: str, wanted: int, *, but: int = 0) -> Kept:
    """Rows with a character that has one of the wanted properties and none of `but`."""
    found = _of(rows, facts, column)
    return _rows_at(rows, column, ((found & wanted) != 0) & ((found & but) == 0))


def _rows_at(rows: Rows, column: str, hit: Kept) -> Kept:
    has = np.zeros(len(rows), dtype=np.bool_)
    if len(places := np.flatnonzero(hit)):
        has[np.searchsorted(rows.characters(column).ends, places, side="right")] = True
    return has


def _of(rows: Rows, facts: Facts, column: str) -> NDArray[np.uint8]:
    codes = rows.characters(column).codes
    return rows.once(("properties", column), lambda: _looked_up(codes, facts))


def _looked_up(codes: NDArray[np.uint32], facts: Facts) -> NDArray[np.uint8]:
    table = _table(facts.charset, facts.agreed_characters)
    found = table[codes]
    if len(unmet := codes[found == _UNMET]):
        for code in np.unique(unmet).tolist():
            table[code] = _property(chr(code), facts)
        found = table[codes]
    return found


@cache
def _table(charset: str, agreed: frozenset[str]) -> NDArray[np.uint8]:
    """The properties of every character for one repertoire, filled as characters are met."""
    return np.full(_ALL_CHARACTERS, _UNMET, dtype=np.uint8)


def _property(character: str, facts: Facts) -> int:
    return (
        _UNPRINTABLE * _is_unprintable(character, facts)
        + _CONTROL * (unicodedata.category(character) in {"Cc", "Zl", "Zp"})
        + _HALF_KANA * (ord(character) in _HALF_WIDTH_KANA)
        + _BLANK * character.isspace()
        + _WIDE_BLANK * (character == "\u3000")
        + _KANA * (character in _KANA_LETTERS)
        + _DIGIT * (character in _DIGITS)
    )


def _is_unprintable(character: str, facts: Facts) -> bool:
    if character in facts.agreed_characters:
        return False
    if facts.charset == "utf-8":
        return unicodedata.category(character) in _WITHOUT_GLYPH
    return character in "\r\n" or bool(windows31j.unprintable(character))  # line ends belong between rows


CHECKS = (
    printable,
    no_controls,
    no_half_width_kana,
    no_outer_blanks,
    full_width_space,
    kana_only,
    no_individual_number,
)
