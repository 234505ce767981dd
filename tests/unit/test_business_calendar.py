"""The ward's calendar as tables a clerk can hold beside a wall calendar. Weekdays are checked."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notice_cycle.business_calendar import (
    CALENDAR_FILE,
    BusinessCalendar,
    holiday_differences,
    read_calendar_file,
)
from notice_cycle.errors import NotConfigured

CALENDAR = BusinessCalendar({date(2026, 8, 14): "庁舎電気設備点検"})
SOME_DAY = st.dates(min_value=date(2025, 1, 1), max_value=date(2030, 12, 31))


def day(written: str) -> date:
    """'Fri 2026-07-17' with the weekday checked."""
    found = date.fromisoformat(written[4:])
    assert f"{found:%a}" == written[:3], f"{written}: the weekday is {found:%a}"
    return found


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("Wed 2026-07-01", None),
        ("Sat 2026-07-04", "土曜日"),
        ("Sun 2026-07-05", "日曜日"),
        ("Mon 2026-07-20", "海の日"),
        ("Sun 2026-05-03", "憲法記念日"),
        ("Wed 2026-05-06", "振替休日"),
        ("Tue 2026-09-22", "国民の休日"),
        ("Mon 2027-03-22", "振替休日"),  # 春分の日 falls on a Sunday
        ("Mon 2026-12-28", None),
        ("Tue 2026-12-29", "年末年始"),
        ("Thu 2026-12-31", "年末年始"),
        ("Fri 2027-01-01", "元日"),
        ("Sun 2027-01-03", "年末年始"),
        ("Mon 2027-01-04", None),
        ("Thu 2026-08-13", None),
        ("Fri 2026-08-14", "庁舎電気設備点検"),
    ],
)
def test_why_the_office_is_closed(written: str, why: str | None) -> None:
    assert CALENDAR.why_closed(day(written)) == why
    assert CALENDAR.is_business_day(day(written)) is (why is None)


@pytest.mark.parametrize(
    ("written", "business_days", "expected"),
    [
        ("Wed 2026-07-01", 1, "Thu 2026-07-02"),
        ("Fri 2026-07-03", 1, "Mon 2026-07-06"),
        ("Fri 2026-07-17", 1, "Tue 2026-07-21"),  # 海の日
        ("Thu 2026-04-30", 2, "Thu 2026-05-07"),  # 連休: 3 to 6 May
        ("Fri 2026-09-18", 1, "Thu 2026-09-24"),  # 敬老の日, 国民の休日, 秋分の日
        ("Mon 2026-12-28", 1, "Mon 2027-01-04"),  # 年末年始
        ("Thu 2026-08-13", 1, "Mon 2026-08-17"),  # own closure on the 14th
        ("Wed 2026-07-01", 10, "Wed 2026-07-15"),
        ("Wed 2026-07-01", 15, "Thu 2026-07-23"),  # 海の日
        ("Tue 2026-07-21", -1, "Fri 2026-07-17"),  # 海の日, backwards
        ("Mon 2027-01-04", -2, "Fri 2026-12-25"),
        ("Wed 2026-07-01", 0, "Wed 2026-07-01"),
        ("Sat 2026-07-18", 0, "Tue 2026-07-21"),  # from a closed day: the next open one
        ("Sat 2026-07-18", 1, "Tue 2026-07-21"),  # and it counts as the first
        ("Sun 2026-07-19", -1, "Fri 2026-07-17"),
    ],
)
def test_shifting_by_business_days(written: str, business_days: int, expected: str) -> None:
    assert CALENDAR.shift(day(written), business_days) == day(expected)


@pytest.mark.parametrize(
    ("written", "following", "preceding"),
    [
        ("Fri 2026-07-17", "Fri 2026-07-17", "Fri 2026-07-17"),
        ("Sat 2026-07-18", "Tue 2026-07-21", "Fri 2026-07-17"),
        ("Sat 2026-10-31", "Mon 2026-11-02", "Fri 2026-10-30"),  # a payment date at a month's end
        ("Thu 2026-12-31", "Mon 2027-01-04", "Mon 2026-12-28"),
        ("Sun 2027-02-28", "Mon 2027-03-01", "Fri 2027-02-26"),
    ],
)
def test_next_and_previous_business_day(written: str, following: str, preceding: str) -> None:
    assert CALENDAR.next_business_day(day(written)) == day(following)
    assert CALENDAR.previous_business_day(day(written)) == day(preceding)


@pytest.mark.parametrize(
    ("year", "month", "expected"),
    [
        (2026, 7, "Wed 2026-07-01"),
        (2027, 7, "Thu 2027-07-01"),
        (2028, 7, "Mon 2028-07-03"),
        (2029, 7, "Mon 2029-07-02"),
        (2027, 1, "Mon 2027-01-04"),
        (2026, 5, "Fri 2026-05-01"),
        (2026, 8, "Mon 2026-08-03"),
    ],
)
def test_first_business_day_of_a_month(year: int, month: int, expected: str) -> None:
    assert CALENDAR.first_business_day(year, month) == day(expected)


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("Fri 2026-07-17", "Fri 2026-07-17", 0),
        ("Fri 2026-07-17", "Tue 2026-07-21", 1),  # 海の日
        ("Tue 2026-07-21", "Fri 2026-07-17", -1),
        ("Wed 2026-07-01", "Fri 2026-07-31", 21),
        ("Fri 2026-07-17", "Mon 2026-07-20", 0),  # ends on a closed day
        ("Mon 2026-12-28", "Tue 2027-01-05", 2),
    ],
)
def test_business_days_between(start: str, end: str, count: int) -> None:
    assert CALENDAR.business_days_between(day(start), day(end)) == count


@given(SOME_DAY, st.integers(min_value=-40, max_value=40))
def test_counting_undoes_shifting(start: date, business_days: int) -> None:
    start = CALENDAR.next_business_day(start)
    assert CALENDAR.business_days_between(start, CALENDAR.shift(start, business_days)) == business_days


def test_a_datetime_is_refused() -> None:
    with pytest.raises(TypeError):
        CALENDAR.is_business_day(datetime(2026, 7, 1, tzinfo=UTC))


def test_the_library_agrees_with_the_checked_list_of_public_holidays() -> None:
    checked = read_calendar_file().public_holidays.days
    assert {one.year for one in checked} == {2026, 2027, 2028, 2029}
    assert holiday_differences(checked) == []


def test_a_difference_is_named_with_its_day() -> None:
    checked = dict(read_calendar_file().public_holidays.days)
    del checked[date(2026, 9, 22)]
    checked[date(2027, 7, 19)] = "海の記念日"
    checked[date(2028, 5, 1)] = "新しい祝日"
    assert holiday_differences(checked) == [
        "2026-09-22 一覧: なし / ライブラリー: 国民の休日",
        "2027-07-19 一覧: 海の記念日 / ライブラリー: 海の日",
        "2028-05-01 一覧: 新しい祝日 / ライブラリー: なし",
    ]


def test_the_weekdays_written_in_the_file_are_right() -> None:
    lines = re.findall(r"(\d{4}-\d\d-\d\d): \S+  # (\S)", CALENDAR_FILE.read_text(encoding="utf-8"))
    assert lines
    assert all(
        "月火水木金土日"[date.fromisoformat(written).weekday()] == weekday for written, weekday in lines
    )


def test_the_wards_own_closures_come_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "calendar.yaml"
    shipped = CALENDAR_FILE.read_text(encoding="utf-8")
    path.write_text(shipped.replace("closures: {}", "closures:\n  2026-08-14: 点検"), encoding="utf-8")
    assert BusinessCalendar.from_file(path).why_closed(date(2026, 8, 14)) == "点検"


@pytest.mark.parametrize("content", ["closures: {2026-13-01: x}", "closed: {}", "- 1", "{", ""])
def test_a_broken_file_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "calendar.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(NotConfigured, match=r"calendar\.yaml"):
        BusinessCalendar.from_file(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"calendar\.yaml"):
        BusinessCalendar.from_file(tmp_path / "calendar.yaml")
