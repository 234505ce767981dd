"""Files encrypted with a passphrase in the age format, which every contractor can open with stock tools.

Only age v1 in its binary form with one scrypt recipient: no public keys, no armor, no options. The work
factor written is 18; more than 20 is refused when reading, before any memory is spent on it. A header
that is not exactly the specification's grammar is refused, so no two files mean the same.
A wrong passphrase is Refused, damaged bytes are Altered. Source: age-encryption.org/v1 (C2SP).
"""

import base64
import binascii
import hmac
import os
import re
import shutil
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from notice_cycle.encryption.stream import CHUNK_BYTES, TAG_BYTES, StreamReader, StreamWriter, read_up_to
from notice_cycle.encryption.wrapping import derive
from notice_cycle.errors import Altered, Refused

WORK_FACTOR = 18  # 256 MiB and about a second
MAX_WORK_FACTOR = 20

_VERSION = b"age-encryption.org/v1\n"
_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_FILE_KEY_BYTES = 16
_SALT_BYTES = 16
_PAYLOAD_NONCE_BYTES = 16
_MAC_BYTES = 32
_MAX_HEADER_BYTES = 16 * 1024
_BODY_COLUMNS = 64
_ZERO_NONCE = bytes(12)  # each wrap key encrypts one file key only

_ADVICE = "このファイルは使わないでください。もう一度受け取るか、送り主に作り直してもらってください。"


def encrypt(source: BinaryIO, target: BinaryIO, passphrase: str, *, work_factor: int = WORK_FACTOR) -> None:
    """Write `source` to `target` as an age file. After an exception `target` is recognisably incomplete."""
    if not passphrase:
        raise ValueError("an age file needs a passphrase")
    if not 1 <= work_factor <= MAX_WORK_FACTOR:
        raise ValueError(f"the work factor lies between 1 and {MAX_WORK_FACTOR}")
    file_key, nonce = os.urandom(_FILE_KEY_BYTES), os.urandom(_PAYLOAD_NONCE_BYTES)
    target.write(_header(file_key, passphrase, work_factor) + nonce)
    with StreamWriter(target, derive(file_key, "payload", salt=nonce)) as payload:
        shutil.copyfileobj(source, payload, CHUNK_BYTES)


def decrypt(source: BinaryIO, target: BinaryIO, passphrase: str) -> None:
    """Write the plaintext of the age file `source` to `target`, or raise like `open_encrypted`.

    A fault may show after part of the plaintext was written: give it a temporary name until this returns.
    """
    with open_encrypted(source, passphrase) as plain:
        while part := plain.read1():
            target.write(part)


def open_encrypted(raw: BinaryIO, passphrase: str) -> StreamReader:
    """A reader of the plaintext; `raw` stands at the start of the age file and stays the caller's to close.

    Refused: another passphrase, no passphrase recipient, armor, a work factor above 20.
    Altered: the header now, the payload later while reading.
    """
    header = read_header(raw)
    file_key = _unwrap(header, passphrase)
    header.verify(file_key)
    return open_payload(raw, file_key)


def open_payload(raw: BinaryIO, file_key: bytes) -> StreamReader:
    """A reader of the payload layer alone; `raw` stands behind the header."""
    nonce = read_up_to(raw, _PAYLOAD_NONCE_BYTES)
    if len(nonce) != _PAYLOAD_NONCE_BYTES:
        raise _broken("の直後で切れています。")
    return StreamReader(raw, derive(file_key, "payload", salt=nonce))


@dataclass(frozen=True)
class Stanza:
    """One recipient of the header: its arguments (the first names its type) and its decoded body."""

    arguments: tuple[bytes, ...]
    body: bytes


@dataclass(frozen=True)
class Header:
    """A header whose grammar is right; nothing in it is authenticated before `verify`."""

    stanzas: tuple[Stanza, ...]
    authenticated: bytes
    mac: bytes

    def verify(self, file_key: bytes) -> None:
        """Altered unless the header is the one that was written with this file key."""
        if not hmac.compare_digest(_mac(self.authenticated, file_key), self.mac):
            raise _broken("が書き換えられています（検査値が合いません）。")


def read_header(raw: BinaryIO) -> Header:
    """Parse the header exactly as specified and leave `raw` at the payload, or raise Refused or Altered."""
    lines = _Lines(raw)
    first = lines.next()
    if first.startswith(b"-----BEGIN AGE"):
        raise Refused(
            "テキスト形式（armor）のageファイルには対応していません。",
            advice="送り主に、`-a` を付けずに暗号化したファイルを依頼してください。",
        )
    if first + b"\n" != _VERSION:
        raise _broken("がageの第1版ではありません。")
    stanzas = []
    line = lines.next()
    while line.startswith(b"-> "):
        stanzas.append(Stanza(_arguments(line), _body(lines)))
        line = lines.next()
    mac = re.fullmatch(rb"--- (\S+)", line)
    if not mac or not stanzas:
        raise _broken("の形式が正しくありません。")
    authenticated = lines.consumed[: -len(mac[1]) - len(b" \n")]
    return Header(tuple(stanzas), authenticated, _decode(mac[1], size=_MAC_BYTES))


class _Lines:
    """The lines of the header, none of them endless, and all bytes consumed so far."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.consumed = b""

    def next(self) -> bytes:
        line = self._raw.readline(_MAX_HEADER_BYTES - len(self.consumed))
        self.consumed += line
        if not line.endswith(b"\n"):
            raise _broken("が途中で切れているか、長すぎます。")
        return line[:-1]


def _arguments(line: bytes) -> tuple[bytes, ...]:
    arguments = tuple(line.split(b" ")[1:])
    if not all(re.fullmatch(rb"[\x21-\x7e]+", argument) for argument in arguments):
        raise _broken("の形式が正しくありません。")
    return arguments


def _body(lines: _Lines) -> bytes:
    """Full lines of 64 columns, then always a shorter one, which may be empty."""
    body = b""
    while True:
        line = lines.next()
        if len(line) > _BODY_COLUMNS:
            raise _broken("の形式が正しくありません。")
        body += _decode(line)
        if len(line) < _BODY_COLUMNS:
            return body


def _unwrap(header: Header, passphrase: str) -> bytes:
    """The file key. Everything that can be refused without scrypt is refused before it."""
    scrypts = [stanza for stanza in header.stanzas if stanza.arguments[0] == b"scrypt"]
    if not scrypts:
        raise Refused(
            "パスワードで暗号化されたファイルではありません。",
            advice="送り主に、公開鍵ではなくパスワードで暗号化（`age -p`）するよう依頼してください。",
        )
    if len(header.stanzas) != 1:
        # A second recipient would mean that someone who does not know the passphrase can open the file.
        raise _broken("に、パスワードのほかの宛先があります。")
    salt, work_factor = _scrypt_parameters(scrypts[0])
    wrapped = scrypts[0].body
    if len(wrapped) != _FILE_KEY_BYTES + TAG_BYTES:
        raise _broken("の鍵の長さが正しくありません。")
    try:
        return ChaCha20Poly1305(_wrap_key(passphrase, salt, work_factor)).decrypt(_ZERO_NONCE, wrapped, None)
    except InvalidTag:
        raise Refused(
            "パスワードが違います。",
            advice="パスワード通知書と発送回の番号を確認して、入力し直してください。",
        ) from None


def _scrypt_parameters(stanza: Stanza) -> tuple[bytes, int]:
    match stanza.arguments:
        case (_, salt, work_factor) if re.fullmatch(rb"[1-9][0-9]{0,19}", work_factor):
            logarithm = int(work_factor)
        case _:
            raise _broken("の形式が正しくありません。")
    if logarithm > MAX_WORK_FACTOR:
        raise Refused(
            f"暗号化ファイルのヘッダーの計算量（work factor）が{logarithm}です（上限{MAX_WORK_FACTOR}）。",
            advice=f"送り主に、計算量を{WORK_FACTOR}（ageの標準）にして暗号化し直すよう依頼してください。",
        )
    return _decode(salt, size=_SALT_BYTES), logarithm


def _header(file_key: bytes, passphrase: str, work_factor: int) -> bytes:
    salt = os.urandom(_SALT_BYTES)
    wrapped = ChaCha20Poly1305(_wrap_key(passphrase, salt, work_factor)).encrypt(_ZERO_NONCE, file_key, None)
    stanza = b"-> scrypt %s %d\n%s\n" % (_encode(salt), work_factor, _encode(wrapped))
    authenticated = _VERSION + stanza + b"---"
    return authenticated + b" " + _encode(_mac(authenticated, file_key)) + b"\n"


def _wrap_key(passphrase: str, salt: bytes, work_factor: int) -> bytes:
    return Scrypt(salt=_SCRYPT_LABEL + salt, length=32, n=1 << work_factor, r=8, p=1).derive(
        passphrase.encode()
    )


def _mac(authenticated: bytes, file_key: bytes) -> bytes:
    return hmac.digest(derive(file_key, "header"), authenticated, "sha256")


def _encode(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _decode(text: bytes, *, size: int | None = None) -> bytes:
    """Base64 without padding in its one canonical spelling, of `size` bytes when given."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise _broken("の形式が正しくありません。") from None
    if _encode(data) != text or (size is not None and len(data) != size):
        raise _broken("の形式が正しくありません。")
    return data


def _broken(what: str) -> Altered:
    return Altered(f"暗号化ファイルのヘッダー{what}", advice=_ADVICE)
