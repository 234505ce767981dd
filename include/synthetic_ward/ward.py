"""The built ward: the tables of its core system and of its host computer, and the nine notices joined from them.

A table is a dict of equally long NumPy arrays. Text is `U`, yen and counts are integers, days are
`datetime64[D]` with NaT for NULL, moments are ISO text with offset. Nothing here touches a database.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from notice_cycle.extraction.source import ControlTotals

Column: TypeAlias = NDArray[Any]
Columns: TypeAlias = dict[str, Column]

ORDINARY, SPECIAL = "premium_notice_ordinary", "premium_notice_special"
PROVISIONAL, CHANGE = "provisional_notice", "premium_change_notice"
REMINDER, DEMAND = "reminder", "demand_notice"
BURDEN, BOOKLET, SUPPORT = "burden_certificate", "guide_booklet", "support_program_notice"

_YEAR_FROM_JULY = (7, 8, 9, 10, 11, 12, 1, 2, 3)
INSTALMENT_COLUMNS = tuple(f"instalment_{month:02d}" for month in _YEAR_FROM_JULY)
SLIP_COLUMNS = tuple(f"slip_{month:02d}" for month in _YEAR_FROM_JULY)
SPECIAL_COLUMNS = tuple(f"special_{month:02d}" for month in (4, 6, 8, 10, 12, 2))
_SENT_TO = ("postcode", "address", "address_detail", "recipient_name", "recipient_suffix")
ADDRESSEE = (
    *("insured_no", "insured_name", "insured_kana", "birth_date", "household_no"),
    *("recipient_id", "recipient_kind", "share_envelope", "support_measure", *_SENT_TO),
)
_DECIDED = ("acquired_on", "lost_on", "stage", "months", "stage_annual_yen", "threshold_yen", "annual_yen")
_BY_SLIP = ("special_total_yen", "first_due_on", "payment_no", *SLIP_COLUMNS)
NOTICE_ITEMS: dict[str, tuple[str, ...]] = {
    ORDINARY: (
        *("notice_no", *ADDRESSEE, *_DECIDED, "collection_method", "payment_means", "ordinary_total_yen"),
        *(*INSTALMENT_COLUMNS, *_BY_SLIP),
    ),
    SPECIAL: (
        *("notice_no", *ADDRESSEE, *_DECIDED, "collection_method", *SPECIAL_COLUMNS, "special_total_yen"),
        *("pension_payer", "pension_file_yen", "special_starts_month"),
    ),
    PROVISIONAL: (
        *("notice_no", *ADDRESSEE, *SPECIAL_COLUMNS[:3], "last_february_yen", "smoothed"),
        *("provisional_total_yen", "pension_payer", "pension_file_yen"),
    ),
    CHANGE: (
        *("notice_no", *ADDRESSEE, *_DECIDED, "before_annual_yen", "change_reason", "changed_on"),
        *("collection_method", "payment_means", "ordinary_total_yen", *INSTALMENT_COLUMNS, *_BY_SLIP),
    ),
    REMINDER: (
        *("notice_no", *ADDRESSEE, "levied_year", "instalment", "due_on", "payable_yen", "paid_yen"),
        *("overdue_yen", "paid_checked_at", "paid_since_yen", "account_pending", "payment_no", "pay_by_on"),
    ),
    DEMAND: (
        *("notice_no", *ADDRESSEE, "oldest_due_on", "overdue_count", "overdue_total_yen"),
        *("reminder_sent_on", "instalment_agreement", "paid_checked_at", "paid_since_yen"),
        *("payment_no", "pay_by_on"),
    ),
    BURDEN: ("notice_no", *ADDRESSEE, "burden_ratio", "valid_from", "valid_until", "certified_until"),
    BOOKLET: ("notice_no", "household_no", *_SENT_TO),
    SUPPORT: ("notice_no", *ADDRESSEE, "checked_on", "eligible_from", "center"),
}
"""The items of each notice in the order in which the core system and the host offer them."""

DROPPED = (BURDEN, BOOKLET, SUPPORT)
"""The notices that the host computer drops as files; the others are read from the core system's database."""

_BESIDE = {  # the tables a notice's own rows are completed from, by what both hold
    ORDINARY: (("collection", "notice_no"),),
    SPECIAL: (("special_collection", "notice_no"),),
    CHANGE: (("collection", "notice_no"), ("assessment_change", "notice_no")),
}


def annual_batch(fiscal_year: int) -> str:
    """The batch_no of the July run 当初."""
    return f"{fiscal_year}-annual"


def supplementary_batch(fiscal_year: int) -> str:
    """The batch_no of the August run 随時."""
    return f"{fiscal_year}-08-supplementary"


def batch_of(notice: str, fiscal_year: int) -> str:
    """The batch_no under which a notice is offered first in the year."""
    later = {
        PROVISIONAL: "april",
        CHANGE: "08-change",
        REMINDER: "08-reminder",
        DEMAND: "11-demand",
        BOOKLET: "booklet",
        SUPPORT: "08-support",
    }
    return f"{fiscal_year}-{later.get(notice, 'annual')}"


@dataclass(frozen=True)
class Ward:
    """`core`: the rows of schema `kaigo`, a dict of columns for each table, parents before children.
    `host`: the rows behind the files that the host computer drops.
    """

    fiscal_year: int
    seed: int
    core: dict[str, Columns]
    host: dict[str, Columns]

    def notice(self, notice: str, batch_no: str | None = None) -> Columns:
        """`batch_no` and the notice's items, ordered by notice_no; one batch or all of the notice's.

        The same as `export.<notice>` and the dropped files hold.
        """
        rows = self._own_rows(notice, batch_no)
        for table, key in _BESIDE.get(notice, ()):
            rows = _looked_up(self.core[table], key, rows[key]) | rows
        rows = (self._homes if notice == BOOKLET else self._addressees)(rows) | rows
        return {name: rows[name] for name in ("batch_no", *NOTICE_ITEMS[notice])}

    def notices(self, batch_no: str | None = None) -> Columns:
        """The premium notices by ordinary collection."""
        return self.notice(ORDINARY, batch_no)

    def control(self, notice: str, batch_no: str) -> ControlTotals:
        """What the core system says of a batch apart from its rows."""
        (as_of,) = self._told("control_total", notice, batch_no)["as_of"].tolist()
        (persons,) = self._told("control_total", notice, batch_no)["persons"].tolist()
        last_year: dict[str, dict[str, int]] = {}
        counted = self._told("last_year_count", notice)
        for item, value, heads in _rows(counted, "item", "value", "persons"):
            last_year.setdefault(item, {})[value] = heads
        return ControlTotals(
            as_of=datetime.fromisoformat(as_of),
            persons=persons,
            amounts=dict(_rows(self._told("control_amount", notice, batch_no), "item", "total_yen")),
            population=dict(_rows(self._told("population", notice, batch_no), "category", "persons")),
            last_year=last_year,
            last_year_of=max(counted["fiscal_year"].tolist(), default=None),
        )

    def counts(self) -> dict[str, int]:
        """Rows a table, and notices a batch."""
        rows = {name: _length(columns) for name, columns in (self.core | self.host).items()}
        totals = self.core["control_total"]
        batches = _rows(totals, "notice", "batch_no", "persons")
        return rows | {f"{notice}[{batch}]": persons for notice, batch, persons in batches}

    def digest(self) -> str:
        """SHA-256 over every value of every table: equal digests are equal wards."""
        digest = hashlib.sha256(f"{self.fiscal_year}".encode())
        for table, columns in (self.core | self.host).items():
            for name, column in columns.items():
                digest.update(f"{table}.{name}:{column.dtype.str}:{len(column)}".encode())
                digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()

    def _own_rows(self, notice: str, batch_no: str | None) -> Columns:
        decided = notice in (ORDINARY, SPECIAL, CHANGE)
        table = self.core["assessment"] if decided else (self.core | self.host)[notice]
        due = table["notice"] == notice if decided else np.ones(_length(table), dtype=bool)
        if batch_no is not None:
            due &= table["batch_no"] == batch_no
        order = np.flatnonzero(due)
        order = order[np.argsort(table["notice_no"][order])]
        return {name: column[order] for name, column in table.items()}

    def _told(self, table: str, notice: str, batch_no: str | None = None) -> Columns:
        columns = self.core[table]
        kept = columns["notice"] == notice
        if batch_no is not None:
            kept &= columns["batch_no"] == batch_no
        return {name: column[kept] for name, column in columns.items()}

    def _homes(self, rows: Columns) -> Columns:
        return _looked_up(self.core["household"], "household_no", rows["household_no"])

    def _addressees(self, rows: Columns) -> Columns:
        person = _looked_up(self.core["insured_person"], "insured_no", rows["insured_no"])
        recipient = self.core["recipient"]
        addressed = person["recipient_id"] != ""
        known = np.where(addressed, person["recipient_id"], recipient["recipient_id"][0])
        registered = _looked_up(recipient, "recipient_id", known)
        own = self._homes(person) | {
            "recipient_id": person["own_recipient_id"],
            "recipient_kind": np.array("self"),
            "share_envelope": np.array(False),
            "recipient_name": person["insured_name"],
            "recipient_suffix": np.array("様"),
        }
        return person | {name: np.where(addressed, registered[name], own[name]) for name in registered}


def as_table(columns: Mapping[str, Column], items: Sequence[str]) -> pa.Table:
    """The items as they are staged: utf8, int64, bool, date32, timestamp(us, UTC), in notice_no order."""
    order = np.argsort(columns["notice_no"])
    return pa.table({item: _as_arrow(item, columns[item][order]) for item in items})


def _as_arrow(item: str, column: Column) -> pa.Array:
    if item.endswith("_at"):
        texts, back = np.unique(column, return_inverse=True)
        moments = [datetime.fromisoformat(text).astimezone(UTC) for text in texts.tolist()]
        return pa.array(moments, pa.timestamp("us", "UTC")).take(pa.array(back))
    kinds = {"U": pa.string(), "i": pa.int64(), "b": pa.bool_(), "M": pa.date32()}
    return pa.array(column, kinds[column.dtype.kind])


def _rows(table: Columns, *names: str) -> list[Any]:
    return list(zip(*(table[name].tolist() for name in names), strict=True))


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _looked_up(table: Columns, key: str, wanted: Column) -> Columns:
    """The rows of the wanted keys, which are digits only: numbers are found faster than texts."""
    keys = table[key].astype(np.int64)
    order = np.argsort(keys)
    found = order[np.searchsorted(keys, wanted.astype(np.int64), sorter=order)]
    return {name: column[found] for name, column in table.items()}
