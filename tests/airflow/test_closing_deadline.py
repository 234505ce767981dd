"""The native deadline of a run: its moment, and what is mailed when it is missed."""

from datetime import datetime
from typing import Any

import pytest
from airflow.sdk.definitions.deadline import BaseDeadlineReference
from tests.unit.test_named_calendars import at

from notice_cycle_airflow import deadlines
from notice_cycle_airflow.deadlines import ClosingDue, closing_due, tell_closing_missed

JULY = "premium_notice_ordinary"


@pytest.mark.parametrize(
    ("notice", "begun", "yearly", "due"),
    [
        (JULY, "Wed 2026-07-01 09:00", True, "Mon 2026-08-10 17:00"),
        (JULY, "Thu 2027-07-01 09:00", True, "Tue 2027-08-10 17:00"),
        (JULY, "Mon 2026-10-05 10:00", False, "Fri 2026-11-13 17:00"),
        ("reminder", "Wed 2026-12-16 10:00", False, "Mon 2027-02-01 17:00"),
    ],
)
def test_the_moment_by_which_a_run_must_have_ended(notice: str, begun: str, yearly: bool, due: str) -> None:
    assert closing_due(notice, at(begun), yearly=yearly) == at(due)


class ARow:
    """The run's row."""

    def __init__(self, run_type: str, logical_date: datetime | None, run_after: datetime) -> None:
        self.run_type, self.logical_date, self.run_after = run_type, logical_date, run_after


def evaluated(monkeypatch: pytest.MonkeyPatch, *rows: ARow, notice: str = JULY) -> datetime | None:
    monkeypatch.setattr("airflow.models.DagRun.find", lambda **_: list(rows))
    return ClosingDue()._evaluate_with(session=None, dag_id=notice, run_id="x")


def test_it_is_evaluated_from_the_run_also_without_a_logical_date(monkeypatch: pytest.MonkeyPatch) -> None:
    july, autumn = at("Wed 2026-07-01 09:00"), at("Mon 2026-10-05 10:00")
    assert evaluated(monkeypatch, ARow("scheduled", july, july)) == at("Mon 2026-08-10 17:00")
    assert evaluated(monkeypatch, ARow("manual", None, autumn)) == at("Fri 2026-11-13 17:00")


def test_it_never_keeps_a_run_from_being_created(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ARow("manual", None, at("Mon 2026-10-05 10:00"))
    assert evaluated(monkeypatch) is None
    assert evaluated(monkeypatch, row, notice="no_such_notice") is None


def test_airflow_can_store_it_and_read_it_back() -> None:
    stored = ClosingDue().serialize_reference()
    assert isinstance(ClosingDue.deserialize_reference(stored), ClosingDue)
    assert issubclass(ClosingDue, BaseDeadlineReference)
    assert ClosingDue.required_kwargs == {"dag_id", "run_id"}


def test_a_missed_closing_is_mailed_to_the_director_and_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(deadlines, "deliver", sent.append)
    tell_closing_missed(
        {
            "dag_run": {"dag_id": JULY, "dag_run_id": "scheduled__2026-07-01"},
            "deadline": {"id": "1", "deadline_time": "2026-08-10T08:00:00+00:00"},
        }
    )
    assert {mail.to for mail in sent} == {"kaigo-kacho@ward.example", "joho-system@ward.example"}
    assert all("完了の期限の8月10日（月）17:00までに終わりませんでした" in mail.text for mail in sent)
