"""An incident through a real ledger: taken down once, its party stopped, told on closed days too, drafted once, ended."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.builders import CONFIG, CYCLE, a_cycle
from tests.integration.test_deadline_watch import Mailbox, looked, moved  # noqa: F401 - a fixture
from tests.unit.incidents.test_incidents import ANSWERS, EVERYTHING
from tests.unit.register.world import DAY, KACHO, PRINT, TANTO

from notice_cycle import records as r
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.incidents.entering import (
    find_incident,
    read_incidents,
    report,
    sections_concerned,
    take_step,
)
from notice_cycle.incidents.facts import IncidentReportDrafted, IncidentReported, IncidentStepped
from notice_cycle.incidents.folded import STEPS
from notice_cycle.incidents.preliminary_report import draft_once
from notice_cycle.ledger.store import Ledger
from notice_cycle.register import read_register
from notice_cycle.register.kinds import IncidentHoldEntry
from notice_cycle.settings import Settings
from notice_cycle.values import canonical, sha256

AT = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)


def stepped(ledger: Ledger, step: str, **answers: str) -> str:
    asked = {
        "number": "2026-001", "step": step, "done_at": "2026-07-01T11:00", "filed_as": "26介保第32号",
        "reason_code": "settled" if STEPS[step].decided else "",
    }  # fmt: skip
    return take_step(ledger, CONFIG, asked | answers, by=KACHO, at=AT).digest


def test_an_incident_is_taken_down_once_however_often_its_task_runs(ledger: Ledger) -> None:
    a_cycle(persons=250).up_to(r.ReceiptRecord).entered_in(ledger)
    asked = ANSWERS | {"cycles": f"{CYCLE}\n{CYCLE}"}
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: report(ledger, CONFIG, asked, by=TANTO, at=AT), range(3)))
    assert len({entry.digest for entry in found}) == 1
    (entry,) = ledger.entries(kind=IncidentReported.kind())
    assert (entry.cycle, entry.actor, entry.data["persons"]) == (None, TANTO, 250)
    assert report(ledger, CONFIG, asked | {"carrier": "不明"}, by=TANTO, at=AT).data["number"] == "2026-002"
    assert sections_concerned(ledger, [CYCLE, CYCLE]) == ("介護保険課",)
    assert ledger.verify().holds


def test_another_sections_incident_is_not_stamped(ledger: Ledger) -> None:
    a_cycle(persons=250).up_to(r.ReceiptRecord).entered_in(ledger)
    report(ledger, CONFIG, ANSWERS | {"cycles": CYCLE}, by=TANTO, at=AT)
    asked = {
        "number": "2026-001",
        "step": "notified",
        "done_at": "2026-07-01T11:00",
        "filed_as": "26介保第32号",
    }
    with pytest.raises(Refused, match="事故 2026-001 は介護保険課のものです"):
        take_step(ledger, CONFIG, asked, by=KACHO, at=AT, own=("地域包括ケア推進課",))
    assert take_step(ledger, CONFIG, asked, by=KACHO, at=AT, own=("介護保険課",)).data["step"] == "notified"


def test_its_party_is_stopped_until_it_is_lifted(ledger: Ledger) -> None:
    report(ledger, CONFIG, ANSWERS, by=TANTO, at=AT)

    def holds() -> list[str]:
        register = read_register(ledger, CONFIG, DAY)
        return [held.content.party for held in register.held(IncidentHoldEntry)]

    assert holds() == [PRINT]
    assert stepped(ledger, "hold_lifted") == stepped(ledger, "hold_lifted")
    assert holds() == []
    assert len(ledger.entries(kind=IncidentStepped.kind())) == 1


def test_a_step_is_stamped_once_and_never_after_the_end(ledger: Ledger) -> None:
    report(ledger, CONFIG, ANSWERS, by=TANTO, at=AT)
    for step in (*EVERYTHING, "closed"):
        stepped(ledger, step)
    with pytest.raises(Refused, match="すでに記録されています"):
        stepped(ledger, "notified", filed_as="26介保第99号")
    with pytest.raises(Refused, match="処理は終わっています"):
        stepped(ledger, "persons_told")
    with pytest.raises(Refused, match="受付番号 2026-009 の事故はありません"):
        stepped(ledger, "notified", number="2026-009")
    assert [one.is_closed for one in read_incidents(ledger)] == [True]


def test_the_draft_is_printed_once(ledger: Ledger, tmp_path: Path) -> None:
    a_cycle().up_to(r.ReceiptRecord).entered_in(ledger)
    report(ledger, CONFIG, ANSWERS | {"cycles": CYCLE}, by=TANTO, at=AT)
    settings = Settings({"NOTICE_CYCLE_PRINT_TRAY": str(tmp_path / "tray")})
    drafts = [
        draft_once(
            ledger,
            settings,
            find_incident(ledger, "2026-001"),
            party_ja="架空印刷株式会社",
            ward="架空区",
            at=AT,
        )
        for _ in range(2)
    ]
    assert drafts[0] == drafts[1]
    assert [path.name for path in (tmp_path / "tray").iterdir()] == ["事故2026-001-速報案.pdf"]
    assert len(ledger.entries(kind=IncidentReportDrafted.kind())) == 1


def test_every_section_of_the_cycles_chosen_is_told(ledger: Ledger, moved: Path) -> None:  # noqa: F811
    a_cycle(persons=250).up_to(r.ReceiptRecord).entered_in(ledger)
    other = a_cycle(cycle="2026-burden_certificate-annual-01", run_id="manual__2")
    configuration = other[r.OpeningRecord].configuration
    of_care = configuration | {"notice": configuration["notice"] | {"section": "地域包括ケア推進課"}}
    opening = {
        "notice": "burden_certificate",
        "configuration": of_care,
        "configuration_sha256": sha256(canonical(of_care)),
    }
    other.with_(opening=opening).up_to(r.ReceiptRecord).entered_in(ledger)
    report(ledger, CONFIG, ANSWERS | {"cycles": f"{CYCLE}\n{other.id}"}, by=TANTO, at=AT)
    box = Mailbox()
    box.fails_after = 1
    with pytest.raises(CannotLook):
        looked(ledger, moved, "Sat 2026-07-04 13:00", box)
    box.fails_after = None
    looked(ledger, moved, "Sat 2026-07-04 13:00", box)
    assert [mail.to for mail in box] == ["houkatsu-kacho@ward.example", "kaigo-kacho@ward.example"]
    assert all("【期限超過】7月4日（土）　事故 2026-001 速報" in mail.text for mail in box)
    looked(ledger, moved, "Sat 2026-07-04 15:00", box)
    assert len(box) == 2


def test_the_laws_clock_is_told_on_a_closed_day_too_and_once(ledger: Ledger, moved: Path) -> None:  # noqa: F811
    a_cycle(persons=250).up_to(r.ReceiptRecord).entered_in(ledger)
    report(ledger, CONFIG, ANSWERS | {"cycles": CYCLE}, by=TANTO, at=AT)
    box = Mailbox()
    looked(ledger, moved, "Sat 2026-07-04 13:00", box)
    (mail,) = [mail for mail in box if mail.to == "kaigo-kacho@ward.example"]
    assert "【期限超過】7月4日（土）　事故 2026-001 速報" in mail.text
    assert {mail.to for mail in box} == {"kaigo-kacho@ward.example"}
    again = Mailbox()
    looked(ledger, moved, "Sun 2026-07-05 13:00", again)
    assert again == []
    stepped(ledger, "preliminary_report")
    stepped(ledger, "written_report")
    stepped(ledger, "notified")
    third = Mailbox()
    looked(ledger, moved, "Sat 2026-07-11 13:00", third)
    assert third == []
