"""What a contractor or a subcontractor puts down, taken in against a real ledger: each kind of fault has its reaction.

The folder is the ward's desk (route manual): looking over SFTP is tested in test_contractor_reply.py.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.builders import (
    CONTRACTOR,
    OPENED_AT,
    SHONIN,
    TANTO,
    TASK,
    AContractor,
    a_contractor,
    a_cycle,
    a_receipt,
    an_erasure_certificate,
    an_erasure_report,
)
from tests.enclosed import encrypted_by_age
from tests.further_messages import (
    a_copy_declaration,
    a_declared_copy,
    a_measure_change,
    a_rejection,
    a_transfer_record,
    an_enclosure,
    an_incident_notice,
)

from notice_cycle import records as r
from notice_cycle import replies
from notice_cycle.acknowledgement.passphrase_notice import PassphraseHandover
from notice_cycle.copies.told import erasures_told_at, told_facts
from notice_cycle.erasure.verify import parties_that_erase
from notice_cycle.errors import Conflict, Refused
from notice_cycle.exchange import csv_form
from notice_cycle.exchange.messages import (
    MAX_MESSAGE_BYTES,
    MESSAGES,
    ContentReceipt,
    CopyDeclaration,
    Enclosure,
    ErasureCertificate,
    ErasureReport,
    Message,
    Receipt,
    Rejection,
)
from notice_cycle.ledger.store import Ledger
from notice_cycle.register import RegisterChanged
from notice_cycle.settings import Settings
from notice_cycle.stage import predecessor_of
from notice_cycle.strays import Seen, StraysFound
from notice_cycle.values import sha256
from notice_cycle_airflow import elsewhere
from notice_cycle_airflow import replies as taking
from notice_cycle_airflow.operators import evidence_form
from notice_cycle_airflow.reply_watching import enter_transcription, look, look_at, open_cycles
from notice_cycle_airflow.run_context import RunningCycle
from notice_cycle_airflow.sensors.contractor_reply import ContractorReplySensor

INSERT = a_contractor("example_insert")
FIRM = a_contractor(beside=[INSERT])
HANDED_OVER = a_cycle().up_to(r.HandoverRecord)
RECEIPT = a_receipt(HANDED_OVER)
PACKAGE = HANDED_OVER[r.EncryptionRecord].package


@dataclass
class Ward:
    """One open cycle by the manual route, its desk, and what was mailed."""

    cycle: RunningCycle
    folder: Path
    mails: list[tuple[str, dict[str, Any]]]

    def lays(self, message: Message, firm: AContractor = FIRM, *, name: str = "") -> Path:
        return self.lays_bytes(name or message.file_name(), message.content(), firm)

    def lays_bytes(self, name: str, content: bytes, firm: AContractor | None = FIRM) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)
        if firm:
            (self.folder / f"{name}.sig").write_bytes(firm.signs(content))
        return self.folder / name

    async def looks(self) -> None:
        seen = Seen(self.cycle.settings.inbox / "seen.json")
        await look_at(self.cycle, {}, seen)
        seen.keep()

    async def waits(self, *kinds: type[Message], settles: type[r.Record] = r.ReceiptRecord) -> bool:
        sensor = ContractorReplySensor(task_id="wait", kinds=kinds or [Receipt], settles=settles)
        return await sensor._look(self.cycle, {})

    def facts(self, fact: Any) -> list[Any]:
        return self.cycle.history().facts(fact)

    def told(self) -> list[str]:
        return [template for template, _ in self.mails]

    def quarantined(self) -> set[str]:
        folder = self.cycle.settings.inbox / "quarantine" / self.cycle.id
        return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture
def ward(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    signers = [FIRM, INSERT]
    (tmp_path / "allowed_signers").write_text(
        "".join(f'{each.name} namespaces="notice-cycle-message" {each.key.public_line}\n' for each in signers)
    )
    HANDED_OVER.entered_in(ledger)
    ledger.note(
        HANDED_OVER.id,
        r.RouteSwitched(route="manual", reason_code="drill", decided_by=TANTO),
        TASK,
    )
    settings = Settings(
        {
            "NOTICE_CYCLE_INBOX": str(tmp_path / "inbox"),
            "NOTICE_CYCLE_REPLY_DESK": str(tmp_path / "desk"),
            "NOTICE_CYCLE_ALLOWED_SIGNERS_FILE": str(tmp_path / "allowed_signers"),
        }
    )
    mails: list[tuple[str, dict[str, Any]]] = []

    class Mails:
        def __init__(self, template: str, to: Any, facts: dict[str, Any], section: str) -> None:
            self.template, self.facts = template, facts | {"to": to}

        def __call__(self, _context: Any) -> None:
            mails.append((self.template, self.facts))

    monkeypatch.setattr(taking, "WardMail", Mails)
    monkeypatch.setattr(elsewhere, "WardMail", Mails)
    cycle = RunningCycle(id=HANDED_OVER.id, actor=TASK, settings=settings, ledger=ledger)
    return Ward(cycle, tmp_path / "desk" / PACKAGE, mails)


@pytest.fixture
def closed(ward: Ward) -> Ward:
    """The same cycle after its closing: its inbox is gone."""
    whole, ledger = a_cycle(), ward.cycle.ledger
    for record in whole.records[len(HANDED_OVER.records) :]:
        ledger.enter(whole.id, record, TASK, after=predecessor_of(type(record)))
    return ward


@pytest.fixture
def consented(ward: Ward) -> Ward:
    ward.cycle.ledger.note(
        None,
        RegisterChanged.model_validate(
            {
                "action": "add",
                "entry_kind": "consent",
                "key": "2026-insert",
                "valid_from": date(2026, 4, 1),
                "valid_until": date(2027, 3, 31),
                "content": {
                    "contractor": CONTRACTOR,
                    "subcontractor": "example_insert",
                    "notices": ["premium_notice_ordinary"],
                    "number": "26介保第50号",
                },
                "reason_code": "new",
                "filed_as": "26介保第50号",
                "entered_by": SHONIN.model_dump(),
                "entered_at": datetime(2026, 4, 1, tzinfo=UTC),
            }
        ),
        TASK,
    )
    return ward


class TestWhatNobodyWaitsFor:
    async def test_a_declaration_is_taken_in_once_and_can_be_read_with_whose_it_is(self, ward: Ward) -> None:
        ward.lays(a_copy_declaration(HANDED_OVER))
        await ward.looks()
        await ward.looks()
        (found,) = ward.cycle.all_received(CopyDeclaration)
        assert (found.message, found.party, found.signed_by) == (
            a_copy_declaration(HANDED_OVER),
            CONTRACTOR,
            CONTRACTOR,
        )
        assert len(ward.facts(r.ReplyReceived)) == 1

    async def test_several_of_a_kind_are_kept_side_by_side_oldest_first(self, ward: Ward) -> None:
        first = a_copy_declaration(HANDED_OVER)
        second = a_copy_declaration(HANDED_OVER, a_declared_copy("0" * 64, place="PRINT-02"))
        ward.lays(first)
        await ward.looks()
        ward.lays(second, name="copy-declaration-2.json")
        await ward.looks()
        assert [one.message for one in ward.cycle.all_received(CopyDeclaration)] == [first, second]

    async def test_a_subcontractor_with_consent_reports_under_its_own_name(self, consented: Ward) -> None:
        report = an_erasure_report(HANDED_OVER)
        consented.lays(report, INSERT, name="example_insert.erasure-report.json")
        await consented.looks()
        (found,) = consented.cycle.all_received(ErasureReport)
        assert (found.party, found.signed_by) == ("example_insert", "example_insert")
        with pytest.raises(Refused, match="まだ届いていません"):
            consented.cycle.received(ErasureReport)  # that is the contractor's

    async def test_a_subcontractor_without_consent_is_not_heard(self, ward: Ward) -> None:
        ward.lays(an_erasure_report(HANDED_OVER), INSERT, name="example_insert.erasure-report.json")
        await ward.looks()
        assert ward.facts(r.ReplyReceived) == []

    async def test_a_subcontractors_signature_under_the_contractors_name_is_refused(
        self, consented: Ward
    ) -> None:
        consented.lays(a_copy_declaration(HANDED_OVER), INSERT)
        await consented.looks()
        (refused,) = consented.facts(r.ReplyRefused)
        assert "委託先でも、承諾した再委託先でもありません" in refused.reason_ja

    async def test_an_incident_is_told_to_the_director_at_once_and_its_words_stay_out_of_the_ledger(
        self, ward: Ward
    ) -> None:
        ward.lays(an_incident_notice(HANDED_OVER, outline="内容のわかる文"))
        await ward.looks()
        await ward.looks()
        assert ward.told() == ["incident_notice"]
        assert ward.mails[0][1]["to"] == ("director", "operator")
        (told,) = ward.facts(r.IncidentTold)
        assert (told.party, told.what, told.persons_at_most) == (CONTRACTOR, "likelihood", 1)
        assert "内容のわかる文" not in "".join(str(entry.data) for entry in ward.cycle.history().entries)

    async def test_what_reports_about_another_package_is_refused(self, ward: Ward) -> None:
        ward.lays(a_measure_change(HANDED_OVER, manifest_sha256="0" * 64))
        await ward.looks()
        assert "この発送回のパッケージ" in ward.facts(r.ReplyRefused)[0].reason_ja

    async def test_a_first_answer_to_a_stage_is_left_to_the_stage(self, ward: Ward) -> None:
        ward.lays(RECEIPT)
        await ward.looks()
        assert ward.facts(r.ReplyReceived) == []
        assert await ward.waits()

    def test_the_look_over_all_cycles_finds_the_open_ones_only(self, ward: Ward) -> None:
        cycle, ledger = ward.cycle, ward.cycle.ledger
        ward.lays(a_measure_change(HANDED_OVER))
        assert look(ledger, cycle.settings, TASK, {}) == "発送回 1件の届出を見ました。"
        assert len(ward.facts(r.ReplyReceived)) == 1
        unsent = a_cycle(cycle="2026-premium_notice_ordinary-supplementary-01", run_id="manual__2")
        unsent.up_to(r.EncryptionRecord).entered_in(ledger)
        assert [one.id for one in open_cycles(ledger, cycle.settings, TASK)] == [HANDED_OVER.id]


class TestRejection:
    @pytest.mark.parametrize(
        ("level", "kind", "settles"),
        [(1, Receipt, r.ReceiptRecord), (2, ContentReceipt, r.ContentReceiptRecord)],
    )
    async def test_the_waiting_task_stops_with_the_reason(
        self, ward: Ward, level: int, kind: type[Message], settles: type[r.Record]
    ) -> None:
        ward.lays(a_rejection(HANDED_OVER, level=level))
        with pytest.raises(Refused, match="ダイジェストが合わない") as stopped:
            await ward.waits(kind, settles=settles)
        assert "やり直し" in stopped.value.advice

    async def test_it_holds_until_a_person_decides(self, ward: Ward) -> None:
        ward.lays(a_rejection(HANDED_OVER))
        await ward.looks()
        with pytest.raises(Refused, match="否認"):
            await ward.waits()
        encrypted = ward.cycle.history().entry_of(r.EncryptionRecord)
        redone = r.Decision(
            decision=r.DecisionKind.REDO,
            supersedes=encrypted.digest,
            stage="encryption",
            reason_code="package_fault",
            decided_by=TANTO,
        )
        ward.cycle.note(redone)
        assert not replies.is_rejected(ward.cycle.history(), PACKAGE)


class TestTwoAnswers:
    async def received(self, ward: Ward) -> None:
        ward.lays(RECEIPT)
        assert await ward.waits()

    async def test_the_same_once_more_is_noted_once(self, ward: Ward) -> None:
        await self.received(ward)
        ward.lays(RECEIPT, name="receipt-2.json")
        for _ in range(2):
            await ward.looks()
        assert len(ward.facts(r.ReplyReceived)) == len(ward.facts(r.ReplyRepeated)) == 1
        assert ward.told() == []

    @pytest.mark.parametrize("name", ["receipt.json", "receipt-2.json"])
    async def test_a_different_one_stops_the_cycle_and_loses_nothing(self, ward: Ward, name: str) -> None:
        await self.received(ward)
        other = a_receipt(HANDED_OVER, received_by="別の者")
        ward.lays(other, name=name)
        for _ in range(2):
            await ward.looks()
        (conflict,) = ward.facts(r.ReplyConflict)
        assert (conflict.first_sha256, conflict.second_sha256) == (
            sha256(RECEIPT.content()),
            sha256(other.content()),
        )
        assert ward.told() == ["reply_conflict"]
        assert conflict.quarantined_as in ward.quarantined()
        assert ward.cycle.received(Receipt)[0] == RECEIPT
        for going_on in (
            lambda: ward.cycle.once(r.ReceiptRecord, lambda _: HANDED_OVER.records[-1]),
            lambda: replies.refuse_open_conflicts(ward.cycle.history()),
        ):
            with pytest.raises(Conflict, match="二通の受領通知"):
                going_on()
        with pytest.raises(Conflict):
            await ward.waits()

    def decided(self, ward: Ward, choice: str) -> r.Decision | None:
        decided, redone = replies.decide(
            ward.cycle.history(),
            "receipt",
            CONTRACTOR,
            choice=choice,
            reason_code="contractor_corrected",
            by=TANTO,
        )
        for fact in (redone, decided):
            if fact:
                ward.cycle.note(fact)
        return redone

    async def test_the_first_may_be_kept_and_the_second_is_never_taken(self, ward: Ward) -> None:
        await self.received(ward)
        ward.lays(a_receipt(HANDED_OVER, received_by="別の者"))
        await ward.looks()
        assert self.decided(ward, "first") is None
        await ward.looks()
        assert await ward.waits()
        assert ward.cycle.received(Receipt)[0] == RECEIPT
        assert len(ward.facts(r.ReplyConflict)) == 1

    async def test_the_second_may_be_taken_and_a_stage_it_settled_is_done_again(self, ward: Ward) -> None:
        await self.received(ward)
        record = a_cycle()[r.ReceiptRecord]
        ward.cycle.enter(record)
        other = a_receipt(HANDED_OVER, received_by="別の者")
        ward.lays(other)
        await ward.looks()
        redone = self.decided(ward, "second")
        assert redone is not None
        assert redone.stage == "acknowledgement"
        assert ward.cycle.history().entry_of(r.ReceiptRecord) is None
        assert await ward.waits()
        assert ward.cycle.received(Receipt)[0] == other
        assert any(
            sha256(RECEIPT.content()) and name.endswith("-receipt.json") for name in ward.quarantined()
        )

    async def test_nothing_is_decided_where_nothing_stands_against_anything(self, ward: Ward) -> None:
        with pytest.raises(Refused, match="判断を待っている二通はありません"):
            self.decided(ward, "first")

    async def test_no_form_is_answered_meanwhile_and_it_asks_again(
        self, ward: Ward, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.received(ward)
        ward.lays(a_receipt(HANDED_OVER, received_by="別の者"))
        await ward.looks()
        asked: list[str] = []
        monkeypatch.setattr(evidence_form, "current_cycle", lambda: ward.cycle)
        monkeypatch.setattr(
            evidence_form.EvidenceForm, "execute", lambda form, _: asked.append(form._refusal)
        )
        form = evidence_form.EvidenceForm(task_id="form", form=PassphraseHandover)
        answer = {
            "responded_by_user": {"id": "tanto", "name": "担当 花子"},
            "chosen_options": [form.form.options[0]],
            "params_input": {},
        }
        form.execute_complete({}, answer)
        assert "内容の異なる二通の受領通知" in asked[0]
        assert "二通" in ward.facts(r.AnswerRefused)[0].reason_ja
        self.decided(ward, "first")
        form.execute_complete({}, answer)
        assert "二通" not in asked[1]  # what is wrong with the answer itself counts again

    async def test_a_correction_that_was_asked_for_is_no_conflict(self, ward: Ward) -> None:
        await self.received(ward)
        with pytest.raises(Refused), ward.cycle.judging((Receipt, sha256(RECEIPT.content()))):
            raise Refused("違います。")
        assert not await ward.waits()
        ward.lays(a_receipt(HANDED_OVER, received_by="別の者"))
        assert await ward.waits()
        assert ward.facts(r.ReplyConflict) == []


class TestErasureOfSubcontractors:
    """The ward waits for every party that was given a file; a transfer told at the last moment makes one more."""

    def given(self, ward: Ward) -> None:
        digest = HANDED_OVER[r.EncryptionRecord].files[0].sha256
        handed = {"carrier": "パソコン", "file_sha256": digest, "sheets": 0, "encrypted": True}
        ward.lays(a_transfer_record(HANDED_OVER, handed_at=HANDED_OVER[r.HandoverRecord].sent_at, **handed))

    def reports(self, ward: Ward, firm: AContractor = FIRM, signer: str = "") -> None:
        report = an_erasure_report(HANDED_OVER, backups=f"{firm.name} に控えなし")
        for told in (report, an_erasure_certificate(HANDED_OVER, report, addressed_to=("甲", "乙"))):
            ward.lays(told, firm, name=told.file_name(signer=signer))

    async def waits(self, ward: Ward) -> bool:
        sensor = ContractorReplySensor(
            task_id="wait",
            kinds=[ErasureReport, ErasureCertificate],
            settles=r.ErasureRecord,
            of=parties_that_erase,
        )
        return await sensor._look(ward.cycle, {})

    async def test_the_contractors_report_alone_is_enough_where_nobody_else_had_a_file(
        self, consented: Ward
    ) -> None:
        self.reports(consented)
        assert await self.waits(consented)

    async def test_whoever_was_given_a_file_is_waited_for_by_name(
        self, consented: Ward, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.reports(consented)
        self.given(consented)
        assert not await self.waits(consented)
        log = capsys.readouterr().out
        assert (
            "まだ届いていません: データ消去報告書（架空封入株式会社）、消去証明書（架空封入株式会社）" in log
        )
        assert erasures_told_at(consented.cycle.history()) is None
        self.reports(consented, INSERT, "example_insert")
        assert await self.waits(consented)
        assert erasures_told_at(consented.cycle.history()) is not None

    async def test_what_was_refused_together_comes_back_together(self, consented: Ward) -> None:
        self.given(consented)
        self.reports(consented)
        self.reports(consented, INSERT, "example_insert")
        assert await self.waits(consented)
        told = [
            (kind, one.sha256)
            for kind in (ErasureReport, ErasureCertificate)
            for one in consented.cycle.all_received(kind)
        ]
        with pytest.raises(Refused), consented.cycle.judging(*told):
            raise Refused("件数が違います。")
        assert not await self.waits(consented)
        report = an_erasure_report(HANDED_OVER, backups="書き直しました")
        consented.lays(report)
        consented.lays(an_erasure_certificate(HANDED_OVER, report))
        assert await self.waits(consented)
        assert {one.party for one in consented.cycle.all_received(ErasureReport)} == {
            CONTRACTOR,
            "example_insert",
        }


class TestHostileFiles:
    async def test_half_a_file_is_left_alone(self, ward: Ward) -> None:
        content = RECEIPT.content()
        ward.lays_bytes("receipt.json.part", content)
        ward.lays_bytes("copy-declaration.json", content[:100], firm=None)  # no signature yet
        await ward.looks()
        assert not await ward.waits()
        assert ward.facts(r.ReplyRefused) == ward.told() == []

    async def test_a_growing_file_is_left_alone(self, ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
        path = ward.lays(a_measure_change(HANDED_OVER))
        read = taking.Desk.read

        async def growing(self: Any, name: str, *, max_bytes: int) -> bytes | None:
            content = await read(self, name, max_bytes=max_bytes)
            if name == path.name:
                path.write_bytes(path.read_bytes() + b" ")
            return content

        with monkeypatch.context() as patched:
            patched.setattr(taking.Desk, "read", growing)
            await ward.looks()
        assert ward.facts(r.ReplyReceived) == ward.facts(r.ReplyRefused) == []

    async def test_of_ten_gigabytes_one_mebibyte_is_read_kept_and_refused(
        self, ward: Ward, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = ward.lays(a_measure_change(HANDED_OVER))
        with path.open("r+b") as grown:
            grown.truncate(10 * 1024**3)  # sparse: takes no room
        await ward.looks()
        (refused,) = ward.facts(r.ReplyRefused)
        assert "大きすぎます" in refused.reason_ja
        kept = ward.cycle.settings.inbox / "quarantine" / ward.cycle.id / refused.quarantined_as
        assert kept.stat().st_size == MAX_MESSAGE_BYTES + 1

    @pytest.mark.parametrize(
        ("what", "content"),
        [
            ("a zip bomb's head", b"PK\x03\x04" + b"\x00" * 1_000),
            ("deep nesting", b"[" * 200_000),
            ("nothing", b""),
            ("a formula", a_measure_change(HANDED_OVER).content().replace("印刷室".encode(), b"=cmd")),
            ("another cycle", json.dumps({"cycle": "x"}).encode()),
        ],
    )
    async def test_signed_nonsense_is_quarantined_with_a_reason_once(
        self, ward: Ward, what: str, content: bytes
    ) -> None:
        ward.lays_bytes("measure-change.json", content)
        for _ in range(2):
            await ward.looks()
        (refused,) = ward.facts(r.ReplyRefused)
        assert refused.quarantined_as in ward.quarantined()
        assert ward.told() == ["reply_refused"]

    @pytest.mark.parametrize(
        "name", ["..measure-change.json", "x/measure-change.json", "MEASURE-CHANGE.json", "no-such-kind.json"]
    )
    async def test_names_of_another_kind_are_nothing_to_us(self, name: str) -> None:
        assert replies.find_laid([name], {CONTRACTOR: CONTRACTOR}, CONTRACTOR) == []

    async def test_a_link_is_not_followed(self, ward: Ward, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(a_measure_change(HANDED_OVER).content())
        ward.lays(a_copy_declaration(HANDED_OVER))
        (ward.folder / "measure-change.json").symlink_to(outside)
        (ward.folder / "measure-change.json.sig").write_bytes(FIRM.signs(outside.read_bytes()))
        await ward.looks()
        assert [fact.message for fact in ward.facts(r.ReplyReceived)] == ["copy-declaration"]


class TestWhatIsNoMessage:
    """Told once, when it lies there unchanged at a second look; never read, moved or named as it is named."""

    async def test_it_is_told_once_without_its_name_and_left_where_it_is(self, ward: Ward) -> None:
        path = ward.lays_bytes("見本花子.csv", b"x" * 10, firm=None)
        ward.lays_bytes("copy-declaration.json", b"{}", firm=None)
        ward.lays_bytes("receipt.json.sig", b"", firm=None)
        ward.lays_bytes("receipt.json.part", b"half", firm=None)
        (ward.folder / "print-log.json").mkdir()
        await ward.looks()
        assert ward.told() == []
        for _ in range(2):
            await ward.looks()
        (found,) = ward.facts(StraysFound)
        assert {stray.reason for stray in found.found} == {"name", "no_signature", "no_message", "no_file"}
        assert ward.told() == ["reply_stray"]
        mail = ward.mails[0][1]
        assert (mail["to"], mail["folder"]) == ("operator", PACKAGE)
        assert "foreign-" in mail["listed"]
        assert "見本" not in str(ward.mails) + str(found)
        assert path.read_bytes() == b"x" * 10

    async def test_what_still_grows_is_left_alone_until_it_does_not(self, ward: Ward) -> None:
        for size in (10, 20, 30):
            ward.lays_bytes("list.xlsx", b"x" * size, firm=None)
            await ward.looks()
            assert ward.told() == []
        await ward.looks()
        assert ward.told() == ["reply_stray"]

    async def test_what_an_enclosure_announced_and_a_paper_that_was_entered_are_no_strays(
        self, ward: Ward
    ) -> None:
        enclosed = an_enclosure(HANDED_OVER, size_bytes=len(ENCRYPTED), file_sha256=sha256(ENCRYPTED))
        ward.lays(enclosed)
        (ward.folder / enclosed.file).write_bytes(ENCRYPTED[:50])
        ward.lays_bytes("measure-change.json", a_measure_change(HANDED_OVER).content(), firm=None)
        asked = {"kind": "measure-change", "document_number": "26介保第7号"}
        await asyncio.to_thread(enter_transcription, ward.cycle, asked, TANTO)
        for _ in range(3):
            await ward.looks()
        assert ward.facts(StraysFound) == []

    async def test_ten_thousand_files_do_not_fill_the_ledger(self, ward: Ward) -> None:
        for number in range(120):
            ward.lays_bytes(f"flood-{number}", b"", firm=None)
        for _ in range(2):
            await ward.looks()
        assert [len(fact.found) for fact in ward.facts(StraysFound)] == [50]


class TestElsewhere:
    """Closed and replaced packages, and folders of no cycle at all: an incident told there is heard at once."""

    def look(self, ward: Ward) -> str:
        return look(ward.cycle.ledger, ward.cycle.settings, TASK, {})

    def test_an_incident_about_a_closed_cycle_is_told_at_once_and_once(self, closed: Ward) -> None:
        closed.lays(an_incident_notice(HANDED_OVER))
        closed.lays(a_measure_change(HANDED_OVER))
        for _ in range(2):
            assert self.look(closed) == "発送回 0件の届出を見ました。"
        assert closed.told() == ["incident_notice"]
        assert closed.mails[0][1]["to"] == ("director", "operator")
        assert len(closed.facts(r.IncidentTold)) == 1
        assert [fact.message for fact in closed.facts(r.ReplyReceived)] == ["incident-notice"]
        assert (closed.cycle.settings.inbox / closed.cycle.id / "incident-notice.json").exists()

    def test_an_incident_in_the_folder_of_a_replaced_package_is_told(self, ward: Ward) -> None:
        again = PACKAGE.replace("-p1", "-p2")
        beside = ward.folder.with_name(again)
        ward.folder, notice = beside, an_incident_notice(HANDED_OVER)
        ward.lays(notice)
        self.look(ward)
        assert ward.told() == ["incident_notice"]

    def test_an_incident_of_no_known_cycle_is_told_and_kept(self, ward: Ward) -> None:
        ward.folder = ward.folder.with_name("昨年の件")
        notice = an_incident_notice(HANDED_OVER).model_copy(update={"cycle": "2019-old_notice-annual-01"})
        ward.lays(notice)
        for _ in range(2):
            self.look(ward)
        assert ward.told() == ["incident_notice"]
        (told,) = ward.cycle.ledger.entries(kind=r.IncidentTold.kind())
        assert (told.cycle, told.data["party"]) == (None, CONTRACTOR)
        assert "昨年" not in str(ward.mails)
        kept = list((ward.cycle.settings.inbox / "no-cycle").glob("*-incident-notice.json"))
        assert [path.read_bytes() for path in kept] == [notice.content()]

    def test_one_that_nobody_known_has_signed_is_kept_and_told_as_refused(self, ward: Ward) -> None:
        ward.folder = ward.folder.with_name("unknown")
        ward.lays(an_incident_notice(HANDED_OVER), INSERT)
        for _ in range(2):
            self.look(ward)
        assert ward.told() == ["reply_refused"]
        assert ward.mails[0][1]["to"] == ("director", "operator")
        assert list((ward.cycle.settings.inbox / "quarantine" / "no-cycle").glob("*-incident-notice.json"))

    def test_whatever_else_lies_there_is_told_once(self, ward: Ward) -> None:
        ward.lays_bytes("../見本.xlsx", b"x", firm=None)
        ward.folder = ward.folder.with_name("unknown")
        ward.lays(a_measure_change(HANDED_OVER))
        for _ in range(3):
            self.look(ward)
        assert ward.told() == ["reply_stray", "reply_stray"]
        assert [mail["folder"] for _, mail in ward.mails] == ["to_ward", "unknown"]
        assert "見本" not in str(ward.mails)


class TestOtherForms:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
    async def test_a_signed_csv_counts_like_json(self, ward: Ward, encoding: str) -> None:
        ward.lays_bytes("receipt.csv", csv_form.write(RECEIPT).encode(encoding))
        assert await ward.waits()
        assert ward.cycle.received(Receipt)[0] == RECEIPT

    def entered(self, ward: Ward, kind: str, party: str = CONTRACTOR) -> r.PaperReply:
        asked = {"kind": kind, "party": party, "document_number": "26介保第77号"}
        return enter_transcription(ward.cycle, asked, TANTO)

    async def test_a_transcription_counts_only_when_an_officer_entered_its_digest(self, ward: Ward) -> None:
        path = ward.lays_bytes("receipt.csv", csv_form.write(RECEIPT).encode("cp932"), firm=None)
        assert not await ward.waits()
        fact = self.entered_in_a_task(ward, "receipt")
        assert fact.message_sha256 == sha256(path.read_bytes())
        assert await ward.waits()
        (received,) = ward.facts(r.ReplyReceived)
        assert received.signed_by == "書面 26介保第77号"
        assert ward.cycle.received(Receipt)[0] == RECEIPT

    def entered_in_a_task(self, ward: Ward, kind: str, party: str = CONTRACTOR) -> r.PaperReply:
        """enter_transcription runs its own event loop, as tasks do."""
        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            return thread.submit(self.entered, ward, kind, party).result()

    async def test_a_changed_transcription_does_not_come_in(self, ward: Ward) -> None:
        ward.lays_bytes("receipt.json", RECEIPT.content(), firm=None)
        self.entered_in_a_task(ward, "receipt")
        ward.lays_bytes("receipt.json", RECEIPT.content() + b" ", firm=None)
        assert not await ward.waits()

    async def test_paper_of_a_stranger_and_a_missing_file_are_refused(self, ward: Ward) -> None:
        with pytest.raises(Refused, match="再委託先でもありません"):
            self.entered_in_a_task(ward, "receipt", "example_insert")
        with pytest.raises(Refused, match="置くフォルダにありません"):
            self.entered_in_a_task(ward, "receipt")

    async def test_what_is_no_such_message_is_not_entered(self, ward: Ward) -> None:
        ward.lays_bytes("receipt.json", a_measure_change(HANDED_OVER).content(), firm=None)
        with pytest.raises(Refused, match="受領通知"):
            self.entered_in_a_task(ward, "receipt")
        assert ward.facts(r.PaperReply) == []


ENCRYPTED = encrypted_by_age(b"name,number")


class TestEnclosures:
    def announced(self, ward: Ward, content: bytes) -> Enclosure:
        message = an_enclosure(HANDED_OVER, size_bytes=len(content), file_sha256=sha256(content))
        ward.lays(message)
        return message

    async def test_an_encrypted_file_is_kept_as_it_came_once_it_is_complete(self, ward: Ward) -> None:
        message = self.announced(ward, ENCRYPTED)
        await ward.looks()
        (ward.folder / message.file).write_bytes(ENCRYPTED[:50])
        await ward.looks()
        assert ward.facts(r.EnclosureKept) == []
        (ward.folder / message.file).write_bytes(ENCRYPTED)
        for _ in range(2):
            await ward.looks()
        (kept,) = ward.facts(r.EnclosureKept)
        assert (kept.container, kept.party) == ("age", CONTRACTOR)
        assert (ward.cycle.settings.inbox / ward.cycle.id / kept.kept_as).read_bytes() == ENCRYPTED

    async def test_plain_text_is_refused_told_once_and_kept_nowhere(self, ward: Ward) -> None:
        plain = "氏名,見本 花子".encode() * 10
        message = self.announced(ward, plain)
        (ward.folder / message.file).write_bytes(plain)
        for _ in range(2):
            await ward.looks()
        (refused,) = ward.facts(r.ReplyRefused)
        assert "暗号化されていません" in refused.reason_ja
        assert ward.told() == ["violation"]
        (unprotected,) = ward.facts(r.EnclosureUnprotected)
        assert (unprotected.party, unprotected.file_sha256) == (CONTRACTOR, sha256(plain))
        assert told_facts(ward.cycle.history())["inbound_unprotected"] == 1
        inbox = ward.cycle.settings.inbox
        assert not any(plain in path.read_bytes() for path in inbox.rglob("*") if path.is_file())

    async def test_another_file_than_announced_is_refused(self, ward: Ward) -> None:
        message = self.announced(ward, ENCRYPTED)
        (ward.folder / message.file).write_bytes(ENCRYPTED[:-1] + b"\x02")
        await ward.looks()
        assert "一致しません" in ward.facts(r.ReplyRefused)[0].reason_ja

    async def test_the_passphrase_comes_on_its_own_occasion_and_only_that_is_entered(
        self, ward: Ward
    ) -> None:
        def enter(
            digest: str, means: str = "口頭", at: datetime = OPENED_AT + timedelta(days=5)
        ) -> r.EnclosurePassphraseReceived:
            return replies.passphrase_received(
                ward.cycle.history(),
                digest,
                means=means,
                giver="送付 四子",
                received_on="2026-07-06",
                by=TANTO,
                at=at,
            )

        with pytest.raises(Refused, match="届いていません"):
            enter(sha256(ENCRYPTED))
        message = self.announced(ward, ENCRYPTED)
        (ward.folder / message.file).write_bytes(ENCRYPTED)
        await ward.looks()
        assert enter(sha256(ENCRYPTED)).means == "口頭"
        with pytest.raises(Refused, match="受領の記入"):
            enter(sha256(ENCRYPTED), means="電子メール")
        with pytest.raises(Refused, match="受領の記入"):
            enter(sha256(ENCRYPTED), at=OPENED_AT)  # a day to come
        assert told_facts(ward.cycle.history())["inbound_unprotected"] == 1
        ward.cycle.note(enter(sha256(ENCRYPTED)), by=TANTO)
        assert told_facts(ward.cycle.history())["inbound_unprotected"] == 0


def test_every_reason_of_a_rejection_has_its_words() -> None:
    reasons = Rejection.model_json_schema()["properties"]["reason_code"]["enum"]
    assert set(reasons) == replies.REJECTIONS_JA.keys()


def test_every_kind_has_a_name_that_is_found_again() -> None:
    signers = {CONTRACTOR: CONTRACTOR, "example_insert": "example_insert"}
    for kind, message in MESSAGES.items():
        for signer in ("", "example_insert"):
            for number in (1, 2, 12):
                for form in ("json", "csv"):
                    name = message.file_name(signer=signer, number=number, form=form)
                    (laid,) = replies.find_laid([name], signers, CONTRACTOR)
                    assert (laid.kind, laid.signer, laid.number, laid.form) == (
                        kind,
                        signer or CONTRACTOR,
                        number,
                        form,
                    )
