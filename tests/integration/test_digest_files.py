"""A contractor who lets nobody read back: his digest files tell what arrived. Against OpenSSH that keeps files unreadable."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.builders import OPENED_AT
from tests.integration.sftp_hosts import AS_ROOT, SSHD, WHY_NO_SSHD, SftpHost, openssh_host
from tests.integration.test_lgwan_handover import (
    FOLDER,
    Package,
    a_package,
    a_running_cycle,
    contents,
    lying_on,
    ready,
)

from notice_cycle.catalogue import DigestFiles
from notice_cycle.errors import Altered, CannotLook, Refused
from notice_cycle.handover import lgwan
from notice_cycle.handover.lgwan import ByDigestFile, hand_over, handover_record
from notice_cycle.ledger.store import Ledger
from notice_cycle_airflow.hooks.lgwan import LgwanHook
from notice_cycle_airflow.sending import send_package

NAMED = "{name}.sha256"

pytestmark = pytest.mark.skipif(
    SSHD is None or not AS_ROOT,
    reason=WHY_NO_SSHD if SSHD is None else "only root reads beside a host that lets nobody read",
)


@pytest.fixture(scope="module")
def _host() -> Iterator[SftpHost]:
    with openssh_host(options="-u 0577") as host:  # what is written there, its writer may not read
        yield host


@pytest.fixture
def host(_host: SftpHost, monkeypatch: pytest.MonkeyPatch) -> SftpHost:
    monkeypatch.setattr(lgwan, "_LOOK_SECONDS", 0.05)
    lying_on(ready(_host, monkeypatch), "placed", b"")  # the contractor makes the folder
    (_host.on_disk(FOLDER) / "placed").unlink()
    return _host


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return a_package(tmp_path, 3_000_000)


@contextmanager
def digests_made_on(host: SftpHost, *, wrongly: bool = False) -> Iterator[None]:
    """The contractor's own program: beside every file its digest, anew whenever it has changed."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            for path in host.on_disk(FOLDER).iterdir():
                if path.suffix == ".sha256" or path.name == ".preflight":
                    continue
                with suppress(FileNotFoundError):  # renamed meanwhile
                    digest = hashlib.sha256(path.read_bytes() + (b"x" if wrongly else b"")).hexdigest()
                    name = path.name.removesuffix(".part")
                    partial = path.with_name(".making")
                    partial.write_text(f"{digest}  {name}\n")
                    partial.chmod(0o644)
                    partial.rename(path.with_name(f"{name}.sha256"))

    program = threading.Thread(target=watch)
    program.start()
    try:
        yield
    finally:
        over.set()
        program.join()


async def send(host: SftpHost, package: Package, *, wait_seconds: float = 20) -> list[str]:
    async with LgwanHook("contractor_lgwan").folder(host.seen(FOLDER)) as folder:
        remote = ByDigestFile(folder, package.record.files, named=NAMED, wait_seconds=wait_seconds)
        sent = await hand_over(remote, package.record.files, package.paths, lambda *_: None)
        record = handover_record(
            package.record, remote, await remote.listing(), party="example_print", sent_at=OPENED_AT
        )
    assert record.lgwan is not None
    assert record.lgwan.proved_by == "委託先のダイジェストファイル"
    return sent


def landed(host: SftpHost) -> dict[str, bytes]:
    return {
        name: content for name, content in contents(host).items() if not name.endswith((".sha256", ".making"))
    }


async def test_reading_back_is_refused_there(host: SftpHost, package: Package) -> None:
    with pytest.raises(Refused, match="権限"):
        await package.send(host)


async def test_the_contractors_digests_prove_the_hand_over(host: SftpHost, package: Package) -> None:
    with digests_made_on(host):
        assert await send(host, package) == package.names
        assert await send(host, package) == []
    assert landed(host) == {path.name: path.read_bytes() for path in package.paths}


async def test_while_no_digest_comes_nothing_gets_its_name_and_the_retry_goes_on(
    host: SftpHost, package: Package
) -> None:
    with pytest.raises(CannotLook, match=r"csv\.age\.sha256 が届きません"):
        await send(host, package, wait_seconds=0.2)
    (partial,) = host.on_disk(FOLDER).iterdir()
    assert partial.name == f"{package.names[0]}.part"
    with digests_made_on(host):
        assert await send(host, package) == package.names
    assert landed(host) == {path.name: path.read_bytes() for path in package.paths}


async def test_an_upload_goes_on_where_it_may_not_be_read(host: SftpHost, package: Package) -> None:
    begun = lying_on(host, f"{package.names[0]}.part", package.paths[0].read_bytes()[:2_000_000])
    begun.chmod(0o200)
    with digests_made_on(host):
        await send(host, package)
    assert (host.on_disk(FOLDER) / package.names[0]).read_bytes() == package.paths[0].read_bytes()


async def test_another_digest_gives_no_name(host: SftpHost, package: Package) -> None:
    with digests_made_on(host, wrongly=True), pytest.raises(Altered, match="内容が異なります"):
        await send(host, package, wait_seconds=0.5)
    assert package.names[0] not in landed(host)


@pytest.mark.parametrize("content", [b"", b"pending", os.urandom(5000), b"a" * 63, b"a" * 65])
async def test_what_is_no_digest_is_waited_out(host: SftpHost, package: Package, content: bytes) -> None:
    lying_on(host, f"{package.names[0]}.sha256", content).chmod(0o644)
    with pytest.raises(CannotLook, match="届きません"):
        await send(host, package, wait_seconds=0.2)


def test_the_task_waits_for_digests_where_the_contract_says_so(
    host: SftpHost, package: Package, ledger: Ledger
) -> None:
    cycle = a_running_cycle(ledger, package, host="127.0.0.1", port=host.port)
    agreed = DigestFiles.model_validate({"named": NAMED})
    party = cycle.configuration.party.model_copy(update={"digest_files": agreed})
    cycle.__dict__["configuration"] = cycle.configuration.model_copy(update={"party": party})
    with digests_made_on(host):
        record = send_package(cycle, cycle.history())
    assert record.lgwan is not None
    assert record.lgwan.proved_by == "委託先のダイジェストファイル"
    assert f"{package.names[0]}.sha256" in {file.name for file in record.lgwan.listing}


@pytest.mark.parametrize("named", ["digest", "{name}", "../{name}.sha256", "{name}/x", "{named}.sha256"])
def test_a_name_for_digest_files_that_leads_elsewhere_is_no_setting(named: str) -> None:
    with pytest.raises(ValidationError):
        DigestFiles(named=named)
