"""CP932 as Windows writes it (windows-31j), for print files.

CPython's `cp932` encodes 髙 as EEE0 where Windows, iconv and the contractor's programs use FBFC, and
silently turns some characters into look-alikes. This encoder gives the Windows bytes and refuses every
character that would not come back the same. Nothing is ever replaced.
"""

import re
import unicodedata
from collections import Counter
from functools import cache

import numpy as np
import numpy.typing as npt

from notice_cycle.errors import Refused

_NEC_SELECTED = range(
    0xED, 0xEF
)  # lead bytes of CPython's choice; Windows uses FA-FC for the same characters
_PRIVATE = ("Cc", "Co", "Cf", "Mn", "Me")  # control, 外字, invisible, combining: a print shop has no glyph
_LINE_ENDS = frozenset("\r\n")
_ALL_CHARACTERS = 0x110000


def encode(text: str) -> bytes:
    """Windows-31J bytes of `text`. Raises Refused listing code points and counts of what cannot be printed."""
    try:
        encoded = _encode(text)
        if encoded.decode("cp932") == text and not any(c in _doubtful() for c in set(text)):
            return encoded
    except UnicodeEncodeError:
        pass
    raise not_printable(unprintable(text))


def not_printable(found: Counter[str]) -> Refused:
    """The refusal of a text with these characters: code points and counts, never the text."""
    return Refused(
        "印字できない文字があります: "
        + "、".join(f"U+{ord(c):04X} {count}件" for c, count in sorted(found.items())),
        advice="委託先と外字・代替文字を取り決めるか、基幹系の文字を確認してから、抽出をやり直してください。",
    )


def unprintable(text: str) -> Counter[str]:
    """The characters of `text` that have no faithful Windows-31J bytes, with their number."""
    return Counter(c for c in text if not _is_faithful(c))


@cache
def codes() -> npt.NDArray[np.uint16]:
    """The one or two bytes of every character by its code point, 0 where it cannot be printed; 外字 have theirs."""
    table = np.zeros(_ALL_CHARACTERS, dtype=np.uint16)
    for code in range(0x10000):
        raw = code.to_bytes(2, "big").lstrip(b"\0") or b"\0"
        try:
            character = raw.decode("cp932")
        except UnicodeDecodeError:
            continue
        if len(character) == 1 and (_is_faithful(character) or unicodedata.category(character) == "Co"):
            table[ord(character)] = int.from_bytes(_encode(character), "big")
    table[[ord(c) for c in _LINE_ENDS]] = 0
    return table


def _encode(text: str) -> bytes:
    pattern, table = _windows_bytes()
    if not pattern.search(text):
        return text.encode("cp932")
    pieces = (table.get(piece) or piece.encode("cp932") for piece in pattern.split(text))
    return b"".join(pieces)


@cache
def _windows_bytes() -> tuple[re.Pattern[str], dict[str, bytes]]:
    """The characters that CPython would write as NEC selected ones, and Windows' bytes for them."""
    table: dict[str, bytes] = {}
    for lead in range(0xFA, 0xFD):
        for trail in range(0x40, 0xFD):
            ibm = bytes((lead, trail))
            try:
                character = ibm.decode("cp932")
            except UnicodeDecodeError:
                continue
            if character.encode("cp932")[0] in _NEC_SELECTED:
                table[character] = ibm
    return re.compile("([" + "".join(map(re.escape, table)) + "])"), table


@cache
def _is_faithful(character: str) -> bool:
    if character in _doubtful():
        return False
    try:
        return _encode(character).decode("cp932") == character
    except UnicodeEncodeError:
        return False


@cache
def _doubtful() -> frozenset[str]:
    doubtful = frozenset(chr(c) for c in range(0x10000) if unicodedata.category(chr(c)) in _PRIVATE)
    return doubtful - _LINE_ENDS
