"""Payment numbers: 44 digits that read back as written, and nobody else's. All companies and numbers are 架空."""

import random
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from notice_cycle.composition.columns import notice_digits
from notice_cycle.composition.payment_barcode import (
    PaymentBarcode,
    PaymentNumbers,
    payment_barcodes,
    payment_numbers,
    read_payment_barcode,
    read_payment_barcodes,
)
from notice_cycle.errors import Refused

DUE_ON = date(2026, 7, 31)  # Friday
PRINTED = "91" + "999999" + "2026" + "00000000012" + "01" + "0000" + "0" + "260731" + "0" + "008000" + "9"


def barcodes(**changes: Any) -> list[str]:
    given: dict[str, Any] = {
        "issuer": "999999",
        "fiscal_year": 2026,
        "notice_no": ["00000000012"],
        "instalment": 1,
        "due_on": DUE_ON,
        "amount_yen": [8_000],
    } | changes
    given["notice_no"] = notice_digits(pa.array(given["notice_no"], pa.string()))
    given["amount_yen"] = pa.array(given["amount_yen"], pa.int32())
    found: list[str] = payment_barcodes(**given).to_pylist()
    return found


def with_check_digit(body: str) -> str:
    """Modulus 10, weight 3 on the last digit of the body and on every second one before it."""
    return body + str(-sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(body[::-1])) % 10)


def test_the_44_digits_of_a_slip() -> None:
    assert (3 * 48 + 57 + 9) % 10 == 0  # PRINTED by hand: 48 in the odd places, 57 in the even ones
    assert barcodes() == [PRINTED]


def test_the_check_digit_is_that_of_a_jan_code() -> None:
    assert with_check_digit("491234567890") == "4912345678904"  # barcode-net.com/chisiki/modulus10_3.html
    assert with_check_digit(PRINTED[:-1]) == PRINTED


def test_a_barcode_reads_back_as_it_was_written() -> None:
    assert read_payment_barcode(PRINTED) == PaymentBarcode(
        issuer="999999",
        fiscal_year=2026,
        notice_no="00000000012",
        instalment=1,
        reissue=0,
        due_on=DUE_ON,
        amount_yen=8_000,
    )


@pytest.mark.parametrize(
    ("amount_yen", "printed"),
    [
        (0, False),
        (1, True),
        (49_999, True),
        (50_000, True),
        (300_000, True),
        (300_001, False),
        (1_234_567, False),
    ],
)
def test_stores_take_up_to_300000_yen(amount_yen: int, printed: bool) -> None:
    (text,) = barcodes(amount_yen=[amount_yen])
    assert bool(text) is printed
    if printed:
        assert text[36] == "0"  # no revenue stamp on public money, whatever the amount
        assert read_payment_barcode(text).amount_yen == amount_yen


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "4999999"},
        {"issuer": "９９９９９９"},
        {"fiscal_year": 8},
        {"instalment": 0},
        {"instalment": 100},
        {"reissue": 10},
        {"due_on": date(2100, 7, 31)},
        {"due_on": pa.array([None], pa.date32())},
        {"fiscal_year": np.array([1999])},
        {"instalment": np.array([0])},
    ],
)
def test_a_setting_that_has_no_place_in_the_barcode_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="設定が正しくありません"):
        barcodes(**changes)


@pytest.mark.parametrize("notice_no", ["1", "0000000001２", "000000000012", "", None])
def test_a_notice_number_of_another_form_is_refused(notice_no: str | None) -> None:
    with pytest.raises(Refused, match=r"通知書番号が11桁の数字ではありません（1件）"):
        barcodes(notice_no=[notice_no])


@pytest.mark.parametrize("amount_yen", [-100, None])
def test_an_amount_below_nothing_is_refused(amount_yen: int | None) -> None:
    with pytest.raises(Refused, match=r"空か、負です（1件）"):
        barcodes(amount_yen=[amount_yen])


def broken(place: int, digits: str) -> str:
    """The printed barcode with other digits at a place, and the check digit that belongs to them."""
    return with_check_digit(PRINTED[:place] + digits + PRINTED[place + len(digits) : -1])


UNREADABLE = {
    "empty": "",
    "one digit short": PRINTED[:-1],
    "one digit long": PRINTED + "0",
    "full-width digits": PRINTED.replace("9", "９"),
    "a line end": PRINTED[:-1] + "\n",
    "a letter": "9I" + PRINTED[2:],
    "another application": broken(0, "90"),
    "check digit": PRINTED[:-1] + "6",
    "no such day": broken(30, "260732"),
    "no instalment": broken(23, "00"),
    "no amount": broken(37, "000000"),
    "more than stores take": broken(37, "300001"),
    "a revenue stamp": broken(36, "1"),
    "a filled reserve": broken(25, "0001"),
    "a year of another century": broken(8, "1926"),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_barcode_of_ours_is_refused_alone_and_not_ok_in_a_column(text: str) -> None:
    with pytest.raises(Refused, match="読めません"):
        read_payment_barcode(text)
    read = read_payment_barcodes(pa.array([text, PRINTED]))
    assert read.ok.tolist() == [False, True]
    assert not any(column[0] for column in read)


def test_one_wrong_digit_and_two_neighbours_swapped_are_noticed() -> None:
    wrong = [
        PRINTED[:place] + digit + PRINTED[place + 1 :]
        for place in range(44)
        for digit in "0123456789"
        if digit != PRINTED[place]
    ]
    assert not read_payment_barcodes(pa.array(wrong)).ok.any()
    swapped = [
        PRINTED[:place] + PRINTED[place + 1] + PRINTED[place] + PRINTED[place + 2 :]
        for place in range(43)
        if abs(int(PRINTED[place]) - int(PRINTED[place + 1])) not in {0, 5}  # weights 3-1 are blind to these
    ]
    assert not read_payment_barcodes(pa.array(swapped)).ok.any()


def test_another_persons_barcode_is_seen_beside_the_sheet() -> None:
    numbers = [f"{n:011}" for n in range(1, 5)]
    printed = barcodes(notice_no=numbers, amount_yen=[8_000] * 4)
    assert read_payment_barcodes(pa.array(printed)).notice_no.tolist() == [1, 2, 3, 4]
    read = read_payment_barcodes(pa.array(printed[1:] + printed[:1]))
    assert read.ok.all()
    assert not (read.notice_no == [1, 2, 3, 4]).any()


def test_every_column_reads_back_and_agrees_with_reading_one_by_one() -> None:
    chance = random.Random(20260731)
    given = {
        "notice_no": [f"{chance.randrange(10**11):011}" for _ in range(5_000)],
        "amount_yen": [chance.choice((0, 100, 49_900, 300_000, 300_100, chance.randrange(400_000))) for _ in range(5_000)],
        "fiscal_year": np.array([chance.randrange(2020, 2030) for _ in range(5_000)]),
        "instalment": np.array([chance.randrange(1, 100) for _ in range(5_000)]),
    }  # fmt: skip
    days = [date(2026, 1, 1) + timedelta(days=chance.randrange(2_000)) for _ in range(5_000)]
    printed = barcodes(issuer="123456", due_on=pa.array(days), reissue=2, **given)
    read = read_payment_barcodes(pa.array(printed))
    payable = [1 <= yen <= 300_000 for yen in given["amount_yen"]]
    assert read.ok.tolist() == payable == [bool(text) for text in printed]
    for place in np.flatnonzero(payable):
        alone = read_payment_barcode(printed[place])
        assert alone == PaymentBarcode(
            issuer="123456",
            fiscal_year=given["fiscal_year"][place],
            notice_no=given["notice_no"][place],
            instalment=given["instalment"][place],
            reissue=2,
            due_on=days[place],
            amount_yen=given["amount_yen"][place],
        )
        assert [int(column[place]) for column in read[:-1]] == [
            123_456,
            alone.fiscal_year,
            int(alone.notice_no),
            alone.instalment,
            alone.reissue,
            int(f"{alone.due_on:%Y%m%d}"),
            alone.amount_yen,
        ]


def test_no_rows_are_fine() -> None:
    none = pa.array([], pa.string())
    assert barcodes(notice_no=[], amount_yen=[]) == []
    assert len(read_payment_barcodes(none).ok) == 0
    assert len(payment_numbers("99999", "2026", notice_digits(none), 1, none)["payment_no"]) == 0


# ---- Pay-easy


def numbers(**changes: Any) -> list[dict[str, str]]:
    given: dict[str, Any] = {
        "collector_no": "99999",
        "payment_class": "2026",
        "notice_no": ["00000000012", "00000000013"],
        "instalment": 1,
        "confirmation_no": ["123456", "000001"],
    } | changes
    given["notice_no"] = notice_digits(pa.array(given["notice_no"]))
    given["confirmation_no"] = pa.array(given["confirmation_no"])
    found: list[dict[str, str]] = pa.table(payment_numbers(**given)).to_pylist()
    return found


def test_the_four_fields_of_every_slip() -> None:
    first, second = (PaymentNumbers(**row) for row in numbers())
    assert first.payment_no == with_check_digit("00000000012" + "01")
    assert second.payment_no == with_check_digit("00000000013" + "01")
    assert (second.collector_no, second.payment_class, second.confirmation_no) == ("99999", "2026", "000001")


def test_each_instalment_has_its_own_payment_number() -> None:
    found = [row["payment_no"] for instalment in range(1, 10) for row in numbers(instalment=instalment)]
    assert len(set(found)) == 18


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"collector_no": "9999"}, "収納機関番号"),
        ({"payment_class": "12345678901"}, "納付区分"),
        ({"instalment": 0}, "期"),
        ({"notice_no": ["1", "00000000013"]}, r"通知書番号.*（1件）"),
        ({"confirmation_no": ["123456", None]}, r"確認番号が6桁の数字ではありません（1件）"),
    ],
)
def test_a_number_of_another_form_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        numbers(**changes)


def test_the_fields_are_checked_when_made() -> None:
    with pytest.raises(ValidationError):
        PaymentNumbers(collector_no="99999", payment_no="1" * 21, confirmation_no="123456", payment_class="1")
