"""発送計画 as a page: what the register settles is shown as settled, through the login that can only read."""

import re
from pathlib import Path

import pytest
from tests.builders import NOTICE, a_cycle
from tests.conftest import LedgerDatabase
from tests.unit.test_named_calendars import at

from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle_airflow.views import plan


def test_the_papers_of_a_yearly_dispatch_are_judged_by_the_register(
    ledger_database: LedgerDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, moved = tmp_path / "reader", tmp_path / "clock.json"
    reader.write_text(ledger_database.reader)
    monkeypatch.setenv("NOTICE_CYCLE_LEDGER_READER_FILE", str(reader))
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(moved))
    clock.move_to(at("Thu 2026-07-02 09:00"), moved)
    cycle = a_cycle().up_to(r.ExtractionRecord)
    cycle.entered_in(ledger_database.ledger)
    page = plan.page(NOTICE, cycle[r.OpeningRecord].run_id, slip=0).body.decode()
    rows = re.findall(r'<tr class="(\w+)">(?:<td[^>]*>[^<]*</td>){3}<td>([^<]*)</td>', page)
    states = {label: state for state, label in rows}
    assert (states["テストデータの引渡しと初校"], states["再校・校了"]) == ("done", "done")
    assert states["契約・認証・名簿・区域・研修の書類の確認"] == "done"
    assert states["検証確認"] == "open"
