"""Amounts: every yen is worked out again from the premium table in force, by the rules of `premiums`.

No amount, no month and no rounding is known here by itself.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from notice_cycle.premiums import FIRST_MONTH_OF_FISCAL_YEAR, MONTHS_A_YEAR
from notice_cycle.validation.facts import Facts
from notice_cycle.validation.rows import Days, Kept, Rows, Whole

_NO_SUCH_STAGE = -1


def stage_known(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """A stage of the table."""
    stage = rows.whole(column)
    return (stage >= 1) & (stage <= len(facts.premiums.stages))


def threshold_in_force(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """The income threshold of this year, not last year's."""
    return rows.whole(column) == facts.premiums.national_income_threshold.yen


def stage_amount(rows: Rows, facts: Facts, *, stage: str, amount: str) -> Kept:
    """The annual amount of the stage."""
    in_full = _stage_yen(facts, rows.whole(stage))
    return (in_full >= 0) & (rows.whole(amount) == in_full)


def annual_amount(rows: Rows, facts: Facts, *, stage: str, months: str, amount: str) -> Kept:
    """The stage's amount for so many months, rounded down to the unit."""
    unit, in_full, count = (
        facts.premiums.rounding_unit_yen,
        _stage_yen(facts, rows.whole(stage)),
        rows.whole(months),
    )
    expected = in_full * count // MONTHS_A_YEAR // unit * unit
    return (in_full >= 0) & (count >= 0) & (count <= MONTHS_A_YEAR) & (rows.whole(amount) == expected)


def _stage_yen(facts: Facts, stage: Whole) -> Whole:
    table = np.array([_NO_SUCH_STAGE, *(row.annual_yen for row in facts.premiums.stages)])
    return table[np.where((stage < 0) | (stage >= len(table)), 0, stage)]


def months_agree(rows: Rows, facts: Facts, *, acquired: str, lost: str, months: str) -> Kept:
    """The months of this year from the month of acquisition to the one before the loss."""
    acquired_on, lost_on = rows.day(acquired), rows.day_or_none(lost)
    opening = _month(np.array(f"{facts.fiscal_year}-{FIRST_MONTH_OF_FISCAL_YEAR:02d}", "M8[M]"))
    closing = opening + MONTHS_A_YEAR
    start = np.maximum(_month(acquired_on), opening)
    end = np.where(np.isnat(lost_on), closing, np.minimum(_month(lost_on), closing))
    in_order = np.isnat(lost_on) | (lost_on >= acquired_on)
    return in_order & (np.maximum(end - start, 0) == rows.whole(months))


def _month(day: Days) -> Whole:
    return day.astype("M8[M]").astype(np.int64)


def adds_up(rows: Rows, facts: Facts, *, parts: Sequence[str], total: str) -> Kept:
    """The parts add up to the total."""
    return reduce(add, rows.wholes(parts)) == rows.whole(total)


def no_negative(rows: Rows, facts: Facts, *, columns: Sequence[str]) -> Kept:
    """Nothing below nought."""
    return reduce(np.minimum, rows.wholes(columns)) >= 0


def whole_units(rows: Rows, facts: Facts, *, columns: Sequence[str]) -> Kept:
    """Every amount in whole units of the table's rounding."""
    unit = facts.premiums.rounding_unit_yen
    rest = (amount % unit for amount in rows.wholes(columns))
    return reduce(np.bitwise_or, rest) == 0


def remainder_in_place(rows: Rows, facts: Facts, *, columns: Sequence[str], total: str) -> Kept:
    """Equal shares from the first instalment with an amount on, and the remainder where the table puts it."""
    amounts = np.stack(rows.wholes(columns), axis=1)
    slots, unit = len(columns), facts.premiums.rounding_unit_yen
    paid = amounts > 0
    first = paid.argmax(axis=1)
    open_slots = slots - first
    share = rows.whole(total) // open_slots // unit * unit
    rest = rows.whole(total) - share * open_slots
    takes_rest = first if facts.premiums.remainder_to == "first" else np.full(len(rows), slots - 1)
    expected = np.where(np.arange(slots) >= first[:, None], share[:, None], 0)
    expected[np.arange(len(rows)), takes_rest] += rest
    return (amounts == expected).all(axis=1)


def nearly_equal(rows: Rows, facts: Facts, *, columns: Sequence[str], within_units: int) -> Kept:
    """The amounts differ by no more than so many units."""
    amounts = rows.wholes(columns)
    spread = reduce(np.maximum, amounts) - reduce(np.minimum, amounts)
    return spread <= within_units * facts.premiums.rounding_unit_yen


def only_months_in_table(rows: Rows, facts: Facts, *, columns: Sequence[str], collection: str) -> Kept:
    """No amount in a month in which the table collects nothing. A column's name ends with its month."""
    table = facts.premiums
    months = table.ordinary_months if collection == "ordinary" else table.special_months
    outside = [rows.whole(name) for name in columns if int(name.rsplit("_", 1)[1]) not in months]
    return reduce(np.bitwise_or, outside, np.zeros(len(rows), dtype=np.int64)) == 0


def different_number(rows: Rows, facts: Facts, *, left: str, right: str) -> Kept:
    """Two columns hold different numbers."""
    return rows.whole(left) != rows.whole(right)


CHECKS = (
    stage_known,
    threshold_in_force,
    stage_amount,
    annual_amount,
    months_agree,
    adds_up,
    no_negative,
    whole_units,
    remainder_in_place,
    nearly_equal,
    only_months_in_table,
    different_number,
)
