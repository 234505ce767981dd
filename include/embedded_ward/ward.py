"""The embedded ward as a whole: databases, core system, ledger, contractor's host, mails, Airflow, people.

`make demo` and the tests of whole cycles start it the same way. Everything lies below one root that is wiped
first. Nothing here reaches around the product's interfaces: cycles are started and watched through the REST
API and a read-only login of the ledger.
"""

import json
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from embedded_ward.airflow_stack import DEMO_ROSTER, AirflowStack, sftp_connection
from embedded_ward.layout import REPOSITORY, WardLayout
from embedded_ward.officers import Officer
from embedded_ward.postgres import Databases, start_postgres
from embedded_ward.secrets import WardSecrets, create_secrets, public_key
from embedded_ward.supervisor import Supervisor
from notice_cycle import clock
from notice_cycle.catalogue import FileDrop, load_notice
from notice_cycle.exchange.messages import MESSAGE_NAMESPACE
from notice_cycle.exchange.package import MANIFEST_NAMESPACE
from notice_cycle.ledger.store import Ledger, set_up

JULY_MORNING = datetime(2026, 7, 1, 9, 0, tzinfo=clock.TOKYO)
NOTICE = "premium_notice_ordinary"
WARD = "架空区"
CONTRACTOR = "example_print"


@dataclass(frozen=True)
class Pace:
    """How fast the ward lives: seconds where a deployment has minutes."""

    reply_interval_seconds: int = 2
    retry_seconds: int = 5


class EmbeddedWard:
    """One ward on one machine. `start()` blocks until the web UI answers; `stop()` leaves nothing behind."""

    def __init__(
        self,
        layout: WardLayout,
        *,
        persons: int = 70_000,
        pace: Pace | None = None,
        further_settings: Mapping[str, str] | None = None,
    ) -> None:
        self.layout, self.persons, self.pace = layout, persons, pace or Pace()
        self.further_settings = dict(further_settings or {})
        self.supervisor = Supervisor(layout)
        self.secrets: WardSecrets
        self.databases: Databases
        self.airflow: AirflowStack

    # ---- starting and stopping

    def start(self, *, people: bool = True) -> None:
        """Wipes the root and starts everything; `people` are the scripted officers and the contractor."""
        self.layout.check_ports()
        self.layout.wipe()
        self.layout.create()
        self.secrets = create_secrets(self.layout, [login.name for login in DEMO_ROSTER])
        self._write_clock_and_config()
        self.airflow = AirflowStack(self.layout, self.secrets, self.supervisor, settings=self.settings())
        self.databases = start_postgres(self.layout, self.secrets, self.supervisor)
        self.airflow.begin()  # imports for seconds; meanwhile the ward is filled
        self._start_outside_world()
        self._fill()
        self.airflow.wait_until_healthy()
        if people:
            self.start_officers()
            self.start_contractor()

    def stop(self) -> None:
        """Ends every process and removes the databases; mails, papers and summary.json stay to be read."""
        self.supervisor.stop_all()
        self.layout.wipe_runtime()

    def start_officers(self) -> None:
        """The officers who answer forms."""
        names = [login.name for login in DEMO_ROSTER if login.name.startswith(("tanto", "shonin"))]
        passwords = self.layout.secrets / "officers.json"
        passwords.touch(mode=0o600)
        passwords.write_text(
            json.dumps({name: self.secrets.user_passwords[name].get_secret_value() for name in names})
        )
        self._run(
            "officers",
            [
                "--address",
                self.address,
                "--passwords",
                passwords,
                "--tray",
                self.layout.print_tray,
                "--desk",
                self.desk,
                *("--outbox", self.layout.outbox, "--replies", self.layout.reply_desk),
            ],
        )

    def start_contractor(self) -> None:
        """The contractor, with his SFTP login, his desk and the keys the ward told him."""
        home = self.layout.contractor_home
        (home / "host_key.pub").write_text(self.secrets.sftp_host_public_key)
        (home / "ward_signers").write_text(
            f'{WARD} namespaces="{MANIFEST_NAMESPACE}" {public_key(self.secrets.ward_signing_key)}\n'
        )
        self._run(
            "contractor",
            [
                *("--home", home / "work", "--host", "127.0.0.1", "--port", self.layout.sftp_port),
                *(
                    "--host-key-file",
                    home / "host_key.pub",
                    "--key",
                    self.secrets.sftp_client_keys["contractor"],
                ),
                *(
                    "--signing-key",
                    self.secrets.contractor_signing_key,
                    "--ward-signers",
                    home / "ward_signers",
                ),
                *("--ward", WARD, "--desk", self.desk),
            ],
        )

    # ---- using

    @property
    def address(self) -> str:
        """The web UI."""
        return f"http://127.0.0.1:{self.layout.ui_port}"

    @property
    def desk(self) -> Path:
        """The contractor's desk, where paper arrives."""
        return self.layout.contractor_home / "desk"

    @property
    def ledger(self) -> Ledger:
        """The ledger, as the auditor's read-only login sees it."""
        return Ledger(self.databases.uri("ledger", "ward_auditor"))

    def person(self, login: str) -> Officer:
        """Somebody of the roster, logged in to the REST API."""
        return Officer(login, self.secrets.user_passwords[login].get_secret_value(), self.address)

    def trigger(self, run_id: str, **params: Any) -> None:
        """Starts a cycle as the operator would on the trigger form."""
        conf = {
            "fiscal_year": 2026,
            "occasion": "annual",
            "reason_code": "annual",
            "batch_no": "2026-annual",
        } | params
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self.person("unyo").request("POST", f"/api/v2/dags/{NOTICE}/dagRuns", body).raise_for_status()

    def knows_dag(self) -> bool:
        """Whether the web UI shows the DAG already."""
        return self.person("unyo").request("GET", f"/api/v2/dags/{NOTICE}").is_success

    def tasks(self, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run as the API tells them."""
        answer = self.person("unyo").request(
            "GET", f"/api/v2/dags/{NOTICE}/dagRuns/{run_id}/taskInstances?limit=100"
        )
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["task_instances"]
        return found

    def vault_files_left(self) -> int:
        """How many files lie in the vault."""
        return sum(1 for path in self.layout.vault.rglob("*") if path.is_file())

    # ---- how

    def settings(self) -> dict[str, str]:
        """The product's environment."""
        secrets, layout = self.layout.secrets, self.layout
        databases = Databases(self.secrets, layout.runtime)
        return {
            "NOTICE_CYCLE_CONFIG": str(layout.root / "config"),
            "NOTICE_CYCLE_CLOCK_FILE": str(layout.root / "clock.json"),
            "NOTICE_CYCLE_SYNTHETIC": "1",
            "NOTICE_CYCLE_HOST": "lgwan-terminal-1",  # the one machine is all hosts of the register
            "NOTICE_CYCLE_VAULT": str(layout.vault),
            "NOTICE_CYCLE_KEK_FILE": str(self.secrets.kek_file),
            "NOTICE_CYCLE_SIGNING_KEY_FILE": str(self.secrets.ward_signing_key),
            "NOTICE_CYCLE_SMALL_TOTAL_KEY_FILE": str(secrets / "small_total_key"),
            "NOTICE_CYCLE_ALLOWED_SIGNERS_FILE": str(layout.root / "config" / "allowed_signers"),
            "NOTICE_CYCLE_OUTBOX": str(layout.outbox),
            "NOTICE_CYCLE_INBOX": str(layout.inbox),
            "NOTICE_CYCLE_REPLY_DESK": str(layout.reply_desk),
            "NOTICE_CYCLE_LEDGER_READER_FILE": str(secrets / "ledger_reader_dsn"),
            "NOTICE_CYCLE_DROP_ROOT": str(layout.drops),
            "NOTICE_CYCLE_PULLOUT_DESK": str(layout.pullout_desk),
            "NOTICE_CYCLE_RESULT_ROOT": str(layout.results),
            "NOTICE_CYCLE_HEADS": str(layout.heads),
            "NOTICE_CYCLE_CHECKPOINTS": str(layout.checkpoints),
            "NOTICE_CYCLE_PRINT_TRAY": str(layout.print_tray),
            "NOTICE_CYCLE_REPLY_INTERVAL_SECONDS": str(self.pace.reply_interval_seconds),
            "NOTICE_CYCLE_RETRY_SECONDS": str(self.pace.retry_seconds),
            "AIRFLOW_CONN_LEDGER": _postgres(layout, databases, "ledger", "ward_writer"),
            "AIRFLOW_CONN_CORE_SYSTEM": _postgres(layout, databases, "core_system", "extractor"),
            "AIRFLOW_CONN_CONTRACTOR_LGWAN": sftp_connection(layout, self.secrets),
            # All temporary files of the ward's processes: none may hold personal data, and a test looks.
            "TMPDIR": str(layout.root / "tmp"),
            **self.further_settings,
        }

    def _write_clock_and_config(self) -> None:
        clock.move_to(JULY_MORNING, self.layout.root / "clock.json")
        config = self.layout.root / "config"
        shutil.copytree(REPOSITORY / "include" / "config", config)
        parties = config / "parties.yaml"
        parties.write_text(
            parties.read_text(encoding="utf-8")
            .replace("host: sftp.print.example", "host: 127.0.0.1")
            .replace("port: 22\n", f"port: {self.layout.sftp_port}\n")
            .replace("dvd: 120", "dvd: 0"),  # nobody waits two hours for an invented disc
            encoding="utf-8",
        )
        register = config / "register.yaml"
        register.write_text(
            register.read_text(encoding="utf-8")
            .replace("host: sftp.print.example, port: 22", f"host: 127.0.0.1, port: {self.layout.sftp_port}")
            # The one machine is both hosts of the sample register.
            .replace("name: airflow-worker-1, purpose", "name: lgwan-terminal-1, purpose"),
            encoding="utf-8",
        )
        (config / "allowed_signers").write_text(
            f'{CONTRACTOR} namespaces="{MESSAGE_NAMESPACE}" {public_key(self.secrets.contractor_signing_key)}\n'
        )
        small_total_key = self.layout.secrets / "small_total_key"
        small_total_key.touch(mode=0o600)
        small_total_key.write_text(token_hex(32))
        reader = self.layout.secrets / "ledger_reader_dsn"
        reader.touch(mode=0o600)
        reader.write_text(Databases(self.secrets, self.layout.runtime).uri("ledger", "ward_auditor"))
        self.desk.mkdir(parents=True, exist_ok=True)
        (self.layout.root / "tmp").mkdir()

    def _start_outside_world(self) -> None:
        layout = self.layout
        self._run(
            "sftp_host",
            [
                *("--root", layout.exchange, "--port", layout.sftp_port, "--host-key", layout.sftp_host_key),
                *("--authorized-keys", layout.authorized_keys, "--faults", layout.sftp_faults),
            ],
        )
        self._run("mail_catcher", ["--mail", layout.mail, "--port", layout.smtp_port])
        self.supervisor.wait_until_listening("sftp_host", layout.sftp_port)
        self.supervisor.wait_until_listening("mail_catcher", layout.smtp_port)

    def _fill(self) -> None:
        from synthetic_ward import DROPPED, build_ward, load_ward, write_drops

        filling = threading.Thread(
            target=lambda: set_up(
                self.databases.ledger, ward=WARD, synthetic=True, logins=self.databases.ledger_logins
            )
        )
        filling.start()
        ward = build_ward(self.persons)
        load_ward(ward, self.databases.core_system)
        sources = {notice: load_notice(self.layout.root / "config", notice).source for notice in DROPPED}
        drops = {notice: source for notice, source in sources.items() if isinstance(source, FileDrop)}
        write_drops(ward, self.layout.drops, drops)
        filling.join()

    def _run(self, module: str, arguments: Sequence[object]) -> None:
        environment = {**self.airflow.environment}
        if module in {"officers", "contractor", "sftp_host", "mail_catcher"}:
            # None of them is given the product's connections, keys or databases.
            environment = {
                k: v for k, v in environment.items() if not k.startswith(("AIRFLOW", "NOTICE_CYCLE_"))
            }
            environment[clock.CLOCK_FILE_VARIABLE] = self.airflow.environment[clock.CLOCK_FILE_VARIABLE]
        self.supervisor.start(
            module,
            [sys.executable, "-m", f"embedded_ward.{module}", *map(str, arguments)],
            environment=environment,
        )


def _postgres(layout: WardLayout, databases: Databases, database: str, role: str) -> str:
    password = databases.secrets.database_passwords[role].get_secret_value()
    connection = {
        "conn_type": "postgres",
        "host": str(layout.runtime),
        "login": role,
        "password": password,
        "schema": database,
    }
    return json.dumps(connection)
