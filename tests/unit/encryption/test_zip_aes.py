"""Packages for 7-Zip: round trips, refusals in an officer's words, and the stock `7z` command."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notice_cycle.encryption import passphrase, zip_aes
from notice_cycle.errors import Altered, Refused

SECRET = "GDW1D1-3XNV7Y-BR35B6-4H3KC0-XQAGCJ"
MEMBER = "print.csv"
INCLUDE = Path(__file__).parents[3] / "include"

needs_7z = pytest.mark.skipif(
    shutil.which("7z") is None, reason="7z is not installed; run tools/debian-packages"
)


def encrypted(plain: bytes, secret: str = SECRET) -> bytes:
    target = io.BytesIO()
    zip_aes.encrypt(io.BytesIO(plain), target, secret, member_name=MEMBER)
    return target.getvalue()


def decrypted(file: bytes, secret: str = SECRET) -> bytes:
    target = io.BytesIO()
    zip_aes.decrypt(io.BytesIO(file), target, secret)
    return target.getvalue()


def refused(file: bytes, secret: str = SECRET) -> Refused:
    """The refusal; nothing may have been written before it."""
    target = io.BytesIO()
    with pytest.raises(Refused) as caught:
        zip_aes.decrypt(io.BytesIO(file), target, secret)
    assert target.getvalue() == b""
    assert caught.value.advice
    return caught.value


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1024 * 1024, 3 * 1024 * 1024 + 17])
def test_what_was_encrypted_is_decrypted(size):
    plain = os.urandom(size)
    assert decrypted(encrypted(plain)) == plain


def test_two_encryptions_differ_and_have_one_length():
    first, second = encrypted(b"abc"), encrypted(b"abc")
    assert first != second
    assert len(first) == len(second)
    assert MEMBER.encode() in first


def test_another_passphrase_is_refused_as_such():
    fault = refused(encrypted(b"abc"), "another")
    assert "パスワードが違います" in fault.message
    assert not isinstance(fault, Altered)


def test_a_passphrase_that_passes_the_two_byte_check_still_opens_nothing():
    """One in 65,536 wrong passphrases passes the check in the header; the check value at the end stops it."""
    file = encrypted(b"abc")
    salt_at = 30 + len(MEMBER) + file[28]
    salt = file[salt_at : salt_at + 16]
    # The same without 65,536 tries: the check bytes of another passphrase written into the header.
    check = hashlib.pbkdf2_hmac("sha1", b"another", salt, 1000, dklen=66)[64:]
    assert isinstance(refused(file[: salt_at + 16] + check + file[salt_at + 18 :], "another"), Altered)


def test_no_flipped_bit_gives_other_bytes():
    """Names, dates and permissions in a ZIP are not authenticated; the content is, and that is all we take."""
    plain = b"abc" * 7
    file = encrypted(plain)
    content = file.index(b"PK\1\2") - 10 - len(plain)
    for position in range(len(file)):
        changed = file[:position] + bytes([file[position] ^ (1 << position % 8)]) + file[position + 1 :]
        try:
            assert decrypted(changed) == plain
        except Refused:
            continue
        assert not content <= position < content + len(plain) + 10, position


def test_an_altered_content_is_told_from_a_wrong_passphrase():
    file = encrypted(b"abc" * 100)
    position = file.index(b"PK\1\2") - 20
    fault = refused(file[:position] + bytes([file[position] ^ 1]) + file[position + 1 :])
    assert isinstance(fault, Altered)
    assert "検査値" in fault.message


def test_truncation_is_found_at_every_length():
    file = encrypted(b"abc")
    for length in range(len(file)):
        assert isinstance(refused(file[:length]), Altered)


@pytest.mark.parametrize(
    "around", [(b"x", b""), (b"", b"x"), (b"", b"PK\5\6" + bytes(18)), (bytes(4096), b"")]
)
def test_data_before_or_behind_are_found(around):
    before, behind = around
    assert isinstance(refused(before + encrypted(b"abc") + behind), Altered)


def test_other_zips_are_refused():
    import pyzipper

    def made(members: int = 1, **how) -> bytes:
        target = io.BytesIO()
        with pyzipper.AESZipFile(target, "w", **how) as archive:
            archive.setpassword(SECRET.encode() if how else None)
            for number in range(members):
                archive.writestr(f"{number}.csv", b"abc" * 100)
        return target.getvalue()

    aes = {"encryption": pyzipper.WZ_AES}
    assert "AES-256" in refused(made()).message
    assert "AES-256" in refused(made(**aes, encryption_kwargs={"nbits": 128})).message
    assert "AES-256" in refused(made(**aes, compression=pyzipper.ZIP_DEFLATED)).message
    assert "ちょうど一つ" in refused(made(2, **aes)).message
    assert "ちょうど一つ" in refused(made(0, **aes)).message


@pytest.mark.parametrize("file", [b"", b"age-encryption.org/v1\n", b"PK\3\4", b"PK\5\6" + bytes(18)])
def test_other_files_are_refused(file):
    assert isinstance(refused(file), Altered)


def test_a_source_that_fails_leaves_no_complete_file():
    class FailingSource(io.BytesIO):
        def read(self, size=-1, /):
            if self.tell():
                raise OSError("gone")
            return super().read(size)

    target = io.BytesIO()
    with pytest.raises(OSError, match="gone"):
        zip_aes.encrypt(FailingSource(bytes(3_000_000)), target, SECRET, member_name=MEMBER)
    assert b"PK\5\6" not in target.getvalue()
    assert isinstance(refused(target.getvalue()), Altered)


def test_a_full_disk_is_an_oserror_and_leaves_no_complete_file():
    class Full(io.BytesIO):
        def write(self, data, /):
            if self.tell() + len(data) > 1_500_000:
                raise OSError(28, "No space left on device")
            return super().write(data)

    target = Full()
    with pytest.raises(OSError, match="No space"):
        zip_aes.encrypt(io.BytesIO(bytes(3_000_000)), target, SECRET, member_name=MEMBER)
    assert isinstance(refused(target.getvalue()), Altered)


def test_an_empty_passphrase_is_a_programming_error():
    with pytest.raises(ValueError, match="passphrase"):
        encrypted(b"", "")


class Zeros(io.RawIOBase):
    """So many bytes of nothing, and how many have been read."""

    def __init__(self, size):
        self.left = size

    def readable(self):
        return True

    def readinto(self, buffer, /):
        taken = min(len(buffer), self.left)
        buffer[:taken] = bytes(taken)
        self.left -= taken
        return taken


MEMORY = """
import sys, tempfile
from notice_cycle.encryption import zip_aes
from tests.unit.encryption.test_zip_aes import SECRET, MEMBER, Zeros
size = int(sys.argv[1])
with tempfile.TemporaryFile() as file, open("/dev/null", "wb") as nowhere:
    zip_aes.encrypt(Zeros(size), file, SECRET, member_name=MEMBER)
    zip_aes.decrypt(file, nowhere, SECRET)
print(int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) // 1024)
"""


def peak_mebibytes(size: int) -> int:
    command = [sys.executable, "-c", MEMORY, str(size)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(INCLUDE), str(INCLUDE.parent)])}
    return int(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def test_the_memory_taken_does_not_grow_with_the_file():
    assert abs(peak_mebibytes(100_000_000) - peak_mebibytes(1_000_000)) < 16


@needs_7z
def test_stock_7z_opens_what_we_encrypt(tmp_path):
    secret, plain = passphrase.generate().reveal(), os.urandom(300_000)
    (tmp_path / "package.zip").write_bytes(encrypted(plain, secret))
    subprocess.run(
        ["7z", "x", f"-p{secret}", f"-o{tmp_path}", tmp_path / "package.zip"], check=True, capture_output=True
    )
    assert (tmp_path / MEMBER).read_bytes() == plain
    listed = subprocess.run(
        ["7z", "l", "-slt", tmp_path / "package.zip"], check=True, capture_output=True, text=True
    ).stdout
    assert "Method = AES-256 Store" in listed
    wrong = subprocess.run(["7z", "t", "-pwrong", tmp_path / "package.zip"], check=False, capture_output=True)
    assert wrong.returncode != 0


@needs_7z
def test_stock_7z_opens_more_than_four_gibibytes(tmp_path):
    size = 4 * 1024**3 + 5
    if os.environ.get("NOTICE_CYCLE_BIG_TESTS") != "1" or shutil.disk_usage(tmp_path).free < 3 * size:
        pytest.skip("set NOTICE_CYCLE_BIG_TESTS=1 and have 13 GB free")
    path = tmp_path / "package.zip"
    with path.open("w+b") as target:
        zip_aes.encrypt(Zeros(size), target, SECRET, member_name=MEMBER)
        with Path(os.devnull).open("wb") as nowhere:
            zip_aes.decrypt(target, nowhere, SECRET)
    subprocess.run(["7z", "t", f"-p{SECRET}", path], check=True, capture_output=True)
