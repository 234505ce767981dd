"""Package encryption: round trips, refusals in an officer's words, and the stock `age` command."""

import io
import os
import shutil
import time

import pytest
from tests.stock_age import run_age

from notice_cycle.encryption import age, passphrase
from notice_cycle.encryption.stream import CHUNK_BYTES
from notice_cycle.errors import Altered, Refused

SECRET = "GDW1D1-3XNV7Y-BR35B6-4H3KC0-XQAGCJ"
QUICK = 1  # work factor
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 17]

needs_age = pytest.mark.skipif(shutil.which("age") is None, reason="the `age` command is not installed")


def encrypted(plain: bytes, secret: str = SECRET, work_factor: int = QUICK) -> bytes:
    target = io.BytesIO()
    age.encrypt(io.BytesIO(plain), target, secret, work_factor=work_factor)
    return target.getvalue()


def decrypted(file: bytes, secret: str = SECRET) -> bytes:
    target = io.BytesIO()
    age.decrypt(io.BytesIO(file), target, secret)
    return target.getvalue()


def with_bit_flipped(file: bytes, position: int) -> bytes:
    return file[:position] + bytes([file[position] ^ 1]) + file[position + 1 :]


@pytest.mark.parametrize("size", SIZES)
def test_what_was_encrypted_is_decrypted(size):
    plain = os.urandom(size)
    assert decrypted(encrypted(plain)) == plain


def test_the_default_work_factor_is_eighteen():
    target = io.BytesIO()
    age.encrypt(io.BytesIO(b"abc"), target, SECRET)
    assert target.getvalue().splitlines()[1].endswith(b" 18")
    assert decrypted(target.getvalue()) == b"abc"


def test_two_encryptions_of_the_same_share_no_bytes_that_tell():
    first, second = encrypted(b"abc"), encrypted(b"abc")
    assert first.splitlines()[1:] != second.splitlines()[1:]
    assert first[-19:] != second[-19:]


def test_another_passphrase_is_refused_as_such():
    with pytest.raises(Refused, match="パスワードが違います") as caught:
        decrypted(encrypted(b"abc"), "another")
    assert not isinstance(caught.value, Altered)
    assert caught.value.advice


def test_every_bit_of_a_small_file_matters():
    file = encrypted(b"abc")
    for position in range(len(file)):
        with pytest.raises(Refused):
            decrypted(with_bit_flipped(file, position))


def test_an_altered_header_check_and_an_altered_payload_are_told_apart():
    file = encrypted(b"abc")
    mac_at = file.index(b"--- ") + 4
    other = b"A" if file[mac_at : mac_at + 1] != b"A" else b"B"
    with pytest.raises(Altered, match="ヘッダー"):
        decrypted(file[:mac_at] + other + file[mac_at + 1 :])
    with pytest.raises(Altered, match="第1区画"):
        decrypted(with_bit_flipped(file, len(file) - 1))


def test_truncation_is_found_at_every_length():
    file = encrypted(b"abc")
    for length in range(len(file)):
        with pytest.raises(Altered):
            decrypted(file[:length])


def test_appended_data_is_found():
    with pytest.raises(Altered):
        decrypted(encrypted(b"abc") + b"\n")
    with pytest.raises(Altered, match="余分"):
        decrypted(encrypted(bytes(CHUNK_BYTES)) + b"\n")


def test_a_fault_in_the_second_chunk_releases_the_first_only():
    plain = os.urandom(2 * CHUNK_BYTES)
    target = io.BytesIO()
    with pytest.raises(Altered):
        age.decrypt(io.BytesIO(encrypted(plain)[:-1]), target, SECRET)
    assert target.getvalue() == plain[:CHUNK_BYTES]


def test_a_source_that_fails_leaves_no_complete_file():
    class FailingSource(io.BytesIO):
        def read(self, size=-1, /):
            if self.tell():
                raise OSError("gone")
            return super().read(size)

    target = io.BytesIO()
    with pytest.raises(OSError, match="gone"):
        age.encrypt(FailingSource(bytes(100_000)), target, SECRET, work_factor=QUICK)
    with pytest.raises(Altered):
        decrypted(target.getvalue())


def test_a_high_work_factor_is_refused_before_any_scrypt():
    file = encrypted(b"abc").replace(b" 1\n", b" 21\n", 1)
    started = time.monotonic()
    with pytest.raises(Refused, match="21"):
        decrypted(file)
    assert time.monotonic() - started < 0.5


def test_a_header_without_end_is_refused():
    with pytest.raises(Altered, match="長すぎます"):
        decrypted(b"age-encryption.org/v1\n-> scrypt " + b"A" * 1_000_000)
    with pytest.raises(Altered, match="長すぎます"):
        decrypted(b"age-encryption.org/v1\n" + b"-> x y\n\n" * 10_000)


@pytest.mark.parametrize(
    "file", [b"", b"PK\x03\x04", b"age-encryption.org/v2\n", b"age-encryption.org/v1\n--- \n"]
)
def test_other_files_are_refused(file):
    with pytest.raises(Altered, match="ヘッダー"):
        decrypted(file)


def test_an_empty_passphrase_and_a_wild_work_factor_are_programming_errors():
    with pytest.raises(ValueError, match="passphrase"):
        encrypted(b"", "")
    for work_factor in (0, 21):
        with pytest.raises(ValueError, match="work factor"):
            encrypted(b"", work_factor=work_factor)


# --- the stock command


@needs_age
def test_the_age_command_opens_what_we_encrypt(tmp_path):
    secret, plain = passphrase.generate().reveal(), os.urandom(CHUNK_BYTES + 1)
    (tmp_path / "package.age").write_bytes(encrypted(plain, secret, work_factor=10))
    run_age("-d", "-o", str(tmp_path / "plain"), str(tmp_path / "package.age"), secret=secret)
    assert (tmp_path / "plain").read_bytes() == plain


@needs_age
def test_we_open_what_the_age_command_encrypts(tmp_path):
    secret, plain = passphrase.generate().reveal(), os.urandom(2 * CHUNK_BYTES)
    (tmp_path / "plain").write_bytes(plain)
    run_age("-p", "-o", str(tmp_path / "reply.age"), str(tmp_path / "plain"), secret=secret)
    assert decrypted((tmp_path / "reply.age").read_bytes(), secret) == plain
