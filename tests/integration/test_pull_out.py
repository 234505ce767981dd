"""A pull-out from the officer's list to the delivery without the letters: real ledger, vault and SFTP host.

The contractor answers with the kit, from what lies on his host and from the printed notice. Nobody here exists.
"""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import ipc
from pypdf import PdfReader
from tests.builders import (
    OPENED_AT,
    SHONIN,
    SMALL_TOTAL_KEY,
    TANTO,
    TASK,
    AContractor,
    ACycle,
    a_contractor,
    a_cycle,
    a_delivery_report,
    a_key_file,
    a_print_line,
    a_print_log,
    an_answer,
    on_disc,
)
from tests.further_messages import a_destroyed_paper, a_destruction_certificate
from tests.integration.sftp_hosts import SftpHost, embedded_host
from tests.pulled_out import the_list, with_the_list_erased
from tests.unit.contractor_kit.packages import quick_encryption
from tests.unit.contractor_kit.test_stock_tools import open_with_age, run
from tests.unit.copies.good import GOOD

from contractor_kit import answers
from contractor_kit.opening import count_print_file, open_package
from contractor_kit.package_check import CheckedPackage, check_package
from embedded_ward.desk import read_disc
from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle.acknowledgement.passphrase_notice import issue_passphrase_notice
from notice_cycle.acknowledgement.receipts import verify_content_receipt, verify_receipt
from notice_cycle.acknowledgement.voiding import void
from notice_cycle.catalogue import Configuration
from notice_cycle.copies import PapersDestroyed, copies_of
from notice_cycle.delivery.reconcile import verify_delivery
from notice_cycle.encryption import passphrase
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey
from notice_cycle.errors import Conflict, NotThereYet, Refused
from notice_cycle.exchange.messages import ContentReceipt, Message, PulloutConfirmation, Receipt
from notice_cycle.exchange.package import MANIFEST_NAMESPACE
from notice_cycle.forms import Form
from notice_cycle.handover.disc import DiscHandover
from notice_cycle.handover.returns import Given
from notice_cycle.handover.route import packages_that_left
from notice_cycle.handover.upload import Upload
from notice_cycle.ledger.store import Ledger
from notice_cycle.notice_reconciliation import posting_differences, pulled_numbers, read_dispatch
from notice_cycle.posting import all_posted_at, enter_posting, envelopes_to_post, require_posted
from notice_cycle.pullout import (
    DeliveredPulledOut,
    PulloutCancelled,
    PulloutRequested,
    open_pullouts,
    pulled,
    pulled_after_delivery,
)
from notice_cycle.pullout.forms import APPROVE, CANCEL, CONFIRM, PulloutApproval, PulloutCheck
from notice_cycle.pullout.rules import configuration_of_list, require_no_open_pullout
from notice_cycle.replies import decide
from notice_cycle.result_file import outcomes
from notice_cycle.settings import Settings
from notice_cycle.strays import Seen
from notice_cycle.values import Person
from notice_cycle.vault.names import DISPATCH_INDEX
from notice_cycle_airflow import pullouts as pulling
from notice_cycle_airflow import replies as taking
from notice_cycle_airflow import run_context
from notice_cycle_airflow.confirmations import lay_out_confirmation
from notice_cycle_airflow.discs import burn_discs, make_discs
from notice_cycle_airflow.judging import judge_replies
from notice_cycle_airflow.operators import evidence_form
from notice_cycle_airflow.pullouts import confirmed, encrypted, requested, taken_out
from notice_cycle_airflow.reply_watching import enter_transcription, look_at, open_cycles
from notice_cycle_airflow.reprinting import reprint
from notice_cycle_airflow.run_context import RunningCycle, RunningPullout, current_cycle, open_pullout_of
from notice_cycle_airflow.sending import send_package, withdraw_packages
from notice_cycle_airflow.sensors.contractor_reply import ContractorReplySensor
from notice_cycle_airflow.sensors.pullout_confirmation import PulloutConfirmationSensor

EXCHANGE_DOCUMENT = (Path(__file__).parents[2] / "docs" / "exchange-format.md").read_text(encoding="utf-8")
KNOWN = GOOD.up_to(r.StagingWipeRecord)
FIRM = a_contractor()
ASKED = {"decision": "request", "purpose": "引抜き"}
RUN = ("pull_out", "manual__pull1")
IN_TIME, TOO_LATE = "2026-07-02T17:50:00+09:00", "2026-07-02T18:05:00+09:00"
CLERK, MANAGER = "見本 一郎", "見本 二葉"
APPROVER = Person(user_id="shonin", name="上田 誠")
"""Whom the sample register names."""
FIRST_NOTICE, SECOND_NOTICE = "20260000001", "20260000002"


@pytest.fixture(scope="module")
def host() -> Iterator[SftpHost]:
    with embedded_host() as host:
        yield host


@dataclass
class Ward:
    """The cycle, what an officer puts down, and the contractor's side of the host. `answers`: where his answers go."""

    cycle: RunningCycle
    host: SftpHost
    folder: Path
    moved: Path
    answers: Path

    @property
    def list_path(self) -> Path:
        return self.folder / "desk" / f"{self.cycle.id}.csv"

    def it_is(self, moment: str) -> None:
        clock.move_to(datetime.fromisoformat(moment), self.moved)

    def lists(self, *numbers: str, heading: str = "通知書番号", reason: str = "死亡") -> None:
        self.list_path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{heading},理由", *(f"{number},{reason}" for number in numbers)]
        self.list_path.write_text("\r\n".join(lines) + "\r\n", encoding="cp932")

    def asks(self, run: tuple[str, str] = RUN, **asked: str) -> RunningPullout:
        requested(self.cycle, ASKED | asked, TANTO, run)
        number = len(self.cycle.history().facts(PulloutRequested))
        return self.pullout(number)

    def pullout(self, number: int) -> RunningPullout:
        running = RunningPullout(
            id=self.cycle.id,
            actor=TASK,
            settings=self.cycle.settings,
            ledger=self.cycle.ledger,
            pullout=number,
        )
        running.__dict__["configuration"] = configuration_of_list(self.cycle.configuration)
        return running

    def lays(self, package: str, message: Message, firm: AContractor = FIRM, *, name: str = "") -> None:
        folder, name = self.answers / package, name or message.file_name()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(message.content())
        (folder / f"{name}.sig").write_bytes(firm.signs(message.content()))


def a_dispatch_index(ward: RunningCycle, letters: list[tuple[str, str, int, int]]) -> None:
    """Letters as (notice, insured, envelope, lot)."""
    subject = ward.configuration.notice.subject
    columns = {
        "notice_no": [letter[0] for letter in letters],
        subject: [letter[1] for letter in letters],
        "envelope_no": [letter[2] for letter in letters],
        "lot_no": [letter[3] for letter in letters],
        "position_in_lot": list(range(1, len(letters) + 1)),
    }
    table = pa.table(columns)
    with ward.vault.writing(DISPATCH_INDEX) as target, ipc.new_stream(target.buffer, table.schema) as stream:
        stream.write_table(table)


def by_upload() -> dict[str, Any]:
    """What makes a hand-over one by an officer's upload."""
    handed_at = OPENED_AT + timedelta(hours=5)
    upload = r.ByUpload(
        computer="INTRA-012",
        remote_folder="受付",
        digest_compared="送信前に照合した",
        listing="一覧を表示しないページである",
        uploader="職員 一郎",
        copy_deleted_at=handed_at,
        entered_by=TANTO,
        entered_at=handed_at,
    )
    return {"lgwan": None, "manual": upload.model_dump()}


BY_ROUTE: dict[r.Route, ACycle] = {
    "lgwan": KNOWN,
    "manual": KNOWN.with_(handover=by_upload()),
    "dvd": KNOWN.with_(handover=on_disc()),
}


@pytest.fixture
def route() -> r.Route:
    """How the dispatch went, and so its pull-outs; a test that is about another one names it."""
    return "lgwan"


@pytest.fixture
def ward(
    host: SftpHost, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, route: r.Route
) -> Ward:
    host.emptied()
    quick_encryption(monkeypatch)
    clock.move_to(datetime.fromisoformat(IN_TIME), tmp_path / "clock.json")
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(tmp_path / "clock.json"))
    monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection())
    monkeypatch.setattr(run_context, "tell", lambda *_: None)
    monkeypatch.setattr(pulling, "WardMail", lambda *_: lambda _context: None)
    (tmp_path / "allowed_signers").write_text(
        f'{FIRM.name} namespaces="notice-cycle-message" {FIRM.key.public_line}\n'
    )
    for name in ("kek", "small"):
        (tmp_path / name).write_bytes(b"0" * 64 if name == "kek" else SMALL_TOTAL_KEY)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "tray").mkdir()
    settings = Settings(
        {
            "NOTICE_CYCLE_VAULT": str(tmp_path / "vault"),
            "NOTICE_CYCLE_KEK_FILE": str(tmp_path / "kek"),
            "NOTICE_CYCLE_OUTBOX": str(tmp_path / "outbox"),
            "NOTICE_CYCLE_INBOX": str(tmp_path / "inbox"),
            "NOTICE_CYCLE_PULLOUT_DESK": str(tmp_path / "desk"),
            "NOTICE_CYCLE_REPLY_DESK": str(tmp_path / "replies"),
            "NOTICE_CYCLE_PRINT_TRAY": str(tmp_path / "tray"),
            "NOTICE_CYCLE_SIGNING_KEY_FILE": str(a_key_file(tmp_path / "key")),
            "NOTICE_CYCLE_SMALL_TOTAL_KEY_FILE": str(tmp_path / "small"),
            "NOTICE_CYCLE_ALLOWED_SIGNERS_FILE": str(tmp_path / "allowed_signers"),
            "NOTICE_CYCLE_HOST": "lgwan-terminal-1",
        }
    )
    BY_ROUTE[route].entered_in(ledger)
    if route != "lgwan":
        switched = r.RouteSwitched(route=route, reason_code="line_down", decided_by=TANTO)
        ledger.note(KNOWN.id, switched, TASK)
    cycle = RunningCycle(id=KNOWN.id, actor=TASK, settings=settings, ledger=ledger)
    party = cycle.configuration.party.model_copy(update={"host": "127.0.0.1", "port": host.port})
    cycle.__dict__["configuration"] = cycle.configuration.model_copy(update={"party": party})
    cycle.vault.create()
    # Forty notices; the first two lie in one envelope, the third alone.
    letters = [(FIRST_NOTICE, "0000000001", 1, 1), (SECOND_NOTICE, "0000000002", 1, 1)]
    letters += [(f"202600000{n:02}", f"00000000{n:02}", n - 1, 1) for n in range(3, 41)]
    a_dispatch_index(cycle, letters)
    answers = host.on_disk("to_ward") if route == "lgwan" else settings.reply_desk
    return Ward(cycle, host, tmp_path, tmp_path / "clock.json", answers)


def approved(ward: Ward, running: RunningPullout) -> None:
    """Both forms answered, by two people."""
    for form, answer in ((PulloutCheck(), (CONFIRM, TANTO)), (PulloutApproval(), (APPROVE, SHONIN))):
        option, by = answer
        at = datetime.fromisoformat(IN_TIME)
        record = form.judge(an_answer(option, by=by, at=at), running.history())
        assert isinstance(record, r.Record)
        running.enter(record, by=by)


def passphrase_from(tray: Path) -> passphrase.Passphrase:
    """As the contractor reads it from the paper."""
    from pypdf import PdfReader

    (paper,) = [path for path in tray.iterdir() if "PW" in path.name]
    text = "\n".join(page.extract_text() for page in PdfReader(paper).pages)
    found = re.search(r"[0-9A-Z]{6}(?:-[0-9A-Z]{6}){4}", text)
    assert found
    return passphrase.parse(found[0])


def arrived(ward: Ward, package: str, folder: Path | None = None) -> CheckedPackage:
    """What the contractor has before him; `folder`: where it lies when it did not come over the line."""
    key = SigningKey.load(ward.cycle.settings.signing_key)
    line = f'ward namespaces="{MANIFEST_NAMESPACE}" {key.public_line}\n'
    signers = ward.folder / "ward_signers"
    signers.write_text(line)
    lies = folder or ward.host.on_disk(f"to_contractor/{package}")
    return check_package(lies, AllowedSigners.load(signers), "ward")


async def test_two_letters_are_pulled_out_and_the_delivery_is_right_without_them(ward: Ward) -> None:
    ward.lists(FIRST_NOTICE, "20260000003")
    running = ward.asks()
    request = running.history().request
    assert (request.notices, request.by_reason, request.envelopes, request.opened) == (2, {"death": 2}, 1, 1)
    assert not ward.list_path.exists(), "personal data stays in the vault alone"
    assert ward.asks().history().request == request, "run again it is the same request"
    approved(ward, running)

    running.once(r.EncryptionRecord, lambda history: encrypted(running, history))
    package = running.history().latest(r.EncryptionRecord).package
    assert package == f"{KNOWN.id}-p2"
    digest = await_sent(running)
    assert running.once(r.HandoverRecord, lambda _: pytest.fail("it was sent")) == digest

    # The contractor takes it in with what he has for print data.
    taken = arrived(ward, package)
    assert (taken.manifest.contents, taken.manifest.request_number) == ("引抜き", f"{KNOWN.id}-引抜き1")
    now = clock.now()
    ward.lays(package, answers.receipt(taken, by="受領 五郎", at=now))
    assert await waits(running, Receipt, r.ReceiptRecord)
    level_1(running)
    running.once(r.PassphraseNoticeRecord, lambda history: notice(running, history))
    assert running.history().latest(r.PassphraseNoticeRecord).notice_number == f"{KNOWN.id}-PW2"
    running.enter(a_handed_notice(running), by=TANTO)
    opened = open_package(taken, passphrase_from(ward.folder / "tray"), ward.folder / "work", synthetic=True)
    rows = list(csv.DictReader(io.StringIO(opened.read_bytes().decode("cp932"), newline="")))
    assert [(row["通知書番号"], row["封筒番号"]) for row in rows] == [
        (FIRST_NOTICE, "1"),
        ("20260000003", "2"),
    ]
    assert "死亡" not in opened.read_bytes().decode("cp932"), "the contractor needs no reason"
    counted = count_print_file(opened, taken.manifest)
    ward.lays(package, answers.content_receipt(taken.signed, counted, by="受領 五郎", at=now))
    assert await waits(running, ContentReceipt, r.ContentReceiptRecord)
    level_2(running)

    # The delivery waits for the confirmation, and then is right without the envelope.
    with pytest.raises(NotThereYet, match="引抜きの確認待ち"):
        require_no_open_pullout(ward.cycle.history())
    ward.lays(package, a_confirmation(running))
    sensor = PulloutConfirmationSensor(task_id="wait")
    assert await sensor._look(running, {})
    confirmed(running, {})
    history = ward.cycle.history()
    require_no_open_pullout(history)
    out = pulled(history)
    assert (out.notices, out.envelopes, out.lists) == (2, 1, ("pullout-1.csv",))
    assert history.latest(r.EncryptionRecord).package == f"{KNOWN.id}-p1", (
        "the dispatch's own chain is as it was"
    )
    assert sorted(packages_that_left(history, [])) == [f"{KNOWN.id}-p{n}.csv.age" for n in (1, 2)]
    assert Given.of(history).notices == 0, "no disc, nothing to give back"

    delivered = delivery(history, envelopes=38)
    assert (delivered.envelopes_delivered, delivered.envelopes_pulled, delivered.sheets_pulled) == (38, 1, 2)
    with pytest.raises(Refused, match="計画 39封、引抜き 1封、納品 39封"):
        delivery(history, envelopes=39)
    ward.cycle.enter(delivered)
    (paper,) = [copy for copy in copies_of(ward.cycle.history()) if copy.what == "引き抜いたもの"]
    assert (paper.quantity, paper.is_open) == (2, True), "the certificate of destruction is still missing"
    nothing_personal_in(ward.cycle.history())


def await_sent(running: RunningPullout) -> str:
    """As the task hands over, in a thread of its own: it runs a loop itself."""
    import threading

    done: list[Any] = []

    def send() -> None:
        try:
            done.append(running.once(r.HandoverRecord, lambda history: send_package(running, history)))
        except BaseException as failed:
            done.append(failed)

    thread = threading.Thread(target=send)
    thread.start()
    thread.join()
    (outcome,) = done
    if isinstance(outcome, BaseException):
        raise outcome
    return str(outcome)


async def waits(running: RunningPullout, kind: type[Message], settles: type[r.Record]) -> bool:
    return await ContractorReplySensor(task_id="wait", kinds=[kind], settles=settles)._look(running, {})


def level_1(running: RunningPullout) -> None:
    message, digest = running.received(Receipt)
    history = running.history()
    record = verify_receipt(
        history.latest(r.HandoverRecord),
        history.latest(r.EncryptionRecord),
        message,
        message_sha256=digest,
        signed_by=FIRM.name,
    )
    running.once(r.ReceiptRecord, lambda _: record)


def level_2(running: RunningPullout) -> None:
    message, digest = running.received(ContentReceipt)
    history = running.history()
    record = verify_content_receipt(
        history.latest(r.CompositionRecord),
        history.latest(r.EncryptionRecord),
        message,
        running.configuration,
        message_sha256=digest,
        signed_by=FIRM.name,
        small_total_key=SMALL_TOTAL_KEY,
    )
    running.once(r.ContentReceiptRecord, lambda _: record)


def notice(running: RunningPullout, history: Any) -> r.PassphraseNoticeRecord:
    return issue_passphrase_notice(
        history.latest(r.EncryptionRecord),
        running.configuration,
        running.vault,
        running.settings,
        cycle=running.id,
        number=history.number_of(r.PassphraseNoticeRecord),
        synthetic=True,
        at=clock.now(),
        passphrase_name=running.passphrase_name,
    )


def a_handed_notice(running: RunningPullout) -> r.PassphraseHandoverRecord:
    number = running.history().latest(r.PassphraseNoticeRecord).notice_number
    return KNOWN[r.PassphraseHandoverRecord].model_copy(update={"notice_number": number})


def a_confirmation(running: RunningPullout, **changes: Any) -> PulloutConfirmation:
    history = running.history()
    known = {
        "cycle": running.id,
        "manifest_sha256": history.latest(r.EncryptionRecord).manifest_sha256,
        "request_number": history.request.number,
        "request_sha256": history.latest(r.CompositionRecord).print_file.sha256,
        "pulled": history.request.notices,
        "replaced": 0,
        "not_found": 0,
        "done_at": clock.now(),
        "done_by": "引抜 十郎",
    }
    return PulloutConfirmation(**(known | changes))


def delivery(history: Any, *, envelopes: int) -> r.DeliveryRecord:
    report = a_delivery_report(KNOWN)
    lots = (report.lots[0].model_copy(update={"envelopes": envelopes}),)
    log = a_print_log(KNOWN, a_print_line(KNOWN, sheets=40))
    return verify_delivery(
        history.latest(r.CompositionRecord),
        history.latest(r.EncryptionRecord),
        log,
        report.model_copy(update={"lots": lots, "sheets_spoiled": 0}),
        log_sha256="1" * 64,
        report_sha256="2" * 64,
        signed_by=FIRM.name,
        pulled=pulled(history),
    )


def nothing_personal_in(history: Any) -> None:
    told = "".join(entry.text() for entry in history.entries)
    assert [number for number in (FIRST_NOTICE, "20260000003", "0000000001") if number in told] == []


async def test_without_a_certificate_for_every_sheet_that_was_pulled_out_the_cycle_does_not_close(
    ward: Ward,
) -> None:
    running = opened_by_hand(ward)
    running.note(fact_of_confirmation(running).model_copy(update={"done_by": CLERK}))
    out = pulled(ward.cycle.history())
    delivered = GOOD[r.DeliveryRecord].model_copy(
        update={"envelopes_delivered": 38, "envelopes_pulled": out.envelopes, "sheets_pulled": out.sheets}
    )
    ward.cycle.enter(delivered)
    for kind in (r.DeliveryConfirmationRecord, r.ErasureRecord, r.ErasureConfirmationRecord):
        ward.cycle.enter(with_the_list_erased(GOOD)[kind])
    ward.it_is("2026-07-10T10:00:00+09:00")

    async def certified(number: str) -> None:
        """廃棄証明書 for one sheet."""
        paper = a_destroyed_paper(what="pulled", sheets=1, operator=CLERK, witness=MANAGER)
        certificate = a_destruction_certificate(
            KNOWN, paper, certificate_number=number, responsible_person=MANAGER
        )
        ward.lays(f"{KNOWN.id}-p1", certificate)
        await look_at(ward.cycle, {}, Seen(ward.folder / "seen.json"))
        judge_replies(ward.cycle, {})

    for missing in ("廃棄1", "廃棄2"):
        with pytest.raises(Refused, match="引き抜いたもの 2枚"):
            ward.cycle.judge_gates("closing")
        await certified(missing)
    ward.cycle.judge_gates("closing")


async def test_a_list_whose_notice_is_lost_goes_out_anew_and_the_first_one_is_taken_back(ward: Ward) -> None:
    ward.lists(FIRST_NOTICE)
    running = ward.asks()
    approved(ward, running)

    def goes_out() -> str:
        running.once(r.EncryptionRecord, lambda history: encrypted(running, history))
        await_sent(running)
        return running.history().latest(r.EncryptionRecord).package

    first = goes_out()
    running.enter(the_list(KNOWN)[r.ReceiptRecord])
    running.once(r.PassphraseNoticeRecord, lambda history: notice(running, history))
    one_and_only = open_pullout_of(ward.cycle)
    assert one_and_only and one_and_only.pullout == running.pullout
    voided, decision = void(
        one_and_only.history(), ward.cycle.register(), "lost", disclosure_possible=True, by=APPROVER
    )
    assert voided is not None
    for fact in (voided, decision):
        ward.cycle.note(fact, by=APPROVER)
    second = goes_out()
    assert (first, second) == (f"{KNOWN.id}-p2", f"{KNOWN.id}-p3")
    (back,) = ward.cycle.history().facts(r.CopyWithdrawn)
    assert (back.package, back.left) == (first, ())
    assert arrived(ward, second).manifest.request_number == running.history().request.number
    running.enter(the_list(KNOWN)[r.ReceiptRecord])
    running.once(r.PassphraseNoticeRecord, lambda history: notice(running, history))
    assert running.history().latest(r.PassphraseNoticeRecord).notice_number == f"{KNOWN.id}-PW3"


# ---- without our kit


class StockContractor:
    """Who has age, sha256sum, ssh-keygen, a text editor and the exchange document."""

    def __init__(self, ward: Ward, package: str) -> None:
        self.ward, self.package = ward, package
        self.folder, self.desk = ward.host.on_disk(f"to_contractor/{package}"), ward.folder / "stock"
        self.desk.mkdir()
        self.key = a_key_file(ward.folder / "stock_key")
        line = SigningKey.load(self.key).public_line
        signers = ward.folder / "allowed_signers"
        signers.write_text(f'{FIRM.name} namespaces="notice-cycle-message" {line}\n')

    def checks(self) -> dict[str, Any]:
        """The checksums and the ward's signature; gives what the manifest says."""
        run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=self.folder)
        line = SigningKey.load(self.ward.cycle.settings.signing_key).public_line
        signers, manifest = self.desk / "ward_signers", (self.folder / "manifest.json").read_bytes()
        signers.write_text(f'ward namespaces="{MANIFEST_NAMESPACE}" {line}\n')
        signed = ("-Y", "verify", "-f", str(signers), "-I", "ward", "-n", MANIFEST_NAMESPACE)
        run("ssh-keygen", *signed, "-s", "manifest.json.sig", cwd=self.folder, said=manifest)
        return dict(json.loads(manifest))

    def digest(self, path: Path) -> str:
        return run("sha256sum", str(path)).split()[0]

    def writes(self, kind: str, *, about: str = "", **put_in: Any) -> None:
        """The document's example with what is true put in, signed; into the folder of a package."""
        (block,) = re.findall(
            rf'^```json\n(\{{\n  "format": "notice-cycle-message/1",\n  "message": "{kind}",\n.*?)^```$',
            EXCHANGE_DOCUMENT,
            re.MULTILINE | re.DOTALL,
        )
        said = json.loads(block)
        known = {"manifest_sha256": self.digest(self.folder / "manifest.json")}
        assert put_in.keys() <= said.keys()
        path = self.desk / f"{kind}.json"
        path.write_text(json.dumps(said | known | put_in, ensure_ascii=False, indent=2), encoding="utf-8")
        run("ssh-keygen", "-Y", "sign", "-f", str(self.key), "-n", "notice-cycle-message", str(path))
        answers = self.ward.answers / (about or self.package)
        answers.mkdir(parents=True, exist_ok=True)
        for name in (f"{path.name}.sig", path.name):
            shutil.copyfile(self.desk / name, answers / name)


@pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("age", "sha256sum", "ssh-keygen")),
    reason="age, sha256sum or ssh-keygen is not installed",
)
async def test_letters_are_taken_out_with_stock_tools_and_the_exchange_document_alone(ward: Ward) -> None:
    ward.lists(FIRST_NOTICE, "20260000003")
    running = ward.asks()
    approved(ward, running)
    running.once(r.EncryptionRecord, lambda history: encrypted(running, history))
    await_sent(running)
    firm = StockContractor(ward, running.history().latest(r.EncryptionRecord).package)
    manifest, now = firm.checks(), clock.now().isoformat()
    assert manifest["contents"] == "引抜き"
    names = (manifest["encrypted_file"]["name"], "manifest.json", "manifest.json.sig", "SHA256SUMS")
    files = {name: firm.digest(firm.folder / name) for name in names}
    firm.writes("receipt", files=files, received_at=now, received_by=CLERK)
    assert await waits(running, Receipt, r.ReceiptRecord)
    level_1(running)
    running.once(r.PassphraseNoticeRecord, lambda history: notice(running, history))
    running.enter(a_handed_notice(running), by=TANTO)

    opened = firm.desk / "pullout-1.csv"
    open_with_age(names[0], opened, passphrase_from(ward.folder / "tray").reveal(), firm.folder)
    rows = list(csv.DictReader(io.StringIO(opened.read_bytes().decode("cp932"), newline="")))
    heading = manifest["subject_heading"]
    counted = {
        "persons": len({row[heading] for row in rows}), "notices": len(rows), "sheets": len(rows),
        "envelopes": len({row["封筒番号"] for row in rows}),
    }  # fmt: skip
    firm.writes(
        "content-receipt", print_file_sha256=firm.digest(opened), quantities=counted, totals_yen={},
        opened_at=now, opened_by=CLERK,
    )  # fmt: skip
    assert await waits(running, ContentReceipt, r.ContentReceiptRecord)
    level_2(running)
    firm.writes(
        "pullout-confirmation", request_number=manifest["request_number"],
        request_sha256=firm.digest(opened), pulled=len(rows), done_at=clock.now().isoformat(), done_by=CLERK,
    )  # fmt: skip
    assert await PulloutConfirmationSensor(task_id="wait")._look(running, {})
    confirmed(running, {})
    assert (pulled(ward.cycle.history()).notices, pulled(ward.cycle.history()).not_found) == (2, 0)

    shredded = {"what": "pulled", "sheets": 2, "method": "shredding", "destroyed_at": clock.now().isoformat()}
    firm.writes(
        "destruction-certificate", about=f"{KNOWN.id}-p1",
        manifest_sha256=KNOWN[r.EncryptionRecord].manifest_sha256,
        papers=[shredded | {"operator": CLERK, "witness": MANAGER}], certified_at=clock.now().isoformat(),
        responsible_person=MANAGER,
    )  # fmt: skip
    await looks(ward.cycle, ward)
    judge_replies(ward.cycle, {})
    ward.cycle.enter(delivery(ward.cycle.history(), envelopes=38))
    (paper,) = [copy for copy in copies_of(ward.cycle.history()) if copy.what == "引き抜いたもの"]
    assert (paper.quantity, paper.became) == (2, "消去")


# ---- by the other routes


def answered(form: type[Form], running: RunningCycle, monkeypatch: pytest.MonkeyPatch, **fields: str) -> str:
    """The section's officer answers a form as its task judges it. Gives the digest of the record."""
    monkeypatch.setattr(evidence_form, "current_cycle", lambda: running)

    def asked_again(task: evidence_form.EvidenceForm, _context: Any) -> str:
        pytest.fail(task._refusal)

    monkeypatch.setattr(evidence_form.EvidenceForm, "execute", asked_again)
    task = evidence_form.EvidenceForm(task_id="form", form=form)
    who = {"id": TANTO.user_id, "name": TANTO.name}
    event = {"responded_by_user": who, "chosen_options": [form.options[0]], "params_input": fields}
    return task.execute_complete({}, event)


def this_minute() -> str:
    return f"{clock.now().astimezone(clock.TOKYO):%Y-%m-%d %H:%M}"


def taken_to_the_page(running: RunningPullout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An officer uploads the package; gives the folder in which the contractor finds it."""
    running.judge_gates("handover", "manual")
    running.begin_handover("manual")
    page = running.settings.outbox.parent / "page"
    shutil.copytree(running.settings.outbox / running.id, page)
    answered(
        Upload, running, monkeypatch,
        uploaded_at=this_minute(), computer="INTRA-012", uploader="職員 一郎", remote_folder="受付",
        digest_compared="送信前に照合した", listing="一覧を表示しないページである", deleted_at=this_minute(),
    )  # fmt: skip
    return page


def taken_on_a_disc(running: RunningPullout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An officer writes the disc and hands it over; gives the folder into which the contractor copies it."""
    package = running.history().latest(r.EncryptionRecord).package
    assert withdraw_packages(running) == "引上げ 0件"
    running.judge_gates("handover", "dvd")
    running.begin_handover("dvd")
    assert make_discs(running) == f"{package}-d1"
    assert burn_discs(running) == "職員が書き込む"
    assert lay_out_confirmation(running, "disc_handover") == f"{package}-媒体引渡確認書"
    answered(
        DiscHandover, running, monkeypatch,
        handed_at=this_minute(), giver="職員 一郎", taker="印刷 次郎", quantity="1", means="手渡し",
        burnt_at="機械室", read_back="一致した", kept_in_safe="架空印刷 第一工場 金庫",
        notice_kept_in="架空印刷 管理部 鍵付キャビネット", lgwan_copy="送っていない", signed_by="印刷 次郎",
        filed_under="26介保第95号",
    )  # fmt: skip
    (image,) = (running.settings.outbox / running.id).glob(f"{package}-*.iso")
    copied = running.settings.outbox.parent / "copied"
    copied.mkdir()
    for path, content in read_disc(image).items():
        if path.startswith("package/"):
            (copied / path.removeprefix("package/")).write_bytes(content)
    return copied


@pytest.mark.parametrize("route", ["manual", "dvd"])
async def test_a_list_goes_the_way_of_its_dispatch_by_upload_and_by_disc(
    ward: Ward, route: r.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.lists(FIRST_NOTICE, "20260000003")
    running = ward.asks()
    approved(ward, running)
    running.once(r.EncryptionRecord, lambda history: encrypted(running, history))
    package = running.history().latest(r.EncryptionRecord).package
    for other in BY_ROUTE.keys() - {route}:
        with pytest.raises(run_context.AirflowSkipException, match="経路"):
            run_context.only_by(running, other)
    takes = taken_to_the_page if route == "manual" else taken_on_a_disc
    taken = arrived(ward, package, takes(running, monkeypatch))
    assert running.history().latest(r.HandoverRecord).route == route
    assert ward.cycle.history().latest(r.HandoverRecord) == BY_ROUTE[route][r.HandoverRecord]

    # The contractor answers on the ward's desk; the confirmation comes on paper.
    ward.lays(package, answers.receipt(taken, by=CLERK, at=clock.now()))
    assert await waits(running, Receipt, r.ReceiptRecord)
    level_1(running)
    running.once(r.PassphraseNoticeRecord, lambda history: notice(running, history))
    running.enter(a_handed_notice(running), by=TANTO)
    opened = open_package(taken, passphrase_from(ward.folder / "tray"), ward.folder / "work", synthetic=True)
    counted = count_print_file(opened, taken.manifest)
    ward.lays(package, answers.content_receipt(taken.signed, counted, by=CLERK, at=clock.now()))
    assert await waits(running, ContentReceipt, r.ContentReceiptRecord)
    level_2(running)
    on_paper = a_confirmation(running, done_by=CLERK)
    (ward.answers / package / on_paper.file_name()).write_bytes(on_paper.content())
    sensor = PulloutConfirmationSensor(task_id="wait")
    assert not await sensor._look(running, {}), "unsigned, and nobody entered it"
    entered_from_paper(ward, "pullout-confirmation")
    assert await sensor._look(running, {})
    confirmed(running, {})

    history = ward.cycle.history()
    assert (pulled(history).notices, pulled(history).envelopes) == (2, 1)
    assert packages_that_left(history, []).keys() == {f"{KNOWN.id}-p{number}.csv.age" for number in (1, 2)}
    with_contractor = {
        (copy.what, copy.carrier, copy.name) for copy in copies_of(history) if copy.party == "example_print"
    }
    sealed = f"{package}.csv.age"
    assert ("暗号化された印字データ", "パソコン", sealed) in with_contractor
    if route == "manual":
        assert ("暗号化された印字データ", "サーバー", sealed) in with_contractor
        assert Given.of(history).discs == 0
        return
    assert (f"媒体 {package}-d1", "DVD", f"{package}-d1.iso") in with_contractor
    assert Given.of(history) == Given(discs=2, notices=2, discs_back=0, notices_back=0)


def entered_from_paper(ward: Ward, kind: str) -> r.PaperReply:
    """The officer's entry: it runs a loop of its own, as tasks do."""
    asked = {"kind": kind, "party": "example_print", "document_number": "26介保第77号"}
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(enter_transcription, ward.cycle, asked, TANTO).result()


@pytest.mark.parametrize("route", ["dvd"])
async def test_the_papers_of_a_list_on_a_disc_are_printed_again_and_those_of_the_dispatch_no_more(
    ward: Ward, route: r.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ward.cycle.history().latest(r.EncryptionRecord).package
    old = r.DiscPaperPrinted(
        package=first, number=f"{first}-送付票", document_sha256="0" * 64, printed_at=clock.now()
    )
    ward.cycle.note(old)
    ward.lists(FIRST_NOTICE)
    running = ward.asks()
    approved(ward, running)
    running.once(r.EncryptionRecord, lambda history: encrypted(running, history))
    taken_on_a_disc(running, monkeypatch)
    package = running.history().latest(r.EncryptionRecord).package
    for number in (f"{package}-d1-盤面ラベル", f"{package}-送付票", f"{package}-媒体引渡確認書"):
        asked = {"number": number, "reason_code": "jammed"}
        again = reprint(ward.cycle, asked, APPROVER, asked_in=number)
        paper = PdfReader(ward.folder / "tray" / f"{again}.pdf").pages[0].extract_text()
        assert "再発行 1" in paper
    with pytest.raises(Refused, match="送信箱のパッケージは廃棄済み"):
        reprint(ward.cycle, {"number": old.number, "reason_code": "jammed"}, APPROVER, asked_in="x")


# ---- what is refused


@pytest.mark.parametrize(
    ("numbers", "heading", "sentence"),
    [
        ((FIRST_NOTICE, "99999999999"), "通知書番号", "この発送回にない番号があります（3行目）"),
        ((FIRST_NOTICE, FIRST_NOTICE), "通知書番号", "同じ番号が二度あります（3行目）"),
        ((FIRST_NOTICE,), "氏名", "一覧の1行目が"),
        ((), "通知書番号", "1件から5,000件まで"),
        (("=HYPERLINK(1)",), "通知書番号", "一覧の2行目が正しくありません"),
    ],
)
def test_a_list_that_is_not_right_is_told_by_its_lines(
    ward: Ward, numbers: tuple[str, ...], heading: str, sentence: str
) -> None:
    ward.lists(*numbers, heading=heading)
    with pytest.raises(Refused, match=sentence) as told:
        ward.asks()
    assert not [number for number in numbers if number in str(told.value)]
    assert ward.list_path.exists(), "the officer puts it right"
    assert ward.cycle.history().facts(PulloutRequested) == []


def test_a_link_in_the_place_of_the_list_is_not_followed(ward: Ward) -> None:
    ward.list_path.parent.mkdir(parents=True)
    ward.list_path.symlink_to(ward.folder / "kek")
    with pytest.raises(Refused, match="通常のファイルではない"):
        ward.asks()


def test_the_list_is_waited_for(ward: Ward) -> None:
    with pytest.raises(NotThereYet):
        ward.asks()


def test_an_insured_persons_number_takes_all_her_letters_and_nothing_is_asked_for_twice(ward: Ward) -> None:
    ward.lists("0000000001", "0000000002", heading="被保険者番号", reason="address")
    running = ward.asks(purpose="差替え")
    assert (running.history().request.envelopes, running.history().request.opened) == (1, 0)
    ward.lists(FIRST_NOTICE)
    with pytest.raises(Refused, match="が終わっていません（承認待ち）"):
        ward.asks(("pull_out", "manual__pull2"))
    running.note(fact_of_confirmation(running))
    with pytest.raises(Refused, match="先の依頼で抜き取ったものがあります（2行目）"):
        ward.asks(("pull_out", "manual__pull2"))


def fact_of_confirmation(running: RunningPullout) -> r.Fact:
    from notice_cycle.pullout import PulloutConfirmed

    return PulloutConfirmed(
        pullout=running.pullout,
        party="example_print",
        message_sha256="3" * 64,
        pulled=running.history().request.notices,
        not_found=0,
        done_at=OPENED_AT + timedelta(days=1),
        done_by="引抜 十郎",
    )


def test_after_the_hour_nothing_is_asked_for_and_nothing_approved(ward: Ward) -> None:
    ward.lists(FIRST_NOTICE)
    ward.it_is(TOO_LATE)
    with pytest.raises(Refused, match="締切（18:00）を過ぎています"):
        ward.asks()
    ward.it_is(IN_TIME)
    running = ward.asks()
    check = PulloutCheck().judge(an_answer(CONFIRM, by=TANTO), running.history())
    assert isinstance(check, r.Record)
    running.enter(check, by=TANTO)
    late = an_answer(APPROVE, by=SHONIN, at=datetime.fromisoformat(TOO_LATE))
    with pytest.raises(Refused, match="締切"):
        PulloutApproval().judge(late, running.history())
    with pytest.raises(Refused, match="本人は承認できません"):
        PulloutApproval().judge(an_answer(APPROVE, by=TANTO), running.history())


def test_before_the_receipt_and_after_the_delivery_there_is_nothing_to_pull_out(
    ward: Ward, ledger: Ledger
) -> None:
    ward.lists(FIRST_NOTICE)
    whole = a_cycle()
    ward.cycle.enter(whole[r.DeliveryRecord])
    with pytest.raises(Refused, match="納品の照合が済んでいる"):
        ward.asks()
    other = a_cycle(cycle=KNOWN.id[:-2] + "02", run_id="manual__2").up_to(r.HandoverRecord)
    other.entered_in(ledger)
    early = RunningCycle(id=other.id, actor=TASK, settings=ward.cycle.settings, ledger=ledger)
    with pytest.raises(Refused, match="委託先がまだデータを開いていない"):
        requested(early, ASKED, TANTO, RUN)


def test_a_request_that_was_given_up_blocks_nothing(ward: Ward) -> None:
    ward.lists(FIRST_NOTICE)
    running = ward.asks()
    (cancelled,) = PulloutCheck().judge(an_answer(CANCEL, by=TANTO), running.history())  # type: ignore[misc]
    assert isinstance(cancelled, PulloutCancelled)
    assert requested(ward.cycle, ASKED | {"decision": "cancel"}, TANTO, ("pull_out", "manual__x")) == ""
    assert open_pullouts(ward.cycle.history()) == ()
    with pytest.raises(Refused, match="取りやめる依頼がありません"):
        requested(ward.cycle, ASKED | {"decision": "cancel"}, TANTO, ("pull_out", "manual__y"))
    ward.lists(FIRST_NOTICE)
    assert ward.asks(("pull_out", "manual__pull2")).history().request.number == f"{KNOWN.id}-引抜き2"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pulled": 1}, "依頼 2通、引抜き 1通、見つからない 0通"),
        ({"request_number": "別の依頼"}, "についてのものではありません"),
        ({"replaced": 1, "pulled": 1}, "抜き取りだけ"),
        ({"done_at": OPENED_AT - timedelta(days=1)}, "依頼を開いた日時より前"),
    ],
)
def test_a_confirmation_that_does_not_fit_is_put_away(ward: Ward, changes: Any, sentence: str) -> None:
    running = opened_by_hand(ward)
    from notice_cycle.pullout.rules import verify_confirmation

    with pytest.raises(Refused, match=sentence):
        verify_confirmation(
            running.history(), a_confirmation(running, **changes), party="x", message_sha256="1" * 64
        )


async def looks(running: RunningCycle, ward: Ward) -> None:
    await look_at(running, {}, Seen(ward.folder / "seen.json"))


async def test_a_different_second_confirmation_stops_the_cycle_and_the_one_that_a_person_drops_counts_no_more(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails: list[str] = []
    monkeypatch.setattr(taking, "WardMail", lambda template, *_, **__: lambda _: mails.append(template))
    running = opened_by_hand(ward)
    package = running.history().latest(r.EncryptionRecord).package
    first = a_confirmation(running)
    ward.lays(package, first)
    sensor = PulloutConfirmationSensor(task_id="wait")
    assert await sensor._look(running, {})
    confirmed(running, {})
    assert pulled(ward.cycle.history()).envelopes == 1
    open_now = open_cycles(ward.cycle.ledger, ward.cycle.settings, TASK)
    assert [one.is_pullout for one in open_now] == [False, True], "both folders are looked into"

    ward.lays(package, a_confirmation(running, pulled=1, not_found=1), name="pullout-confirmation-2.json")
    for _ in range(2):
        await looks(running, ward)
    assert mails == ["reply_conflict"]
    with pytest.raises(Conflict, match="二通の引抜き・差替えの確認"):
        ward.cycle.once(r.DeliveryRecord, lambda _: pytest.fail("nobody knows what is to be delivered"))

    decided, redone = decide(
        ward.cycle.history(), "pullout-confirmation", "example_print",
        choice="second", reason_code="contractor_corrected", by=TANTO,
    )  # fmt: skip
    assert redone is None, "nothing was delivered yet"
    ward.cycle.note(decided, by=TANTO)
    with pytest.raises(NotThereYet, match="引抜きの確認待ち"):
        require_no_open_pullout(ward.cycle.history())
    assert not sensor.is_settled(running.history())
    assert await sensor._look(running, {})
    confirmed(running, {})
    out = pulled(ward.cycle.history())
    assert (out.notices, out.not_found, out.fewest_envelopes) == (1, 1, 0)
    assert sensor.is_settled(running.history())


async def test_taking_a_second_confirmation_after_the_delivery_does_the_delivery_again(ward: Ward) -> None:
    running = opened_by_hand(ward)
    package = running.history().latest(r.EncryptionRecord).package
    ward.lays(package, a_confirmation(running))
    await looks(running, ward)
    confirmed(running, {})
    ward.cycle.enter(delivery(ward.cycle.history(), envelopes=38))
    ward.lays(package, a_confirmation(running, pulled=1, not_found=1), name="pullout-confirmation-2.json")
    await looks(running, ward)
    _, redone = decide(
        ward.cycle.history(), "pullout-confirmation", "example_print",
        choice="second", reason_code="contractor_corrected", by=TANTO,
    )  # fmt: skip
    assert redone is not None
    assert redone.stage == "delivery"


async def test_two_receipts_for_the_list_do_no_stage_of_the_dispatch_again(ward: Ward) -> None:
    running = handed_over_by_hand(ward)
    package = running.history().latest(r.EncryptionRecord).package
    for number, by in enumerate((CLERK, MANAGER), start=1):
        ward.lays(package, a_receipt_for_the_list(running, by), name=Receipt.file_name(number=number))
    with pytest.raises(Conflict, match="二通の受領通知"):
        await waits(running, Receipt, r.ReceiptRecord)
    _, redone = decide(
        ward.cycle.history(), "receipt", "example_print",
        choice="second", reason_code="contractor_corrected", by=TANTO,
    )  # fmt: skip
    assert redone is None
    assert ward.cycle.history().find(r.ReceiptRecord)


async def test_a_confirmation_in_the_folder_of_the_print_data_is_put_away_and_told(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails: list[str] = []
    monkeypatch.setattr(taking, "WardMail", lambda template, *_, **__: lambda _: mails.append(template))
    running = opened_by_hand(ward)
    ward.lays(f"{KNOWN.id}-p1", a_confirmation(running))
    await looks(ward.cycle, ward)
    (refused,) = ward.cycle.history().facts(r.ReplyRefused)
    assert "依頼のパッケージのフォルダにありません" in refused.reason_ja
    assert mails == ["reply_refused"]


def handed_over_by_hand(ward: Ward) -> RunningPullout:
    """As if it had gone to the contractor over the line, in a package of its own."""
    ward.lists(FIRST_NOTICE, "20260000003")
    running = ward.asks()
    approved(ward, running)
    for record in (r.EncryptionRecord, r.HandoverRecord):
        running.enter(the_list(KNOWN)[record])
    return running


def a_receipt_for_the_list(running: RunningPullout, by: str) -> Receipt:
    made = running.history().latest(r.EncryptionRecord)
    return Receipt(
        cycle=running.id,
        manifest_sha256=made.manifest_sha256,
        files={file.name: file.sha256 for file in made.files},
        received_at=clock.now(),
        received_by=by,
    )


def opened_by_hand(ward: Ward) -> RunningPullout:
    """As if it had gone the whole way to the contractor's opening it."""
    running = handed_over_by_hand(ward)
    for record in (r.ReceiptRecord, r.ContentReceiptRecord):
        running.enter(the_list(KNOWN)[record])
    return running


def test_the_run_finds_its_pull_out(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    ward.lists(FIRST_NOTICE)
    ward.asks()
    run = SimpleNamespace(dag_id=RUN[0], run_id=RUN[1])
    context = {"dag_run": run, "ti": SimpleNamespace(task_id="request.check_request")}
    monkeypatch.setattr(run_context, "get_current_context", lambda: context)
    monkeypatch.setattr(run_context, "open_ledger", lambda: ward.cycle.ledger)
    monkeypatch.setattr(run_context, "Settings", lambda: ward.cycle.settings)
    found = current_cycle()
    assert (found.is_pullout, found.history().latest(r.CompositionRecord).quantities.notices) == (True, 1)
    assert isinstance(found.configuration, Configuration)
    requested(ward.cycle, ASKED | {"decision": "cancel"}, TANTO, ("pull_out", "manual__x"))
    with pytest.raises(run_context.AirflowSkipException, match="取りやめ"):
        current_cycle()


# ---- after the delivery

PROVED = {
    "decision": "record",
    "destroyed_at": "2026-07-10T11:00:00+09:00",
    "method": "shredding",
    "sheets": "1",
    "operator": "担当 一郎",
    "witness": "立会 花子",
    "certificate_number": "",
}
BY_THE_CONTRACTOR = {"destroyed_at": "", "sheets": "", "operator": "", "witness": ""}
LONE_NOTICE = "20260000003"
AFTERWARDS = ("delivered_pull_out", "manual__after1")


def delivered(ward: Ward) -> None:
    """Thirty-nine envelopes lie in the ward."""
    for kind in (r.DeliveryRecord, r.DeliveryConfirmationRecord):
        ward.cycle.enter(GOOD[kind])
    ward.it_is("2026-07-10T12:00:00+09:00")


def takes_out(ward: Ward, *numbers: str, run: tuple[str, str] = AFTERWARDS, **asked: str) -> str:
    if numbers:
        ward.lists(*numbers)
    return taken_out(ward.cycle, PROVED | asked, TANTO, run)


def posts(ward: Ward, envelopes: int, number: str = "差-1") -> None:
    asked = {
        "posted_at": clock.now().isoformat(),
        "post_office": "架空中央郵便局",
        "envelopes": str(envelopes),
        "receipt_number": number,
    }
    history = ward.cycle.history()
    ward.cycle.note(enter_posting(history, asked, by_contractor=False, by=TANTO, at=clock.now()), by=TANTO)


def test_a_letter_taken_out_after_the_delivery_is_not_to_be_posted(ward: Ward) -> None:
    delivered(ward)
    posts(ward, 38)
    assert all_posted_at(ward.cycle.history()) is None
    with pytest.raises(Refused, match=r"（納品 39封、差出し 38封）"):
        require_posted(ward.cycle.history())
    assert takes_out(ward, LONE_NOTICE) == "1"
    assert not ward.list_path.exists()
    history = ward.cycle.history()
    assert (envelopes_to_post(history), all_posted_at(history) is not None) == (38, True)
    require_posted(history)
    with pytest.raises(Refused, match="納品 39封、納品後の引抜き 1封、差出し 39封"):
        posts(ward, 1, "差-2")
    assert takes_out(ward) == "1", "the task runs again"
    assert len(ward.cycle.history().facts(DeliveredPulledOut)) == 1
    nothing_personal_in(history)
    names = {copy.name for copy in copies_of(history) if copy.is_open and copy.place == "一時保管領域"}
    assert "delivered-pullout-1.csv" in names

    index = read_dispatch(ward.cycle.vault, subject_of(ward), KNOWN[r.CompositionRecord], pulled(history))
    told = {one.letter.notice_no: one for one in outcomes(index, history, ward.cycle.vault)}
    assert (told[LONE_NOTICE].result, str(told[LONE_NOTICE].pulled_on)) == ("pulled", "2026-07-10")
    assert (told[FIRST_NOTICE].result, str(told[FIRST_NOTICE].posted_on)) == ("sent", "2026-07-10")
    without = index.without(pulled_numbers(ward.cycle.vault, ["delivered-pullout-1.csv"]))
    out, lots = pulled_after_delivery(history), history.latest(r.DeliveryRecord).deliveries
    posted = (r.LotDelivered(lot="1", envelopes=38),)
    assert posting_differences(without, lots, posted, out) == []
    (missing,) = posting_differences(without, lots, (r.LotDelivered(lot="1", envelopes=37),), out)
    assert (missing.due, missing.told, LONE_NOTICE in missing.notices) == (38, 37, False)


def subject_of(ward: Ward) -> str:
    return ward.cycle.configuration.notice.subject


def test_one_of_two_notices_in_an_envelope_leaves_the_envelope_to_be_posted(ward: Ward) -> None:
    delivered(ward)
    takes_out(ward, FIRST_NOTICE)
    assert envelopes_to_post(ward.cycle.history()) == 39
    with pytest.raises(Refused, match="先の依頼で抜き取ったもの"):
        takes_out(ward, FIRST_NOTICE, run=("delivered_pull_out", "manual__after2"))
    takes_out(ward, SECOND_NOTICE, run=("delivered_pull_out", "manual__after2"))
    assert envelopes_to_post(ward.cycle.history()) == 38


def test_what_was_entered_by_mistake_is_taken_back(ward: Ward) -> None:
    delivered(ward)
    takes_out(ward, LONE_NOTICE)
    assert takes_out(ward, run=("delivered_pull_out", "manual__x"), decision="cancel") == "1"
    assert envelopes_to_post(ward.cycle.history()) == 39
    with pytest.raises(Refused, match="取り消す納品後の引抜きがありません"):
        takes_out(ward, run=("delivered_pull_out", "manual__y"), decision="cancel")
    assert takes_out(ward, LONE_NOTICE, run=("delivered_pull_out", "manual__after2")) == "2"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"sheets": "2"}, "一覧 1通、廃棄 2枚"),
        ({"witness": "担当 一郎"}, "立会者が同じ"),
        ({"witness": ""}, "足りないか、二通り"),
        ({"certificate_number": "廃棄1"}, "足りないか、二通り"),
        ({"destroyed_at": "2026-07-10T12:01:00+09:00"}, "未来です"),
        ({"destroyed_at": "2026-06-30T11:00:00+09:00"}, "より前か、未来"),
    ],
)
def test_without_a_proof_that_fits_nothing_is_entered(
    ward: Ward, asked: dict[str, str], sentence: str
) -> None:
    delivered(ward)
    with pytest.raises(Refused, match=sentence):
        takes_out(ward, LONE_NOTICE, **asked)
    assert ward.cycle.history().facts(DeliveredPulledOut) == []
    assert ward.list_path.exists()


def test_what_is_posted_cannot_be_taken_out_and_before_the_delivery_nothing_can(ward: Ward) -> None:
    with pytest.raises(Refused, match="納品の照合が済んでいない"):
        takes_out(ward, LONE_NOTICE)
    delivered(ward)
    posts(ward, 39)
    with pytest.raises(Refused, match="納品 39封、差出し 39封、納品後の引抜き 1封"):
        takes_out(ward, LONE_NOTICE)
    ward.list_path.unlink()
    with pytest.raises(Refused, match="引抜き受付フォルダにまだありません"):
        takes_out(ward)


def a_certificate(number: str, *, sheets: int) -> PapersDestroyed:
    paper = a_destroyed_paper(what="pulled", sheets=sheets)
    message = a_destruction_certificate(KNOWN, paper, certificate_number=number)
    return PapersDestroyed(
        party=FIRM.name,
        message_sha256="4" * 64,
        certificate_number=number,
        papers=message.papers,
        certified_at=message.certified_at,
        responsible_person=MANAGER,
    )


def test_what_the_contractor_took_out_counts_once_his_certificate_is_there(ward: Ward) -> None:
    delivered(ward)
    his = BY_THE_CONTRACTOR | {"certificate_number": "廃棄1"}
    with pytest.raises(Refused, match=r"一覧 1通、届いている残り 0枚"):
        takes_out(ward, LONE_NOTICE, **his)
    ward.cycle.note(a_certificate("廃棄1", sheets=1))
    takes_out(ward, LONE_NOTICE, **his)
    history = ward.cycle.history()
    assert envelopes_to_post(history) == 38
    (paper,) = [copy for copy in copies_of(history) if copy.what == "引き抜いたもの"]
    assert (paper.quantity, paper.is_open) == (1, False)
    with pytest.raises(Refused, match="届いている残り 0枚"):
        takes_out(ward, "20260000004", run=("delivered_pull_out", "manual__after2"), **his)


def test_a_letter_that_the_contractor_did_not_find_is_taken_out_of_what_he_delivered(ward: Ward) -> None:
    running = opened_by_hand(ward)
    not_found = {"pulled": 1, "not_found": 1}
    running.note(fact_of_confirmation(running).model_copy(update=not_found))
    delivered(ward)  # one envelope was to disappear, and was delivered all the same
    ward.cycle.note(a_certificate("廃棄1", sheets=1))
    posts(ward, 38)
    takes_out(ward, LONE_NOTICE)
    assert all_posted_at(ward.cycle.history()) is not None


def test_after_the_results_were_told_nothing_is_taken_out(ward: Ward) -> None:
    delivered(ward)
    told = r.ResultsReturned(
        file=KNOWN[r.CompositionRecord].print_file,
        control_file=KNOWN[r.CompositionRecord].print_file,
        layout_valid_from=clock.today(),
        results={"sent": 40},
        written_at=clock.now(),
    )
    ward.cycle.note(told)
    with pytest.raises(Refused, match="発送結果を基幹系に返した後"):
        takes_out(ward, LONE_NOTICE)
