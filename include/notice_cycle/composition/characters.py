"""The character gate: whole columns into the print file's bytes, every character judged before any is printed.

What has no faithful bytes, or no glyph (外字, invisible and combining characters, control characters), is printed
only as agreed with the contractor (`GaijiTable`), and then counted; anything else is listed by code point and
count and stops composition. Nothing is normalised, and nothing is replaced that is not in the table.
"""

import re
import unicodedata
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.composition import windows31j
from notice_cycle.composition.columns import binary, offsets_of, utf8_bytes
from notice_cycle.composition.rules import GaijiTable
from notice_cycle.errors import NotConfigured

_WITHOUT_GLYPH = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn", "Zl", "Zp"})
_QUOTE = ord('"')


class Repertoire:
    """What one contractor can print: a character set and the 外字 agreed. `replaced` counts what was used of them."""

    def __init__(self, charset: str, gaiji: GaijiTable) -> None:
        """Raises NotConfigured when a counterpart in the table cannot be printed itself."""
        self.replaced: Counter[str] = Counter()
        self.unprintable: Counter[str] = Counter()
        self._single_bytes = charset == "utf-8"
        self._codes = _printable_in_unicode() if self._single_bytes else windows31j.codes()
        self._agreed = {entry.original: entry for entry in gaiji.entries}
        longest_first = sorted(self._agreed, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._plain = self._codes != 0
        self._plain[0xE000:0xF900] = False
        if odd := [
            e.characters for e in gaiji.entries if not self._can_print(e.printed, own=e.gaiji is not None)
        ]:
            raise NotConfigured(
                f"外字の取決めの {'、'.join(odd)} は、代わりの文字も文字集合 {charset} で印字できません。",
                advice="gaiji の text か gaiji を、委託先と取り決めた印字できるものに直してください。",
            )
        self._odd = ~self._plain
        self._odd[[ord(original[-1]) for original in self._agreed]] = True

    def encoded(self, texts: pa.Array, *, quoted: bool = False) -> pa.Array:
        """A column of texts as bytes (missing ones empty); `quoted`: quotation marks doubled, as CSV wants them.

        What cannot be printed is left out and counted in `unprintable`: look there before anything is written.
        """
        texts = pc.fill_null(texts, "")
        points = _code_points(texts)
        odd = np.flatnonzero(self._odd[points])
        if len(odd):
            texts = self._as_agreed(texts, odd)
            points = _code_points(texts)
        if quoted and (points == _QUOTE).any():
            texts = pc.replace_substring(texts, '"', '""')
            points = _code_points(texts)
        if self._single_bytes:
            return texts.cast(pa.binary())
        return _as_codes(texts, self._codes[points])

    def refuse_unprintable(self) -> None:
        """Raises Refused listing every character that could not be printed so far."""
        if self.unprintable:
            raise windows31j.not_printable(self.unprintable)

    def _as_agreed(self, texts: pa.Array, odd: npt.NDArray[np.int64]) -> pa.Array:
        ends = np.cumsum(pc.utf8_length(texts).to_numpy())
        rows = np.unique(np.searchsorted(ends, odd, side="right"))
        mask = np.zeros(len(texts), dtype=bool)
        mask[rows] = True
        told = [self._replaced(text) for text in texts.take(pa.array(rows)).to_pylist()]
        return pc.replace_with_mask(texts, pa.array(mask), pa.array(told, pa.string()))

    def _replaced(self, text: str) -> str:
        pieces, end = [], 0
        for match in self._pattern.finditer(text):
            entry = self._agreed[match[0]]
            self.replaced[entry.characters] += 1
            pieces += [self._only_printable(text[end : match.start()]), entry.printed]
            end = match.end()
        return "".join([*pieces, self._only_printable(text[end:])])

    def _only_printable(self, text: str) -> str:
        self.unprintable.update(character for character in text if not self._plain[ord(character)])
        return "".join(character for character in text if self._plain[ord(character)])

    def _can_print(self, text: str, *, own: bool) -> bool:
        return all((self._codes if own else self._plain)[ord(character)] for character in text)


@cache
def _printable_in_unicode() -> npt.NDArray[np.uint16]:
    """1 for every character with a glyph of its own, and for the 外字 of the contractor's font."""
    table = np.zeros(0x110000, dtype=np.uint16)
    for point in range(len(table)):
        table[point] = unicodedata.category(chr(point)) not in _WITHOUT_GLYPH
    table[0xE000:0xF900] = 1
    return table


def _code_points(texts: pa.Array) -> npt.NDArray[np.uint32]:
    return np.frombuffer(bytes(utf8_bytes(texts)).decode().encode("utf-32-le"), dtype=np.uint32)


def _as_codes(texts: pa.Array, codes: npt.NDArray[np.uint16]) -> pa.Array:
    """Columns of bytes from the code of each character, cut where the texts end."""
    is_double = codes > 0xFF  # noqa: PLR2004 - more than a byte holds
    kept = np.ones((len(codes), 2), dtype=bool)
    kept[:, 0] = is_double
    raw = codes.astype(">u2").view(np.uint8).reshape(-1, 2)[kept]
    ends = np.concatenate(([0], np.cumsum(1 + is_double, dtype=np.int64)))
    lengths: Any = pc.utf8_length(texts).to_numpy()
    return binary(offsets_of(lengths, ends), raw)
