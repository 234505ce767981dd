"""カスタマバーコード: the symbols of Japan Post's address barcode, from postcode, address and 方書.

Rules of the 郵便番号・バーコードマニュアル (post.japanpost.jp/zipcode/zipmanual): which postcodes carry one (p18),
what is taken from an address (p19), joining and cutting (p12, p20), check digit (p21). The test takes p25's examples.
A barcode is 21 symbols from `SYMBOLS`: 0-9, "-", and a-h for CC1-CC8, the spelling of the libraries zint and
OkapiBarcode (`KASUT_SET`); start and stop bars are the printer's. A general postcode (…00) carries no barcode.

Refuses a postcode that is not seven digits. Individual postcodes of large offices and 私書箱 (p22) are not told apart.
"""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.composition.columns import digits_of, refuse_odd_postcodes, texts_of

SYMBOLS = "0123456789-abcdefgh"
"""Every symbol at its check value: digits 0-9, the hyphen 10, CC1-CC8 11-18."""

_FILL = "d"  # CC4
_ADDRESS_SYMBOLS = 13
_POSTCODE_DIGITS = 7
_GENERAL = "00"
_LETTERS_A_CONTROL = 10  # A-J are CC1 and 0-9, K-T are CC2 and 0-9, U-Z are CC3 and 0-5


def customer_barcodes(postcode: pa.Array, address: pa.Array, address_detail: pa.Array) -> pa.Array:
    """The 21 symbols of every address, empty for a general postcode. Raises Refused on a postcode of another form."""
    refuse_odd_postcodes(postcode)
    digits, _ = digits_of(postcode, _POSTCODE_DIGITS)
    symbols = np.hstack(
        [digits + np.uint8(ord("0")), _address_symbols(display_numbers(address, address_detail))]
    )
    check_value = np.zeros(256, dtype=np.uint8)
    check_value[list(SYMBOLS.encode())] = range(len(SYMBOLS))
    check = -check_value[symbols].sum(axis=1, dtype=np.int32) % len(SYMBOLS)
    codes = np.hstack([symbols, np.frombuffer(SYMBOLS.encode(), dtype=np.uint8)[check][:, None]])
    return texts_of(codes, ~(digits[:, -2:] == 0).all(axis=1))


def customer_barcode(postcode: str, display_number: str) -> str:
    """One barcode from a 住所表示番号 such as 3-20-5B604: the rules of p12, p18, p20 and p21 word by word."""
    if not re.fullmatch("[0-9]{7}", postcode):
        refuse_odd_postcodes(pa.array([postcode]))
    if postcode.endswith(_GENERAL):
        return ""
    address = "".join(_symbols_of(character) for character in display_number)
    symbols = postcode + address[:_ADDRESS_SYMBOLS].ljust(_ADDRESS_SYMBOLS, _FILL)
    return symbols + SYMBOLS[-sum(SYMBOLS.index(symbol) for symbol in symbols) % len(SYMBOLS)]


def _symbols_of(character: str) -> str:
    if not "A" <= character <= "Z":
        return character
    control, digit = divmod(ord(character) - ord("A"), _LETTERS_A_CONTROL)
    return f"{'abc'[control]}{digit}"


# ---- 住所表示番号: what is taken from the address (p19)

_KANJI = "〇零一二三四五六七八九十百千"
_DIGITS = "0-9０-９"
_LETTERS = "A-Za-zＡ-Ｚａ-ｚ"
_DROPPED = "&＆/／・･.．"
_COUNTED = "\x1f"  # set behind kanji that count something
_UNITS = "丁目|丁|番地|番|号|地割|線|の|ノ"

# The manual starts behind the town's name; the core system keeps both in one text. Numbers that belong to such
# names are left out by their form: 三番町, 八丁堀, 一の江, 北24条.
_NUMBER_IN_A_NAME = rf"[{_KANJI}]+(?:番[町丁]|[丁のノ][^目{_DIGITS}{_KANJI}{_LETTERS}\s　\-－‐−―])|[{_DIGITS}]+(?:番[町丁]|条)"
_HALF_WIDTH = (
    {ord("０") + n: ord("0") + n for n in range(10)}
    | {ord(a) + n: ord("A") + n for a in "Ａａ" for n in range(26)}
    | dict.fromkeys(map(ord, _DROPPED))
)
_POWERS = {"十": 10, "百": 100, "千": 1000}


def display_numbers(address: pa.Array, address_detail: pa.Array) -> pa.Array:
    """The 住所表示番号 of every address, such as 3-20-5B604; empty where an address has no number.

    Texts fall into pieces between other characters. The pieces of a whole ward are a few thousand different
    ones, so each is turned once, by `_taken_from`.
    """
    street = pc.replace_substring_regex(pc.fill_null(address, ""), _NUMBER_IN_A_NAME, " ")
    whole = pc.binary_join_element_wise(street, pc.fill_null(address_detail, ""), " ")
    counted = pc.replace_substring_regex(whole, rf"([{_KANJI}]+)(?:{_UNITS})", rf"\1{_COUNTED} ")
    pieces = pc.split_pattern_regex(counted, rf"[^{_DIGITS}{_LETTERS}{_KANJI}{_COUNTED}{_DROPPED}]+")
    different = pieces.values.dictionary_encode()
    taken = pa.array(map(_taken_from, different.dictionary.to_pylist()), pa.string())
    numbers = pc.binary_join(pa.ListArray.from_arrays(pieces.offsets, taken.take(different.indices)), "-")
    numbers = pc.replace_substring_regex(numbers, "-{2,}", "-")
    numbers = pc.replace_substring_regex(numbers, "-?([A-Z])-?", r"\1")
    return pc.utf8_trim(numbers, "-")


def _taken_from(piece: str) -> str:
    """Digits and single letters of a piece; a hyphen for bare kanji, for letters in a row, and for F behind a digit."""
    plain = piece.translate(_HALF_WIDTH).upper()
    plain = re.sub(rf"([{_KANJI}]+){_COUNTED}", lambda counted: str(_number(counted[1])), plain)
    plain = re.sub(rf"[{_KANJI}{_COUNTED}]+|[A-Z]{{2,}}", "-", plain)
    return re.sub("(?<=[0-9])F", "-", plain)


def _number(kanji: str) -> int:
    """二十一, 二一 and 百五 as numbers."""
    if not any(power in kanji for power in _POWERS):
        return int("".join(str(_digit(character)) for character in kanji))
    total = digit = 0
    for character in kanji:
        if power := _POWERS.get(character):
            total += max(digit, 1) * power
            digit = 0
        else:
            digit = _digit(character)
    return total + digit


def _digit(kanji: str) -> int:
    return "〇一二三四五六七八九".index(kanji.replace("零", "〇"))


# ---- whole columns


def _address_symbols(numbers: Any) -> Any:
    """The 13 symbols of each 住所表示番号: letters as control code and digit, cut, filled with CC4."""
    characters = _character_codes(pc.utf8_slice_codeunits(numbers, 0, _ADDRESS_SYMBOLS), _ADDRESS_SYMBOLS)
    is_letter = characters >= ord("A")
    is_fill = characters == ord(" ")
    control, digit = np.divmod(characters - np.uint8(ord("A")), np.uint8(_LETTERS_A_CONTROL))
    first = np.where(is_fill, ord(_FILL), np.where(is_letter, control + ord("a"), characters)).astype("uint8")
    width = np.where(is_fill, 0, 1 + is_letter).astype("int64")
    place = width.cumsum(axis=1) - width
    symbols = np.full((len(characters), 2 * _ADDRESS_SYMBOLS + 1), ord(_FILL), dtype="uint8")
    np.put_along_axis(symbols, place, first, axis=1)
    row, column = np.nonzero(is_letter)
    symbols[row, place[row, column] + 1] = digit[row, column] + ord("0")
    return symbols[:, :_ADDRESS_SYMBOLS]


def _character_codes(texts: Any, width: int) -> Any:
    """ASCII texts as a matrix of bytes, one row each, blanks behind short ones. No text may be wider."""
    padded = pc.ascii_rpad(texts, width, " ")
    data = padded.buffers()[2] or b""
    return np.frombuffer(data, dtype="uint8", count=len(texts) * width).reshape(len(texts), width)
