"""The rehearsal's officers take every paper of the disc's route out of the print tray when they answer its form."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.builders import CYCLE, OPENED_AT, TASK, a_cycle, on_disc

from embedded_ward.officers import Places, Script
from notice_cycle import records as r
from notice_cycle.handover.disc import DiscHandover
from notice_cycle.handover.returns import Returns
from notice_cycle.ledger.store import Ledger
from notice_cycle.settings import Settings
from notice_cycle.values import stored_file
from notice_cycle_airflow.confirmations import lay_out_confirmation
from notice_cycle_airflow.run_context import RunningCycle


class AnOfficer:
    """Airflow's answers to one person, and what the person answered."""

    def __init__(self, subject: str, body: str) -> None:
        self.answered: list[dict[str, Any]] = []
        self._detail = {
            "task_instance": {"dag_id": "d", "dag_run_id": "r", "task_id": "t", "map_index": -1},
            "subject": subject,
            "body": f"**発送回** {CYCLE}　**回答する人** 担当\n\n{body}",
            "created_at": datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
        }

    def request(self, method: str, path: str, body: Any = None) -> httpx.Response:
        if method == "PATCH":
            self.answered.append(body)
        told = {"hitl_details": [self._detail]}
        return httpx.Response(200, json=told, request=httpx.Request(method, f"http://ward{path}"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(
        tray=tmp_path / "tray",
        desk=tmp_path / "desk",
        outbox=tmp_path / "outbox",
        replies=tmp_path / "replies",
    )
    for folder in (places.tray, places.desk, places.outbox / CYCLE, places.replies):
        folder.mkdir(parents=True)
    return places


def running(ledger: Ledger, places: Places) -> RunningCycle:
    settings = Settings({"NOTICE_CYCLE_PRINT_TRAY": str(places.tray)})
    return RunningCycle(id=CYCLE, actor=TASK, settings=settings, ledger=ledger)


def look(places: Places, subject: str, body: str) -> dict[str, Any]:
    officer = AnOfficer(subject, body)
    Script({"tanto1": officer, "tanto2": officer}, places).look()  # type: ignore[dict-item]
    (answer,) = officer.answered
    return answer  # type: ignore[no-any-return]


def test_with_the_discs_go_their_labels_and_the_transmittal_and_the_passphrase_stays(
    ledger: Ledger, places: Places
) -> None:
    image = places.outbox / CYCLE / f"{CYCLE}-p1-d1.iso"
    image.write_bytes(b"image")
    disc = r.Disc(label=f"{CYCLE}-p1-d1", image=stored_file(image))
    made = r.DiscsMade(package=f"{CYCLE}-p1", discs=(disc,), made_at=OPENED_AT)
    a_cycle().up_to(r.EncryptionRecord).noting(made).entered_in(ledger)
    cycle = running(ledger, places)
    lay_out_confirmation(cycle, "disc_handover")
    for name in (f"{disc.label}-盤面ラベル", f"{CYCLE}-p1-送付票", f"{CYCLE}-PW1"):
        (places.tray / f"{name}.pdf").write_bytes(b"paper")
    answer = look(places, "媒体引渡確認書", DiscHandover().body(cycle.history()))
    assert answer["params_input"]["quantity"] == "1"
    assert (places.desk / "discs" / image.name).read_bytes() == b"image"
    assert [path.name for path in places.tray.iterdir()] == [f"{CYCLE}-PW1.pdf"]
    assert list(places.desk.glob("*.pdf")) == []  # the contractor looks there for the passphrase


def test_when_all_came_back_both_papers_are_filed(ledger: Ledger, places: Places) -> None:
    a_cycle().with_(handover=on_disc()).up_to(r.DeliveryConfirmationRecord).entered_in(ledger)
    cycle = running(ledger, places)
    lay_out_confirmation(cycle, "returns")
    assert len(list(places.tray.iterdir())) == 2
    (places.desk / "returned").mkdir()
    for name in (f"{CYCLE}-p1-d1.iso", f"{CYCLE}-PW1.pdf"):
        (places.desk / "returned" / name).write_bytes(b"back")
    answer = look(places, "返却確認書", Returns().body(cycle.history()))
    assert answer["params_input"]["discs_quantity"] == "1"
    assert answer["params_input"]["notices_quantity"] == "1"
    assert list(places.tray.iterdir()) == []
