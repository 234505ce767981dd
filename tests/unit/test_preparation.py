"""The preparation of a yearly dispatch by the sample register: what each missing paper keeps open, on which day it counts."""

from datetime import date
from typing import Any

import pytest
from tests.builders import CONFIG, a_digest
from tests.unit.register.world import CYCLE, NOTICE, a_register

from notice_cycle.catalogue import load_notice, notice_ids
from notice_cycle.deadlines import judge, load
from notice_cycle.dispatch_plan import plan_annual
from notice_cycle.errors import Refused
from notice_cycle.preparation import Readiness, advised, prepare, readiness
from notice_cycle.quantities import Counts

DEADLINES, CALENDARS = load(CONFIG)
MAY = date(2026, 5, 7)


def ready(notice_id: str = NOTICE, *, year: int = 2026, today: date = MAY, **changes: Any) -> Readiness:
    notice = load_notice(CONFIG, notice_id)
    plan = plan_annual(notice, year, DEADLINES.rules(notice.id, year, notice.party), CALENDARS)
    return readiness(plan, notice, a_register(as_of=today, **changes), CALENDARS, today=today)


def yearly() -> list[str]:
    found = []
    for notice_id in notice_ids(CONFIG):
        try:
            ready(notice_id)
            found.append(notice_id)
        except Refused:
            pass
    return found


def test_the_sample_register_has_everything_for_every_yearly_notice() -> None:
    assert len(yearly()) == 4
    for notice_id in yearly():
        assert ready(notice_id).lacking == {}, notice_id
        assert ready(notice_id).settled == {"proof_first", "contract_gates", "proof_final"}


PROOF = next(
    one for one in a_register().versions if one.content.kind == "proof" and one.content.notice == NOTICE
)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"without": [f"proof/{PROOF.key}"]}, {"proof_first": "登録簿の登録", "proof_final": "校了"}),
        ({"alter": {f"proof/{PROOF.key}": {"window_on": None}}}, {"proof_final": "校了"}),
        ({"without": ["training"]}, {"contract_gates": "研修と誓約書"}),
        ({"alter": {"certificate/example-print-privacy": {"valid_until": date(2026, 7, 5)}}}, {"contract_gates": "プライバシーマーク"}),
    ],
)  # fmt: skip
def test_what_is_missing_on_the_planned_day_keeps_it_open(
    changes: dict[str, Any], lacking: dict[str, str]
) -> None:
    assert ready(**changes).lacking == {milestone: (title,) for milestone, title in lacking.items()}


def test_next_year_is_prepared_by_next_years_papers() -> None:
    assert {"契約の範囲", "取扱者名簿"} <= set(ready(year=2027).lacking["contract_gates"])


def test_the_due_says_what_is_missing() -> None:
    notice = load_notice(CONFIG, NOTICE)
    plan = plan_annual(notice, 2026, DEADLINES.rules(NOTICE, 2026, notice.party), CALENDARS)
    now = plan.start
    dues = advised(
        judge(plan, None, now, CALENDARS, subject=CYCLE),
        Readiness(settled=frozenset(), lacking={"contract_gates": ("研修と誓約書", "取扱者名簿")}),
    )
    told = {due.milestone: due.advice_ja for due in dues}
    assert told["contract_gates"].endswith("足りないもの: 研修と誓約書、取扱者名簿。")
    assert "足りないもの" not in told["proof_final"]


def test_the_record_keeps_days_contracts_and_counts() -> None:
    notice = load_notice(CONFIG, NOTICE)
    plan = plan_annual(notice, 2026, DEADLINES.rules(NOTICE, 2026, notice.party), CALENDARS)
    register = a_register(as_of=MAY)
    counts = Counts(
        stage="予定数量", notices=10, envelopes=9, sheets=20, source_ja="前年度（2025年度）の実績"
    )
    opened = prepare(plan, register, ready(), counts)
    assert (opened.contracts, opened.handover_on) == (("2026-premium",), date(2026, 7, 6))
    assert (opened.notices, opened.envelopes, opened.sheets) == (10, 9, 20)
    assert opened.register_sha256 == register.digest != a_digest("")
    assert prepare(plan, register, ready(), None).quantities_from == ""
