"""準備 as a page beside a notice's DAG, through the login that can only read; authorised as its DAG."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.builders import CYCLE, NOTICE, TASK, a_cycle
from tests.conftest import LedgerDatabase
from tests.unit.test_named_calendars import at
from tests.unit.test_preparation_page import begun

from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle.preparation import PreparationOpened
from notice_cycle_airflow.views import preparation, report


@pytest.fixture
def pages(
    ledger_database: LedgerDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    """The pages on Monday, 15 June, for somebody who may read the DAG."""
    reader, moved = tmp_path / "reader", tmp_path / "clock.json"
    reader.write_text(ledger_database.reader)
    monkeypatch.setenv("NOTICE_CYCLE_LEDGER_READER_FILE", str(reader))
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(moved))
    clock.move_to(at("Mon 2026-06-15 09:00"), moved)
    (may_read,) = report.may_read_dag
    report.app.dependency_overrides[may_read.dependency] = lambda: None
    yield TestClient(report.app)
    report.app.dependency_overrides.clear()


def test_before_there_is_a_run_the_page_shows_plan_papers_and_record(
    pages: TestClient, ledger_database: LedgerDatabase
) -> None:
    fact = PreparationOpened.model_validate(begun().data)
    ledger_database.ledger.note(CYCLE, fact, TASK)
    answer = pages.get(f"/preparation/{NOTICE}?slip=1")
    assert answer.status_code == 200
    page = answer.text
    assert "架空データ" in page
    assert f"準備　納入通知書・普通徴収</h1><p>令和8年度（2026年度）の当初の発送回　{CYCLE}</p>" in page
    assert "通知書 40,100件・封筒 39,700通・用紙 40,100枚" in page
    assert "引渡しの日に要る登録は、いま登録簿にそろっています。" in page
    assert "引渡しが1開庁日遅れて7月7日（火）になると" in page
    assert 'action="/notice-cycle/preparation/premium_notice_ordinary"' in page
    assert "run_id" not in page


def test_once_the_cycle_is_open_the_page_is_about_next_year(
    pages: TestClient, ledger_database: LedgerDatabase
) -> None:
    a_cycle().up_to(r.OpeningRecord).entered_in(ledger_database.ledger)
    page = pages.get(f"/preparation/{NOTICE}").text
    assert "令和9年度（2027年度）の当初の発送回" in page
    assert "足りないもの" not in page


@pytest.mark.parametrize("dag", ["reminder", "register_training", "no_such_dag"])
def test_a_dag_without_a_yearly_run_says_so(pages: TestClient, dag: str) -> None:
    answer = pages.get(f"/preparation/{dag}")
    assert (answer.status_code, "準備はありません" in answer.text) == (404, True)


def test_without_the_ledger_it_says_what_to_do(
    pages: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTICE_CYCLE_LEDGER_READER_FILE", str(tmp_path / "nowhere"))
    answer = pages.get(f"/preparation/{NOTICE}")
    assert (answer.status_code, "接続設定のファイルを読めません" in answer.text) == (503, True)


def test_the_page_is_authorised_as_its_dag_and_stands_beside_it() -> None:
    import notice_cycle_plugin

    routes = {route.path: route for route in report.app.routes if hasattr(route, "dependencies")}
    assert routes["/preparation/{dag_id}"].dependencies == routes["/report/{dag_id}"].dependencies != []
    assert preparation.VIEW in notice_cycle_plugin.NoticeCyclePlugin.external_views
    assert preparation.VIEW["destination"] == "dag"
