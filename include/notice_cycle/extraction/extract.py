"""Staging a notice's rows in the vault, encrypted, and proving that all of them came.

Counts and amounts are added up while the rows stream by and compared with the core system's control
totals; a difference leaves no artefact behind. Refuses rows with a column missing or surplus.
"""

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from notice_cycle.catalogue import Notice
from notice_cycle.errors import Refused
from notice_cycle.extraction.sql_source import Batch, ControlTotals, reading
from notice_cycle.records import AmountTotal, ExtractionRecord
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import STAGED

_COMPRESSION = ipc.IpcWriteOptions(compression="zstd")


def extract(
    dsn: str, notice: Notice, batch_no: str, vault: CycleVault, *, small_total_key: bytes
) -> ExtractionRecord:
    """Reads a batch into the vault as `extracted.arrow` (Arrow IPC stream). Raises Refused on any difference."""
    with reading(dsn, notice, Batch.parse(batch_no)) as (control, rows):
        if tuple(rows.schema.names) != notice.items:
            raise Refused(
                "抽出した列が登録した項目と一致しません。", advice="カタログの items を確認してください。"
            )
        with vault.writing(STAGED) as artefact:
            tally = _Tally()
            with ipc.new_stream(artefact.buffer, rows.schema, options=_COMPRESSION) as stream:
                for rows_read in rows:
                    tally.add(rows_read)
                    stream.write_batch(rows_read)
            tally.compare(control)
    return ExtractionRecord(
        as_of=control.as_of,
        rows=tally.rows,
        persons=control.persons,
        columns=notice.items,
        annual_total=AmountTotal.of(tally.annual, persons=tally.rows, key=small_total_key),
        ordinary_total=AmountTotal.of(tally.ordinary, persons=tally.rows, key=small_total_key),
        staging=artefact.stored,
    )


class _Tally:
    """Rows, amounts in yen."""

    def __init__(self) -> None:
        self.rows = self.annual = self.ordinary = 0

    def add(self, rows: pa.RecordBatch) -> None:
        self.rows += rows.num_rows
        self.annual += pc.sum(rows["annual_yen"]).as_py() or 0
        self.ordinary += pc.sum(rows["ordinary_total_yen"]).as_py() or 0

    def compare(self, control: ControlTotals) -> None:
        pairs = {
            "人数": (self.rows, control.persons),
            "決定年額の合計": (self.annual, control.annual_total_yen),
            "普通徴収額の合計": (self.ordinary, control.instalment_total_yen),
        }
        if different := [name for name, (read, said) in pairs.items() if read != said]:
            # The amounts themselves stay out: a small cycle's total would tell about a person.
            raise Refused(
                f"抽出した{'・'.join(different)}が基幹系の統制票と一致しません"
                f"（抽出 {self.rows:,}人、統制票 {control.persons:,}人）。",
                advice="基幹系の担当者に連絡し、処理が完了しているか確認してから、抽出を再実行してください。",
            )
