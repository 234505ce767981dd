"""Loading a built ward into PostgreSQL as its core system.

`load_ward` recreates the schemas in one transaction and refuses when they belong to anybody else.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql
from pyarrow import csv

from synthetic_ward.ward import Column, Columns, Ward

TABLES_SQL = Path(__file__).with_name("core_system.sql")
KEYS_SQL = Path(__file__).with_name("core_system_keys.sql")
NULL_WHEN_EMPTY = {
    "insured_person": {"recipient_id", "excluded_reason"},
    "difference": {
        *("recipient_kind", "postcode", "address", "address_detail", "recipient_name", "recipient_suffix")
    },
}
_BLOCK_ROWS = 20_000
_FORMAT = csv.WriteOptions(include_header=False)  # quotes every text, so that only NULL is an empty field


class NotTheSyntheticWard(RuntimeError):
    """The database holds a schema `kaigo` or `export` this package did not create."""


def load_ward(ward: Ward, dsn: str) -> None:
    """Create the schemas afresh and COPY the ward in, or leave all as it was; see NotTheSyntheticWard."""
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(nspname, ', ') FROM pg_namespace WHERE nspname IN ('kaigo', 'export') "
            "AND coalesce(obj_description(oid, 'pg_namespace'), '') NOT LIKE 'synthetic_ward:%'"
        )
        foreign = cursor.fetchone()
        if foreign and foreign[0]:
            raise NotTheSyntheticWard(
                f"スキーマ {foreign[0]} は架空の区のものではありません → 接続先を確かめてください"
            )
        cursor.execute(TABLES_SQL.read_bytes())
        for name, columns in ward.core.items():
            target = sql.SQL("COPY kaigo.{} ({}) FROM STDIN (FORMAT csv)").format(
                sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with cursor.copy(target) as copy:
                for block in _copy_csv(columns, NULL_WHEN_EMPTY.get(name, set())):
                    copy.write(block)
        cursor.execute(KEYS_SQL.read_bytes())
        for name in ward.core:
            cursor.execute(sql.SQL("ANALYZE kaigo.{}").format(sql.Identifier(name)))


def _copy_csv(columns: Columns, null_when_empty: set[str]) -> Iterator[bytes]:
    rows = len(next(iter(columns.values())))
    for start in range(0, rows, _BLOCK_ROWS):
        block = pa.table(
            {
                name: _values(column[start : start + _BLOCK_ROWS], null_when_empty=name in null_when_empty)
                for name, column in columns.items()
            }
        )
        written = io.BytesIO()
        csv.write_csv(block, written, _FORMAT)
        yield written.getvalue()


def _values(column: Column, *, null_when_empty: bool) -> pa.Array:
    values = pa.array(column)
    return pc.if_else(pc.equal(values, ""), None, values) if null_when_empty else values
