"""Brings a deployment to its present state; twice changes nothing.

Databases and their roles, Airflow's metadata, the ledger, pools, roles of the web UI, the administrator and the
users of secrets/users.json. Runs as a service of its own that ends before the others start; the only one that
knows the database's superuser.
"""

import json
import os
import time
from pathlib import Path

import psycopg
from psycopg import sql
from pydantic import SecretStr

SECRETS = Path("/run/secrets")


def main() -> None:
    """Runs every step and says it."""
    superuser = f"host=postgres user=postgres password={_secret('postgres_password')}"
    _wait_for(superuser)
    with psycopg.connect(superuser, dbname="postgres", autocommit=True) as administrator:
        _role(administrator, "airflow", _secret("metadata_password"))
        _database(administrator, "airflow", owner="airflow")
        _database(administrator, "ledger", owner="postgres")
        for database in ("airflow", "ledger", "postgres", "template1"):
            # Every login reaches its own database only; the ledger's groups are let in below.
            administrator.execute(
                sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database))
            )
    _say("databases")
    from airflow.utils.db import upgradedb

    upgradedb()
    _say("metadata")
    from notice_cycle.ledger.store import set_up

    set_up(
        f"{superuser} dbname=ledger",
        ward=os.environ["NOTICE_CYCLE_WARD"],
        synthetic=os.environ.get("NOTICE_CYCLE_SYNTHETIC") == "1",
        logins={
            "ward_writer": (_secret("ledger_writer_password"), "ledger_writer"),
            "ward_auditor": (_secret("ledger_auditor_password"), "ledger_reader"),
        },
    )
    with psycopg.connect(superuser, dbname="ledger", autocommit=True) as administrator:
        administrator.execute("GRANT CONNECT ON DATABASE ledger TO ledger_writer, ledger_reader")
    _say("ledger")
    from notice_cycle.settings import Settings
    from notice_cycle_airflow import roles
    from notice_cycle_airflow.pools import synchronise_pools

    synchronise_pools()
    administrator = roles.User(
        name="admin",
        role=roles.ADMINISTRATOR,
        family_name="管理",
        given_name="者",
        mail=os.environ["NOTICE_CYCLE_ADMIN_MAIL"],
        password=SecretStr(_secret("admin_password")),
    )
    listed = json.loads(_secret("users.json"))
    users = [roles.User(**{**user, "password": SecretStr(user["password"])}) for user in listed]
    roles.synchronise_roles_and_users([administrator, *users], Settings().config_folder)
    _say(f"roles, pools, administrator, {len(users)} users")


def _role(administrator: psycopg.Connection, name: str, password: str) -> None:
    known = administrator.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
    verb = sql.SQL("ALTER" if known else "CREATE")
    administrator.execute(statement.format(verb, sql.Identifier(name), sql.Literal(password)))


def _database(administrator: psycopg.Connection, name: str, *, owner: str) -> None:
    if administrator.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
        return
    administrator.execute(
        sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
    )


def _wait_for(superuser: str) -> None:
    for _ in range(60):
        try:
            psycopg.connect(superuser, dbname="postgres", connect_timeout=3).close()
        except psycopg.OperationalError:
            time.sleep(1)
        else:
            return
    raise SystemExit("PostgreSQL does not answer")


def _secret(name: str) -> str:
    return (SECRETS / name).read_text().strip()


def _say(what: str) -> None:
    print(f"init: {what} in place", flush=True)


if __name__ == "__main__":
    main()
