"""Extraction from a real PostgreSQL holding an invented ward of 500: all rows, only whitelisted columns, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pyarrow import ipc
from tests.builders import SMALL_TOTAL_KEY, a_cycle, the_configuration
from tests.conftest import as_extractor

from notice_cycle.catalogue import Notice, SqlSource
from notice_cycle.composition.differences import refuse_late_entries
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.extraction.extract import extract
from notice_cycle.extraction.source import Batch
from notice_cycle.extraction.sql_source import differences, reading
from notice_cycle.records import CompositionRecord, ExtractionRecord, HandoverApprovalRecord
from notice_cycle.values import sha256
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import STAGED
from synthetic_ward import CANARY, Ward, annual_batch, supplementary_batch

ANNUAL = annual_batch(2026)
NOTICE = the_configuration().notice
OURS = f"batch_no = '{ANNUAL}' AND notice = '{NOTICE.id}'"


def a_notice(**changes: Any) -> Notice:
    return NOTICE.model_copy(update=changes)


def extracted(
    dsn: str, vault: CycleVault, *, batch: str = ANNUAL, notice: Notice = NOTICE
) -> ExtractionRecord:
    source = notice.source
    assert isinstance(source, SqlSource)
    with reading(as_extractor(dsn), source, notice, Batch.parse(batch)) as (control, rows):
        return extract(control, rows, notice, vault, small_total_key=SMALL_TOTAL_KEY)


def staged(vault: CycleVault) -> Any:
    with vault.reading(STAGED) as source:
        return ipc.open_stream(source).read_all()


@contextmanager
def core_data_changed(dsn: str, *statements: str) -> Iterator[None]:
    """Other data in the core system until the block ends."""
    kept = ("control_total", "control_amount", "collection")
    keep = [f"DROP TABLE IF EXISTS kaigo.kept_{table}" for table in kept]
    keep += [f"CREATE TABLE kaigo.kept_{table} AS TABLE kaigo.{table}" for table in kept]
    with psycopg.connect(dsn) as connection:
        for statement in (*keep, *statements):
            connection.execute(statement.encode())
    try:
        yield
    finally:
        with psycopg.connect(dsn) as connection:
            for table in kept:
                connection.execute(f"TRUNCATE kaigo.{table}".encode())
                connection.execute(f"INSERT INTO kaigo.{table} TABLE kaigo.kept_{table}".encode())


@pytest.mark.parametrize("batch", [ANNUAL, supplementary_batch(2026)])
def test_every_notice_of_the_batch_is_staged_and_counted(
    core_system: str, small_ward: Ward, vault: CycleVault, batch: str
) -> None:
    notices = small_ward.notice("premium_notice_ordinary", batch)
    record = extracted(core_system, vault, batch=batch)
    table = staged(vault)
    assert (record.rows, record.persons, table.num_rows) == (len(notices["notice_no"]),) * 3
    assert table["notice_no"].to_pylist() == notices["notice_no"].tolist()
    for item in ("annual_yen", "ordinary_total_yen"):
        assert record.totals[item].equals(int(notices[item].sum()), key=SMALL_TOTAL_KEY)


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
        (f"UPDATE kaigo.control_total SET persons = persons + 1 WHERE {OURS}", "人数"),
        (
            f"UPDATE kaigo.control_amount SET total_yen = total_yen - 100 WHERE {OURS} AND item = 'annual_yen'",
            "決定年額の合計",
        ),
        (
            f"UPDATE kaigo.control_amount SET total_yen = total_yen + 1 WHERE {OURS} AND item = 'ordinary_total_yen'",
            "普通徴収額の合計",
        ),
        (f"DELETE FROM kaigo.control_amount WHERE {OURS} AND item = 'annual_yen'", "決定年額の合計"),
        (
            f"DELETE FROM kaigo.collection WHERE notice_no = '{CANARY.notice_no}'",
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
        f"INSERT INTO kaigo.control_total SELECT 'empty', notice, as_of, 0 FROM kaigo.control_total WHERE {OURS}",
        "INSERT INTO kaigo.control_amount SELECT 'empty', notice, item, 0 FROM kaigo.control_amount"
        f" WHERE {OURS}",
    )
    with core_data_changed(core_system, *empty):
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


@pytest.mark.parametrize("schema", ["kaigo", "unknown"])
def test_a_schema_that_may_not_be_read_is_told(core_system: str, vault: CycleVault, schema: str) -> None:
    source = SqlSource(kind="sql", connection="core_system", schema_name=schema)
    with pytest.raises(Refused, match=f"{schema}.control_total を読み取れません"):
        extracted(core_system, vault, notice=a_notice(source=source))


def test_the_differential_list_is_read_as_it_stands(core_system: str, small_ward: Ward) -> None:
    assert isinstance(NOTICE.source, SqlSource)
    listed = differences(as_extractor(core_system), NOTICE.source, NOTICE, Batch.parse(ANNUAL))
    assert set(listed["reason"].to_pylist()) == {"death", "moved_out", "recipient_changed"}
    due = set(small_ward.notice(NOTICE.id, ANNUAL)["notice_no"].tolist())
    assert set(listed["notice_no"].to_pylist()) <= due
    composed, approved = a_cycle()[CompositionRecord], a_cycle()[HandoverApprovalRecord]
    later = approved.model_copy(update={"approved_at": max(listed["noted_at"].to_pylist())})
    for known, stops in ((listed.num_rows, False), (listed.num_rows - 1, True)):
        with pytest.raises(Refused, match="1件が加わっています") if stops else nullcontext():
            refuse_late_entries(listed, composed.model_copy(update={"differences_read": known}), later)


def test_a_database_that_is_down_is_cannot_look(tmp_path: Path, vault: CycleVault) -> None:
    with pytest.raises(CannotLook, match="基幹系のデータベースに接続できません") as caught:
        extracted(make_conninfo(host=str(tmp_path), dbname="x"), vault)
    assert "稼働時間" in caught.value.advice


def test_extracting_twice_gives_the_same_record(core_system: str, vault: CycleVault) -> None:
    assert extracted(core_system, vault) == extracted(core_system, vault)


def test_a_small_batch_tells_no_amount(core_system: str, vault: CycleVault) -> None:
    mine = f"notice_no = '{CANARY.notice_no}'"
    one = (
        f"DELETE FROM kaigo.collection WHERE notice_no <> '{CANARY.notice_no}'",
        f"UPDATE kaigo.control_total SET persons = 1 WHERE {OURS}",
        "UPDATE kaigo.control_amount SET total_yen = (SELECT annual_yen FROM kaigo.assessment"
        f" WHERE {mine}) WHERE {OURS} AND item = 'annual_yen'",
        "UPDATE kaigo.control_amount SET total_yen = (SELECT ordinary_total_yen FROM kaigo.collection"
        f" WHERE {mine}) WHERE {OURS} AND item = 'ordinary_total_yen'",
    )
    with core_data_changed(core_system, *one):
        record = extracted(core_system, vault)
    assert record.rows == 1
    assert {total.yen for total in record.totals.values()} == {None}
    assert "152400" not in record.model_dump_json()
    assert record.totals["annual_yen"].equals(152_400, key=SMALL_TOTAL_KEY)
