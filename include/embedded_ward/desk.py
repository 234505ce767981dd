"""The contractor's desk: what comes to it and leaves it by hand, where nothing goes over LGWAN.

In the desk's folder: `discs/<label>.iso` are discs handed over, `page/<package>/` is the contractor's page to which an
officer uploads, `answers/<package>/` are signed answers that an officer takes along to the ward's reply desk, and
`returned/` holds the discs and passphrase notices that go back after the delivery. `Discs` and `Page` do by hand what
`contractor.Host` does over SFTP.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from contractor_kit.files import write_whole
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.exchange.package import CHECKSUMS
from notice_cycle.values import PackageId, sha256

DISCS, PAGE, ANSWERS, RETURNED = "discs", "page", "answers", "returned"
_LABEL = re.compile(r"(.+-p[0-9]+)-d[0-9]+\.iso")
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)\n")


class Way(Protocol):
    """How packages reach the contractor and answers leave it. `erased_with_ja` empty: nothing stays there to erase."""

    name: str
    place_ja: str
    erased_with_ja: str

    async def packages(self) -> list[str]:
        """The packages that came this way."""
        ...

    async def arrival(self, package: str) -> tuple[object, ...] | None:
        """What tells one arrival from another; None while the package is not whole."""
        ...

    async def download(self, package: str, target: Path) -> None:
        """The package's files into a folder, whole or not at all."""
        ...

    async def upload(self, package: str, path: Path) -> None:
        """One answer on its way to the ward."""
        ...

    async def erase(self, package: str) -> None:
        """What is left of the package on the way."""
        ...

    async def give_back(self, cycle: str) -> int:
        """Gives the cycle's discs and papers back, where there are any. How many."""
        ...


class _ByHand:
    """Answers are laid out for the ward's officer, however the package came."""

    def __init__(self, desk: Path) -> None:
        self._desk = desk

    async def upload(self, package: str, path: Path) -> None:
        """Lays an answer out."""
        write_whole(self._desk / ANSWERS / package / path.name, path.read_bytes())


class Discs(_ByHand):
    """Discs, taken out of the safe and read in the drive of the printing PC."""

    name = "discs"
    place_ja = "DVD-R（返却する媒体）"
    erased_with_ja = ""  # given back, not erased

    async def packages(self) -> list[str]:
        """The packages whose label a disc bears."""
        labels = (_LABEL.fullmatch(path.name) for path in self._discs("*"))
        return sorted({found[1] for found in labels if found and is_package(found[1])})

    async def arrival(self, package: str) -> tuple[object, ...] | None:
        """Whole when as many discs lie there as the first one tells of."""
        discs = self._discs(package)
        if not discs or len(discs) != json.loads(read_disc(discs[0])["disc.json"])["discs"]:
            return None
        return tuple(path.stat().st_mtime for path in discs)

    async def download(self, package: str, target: Path) -> None:
        """Copies off every disc; parts on several discs are joined as the guide on the disc says."""
        with _appearing(target) as partial:
            for disc in self._discs(package):
                _copy_off(disc, partial)

    async def erase(self, package: str) -> None:
        """Nothing: a disc is given back."""

    async def give_back(self, cycle: str) -> int:
        """Every disc of the cycle, and its passphrase notices."""
        discs = self._discs(f"{cycle}-p*")
        going = [*discs, *sorted(self._desk.glob(f"{cycle}-PW*.pdf"))] if discs else []
        (self._desk / RETURNED).mkdir(exist_ok=True)
        for path in going:
            path.replace(self._desk / RETURNED / path.name)
        return len(going)

    def _discs(self, package: str) -> list[Path]:
        found = (self._desk / DISCS).glob(f"{package}-d*.iso")
        return sorted(found, key=lambda path: int(path.stem.rpartition("-d")[2]))


class Page(_ByHand):
    """The page to which the ward's officer uploads from the intranet PC."""

    name = "page"
    place_ja = "専用ページの受け口（届いたパッケージ）"
    erased_with_ja = "専用ページから削除"

    async def packages(self) -> list[str]:
        """The packages that were uploaded."""
        return sorted(path.name for path in (self._desk / PAGE).glob("*") if is_package(path.name))

    async def arrival(self, package: str) -> tuple[object, ...] | None:
        """An upload appears whole."""
        folder = self._desk / PAGE / package
        return (folder.stat().st_mtime,) if folder.exists() else None

    async def download(self, package: str, target: Path) -> None:
        """Copies the files off the page."""
        with _appearing(target) as partial:
            for path in (self._desk / PAGE / package).iterdir():
                shutil.copyfile(path, partial / path.name)

    async def erase(self, package: str) -> None:
        """Removes the upload, and looks again."""
        folder = self._desk / PAGE / package
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise CannotLook(f"{folder.name} が残っています。")

    async def give_back(self, cycle: str) -> int:
        """Nothing: what was uploaded is erased."""
        return 0


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    yield partial
    partial.replace(target)


def read_disc(image: Path) -> dict[str, bytes]:
    """Every file of a disc by its path, read through UDF as Windows does, and compared with the disc's SHA256SUMS."""
    import pycdlib

    found = {}
    reader = pycdlib.PyCdlib()
    with image.open("rb") as raw:
        reader.open_fp(raw)
        for folder, _, names in reader.walk(udf_path="/"):
            for name in names:
                path = f"{folder.rstrip('/')}/{name}"
                with reader.open_file_from_iso(udf_path=path) as content:
                    found[path[1:]] = content.read()
        reader.close()
    listed = {name: digest for digest, name in _SUM.findall(found.get(CHECKSUMS, b"").decode("ascii"))}
    if listed != {name: sha256(content) for name, content in found.items() if name != CHECKSUMS}:
        raise Refused(
            f"ディスク {image.stem} の内容が {CHECKSUMS} と一致しません。", advice="区に連絡してください。"
        )
    return found


def _copy_off(disc: Path, target: Path) -> None:
    files = read_disc(disc)
    parts = json.loads(files["disc.json"])["parts"]
    part_names = {part["name"] for part in parts} if len(parts) > 1 else set()
    whole = json.loads(files["disc.json"])["encrypted_file"]["name"]
    for path, content in files.items():
        folder, _, name = path.rpartition("/")
        if folder != "package":
            continue
        with (target / (whole if name in part_names else name)).open(
            "ab" if name in part_names else "wb"
        ) as file:
            file.write(content)


def is_package(name: str) -> bool:
    """Whether a name is a package's."""
    try:
        TypeAdapter(PackageId).validate_python(name)
    except ValidationError:
        return False
    return True
