"""What a contractor's copies are wrong in is told in one mail, however much it is, and told once."""

from pathlib import Path
from typing import Any

import pytest
from tests.builders import TASK, a_digest
from tests.unit.copies.good import GOOD
from tests.unit.copies.told import a_declaration, a_declared_copy

from notice_cycle import records as r
from notice_cycle.copies import CopyViolation, HandlerViolation
from notice_cycle.ledger.store import Ledger
from notice_cycle.settings import Settings
from notice_cycle_airflow import judging
from notice_cycle_airflow.notifiers.ward_mail import TOLD_TO
from notice_cycle_airflow.run_context import RunningCycle


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, str], str]]:
    """The mails: to whom, what, of which section."""
    sent: list[tuple[Any, dict[str, str], str]] = []

    class Mail:
        def __init__(self, template: str, to: Any, facts: dict[str, str], section: str) -> None:
            assert template == "violation"
            sent.append((to, facts, section))

        def __call__(self, _context: Any) -> None:
            pass

    monkeypatch.setattr(judging, "WardMail", Mail)
    return sent


def test_all_that_was_found_is_one_mail_to_the_office_and_its_superiors(
    ledger: Ledger, tmp_path: Path, sent: list[tuple[Any, dict[str, str], str]]
) -> None:
    opened = GOOD[r.ContentReceiptRecord].print_file_sha256
    sticks = [
        a_declared_copy(digest, carrier="その他", place="USB メモリー") for digest in (opened, a_digest(2))
    ]
    GOOD.up_to(r.StagingWipeRecord).noting(a_declaration(*sticks)).entered_in(ledger)
    settings = Settings({"NOTICE_CYCLE_INBOX": str(tmp_path)})
    cycle = RunningCycle(id=GOOD.id, actor=TASK, settings=settings, ledger=ledger)
    judging._tell_violations(cycle, {})
    judging._tell_violations(cycle, {})
    ((to, facts, section),) = sent
    assert (to, section) == (TOLD_TO["violation"], cycle.configuration.notice.section)
    noted = cycle.history().facts(CopyViolation)
    assert len(noted) > 1
    assert facts["what_ja"] == f"控えの違反 {len(noted)}件"
    assert len(facts["reason"].splitlines()) == len(noted)


def test_who_is_on_no_roster_is_told_before_the_closing_asks_and_kept_without_the_name(
    ledger: Ledger, tmp_path: Path, sent: list[tuple[Any, dict[str, str], str]]
) -> None:
    GOOD.up_to(r.DeliveryRecord).with_(delivery={"delivered_by": "臨時 太郎"}).entered_in(ledger)
    settings = Settings({"NOTICE_CYCLE_INBOX": str(tmp_path)})
    cycle = RunningCycle(id=GOOD.id, actor=TASK, settings=settings, ledger=ledger)
    judging.tell_violations(cycle, {})
    judging.tell_violations(cycle, {})
    ((_, facts, _),) = sent
    assert facts["what_ja"] == "取扱者の違反"
    assert facts["reason"].startswith("納品報告に、")
    (noted,) = cycle.history().facts(HandlerViolation)
    assert noted.on_ja == "納品報告"
    assert "臨時" not in facts["reason"] + noted.model_dump_json()
