"""A file with personal data comes in encrypted or not at all; nothing is unpacked to find that out."""

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import pyzipper
from tests.enclosed import encrypted_by_age, encrypted_zip

from notice_cycle.errors import Refused
from notice_cycle.exchange.enclosures import container_of

AGE, ZIP = encrypted_by_age(b"name,number"), encrypted_zip(b"name,number" * 100)


def a_zip(*members: tuple[str, bytes, bool]) -> bytes:
    """A ZIP with members, each encrypted or not."""
    target = io.BytesIO()
    with pyzipper.AESZipFile(target, "w", compression=pyzipper.ZIP_DEFLATED) as archive:
        for name, content, encrypted in members:
            archive.setpassword(b"secret" if encrypted else None)
            archive.setencryption(
                pyzipper.WZ_AES if encrypted else None, **({"nbits": 256} if encrypted else {})
            )
            archive.writestr(name, content)
    return target.getvalue()


def test_both_containers_are_known() -> None:
    assert container_of(io.BytesIO(AGE)) == "age"
    assert container_of(io.BytesIO(ZIP)) == "zip-aes256"
    assert container_of(io.BytesIO(a_zip(("a", b"x", True), ("b", b"y", True)))) == "zip-aes256"


def plain_zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("plain.csv", "x" * 100)
    return target.getvalue()


REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "text": "被保険者番号,氏名".encode(),
    "a plain ZIP": plain_zip(),
    "a ZIP with one plain member": a_zip(("a", b"x", True), ("b", b"y", False)),
    "AES with 128 bits": ZIP.replace(b"\x01\x99\x07\x00\x02\x00AE\x03", b"\x01\x99\x07\x00\x02\x00AE\x01"),
    "a ZIP behind plain text": b"plain,text\n" * 10 + ZIP,
    "a ZIP before plain text": ZIP + b"plain,text\n" * 10,
    "half a ZIP": ZIP[: len(ZIP) // 2],
    "only an age header's first line": b"age-encryption.org/v1\n",
    "an age header without a payload": AGE[: AGE.index(b"\n--- ") + 5 + 43 + 1],
    "an age header of something else": AGE.replace(b"\n--- ", b"\n+++ "),
    "a PDF": b"%PDF-1.7\n" + b"0" * 1_000,
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_wholly_encrypted_is_refused(what: str) -> None:
    with pytest.raises(Refused, match="暗号化されていません") as refused:
        container_of(io.BytesIO(REFUSED[what]))
    assert "消去" in refused.value.advice


@pytest.mark.skipif(shutil.which("7z") is None, reason="`7z` is not installed")
@pytest.mark.parametrize(("method", "taken"), [("AES256", True), ("ZipCrypto", False)])
def test_what_7_zip_makes_is_judged_by_its_encryption(tmp_path: Path, method: str, taken: bool) -> None:
    (tmp_path / "list.csv").write_text("x" * 1_000)
    command = ["7z", "a", "-tzip", f"-mem={method}", "-psecret", "out.zip", "list.csv"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with (tmp_path / "out.zip").open("rb") as source:
        if taken:
            assert container_of(source) == "zip-aes256"
        else:
            with pytest.raises(Refused):
                container_of(source)
