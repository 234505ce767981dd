"""The page 運用手順書: the runbook as it stands, with the addresses that mails name; in the image, for who is logged in."""

import re
from pathlib import Path

import pytest
from airflow.api_fastapi.core_api.security import get_user
from tests.airflow.test_copies_page import own_script
from tests.builders import CONFIG

from notice_cycle.alerts import RUNBOOK_PAGE, sample_mail
from notice_cycle.stage import STAGES
from notice_cycle_airflow.views import report, runbook

ROOT = Path(__file__).parents[2]
MAILS = sorted(path.stem for path in (CONFIG / "mail").glob("*.yaml"))


@pytest.fixture(scope="module")
def page() -> str:
    return runbook.document()


def addresses(page: str) -> list[str]:
    return re.findall(r'<span id="([a-z_]+)"', page)


def test_every_section_has_one_address_and_every_stage_is_there(page: str) -> None:
    found = addresses(page)
    assert len(found) == len(set(found))
    assert {stage.id for stage in STAGES} <= set(found)


@pytest.mark.parametrize("name", MAILS)
def test_the_address_in_a_mail_leads_to_a_section(name: str, page: str) -> None:
    mail = sample_mail(CONFIG, name, base_url="https://ward")
    if not mail.link:
        assert mail.manual == ""  # a contractor's
        return
    before, _, section = mail.manual.partition("#")
    assert before == f"https://ward{RUNBOOK_PAGE}"
    assert section in addresses(page)


def test_the_page_reads_as_the_document(page: str) -> None:
    assert "<table>" in page
    assert "<h3>画面で見えるもの</h3>" in page
    assert "<script" not in page.replace(own_script(), "")
    assert re.findall(r'href="(?!/notice-cycle/|https?:|#)([^"]*)"', page) == []
    assert "<a id=" not in page
    assert "&lt;a id" not in page


def test_only_who_is_logged_in_reads_it_and_the_image_has_it() -> None:
    assert f"{report.PREFIX}/runbook" == RUNBOOK_PAGE
    (route,) = [route for route in report.app.routes if getattr(route, "path", "") == "/runbook"]
    assert [asked.call for asked in route.dependant.dependencies] == [get_user]
    assert "COPY docs/runbook.md docs/\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "!docs/runbook.md\n" in (ROOT / ".dockerignore").read_text(encoding="utf-8")
