"""The print contractor of the demo, as a process of its own: it does what the contract says, step by step.

It has the contractor kit, a login on the SFTP host, and a desk: a folder where what is handed to it appears,
`*.pdf` passphrase notices, discs, uploads to its page (`desk.py`), `hold-<cycle>` as long as nothing is to be delivered
yet, and `delivery-accepted-<cycle>` when the ward's officer has received the goods. It reads no path of the ward. Every step looks at what lies in its home first, so it
may be stopped at any moment and started again. Its log has one line a step: counts and ids, no personal data, no
passphrase.
"""

import argparse
import asyncio
import json
import logging
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import asyncssh
from pydantic import TypeAdapter, ValidationError

from contractor_kit import answers
from contractor_kit.files import write_whole
from contractor_kit.opening import count_print_file, is_synthetic, open_package
from contractor_kit.package_check import CheckedPackage, SignedManifest, check_package, read_manifest
from contractor_kit.tables import read_erased_copies
from embedded_ward.desk import Discs, Page, Way, is_package
from notice_cycle import clock
from notice_cycle.encryption.passphrase import Passphrase, parse
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey
from notice_cycle.errors import CannotLook, NoticeCycleError, Refused
from notice_cycle.exchange.messages import (
    Carrier,
    ContentReceipt,
    DeliveryReport,
    DestroyedPaper,
    DestructionCertificate,
    ErasedCopy,
    ErasureCertificate,
    ErasureReport,
    Lot,
    Message,
    PrintLog,
    PrintLogLine,
    PulloutConfirmation,
    Receipt,
)
from notice_cycle.exchange.package import CHECKSUMS, MANIFEST, MANIFEST_SIGNATURE, Manifest
from notice_cycle.exchange.print_file import notices_by_envelope
from notice_cycle.values import FileName, stored_file

log = logging.getLogger("contractor")

TO_CONTRACTOR = PurePosixPath("/to_contractor")
TO_WARD = PurePosixPath("/to_ward")
POLL_SECONDS = 1.0
ENVELOPES_PER_LOT = 5_000
SPOILED_SHEETS = 3

_CLERK, _MANAGER = "見本 一郎", "見本 二葉"
_PC, _SERVER = "PRINT-PC-1", "SFTP-1"
_PASSPHRASE_LINE = re.compile(r"[0-9A-Z]{6}(?:-[0-9A-Z]{6}){4}")
_ERASED = "erased-copies.json"
_PLACE = "区役所 本庁舎 文書集配室"
_OVERWRITTEN = "0で上書き・削除し、暗号化ボリュームの鍵を破棄"
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class ContractorOptions:
    """Where the contractor's own things are, and where the SFTP host is. `host_key_file`: its public line."""

    home: Path
    host: str
    port: int
    host_key_file: Path
    key: Path
    signing_key: Path
    ward_signers: Path
    ward: str
    desk: Path
    user: str = "contractor"


@dataclass(frozen=True)
class Home:
    """One package's folder in the contractor's home. Only `records`, without personal data, outlives the erasure."""

    folder: Path

    @property
    def package(self) -> Path:
        """The package as downloaded."""
        return self.folder / "package"

    @property
    def work(self) -> Path:
        """The opened print file."""
        return self.folder / "work"

    @property
    def records(self) -> Path:
        """Manifest, answers, and for each answer sent a `.sent`."""
        return self.folder / "records"

    @property
    def way(self) -> Path:
        """By which way the package came."""
        return self.records / "way"

    def has_sent(self, kind: type[Message]) -> bool:
        """Whether an answer lies on the host."""
        return self._sent(kind).exists()

    def note_sent(self, kind: type[Message]) -> None:
        """Notes that an answer lies on the host."""
        self._sent(kind).touch()

    def written(self, kind: type[answers.M]) -> answers.M | None:
        """An answer written before, None when it is not."""
        path = self.records / kind.file_name()
        return answers.read_message(kind, path.read_bytes()) if path.exists() else None

    def _sent(self, kind: type[Message]) -> Path:
        return self.records / f"{kind.file_name()}.sent"


class Host:
    """The SFTP host as the contractor uses it."""

    name = "lgwan"
    place_ja = "SFTPサーバーの受け口（届いたパッケージ）"
    erased_with_ja = "SFTPで削除"

    def __init__(self, sftp: asyncssh.SFTPClient) -> None:
        self._sftp = sftp

    async def packages(self) -> list[str]:
        """The packages for which a folder lies there."""
        return sorted(name for name in await self._names(TO_CONTRACTOR) if is_package(name))

    async def arrival(self, package: str) -> tuple[Any, ...] | None:
        """Size and time of SHA256SUMS, which the ward sends last; None while the package is on its way."""
        try:
            found = await self._sftp.stat(TO_CONTRACTOR / package / CHECKSUMS)
        except asyncssh.SFTPNoSuchFile:
            return None
        return found.size, found.mtime

    async def download(self, package: str, target: Path) -> None:
        """The package's files into a folder, whole or not at all."""
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        for name in await self._names(TO_CONTRACTOR / package):
            if _is_file_name(name) and not name.endswith(".part"):
                await self._sftp.get(TO_CONTRACTOR / package / name, partial / name)
        partial.replace(target)

    async def upload(self, package: str, path: Path) -> None:
        """One file, under a temporary name first; the ward never sees half of it."""
        folder = TO_WARD / package
        if not await self._sftp.exists(folder):
            await self._sftp.mkdir(folder)
        partial = folder / f"{path.name}.part"
        await self._sftp.put(path, partial)
        await self._sftp.posix_rename(partial, folder / path.name)

    async def erase(self, package: str) -> None:
        """The package on the host; twice changes nothing. Raises CannotLook when something is left."""
        folder = TO_CONTRACTOR / package
        for name in await self._names(folder):
            await self._sftp.remove(folder / name)
        if await self._sftp.exists(folder):
            await self._sftp.rmdir(folder)
        if await self._sftp.exists(folder):
            raise CannotLook(f"{folder} が残っています。")

    async def give_back(self, cycle: str) -> int:
        """Nothing: what came over the line is erased, not given back."""
        return 0

    async def _names(self, folder: PurePosixPath) -> list[str]:
        try:
            return [str(name) for name in await self._sftp.listdir(folder) if name not in (".", "..")]
        except asyncssh.SFTPNoSuchFile:
            return []


@asynccontextmanager
async def connected(options: ContractorOptions) -> AsyncIterator[Host]:
    """A session with the host whose key was pinned, and with no other."""
    pinned = asyncssh.import_public_key(options.host_key_file.read_text(encoding="ascii"))
    async with (
        asyncssh.connect(
            options.host,
            options.port,
            username=options.user,
            client_keys=[str(options.key)],
            known_hosts=([pinned], [], []),
            agent_path=None,
            config=None,
            connect_timeout=10,
            keepalive_interval=15,
        ) as connection,
        connection.start_sftp_client() as sftp,
    ):
        yield Host(sftp)


@dataclass
class Contractor:
    """All packages at once: each goes as far as it can at every look."""

    options: ContractorOptions
    turned_away: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Arrivals that did not pass the check, so that the same one is not downloaded every second."""
    tried: set[Passphrase] = field(default_factory=set)
    """Passphrases that did not open what they were for: trying costs a second and 256 MiB."""
    complaints: dict[str, str] = field(default_factory=dict)
    """What was last said about a package, so that it is said once."""

    async def look(self, *ways: Way) -> None:
        """One look at every way that is open now. One package's fault does not hold up another."""
        found = {package: way.name for way in ways for package in await way.packages()}
        open_ways = {way.name: way for way in ways}
        known = {*found, *self._known_packages()}
        requests = {package for package in known if self._is_request(package)}
        for package in [*newest_of_each_cycle(known - requests), *sorted(requests)]:
            work = PackageWork(self, open_ways, package, found.get(package, ""))
            if not work.has_way:
                continue  # it came over a line that is down
            try:
                await work.advance()
                self.complaints.pop(package, None)
            except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
                raise
            except (NoticeCycleError, asyncssh.SFTPError) as fault:
                self.complain(package, str(fault))

    def complain(self, package: str, sentence: str) -> None:
        """Logs a sentence about a package, unless it was the last one."""
        if self.complaints.get(package) != sentence:
            log.warning("%s: %s", package, sentence)
        self.complaints[package] = sentence

    def _is_request(self, package: str) -> bool:
        """Whether a package that was taken in is a list of letters to take out; it replaces none."""
        path = self.options.home / "packages" / package / "records" / MANIFEST
        return path.exists() and Manifest.parse(path.read_bytes()).is_request

    def _known_packages(self) -> list[str]:
        folder = self.options.home / "packages"
        return [path.name for path in folder.iterdir() if is_package(path.name)] if folder.exists() else []


class PackageWork:
    """The contractor's procedure for one package. Each step gives True when it is done, False while it waits."""

    def __init__(
        self, contractor: Contractor, ways: Mapping[str, Way], package: str, found_on: str = ""
    ) -> None:
        self.contractor, self.options, self.ways = contractor, contractor.options, ways
        self.package, self.cycle = package, cycle_of(package)
        self.home = Home(self.options.home / "packages" / package)
        self.allowed = AllowedSigners.load(self.options.ward_signers)
        self.came_by = self.home.way.read_text("ascii") if self.home.way.exists() else found_on

    @property
    def has_way(self) -> bool:
        """Whether the way by which the package came is open."""
        return self.came_by in self.ways

    @property
    def host(self) -> Way:
        """The way by which the package came. Raises CannotLook while it is not open."""
        if not self.has_way:
            raise CannotLook(f"{self.package} の届いた経路（{self.came_by}）を使えません。")
        return self.ways[self.came_by]

    async def advance(self) -> None:
        """Goes on from the first step that is not done."""
        if self.home.has_sent(ErasureCertificate) or self.home.has_sent(PulloutConfirmation):
            return
        for step in (
            self.fetch,
            self.confirm_receipt,
            self.open,
            self.pull_out,
            self.print_and_deliver,
            self.give_back,
            self.erase,
            self.certify,
        ):
            if not await step():
                return

    async def fetch(self) -> bool:
        """Downloads the package once it is complete, and keeps it only when it passes the check."""
        if (self.home.records / MANIFEST).exists():
            return True
        arrival = await self.host.arrival(self.package)
        if arrival is None or self.contractor.turned_away.get(self.package) == arrival:
            return False
        if not self.home.package.exists():
            await self.host.download(self.package, self.home.package)
        try:
            package = self._package()
        except Refused:
            self.contractor.turned_away[self.package] = arrival
            shutil.rmtree(self.home.package)
            raise
        write_whole(self.home.way, self.came_by.encode("ascii"))
        for name in (MANIFEST_SIGNATURE, MANIFEST):
            write_whole(self.home.records / name, (self.home.package / name).read_bytes())
        self._note(
            "package downloaded and checked: %s, %d files", package.manifest.package, len(package.files)
        )
        return True

    async def confirm_receipt(self) -> bool:
        """受領通知（第1段階）."""
        return await self._answer(
            Receipt, lambda: answers.receipt(self._package(), by=_CLERK, at=clock.now())
        )

    async def open(self) -> bool:
        """Waits for the paper, opens the package, counts, and sends 受領通知（第2段階）."""
        if self.home.has_sent(ContentReceipt):
            return True
        manifest = self._manifest().manifest
        print_path = self.home.work / manifest.print_file.name
        if not print_path.exists():
            if not self._open_with(passphrases_on_desk(self.options.desk, self.cycle)):
                return False
            self._note(
                "opened with %s and the passphrase from the paper: %d bytes",
                "7-Zip" if uses_seven_zip(manifest) else "the kit",
                manifest.print_file.size_bytes,
            )
        counted = count_print_file(print_path, manifest)
        return await self._answer(
            ContentReceipt,
            lambda: answers.content_receipt(self._manifest(), counted, by=_CLERK, at=clock.now()),
        )

    async def pull_out(self) -> bool:
        """引抜きの確認 for a request, which ends with it; data to print go on. The sheets are taken from the stack."""
        signed = self._manifest()
        manifest = signed.manifest
        if not manifest.is_request:
            return True
        await self._answer(
            PulloutConfirmation,
            lambda: PulloutConfirmation(
                cycle=manifest.cycle,
                manifest_sha256=signed.sha256,
                request_number=manifest.request_number,
                request_sha256=manifest.print_file.sha256,
                pulled=manifest.quantities.notices,
                replaced=0,
                not_found=0,
                done_at=clock.now(),
                done_by=_CLERK,
            ),
        )
        return False

    async def print_and_deliver(self) -> bool:
        """印刷ログ, and 納品報告 once nothing holds the goods back and every request to take letters out is done."""
        signed = self._manifest()
        await self._answer(PrintLog, lambda: answers.print_log(signed, print_jobs(signed)))
        if not self.home.has_sent(DeliveryReport) and self._is_held_back():
            return False
        return await self._answer(DeliveryReport, lambda: self._delivery(signed))

    def _is_held_back(self) -> bool:
        told_to_wait = (self.options.desk / f"hold-{self.cycle}").exists()
        return told_to_wait or any(not one.home.has_sent(PulloutConfirmation) for one in self._requests())

    def _delivery(self, signed: SignedManifest) -> DeliveryReport:
        """Without the envelopes of which every notice was taken out."""
        inside, out = self.notices_by_envelope(), Counter[int]()
        for request in self._requests():
            out.update(request.notices_by_envelope())
        empty = [envelope for envelope, notices in out.items() if notices == inside[envelope]]
        return answers.delivery_report(
            signed,
            self._before(PrintLog),
            lots(signed, empty),
            place=_PLACE,
            by=_CLERK,
            at=clock.now(),
            pulled=len(empty),
        )

    def notices_by_envelope(self) -> Counter[int]:
        """How many notices of the opened file lie in each envelope."""
        manifest = self._manifest().manifest
        with (self.home.work / manifest.print_file.name).open("rb") as opened:
            return notices_by_envelope(opened, manifest.print_format, manifest.charset)

    async def give_back(self) -> bool:
        """Once the goods were accepted: discs and passphrase notices go back to the ward (媒体・通知書の返却)."""
        if not (self.options.desk / f"delivery-accepted-{self.cycle}").exists():
            return False
        if given_back := await self.host.give_back(self.cycle):
            self._note("%d discs and papers given back", given_back)
        return True

    async def erase(self) -> bool:
        """Destroys the paper that was not delivered, erases every copy and sends データ消去報告書."""
        if self.home.has_sent(ErasureReport):
            return True
        await self._destroy_paper()
        copies = await self._erase_copies()
        return await self._answer(
            ErasureReport,
            lambda: answers.erasure_report(
                self._manifest(),
                self._before(DeliveryReport),
                copies,
                backups="バックアップは取得していない",
            ),
        )

    async def _destroy_paper(self) -> None:
        """廃棄証明書 for the sheets that the paper jam spoiled, and for those that were taken out."""
        sheets: Counter[Literal["spoilage", "pulled", "replaced"]] = Counter()
        for line in self._before(PrintLog).lines:
            if line.purpose == "spoilage":
                sheets["spoilage"] += line.sheets
        for request in self._requests():
            manifest = request._manifest().manifest
            sheets["pulled" if manifest.contents == "引抜き" else "replaced"] += manifest.quantities.sheets
        at, signed = clock.now(), self._manifest()
        papers = tuple(
            DestroyedPaper(
                what=what, sheets=count, method="shredding", destroyed_at=at, operator=_CLERK, witness=_MANAGER
            )
            for what, count in sheets.items()
            if count
        )  # fmt: skip
        if not papers:
            return
        await self._answer(
            DestructionCertificate,
            lambda: DestructionCertificate(
                cycle=signed.manifest.cycle,
                manifest_sha256=signed.sha256,
                certificate_number=f"{signed.manifest.package}-廃棄1",
                papers=papers,
                certified_at=at,
                responsible_person=_MANAGER,
            ),
        )

    async def certify(self) -> bool:
        """消去証明書."""
        return await self._answer(
            ErasureCertificate,
            lambda: answers.erasure_certificate(
                self._manifest(),
                (self.home.records / ErasureReport.file_name()).read_bytes(),
                number=f"{self.cycle}-消去1",
                by=_MANAGER,
                at=clock.now(),
            ),
        )

    async def _answer(self, kind: type[answers.M], make: Callable[[], answers.M]) -> bool:
        """Writes an answer unless it was written, sends it unless it was sent: the signature first."""
        if self.home.has_sent(kind):
            return True
        message = self.home.written(kind) or make()
        path = answers.write_message(message, SigningKey.load(self.options.signing_key), self.home.records)
        await self.host.upload(self.package, path.with_name(path.name + ".sig"))
        await self.host.upload(self.package, path)
        self.home.note_sent(kind)
        self._note("%s sent", kind.file_name())
        return True

    def _open_with(self, secrets: list[Passphrase]) -> bool:
        """Tries the newest paper first; an older notice of the cycle may still lie on the desk."""
        for secret in (secret for secret in secrets if secret not in self.contractor.tried):
            package = self._package()
            try:
                open_as_told(package, secret, self.home.work)
            except Refused as fault:
                self.contractor.tried.add(secret)
                self.contractor.complain(self.package, str(fault))
            else:
                return True
        return False

    async def _erase_copies(self) -> list[ErasedCopy]:
        """Erases what is not erased yet, noting each copy as it goes."""
        manifest = self._manifest().manifest
        noted = self.home.records / _ERASED
        copies = read_erased_copies(noted, manifest) if noted.exists() else []
        encrypted, opened = manifest.encrypted_file.sha256, manifest.print_file.sha256
        held: list[tuple[Carrier, str, str, Callable[[], Awaitable[None]]]] = [
            ("パソコン", opened, "", self._erase_work),
            ("パソコン", encrypted, "", self._erase_package),
        ]
        if self.host.erased_with_ja:
            held.append(("サーバー", encrypted, self.host.erased_with_ja, self._erase_on_host))
        for other in self._other_packages():
            if told := other.manifest_if_held():
                if tool := other.host.erased_with_ja:
                    held.append(("サーバー", told.encrypted_file.sha256, tool, other.erase_all))
                held.append(("パソコン", told.encrypted_file.sha256, "", other.erase_all))
                if other.home.has_sent(ContentReceipt) and told.print_file.sha256 != opened:
                    held.append(("パソコン", told.print_file.sha256, "", other.erase_all))
        for withdrawn, digest in withdrawn_on_desk(self.options.desk, self.cycle).items():
            if not (self.options.home / "packages" / withdrawn).exists():
                held.append(("サーバー", digest, "受領なし（区が引き上げた）", _nothing_to_erase))
        for carrier, digest, tool, erase in held:
            if any((copy.carrier, copy.file_sha256) == (carrier, digest) for copy in copies):
                continue
            started_at = clock.now()
            await erase()
            on_host = carrier == "サーバー"
            copies.append(
                ErasedCopy(
                    place=self.options.host if on_host else _PC,
                    carrier=carrier,
                    file_sha256=digest,
                    method="clear" if on_host else "purge",
                    tool=tool or _OVERWRITTEN,
                    serial_number=_SERVER if on_host else _PC,
                    started_at=started_at,
                    erased_at=clock.now(),
                    operator=_CLERK,
                    witness=_MANAGER,
                )
            )
            lines = [copy.model_dump(mode="json") for copy in copies]
            write_whole(noted, json.dumps(lines, ensure_ascii=False).encode())
        self._note("%d copies erased", len(copies))
        return copies

    def _other_packages(self) -> list["PackageWork"]:
        """Packages of the same cycle: those that this one replaced, and requests to take letters out of it."""
        known = self.options.home / "packages"
        names = sorted(path.name for path in known.iterdir() if is_package(path.name))
        return [
            PackageWork(self.contractor, self.ways, name)
            for name in names
            if cycle_of(name) == self.cycle and name != self.package
        ]

    def _requests(self) -> list["PackageWork"]:
        """The requests to take letters out that were taken in, but those that the ward withdrew on paper."""
        withdrawn = withdrawn_on_desk(self.options.desk, self.cycle)
        return [
            other
            for other in self._other_packages()
            if (told := other.manifest_if_held()) and told.is_request and other.package not in withdrawn
        ]

    def manifest_if_held(self) -> Manifest | None:
        """The manifest of a package that was taken in, None when it never was."""
        return self._manifest().manifest if (self.home.records / MANIFEST).exists() else None

    async def erase_all(self) -> None:
        """Every copy of a package that was replaced, or that only asked for letters."""
        erase_folder(self.home.work)
        erase_folder(self.home.package)
        await self._erase_on_host()

    async def _erase_work(self) -> None:
        erase_folder(self.home.work)

    async def _erase_package(self) -> None:
        erase_folder(self.home.package)

    async def _erase_on_host(self) -> None:
        await self.host.erase(self.package)

    def _package(self) -> CheckedPackage:
        return check_package(self.home.package, self.allowed, self.options.ward)

    def _manifest(self) -> SignedManifest:
        return read_manifest(self.home.records, self.allowed, self.options.ward)

    def _before(self, kind: type[answers.M]) -> answers.M:
        message = self.home.written(kind)
        if message is None:
            raise Refused(f"{kind.file_name()} の控えがありません。")
        return message

    def _note(self, sentence: str, *facts: object) -> None:
        log.info("%s: " + sentence, self.package, *facts)


async def _nothing_to_erase() -> None:
    return


def uses_seven_zip(manifest: Manifest) -> bool:
    """Whether a package is opened with 7-Zip on this machine."""
    return manifest.encryption == "zip-aes256" and shutil.which("7z") is not None


def open_as_told(package: CheckedPackage, secret: Passphrase, out: Path) -> None:
    """Opens a package as the guide says for its format: a ZIP with 7-Zip where that is installed, else the kit."""
    manifest = package.manifest
    if not uses_seven_zip(manifest):
        open_package(package, secret, out, synthetic=is_synthetic(manifest))
        return
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = subprocess.run(
        ["7z", "x", "-y", f"-o{out}", str(package.encrypted_path)],
        input=f"{secret.reveal()}\n".encode(
            "ascii"
        ),  # asked for, as of a person: a process list shows arguments
        capture_output=True,
        check=False,
    )
    path = out / manifest.print_file.name
    if opened.returncode or stored_file(path).sha256 != manifest.print_file.sha256:
        erase_folder(out)
        raise Refused(
            "7-Zip で開けません。パスワードが違います。", advice="通知書を見て入力し直してください。"
        )


def withdrawn_on_desk(desk: Path, cycle: str) -> dict[str, str]:
    """Packages of which the ward told on paper that they are not to be used: name and SHA-256 of the encrypted file."""
    told = {path.name.removeprefix("withdrawn-"): path for path in sorted(desk.glob("withdrawn-*"))}
    return {
        package: path.read_text(encoding="ascii").strip()
        for package, path in told.items()
        if is_package(package) and cycle_of(package) == cycle
    }


def cycle_of(package: str) -> str:
    """The cycle a package belongs to."""
    return package.rsplit("-p", 1)[0]


def newest_of_each_cycle(packages: set[str]) -> list[str]:
    """The packages to work on: a later one replaces the earlier ones of its cycle."""
    newest: dict[str, str] = {}
    for package in sorted(packages, key=lambda name: int(name.rsplit("-p", 1)[1])):
        newest[cycle_of(package)] = package
    return sorted(newest.values())


def passphrases_on_desk(desk: Path, cycle: str) -> list[Passphrase]:
    """The passphrases of a cycle's notices, newest notice first, read from the paper as a person reads it."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    found: dict[int, Passphrase] = {}
    for path in sorted(desk.glob("*.pdf")):
        try:
            text = "\n".join(page.extract_text() for page in PdfReader(path).pages)
        except (PyPdfError, ValueError, OSError):
            continue  # the paper is still being laid down
        number = re.search(rf"{re.escape(cycle)}-PW([0-9]+)", text)
        lines = (line.strip() for line in text.splitlines())
        written = next((line for line in lines if _PASSPHRASE_LINE.fullmatch(line)), None)
        if number and written:
            found[int(number[1])] = parse(written)
    return [found[number] for number in sorted(found, reverse=True)]


def print_jobs(signed: SignedManifest) -> list[PrintLogLine]:
    """Two printers share the work; one paper jam spoils some sheets, which are printed again."""
    sheets = signed.manifest.quantities.sheets
    spoiled = min(SPOILED_SHEETS, sheets)
    jobs = (
        ("PRINT-PC-1", "PRINTER-A", sheets - sheets // 2, "planned", ""),
        ("PRINT-PC-2", "PRINTER-B", sheets // 2, "planned", ""),
        ("PRINT-PC-1", "PRINTER-A", spoiled, "spoilage", "紙詰まりにより損紙"),
        ("PRINT-PC-1", "PRINTER-A", spoiled, "reprint", f"損紙{spoiled}枚の刷り直し"),
    )
    return [
        PrintLogLine.model_validate(
            {
                "source_computer": computer,
                "printed_at": clock.now(),
                "print_file": signed.manifest.print_file.name,
                "printer": printer,
                "sheets": count,
                "purpose": purpose,
                "reason": reason,
            }
        )
        for computer, printer, count, purpose, reason in jobs
    ]


def lots(signed: SignedManifest, empty: Collection[int] = ()) -> list[Lot]:
    """The envelopes in lots of at most 5,000, but the numbers of those of which nothing is left."""
    envelopes = signed.manifest.quantities.envelopes
    less = Counter((number - 1) // ENVELOPES_PER_LOT for number in empty)
    starts = range(0, envelopes, ENVELOPES_PER_LOT)
    return [
        Lot(lot=f"L{place + 1:02}", envelopes=min(ENVELOPES_PER_LOT, envelopes - start) - less[place])
        for place, start in enumerate(starts)
    ]


def erase_folder(folder: Path) -> None:
    """Overwrites every file of a folder with zeros, removes all, and looks again."""
    if not folder.exists():
        return
    for path in folder.iterdir():
        _overwrite(path)
        path.unlink()
    folder.rmdir()
    if folder.exists():
        raise CannotLook(f"{folder.name} が残っています。")


def _overwrite(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        left = os.fstat(file.fileno()).st_size
        while left:
            left -= file.write(bytes(min(left, _BLOCK)))
        os.fsync(file.fileno())


def _is_file_name(name: str) -> bool:
    try:
        TypeAdapter(FileName).validate_python(name)
    except ValidationError:
        return False
    return True


async def work(options: ContractorOptions, stopped: asyncio.Event) -> None:
    """Looks every second until `stopped`; what cannot be reached is tried again."""
    contractor, last_fault = Contractor(options), ""
    by_hand = Discs(options.desk), Page(options.desk)
    while not stopped.is_set():
        try:
            async with connected(options) as host:
                while not stopped.is_set():
                    await contractor.look(host, *by_hand)
                    last_fault = ""
                    await _pause(stopped)
        except (OSError, asyncssh.Error) as fault:
            if type(fault).__name__ != last_fault:
                last_fault = type(fault).__name__
                log.warning("cannot go on, trying again: %s", last_fault)
            await contractor.look(*by_hand)  # discs come just when the line is down
            await _pause(stopped)


async def _pause(stopped: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stopped.wait(), POLL_SECONDS)
    except TimeoutError:
        return


async def _until_terminated(options: ContractorOptions) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    log.info("at work")
    await work(options, stopped)


def main() -> None:
    """The process: works until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.ERROR)  # it would log every request, in its own words
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # a complaint about a page could quote the page
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--home", type=Path, required=True)
    arguments.add_argument("--host", required=True)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--user", default="contractor")
    for path in ("--host-key-file", "--key", "--signing-key", "--ward-signers", "--desk"):
        arguments.add_argument(path, type=Path, required=True)
    arguments.add_argument("--ward", required=True)
    asyncio.run(_until_terminated(ContractorOptions(**vars(arguments.parse_args()))))


if __name__ == "__main__":
    main()
