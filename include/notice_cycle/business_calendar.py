"""Business days: the ward's, each contractor's and the post's, and counting by them.

The ward is closed on Saturdays, Sundays, public holidays (国民の祝日に関する法律, through the library
`holidays`), 29 December to 3 January, and on its own closures from calendar.yaml. A contractor's working
days and the days on which the post delivers are named calendars of the same file. Everything here is pure:
the caller says which day it asks about. Half days are not known here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, StringConstraints, field_validator

from notice_cycle import clock
from notice_cycle.errors import NotConfigured
from notice_cycle.values import Frozen

CALENDAR_FILE = Path(__file__).parents[1] / "config" / "calendar.yaml"

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5
_WEEKEND = {_SATURDAY: "土曜日", _SATURDAY + 1: "日曜日"}
_YEAR_END = {(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)}
_YEARLY = dict.fromkeys(_YEAR_END, "年末年始")

WARD, CONTRACTOR, POST = "ward", "contractor", "post"


class Hours(Frozen):
    """When somebody is there on a business day, Tokyo time."""

    opens: time
    closes: time


@dataclass(frozen=True)
class BusinessCalendar:
    """Answers for one house, the ward's unless told otherwise.

    `closures`: the days it closes besides the rest, each with its reason. `yearly`: (month, day) with reason.
    """

    closures: Mapping[date, str] = field(default_factory=dict)
    yearly: Mapping[tuple[int, int], str] = field(default_factory=lambda: _YEARLY)
    open_on_saturdays: bool = False
    open_on_public_holidays: bool = False
    hours: Hours = field(default_factory=lambda: Hours(opens=time(8, 30), closes=time(17, 15)))

    @classmethod
    def from_file(cls, path: Path = CALENDAR_FILE) -> "BusinessCalendar":
        """The ward's, from calendar.yaml. Raises NotConfigured naming the file and the field."""
        return cls(closures=read_calendar_file(path).closures)

    def why_closed(self, day: date) -> str | None:
        """海の日, 年末年始, 日曜日 …; None on a business day. The most particular reason wins."""
        if isinstance(day, datetime):
            raise TypeError("a business day is asked of a date; say which time zone's date is meant")
        weekend = (
            None if day.weekday() == _SATURDAY and self.open_on_saturdays else _WEEKEND.get(day.weekday())
        )
        return (
            self.closures.get(day)
            or (None if self.open_on_public_holidays else public_holidays(day.year).get(day))
            or self.yearly.get((day.month, day.day))
            or weekend
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

    def shift_hours(self, moment: datetime, hours: int) -> datetime:
        """`hours` of presence after `moment` (before it if negative): nobody is expected to answer at night.

        Counted from the house's next open minute; the end of a day and the next opening are the same instant,
        told as the end of the day going forward.
        """
        left = timedelta(hours=abs(hours))
        now = moment.astimezone(clock.TOKYO)
        day, forward = now.date(), hours >= 0
        while True:
            if self.is_business_day(day):
                opens = datetime.combine(day, self.hours.opens, clock.TOKYO)
                closes = datetime.combine(day, self.hours.closes, clock.TOKYO)
                begin = min(max(now, opens), closes)
                there = closes - begin if forward else begin - opens
                if left <= there:
                    return begin + left if forward else begin - left
                left -= there
            day += _ONE_DAY if forward else -_ONE_DAY
            now = datetime.combine(day, time.min if forward else time.max, clock.TOKYO)


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


MonthDay = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


class HouseCalendar(Frozen):
    """A named calendar: what is open besides weekdays, and what closes besides weekends and holidays.

    `closures` names single days; `yearly` days that close every year, as `MM-DD`.
    """

    label_ja: str
    open_on: frozenset[Literal["土曜日", "祝日"]] = frozenset()
    yearly: dict[MonthDay, str] = Field(default_factory=dict)
    closures: dict[date, str] = Field(default_factory=dict)
    hours: Hours

    def calendar(self) -> BusinessCalendar:
        """The calendar that answers."""
        return BusinessCalendar(
            closures=self.closures,
            yearly={(int(day[:2]), int(day[3:])): reason for day, reason in self.yearly.items()},
            open_on_saturdays="土曜日" in self.open_on,
            open_on_public_holidays="祝日" in self.open_on,
            hours=self.hours,
        )


class CalendarFile(Frozen):
    """calendar.yaml as it stands. A calendar named by a party's id is that contractor's own."""

    closures: dict[date, str]
    calendars: dict[str, HouseCalendar] = Field(default_factory=dict)
    public_holidays: CheckedHolidays

    @field_validator("calendars")
    @classmethod
    def _ward_stands_apart(cls, calendars: dict[str, HouseCalendar]) -> dict[str, HouseCalendar]:
        if WARD in calendars:
            raise ValueError("区の閉庁日は closures に書いてください")
        return calendars


@dataclass(frozen=True)
class Calendars:
    """All calendars of a deployment. Without a file every house keeps the ward's days."""

    ward: BusinessCalendar = field(default_factory=BusinessCalendar)
    houses: Mapping[str, BusinessCalendar] = field(default_factory=dict)

    @classmethod
    def from_file(cls, path: Path = CALENDAR_FILE) -> "Calendars":
        """Reads calendar.yaml. Raises NotConfigured naming the file and the field."""
        read = read_calendar_file(path)
        return cls(
            ward=BusinessCalendar(closures=read.closures),
            houses={name: house.calendar() for name, house in read.calendars.items()},
        )

    def of(self, name: str, *, party: str = "") -> BusinessCalendar:
        """The calendar `name`; for `contractor` the party's own, if it has one. Unknown names: the ward's."""
        if name == CONTRACTOR and party in self.houses:
            return self.houses[party]
        return self.houses.get(name, self.ward)


def read_calendar_file(path: Path = CALENDAR_FILE) -> CalendarFile:
    """Reads and checks calendar.yaml. Raises NotConfigured naming the file and the field."""
    try:
        return CalendarFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise NotConfigured(
            f"開庁日カレンダー {path.name} を読めません: {error}",
            advice=f"{path.name} の該当箇所を直し、検査を通してから配置してください。",
        ) from error
