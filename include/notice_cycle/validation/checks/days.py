"""Days and moments: of a life, of due dates, and against the day of 基準日時. No clock is read."""

from collections.abc import Sequence

import numpy as np

from notice_cycle.premiums import FIRST_MONTH_OF_FISCAL_YEAR, MONTHS_A_YEAR
from notice_cycle.validation.facts import Facts
from notice_cycle.validation.rows import Days, Kept, Rows

_ATTAINED = 65 * MONTHS_A_YEAR
_TOKYO = np.timedelta64(9, "h")  # Japan has no summer time
_ONE_DAY = np.timedelta64(1, "D")


def age_between(rows: Rows, facts: Facts, *, birth: str, minimum: int, maximum: int) -> Kept:
    """So many years old on the reference day; a year of age is attained on the eve of the birthday."""
    born, today = rows.day(birth), facts.reference_day
    return (_attained(born, minimum) <= today) & (_attained(born, maximum + 1) > today)


def acquired_at_65(rows: Rows, facts: Facts, *, birth: str, acquired: str) -> Kept:
    """Acquired on the eve of the 65th birthday, or later."""
    return rows.day(acquired) >= _attained(rows.day(birth), 65)


def _attained(born: Days, years: int) -> Days:
    """The eve of a birthday (年齢計算ニ関スル法律); born on 29 February, in a common year 28 February."""
    month = born.astype("M8[M]")
    day_of_month = born - month.astype("M8[D]")
    later = month + np.timedelta64(years * MONTHS_A_YEAR, "M")
    eve: Days = later.astype("M8[D]") + day_of_month - _ONE_DAY
    return eve


def lost_after(rows: Rows, facts: Facts, *, acquired: str, lost: str) -> Kept:
    """Lost later than acquired, if lost at all."""
    lost_on = rows.day_or_none(lost)
    return np.isnat(lost_on) | (lost_on > rows.day(acquired))


def before(rows: Rows, facts: Facts, *, earlier: str, later: str) -> Kept:
    """One day lies before the other."""
    return rows.day(earlier) < rows.day(later)


def not_after(rows: Rows, facts: Facts, *, earlier: str, later: str) -> Kept:
    """One day lies before the other, or is the same."""
    return rows.day(earlier) <= rows.day(later)


def due_date(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """One of the year's due dates, all of them business days of the ward."""
    return np.isin(rows.day(column), _due(facts))


def due_of_first_amount(rows: Rows, facts: Facts, *, columns: Sequence[str], due: str) -> Kept:
    """The due date of the first instalment with an amount."""
    paid = np.stack(rows.wholes(columns), axis=1) > 0
    return paid.any(axis=1) & (_due(facts)[paid.argmax(axis=1)] == rows.day(due))


def due_of_instalment(rows: Rows, facts: Facts, *, year: str, instalment: str, due: str) -> Kept:
    """The due date of an instalment of this year; one of an earlier year's lies within that year or May after it."""
    levied, number, due_on = rows.whole(year), rows.whole(instalment), rows.day(due)
    known = _due(facts)
    this_years = known[np.clip(number, 1, len(known)) - 1]
    opening = (levied - 1970).astype("M8[Y]").astype("M8[M]") + FIRST_MONTH_OF_FISCAL_YEAR - 1
    earlier = (due_on >= opening.astype("M8[D]")) & (due_on < (opening + MONTHS_A_YEAR + 2).astype("M8[D]"))
    in_table = (number >= 1) & (number <= len(known))
    return in_table & np.where(levied == facts.fiscal_year, due_on == this_years, earlier)


def no_amount_past_due(rows: Rows, facts: Facts, *, columns: Sequence[str]) -> Kept:
    """Nothing is put on an instalment whose due date has passed on the reference day."""
    passed = _due(facts) < facts.reference_day
    kept = np.ones(len(rows), dtype=np.bool_)
    for name, is_past in zip(columns, passed, strict=True):
        if is_past:
            kept &= rows.whole(name) == 0
    return kept


def _due(facts: Facts) -> Days:
    return np.array(facts.due_on, dtype="M8[D]")


def day_of_year(rows: Rows, facts: Facts, *, column: str, month: int, day: int, years_later: int = 0) -> Kept:
    """This very day of the fiscal year's calendar year, or of a later one."""
    return rows.day(column) == np.datetime64(f"{facts.fiscal_year + years_later}-{month:02d}-{day:02d}", "D")


def days_from_reference(
    rows: Rows, facts: Facts, *, column: str, earliest: int | None = None, latest: int | None = None
) -> Kept:
    """So many days before (negative) or after the reference day, both included."""
    distance = rows.day(column) - facts.reference_day
    kept = ~np.isnat(distance)
    if earliest is not None:
        kept &= distance >= np.timedelta64(earliest, "D")
    if latest is not None:
        kept &= distance <= np.timedelta64(latest, "D")
    return kept


def weekday(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """Neither Saturday nor Sunday."""
    return np.is_busday(rows.day(column))


def moment_after_day(rows: Rows, facts: Facts, *, moment: str, day: str) -> Kept:
    """The moment lies on a later day in Tokyo."""
    return (rows.moment(moment) + _TOKYO).astype("M8[D]") > rows.day(day)


def moment_near_reference(rows: Rows, facts: Facts, *, column: str, days: int) -> Kept:
    """The moment lies within so many days of the reference day, before or after."""
    distance = (rows.moment(column) + _TOKYO).astype("M8[D]") - facts.reference_day
    return np.abs(distance) <= np.timedelta64(days, "D")


def year_within(rows: Rows, facts: Facts, *, column: str, years_back: int) -> Kept:
    """This fiscal year or one of so many before it."""
    year = rows.whole(column)
    return (year <= facts.fiscal_year) & (year >= facts.fiscal_year - years_back)


CHECKS = (
    age_between,
    acquired_at_65,
    lost_after,
    before,
    not_after,
    due_date,
    due_of_first_amount,
    due_of_instalment,
    no_amount_past_due,
    day_of_year,
    days_from_reference,
    weekday,
    moment_after_day,
    moment_near_reference,
    year_within,
)
