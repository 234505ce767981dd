"""Extraction from a real PostgreSQL holding an invented ward of 500: all rows, only whitelisted columns, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pyarrow import ipc
from tests.builders import SMALL_TOTAL_KEY, the_configuration
from tests.conftest import as_extractor

from notice_cycle.catalogue import Notice, Source
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.extraction.extract import extract
from notice_cycle.records import ExtractionRecord
from notice_cycle.values import sha256
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import STAGED
from synthetic_ward import CANARY, Ward, annual_batch, supplementary_batch

ANNUAL = annual_batch(2026)
NOTICE = the_configuration().notice


def a_notice(**changes: Any) -> Notice:
    return NOTICE.model_copy(update=changes)


def extracted(
    dsn: str, vault: CycleVault, *, batch: str = ANNUAL, notice: Notice = NOTICE
) -> ExtractionRecord:
    return extract(as_extractor(dsn), notice, batch, vault, small_total_key=SMALL_TOTAL_KEY)


def staged(vault: CycleVault) -> Any:
    with vault.reading(STAGED) as source:
        return ipc.open_stream(source).read_all()


@contextmanager
def core_data_changed(dsn: str, *statements: str) -> Iterator[None]:
    """Other data in the core system until the block ends."""
    undo = [
        "DROP TABLE IF EXISTS kaigo.kept_totals, kaigo.kept_assessments",
        "CREATE TABLE kaigo.kept_totals AS TABLE kaigo.control_total",
        "CREATE TABLE kaigo.kept_assessments AS TABLE kaigo.assessment",
    ]
    with psycopg.connect(dsn) as connection:
        for statement in (*undo, *statements):
            connection.execute(statement.encode())
    try:
        yield
    finally:
        with psycopg.connect(dsn) as connection:
            for table, kept in (("control_total", "kept_totals"), ("assessment", "kept_assessments")):
                connection.execute(f"TRUNCATE kaigo.{table}".encode())
                connection.execute(f"INSERT INTO kaigo.{table} TABLE kaigo.{kept}".encode())


@pytest.mark.parametrize("batch", [ANNUAL, supplementary_batch(2026)])
def test_every_notice_of_the_batch_is_staged_and_counted(
    core_system: str, small_ward: Ward, vault: CycleVault, batch: str
) -> None:
    notices = small_ward.notices(batch)
    record = extracted(core_system, vault, batch=batch)
    table = staged(vault)
    assert (record.rows, record.persons, table.num_rows) == (len(notices["notice_no"]),) * 3
    assert table["notice_no"].to_pylist() == notices["notice_no"].tolist()
    assert record.annual_total.equals(int(notices["annual_yen"].sum()), key=SMALL_TOTAL_KEY)
    assert record.ordinary_total.equals(int(notices["ordinary_total_yen"].sum()), key=SMALL_TOTAL_KEY)


def test_the_record_names_the_staged_bytes(core_system: str, vault: CycleVault) -> None:
    record = extracted(core_system, vault)
    with vault.reading(STAGED) as source:
        assert sha256(source.read()) == record.staging.sha256


def test_only_whitelisted_columns_are_read(core_system: str, vault: CycleVault) -> None:
    record = extracted(
        core_system, vault, notice=a_notice(items=("notice_no", "annual_yen", "ordinary_total_yen"))
    )
    assert staged(vault).schema.names == ["notice_no", "annual_yen", "ordinary_total_yen"]
    assert record.columns == ("notice_no", "annual_yen", "ordinary_total_yen")
    with vault.reading(STAGED) as source:
        assert CANARY.surname.encode() not in source.read()


def test_what_the_core_system_must_keep_is_not_in_the_artefact(core_system: str, vault: CycleVault) -> None:
    extracted(core_system, vault)
    table = staged(vault)
    assert set(table.schema.names) == set(NOTICE.items)
    text = str(table.to_pydict())
    assert CANARY.surname in text  # she is there …
    for never in (CANARY.individual_no, CANARY.bank_account, CANARY.medical_remark):
        assert never not in text  # … without what nobody may export


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (f"UPDATE kaigo.control_total SET persons = persons + 1 WHERE batch_no = '{ANNUAL}'", "人数"),
        (
            f"UPDATE kaigo.control_total SET annual_total_yen = annual_total_yen - 100 WHERE batch_no = '{ANNUAL}'",
            "決定年額の合計",
        ),
        (
            f"UPDATE kaigo.control_total SET instalment_total_yen = instalment_total_yen + 1 WHERE batch_no = '{ANNUAL}'",
            "普通徴収額の合計",
        ),
        (
            f"DELETE FROM kaigo.assessment WHERE notice_no = '{CANARY.notice_no}'",
            "人数・決定年額の合計・普通徴収額の合計",
        ),
    ],
)
def test_a_difference_from_the_control_totals_leaves_no_artefact(
    core_system: str, vault: CycleVault, change: str, difference: str
) -> None:
    with core_data_changed(core_system, change):
        with pytest.raises(Refused, match=f"抽出した{difference}が基幹系の統制票と一致しません") as caught:
            extracted(core_system, vault)
        assert not vault.has(STAGED)
    assert "円" not in caught.value.message
    assert "抽出を再実行" in caught.value.advice
    extracted(core_system, vault)
    assert vault.has(STAGED)


def test_a_batch_without_a_notice_equals_totals_of_nought(core_system: str, vault: CycleVault) -> None:
    empty = (
        "INSERT INTO kaigo.control_total SELECT 'empty', notice, as_of, 0, 0, 0, issued_at "
        f"FROM kaigo.control_total WHERE batch_no = '{ANNUAL}'"
    )
    with core_data_changed(core_system, empty):
        assert extracted(core_system, vault, batch="empty").rows == 0


def test_an_unknown_batch_is_refused_by_its_number(core_system: str, vault: CycleVault) -> None:
    with pytest.raises(Refused, match=r"異動バッチ 2099-annual の統制票.*ありません") as caught:
        extracted(core_system, vault, batch="2099-annual")
    assert "異動バッチ番号を確認" in caught.value.advice
    assert not vault.has(STAGED)


@pytest.mark.parametrize(
    "batch", ["", "a b", "x'; DROP TABLE kaigo.household; --", "２０２６", "a" * 41, "2026\n"]
)
def test_a_batch_number_of_other_characters_never_reaches_the_database(
    tmp_path: Path, batch: str, vault: CycleVault
) -> None:
    nowhere = make_conninfo(host=str(tmp_path), dbname="x")
    with pytest.raises(Refused, match="半角英数字とハイフンだけ"):
        extracted(nowhere, vault, batch=batch)


def test_a_column_that_the_core_system_does_not_offer_is_told(core_system: str, vault: CycleVault) -> None:
    with pytest.raises(
        Refused, match=r"export\.premium_notice_ordinary から、登録した項目を読み取れません"
    ) as caught:
        extracted(core_system, vault, notice=a_notice(items=(*NOTICE.items, "telephone")))
    assert "items" in caught.value.advice
    assert not vault.has(STAGED)


@pytest.mark.parametrize("relation", ["kaigo.insured_person", "export.unknown"])
def test_a_relation_that_may_not_be_read_is_told(core_system: str, vault: CycleVault, relation: str) -> None:
    source = Source(connection="core_system", relation=relation, control="export.control_total")
    with pytest.raises(Refused, match=f"{relation} から、登録した項目を読み取れません"):
        extracted(core_system, vault, notice=a_notice(source=source))


@pytest.mark.parametrize("control", ["kaigo.control_total", "export.unknown"])
def test_control_totals_that_may_not_be_read_are_told(
    core_system: str, vault: CycleVault, control: str
) -> None:
    source = Source(connection="core_system", relation=NOTICE.source.relation, control=control)
    with pytest.raises(Refused, match=f"{control} から、統制票を読み取れません"):
        extracted(core_system, vault, notice=a_notice(source=source))


def test_a_database_that_is_down_is_cannot_look(tmp_path: Path, vault: CycleVault) -> None:
    with pytest.raises(CannotLook, match="基幹系のデータベースに接続できません") as caught:
        extracted(make_conninfo(host=str(tmp_path), dbname="x"), vault)
    assert "稼働時間" in caught.value.advice


def test_extracting_twice_gives_the_same_record(core_system: str, vault: CycleVault) -> None:
    assert extracted(core_system, vault) == extracted(core_system, vault)


def test_a_small_batch_tells_no_amount(core_system: str, vault: CycleVault) -> None:
    one = (
        f"DELETE FROM kaigo.assessment WHERE batch_no = '{ANNUAL}' AND notice_no <> '{CANARY.notice_no}'",
        "UPDATE kaigo.control_total c SET persons = 1, annual_total_yen = a.annual_yen,"
        " instalment_total_yen = a.ordinary_total_yen FROM kaigo.assessment a"
        f" WHERE c.batch_no = '{ANNUAL}' AND a.notice_no = '{CANARY.notice_no}'",
    )
    with core_data_changed(core_system, *one):
        record = extracted(core_system, vault)
    assert (record.rows, record.annual_total.yen, record.ordinary_total.yen) == (1, None, None)
    assert "152400" not in record.model_dump_json()
    assert record.annual_total.equals(152_400, key=SMALL_TOTAL_KEY)
