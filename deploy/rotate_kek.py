"""A new key-encryption key for the vault, with cycles open: `docker compose run --rm rotate-kek`.

Makes kek.new beside kek, wraps every key in the vault under it, and puts it in kek's place; the old one is gone then.
Killed at any point, it is run again and goes on where it was: no key is lost as long as both files stay. Refuses
while a worker of queue `default` answers: what a running step wraps under the old key would be lost with it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.errors import NoticeCycleError
from notice_cycle.vault import Vault

SECRETS = Path("/run/secrets")
QUEUE = "default"
ANSWER_WITHIN_SECONDS = 30  # a busy machine answers late


def rotate(folder: Path, root: Path, *, owner: int) -> int:
    """Takes the vault below `root`, owned by `owner`, from folder/kek over to a new one. Gives how many keys it wrapped."""
    present, coming = folder / "kek", folder / "kek.new"
    if not coming.exists():
        partial = folder / ".kek.partial"
        partial.unlink(missing_ok=True)
        KeyEncryptionKey.create(partial)
        _give(partial, owner)
        partial.replace(coming)
        _sync(folder)  # on disk before the first key is wrapped under it
    new = KeyEncryptionKey.load(coming)
    vault = Vault(root, KeyEncryptionKey.load(present))
    with _as(owner):  # files in the vault belong to the workers
        count = vault.rewrap(new)
    coming.replace(present)
    _sync(folder)
    return count


def workers_of(queue: str) -> list[str]:
    """The Celery workers that answer and listen to a queue."""
    from celery import Celery

    broker = Celery(broker=(SECRETS / "broker_url").read_text(encoding="utf-8").strip())
    answer = broker.control.inspect(timeout=ANSWER_WITHIN_SECONDS).active_queues() or {}
    return sorted(name for name, queues in answer.items() if queue in [each["name"] for each in queues])


def _give(path: Path, owner: int) -> None:
    path.chmod(0o400)
    if os.geteuid() == 0:
        os.chown(path, owner, owner)


@contextmanager
def _as(owner: int) -> Iterator[None]:
    before = os.geteuid(), os.getegid()
    if before[0] == 0:
        os.setegid(owner)
        os.seteuid(owner)
    try:
        yield
    finally:
        if before[0] == 0:
            os.seteuid(before[0])
            os.setegid(before[1])


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def main(folder: Path, root: Path) -> None:
    """Rotates, or ends with a sentence that says why not."""
    if working := workers_of(QUEUE):
        sys.exit(
            f"ワーカーが動いています（{', '.join(working)}）。docker compose stop worker の後に実行してください。"
        )
    try:
        count = rotate(folder, root, owner=root.stat().st_uid)
    except NoticeCycleError as stop:
        sys.exit(str(stop))
    print(f"鍵暗号鍵を替えました。包み直した鍵: {count}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
