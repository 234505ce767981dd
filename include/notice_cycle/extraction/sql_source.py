"""Streaming a notice's rows out of the core system's database as Arrow batches, in constant memory.

Rows and control totals are read in one snapshot. Only whitelisted columns are ever named in the query; a
column that the core system does not offer is an error, not a gap.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import dbapi

from notice_cycle.catalogue import Notice
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.values import Frozen

_BATCH = re.compile(r"[0-9A-Za-z-]{1,40}")
_BATCH_BYTES = "4194304"


class ControlTotals(Frozen):
    """What the core system says it holds for a batch: persons, and totals in yen."""

    as_of: datetime
    persons: int
    annual_total_yen: int
    instalment_total_yen: int


class Batch(Frozen):
    """A batch number of the core system (異動バッチ), checked."""

    number: str

    @classmethod
    def parse(cls, text: str) -> "Batch":
        """Raises Refused for anything but digits, letters and hyphens."""
        if not _BATCH.fullmatch(text):
            raise Refused(
                "異動バッチ番号は半角英数字とハイフンだけで入力してください。",
                advice="基幹系の処理票の番号を確認してください。",
            )
        return cls(number=text)


@contextmanager
def reading(dsn: str, notice: Notice, batch: Batch) -> Iterator[tuple[ControlTotals, pa.RecordBatchReader]]:
    """Opens one snapshot: the control totals and the rows. Raises CannotLook or Refused."""
    try:
        connection = dbapi.connect(dsn)
    except AdbcError as unreachable:
        raise CannotLook(
            "基幹系のデータベースに接続できません。", advice="基幹系の稼働時間と接続設定を確認してください。"
        ) from unreachable
    with connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        totals = _control_totals(cursor, notice, batch)
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": _BATCH_BYTES})
        try:
            cursor.execute(
                f"SELECT {', '.join(notice.items)} FROM {notice.source.relation}"  # noqa: S608 - names from the checked catalogue
                f" WHERE batch_no = '{batch.number}' ORDER BY notice_no"
            )
            rows = cursor.fetch_record_batch()
        except AdbcError as refused:
            raise Refused(
                f"基幹系の {notice.source.relation} から、登録した項目を読み取れません。",
                advice="カタログの items と基幹系の抽出ビューの列を照合してください。",
            ) from refused
        yield totals, rows


def _control_totals(cursor: Any, notice: Notice, batch: Batch) -> ControlTotals:
    try:
        cursor.execute(
            "SELECT as_of, persons, annual_total_yen, instalment_total_yen"  # noqa: S608 - as above
            f" FROM {notice.source.control} WHERE batch_no = '{batch.number}' AND notice = '{notice.id}'"
        )
        found = cursor.fetchall()
    except AdbcError as refused:
        raise Refused(
            f"基幹系の {notice.source.control} から、統制票を読み取れません。",
            advice="カタログの source.control と、基幹系の抽出用の権限を照合してください。",
        ) from refused
    if len(found) != 1:
        raise Refused(
            f"基幹系に異動バッチ {batch.number} の統制票（件数・金額）が{'ありません' if not found else '複数あります'}。",
            advice="異動バッチ番号を確認し、基幹系の処理が終わってから実行してください。",
        )
    as_of, persons, annual, instalments = found[0]
    return ControlTotals(
        as_of=as_of, persons=persons, annual_total_yen=int(annual), instalment_total_yen=int(instalments)
    )
