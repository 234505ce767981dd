"""How long a hand-over takes beside the stock tools: encrypting and decrypting beside `age`, uploading and reading
back beside OpenSSH's `sftp put` and `sftp get`.

    python bench/handover.py [--sizes 500,2000] [--rounds 5]      sizes in MB; PYTHONPATH=include:plugins

The product's own functions, each in a fresh process so that its memory can be told; ours and the stock tool by
turns, medians over all rounds of one run. Prints a table and writes var/bench/handover.json. Ends with 1 when a
limit is broken. Uploads go to an sshd of its own on loopback, which ends with the run.
"""

import argparse
import asyncio
import getpass
import json
import os
import platform
import pty
import secrets
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "var" / "bench" / "handover.json"
SECRET = "GDW1D1-3XNV7Y-BR35B6-4H3KC0-XQAGCJ"  # noqa: S105 - opens nothing but the bench's own zeros
CONNECTION = "bench"
LIMITS = {"encrypt": 1.3, "decrypt": 1.3, "upload": 1.5, "read back": 1.3}
MEMORY_GROWS_MB = 32
"""How much more memory the largest size may take than the smallest before we call it not constant."""

SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
LONGEST_SECONDS = 1800


@dataclass(frozen=True)
class Took:
    """One measurement of ours or of the stock tool."""

    seconds: float
    peak_mb: float | None = None


# ---- ours, each in a process of its own


def measured_here(what: str, source: Path, target: Path) -> None:
    """Does one thing with the product's functions and prints seconds and peak memory."""
    started = time.monotonic()
    if what in ("encrypt", "decrypt"):
        from notice_cycle.encryption import age

        started = time.monotonic()
        with source.open("rb") as taken, target.open("wb") as given:
            getattr(age, what)(taken, given, SECRET)
    else:
        from notice_cycle_airflow.hooks.lgwan import LgwanHook

        async def over_the_line() -> None:
            async with LgwanHook(CONNECTION).folder(str(target.parent)) as folder:
                if what == "upload":
                    await folder.put(source, target.name, lambda *_: None)
                elif await folder.digest(target.name) is None:
                    raise SystemExit(f"{target} is not there to be read back")

        started = time.monotonic()
        asyncio.run(over_the_line())
    seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    """Of this program alone: `getrusage` would count what its parent held when it was forked."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def ours(what: str, source: Path, target: Path, connection: str) -> Took:
    """The same in a fresh process; its start and its imports are not counted, a worker has them behind it."""
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'include'}{os.pathsep}{ROOT / 'plugins'}",
        f"AIRFLOW_CONN_{CONNECTION.upper()}": connection,
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    done = subprocess.run(
        [sys.executable, __file__, "--do", what, str(source), str(target)],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        timeout=LONGEST_SECONDS,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return Took(found["seconds"], found["peak_mb"])


# ---- the stock tools


def stock_age(*arguments: str) -> Took:
    """`age`, which asks for a passphrase on a terminal only."""
    mine, its = pty.openpty()
    started = time.monotonic()
    process = subprocess.Popen(["age", *arguments], stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    asked = 0
    said = b""
    while True:
        if not select.select([mine], [], [], 0.01)[0]:
            continue
        try:
            part = os.read(mine, 1024)
        except OSError:  # its end of the terminal is closed
            break
        said += part
        if not part:
            break
        questions = said.lower().count(b"passphrase")
        if questions > asked and said.rstrip().endswith(b":"):
            asked = questions
            os.write(mine, SECRET.encode() + b"\n")
    if process.wait(timeout=LONGEST_SECONDS):
        raise SystemExit(f"age: {said.decode(errors='replace')}")
    seconds = time.monotonic() - started
    os.close(mine)
    return Took(seconds)


@dataclass(frozen=True)
class Host:
    """A running sshd, how to log in, and the folder it serves."""

    home: Path
    port: int
    user: str
    host_key: str

    @property
    def folder(self) -> Path:
        """Where uploads go."""
        return self.home / "served"

    @property
    def connection(self) -> str:
        """An Airflow connection to it."""
        extra = {"key_file": str(self.home / "client_key"), "host_key": self.host_key}
        return json.dumps(
            {"conn_type": "sftp", "host": "127.0.0.1", "port": self.port, "login": self.user, "extra": extra}
        )

    def sftp(self, *commands: str) -> Took:
        """OpenSSH's own client."""
        options = [
            *("-P", str(self.port), "-i", str(self.home / "client_key"), "-F", "none", "-b", "-"),
            *("-o", f"UserKnownHostsFile={self.home / 'known_hosts'}", "-o", "IdentitiesOnly=yes"),
        ]
        started = time.monotonic()
        subprocess.run(
            ["sftp", "-q", *options, f"{self.user}@127.0.0.1"],
            input="\n".join(commands).encode() + b"\n",
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=LONGEST_SECONDS,
        )
        return Took(time.monotonic() - started)


@contextmanager
def a_host(home: Path) -> Iterator[Host]:
    """Debian's sshd on loopback with keys of its own."""
    if SSHD is None:
        raise SystemExit("OpenSSH's sshd is not installed; run tools/debian-packages")
    for name in ("host_key", "client_key"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(home / name)]
        subprocess.run(keygen, check=True)
    as_root = os.geteuid() == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    public = (home / "host_key.pub").read_text().strip()
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    (home / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host_key\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {home}/client_key.pub\nStrictModes no\nAuthenticationMethods publickey\n"
        "Subsystem sftp internal-sftp\nForceCommand internal-sftp\n"
    )
    host = Host(home, port, "nobody" if as_root else getpass.getuser(), public)
    host.folder.mkdir()
    if as_root:
        shutil.chown(host.folder, host.user)
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(home / "sshd_config")], stderr=(home / "log").open("wb")
    )
    try:
        until = time.monotonic() + 15
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield host
    finally:
        process.terminate()
        process.wait()


# ---- the run


def compare(size_mb: int, rounds: int, home: Path, host: Host) -> dict[str, dict[str, list[Took]]]:
    """All measurements of one size: by operation, ours and stock."""
    plain, sealed = home / "plain", home / "sealed.age"
    _fill(plain, size_mb * 1_000_000)
    measured: dict[str, dict[str, list[Took]]] = {what: {"ours": [], "stock": []} for what in LIMITS}
    pairs: dict[str, tuple[Callable[[], Took], Callable[[], Took]]] = {
        "encrypt": (
            lambda: ours("encrypt", plain, sealed, host.connection),
            lambda: stock_age("-p", "-o", str(home / "stock.age"), str(plain)),
        ),
        "decrypt": (
            lambda: ours("decrypt", sealed, home / "opened", host.connection),
            lambda: stock_age("-d", "-o", str(home / "stock"), str(sealed)),
        ),
        "upload": (
            lambda: ours("upload", sealed, host.folder / "ours.part", host.connection),
            lambda: host.sftp(f"put {sealed} {host.folder}/stock.part"),
        ),
        "read back": (
            lambda: ours("read back", sealed, host.folder / "kept", host.connection),
            lambda: host.sftp(f"get {host.folder}/kept {home}/got"),
        ),
    }
    for number in range(rounds):
        for what, (mine, theirs) in pairs.items():
            for who, run in (("ours", mine), ("stock", theirs))[:: 1 if number % 2 else -1]:
                if what == "decrypt" and not sealed.exists():
                    ours("encrypt", plain, sealed, host.connection)
                if what == "read back" and not (host.folder / "kept").exists():
                    (host.folder / "ours.part").rename(host.folder / "kept")
                os.sync()
                measured[what][who].append(run())
                print(f"  {size_mb} MB {what} {who}: {measured[what][who][-1].seconds:.2f} s", flush=True)
                for name in ("stock.age", "opened", "stock", "got"):
                    (home / name).unlink(missing_ok=True)
            for name in ("ours.part", "stock.part"):
                if (host.folder / "kept").exists():
                    (host.folder / name).unlink(missing_ok=True)
    for path in (plain, sealed, *host.folder.iterdir()):
        path.unlink()
    return measured


def _fill(path: Path, size_bytes: int) -> None:
    block = secrets.token_bytes(1_000_000)
    with path.open("wb") as target:
        for _ in range(size_bytes // len(block)):
            target.write(block)


def summed_up(measured: dict[int, dict[str, dict[str, list[Took]]]]) -> list[dict[str, Any]]:
    """One row an operation and size."""
    rows = []
    for size_mb, operations in measured.items():
        for what, both in operations.items():
            mine = statistics.median(took.seconds for took in both["ours"])
            theirs = statistics.median(took.seconds for took in both["stock"])
            rows.append(
                {
                    "operation": what,
                    "size_mb": size_mb,
                    "ours_seconds": round(mine, 3),
                    "stock_seconds": round(theirs, 3),
                    "ratio": round(mine / theirs, 3),
                    "limit": LIMITS[what],
                    "peak_mb": round(max(took.peak_mb or 0 for took in both["ours"])),
                }
            )
    return rows


def broken_limits(rows: list[dict[str, Any]]) -> list[str]:
    """What is slower than allowed, or takes more memory for more data."""
    broken = [
        f"{row['operation']} {row['size_mb']} MB: {row['ratio']}× (limit {row['limit']}×)"
        for row in rows
        if row["ratio"] > row["limit"]
    ]
    for what in LIMITS:
        peaks = [row["peak_mb"] for row in rows if row["operation"] == what]
        if max(peaks) - min(peaks) > MEMORY_GROWS_MB:
            broken.append(f"{what}: memory grows from {min(peaks)} to {max(peaks)} MB")
    return broken


def main() -> int:
    """Runs all sizes, prints the table, writes the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="500,2000", help="MB, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--do", nargs=3, metavar=("WHAT", "SOURCE", "TARGET"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.do:
        measured_here(asked.do[0], Path(asked.do[1]), Path(asked.do[2]))
        return 0
    if shutil.which("age") is None:
        raise SystemExit("age is not installed; run tools/debian-packages")
    home = Path(tempfile.mkdtemp(prefix="bench-handover-"))
    try:
        home.chmod(0o755)
        with a_host(home) as host:
            measured = {
                int(size): compare(int(size), asked.rounds, home, host) for size in asked.sizes.split(",")
            }
    finally:
        shutil.rmtree(home)
    rows = summed_up(measured)
    broken = broken_limits(rows)
    print(f"\n{'':10} {'MB':>5} {'ours s':>8} {'stock s':>8} {'ratio':>6} {'limit':>6} {'peak MB':>8}")
    for row in rows:
        print(
            f"{row['operation']:10} {row['size_mb']:5} {row['ours_seconds']:8.2f} {row['stock_seconds']:8.2f}"
            f" {row['ratio']:5.2f}× {row['limit']:5.1f}× {row['peak_mb']:8}"
        )
    for line in broken:
        print(f"BROKEN  {line}")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(
        json.dumps(
            {
                "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "rounds": asked.rounds,
                "cores": os.cpu_count(),
                "load_at_the_end": os.getloadavg()[0],
                "python": platform.python_version(),
                "rows": rows,
                "broken": broken,
            },
            indent=2,
        )
        + "\n"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
