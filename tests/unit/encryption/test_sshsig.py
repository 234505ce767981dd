"""Signatures: the stock `ssh-keygen` agrees with us both ways, and nothing hostile passes."""

import base64
import hashlib
import shutil
import struct
import subprocess
import textwrap
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey, verify
from notice_cycle.errors import Altered, NotConfigured, Refused

NAMESPACE = "notice-cycle-manifest"
MESSAGE = '{"発送回": "2026-07"}\n'.encode()
PRINCIPAL = "printer@example.jp"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
KEY = SigningKey(PRIVATE)

needs_ssh_keygen = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="`ssh-keygen` is not installed"
)


def allowed_line(
    key: SigningKey = KEY, principal: str = PRINCIPAL, namespaces: str | None = NAMESPACE
) -> str:
    option = f'namespaces="{namespaces}" ' if namespaces else ""
    return f"{principal} {option}{key.public_line}\n"


ALLOWED = AllowedSigners.parse(allowed_line())


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def armored(blob: bytes) -> str:
    lines = textwrap.wrap(base64.b64encode(blob).decode(), 70)
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def unarmored(signature: str) -> bytes:
    return base64.b64decode("".join(signature.splitlines()[1:-1]))


def a_signature(
    *,
    magic=b"SSHSIG",
    version=1,
    key_type=b"ssh-ed25519",
    key=PUBLIC,
    namespace=b"notice-cycle-manifest",
    reserved=b"",
    hash_name="sha512",
    signature_type=b"ssh-ed25519",
    after_key=b"",
    after_value=b"",
    after=b"",
    cut=64,
) -> str:
    """A signature valid over MESSAGE but for the one thing a test names."""
    hashed = hashlib.new(hash_name, MESSAGE).digest()
    signed = b"SSHSIG" + string(namespace) + string(reserved) + string(hash_name.encode()) + string(hashed)
    value = PRIVATE.sign(signed)[:cut]
    blob = magic + struct.pack(">I", version) + string(string(key_type) + string(key) + after_key)
    blob += string(namespace) + string(reserved) + string(hash_name.encode())
    return armored(blob + string(string(signature_type) + string(value) + after_value) + after)


def check(signature: str | bytes, message: bytes = MESSAGE, *, namespace=NAMESPACE, allowed=ALLOWED) -> str:
    return verify(message, signature, namespace=namespace, allowed=allowed)


# --- sound signatures


def test_our_signature_names_its_principal():
    assert check(KEY.sign(MESSAGE, namespace=NAMESPACE)) == PRINCIPAL


def test_bytes_crlf_and_a_missing_last_line_end_are_the_same_signature():
    signature = KEY.sign(MESSAGE, namespace=NAMESPACE)
    for variant in (signature.encode(), signature.replace("\n", "\r\n"), signature.rstrip("\n")):
        assert check(variant) == PRINCIPAL


@pytest.mark.parametrize("hash_name", ["sha512", "sha256"])
def test_both_hashes_of_the_format_are_verified(hash_name):
    assert check(a_signature(hash_name=hash_name)) == PRINCIPAL


def test_the_builder_makes_what_the_product_makes():
    assert a_signature() == KEY.sign(MESSAGE, namespace=NAMESPACE)


# --- refusals


def test_an_altered_message_is_altered():
    for message in (b"", MESSAGE + b"\n", MESSAGE[:-1]):
        with pytest.raises(Altered, match="一致しません"):
            check(a_signature(), message)


def test_another_namespace_is_refused_on_either_side():
    with pytest.raises(Refused, match="用途"):
        check(
            a_signature(),
            namespace="notice-cycle-reply",
            allowed=AllowedSigners.parse(allowed_line(namespaces=None)),
        )
    with pytest.raises(Refused, match="用途"):
        check(a_signature(namespace=b"notice-cycle-manifest-2"))


def test_a_known_key_outside_its_namespaces_is_refused():
    with pytest.raises(Refused, match="認められていません"):
        check(a_signature(), allowed=AllowedSigners.parse(allowed_line(namespaces="file,notice-cycle-reply")))


def test_an_unknown_key_is_refused_with_its_fingerprint():
    stranger = SigningKey(Ed25519PrivateKey.generate())
    with pytest.raises(Refused, match="一覧にありません") as caught:
        check(stranger.sign(MESSAGE, namespace=NAMESPACE))
    assert stranger.fingerprint in caught.value.message
    with pytest.raises(Refused, match="一覧にありません"):
        check(a_signature(), allowed=AllowedSigners.parse(""))


def test_the_namespace_cannot_be_left_empty():
    with pytest.raises(ValueError, match="namespace"):
        check(a_signature(), namespace="")
    with pytest.raises(ValueError, match="namespace"):
        KEY.sign(MESSAGE, namespace="")


@pytest.mark.parametrize(
    "hostile",
    [
        {"magic": b"SSHSIH"},
        {"version": 2},
        {"version": 0},
        {"key": bytes(31)},
        {"key": bytes(33)},
        {"reserved": b"x"},
        {"signature_type": b"ssh-rsa"},
        {"after_key": b"\0"},
        {"after_value": b"\0"},
        {"after": b"\0"},
        {"cut": 63},
        {"cut": 0},
    ],
    ids=str,
)
def test_a_malformed_signature_is_altered(hostile):
    with pytest.raises(Altered, match="形式"):
        check(a_signature(**hostile))


def test_other_hashes_and_key_types_are_refused():
    for hostile in ({"hash_name": "sha1"}, {"hash_name": "sha384"}, {"key_type": b"ssh-rsa"}):
        with pytest.raises(Refused):
            check(a_signature(**hostile))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text + "x",
        lambda text: text + "\n",
        lambda text: "\n" + text,
        lambda text: " " + text,
        lambda text: text * 2,
        lambda text: text.replace("BEGIN SSH", "BEGIN PGP"),
        lambda text: text.replace("-----END SSH SIGNATURE-----\n", ""),
        lambda text: text.replace("\n", ""),
        lambda text: text.replace("=", ""),
        lambda text: text.replace("U1NI", "U1N*", 1),
        lambda text: text.replace("U1NI", "U1NＩ", 1),
        lambda text: text.replace("U1NI", "U1 NI", 1),
        lambda text: text.replace("\n-----END", "\n\n-----END"),
        lambda text: text.replace("U1NI", "A" * 5000 + "U1NI", 1),
    ],
)
def test_damaged_armor_is_altered(damage):
    text = a_signature()
    assert damage(text) != text
    with pytest.raises(Altered, match="形式"):
        check(damage(text))
    with pytest.raises(Altered, match="形式"):
        check(damage(text).encode())


def test_every_truncation_and_every_flipped_bit_is_refused():
    blob = unarmored(a_signature())
    for length in range(len(blob)):
        with pytest.raises(Altered):
            check(armored(blob[:length]))
    for bit in range(len(blob) * 8):
        altered = bytearray(blob)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Refused):
            check(armored(bytes(altered)))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(junk):
    for hostile in (junk, armored(junk), armored(b"SSHSIG\0\0\0\1" + junk)):
        with pytest.raises(Refused):
            check(hostile)


# --- the list of allowed signers


def test_the_list_may_have_comments_empty_lines_and_a_windows_hand():
    text = "\ufeff# 委託先の鍵\r\n\r\n" + allowed_line().rstrip() + " 印刷会社 2026年度\r\n"
    assert AllowedSigners.parse(text.removeprefix("\ufeff")).signers == ALLOWED.signers


def test_a_list_with_a_byte_order_mark_loads(tmp_path):
    (tmp_path / "allowed").write_text("\ufeff" + allowed_line(), encoding="utf-8")
    assert AllowedSigners.load(tmp_path / "allowed") == ALLOWED


def test_a_key_may_have_several_lines_of_one_principal():
    allowed = AllowedSigners.parse(allowed_line(namespaces="a,b") + allowed_line(namespaces="c"))
    for namespace in "abc":
        signature = KEY.sign(MESSAGE, namespace=namespace)
        assert check(signature, namespace=namespace, allowed=allowed) == PRINCIPAL


def test_one_key_under_two_names_is_refused():
    with pytest.raises(NotConfigured, match="2行目は、別の署名者と同じ鍵"):
        AllowedSigners.parse(allowed_line() + allowed_line(principal="other@example.jp"))


@pytest.mark.parametrize(
    "line",
    [
        KEY.public_line,
        f"* {KEY.public_line}",
        f"*@example.jp {KEY.public_line}",
        f"a@example.jp,b@example.jp {KEY.public_line}",
        f"!a@example.jp {KEY.public_line}",
        f'a@example.jp namespaces="*" {KEY.public_line}',
        f'a@example.jp namespaces="" {KEY.public_line}',
        f"a@example.jp namespaces=file {KEY.public_line}",
        f"a@example.jp cert-authority {KEY.public_line}",
        f'a@example.jp valid-before="20270101" {KEY.public_line}',
        f'a@example.jp namespaces="file",valid-before="20270101" {KEY.public_line}',
        "a@example.jp ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==",
        KEY.public_line.replace("ssh-ed25519 ", "a@example.jp ssh-ed25519 A"),
        f"a@example.jp {KEY.public_line[:-4]}",
        f"a@example.jp {KEY.public_line}AAAA",
        "a@example.jp",
    ],
)
def test_a_line_we_do_not_understand_is_refused_by_its_number(line):
    with pytest.raises(NotConfigured, match="2行目") as caught:
        AllowedSigners.parse(f"# 一覧\n{line}\n")
    assert caught.value.advice


def test_a_missing_list_is_refused(tmp_path):
    with pytest.raises(NotConfigured, match="読めません"):
        AllowedSigners.load(tmp_path / "absent")


# --- the stock command


def ssh_keygen(*arguments: str, message: bytes = b"") -> subprocess.CompletedProcess:
    return subprocess.run(["ssh-keygen", *arguments], input=message, capture_output=True, check=False)


def a_key_file(tmp_path: Path, *arguments: str) -> Path:
    path = tmp_path / "key"
    made = ssh_keygen("-q", *(arguments or ("-t", "ed25519")), "-N", "", "-C", "a comment", "-f", str(path))
    assert made.returncode == 0, made.stderr
    return path


@needs_ssh_keygen
def test_a_key_of_ssh_keygen_loads_with_its_line_and_fingerprint(tmp_path):
    path = a_key_file(tmp_path)
    key = SigningKey.load(path)
    assert path.with_suffix(".pub").read_text().startswith(key.public_line + " ")
    listed = ssh_keygen("-l", "-f", str(path)).stdout.decode()
    assert listed.split()[1] == key.fingerprint
    assert AllowedSigners.parse(allowed_line(key)).signers[0].fingerprint == key.fingerprint


@needs_ssh_keygen
def test_a_signing_key_shows_only_its_fingerprint(tmp_path):
    path = a_key_file(tmp_path)
    key = SigningKey.load(path)
    assert repr(key) == str(key) == f"SigningKey({key.fingerprint})"


@needs_ssh_keygen
def test_ssh_keygen_verifies_what_we_sign(tmp_path):
    key = SigningKey.load(a_key_file(tmp_path))
    (tmp_path / "allowed").write_text(allowed_line(key))
    (tmp_path / "sig").write_text(key.sign(MESSAGE, namespace=NAMESPACE))
    arguments = (
        "-Y",
        "verify",
        "-f",
        str(tmp_path / "allowed"),
        "-I",
        PRINCIPAL,
        "-s",
        str(tmp_path / "sig"),
    )
    good = ssh_keygen(*arguments, "-n", NAMESPACE, message=MESSAGE)
    assert good.returncode == 0, good.stderr
    assert key.fingerprint.encode() in good.stdout
    assert ssh_keygen(*arguments, "-n", NAMESPACE, message=MESSAGE + b"x").returncode != 0
    assert ssh_keygen(*arguments, "-n", "other", message=MESSAGE).returncode != 0


@needs_ssh_keygen
@pytest.mark.parametrize("hash_name", ["sha512", "sha256"])
def test_we_verify_what_ssh_keygen_signs(tmp_path, hash_name):
    path = a_key_file(tmp_path)
    (tmp_path / "reply.json").write_bytes(MESSAGE)
    signed = ssh_keygen(
        "-Y",
        "sign",
        "-f",
        str(path),
        "-n",
        NAMESPACE,
        "-O",
        f"hashalg={hash_name}",
        str(tmp_path / "reply.json"),
    )
    assert signed.returncode == 0, signed.stderr
    signature = (tmp_path / "reply.json.sig").read_bytes()
    allowed = AllowedSigners.parse(allowed_line(SigningKey.load(path)))
    assert check(signature, allowed=allowed) == PRINCIPAL
    with pytest.raises(Altered):
        check(signature, MESSAGE + b"x", allowed=allowed)
    with pytest.raises(Refused):
        check(signature, namespace="other", allowed=allowed)


@needs_ssh_keygen
def test_an_rsa_signature_of_ssh_keygen_is_refused(tmp_path):
    path = a_key_file(tmp_path, "-t", "rsa", "-b", "2048")
    signature = ssh_keygen("-Y", "sign", "-f", str(path), "-n", NAMESPACE, message=MESSAGE).stdout
    with pytest.raises(Refused, match="Ed25519以外"):
        check(signature)
    with pytest.raises(NotConfigured, match="Ed25519鍵"):
        SigningKey.load(path)


@needs_ssh_keygen
def test_a_signing_key_others_may_read_or_with_a_passphrase_is_refused(tmp_path):
    path = a_key_file(tmp_path)
    path.chmod(0o640)
    with pytest.raises(NotConfigured, match="0640"):
        SigningKey.load(path)
    path.chmod(0o600)
    assert ssh_keygen("-p", "-P", "", "-N", "secret", "-f", str(path)).returncode == 0
    with pytest.raises(NotConfigured, match="パスフレーズなし"):
        SigningKey.load(path)


def test_a_file_that_is_no_key_is_refused(tmp_path):
    path = tmp_path / "key"
    path.write_text("not a key")
    path.chmod(0o600)
    with pytest.raises(NotConfigured):
        SigningKey.load(path)
    with pytest.raises(NotConfigured):
        SigningKey.load(tmp_path / "absent")
