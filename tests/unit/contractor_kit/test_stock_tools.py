"""The promise on the tin: a contractor without the kit opens and answers with stock tools alone."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.stock_age import run_age
from tests.unit.contractor_kit.packages import CONTRACTOR, CYCLE, WARD, APackage, a_package, quick_encryption

from contractor_kit.templates import template
from notice_cycle import clock
from notice_cycle.acknowledgement.receipts import verify_receipt
from notice_cycle.exchange.door import admit
from notice_cycle.exchange.messages import MESSAGE_NAMESPACE, Receipt
from notice_cycle.exchange.package import MANIFEST_NAMESPACE
from notice_cycle.values import sha256


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"`{tool}` is not installed")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> APackage:
    quick_encryption(monkeypatch)
    return a_package(tmp_path / "made")


@needs("sha256sum")
@needs("ssh-keygen")
@needs("age")
def test_a_package_is_checked_opened_and_answered_with_sha256sum_ssh_keygen_and_age(
    package: APackage, tmp_path: Path
) -> None:
    run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=package.folder)
    check = ("-Y", "verify", "-f", str(package.ward_signers), "-I", WARD, "-n", MANIFEST_NAMESPACE)
    manifest = (package.folder / "manifest.json").read_bytes()
    run("ssh-keygen", *check, "-s", "manifest.json.sig", cwd=package.folder, said=manifest)
    open_with_age(
        package.encryption.files[0].name, tmp_path / "print.csv", package.passphrase, package.folder
    )
    assert (tmp_path / "print.csv").read_bytes() == package.print_bytes

    answer = tmp_path / "receipt.json"
    answer.write_text(filled_in_by_hand(package), encoding="utf-8")
    run("ssh-keygen", "-Y", "sign", "-f", str(package.contractor_key), "-n", MESSAGE_NAMESPACE, str(answer))
    content, signature = answer.read_bytes(), (tmp_path / "receipt.json.sig").read_bytes()
    receipt = admit(
        content,
        signature,
        Receipt,
        cycle=CYCLE,
        signers={CONTRACTOR: CONTRACTOR},
        contractor=CONTRACTOR,
        allowed=package.contractors,
        at=clock.now(),
    ).message
    verify_receipt(
        package.handover, package.encryption, receipt, message_sha256=sha256(content), signed_by=CONTRACTOR
    )


@needs("sha256sum")
@needs("ssh-keygen")
@needs("7z")
def test_a_zip_package_is_checked_and_opened_with_sha256sum_ssh_keygen_and_7z(tmp_path: Path) -> None:
    package = a_package(tmp_path / "made", package_format="zip-aes256")
    run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=package.folder)
    check = ("-Y", "verify", "-f", str(package.ward_signers), "-I", WARD, "-n", MANIFEST_NAMESPACE)
    manifest = (package.folder / "manifest.json").read_bytes()
    run("ssh-keygen", *check, "-s", "manifest.json.sig", cwd=package.folder, said=manifest)
    name, out = package.encryption.files[0].name, tmp_path / "out"
    assert name.endswith(".csv.zip")
    run("7z", "x", f"-o{out}", name, cwd=package.folder, said=f"{package.passphrase}\n".encode())
    assert [path.name for path in out.iterdir()] == ["print.csv"]
    assert (out / "print.csv").read_bytes() == package.print_bytes
    listed = run("7z", "l", "-slt", name, cwd=package.folder)
    assert "Method = AES-256" in listed


def filled_in_by_hand(package: APackage) -> str:
    """The kit's template with this package's digests, as `sha256sum` prints them."""
    text = template("receipt")
    sums = run("sha256sum", *(file.name for file in package.encryption.files), cwd=package.folder)
    digests = {name: digest for digest, name in (line.split() for line in sums.splitlines())}
    for name, digest in digests.items():
        text = text.replace(f'"{name}": "{"0" * 64}"', f'"{name}": "{digest}"')
    return text.replace("0" * 64, digests["manifest.json"])


def run(*command: str, cwd: Path | None = None, said: bytes | None = None) -> str:
    """Runs a stock tool that must succeed; gives what it printed."""
    ran = subprocess.run(command, cwd=cwd, input=said, capture_output=True, check=False, timeout=30)
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")
    return ran.stdout.decode()


def open_with_age(name: str, target: Path, secret: str, folder: Path) -> None:
    """`age -d`, as docs/exchange-format.md says."""
    run_age("-d", "-o", str(target), name, secret=secret, folder=folder)
