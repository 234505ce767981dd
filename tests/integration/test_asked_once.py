"""年度設定確認 of two dispatches that are open at once: one asks, the other waits and takes the answer over."""

from datetime import datetime
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException
from tests.builders import CONFIG, CYCLE, SHONIN, TASK, a_cycle, an_answer, the_configuration

from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle.ledger.store import Ledger
from notice_cycle.settings import Settings
from notice_cycle.year_settings import YearSettings
from notice_cycle_airflow.operators import evidence_form
from notice_cycle_airflow.run_context import RunningCycle

OTHER = "2026-premium_notice_ordinary-supplementary-01"
ANSWER = {
    "chosen_options": ["確認した"],
    "params_input": {"papers": None},
    "responded_by_user": {"id": "9", "name": "承認 次郎（shonin2、地域包括ケア推進課）"},
}


@pytest.fixture(autouse=True)
def _moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.move_to(datetime.fromisoformat("2026-07-01T10:00:00+09:00"), tmp_path / "clock.json")
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(tmp_path / "clock.json"))


def running(ledger: Ledger, cycle: str) -> RunningCycle:
    return RunningCycle(cycle, TASK, Settings({"NOTICE_CYCLE_CONFIG": str(CONFIG)}), ledger)


def confirmed(cycle: RunningCycle) -> r.YearSettingsRecord:
    """The approver answers the form of a dispatch."""
    answer = an_answer("確認した", SHONIN, papers="架空区介護保険条例")
    record = YearSettings().judge(answer, cycle.history())
    cycle.enter(record)
    return record


def form_of(cycle: RunningCycle, monkeypatch: pytest.MonkeyPatch) -> evidence_form.EvidenceForm:
    monkeypatch.setattr(evidence_form, "current_cycle", lambda: cycle)
    return evidence_form.EvidenceForm(task_id="form", form=YearSettings)


def test_the_second_dispatch_waits_and_takes_the_answer_over(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a_cycle().up_to(r.OpeningRecord).entered_in(ledger)
    a_cycle(cycle=OTHER, run_id="manual__2").up_to(r.OpeningRecord).entered_in(ledger)
    first, second = running(ledger, CYCLE), running(ledger, OTHER)
    form = form_of(second, monkeypatch)
    with pytest.raises(AirflowRescheduleException), caplog.at_level("INFO"):
        form.execute({})
    assert f"先に始まった発送回 {CYCLE} でたずねています" in caplog.text
    given = confirmed(first)
    assert form.execute({}) == second.history().current[-1].digest
    assert second.history().latest(r.YearSettingsRecord) == given
    assert ledger.verify().holds


def test_a_form_that_another_section_has_answered_meanwhile_takes_over_whatever_is_said(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = the_configuration().notice.model_copy(update={"section": "地域包括ケア推進課"})
    stored = the_configuration().model_copy(update={"notice": notice})
    changes = {"configuration": stored.model_dump(mode="json"), "configuration_sha256": stored.digest()}
    a_cycle().up_to(r.OpeningRecord).entered_in(ledger)
    opened = a_cycle(cycle=OTHER, run_id="manual__2").up_to(r.OpeningRecord).with_(opening=changes)
    opened.entered_in(ledger)
    second = running(ledger, OTHER)
    form = form_of(second, monkeypatch)
    given = confirmed(running(ledger, CYCLE))
    assert form.execute_complete({}, ANSWER) == second.history().current[-1].digest
    assert second.history().latest(r.YearSettingsRecord) == given
    assert second.history().facts(r.AnswerRefused) == []
