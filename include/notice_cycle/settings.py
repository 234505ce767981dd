"""Where this deployment keeps things: read from the environment, once per process.

Each worker is given only what it may use: a worker of queue `lgwan` has no vault and no key-encryption
key, and asking for one raises NotConfigured instead of guessing.
"""

import os
import socket
from functools import cached_property
from pathlib import Path

from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.errors import NotConfigured
from notice_cycle.exchange.malware import Clamd
from notice_cycle.ledger.checkpoints import Checkpoints
from notice_cycle.ledger.heads import Heads
from notice_cycle.vault import Vault

PREFIX = "NOTICE_CYCLE_"


class Settings:
    """The environment variables NOTICE_CYCLE_*; docs/operations.md explains each."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self._environment = dict(os.environ) if environment is None else environment

    @cached_property
    def config_folder(self) -> Path:
        """Catalogue, parties, layouts, expectations, mails, documents."""
        default = Path(__file__).resolve().parents[1] / "config"
        return Path(self._environment.get(PREFIX + "CONFIG", default))

    @cached_property
    def vault(self) -> Vault:
        """The vault, with its key-encryption key."""
        return Vault(self._path("VAULT"), KeyEncryptionKey.load(self._path("KEK_FILE")))

    @cached_property
    def outbox(self) -> Path:
        """Ciphertext on its way to a contractor, one folder a cycle."""
        return self._path("OUTBOX")

    @cached_property
    def inbox(self) -> Path:
        """Messages from contractors that passed the door, one folder a cycle; `quarantine` beside them."""
        return self._path("INBOX")

    @cached_property
    def drop_root(self) -> Path:
        """Where the host computer drops its files (ファイル連携), one folder a notice."""
        return self._path("DROP_ROOT")

    @cached_property
    def pullout_desk(self) -> Path:
        """Where an officer puts the list of notices to be pulled out (引抜き受付フォルダ), one file a dispatch."""
        return self._path("PULLOUT_DESK")

    @cached_property
    def result_root(self) -> Path:
        """Where the core system takes what became of every notice (発送結果), one folder a notice."""
        return self._path("RESULT_ROOT")

    @cached_property
    def reply_desk(self) -> Path:
        """Where an officer puts a contractor's answers that did not come over LGWAN, one folder a package."""
        return self._path("REPLY_DESK")

    @cached_property
    def disc_drive(self) -> Path | None:
        """The drive that burns discs; None: an officer burns the images elsewhere."""
        return Path(device) if (device := self._environment.get(PREFIX + "DISC_DRIVE")) else None

    @cached_property
    def print_tray(self) -> Path | None:
        """The folder that stands for a printer; None when a real printer is named."""
        return Path(folder) if (folder := self._environment.get(PREFIX + "PRINT_TRAY")) else None

    @cached_property
    def printer(self) -> str:
        """The `lp` destination for documents that leave on paper."""
        return self._required("PRINTER")

    @cached_property
    def signing_key(self) -> Path:
        """The ward's Ed25519 key (OpenSSH format, 0600) that signs manifests."""
        return self._path("SIGNING_KEY_FILE")

    @cached_property
    def small_total_key(self) -> bytes:
        """The key under which amount totals of small cycles are hidden in the ledger."""
        return self._path("SMALL_TOTAL_KEY_FILE").read_bytes().strip()

    @cached_property
    def allowed_signers(self) -> Path:
        """The OpenSSH allowed_signers file: which contractor signs with which key."""
        return self._path("ALLOWED_SIGNERS_FILE")

    @cached_property
    def malware_scanner(self) -> Clamd | None:
        """The clamd that looks at what comes in, by `host:port` or the path of its socket; None: nothing is scanned."""
        return Clamd(address) if (address := self._environment.get(PREFIX + "CLAMD")) else None

    @cached_property
    def heads(self) -> Heads | None:
        """Where the ledger's head is noted, apart from its database; None: nothing is compared."""
        return Heads(Path(folder)) if (folder := self._environment.get(PREFIX + "HEADS")) else None

    @cached_property
    def checkpoints(self) -> Checkpoints | None:
        """Where the daily verification leaves its signed checkpoints; None: it only verifies."""
        folder = self._environment.get(PREFIX + "CHECKPOINTS")
        return Checkpoints(Path(folder), self.signing_key) if folder else None

    @cached_property
    def ledger_reader_dsn(self) -> str:
        """The libpq connection string of a login that can only read the ledger: what pages are made from."""
        path = self._path("LEDGER_READER_FILE")
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError:
            raise NotConfigured(
                "台帳を読むための接続設定のファイルを読めません。",
                advice="NOTICE_CYCLE_LEDGER_READER_FILE のファイルと権限を確認してください。",
            ) from None

    @cached_property
    def reply_interval_seconds(self) -> int:
        """How often is looked for what is awaited: a contractor's message, a dropped file."""
        return int(self._environment.get(PREFIX + "REPLY_INTERVAL_SECONDS", "600"))

    @cached_property
    def reply_watch_minutes(self) -> int:
        """How often 届出の受信 looks for what no task waits for: a divisor of 60."""
        return int(self._environment.get(PREFIX + "REPLY_WATCH_MINUTES", "10"))

    @cached_property
    def retry_seconds(self) -> int:
        """How long a task waits before it tries again after "cannot look"."""
        return int(self._environment.get(PREFIX + "RETRY_SECONDS", "300"))

    @cached_property
    def says_synthetic(self) -> bool:
        """Whether pages and mails say 架空データ (the demo). The ledger, not this, decides what is allowed."""
        return self._environment.get(PREFIX + "SYNTHETIC", "") == "1"

    @cached_property
    def watch_heartbeat(self) -> Path | None:
        """The sign of life of 期限の見張り, read from outside by deploy/silence_watch.py; None: nobody does."""
        return Path(named) if (named := self._environment.get(PREFIX + "WATCH_HEARTBEAT")) else None

    @cached_property
    def failed_logins(self) -> int:
        """After how many failed logins in a row an account is closed."""
        return int(self._environment.get(PREFIX + "FAILED_LOGINS", "5"))

    @cached_property
    def host_name(self) -> str:
        """Under which name this machine stands in the register: who may keep personal data, who may send."""
        return self._environment.get(PREFIX + "HOST") or socket.gethostname()

    @cached_property
    def base_url(self) -> str:
        """Where officers reach the web UI; every mail links there."""
        return self._environment.get("AIRFLOW__API__BASE_URL", "http://localhost:8080").rstrip("/")

    def _path(self, name: str) -> Path:
        return Path(self._required(name))

    def _required(self, name: str) -> str:
        if not (value := self._environment.get(PREFIX + name)):
            raise NotConfigured(
                f"環境変数 {PREFIX}{name} が設定されていません。",
                advice="この処理を担当するワーカーの設定（docs/operations.md）を確認してください。",
            )
        return value
