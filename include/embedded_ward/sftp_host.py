"""Stands for the contractor's SFTP host on LGWAN: a disk that both parties reach, and nothing else.

Users are the file names in the authorised-keys directory; they log in by key, see the same exchange directory
as `/`, and get no shell, no forwarding, no links. Each operation leaves one line with user, path and size in
the log, never content; mere looking at attributes leaves none. A faults file, read again at each connection
and each open, makes the host misbehave: see `Faults`.
"""

import argparse
import asyncio
import json
import logging
import os
import posixpath
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import asyncssh

log = logging.getLogger("sftp_host")


@dataclass(frozen=True)
class Faults:
    """What the host does wrong now. In the file: a JSON object with any of these names."""

    unavailable: bool = False  # hangs up before the login
    drop_after_bytes: int | None = None  # breaks the line once so much of a file was uploaded
    full_after_bytes: int | None = None  # the disk is full once so much of a file was uploaded
    stall_at: int | None = None  # takes an upload up to this byte, and the rest when the switch is off again
    flip_bit_at: int | None = None  # stores the byte at this offset of an upload with one bit changed
    only: str = ""  # what happens to uploads happens only to those with this in their path

    @classmethod
    def read(cls, path: Path | None) -> "Faults":
        """The faults in force; none when the file is absent."""
        if path is None or not path.exists():
            return cls()
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass
class _Transfer:
    """One open file: what the log says when it is closed, and which faults it meets."""

    path: str
    faults: Faults
    bytes_read: int = 0
    bytes_written: int = 0


@dataclass(frozen=True)
class HostOptions:
    """Where the host finds its things. `authorized_keys`: a directory with one file a user."""

    root: Path
    port: int
    host_key: Path
    authorized_keys: Path
    faults: Path | None = None


class ExchangeHost(asyncssh.SSHServer):
    """One connection: checks the key, says who came and who was refused."""

    def __init__(self, options: HostOptions) -> None:
        self.options = options
        self.user = "?"
        self.is_logged_in = False

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Hang up at once when the host plays dead."""
        self.connection = conn
        if Faults.read(self.options.faults).unavailable:
            log.info("fault: unavailable")
            conn.abort()

    def begin_auth(self, username: str) -> bool:
        """Always ask for a key; a user without a file has none that fits."""
        self.user = username
        files = {file.name: file for file in self.options.authorized_keys.iterdir()}
        if username in files:
            self.connection.set_authorized_keys(str(files[username]))
        return True

    def auth_completed(self) -> None:
        """Note the login."""
        self.is_logged_in = True
        log.info("%s login", self.user)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; a visitor who sent no user name, such as a port check, is not worth a line."""
        if self.is_logged_in:
            log.info("%s logout%s", self.user, f" ({type(exc).__name__})" if exc else "")
        elif self.user != "?":
            log.warning("%r login refused", self.user)


@dataclass
class _Journal:
    """Writes the log's lines for one user."""

    user: str
    transfers: dict[int, _Transfer] = field(default_factory=dict)

    @contextmanager
    def operation(self, name: str, *paths: bytes) -> Iterator[None]:
        shown = " -> ".join(map(_absolute, paths))
        try:
            yield
        except (OSError, asyncssh.SFTPError) as error:
            log.warning("%s %s %s refused: %s", self.user, name, shown, type(error).__name__)
            raise
        log.info("%s %s %s", self.user, name, shown)


class ExchangeDisk(asyncssh.SFTPServer):
    """The disk as one session sees it: asyncssh's own chroot, with a journal and taught faults."""

    def __init__(self, options: HostOptions, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(channel, chroot=os.fsencode(options.root))
        self._faults_file = options.faults
        self._journal = _Journal(str(channel.get_extra_info("username")))

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Open a file and start counting."""
        writes = bool(pflags & asyncssh.FXF_WRITE)
        with self._journal.operation("open for writing" if writes else "open for reading", path):
            file = super().open(path, pflags, attrs)
        faults = Faults.read(self._faults_file)
        met = faults if faults.only in _absolute(path) else Faults()
        self._journal.transfers[id(file)] = _Transfer(_absolute(path), met)
        return file

    def read(self, file_obj: object, offset: int, size: int) -> Any:
        """Read, counted."""
        content = cast(bytes, super().read(file_obj, offset, size))  # only other servers answer later
        self._journal.transfers[id(file_obj)].bytes_read += len(content)
        return content

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        """Write, counted, or fail the way the faults file asks for."""
        transfer = self._journal.transfers[id(file_obj)]
        faults = transfer.faults
        end = offset + len(data)
        if faults.drop_after_bytes is not None and end > faults.drop_after_bytes:
            log.info("fault: line dropped")
            self.connection.abort()
            raise asyncssh.SFTPConnectionLost("fault")
        if faults.full_after_bytes is not None and end > faults.full_after_bytes:
            log.info("fault: disk full")
            raise asyncssh.SFTPFailure("No space left on device")
        if faults.flip_bit_at is not None and offset <= faults.flip_bit_at < end:
            log.info("fault: bit flipped")
            changed = bytearray(data)
            changed[faults.flip_bit_at - offset] ^= 1
            data = bytes(changed)
        transfer.bytes_written += len(data)
        if faults.stall_at is not None and end > faults.stall_at:
            return self._write_later(file_obj, offset, data)
        return super().write(file_obj, offset, data)

    async def _write_later(self, file_obj: object, offset: int, data: bytes) -> int:
        log.info("fault: stalled")
        while Faults.read(self._faults_file).stall_at is not None:
            await asyncio.sleep(0.1)
        return cast(int, super().write(file_obj, offset, data))

    def close(self, file_obj: object) -> Any:
        """Close a file and say how much went through."""
        transfer = self._journal.transfers.pop(id(file_obj))
        log.info(
            "%s close %s read %d written %d bytes",
            *(self._journal.user, transfer.path, transfer.bytes_read, transfer.bytes_written),
        )
        return super().close(file_obj)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """List a directory."""
        with self._journal.operation("list", path):
            async for name in super().scandir(path):
                yield name

    def remove(self, path: bytes) -> Any:
        """Delete a file."""
        with self._journal.operation("remove", path):
            return super().remove(path)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
        """Make a directory."""
        with self._journal.operation("mkdir", path):
            return super().mkdir(path, attrs)

    def rmdir(self, path: bytes) -> Any:
        """Delete an empty directory."""
        with self._journal.operation("rmdir", path):
            return super().rmdir(path)

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        """Rename; refused when the new name exists."""
        with self._journal.operation("rename", oldpath, newpath):
            return super().rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        """Rename in one step, over an existing file too."""
        with self._journal.operation("posix-rename", oldpath, newpath):
            return super().posix_rename(oldpath, newpath)

    def symlink(self, oldpath: bytes, newpath: bytes) -> Any:
        """Refused: a link could lead out of the exchange directory."""
        raise asyncssh.SFTPPermissionDenied("no links here")

    link = symlink


def _absolute(path: bytes) -> str:
    return posixpath.normpath(posixpath.join("/", path.decode(errors="replace")))


async def serve(options: HostOptions) -> None:
    """Listen until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncssh.listen(
        "127.0.0.1",
        options.port,
        server_host_keys=[str(options.host_key)],
        server_factory=partial(ExchangeHost, options),
        sftp_factory=partial(ExchangeDisk, options),
        allow_scp=False,
        agent_forwarding=False,
        gss_host=None,
        login_timeout=20,
    )
    log.info("listening on 127.0.0.1:%d", options.port)
    async with server:
        await stopped.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.ERROR)  # it would log the same again, in its own words
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--root", type=Path, required=True)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--host-key", type=Path, required=True)
    arguments.add_argument("--authorized-keys", type=Path, required=True)
    arguments.add_argument("--faults", type=Path)
    asyncio.run(serve(HostOptions(**vars(arguments.parse_args()))))
