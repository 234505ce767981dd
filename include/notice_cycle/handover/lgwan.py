"""Handing a package over LGWAN.

Each file is uploaded to a temporary name, its remote bytes are read back and compared, and only then is it
renamed: the contractor never sees half a file. Looks first: what already lies there with the right digest is
recorded, not sent again; what lies there with another digest stops. Opens no connection itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from notice_cycle.errors import Altered, Conflict, Refused
from notice_cycle.records import CopyWithdrawn, EncryptionRecord, HandoverRecord, OverLgwan, RemoteFile
from notice_cycle.values import Frozen, StoredFile, stored_file

Progress = Callable[[str, int, int], None]
"""Called with file name, bytes sent and bytes in all."""


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
    remote: RemoteFolder, files: Sequence[StoredFile], paths: Sequence[Path], progress: Progress
) -> list[str]:
    """Sends what is not there yet, in order. Gives the names that were sent now. Raises Conflict or Altered."""
    await remote.probe()
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
        partial = f"{file.name}.part"
        went_on = await remote.put(path, partial, progress)
        if (
            went_on and await remote.digest(partial) != file.sha256
        ):  # what had been left there was no beginning of it
            await remote.remove(partial)
            await remote.put(path, partial, progress)
        if await remote.digest(partial) != file.sha256:
            raise Altered(
                f"送信した {file.name} を読み戻したところ、内容が異なります。",
                advice="名前を付けずに止めました（委託先には見えません）。回線を確認し、再実行してください。",
            )
        await remote.rename(partial, file.name)
        sent.append(file.name)
    return sent


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
