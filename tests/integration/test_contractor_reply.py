"""Looking for a contractor's messages on a real SFTP host, against a real ledger: what is taken and what is not."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders import OPENED_AT, TASK, AContractor, a_contractor, a_cycle, a_delivery_report, a_print_log
from tests.further_messages import an_incident_notice
from tests.integration.sftp_hosts import SftpHost, embedded_host

from notice_cycle import records as r
from notice_cycle.errors import Refused
from notice_cycle.exchange.messages import DeliveryReport, Message, PrintLog
from notice_cycle.ledger.store import Ledger
from notice_cycle.settings import Settings
from notice_cycle.strays import Seen, StraysFound
from notice_cycle_airflow.elsewhere import look_elsewhere
from notice_cycle_airflow.reply_watching import look_at
from notice_cycle_airflow.run_context import RunningCycle
from notice_cycle_airflow.sensors.contractor_reply import ContractorReplySensor

UP_TO_WIPE = a_cycle().up_to(r.StagingWipeRecord)
PACKAGE = UP_TO_WIPE[r.EncryptionRecord].package
FIRM = a_contractor()


@pytest.fixture(scope="module")
def host() -> Iterator[SftpHost]:
    with embedded_host() as host:
        yield host


class Desk:
    """The contractor's side of the host, and the ward's sensor that looks at it."""

    def __init__(self, host: SftpHost, cycle: RunningCycle) -> None:
        self.host, self.cycle = host, cycle
        self.sensor = ContractorReplySensor(
            task_id="wait", kinds=[PrintLog, DeliveryReport], settles=r.DeliveryRecord
        )

    def lays(self, message: Message, firm: AContractor = FIRM) -> None:
        folder = self.host.on_disk(f"to_ward/{PACKAGE}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / message.file_name()).write_bytes(message.content())
        (folder / f"{message.file_name()}.sig").write_bytes(firm.signs(message.content()))

    async def looked(self) -> bool:
        return await self.sensor._look(self.cycle, context={})

    def judged_wrong(self) -> None:
        """What the judging task does when the two do not fit together."""
        log, report = self.cycle.received(PrintLog), self.cycle.received(DeliveryReport)
        with pytest.raises(Refused), self.cycle.judging((PrintLog, log[1]), (DeliveryReport, report[1])):
            raise Refused("印刷枚数が計画と一致しません。")

    def refusals(self) -> int:
        return len(self.cycle.history().facts(r.ReplyRefused))


@pytest.fixture
def desk(host: SftpHost, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    host.emptied()
    (tmp_path / "allowed_signers").write_text(
        "".join(f'{each.name} namespaces="notice-cycle-message" {each.key.public_line}\n' for each in [FIRM])
    )
    monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection())
    UP_TO_WIPE.entered_in(ledger)
    settings = Settings(
        {
            "NOTICE_CYCLE_INBOX": str(tmp_path / "inbox"),
            "NOTICE_CYCLE_ALLOWED_SIGNERS_FILE": str(tmp_path / "allowed_signers"),
        }
    )
    cycle = RunningCycle(id=UP_TO_WIPE.id, actor=TASK, settings=settings, ledger=ledger)
    party = cycle.configuration.party.model_copy(update={"host": "127.0.0.1", "port": host.port})
    cycle.__dict__["configuration"] = cycle.configuration.model_copy(update={"party": party})
    return Desk(host, cycle)


async def test_both_messages_are_waited_for(desk: Desk) -> None:
    assert not await desk.looked()
    desk.lays(a_print_log(UP_TO_WIPE))
    assert not await desk.looked()
    desk.lays(a_delivery_report(UP_TO_WIPE))
    assert await desk.looked()
    assert [fact.message for fact in desk.cycle.history().facts(r.ReplyReceived)] == [
        "print-log",
        "delivery-report",
    ]


async def test_looking_twice_notes_nothing_twice(desk: Desk) -> None:
    desk.lays(a_print_log(UP_TO_WIPE))
    desk.lays(a_delivery_report(UP_TO_WIPE))
    assert await desk.looked()
    entries = len(desk.cycle.history().entries)
    assert await desk.looked()
    assert len(desk.cycle.history().entries) == entries


async def test_a_message_of_a_stranger_is_told_once_and_waited_out(desk: Desk) -> None:
    stranger = replace(a_contractor(), name="another_print")
    desk.lays(a_print_log(UP_TO_WIPE))
    desk.lays(a_delivery_report(UP_TO_WIPE), firm=stranger)
    assert not await desk.looked()
    assert not await desk.looked()
    assert desk.refusals() == 1
    desk.lays(a_delivery_report(UP_TO_WIPE))
    assert await desk.looked()


async def test_a_pair_that_was_refused_waits_until_one_of_it_is_new(desk: Desk) -> None:
    desk.lays(a_print_log(UP_TO_WIPE))
    desk.lays(a_delivery_report(UP_TO_WIPE))
    assert await desk.looked()
    desk.judged_wrong()
    assert not await desk.looked()
    desk.lays(a_delivery_report(UP_TO_WIPE, sheets_spoiled=1))
    assert await desk.looked()
    assert desk.cycle.received(PrintLog)[0] == a_print_log(UP_TO_WIPE)
    assert desk.cycle.received(DeliveryReport)[0].sheets_spoiled == 1


async def test_a_name_that_is_no_text_and_a_folder_hide_no_message_and_are_told(desk: Desk) -> None:
    desk.lays(a_print_log(UP_TO_WIPE))
    folder = desk.host.on_disk(f"to_ward/{PACKAGE}")
    (Path(os.fsdecode(os.fsencode(folder) + b"/" + "見本.csv".encode("cp932")))).write_bytes(b"x")
    (folder / "delivery-report.json").mkdir()
    for _ in range(2):
        assert not await desk.looked()
        seen = Seen(desk.cycle.settings.inbox / "seen.json")
        await look_at(desk.cycle, {}, seen)
        seen.keep()
    assert [fact.message for fact in desk.cycle.history().facts(r.ReplyReceived)] == ["print-log"]
    (found,) = desk.cycle.history().facts(StraysFound)
    assert sorted(stray.reason for stray in found.found) == ["name", "no_file"]
    assert any(stray.name.startswith("foreign-") for stray in found.found)
    nothing_strange = Seen(desk.cycle.settings.inbox / "seen.json")
    nothing_strange.keep()
    assert not (desk.cycle.settings.inbox / "seen.json").exists()


async def test_a_message_is_not_strange_while_its_signature_is_on_its_way(desk: Desk) -> None:
    memory = desk.cycle.settings.inbox / "seen.json"

    async def look() -> None:
        seen = Seen(memory)
        await look_at(desk.cycle, {}, seen)
        seen.keep()

    desk.lays(a_print_log(UP_TO_WIPE))
    folder = desk.host.on_disk(f"to_ward/{PACKAGE}")
    (signature,) = folder.glob("*.sig")
    content = signature.read_bytes()
    signature.unlink()
    await look()
    assert memory.exists()
    signature.write_bytes(content)
    await look()
    assert not desk.cycle.history().facts(StraysFound)
    assert not memory.exists()


def test_an_incident_is_found_on_the_host_whatever_the_cycle_waits_for(desk: Desk) -> None:
    encryption = UP_TO_WIPE[r.EncryptionRecord]
    begun = r.HandoverBegun(
        package=PACKAGE, route="lgwan", encrypted_file=encryption.files[0], begun_at=OPENED_AT
    )
    desk.cycle.note(begun)
    desk.lays(an_incident_notice(UP_TO_WIPE))
    desk.lays(a_print_log(UP_TO_WIPE))
    for _ in range(2):
        look_elsewhere([desk.cycle], set(), Seen(desk.cycle.settings.inbox / "seen.json"), {})
    assert len(desk.cycle.history().facts(r.IncidentTold)) == 1
    assert [fact.message for fact in desk.cycle.history().facts(r.ReplyReceived)] == ["incident-notice"]
