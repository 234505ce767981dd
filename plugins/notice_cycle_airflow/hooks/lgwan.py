"""SFTP to a contractor's host over LGWAN: pinned host key, key login, asyncssh.

Built on the SFTP provider's asynchronous hook. What goes wrong on the way is told apart: the line is down,
the login is refused, the host key changed. There is no switch for the host-key check.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
from airflow.providers.sftp.hooks.sftp import SFTPHookAsync

from notice_cycle.errors import CannotLook, Refused
from notice_cycle.handover.lgwan import Endpoint, Progress

_BLOCK_BYTES = 256 * 1024
_CONNECT_SECONDS = 30


class LgwanHook(SFTPHookAsync):
    """Connects by an Airflow connection whose extra holds `key_file` and `host_key`."""

    @asynccontextmanager
    async def folder(self, path: str) -> AsyncIterator["SftpFolder"]:
        """Opens a remote folder. Raises CannotLook (line, login) or Refused (host key)."""
        try:
            connection = await asyncio.wait_for(self._get_conn(), _CONNECT_SECONDS)
        except asyncssh.HostKeyNotVerifiable:
            raise Refused(
                "委託先のホスト鍵が、登録した鍵と異なります。",
                advice="接続せずに止めました。委託先に鍵の変更を確認し、確認できるまで送信しないでください。",
            ) from None
        except asyncssh.PermissionDenied:
            raise Refused(
                "委託先のホストがログインを拒否しました。",
                advice="接続の鍵ファイルとユーザー名を確認し、委託先に登録状況を問い合わせてください。",
            ) from None
        except (OSError, asyncssh.Error, TimeoutError):
            raise CannotLook(
                "委託先のホストに接続できません（LGWAN 回線または相手先の停止）。",
                advice="自動で再試行します。続くときは回線と委託先の稼働を確認してください。",
            ) from None
        if self.known_hosts == "none":
            raise Refused("ホスト鍵の検査が外されています。", advice="接続に host_key を登録してください。")
        async with connection, connection.start_sftp_client() as sftp:
            try:
                yield SftpFolder(sftp, path, _endpoint(connection))
            except (OSError, asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost):
                raise CannotLook(
                    "通信の途中で回線が切れました。",
                    advice="自動で再試行します。送信済みの分は確かめてから続けます。",
                ) from None
            except asyncssh.SFTPPermissionDenied:
                raise Refused(
                    f"委託先の受け口 {path} に書き込む権限がありません。",
                    advice="委託先に権限の設定を依頼してください。",
                ) from None
            except asyncssh.SFTPError as failed:
                raise CannotLook(
                    f"委託先のホストが処理を受け付けません（SFTP コード {failed.code}）。",
                    advice="委託先に容量と稼働状況を確認してください。自動で再試行します。",
                ) from None


class SftpFolder:
    """A remote folder; see notice_cycle.handover.lgwan.RemoteFolder."""

    def __init__(self, sftp: asyncssh.SFTPClient, path: str, endpoint: Endpoint) -> None:
        self._sftp, self.path, self.endpoint = sftp, path, endpoint

    async def digest(self, name: str) -> str | None:
        """Reads a remote file back in full. SHA-256, or None when there is no such file."""
        digest = hashlib.sha256()
        try:
            async with self._sftp.open(f"{self.path}/{name}", "rb") as remote:
                while block := await remote.read(_BLOCK_BYTES):
                    digest.update(block)
        except asyncssh.SFTPNoSuchFile:
            return None
        return digest.hexdigest()

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """At most `max_bytes` + 1 bytes of a remote file, None when there is no such file."""
        try:
            async with self._sftp.open(f"{self.path}/{name}", "rb") as remote:
                return bytes(await remote.read(max_bytes + 1))
        except asyncssh.SFTPNoSuchFile:
            return None

    async def put(self, local: Path, name: str, progress: Progress) -> None:
        """Uploads a file under `name`, replacing a broken one."""
        await self._sftp.makedirs(self.path, exist_ok=True)
        await self._sftp.put(
            str(local),
            f"{self.path}/{name}",
            progress_handler=lambda _source, _target, sent, total: progress(name, sent, total),
        )

    async def rename(self, name: str, to: str) -> None:
        """Renames atomically."""
        await self._sftp.posix_rename(f"{self.path}/{name}", f"{self.path}/{to}")


def _endpoint(connection: asyncssh.SSHClientConnection) -> Endpoint:
    key = connection.get_server_host_key()
    if key is None:
        raise Refused("委託先のホスト鍵を確認できません。", advice="接続の host_key を確認してください。")
    peer = connection.get_extra_info("peername")
    ciphers = "/".join(str(connection.get_extra_info(name)) for name in ("send_cipher", "send_mac"))
    return Endpoint(
        host=str(peer[0]),
        port=int(peer[1]),
        host_key_fingerprint=key.get_fingerprint(),
        transport=f"SSH-2.0 {ciphers}",
    )
