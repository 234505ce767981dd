"""Where the embedded ward keeps its things and on which ports it listens.

One directory holds everything; `wipe()` empties it and refuses a directory that is not ours. The one thing
outside is the runtime directory under /tmp: the path of a unix socket may have about 100 characters, which
the path of a checkout easily exceeds. Its name is recorded in the root so that `wipe()` finds it again.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from notice_cycle.errors import NotConfigured

REPOSITORY = Path(__file__).resolve().parents[2]
_MARKER = ".embedded-ward"


@dataclass(frozen=True)
class PortSetting:
    """A port and the environment variable that moves it."""

    variable: str
    default: int
    name_ja: str

    @property
    def value(self) -> int:
        """The number in force; raises NotConfigured when the variable holds no port."""
        text = os.environ.get(self.variable, str(self.default))
        if not text.isdecimal() or not 0 < int(text) < 2**16:
            raise NotConfigured(
                f"環境変数 {self.variable} の値「{text}」はポート番号ではありません。"
                f" / {self.variable}={text!r} is not a port number.",
                advice=f"例: {self.variable}={self.default}",
            )
        return int(text)


UI_PORT = PortSetting("WARD_UI_PORT", 8080, "画面")
SFTP_PORT = PortSetting("WARD_SFTP_PORT", 8022, "委託先SFTPサーバー")
SMTP_PORT = PortSetting("WARD_SMTP_PORT", 8025, "メール受信箱")


@dataclass(frozen=True)
class WardLayout:
    """Every path below `root`, every port. Paths are absolute; `create()` makes the directories."""

    root: Path = REPOSITORY / "var" / "demo"
    ui_port: int = field(default_factory=lambda: UI_PORT.value)
    sftp_port: int = field(default_factory=lambda: SFTP_PORT.value)
    smtp_port: int = field(default_factory=lambda: SMTP_PORT.value)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root.expanduser().absolute())

    # The ward's side.
    @property
    def secrets(self) -> Path:  # noqa: D102  the name says it, here and below
        return self.root / "secrets"

    @property
    def vault(self) -> Path:  # noqa: D102
        return self.root / "vault"

    @property
    def outbox(self) -> Path:  # noqa: D102
        return self.root / "outbox"

    @property
    def inbox(self) -> Path:  # noqa: D102
        return self.root / "inbox"

    @property
    def reply_desk(self) -> Path:
        """Where officers put answers that did not come over LGWAN."""
        return self.root / "reply_desk"

    @property
    def heads(self) -> Path:
        """Where the ledger's head is noted, outside its database."""
        return self.root / "heads"

    @property
    def checkpoints(self) -> Path:  # noqa: D102
        return self.root / "checkpoints"

    @property
    def drops(self) -> Path:
        """Where the host computer drops its files: part of the core system."""
        return self.root / "drops"

    @property
    def pullout_desk(self) -> Path:
        """Where officers put the list of notices to be pulled out."""
        return self.root / "pullout_desk"

    @property
    def results(self) -> Path:
        """Where the core system takes what became of every notice."""
        return self.root / "results"

    @property
    def print_tray(self) -> Path:
        """Secrets that leave on paper: passphrase notices waiting for a printer."""
        return self.root / "print_tray"

    @property
    def documents(self) -> Path:  # noqa: D102
        return self.root / "documents"

    @property
    def airflow_home(self) -> Path:  # noqa: D102
        return self.root / "airflow"

    # What stands for the world outside.
    @property
    def exchange(self) -> Path:
        """The SFTP host's disk: `to_contractor/` and `to_ward/`. Reach it by SFTP, not by path."""
        return self.root / "lgwan_host" / "exchange"

    @property
    def authorized_keys(self) -> Path:
        """One file a user of the SFTP host."""
        return self.root / "lgwan_host" / "authorized_keys"

    @property
    def sftp_host_key(self) -> Path:
        """The SFTP host's private key; the ward knows only its public half."""
        return self.root / "lgwan_host" / "host_key"

    @property
    def sftp_faults(self) -> Path:
        """The SFTP host's fault switch: see `embedded_ward.sftp_host.Faults`. Absent = no fault."""
        return self.root / "lgwan_host" / "faults.json"

    @property
    def contractor_home(self) -> Path:  # noqa: D102
        return self.root / "contractor"

    @property
    def mail(self) -> Path:  # noqa: D102
        return self.root / "mail"

    # The machinery.
    @property
    def logs(self) -> Path:  # noqa: D102
        return self.root / "logs"

    @property
    def postgres(self) -> Path:  # noqa: D102
        return self.root / "postgres"

    @property
    def processes(self) -> Path:
        """Who runs: written by the Supervisor, read by `make down`."""
        return self.root / "processes.json"

    @property
    def runtime(self) -> Path:
        """The short directory under /tmp for PostgreSQL's socket; NotConfigured before `create()`."""
        record = self.root / "runtime_directory"
        if not record.exists():
            raise NotConfigured(f"{self.root} は準備されていません。", advice="make demo で始めてください。")
        return Path(record.read_text(encoding="utf-8").strip())

    def create(self) -> None:
        """Make every directory (private ones 0700) and the runtime directory. May run twice."""
        self._refuse_foreign_root()
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / _MARKER).touch()
        for directory in (
            self.outbox,
            self.inbox,
            self.reply_desk,
            self.heads,
            self.checkpoints,
            self.drops,
            self.results,
            self.pullout_desk,
            self.documents,
            self.airflow_home,
            self.exchange / "to_contractor",
            self.exchange / "to_ward",
            self.authorized_keys,
            self.contractor_home,
            self.mail,
            self.logs,
        ):
            directory.mkdir(parents=True, exist_ok=True)
        for private in (
            self.secrets,
            self.vault,
            self.print_tray,
            self.results,
            self.pullout_desk,
            self.contractor_home / "keys",
        ):
            private.mkdir(exist_ok=True)
            private.chmod(0o700)
        record = self.root / "runtime_directory"
        if not record.exists():
            # Not tempfile's own choice: TMPDIR may be as long as the checkout's path.
            short = Path("/tmp")  # noqa: S108  mkdtemp below makes a private directory in it
            runtime = tempfile.mkdtemp(prefix="ward-", dir=short if short.is_dir() else None)
            record.write_text(runtime, encoding="utf-8")

    def wipe(self) -> None:
        """Remove the root and the runtime directory. End the processes first (`Supervisor.stop_all`)."""
        self._refuse_foreign_root()
        self.wipe_runtime()
        if self.root.exists():
            shutil.rmtree(self.root)

    def wipe_runtime(self) -> None:
        """Remove the runtime directory below /tmp, the databases with it. What officers may still read stays."""
        record = self.root / "runtime_directory"
        if record.exists():
            if self.runtime.name.startswith("ward-"):
                shutil.rmtree(self.runtime, ignore_errors=True)
            record.unlink()

    def check_ports(self) -> None:
        """Raise NotConfigured naming the first port that is taken and the variable that moves it."""
        for setting, port in self._ports():
            with socket.socket() as probe:
                # As the servers do: a port left in TIME_WAIT by the last demo is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise NotConfigured(
                        f"ポート {port}（{setting.name_ja}）は使用中です。"
                        f" / Port {port} is taken: {error.strerror}.",
                        advice=f"空いている番号を指定してください / choose another: {setting.variable}={port + 1000}",
                    ) from error

    def _ports(self) -> Iterator[tuple[PortSetting, int]]:
        yield UI_PORT, self.ui_port
        yield SFTP_PORT, self.sftp_port
        yield SMTP_PORT, self.smtp_port

    def _refuse_foreign_root(self) -> None:
        is_ours = (self.root / _MARKER).exists()
        if not is_ours and self.root.exists() and any(self.root.iterdir()):
            raise NotConfigured(
                f"{self.root} には別のファイルがあります。/ {self.root} holds files that are not the demo's.",
                advice="空のディレクトリを指定してください。/ Name an empty or new directory.",
            )
