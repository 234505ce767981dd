"""The STREAM construction of age as file objects over any 32-byte key: age payloads and vault artefacts.

Chunks of 64 KiB are sealed with ChaCha20-Poly1305; the nonce is an 11-byte counter and a flag that is 1
only on the last chunk. A reader never gives out a byte it has not authenticated, and it refuses bit
flips, truncation (at a chunk border too), appended data and chunks in another order. A writer that did
not end well never writes a last chunk, so its file cannot pass for a whole one. A key must seal one
stream only: nonces start at zero. Neither side closes the file it was given.
Source: age-encryption.org/v1, section "Payload".
"""

import io
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from notice_cycle.errors import Altered

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    class _BinaryFile(io.BufferedIOBase, BinaryIO):
        """So that both sides are accepted where a BinaryIO is asked for."""
else:
    _BinaryFile = io.BufferedIOBase  # typing.BinaryIO would add a `mode` of None, which misleads pyarrow

KEY_BYTES = 32
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES

_ADVICE = "このデータは使わないでください。元からもう一度受け取るか、作り直してください。"


class StreamWriter(_BinaryFile):
    """Encrypts what is written to it into `raw`. Use it as a context manager.

    The last chunk is written when the context ends without an exception, whoever closed the writer
    before (a TextIOWrapper closes what it wraps even while an exception passes through). Outside a
    context `close()` writes it; a writer that is merely dropped never does.
    """

    def __init__(self, raw: BinaryIO, key: bytes) -> None:
        super().__init__()
        self._raw = raw
        self._aead = _aead(key)
        self._pending = bytearray()
        self._counter = 0
        self._in_context = False
        self._may_finish = True

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Take all of `data`; a full chunk waits until it is known whether it is the last."""
        if self.closed:
            raise ValueError("write to a closed stream")
        with memoryview(data).cast("B") as view:
            taken = 0
            while taken < len(view):
                if len(self._pending) == CHUNK_BYTES:
                    self._seal(last=False)
                part = view[taken : taken + CHUNK_BYTES - len(self._pending)]
                self._pending += part
                taken += len(part)
            return taken

    def close(self) -> None:
        """End the stream; inside a context the last chunk still waits for the context's good end."""
        if self.closed:
            return
        super().close()
        if not self._in_context:
            self._finish()

    def abandon(self) -> None:
        """Close without a last chunk: what was written stays recognisable as incomplete."""
        self._may_finish = False
        self.close()

    def __enter__(self) -> Self:
        super().__enter__()
        self._in_context = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._in_context = False
        if kind is not None:
            self._may_finish = False
        if self.closed:  # by a wrapper, inside the context
            self._finish()
        else:
            self.close()

    def __del__(self) -> None:
        # io.IOBase would call close() here and make the torso of a failed run look whole.
        self._may_finish = False

    def _finish(self) -> None:
        if self._may_finish:
            self._seal(last=True)
            self._may_finish = False

    def _seal(self, *, last: bool) -> None:
        sealed = self._aead.encrypt(_nonce(self._counter, last=last), bytes(self._pending), None)
        may_finish, self._may_finish = self._may_finish, False  # a chunk half written is followed by nothing
        written = self._raw.write(sealed)
        if written is not None and written != len(sealed):
            raise OSError(f"only {written} of {len(sealed)} bytes were written")
        self._may_finish = may_finish
        self._counter += 1
        self._pending.clear()


class StreamReader(_BinaryFile):
    """Decrypts `raw` in constant memory; raises Altered at the first fault and at every read after it.

    A fault may come after good plaintext: keep nothing of it until a read has returned b"". A consumer
    that knows its own end (an Arrow stream) and stops there calls `drain()`.
    """

    def __init__(self, raw: BinaryIO, key: bytes) -> None:
        super().__init__()
        self._raw = raw
        self._aead = _aead(key)
        self._plain = memoryview(b"")
        self._counter = 0
        self._last_seen = False
        self._fault: Altered | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Exactly `size` bytes (all when negative or None), fewer only at the authenticated end."""
        wanted = -1 if size is None else size
        found = bytearray()
        while wanted < 0 or len(found) < wanted:
            part = self.read1(wanted - len(found) if wanted >= 0 else -1)
            if not part:
                break
            found += part
        return bytes(found)

    def read1(self, size: int = -1, /) -> bytes:
        """At most `size` bytes and at most one chunk; b"" only at the authenticated end."""
        if self.closed:
            raise ValueError("read from a closed stream")
        if not size:
            return b""
        if not self._plain:
            self._plain = memoryview(self._next_chunk())
        end = len(self._plain) if size < 0 else size
        part, self._plain = self._plain[:end], self._plain[end:]
        return bytes(part)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Like `read1`: what precedes a fault is given out before the fault is raised."""
        with memoryview(buffer).cast("B") as view:
            part = self.read1(len(view))
            view[: len(part)] = part
            return len(part)

    def drain(self) -> None:
        """Authenticate the rest without keeping it."""
        while self.read1():
            pass

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def _next_chunk(self) -> bytes:
        if self._fault is not None:
            raise self._fault
        try:
            return self._open_chunk()
        except Altered as fault:
            self._fault = fault
            raise

    def _open_chunk(self) -> bytes:
        if self._last_seen:
            if self._raw.read(1):
                raise Altered("暗号化されたデータの末尾に、余分なデータが付いています。", advice=_ADVICE)
            return b""
        sealed = read_up_to(self._raw, SEALED_CHUNK_BYTES)
        if not sealed:
            raise Altered("暗号化されたデータが途中で切れています。", advice=_ADVICE)
        plain = self._unseal(sealed)
        if self._last_seen and not plain and self._counter:
            # Only an empty payload may end with an empty chunk; otherwise there would be two encodings.
            raise self._altered_here("の形式が正しくありません。")
        self._counter += 1
        return plain

    def _unseal(self, sealed: bytes) -> bytes:
        """A short chunk must be the last one; a full one may turn out to be."""
        if len(sealed) == SEALED_CHUNK_BYTES:
            try:
                return self._aead.decrypt(_nonce(self._counter, last=False), sealed, None)
            except InvalidTag:
                pass
        try:
            plain = self._aead.decrypt(_nonce(self._counter, last=True), sealed, None)
        except InvalidTag:
            raise self._altered_here("が壊れているか、そこで切れています。") from None
        self._last_seen = True
        return plain

    def _altered_here(self, what: str) -> Altered:
        return Altered(f"暗号化されたデータの第{self._counter + 1}区画（64KiB単位）{what}", advice=_ADVICE)


def read_up_to(raw: BinaryIO, size: int) -> bytes:
    """`size` bytes from a file that may return fewer at a time; fewer only at its end."""
    found = raw.read(size)
    while found and len(found) < size:
        part = raw.read(size - len(found))
        if not part:
            break
        found += part
    return found


def _aead(key: bytes) -> ChaCha20Poly1305:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a stream key has {KEY_BYTES} bytes, not {len(key)}")
    return ChaCha20Poly1305(key)


def _nonce(counter: int, *, last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([last])
