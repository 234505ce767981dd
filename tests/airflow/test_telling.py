"""What an error of the product means to Airflow: fail, retry, or look again later."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

from notice_cycle import clock
from notice_cycle.errors import Altered, CannotLook, Conflict, NoticeCycleError, NotThereYet, Refused
from notice_cycle_airflow.run_context import telling


def told(error: Exception) -> AirflowException:
    with pytest.raises(AirflowException) as caught, telling():
        raise error
    return caught.value


@pytest.mark.parametrize("kind", [Refused, Altered, Conflict, NoticeCycleError])
def test_what_a_person_must_put_right_fails_at_once(kind: type[NoticeCycleError]) -> None:
    failed = told(kind("違います。", advice="直してください。"))
    assert isinstance(failed, AirflowFailException)
    assert str(failed) == "違います。 → 直してください。"


def test_what_does_not_answer_is_tried_again() -> None:
    assert type(told(CannotLook("応答がありません。"))) is AirflowException


def test_what_has_not_come_is_looked_for_later_by_the_clock_of_the_scheduler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTICE_CYCLE_REPLY_INTERVAL_SECONDS", "120")
    moved = tmp_path / "clock.json"
    moved.write_text(json.dumps({"offset_seconds": -10_000_000}))
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(moved))
    waiting = told(NotThereYet("まだです。"))
    assert isinstance(waiting, AirflowRescheduleException)
    wait = waiting.reschedule_date - datetime.now(UTC)
    assert timedelta(seconds=100) < wait <= timedelta(seconds=120)


def test_the_unforeseen_is_told_without_its_text() -> None:
    failed = told(ValueError("見本花子"))
    assert "見本花子" not in str(failed)
    assert "ValueError" in str(failed)
