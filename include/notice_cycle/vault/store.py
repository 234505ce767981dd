"""Artefacts and secrets of one cycle as files, each encrypted under the cycle's own key.

The cycle key and every secret are wrapped by the key-encryption key and kept as files here and nowhere
else: a database row would come back with every backup. Losing the vault means extracting again. Destroying
the wrapped key is what erases our copies; files are removed as well and looked for again. The only module
that builds paths inside the vault.
"""

import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from notice_cycle.encryption.stream import StreamReader, StreamWriter
from notice_cycle.encryption.wrapping import KeyEncryptionKey, derive
from notice_cycle.errors import Altered, Refused
from notice_cycle.values import StoredFile, found_file
from notice_cycle.vault.names import CYCLE_KEY

_MAGIC = b"notice-cycle vault 1\n"
_SALT_BYTES = 32
_BUFFER = 1024 * 1024


class Vault:
    """All cycles' folders below one root (0700)."""

    def __init__(self, root: Path, kek: KeyEncryptionKey) -> None:
        self._root, self._kek = root, kek

    def cycle(self, cycle: str) -> "CycleVault":
        """The folder of one cycle; nothing is created yet."""
        return CycleVault(self._root / cycle, cycle, self._kek)

    def rewrap(self, new: KeyEncryptionKey) -> int:
        """Wraps every kept key and passphrase under `new` instead of the present key. Gives how many.

        Each is written beside and renamed, and one that already opens under `new` is passed over: killed on the
        way, it is run again. Raises Altered at the first that opens under neither; what is behind it stays as it
        was. No task may run meanwhile.
        """
        renewed, count = Vault(self._root, new), 0
        for path in sorted(self._root.glob("*/*.key")):
            cycle, name = path.parent.name, path.name
            try:
                renewed.cycle(cycle).secret(name)
            except Altered:
                renewed.cycle(cycle).keep_secret(name, self.cycle(cycle).secret(name))
                count += 1
        return count

    def files_left(self) -> int:
        """How many files any cycle has in the vault."""
        return sum(1 for path in self._root.rglob("*") if path.is_file())


class CycleVault:
    """The artefacts and secrets of one cycle."""

    def __init__(self, folder: Path, cycle: str, kek: KeyEncryptionKey) -> None:
        self._folder, self._cycle, self._kek = folder, cycle, kek

    def create(self) -> None:
        """Makes the folder and the cycle's key; twice changes nothing."""
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # `mode` is for the last part only
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if not (self._folder / CYCLE_KEY).exists():
            self.keep_secret(CYCLE_KEY, secrets.token_bytes(32))

    @contextmanager
    def writing(self, name: str) -> Iterator["ArtefactWriter"]:
        """Opens an artefact for writing. It appears under its name, whole, only when the block succeeds."""
        partial = self._path(name + ".partial")
        salt = secrets.token_bytes(_SALT_BYTES)
        with open(partial, "wb", opener=_private) as raw:
            raw.write(_MAGIC + salt)
            with StreamWriter(raw, self._artefact_key(name, salt)) as stream:
                artefact = ArtefactWriter(name, stream)
                artefact.buffer = io.BufferedWriter(cast(io.RawIOBase, artefact), _BUFFER)
                yield artefact
                artefact.buffer.flush()
            raw.flush()
            os.fsync(raw.fileno())
        partial.replace(self._path(name))
        _sync_folder(self._folder)

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """Opens an artefact. Raises Refused when it is not there and Altered when it is not what was written."""
        path = self._path(name)
        if not path.exists():
            raise Refused(
                f"一時保管領域に {name} がありません（消去済みか、まだ作られていません）。",
                advice="抽出からやり直してください。",
            )
        with path.open("rb") as raw:
            if raw.read(len(_MAGIC)) != _MAGIC:
                raise Altered(
                    f"一時保管領域の {name} が壊れています。", advice="抽出からやり直してください。"
                )
            key = self._artefact_key(name, raw.read(_SALT_BYTES))
            with StreamReader(raw, key) as plain:
                yield plain
                plain.drain()  # a consumer that stops at its own end must still learn of what was appended

    def keep_secret(self, name: str, secret: bytes) -> None:
        """Keeps a key or passphrase, wrapped by the key-encryption key."""
        path = self._path(name)
        partial = self._path(name + ".partial")
        with open(partial, "wb", opener=_private) as target:
            target.write(self._kek.wrap(secret, context=self._context(name)))
            target.flush()
            os.fsync(target.fileno())
        partial.replace(path)
        _sync_folder(self._folder)

    def secret(self, name: str) -> bytes:
        """A key or passphrase kept before. Raises Refused when it is not there."""
        path = self._path(name)
        if not path.exists():
            raise Refused(
                f"一時保管領域に鍵 {name} がありません（破棄済みです）。",
                advice="破棄した鍵は戻せません。抽出からやり直してください。",
            )
        return self._kek.unwrap(path.read_bytes(), context=self._context(name))

    def has(self, name: str) -> bool:
        """Whether an artefact or secret of this name is kept."""
        return self._path(name).exists()

    def names(self) -> list[str]:
        """The names of all files, unfinished ones too."""
        return sorted(path.name for path in self._folder.iterdir()) if self._folder.exists() else []

    def wipe(self, names: list[str]) -> list[StoredFile]:
        """Removes artefacts; those already gone are passed over. Gives what was removed, as it was on disk."""
        present = [self._path(name) for name in names if self._path(name).exists()]
        removed = [found_file(path) for path in present]
        for path in present:
            path.unlink()
        if present:
            _sync_folder(self._folder)
        return removed

    def files(self) -> list[StoredFile]:
        """Every file as it lies on disk (ciphertext), unfinished ones too."""
        return [found_file(self._path(name)) for name in self.names()]

    def destroy(self) -> int:
        """Destroys the keys first, then every file and the folder. Gives how many files are found on looking again."""
        names = self.names()
        keys = [name for name in names if name.endswith(".key")]
        self.wipe(keys)
        self.wipe([name for name in names if name not in keys])
        if self._folder.exists() and not self.names():
            self._folder.rmdir()
        return len(self.names())

    def _artefact_key(self, name: str, salt: bytes) -> bytes:
        return derive(self.secret(CYCLE_KEY), f"{self._context(name)}/{salt.hex()}")

    def _context(self, name: str) -> str:
        return f"{self._cycle}/{name}"

    def _path(self, name: str) -> Path:
        return self._folder / name


class ArtefactWriter(io.RawIOBase):
    """A binary file that counts and digests the plaintext on its way into the encrypted stream.

    Write through `buffer`; `stored` tells name, plaintext size and plaintext SHA-256 after the block.
    """

    buffer: "io.BufferedWriter[Any]"

    def __init__(self, name: str, stream: StreamWriter) -> None:
        super().__init__()
        self._name, self._stream = name, stream
        self._digest, self._size = hashlib.sha256(), 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        """Encrypts, counts and digests `data`."""
        self._digest.update(data)
        self._size += len(data)
        self._stream.write(bytes(data))
        return len(data)

    @property
    def stored(self) -> StoredFile:
        """The plaintext's name, size and digest."""
        return StoredFile(name=self._name, size_bytes=self._size, sha256=self._digest.hexdigest())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
