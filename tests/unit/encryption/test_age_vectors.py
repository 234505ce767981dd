"""The age vectors nobody here wrote: the verdict, and the exact bytes released before a fault."""

import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from notice_cycle.encryption import age
from notice_cycle.errors import Altered, Refused

FOLDER = Path(__file__).parents[4] / "shared" / "vectors" / "age"
GRAMMAR_PREFIXES = ("stanza_", "hmac_", "header_", "version_", "empty")


def names(*prefixes: str) -> list:
    found = sorted(path.name for path in FOLDER.glob("*") if path.name.startswith(prefixes))
    absent = pytest.param(
        "absent", marks=pytest.mark.skip(reason=f"the age test vectors are not at {FOLDER}")
    )
    return found or [absent]


@dataclass
class Vector:
    expect: str
    fields: dict[str, str]
    body: bytes


def load(name: str) -> Vector:
    head, _, body = (FOLDER / name).read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in reversed(head.decode().splitlines()))
    if fields.get("compressed") == "zlib":
        body = zlib.decompress(body)
    return Vector(fields["expect"], fields, body)


def judge(open_reader) -> tuple[str, bytes]:
    """The verdict in the vectors' words, and what was released before it."""
    found = b""
    try:
        reader = open_reader()
    except Altered as error:
        assert "ヘッダー" in error.message
        return ("HMAC failure" if "検査値" in error.message else "header failure"), found
    except Refused as error:
        assert error.advice
        return ("header failure" if "ヘッダー" in error.message else "no match"), found
    try:
        while part := reader.read1():
            found += part
    except Altered:
        return "payload failure", found
    return "success", found


def assert_released(vector: Vector, found: bytes) -> None:
    expected = vector.fields.get("payload")
    if expected is None:
        assert found == b""
    else:
        assert hashlib.sha256(found).hexdigest() == expected


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the age test vectors are not at {FOLDER}")
def test_all_vectors_are_there():
    assert len(names("scrypt")) == 25
    assert len(names("stream")) == 28


@pytest.mark.parametrize("name", names("scrypt"))
def test_scrypt_vector(name):
    vector = load(name)
    verdict, found = judge(lambda: age.open_encrypted(io.BytesIO(vector.body), vector.fields["passphrase"]))
    assert verdict == vector.expect
    assert_released(vector, found)


@pytest.mark.parametrize("name", names("stream"))
def test_stream_vector(name):
    vector = load(name)
    file_key = bytes.fromhex(vector.fields["file key"])

    def open_reader():
        raw = io.BytesIO(vector.body)
        age.read_header(raw).verify(file_key)
        return age.open_payload(raw, file_key)

    verdict, found = judge(open_reader)
    assert verdict == vector.expect
    assert_released(vector, found)


@pytest.mark.parametrize("name", names(*GRAMMAR_PREFIXES))
def test_header_grammar_vector(name):
    """Other recipients' files: read to the header check, and never opened with a passphrase."""
    vector = load(name)
    if vector.expect == "header failure":
        with pytest.raises(Altered, match="ヘッダー"):
            age.read_header(io.BytesIO(vector.body))
        return
    header = age.read_header(io.BytesIO(vector.body))
    file_key = bytes.fromhex(vector.fields["file key"])
    with pytest.raises(Refused, match="パスワードで暗号化されたファイルではありません"):
        age.open_encrypted(io.BytesIO(vector.body), "password")
    if vector.expect == "HMAC failure":
        with pytest.raises(Altered, match="検査値"):
            header.verify(file_key)
    else:
        header.verify(file_key)


@pytest.mark.parametrize("name", names("armor_scrypt"))
def test_armor_is_refused_with_advice(name):
    with pytest.raises(Refused, match="armor"):
        age.read_header(io.BytesIO(load(name).body))
