"""Who is late with the premium in the invented ward: reminders after the first due date, demands in November.

Nobody here has paid since the data was cut, has a debit under way or keeps to an agreement: a clean ward sends
no reminder to a payer.
"""

from datetime import date, timedelta

import numpy as np

from notice_cycle.premiums import MONTHS_A_YEAR, PremiumTable
from synthetic_ward.canary import CANARY
from synthetic_ward.decisions import Town, annual_yen, due_on
from synthetic_ward.residents import Rng
from synthetic_ward.runs import Batch, Run, notice_numbers, picked
from synthetic_ward.ward import DEMAND, REMINDER, Column, Columns, batch_of

_MOST_OVERDUE = 12
_MOST_PAID = 0.9


def reminders(rng: Rng, table: PremiumTable, july: Run) -> Run:
    """August: one in twenty-five has not paid July's instalment, or not all of it; she has paid nothing."""
    year = table.fiscal_year
    collection, insured_no = july.tables["collection"], july.tables["assessment"]["insured_no"]
    hers = int(np.flatnonzero(insured_no == CANARY.insured_no)[0])
    others = np.flatnonzero(insured_no != CANARY.insured_no)
    rows = np.append(picked(rng, others, 0.04, 12), hers)
    payable = collection["instalment_07"][rows]
    part = np.where(rng.random(len(rows)) < 0.1, rng.random(len(rows)) * _MOST_PAID, 0)  # noqa: PLR2004 - one in ten
    part[-1] = 0
    paid = (payable * part).astype(np.int64) // table.rounding_unit_yen * table.rounding_unit_yen
    kinds, heads = np.unique(payable, return_counts=True)
    batch = Batch(REMINDER, batch_of(REMINDER, year), "06", date(year, 8, 19))
    number = notice_numbers(rng, batch, insured_no[rows])
    count = len(rows)
    own: Columns = {
        "notice_no": number,
        "batch_no": np.full(count, batch.batch_no),
        "insured_no": insured_no[rows],
        "levied_year": np.full(count, year),
        "instalment": np.ones(count, dtype=np.int64),
        "due_on": _day(due_on(year, 7), count),
        "payable_yen": payable,
        "paid_yen": paid,
        "overdue_yen": payable - paid,
        "paid_checked_at": np.full(count, batch.as_of),
        "paid_since_yen": np.zeros(count, dtype=np.int64),
        "account_pending": np.zeros(count, dtype=bool),
        "payment_no": number,
        "pay_by_on": _day(due_on(year, 8), count),
    }
    overdue = sum(yen * n for yen, n in zip(kinds.tolist(), heads.tolist(), strict=True)) - int(paid.sum())
    return Run(batch, {REMINDER: own}, count, {"overdue_yen": overdue}, {"instalment": own["instalment"]})


def demands(rng: Rng, table: PremiumTable, town: Town) -> Run:
    """November: who has not paid the last so many instalments up to September's, most of them a few."""
    year = table.fiscal_year
    settled = np.concatenate([town.cohorts.unremarkable[1:], town.cohorts.mixed])
    long_since = town.acquired_on[settled] < np.datetime64(f"{year - 3}-01-01")
    rows = picked(rng, settled[long_since], 0.02, 12)
    overdue = np.minimum(rng.geometric(0.4, len(rows)), _MOST_OVERDUE)
    full_year = annual_yen(table, town.stage[rows], np.full(len(rows), MONTHS_A_YEAR))
    share = full_year // len(table.ordinary_months) // table.rounding_unit_yen * table.rounding_unit_yen
    kinds, heads = np.unique(np.stack([share, overdue], axis=1), axis=0, return_counts=True)
    batch = Batch(DEMAND, batch_of(DEMAND, year), "07", date(year, 11, 16))
    number = notice_numbers(rng, batch, town.insured_no[rows])
    count = len(rows)
    own: Columns = {
        "notice_no": number,
        "batch_no": np.full(count, batch.batch_no),
        "insured_no": town.insured_no[rows],
        "oldest_due_on": _due_dates(table, batch.decided_on)[-overdue],
        "overdue_count": overdue,
        "overdue_total_yen": share * overdue,
        "reminder_sent_on": _day(date(year, 10, 20), count),
        "instalment_agreement": np.zeros(count, dtype=bool),
        "paid_checked_at": np.full(count, batch.as_of),
        "paid_since_yen": np.zeros(count, dtype=np.int64),
        "payment_no": number,
        "pay_by_on": _day(due_on(year, 11), count),
    }
    total = sum(
        yen * instalments * n for (yen, instalments), n in zip(kinds.tolist(), heads.tolist(), strict=True)
    )
    return Run(batch, {DEMAND: own}, count, {"overdue_total_yen": total}, {"overdue_count": overdue})


def _due_dates(table: PremiumTable, decided_on: date) -> Column:
    """The due dates of this year and last, up to those a reminder went out for."""
    year = table.fiscal_year
    days = [due_on(of, month) for of in (year - 1, year) for month in table.ordinary_months]
    return np.array([day for day in days if day < decided_on - timedelta(days=40)], dtype="datetime64[D]")


def _day(day: date, count: int) -> Column:
    return np.full(count, day, dtype="datetime64[D]")
