"""Invented rows of any notice, staged and composed: builders that name only what matters to a test."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc
from tests.builders import CYCLE, SMALL_TOTAL_KEY

from notice_cycle.catalogue import Configuration, resolve
from notice_cycle.composition.compose import compose
from notice_cycle.composition.rules import GaijiEntry, GaijiTable, Layout, LayoutColumn
from notice_cycle.exchange.package import PrintColumn, PrintFormat
from notice_cycle.exchange.print_file import PrintFileCount, count_print_file
from notice_cycle.records import AmountTotal, CompositionRecord, ExtractionRecord, ValidationRecord
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import PRINT_FILES, STAGED

CONFIG = Path(__file__).parents[3] / "include" / "config"
MONTHS = (7, 8, 9, 10, 11, 12, 1, 2, 3)
AT = datetime(2026, 7, 1, tzinfo=UTC)

_KNOWN: dict[str, Any] = {
    "insured_name": "髙橋　花子",
    "insured_kana": "タカハシ　ハナコ",
    "birth_date": date(1950, 4, 1),
    "household_no": "5000000000",
    "recipient_kind": "self",
    "share_envelope": False,
    "support_measure": "none",
    "postcode": "9999001",
    "address": "架空区青葉町一丁目２番３号",
    "address_detail": "",
    "recipient_name": "髙橋　花子",
    "recipient_suffix": "様",
    "acquired_on": date(2015, 3, 31),
    "lost_on": None,
    "stage": 5,
    "months": 12,
    "stage_annual_yen": 72_600,
    "threshold_yen": 826_500,
    "annual_yen": 72_600,
    "before_annual_yen": 65_300,
    "change_reason": "income",
    "changed_on": date(2026, 8, 1),
    "collection_method": "ordinary",
    "payment_means": "slip",
    "ordinary_total_yen": 72_600,
    "special_total_yen": 0,
    "first_due_on": date(2026, 7, 31),
    "pension_payer": "001",
    "pension_file_yen": 0,
    "special_starts_month": 4,
    "last_february_yen": 12_000,
    "smoothed": False,
    "provisional_total_yen": 36_000,
    "levied_year": 2025,
    "instalment": 3,
    "due_on": date(2025, 9, 30),
    "payable_yen": 8_000,
    "paid_yen": 0,
    "overdue_yen": 8_000,
    "paid_checked_at": datetime(2026, 6, 30, 12, 30, tzinfo=UTC),
    "paid_since_yen": 0,
    "account_pending": False,
    "pay_by_on": date(2026, 10, 30),
    "oldest_due_on": date(2025, 9, 30),
    "overdue_count": 2,
    "overdue_total_yen": 16_000,
    "reminder_sent_on": date(2026, 1, 20),
    "instalment_agreement": False,
    "burden_ratio": 1,
    "valid_from": date(2026, 8, 1),
    "valid_until": date(2027, 7, 31),
    "certified_until": None,
    "checked_on": date(2026, 8, 3),
    "eligible_from": date(2026, 8, 3),
    "center": "架空高齢者総合相談センター",
}


def a_notice(number: int, notice: str = "premium_notice_ordinary", **changes: Any) -> dict[str, Any]:
    """One staged row with every item of the notice."""
    instalments = {f"instalment_{month:02}": 8_600 if month == 7 else 8_000 for month in MONTHS}
    row = _KNOWN | instalments | {f"special_{month:02}": 12_000 for month in (4, 6, 8, 10, 12, 2)}
    row |= {
        "notice_no": f"{number:011}",
        "payment_no": f"{number:011}",
        "insured_no": f"{number:010}",
        "recipient_id": f"{number:010}",
    }
    row |= changes
    for month in MONTHS:
        row.setdefault(
            f"slip_{month:02}", row[f"instalment_{month:02}"] if row["payment_means"] == "slip" else 0
        )
    items = configured(notice).notice.items
    return {item: row[item] for item in items} | {
        key: value for key, value in changes.items() if key in items
    }


@functools.cache
def _resolved(notice: str) -> Configuration:
    return resolve(CONFIG, notice, 2026)


def configured(notice: str = "premium_notice_ordinary", **changes: Any) -> Configuration:
    """The sample catalogue's notice for 2026, with other layout, rules …"""
    return _resolved(notice).model_copy(update=changes)


def laid_out(*items: str, **layout: Any) -> Layout:
    """A layout of these items, each under its own name as heading; `item:12` for a width in bytes."""
    split = [item.partition(":") for item in items]
    columns = tuple(
        LayoutColumn(heading_ja=name, item=name, bytes=int(width) if width else None)
        for name, _, width in split
    )
    return Layout(**{"id": "x-1", "charset": "cp932-windows", "columns": columns} | layout)


def agreed(**characters: str) -> GaijiTable:
    """A 外字 table: `agreed(U_20BB7="吉")`, or `U+E000` for a glyph of the contractor's own."""
    return GaijiTable(
        entries=tuple(
            GaijiEntry(
                characters=" ".join(f"U+{point}" for point in points.removeprefix("U_").split("_")),
                agreed_on=date(2026, 5, 20),
                agreed_by_ja="区と架空印刷",
                **{"gaiji" if printed.startswith("U+") else "text": printed},
            )
            for points, printed in characters.items()
        )
    )


@dataclass(frozen=True)
class Staged:
    """Rows in a vault, and the records that belong to them."""

    vault: CycleVault
    configuration: Configuration
    extraction: ExtractionRecord
    validation: ValidationRecord

    def composed(
        self, *, synthetic: bool = True, differences: Any = None, cycle: str = CYCLE
    ) -> CompositionRecord:
        return compose(
            self.extraction,
            self.validation,
            self.configuration,
            self.vault,
            cycle=cycle,
            synthetic=synthetic,
            small_total_key=SMALL_TOTAL_KEY,
            differences=differences,
        )


def staged(
    vault: CycleVault,
    rows: Sequence[dict[str, Any]],
    configuration: Configuration | None = None,
    /,
    **changes: Any,
) -> Staged:
    """Stages rows as the extraction does; `changes`: fields of the extraction's record."""
    configuration = configuration or configured()
    schema = _schema(rows)
    with vault.writing(STAGED) as artefact, ipc.new_stream(artefact.buffer, schema) as stream:
        stream.write_table(pa.Table.from_pylist(list(rows), schema=schema), max_chunksize=7)
    totals = {
        total.item: AmountTotal.of(
            sum(row[total.item] for row in rows), persons=len(rows), key=SMALL_TOTAL_KEY
        )
        for total in configuration.notice.totals
    }
    known = {
        "as_of": AT,
        "rows": len(rows),
        "persons": len(rows),
        "columns": tuple(schema.names),
        "totals": totals,
    }
    extraction = ExtractionRecord.model_construct(**known | {"staging": artefact.stored} | changes)
    validation = ValidationRecord.model_construct(staging_sha256=extraction.staging.sha256)
    return Staged(vault, configuration, extraction, validation)


def composed(
    vault: CycleVault, *rows: dict[str, Any], configuration: Configuration | None = None, **asked: Any
) -> CompositionRecord:
    """Stages and composes rows."""
    return staged(vault, rows, configuration).composed(**asked)


def printed(vault: CycleVault) -> bytes:
    """The print file, whatever its format calls it."""
    (name,) = [name for name in PRINT_FILES.values() if vault.has(name)]
    with vault.reading(name) as plain:
        return plain.read()


def counted(vault: CycleVault, configuration: Configuration, **asked: Any) -> PrintFileCount:
    """The print file as the contractor counts it."""
    layout, notice = configuration.layout, configuration.notice
    description = PrintFormat(
        format=layout.format,
        trailer=layout.trailer,
        columns=tuple(
            PrintColumn(heading=column.heading_ja, bytes=column.bytes) for column in layout.columns
        ),
    )
    with vault.reading(PRINT_FILES[layout.format]) as plain:
        return count_print_file(
            plain,
            description,
            layout.charset,
            subject=configuration.heading_of(notice.subject),
            totals=[configuration.heading_of(total.item) for total in notice.totals],
            **asked,
        )


def _schema(rows: Sequence[dict[str, Any]]) -> pa.Schema:
    """The contract's types, also where every value of a column is missing."""

    def kind(item: str, value: Any) -> pa.DataType:
        if item.endswith("_until") or item.endswith("_on"):
            return pa.date32()
        if item.endswith("_at"):
            return pa.timestamp("us", "UTC")
        return pa.scalar(value).type if value is not None else pa.string()

    return pa.schema([(item, kind(item, value)) for item, value in rows[0].items()])
