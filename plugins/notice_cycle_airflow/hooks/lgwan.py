"""SFTP to a contractor's host over LGWAN: pinned host key, login by key file, asyncssh.

An Airflow connection of type `sftp` names host, port and login; its extra holds `host_key` (ssh-ed25519) and
`key_file`. Nothing else is heeded: no password, no agent, no ~/.ssh. The host key is always checked, and a
connection that asks to skip that is refused. What goes wrong is told apart: the line is down, the login is
refused, the host key changed. A line on which nothing moves for a minute is given up.
"""

import asyncio
import hashlib
import json
import logging
import stat
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import asyncssh
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from notice_cycle.errors import CannotLook, NotConfigured, Refused
from notice_cycle.handover.lgwan import Destination, Endpoint, Progress
from notice_cycle.records import RemoteFile
from notice_cycle.strays import Lying
from notice_cycle.values import known_name

_PINNED = "ssh-ed25519"
# The others are asked for only to see, and name in the refusal, what a host without an Ed25519 key presents.
_HOST_KEY_ALGORITHMS = (_PINNED, "ecdsa-sha2-nistp256", "rsa-sha2-512")
# AES-GCM first: authenticated, on the CRYPTREC list, and the fastest here. The others are for older hosts.
_CIPHERS = ("aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr")
_SKIPPING_SWITCHES = ("no_host_key_check", "ignore_hostkey_verification")
_SSH_PORT = 22
_READ_BYTES = 512 * 1024
_READS_UNDER_WAY = 4
_WRITE_BYTES = 256 * 1024
_SAFE_WRITE_BYTES = 32 * 1024  # for a host that names no limit
_WRITTEN_UNDER_WAY_BYTES = 4 * 1024 * 1024
_CONNECT_SECONDS = 30.0
_IDLE_SECONDS = 60.0

asyncssh.set_log_level("WARNING")  # some thirty lines a look, of no use to who reads a task's log
# On a line that was cut it warns at every block still to go: dozens of lines around the one sentence that is ours.
logging.getLogger("asyncio").setLevel(logging.ERROR)


class LgwanHook(BaseHook):
    """Connects by an Airflow connection. Make one for each connecting: it reads the settings once."""

    def __init__(self, sftp_conn_id: str) -> None:
        super().__init__()
        self.sftp_conn_id = sftp_conn_id
        self._settings: _Settings | None = None

    async def destination(self) -> Destination:
        """Where `folder` will connect to. Raises NotConfigured or Refused."""
        return (await self._read_settings()).destination

    @asynccontextmanager
    async def folder(self, path: str) -> AsyncIterator["SftpFolder"]:
        """Opens a remote folder. Raises CannotLook (line), Refused (host key, login) or NotConfigured."""
        settings = await self._read_settings()
        connection, sftp = await _connect(settings)
        async with connection:  # closing does not wait for the other side
            yield SftpFolder(connection, sftp, path, _endpoint(connection, settings))

    async def _read_settings(self) -> "_Settings":
        if self._settings is None:
            try:
                connection = await self.aget_connection(self.sftp_conn_id)
            except AirflowNotFoundException:
                raise NotConfigured(
                    f"Airflow の接続 {self.sftp_conn_id} がありません。",
                    advice="委託先への接続を登録してください。",
                ) from None
            self._settings = _Settings.of(connection, _extra(connection))
        return self._settings


def _extra(connection: Any) -> dict[str, Any]:
    # Parsed here: a secret file gives another class of connection than the environment, with other methods.
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise NotConfigured(
            f"接続 {connection.conn_id} の extra が JSON の形ではありません。",
            advice="docs/operations.md の見本のとおりに書き直してください。",
        )
    return extra


@dataclass(frozen=True)
class _Settings:
    """What an Airflow connection says, checked."""

    destination: Destination
    user: str
    host_key: asyncssh.SSHKey
    key: asyncssh.SSHKey

    @classmethod
    def of(cls, connection: Any, extra: dict[str, Any]) -> "_Settings":
        for switch in _SKIPPING_SWITCHES:
            if str(extra.get(switch) or False).lower() != "false":
                raise Refused(
                    f"接続 {connection.conn_id} がホスト鍵の検査を外そうとしています（{switch}）。",
                    advice="接続せずに止めました。この項目を消し、host_key に委託先のホスト鍵を登録してください。",
                )
        try:
            host_key = asyncssh.import_public_key(str(extra.get("host_key") or ""))
        except asyncssh.KeyImportError:
            host_key = None
        if host_key is None or host_key.get_algorithm() != _PINNED:
            raise NotConfigured(
                f"接続 {connection.conn_id} に {_PINNED} のホスト鍵が登録されていません。",
                advice="委託先から書面で受け取ったホスト鍵を、接続の host_key に登録してください。",
            )
        try:
            key = asyncssh.read_private_key(str(extra.get("key_file") or ""))
        except (OSError, ValueError):  # asyncssh's key errors are ValueErrors
            raise NotConfigured(
                f"接続 {connection.conn_id} の鍵ファイルを読めません。",
                advice="接続の key_file の場所、読取りの権限、パスフレーズのない鍵であることを確認してください。",
            ) from None
        if not connection.host or not connection.login:
            raise NotConfigured(
                f"接続 {connection.conn_id} にホストまたはユーザー名がありません。",
                advice="Airflow の接続を直してください。",
            )
        destination = Destination(host=connection.host, port=connection.port or _SSH_PORT)
        return cls(destination, connection.login, host_key, key)


class _Witness(asyncssh.SSHClient):
    """Remembers a host key that is not the pinned one, so that the refusal can name it."""

    presented = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Called by asyncssh for an unknown key only. Never trusts it."""
        self.presented = key.get_fingerprint()
        return False


async def _connect(settings: _Settings) -> tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]:
    where, witness = f"{settings.destination.host}:{settings.destination.port}", _Witness()
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            connection = await asyncssh.connect(
                settings.destination.host,
                settings.destination.port,
                username=settings.user,
                client_keys=[settings.key],
                preferred_auth="publickey",
                known_hosts=([settings.host_key], [], []),
                server_host_key_algs=_HOST_KEY_ALGORITHMS,
                encryption_algs=_CIPHERS,
                x509_trusted_certs=None,
                client_factory=lambda: witness,
                config=None,
                agent_path=None,
                keepalive_interval=_IDLE_SECONDS / 4,
            )
            try:
                # A host may give names in any encoding: one that is not UTF-8 must not hide the whole folder.
                return connection, await connection.start_sftp_client(path_errors="surrogateescape")
            except BaseException:
                connection.abort()
                raise
    except asyncssh.HostKeyNotVerifiable:
        raise Refused(
            f"委託先 {where} のホスト鍵が登録と異なります"
            f"（登録 {settings.host_key.get_fingerprint()}、提示 {witness.presented or '不明'}）。",
            advice="接続せずに止めました。委託先に鍵の変更を確認し、確認できるまで送信しないでください。",
        ) from None
    except asyncssh.KeyExchangeFailed:
        raise Refused(
            f"委託先 {where} との間に、使用できる暗号方式がありません。",
            advice="接続せずに止めました。委託先に SSH の暗号方式とホスト鍵の設定の変更を確認してください。",
        ) from None
    except asyncssh.PermissionDenied:
        raise Refused(
            f"委託先 {where} がユーザー {settings.user} のログインを拒否しました。",
            advice="接続の鍵ファイルとユーザー名を確認し、委託先に登録状況を問い合わせてください。",
        ) from None
    except (OSError, asyncssh.Error):
        raise CannotLook(
            f"委託先 {where} に接続できません（LGWAN 回線または相手先の停止）。",
            advice="自動で再試行します。続くときは回線と委託先の稼働を確認してください。",
        ) from None


def _endpoint(connection: asyncssh.SSHClientConnection, settings: _Settings) -> Endpoint:
    ciphers = "/".join(str(connection.get_extra_info(name)) for name in ("send_cipher", "send_mac"))
    return Endpoint(
        host=settings.destination.host,
        port=settings.destination.port,
        host_key_fingerprint=settings.host_key.get_fingerprint(),  # asyncssh connects to no other
        transport=f"SSH-2.0 {ciphers}",
    )


@contextmanager
def _telling_a_full_disk(name: str) -> Iterator[None]:
    try:
        yield
    except asyncssh.SFTPFailure:  # all that version 3 of the protocol says about a full disk
        raise CannotLook(
            f"委託先のホストが {name} の書込みを途中で断りました（ディスクの空き容量不足の疑い）。",
            advice="委託先に受け口の空き容量を確認してください。自動で再試行します。",
        ) from None


async def _in_order(remote: asyncssh.SFTPClientFile) -> AsyncIterator[bytes]:
    """A remote file's blocks to its end, the next ones always under way: one at a time waits for the line each time."""
    size, offset = int((await remote.stat()).size or 0), 0
    under_way: deque[asyncio.Future[bytes]] = deque()
    try:
        while under_way or offset < size:
            while offset < size and len(under_way) < _READS_UNDER_WAY:
                length = min(
                    _READ_BYTES, size - offset
                )  # asyncssh logs a read behind the end that is given up
                under_way.append(asyncio.ensure_future(remote.read(length, offset)))
                offset += length
            yield await under_way.popleft()
        while block := cast(bytes, await remote.read(_READ_BYTES, offset)):  # it has grown meanwhile
            yield block
            offset += len(block)
    finally:
        for read in under_way:
            read.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _written(
    source: BinaryIO, remote: asyncssh.SFTPClientFile, offset: int, block_bytes: int
) -> AsyncIterator[int]:
    """Writes a file from `offset` to its end, the next blocks always under way; yields where it has come to.

    By hand, because asyncssh's own `put` forgets its other requests when the line is cut, and their errors end in the log.
    """
    source.seek(offset)
    reached = offset
    under_way: deque[asyncio.Future[int]] = deque()
    try:
        while True:
            while len(under_way) * block_bytes < _WRITTEN_UNDER_WAY_BYTES and (
                block := source.read(block_bytes)
            ):
                under_way.append(asyncio.ensure_future(remote.write(block, offset)))
                offset += len(block)
            if not under_way:
                return
            reached += await under_way.popleft()
            yield reached
    finally:
        for write in under_way:
            write.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _is_file(attributes: asyncssh.SFTPAttrs) -> bool:
    """An ordinary file, or something of which the host does not say what it is."""
    kind = stat.S_IFMT(attributes.permissions or 0)
    return kind in (0, stat.S_IFREG)


class SftpFolder:
    """A remote folder; see notice_cycle.handover.lgwan.RemoteFolder. Each method raises CannotLook or Refused."""

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        sftp: asyncssh.SFTPClient,
        path: str,
        endpoint: Endpoint,
    ) -> None:
        self._connection, self._sftp, self.path, self.endpoint = connection, sftp, path, endpoint

    async def digest(self, name: str) -> str | None:
        """Reads a remote file back in full. SHA-256, or None when there is no such file."""
        digest = hashlib.sha256()
        with self._operation() as moved:
            try:
                async with self._sftp.open(f"{self.path}/{name}", "rb") as remote:
                    async for block in _in_order(remote):
                        digest.update(block)
                        moved()
            except asyncssh.SFTPNoSuchFile:
                return None
        return digest.hexdigest()

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """At most `max_bytes` + 1 bytes of a remote file, None when there is no such file."""
        with self._operation():
            try:
                async with self._sftp.open(f"{self.path}/{name}", "rb") as remote:
                    return cast(bytes, await remote.read(max_bytes + 1))
            except asyncssh.SFTPNoSuchFile:
                return None

    async def probe(self) -> None:
        """Writes and removes a tiny file. Raises Refused when this may not be done here."""
        name = f"{self.path}/.preflight"
        with self._operation():
            if not await self._sftp.isdir(self.path):
                await self._sftp.makedirs(self.path, exist_ok=True)
            with _telling_a_full_disk(".preflight"):
                async with self._sftp.open(name, "wb") as remote:
                    await remote.write(b".")
            await self._sftp.remove(name)

    async def put(self, local: Path, name: str, progress: Progress) -> bool:
        """Uploads a file under `name`. Goes on behind what is there, and says so, when that is shorter."""
        remote_path, size = f"{self.path}/{name}", local.stat().st_size
        with self._operation() as moved:
            lying_there = await self._size(remote_path)
            going_on = 0 < lying_there < size
            # Only for writing: where reading is forbidden, going on is not.
            how = (
                asyncssh.FXF_WRITE
                if going_on
                else asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC
            )
            with _telling_a_full_disk(name), local.open("rb") as source:
                async with self._sftp.open(remote_path, how, encoding=None, block_size=0) as remote:
                    async for sent in _written(
                        source, remote, lying_there if going_on else 0, self._write_bytes
                    ):
                        moved()
                        progress(name, sent, size)
        return going_on

    @property
    def _write_bytes(self) -> int:
        return min(self._sftp.limits.max_write_len or _SAFE_WRITE_BYTES, _WRITE_BYTES)

    async def remove(self, name: str) -> None:
        """Removes a file; one that is not there is no fault."""
        with self._operation(), suppress(asyncssh.SFTPNoSuchFile):
            await self._sftp.remove(f"{self.path}/{name}")

    async def listing(self) -> list[RemoteFile]:
        """The folder's files by name; empty when there is no folder. A name we would not give is told by its digest."""
        return [
            RemoteFile(name=known_name(one.name), size_bytes=one.size_bytes)
            for one in await self.everything()
            if one.is_file
        ]

    async def everything(self) -> list[Lying]:
        """Files, folders and links by their own names; empty when there is no folder."""
        with self._operation():
            try:
                entries = await self._sftp.readdir(self.path)
            except asyncssh.SFTPNoSuchFile:
                return []
        found = [
            Lying(str(entry.filename), int(entry.attrs.size or 0), _is_file(entry.attrs)) for entry in entries
        ]
        return sorted(one for one in found if one.name not in {".", ".."})

    def within(self, name: str) -> "SftpFolder":
        """A folder in this one."""
        return SftpFolder(self._connection, self._sftp, f"{self.path}/{name}", self.endpoint)

    async def _size(self, path: str) -> int:
        try:
            return int((await self._sftp.stat(path)).size or 0)
        except asyncssh.SFTPNoSuchFile:
            return 0

    async def rename(self, name: str, to: str) -> None:
        """Gives a file its final name in one step. A name that is taken is not overwritten: CannotLook."""
        with self._operation():
            await self._sftp.rename(f"{self.path}/{name}", f"{self.path}/{to}")

    @contextmanager
    def _operation(self) -> Iterator[Callable[[], None]]:
        """Tells what goes wrong, and breaks the line when `moved` is not called for a minute.

        Breaks, because a cancelled asyncssh transfer first waits for the host to close its file.
        """
        loop = asyncio.get_running_loop()
        timer = loop.call_later(_IDLE_SECONDS, self._connection.abort)

        def moved() -> None:
            nonlocal timer
            timer.cancel()
            timer = loop.call_later(_IDLE_SECONDS, self._connection.abort)

        try:
            yield moved
        except asyncssh.SFTPPermissionDenied:
            raise Refused(
                f"委託先の受け口 {self.path} を使う権限がありません。",
                advice="委託先に権限の設定を依頼してください。",
            ) from None
        except (OSError, asyncssh.DisconnectError, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
            raise CannotLook(
                "通信の途中で回線が切れました。",
                advice="自動で再試行します。送信済みの分は確かめてから続けます。",
            ) from None
        except asyncssh.SFTPError as failed:
            raise CannotLook(
                f"委託先のホストが処理を受け付けません（SFTP コード {failed.code}）。",
                advice="委託先に稼働状況を確認してください。自動で再試行します。",
            ) from None
        finally:
            timer.cancel()
