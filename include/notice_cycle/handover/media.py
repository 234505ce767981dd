"""Handing a package over on disc: images for DVDs, burning them, and reading back what was burnt.

An image holds the package, what a firm needs to check and open it offline, a manifest of the disc signed by the
ward and SHA256SUMS; never a passphrase. The same content and moment give the same bytes. A package larger than a
disc is cut into parts that `copy /b` or `cat` joins. A disc counts only after it was read back, byte for byte:
that a burning program ended well proves nothing.
"""

import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import gmtime, struct_time
from types import SimpleNamespace
from typing import Any, BinaryIO, Literal

from pydantic import ValidationError

from notice_cycle.clock import TOKYO
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.errors import Altered, CannotLook, Refused
from notice_cycle.exchange.package import (
    CHECKSUMS,
    MANIFEST,
    MANIFEST_NAMESPACE,
    MANIFEST_SIGNATURE,
    Manifest,
    Marking,
)
from notice_cycle.values import CycleId, Digest, FileName, Frozen, PackageId, StoredFile, canonical, sha256

DISC_BYTES = 4_700_372_992
"""What a single-layer DVD-R holds."""

PACKAGE_FOLDER = "package"
DISC_MANIFEST = "disc.json"
DISC_SIGNATURE = "disc.json.sig"
WARD_SIGNERS = "ward_signers"
DECRYPTER = "open.html"
GUIDE_PDF = "README.pdf"
GUIDE_TEXT = "README.txt"

DECRYPTER_FOLDER = Path(__file__).parents[2] / "contractor_kit" / "decrypter"

_PART_ALIGNMENT = 32 * 1024
_LARGEST_PART = 4 * 1024**3 - _PART_ALIGNMENT  # ISO 9660 and the programs of old PCs stop at 4 GiB
_KEPT_FREE = 32 * 1024 * 1024  # for the other files, the file systems, and the rim of the disc
_BLOCK_BYTES = 1024 * 1024
_JOLIET_CHARACTERS = 64
_BURNING_SECONDS = 2 * 60 * 60

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


# ---- what is on a disc


class DiscPart(Frozen):
    """A stretch of the encrypted file, as a file of its own on disc number `disc`."""

    name: FileName
    disc: int
    offset_bytes: int
    size_bytes: int
    sha256: Digest


class DiscManifest(Frozen):
    """What the ward says one disc is, signed like the package's manifest. The parts are those of all discs."""

    format: Literal["notice-cycle-disc/1"] = "notice-cycle-disc/1"
    marking: Marking
    cycle: CycleId
    package: PackageId
    label: FileName
    disc: int
    discs: int
    made_at: datetime
    manifest_sha256: Digest
    encrypted_file: StoredFile
    parts: tuple[DiscPart, ...]

    def content(self) -> bytes:
        """The canonical bytes that are written and signed."""
        return canonical(self.model_dump(mode="json"))

    @classmethod
    def parse(cls, content: bytes) -> "DiscManifest":
        """Raises Altered when the bytes are not a canonical manifest of a disc."""
        try:
            manifest = cls.model_validate(json.loads(content))
        except (ValueError, ValidationError, RecursionError):
            manifest = None
        if manifest is None or manifest.content() != content:
            raise Altered(
                f"{DISC_MANIFEST} がディスクの目録の形式ではありません。",
                advice="このディスクは使わず、区に連絡してください。",
            )
        return manifest


class DiscFile(Frozen):
    """A file on a disc by its path from the root, with size and digest of what belongs there."""

    path: str
    size_bytes: int
    sha256: Digest


class DiscImage(Frozen):
    """An image and everything that is on it: what is recorded, and what a burnt disc is compared with."""

    label: FileName
    disc: int
    discs: int
    image: StoredFile
    manifest_sha256: Digest
    files: tuple[DiscFile, ...]


@dataclass(frozen=True)
class DiscExtras:
    """What goes on a disc besides the package. `decrypter`: the offline page, for packages in age format only."""

    ward_signers: bytes
    guide_pdf: bytes
    guide_text: str
    decrypter: bytes | None


def volume_of(package: str, disc: int, discs: int) -> str:
    """The name a drive shows for a disc, short enough for every file system: 2026P1D1OF2."""
    return f"{package[:4]}P{package.rpartition('-p')[2]}D{disc}OF{discs}"


def part_names(encrypted: StoredFile, *, disc_bytes: int = DISC_BYTES) -> list[str]:
    """The names of the parts when the encrypted file takes several discs; empty when it takes one."""
    count = len(plan_parts(encrypted.size_bytes, disc_bytes=disc_bytes))
    return [f"{encrypted.name}.{number:03}" for number in range(1, count + 1)] if count > 1 else []


def decrypter_page(folder: Path = DECRYPTER_FOLDER) -> bytes:
    """The offline page as it was built. Raises Altered when it is not: contractors type their passphrase into it."""
    name = "open.html"
    try:
        content, recorded = (folder / name).read_bytes(), (folder / f"{name}.sha256").read_text()
    except OSError:
        content, recorded = b"", ""
    if recorded != f"{sha256(content)}  {name}\n":
        raise Altered(
            "復号ページ open.html が、作成した時の内容と異なるか、ありません。",
            advice="ディスクを作らずに止めました。配置した製品のファイルに触れた者がいないか確認し、配置し直してください。",
        )
    return content


# ---- making images


def plan_parts(size_bytes: int, *, disc_bytes: int = DISC_BYTES) -> list[tuple[int, int]]:
    """Offset and length of each disc's part: one when it fits, otherwise of equal size, aligned to 32 KiB.

    Raises ValueError for a disc that holds no part at all.
    """
    room = min(_LARGEST_PART, (disc_bytes - _KEPT_FREE) // _PART_ALIGNMENT * _PART_ALIGNMENT)
    if room <= 0:
        raise ValueError(f"a disc of {disc_bytes} bytes holds nothing")
    count = max(1, -(-size_bytes // room))
    length = size_bytes if count == 1 else -(-size_bytes // count // _PART_ALIGNMENT) * _PART_ALIGNMENT
    return [
        (number * length, min(length, size_bytes - number * length))
        for number in range(count)
        if number == 0 or number * length < size_bytes
    ]


def build_images(
    package: Path,
    extras: DiscExtras,
    out: Path,
    *,
    signing_key: SigningKey,
    at: datetime,
    disc_bytes: int = DISC_BYTES,
    progress: Progress | None = None,
) -> tuple[DiscImage, ...]:
    """Writes `<label>.iso` into `out` for each disc that the package in folder `package` needs, and reads it back.

    `at` is the moment every file and both file systems carry. Raises Altered when the package is not what its
    manifest says. Killed on the way, it leaves a `.partial`; run again, it gives the same images.
    """
    manifest = Manifest.parse((package / MANIFEST).read_bytes())
    parts = _parts(package / manifest.encrypted_file.name, manifest.encrypted_file, disc_bytes)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    images = []
    for part in parts:
        disc = DiscManifest(
            marking=manifest.marking,
            cycle=manifest.cycle,
            package=manifest.package,
            label=f"{manifest.package}-d{part.disc}",
            disc=part.disc,
            discs=len(parts),
            made_at=at,
            manifest_sha256=sha256(manifest.content()),
            encrypted_file=manifest.encrypted_file,
            parts=tuple(parts),
        )
        contents = _contents(package, disc, part, extras, signing_key)
        images.append(_build(disc, contents, out, at, progress))
    return tuple(images)


@dataclass(frozen=True)
class _Content:
    """A file to be put on a disc: bytes, or a stretch of a file that is read while the image is written."""

    file: DiscFile
    iso_name: str
    source: bytes | Path
    offset_bytes: int = 0

    @classmethod
    def of(cls, path: str, iso_name: str, content: bytes) -> "_Content":
        return cls(DiscFile(path=path, size_bytes=len(content), sha256=sha256(content)), iso_name, content)

    def open(self) -> BinaryIO:
        if isinstance(self.source, bytes):
            return io.BytesIO(self.source)
        return io.BufferedReader(_Window(self.source, self.offset_bytes, self.file.size_bytes), _BLOCK_BYTES)


def _parts(encrypted: Path, promised: StoredFile, disc_bytes: int) -> list[DiscPart]:
    """Reads the encrypted file once: the digest of each part, and that the whole is what the manifest says."""
    whole, parts = hashlib.sha256(), []
    ranges = plan_parts(promised.size_bytes, disc_bytes=disc_bytes)
    names = part_names(promised, disc_bytes=disc_bytes) or [promised.name]
    with encrypted.open("rb") as source:
        for number, (name, (offset, length)) in enumerate(zip(names, ranges, strict=True), 1):
            digest = hashlib.sha256()
            for block in _blocks(source, length):
                digest.update(block)
                whole.update(block)
            parts.append(
                DiscPart(
                    name=name,
                    disc=number,
                    offset_bytes=offset,
                    size_bytes=length,
                    sha256=digest.hexdigest(),
                )
            )
        surplus = source.read(1)
    if surplus or whole.hexdigest() != promised.sha256:
        raise Altered(
            f"送信箱の {promised.name} が、署名した送付目録と一致しません。",
            advice="ディスクを作らずに止めました。送信箱に触れた者がいないか確認し、暗号化からやり直してください。",
        )
    return parts


def _contents(
    package: Path, disc: DiscManifest, part: DiscPart, extras: DiscExtras, key: SigningKey
) -> list[_Content]:
    folder = PACKAGE_FOLDER
    ending = part.name.rpartition(".")[2].upper()
    data = _Content(
        DiscFile(path=f"{folder}/{part.name}", size_bytes=part.size_bytes, sha256=part.sha256),
        f"PACKAGE.{ending}",
        package / disc.encrypted_file.name,
        part.offset_bytes,
    )
    signature = key.sign(disc.content(), namespace=MANIFEST_NAMESPACE).encode("ascii")
    contents = [
        data,
        _Content.of(f"{folder}/{MANIFEST}", "MANIFEST.JSON", (package / MANIFEST).read_bytes()),
        _Content.of(
            f"{folder}/{MANIFEST_SIGNATURE}", "MANIFEST.SIG", (package / MANIFEST_SIGNATURE).read_bytes()
        ),
        _Content.of(f"{folder}/{CHECKSUMS}", "SHA256SUMS.", (package / CHECKSUMS).read_bytes()),
        _Content.of(DISC_MANIFEST, "DISC.JSON", disc.content()),
        _Content.of(DISC_SIGNATURE, "DISC.SIG", signature),
        _Content.of(WARD_SIGNERS, "WARD_SIGNERS.", extras.ward_signers),
        _Content.of(GUIDE_PDF, "README.PDF", extras.guide_pdf),
        _Content.of(GUIDE_TEXT, "README.TXT", _for_notepad(extras.guide_text)),
    ]
    if extras.decrypter is not None:
        contents.append(_Content.of(DECRYPTER, "OPEN.HTML", extras.decrypter))
    sums = "".join(f"{content.file.sha256}  {content.file.path}\n" for content in contents)
    return [*contents, _Content.of(CHECKSUMS, "SHA256SUMS.", sums.encode("ascii"))]


def _for_notepad(text: str) -> bytes:
    """As the editors of all Windows versions show it."""
    return b"\xef\xbb\xbf" + text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def _build(
    disc: DiscManifest, contents: Sequence[_Content], out: Path, at: datetime, progress: Progress | None
) -> DiscImage:
    path = out / f"{disc.label}.iso"
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    volume = volume_of(disc.package, disc.disc, disc.discs)
    with partial.open("xb") as target:
        _master(target, volume, contents, at, progress)
        target.flush()
        os.fsync(target.fileno())
    digest, size = _digest_of_first(partial, partial.stat().st_size)
    image = DiscImage(
        label=disc.label,
        disc=disc.disc,
        discs=disc.discs,
        image=StoredFile(name=path.name, size_bytes=size, sha256=digest),
        manifest_sha256=disc.manifest_sha256,
        files=tuple(content.file for content in contents),
    )
    _compare_files(partial, image)  # the library takes a source that ends early for a shorter file
    partial.replace(path)
    return image


def _master(
    target: BinaryIO, volume: str, contents: Sequence[_Content], at: datetime, progress: Progress | None
) -> None:
    """UDF for Windows and Linux of today, with ISO 9660 and Joliet beside it for everything else."""
    import pycdlib

    def on_progress(done: int, total: int, _: object) -> None:
        if progress is not None:
            progress(done, total)

    with _same_bytes_every_time(at, seed=volume), ExitStack() as opened:
        image = pycdlib.PyCdlib()
        image.new(interchange_level=3, vol_ident=volume, joliet=3, udf="2.60")
        folders = {file.file.path.rpartition("/")[0] for file in contents} - {""}
        for folder in sorted(folders):
            image.add_directory(f"/{folder.upper()}", joliet_path=f"/{folder}", udf_path=f"/{folder}")
        for content in contents:
            folder, _, name = content.file.path.rpartition("/")
            above = f"/{folder}" if folder else ""
            # Who sees UDF sees every name in full; Joliet ends at 64 characters.
            joliet = name if len(name) <= _JOLIET_CHARACTERS else content.iso_name
            image.add_fp(
                opened.enter_context(content.open()),
                content.file.size_bytes,
                f"{above.upper()}/{content.iso_name};1",
                joliet_path=f"{above}/{joliet}",
                udf_path=f"{above}/{name}",
            )
        image.write_fp(target, _BLOCK_BYTES, on_progress)
        image.close()


_clock_of_pycdlib = threading.Lock()


@contextmanager
def _same_bytes_every_time(at: datetime, *, seed: str) -> Iterator[None]:
    """Inside, pycdlib (and nothing else) sees the moment `at` in Tokyo and one random number.

    It asks the clock, the time zone and the random source wherever it writes a stamp, and takes no argument.
    """
    import pycdlib.pycdlib as library
    from pycdlib import dates, headervd, utils
    from pycdlib import udf as typed_udf

    udf: Any = typed_udf
    moment = float(int(at.timestamp()))
    shift = (at.astimezone(TOKYO).utcoffset() or timedelta()).total_seconds()

    class Clock:
        """The module `time` as pycdlib uses it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(time, name)

        def time(self) -> float:
            return moment

        def localtime(self, seconds: float) -> struct_time:
            return gmtime(seconds + shift)

    unique = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    chance = SimpleNamespace(getrandbits=lambda bits: unique % (1 << bits))
    modules: tuple[Any, ...] = (library, dates, headervd, udf, utils)
    with _clock_of_pycdlib:
        clock, kept = Clock(), [(module, module.time) for module in modules if hasattr(module, "time")]
        random = udf.random
        try:
            for module, _ in kept:
                module.time = clock
            udf.random = chance
            yield
        finally:
            for module, real in kept:
                module.time = real
            udf.random = random


class _Window(io.RawIOBase):
    """A stretch of a file as a file."""

    def __init__(self, path: Path, offset_bytes: int, size_bytes: int) -> None:
        super().__init__()
        self._file, self._offset, self._size, self._at = path.open("rb"), offset_bytes, size_bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        self._file.seek(self._offset + self._at)
        taken = self._file.readinto(view)
        self._at += taken
        return taken

    def close(self) -> None:
        self._file.close()
        super().close()


# ---- burning


class Burner(Frozen):
    """A program that burns discs."""

    program: Literal["xorriso", "growisofs"]
    path: Path


class Burnt(Frozen):
    """A burning program ended well. Nothing is known about the disc yet: `verify_disc` reads it back."""

    program: str
    device: str


class LeftToPerson(Frozen):
    """The image was left where it is. What stands against burning it here, and what a person does instead."""

    reason_ja: str
    todo_ja: str


def find_burner() -> Burner | None:
    """The burning program of this machine."""
    if path := shutil.which("xorriso"):
        return Burner(program="xorriso", path=Path(path))
    if path := shutil.which("growisofs"):
        return Burner(program="growisofs", path=Path(path))
    return None


def find_drive(devices: Path = Path("/dev")) -> Path | None:
    """The first optical drive of this machine."""
    return next(iter(sorted(devices.glob("sr[0-9]*"))), None)


def burn(image: Path, device: Path | None, burner: Burner | None) -> Burnt | LeftToPerson:
    """Burns `image` as a closed disc where there are a drive and a program; says what to do where there are not.

    Raises Refused when burning fails: that disc may hold part of the package and must not lie about.
    """
    if burner is None or device is None or not device.exists():
        what = "書込みの道具（xorriso、growisofs）" if burner is None else "DVD の書込み装置"
        return LeftToPerson(
            reason_ja=f"このコンピュータには{what}がありません。",
            todo_ja=f"{image.name} を登録した書込み用 PC に移し、「ディスク イメージの書き込み」で DVD-R に書き込んで"
            "ください。書き込んだら読戻しの値を書式に入力し、書込み用 PC の写しを消去して記録してください。",
        )
    command = {
        "xorriso": ["-as", "cdrecord", f"dev={_as_xorriso_says(device)}", "-dao", str(image)],
        "growisofs": ["-use-the-force-luke=dao", "-dvd-compat", "-Z", f"{device}={image}"],
    }[burner.program]
    try:
        done = subprocess.run(
            [str(burner.path), *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_BURNING_SECONDS,
        )
        failed = f"終了コード {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        failed = f"{_BURNING_SECONDS // 3600}時間で終わりません"
    if failed:
        raise Refused(
            f"{image.name} をディスクに書き込めませんでした（{burner.program}、{failed}）。",
            advice="途中まで書けたディスクは裁断して廃棄の記録を付け、新しい DVD-R（未使用）を入れて再実行してください。",
        )
    return Burnt(program=burner.program, device=str(device))


def _as_xorriso_says(device: Path) -> str:
    """A drive by its name; a file stands in for one in rehearsals."""
    return f"stdio:{device}" if stat.S_ISREG(device.stat().st_mode) else str(device)


# ---- reading back


class DiscReadBack(Frozen):
    """A disc (or an image) was read in full and holds exactly what was made."""

    label: FileName
    bytes_read: int
    image_sha256: Digest
    files_compared: int


def verify_disc(device: Path, image: DiscImage) -> DiscReadBack:
    """Reads the image's bytes back from a drive or a file, then every file through its file system.

    A disc may be longer than its image (drives pad it); only so many bytes are judged. Raises Altered, or
    CannotLook when the drive does not answer.
    """
    try:
        _forget_cached(device)
        digest, size = _digest_of_first(device, image.image.size_bytes)
        if (digest, size) != (image.image.sha256, image.image.size_bytes):
            raise Altered(
                f"ディスク {image.label} を読み戻したところ、書き込んだ内容と異なります"
                f"（{size:,}バイト中、期待は{image.image.size_bytes:,}バイト）。",
                advice="このディスクは渡さず、裁断して廃棄の記録を付け、新しいディスクに書き込み直してください。",
            )
        _compare_files(device, image)
    except OSError as error:
        raise CannotLook(
            f"ディスク {image.label} を読めません（{error.strerror}）。",
            advice="ディスクが入っているか、装置の接続を確認してください。汚れを拭いても読めないときは書き込み直してください。",
        ) from None
    return DiscReadBack(
        label=image.label, bytes_read=size, image_sha256=digest, files_compared=len(image.files)
    )


def _forget_cached(device: Path) -> None:
    """So that the disc is read and not what the machine remembers of it."""
    with device.open("rb") as source:
        os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def describe_image(path: Path) -> DiscImage:
    """What an image that was built before holds, read from itself. Compare `image` with what was recorded of it."""
    files, manifest = _files_on(path)
    disc = DiscManifest.parse(manifest)
    digest, size = _digest_of_first(path, path.stat().st_size)
    return DiscImage(
        label=disc.label,
        disc=disc.disc,
        discs=disc.discs,
        image=StoredFile(name=path.name, size_bytes=size, sha256=digest),
        manifest_sha256=disc.manifest_sha256,
        files=tuple(files[name] for name in sorted(files)),
    )


def _compare_files(device: Path, image: DiscImage) -> None:
    """Every file, and none besides, as somebody finds it who puts the disc in."""
    try:
        found, _ = _files_on(device)
        meant = {file.path: file for file in image.files}
        wrong = {path for path in found.keys() | meant.keys() if found.get(path) != meant.get(path)}
    except Altered:
        wrong = {"目次"}
    if wrong:
        raise Altered(
            f"ディスク {image.label} の {'、'.join(sorted(wrong))} が、書き込むはずの内容と異なります。",
            advice="このディスクは渡さず、裁断して廃棄の記録を付け、新しいディスクに書き込み直してください。",
        )


def _files_on(device: Path) -> tuple[dict[str, DiscFile], bytes]:
    """Every file by its path, read through UDF, and the disc's manifest. Raises Altered when it is no such disc."""
    import pycdlib
    from pycdlib.pycdlibexception import PyCdlibException

    found: dict[str, DiscFile] = {}
    manifest = b""
    with device.open("rb") as raw:
        reader = pycdlib.PyCdlib()
        try:
            reader.open_fp(raw)
            for folder, _, names in reader.walk(udf_path="/"):
                for name in names:
                    path = f"{folder.rstrip('/')}/{name}"
                    with reader.open_file_from_iso(udf_path=path) as content:
                        blocks: Iterable[bytes] = _all_blocks(content)
                        if path == f"/{DISC_MANIFEST}":
                            manifest = b"".join(blocks)
                            blocks = [manifest]
                        digest, size = _digest(blocks)
                    found[path[1:]] = DiscFile(path=path[1:], size_bytes=size, sha256=digest)
            reader.close()
        except PyCdlibException:
            raise Altered(
                f"{device.name} はディスクのイメージとして読めません。",
                advice="イメージから作り直してください。",
            ) from None
    return found, manifest


def _digest_of_first(path: Path, size_bytes: int) -> tuple[str, int]:
    with path.open("rb") as source:
        return _digest(_blocks(source, size_bytes))


def _blocks(source: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """At most `size_bytes` of a file in blocks."""
    left = size_bytes
    while left and (block := source.read(min(left, _BLOCK_BYTES))):
        left -= len(block)
        yield block


def _all_blocks(source: io.RawIOBase) -> Iterator[bytes]:
    while block := source.read(_BLOCK_BYTES):
        yield block


def _digest(blocks: Iterable[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size
