"""今日の一枚 as a page of the menu: each sees the dispatches whose DAG he may read, through the login that can only read."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi.testclient import TestClient
from tests.builders import CYCLE, NOTICE, a_cycle
from tests.conftest import LedgerDatabase
from tests.unit.test_named_calendars import at

from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle_airflow.views import report, today

MAY_READ = {"tanto1": {NOTICE}, "houkatsu": {"support_program_notice"}}


@pytest.fixture
def pages(
    ledger_database: LedgerDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    """On Monday, 6 July at ten, with a July dispatch nobody has looked at."""
    reader, moved = tmp_path / "reader", tmp_path / "clock.json"
    reader.write_text(ledger_database.reader)
    monkeypatch.setenv("NOTICE_CYCLE_LEDGER_READER_FILE", str(reader))
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(moved))
    clock.move_to(at("Mon 2026-07-06 10:00"), moved)
    a_cycle().up_to(r.ValidationRecord).entered_in(ledger_database.ledger)
    manager = SimpleNamespace(get_authorized_dag_ids=lambda *, user: MAY_READ[user])
    monkeypatch.setattr(today, "get_auth_manager", lambda: manager)
    yield TestClient(report.app)
    report.app.dependency_overrides.clear()


def seen_by(pages: TestClient, login: str) -> str:
    report.app.dependency_overrides[get_user] = lambda: login
    answer = pages.get("/today")
    assert answer.status_code == 200
    return answer.text


def test_the_section_sees_what_is_late_why_and_where(pages: TestClient) -> None:
    page = seen_by(pages, "tanto1")
    assert "架空データ" in page
    assert "7月6日（月）10:00 現在。" in page
    assert (
        '<tr class="red"><td class="state">期限超過</td><td class="date">7月3日（金）17:00</td><td>担当</td>'
        in page
    )
    assert f'<a href="/dags/{NOTICE}/runs/manual__1" target="_top">{CYCLE}</a>' in page
    assert '<a href="/notice-cycle/runbook#validation" target="_blank">手順書</a>' in page


def test_another_section_sees_nothing_of_it(pages: TestClient) -> None:
    page = seen_by(pages, "houkatsu")
    assert CYCLE not in page
    assert "期限超過 0件" in page


def test_without_a_login_there_is_no_page() -> None:
    assert TestClient(report.app, raise_server_exceptions=False).get("/today").status_code >= 400


def test_without_the_ledger_it_says_what_to_do(
    pages: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTICE_CYCLE_LEDGER_READER_FILE", str(tmp_path / "nowhere"))
    report.app.dependency_overrides[get_user] = lambda: "tanto1"
    answer = pages.get("/today")
    assert (answer.status_code, "今日の一枚を表示できません" in answer.text) == (503, True)
