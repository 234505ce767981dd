"""A form that names another section's dispatch is refused by whoever reads its answers, whichever field it stands in."""

from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import CYCLE, a_cycle

from notice_cycle import records as r
from notice_cycle.accounts import shown_as
from notice_cycle.errors import Refused
from notice_cycle.ledger.store import Ledger
from notice_cycle_airflow import run_context

OURS, THEIRS = (
    shown_as("tanto1", "青木", "一郎", ["介護保険課"]),
    shown_as("houkatsu", "森", "薫", ["地域包括ケア推進課"]),
)
OPERATOR = shown_as("unyo", "原", "直")


@pytest.fixture
def asked_by(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Any:
    a_cycle().up_to(r.ReceiptRecord).entered_in(ledger)
    monkeypatch.setattr(run_context, "open_ledger", lambda: ledger)

    def ask(who: str, **params: Any) -> Any:
        run = SimpleNamespace(triggering_user_name=who)
        context = {"params": params, "dag_run": run, "ti": SimpleNamespace(task_id="a_task")}
        monkeypatch.setattr(run_context, "get_current_context", lambda: context)
        return context

    return ask


@pytest.mark.parametrize(
    "answers",
    [
        {"cycle": CYCLE},  # 差出し、書面の届出、やり直し、通知書の無効化 …
        {"cycles": f"2026-reminder-annual-01\n {CYCLE} "},  # 事故の受付: one line each
        {"of": CYCLE},  # 関門の例外
        {"exercise": "訓練", "cycle": CYCLE, "held_on": None},  # 登録簿
    ],
    ids=["cycle", "lines", "exception", "register"],
)
def test_only_its_own_section_and_who_acts_for_all_may_name_a_dispatch(
    asked_by: Any, answers: dict[str, Any]
) -> None:
    asked_by(THEIRS, **answers)
    with pytest.raises(
        Refused, match=f"発送回 {CYCLE} は介護保険課のものです（あなたの所属: 地域包括ケア推進課）"
    ):
        run_context.form_request()
    for who in (OURS, OPERATOR):
        asked_by(who, **answers)
        assert run_context.form_request()[1].keys() == answers.keys()


def test_the_dispatch_of_a_decision_is_compared_too_and_must_be_there(asked_by: Any) -> None:
    asked_by(THEIRS, cycle=CYCLE)
    with pytest.raises(Refused, match="介護保険課のものです"):
        run_context.decision_request()
    asked_by(THEIRS, cycle="2026-reminder-annual-01")
    with pytest.raises(Refused, match="その番号の発送回はありません"):
        run_context.decision_request()
    asked_by(OURS, cycle=CYCLE, posted=3)
    cycle, asked, person = run_context.decision_request()
    assert (cycle.id, asked["posted"], person.user_id) == (CYCLE, "3", "tanto1")


def test_without_a_login_nothing_is_decided(asked_by: Any) -> None:
    asked_by("", cycle=CYCLE)
    with pytest.raises(Refused, match="だれの判断か分かりません"):
        run_context.decision_request()
