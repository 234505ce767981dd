"""What the web UI answers before a person has chosen anything, and the one deadline that Airflow itself keeps."""

import httpx
import pytest

from embedded_ward.ward import NOTICE, EmbeddedWard
from tests.e2e.conftest import wait_for
from tests.e2e.test_incident import recipients

pytestmark = pytest.mark.ward


def test_the_ui_is_japanese_and_in_tokyo_time_unless_a_person_chose_otherwise(ward: EmbeddedWard) -> None:
    page = httpx.get(
        f"{ward.address}/", headers={"Accept": "text/html", "Accept-Encoding": "gzip"}, trust_env=False
    )
    assert page.status_code == httpx.codes.OK
    assert '["i18nextLng", "ja"]' in page.text
    assert "Asia/Tokyo" in page.text
    assert page.text.rstrip().endswith("</html>")


def test_api_and_login_pages_are_left_alone(ward: EmbeddedWard) -> None:
    for path in ("/api/v2/monitor/health", "/auth/login/"):
        answer = httpx.get(ward.address + path, headers={"Accept": "text/html"}, trust_env=False)
        assert answer.status_code == httpx.codes.OK
        assert "i18nextLng" not in answer.text


def test_the_login_page_says_that_the_data_are_invented(ward: EmbeddedWard) -> None:
    login = httpx.get(f"{ward.address}/auth/login/", headers={"Accept": "text/html"}, trust_env=False)
    assert "架空データ" in login.text
    assert "ユーザー名" in login.text


def test_a_run_whose_closing_date_has_passed_is_told_by_airflow_itself(ward: EmbeddedWard) -> None:
    """It began in April and waits for its first form."""
    conf = {
        "fiscal_year": 2026,
        "occasion": "supplementary",
        "reason_code": "rehearsal",
        "batch_no": "2026-08-supplementary",
    }
    body = {"dag_run_id": "should-have-ended", "logical_date": "2026-04-20T01:00:00Z", "conf": conf}
    ward.person("unyo").request("POST", f"/api/v2/dags/{NOTICE}/dagRuns", body).raise_for_status()
    told = {"kaigo-kacho@ward.example", "joho-system@ward.example"}
    wait_for(lambda: recipients(ward, "【完了の期限超過】") == told, "the mails of the deadline")
