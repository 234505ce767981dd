"""Composing the print file: envelopes, postal order and lots, slips, and one record a notice as the layout says.

Reads the staged rows the validation judged and the differential list, writes print file, dispatch index and the
ambiguous cases of bundling into the vault, and proves on the way that nobody was lost, doubled or added: rows and
totals are equal as extracted, as kept and as printed. Nothing is written while a character cannot be printed.
"""

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from notice_cycle.catalogue import Configuration
from notice_cycle.composition import windows31j
from notice_cycle.composition.characters import Repertoire
from notice_cycle.composition.columns import widths
from notice_cycle.composition.differences import Differences
from notice_cycle.composition.envelopes import ADDRESSEE, Bundles, Rows, bundled
from notice_cycle.composition.lines import Lines, as_text
from notice_cycle.composition.postal import CLASSES, Dispatch, into_lots, postal_districts
from notice_cycle.composition.rules import RECORD_KIND
from notice_cycle.composition.slips import SlipColumns
from notice_cycle.composition.staged import CUSTOMER_BARCODE, Columns, StagedRows, addressees, consent
from notice_cycle.errors import Altered
from notice_cycle.exchange.package import marking
from notice_cycle.exchange.print_file import DATA_KIND
from notice_cycle.records import (
    AmountTotal,
    CompositionRecord,
    ExtractionRecord,
    Quantities,
    ValidationRecord,
)
from notice_cycle.values import Item, StoredFile
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import AMBIGUOUS, DISPATCH_INDEX, PRINT_FILES, TOTALS

_ROWS_AT_A_TIME = 20_000


def compose(
    extraction: ExtractionRecord,
    validation: ValidationRecord,
    configuration: Configuration,
    vault: CycleVault,
    *,
    cycle: str,
    synthetic: bool,
    small_total_key: bytes,
    differences: pa.Table | dict[str, Any] | None = None,
) -> CompositionRecord:
    """Writes print file and dispatch index. Raises Altered when counts or totals differ from the extraction."""
    if validation.staging_sha256 != extraction.staging.sha256:
        raise Altered("検証したデータと抽出データが異なります。", advice="検証からやり直してください。")
    notice, layout = configuration.notice, configuration.layout
    changes = Differences(differences)
    repertoire = Repertoire(layout.charset, configuration.gaiji)
    printer = _Printer(configuration, cycle=cycle, synthetic=synthetic)
    staged = StagedRows(
        tuple(total.item for total in notice.totals), printed=printer.printed, needed=printer.needed
    )
    staged.gather(extraction, vault, changes, repertoire, quoted=layout.format == "csv")
    _refuse_another_extraction(staged, extraction, small_total_key)
    plan = _planned(staged.columns, configuration)
    kept, excluded = _totals(staged.columns, staged.totals), changes.excluded.total()
    _refuse_lost_or_doubled(plan, staged.rows - excluded)
    count, totals = printer.print_all(staged.columns, plan, vault)
    if count != staged.rows - excluded or totals != kept:
        vault.wipe([PRINT_FILES[layout.format], DISPATCH_INDEX])
        raise _altered()
    _keep(vault, TOTALS, totals)
    _keep(vault, AMBIGUOUS, [_texts(staged.columns["notice_no"], rows) for rows in plan.bundles.ambiguous])
    # Beside the extraction's total, this one tells the amount of those left out: of a few it is not told.
    behind = min(count, excluded) if excluded else count
    return CompositionRecord(
        quantities=Quantities(
            persons=pc.count_distinct(staged.columns[notice.subject]).as_py(),
            notices=count,
            envelopes=len(plan.bundles.leaders),
            sheets=count,
        ),
        totals={
            item: AmountTotal.of(yen, persons=behind, key=small_total_key) for item, yen in totals.items()
        },
        layout=layout.id,
        charset=layout.charset,
        print_file=printer.print_file,
        variants=_variants(staged.columns, configuration),
        lots=plan.dispatch.lots(),
        excluded=dict(changes.excluded),
        corrected=changes.corrected,
        unknown_differences=changes.unknown,
        differences_read=changes.read,
        ambiguous=len(plan.bundles.ambiguous),
        replaced_characters=dict(repertoire.replaced),
        without_customer_barcode=_without_customer_barcode(staged.columns, plan.bundles),
    )


@dataclass(frozen=True)
class _Plan:
    """Which row is printed when: `rows` in print order, and of each its envelope's place, sheet number and sheets."""

    bundles: Bundles
    dispatch: Dispatch
    rows: Rows
    envelope: Rows
    sheet_no: Rows
    sheets: Rows


def _planned(columns: Columns, configuration: Configuration) -> _Plan:
    bundles = bundled(addressees(columns), columns.get("recipient_id"), consent(columns))
    leaders = pa.array(bundles.leaders)
    ties = {item: columns[item].take(leaders) for item in ("address", "address_detail", "notice_no")}
    dispatch = into_lots(columns["postcode"].take(leaders), ties, configuration.postal)
    place = np.empty_like(dispatch.order)
    place[dispatch.order] = np.arange(len(place), dtype=np.int32)
    of_row = place[bundles.envelope]
    rows = np.argsort(of_row, kind="stable").astype(
        np.int32
    )  # within an envelope by notice number, as the columns are
    envelope = of_row[rows]
    starts = np.flatnonzero(np.diff(envelope, prepend=-1)).astype(np.int32)
    sizes = np.diff(starts, append=np.int32(len(rows)))
    return _Plan(
        bundles=bundles,
        dispatch=dispatch,
        rows=rows,
        envelope=envelope,
        sheet_no=np.arange(len(rows), dtype=np.int32) - np.repeat(starts, sizes) + 1,
        sheets=np.repeat(sizes, sizes),
    )


class _Printer:
    """Writes rows in their planned order, some ten thousand at a time."""

    print_file: StoredFile

    def __init__(self, configuration: Configuration, *, cycle: str, synthetic: bool) -> None:
        notice, self._layout = configuration.notice, configuration.layout
        self._subject, self._postal = notice.subject, configuration.postal
        self._items = [column.item for column in self._layout.columns]
        self._totals = [total.item for total in notice.totals]
        self._constants = {"data_kind": marking(synthetic=synthetic), "cycle": cycle, RECORD_KIND: DATA_KIND}
        self.slips: SlipColumns | None = None
        if notice.slips and notice.slips.made & set(self._items):
            self.slips = SlipColumns(
                notice.slips, notice.items, due_on=configuration.due_on, fiscal_year=int(cycle[:4])
            )
        known = frozenset(notice.items)
        self.printed = frozenset(self._items) & (known | {CUSTOMER_BARCODE})
        self._taken = (
            self.printed
            | {"notice_no", "postcode", self._subject, *self._totals}
            | (self.slips.needed if self.slips else set())
        )
        self.needed = (
            self._taken
            | {*ADDRESSEE}
            | ({"recipient_id", "share_envelope"} & known)
            | ({notice.variants.item} if notice.variants else set())
        )

    def print_all(self, columns: Columns, plan: _Plan, vault: CycleVault) -> tuple[int, dict[Item, int]]:
        """Writes print file and dispatch index; gives number and totals of what was written. Raises Refused."""
        lines = Lines(self._layout)
        count, totals = 0, dict.fromkeys(self._totals, 0)
        with ExitStack() as open_files:
            target = open_files.enter_context(vault.writing(PRINT_FILES[self._layout.format]))
            traced = open_files.enter_context(vault.writing(DISPATCH_INDEX))
            index = open_files.enter_context(ipc.new_stream(traced.buffer, self._index_schema()))
            target.buffer.write(lines.head())
            for start in range(0, len(plan.rows), _ROWS_AT_A_TIME):
                rows = self._rows(columns, plan, slice(start, start + _ROWS_AT_A_TIME))
                if self.slips:
                    self.slips.refuse_slipped(rows)
                target.buffer.write(lines.body([rows[item] for item in self._items]))
                index.write_batch(self._traced(rows))
                count += len(rows["notice_no"])
                for item in totals:
                    totals[item] += pc.sum(rows[item]).as_py() or 0
            lines.refuse_too_long()
            target.buffer.write(
                lines.trailer([count, len(plan.bundles.leaders), count, *self._in_order(totals)])
            )
        self.print_file = target.stored
        return count, totals

    def _rows(self, columns: Columns, plan: _Plan, part: slice) -> Columns:
        """All columns of some rows: those kept, and those made here."""
        place, taken = plan.envelope[part], pa.array(plan.rows[part])
        rows = {item: columns[item].take(taken) for item in self._taken}
        rows |= {
            item: pa.repeat(pa.scalar(self._bytes(text)), len(place))
            for item, text in self._constants.items()
        }
        rows |= {
            "envelope_no": pa.array(place + 1),
            "sheet_no": pa.array(plan.sheet_no[part]),
            "sheets_in_envelope": pa.array(plan.sheets[part]),
            "lot_no": pa.array(plan.dispatch.lot_no[place]),
            "position_in_lot": pa.array(plan.dispatch.position_in_lot[place]),
            "postal_class": pa.array([self._bytes(one) for one in CLASSES]).take(
                pa.array(plan.dispatch.postal_class[place])
            ),
            "postal_district": postal_districts(rows["postcode"], self._postal),
        }
        return rows | (self.slips.made(rows) if self.slips else {})

    def _traced(self, rows: Columns) -> pa.RecordBatch:
        """What a wrong or lost letter is traced by until closing."""
        schema = self._index_schema()
        return pa.record_batch(
            [rows[name].cast(schema.field(name).type) for name in schema.names], schema=schema
        )

    def _index_schema(self) -> pa.Schema:
        texts = dict.fromkeys(("notice_no", self._subject), pa.string())
        numbers = dict.fromkeys(("envelope_no", "lot_no", "position_in_lot"), pa.int64())
        return pa.schema(list((texts | numbers).items()))

    def _in_order(self, totals: dict[Item, int]) -> list[int]:
        return [totals[item] for item in self._items if item in totals]

    def _bytes(self, text: str) -> bytes:
        return text.encode() if self._layout.charset == "utf-8" else windows31j.encode(text)


def _refuse_another_extraction(staged: StagedRows, extraction: ExtractionRecord, key: bytes) -> None:
    equal = all(extraction.totals[item].equals(yen, key=key) for item, yen in staged.totals.items())
    if staged.rows != extraction.rows or not equal:
        raise _altered()


def _refuse_lost_or_doubled(plan: _Plan, rows: int) -> None:
    if len(plan.rows) != rows or not (np.bincount(plan.rows, minlength=rows) == 1).all():
        raise _altered()


def _altered() -> Altered:
    return Altered(
        "印字データの件数または合計額が抽出と一致しません。", advice="情報システム課に連絡してください。"
    )


def _totals(columns: Columns, items: Iterable[Item]) -> dict[Item, int]:
    return {item: pc.sum(columns[item]).as_py() or 0 for item in items}


def _variants(columns: Columns, configuration: Configuration) -> dict[str, int]:
    """How many notices each form variant has, also those that none has."""
    if (variants := configuration.notice.variants) is None:
        return {}
    counted = Counter(dict.fromkeys(variants.values, 0))
    for found in pc.value_counts(as_text(columns[variants.item])).to_pylist():
        counted[(found["values"] or b"").decode("ascii", "replace")] += found["counts"]
    return dict(counted)


def _without_customer_barcode(columns: Columns, bundles: Bundles) -> int:
    """Envelopes whose address has no customer barcode; 0 where the layout prints none."""
    if CUSTOMER_BARCODE not in columns:
        return 0
    barcodes = columns[CUSTOMER_BARCODE].take(pa.array(bundles.leaders))
    return int((widths(pc.fill_null(barcodes, b"")) == 0).sum())


def _texts(column: pa.Array, rows: Rows) -> list[str]:
    return [text.decode("ascii") for text in column.take(pa.array(rows)).to_pylist()]


def _keep(vault: CycleVault, name: str, content: Any) -> None:
    with vault.writing(name) as artefact:
        artefact.buffer.write(json.dumps(content).encode())
