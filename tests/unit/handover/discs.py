"""A package in a folder, as it stands before it goes on disc: real cipher, real signatures, small."""

import io
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.builders import a_key_file

from notice_cycle.encryption import age, passphrase, zip_aes
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.exchange.package import (
    CHECKSUMS,
    MANIFEST,
    MANIFEST_NAMESPACE,
    MANIFEST_SIGNATURE,
    Manifest,
    PrintColumn,
    PrintFormat,
    checksums,
    marking,
)
from notice_cycle.handover.media import DiscExtras, DiscImage, build_images
from notice_cycle.records import Quantities
from notice_cycle.values import StoredFile, sha256, stored_file

CYCLE = "2026-premium_notice_ordinary-annual-01"
AT = datetime(2026, 7, 3, 1, 5, tzinfo=UTC)  # 10:05 in Tokyo
WARD = "架空区"


@dataclass(frozen=True)
class APackage:
    """The folder, what its manifest says, and what opens it."""

    folder: Path
    manifest: Manifest
    plain: bytes
    secret: passphrase.Passphrase
    key: SigningKey

    @property
    def encrypted(self) -> bytes:
        return (self.folder / self.manifest.encrypted_file.name).read_bytes()

    @property
    def signers(self) -> str:
        return f'{WARD} namespaces="{MANIFEST_NAMESPACE}" {self.key.public_line}\n'


def a_package(
    tmp_path: Path,
    *,
    plain: bytes | None = None,
    ending: str = ".age",
    synthetic: bool = True,
    work_factor: int = 10,
) -> APackage:
    """`plain`: the print file; some 100 KB of nothing in particular when left out."""
    content = os.urandom(100_000) if plain is None else plain
    folder, secret = tmp_path / CYCLE, passphrase.generate()
    folder.mkdir()
    key = SigningKey.load(a_key_file(tmp_path / "signing_key"))
    encrypted = folder / f"{CYCLE}-p1.csv{ending}"
    with encrypted.open("wb") as target:
        if ending == ".age":
            age.encrypt(io.BytesIO(content), target, secret.reveal(), work_factor=work_factor)
        else:
            zip_aes.encrypt(io.BytesIO(content), target, secret.reveal(), member_name="print.csv")
    manifest = Manifest(
        marking=marking(synthetic=synthetic),
        cycle=CYCLE,
        package=f"{CYCLE}-p1",
        notice_ja="納入通知書・普通徴収",
        ward=WARD,
        party_ja="架空印刷株式会社",
        issued_at=AT,
        encrypted_file=stored_file(encrypted),
        print_file=StoredFile(name="print.csv", size_bytes=len(content), sha256=sha256(content)),
        layout="premium_notice_ordinary-1",
        charset="cp932-windows",
        print_format=PrintFormat(format="csv", trailer=False, columns=(PrintColumn(heading="データ区分"),)),
        subject_heading="被保険者番号",
        agreed_characters=(),
        quantities=Quantities(persons=100, notices=100, envelopes=98, sheets=100),
        totals_yen={"普通徴収額": 7_200_000},
    )
    (folder / MANIFEST).write_bytes(manifest.content())
    (folder / MANIFEST_SIGNATURE).write_text(key.sign(manifest.content(), namespace=MANIFEST_NAMESPACE))
    files = [stored_file(folder / name) for name in (encrypted.name, MANIFEST, MANIFEST_SIGNATURE)]
    (folder / CHECKSUMS).write_bytes(checksums(files))
    return APackage(folder, manifest, content, secret, key)


def the_extras(package: APackage, **changed: Any) -> DiscExtras:
    """What stands beside the package on a disc."""
    facts: dict[str, Any] = {
        "ward_signers": package.signers.encode(),
        "guide_pdf": b"%PDF-1.7 guide",
        "guide_text": "手順書\n𠮷\n",
        "decrypter": b"<!doctype html>",
    }
    return DiscExtras(**(facts | changed))


def the_images(package: APackage, out: Path, **how: Any) -> tuple[DiscImage, ...]:
    """The package's discs."""
    settings: dict[str, Any] = {"signing_key": package.key, "at": AT} | how
    extras = settings.pop("extras", None) or the_extras(package)
    return build_images(package.folder, extras, out, **settings)
