"""Streaming a notice's rows out of the core system's database as Arrow batches, in constant memory.

Rows, control totals and the differential list are read from one schema of views, rows and totals in one
snapshot. Only whitelisted columns are ever named in a query; a column that the core system does not offer is
an error, not a gap.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import dbapi

from notice_cycle.catalogue import Notice, SqlSource
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.extraction.source import Batch, ControlTotals

DIFFERENCE_COLUMNS = (
    *("notice_no", "reason", "noted_at", "recipient_kind", "postcode", "address", "address_detail"),
    *("recipient_name", "recipient_suffix"),
)
_BATCH_BYTES = "4194304"


@contextmanager
def reading(
    dsn: str, source: SqlSource, notice: Notice, batch: Batch
) -> Iterator[tuple[ControlTotals, pa.RecordBatchReader]]:
    """Opens one snapshot: the control totals and the rows. Raises CannotLook or Refused."""
    with _snapshot(dsn) as cursor:
        totals = _control_totals(cursor, source, notice, batch)
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": _BATCH_BYTES})
        relation = f"{source.schema_name}.{notice.id}"
        try:
            cursor.execute(
                f"SELECT {', '.join(notice.items)} FROM {relation}"  # noqa: S608 - names from the checked catalogue
                f" WHERE batch_no = '{batch.number}' ORDER BY notice_no"
            )
            rows = cursor.fetch_record_batch()
        except AdbcError as refused:
            raise Refused(
                f"基幹系の {relation} から、登録した項目を読み取れません。",
                advice="カタログの items と基幹系の抽出ビューの列を照合してください。",
            ) from refused
        yield totals, rows


def differences(dsn: str, source: SqlSource, notice: Notice, batch: Batch) -> pa.Table:
    """The differential list as it stands now: who died, moved out or is to be written to elsewhere."""
    with _snapshot(dsn) as cursor:
        relation = f"{source.schema_name}.difference"
        return cast(
            pa.Table,
            _asked(
                cursor,
                relation,
                f"SELECT {', '.join(DIFFERENCE_COLUMNS)} FROM {relation} WHERE {_of(notice, batch)}"  # noqa: S608 - as above
                " ORDER BY notice_no, noted_at",
                cursor.fetch_arrow_table,
            ),
        )


@contextmanager
def _snapshot(dsn: str) -> Iterator[Any]:
    try:
        connection = dbapi.connect(dsn)
    except AdbcError as unreachable:
        raise CannotLook(
            "基幹系のデータベースに接続できません。", advice="基幹系の稼働時間と接続設定を確認してください。"
        ) from unreachable
    with connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield cursor


def _control_totals(cursor: Any, source: SqlSource, notice: Notice, batch: Batch) -> ControlTotals:
    def rows(relation: str, columns: str, where: str) -> list[tuple[Any, ...]]:
        relation = f"{source.schema_name}.{relation}"
        found = _asked(cursor, relation, f"SELECT {columns} FROM {relation} WHERE {where}", cursor.fetchall)  # noqa: S608 - as above
        return cast(list[tuple[Any, ...]], found)

    found = rows("control_total", "as_of, persons", _of(notice, batch))
    if len(found) != 1:
        raise Refused(
            f"基幹系に異動バッチ {batch.number} の統制票（件数・金額）が{'ありません' if not found else '複数あります'}。",
            advice="異動バッチ番号を確認し、基幹系の処理が終わってから実行してください。",
        )
    last_year: dict[str, dict[str, int]] = {}
    years = set()
    this = f"notice = '{notice.id}'"
    newest = f"{this} AND fiscal_year = (SELECT max(fiscal_year) FROM {source.schema_name}.last_year_count WHERE {this})"  # noqa: S608 - as above
    for year, item, value, persons in rows("last_year_count", "fiscal_year, item, value, persons", newest):
        years.add(int(year))
        last_year.setdefault(item, {})[value] = int(persons)
    return ControlTotals(
        as_of=found[0][0],
        persons=found[0][1],
        amounts={
            item: int(yen) for item, yen in rows("control_amount", "item, total_yen", _of(notice, batch))
        },
        population={
            category: int(persons)
            for category, persons in rows("population", "category, persons", _of(notice, batch))
        },
        last_year=last_year,
        last_year_of=max(years, default=None),
    )


def _asked(cursor: Any, relation: str, query: str, fetch: Any) -> Any:
    try:
        cursor.execute(query)
        return fetch()
    except AdbcError as refused:
        raise Refused(
            f"基幹系の {relation} を読み取れません。",
            advice="カタログの source と、基幹系の抽出用のビューと権限を照合してください。",
        ) from refused


def _of(notice: Notice, batch: Batch) -> str:
    return f"batch_no = '{batch.number}' AND notice = '{notice.id}'"
