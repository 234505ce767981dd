"""The two formats side by side: what one encrypts the same one decrypts, and nobody confuses them."""

import io

import pytest
from pydantic import ValidationError

from notice_cycle.encryption import passphrase
from notice_cycle.encryption.formats import FORMATS, PackageTerms, decrypt, encrypt, package_format
from notice_cycle.errors import Altered, NotConfigured, Refused

BOTH = pytest.mark.parametrize("name", ["age", "zip-aes256"])


def opened(name: str, file: bytes, secret: passphrase.Passphrase) -> bytes:
    target = io.BytesIO()
    decrypt(package_format(name), io.BytesIO(file), target, secret)
    return target.getvalue()


def made(name: str, plain: bytes, secret: passphrase.Passphrase) -> bytes:
    target = io.BytesIO()
    encrypt(package_format(name), io.BytesIO(plain), target, secret, member_name="print.csv")
    return target.getvalue()


def test_there_are_two_formats():
    assert list(FORMATS) == ["age", "zip-aes256"]
    assert [each.ending for each in FORMATS.values()] == [".age", ".zip"]
    assert all(each.cipher and each.clause_ja and each.opened_with_ja for each in FORMATS.values())


@BOTH
def test_what_was_encrypted_is_decrypted_and_another_passphrase_is_refused(name):
    secret = passphrase.generate()
    file = made(name, b"abc" * 50_000, secret)
    assert opened(name, file, secret) == b"abc" * 50_000
    with pytest.raises(Refused, match="パスワードが違います"):
        opened(name, file, passphrase.generate())


@BOTH
def test_a_file_of_the_other_format_is_refused(name):
    secret = passphrase.generate()
    other = "age" if name == "zip-aes256" else "zip-aes256"
    with pytest.raises(Altered):
        opened(name, made(other, b"abc", secret), secret)


@pytest.mark.parametrize("name", ["zip", "AGE", "", "gpg"])
def test_no_other_format_can_be_named(name):
    with pytest.raises(NotConfigured, match="形式"):
        package_format(name)
    with pytest.raises(ValidationError):
        PackageTerms(format=name, clause="仕様書 第5条")  # type: ignore[arg-type]


@pytest.mark.parametrize("clause", ["", " ", "　"])
def test_a_contract_says_where_it_names_the_format(clause):
    with pytest.raises(ValidationError):
        PackageTerms(format="age", clause=clause)
