"""Making the package: the print file encrypted under a fresh passphrase, the manifest signed, all in the outbox.

The passphrase goes into custody in the vault before a byte is written and is never returned from here. The
outbox holds ciphertext, counts and digests only.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from notice_cycle.catalogue import Configuration
from notice_cycle.composition.rules import Layout
from notice_cycle.encryption import passphrase
from notice_cycle.encryption.formats import encrypt, package_format
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.errors import Altered
from notice_cycle.exchange.package import (
    CHECKSUMS,
    MANIFEST,
    MANIFEST_NAMESPACE,
    MANIFEST_SIGNATURE,
    Contents,
    Manifest,
    PrintColumn,
    PrintFormat,
    checksums,
    marking,
)
from notice_cycle.records import CompositionRecord, EncryptionRecord, HandoverApprovalRecord, PackageBeyond
from notice_cycle.values import blocks, sha256, sha256_of_chunks, stored_file
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import PASSPHRASE, TOTALS


def encrypt_package(
    composition: CompositionRecord,
    approval: HandoverApprovalRecord,
    configuration: Configuration,
    vault: CycleVault,
    *,
    outbox: Path,
    signing_key: Path,
    cycle: str,
    number: int,
    synthetic: bool,
    at: datetime,
    contents: Contents = "印字データ",
    request_number: str = "",
    passphrase_name: str = PASSPHRASE,
) -> EncryptionRecord:
    """Writes package `number` of the cycle into `outbox`. Raises Altered when not the approved bytes are in the vault.

    `contents`, `request_number`: of a pull-out, whose passphrase lies beside that of the print data.
    """
    package = f"{cycle}-p{number}"
    folder = outbox / cycle
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.iterdir():
        stale.unlink()
    print_file = composition.print_file.name
    with vault.reading(print_file) as plain:
        digest, _ = sha256_of_chunks(blocks(plain))
    if not digest == composition.print_file.sha256 == approval.print_file_sha256:
        raise Altered(
            "一時保管領域の印字データが、承認された印字データと異なります。",
            advice="情報システム課で原因を調べ、抽出からやり直してください。",
        )
    totals_yen: dict[str, int] = {}
    if composition.totals:
        with vault.reading(TOTALS) as totals:
            totals_yen = json.load(totals)
    secret = passphrase.generate()
    vault.keep_secret(passphrase_name, secret.reveal().encode())
    form = package_format(configuration.party.package.format)
    encrypted = folder / f"{package}{Path(print_file).suffix}{form.ending}"
    partial = folder / f"{encrypted.name}.partial"
    with vault.reading(print_file) as plain, partial.open("wb") as target:
        encrypt(form, plain, target, secret, member_name=print_file)
    partial.replace(encrypted)
    manifest = Manifest(
        marking=marking(synthetic=synthetic),
        cycle=cycle,
        package=package,
        notice_ja=configuration.notice.name_ja,
        ward=configuration.ward,
        party_ja=configuration.party.name_ja,
        issued_at=at,
        encryption=form.manifest_word,
        encrypted_file=stored_file(encrypted),
        print_file=composition.print_file,
        layout=composition.layout,
        charset=composition.charset,
        print_format=_print_format(configuration.layout),
        subject_heading=configuration.heading_of(configuration.notice.subject),
        agreed_characters=tuple(entry.printed for entry in configuration.gaiji.entries if entry.gaiji),
        quantities=composition.quantities,
        totals_yen={configuration.heading_of(item): yen for item, yen in totals_yen.items()},
        contents=contents,
        request_number=request_number,
    )
    key = SigningKey.load(signing_key)
    (folder / MANIFEST).write_bytes(manifest.content())
    (folder / MANIFEST_SIGNATURE).write_text(key.sign(manifest.content(), namespace=MANIFEST_NAMESPACE))
    packed = [stored_file(path) for path in (encrypted, folder / MANIFEST, folder / MANIFEST_SIGNATURE)]
    (folder / CHECKSUMS).write_bytes(checksums(packed))
    return EncryptionRecord(
        package=package,
        cipher=form.cipher,
        # The checksums come last: they are what tells the contractor that the package is complete.
        files=(*packed, stored_file(folder / CHECKSUMS)),
        manifest_sha256=sha256(manifest.content()),
        signer_fingerprint=key.fingerprint,
    )


def _print_format(layout: Layout) -> PrintFormat:
    columns = tuple(PrintColumn(heading=column.heading_ja, bytes=column.bytes) for column in layout.columns)
    return PrintFormat(format=layout.format, trailer=layout.trailer, columns=columns)


def next_number(made: Iterable[EncryptionRecord], beyond: Iterable[PackageBeyond]) -> int:
    """The number after every package ever `made` or found `beyond` a restored ledger: no name is used twice."""
    known = [*(one.package for one in made), *(one.package for one in beyond)]
    return max((int(package.rpartition("-p")[2]) for package in known), default=0) + 1
