"""Starts the embedded ward's processes and ends every one of them, whatever happens to us.

Each process leads its own session, writes to logs/<name>.log and stands in processes.json with its pid and
start time, so that another process can end it later and never hits a stranger who got the same pid. A guard
process holds the other end of a pipe: when we die without a word, even by kill -9, it ends them all.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil  # type: ignore[import-untyped]  # its stubs are not among our pins

from embedded_ward.layout import WardLayout
from notice_cycle.errors import CannotLook

_LEAVE = b"leave them running"
_POLL_SECONDS = 0.05
_STRAGGLER_SECONDS = 2.0


@dataclass(frozen=True)
class ProcessRecord:
    """One line of processes.json. `started` tells this process from a later one with the same pid."""

    name: str
    pid: int
    pgid: int
    started: str
    log: str
    stop_signal: int = signal.SIGTERM

    def is_running(self) -> bool:
        """Whether exactly this process still runs; a zombie does not."""
        return _start_time(self.pid) == self.started

    def family(self) -> list[psutil.Process]:
        """The process, its descendants and what is left of its group; empty when all are gone.

        Descendants as well as the group, because a PostgreSQL backend and an Airflow task make groups of
        their own. When the pid now belongs to someone else the group is gone: Linux gives no pid away
        while a group of that number has members.
        """
        found: dict[int, psutil.Process] = {}
        now_at_pid = _start_time(self.pid)
        if now_at_pid is not None and now_at_pid != self.started:
            return []
        with contextlib.suppress(psutil.Error):
            leader = psutil.Process(self.pid)
            found = {process.pid: process for process in (leader, *leader.children(recursive=True))}
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                if os.getpgid(process.pid) == self.pgid:
                    found.setdefault(process.pid, process)
        return [process for process in found.values() if _is_alive(process)]


class Supervisor:
    """Starts, watches and ends the named processes of one layout.

    The process that starts the first one becomes responsible: its end, expected or not, is theirs, unless
    it says `leave_running()`. Any later process may make a Supervisor of the same layout to stop them.
    """

    def __init__(self, layout: WardLayout, grace_seconds: float = 15.0) -> None:
        self.layout = layout
        self.grace_seconds = grace_seconds
        self._ours: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[bytes] | None = None

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> ProcessRecord:
        """Start `command` in its own session; `environment` is the whole of it, by default ours."""
        if any(record.name == name and record.is_running() for record in self.records()):
            raise RuntimeError(f"{name} runs already")
        self._start_guard()
        log = self.layout.logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=None if environment is None else dict(environment),
                start_new_session=True,
                user=user,
                group=None if user is None else group_of(user),
                extra_groups=None if user is None else (),
            )
        self._ours[name] = process
        return self.adopt(name, process.pid, log, stop_signal=stop_signal)

    def adopt(
        self, name: str, pid: int, log: Path, *, stop_signal: signal.Signals = signal.SIGTERM
    ) -> ProcessRecord:
        """Take over a process that one of ours has forked into a session of its own."""
        started = _start_time(pid)
        if started is None:
            raise CannotLook(f"{name} は開始直後に終了しました。", advice=f"{log} を確認してください。")
        record = ProcessRecord(name, pid, pid, started, str(log), stop_signal)
        self._save([*(other for other in self.records() if other.name != name), record])
        return record

    def records(self) -> list[ProcessRecord]:
        """Every recorded process in order of start, running or not."""
        try:
            text = self.layout.processes.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [ProcessRecord(**fields) for fields in json.loads(text)]

    def stop(self, name: str, *, with_signal: signal.Signals | None = None) -> None:
        """End one process with all of its family: politely, after `grace_seconds` not."""
        for record in self.records():
            if record.name == name:
                self._end(record, with_signal)
        self._save([record for record in self.records() if record.name != name])

    def stop_all(self) -> None:
        """End everything recorded, last started first, and forget it. May run twice, from any process."""
        for record in reversed(self.records()):
            self._end(record, None)
        self._ours.clear()
        self.layout.processes.unlink(missing_ok=True)
        self._dismiss_guard()

    def leave_running(self) -> None:
        """Give up responsibility: the processes outlive us until someone calls `stop_all`."""
        self._dismiss_guard()

    def ended(self) -> list[ProcessRecord]:
        """Those that should run and do not."""
        self._reap()
        return [record for record in self.records() if not record.is_running()]

    def wait_until(
        self, name: str, is_ready: Callable[[], bool], *, timeout_seconds: float, poll_seconds: float = 0.05
    ) -> None:
        """Wait for `is_ready()`; raises CannotLook with the log's end when `name` ends or time is up."""
        until = time.monotonic() + timeout_seconds
        while not is_ready():
            self._reap()
            record = next((record for record in self.records() if record.name == name), None)
            if record is None or not record.is_running():
                raise CannotLook(
                    f"{name} が終了しました。\n{self.log_end(name)}", advice="ログを確認してください。"
                )
            if time.monotonic() > until:
                raise CannotLook(
                    f"{name} は{timeout_seconds:.0f}秒以内に応答しませんでした。\n{self.log_end(name)}",
                    advice="ログを確認してください。",
                )
            time.sleep(poll_seconds)

    def wait_until_listening(self, name: str, port: int, *, timeout_seconds: float = 15.0) -> None:
        """Wait until something accepts connections on 127.0.0.1:`port`."""
        self.wait_until(name, lambda: _accepts(port), timeout_seconds=timeout_seconds)

    def log_end(self, name: str, lines: int = 15) -> str:
        """The last lines of a process's log."""
        log = self.layout.logs / f"{name}.log"
        if not log.exists():
            return ""
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def proportional_memory_mb(self) -> float:
        """Memory of all process families in MB, shared pages counted once between them (PSS)."""
        return sum(self.memory_by_name_mb().values())

    def memory_by_name_mb(self) -> dict[str, float]:
        """The same by name; a process forked by one of ours and adopted counts under its own name."""
        seen: set[int] = set()
        memory: dict[str, float] = {}
        for record in reversed(self.records()):
            members = [process for process in record.family() if process.pid not in seen]
            seen.update(process.pid for process in members)
            memory[record.name] = sum(_proportional_bytes(process) for process in members) / 1e6
        return memory

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()

    def _end(self, record: ProcessRecord, with_signal: signal.Signals | None) -> None:
        family = record.family()
        if not family:
            self._reap()
            return
        # The leader is asked first: it ends its own workers in the order it knows best.
        with contextlib.suppress(psutil.Error):
            psutil.Process(record.pid).send_signal(with_signal or record.stop_signal)
        told_the_rest = False
        until = time.monotonic() + self.grace_seconds
        while time.monotonic() < until and any(map(_is_alive, family)):
            self._reap()
            if not told_the_rest and not record.is_running():
                _signal_each(family, signal.SIGTERM)
                told_the_rest = True
                # Nobody is left to tell them what to finish: workers of a killed scheduler wait for ever.
                until = min(until, time.monotonic() + _STRAGGLER_SECONDS)
            time.sleep(_POLL_SECONDS)
        # Looked up again: the family may have grown while we waited.
        known = {process.pid for process in family}
        family += [process for process in record.family() if process.pid not in known]
        _signal_each(family, signal.SIGKILL)
        until = time.monotonic() + _STRAGGLER_SECONDS
        while any(map(_is_alive, family)) and time.monotonic() < until:
            self._reap()
            time.sleep(_POLL_SECONDS)

    def _reap(self) -> None:
        for process in self._ours.values():
            process.poll()

    def _save(self, records: Sequence[ProcessRecord]) -> None:
        beside = self.layout.processes.with_suffix(f".{os.getpid()}.new")
        beside.write_text(json.dumps([asdict(record) for record in records], indent=1), encoding="utf-8")
        beside.replace(self.layout.processes)

    def _start_guard(self) -> None:
        if self._guard is not None:
            return
        source = Path(__file__).resolve().parents[1]
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "embedded_ward.supervisor", str(self.layout.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(source)},
            start_new_session=True,
        )

    def _dismiss_guard(self) -> None:
        if self._guard is None:
            return
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._guard.communicate(_LEAVE, timeout=10)
        self._guard = None


def stand_guard(layout: WardLayout, responsible: IO[bytes]) -> None:
    """Wait for the pipe to close; end everything unless the last word was to leave it running."""
    for unwanted in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(unwanted, signal.SIG_IGN)
    if responsible.read() != _LEAVE:
        Supervisor(layout, grace_seconds=5.0).stop_all()


def _start_time(pid: int) -> str | None:
    """When the process started, None if it does not run. Linux: clock ticks since boot, which no clock moves."""
    if sys.platform == "linux":
        # The name in parentheses may hold anything, so count from the last one.
        try:
            line = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        fields = line.rpartition(")")[2].split()
        return None if fields[0] in {"Z", "X"} else fields[19]
    try:
        process = psutil.Process(pid)
        return repr(process.create_time()) if process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal_each(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):  # psutil refuses a pid that changed hands
            if _is_alive(process):
                process.send_signal(number)


def _proportional_bytes(process: psutil.Process) -> int:
    try:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        kilobytes = next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))
        return int(kilobytes) * 1024
    except (OSError, StopIteration):
        # No such file outside Linux; there the resident size is the honest upper bound.
        with contextlib.suppress(psutil.Error):
            return int(process.memory_info().rss) if sys.platform != "linux" else 0
        return 0


def group_of(user: str) -> int:
    """The user's own group id."""
    import pwd

    return pwd.getpwnam(user).pw_gid


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    stand_guard(WardLayout(Path(sys.argv[1])), sys.stdin.buffer)
