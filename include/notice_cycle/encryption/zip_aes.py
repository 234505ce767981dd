"""Files encrypted with a passphrase as a ZIP of one member, for contractors whose only tool is 7-Zip.

WinZip AES-256 as AE-2, stored without compression, in ZIP64 whatever the size; no other kind is written or
read. AE-2 authenticates the content at its very end and the ZIP around it not at all: so a file is read twice
and nothing is written on the first reading, and a ZIP with anything before, behind or beside its one member
is refused. Names and times in it are not authenticated: nobody may rely on them, the signed manifest says the
name. A wrong passphrase is Refused, damaged bytes are Altered. Source: winzip.com/aes_info.htm, APPNOTE.TXT.
"""

import io
import os
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from notice_cycle.errors import Altered, Refused

_BLOCK_BYTES = 1024 * 1024
_NO_DATE = (1980, 1, 1, 0, 0, 0)  # the oldest a ZIP can say
_OWNER_ONLY = 0o600 << 16
_AES_256, _AE_2 = 3, 2
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, … , bytes of the name, bytes of the extra fields
_END_RECORD = struct.Struct("<4s16xH")  # signature, … , bytes of the comment
_DIRECTORY_BYTES = 1024  # more than one entry, its name and the end records ever take

_ADVICE = "このファイルは使わないでください。もう一度受け取るか、送り主に作り直してもらってください。"


def encrypt(source: BinaryIO, target: BinaryIO, passphrase: str, *, member_name: str) -> None:
    """Write `source` as the member `member_name` of a ZIP; `target` can seek and stands at its start.

    After an exception `target` has no end record and is recognisably incomplete.
    """
    import pyzipper

    if not passphrase:
        raise ValueError("an encrypted ZIP needs a passphrase")
    guarded = _Guarded(target)
    archive = pyzipper.AESZipFile(guarded, "w", encryption=pyzipper.WZ_AES)
    archive.setpassword(passphrase.encode())
    member = archive.zipinfo_cls(member_name, date_time=_NO_DATE)
    member.external_attr = _OWNER_ONLY
    try:
        with archive.open(member, "w", force_zip64=True) as sealed:
            try:
                shutil.copyfileobj(source, sealed, _BLOCK_BYTES)
            except BaseException:
                guarded.abandon()
                raise
        archive.close()
    finally:
        guarded.abandon()


def decrypt(source: BinaryIO, target: BinaryIO, passphrase: str) -> None:
    """Write the member of the ZIP `source`, which can seek, to `target`; nothing before all of it was authenticated.

    Refused: another passphrase, no AES-256. Altered: anything else that is not such a ZIP from start to end.
    """
    with _reading(source) as (archive, member):
        for sink in (_Nowhere(), target):
            with archive.open(member, pwd=passphrase.encode()) as plain:
                shutil.copyfileobj(plain, sink, _BLOCK_BYTES)


@contextmanager
def _reading(source: BinaryIO) -> Iterator[tuple[Any, Any]]:
    """The archive and its only member. Tells what goes wrong with them, here and while the member is read."""
    import pyzipper

    try:
        archive = pyzipper.AESZipFile(source)
        yield archive, _only_member(archive, source)
    except RuntimeError as error:
        if not str(error).startswith("Bad password"):
            raise _broken("の形式に対応していません。") from None
        raise Refused(
            "パスワードが違います。",
            advice="パスワード通知書と発送回の番号を確認して、入力し直してください。",
        ) from None
    except pyzipper.BadZipFile as error:
        if "HMAC" in str(error):
            raise _broken("の内容が壊れているか、書き換えられています（検査値が合いません）。") from None
        raise _broken("が途中で切れているか、ZIPの形式ではありません。") from None
    except (EOFError, ValueError, struct.error, LookupError):  # lengths and offsets that lead nowhere
        raise _broken("が途中で切れているか、ZIPの形式ではありません。") from None


def _only_member(archive: Any, source: BinaryIO) -> Any:
    """The one member, when the ZIP has the shape that is written here and no byte besides."""
    members = archive.infolist()
    if len(members) != 1:
        raise _broken("に、ファイルがちょうど一つ入っていません。")
    (member,) = members
    if (member.wz_aes_version, member.wz_aes_strength, member.compress_type) != (_AE_2, _AES_256, 0):
        raise Refused(
            "ZIPファイルが AES-256（AE-2、無圧縮）で暗号化されていません。",
            advice="送り主に、取り決めた形式で作り直すよう依頼してください。",
        )
    if (member.header_offset, _end_of(member, source)) != (0, archive.start_dir) or not _ends_well(
        source, archive.start_dir
    ):
        raise _broken("の前後に、余分なデータが付いているか、途中で切れています。")
    return member


def _end_of(member: Any, source: BinaryIO) -> int:
    """Where the member's encrypted content ends."""
    source.seek(member.header_offset)
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(source.read(_LOCAL_HEADER.size))
    return int(member.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes + member.compress_size)


def _ends_well(source: BinaryIO, directory_at: int) -> bool:
    """Whether the file's last bytes are the ZIP's end record, not far behind the directory."""
    size = source.seek(0, os.SEEK_END)
    source.seek(max(0, size - _END_RECORD.size))
    return _END_RECORD.unpack(source.read()) == (b"PK\5\6", 0) and size - directory_at < _DIRECTORY_BYTES


class _Guarded(io.RawIOBase):
    """A target that takes nothing more once it is abandoned.

    The library ends a ZIP properly even when an exception passes through or it is collected: half a file
    would get a valid check value and look whole.
    """

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw: BinaryIO | None = raw

    def abandon(self) -> None:
        """From here on what is written goes nowhere."""
        self._raw = None

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if self._raw is None:
            return len(data)
        written = self._raw.write(data)
        if written is not None and written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes were written")
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._raw.seek(offset, whence) if self._raw is not None else 0

    def tell(self) -> int:
        return self._raw.tell() if self._raw is not None else 0


class _Nowhere:
    """What is written here is only looked at on its way."""

    def write(self, data: bytes, /) -> int:
        return len(data)


def _broken(what: str) -> Altered:
    return Altered(f"暗号化ファイル{what}", advice=_ADVICE)
