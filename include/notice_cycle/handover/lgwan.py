"""Handing a package over LGWAN.

Each file is uploaded to a temporary name, its remote bytes are read back and compared, and only then is it
renamed: the contractor never sees half a file. Looks first: what already lies there with the right digest is
recorded, not sent again; what lies there with another digest stops. Where the contract forbids reading, the
contractor's own digest files are waited for instead. Opens no connection itself.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from notice_cycle.errors import Altered, CannotLook, Conflict, Refused
from notice_cycle.records import CopyWithdrawn, EncryptionRecord, HandoverRecord, OverLgwan, RemoteFile
from notice_cycle.values import Frozen, StoredFile, stored_file

Progress = Callable[[str, int, int], None]
"""Called with file name, bytes sent and bytes in all."""

PARTIAL = ".part"
"""What a file's name ends with until it is whole and proved."""

_LOOK_SECONDS = 2.0
_MAX_DIGEST_FILE_BYTES = 4096


class Destination(Frozen):
    """A host by the name or address it is registered under, and its port."""

    host: str
    port: int


class Endpoint(Destination):
    """A destination that proved itself with its pinned host key, and how the line is protected."""

    host_key_fingerprint: str
    transport: str


class RemoteFolder(Protocol):
    """One folder on the contractor's host; implemented by the hook."""

    endpoint: Endpoint
    path: str

    def digest(self, name: str) -> Awaitable[str | None]:
        """SHA-256 of a remote file read back in full, None when there is none."""
        ...

    def probe(self) -> Awaitable[None]:
        """Makes sure that files can be written and removed here, before anything is sent."""
        ...

    def read(self, name: str, *, max_bytes: int) -> Awaitable[bytes | None]:
        """At most `max_bytes` + 1 bytes of a remote file, None when there is none."""
        ...

    def put(self, local: Path, name: str, progress: Progress) -> Awaitable[bool]:
        """Uploads a file under a name. Whether it went on where an interrupted upload had stopped."""
        ...

    def remove(self, name: str) -> Awaitable[None]:
        """Removes a file; one that is not there is no fault."""
        ...

    def listing(self) -> Awaitable[list[RemoteFile]]:
        """The files of the folder by name; empty when there is no folder."""
        ...

    def rename(self, name: str, to: str) -> Awaitable[None]:
        """Gives a whole file its final name; fails when that name is taken."""
        ...


class ByDigestFile:
    """A folder that may be written but not read: the contractor's digest files tell what arrived.

    `named` gives a digest file's name for the final `{name}` of a file, which it is called by while the upload still
    has its temporary one; it holds what `sha256sum` writes. A file whose digest does not come in time is CannotLook.
    """

    def __init__(
        self, folder: RemoteFolder, files: Sequence[StoredFile], *, named: str, wait_seconds: float
    ) -> None:
        self._folder, self._named, self._wait_seconds = folder, named, wait_seconds
        self._expected = {file.name: file.sha256 for file in files}
        self.endpoint, self.path = folder.endpoint, folder.path
        self.probe, self.put, self.read = folder.probe, folder.put, folder.read
        self.remove, self.rename, self.listing = folder.remove, folder.rename, folder.listing

    async def digest(self, name: str) -> str | None:
        """What the contractor's digest file says about a file that is there, None when there is no such file."""
        if name not in {file.name for file in await self.listing()}:
            return None
        final = name.removesuffix(PARTIAL)
        said, until = await self._said(final), time.monotonic() + self._wait_seconds
        # One that was made while we were still writing tells of half a file: it may yet be made anew.
        while said != self._expected[final] and time.monotonic() < until:
            await asyncio.sleep(min(_LOOK_SECONDS, self._wait_seconds))
            said = await self._said(final)
        if said is None:
            raise CannotLook(
                f"委託先のダイジェストファイル {self._named.format(name=final)} が届きません。",
                advice="送ったものが届いたか確かめられません。委託先に作成の仕組みの稼働を確認してください。自動で再試行します。",
            )
        return said

    async def _said(self, final: str) -> str | None:
        content = await self.read(self._named.format(name=final), max_bytes=_MAX_DIGEST_FILE_BYTES)
        found = re.match(rb"([0-9a-fA-F]{64})(?![0-9a-fA-F])", content or b"")
        return found[1].decode().lower() if found else None


def check_outbox(encryption: EncryptionRecord, outbox: Path, cycle: str) -> list[Path]:
    """The files to send. Raises Altered when the outbox does not hold exactly what was encrypted."""
    folder = outbox / cycle
    paths = [folder / file.name for file in encryption.files]
    for path, file in zip(paths, encryption.files, strict=True):
        if not path.exists() or stored_file(path) != file:
            raise Altered(
                f"送信箱の {file.name} が、暗号化の記録と一致しません。",
                advice="送信せずに止めました。送信箱に触れた者がいないか確認し、暗号化からやり直してください。",
            )
    return paths


def check_destination(destination: Destination, *, allowed: Destination) -> None:
    """Raises Refused unless the connection is set to the registered host (R20). Asked before anything connects.

    Names are compared as written, not addresses: what answers at an address is proved by the host key.
    """
    if (destination.host, destination.port) != (allowed.host, allowed.port):
        raise Refused(
            f"接続先 {destination.host}:{destination.port} は許可された送信先ではありません。",
            advice="接続せずに止めました。parties.yaml の host と port、Airflow の接続の宛先を照合してください。",
        )


async def hand_over(
    remote: RemoteFolder,
    files: Sequence[StoredFile],
    paths: Sequence[Path],
    progress: Progress,
    *,
    was_completing: bool = False,
    completing: Callable[[], None] = lambda: None,
) -> list[str]:
    """Sends what is not there yet, in order. Gives the names that were sent now. Raises Conflict or Altered.

    `completing` is called before the last name is given: from then on the contractor may take the package away. A
    later try is told by `was_completing`, and then sends nothing again that it does not find.
    """
    await remote.probe()
    if was_completing:
        await _refuse_a_taken_package(remote, files)
    sent = []
    for file, path in zip(files, paths, strict=True):
        lying_there = await remote.digest(file.name)
        if lying_there == file.sha256:
            continue
        if lying_there is not None:
            raise Conflict(
                f"委託先の受け口に、内容の異なる {file.name} がすでにあります。",
                advice="上書きせずに止めました。委託先に置かれた経緯を確認し、課長の判断を受けてください。",
            )
        partial = file.name + PARTIAL
        went_on = await remote.put(path, partial, progress)
        if (
            went_on and await remote.digest(partial) != file.sha256
        ):  # what had been left there was no beginning of it
            await remote.remove(partial)
            await remote.put(path, partial, progress)
        if await remote.digest(partial) != file.sha256:
            raise Altered(
                f"送信した {file.name} を委託先の側で確かめたところ、内容が異なります。",
                advice="名前を付けずに止めました（委託先には見えません）。回線を確認し、再実行してください。",
            )
        if file is files[-1]:
            completing()
        await remote.rename(partial, file.name)
        sent.append(file.name)
    return sent


async def _refuse_a_taken_package(remote: RemoteFolder, files: Sequence[StoredFile]) -> None:
    lying_there = {file.name for file in await remote.listing()}
    if gone := [file.name for file in files if not lying_there & {file.name, file.name + PARTIAL}]:
        raise Conflict(
            f"前の送信が最後のファイルまで進んだ後に止まり、委託先の受け口に {', '.join(gone)} がありません。",
            advice="二重に届くおそれがあるため、送り直さずに止めました。委託先が取り出したかを電話で確認し、"
            "「やり直し」（段階は暗号化）で新しいパッケージにしてください。前のものは使わないよう伝えます。",
        )


def handover_record(
    encryption: EncryptionRecord,
    remote: RemoteFolder,
    listing: Sequence[RemoteFile],
    *,
    party: str,
    sent_at: datetime,
) -> HandoverRecord:
    """States that every file of the package lies on the contractor's host."""
    over = OverLgwan(
        host=remote.endpoint.host,
        host_key_fingerprint=remote.endpoint.host_key_fingerprint,
        transport=remote.endpoint.transport,
        remote_folder=remote.path,
        listing=tuple(listing),
        proved_by="委託先のダイジェストファイル" if isinstance(remote, ByDigestFile) else "読み戻し",
    )
    return HandoverRecord(party=party, files=encryption.files, sent_at=sent_at, lgwan=over)


async def withdraw(remote: RemoteFolder, package: str, *, at: datetime) -> CopyWithdrawn:
    """Takes a package off the contractor's host, whole or half; tells what lay there before and after."""
    found = await remote.listing()
    for file in found:
        await remote.remove(file.name)
    return CopyWithdrawn(
        package=package, found=tuple(found), left=tuple(await remote.listing()), withdrawn_at=at
    )
