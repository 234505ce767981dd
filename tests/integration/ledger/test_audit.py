"""台帳の検証: what holds is signed for once a head; what does not hold is named."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.builders import CYCLE, TASK, a_digest, a_key_file, an_event
from tests.conftest import LedgerDatabase

from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey, verify
from notice_cycle.errors import Altered, CannotLook, Refused
from notice_cycle.ledger.audit import audit
from notice_cycle.ledger.checkpoints import CHECKPOINT_NAMESPACE, Checkpoint, Checkpoints
from notice_cycle.ledger.heads import Head
from notice_cycle.ledger.store import Ledger

AT = datetime(2026, 7, 2, 21, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return a_key_file(tmp_path / "ward_key")


@pytest.fixture
def checkpoints(folder: Path, key: Path) -> Checkpoints:
    return Checkpoints(folder, key)


@pytest.fixture
def written(ledger_database: LedgerDatabase) -> LedgerDatabase:
    """Three entries."""
    for number in range(2):
        ledger_database.ledger.note(CYCLE, an_event(number), TASK)
    return ledger_database


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_head_is_told_and_signed_for(
    written: LedgerDatabase, checkpoints: Checkpoints, folder: Path, key: Path
) -> None:
    head = audit(written.ledger, checkpoints, at=AT)
    assert (head.seq, head.digest) == written.head
    assert names(folder) == ["checkpoint-000000003.json", "checkpoint-000000003.json.sig"]
    (checkpoint,) = checkpoints.kept()
    assert checkpoint == Checkpoint(
        ward="架空区",
        seq=3,
        digest=head.digest,
        entries=3,
        recorded_at=head.recorded_at,
        made_at=AT,
    )
    content = (folder / checkpoint.name).read_bytes()
    signature = (folder / f"{checkpoint.name}.sig").read_bytes()
    ward = AllowedSigners.parse(
        f'架空区 namespaces="{CHECKPOINT_NAMESPACE}" {SigningKey.load(key).public_line}\n'
    )
    assert verify(content, signature, namespace=CHECKPOINT_NAMESPACE, allowed=ward) == "架空区"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_stock_ssh_keygen_takes_the_signature(
    written: LedgerDatabase, checkpoints: Checkpoints, folder: Path, key: Path, tmp_path: Path
) -> None:
    audit(written.ledger, checkpoints, at=AT)
    (tmp_path / "ward_signers").write_text(f"架空区 {SigningKey.load(key).public_line}\n")
    path = folder / "checkpoint-000000003.json"
    command = ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "ward_signers", "-I", "架空区"]
    command += ["-n", CHECKPOINT_NAMESPACE, "-s", f"{path}.sig"]
    with path.open("rb") as content:
        assert subprocess.run(command, stdin=content, check=False, capture_output=True).returncode == 0


def test_a_head_has_one_checkpoint_and_the_next_head_another(
    written: LedgerDatabase, checkpoints: Checkpoints, folder: Path
) -> None:
    audit(written.ledger, checkpoints, at=AT)
    first = (folder / "checkpoint-000000003.json").read_bytes()
    audit(written.ledger, checkpoints, at=AT.replace(day=3))
    assert (folder / "checkpoint-000000003.json").read_bytes() == first
    assert len(names(folder)) == 2
    written.ledger.note(CYCLE, an_event(9), TASK)
    audit(written.ledger, checkpoints, at=AT.replace(day=4))
    assert [checkpoint.seq for checkpoint in checkpoints.kept()] == [3, 4]


def test_the_audit_writes_nothing_into_the_ledger(written: LedgerDatabase, checkpoints: Checkpoints) -> None:
    audit(written.ledger, checkpoints, at=AT)
    assert audit(Ledger(written.reader), checkpoints, at=AT).seq == 3


def test_without_a_folder_it_only_verifies(written: LedgerDatabase) -> None:
    assert audit(written.ledger, None, at=AT).seq == 3


def test_a_chain_that_does_not_hold_is_named_and_not_signed_for(
    written: LedgerDatabase, checkpoints: Checkpoints, folder: Path
) -> None:
    written.tamper("UPDATE ledger.entry SET body = replace(body, 'form_0', 'form_9') WHERE seq = 2")
    with pytest.raises(Altered, match="第2号が改ざんされているか欠けています"):
        audit(written.ledger, checkpoints, at=AT)
    assert names(folder) == []


def test_an_end_that_is_no_entry_any_more_is_named(written: LedgerDatabase) -> None:
    written.tamper("UPDATE ledger.entry SET body = 'x' WHERE seq = 3")
    with pytest.raises(Altered, match="第3号が改ざんされているか欠けています"):
        audit(written.ledger, None, at=AT)


def test_a_ledger_cut_off_behind_a_checkpoint_is_named_by_it(
    written: LedgerDatabase, checkpoints: Checkpoints, folder: Path
) -> None:
    audit(written.ledger, checkpoints, at=AT)
    written.tamper("DELETE FROM ledger.entry WHERE seq = 3")
    assert written.ledger.verify().holds  # the chain cannot know
    with pytest.raises(Refused, match=r"checkpoint-000000003\.json（第3号）が、証跡台帳と一致しません"):
        audit(written.ledger, checkpoints, at=AT)
    assert len(names(folder)) == 2


def test_a_ledger_written_anew_is_named_by_an_earlier_checkpoint(
    written: LedgerDatabase, checkpoints: Checkpoints
) -> None:
    audit(written.ledger, checkpoints, at=AT)
    written.tamper("DELETE FROM ledger.entry WHERE seq = 3")
    for number in (7, 8):
        written.ledger.note(CYCLE, an_event(number), TASK)
    with pytest.raises(Refused, match="checkpoint-000000003"):
        audit(written.ledger, checkpoints, at=AT)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b'"entries":3', b'"entries":4 '),
        lambda content: content.replace(b'"seq":3', b'"seq":2'),
        lambda content: content + b"\n",
        lambda content: b"",
        lambda content: b"\xff",
    ],
    ids=["not canonical", "another seq", "longer", "empty", "no text"],
)
def test_a_checkpoint_that_is_not_as_it_was_written_is_named(
    written: LedgerDatabase, checkpoints: Checkpoints, folder: Path, change: Callable[[bytes], bytes]
) -> None:
    audit(written.ledger, checkpoints, at=AT)
    path = folder / "checkpoint-000000003.json"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Altered, match=r"checkpoint-000000003\.json が、書いた時のままではありません"):
        audit(written.ledger, checkpoints, at=AT)


def test_killed_between_signature_and_checkpoint_it_is_made_again(
    written: LedgerDatabase, checkpoints: Checkpoints, folder: Path
) -> None:
    (folder / "checkpoint-000000003.json.sig").write_text("of a run that was killed")
    (folder / "checkpoint-000000003.json.partial").write_text("half")
    audit(written.ledger, checkpoints, at=AT)
    assert "BEGIN SSH SIGNATURE" in (folder / "checkpoint-000000003.json.sig").read_text()
    assert len(checkpoints.kept()) == 1


def test_a_superseded_checkpoint_is_kept_with_its_signature(
    written: LedgerDatabase, checkpoints: Checkpoints, folder: Path
) -> None:
    audit(written.ledger, checkpoints, at=AT)
    (checkpoint,) = checkpoints.kept()
    checkpoints.supersede(checkpoint)
    assert checkpoints.kept() == []
    kept_as = f"checkpoint-000000003-{checkpoint.digest[:16]}.json"
    assert names(folder / "superseded") == [kept_as, f"{kept_as}.sig"]


def test_a_folder_that_is_not_mounted_is_not_an_empty_one(
    written: LedgerDatabase, tmp_path: Path, key: Path
) -> None:
    with pytest.raises(CannotLook, match="チェックポイントのフォルダー"):
        audit(written.ledger, Checkpoints(tmp_path / "not mounted", key), at=AT)


def test_digests_of_other_entries_are_lost_heads(written: LedgerDatabase) -> None:
    seq, digest = written.head
    asked = [Head(seq, digest), Head(seq, a_digest("x")), Head(seq + 1, digest)]
    assert written.ledger.lost(asked) == asked[1:]
