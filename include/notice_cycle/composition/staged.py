"""The staged rows, brought together in the order of their notice numbers, as little memory as printing them needs.

The rows stream by some ten thousands at a time: counted and added up as they were extracted, changed by the
differential list, judged character by character. Only the columns that are printed or decide the order are kept,
texts in the print file's own bytes. Refuses rows that are not the extracted ones.
"""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from notice_cycle.composition.characters import Repertoire
from notice_cycle.composition.columns import Growing, notice_digits, whole_numbers
from notice_cycle.composition.customer_barcode import customer_barcodes
from notice_cycle.composition.differences import Differences
from notice_cycle.composition.envelopes import ADDRESSEE, SURNAME, surnames
from notice_cycle.errors import Altered, Conflict, Refused
from notice_cycle.records import ExtractionRecord
from notice_cycle.values import Item
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import STAGED

_ROWS_AT_A_TIME = 20_000

CUSTOMER_BARCODE = "customer_barcode"

Columns = dict[Item, pa.Array]


class StagedRows:
    """Rows as they were extracted (`rows`, `totals`), and what is kept of them in `columns`."""

    def __init__(
        self, totals: tuple[Item, ...], *, printed: frozenset[Item], needed: frozenset[Item]
    ) -> None:
        """`printed`: the items whose texts are judged and encoded. `needed`: all that are kept."""
        self.rows = 0
        self.totals = dict.fromkeys(totals, 0)
        self.columns: Columns = {}
        self._printed, self._needed = printed, needed

    def gather(
        self,
        extraction: ExtractionRecord,
        vault: CycleVault,
        differences: Differences,
        repertoire: Repertoire,
        *,
        quoted: bool,
    ) -> None:
        """Reads the staged artefact. Raises Altered when it is another than the record names, Conflict on doubles."""
        growing: dict[Item, Growing] = {}
        for batch in _batches(extraction, vault):
            self.rows += batch.num_rows
            for item in self.totals:
                self.totals[item] += pc.sum(batch[item]).as_py() or 0
            for item, column in self._kept(differences.applied(batch), repertoire, quoted=quoted).items():
                growing.setdefault(item, Growing(column.type)).add(column)
        repertoire.refuse_unprintable()
        while growing:
            item, grown = growing.popitem()
            self.columns[item] = grown.column()
        self._in_order_of_notices()

    def _kept(self, rows: pa.RecordBatch, repertoire: Repertoire, *, quoted: bool) -> Columns:
        source = dict(zip(rows.schema.names, rows.columns, strict=True))
        kept: Columns = {}
        if "share_envelope" in source:
            kept[SURNAME] = surnames(source["recipient_name"], source["share_envelope"]).cast(pa.binary())
        if CUSTOMER_BARCODE in self._printed:
            kept[CUSTOMER_BARCODE] = _customer_barcodes(source)
        for item in self._needed & source.keys():
            column = source[item]
            if not pa.types.is_string(column.type):
                kept[item] = column
            elif item in self._printed:
                kept[item] = repertoire.encoded(column, quoted=quoted)
            else:
                kept[item] = column.cast(pa.binary())
        return kept

    def _in_order_of_notices(self) -> None:
        numbers = whole_numbers(notice_digits(self.columns["notice_no"]))
        steps = np.diff(numbers)
        if (steps > 0).all():
            return
        order = np.argsort(numbers, kind="stable")
        if doubles := int((np.diff(numbers[order]) == 0).sum()):
            raise Conflict(
                f"同じ通知書番号が二度あります（{doubles}件）。",
                advice="基幹系の通知書番号を担当課で確認し、直してから抽出をやり直してください。",
            )
        for item in self.columns:
            self.columns[item] = self.columns[item].take(pa.array(order))


def consent(columns: Columns) -> npt.NDArray[np.bool_]:
    """Where the section lets a notice share an envelope; nowhere for a notice without that item."""
    if "share_envelope" not in columns:
        return np.zeros(len(columns["notice_no"]), dtype=bool)
    return np.asarray(pc.fill_null(columns["share_envelope"], False))


def addressees(columns: Columns) -> Columns:
    """The columns that bundling compares."""
    return {item: columns[item] for item in (*ADDRESSEE, SURNAME) if item in columns}


class _Digesting:
    """A file that is read once, and digested on the way."""

    closed = False

    def __init__(self, source: BinaryIO) -> None:
        self._source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._source.read(size)
        self.digest.update(block)
        return block


def _batches(extraction: ExtractionRecord, vault: CycleVault) -> Iterator[pa.RecordBatch]:
    with vault.reading(STAGED) as source:
        digesting = _Digesting(source)
        with ipc.open_stream(pa.PythonFile(digesting, mode="r")) as stream:
            pending: list[pa.RecordBatch] = []
            for batch in stream:
                pending.append(batch)
                if sum(part.num_rows for part in pending) >= _ROWS_AT_A_TIME:
                    yield pa.concat_batches(pending)
                    pending = []
            yield pa.concat_batches(pending or [pa.RecordBatch.from_pylist([], stream.schema)])
        while digesting.read(_ROWS_AT_A_TIME):
            pass
    if digesting.digest.hexdigest() != extraction.staging.sha256:
        raise Altered(
            "抽出データが、抽出の記録と一致しません。",
            advice="抽出をやり直してください（やり直しの記録が要ります）。",
        )


def _customer_barcodes(source: Columns) -> pa.Array:
    try:
        return customer_barcodes(source["postcode"], source["address"], source["address_detail"]).cast(
            pa.binary()
        )
    except Refused:  # odd postcodes are counted over the whole file when the lots are made
        return pa.nulls(len(source["postcode"]), pa.binary())
