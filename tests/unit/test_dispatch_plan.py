"""Dispatch plans as a clerk would check them against a wall calendar, weekday written out."""

import shutil
from datetime import date, datetime
from pathlib import Path

import pytest
from tests.unit.test_named_calendars import at, day

from notice_cycle.business_calendar import Calendars
from notice_cycle.catalogue import load_notice
from notice_cycle.deadline_rules import Rules, load_deadlines
from notice_cycle.dispatch_plan import (
    DOCUMENTED_YEARS,
    Plan,
    arrival,
    as_document,
    due_moment,
    main,
    plan_annual,
    plan_from_opening,
    what_if,
)
from notice_cycle.errors import NotConfigured, Refused

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "include" / "config"
CALENDARS = Calendars.from_file()
DEADLINES = load_deadlines(CONFIG)
JULY = "premium_notice_ordinary"


def rules(notice: str = JULY, year: int = 2026, **plan: object) -> Rules:
    found = DEADLINES.rules(notice, year, "example_print")
    return found.model_copy(update={"plan": found.plan.model_copy(update=plan)})


def a_plan(notice: str = JULY, year: int = 2026, **plan: object) -> Plan:
    return plan_annual(load_notice(CONFIG, notice), year, rules(notice, year, **plan), CALENDARS)


def due(plan: Plan, milestone: str) -> datetime:
    return due_moment(plan.rules.milestone(milestone), plan, CALENDARS)


@pytest.mark.parametrize(
    ("notice", "year", "start", "handover", "delivery", "posting", "first_due"),
    [
        (JULY, 2026, "Wed 2026-07-01", "Mon 2026-07-06", "Wed 2026-07-15", "Thu 2026-07-16", "Fri 2026-07-31"),
        # 31 July 2027 is a Saturday: the first due date is Monday, 2 August
        (JULY, 2027, "Thu 2027-07-01", "Tue 2027-07-06", "Thu 2027-07-15", "Fri 2027-07-16", "Mon 2027-08-02"),
        # 1 July 2028 is a Saturday: the run starts on the 3rd, so posting keeps nine days instead of ten
        (JULY, 2028, "Mon 2028-07-03", "Wed 2028-07-05", "Fri 2028-07-14", "Tue 2028-07-18", "Mon 2028-07-31"),
        ("burden_certificate", 2026, "Wed 2026-07-01", "Wed 2026-07-15", "Mon 2026-07-27", "Tue 2026-07-28", None),
        ("burden_certificate", 2027, "Thu 2027-07-01", "Wed 2027-07-14", "Mon 2027-07-26", "Tue 2027-07-27", None),
        ("burden_certificate", 2028, "Mon 2028-07-03", "Thu 2028-07-13", "Tue 2028-07-25", "Wed 2028-07-26", None),
        ("provisional_notice", 2026, "Wed 2026-04-01", "Fri 2026-04-03", "Wed 2026-04-08", "Thu 2026-04-09", None),
        ("provisional_notice", 2027, "Thu 2027-04-01", "Mon 2027-04-05", "Thu 2027-04-08", "Fri 2027-04-09", None),
        ("provisional_notice", 2028, "Mon 2028-04-03", "Wed 2028-04-05", "Mon 2028-04-10", "Tue 2028-04-11", None),
    ],
)  # fmt: skip
def test_the_days_of_a_year(  # noqa: PLR0917
    notice: str, year: int, start: str, handover: str, delivery: str, posting: str, first_due: str | None
) -> None:
    plan = a_plan(notice, year)
    assert plan.start == at(f"{start} 09:00")
    assert (plan.handover, plan.delivery, plan.posting) == (day(handover), day(delivery), day(posting))
    assert plan.first_due == (day(first_due) if first_due else None)
    assert plan.conflicts(CALENDARS) == []


MILESTONES = [
    ("proof_first", "Mon 2026-06-01 17:00", "Tue 2027-06-01 17:00", "Wed 2028-05-31 17:00"),  # T-25
    ("year_settings", "Mon 2026-06-15 17:00", "Tue 2027-06-15 17:00", "Wed 2028-06-14 17:00"),  # T-15
    ("contract_gates", "Mon 2026-06-22 17:00", "Tue 2027-06-22 17:00", "Wed 2028-06-21 17:00"),  # T-10
    ("proof_final", "Mon 2026-06-22 17:00", "Tue 2027-06-22 17:00", "Wed 2028-06-21 17:00"),
    ("opening", "Wed 2026-07-01 10:00", "Thu 2027-07-01 10:00", "Mon 2028-07-03 10:00"),
    ("extraction", "Thu 2026-07-02 17:00", "Fri 2027-07-02 17:00", "Mon 2028-07-03 17:00"),
    ("validation", "Fri 2026-07-03 17:00", "Mon 2027-07-05 17:00", "Tue 2028-07-04 17:00"),
    ("approval", "Mon 2026-07-06 11:00", "Tue 2027-07-06 11:00", "Wed 2028-07-05 11:00"),
    ("handover", "Mon 2026-07-06 12:00", "Tue 2027-07-06 12:00", "Wed 2028-07-05 12:00"),
    ("receipt", "Mon 2026-07-06 16:00", "Tue 2027-07-06 16:00", "Wed 2028-07-05 16:00"),
    ("fallback", "Tue 2026-07-07 12:00", "Wed 2027-07-07 12:00", "Thu 2028-07-06 12:00"),
    ("passphrase", "Tue 2026-07-07 12:00", "Wed 2027-07-07 12:00", "Thu 2028-07-06 12:00"),
    ("content_receipt", "Tue 2026-07-07 17:00", "Wed 2027-07-07 17:00", "Thu 2028-07-06 17:00"),
    ("delivery", "Wed 2026-07-15 13:00", "Thu 2027-07-15 13:00", "Fri 2028-07-14 13:00"),
    ("posting", "Thu 2026-07-16 17:00", "Fri 2027-07-16 17:00", "Tue 2028-07-18 17:00"),  # 海の日 on Mon 2028-07-17
    ("print_log", "Tue 2026-07-21 17:00", "Wed 2027-07-21 17:00", "Thu 2028-07-20 17:00"),  # 海の日 on 20 and 19 July
    ("media_return", "Tue 2026-07-21 17:00", "Wed 2027-07-21 17:00", "Thu 2028-07-20 17:00"),
    ("erasure_report", "Thu 2026-07-23 17:00", "Fri 2027-07-23 17:00", "Mon 2028-07-24 17:00"),
    ("subcontractor_erasure", "Thu 2026-07-23 17:00", "Fri 2027-07-23 17:00", "Mon 2028-07-24 17:00"),
    ("erasure_confirmation", "Thu 2026-08-06 17:00", "Fri 2027-08-06 17:00", "Mon 2028-08-07 17:00"),
    ("closing", "Mon 2026-08-10 17:00", "Tue 2027-08-10 17:00", "Wed 2028-08-09 17:00"),
    ("erasure_year_end", "Wed 2027-03-31 17:00", "Fri 2028-03-31 17:00", "Fri 2029-03-30 17:00"),  # the 31st is a Saturday
]  # fmt: skip


@pytest.mark.parametrize(("milestone", "moments"), [(name, moments) for name, *moments in MILESTONES])
def test_every_milestone_of_july(milestone: str, moments: list[str]) -> None:
    assert [due(a_plan(year=year), milestone) for year in DOCUMENTED_YEARS] == [at(one) for one in moments]


def test_the_table_has_every_milestone_that_a_plan_has() -> None:
    of_requests = {"pullout_confirmation"}  # counts from a request that nobody plans
    assert {name for name, *_ in MILESTONES} == {one.id for one in rules().milestones} - of_requests


def test_the_confirmation_of_erasure_waits_out_no_bon_at_the_ward() -> None:
    # Fri 2027-08-06 +2: Mon 9th, Tue 10th; Wed 11th is 山の日; 13 and 14 August are the contractor's only
    assert due(a_plan(year=2027), "erasure_confirmation") == at("Fri 2027-08-06 17:00")
    assert due(a_plan(year=2027), "closing") == at("Tue 2027-08-10 17:00")


def test_printing_days_leave_out_the_contractors_summer() -> None:
    opened = plan_from_opening(
        "reminder", 2026, "example_print", rules("reminder"), CALENDARS, opened_at=at("Thu 2026-08-06 09:00")
    )
    assert opened.handover == day("Wed 2026-08-12")  # 山の日 on the 11th
    assert opened.delivery == day("Tue 2026-08-25")  # 13 and 14 August do not count
    assert opened.posting == day("Wed 2026-08-26")


@pytest.mark.parametrize(
    ("opened_at", "handover", "posting"),
    [
        ("Thu 2026-04-23 10:00", "Tue 2026-04-28", "Thu 2026-05-14"),  # over Golden Week
        ("Wed 2026-12-16 10:00", "Mon 2026-12-21", "Thu 2027-01-07"),  # over the year's end
        ("Mon 2026-09-14 10:00", "Thu 2026-09-17", "Fri 2026-10-02"),  # over the autumn holidays
    ],
)
def test_a_run_by_hand_counts_forward(opened_at: str, handover: str, posting: str) -> None:
    plan = plan_from_opening(
        "reminder", 2026, "example_print", rules("reminder"), CALENDARS, opened_at=at(opened_at)
    )
    assert (plan.handover, plan.posting) == (day(handover), day(posting))
    # What should have been prepared before is due on the first day, not in the past.
    assert due(plan, "year_settings") == at(f"{opened_at[:14]} 17:15")


def test_a_start_that_comes_after_the_extraction_is_due_is_told() -> None:
    ten_days = a_plan(year=2028, posting_before_first_due=10)
    assert ten_days.handover == day("Tue 2028-07-04")
    (sentence,) = ten_days.conflicts(CALENDARS)
    assert (
        "自動開始（7月3日（月）09:00）が、基幹系からの抽出の期限（6月30日（金）17:00）より後です" in sentence
    )


def test_a_notice_without_a_yearly_day_has_no_annual_plan() -> None:
    with pytest.raises(Refused, match="督促状"):
        a_plan("reminder")


# ---- what if


def test_one_day_late_is_one_day_late_at_the_post_office() -> None:
    then = what_if(a_plan(), 1, CALENDARS)
    assert (then.handover, then.delivery) == (day("Tue 2026-07-07"), day("Thu 2026-07-16"))
    assert (then.posting, then.arrives) == (day("Fri 2026-07-17"), day("Thu 2026-07-23"))
    assert [one.milestone.id for one in then.slipped if one.is_red] == [
        "approval",
        "handover",
        "fallback",
        "posting",
    ]
    assert then.safe == day("Mon 2026-07-06")


def test_no_slip_makes_nothing_red() -> None:
    assert [one for one in what_if(a_plan(), 0, CALENDARS).slipped if one.is_red] == []


def test_the_last_hand_over_still_arrives_before_the_first_due_date() -> None:
    plan = a_plan()
    last = what_if(plan, 1, CALENDARS).last
    assert last == day("Tue 2026-07-14")
    on_time, late = (
        arrival(CALENDARS.ward.shift(plan.handed_over(on, CALENDARS).delivery, 1), plan.rules, CALENDARS)
        for on in (last, day("Wed 2026-07-15"))
    )
    assert (on_time, late) == (day("Thu 2026-07-30"), day("Fri 2026-07-31"))  # due on Fri 2026-07-31


def test_an_actual_hand_over_moves_the_delivery_and_not_the_posting() -> None:
    late = a_plan().handed_over(day("Wed 2026-07-08"), CALENDARS)
    assert (late.delivery, late.posting) == (day("Fri 2026-07-17"), day("Thu 2026-07-16"))


# ---- overrides, mistakes


def changed(tmp_path: Path, old: str, new: str) -> Path:
    config = tmp_path / "config"
    config.mkdir()
    text = (CONFIG / "deadlines.yaml").read_text(encoding="utf-8")
    assert old in text
    (config / "deadlines.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    return config


def test_a_contractor_may_have_other_hours(tmp_path: Path) -> None:
    config = changed(
        tmp_path,
        "overrides:\n",
        "overrides:\n  - party: other_print\n    reason_ja: 夕方の便\n    milestones:\n"
        '      delivery: {offset: {days: 0, at: "16:00"}}\n      print_log: {drop: true}\n',
    )
    deadlines = load_deadlines(config)
    theirs, ours = (deadlines.rules("reminder", 2026, party) for party in ("other_print", "example_print"))
    assert f"{theirs.milestone('delivery').offset.at:%H:%M}" == "16:00"
    assert f"{ours.milestone('delivery').offset.at:%H:%M}" == "13:00"
    assert "print_log" not in {one.id for one in theirs.milestones}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("anchor: posting", "anchor: psoting", "posting"),
        ("stage: erasure", "stage: erasing", "erasing"),
        ("settled_by: [receipt]", "settled_by: []", "settled_by"),
        ('offset: {days: -2, at: "17:00"}', "offset: {days: -2}", "at（時刻）"),
        ("  - id: approval", "  - id: handover", "handover"),
        ("posting_before_first_due: 9", "posting_before: 9", "posting_before"),
        ("      year_settings: {anchor", "      yaer_settings: {anchor", "yaer_settings"),
        ("hours: 4, calendar", "hours: 4, days: 1, calendar", "hours"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(NotConfigured, match=r"deadlines\.yaml") as refused:
        load_deadlines(changed(tmp_path, old, new))
    assert says in str(refused.value)


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deadlines.yaml").write_text("plan: [", encoding="utf-8")
    with pytest.raises(NotConfigured, match="読めません"):
        load_deadlines(tmp_path)


# ---- the command and the document


def test_the_command_prints_the_plan_with_weekdays(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--notice", JULY, "--fiscal-year", "2026", "--slip", "1"]) == 0
    printed = capsys.readouterr().out
    assert "引渡しが1開庁日遅れて 7月7日（火） になると: 納品 7月16日（木）" in printed
    assert "納期限（届ける日）に間に合う最後の引渡し: 7月14日（火）" in printed
    assert "2026-07-16（木）17:00 → 2026-07-17（金）17:00　期限超過　郵便局への差出し" in printed


def test_the_command_says_in_japanese_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--notice", "reminder", "--fiscal-year", "2026"]) == 1
    assert "督促状" in capsys.readouterr().out


def test_the_document_is_current() -> None:
    """Run: python -m notice_cycle.dispatch_plan --document docs/dispatch-plan.md."""
    assert (ROOT / "docs" / "dispatch-plan.md").read_text(encoding="utf-8") == as_document(
        CONFIG, DOCUMENTED_YEARS
    )


def test_every_documented_day_is_a_day_on_which_somebody_is_there(tmp_path: Path) -> None:
    shutil.copytree(CONFIG, tmp_path / "config")
    for notice in (JULY, "premium_notice_special", "burden_certificate", "provisional_notice"):
        for year in DOCUMENTED_YEARS:
            plan = a_plan(notice, year)
            for one in plan.rules.milestones:
                moment = due_moment(one, plan, CALENDARS)
                assert CALENDARS.ward.is_business_day(moment.date()), (notice, year, one.id, moment)
                assert 9 <= moment.hour <= 17, (notice, year, one.id, moment)
            assert isinstance(plan.handover, date)
