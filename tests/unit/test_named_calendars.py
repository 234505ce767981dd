"""The contractor's working days, the post's delivery days, and hours of presence."""

from datetime import date, datetime
from pathlib import Path

import pytest

from notice_cycle.business_calendar import CALENDAR_FILE, CONTRACTOR, POST, WARD, Calendars
from notice_cycle.clock import TOKYO
from notice_cycle.errors import NotConfigured

CALENDARS = Calendars.from_file()


def day(written: str) -> date:
    """'Fri 2026-07-17' with the weekday checked."""
    found = date.fromisoformat(written[4:])
    assert f"{found:%a}" == written[:3], f"{written}: the weekday is {found:%a}"
    return found


def at(written: str) -> datetime:
    """'Fri 2026-07-17 12:00' in Tokyo."""
    return datetime.combine(day(written[:14]), datetime.strptime(written[15:], "%H:%M").time(), TOKYO)  # noqa: DTZ007


@pytest.mark.parametrize(
    ("written", "ward", "contractor", "post"),
    [
        ("Wed 2026-07-01", True, True, True),
        ("Sat 2026-07-04", False, False, False),  # no letters on Saturdays since 2021
        ("Mon 2026-07-20", False, False, False),  # 海の日
        ("Thu 2026-08-13", True, False, True),  # the contractor's summer days: the ward is open
        ("Fri 2026-08-14", True, False, True),
        ("Tue 2026-12-29", False, False, True),  # the post delivers to the end of the year
        ("Thu 2026-12-31", False, False, True),
        ("Fri 2027-01-01", False, False, False),
        ("Sat 2027-01-02", False, False, False),
        ("Mon 2027-01-04", True, False, True),  # the contractor begins a day later
        ("Tue 2028-01-04", True, False, True),
        ("Mon 2028-01-03", False, False, False),
    ],
)
def test_each_house_has_its_own_days(written: str, ward: bool, contractor: bool, post: bool) -> None:
    named = [CALENDARS.of(name).is_business_day(day(written)) for name in (WARD, CONTRACTOR, POST)]
    assert named == [ward, contractor, post]


@pytest.mark.parametrize(
    ("posted", "arrives"),
    [
        ("Thu 2026-07-16", "Wed 2026-07-22"),  # three delivery days over 海の日
        ("Mon 2026-07-13", "Thu 2026-07-16"),
        ("Fri 2026-10-02", "Wed 2026-10-07"),  # no Saturday
        ("Mon 2026-12-28", "Thu 2026-12-31"),
        ("Tue 2026-12-29", "Mon 2027-01-04"),
    ],
)
def test_mail_arrives_on_the_third_delivery_day(posted: str, arrives: str) -> None:
    assert CALENDARS.of(POST).shift(day(posted), 3) == day(arrives)


@pytest.mark.parametrize(
    ("moment", "hours", "expected"),
    [
        ("Mon 2026-07-06 12:00", 4, "Mon 2026-07-06 16:00"),
        ("Mon 2026-07-06 13:30", 4, "Mon 2026-07-06 17:30"),  # exactly when they go home
        ("Mon 2026-07-06 16:00", 4, "Tue 2026-07-07 11:30"),
        ("Fri 2026-07-17 17:00", 4, "Tue 2026-07-21 12:30"),  # a weekend and 海の日
        ("Sat 2026-07-18 12:00", 4, "Tue 2026-07-21 13:00"),
        ("Mon 2026-07-06 07:00", 1, "Mon 2026-07-06 10:00"),  # nobody is there before nine
        ("Mon 2026-07-06 22:00", 1, "Tue 2026-07-07 10:00"),
        ("Wed 2026-08-12 16:30", 2, "Mon 2026-08-17 10:00"),  # over the summer days
        ("Mon 2026-12-28 17:00", 1, "Tue 2027-01-05 09:30"),  # over the year's end
        ("Mon 2026-07-06 16:00", -2, "Mon 2026-07-06 14:00"),
        ("Tue 2026-07-21 10:00", -2, "Fri 2026-07-17 16:30"),
    ],
)
def test_hours_are_counted_while_somebody_is_there(moment: str, hours: int, expected: str) -> None:
    assert CALENDARS.of(CONTRACTOR).shift_hours(at(moment), hours) == at(expected)


def written(tmp_path: Path, old: str, new: str) -> Path:
    path = tmp_path / "calendar.yaml"
    shipped = CALENDAR_FILE.read_text(encoding="utf-8")
    assert old in shipped
    path.write_text(shipped.replace(old, new, 1), encoding="utf-8")
    return path


def test_a_contractor_may_have_days_of_its_own(tmp_path: Path) -> None:
    own = (
        "calendars:\n  other_print:\n    label_ja: 別の会社\n    open_on: [土曜日, 祝日]\n"
        '    hours: {opens: "08:00", closes: "20:00"}\n    closures:\n      2026-07-08: 創業記念日\n'
    )
    calendars = Calendars.from_file(written(tmp_path, "calendars:\n", own))
    other = calendars.of(CONTRACTOR, party="other_print")
    assert other.is_business_day(day("Sat 2026-07-04"))
    assert not other.is_business_day(day("Sun 2026-07-05"))
    assert other.is_business_day(day("Mon 2026-07-20"))
    assert other.why_closed(day("Wed 2026-07-08")) == "創業記念日"
    assert not calendars.of(CONTRACTOR, party="example_print").is_business_day(day("Sat 2026-07-04"))


def test_a_closure_of_the_ward_closes_nobody_else(tmp_path: Path) -> None:
    calendars = Calendars.from_file(written(tmp_path, "closures: {}", "closures:\n  2026-07-08: 点検"))
    assert not calendars.ward.is_business_day(day("Wed 2026-07-08"))
    assert calendars.of(CONTRACTOR).is_business_day(day("Wed 2026-07-08"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  contractor:", "  ward:"),
        ("08-13:", "8-13:"),
        ("08-13:", "13-01:"),
        ("label_ja: 委託", "lable_ja: 委託"),
    ],
)
def test_a_mistake_in_a_named_calendar_is_refused(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(NotConfigured, match=r"calendar\.yaml"):
        Calendars.from_file(written(tmp_path, old, new))
