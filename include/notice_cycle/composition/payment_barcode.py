"""The numbers a notice is paid by: the 44 digits for convenience stores (GS1-128) and the four Pay-easy fields.

AI 91 and the fields up to the due date stand as printed in Hitachi's EUR システム設計ガイド 4.4.6
(itpfdoc.hitachi.co.jp). What public text does not settle must be agreed with the collecting company, by GS1 Japan's
GS1-128 による標準料金代理収納ガイドライン, before the first real print: the last eight digits (stamp flag, amount,
check digit over all 43 digits before it, AI included), the use of the 21 free digits, and the issuer's code.

A slip over 300,000 yen gets no barcode, because stores take none; a slip over nothing gets none either. The
revenue-stamp flag is always 0: a receipt for public money bears no 収入印紙, also from 50,000 yen on.

Refuses numbers of another form. The national eL-QR text is not public, so nothing here makes one; `PaymentNumbers`
are the fields printed beside it. No code or number in this module or its tests belongs to a real company (架空).
"""

import re
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, StringConstraints

from notice_cycle.composition.columns import Digits, digits_of, texts_of, whole_numbers
from notice_cycle.errors import Refused
from notice_cycle.values import Frozen

STORES_TAKE_UP_TO_YEN = 300_000

Numbers = npt.NDArray[np.int64]
"""Whole numbers, one a slip."""

_AI = "91"
_RESERVE = "0000"
_NO_REVENUE_STAMP = "0"
_DIGITS = 44
_CENTURY = 2000
_CENTURY_OF_DAYS = 1_000_000
_NO_DAY = -(2**31)
_LAST_INSTALMENT = 99
_LAST_REISSUE = 9

_WIDTHS = {
    "ai": 2,
    "issuer": 6,
    "fiscal_year": 4,
    "notice_no": 11,
    "instalment": 2,
    "reserve": 4,
    "reissue": 1,
    "due_on": 6,
    "revenue_stamp": 1,
    "amount_yen": 6,
    "check": 1,
}
_ENDS = dict(zip(_WIDTHS, accumulate(_WIDTHS.values()), strict=True))
_PLACES = {name: slice(end - _WIDTHS[name], end) for name, end in _ENDS.items()}


class PaymentBarcode(Frozen):
    """What one convenience-store barcode says."""

    issuer: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
    fiscal_year: int
    notice_no: Annotated[str, StringConstraints(pattern=r"^[0-9]{11}$")]
    instalment: int
    reissue: int
    due_on: date
    amount_yen: int


def payment_barcodes(  # noqa: PLR0917 - in the order in which they are printed
    issuer: str,
    fiscal_year: int | Numbers,
    notice_no: Digits,
    instalment: int | Numbers,
    due_on: date | pa.Array,
    amount_yen: pa.Array,
    *,
    reissue: int = 0,
) -> pa.Array:
    """The 44 digits of every slip, as texts; empty where stores take none. Raises Refused on odd numbers.

    Each of year, instalment (1-99) and due date is one for all or one a slip. `issuer`: 請求書発行企業コード, six digits.
    `notice_no`: from `notice_digits`. `reissue`: how often the slip was made again, 0-9.
    """
    days = due_dates(due_on)
    _refuse_odd_settings(
        {
            "企業コード": bool(re.fullmatch("[0-9]{6}", issuer)),
            "年度": _within(fiscal_year, _CENTURY, _CENTURY + 99),
            "期": _within(instalment, 1, _LAST_INSTALMENT),
            "再発行区分": 0 <= reissue <= _LAST_REISSUE,
            "納期限": _within(days, _yymmdd_number(_CENTURY), _yymmdd_number(_CENTURY + 100) - 1),
        }
    )
    yen = _amounts(amount_yen)
    payable = is_payable(yen)
    slips = np.zeros((len(yen), _DIGITS), dtype=np.uint8)
    said = {
        "ai": int(_AI),
        "issuer": int(issuer),
        "fiscal_year": fiscal_year,
        "instalment": instalment,
        "reissue": reissue,
        "due_on": days % _CENTURY_OF_DAYS,
        "amount_yen": np.where(payable, yen, 0),
    }
    for name, number in said.items():
        slips[:, _PLACES[name]] = _digits(number, _WIDTHS[name])
    slips[:, _PLACES["notice_no"]] = notice_no
    slips[:, -1] = _check_values(slips[:, :-1])
    slips += np.uint8(ord("0"))
    return texts_of(slips, payable)


def is_payable(amount_yen: Numbers) -> npt.NDArray[np.bool_]:
    """Where a store takes the amount: what decides whether a slip has a barcode."""
    return (amount_yen > 0) & (amount_yen <= STORES_TAKE_UP_TO_YEN)


def due_dates(due_on: date | pa.Array) -> Numbers:
    """Days as numbers such as 20260731; a missing day is 0, which no barcode can carry."""
    if isinstance(due_on, date):
        return np.array([_yymmdd_number(due_on.year, due_on.month, due_on.day)])
    days, place = np.unique(pc.fill_null(due_on.cast(pa.int32()), _NO_DAY).to_numpy(), return_inverse=True)
    known = (date(1970, 1, 1) + timedelta(days=int(day)) if day != _NO_DAY else None for day in days)
    return np.array([_yymmdd_number(d.year, d.month, d.day) if d else 0 for d in known], dtype=np.int64)[
        place
    ]


def read_payment_barcode(text: str) -> PaymentBarcode:
    """What a barcode says. Raises Refused when it is none that `payment_barcodes` could have made."""
    if not re.fullmatch(f"[0-9]{{{_DIGITS}}}", text):
        raise _unreadable("44桁の数字ではありません")
    field = {name: text[place] for name, place in _PLACES.items()}
    if field["ai"] != _AI:
        raise _unreadable("先頭が91ではありません")
    if int(field["check"]) != _check_digit(text[:-1]):
        raise _unreadable("検査数字が合いません")
    due_on = _date_of(field["due_on"])
    if (
        due_on is None
        or field["reserve"] != _RESERVE
        or field["revenue_stamp"] != _NO_REVENUE_STAMP
        or int(field["instalment"]) < 1
        or not _CENTURY <= int(field["fiscal_year"]) < _CENTURY + 100
        or not 1 <= int(field["amount_yen"]) <= STORES_TAKE_UP_TO_YEN
    ):
        raise _unreadable("年度・期・納期限・金額などの欄がこの区の取決めと異なります")
    return PaymentBarcode(
        issuer=field["issuer"],
        fiscal_year=int(field["fiscal_year"]),
        notice_no=field["notice_no"],
        instalment=int(field["instalment"]),
        reissue=int(field["reissue"]),
        due_on=due_on,
        amount_yen=int(field["amount_yen"]),
    )


class ReadBarcodes(NamedTuple):
    """What every barcode of a column says, to be compared with its sheet.

    `ok` is False where `read_payment_barcode` would refuse, an empty text included; the numbers are 0 there, so
    that no unreadable barcode equals a sheet. `due_on`: as in `due_dates`.
    """

    issuer: Numbers
    fiscal_year: Numbers
    notice_no: Numbers
    instalment: Numbers
    reissue: Numbers
    due_on: Numbers
    amount_yen: Numbers
    ok: npt.NDArray[np.bool_]


def read_payment_barcodes(texts: pa.Array) -> ReadBarcodes:
    """Reads a column of texts digit by digit, by another way than the one they were written by."""
    digits, ok = digits_of(texts, _DIGITS)
    number = {name: whole_numbers(digits[:, place]) for name, place in _PLACES.items()}
    days, place = np.unique(number["due_on"], return_inverse=True)
    ok &= (
        np.array([_date_of(f"{day:06}") is not None for day in days], dtype=bool)[place]
        & (number["ai"] == int(_AI))
        & (number["check"] == _check_values(digits[:, :-1]))
        & (number["reserve"] == 0)
        & (number["revenue_stamp"] == 0)
        & (number["instalment"] >= 1)
        & (number["fiscal_year"] >= _CENTURY)
        & (number["fiscal_year"] < _CENTURY + 100)
        & is_payable(number["amount_yen"])
    )
    number["due_on"] += _yymmdd_number(_CENTURY) - _yymmdd_number(0)
    return ReadBarcodes._make([*(np.where(ok, number[name], 0) for name in ReadBarcodes._fields[:-1]), ok])


# ---- Pay-easy


class PaymentNumbers(Frozen):
    """The four fields a payer types at a bank (Pay-easy), or reads beside an eL-QR."""

    collector_no: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$"), Field(description="収納機関番号")]
    payment_no: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$"), Field(description="納付番号")]
    confirmation_no: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$"), Field(description="確認番号")]
    payment_class: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}$"), Field(description="納付区分")]


def payment_numbers(
    collector_no: str,
    payment_class: str,
    notice_no: Digits,
    instalment: int | Numbers,
    confirmation_no: pa.Array,
) -> dict[str, pa.Array]:
    """The four fields of every slip of one instalment, by the fields of `PaymentNumbers`. Raises Refused.

    納付番号 is notice number, instalment and a check digit (modulus 10, weights 3-1 from the right): this product's
    own rule until one is agreed with the operator. It repeats in another year, so `payment_class` must tell the
    year. 確認番号 is given, never derived: a number that anyone can compute from the slip confirms nothing.
    """
    _refuse_odd_settings(
        {
            "収納機関番号": bool(re.fullmatch("[0-9]{5}", collector_no)),
            "納付区分": bool(re.fullmatch("[0-9]{1,10}", payment_class)),
            "期": _within(instalment, 1, _LAST_INSTALMENT),
        }
    )
    _, fits = digits_of(confirmation_no, 6)
    if odd := int((~fits).sum()):
        raise Refused(
            f"確認番号が6桁の数字ではありません（{odd}件）。",
            advice="確認番号の作り方を情報システム課と収納の委託先で確認してください。",
        )
    numbers = np.hstack([notice_no, np.zeros((len(notice_no), 3), dtype=np.uint8)])
    numbers[:, -3:-1] = _digits(instalment, 2)
    numbers[:, -1] = _check_values(numbers[:, :-1])
    return {
        "collector_no": pa.array([collector_no] * len(notice_no), pa.string()),
        "payment_no": texts_of(numbers + np.uint8(ord("0"))),
        "confirmation_no": confirmation_no,
        "payment_class": pa.array([payment_class] * len(notice_no), pa.string()),
    }


# ---- helpers


def _refuse_odd_settings(settings: dict[str, bool]) -> None:
    if odd := [name for name, is_right in settings.items() if not is_right]:
        raise Refused(
            f"収納の番号にする設定が正しくありません（{'、'.join(odd)}）。",
            advice="収納の委託先と取り決めた値を確認し、設定を直してください。",
        )


def _unreadable(why: str) -> Refused:
    return Refused(
        f"コンビニ収納のバーコードを読めません（{why}）。",
        advice="印字を止め、バーコードと用紙の組合せを委託先と確かめてください。",
    )


def _check_digit(digits: str) -> int:
    """Modulus 10, weights 3 and 1 from the right."""
    return -sum(int(digit) * (3 - 2 * (place % 2)) for place, digit in enumerate(reversed(digits))) % 10


def _check_values(digits: Digits) -> Digits:
    """`_check_digit` of every row of digits."""
    weights = np.resize(np.array([3, 1], dtype=np.float32), digits.shape[1])[::-1]
    total = (digits.astype(np.float32) @ weights).astype(np.int32)  # exact: small whole numbers
    return (-total % 10).astype(np.uint8)


def _digits(number: int | Numbers, width: int) -> Digits:
    """Numbers as rows of so many digits; one row for one number."""
    powers = 10 ** np.arange(width)[::-1]
    return (np.asarray(number, dtype=np.int64).reshape(-1, 1) // powers % 10).astype(np.uint8)


def _amounts(amount_yen: pa.Array) -> Numbers:
    yen: Numbers = pc.fill_null(amount_yen.cast(pa.int64()), -1).to_numpy()
    if odd := int((yen < 0).sum()):
        raise Refused(
            f"バーコードにする金額が空か、負です（{odd}件）。",
            advice="抽出の期別額を担当課で確認し、直してから抽出をやり直してください。",
        )
    return yen


def _within(number: int | Numbers, least: int, most: int) -> bool:
    return bool(np.all((np.asarray(number) >= least) & (np.asarray(number) <= most)))


def _yymmdd_number(year: int, month: int = 0, day: int = 0) -> int:
    return year * 10_000 + month * 100 + day


def _date_of(yymmdd: str) -> date | None:
    try:
        return datetime.strptime(f"20{yymmdd}", "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
