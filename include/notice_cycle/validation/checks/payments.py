"""Collection and payment: how a premium is taken, what stands on slips, what was paid."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pyarrow.compute as pc

from notice_cycle.premiums import FIRST_MONTH_OF_FISCAL_YEAR
from notice_cycle.validation.facts import Facts
from notice_cycle.validation.rows import Kept, Rows

_STARTS_AFTER = {4: 4, 5: 4, 6: 4, 7: 4, 8: 4, 9: 4, 10: 6, 11: 6, 12: 8, 1: 8, 2: 10, 3: 10}
"""Month of acquisition → the month in which the pension deduction can begin."""
_START_OF_MONTH = np.array([0, *(_STARTS_AFTER[month] for month in range(1, 13))])


def zero_when(rows: Rows, facts: Facts, *, when: str, value: str, columns: Sequence[str]) -> Kept:
    """Where `when` has the value, all these amounts are nought."""
    return ~_has(rows, when, value) | (reduce(np.bitwise_or, rows.wholes(columns)) == 0)


def positive_when(rows: Rows, facts: Facts, *, when: str, value: str, columns: Sequence[str]) -> Kept:
    """Where `when` has the value, all these amounts are more than nought."""
    return ~_has(rows, when, value) | (reduce(np.minimum, rows.wholes(columns)) > 0)


def equal_when(
    rows: Rows, facts: Facts, *, when: str, value: str, left: Sequence[str], right: Sequence[str]
) -> Kept:
    """Where `when` has the value, each amount on the left equals the one at its place on the right."""
    pairs = zip(rows.wholes(left), rows.wholes(right), strict=True)
    return ~_has(rows, when, value) | (reduce(np.bitwise_or, (one ^ other for one, other in pairs)) == 0)


def _has(rows: Rows, column: str, value: str) -> Kept:
    return pc.equal(rows.text(column), value).to_numpy(zero_copy_only=False)


def subtracts(rows: Rows, facts: Facts, *, whole: str, part: str, rest: str) -> Kept:
    """What is left of the whole after the part."""
    return rows.whole(whole) - rows.whole(part) == rows.whole(rest)


def special_not_too_early(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """Who became insured from April on cannot be collected from the pension within the same fiscal year."""
    return rows.day(column) < np.datetime64(f"{facts.fiscal_year}-{FIRST_MONTH_OF_FISCAL_YEAR:02d}-01", "D")


def special_start_month(rows: Rows, facts: Facts, *, acquired: str, month: str, years: int) -> Kept:
    """The starting month follows from the month of acquisition; looked at within so many years of the acquisition.

    Later starts have other causes (a pension that rose, a move within the ward), so they are let through.
    """
    acquired_on = rows.day(acquired)
    calendar_month = acquired_on.astype("M8[M]").astype(np.int64) % 12 + 1
    recent = acquired_on >= facts.reference_day - np.timedelta64(365 * years, "D")
    expected = _START_OF_MONTH[np.where(np.isnat(acquired_on), 0, calendar_month)]
    return ~recent | (rows.whole(month) == expected)


def provisional_as_february(
    rows: Rows, facts: Facts, *, columns: Sequence[str], february: str, smoothed: str
) -> Kept:
    """Each provisional deduction is last February's, unless the amounts were smoothed (平準化)."""
    last = rows.whole(february)
    return rows.flag(smoothed) | (reduce(np.bitwise_or, (one ^ last for one in rows.wholes(columns))) == 0)


CHECKS = (
    zero_when,
    positive_when,
    equal_when,
    subtracts,
    special_not_too_early,
    special_start_month,
    provisional_as_february,
)
