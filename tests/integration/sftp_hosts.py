"""Real SFTP hosts for tests: Debian's OpenSSH sshd, and the asyncssh host of the embedded ward.

Both listen on loopback, let the user `ward` or its stand-in log in by key only, and show a folder of this
machine. They are started as processes of their own and end with their block.
"""

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import psutil

INCLUDE = Path(__file__).parents[2] / "include"
AS_ROOT = os.geteuid() == 0
SSHD = shutil.which(
    "sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
)
WHY_NO_SSHD = "OpenSSH's sshd is not installed here; run tools/debian-packages"


@dataclass
class SftpHost:
    """A running host. `root` on this machine is what a session sees as `seen_root`."""

    name: str
    port: int
    user: str
    root: Path
    seen_root: str
    client_key: Path
    host_key: str
    process: subprocess.Popen[bytes]
    log: Path
    faults: Path | None = None

    def connection(self, *, host: str = "127.0.0.1", port: int | None = None, **extra: Any) -> str:
        """An Airflow connection to it as JSON; `login` or parts of its extra changed, None takes one out."""
        login = extra.pop("login", self.user)
        known = {"key_file": str(self.client_key), "host_key": self.host_key, "no_host_key_check": "false"}
        parts = {name: value for name, value in (known | extra).items() if value is not None}
        return json.dumps(
            {"conn_type": "sftp", "host": host, "port": port or self.port, "login": login, "extra": parts}
        )

    def seen(self, folder: str) -> str:
        """The name under which a session sees a folder of the root."""
        return f"{self.seen_root}/{folder}"

    def on_disk(self, folder: str) -> Path:
        return self.root / folder

    def misbehaves(self, **faults: Any) -> None:
        """Teaches the asyncssh host faults; none makes it well again."""
        assert self.faults is not None
        self.faults.write_text(json.dumps(faults))

    def kill_sessions(self, with_signal: signal.Signals = signal.SIGKILL) -> list[psutil.Process]:
        """Signals the processes that serve OpenSSH's sessions, not the listening one."""
        sessions = psutil.Process(self.process.pid).children(recursive=True)
        for session in sessions:
            session.send_signal(with_signal)
        return sessions

    def emptied(self) -> None:
        """As before anyone came."""
        if self.faults:
            self.faults.unlink(missing_ok=True)
        for folder in ("to_contractor", "to_ward"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
            (self.root / folder).mkdir(parents=True)
            if self.name == "openssh" and AS_ROOT:
                shutil.chown(self.root / folder, self.user)


@contextmanager
def openssh_host(*, host_key_type: str = "ssh-ed25519", options: str = "") -> Iterator[SftpHost]:
    """Debian's sshd. As root it serves `nobody` in a chroot, otherwise whoever runs the test.

    Its folder is not below /tmp: sshd accepts a chroot only where nobody else may write anywhere above.
    """
    assert SSHD is not None
    home = Path(tempfile.mkdtemp(prefix="sftp-host-", dir="/run" if AS_ROOT else None))
    try:
        home.chmod(0o755)
        root, user = home / "root", "nobody" if AS_ROOT else getpass.getuser()
        root.mkdir()
        host_key, client_key = _key(home / "host_key", host_key_type), _key(home / "client_key")
        (home / "authorized_keys").write_text(client_key)
        port = a_free_port()
        (home / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host_key\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {home}/authorized_keys\nStrictModes no\nAuthenticationMethods publickey\n"
            f"Subsystem sftp internal-sftp\nForceCommand internal-sftp {options}\nLogLevel VERBOSE\n"
            + (f"ChrootDirectory {root}\n" if AS_ROOT else "")
        )
        if AS_ROOT:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with _running([SSHD, "-D", "-e", "-f", str(home / "sshd_config")], port, home / "log") as process:
            host = SftpHost(
                name="openssh",
                port=port,
                user=user,
                root=root,
                seen_root="" if AS_ROOT else str(root),
                client_key=home / "client_key",
                host_key=host_key,
                process=process,
                log=home / "log",
            )
            host.emptied()
            yield host
    finally:
        shutil.rmtree(home)


@contextmanager
def embedded_host() -> Iterator[SftpHost]:
    """The embedded ward's host, which can be taught faults."""
    home = Path(tempfile.mkdtemp(prefix="sftp-host-"))
    try:
        for folder in ("root", "authorized_keys"):
            (home / folder).mkdir()
        host_key, client_key = _key(home / "host_key"), _key(home / "client_key")
        (home / "authorized_keys" / "ward").write_text(client_key)
        port = a_free_port()
        command = [
            *(sys.executable, "-m", "embedded_ward.sftp_host", "--root", str(home / "root")),
            *("--port", str(port), "--host-key", str(home / "host_key")),
            *("--authorized-keys", str(home / "authorized_keys"), "--faults", str(home / "faults.json")),
        ]
        with _running(command, port, home / "log") as process:
            host = SftpHost(
                name="embedded",
                port=port,
                user="ward",
                root=home / "root",
                seen_root="",
                client_key=home / "client_key",
                host_key=host_key,
                process=process,
                log=home / "log",
                faults=home / "faults.json",
            )
            host.emptied()
            yield host
    finally:
        shutil.rmtree(home)


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _key(path: Path, algorithm: str = "ssh-ed25519") -> str:
    """Writes a new private key; gives its public half as one line."""
    key = asyncssh.generate_private_key(algorithm)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    return key.export_public_key().decode().strip()


@contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"PYTHONPATH": str(INCLUDE)}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment) as process,
    ):
        try:
            _wait_until_listening(process, port, log)
            yield process
        finally:
            for session in psutil.Process(process.pid).children(recursive=True):
                session.kill()
            process.kill()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"{process.args} does not listen")
