"""The demo's contractor as a process of its own against a real SFTP host, from arrival to certificate."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.builders import a_cycle, a_delivery_confirmation
from tests.unit.contractor_kit.packages import (
    AT,
    CONTRACTOR,
    CYCLE,
    RESIDENT,
    SMALL_TOTAL_KEY,
    WARD,
    APackage,
    a_package,
    key_pair,
    quick_encryption,
)

from embedded_ward.contractor import Contractor, ContractorOptions
from embedded_ward.desk import Page
from notice_cycle import clock
from notice_cycle.acknowledgement.receipts import verify_content_receipt, verify_receipt
from notice_cycle.copies import copies_of, judge_reply
from notice_cycle.delivery.reconcile import verify_delivery
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.erasure.verify import Proof, verify_erasure
from notice_cycle.exchange.door import admit
from notice_cycle.exchange.messages import (
    ContentReceipt,
    DeliveryReport,
    DestructionCertificate,
    ErasureCertificate,
    ErasureReport,
    M,
    PrintLog,
    PulloutConfirmation,
    Receipt,
)
from notice_cycle.handover import media

REPOSITORY = Path(__file__).parents[2]
WAIT_SECONDS = 20
MOVED_TO = datetime(2026, 7, 6, 0, 0, tzinfo=AT.tzinfo)


@dataclass
class Stage:
    """Host, contractor and their folders; ends what it has started."""

    root: Path
    package: APackage
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for folder in (self.to_contractor.parent, self.to_ward.parent, self.desk, self.home, self.users):
            folder.mkdir(parents=True)
        key_pair(self.root / "host_key")
        _, login = key_pair(self.root / "login_key")
        (self.users / "contractor").write_text(login + "\n")
        clock.move_to(MOVED_TO, self.root / "clock.json")

    @property
    def exchange(self) -> Path:
        return self.root / "exchange"

    @property
    def to_contractor(self) -> Path:
        return self.exchange / "to_contractor" / f"{CYCLE}-p1"

    @property
    def to_ward(self) -> Path:
        return self.exchange / "to_ward" / f"{CYCLE}-p1"

    @property
    def desk(self) -> Path:
        return self.root / "desk"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def users(self) -> Path:
        return self.root / "users"

    @property
    def log(self) -> str:
        return (self.root / "contractor.log").read_text(encoding="utf-8")

    def start_host(self) -> subprocess.Popen[bytes]:
        host_key, users = str(self.root / "host_key"), str(self.users)
        arguments = ("--root", str(self.exchange), "--port", str(self.port))
        host = self._start(
            "embedded_ward.sftp_host", *arguments, "--host-key", host_key, "--authorized-keys", users
        )
        eventually(self._is_listening)
        return host

    def start_contractor(self) -> subprocess.Popen[bytes]:
        return self._start(
            "embedded_ward.contractor",
            *("--home", str(self.home), "--host", "127.0.0.1", "--port", str(self.port)),
            *("--host-key-file", str(self.root / "host_key.pub"), "--key", str(self.root / "login_key")),
            *("--signing-key", str(self.package.contractor_key), "--desk", str(self.desk)),
            *("--ward-signers", str(self.package.ward_signers), "--ward", WARD),
        )

    def send(self, *, without: str = "") -> None:
        """Lays the package on the host in the ward's order, the checksums last."""
        self.to_contractor.mkdir(exist_ok=True)
        for file in self.package.encryption.files:
            if file.name != without:
                shutil.copy(self.package.folder / file.name, self.to_contractor / file.name)

    def lay_passphrase_notice_on_desk(self) -> None:
        printed = self.package.passphrase_notice(self.root / "tray")
        shutil.copy(printed, self.desk / printed.name)

    def admitted(self, kind: type[M], folder: Path | None = None) -> tuple[M, str]:
        """Waits for an answer; what the ward's door makes of it, and its digest."""
        path = (folder or self.to_ward) / kind.file_name()
        eventually(path.exists)
        content, signature = path.read_bytes(), path.with_name(path.name + ".sig").read_bytes()
        allowed = self.package.contractors
        found = admit(
            content,
            signature,
            kind,
            cycle=CYCLE,
            signers={CONTRACTOR: CONTRACTOR},
            contractor=CONTRACTOR,
            allowed=allowed,
            at=clock.now(),
        )
        return found.message, found.sha256

    def on_disc(self, *, disc_bytes: int = media.DISC_BYTES) -> list[Path]:
        """The package on discs of a size, handed over."""
        (self.desk / "discs").mkdir(exist_ok=True)
        extras = media.DiscExtras(
            ward_signers=self.package.ward_signers.read_bytes(),
            guide_pdf=b"%PDF-1.7 guide",
            guide_text="手順書",
            decrypter=None,
        )
        images = media.build_images(
            self.package.folder,
            extras,
            self.root / "images",
            signing_key=SigningKey.load(self.package.ward_signers.with_name("ward_key")),
            at=AT,
            disc_bytes=disc_bytes,
        )
        return [
            Path(shutil.copy(self.root / "images" / image.image.name, self.desk / "discs"))
            for image in images
        ]

    def answered(self, kind: type[M]) -> tuple[M, str]:
        """The same for an answer that is laid out on the desk."""
        return self.admitted(kind, self.desk / "answers" / f"{CYCLE}-p1")

    def stop(self, process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
        process.send_signal(how)
        process.wait(timeout=10)

    def stop_all(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.stop(process, signal.SIGKILL)

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY / "include"),
            "PYTHONUTF8": "1",
            clock.CLOCK_FILE_VARIABLE: str(self.root / "clock.json"),
        }
        with (self.root / f"{module.rpartition('.')[2]}.log").open("ab") as said:
            command = [sys.executable, "-m", module, *arguments]
            process = subprocess.Popen(command, env=environment, stdout=said, stderr=said, cwd=self.root)
        self.processes.append(process)
        return process

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    quick_encryption(monkeypatch)
    stage = Stage(tmp_path / "stage", a_package(tmp_path / "ward"))
    stage.start_host()
    yield stage
    stage.stop_all()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_the_contractor_goes_the_whole_way_and_survives_being_killed_in_between(stage: Stage) -> None:
    package = stage.package
    contractor = stage.start_contractor()
    stage.send(without="SHA256SUMS")
    time.sleep(2.5)
    assert not stage.to_ward.exists()  # half a package is no package
    stage.send()
    receipt, digest = stage.admitted(Receipt)
    verify_receipt(package.handover, package.encryption, receipt, message_sha256=digest, signed_by=CONTRACTOR)
    assert timedelta() <= receipt.received_at - MOVED_TO < timedelta(minutes=2)

    stage.stop(contractor, signal.SIGKILL)
    stage.lay_passphrase_notice_on_desk()
    contractor = stage.start_contractor()
    opened, digest = stage.admitted(ContentReceipt)
    content_receipt = verify_content_receipt(
        package.composition,
        package.encryption,
        opened,
        package.configuration,
        message_sha256=digest,
        signed_by=CONTRACTOR,
        small_total_key=SMALL_TOTAL_KEY,
    )
    (log, log_digest), (delivery, delivery_digest) = stage.admitted(PrintLog), stage.admitted(DeliveryReport)
    record = verify_delivery(
        package.composition,
        package.encryption,
        log,
        delivery,
        log_sha256=log_digest,
        report_sha256=delivery_digest,
        signed_by=CONTRACTOR,
    )
    assert (record.sheets_spoiled, len({line.printer for line in log.lines})) == (3, 2)
    time.sleep(1.5)
    assert not (
        stage.to_ward / "erasure-report.json"
    ).exists()  # nothing is erased before the goods are accepted
    assert list(stage.home.rglob("print.csv"))

    stage.stop(contractor)
    assert contractor.returncode == 0
    (stage.desk / f"delivery-accepted-{CYCLE}").touch()
    stage.start_contractor()
    report, report_digest = stage.admitted(ErasureReport)
    certificate, certificate_digest = stage.admitted(ErasureCertificate)
    paper, paper_digest = stage.admitted(DestructionCertificate)
    confirmation = a_delivery_confirmation(delivery, at=AT)
    happened = (
        package.composition,
        package.encryption,
        package.handover,
        content_receipt,
        record,
        confirmation,
    )
    by_kind = {type(one): one for one in happened}
    cycle = a_cycle().up_to(type(confirmation))
    cycle = replace(cycle, records=tuple(by_kind.get(type(one), one) for one in cycle.records))
    kept = judge_reply(paper, cycle.history(), party=CONTRACTOR, message_sha256=paper_digest)
    proof = Proof(CONTRACTOR, CONTRACTOR, report, report_digest, certificate, certificate_digest)
    erasure = verify_erasure(
        cycle.noting(kept).history(), [proof], left={"package": package.handover.files[0].sha256}
    )
    whole = replace(cycle, records=(*cycle.records, erasure)).noting(kept)
    held = [copy for copy in copies_of(whole.history()) if copy.party == CONTRACTOR and copy.holds_data]
    assert [copy for copy in held if copy.is_open or not copy.declared] == []
    assert erasure.copies_erased == 3
    nothing_is_left(stage)


def nothing_is_left(stage: Stage) -> None:
    """No copy on the host or in the contractor's home, and no secret in what stays behind."""
    eventually(lambda: "erasure-certificate.json sent" in stage.log)
    assert not stage.to_contractor.exists()
    left = [path for path in stage.home.rglob("*") if path.is_file()]
    assert not [path.name for path in left if path.suffix in (".age", ".csv", ".partial")]
    kept = b"".join(path.read_bytes() for path in left).decode("utf-8")
    told = kept + stage.log + (stage.root / "sftp_host.log").read_text(encoding="utf-8")
    for secret in (stage.package.passphrase, RESIDENT, "0000000001"):
        assert secret not in told
    assert list(stage.desk.glob("*.pdf"))  # the paper stays until it is given back
    steps = [line for line in stage.log.splitlines() if CYCLE in line]
    assert len(steps) == len(set(steps)) == 10, stage.log  # one line a step, none twice


def test_discs_are_taken_in_answered_and_given_back_while_the_line_is_down(stage: Stage) -> None:
    stage.stop(stage.processes[0])
    first, *others = stage.on_disc(disc_bytes=media._KEPT_FREE + media._PART_ALIGNMENT)
    assert others == []
    (stage.desk / f"withdrawn-{CYCLE}-p0").write_text("not a package")  # p0 is no number of a package
    (stage.desk / f"withdrawn-{CYCLE}-p9").write_text("9" * 64)
    stage.start_contractor()
    receipt, digest = stage.answered(Receipt)
    package = stage.package
    verify_receipt(package.handover, package.encryption, receipt, message_sha256=digest, signed_by=CONTRACTOR)
    stage.lay_passphrase_notice_on_desk()
    stage.answered(DeliveryReport)
    assert first.exists()
    (stage.desk / f"delivery-accepted-{CYCLE}").touch()
    report, _ = stage.answered(ErasureReport)
    stage.answered(ErasureCertificate)
    back = sorted(path.name for path in (stage.desk / "returned").iterdir())
    assert back == [f"{CYCLE}-PW1.pdf", f"{CYCLE}-p1-d1.iso"]
    assert not first.exists()
    told = [(copy.carrier, copy.file_sha256) for copy in report.copies]
    assert [carrier for carrier, _ in told] == ["パソコン", "パソコン", "サーバー"]  # no disc: it goes back
    assert told[2] == ("サーバー", "9" * 64)  # the one that never came
    assert "受領なし" in report.copies[2].tool
    assert not list(stage.home.rglob("*.age")) and not list(stage.home.rglob("print.csv"))


def test_a_package_on_several_discs_waits_for_the_last_and_is_joined(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "_KEPT_FREE", 0)
    monkeypatch.setattr(media, "_PART_ALIGNMENT", 1024)
    discs = stage.on_disc(disc_bytes=2048)
    assert len(discs) > 1
    aside = discs[-1].rename(stage.root / "lost.iso")
    stage.start_contractor()
    time.sleep(2.5)
    assert not (stage.desk / "answers").exists()
    aside.rename(discs[-1])
    receipt, _ = stage.answered(Receipt)
    assert receipt.files == {file.name: file.sha256 for file in stage.package.encryption.files}


def test_a_disc_that_was_altered_is_not_answered(stage: Stage) -> None:
    (disc,) = stage.on_disc()
    content = bytearray(disc.read_bytes())
    at = content.index(b"age-encryption.org")
    content[at + 100] ^= 1
    disc.write_bytes(content)
    stage.start_contractor()
    eventually(lambda: "SHA256SUMS と一致しません" in stage.log)
    assert not (stage.desk / "answers").exists()


def test_an_upload_is_taken_off_the_page_and_erased_there(stage: Stage) -> None:
    page = stage.desk / "page" / f"{CYCLE}-p1"
    shutil.copytree(stage.package.folder, page)
    stage.start_contractor()
    stage.answered(Receipt)
    stage.lay_passphrase_notice_on_desk()
    stage.answered(DeliveryReport)
    (stage.desk / f"delivery-accepted-{CYCLE}").touch()
    report, _ = stage.answered(ErasureReport)
    assert [copy.tool for copy in report.copies if copy.carrier == "サーバー"] == ["専用ページから削除"]
    eventually(lambda: not page.exists())
    assert not stage.to_ward.exists()
    assert list(stage.desk.glob("*.pdf"))  # only discs and their notices go back


@pytest.mark.skipif(shutil.which("7z") is None, reason="7z is not installed; run tools/debian-packages")
def test_a_zip_is_opened_with_7_zip_and_a_wrong_paper_does_not_open_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage", a_package(tmp_path / "ward", package_format="zip-aes256"))
    try:
        stage.start_host()
        other = a_package(tmp_path / "other", package_format="zip-aes256")
        shutil.copy(other.passphrase_notice(tmp_path / "other_tray"), stage.desk / "wrong.pdf")
        stage.send()
        stage.start_contractor()
        eventually(lambda: "7-Zip で開けません" in stage.log)
        assert not list(stage.home.rglob("print.csv"))
        (stage.desk / "wrong.pdf").unlink()
        stage.lay_passphrase_notice_on_desk()
        opened, _ = stage.admitted(ContentReceipt)
        assert opened.print_file_sha256 == stage.package.composition.print_file.sha256
        assert "opened with 7-Zip" in stage.log
    finally:
        stage.stop_all()


async def test_letters_are_taken_out_before_the_goods_are_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twelve notices in eleven envelopes the first, which lies alone, and one of the two in the last."""
    quick_encryption(monkeypatch)
    package, desk = a_package(tmp_path / "ward"), tmp_path / "desk"
    request = package.request_for({"0000000001": 1, "0000000012": 11}, tmp_path / "request")
    shutil.copytree(package.folder, desk / "page" / f"{CYCLE}-p1")
    options = ContractorOptions(
        home=tmp_path / "home",
        host="page.example",
        port=22,
        host_key_file=tmp_path,
        key=tmp_path,
        signing_key=package.contractor_key,
        ward_signers=package.ward_signers,
        ward=WARD,
        desk=desk,
    )
    contractor = Contractor(options)

    def said(kind: type[M], number: int = 1) -> M | None:
        path = desk / "answers" / f"{CYCLE}-p{number}" / kind.file_name()
        return kind.model_validate_json(path.read_bytes()) if path.exists() else None

    hold = desk / f"hold-{CYCLE}"
    hold.touch()
    shutil.copy(package.passphrase_notice(tmp_path / "tray"), desk)
    await contractor.look(Page(desk))
    assert said(PrintLog)
    assert said(DeliveryReport) is None, "it was told to wait"

    shutil.copytree(request.folder, desk / "page" / f"{CYCLE}-p2")
    await contractor.look(Page(desk))
    hold.unlink()
    await contractor.look(Page(desk))
    assert said(DeliveryReport) is None, "a request is there that it has not opened"
    shutil.copy(request.passphrase_notice(tmp_path / "tray"), desk)
    await contractor.look(Page(desk))
    await contractor.look(Page(desk))
    confirmed = said(PulloutConfirmation, 2)
    assert confirmed
    assert (confirmed.pulled, confirmed.not_found) == (2, 0)
    delivered = said(DeliveryReport)
    assert delivered
    assert [lot.envelopes for lot in delivered.lots] == [10]

    (desk / f"delivery-accepted-{CYCLE}").touch()
    await contractor.look(Page(desk))
    destroyed, report = said(DestructionCertificate), said(ErasureReport)
    assert destroyed
    assert report
    assert {paper.what: paper.sheets for paper in destroyed.papers} == {"spoilage": 3, "pulled": 2}
    on_pc = {copy.file_sha256 for copy in report.copies if copy.carrier == "パソコン"}
    assert {request.encryption.files[0].sha256, request.composition.print_file.sha256} < on_pc
    assert len(report.copies) == 6
    assert [path for path in options.home.rglob("*") if path.suffix in (".age", ".csv")] == []


def test_an_altered_package_gets_no_answer_and_is_mentioned_once_until_a_sound_one_comes(
    stage: Stage,
) -> None:
    stage.send()
    encrypted = stage.to_contractor / stage.package.encryption.files[0].name
    sound = encrypted.read_bytes()
    encrypted.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    stage.start_contractor()
    eventually(lambda: "SHA256SUMS と一致しません" in stage.log)
    time.sleep(2.5)
    assert stage.log.count("一致しません") == 1
    assert not stage.to_ward.exists()
    encrypted.write_bytes(sound)
    later = time.time() + 10
    os.utime(stage.to_contractor / "SHA256SUMS", (later, later))
    stage.admitted(Receipt)


def test_the_paper_of_another_package_does_not_open_and_the_right_one_does(stage: Stage) -> None:
    other = a_package(stage.root / "other")
    printed = other.passphrase_notice(stage.root / "other_tray")
    shutil.copy(printed, stage.desk / "wrong.pdf")
    (stage.desk / "half.pdf").write_bytes(printed.read_bytes()[:2000])
    stage.send()
    stage.start_contractor()
    stage.admitted(Receipt)
    eventually(lambda: "パスワードが違います" in stage.log)
    (stage.desk / "wrong.pdf").unlink()
    stage.lay_passphrase_notice_on_desk()
    stage.admitted(ContentReceipt)
    assert stage.log.count("パスワードが違います") == 1


def test_a_host_with_another_key_is_not_talked_to(stage: Stage) -> None:
    key_pair(stage.root / "other_key")
    shutil.copy(stage.root / "other_key.pub", stage.root / "host_key.pub")
    stage.send()
    stage.start_contractor()
    eventually(lambda: "HostKeyNotVerifiable" in stage.log)
    assert not stage.to_ward.exists()
    assert "contractor login" not in (stage.root / "sftp_host.log").read_text(encoding="utf-8")


def test_the_contractor_waits_for_a_host_that_is_down(stage: Stage) -> None:
    stage.stop(stage.processes[0])
    stage.send()
    stage.start_contractor()
    eventually(lambda: "trying again" in stage.log)
    stage.start_host()
    stage.admitted(Receipt)
