"""Reminders on the days a clerk would check: when they begin, when they grow louder, and what silences them."""

from datetime import date
from typing import Any

import pytest
from tests.builders import CYCLE, a_cycle, a_digest
from tests.unit.register.world import INSERT, JOB, NOTICE, PRINT, a_register, held

from notice_cycle import records as r
from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.exercise import LGWAN_DRILL
from notice_cycle.register.kinds import ZONES
from notice_cycle.register.reminders import REMINDERS, OpenErasure, Reminder, find_open_erasures, reminders
from notice_cycle.requirements import load_requirements

CALENDAR = BusinessCalendar()
REMINDER_JOB = "督促状等の印刷・封入封緘業務"
AUDITED = [
    held("audit", f"audited-{n}", "2026-04-01", None, party=party, job=job, fiscal_year=2026, by=by, held_on="2026-05-11", method="立入り", findings=0)
    for n, (party, job, by) in enumerate(
        [(PRINT, JOB, "甲"), (PRINT, REMINDER_JOB, "甲"), (INSERT, JOB, "甲"), (INSERT, JOB, "乙")]
    )
]  # fmt: skip
LOOKED = [
    *(held("entry_log_check", f"{party}-{n}", party=party, zone=zone, checked_on="2026-06-01", differences=0)
      for party in (PRINT, INSERT) for n, zone in enumerate(ZONES)),
    *(held("log_submission", f"{party}-{log}", party=party, log=log, submitted_on="2026-06-01", up_to="2026-05-31")
      for party in (PRINT, INSERT) for log in ("アクセスログ", "通信ログ")),
    held("account_review", "h1", reviewed_on="2026-06-01", closed_accounts=0),
    held("account_review", "h2", reviewed_on="2026-12-01", closed_accounts=0),
    held("exercise", "drill", exercise=LGWAN_DRILL, held_on="2026-05-20", findings=0),
    held("worker_notice", "w", contractor=PRINT, subcontractor=INSERT, fiscal_year=2026, notified_on="2026-04-10", former_too=True),
]  # fmt: skip


def on(day: date, kind: str | None = None, *, quiet: bool = True, **changes: Any) -> list[Reminder]:
    """The reminders of a day, of one kind; `quiet`: everything of the year has been done but what changes say."""
    plus = [*changes.pop("plus", ()), *([*AUDITED, *LOOKED] if quiet else ())]
    erasures = changes.pop("open_erasures", ())
    found = reminders(a_register(as_of=day, plus=plus, **changes), day, CALENDAR, erasures)
    return [one for one in found if kind is None or one.thing.split(":")[0] == kind]


def levels(day: date, kind: str, **changes: Any) -> list[str]:
    return [one.level for one in on(day, kind, **changes)]


def test_where_everything_was_done_nobody_is_reminded() -> None:
    for day in (date(2026, 6, 15), date(2026, 12, 31), date(2027, 3, 1)):
        assert [one for one in on(day) if one.thing != f"mark_expiring:{PRINT}:LGWAN-ASP"] == []


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2027, 6, 28), []),  # the mark ends on Tue 2028-02-29
        (date(2027, 6, 29), ["info"]),  # eight months before
        (date(2027, 10, 28), ["info"]),
        (date(2027, 10, 29), ["amber"]),  # four months before
        (date(2028, 2, 28), ["amber"]),
        (date(2028, 2, 29), ["red"]),  # the day it ends
        (date(2028, 3, 1), ["red"]),
    ],
)
def test_a_privacy_mark_warns_eight_and_four_months_before_and_when_it_ends(
    day: date, expected: list[str]
) -> None:
    longer = {"contract/2026-premium": {"valid_until": date(2028, 3, 31)}}
    found = [
        one
        for one in on(day, "mark_expiring", alter=longer)
        if "プライバシーマーク" in one.thing and PRINT in one.thing
    ]
    assert [one.level for one in found] == expected
    assert all(one.due_on == date(2028, 2, 29) for one in found)


def test_a_renewed_mark_reminds_no_more_and_an_ended_one_says_so() -> None:
    longer = {"contract/2026-premium": {"valid_until": date(2028, 3, 31)}}
    renewed = held(
        "certificate", "new", "2028-03-01", "2030-02-28", party=PRINT, mark="プライバシーマーク", number="架空-3",
        checked_on="2028-01-15", source="一覧",
    )  # fmt: skip
    assert not [
        one
        for one in on(date(2028, 2, 29), "mark_expiring", alter=longer, plus=[renewed])
        if f"{PRINT}:プ" in one.thing
    ]
    over = [one for one in on(date(2028, 3, 1), "mark_expiring", alter=longer) if f"{PRINT}:プ" in one.thing]
    assert "切れました。引渡しはできません" in over[0].sentence_ja


def test_eight_months_before_the_end_of_october_is_the_end_of_february() -> None:
    short = {"certificate/example-print-privacy": {"valid_until": date(2026, 10, 31)}}
    assert levels(date(2026, 2, 27), "mark_expiring", alter=short) == []  # not yet under contract either
    marks = [
        one for one in on(date(2026, 4, 1), "mark_expiring", alter=short) if "プライバシーマーク" in one.thing
    ]
    assert [(one.level, one.due_on) for one in marks] == [("info", date(2026, 10, 31))]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 8, 31), []),
        (date(2026, 9, 1), ["info"]),
        (date(2026, 9, 30), ["info"]),
        (date(2026, 10, 1), ["amber"]),  # not planned by 30 September
        (date(2026, 12, 31), ["amber"]),
        (date(2027, 2, 28), ["amber"]),
        (date(2027, 3, 1), ["red"]),
        (date(2027, 3, 31), ["red"]),
    ],
)
def test_an_audit_that_nobody_planned(day: date, expected: list[str]) -> None:
    rest = [one for one in AUDITED if one.key != "audited-1"]
    found = [one for one in on(day, "audit", quiet=False, plus=[*rest, *LOOKED]) if REMINDER_JOB in one.thing]
    assert [one.level for one in found] == expected


@pytest.mark.parametrize(
    ("day", "expected", "tell"),
    [
        (date(2026, 10, 27), "info", "担当"),  # two weeks before Tue 10 November
        (date(2026, 12, 30), "info", "担当"),
        (date(2026, 12, 31), "amber", "課長"),
        (date(2027, 2, 28), "amber", "課長"),
        (date(2027, 3, 1), "red", "課長"),
    ],
)
def test_a_planned_audit_that_was_not_held(day: date, expected: str, tell: str) -> None:
    (found,) = (one for one in on(day, "audit", quiet=False) if one.thing == f"audit:{PRINT}:{JOB}:2026")
    assert (found.level, found.tell, found.due_on) == (expected, tell, date(2027, 3, 31))
    assert "予定 2026-11-10" in found.sentence_ja


def test_a_planned_audit_is_quiet_until_two_weeks_before() -> None:
    assert [
        one
        for one in on(date(2026, 10, 26), "audit", quiet=False)
        if one.thing.endswith(f"{JOB}:2026") and PRINT in one.thing
    ] == []


def test_a_missed_audit_stays_red_in_the_next_year_until_it_is_made_up_for() -> None:
    on_first = date(2027, 4, 1)
    missed = on(on_first, "audit_missed", quiet=False)
    assert {one.thing for one in missed} == {
        f"audit_missed:{party}:{job}:2026"
        for party, job in ((PRINT, JOB), (PRINT, REMINDER_JOB), (INSERT, JOB))
    }
    assert {(one.level, one.tell) for one in missed} == {("red", "課長")}
    assert on(on_first, "audit_missed") == []
    late = held(
        "audit", "late", "2027-04-01", None, party=INSERT, job=JOB, fiscal_year=2027, by="甲", held_on="2027-04-05", method="立入り",
        findings=0,
    )  # fmt: skip
    assert f"audit_missed:{INSERT}:{JOB}:2026" not in {
        one.thing for one in on(date(2027, 4, 5), "audit_missed", quiet=False, plus=[late])
    }


def test_the_contractors_own_audit_of_the_subcontractor_is_counted_apart() -> None:
    rest = [one for one in AUDITED if one.key != "audited-3"]
    found = on(date(2027, 3, 1), "audit_by_contractor", quiet=False, plus=[*rest, *LOOKED])
    assert [(one.thing, one.level) for one in found] == [(f"audit_by_contractor:{INSERT}:{JOB}:2026", "red")]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 3, 20), []),  # the contract is of the next fiscal year
        (date(2026, 4, 1), ["amber"]),
        (date(2026, 4, 14), ["amber"]),
        (date(2026, 4, 15), ["red"]),  # ten business days after Wed 1 April
    ],
)
@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("roster_renewal", "handler/example-print-"),
        ("training_renewal", "training/example-print-"),
        ("contact_renewal", "emergency_contact/example-print-"),
    ],
)
def test_what_every_year_renews(day: date, expected: list[str], kind: str, missing: str) -> None:
    names = [f"{one.content.kind}/{one.key}" for one in a_register().versions]
    gone = [name for name in names if name.startswith(missing)]
    assert levels(day, kind, without=gone) == expected


def test_one_untrained_handler_is_enough_to_be_reminded() -> None:
    assert levels(date(2026, 4, 1), "training_renewal", without=["training/example-print-driver-2026"]) == [
        "amber"
    ]


def test_workers_are_told_each_year_former_ones_too() -> None:
    rest = [one for one in LOOKED if one.key != "w"]
    assert levels(date(2026, 4, 20), "worker_notice", quiet=False, plus=rest) == ["red"]
    half = held("worker_notice", "w", contractor=PRINT, subcontractor=INSERT, fiscal_year=2026, notified_on="2026-04-10", former_too=False)  # fmt: skip
    assert levels(date(2026, 4, 20), "worker_notice", quiet=False, plus=[*rest, half]) == ["red"]
    assert levels(date(2026, 4, 20), "worker_notice") == []


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 8, 29), []),
        (date(2026, 8, 30), ["info"]),
        (date(2026, 9, 16), ["info"]),
        (date(2026, 9, 17), ["amber"]),  # two weeks before the half year ends
        (date(2026, 9, 30), ["amber"]),
        (date(2026, 10, 1), ["red"]),  # missed
    ],
)
def test_accounts_are_reviewed_twice_a_year(day: date, expected: list[str]) -> None:
    earlier = held("account_review", "h0", "2026-01-01", None, reviewed_on="2026-03-01", closed_accounts=0)
    found = on(day, "account_review", quiet=False, without=["account_review"], plus=[earlier])
    assert [one.level for one in found] == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 9, 30), []),
        (date(2026, 10, 1), ["info"]),
        (date(2026, 12, 31), ["amber"]),
        (date(2027, 3, 1), ["red"]),
    ],
)
def test_a_year_without_an_exercise_of_the_line_being_down(day: date, expected: list[str]) -> None:
    other = held("exercise", "restore", exercise="バックアップからの復旧", held_on="2026-05-20", findings=0)
    last_year = held("exercise", "last", "2025-04-01", exercise=LGWAN_DRILL, held_on="2026-03-31", findings=0)
    assert levels(day, "lgwan_drill", quiet=False, plus=[other, last_year]) == expected
    held_now = held("exercise", "now", exercise=LGWAN_DRILL, held_on=str(day), findings=2)
    assert levels(day, "lgwan_drill", quiet=False, plus=[held_now]) == []


def test_a_review_of_the_half_year_silences() -> None:
    assert on(date(2026, 9, 30), "account_review") == on(date(2027, 3, 31), "account_review") == []


@pytest.mark.parametrize(
    ("day", "expected"), [(date(2026, 9, 30), []), (date(2026, 10, 1), ["info"]), (date(2026, 12, 31), ["amber"]), (date(2027, 3, 1), ["red"])]
)  # fmt: skip
@pytest.mark.parametrize(
    ("kind", "key"), [("entry_log_check", f"{INSERT}-2"), ("log_submission", f"{INSERT}-通信ログ")]
)
def test_logs_are_asked_for_once_a_year(day: date, expected: list[str], kind: str, key: str) -> None:
    rest = [one for one in LOOKED if one.key != key]
    assert levels(day, kind, quiet=False, plus=[*AUDITED, *rest]) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [(date(2026, 7, 9), "info"), (date(2026, 7, 10), "amber"), (date(2026, 7, 11), "red")],
)
@pytest.mark.parametrize(
    "waiting",
    [
        held("status_request", "s", party=INSERT, by="乙", requested_on="2026-07-01", due_on="2026-07-10"),
        held(
            "corrective_action",
            "c",
            party=PRINT,
            instructed_on="2026-07-01",
            due_on="2026-07-10",
            publication="未定",
        ),
    ],
    ids=lambda one: one.content.kind,
)
def test_what_waits_for_an_answer(waiting: Any, day: date, expected: str) -> None:
    assert levels(day, waiting.content.kind, plus=[waiting]) == [expected]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 7, 7), "info"),  # shared on Wed 1 July
        (date(2026, 7, 8), "amber"),  # five business days later
        (date(2026, 7, 14), "amber"),
        (date(2026, 7, 15), "red"),
    ],
)
def test_a_work_flow_that_nobody_acknowledged(day: date, expected: str) -> None:
    shared = held(
        "workflow_share",
        "f2",
        party=PRINT,
        version="第2版",
        document_sha256=a_digest("f2"),
        shared_on="2026-07-01",
    )
    assert levels(day, "workflow_acknowledgement", plus=[shared]) == [expected]


@pytest.mark.parametrize(("day", "expected"), [(date(2026, 7, 1), "amber"), (date(2026, 7, 8), "red")])
def test_a_change_of_measures_is_urgent_from_the_first_day(day: date, expected: str) -> None:
    reported = held("measure_change", "m", party=PRINT, summary="移転", reported_on="2026-07-01")
    assert levels(day, "measure_change", plus=[reported]) == [expected]


def test_two_jobs_and_two_marks_of_a_party_are_told_apart() -> None:
    labels = [one.label_ja for one in on(date(2027, 4, 1), quiet=False)]
    assert len(labels) == len(set(labels))
    assert f"前年度の立入調査等（架空印刷株式会社・{JOB}・2026年度）" in labels
    assert "認証の更新（架空印刷株式会社・LGWAN-ASP）" in [one.label_ja for one in on(date(2027, 2, 1))]


def test_an_erasure_is_carried_over_into_the_next_year() -> None:
    one = OpenErasure(cycle=f"2026-{NOTICE}-annual-01", party=PRINT, fiscal_year=2026, section="ほかの課")
    assert on(date(2027, 3, 31), "erasure_carried_over", open_erasures=[one]) == []
    (told,) = on(date(2027, 4, 1), "erasure_carried_over", open_erasures=[one])
    assert (told.level, told.tell, told.section) == ("red", "課長", "ほかの課")


def test_an_erasure_is_open_from_the_hand_over_to_the_wards_own_confirmation() -> None:
    for last, is_open in ((r.EncryptionRecord, False), (r.HandoverRecord, True), (r.ErasureRecord, True), (r.ErasureConfirmationRecord, False)):  # fmt: skip
        history = a_cycle().up_to(last).history()
        found = find_open_erasures(history.entries[:1], lambda _, history=history: history)
        expected = OpenErasure(cycle=CYCLE, party=PRINT, fiscal_year=2026, section="介護保険課")
        assert found == [expected] * is_open


def test_marks_are_looked_up_again_each_year_and_a_basis_runs_out() -> None:
    old = {"certificate/example-print-privacy": {"checked_on": date(2026, 3, 1)}}
    assert levels(date(2026, 4, 1), "mark_recheck", alter=old) == ["info"]
    assert levels(date(2026, 4, 30), "mark_recheck", alter=old) == ["amber"]
    ends = {"legal_basis/2026-coupling": {"valid_until": date(2026, 9, 30)}}
    assert (levels(date(2026, 7, 31), "basis_expiring", alter=ends), levels(date(2026, 8, 1), "basis_expiring", alter=ends)) == ([], ["amber"])  # fmt: skip


def test_the_loudest_come_first_and_each_says_what_to_do() -> None:
    found = on(date(2027, 3, 1), quiet=False)
    assert [one.level for one in found] == sorted(
        (one.level for one in found), key=("red", "amber", "info").index
    )
    assert len({one.thing for one in found}) == len(found)
    assert len({one.id for one in found}) == len(found)
    for one in found:
        assert (one.state == "red") == (one.level == "red")
        assert not one.label_ja.isascii()
        assert one.sentence_ja.endswith("。")
        assert one.advice_ja.endswith("。")
        assert one.requirements == REMINDERS[one.thing.split(":")[0]]


def test_every_obligation_to_remind_of_has_a_reminder_or_says_why_not() -> None:
    silent = [one for one in load_requirements() if "R" in one.tags and not one.reminders]
    assert [one.id for one in silent if not one.note_ja] == []
    assert {one.id for one in silent} == {"R5", "R19", "R22", "R56"}
