"""Keys at rest: which key files are taken, what a wrapped secret opens under, and what never prints."""

import base64
import pickle

import pytest

from notice_cycle.encryption.wrapping import KeyEncryptionKey, derive
from notice_cycle.errors import Altered, NotConfigured, Refused

KEY = bytes(range(32))
CONTEXT = "2026-nhi-annual/passphrase"


def a_key_file(tmp_path, content: bytes = base64.b64encode(KEY) + b"\n", mode: int = 0o600):
    path = tmp_path / "kek"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("size", [0, 1, 34, 5000])
def test_what_was_wrapped_is_unwrapped(size):
    kek = KeyEncryptionKey(KEY)
    assert kek.unwrap(kek.wrap(bytes(size), context=CONTEXT), context=CONTEXT) == bytes(size)


@pytest.mark.parametrize(
    "content",
    [
        base64.b64encode(KEY),
        base64.b64encode(KEY) + b"\n",
        KEY.hex().encode(),
        KEY.hex().upper().encode() + b"\r\n",
    ],
)
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_base64_and_hex_files_hold_the_same_key(tmp_path, content, mode):
    wrapped = KeyEncryptionKey(KEY).wrap(b"secret", context=CONTEXT)
    loaded = KeyEncryptionKey.load(a_key_file(tmp_path, content, mode))
    assert loaded.unwrap(wrapped, context=CONTEXT) == b"secret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o777])
def test_a_file_with_rights_for_others_is_refused_with_the_command_to_type(tmp_path, mode):
    with pytest.raises(NotConfigured, match=f"{mode:04o}") as caught:
        KeyEncryptionKey.load(a_key_file(tmp_path, mode=mode))
    assert "chmod 600" in caught.value.advice


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        KEY,
        base64.b64encode(KEY[:31]),
        base64.b64encode(KEY + b"x"),
        KEY.hex()[:-1].encode(),
        b"changeme",
        base64.b64encode(KEY) + b" " + base64.b64encode(KEY),
        b"A" * 10_000,
    ],
)
def test_any_other_content_is_refused_without_showing_it(tmp_path, content):
    with pytest.raises(NotConfigured) as caught:
        KeyEncryptionKey.load(a_key_file(tmp_path, content))
    assert caught.value.advice
    assert not content.strip() or content.decode(errors="replace").strip() not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(NotConfigured) as caught:
            KeyEncryptionKey.load(path)
        assert caught.value.advice


def test_a_created_key_is_private_loads_and_wraps(tmp_path):
    path = tmp_path / "kek"
    created = KeyEncryptionKey.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    wrapped = created.wrap(b"secret", context=CONTEXT)
    assert KeyEncryptionKey.load(path).unwrap(wrapped, context=CONTEXT) == b"secret"


def test_an_existing_key_is_never_overwritten(tmp_path):
    path = tmp_path / "kek"
    KeyEncryptionKey.create(path)
    before = path.read_bytes()
    with pytest.raises(Refused, match="すでにあります"):
        KeyEncryptionKey.create(path)
    assert path.read_bytes() == before


def test_a_key_in_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(NotConfigured, match="作れません"):
        KeyEncryptionKey.create(tmp_path / "absent" / "kek")


def test_two_wrappings_of_one_secret_differ():
    kek = KeyEncryptionKey(KEY)
    assert kek.wrap(b"secret", context=CONTEXT) != kek.wrap(b"secret", context=CONTEXT)


def test_another_context_another_key_and_every_flipped_bit_are_altered():
    kek = KeyEncryptionKey(KEY)
    wrapped = kek.wrap(b"secret", context=CONTEXT)
    with pytest.raises(Altered):
        kek.unwrap(wrapped, context=CONTEXT + "2")
    with pytest.raises(Altered):
        KeyEncryptionKey(bytes(32)).unwrap(wrapped, context=CONTEXT)
    for bit in range(len(wrapped) * 8):
        altered = bytearray(wrapped)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Altered):
            kek.unwrap(bytes(altered), context=CONTEXT)


def test_truncated_and_extended_wrappings_are_altered():
    kek = KeyEncryptionKey(KEY)
    wrapped = kek.wrap(b"secret", context=CONTEXT)
    for altered in (*(wrapped[:length] for length in range(len(wrapped))), wrapped + b"\0"):
        with pytest.raises(Altered) as caught:
            kek.unwrap(altered, context=CONTEXT)
        assert caught.value.advice


def test_a_key_neither_prints_nor_pickles():
    kek = KeyEncryptionKey(KEY)
    assert repr(kek) == str(kek) == "KeyEncryptionKey(●●●)"
    with pytest.raises(TypeError):
        pickle.dumps(kek)
    with pytest.raises(ValueError, match="32 bytes"):
        KeyEncryptionKey(b"short")


def test_derived_keys_differ_by_purpose_and_key():
    assert len(derive(KEY, "a")) == 32
    assert derive(KEY, "a") == derive(KEY, "a")
    assert len({derive(KEY, "a"), derive(KEY, "b"), derive(KEY[::-1], "a"), derive(KEY, "a", salt=b"s")}) == 4


def test_derivation_is_rfc_5869():
    """Test case 3 of RFC 5869: no salt, no info, the first 32 bytes."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert derive(b"\x0b" * 22, "").hex() == expected
