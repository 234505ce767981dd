"""Handing a package over, against real hosts: OpenSSH's sshd and the embedded ward's asyncssh host."""

import asyncio
import atexit
import gc
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from tests.builders import CYCLE, OPENED_AT, TANTO, a_cycle, the_configuration
from tests.integration.sftp_hosts import (
    AS_ROOT,
    SSHD,
    WHY_NO_SSHD,
    SftpHost,
    a_free_port,
    embedded_host,
    openssh_host,
)

from notice_cycle.errors import Altered, CannotLook, Conflict, NotConfigured, Refused
from notice_cycle.handover.lgwan import check_outbox, hand_over, handover_record, withdraw
from notice_cycle.ledger.entry import System
from notice_cycle.ledger.store import Ledger
from notice_cycle.records import (
    CopyWithdrawn,
    EncryptionRecord,
    HandoverBegun,
    HandoverRecord,
    PassphraseNoticeVoided,
)
from notice_cycle.settings import Settings
from notice_cycle.values import stored_file

if "AIRFLOW_HOME" not in os.environ:  # importing Airflow writes its settings there
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

from notice_cycle_airflow.hooks import lgwan as lgwan_hook
from notice_cycle_airflow.hooks.lgwan import LgwanHook
from notice_cycle_airflow.run_context import RunningCycle
from notice_cycle_airflow.sending import send_package

PACKAGE = f"{CYCLE}-p1"
REPOSITORY = Path(__file__).parents[2]
FOLDER = f"to_contractor/{PACKAGE}"
BIG = 20_000_000
needs_sshd = pytest.mark.skipif(SSHD is None, reason=WHY_NO_SSHD)


# ---- the two hosts, and what is sent to them


@pytest.fixture(scope="module")
def _openssh() -> Iterator[SftpHost | None]:
    if SSHD is None:
        yield None
        return
    with openssh_host() as host:
        yield host


@pytest.fixture(scope="module")
def _embedded() -> Iterator[SftpHost]:
    with embedded_host() as host:
        yield host


@pytest.fixture
def openssh(_openssh: SftpHost | None, monkeypatch: pytest.MonkeyPatch) -> SftpHost:
    if _openssh is None:
        pytest.skip(WHY_NO_SSHD)
    return ready(_openssh, monkeypatch)


@pytest.fixture
def embedded(_embedded: SftpHost, monkeypatch: pytest.MonkeyPatch) -> SftpHost:
    return ready(_embedded, monkeypatch)


@pytest.fixture(params=["openssh", "embedded"])
def host(request: pytest.FixtureRequest) -> SftpHost:
    """Either host."""
    found: SftpHost = request.getfixturevalue(request.param)
    return found


def ready(host: SftpHost, monkeypatch: pytest.MonkeyPatch) -> SftpHost:
    host.emptied()
    monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection())
    return host


@dataclass(frozen=True)
class Package:
    """An encrypted package in the outbox, and its record."""

    outbox: Path
    paths: list[Path]
    record: EncryptionRecord

    @property
    def names(self) -> list[str]:
        return [path.name for path in self.paths]

    async def send(self, host: SftpHost) -> list[str]:
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as remote:
            return await hand_over(remote, self.record.files, self.paths, lambda *_: None)

    def lies_whole_on(self, host: SftpHost) -> bool:
        return contents(host) == {path.name: path.read_bytes() for path in self.paths}


def a_package(folder: Path, size: int = 100_000) -> Package:
    """Four files; the largest has `size` bytes."""
    outbox = folder / "outbox"
    (outbox / CYCLE).mkdir(parents=True)
    paths = [
        outbox / CYCLE / name
        for name in (f"{PACKAGE}.csv.age", "manifest.json", "manifest.json.sig", "SHA256SUMS")
    ]
    for number, path in enumerate(paths):
        path.write_bytes(os.urandom(size if number == 0 else 900 + number))
    files = tuple(map(stored_file, paths))
    record = EncryptionRecord(
        package=PACKAGE,
        cipher="age v1 (scrypt, ChaCha20-Poly1305)",
        files=files,
        manifest_sha256=files[1].sha256,
        signer_fingerprint="SHA256:ward",
    )
    return Package(outbox, paths, record)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return a_package(tmp_path)


@pytest.fixture
def big_package(tmp_path: Path) -> Package:
    return a_package(tmp_path, BIG)


def contents(host: SftpHost) -> dict[str, bytes]:
    """What lies in the package's folder on the host."""
    folder = host.on_disk(FOLDER)
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def lying_on(host: SftpHost, name: str, content: bytes) -> Path:
    """Puts a file into the package's folder on the host."""
    folder = host.on_disk(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    if AS_ROOT and host.name == "openssh":
        for path in (folder, folder / name):
            shutil.chown(path, host.user)
    return folder / name


async def sizes_over_time(host: SftpHost) -> list[dict[str, int]]:
    """What the contractor would see from now on, look for look, until cancelled."""
    seen: list[dict[str, int]] = []
    with suppress(asyncio.CancelledError):
        while True:
            look = {}
            with suppress(FileNotFoundError):  # renamed between listing and asking
                for entry in os.scandir(host.on_disk(FOLDER)):
                    look[entry.name] = entry.stat().st_size
            seen.append(look)
            await asyncio.sleep(0.001)
    return seen


async def until_part_of(host: SftpHost, name: str, size: int = 1) -> None:
    part = host.on_disk(FOLDER) / f"{name}.part"
    for _ in range(5000):
        if part.exists() and part.stat().st_size >= size:
            return
        await asyncio.sleep(0.001)
    raise AssertionError("no upload began")


# ---- what arrives


class TestArrival:
    async def test_four_files_arrive_and_the_record_says_where(
        self, host: SftpHost, package: Package
    ) -> None:
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as remote:
            sent = await hand_over(remote, package.record.files, package.paths, lambda *_: None)
            record = handover_record(
                package.record, remote, await remote.listing(), party="example_print", sent_at=OPENED_AT
            )
        assert sent == package.names
        assert package.lies_whole_on(host)
        assert record.lgwan is not None
        assert [file.name for file in record.lgwan.listing] == sorted(package.names)
        assert record.lgwan.host == "127.0.0.1"
        pinned = asyncssh.import_public_key(host.host_key)
        assert record.lgwan.host_key_fingerprint == pinned.get_fingerprint()
        assert record.lgwan.transport.startswith("SSH-2.0 ")
        assert "None" not in record.lgwan.transport
        assert record.files == package.record.files

    async def test_an_interrupted_upload_goes_on_where_it_stopped(
        self, host: SftpHost, package: Package
    ) -> None:
        first = package.paths[0]
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as remote:
            begun = first.with_name("begun")
            begun.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
            await remote.probe()
            assert not await remote.put(begun, f"{first.name}.part", lambda *_: None)
            assert await remote.put(first, f"{first.name}.part", lambda *_: None)
            assert await remote.digest(f"{first.name}.part") == package.record.files[0].sha256

    async def test_what_was_no_beginning_of_it_is_sent_anew(self, host: SftpHost, package: Package) -> None:
        first = package.paths[0]
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as remote:
            other = first.with_name("other")
            other.write_bytes(b"x" * (first.stat().st_size // 2))
            await remote.probe()
            await remote.put(other, f"{first.name}.part", lambda *_: None)
            await hand_over(remote, package.record.files, package.paths, lambda *_: None)
        assert package.lies_whole_on(host)

    async def test_a_package_is_withdrawn_with_what_was_half_sent(
        self, host: SftpHost, package: Package
    ) -> None:
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as remote:
            await hand_over(remote, package.record.files, package.paths, lambda *_: None)
            await remote.put(package.paths[0], "again.part", lambda *_: None)
            fact = await withdraw(remote, PACKAGE, at=OPENED_AT)
            assert await remote.listing() == []
        assert (len(fact.found), fact.left) == (5, ())

    async def test_a_name_is_only_ever_seen_when_its_file_is_whole(
        self, host: SftpHost, big_package: Package
    ) -> None:
        watching = asyncio.create_task(sizes_over_time(host))
        await asyncio.sleep(0)
        await big_package.send(host)
        watching.cancel()
        looks = await watching
        whole = {path.name: path.stat().st_size for path in big_package.paths}
        partial = big_package.names[0] + ".part"
        assert any(0 < look.get(partial, 0) < BIG for look in looks), "nobody looked during the upload"
        for look in looks:
            named = {name: size for name, size in look.items() if not name.endswith((".part", ".preflight"))}
            assert all(size == whole[name] for name, size in named.items())
        assert big_package.lies_whole_on(host)

    async def test_a_second_run_sends_nothing(self, host: SftpHost, package: Package) -> None:
        await package.send(host)
        before = {path: path.stat() for path in host.on_disk(FOLDER).iterdir()}
        assert await package.send(host) == []
        after = {path: path.stat() for path in host.on_disk(FOLDER).iterdir()}
        assert [(s.st_ino, s.st_mtime_ns) for s in before.values()] == [
            (s.st_ino, s.st_mtime_ns) for s in after.values()
        ]

    async def test_a_longer_leftover_of_a_broken_upload_is_replaced(
        self, host: SftpHost, package: Package
    ) -> None:
        lying_on(host, package.names[0] + ".part", bytes(300_000))
        assert await package.send(host) == package.names
        assert package.lies_whole_on(host)

    async def test_a_run_killed_between_upload_and_name_is_completed_by_the_next(
        self, host: SftpHost, package: Package
    ) -> None:
        third = package.names[2]
        command = [sys.executable, "-c", STOPPING_BEFORE_A_NAME, host.seen(FOLDER), third]
        with subprocess.Popen([*command, *map(str, package.paths)], stdout=subprocess.PIPE) as run:
            try:
                assert run.stdout is not None
                assert b"here\n" in iter(run.stdout.readline, b"")
            finally:
                run.kill()
        assert set(contents(host)) == {*package.names[:2], f"{third}.part"}
        assert await package.send(host) == package.names[2:]
        assert package.lies_whole_on(host)


STOPPING_BEFORE_A_NAME = f"""
import asyncio, sys
from pathlib import Path

sys.path[:0] = {[str(REPOSITORY / "include"), str(REPOSITORY / "plugins")]}

from notice_cycle.handover.lgwan import hand_over
from notice_cycle.values import stored_file
from notice_cycle_airflow.hooks.lgwan import LgwanHook

async def send(folder, stop_at, *paths):
    async with LgwanHook("contractor_lgwan").folder(folder) as remote:
        give_name = remote.rename

        async def rename(name, to):
            if to == stop_at:
                print("here", flush=True)
                await asyncio.sleep(600)
            await give_name(name, to)

        remote.rename = rename
        paths = [Path(path) for path in paths]
        await hand_over(remote, [stored_file(path) for path in paths], paths, lambda *_: None)

asyncio.run(send(*sys.argv[1:]))
"""


# ---- what must not arrive


class TestOtherBytes:
    async def test_a_file_of_the_same_name_and_other_content_is_left_untouched(
        self, host: SftpHost, package: Package
    ) -> None:
        theirs = lying_on(host, "manifest.json", b"theirs")
        with pytest.raises(Conflict, match=r"manifest\.json"):
            await package.send(host)
        assert theirs.read_bytes() == b"theirs"
        assert set(contents(host)) == {package.names[0], "manifest.json"}

    async def test_a_name_taken_during_the_upload_is_not_overwritten(
        self, host: SftpHost, package: Package
    ) -> None:
        lying_on(host, "SHA256SUMS.part", b"ours")
        theirs = lying_on(host, "SHA256SUMS", b"theirs")
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as remote:
            with pytest.raises(CannotLook):
                await remote.rename("SHA256SUMS.part", "SHA256SUMS")
        assert theirs.read_bytes() == b"theirs"

    async def test_one_flipped_bit_on_the_way_gets_no_name(
        self, embedded: SftpHost, package: Package
    ) -> None:
        embedded.misbehaves(flip_bit_at=70_000)
        with pytest.raises(Altered, match=package.names[0]):
            await package.send(embedded)
        assert set(contents(embedded)) == {package.names[0] + ".part"}
        embedded.misbehaves()
        assert await package.send(embedded) == package.names
        assert package.lies_whole_on(embedded)

    @pytest.mark.parametrize("number", range(4))
    def test_one_changed_byte_in_the_outbox_stops_before_sending(self, package: Package, number: int) -> None:
        path = package.paths[number]
        changed = bytearray(path.read_bytes())
        changed[len(changed) // 2] ^= 0x01
        path.write_bytes(changed)
        with pytest.raises(Altered, match=path.name) as caught:
            check_outbox(package.record, package.outbox, CYCLE)
        assert "暗号化からやり直してください" in caught.value.advice

    def test_a_missing_file_in_the_outbox_stops_before_sending(self, package: Package) -> None:
        package.paths[3].unlink()
        with pytest.raises(Altered, match="SHA256SUMS"):
            check_outbox(package.record, package.outbox, CYCLE)


# ---- who is there


def another_key(algorithm: str = "ssh-ed25519") -> asyncssh.SSHKey:
    return asyncssh.generate_private_key(algorithm)


def public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


class TestWhoIsThere:
    async def test_a_host_with_another_key_is_refused_with_both_keys_named(
        self, host: SftpHost, package: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pinned = another_key()
        monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection(host_key=public(pinned)))
        with pytest.raises(Refused, match="ホスト鍵が登録と異なります") as caught:
            await package.send(host)
        assert pinned.get_fingerprint() in caught.value.message
        assert asyncssh.import_public_key(host.host_key).get_fingerprint() in caught.value.message
        assert contents(host) == {}

    @needs_sshd
    async def test_a_host_that_has_only_a_key_of_another_kind_is_refused(
        self, package: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with openssh_host(host_key_type="ecdsa-sha2-nistp256") as host:
            monkeypatch.setenv(
                "AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection(host_key=public(another_key()))
            )
            with pytest.raises(Refused, match="ホスト鍵が登録と異なります") as caught:
                await package.send(host)
            assert asyncssh.import_public_key(host.host_key).get_fingerprint() in caught.value.message
            monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection())
            with pytest.raises(NotConfigured, match="ssh-ed25519 のホスト鍵が登録されていません"):
                await package.send(host)
            assert contents(host) == {}

    @pytest.mark.parametrize(
        "changes",
        [
            {"no_host_key_check": True},
            {"no_host_key_check": "true"},
            {"no_host_key_check": True, "host_key": None},
            {"ignore_hostkey_verification": "True", "no_host_key_check": None},
            {"host_key": None},
            {"host_key": None, "known_hosts": "None"},
            {"host_key": ""},
            {"host_key": "AAAAC3NzaC1lZDI1NTE5"},
        ],
        ids=str,
    )
    async def test_no_setting_switches_the_host_key_check_off(
        self,
        embedded: SftpHost,
        package: Package,
        monkeypatch: pytest.MonkeyPatch,
        changes: dict[str, object],
    ) -> None:
        logins = embedded.log.read_text().count("login")
        monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", embedded.connection(**changes))
        with pytest.raises(Refused, match="ホスト鍵") as caught:
            await package.send(embedded)
        assert "host_key" in caught.value.advice
        assert contents(embedded) == {}
        assert embedded.log.read_text().count("login") == logins

    async def test_what_lies_in_the_workers_ssh_folder_is_not_heeded(
        self, host: SftpHost, package: Package, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{host.port} {host.host_key}\n")
        (tmp_path / ".ssh" / "config").write_text("Host *\n UserKnownHostsFile none\n ProxyCommand false\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection(host_key=public(another_key())))
        with pytest.raises(Refused, match="ホスト鍵が登録と異なります"):
            await package.send(host)

    async def test_an_unknown_user_key_is_refused(
        self, host: SftpHost, package: Package, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        unknown = tmp_path / "unknown_key"
        unknown.write_bytes(another_key().export_private_key())
        monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection(key_file=str(unknown)))
        with pytest.raises(Refused, match="ログインを拒否しました") as caught:
            await package.send(host)
        assert host.user in caught.value.message
        assert contents(host) == {}

    @pytest.mark.parametrize("content", [None, "no key"])
    async def test_a_key_file_that_cannot_be_read_is_not_taken_for_a_dead_line(
        self, embedded: SftpHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
    ) -> None:
        key_file = tmp_path / "key"
        if content:
            key_file.write_text(content)
        monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", embedded.connection(key_file=str(key_file)))
        with pytest.raises(NotConfigured, match="鍵ファイルを読めません"):
            await LgwanHook("contractor_lgwan").destination()

    async def test_a_connection_that_nobody_registered_is_named(self) -> None:
        with pytest.raises(NotConfigured, match="nowhere_lgwan"):
            await LgwanHook("nowhere_lgwan").destination()

    async def test_a_host_is_known_by_the_name_it_is_registered_under(
        self, host: SftpHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection(host="localhost"))
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as remote:
            assert (remote.endpoint.host, remote.endpoint.port) == ("localhost", host.port)


# ---- the line and the disk


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Measures instead of cancelling: a cancelled transfer might end well only because it was cancelled."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


@asynccontextmanager
async def a_poor_host(
    instead_of: SftpHost, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> AsyncIterator[None]:
    """A host without SFTP, set up in the connection in another's place."""
    key, login = another_key(), public(asyncssh.read_private_key(instead_of.client_key))
    authorized = asyncssh.import_authorized_keys(login)
    async with asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[key], authorized_client_keys=authorized, **options
    ) as server:
        poor = instead_of.connection(port=server.get_port(), host_key=public(key))
        monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", poor)
        yield


class TestLineAndDisk:
    async def test_a_closed_port_is_cannot_look(
        self, embedded: SftpHost, package: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", embedded.connection(port=a_free_port()))
        with pytest.raises(CannotLook, match="接続できません"):
            await package.send(embedded)

    async def test_a_host_that_hangs_up_before_the_login_is_cannot_look(
        self, embedded: SftpHost, package: Package
    ) -> None:
        embedded.misbehaves(unavailable=True)
        with pytest.raises(CannotLook, match="接続できません"):
            await package.send(embedded)

    async def test_a_port_that_never_says_a_word_is_given_up(
        self, embedded: SftpHost, package: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lgwan_hook, "_CONNECT_SECONDS", 0.3)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            port = silent.getsockname()[1]
            monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", embedded.connection(port=port))
            with within(3), pytest.raises(CannotLook, match="接続できません"):
                await package.send(embedded)

    async def test_a_host_without_sftp_is_cannot_look(
        self, embedded: SftpHost, package: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with a_poor_host(embedded, monkeypatch):
            with pytest.raises(CannotLook, match="接続できません"):
                await package.send(embedded)

    async def test_a_host_with_old_ciphers_only_is_refused(
        self, embedded: SftpHost, package: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with a_poor_host(embedded, monkeypatch, encryption_algs=["aes128-cbc"]):
            with pytest.raises(Refused, match="暗号方式がありません"):
                await package.send(embedded)

    async def test_a_line_cut_in_mid_upload_is_cannot_look_and_the_retry_completes(
        self, embedded: SftpHost, big_package: Package, caplog: pytest.LogCaptureFixture
    ) -> None:
        embedded.misbehaves(drop_after_bytes=5_000_000)
        with pytest.raises(CannotLook, match="回線が切れました"):
            await big_package.send(embedded)
        assert set(contents(embedded)) == {big_package.names[0] + ".part"}
        embedded.misbehaves()
        assert await big_package.send(embedded) == big_package.names
        assert big_package.lies_whole_on(embedded)
        gc.collect()  # asyncio tells of forgotten tasks when they are collected
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    @pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGTERM])
    async def test_a_session_killed_in_mid_upload_is_cannot_look_and_the_retry_completes(
        self,
        openssh: SftpHost,
        big_package: Package,
        with_signal: signal.Signals,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        sending = asyncio.create_task(big_package.send(openssh))
        await until_part_of(openssh, big_package.names[0])
        openssh.kill_sessions(with_signal)
        with pytest.raises(CannotLook, match="回線が切れました"):
            await sending
        assert big_package.names[0] not in contents(openssh)
        assert await big_package.send(openssh) == big_package.names
        assert big_package.lies_whole_on(openssh)
        gc.collect()  # asyncio tells of forgotten tasks when they are collected
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    async def test_a_session_killed_in_mid_read_back_is_cannot_look_and_says_nothing_else(
        self, openssh: SftpHost, caplog: pytest.LogCaptureFixture
    ) -> None:
        with (openssh.on_disk("to_contractor") / "whole").open("wb") as file:
            file.truncate(1 << 30)  # a hole: long to read, nothing to store
        async with LgwanHook("contractor_lgwan").folder(openssh.seen("to_contractor")) as folder:
            reading = asyncio.create_task(folder.digest("whole"))
            await asyncio.sleep(0.2)
            openssh.kill_sessions()
            with pytest.raises(CannotLook, match="回線が切れました"):
                await reading
        gc.collect()
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    async def test_a_line_that_falls_silent_in_mid_upload_is_given_up(
        self, openssh: SftpHost, big_package: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lgwan_hook, "_IDLE_SECONDS", 1.0)
        sending = asyncio.create_task(big_package.send(openssh))
        await until_part_of(openssh, big_package.names[0])
        stopped = openssh.kill_sessions(signal.SIGSTOP)
        try:
            with within(5), pytest.raises(CannotLook, match="回線が切れました"):
                await sending
        finally:
            for process in stopped:
                process.send_signal(signal.SIGKILL)

    async def test_a_host_that_lives_but_stores_nothing_more_is_given_up(
        self, embedded: SftpHost, big_package: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lgwan_hook, "_IDLE_SECONDS", 1.0)
        embedded.misbehaves(stall_at=5_000_000)
        with within(5), pytest.raises(CannotLook, match="回線が切れました"):
            await big_package.send(embedded)

    async def test_a_full_disk_is_said_to_be_full(self, embedded: SftpHost, package: Package) -> None:
        embedded.misbehaves(full_after_bytes=50_000)
        with pytest.raises(CannotLook, match="空き容量不足") as caught:
            await package.send(embedded)
        assert "空き容量を確認" in caught.value.advice
        embedded.misbehaves()
        assert await package.send(embedded) == package.names
        assert package.lies_whole_on(embedded)

    async def test_a_really_full_disk_is_said_to_be_full(self, openssh: SftpHost, tmp_path: Path) -> None:
        package, folder = a_package(tmp_path, 3_000_000), openssh.on_disk("to_contractor")
        mount = ["mount", "-t", "tmpfs", "-o", f"size=1m,uid={folder.stat().st_uid}", "tmpfs", str(folder)]
        if not AS_ROOT or subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("a small disk can only be mounted by root")
        try:
            with pytest.raises(CannotLook, match="空き容量不足"):
                await package.send(openssh)
            subprocess.run(["mount", "-o", "remount,size=8m", str(folder)], check=True)
            assert await package.send(openssh) == package.names
            assert package.lies_whole_on(openssh)
        finally:
            subprocess.run(["umount", str(folder)], check=True)

    async def test_a_folder_that_may_not_be_written_is_refused_by_name(
        self, openssh: SftpHost, package: Package
    ) -> None:
        closed = openssh.on_disk("to_contractor")
        if AS_ROOT:
            shutil.chown(closed, "root")
        closed.chmod(0o555)
        with pytest.raises(Refused, match=FOLDER) as caught:
            await package.send(openssh)
        assert "権限" in caught.value.message
        closed.chmod(0o755)

    @needs_sshd
    async def test_a_host_that_only_lets_read_is_refused_by_folder(
        self, package: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with openssh_host(options="-R") as host:
            monkeypatch.setenv("AIRFLOW_CONN_CONTRACTOR_LGWAN", host.connection())
            with pytest.raises(Refused, match=FOLDER):
                await package.send(host)
            assert contents(host) == {}


# ---- what comes back


class TestReading:
    async def test_of_an_oversize_file_only_one_byte_too_many_is_read(
        self, host: SftpHost, tmp_path: Path
    ) -> None:
        lying_on(host, "receipt.json", os.urandom(1_000_000))
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as folder:
            read = await folder.read("receipt.json", max_bytes=65_536)
        assert read == contents(host)["receipt.json"][:65_537]
        if host.name == "embedded":
            assert f"close /{FOLDER}/receipt.json read 65537 written 0 bytes" in host.log.read_text()

    async def test_a_file_of_just_the_size_is_read_whole(self, host: SftpHost) -> None:
        content = os.urandom(65_536)
        lying_on(host, "receipt.json", content)
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as folder:
            assert await folder.read("receipt.json", max_bytes=65_536) == content

    async def test_what_is_missing_is_none_with_and_without_its_folder(self, host: SftpHost) -> None:
        async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as folder:
            assert await folder.read("receipt.json", max_bytes=10) is None
            assert await folder.digest("receipt.json") is None
            lying_on(host, "other.json", b"{}")
            assert await folder.read("receipt.json", max_bytes=10) is None

    async def test_a_fault_of_our_own_is_not_taken_for_a_dead_line(self, embedded: SftpHost) -> None:
        with pytest.raises(FileNotFoundError):
            async with LgwanHook("contractor_lgwan").folder(embedded.seen(FOLDER)):
                Path("/nowhere/inbox").read_bytes()


# ---- the task's own way


def a_running_cycle(ledger: Ledger, package: Package, *, host: str, port: int) -> RunningCycle:
    """A cycle whose package waits to be sent to a registered host."""
    known = the_configuration()
    party = known.party.model_copy(update={"host": host, "port": port})
    configuration = known.model_copy(update={"party": party})
    stored = {
        "configuration": configuration.model_dump(mode="json"),
        "configuration_sha256": configuration.digest(),
    }
    cycle = a_cycle().up_to(EncryptionRecord)
    cycle.with_(opening=stored, encryption=package.record.model_dump()).entered_in(ledger)
    settings = Settings({"NOTICE_CYCLE_OUTBOX": str(package.outbox)})
    return RunningCycle(id=CYCLE, actor=System(task="handover.send"), settings=settings, ledger=ledger)


class TestSendPackage:
    def test_a_package_goes_to_the_registered_host(
        self, embedded: SftpHost, package: Package, ledger: Ledger
    ) -> None:
        cycle = a_running_cycle(ledger, package, host="127.0.0.1", port=embedded.port)
        record = send_package(cycle, cycle.history())
        assert isinstance(record, HandoverRecord)
        assert record.lgwan.remote_folder == f"/{FOLDER}"
        assert package.lies_whole_on(embedded)

    @pytest.mark.parametrize("registered", [("127.0.0.1", 22), ("print.lgwan.example", None)])
    def test_a_host_that_is_not_registered_is_not_even_connected_to(
        self, embedded: SftpHost, package: Package, ledger: Ledger, registered: tuple[str, int | None]
    ) -> None:
        host, port = registered
        cycle = a_running_cycle(ledger, package, host=host, port=port or embedded.port)
        before = embedded.log.read_text()
        with pytest.raises(Refused, match="許可された送信先ではありません") as caught:
            send_package(cycle, cycle.history())
        assert f"127.0.0.1:{embedded.port}" in caught.value.message
        assert embedded.log.read_text() == before
        assert contents(embedded) == {}

    def test_a_package_whose_passphrase_may_be_known_is_taken_back_before_the_new_one_goes(
        self, embedded: SftpHost, package: Package, ledger: Ledger
    ) -> None:
        cycle = a_running_cycle(ledger, package, host="127.0.0.1", port=embedded.port)
        old = [f"{CYCLE}-p{number}" for number in (8, 9)]
        for name in old:
            folder = embedded.on_disk(f"to_contractor/{name}")
            folder.mkdir()
            (folder / "manifest.json").write_bytes(b"{}")
            file = stored_file(folder / "manifest.json")
            cycle.note(HandoverBegun(package=name, route="lgwan", encrypted_file=file, begun_at=OPENED_AT))
        cycle.note(
            PassphraseNoticeVoided(
                notice_number=f"{CYCLE}-PW9",
                package=old[1],
                reason_code="lost",
                disclosure_possible=True,
                decided_by=TANTO,
            )
        )
        send_package(cycle, cycle.history())
        (taken,) = cycle.history().facts(CopyWithdrawn)
        assert (taken.package, taken.left) == (old[1], ())
        assert list(embedded.on_disk(f"to_contractor/{old[1]}").iterdir()) == []
        assert len(list(embedded.on_disk(f"to_contractor/{old[0]}").iterdir())) == 1
        assert package.lies_whole_on(embedded)

    def test_a_touched_outbox_is_not_sent(self, embedded: SftpHost, package: Package, ledger: Ledger) -> None:
        cycle = a_running_cycle(ledger, package, host="127.0.0.1", port=embedded.port)
        package.paths[1].write_bytes(b"{}")
        with pytest.raises(Altered, match=r"manifest\.json"):
            send_package(cycle, cycle.history())
        assert contents(embedded) == {}
