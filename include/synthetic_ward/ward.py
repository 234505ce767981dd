"""The built ward: five tables as column arrays, and the view of notices joined from them.

A table is a dict of equally long NumPy arrays. Text is `U`, yen and counts are integers, days are
`datetime64[D]` with NaT for NULL, moments are ISO text with offset. Nothing here touches a database.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Column: TypeAlias = NDArray[Any]
Columns: TypeAlias = dict[str, Column]

ORDINARY_NOTICE = "premium_notice_ordinary"
INSTALMENT_COLUMNS = tuple(f"instalment_{month:02d}" for month in (7, 8, 9, 10, 11, 12, 1, 2, 3))
VIEW_COLUMNS: tuple[str, ...] = (
    "batch_no", "notice_no", "insured_no", "household_no", "recipient_id", "recipient_kind",
    "share_envelope", "postcode", "address", "address_detail", "recipient_name", "recipient_suffix",
    "insured_name", "insured_kana", "birth_date", "acquired_on", "lost_on", "stage", "months",
    "stage_annual_yen", "annual_yen", "collection_method", "ordinary_total_yen", *INSTALMENT_COLUMNS,
    "special_total_yen", "first_due_on", "as_of",
)  # fmt: skip


def annual_batch(fiscal_year: int) -> str:
    """The batch_no of the July run 当初."""
    return f"{fiscal_year}-annual"


def supplementary_batch(fiscal_year: int) -> str:
    """The batch_no of the August run 随時."""
    return f"{fiscal_year}-08-supplementary"


@dataclass(frozen=True)
class Ward:
    """The rows of schema `kaigo`, a dict of columns for each table."""

    fiscal_year: int
    seed: int
    household: Columns
    recipient: Columns
    insured_person: Columns
    assessment: Columns
    control_total: Columns

    def tables(self) -> dict[str, Columns]:
        """Table name → columns, parents before children."""
        return {
            "household": self.household,
            "recipient": self.recipient,
            "insured_person": self.insured_person,
            "assessment": self.assessment,
            "control_total": self.control_total,
        }

    def notices(self, batch_no: str | None = None) -> Columns:
        """What `export.premium_notice_ordinary` returns, ordered by notice_no; one batch or all."""
        due = self.assessment["collection_method"] != "special"
        if batch_no is not None:
            due &= self.assessment["batch_no"] == batch_no
        order = np.flatnonzero(due)
        order = order[np.argsort(self.assessment["notice_no"][order])]
        rows = {name: column[order] for name, column in self.assessment.items()}
        person = _looked_up(self.insured_person, "insured_no", rows["insured_no"])
        home = _looked_up(self.household, "household_no", person["household_no"])
        addressed = person["recipient_id"] != ""
        known = np.where(addressed, person["recipient_id"], self.recipient["recipient_id"][0])
        registered = _looked_up(self.recipient, "recipient_id", known)
        own: Columns = {
            "recipient_id": person["own_recipient_id"],
            "recipient_kind": np.array("self"),
            "share_envelope": np.array(False),
            "postcode": home["postcode"],
            "address": home["address"],
            "address_detail": home["address_detail"],
            "recipient_name": person["insured_name"],
            "recipient_suffix": np.array("様"),
        }
        sent_to = {name: np.where(addressed, registered[name], own[name]) for name in own}
        joined = person | rows | sent_to
        return {name: joined[name] for name in VIEW_COLUMNS}

    def counts(self) -> dict[str, int]:
        """Rows a table, and notices a batch."""
        rows = {name: len(next(iter(columns.values()))) for name, columns in self.tables().items()}
        batches = zip(self.control_total["batch_no"], self.control_total["persons"], strict=True)
        return rows | {f"notices[{batch}]": int(persons) for batch, persons in batches}

    def digest(self) -> str:
        """SHA-256 over every value of every table: equal digests are equal wards."""
        digest = hashlib.sha256(f"{self.fiscal_year}".encode())
        for table, columns in self.tables().items():
            for name, column in columns.items():
                digest.update(f"{table}.{name}:{column.dtype.str}:{len(column)}".encode())
                digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()


def _looked_up(table: Columns, key: str, wanted: Column) -> Columns:
    order = np.argsort(table[key])
    found = order[np.searchsorted(table[key], wanted, sorter=order)]
    return {name: column[found] for name, column in table.items()}
