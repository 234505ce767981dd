"""The ward's business days: which days the office is open, and counting by them.

Closed are Saturdays, Sundays, public holidays (国民の祝日に関する法律, through the library `holidays`),
29 December to 3 January, and the ward's own closures from calendar.yaml. Everything here is pure: the
caller says which day it asks about. Half days and a section's own hours are not known here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import yaml

from notice_cycle.errors import NotConfigured
from notice_cycle.values import Frozen

CALENDAR_FILE = Path(__file__).parents[1] / "config" / "calendar.yaml"

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5
_WEEKEND = {_SATURDAY: "土曜日", _SATURDAY + 1: "日曜日"}
_YEAR_END = {(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)}


@dataclass(frozen=True)
class BusinessCalendar:
    """Answers for one ward. `closures`: the days it closes besides the law's, each with its reason."""

    closures: Mapping[date, str] = field(default_factory=dict)

    @classmethod
    def from_file(cls, path: Path = CALENDAR_FILE) -> "BusinessCalendar":
        """Reads calendar.yaml. Raises NotConfigured naming the file and the field."""
        return cls(closures=read_calendar_file(path).closures)

    def why_closed(self, day: date) -> str | None:
        """海の日, 年末年始, 日曜日 …; None on a business day. The most particular reason wins."""
        if isinstance(day, datetime):
            raise TypeError("a business day is asked of a date; say which time zone's date is meant")
        return (
            self.closures.get(day)
            or public_holidays(day.year).get(day)
            or ("年末年始" if (day.month, day.day) in _YEAR_END else None)
            or _WEEKEND.get(day.weekday())
        )

    def is_business_day(self, day: date) -> bool:
        """Whether the ward office is open."""
        return self.why_closed(day) is None

    def next_business_day(self, day: date) -> date:
        """`day` itself if open, otherwise the first open day after it."""
        while not self.is_business_day(day):
            day += _ONE_DAY
        return day

    def previous_business_day(self, day: date) -> date:
        """`day` itself if open, otherwise the last open day before it."""
        while not self.is_business_day(day):
            day -= _ONE_DAY
        return day

    def shift(self, day: date, business_days: int) -> date:
        """The n-th open day after `day` (before it if negative); `day` is not counted (民法第140条).

        Zero: next_business_day(day).
        """
        if business_days == 0:
            return self.next_business_day(day)
        step = _ONE_DAY if business_days > 0 else -_ONE_DAY
        for _ in range(abs(business_days)):
            day += step
            while not self.is_business_day(day):
                day += step
        return day

    def first_business_day(self, year: int, month: int) -> date:
        """The month's first open day."""
        return self.next_business_day(date(year, month, 1))

    def business_days_between(self, start: date, end: date) -> int:
        """How many open days lie after `start` up to and including `end`; negative if `end` is earlier.

        For an open `end` it undoes shift: shift(start, business_days_between(start, end)) == end.
        """
        step = _ONE_DAY if end >= start else -_ONE_DAY
        count = sum(self.is_business_day(start + step * nth) for nth in range(1, abs((end - start).days) + 1))
        return count if end >= start else -count


@cache
def public_holidays(year: int) -> Mapping[date, str]:
    """Japan's public holidays of a calendar year with 振替休日 and 国民の休日, by the library."""
    from holidays.countries.japan import Japan

    return dict(Japan(years=year, language="ja"))


def holiday_differences(checked: Mapping[date, str]) -> list[str]:
    """Compares a checked list with the library over the list's years; one Japanese line a difference."""
    years = {day.year for day in checked}
    calculated = {day: name for year in years for day, name in public_holidays(year).items()}
    return [
        f"{day.isoformat()} 一覧: {checked.get(day, 'なし')} / ライブラリー: {calculated.get(day, 'なし')}"
        for day in sorted(checked.keys() | calculated.keys())
        if checked.get(day) != calculated.get(day)
    ]


class CheckedHolidays(Frozen):
    """Public holidays as a person checked them: when, against what, and the days."""

    checked_on: date
    sources: tuple[str, ...]
    days: dict[date, str]


class CalendarFile(Frozen):
    """calendar.yaml as it stands."""

    closures: dict[date, str]
    public_holidays: CheckedHolidays


def read_calendar_file(path: Path = CALENDAR_FILE) -> CalendarFile:
    """Reads and checks calendar.yaml. Raises NotConfigured naming the file and the field."""
    try:
        return CalendarFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise NotConfigured(
            f"開庁日カレンダー {path.name} を読めません: {error}",
            advice=f"{path.name} の該当箇所を直し、検査を通してから配置してください。",
        ) from error
