"""Staging a notice's rows in the vault, encrypted, and proving that all of them came.

Counts and amounts are added up while the rows stream by and compared with the core system's control
totals; a difference leaves no artefact behind. Refuses rows with a column missing or surplus.
"""

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from notice_cycle.catalogue import Notice
from notice_cycle.errors import Refused
from notice_cycle.extraction.leftovers import without_leftovers
from notice_cycle.extraction.source import ControlTotals
from notice_cycle.records import AmountTotal, ExtractionRecord
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import CIRCUMSTANCES, STAGED

_COMPRESSION = ipc.IpcWriteOptions(compression="lz4")  # zstd took as long as reading the rows


def extract(
    control: ControlTotals,
    rows: pa.RecordBatchReader,
    notice: Notice,
    vault: CycleVault,
    *,
    small_total_key: bytes,
) -> ExtractionRecord:
    """Reads an opened source into the vault as `extracted.arrow` (Arrow IPC stream). Raises Refused on any difference."""
    if tuple(rows.schema.names) != notice.items:
        raise Refused(
            "抽出した列が登録した項目と一致しません。", advice="カタログの items を確認してください。"
        )
    with vault.writing(STAGED) as artefact:
        tally = _Tally(notice)
        with ipc.new_stream(artefact.buffer, rows.schema, options=_COMPRESSION) as stream:
            for rows_read in rows:
                tally.add(rows_read)
                stream.write_batch(without_leftovers(rows_read))
        tally.compare(control)
    with vault.writing(CIRCUMSTANCES) as circumstances:
        circumstances.buffer.write(control.model_dump_json().encode())
    return ExtractionRecord(
        as_of=control.as_of,
        rows=tally.rows,
        persons=control.persons,
        columns=notice.items,
        totals={
            item: AmountTotal.of(yen, persons=tally.rows, key=small_total_key)
            for item, yen in tally.amounts.items()
        },
        staging=artefact.stored,
        circumstances=circumstances.stored,
    )


class _Tally:
    """Rows, and amounts in yen by item."""

    def __init__(self, notice: Notice) -> None:
        self.rows = 0
        self.amounts = {total.item: 0 for total in notice.totals}
        self._labels = {total.item: total.label_ja for total in notice.totals}

    def add(self, rows: pa.RecordBatch) -> None:
        self.rows += rows.num_rows
        for item in self.amounts:
            self.amounts[item] += pc.sum(rows[item]).as_py() or 0

    def compare(self, control: ControlTotals) -> None:
        different = ["人数"] * (self.rows != control.persons)
        different += [
            f"{self._labels[i]}の合計" for i, yen in self.amounts.items() if control.amounts.get(i) != yen
        ]
        if different:
            # The amounts themselves stay out: a small cycle's total would tell about a person.
            raise Refused(
                f"抽出した{'・'.join(different)}が基幹系の統制票と一致しません"
                f"（抽出 {self.rows:,}人、統制票 {control.persons:,}人）。",
                advice="基幹系の担当者に連絡し、処理が完了しているか確認してから、抽出を再実行してください。",
            )
