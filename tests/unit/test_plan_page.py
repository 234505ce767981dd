"""The plan as its page shows it: the mails' due dates and states, and what a later hand-over would do."""

from datetime import date
from typing import Any

import pytest
from tests.builders import CONFIG, CYCLE, a_cycle
from tests.unit.register.world import a_register
from tests.unit.test_named_calendars import at
from tests.unit.test_pullout import asked

from notice_cycle import records as r
from notice_cycle.catalogue import load_notice
from notice_cycle.deadlines import judge, load, plan_of
from notice_cycle.plan_page import LISTED, PlanPage, plan_page
from notice_cycle.stage import CYCLE_RECORDS

DEADLINES, CALENDARS = load(CONFIG)
NOTICE = load_notice(CONFIG, "premium_notice_ordinary")


def page(last: type[r.Record], moment: str, **asked: Any) -> PlanPage:
    history = a_cycle().up_to(last).history()
    return plan_page(CYCLE, history, NOTICE, DEADLINES, CALENDARS, now=at(moment), **asked)


@pytest.mark.parametrize("last", CYCLE_RECORDS, ids=lambda record: record.kind())
def test_every_milestone_is_on_the_page_with_the_state_the_mails_go_by(last: type[r.Record]) -> None:
    moment = "Tue 2026-07-07 09:00"
    shown = {line.label_ja: line.state for line in page(last, moment).lines}
    history = a_cycle().up_to(last).history()
    plan = plan_of(history, NOTICE, DEADLINES, CALENDARS)
    judged = judge(plan, history, at(moment), CALENDARS, subject=CYCLE)
    assert {label: state for label, state in shown.items() if state != LISTED} == {
        due.label_ja: due.state for due in judged
    }
    assert len(shown) == len([one for one in plan.rules.milestones if not one.pullout])


def test_a_request_to_pull_letters_out_is_on_the_page_once_it_was_made() -> None:
    opened = a_cycle().up_to(r.StagingWipeRecord)
    history = opened.noting(asked(opened, requested_at=at("Thu 2026-07-02 17:50"))).history()
    told = plan_page(CYCLE, history, NOTICE, DEADLINES, CALENDARS, now=at("Fri 2026-07-03 13:00"))
    (line,) = [line for line in told.lines if line.label_ja == "引抜き・差替えの確認"]
    assert (line.due_ja, line.state) == ("2026-07-03（金）12:00", "red")


def test_the_page_reads_in_order_with_weekdays() -> None:
    told = page(r.ValidationRecord, "Fri 2026-07-03 13:00")
    assert dict(told.days)["引渡し（T）"] == "7月6日（月）"
    assert [line.due_ja[:10] for line in told.lines] == sorted(line.due_ja[:10] for line in told.lines)
    (confirmation,) = [line for line in told.lines if line.label_ja == "検証確認"]
    assert (confirmation.due_ja, confirmation.state, confirmation.state_ja, confirmation.who_ja) == (
        "2026-07-03（金）17:00", "amber", "期限が近い", "担当"
    )  # fmt: skip
    (receipt,) = [line for line in told.lines if line.label_ja == "受領通知（第1段階）"]
    assert receipt.due_ja.endswith("（見込み）")
    assert receipt.state == "open"


@pytest.mark.parametrize(
    ("register", "outside"),
    [
        ({}, False),
        ({"without": ["contract/2026-premium"]}, True),
        ({"alter": {"contract/2026-premium": {"valid_until": date(2026, 7, 5)}}}, True),  # ends before the hand-over
        ({"alter": {"contract/2026-premium": {"methods": ("dvd",)}}}, True),
        ({"alter": {"contract/2026-premium": {"notices": ("reminder",)}}}, True),
    ],
)  # fmt: skip
def test_a_dispatch_that_no_contract_covers_says_so_from_the_opening_on(
    register: dict[str, Any], outside: bool
) -> None:
    known, moment = a_register(**register), "Wed 2026-07-01 13:00"
    told = page(r.OpeningRecord, moment, register=known)
    assert any(remark.startswith("契約外です: 架空印刷株式会社") for remark in told.remarks) is outside
    handed = page(r.HandoverRecord, moment, register=known)
    assert not any("契約外" in remark for remark in handed.remarks)


def test_a_run_by_hand_is_not_said_to_count_from_the_first_due_date() -> None:
    moment, words = "Wed 2026-07-01 13:00", "第1期の納期限から数える"
    assert any(words in remark for remark in page(r.OpeningRecord, moment).remarks)
    by_hand = a_cycle().up_to(r.OpeningRecord).with_(opening={"occasion": "supplementary"}).history()
    told = plan_page(CYCLE, by_hand, NOTICE, DEADLINES, CALENDARS, now=at(moment))
    assert not any(words in remark for remark in told.remarks)


def test_a_rehearsal_may_precede_its_contract() -> None:
    history = a_cycle().up_to(r.OpeningRecord).with_(opening={"reason_code": "rehearsal"}).history()
    nothing_yet = a_register(without=["contract"])
    told = plan_page(
        CYCLE, history, NOTICE, DEADLINES, CALENDARS, now=at("Wed 2026-07-01 13:00"), register=nothing_yet
    )
    assert not any("契約外" in remark for remark in told.remarks)


def test_a_slip_of_one_day_is_told_as_the_command_tells_it() -> None:
    slip = page(r.ValidationRecord, "Fri 2026-07-03 13:00", slip=1).slip
    assert slip is not None
    assert "引渡しが1開庁日遅れて7月7日（火）になると" in slip.sentence_ja
    assert "7月6日（月）" in slip.last_ja
    late = {line.label_ja: line.state_ja for line in slip.lines}
    assert (late["引渡し"], late["検証確認"]) == ("期限超過", "変わらず")


def test_after_the_hand_over_nothing_is_asked_any_more() -> None:
    told = page(r.HandoverRecord, "Tue 2026-07-07 09:00", slip=1)
    assert (told.handed_over, told.slip) == (True, None)
    # The sample cycle was handed over on 1 July: the contractor keeps its printing days from there.
    assert dict(told.days)["納品"] == "7月10日（金）"
    assert page(r.ValidationRecord, "Tue 2026-07-07 09:00").slip is None
