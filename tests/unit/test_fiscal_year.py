from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from notice_cycle.fiscal_year import TOKYO, FiscalYear, era_date, tokyo_date


class Holder(BaseModel):
    fiscal_year: FiscalYear


def test_a_fiscal_year_runs_from_april_to_march() -> None:
    assert FiscalYear(2026).start == date(2026, 4, 1)
    assert FiscalYear(2026).end == date(2027, 3, 31)
    assert FiscalYear(2023).end == date(2024, 3, 31)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (date(2026, 3, 31), 2025),
        (date(2026, 4, 1), 2026),
        (date(2027, 1, 4), 2026),
        (datetime(2026, 3, 31, 14, 59, 59, tzinfo=UTC), 2025),  # 23:59:59 in Tokyo
        (datetime(2026, 3, 31, 15, 0, 0, tzinfo=UTC), 2026),  # midnight in Tokyo
        (datetime(2026, 4, 1, 0, 0, tzinfo=TOKYO), 2026),
    ],
)
def test_the_year_is_judged_in_tokyo(moment: date, expected: int) -> None:
    assert FiscalYear.of(moment) == FiscalYear(expected)
    assert moment in FiscalYear(expected)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        FiscalYear.of(datetime(2026, 4, 1, 9, 0))  # noqa: DTZ001


@given(st.dates(min_value=date(2000, 4, 1), max_value=date(2099, 12, 31)))
def test_every_day_lies_between_its_years_first_and_last(day: date) -> None:
    year = FiscalYear.of(day)
    assert year.start <= day <= year.end


def test_fiscal_years_are_ordered_hashable_and_frozen() -> None:
    assert FiscalYear(2025) < FiscalYear(2026)
    assert len({FiscalYear(2026), FiscalYear(2026)}) == 1
    assert str(FiscalYear(2026)) == "2026"
    with pytest.raises(AttributeError):
        FiscalYear(2026).year = 2027  # type: ignore[misc]


@pytest.mark.parametrize("wrong", [26, 20260, 1999, True, "2026", 2026.0])
def test_what_is_no_fiscal_year_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError):
        FiscalYear(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("year", "label"),
    [(2018, "平成30年度"), (2019, "令和元年度"), (2020, "令和2年度"), (2026, "令和8年度")],
)
def test_label_in_japanese(year: int, label: str) -> None:
    assert FiscalYear(year).label_ja == label


def test_in_a_model_it_is_an_int_in_json() -> None:
    held = Holder(fiscal_year=FiscalYear(2026))
    assert held.model_dump_json() == '{"fiscal_year":2026}'
    assert held.model_dump(mode="json") == {"fiscal_year": 2026}
    assert Holder.model_validate_json('{"fiscal_year":2026}') == held
    assert Holder.model_validate({"fiscal_year": 2026}) == held
    assert Holder.model_json_schema()["properties"]["fiscal_year"]["type"] == "integer"
    with pytest.raises(ValidationError):
        Holder.model_validate_json('{"fiscal_year":26}')


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 7, 1), "令和8年7月1日"),
        (date(2019, 5, 1), "令和元年5月1日"),
        (date(2019, 4, 30), "平成31年4月30日"),
        (date(1989, 1, 8), "平成元年1月8日"),
        (date(1989, 1, 7), "昭和64年1月7日"),
        (date(1926, 12, 25), "昭和元年12月25日"),
        (date(1926, 12, 24), "大正15年12月24日"),
        (date(1912, 7, 30), "大正元年7月30日"),
        (date(1912, 7, 29), "明治45年7月29日"),
        (date(1873, 1, 1), "明治6年1月1日"),
    ],
)
def test_era_dates(day: date, expected: str) -> None:
    assert era_date(day) == expected


def test_era_dates_begin_with_the_gregorian_calendar_and_take_dates_only() -> None:
    with pytest.raises(ValueError, match="1873"):
        era_date(date(1872, 12, 31))
    with pytest.raises(TypeError):
        era_date(datetime(2026, 7, 1, tzinfo=UTC))
    assert era_date(tokyo_date(datetime(2026, 6, 30, 15, 0, tzinfo=UTC))) == "令和8年7月1日"
