"""The print file's bytes, and that nobody is lost or doubled between extraction and print."""

import csv
import io
import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import ipc
from tests.builders import CYCLE, SMALL_TOTAL_KEY, a_digest, the_configuration

from notice_cycle.catalogue import Configuration, Layout, LayoutColumn
from notice_cycle.composition.compose import compose
from notice_cycle.errors import Altered, Refused
from notice_cycle.records import AmountTotal, CompositionRecord, ExtractionRecord, ValidationRecord
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import DISPATCH_INDEX, PRINT_FILE, STAGED, TOTALS

LAYOUT = the_configuration().layout


def a_notice(number: int, **changes: Any) -> dict[str, Any]:
    instalments = {f"instalment_{month:02d}": 8_000 for month in (7, 8, 9, 10, 11, 12, 1, 2, 3)}
    known: dict[str, Any] = {
        "notice_no": f"{number:011d}",
        "insured_no": f"{number:010d}",
        "recipient_id": f"{number:010d}",
        "share_envelope": False,
        "postcode": "1000001",
        "address": "架空区見本一丁目",
        "address_detail": "",
        "recipient_name": "髙橋　花子",
        "recipient_suffix": "様",
        "insured_name": "髙橋　花子",
        "birth_date": date(1950, 4, 1),
        "acquired_on": date(2015, 3, 31),
        "stage": 5,
        "months": 12,
        "stage_annual_yen": 72_600,
        "annual_yen": 72_600,
        "ordinary_total_yen": 72_600,
        "special_total_yen": 0,
        "first_due_on": date(2026, 7, 31),
    }
    return known | instalments | changes


def staged(vault: CycleVault, *rows: dict[str, Any]) -> ExtractionRecord:
    table = pa.Table.from_pylist(list(rows))
    with vault.writing(STAGED) as artefact, ipc.new_stream(artefact.buffer, table.schema) as stream:
        stream.write_table(table)
    total = AmountTotal.of(
        sum(row["ordinary_total_yen"] for row in rows), persons=len(rows), key=SMALL_TOTAL_KEY
    )
    return ExtractionRecord(
        as_of=datetime(2026, 7, 1, tzinfo=UTC),
        rows=len(rows),
        persons=len(rows),
        columns=tuple(rows[0]),
        annual_total=total,
        ordinary_total=total,
        staging=artefact.stored,
    )


def composed(
    vault: CycleVault,
    *rows: dict[str, Any],
    synthetic: bool = True,
    configuration: Configuration | None = None,
    **changes: Any,
) -> CompositionRecord:
    extraction = staged(vault, *rows).model_copy(update=changes)
    validation = ValidationRecord(
        staging_sha256=extraction.staging.sha256, rules=(), persons_by_stage={}, persons_by_method={}
    )
    return compose(
        extraction,
        validation,
        configuration or the_configuration(),
        vault,
        cycle=CYCLE,
        synthetic=synthetic,
        small_total_key=SMALL_TOTAL_KEY,
    )


def printed(vault: CycleVault) -> bytes:
    with vault.reading(PRINT_FILE) as plain:
        return plain.read()


def laid_out(**items: str) -> Configuration:
    columns = tuple(LayoutColumn(heading_ja=heading, item=item) for heading, item in items.items())
    layout = Layout(id="x-1", charset="cp932-windows", columns=columns)
    return the_configuration().model_copy(update={"layout": layout})


def test_the_bytes_of_a_small_print_file(vault: CycleVault) -> None:
    configuration = laid_out(
        データ区分="data_kind",
        氏名="insured_name",
        生年月日="birth_date",
        方書="address_detail",
        年額="annual_yen",
    )
    composed(vault, a_notice(1), configuration=configuration)
    assert printed(vault) == (
        '"データ区分","氏名","生年月日","方書","年額"\r\n'.encode("cp932")
        + '"架空データ","'.encode("cp932")
        + b"\xfb\xfc"  # 髙 as Windows writes it, where CPython would write EEE0
        + '橋　花子","1950-04-01","","72600"\r\n'.encode("cp932")
    )


def test_every_line_ends_with_crlf_and_every_field_is_quoted(vault: CycleVault) -> None:
    composed(vault, *(a_notice(n) for n in range(1, 30)))
    lines = printed(vault).decode("cp932").split("\r\n")
    assert lines.pop() == ""
    assert len(lines) == 30
    assert "\n" not in "".join(lines)
    assert all(line.startswith('"') and line.endswith('"') for line in lines)
    assert all(line.count('"') == 2 * len(LAYOUT.columns) for line in lines)


def test_headings_and_columns_are_those_of_the_layout(vault: CycleVault) -> None:
    composed(vault, a_notice(1))
    headings, row = csv.reader(io.StringIO(printed(vault).decode("cp932"), newline=""))
    assert headings == [column.heading_ja for column in LAYOUT.columns]
    told = dict(zip(headings, row, strict=True))
    assert told["発送回"] == CYCLE
    assert (told["封筒番号"], told["枚目"], told["封筒内枚数"]) == ("1", "1", "1")
    assert told["最初の納期限"] == "2026-07-31"
    assert told["通知書番号"] == "00000000001"


def test_a_quotation_mark_inside_a_field_is_doubled(vault: CycleVault) -> None:
    composed(vault, a_notice(1, address_detail='"荘",1'), configuration=laid_out(方書="address_detail"))
    assert printed(vault).decode("cp932") == '"方書"\r\n"""荘"",1"\r\n'


@pytest.mark.parametrize(("synthetic", "mark"), [(True, "架空データ"), (False, "本番")])
def test_every_row_says_whether_it_is_invented(vault: CycleVault, synthetic: bool, mark: str) -> None:
    composed(vault, a_notice(1), a_notice(2), synthetic=synthetic)
    rows = list(csv.DictReader(io.StringIO(printed(vault).decode("cp932"))))
    assert [row["データ区分"] for row in rows] == [mark, mark]


def test_a_character_that_cannot_be_printed_leaves_no_print_file(vault: CycleVault) -> None:
    with pytest.raises(Refused, match=r"U\+20BB7 2件") as caught:
        composed(vault, a_notice(1, address="𠮷野町𠮷野"), a_notice(2))
    assert "𠮷" not in str(caught.value)
    assert not vault.has(PRINT_FILE)


def test_quantities_and_total_are_counted(vault: CycleVault) -> None:
    sharing = {"recipient_id": "9", "share_envelope": True}
    record = composed(
        vault, *(a_notice(n) for n in range(1, 11)), a_notice(11, **sharing), a_notice(12, **sharing)
    )
    assert record.quantities.model_dump() == {"persons": 12, "notices": 12, "envelopes": 11, "sheets": 12}
    assert record.ordinary_total.yen == 12 * 72_600
    with vault.reading(TOTALS) as totals:
        assert json.load(totals) == {"ordinary_total_yen": 12 * 72_600}


def test_a_small_cycles_record_tells_no_amount(vault: CycleVault) -> None:
    record = composed(vault, a_notice(1), a_notice(2))
    assert record.ordinary_total.yen is None
    assert "145200" not in record.model_dump_json()


def test_the_dispatch_index_traces_a_letter_and_holds_no_name(vault: CycleVault) -> None:
    composed(vault, a_notice(2), a_notice(1))
    with vault.reading(DISPATCH_INDEX) as source:
        index = ipc.open_stream(source).read_all()
    assert index.to_pylist() == [
        {"notice_no": f"{n:011d}", "insured_no": f"{n:010d}", "envelope_no": n} for n in (1, 2)
    ]


def test_the_record_names_the_print_files_bytes(vault: CycleVault) -> None:
    record = composed(vault, a_notice(1))
    assert record.print_file.size_bytes == len(printed(vault))
    assert record.print_file == composed(vault, a_notice(1)).print_file


@pytest.mark.parametrize(
    "changes",
    [{"rows": 3}, {"ordinary_total": AmountTotal.of(1, persons=2, key=SMALL_TOTAL_KEY)}],
    ids=["rows", "total"],
)
def test_another_count_or_total_than_the_extraction_is_refused(
    vault: CycleVault, changes: dict[str, Any]
) -> None:
    with pytest.raises(Altered, match="件数または合計額"):
        composed(vault, a_notice(1), a_notice(2), **changes)
    assert not vault.has(PRINT_FILE)


def test_rows_that_were_not_validated_are_refused(vault: CycleVault) -> None:
    extraction = staged(vault, a_notice(1))
    validation = ValidationRecord(
        staging_sha256=a_digest("others"), rules=(), persons_by_stage={}, persons_by_method={}
    )
    with pytest.raises(Altered, match="検証したデータと抽出データが異なります"):
        compose(
            extraction,
            validation,
            the_configuration(),
            vault,
            cycle=CYCLE,
            synthetic=True,
            small_total_key=SMALL_TOTAL_KEY,
        )


def test_staging_exchanged_after_the_validation_is_refused(vault: CycleVault) -> None:
    extraction = staged(vault, a_notice(1))
    staged(vault, a_notice(1, annual_yen=1))
    validation = ValidationRecord(
        staging_sha256=extraction.staging.sha256, rules=(), persons_by_stage={}, persons_by_method={}
    )
    with pytest.raises(Altered, match="抽出の記録と一致しません"):
        compose(
            extraction,
            validation,
            the_configuration(),
            vault,
            cycle=CYCLE,
            synthetic=True,
            small_total_key=SMALL_TOTAL_KEY,
        )
