"""Fills the rehearsal's core system with invented residents, once; a filled one is left alone."""

import os
from pathlib import Path

import psycopg
from psycopg import sql

from notice_cycle.catalogue import FileDrop, load_notice
from notice_cycle.settings import Settings
from synthetic_ward import DROPPED, build_ward, load_ward, write_drops

SECRETS, DROPS = Path("/run/secrets"), Path("/srv/drops")


def main() -> None:
    """Creates the reading login, then the ward."""
    password = (SECRETS / "demo_core_system_password").read_text()
    dsn = f"host=core-system user=postgres dbname=core_system password={password}"
    with psycopg.connect(dsn, autocommit=True) as owner:
        if owner.execute("SELECT to_regclass('export.control_total')").fetchone() != (None,):
            print("the core system is filled already", flush=True)
            return
        login = sql.Literal((SECRETS / "demo_extractor_password").read_text())
        if not owner.execute("SELECT 1 FROM pg_roles WHERE rolname = 'extractor'").fetchone():
            owner.execute(sql.SQL("CREATE ROLE extractor LOGIN PASSWORD {}").format(login))
            owner.execute("ALTER ROLE extractor SET default_transaction_read_only = on")
    ward = build_ward(int(os.environ["NOTICE_CYCLE_DEMO_PERSONS"]))
    load_ward(ward, dsn)
    sources = {notice: load_notice(Settings().config_folder, notice).source for notice in DROPPED}
    write_drops(
        ward, DROPS, {notice: source for notice, source in sources.items() if isinstance(source, FileDrop)}
    )
    print(" ".join(f"{name}={count}" for name, count in ward.counts().items()), flush=True)


if __name__ == "__main__":
    main()
