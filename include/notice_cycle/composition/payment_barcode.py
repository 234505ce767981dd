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
from datetime import date, datetime
from itertools import accumulate
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, StringConstraints

from notice_cycle.composition.customer_barcode import arrow_text, character_codes, count_odd, text_column
from notice_cycle.errors import Refused
from notice_cycle.values import Frozen

STORES_TAKE_UP_TO_YEN = 300_000

_AI = "91"
_RESERVE = "0000"
_NO_REVENUE_STAMP = "0"
_DIGITS = 44
_NOTICE_NO_DIGITS = 11
_AMOUNT_DIGITS = 6
_CENTURY = 2000
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
    fiscal_year: int,
    notice_no: pd.Series,
    instalment: int,
    due_on: date,
    amount_yen: pd.Series,
    *,
    reissue: int = 0,
) -> pd.Series:
    """The 44 digits of every slip of one instalment; empty where stores take none. Raises Refused on odd numbers.

    `issuer`: 請求書発行企業コード, six digits. `instalment`: 1-99. `reissue`: how often the slip was made again, 0-9.
    """
    _refuse_odd_settings(
        {
            "企業コード": bool(re.fullmatch("[0-9]{6}", issuer)),
            "年度": _CENTURY <= fiscal_year < _CENTURY + 100,
            "期": 1 <= instalment <= _LAST_INSTALMENT,
            "再発行区分": 0 <= reissue <= _LAST_REISSUE,
            "納期限": _CENTURY <= due_on.year < _CENTURY + 100,
        }
    )
    _refuse_odd_notice_numbers(notice_no)
    if odd := int((amount_yen.isna() | (amount_yen < 0)).sum()):
        raise Refused(
            f"バーコードにする金額が空か、負です（{odd}件）。",
            advice="抽出の期別額を担当課で確認し、直してから抽出をやり直してください。",
        )
    yen = amount_yen.to_numpy("int64")
    payable = (yen > 0) & (yen <= STORES_TAKE_UP_TO_YEN)
    amount = pc.ascii_lpad(pa.array(np.where(payable, yen, 0)).cast(pa.string()), _AMOUNT_DIGITS, "0")
    before = f"{_AI}{issuer}{fiscal_year}"
    behind = f"{instalment:02}{_RESERVE}{reissue}{due_on:%y%m%d}{_NO_REVENUE_STAMP}"
    body = pc.binary_join_element_wise(before, arrow_text(notice_no), behind, amount, "")
    text = pc.binary_join_element_wise(body, _check_digits(body, _DIGITS - 1), "")
    return text_column(pc.if_else(pa.array(payable), text, ""), notice_no.index)


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


def read_payment_barcodes(texts: pd.Series) -> pd.DataFrame:
    """What every barcode says, to be compared with its sheet: a column for each field, and `check_ok`.

    `check_ok` is False where `read_payment_barcode` would refuse, an empty text included; the other columns
    are empty, 0 or NaT there, so that no unreadable barcode equals a sheet.
    """
    given = arrow_text(texts)
    well_formed = pc.match_substring_regex(given, f"^[0-9]{{{_DIGITS}}}$")
    readable = pc.if_else(well_formed, given, "0" * _DIGITS)
    digits = character_codes(readable, _DIGITS) - np.uint8(ord("0"))
    number = {name: _number(digits[:, _PLACES[name]]) for name in _WIDTHS if _WIDTHS[name] <= _AMOUNT_DIGITS}
    yymmdd = pc.utf8_slice_codeunits(readable, _PLACES["due_on"].start, _PLACES["due_on"].stop)
    due_on = pd.to_datetime(
        text_column(pc.binary_join_element_wise("20", yymmdd, ""), texts.index),
        format="%Y%m%d",
        errors="coerce",
    )
    ok = (
        well_formed.to_numpy(zero_copy_only=False)
        & (number["ai"] == int(_AI))
        & (number["check"] == _check_values(digits[:, :-1]))
        & due_on.notna().to_numpy()
        & (number["reserve"] == 0)
        & (number["revenue_stamp"] == 0)
        & (number["instalment"] >= 1)
        & (number["fiscal_year"] >= _CENTURY)
        & (number["fiscal_year"] < _CENTURY + 100)
        & (number["amount_yen"] >= 1)
        & (number["amount_yen"] <= STORES_TAKE_UP_TO_YEN)
    )
    texts_of = {name: _slice(readable, ok, name) for name in ("issuer", "notice_no")}
    return pd.DataFrame(
        {
            "issuer": text_column(texts_of["issuer"], texts.index),
            "fiscal_year": np.where(ok, number["fiscal_year"], 0),
            "notice_no": text_column(texts_of["notice_no"], texts.index),
            "instalment": np.where(ok, number["instalment"], 0),
            "reissue": np.where(ok, number["reissue"], 0),
            "due_on": due_on.where(ok),
            "amount_yen": np.where(ok, number["amount_yen"], 0),
            "check_ok": ok,
        },
        index=texts.index,
    )


# ---- Pay-easy


class PaymentNumbers(Frozen):
    """The four fields a payer types at a bank (Pay-easy), or reads beside an eL-QR."""

    collector_no: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$"), Field(description="収納機関番号")]
    payment_no: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$"), Field(description="納付番号")]
    confirmation_no: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$"), Field(description="確認番号")]
    payment_class: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}$"), Field(description="納付区分")]


def payment_numbers(
    collector_no: str, payment_class: str, notice_no: pd.Series, instalment: int, confirmation_no: pd.Series
) -> pd.DataFrame:
    """The four fields of every slip of one instalment, in the columns of `PaymentNumbers`. Raises Refused.

    納付番号 is notice number, instalment and a check digit (modulus 10, weights 3-1 from the right): this product's
    own rule until one is agreed with the operator. It repeats in another year, so `payment_class` must tell the
    year. 確認番号 is given, never derived: a number that anyone can compute from the slip confirms nothing.
    """
    _refuse_odd_settings(
        {
            "収納機関番号": bool(re.fullmatch("[0-9]{5}", collector_no)),
            "納付区分": bool(re.fullmatch("[0-9]{1,10}", payment_class)),
            "期": 1 <= instalment <= _LAST_INSTALMENT,
        }
    )
    _refuse_odd_notice_numbers(notice_no)
    if odd := count_odd(confirmation_no, 6):
        raise Refused(
            f"確認番号が6桁の数字ではありません（{odd}件）。",
            advice="確認番号の作り方を情報システム課と収納の委託先で確認してください。",
        )
    body = pc.binary_join_element_wise(arrow_text(notice_no), f"{instalment:02}", "")
    payment_no = pc.binary_join_element_wise(body, _check_digits(body, _NOTICE_NO_DIGITS + 2), "")
    return pd.DataFrame(
        {
            "collector_no": collector_no,
            "payment_no": text_column(payment_no, notice_no.index),
            "confirmation_no": confirmation_no,
            "payment_class": payment_class,
        },
        index=notice_no.index,
    )


# ---- helpers


def _refuse_odd_settings(settings: dict[str, bool]) -> None:
    if odd := [name for name, is_right in settings.items() if not is_right]:
        raise Refused(
            f"収納の番号にする設定が正しくありません（{'、'.join(odd)}）。",
            advice="収納の委託先と取り決めた値を確認し、設定を直してください。",
        )


def _refuse_odd_notice_numbers(notice_no: pd.Series) -> None:
    if odd := count_odd(notice_no, _NOTICE_NO_DIGITS):
        raise Refused(
            f"通知書番号が11桁の数字ではありません（{odd}件）。",
            advice="基幹系の通知書番号を担当課で確認し、直してから抽出をやり直してください。",
        )


def _unreadable(why: str) -> Refused:
    return Refused(
        f"コンビニ収納のバーコードを読めません（{why}）。",
        advice="印字を止め、バーコードと用紙の組合せを委託先と確かめてください。",
    )


def _check_digit(digits: str) -> int:
    """Modulus 10, weights 3 and 1 from the right."""
    return -sum(int(digit) * (3 - 2 * (place % 2)) for place, digit in enumerate(reversed(digits))) % 10


def _check_values(digits: Any) -> Any:
    """`_check_digit` of every row of a matrix of digits."""
    total = 3 * digits[:, ::-2].sum(axis=1, dtype="int32") + digits[:, -2::-2].sum(axis=1, dtype="int32")
    return -total % 10


def _check_digits(texts: Any, width: int) -> Any:
    """`_check_digit` of every text of that width, as texts."""
    digits = character_codes(texts, width) - np.uint8(ord("0"))
    return pa.array([str(digit) for digit in range(10)]).take(pa.array(_check_values(digits)))


def _number(digits: Any) -> Any:
    """Rows of digits as whole numbers."""
    return digits @ (10 ** np.arange(digits.shape[1])[::-1])


def _date_of(yymmdd: str) -> date | None:
    try:
        return datetime.strptime(f"20{yymmdd}", "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def _slice(texts: Any, ok: Any, name: str) -> Any:
    place = _PLACES[name]
    return pc.if_else(pa.array(ok), pc.utf8_slice_codeunits(texts, place.start, place.stop), "")
