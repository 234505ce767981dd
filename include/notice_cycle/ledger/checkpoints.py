"""Checkpoints: what the ledger's head was on a day, signed by the ward, for whoever does not trust the database.

    checkpoint-<seq>.json       seq, digest and time of the head (RFC 8785 canonical JSON)
    checkpoint-<seq>.json.sig   SSHSIG by the ward's key, namespace notice-cycle-checkpoint

One a seq, never overwritten. A checkpoint that is not as it was written is refused by name.
"""

import json
import os
import re
from pathlib import Path

from pydantic import AwareDatetime

from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.errors import Altered, CannotLook
from notice_cycle.ledger.heads import Head
from notice_cycle.values import Digest, Frozen, canonical

CHECKPOINT_NAMESPACE = "notice-cycle-checkpoint"
_NAME = re.compile(r"checkpoint-[0-9]{9,}\.json")
_SUPERSEDED = "superseded"


class Checkpoint(Frozen):
    """The head of a ledger that was verified. `recorded_at` is the head's own time, `made_at` the checkpoint's."""

    ward: str
    seq: int
    digest: Digest
    entries: int
    recorded_at: AwareDatetime
    made_at: AwareDatetime

    @property
    def head(self) -> Head:
        """What must stand in the ledger."""
        return Head(self.seq, self.digest)

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"checkpoint-{self.seq:09d}.json"

    def content(self) -> bytes:
        """The canonical bytes that are written and signed."""
        return canonical(self.model_dump(mode="json"))


class Checkpoints:
    """The folder of checkpoints, and the key that signs them."""

    def __init__(self, folder: Path, signing_key: Path) -> None:
        self._folder, self._signing_key = folder, signing_key

    def kept(self) -> list[Checkpoint]:
        """All checkpoints, oldest first. Raises Altered for a file that is none, CannotLook without the folder."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if _NAME.fullmatch(path.name))
            return [_read(path) for path in paths]
        except OSError as unreadable:
            raise _cannot_look() from unreadable

    def keep(self, checkpoint: Checkpoint) -> bool:
        """Signs and writes a checkpoint, each file whole, the signature first. False when its seq has one."""
        path = self._folder / checkpoint.name
        if path.exists():
            return False
        signature = SigningKey.load(self._signing_key).sign(
            checkpoint.content(), namespace=CHECKPOINT_NAMESPACE
        )
        try:
            _write(path.with_name(path.name + ".sig"), signature.encode())
            _write(path, checkpoint.content())
        except OSError as unwritable:
            raise _cannot_look() from unwritable
        return True

    def supersede(self, checkpoint: Checkpoint) -> None:
        """Puts away a checkpoint beyond a restored ledger, under its digest: its seq will have another one."""
        kept, path = self._folder / _SUPERSEDED, self._folder / checkpoint.name
        name = f"{path.stem}-{checkpoint.digest[:16]}.json"
        try:
            kept.mkdir(exist_ok=True)
            if (signature := path.with_name(path.name + ".sig")).exists():
                signature.replace(kept / f"{name}.sig")
            path.replace(kept / name)
        except OSError as unwritable:
            raise _cannot_look() from unwritable


def _read(path: Path) -> Checkpoint:
    content = path.read_bytes()
    try:
        checkpoint = Checkpoint.model_validate(json.loads(content))
    except (ValueError, RecursionError):
        checkpoint = None
    if checkpoint is None or checkpoint.content() != content or checkpoint.name != path.name:
        raise Altered(
            f"チェックポイント {path.name} が、書いた時のままではありません。",
            advice="フォルダーに触れた者がいないか調べ、情報システム課の責任者と監査担当に連絡してください。",
        )
    return checkpoint


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    partial.replace(path)


def _cannot_look() -> CannotLook:
    return CannotLook(
        "チェックポイントのフォルダーを読み書きできません。",
        advice="環境変数 NOTICE_CYCLE_CHECKPOINTS のフォルダーがあるか、マウントと権限を確認してください。",
    )
