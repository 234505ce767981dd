"""What the invented ward's host computer 汎用機 prints lists of and drops as files: certificates, booklets, programme."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from synthetic_ward import words
from synthetic_ward.decisions import Town
from synthetic_ward.residents import Rng, Rows
from synthetic_ward.runs import Batch, Run, notice_numbers, picked
from synthetic_ward.ward import BOOKLET, BURDEN, SUPPORT, Column, Columns, batch_of

_HIGH_INCOME_STAGE = 10  # from here on a person bears two or three tenths


@dataclass(frozen=True)
class Register:
    """Who is insured on 1 July and still in August, and where they live."""

    town: Town
    rows: Rows
    household_no: Column
    insured_name: Column

    @classmethod
    def of(cls, town: Town, person: Columns, fiscal_year: int) -> "Register":
        """Everybody but those excluded, lost or not yet there."""
        there = np.isnat(town.lost_later_on) & (town.acquired_on < np.datetime64(f"{fiscal_year}-07-01"))
        there[np.concatenate(list(town.cohorts.excluded.values()))] = False
        return cls(town, np.flatnonzero(there), person["household_no"], person["insured_name"])


def burden_certificates(rng: Rng, register: Register, fiscal_year: int) -> Run:
    """July: the share of costs that each person certified for care bears; she is among them."""
    *others, hers = register.rows.tolist()
    rows = np.append(picked(rng, np.array(others), 0.2, 20), hers)
    batch = Batch(BURDEN, batch_of(BURDEN, fiscal_year), "08", date(fiscal_year, 7, 1))
    high = register.town.stage[rows] >= _HIGH_INCOME_STAGE
    ratio = np.where(high, rng.choice([2, 3], len(rows), p=[0.6, 0.4]), 1)
    ends = np.datetime64(f"{fiscal_year}-08") + rng.integers(0, 24, len(rows)).astype("timedelta64[M]")
    own = _rows(rng, batch, register.town.insured_no[rows]) | {
        "burden_ratio": ratio,
        "valid_from": np.full(len(rows), f"{fiscal_year}-08-01", dtype="datetime64[D]"),
        "valid_until": np.full(len(rows), f"{fiscal_year + 1}-07-31", dtype="datetime64[D]"),
        "certified_until": (ends + 1).astype("datetime64[D]") - 1,
    }
    return Run(batch, {BURDEN: own}, len(rows), counted={"burden_ratio": ratio})


def guide_booklets(rng: Rng, register: Register, fiscal_year: int) -> Run:
    """July: one booklet a household, addressed to the first of its insured."""
    household_no, first = np.unique(register.household_no[register.rows], return_index=True)
    batch = Batch(BOOKLET, batch_of(BOOKLET, fiscal_year), "09", date(fiscal_year, 7, 1))
    rows = register.rows[first]
    own: Columns = {
        "notice_no": notice_numbers(rng, batch, register.town.insured_no[rows]),
        "batch_no": np.full(len(rows), batch.batch_no),
        "household_no": household_no,
        "recipient_name": register.insured_name[rows],
        "recipient_suffix": np.full(len(rows), "様"),
    }
    return Run(batch, {BOOKLET: own}, len(rows))


def support_program(rng: Rng, register: Register, fiscal_year: int) -> Run:
    """August: whom July's checklist 基本チェックリスト admits to the programme."""
    rows = picked(rng, register.rows[:-1], 0.004, 12)
    batch = Batch(SUPPORT, batch_of(SUPPORT, fiscal_year), "10", date(fiscal_year, 8, 10))
    checked = np.datetime64(f"{fiscal_year}-07-01") + rng.integers(0, 31, len(rows)).astype("timedelta64[D]")
    center = np.array(words.CENTERS)[rng.integers(0, len(words.CENTERS), len(rows))]
    own = _rows(rng, batch, register.town.insured_no[rows]) | {
        "checked_on": checked,
        "eligible_from": np.full(len(rows), f"{fiscal_year}-08-01", dtype="datetime64[D]"),
        "center": center,
    }
    return Run(batch, {SUPPORT: own}, len(rows), counted={"center": center})


def _rows(rng: Rng, batch: Batch, insured_no: Column) -> Columns:
    return {
        "notice_no": notice_numbers(rng, batch, insured_no),
        "batch_no": np.full(len(insured_no), batch.batch_no),
        "insured_no": insured_no,
    }
