"""Japanese fiscal years and era dates.

A fiscal year runs from 1 April to 31 March and is named by the calendar year in which it begins. Which
one a moment belongs to is judged in Asia/Tokyo. The era table is our own, five rows: a new era is a new
row here. No clock inside; a naive datetime is refused.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from notice_cycle import clock

TOKYO = clock.TOKYO
FIRST_MONTH = 4
OLDEST, NEWEST = 2000, 2099  # 介護保険法 is in force since 1 April 2000; the upper end catches typing errors


@dataclass(frozen=True, order=True, slots=True)
class FiscalYear:
    """A fiscal year by the calendar year of its April, 2000-2099. In pydantic models an int in JSON."""

    year: int

    def __post_init__(self) -> None:
        if isinstance(self.year, bool) or not isinstance(self.year, int):
            raise ValueError("a fiscal year is a whole number")  # noqa: TRY004 - pydantic wants ValueError
        if not OLDEST <= self.year <= NEWEST:
            raise ValueError(f"a fiscal year lies between {OLDEST} and {NEWEST}")

    @classmethod
    def of(cls, moment: date) -> "FiscalYear":
        """The fiscal year of a date, or of an aware datetime as Tokyo sees it. Naive: ValueError."""
        day = tokyo_date(moment)
        return cls(day.year if day.month >= FIRST_MONTH else day.year - 1)

    @property
    def start(self) -> date:
        """1 April."""
        return date(self.year, FIRST_MONTH, 1)

    @property
    def end(self) -> date:
        """31 March of the next year, the last day that belongs to it."""
        return date(self.year + 1, FIRST_MONTH, 1) - timedelta(days=1)

    @property
    def label_ja(self) -> str:
        """令和8年度. The year of an era's change takes the new era's name (2019: 令和元年度)."""
        era = next(era for era in reversed(_ERAS) if era.first_day.year <= self.year)
        return f"{era.name}{_ordinal(self.year - era.first_day.year + 1)}年度"

    def __contains__(self, moment: date) -> bool:
        return FiscalYear.of(moment) == self

    def __str__(self) -> str:
        return str(self.year)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from_int = core_schema.no_info_after_validator_function(cls, core_schema.int_schema())
        return core_schema.json_or_python_schema(
            json_schema=from_int,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), from_int]),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda fiscal_year: fiscal_year.year, return_schema=core_schema.int_schema()
            ),
        )


def era_date(day: date) -> str:
    """令和8年7月1日 for a date. Before 1873 (the Gregorian calendar's first year in Japan): ValueError."""
    if isinstance(day, datetime):
        raise TypeError("era_date takes a date; convert a datetime with tokyo_date first")
    return f"{era_year(day)}{day.month}月{day.day}日"


def era_year(day: date) -> str:
    """令和8年 for a date; an era's first year is 元年."""
    if day < _GREGORIAN_SINCE:
        raise ValueError("era dates are given from 1 January 1873 on")
    era = next(era for era in reversed(_ERAS) if era.first_day <= day)
    return f"{era.name}{_ordinal(day.year - era.first_day.year + 1)}年"


def tokyo_date(moment: date) -> date:
    """A date as it is, an aware datetime as its date in Tokyo. A naive datetime: ValueError."""
    if not isinstance(moment, datetime):
        return moment
    if moment.utcoffset() is None:
        raise ValueError("a datetime must carry its time zone")
    return moment.astimezone(TOKYO).date()


class _Era(NamedTuple):
    name: str
    first_day: date


_ERAS = (
    _Era("明治", date(1868, 1, 25)),
    _Era("大正", date(1912, 7, 30)),
    _Era("昭和", date(1926, 12, 25)),
    _Era("平成", date(1989, 1, 8)),
    _Era("令和", date(2019, 5, 1)),
)
_GREGORIAN_SINCE = date(1873, 1, 1)


def _ordinal(year_of_era: int) -> str:
    return "元" if year_of_era == 1 else str(year_of_era)
