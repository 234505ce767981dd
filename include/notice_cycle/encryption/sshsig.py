"""Signatures in OpenSSH's SSHSIG format with Ed25519, made and checked also by stock `ssh-keygen -Y`.

A signature counts only for the namespace asked for, only from a key on the list of allowed signers,
and only over exactly these bytes; there is no way to switch one of these off. Stricter than ssh-keygen:
no other key types, one literal principal per key, no wildcards or validity dates in the list, nothing
in the signature's reserved field. Source: openssh-portable PROTOCOL.sshsig, ssh-keygen(1).
"""

import base64
import binascii
import hashlib
import re
import struct
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from notice_cycle.encryption.wrapping import read_private_file
from notice_cycle.errors import Altered, NotConfigured, Refused

_MAGIC = b"SSHSIG"
_VERSION = 1
_KEY_TYPE = b"ssh-ed25519"
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_SIGNING_HASH = b"sha512"
_KNOWN_HASHES = (b"sha512", b"sha256")
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_ARMOR_COLUMNS = 70
_ARMOR = re.compile(rf"{_BEGIN}\n((?:[A-Za-z0-9+/=]{{1,76}}\n)+){_END}\n?")
_MAX_ARMOR_CHARACTERS = 4096
_MAX_PRIVATE_KEY_BYTES = 16 * 1024


class SigningKey:
    """An Ed25519 private key from an OpenSSH key file. It does not print."""

    __slots__ = ("_private",)

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        """Read an unprotected Ed25519 key its owner alone may read, or NotConfigured."""
        try:
            private = load_ssh_private_key(
                read_private_file(path, max_bytes=_MAX_PRIVATE_KEY_BYTES), password=None
            )
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise NotConfigured(
                f"署名鍵 {path} が、パスフレーズなしのEd25519鍵（OpenSSH形式）ではありません。",
                advice="`ssh-keygen -t ed25519 -N ''` で作った秘密鍵を指定してください。",
            )
        return cls(private)

    @property
    def public_line(self) -> str:
        """`ssh-ed25519 AAAA…` as in a .pub file, without a comment."""
        return f"{_KEY_TYPE.decode()} {base64.b64encode(_key_blob(self._public_key)).decode()}"

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` as `ssh-keygen -l` prints it."""
        return _fingerprint(self._public_key)

    def sign(self, message: bytes, *, namespace: str) -> str:
        """The armored signature over `message`, to be saved as a `.sig` file as it stands."""
        signature = self._private.sign(_signed_data(message, _namespace_bytes(namespace), _SIGNING_HASH))
        blob = _MAGIC + struct.pack(">I", _VERSION)
        for field in (
            _key_blob(self._public_key),
            _namespace_bytes(namespace),
            b"",
            _SIGNING_HASH,
            _string(_KEY_TYPE) + _string(signature),
        ):
            blob += _string(field)
        lines = textwrap.wrap(base64.b64encode(blob).decode(), _ARMOR_COLUMNS)
        return "\n".join([_BEGIN, *lines, _END, ""])

    @property
    def _public_key(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not serialised")


@dataclass(frozen=True)
class AllowedSigner:
    """One line of the list: whose key (32 bytes) it is and for which namespaces (None: all)."""

    principal: str
    key: bytes
    namespaces: frozenset[str] | None

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` as `ssh-keygen -l` prints it."""
        return _fingerprint(self.key)

    def may_sign(self, namespace: str) -> bool:
        """Whether this line allows the namespace."""
        return self.namespaces is None or namespace in self.namespaces


@dataclass(frozen=True)
class AllowedSigners:
    """The keys whose signatures count, as in OpenSSH's allowed_signers file."""

    signers: tuple[AllowedSigner, ...]

    @classmethod
    def load(cls, path: Path) -> "AllowedSigners":
        """Parse the file, or NotConfigured."""
        try:
            return cls.parse(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError):
            raise NotConfigured(
                f"署名者の一覧 {path} を読めません。",
                advice="一覧の場所の設定と、文字コード（UTF-8）を確認してください。",
            ) from None

    @classmethod
    def parse(cls, text: str) -> "AllowedSigners":
        """Parse `principal [namespaces="a,b"] ssh-ed25519 AAAA… [comment]` lines, or NotConfigured."""
        signers: list[AllowedSigner] = []
        for number, line in enumerate(re.split(r"\r?\n", text), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            signer = _parse_signer(line.strip(), number)
            if any(known.key == signer.key and known.principal != signer.principal for known in signers):
                raise _bad_line(number, "は、別の署名者と同じ鍵です")
            signers.append(signer)
        return cls(tuple(signers))

    def find(self, key: bytes) -> tuple[AllowedSigner, ...]:
        """The lines naming this key: all of one principal, possibly none."""
        return tuple(signer for signer in self.signers if signer.key == key)


def verify(message: bytes, signature: str | bytes, *, namespace: str, allowed: AllowedSigners) -> str:
    """The principal who signed exactly `message` for `namespace`.

    Altered: the message or the signature is damaged. Refused: a sound format, but another namespace,
    a key not on the list, or an algorithm we do not use.
    """
    expected = _namespace_bytes(namespace)
    found = _parse_signature(signature)
    if found.namespace != expected:
        raise Refused(
            f"署名の用途（namespace）が「{namespace}」ではありません。",
            advice=f"送り主に、`ssh-keygen -Y sign -n {namespace}` で署名し直すよう依頼してください。",
        )
    signers = allowed.find(found.key)
    if not signers:
        raise Refused(
            f"署名した鍵 {_fingerprint(found.key)} は、署名者の一覧にありません。",
            advice="鍵の指紋を書面または電話で送り主に確認してください。確認できるまで、このファイルは使わないでください。",
        )
    if not any(signer.may_sign(namespace) for signer in signers):
        raise Refused(
            f"署名者 {signers[0].principal} の鍵は、用途「{namespace}」の署名を認められていません。",
            advice="その用途の鍵で署名し直してもらうか、署名者の一覧を確認してください。",
        )
    try:
        Ed25519PublicKey.from_public_bytes(found.key).verify(
            found.signature, _signed_data(message, found.namespace, found.hash_name)
        )
    except (InvalidSignature, ValueError):
        raise Altered(
            f"ファイルの内容が、{signers[0].principal} の署名と一致しません。",
            advice="このファイルは使わないでください。ファイルと署名の組み合わせを確かめ、もう一度受け取ってください。",
        ) from None
    return signers[0].principal


@dataclass(frozen=True)
class _Signature:
    key: bytes
    namespace: bytes
    hash_name: bytes
    signature: bytes


def _parse_signature(armored: str | bytes) -> _Signature:
    fields = _Fields(_dearmor(armored))
    if fields.take(len(_MAGIC)) != _MAGIC or fields.number() != _VERSION:
        raise _broken()
    key = _parse_key(fields.string())
    namespace, reserved, hash_name = fields.string(), fields.string(), fields.string()
    signature = _Fields(fields.string())
    fields.end()
    kind, value = signature.string(), signature.string()
    signature.end()
    if reserved or kind != _KEY_TYPE or len(value) != _SIGNATURE_BYTES:
        raise _broken()
    if hash_name not in _KNOWN_HASHES:
        raise Refused(
            "署名のハッシュ方式に対応していません。",
            advice="送り主に、標準の `ssh-keygen -Y sign` で署名し直すよう依頼してください。",
        )
    return _Signature(key, namespace, hash_name, value)


def _dearmor(armored: str | bytes) -> bytes:
    if len(armored) > _MAX_ARMOR_CHARACTERS:
        raise _broken()
    try:
        text = armored if isinstance(armored, str) else armored.decode("ascii")
        match = _ARMOR.fullmatch(text.replace("\r\n", "\n"))  # mail and Windows editors change line ends
        if not match:
            raise _broken()
        return _decode(match[1].replace("\n", ""))
    except ValueError:
        raise _broken() from None


def _parse_key(blob: bytes) -> bytes:
    fields = _Fields(blob)
    if fields.string() != _KEY_TYPE:
        raise Refused(
            "Ed25519以外の鍵による署名です。",
            advice="送り主に、登録したEd25519の鍵で署名し直すよう依頼してください。",
        )
    key = fields.string()
    fields.end()
    if len(key) != _KEY_BYTES:
        raise _broken()
    return key


_SIGNER_LINE = re.compile(
    r"(?P<principal>[^\s\"*?!,]+)[ \t]+"
    r"(?:(?i:namespaces)=\"(?P<namespaces>[^\s\"*?!]+)\"[ \t]+)?"
    r"ssh-ed25519[ \t]+(?P<key>[A-Za-z0-9+/=]+)(?:[ \t].*)?"
)


def _parse_signer(line: str, number: int) -> AllowedSigner:
    match = _SIGNER_LINE.fullmatch(line)
    if not match:
        raise _bad_line(number, "の書き方が正しくありません")
    try:
        key = _parse_key(_decode(match["key"]))
    except (ValueError, Refused):
        raise _bad_line(number, "の鍵が壊れています") from None
    namespaces = frozenset(match["namespaces"].split(",")) if match["namespaces"] else None
    return AllowedSigner(match["principal"], key, namespaces)


class _Fields:
    """SSH wire format read from hostile bytes: no length is believed, nothing may be left over."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, size: int) -> bytes:
        if size > len(self._data):
            raise _broken()
        found, self._data = self._data[:size], self._data[size:]
        return found

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def end(self) -> None:
        if self._data:
            raise _broken()


def _signed_data(message: bytes, namespace: bytes, hash_name: bytes) -> bytes:
    digest = hashlib.new(hash_name.decode(), message).digest()
    return _MAGIC + _string(namespace) + _string(b"") + _string(hash_name) + _string(digest)


def _namespace_bytes(namespace: str) -> bytes:
    if not namespace:
        raise ValueError("a signature needs a namespace")
    return namespace.encode()


def _key_blob(key: bytes) -> bytes:
    return _string(_KEY_TYPE) + _string(key)


def _fingerprint(key: bytes) -> str:
    digest = hashlib.sha256(_key_blob(key)).digest()
    return "SHA256:" + base64.b64encode(digest).rstrip(b"=").decode()


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _decode(text: str) -> bytes:
    """Padded base64 in its one canonical spelling, or ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


def _broken() -> Altered:
    return Altered(
        "署名ファイルの形式が正しくありません。",
        advice="署名ファイル（.sig）をもう一度受け取ってください。続く場合は、送り主に署名し直すよう依頼してください。",
    )


def _bad_line(number: int, what: str) -> NotConfigured:
    return NotConfigured(
        f"署名者の一覧の{number}行目{what}。",
        advice='「名前 namespaces="用途" ssh-ed25519 AAAA…」の形に直してください。名前は鍵ごとに1つです。',
    )
