"""Deciding premiums in the invented ward: April's provisional deductions, July, August's newcomers and changes.

Every amount is the product's own premium arithmetic. A simplification: a decision changed in August is spread
anew over the instalments still open; what was paid in July the collection system credits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.premiums import (
    MONTHS_A_YEAR,
    PremiumTable,
    annual_premium,
    first_open_slot,
    months_insured,
    split_instalments,
)
from synthetic_ward.residents import Cohorts, Rng, Rows
from synthetic_ward.runs import DISTRIBUTIONS, Batch, Run, notice_numbers
from synthetic_ward.ward import (
    CHANGE,
    INSTALMENT_COLUMNS,
    ORDINARY,
    PROVISIONAL,
    SLIP_COLUMNS,
    SPECIAL,
    SPECIAL_COLUMNS,
    Column,
    Columns,
    annual_batch,
    batch_of,
    supplementary_batch,
)

_CALENDAR = BusinessCalendar()
_STARTS = np.array(
    [0, 8, 10, 10, 4, 4, 4, 4, 4, 4, 6, 6, 8]
)  # of the pension deduction, by month of acquisition


@dataclass(frozen=True)
class Town:
    """Everybody, by column: what the runs start from. `deducted_yen`: last February's pension deduction.

    `lost_on` is what is known in July, `lost_later_on` what is known in August.
    """

    cohorts: Cohorts
    insured_no: Column
    acquired_on: Column
    lost_on: Column
    lost_later_on: Column
    stage: Column
    deducted_yen: Column
    payment_means: Column
    pension_payer: Column


@dataclass(frozen=True)
class Cases:
    """Whom a run decides on, by column: row in the town, what holds for them, what the pension pays of it."""

    rows: Rows
    acquired_on: Column
    lost_on: Column
    stage: Column
    months: Column
    method: Column
    special_yen: Column


def annual_yen(table: PremiumTable, stage: Column, months: Column) -> Column:
    """`annual_premium` by column."""
    by_stage = [
        [annual_premium(table, row.stage, month) for month in range(MONTHS_A_YEAR + 1)]
        for row in table.stages
    ]
    yen: Column = np.array(by_stage)[stage - 1, months]
    return yen


def sixth_yen(table: PremiumTable, stage: Column) -> Column:
    """A pension deduction of a full year's premium, in whole units."""
    unit = table.rounding_unit_yen
    full = annual_yen(table, stage, np.full(len(stage), MONTHS_A_YEAR))
    sixth: Column = full // len(table.special_months) // unit * unit
    return sixth


def july(rng: Rng, table: PremiumTable, town: Town) -> list[Run]:
    """The notices by ordinary collection (mixed ones among them) and by special collection."""
    year, cases = table.fiscal_year, _july_cases(table, town)
    decided_on = date(year, 7, 1)
    groups = {method: int((cases.method == method).sum()) for method in ("ordinary", "special", "mixed")}
    excluded = {f"excluded:{reason}": len(rows) for reason, rows in town.cohorts.excluded.items()}
    population = {"insured": sum(groups.values()) + sum(excluded.values())} | groups | excluded
    pension = cases.method == "special"
    ordinary = _ordinary_run(
        rng,
        table,
        town,
        _of(cases, ~pension),
        Batch(ORDINARY, annual_batch(year), "01", decided_on),
        population=population,
    )
    special = _special_run(
        rng,
        table,
        town,
        _of(cases, pension),
        Batch(SPECIAL, annual_batch(year), "03", decided_on),
        population=population,
    )
    return [ordinary, special]


def supplementary(rng: Rng, table: PremiumTable, town: Town) -> Run:
    """August: who joined after the July run."""
    rows = town.cohorts.later
    acquired, lost, nothing = town.acquired_on[rows], town.lost_on[rows], np.zeros(len(rows), dtype=np.int64)
    months = _months(acquired, lost, table.fiscal_year)
    method = np.full(len(rows), "ordinary")
    cases = Cases(rows, acquired, lost, town.stage[rows], months, method, nothing)
    batch = Batch(ORDINARY, supplementary_batch(table.fiscal_year), "02", date(table.fiscal_year, 8, 10))
    return _ordinary_run(rng, table, town, cases, batch)


def changes(rng: Rng, table: PremiumTable, town: Town) -> Run:
    """August: another stage or fewer months. What a pension no longer takes in is paid by slip (mixed)."""
    year = table.fiscal_year
    groups = town.cohorts.changed
    rows = np.concatenate(list(groups.values()))
    found = np.repeat(list(groups), [len(group) for group in groups.values()])
    reason = np.where(found == "pension", "income", found)
    acquired, lost, stage = town.acquired_on[rows], town.lost_later_on[rows], town.stage[rows]
    before_yen = annual_yen(table, stage, _months(acquired, town.lost_on[rows], year))
    step = np.select([reason == "lost", reason == "exempted"], [0, -1], default=rng.integers(1, 4, len(rows)))
    months = _months(acquired, lost, year)
    pension = found == "pension"
    method = np.where(pension, "mixed", "ordinary")
    cases = Cases(rows, acquired, lost, stage + step, months, method, np.where(pension, before_yen, 0))
    batch = Batch(CHANGE, batch_of(CHANGE, year), "05", date(year, 8, 10))
    run = _ordinary_run(rng, table, town, cases, batch, counted={"change_reason": reason})
    noted = np.datetime64(f"{year}-07-13") + rng.integers(0, 26, len(rows)).astype("timedelta64[D]")
    run.tables["assessment_change"] = {
        "notice_no": run.tables["assessment"]["notice_no"],
        "before_annual_yen": before_yen,
        "change_reason": reason,
        "changed_on": np.where(reason == "lost", lost, noted),
    }
    return run


def provisional(rng: Rng, table: PremiumTable, town: Town) -> Run:
    """April: who was deducted last February. The August deduction of some of the mixed was smoothed 平準化."""
    year = table.fiscal_year
    rows = np.concatenate([town.cohorts.mixed, town.cohorts.special])
    deducted = town.deducted_yen[rows]
    smoothed = np.arange(len(rows)) < max(1, len(town.cohorts.mixed) // 3)
    further = np.where(smoothed, rng.integers(1, 10, len(rows)) * table.rounding_unit_yen, 0)
    insured_no = town.insured_no[rows]
    batch = Batch(PROVISIONAL, batch_of(PROVISIONAL, year), "04", date(year, 4, 1))
    total_yen = 3 * deducted + further
    kinds, heads = np.unique(deducted, return_counts=True)
    total = sum(3 * yen * persons for yen, persons in zip(kinds.tolist(), heads.tolist(), strict=True)) + int(
        further.sum()
    )
    own: Columns = {
        "notice_no": notice_numbers(rng, batch, insured_no),
        "batch_no": np.full(len(rows), batch.batch_no),
        "insured_no": insured_no,
        "special_04": deducted,
        "special_06": deducted,
        "special_08": deducted + further,
        "last_february_yen": deducted,
        "smoothed": smoothed,
        "provisional_total_yen": total_yen,
        "pension_file_yen": total_yen,
    }
    return Run(
        batch,
        {PROVISIONAL: own},
        len(rows),
        {"provisional_total_yen": total},
        {"pension_payer": town.pension_payer[rows]},
    )


def due_on(fiscal_year: int, month: int) -> date:
    """The last day of an instalment's month, or the next business day."""
    year = fiscal_year if month >= 4 else fiscal_year + 1  # noqa: PLR2004 - April
    following: date = (np.datetime64(f"{year}-{month:02d}", "M") + 1).astype("datetime64[D]").item()
    return _CALENDAR.next_business_day(following - _ONE_DAY)


_ONE_DAY = date(2000, 1, 2) - date(2000, 1, 1)


def _july_cases(table: PremiumTable, town: Town) -> Cases:
    """July: everybody insured who is not excluded. Mixed: deducted in April and June, then no more."""
    groups = (town.cohorts.ordinary, town.cohorts.mixed, town.cohorts.special)
    rows = np.concatenate(groups)
    method = np.repeat(["ordinary", "mixed", "special"], [len(group) for group in groups])
    acquired, lost, stage = town.acquired_on[rows], town.lost_on[rows], town.stage[rows]
    months = _months(acquired, lost, table.fiscal_year)
    special_yen = np.select(
        [method == "special", method == "mixed"],
        [annual_yen(table, stage, months), 2 * town.deducted_yen[rows]],
        default=0,
    )
    return Cases(rows, acquired, lost, stage, months, method, special_yen)


def _ordinary_run(
    rng: Rng,
    table: PremiumTable,
    town: Town,
    cases: Cases,
    batch: Batch,
    *,
    population: dict[str, int] | None = None,
    counted: dict[str, Column] | None = None,
) -> Run:
    assessed = _assessed(rng, table, town, cases, batch)
    totals, back = np.unique(assessed["annual_yen"] - cases.special_yen, return_inverse=True)
    slot = first_open_slot(table, batch.decided_on)
    instalments = np.array([split_instalments(table, total, slot) for total in totals.tolist()])[back].T
    means = town.payment_means[cases.rows]
    collection: Columns = {
        "notice_no": assessed["notice_no"],
        "payment_means": means,
        "ordinary_total_yen": totals[back],
        **dict(zip(INSTALMENT_COLUMNS, instalments, strict=True)),
        "first_due_on": np.full(
            len(back), due_on(table.fiscal_year, table.ordinary_months[slot - 1]), "M8[D]"
        ),
        "payment_no": assessed["notice_no"],
        **dict(zip(SLIP_COLUMNS, np.where(means == "slip", instalments, 0), strict=True)),
    }
    annual = _annual_total(table, cases)
    amounts = {"annual_yen": annual, "ordinary_total_yen": annual - int(cases.special_yen.sum())}
    columns = assessed | collection | (counted or {})
    first = batch.batch_no == batch_of(batch.notice, table.fiscal_year)
    last_year = {item: columns[item] for item in DISTRIBUTIONS[batch.notice]} if first else {}
    tables = {"assessment": assessed, "collection": collection}
    return Run(batch, tables, len(back), amounts, last_year, population or {})


def _special_run(
    rng: Rng, table: PremiumTable, town: Town, cases: Cases, batch: Batch, *, population: dict[str, int]
) -> Run:
    assessed = _assessed(rng, table, town, cases, batch)
    unit, deducted = table.rounding_unit_yen, town.deducted_yen[cases.rows]
    rest = assessed["annual_yen"] - 3 * deducted
    third = rest // 3 // unit * unit
    slots = [deducted, deducted, deducted, rest - 2 * third, third, third]
    joined_in = (cases.acquired_on.astype("datetime64[M]").astype(np.int64) % MONTHS_A_YEAR) + 1
    own: Columns = {
        "notice_no": assessed["notice_no"],
        **dict(zip(SPECIAL_COLUMNS, slots, strict=True)),
        "pension_file_yen": cases.special_yen,
        "special_starts_month": _STARTS[joined_in],
    }
    annual = _annual_total(table, cases)
    columns = assessed | {"pension_payer": town.pension_payer[cases.rows]}
    return Run(
        batch,
        {"assessment": assessed, "special_collection": own},
        len(cases.rows),
        {"annual_yen": annual, "special_total_yen": annual},
        {item: columns[item] for item in DISTRIBUTIONS[SPECIAL]},
        population,
    )


def _assessed(rng: Rng, table: PremiumTable, town: Town, cases: Cases, batch: Batch) -> Columns:
    """The assessment rows of one run."""
    count, insured_no = len(cases.rows), town.insured_no[cases.rows]
    return {
        "notice_no": notice_numbers(rng, batch, insured_no),
        "notice": np.full(count, batch.notice),
        "batch_no": np.full(count, batch.batch_no),
        "insured_no": insured_no,
        "fiscal_year": np.full(count, table.fiscal_year),
        "acquired_on": cases.acquired_on,
        "lost_on": cases.lost_on,
        "stage": cases.stage,
        "months": cases.months,
        "stage_annual_yen": np.array([0] + [row.annual_yen for row in table.stages])[cases.stage],
        "threshold_yen": np.full(count, table.national_income_threshold.yen),
        "annual_yen": annual_yen(table, cases.stage, cases.months),
        "collection_method": cases.method,
        "special_total_yen": cases.special_yen,
    }


def _annual_total(table: PremiumTable, cases: Cases) -> int:
    """Heads by stage and months × the premium: no row's amount is added up."""
    heads = np.zeros((len(table.stages) + 1, MONTHS_A_YEAR + 1), dtype=np.int64)
    np.add.at(heads, (cases.stage, cases.months), 1)
    return sum(
        int(heads[row.stage, month]) * annual_premium(table, row.stage, month)
        for row in table.stages
        for month in range(MONTHS_A_YEAR + 1)
    )


def _of(cases: Cases, kept: Column) -> Cases:
    columns: Sequence[Column] = (
        *(cases.rows, cases.acquired_on, cases.lost_on, cases.stage, cases.months),
        *(cases.method, cases.special_yen),
    )
    return Cases(*(column[kept] for column in columns))


def _months(acquired: Column, lost: Column, fiscal_year: int) -> Column:
    """`months_insured` by column: each pair of months is worked out once."""
    pairs = np.stack([acquired.astype("datetime64[M]"), lost.astype("datetime64[M]")], axis=1)
    kinds, back = np.unique(pairs.astype(np.int64), axis=0, return_inverse=True)
    firsts = kinds.astype("datetime64[M]").astype("datetime64[D]").tolist()  # NaT becomes None
    return np.array([months_insured(start, end, fiscal_year) for start, end in firsts])[back.reshape(-1)]
