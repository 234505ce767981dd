"""Keys that protect keys: wrapping a secret for rest in the vault, and deriving one key from another.

A wrapped secret opens only under the key-encryption key that wrapped it and only for the context
(cycle and purpose) it was wrapped for. The key-encryption key comes from a file that its owner alone
may read; a file with any right for group or others is refused, and an existing one is never overwritten:
that would erase everything wrapped under it.
"""

import base64
import binascii
import os
import re
import stat
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from notice_cycle.errors import Altered, NotConfigured, Refused

KEY_BYTES = 32
_FORMAT = b"ncw1"  # notice cycle wrapping, version 1: AES-256-GCM, 96-bit random nonce
_NONCE_BYTES = 12
_TAG_BYTES = 16
_MAX_KEY_FILE_BYTES = 256


class KeyEncryptionKey:
    """The key that wraps the secrets of all cycles. It does not print and does not pickle."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key-encryption key has {KEY_BYTES} bytes, not {len(key)}")
        self._aead = AESGCM(key)

    @classmethod
    def load(cls, path: Path) -> "KeyEncryptionKey":
        """Read 32 bytes in base64 or hex from a file without rights for group or others, or NotConfigured."""
        return cls(_decoded(read_private_file(path, max_bytes=_MAX_KEY_FILE_BYTES), path))

    @classmethod
    def create(cls, path: Path) -> "KeyEncryptionKey":
        """Write a new key to a new 0600 file; Refused when the file exists."""
        key = os.urandom(KEY_BYTES)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise Refused(
                f"鍵ファイル {path} はすでにあります。",
                advice="上書きすると、この鍵で守られたデータはすべて開けなくなります。別の名前を指定してください。",
            ) from None
        except OSError as error:
            raise NotConfigured(
                f"鍵ファイル {path} を作れません（{error.strerror}）。",
                advice="保存先のフォルダとその権限を確認してください。",
            ) from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    def wrap(self, secret: bytes, *, context: str) -> bytes:
        """Encrypt `secret` so that only `unwrap` with the same context gives it back."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, secret, _FORMAT + context.encode())

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        """The secret, or Altered when key, context or bytes are not those of the wrapping."""
        body = wrapped[len(_FORMAT) :]
        if not wrapped.startswith(_FORMAT) or len(body) < _NONCE_BYTES + _TAG_BYTES:
            raise Altered(
                "保管された鍵の形式が正しくありません。",
                advice="一時保管領域のファイルが壊れていないか確認し、暗号化の工程からやり直してください。",
            )
        try:
            return self._aead.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _FORMAT + context.encode())
        except InvalidTag:
            raise Altered(
                "保管された鍵を開けません。鍵暗号鍵が違うか、別の発送回・用途の鍵か、書き換えられています。",
                advice="鍵暗号鍵のファイルが作成時のものか確認してください。正しい場合は暗号化の工程からやり直してください。",
            ) from None

    def __repr__(self) -> str:
        return "KeyEncryptionKey(●●●)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key-encryption key is not serialised")


def derive(key: bytes, info: str, *, salt: bytes = b"") -> bytes:
    """32 bytes from `key` for the one purpose named by `info` (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info.encode()).derive(key)


def read_private_file(path: Path, *, max_bytes: int) -> bytes:
    """The content of a secret file its owner alone may read, or NotConfigured."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise NotConfigured(
            f"鍵ファイル {path} を読めません（{error.strerror}）。",
            advice="鍵ファイルの場所の設定と、実行ユーザーの読み取り権限を確認してください。",
        ) from None
    if mode & 0o077:
        raise NotConfigured(
            f"鍵ファイル {path} を所有者以外も読み書きできます（{mode:04o}）。",
            advice=f"`chmod 600 {path}` を実行し、他の人が読めた場合は鍵を作り直してください。",
        )
    if len(content) > max_bytes:
        raise NotConfigured(
            f"鍵ファイル {path} が大きすぎます。",
            advice="鍵以外のファイルを指定していないか確認してください。",
        )
    return content


def _decoded(content: bytes, path: Path) -> bytes:
    text = content.strip()
    try:
        key = (
            bytes.fromhex(text.decode())
            if re.fullmatch(rb"[0-9A-Fa-f]{64}", text)
            else base64.b64decode(text, validate=True)
        )
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise NotConfigured(
            f"鍵ファイル {path} の中身が、32バイトの鍵（base64または16進数）ではありません。",
            advice=f"`head -c 32 /dev/urandom | base64` の出力1行だけを {path} に保存してください。",
        )
    return key
