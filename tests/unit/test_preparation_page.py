"""The preparation as the page of a notice shows it: the plan of the run to come, what was entered, what is missing now."""

from typing import Any

import pytest
from tests.builders import CONFIG, CYCLE, OPENED_AT, TASK, a_cycle, a_digest
from tests.unit.register.world import a_register
from tests.unit.test_named_calendars import at

from notice_cycle.catalogue import load_notice
from notice_cycle.deadlines import judge, load
from notice_cycle.dispatch_plan import plan_annual
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.ledger.entry import Entry
from notice_cycle.preparation import prepare, readiness
from notice_cycle.preparation_page import PreparationPage, plan_to_prepare, preparation_page
from notice_cycle.quantities import Counts

DEADLINES, CALENDARS = load(CONFIG)
NOTICE = load_notice(CONFIG, "premium_notice_ordinary")
PLAN = plan_annual(NOTICE, 2026, DEADLINES.rules(NOTICE.id, 2026, NOTICE.party), CALENDARS)
COUNTS = Counts(
    stage="予定数量", notices=40_100, envelopes=39_700, sheets=40_100, source_ja="前年度（2025年度）の実績"
)


def begun(counts: Counts | None = COUNTS, **changes: Any) -> Entry:
    """The preparation as 期限の見張り entered it on Thursday, 7 May."""
    day = at("Thu 2026-05-07 09:00")
    register = a_register(as_of=tokyo_date(day), **changes)
    ready = readiness(PLAN, NOTICE, register, CALENDARS, today=tokyo_date(day))
    return Entry(
        seq=12,
        previous=a_digest("before"),
        recorded_at=day,
        actor=TASK,
        cycle=CYCLE,
        kind="preparation_opened",
        follows=None,
        data=prepare(PLAN, register, ready, counts).model_dump(mode="json"),
    )


def page(moment: str, entry: Entry | None, slip: int = 0, **changes: Any) -> PreparationPage:
    today = tokyo_date(at(moment))
    ready = readiness(PLAN, NOTICE, a_register(as_of=today, **changes), CALENDARS, today=today)
    return preparation_page(PLAN, NOTICE, ready, entry, CALENDARS, synthetic=True, now=at(moment), slip=slip)


def test_what_was_entered_stays_and_what_is_missing_is_read_today() -> None:
    then = page("Mon 2026-06-15 09:00", begun(without=["training"]))
    assert then.said_ja.startswith("準備は5月7日（木）に始まり、証跡台帳 第12号に記録しました。")
    told = dict(then.recorded)
    assert told["足りなかったもの"] == "契約・認証・名簿・区域・研修の書類の確認"
    assert told["引渡しを覆う契約（登録番号）"] == "2026-premium"
    assert told["予定数量"] == "通知書 40,100件・封筒 39,700通・用紙 40,100枚（前年度（2025年度）の実績）"
    assert "引渡し（T）7月6日（月）" in told["計画の日"]
    assert then.lacking == ()
    still = page("Mon 2026-06-15 09:00", begun(), without=["training"])
    assert still.lacking == (("契約・認証・名簿・区域・研修の書類の確認", "研修と誓約書"),)
    assert dict(still.recorded)["足りなかったもの"] == "ありませんでした"


def test_without_last_years_counts_it_says_so() -> None:
    told = dict(page("Mon 2026-06-15 09:00", begun(counts=None)).recorded)
    assert told["予定数量"].startswith("分かりません")


def test_only_what_prepares_has_a_state_and_it_is_the_mails() -> None:
    moment = "Mon 2026-06-15 09:00"
    told = page(moment, begun(), without=["training"])
    judged = judge(PLAN, None, at(moment), CALENDARS, subject=CYCLE, met={"proof_first", "proof_final"})
    assert {one.label_ja: one.state for one in told.plan.lines if one.state != "listed"} == {
        one.label_ja: one.state for one in judged
    }
    assert {one.state for one in judged} > {"done"}
    (handover,) = (one for one in told.plan.lines if one.label_ja == "引渡し")
    assert (handover.state, handover.state_ja) == ("listed", "開始の後")


def test_a_slip_can_be_asked_for_before_there_is_a_run() -> None:
    slip = page("Mon 2026-06-15 09:00", begun(), slip=1).plan.slip
    assert slip is not None
    assert "引渡しが1開庁日遅れて7月7日（火）になると" in slip.sentence_ja


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("Fri 2026-05-01 09:00", "準備は2026年5月2日（土）に始まります。"),
        ("Mon 2026-05-04 09:00", "次の「期限の見張り」が、準備の開始を証跡台帳に記録します。"),
        ("Wed 2026-07-01 09:00", "始まるはずでしたが、始まっていません。"),
    ],
)
def test_it_says_where_the_preparation_stands(moment: str, said: str) -> None:
    assert said in page(moment, None).said_ja


def test_what_is_missing_is_nobodys_fault_before_the_preparation_begins() -> None:
    assert page("Fri 2026-05-01 09:00", None, without=["training"]).lacking is None
    assert page("Mon 2026-05-04 09:00", None, without=["training"]).lacking != ()


@pytest.mark.parametrize(
    ("moment", "opened", "year"),
    [
        ("Mon 2026-06-15 09:00", False, 2026),
        ("Mon 2026-06-15 09:00", True, 2027),
        ("Fri 2026-07-17 09:00", False, 2027),  # its posting day is over
        ("Mon 2027-03-15 09:00", True, 2027),
    ],
)
def test_the_run_to_come_is_the_next_that_was_never_opened(moment: str, opened: bool, year: int) -> None:
    openings = [a_cycle().history().opening] if opened else []
    plan = plan_to_prepare(NOTICE, openings, DEADLINES, CALENDARS, now=at(moment))
    assert plan is not None
    assert plan.fiscal_year == year


def test_a_notice_without_a_yearly_run_has_no_preparation() -> None:
    reminder = load_notice(CONFIG, "reminder")
    assert plan_to_prepare(reminder, [], DEADLINES, CALENDARS, now=OPENED_AT) is None
