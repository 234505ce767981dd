"""An accident, reported through the web UI's API: taken down, told, drafted on the printer; only 課長 lifts the hold."""

from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from embedded_ward.ward import EmbeddedWard
from notice_cycle import clock
from notice_cycle.forms import tokyo
from notice_cycle.incidents.entering import read_incidents
from notice_cycle.register import read_register
from notice_cycle.register.kinds import IncidentHoldEntry
from tests.e2e.conftest import wait_for
from tests.e2e.trace import files_below

pytestmark = pytest.mark.ward
OTHER = "other_print"  # not the contractor of the other tests' cycles: they still have to hand over


def ran(ward: EmbeddedWard, dag: str, run_id: str, **conf: Any) -> str:
    """Triggers a form as the operator and gives the state its run ends with."""
    path = f"/api/v2/dags/{dag}/dagRuns"
    body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    ward.person("unyo").request("POST", path, body).raise_for_status()

    def state() -> str:
        return str(ward.person("unyo").request("GET", f"{path}/{run_id}").json()["state"])

    wait_for(lambda: state() in {"success", "failed"}, f"the end of {run_id}")
    return state()


def mails(ward: EmbeddedWard) -> str:
    return "\n".join(text.decode() for where, text in files_below(ward.layout.mail) if "as read" in where)


def recipients(ward: EmbeddedWard, subject: str) -> set[str]:
    """To whom mails of a subject went."""
    caught = [
        message_from_bytes(path.read_bytes(), policy=default) for path in ward.layout.mail.glob("*.eml")
    ]
    return {str(mail["X-Envelope-To"]) for mail in caught if subject in str(mail["Subject"])}


def test_an_accident_is_taken_down_told_and_drafted(ward: EmbeddedWard) -> None:
    known_at = tokyo(clock.now())
    answers = {
        "party": OTHER, "incident_kind": "漏えいのおそれ", "known_at": f"{known_at.replace(' ', 'T')}:00+09:00",
        "told_by": "委託先（乙）", "told_by_means": "電話", "cycles": "", "carrier": "印刷した通知書",
        "items": ["氏名・住所", "保険料額・所得段階"], "encrypted": "いいえ", "malicious": "いいえ", "measures": ["調査中"],
        "filed_as": "26介保第501号",
    }  # fmt: skip
    assert ran(ward, "incident", "an-accident", **answers) == "success"
    (incident,) = read_incidents(ward.ledger)
    assert (incident.reported.items, incident.reported.persons) == (
        ("氏名・住所", "保険料額・所得段階"),
        None,
    )
    register = read_register(ward.ledger, ward.layout.root / "config", clock.today())
    assert [held.content.party for held in register.held(IncidentHoldEntry)] == [OTHER]
    (draft,) = ward.layout.print_tray.glob("事故*-速報案.pdf")
    assert draft.read_bytes().startswith(b"%PDF-")
    told = {"kaigo-kacho@ward.example", "joho-system@ward.example", "kaigo-hoken@ward.example"}
    wait_for(lambda: told <= recipients(ward, f"【事故】{incident.number}"), "the mails")


def test_a_step_is_stamped_and_a_decision_of_kachos_is_refused_to_others(ward: EmbeddedWard) -> None:
    (incident,) = read_incidents(ward.ledger)
    known = {"number": incident.number, "done_at": f"{tokyo(clock.now()).replace(' ', 'T')}:00+09:00", "filed_as": "26介保第502号"}  # fmt: skip
    assert ran(ward, "incident_step", "notified", **known, step="notified") == "success"
    assert (
        ran(ward, "incident_step", "lifted", **known, step="hold_lifted", reason_code="settled") == "failed"
    )
    (incident,) = read_incidents(ward.ledger)
    assert [step.step for step in incident.steps] == ["notified"]
    wait_for(lambda: "決められるのは、登録簿で課長とされた者だけです" in mails(ward), "the mail")
