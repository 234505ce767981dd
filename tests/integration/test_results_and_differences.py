"""Notice by notice in a real ledger and vault: a difference is listed once, what became of every notice is told once."""

from pathlib import Path

import pytest
from tests.builders import CONFIG, CYCLE, NOTICE, TASK, a_delivery_report
from tests.unit.test_notice_reconciliation import number, six, write_index

from notice_cycle import records as r
from notice_cycle.errors import Altered
from notice_cycle.exchange import messages as m
from notice_cycle.ledger.store import Ledger
from notice_cycle.posting import Posted
from notice_cycle.settings import Settings
from notice_cycle.values import sha256
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import DISPATCH_INDEX
from notice_cycle_airflow.reconciling import reconcile_delivery, reconcile_posting
from notice_cycle_airflow.returning import return_results
from notice_cycle_airflow.run_context import RunningCycle

CONFIRMED = six(r.DeliveryConfirmationRecord)


@pytest.fixture
def running(ledger: Ledger, vault: CycleVault, tmp_path: Path) -> RunningCycle:
    settings = Settings(
        {
            "NOTICE_CYCLE_CONFIG": str(CONFIG),
            "NOTICE_CYCLE_PRINT_TRAY": str(tmp_path / "tray"),
            "NOTICE_CYCLE_RESULT_ROOT": str(tmp_path / "results"),
        }
    )
    (tmp_path / "results").mkdir()
    cycle = RunningCycle(id=CYCLE, actor=TASK, settings=settings, ledger=ledger)
    cycle.__dict__["vault"] = vault
    CONFIRMED.entered_in(ledger)
    write_index(vault)
    return cycle


def a_report(*envelopes: int, **changes: object) -> m.DeliveryReport:
    lots = tuple(m.Lot(lot=str(lot), envelopes=count) for lot, count in enumerate(envelopes, start=1))
    return a_delivery_report(CONFIRMED, lots=lots, **changes)


def facts(cycle: RunningCycle) -> list[r.NoticesReconciled]:
    return cycle.history().facts(r.NoticesReconciled)


def test_a_difference_is_listed_and_noted_once_however_often_the_task_runs(
    running: RunningCycle, tmp_path: Path
) -> None:
    short = a_report(1, 3)
    assert {reconcile_delivery(running, short, sha256(b"short")) for _ in range(2)} == {f"{CYCLE}-RL1"}
    assert reconcile_delivery(running, a_report(2, 3), sha256(b"right")) == ""
    assert [(one.list_number, len(one.differences)) for one in facts(running)] == [
        (f"{CYCLE}-RL1", 1),
        ("", 0),
    ]
    assert [path.name for path in (tmp_path / "tray").iterdir()] == [f"{CYCLE}-RL1.pdf"]


def test_a_report_about_another_package_is_not_compared(running: RunningCycle, tmp_path: Path) -> None:
    assert reconcile_delivery(running, a_report(1, manifest_sha256="0" * 64), sha256(b"other")) == ""
    assert facts(running) == [] and not (tmp_path / "tray").exists()


def test_what_was_not_posted_is_listed_and_an_officers_entry_names_no_lot(running: RunningCycle) -> None:
    delivered = CONFIRMED[r.DeliveryRecord]
    receipt = {"party": "x", "post_office": "架空中央郵便局", "posted_at": delivered.delivered_at}
    running.note(Posted.model_validate({"receipt_number": "0", "envelopes": 1, **receipt}))
    assert reconcile_posting(running) == ""
    lots = (r.LotDelivered(lot="ロット 1", envelopes=2),)
    running.note(Posted.model_validate({"receipt_number": "1", "envelopes": 2, "lots": lots, **receipt}))
    assert reconcile_posting(running) == f"{CYCLE}-RL1"
    (fact,) = facts(running)
    assert [(one.kind, one.lot, one.due, one.told) for one in fact.differences] == [
        ("not_posted", "ロット2", 3, 0)
    ]


def test_the_results_are_written_once_and_not_again_when_the_core_system_took_them(
    running: RunningCycle, tmp_path: Path
) -> None:
    digest = return_results(running)
    folder = tmp_path / "results" / NOTICE
    content = (folder / f"{CYCLE}.csv").read_bytes()
    assert sha256(content) == digest and content.count(b"\r\n") == 7
    assert number(6).encode() in content
    for path in folder.iterdir():
        path.unlink()
    assert return_results(running) == digest
    assert list(folder.iterdir()) == []
    (fact,) = running.history().facts(r.ResultsReturned)
    assert fact.results == {"sent": 6}


def test_killed_between_file_and_ledger_the_retry_finds_its_files(
    running: RunningCycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(RunningCycle, "note", _dies)
        with pytest.raises(KeyboardInterrupt):
            return_results(running)
    assert running.history().facts(r.ResultsReturned) == []
    assert return_results(running) == running.history().facts(r.ResultsReturned)[0].file.sha256


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_an_index_that_was_lost_with_its_vault_stops_nothing(running: RunningCycle) -> None:
    running.vault.wipe([DISPATCH_INDEX])
    assert reconcile_delivery(running, a_report(1), sha256(b"short")) == ""
    assert return_results(running) == "索引がないため、返していません"
    assert running.history().facts(r.ResultsReturned) == []


def test_an_index_of_another_composition_stops(running: RunningCycle) -> None:
    running.vault.wipe([DISPATCH_INDEX])
    write_index(running.vault, letters=5)
    with pytest.raises(Altered, match="索引"):
        return_results(running)
