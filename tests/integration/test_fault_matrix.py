"""What may go wrong while a package is handed over, against real OpenSSH: nothing is lost, nothing comes twice.

docs/faults.md is the list; each of its rows is brought about here, through the whole step with its ledger, and its
sentences are compared with what is really said and mailed.
"""

import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from tests.builders import CONFIG, CYCLE
from tests.conftest import LedgerDatabase
from tests.integration.sftp_hosts import AS_ROOT, SSHD, WHY_NO_SSHD, SftpHost, openssh_host
from tests.integration.test_lgwan_handover import (
    FOLDER,
    REPOSITORY,
    Package,
    a_package,
    a_running_cycle,
    another_key,
    contents,
    lying_on,
    public,
    ready,
)

from notice_cycle import clock
from notice_cycle.alerts import Post
from notice_cycle.errors import CannotLook, Conflict, NoticeCycleError, Refused
from notice_cycle.ledger.store import Ledger
from notice_cycle.records import HandoverBegun, HandoverCompleting, HandoverRecord
from notice_cycle_airflow.run_context import RunningCycle
from notice_cycle_airflow.sending import send_package

SIZE = 8_000_000
FAULTS = REPOSITORY / "docs" / "faults.md"

pytestmark = pytest.mark.skipif(
    SSHD is None or not AS_ROOT, reason=WHY_NO_SSHD if SSHD is None else "the host's root folder needs root"
)


# ---- the list


@dataclass(frozen=True)
class Fault:
    """A row of docs/faults.md."""

    number: str
    sentence: str
    advice: str

    def is_told_by(self, error: NoticeCycleError) -> None:
        """The row's sentences are those that the task says, and that its mail carries."""
        parts = [re.escape(part.strip()) for part in re.split("〈.+?〉", self.sentence)]
        assert re.fullmatch(r"\s*.*?\s*".join(parts), error.message), error.message
        assert error.advice == self.advice
        post = Post(config=CONFIG, base_url="http://ward", domain="ward.example", synthetic=True)
        facts = {
            "notice": "納入通知書",
            "task": "LGWAN での送信",
            "stage": "handover",
            "reason": str(error),
            "link": "",
        }
        mail = post.mail("task_failed", "joho@ward.example", facts, thread=CYCLE)
        assert error.message in mail.text
        assert self.advice in mail.text


def rows() -> dict[str, Fault]:
    cells = (
        line.strip("| ").split(" | ") for line in FAULTS.read_text("utf-8").splitlines() if "| `" in line
    )
    return {
        number: Fault(number, sentence, advice)
        for name, _, sentence, advice, *_ in cells
        for number in [name.strip("`")]
    }


KNOWN = rows()
TRIED: set[str] = set()


def fault(*numbers: str) -> pytest.MarkDecorator:
    TRIED.update(numbers)
    return pytest.mark.parametrize("fault", [KNOWN[number] for number in numbers], ids=numbers)


def test_every_fault_of_the_list_is_tried() -> None:
    assert set(KNOWN) == TRIED
    assert len(KNOWN) > 15


# ---- the step and its witnesses


@dataclass
class Handover:
    """A cycle whose package waits to be sent over OpenSSH."""

    host: SftpHost
    package: Package
    cycle: RunningCycle
    ledger_dsn: str
    monkeypatch: pytest.MonkeyPatch

    def connects(self, **changes: object) -> None:
        self.monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", self.host.connection(**changes))

    def sends(self) -> str:
        """What the task does."""
        return self.cycle.once(HandoverRecord, lambda history: send_package(self.cycle, history))

    def fails(self, fault: Fault, kind: type[NoticeCycleError]) -> None:
        with pytest.raises(kind) as caught:
            self.sends()
        fault.is_told_by(caught.value)
        assert self.cycle.history().find(HandoverRecord) is None

    def has_landed_once(self) -> None:
        """All is there, whole, under its name only; one record, one beginning."""
        assert self.package.lies_whole_on(self.host)
        history = self.cycle.history()
        assert len(history.ever(HandoverRecord)) == 1
        assert len(history.facts(HandoverBegun)) == 1
        record = history.latest(HandoverRecord)
        assert record.files == self.package.record.files
        assert record.lgwan is not None
        assert {file.name for file in record.lgwan.listing} == set(self.package.names)

    def inodes(self) -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in self.host.on_disk(FOLDER).iterdir()}

    @property
    def part(self) -> Path:
        return self.host.on_disk(FOLDER) / f"{self.package.names[0]}.part"

    def runs_elsewhere(self, script: str) -> subprocess.Popen[bytes]:
        """The same step in a worker of its own, which can be killed."""
        party = self.cycle.configuration.party
        command = [sys.executable, "-c", WORKER + script, self.ledger_dsn, str(self.package.outbox)]
        assert party.port == self.host.port
        return subprocess.Popen(command, stdout=subprocess.PIPE)


WORKER = f"""
import sys, time
sys.path[:0] = {[str(REPOSITORY / "include"), str(REPOSITORY / "plugins")]}
from notice_cycle.ledger.entry import System
from notice_cycle.ledger.store import Ledger
from notice_cycle.records import HandoverRecord
from notice_cycle.settings import Settings
from notice_cycle_airflow import sending
from notice_cycle_airflow.hooks.lgwan import SftpFolder
from notice_cycle_airflow.run_context import RunningCycle

def halt(*_):
    print("here", flush=True)
    time.sleep(600)

settings = Settings({{"NOTICE_CYCLE_OUTBOX": sys.argv[2]}})
cycle = RunningCycle(id="{CYCLE}", actor=System(task="handover.send"), settings=settings, ledger=Ledger(sys.argv[1]))
"""
SEND = "\ncycle.once(HandoverRecord, lambda history: sending.send_package(cycle, history))\n"
BEFORE_A_NAME = """
async def rename(self, name, to):
    halt()
SftpFolder.rename = rename
"""
BEFORE_THE_RECORD = "RunningCycle.enter = halt\n"


@pytest.fixture(scope="module")
def openssh() -> Iterator[SftpHost]:
    with openssh_host() as host:
        yield host


@pytest.fixture
def handover(
    openssh: SftpHost, ledger_database: LedgerDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Handover:
    return a_handover(ready(openssh, monkeypatch), ledger_database, tmp_path, monkeypatch)


def a_handover(
    host: SftpHost,
    database: LedgerDatabase,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    port: int | None = None,
) -> Handover:
    package = a_package(folder, SIZE)
    cycle = a_running_cycle(database.ledger, package, host="127.0.0.1", port=port or host.port)
    return Handover(host, package, cycle, database.writer, monkeypatch)


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.002)


# ---- preflight: what is told apart before a byte goes


@fault("line_down")
def test_the_line_is_down(handover: Handover, fault: Fault) -> None:
    handover.host.process.send_signal(signal.SIGSTOP)  # still listening, never answering: as a dead line
    handover.monkeypatch.setattr("notice_cycle_airflow.hooks.lgwan._CONNECT_SECONDS", 0.5)
    try:
        handover.fails(fault, CannotLook)
    finally:
        handover.host.process.send_signal(signal.SIGCONT)
    assert contents(handover.host) == {}
    handover.monkeypatch.undo()
    handover.connects()
    handover.sends()
    handover.has_landed_once()


@fault("login_refused")
def test_the_login_is_refused(handover: Handover, fault: Fault, tmp_path: Path) -> None:
    (tmp_path / "unknown").write_bytes(another_key().export_private_key())
    handover.connects(key_file=str(tmp_path / "unknown"))
    handover.fails(fault, Refused)
    assert contents(handover.host) == {}
    handover.connects()
    handover.sends()
    handover.has_landed_once()


@fault("host_key_changed")
def test_the_host_key_has_changed(handover: Handover, fault: Fault) -> None:
    handover.connects(host_key=public(another_key()))
    handover.fails(fault, Refused)
    assert contents(handover.host) == {}
    handover.connects()
    handover.sends()
    handover.has_landed_once()


@fault("no_write_permission")
def test_nothing_may_be_written(handover: Handover, fault: Fault) -> None:
    closed = handover.host.on_disk("to_contractor")
    shutil.chown(closed, "root")
    handover.fails(fault, Refused)
    assert contents(handover.host) == {}
    shutil.chown(closed, handover.host.user)
    handover.sends()
    handover.has_landed_once()


@fault("disk_full")
def test_the_disk_is_full(handover: Handover, fault: Fault) -> None:
    folder = handover.host.on_disk("to_contractor")
    mount = ["mount", "-t", "tmpfs", "-o", f"size=3m,uid={folder.stat().st_uid}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("a small disk may not be mounted here")
    try:
        handover.fails(fault, CannotLook)
        assert list(contents(handover.host)) == [handover.part.name]
        subprocess.run(["mount", "-o", "remount,size=24m", str(folder)], check=True)
        handover.sends()
        handover.has_landed_once()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# ---- the line is cut


@dataclass
class Proxy:
    """A line between the ward and the host that breaks after so many bytes towards the host."""

    port: int
    breaks_after: float = float("inf")
    passed: int = 0
    lines: list[socket.socket] = field(default_factory=list)


@contextmanager
def a_line_to(target: int) -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = Proxy(server.getsockname()[1])

        def carry(source: socket.socket, sink: socket.socket, *, counted: bool) -> None:
            with suppress(OSError):
                while data := source.recv(16_384):
                    if counted:
                        proxy.passed += len(data)
                        if proxy.passed > proxy.breaks_after:
                            break
                    sink.sendall(data)
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    here, _ = server.accept()
                    there = socket.create_connection(("127.0.0.1", target))
                    proxy.lines += [here, there]
                    for ends, counted in (((here, there), True), ((there, here), False)):
                        threading.Thread(
                            target=carry, args=ends, kwargs={"counted": counted}, daemon=True
                        ).start()

        accepting = threading.Thread(target=serve, daemon=True)
        accepting.start()
        yield proxy
        server.shutdown(socket.SHUT_RDWR)
        accepting.join(5)
        for line in proxy.lines:
            line.close()


@fault("line_cut_01", "line_cut_50", "line_cut_99")
def test_the_line_is_cut(
    openssh: SftpHost,
    ledger_database: LedgerDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    percent = int(fault.number[-2:])
    host = ready(openssh, monkeypatch)
    with a_line_to(host.port) as line:
        handover = a_handover(host, ledger_database, tmp_path, monkeypatch, port=line.port)
        handover.connects(port=line.port)
        line.breaks_after = SIZE * percent / 100
        handover.fails(fault, CannotLook)
        until(lambda: not psutil.Process(host.process.pid).children())  # the session has written what it had
        assert set(contents(host)) == {handover.part.name}
        landed = handover.part.stat().st_size
        assert landed > 0 or percent == 1  # one percent is less than one block
        line.breaks_after, line.passed = float("inf"), 0
        handover.sends()
        handover.has_landed_once()
        assert line.passed < SIZE - landed + 100_000  # it went on where it had stopped


# ---- the worker is killed


@fault("killed_in_upload")
def test_the_worker_is_killed_in_mid_upload(handover: Handover, fault: Fault) -> None:
    with handover.runs_elsewhere(SEND) as worker:
        until(lambda: handover.part.exists() and handover.part.stat().st_size > 100_000, 60)
        worker.kill()
    assert handover.cycle.history().find(HandoverRecord) is None
    assert set(contents(handover.host)) == {handover.part.name}
    handover.sends()
    handover.has_landed_once()


def halted(worker: subprocess.Popen[bytes]) -> None:
    assert worker.stdout is not None
    try:
        assert b"here\n" in iter(worker.stdout.readline, b"")
    finally:
        worker.kill()


@fault("killed_before_a_name")
def test_the_worker_is_killed_before_it_gives_a_name(handover: Handover, fault: Fault) -> None:
    with handover.runs_elsewhere(BEFORE_A_NAME + SEND) as worker:
        halted(worker)
    assert set(contents(handover.host)) == {handover.part.name}
    before = handover.part.stat().st_ino
    handover.sends()
    handover.has_landed_once()
    assert handover.inodes()[handover.package.names[0]] == before


@fault("killed_before_the_record")
def test_the_worker_is_killed_before_the_record(handover: Handover, fault: Fault) -> None:
    with handover.runs_elsewhere(BEFORE_THE_RECORD + SEND) as worker:
        halted(worker)
    before = handover.inodes()
    assert set(before) == set(handover.package.names)
    handover.sends()
    handover.has_landed_once()
    assert handover.inodes() == before


@fault("taken_before_the_record")
def test_what_the_contractor_took_away_meanwhile_is_not_sent_again(handover: Handover, fault: Fault) -> None:
    with handover.runs_elsewhere(BEFORE_THE_RECORD + SEND) as worker:
        halted(worker)
    shutil.move(handover.host.on_disk(FOLDER), handover.host.root / "taken")
    for _ in range(2):
        handover.fails(fault, Conflict)
        assert contents(handover.host) == {}
    assert len(handover.cycle.history().facts(HandoverCompleting)) == 1
    shutil.rmtree(handover.host.root / "taken")


# ---- others at work at the same time


@fault("fetched_while_renaming")
def test_the_contractor_fetches_while_names_are_given(handover: Handover, fault: Fault) -> None:
    whole = {path.name: path.read_bytes() for path in handover.package.paths}
    fetched: dict[str, list[bytes]] = {}
    over = threading.Event()

    def fetch() -> None:
        """As a contractor may: whatever does not end with .part, again and again."""
        while not over.is_set():
            with suppress(FileNotFoundError):  # no folder yet
                for path in handover.host.on_disk(FOLDER).iterdir():
                    if not path.name.endswith((".part", ".preflight")):
                        fetched.setdefault(path.name, []).append(path.read_bytes())

    contractor = threading.Thread(target=fetch)
    contractor.start()
    try:
        handover.sends()
        until(lambda: set(fetched) == set(whole))
    finally:
        over.set()
        contractor.join()
    assert all(each == whole[name] for name, several in fetched.items() for each in several)
    handover.has_landed_once()


@fault("triggered_twice")
def test_two_tasks_send_at_once(handover: Handover, fault: Fault) -> None:
    digests: list[str] = []

    def task(ledger: Ledger) -> None:
        one = handover.cycle
        mine = RunningCycle(id=one.id, actor=one.actor, settings=one.settings, ledger=ledger)
        digests.append(mine.once(HandoverRecord, lambda history: send_package(mine, history)))

    both = [threading.Thread(target=task, args=(Ledger(handover.ledger_dsn),)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert len(digests) == 2
    assert len(set(digests)) == 1
    assert len(handover.cycle.history().facts(HandoverCompleting)) == 1
    handover.has_landed_once()


@fault("other_content")
def test_other_content_lies_under_our_name(handover: Handover, fault: Fault) -> None:
    lying_on(handover.host, handover.package.names[0], b"theirs")
    handover.fails(fault, Conflict)
    assert contents(handover.host) == {handover.package.names[0]: b"theirs"}


# ---- the clock


@fault("clock_behind", "clock_ahead")
def test_the_clock_is_wrong(handover: Handover, fault: Fault) -> None:
    right, hours = clock.now, -2 if fault.number == "clock_behind" else 2
    handover.monkeypatch.setattr(clock, "now", lambda: right() + timedelta(hours=hours))
    handover.fails(fault, Refused)
    assert contents(handover.host) == {}
    assert handover.cycle.history().facts(HandoverBegun) == []
    handover.monkeypatch.setattr(clock, "now", right)
    handover.sends()
    handover.has_landed_once()
