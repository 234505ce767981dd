"""今日の一枚 as a page: what presses first, then every dispatch with what comes next."""

from tests.builders import CYCLE, a_cycle
from tests.unit.test_alerts import FRESH, UNREAD, watched
from tests.unit.test_named_calendars import at

from notice_cycle import records as r
from notice_cycle.today_page import today_page

OTHER = f"{CYCLE[:-1]}2"
HANDED_OVER = a_cycle().up_to(r.HandoverRecord).history()


def test_before_anything_is_near_it_says_so_and_what_comes_next() -> None:
    moment = "Wed 2026-07-01 15:00"
    page = today_page([watched(UNREAD, moment)], at(moment))
    assert page.at_ja == "7月1日（水）15:00"
    assert page.summary_ja == "進行中または準備中の発送回 1件。期限超過 0件、本日・期限が近い 0件。"
    assert page.pressing == ()
    (line,) = page.dispatches
    assert (line.state_ja, line.next_ja) == ("順調", "7月3日（金）17:00　検証確認（担当）")


def test_what_is_late_stands_first_with_why_and_what_to_do() -> None:
    moment = "Mon 2026-07-06 10:00"
    page = today_page([watched(UNREAD, moment), watched(FRESH, moment, OTHER)], at(moment))
    assert [(line.state, line.label_ja, line.cycle) for line in page.pressing if line.state == "red"] == [
        ("red", "基幹系からの抽出", OTHER),
        ("red", "検証確認", CYCLE),
    ]
    states = [line.state for line in page.pressing]
    assert states == sorted(states, key=lambda state: state != "red")
    late = page.pressing[0]
    assert late.due_ja == "7月2日（木）17:00"
    assert late.why_ja.startswith("抽出が遅れると")
    assert "統制票" in late.advice_ja
    assert (late.manual, late.path) == ("extraction", "/dags/premium_notice_ordinary/runs/1")
    assert "期限超過 2件" in page.summary_ja
    assert {line.state_ja for line in page.dispatches} == {"期限超過"}


def test_what_is_due_today_is_there_before_it_is_near() -> None:
    moment = "Mon 2026-07-06 08:40"
    page = today_page([watched(a_cycle().up_to(r.CompositionRecord).history(), moment)], at(moment))
    assert {"引渡し承認": "本日", "引渡し": "本日"}.items() <= {
        line.label_ja: line.state_ja for line in page.pressing
    }.items()
    assert {line.state for line in page.pressing} == {"amber"}


def test_the_contractors_steps_are_named_as_his() -> None:
    moment = "Tue 2026-07-07 09:00"
    page = today_page([watched(HANDED_OVER, moment)], at(moment))
    assert "受領通知（第1段階）" in {line.label_ja for line in page.pressing if line.who_ja == "委託先"}
