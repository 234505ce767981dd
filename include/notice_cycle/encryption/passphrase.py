"""The passphrase of a package: 125 random bits a person can read aloud, type and hear back.

Five groups of five Crockford base32 symbols, each with a check symbol over GF(32) that also knows the
number of its group. Any one wrong symbol, any two exchanged symbols and a group in another's place are
refused, and the refusal names the group. What is typed may be in lower case, full width, with other
hyphens or none, with O for 0 and I or L for 1; what comes out is the one canonical text.
"""

import hmac
import re
import secrets
import unicodedata
from typing import NoReturn

from notice_cycle.errors import Refused

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUPS = 5
SYMBOLS_PER_GROUP = 5  # and one check symbol
_GROUP_LENGTH = SYMBOLS_PER_GROUP + 1
_FIELD = 0b100101  # GF(32) modulo x^5 + x^2 + 1, in which x is primitive

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})
# Every dash a Japanese keyboard or a word processor produces; NFKC has made ASCII of the full-width ones.
_SEPARATOR = re.compile(r"[\s\-‐‑‒–—―−ー_]+")
_ADVICE = "パスワード通知書を見て、入力し直してください。"


class Passphrase:
    """A passphrase known to be well formed. It does not print and does not pickle; `reveal()` does."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, canonical: str) -> None:
        _check([*canonical.split("-")])
        object.__setattr__(self, "_text", canonical)

    def reveal(self) -> str:
        """The canonical text, e.g. GDW1D1-…: the exact bytes that encrypt."""
        return self._text

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a passphrase does not change")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Passphrase) and hmac.compare_digest(self._text, other._text)

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "●●●"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a passphrase is not serialised")


def generate() -> Passphrase:
    """A new passphrase from the operating system's random source."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(SYMBOLS_PER_GROUP)) for _ in range(GROUPS))
    return Passphrase("-".join(group + check_symbol(group, number) for number, group in enumerate(groups, 1)))


def parse(text: str) -> Passphrase:
    """The passphrase a person typed, or Refused naming the wrong group. The input is never repeated."""
    groups = _SEPARATOR.sub("-", unicodedata.normalize("NFKC", text).strip()).strip("-").upper()
    groups = groups.translate(_READ_AS)
    if groups.count("-") != GROUPS - 1:  # separators elsewhere or nowhere: count symbols instead
        groups = groups.replace("-", "")
        _check_length(groups)
        groups = "-".join(groups[i : i + _GROUP_LENGTH] for i in range(0, len(groups), _GROUP_LENGTH))
    return Passphrase(groups)


def check_symbol(group: str, number: int) -> str:
    """The sixth symbol of group `number` (from 1): makes the weighted sum over GF(32) zero.

    The weights are the powers x^5 to x^0: none is zero and no two are equal.
    """
    return ALPHABET[_times_x(_weighted_sum(group, number))]


def _weighted_sum(group: str, number: int) -> int:
    """Horner's rule, starting from the group's number so that exchanged groups do not pass."""
    total = number
    for symbol in group:
        total = _times_x(total) ^ ALPHABET.index(symbol)
    return total


def _times_x(value: int) -> int:
    doubled = value << 1
    return doubled ^ _FIELD if doubled & 0b100000 else doubled


def _check(groups: list[str]) -> None:
    for number, group in enumerate(groups, 1):
        if len(group) != _GROUP_LENGTH:
            raise Refused(
                f"パスワードの第{number}グループは{_GROUP_LENGTH}文字のはずですが、{len(group)}文字です。",
                advice=_ADVICE,
            )
        if not set(group) <= set(ALPHABET):
            raise Refused(
                f"パスワードの第{number}グループに、パスワードで使わない文字があります。", advice=_ADVICE
            )
        if _weighted_sum(group, number) != 0:
            raise Refused(f"パスワードの第{number}グループに誤りがあります。", advice=_ADVICE)
    if len(groups) != GROUPS:
        _check_length("".join(groups))


def _check_length(symbols: str) -> None:
    expected = GROUPS * _GROUP_LENGTH
    if len(symbols) != expected:
        raise Refused(
            f"パスワードは{expected}文字（{_GROUP_LENGTH}文字×{GROUPS}グループ）のはずですが、{len(symbols)}文字です。",
            advice=_ADVICE,
        )
