"""The report's addresses when there is nothing to show: a page in Japanese that says what to do, never a bare error."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from psycopg.conninfo import make_conninfo
from tests.conftest import LedgerDatabase

from notice_cycle_airflow.views import report as view

PAPERS = ("", "/pdf", "/quantities")


@pytest.fixture
def pages() -> Iterator[TestClient]:
    """The pages, for somebody who may read the DAG."""
    (may_read,) = view.may_read_dag
    view.app.dependency_overrides[may_read.dependency] = lambda: None
    yield TestClient(view.app)
    view.app.dependency_overrides.clear()


@pytest.fixture
def reader_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger_reader_dsn"
    monkeypatch.setenv("NOTICE_CYCLE_LEDGER_READER_FILE", str(path))
    return path


def told(pages: TestClient, paper: str) -> tuple[int, str]:
    answer = pages.get(f"/report/premium_notice_ordinary{paper}?run_id=r1")
    assert answer.headers["content-type"].startswith("text/html")
    return answer.status_code, answer.text


@pytest.mark.parametrize("paper", PAPERS)
def test_without_the_ledger_every_paper_says_what_to_do(
    pages: TestClient, reader_file: Path, tmp_path: Path, paper: str
) -> None:
    reader_file.write_text(make_conninfo(host=str(tmp_path), dbname="nowhere", password="never told"))
    status, page = told(pages, paper)
    assert (status, "証跡台帳のデータベースに接続できません" in page) == (503, True)
    assert "読み直してください" in page
    assert "never told" not in page


@pytest.mark.parametrize("paper", PAPERS)
def test_without_its_login_every_paper_says_so(pages: TestClient, reader_file: Path, paper: str) -> None:
    assert not reader_file.exists()
    status, page = told(pages, paper)
    assert (status, "接続設定のファイルを読めません" in page) == (503, True)


@pytest.mark.parametrize("paper", PAPERS)
def test_a_run_without_a_cycle_has_no_paper_yet(
    pages: TestClient, reader_file: Path, ledger_database: LedgerDatabase, paper: str
) -> None:
    reader_file.write_text(make_conninfo(ledger_database.reader, password="a"))
    status, page = told(pages, paper)
    assert (status, "発送回をまだ開始していません" in page) == (404, True)
