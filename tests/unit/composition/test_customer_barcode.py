"""カスタマバーコード: Japan Post's own examples, each rule by itself, and the whole column against the slow reference."""

import random
import re

import pyarrow as pa
import pytest

from notice_cycle.composition.customer_barcode import (
    SYMBOLS,
    customer_barcode,
    customer_barcodes,
    display_numbers,
)
from notice_cycle.errors import Refused

# 郵便番号・バーコードマニュアル p25 (and p17); d is CC4, a-c stand before a letter's digit, the last symbol is the check.
PUBLISHED = [
    ("1000013", "東京都千代田区霞が関1丁目3番2号　郵便プラザ503室", "1-3-2-503", "10000131-3-2-503dddd9"),
    ("2630023", "千葉市稲毛区緑町3丁目30-8　郵便ビル403号", "3-30-8-403", "26300233-30-8-403ddd5"),
    ("0140113", "秋田県大仙市堀見内　南田茂木　添60-1", "60-1", "014011360-1dddddddddh"),
    ("1100016", "東京都台東区台東5-6-3　ABCビル10F", "5-6-3-10", "11000165-6-3-10ddddd9"),
    ("0600906", "北海道札幌市東区北六条東4丁目　郵便センター6号館", "4-6", "06009064-6dddddddddd9"),
    ("0650006", "北海道札幌市東区北六条東8丁目　郵便センター10号館", "8-10", "06500068-10ddddddddd9"),
    ("4070033", "山梨県韮崎市龍岡町下條南割　韮崎400", "400", "4070033400dddddddddd-"),
    (
        "2730102",
        "千葉県鎌ケ谷市右京塚　東3丁目-20-5　郵便・A&bコーポB604号",
        "3-20-5B604",
        "27301023-20-5a1604dd0",
    ),
    (
        "1980036",
        "東京都青梅市河辺町十一丁目六番地一号　郵便タワー601",
        "11-6-1-601",
        "198003611-6-1-601dddh",
    ),
    ("0270203", "岩手県宮古市大字津軽石第二十一地割大淵川480", "21-480", "027020321-480ddddddde"),
    ("5900016", "大阪府堺市堺区中田出井町四丁六番十九号", "4-6-19", "59000164-6-19dddddddb"),
    ("0800831", "北海道帯広市稲田町南七線　西28", "7-28", "08008317-28dddddddddg"),
    ("3170055", "茨城県日立市宮田町6丁目7-14　ABCビル2F", "6-7-14-2", "31700556-7-14-2ddddda"),
    ("6500046", "神戸市中央区港島中町9丁目7-6　郵便シティA棟1F1号", "9-7-6A1-1", "65000469-7-6a01-1ddd5"),
    ("6230011", "京都府綾部市青野町綾部6-7　LプラザB106", "6-7LB106", "62300116-7b1a1106ddd4"),
    (
        "0640804",
        "札幌市中央区南四条西29丁目1524-23　第2郵便ハウス501",
        "29-1524-23-2-501",
        "064080429-1524-23-2-3",
    ),
    ("9100067", "福井県福井市新田塚3丁目80-25　J1ビル2-B", "3-80-25J1-2B", "91000673-80-25a91-2a9"),
]


def number_of(address: str, detail: str = "") -> str:
    (found,) = display_numbers(pa.array([address]), pa.array([detail]))
    return str(found)


def barcode_of(postcode: str, address: str, detail: str = "") -> str:
    (found,) = customer_barcodes(pa.array([postcode]), pa.array([address]), pa.array([detail]))
    return str(found)


@pytest.mark.parametrize(("postcode", "address", "number", "barcode"), PUBLISHED)
def test_japan_posts_own_examples(postcode: str, address: str, number: str, barcode: str) -> None:
    assert number_of(address) == number
    assert barcode_of(postcode, address) == barcode
    assert customer_barcode(postcode, number) == barcode


def test_the_published_sum_of_105_gives_check_digit_9() -> None:
    barcode = customer_barcode("1000013", "1-3-2-503")
    assert sum(SYMBOLS.index(symbol) for symbol in barcode[:-1]) == 105
    assert barcode[-1] == "9"


@pytest.mark.parametrize(
    ("address", "detail", "number"),
    [
        ("架空区見本一丁目８７番６５号", "", "1-87-65"),
        ("架空区見本一丁目８７番６５号", "サンプルコート４０８号室", "1-87-65-408"),
        ("架空区見本１－２－３", "Ａ棟６０５", "1-2-3A605"),
        ("架空区見本１‐２−３", "ａ－６０５", "1-2-3A605"),
        ("架空区見本1-2", "コーポＡＢ３", "1-2-3"),  # two letters in a row are no information
        ("架空区見本1-2", "コーポA・B3", "1-2-3"),  # … also when a dropped sign stood between them
        ("架空区見本1-2", "3F", "1-2-3"),  # F behind a digit is a floor
        ("架空区見本1-2", "3F5", "1-2-3-5"),
        ("架空区見本1-2", "3階F号", "1-2-3F"),  # F by itself is a letter
        ("架空区見本1/2.3", "", "123"),  # dropped signs close up
        ("架空区見本百二十三番地", "", "123"),
        ("架空区見本千二百番地", "", "1200"),
        ("架空区見本一〇五番", "", "105"),
        ("架空区見本二一番", "", "21"),
        ("架空区見本十番二十号", "", "10-20"),
        ("架空区見本五番地二", "", "5"),  # kanji that no 丁目, 番 or 号 follows are part of a name
        ("架空区見本", "一〇一号室", "101"),
        ("架空区見本--1--2-", "", "1-2"),
        ("架空区見本", "", ""),
        ("架空区見本Ⅱ①1-2", "", "1-2"),  # signs that only look like letters and digits
        ("架空区見本1-2", "ﾊｲﾂ3", "1-2-3"),
    ],
)
def test_what_is_taken_from_an_address(address: str, detail: str, number: str) -> None:
    assert number_of(address, detail) == number


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("架空区三番町６番地", "6"),
        ("架空区３番町６番地", "6"),
        ("架空市四番丁１２", "12"),
        ("架空区八丁堀二丁目３番", "2-3"),
        ("架空区一の江四丁目５番", "4-5"),
        ("架空区三ノ輪１丁目", "1"),
        ("架空市六丁の目中町１－２", "1-2"),
        ("架空市北24条西10丁目1-1", "10-1-1"),
        ("架空区四谷三丁目２番", "3-2"),
        ("架空区二十騎町１２番地", "12"),
        ("架空区見本三の二", "3"),
    ],
)
def test_a_number_in_a_towns_name_is_left_out(address: str, number: str) -> None:
    assert number_of(address) == number


def test_a_missing_detail_is_no_detail() -> None:
    details = pa.array([None, ""], pa.string())
    assert display_numbers(pa.array(["見本1-2", "見本3"]), details).to_pylist() == ["1-2", "3"]


@pytest.mark.parametrize(
    ("number", "symbols"),
    [
        ("", "ddddddddddddd"),
        ("AJKTUZ", "a0a9b0b9c0c5d"),
        ("1234567890123", "1234567890123"),
        ("12345678901234", "1234567890123"),
        ("12345678901A", "12345678901a0"),
        ("123456789012A", "123456789012a"),  # a letter that the end splits keeps its control code
        ("ABCDEFG", "a0a1a2a3a4a5a"),
    ],
)
def test_the_address_takes_thirteen_symbols(number: str, symbols: str) -> None:
    assert customer_barcode("1000013", number)[7:20] == symbols


def test_a_general_postcode_carries_no_barcode() -> None:
    assert customer_barcode("1000000", "1-2") == ""
    assert barcode_of("1000000", "見本1-2") == ""


@pytest.mark.parametrize("postcode", ["100-0013", "100001", "10000130", "１０００００１", "", "1000013\n"])
def test_a_postcode_of_another_form_is_refused(postcode: str) -> None:
    with pytest.raises(Refused, match="7桁"):
        customer_barcode(postcode, "1")
    with pytest.raises(Refused, match=r"（1件）"):
        barcode_of(postcode, "見本1")


def test_the_refusal_counts_and_shows_no_postcode() -> None:
    postcodes = pa.array(["1000013", "9999", None])
    texts = pa.array(["見本1"] * 3)
    with pytest.raises(Refused) as refused:
        customer_barcodes(postcodes, texts, texts)
    assert "（2件）" in str(refused.value)
    assert "9999" not in str(refused.value)


def test_no_rows_are_fine() -> None:
    none = pa.array([], pa.string())
    assert len(customer_barcodes(none, none, none)) == 0


def test_the_whole_column_equals_the_slow_reference() -> None:
    chance = random.Random(20260701)
    alphabet = "0123456789０９-－AＢbFＦZ一二十百〇丁目番地号のノ見本町　 ・&／.ﾊアⅡ"
    texts = ["".join(chance.choices(alphabet, k=chance.randrange(30))) for _ in range(20_000)]
    postcodes = [f"{chance.randrange(10_000_000):07}" for _ in texts]
    address, detail = pa.array(texts), pa.array(chance.sample(texts, len(texts)))
    numbers = display_numbers(address, detail).to_pylist()
    barcodes = customer_barcodes(pa.array(postcodes), address, detail).to_pylist()
    assert barcodes == list(map(customer_barcode, postcodes, numbers))

    form = re.compile(r"(?:[A-Z]|[0-9]+(?:-[0-9]+)*)*")  # no hyphen at an end, doubled, or beside a letter
    assert all(form.fullmatch(number) for number in numbers)
    carried = [barcode for barcode in barcodes if barcode]
    assert {len(barcode) for barcode in carried} == {21}
    assert all(sum(map(SYMBOLS.index, barcode)) % 19 == 0 for barcode in carried)
