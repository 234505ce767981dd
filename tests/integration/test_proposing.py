"""A failed send proposes the disc once it is time: in what the task fails with, so in its log and its mail."""

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.builders import CYCLE, TASK, a_cycle

from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle.errors import CannotLook
from notice_cycle.ledger.store import Ledger
from notice_cycle.settings import Settings
from notice_cycle_airflow import proposing
from notice_cycle_airflow.run_context import RunningCycle, RunningPullout


@pytest.fixture
def cycle(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningCycle:
    clock.move_to(datetime.fromisoformat("2026-07-01T09:00:00+09:00"), tmp_path / "clock.json")
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(tmp_path / "clock.json"))
    a_cycle().up_to(r.EncryptionRecord).entered_in(ledger)
    return RunningCycle(id=CYCLE, actor=TASK, settings=Settings({}), ledger=ledger)


def failed(
    cycle: RunningCycle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, tries: int, at: str
) -> str:
    """What a send says that failed for the n-th time."""
    clock.move_to(datetime.fromisoformat(at), tmp_path / "clock.json")
    monkeypatch.setattr(proposing, "get_current_context", lambda: {"ti": SimpleNamespace(try_number=tries)})
    with pytest.raises(CannotLook) as caught, proposing.proposing_disc(cycle):
        raise CannotLook("委託先に接続できません。", advice="自動で再試行します。")
    return str(caught.value)


def test_early_on_it_only_tries_again(
    cycle: RunningCycle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = failed(cycle, monkeypatch, tmp_path, tries=2, at="2026-07-01T10:00:00+09:00")
    assert said == "委託先に接続できません。 → 自動で再試行します。"


def test_after_three_tries_or_beyond_the_due_hour_it_proposes_the_disc(
    cycle: RunningCycle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for tries, at in ((3, "2026-07-01T10:00:00+09:00"), (1, "2026-09-30T10:00:00+09:00")):
        said = failed(cycle, monkeypatch, tmp_path, tries=tries, at=at)
        assert said.startswith("委託先に接続できません。 → 自動で再試行します。LGWAN での送信に")
        assert "引渡しの期限（2026-" in said
        assert "経路の変更" in said


def test_a_list_of_letters_goes_the_way_of_its_dispatch_so_no_other_is_proposed(
    cycle: RunningCycle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    of_list = RunningPullout(id=CYCLE, actor=TASK, settings=cycle.settings, ledger=cycle.ledger, pullout=1)
    said = failed(of_list, monkeypatch, tmp_path, tries=9, at="2026-09-30T10:00:00+09:00")
    assert said == "委託先に接続できません。 → 自動で再試行します。"


def test_unreadable_due_dates_hide_neither_the_fault_nor_the_proposal(
    cycle: RunningCycle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = Settings({"NOTICE_CYCLE_CONFIG": str(tmp_path / "nowhere")})
    other = RunningCycle(id=CYCLE, actor=TASK, settings=nowhere, ledger=cycle.ledger)
    said = failed(other, monkeypatch, tmp_path, tries=3, at="2026-07-01T10:00:00+09:00")
    assert "委託先に接続できません。" in said
    assert "引渡しの期限に間に合わない" in said
