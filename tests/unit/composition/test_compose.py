"""The print file of each notice, and that nobody is lost, doubled or added between extraction and print."""

import csv
import io
import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import ipc
from tests.builders import CYCLE, SMALL_TOTAL_KEY, a_digest
from tests.unit.composition.notices import a_notice, composed, configured, counted, laid_out, printed, staged

from notice_cycle.catalogue import Configuration
from notice_cycle.composition import compose as composing
from notice_cycle.composition.rules import PostalRules
from notice_cycle.composition.windows31j import encode
from notice_cycle.errors import Altered, Conflict, Refused
from notice_cycle.exchange.print_file import PrintFileCount
from notice_cycle.records import AmountTotal, Quantities
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import AMBIGUOUS, DISPATCH_INDEX, PRINT_FILE, PRINT_FILES, TOTALS

NOTICES = (
    "premium_notice_ordinary",
    "premium_notice_special",
    "provisional_notice",
    "premium_change_notice",
    "reminder",
    "demand_notice",
    "burden_certificate",
    "guide_booklet",
    "support_program_notice",
)


def only(*items: str, **layout: Any) -> Configuration:
    """The ordinary notice with no other columns than these."""
    configuration = configured()
    notice = configuration.notice.model_copy(update={"slips": None})
    return configuration.model_copy(update={"layout": laid_out(*items, **layout), "notice": notice})


def rows_of(vault: CycleVault, charset: str = "cp932") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed(vault).decode(charset), newline="")))


# ---- the bytes


def test_the_bytes_of_a_small_print_file(vault: CycleVault) -> None:
    configuration = only("data_kind", "insured_name", "birth_date", "address_detail", "annual_yen")
    composed(vault, a_notice(1), configuration=configuration)
    assert printed(vault) == (
        '"data_kind","insured_name","birth_date","address_detail","annual_yen"\r\n"架空データ","'.encode(
            "cp932"
        )
        + b"\xfb\xfc"  # 髙 as Windows writes it, where CPython would write EEE0
        + '橋　花子","1950-04-01","","72600"\r\n'.encode("cp932")
    )


def test_flags_moments_and_missing_days_are_plain(vault: CycleVault) -> None:
    configuration = configured("reminder", layout=laid_out("account_pending", "paid_checked_at", "pay_by_on"))
    configuration = configuration.model_copy(
        update={"notice": configuration.notice.model_copy(update={"slips": None})}
    )
    composed(vault, a_notice(1, "reminder", pay_by_on=None), configuration=configuration)
    assert printed(vault).splitlines()[1] == b'"0","2026-06-30 21:30",""'  # 12:30 UTC in Tokyo


def test_every_line_ends_with_crlf_and_every_field_is_quoted(vault: CycleVault) -> None:
    composed(vault, *(a_notice(n) for n in range(1, 30)))
    lines = printed(vault).decode("cp932").split("\r\n")
    assert lines.pop() == ""
    assert len(lines) == 31  # headings, 29 notices, trailer
    assert "\n" not in "".join(lines)
    assert all(line.startswith('"') and line.endswith('"') for line in lines)
    assert all(line.count('"') == 2 * len(configured().layout.columns) for line in lines)


def test_a_quotation_mark_inside_a_field_is_doubled(vault: CycleVault) -> None:
    composed(vault, a_notice(1, address_detail='"荘",1'), configuration=only("address_detail"))
    assert printed(vault).decode("cp932") == '"address_detail"\r\n"""荘"",1"\r\n'


@pytest.mark.parametrize(("synthetic", "mark"), [(True, "架空データ"), (False, "本番")])
def test_every_row_says_whether_it_is_invented(vault: CycleVault, synthetic: bool, mark: str) -> None:
    composed(vault, a_notice(1), a_notice(2), synthetic=synthetic)
    assert [row["データ区分"] for row in rows_of(vault)[:-1]] == [mark, mark]


def test_a_notice_says_its_envelope_lot_and_place(vault: CycleVault) -> None:
    rules = PostalRules(own_postcodes=("99990",), own_min_pieces=2, lot_size=2, five_digit_districts=("998",))
    codes = ("9999001", "9999001", "9999002", "9980101")
    record = composed(
        vault,
        *(a_notice(n, postcode=code) for n, code in enumerate(codes, 1)),
        configuration=configured(postal=rules),
    )
    told = ("通知書番号", "封筒番号", "ロット", "ロット内番号", "郵便の区分", "郵便区番号")
    assert [[row[name].lstrip("0") for name in told] for row in rows_of(vault)[:-1]] == [
        ["1", "1", "1", "1", "郵便区内特別", "999"],
        ["2", "2", "1", "2", "郵便区内特別", "999"],
        ["3", "3", "2", "1", "郵便区内特別", "999"],
        ["4", "4", "3", "1", "一般", "99801"],
    ]
    assert [(lot.postal_class, lot.envelopes) for lot in record.lots] == [
        ("郵便区内特別", 2),
        ("郵便区内特別", 1),
        ("一般", 1),
    ]


def test_the_customer_barcode_is_that_of_the_address_and_a_general_postcode_is_counted(
    vault: CycleVault,
) -> None:
    record = composed(vault, a_notice(1), a_notice(2, postcode="9999000"))
    barcodes = {row["郵便番号"]: row["カスタマバーコード"] for row in rows_of(vault)[:-1]}
    assert barcodes["9999001"].startswith("99990011-2-3ddddd"[:17])
    assert barcodes["9999000"] == ""
    assert record.without_customer_barcode == 1


# ---- each notice, and each format read back


@pytest.mark.parametrize("notice", NOTICES)
def test_each_notice_is_read_back_by_the_contractors_reader(vault: CycleVault, notice: str) -> None:
    configuration = configured(notice)
    rows = [a_notice(n, notice) for n in range(1, 13)]
    record = composed(vault, *rows, configuration=configuration)
    assert counted(vault, configuration) == PrintFileCount(
        quantities=Quantities(persons=12, notices=12, envelopes=12, sheets=12),
        totals_yen={
            configuration.heading_of(total.item): sum(row[total.item] for row in rows)
            for total in configuration.notice.totals
        },
        unreadable_characters=0,
        marks=frozenset({"架空データ"}),
        cycles=frozenset({CYCLE}),
    )
    assert record.quantities.persons == 12
    assert sum(lot.envelopes for lot in record.lots) == 12


def test_fixed_length_is_counted_in_bytes_and_filled_with_spaces(vault: CycleVault) -> None:
    configuration = only("insured_name:12", "annual_yen:7", format="fixed")
    composed(vault, a_notice(1, insured_name="髙橋"), configuration=configuration)
    assert printed(vault) == encode("髙橋") + b" " * 8 + b"  72600\r\n"


def test_a_field_that_is_too_long_is_refused_and_not_cut(vault: CycleVault) -> None:
    configuration = only("insured_name:12", "annual_yen:4", format="fixed")
    with pytest.raises(Refused, match=r"insured_name 1件、annual_yen 2件|annual_yen 2件、insured_name 1件"):
        composed(
            vault, a_notice(1), a_notice(2, insured_name="長い名前の人です"), configuration=configuration
        )
    assert not vault.has(PRINT_FILE)


def test_the_trailer_tells_records_envelopes_sheets_and_totals(vault: CycleVault) -> None:
    sharing = {"recipient_id": "9", "share_envelope": True}
    composed(vault, a_notice(1), a_notice(2, **sharing), a_notice(3, **sharing))
    last = next(csv.reader([printed(vault).decode("cp932").splitlines()[-1]]))
    assert last[:6] == ["8", "3", "2", "3", str(3 * 72_600), str(3 * 72_600)]
    assert not any(last[6:])


def test_the_trailer_of_fixed_length_has_the_length_of_a_record(vault: CycleVault) -> None:
    configuration = configured("burden_certificate")
    record = composed(
        vault, *(a_notice(n, "burden_certificate") for n in (1, 2)), configuration=configuration
    )
    records = printed(vault).split(b"\r\n")[:-1]
    assert record.print_file.name == "print.txt"
    assert len({len(record) for record in records}) == 1
    assert records[-1].rstrip() == b"8" + b"%014d" % 2 * 3


def tampered(vault: CycleVault, before: bytes, after: bytes) -> None:
    content = printed(vault)
    assert before in content
    (name,) = [name for name in PRINT_FILES.values() if vault.has(name)]
    with vault.writing(name) as artefact:
        artefact.buffer.write(content.replace(before, after, 1))


@pytest.mark.parametrize(
    "notice", ["premium_notice_ordinary", "burden_certificate", "support_program_notice"]
)
def test_a_record_that_is_missing_is_told_by_the_trailer(vault: CycleVault, notice: str) -> None:
    configuration = configured(notice)
    composed(vault, *(a_notice(n, notice) for n in (1, 2, 3)), configuration=configuration)
    lines = printed(vault).split(b"\r\n")
    tampered(vault, lines[-3] + b"\r\n", b"")
    with pytest.raises(Altered, match="後ろのレコードと一致しません"):
        counted(vault, configuration)
    tampered(vault, lines[-2] + b"\r\n", b"")
    with pytest.raises(Altered, match="後ろのレコード（件数・合計）がありません"):
        counted(vault, configuration)


def test_a_shifted_fixed_length_record_is_refused_by_its_line(vault: CycleVault) -> None:
    configuration = configured("burden_certificate")
    composed(vault, a_notice(1, "burden_certificate"), configuration=configuration)
    tampered(vault, encode("髙橋"), encode("髙橋 "))
    with pytest.raises(Refused, match="1行目を"):
        counted(vault, configuration)


# ---- quantities, totals, what stays in the vault


def test_quantities_totals_and_variants_are_counted(vault: CycleVault) -> None:
    sharing = {"recipient_id": "9", "share_envelope": True, "payment_means": "account"}
    record = composed(
        vault, *(a_notice(n) for n in range(1, 11)), a_notice(11, **sharing), a_notice(12, **sharing)
    )
    assert record.quantities == Quantities(persons=12, notices=12, envelopes=11, sheets=12)
    assert {item: total.yen for item, total in record.totals.items()} == {
        "annual_yen": 12 * 72_600,
        "ordinary_total_yen": 12 * 72_600,
    }
    assert record.variants == {"slip": 10, "account": 2}
    with vault.reading(TOTALS) as totals:
        assert json.load(totals) == {"annual_yen": 12 * 72_600, "ordinary_total_yen": 12 * 72_600}


def test_a_small_cycles_record_tells_no_amount(vault: CycleVault) -> None:
    record = composed(vault, a_notice(1), a_notice(2))
    assert {total.yen for total in record.totals.values()} == {None}
    assert "145200" not in record.model_dump_json()


def test_the_dispatch_index_traces_a_letter_and_holds_no_name(vault: CycleVault) -> None:
    composed(vault, a_notice(2), a_notice(1))
    with vault.reading(DISPATCH_INDEX) as source:
        index = ipc.open_stream(source).read_all()
    assert index.to_pylist() == [
        {
            "notice_no": f"{n:011d}",
            "insured_no": f"{n:010d}",
            "envelope_no": n,
            "lot_no": 1,
            "position_in_lot": n,
        }
        for n in (1, 2)
    ]


def test_ambiguous_cases_are_counted_and_kept_in_the_vault_only(vault: CycleVault) -> None:
    other = {"recipient_id": "9", "share_envelope": True}
    record = composed(
        vault, a_notice(1), a_notice(2, **other), a_notice(3, **other | {"share_envelope": False})
    )
    assert record.ambiguous == 1
    with vault.reading(AMBIGUOUS) as kept:
        assert json.load(kept) == [["00000000002", "00000000003"]]
    assert "00000000002" not in record.model_dump_json()


def test_the_record_names_the_print_files_bytes(vault: CycleVault) -> None:
    record = composed(vault, a_notice(1))
    assert record.print_file.size_bytes == len(printed(vault))
    assert record.print_file == composed(vault, a_notice(1)).print_file


# ---- what is refused


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": 3},
        {
            "totals": dict.fromkeys(
                ("annual_yen", "ordinary_total_yen"), AmountTotal.of(1, persons=2, key=SMALL_TOTAL_KEY)
            )
        },
    ],
    ids=["rows", "total"],
)
def test_another_count_or_total_than_the_extraction_is_refused(
    vault: CycleVault, changes: dict[str, Any]
) -> None:
    with pytest.raises(Altered, match="件数または合計額"):
        staged(vault, [a_notice(1), a_notice(2)], **changes).composed()
    assert not vault.has(PRINT_FILE)


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [0, 0, 2]], ids=["lost", "doubled", "doubled and lost"])
def test_a_row_lost_or_doubled_on_the_way_to_the_print_file_is_noticed(
    vault: CycleVault, monkeypatch: pytest.MonkeyPatch, order: list[int]
) -> None:
    planned = composing._planned

    def slipping(*given: Any) -> Any:
        plan = planned(*given)
        kept = slice(len(order))
        return replace(
            plan,
            rows=plan.rows[order],
            envelope=plan.envelope[kept],
            sheet_no=plan.sheet_no[kept],
            sheets=plan.sheets[kept],
        )

    monkeypatch.setattr(composing, "_planned", slipping)
    with pytest.raises(Altered, match="件数または合計額"):
        composed(vault, a_notice(1), a_notice(2), a_notice(3))
    assert not vault.has(PRINT_FILE)


def test_nobody_is_left_when_everybody_is_excluded(vault: CycleVault) -> None:
    differences = {
        "notice_no": ["00000000001"],
        "reason": ["death"],
        "noted_at": [datetime(2026, 7, 2, tzinfo=UTC)],
    }
    record = composed(vault, a_notice(1), differences=differences)
    assert record.quantities == Quantities(persons=0, notices=0, envelopes=0, sheets=0)
    assert record.lots == ()
    assert counted(vault, configured()).quantities == record.quantities


def test_rows_that_were_not_validated_are_refused(vault: CycleVault) -> None:
    ready = staged(vault, [a_notice(1)])
    object.__setattr__(
        ready, "validation", ready.validation.model_copy(update={"staging_sha256": a_digest("others")})
    )
    with pytest.raises(Altered, match="検証したデータと抽出データが異なります"):
        ready.composed()


def test_staging_exchanged_after_the_validation_is_refused(vault: CycleVault) -> None:
    ready = staged(vault, [a_notice(1)])
    staged(vault, [a_notice(1, annual_yen=1)])
    with pytest.raises(Altered, match="抽出の記録と一致しません"):
        ready.composed()


def test_a_notice_number_that_stands_twice_stops(vault: CycleVault) -> None:
    with pytest.raises(Conflict, match=r"同じ通知書番号が二度あります（1件）"):
        composed(vault, a_notice(1), a_notice(2), a_notice(1))


def test_odd_postcodes_are_counted_over_the_whole_file(vault: CycleVault) -> None:
    with pytest.raises(Refused, match=r"郵便番号が7桁の数字ではありません（2件）"):
        composed(
            vault,
            a_notice(1, postcode="999-9001"),
            *(a_notice(n) for n in range(2, 30)),
            a_notice(30, postcode=""),
        )


# ---- for random wards


RECIPIENTS = st.tuples(st.sampled_from("abcdef"), st.booleans())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.lists(RECIPIENTS, min_size=1, max_size=40),
    gone=st.sets(st.integers(1, 45), max_size=6),
    lot_size=st.integers(1, 7),
    seed=st.integers(0, 2**32),
)
def test_everybody_due_is_in_exactly_one_envelope_and_nobody_else_is_in_any(
    vault: CycleVault, drawn: list[tuple[str, bool]], gone: set[int], lot_size: int, seed: int
) -> None:
    chance = random.Random(seed)
    rows = [
        a_notice(
            number,
            recipient_id=recipient,
            recipient_name=f"見本　{recipient}",
            postcode=f"999900{ord(recipient) % 3}",
            address=f"架空区見本{ord(recipient) % 2}丁目",
            share_envelope=shares,
            annual_yen=chance.randrange(0, 300_000),
            payment_means=chance.choice(["slip", "account"]),
        )
        for number, (recipient, shares) in enumerate(drawn, 1)
    ]
    chance.shuffle(rows)
    differences = {
        "notice_no": [f"{number:011}" for number in gone],
        "reason": [chance.choice(["death", "moved_out"]) for _ in gone],
        "noted_at": [datetime(2026, 7, 2, tzinfo=UTC)] * len(gone),
    }
    configuration = configured(
        postal=PostalRules(
            own_postcodes=("9999001",), own_min_pieces=2, sorted_min_pieces=5, lot_size=lot_size
        )
    )
    record = staged(vault, rows, configuration).composed(differences=differences if gone else None)

    due = {row["notice_no"]: row for row in rows if int(row["notice_no"]) not in gone}
    found = rows_of(vault)
    assert found.pop()["レコード区分"] == "8"
    assert Counter(row["通知書番号"] for row in found) == Counter(list(due))
    assert sum(int(row["決定年額"]) for row in found) == sum(row["annual_yen"] for row in due.values())
    assert all(row["被保険者番号"] == due[row["通知書番号"]]["insured_no"] for row in found)
    assert sum(record.excluded.values()) == len(rows) - len(due)
    assert record.unknown_differences == len(gone) - (len(rows) - len(due))

    numbers = [int(row["封筒番号"]) for row in found]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, record.quantities.envelopes + 1))
    assert record.quantities.envelopes == sum(lot.envelopes for lot in record.lots)
    assert all(lot.envelopes <= lot_size for lot in record.lots)
    sharing = {row["recipient_id"] for row in due.values() if row["share_envelope"]}
    assert record.quantities.envelopes == len(sharing) + sum(
        not row["share_envelope"] for row in due.values()
    )
    for number in set(numbers):
        sheets = [due[row["通知書番号"]] for row in found if int(row["封筒番号"]) == number]
        told = [(row["枚目"], row["封筒内枚数"]) for row in found if int(row["封筒番号"]) == number]
        assert told == [(str(place), str(len(sheets))) for place in range(1, len(sheets) + 1)]
        assert len({sheet["recipient_id"] for sheet in sheets}) == 1
        assert len(sheets) == 1 or all(sheet["share_envelope"] for sheet in sheets)
    count = counted(vault, configuration)
    assert count.quantities == record.quantities
    assert count.totals_yen["決定年額"] == sum(row["annual_yen"] for row in due.values())


def test_the_order_of_extraction_does_not_matter(vault: CycleVault) -> None:
    rows = [
        a_notice(n, recipient_id=str(n // 3), share_envelope=n % 2 == 0, birth_date=date(1940, 1, 1))
        for n in range(1, 30)
    ]
    first = composed(vault, *rows).print_file
    random.Random(7).shuffle(rows)
    assert composed(vault, *rows).print_file == first
