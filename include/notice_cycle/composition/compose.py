"""Composing the print file: one row a notice in envelope order, as the layout says, in Windows-31J with CRLF.

Reads the staged rows the validation judged, writes `print.csv` and the dispatch index into the vault, and
checks that nobody was lost or doubled on the way. A character that cannot be printed stops it.
"""

import csv
import io
import json
from typing import Any, cast

import pandas as pd
import pyarrow as pa
from pyarrow import ipc

from notice_cycle.catalogue import Configuration, Layout
from notice_cycle.composition import windows31j
from notice_cycle.composition.envelopes import in_envelopes
from notice_cycle.errors import Altered
from notice_cycle.exchange.package import marking
from notice_cycle.records import (
    AmountTotal,
    CompositionRecord,
    ExtractionRecord,
    Quantities,
    ValidationRecord,
)
from notice_cycle.validation.validate import read_staged
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import DISPATCH_INDEX, PRINT_FILE, TOTALS

_ROWS_AT_A_TIME = 5_000


def compose(
    extraction: ExtractionRecord,
    validation: ValidationRecord,
    configuration: Configuration,
    vault: CycleVault,
    *,
    cycle: str,
    synthetic: bool,
    small_total_key: bytes,
) -> CompositionRecord:
    """Writes print file and dispatch index. Raises Altered when counts or totals differ from the extraction."""
    if validation.staging_sha256 != extraction.staging.sha256:
        raise Altered("検証したデータと抽出データが異なります。", advice="検証からやり直してください。")
    rows = in_envelopes(read_staged(extraction, vault))
    total_yen = int(rows["ordinary_total_yen"].sum())
    if len(rows) != extraction.rows or not extraction.ordinary_total.equals(total_yen, key=small_total_key):
        raise Altered(
            "印字データの件数または合計額が抽出と一致しません。", advice="情報システム課に連絡してください。"
        )
    mark = marking(synthetic=synthetic)
    print_rows = rows.assign(data_kind=mark, cycle=cycle)
    with vault.writing(PRINT_FILE) as artefact:
        for piece in csv_pieces(print_rows, configuration.layout):
            artefact.buffer.write(windows31j.encode(piece))
    _write_index(rows, vault)
    with vault.writing(TOTALS) as totals:
        totals.buffer.write(json.dumps({"ordinary_total_yen": total_yen}).encode())
    return CompositionRecord(
        quantities=Quantities(
            persons=int(rows["insured_no"].nunique()),
            notices=len(rows),
            envelopes=int(rows["envelope_no"].max()) if len(rows) else 0,
            sheets=len(rows),
        ),
        ordinary_total=AmountTotal.of(total_yen, persons=len(rows), key=small_total_key),
        layout=configuration.layout.id,
        charset=configuration.layout.charset,
        print_file=artefact.stored,
    )


def csv_pieces(rows: pd.DataFrame, layout: Layout) -> Any:
    """The print file as text, some thousand rows at a time: every field quoted, CRLF, dates as YYYY-MM-DD."""
    headings = pd.DataFrame([[column.heading_ja for column in layout.columns]])
    items = rows[[column.item for column in layout.columns]]
    yield _csv(headings)
    for start in range(0, len(items), _ROWS_AT_A_TIME):
        yield _csv(items.iloc[start : start + _ROWS_AT_A_TIME])


def _csv(rows: pd.DataFrame) -> str:
    text = io.StringIO(newline="")
    rows.to_csv(
        text, header=False, index=False, quoting=csv.QUOTE_ALL, lineterminator="\r\n", date_format="%Y-%m-%d"
    )
    return text.getvalue()


def _write_index(rows: pd.DataFrame, vault: CycleVault) -> None:
    """notice_no, insured_no, envelope_no of every notice: what a wrong or lost letter is traced by until closing."""
    index = pa.Table.from_pandas(rows[["notice_no", "insured_no", "envelope_no"]], preserve_index=False)
    with (
        vault.writing(DISPATCH_INDEX) as artefact,
        ipc.new_stream(cast(Any, artefact.buffer), index.schema) as stream,
    ):
        stream.write_table(index)
