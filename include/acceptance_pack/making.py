"""Making the packages of the pack with the product's own composition and encryption, and then spoiling some.

Every package is marked 架空データ, so no contractor's tool opens it for printing unasked.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from acceptance_pack.people import rows
from notice_cycle.catalogue import Configuration
from notice_cycle.composition.compose import compose
from notice_cycle.composition.rules import GaijiEntry
from notice_cycle.encryption.package import encrypt_package
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.exchange.package import (
    CHECKSUMS,
    MANIFEST,
    MANIFEST_NAMESPACE,
    MANIFEST_SIGNATURE,
    Manifest,
    checksums,
)
from notice_cycle.records import (
    AmountTotal,
    CompositionRecord,
    EncryptionRecord,
    ExtractionRecord,
    HandoverApprovalRecord,
    ValidationRecord,
)
from notice_cycle.values import Person, sha256, stored_file
from notice_cycle.vault import CycleVault, Vault
from notice_cycle.vault.names import PASSPHRASE, STAGED

SMALL_TOTAL_KEY = b"acceptance pack"
_UNAGREED = GaijiEntry(
    characters="U+585A U+FE00", gaiji="U+E0FF", agreed_on=date(2026, 4, 1), agreed_by_ja="受入試験"
)
_NOBODY = Person(user_id="acceptance", name="受入試験")


@dataclass(frozen=True)
class Made:
    """One package as the ward knows it: what was composed and encrypted, and its passphrase."""

    composition: CompositionRecord
    encryption: EncryptionRecord
    passphrase: str


@dataclass(frozen=True)
class Maker:
    """Makes packages under `folder` for a notice as configured, signed with the ward's key."""

    configuration: Configuration
    signing_key: Path
    vaults: Path
    at: datetime

    def make(self, target: Path, cycle: str, *, number: int = 1, unagreed: bool = False) -> Made:
        """A package into `target`. `unagreed`: with one glyph that was never agreed with the contractor."""
        composing = _with_unagreed_glyph(self.configuration) if unagreed else self.configuration
        # Invented data in a folder that goes at once: the key protects nothing and is written down nowhere.
        vault = Vault(self.vaults / target.name, KeyEncryptionKey(bytes(32))).cycle(cycle)
        vault.create()
        composition = _composed(composing, vault, cycle, self.at)
        approval = HandoverApprovalRecord(
            approved_by=_NOBODY, approved_at=self.at, print_file_sha256=composition.print_file.sha256
        )
        encryption = encrypt_package(
            composition,
            approval,
            self.configuration,
            vault,
            outbox=self.vaults / "outbox" / target.name,
            signing_key=self.signing_key,
            cycle=cycle,
            number=number,
            synthetic=True,
            at=self.at,
        )
        shutil.move(self.vaults / "outbox" / target.name / cycle, target)
        return Made(composition, encryption, vault.secret(PASSPHRASE).decode())


def _composed(configuration: Configuration, vault: CycleVault, cycle: str, at: datetime) -> CompositionRecord:
    import pyarrow as pa
    from pyarrow import ipc

    people = list(rows(configuration.notice.items, [one.original for one in configuration.gaiji.entries]))
    schema = pa.schema([(item, _type(item, people[0][item])) for item in configuration.notice.items])
    with vault.writing(STAGED) as artefact, ipc.new_stream(artefact.buffer, schema) as stream:
        stream.write_table(pa.Table.from_pylist(people, schema=schema))
    totals = {
        total.item: AmountTotal.of(
            sum(row[total.item] for row in people), persons=len(people), key=SMALL_TOTAL_KEY
        )
        for total in configuration.notice.totals
    }
    extraction = ExtractionRecord(
        as_of=at,
        rows=len(people),
        persons=len(people),
        columns=configuration.notice.items,
        totals=totals,
        staging=artefact.stored,
        circumstances=artefact.stored,
    )
    validation = ValidationRecord(
        staging_sha256=artefact.stored.sha256, rules=(), counts={}, last_year={}, last_year_of=None
    )
    return compose(
        extraction,
        validation,
        configuration,
        vault,
        cycle=cycle,
        synthetic=True,
        small_total_key=SMALL_TOTAL_KEY,
    )


def _type(item: str, value: Any) -> Any:
    import pyarrow as pa

    return pa.date32() if item.endswith("_on") else pa.scalar(value).type


def _with_unagreed_glyph(configuration: Configuration) -> Configuration:
    entries = (*configuration.gaiji.entries, _UNAGREED)
    return configuration.model_copy(
        update={"gaiji": configuration.gaiji.model_copy(update={"entries": entries})}
    )


# ---- spoiling


def flip_a_byte(folder: Path) -> None:
    """One bit of the encrypted file is wrong, as a bad line or disc makes it."""
    (encrypted,) = folder.glob("*.csv.*")
    content = bytearray(encrypted.read_bytes())
    content[len(content) // 2] ^= 1
    encrypted.write_bytes(bytes(content))


def lose_the_signature(folder: Path) -> None:
    """A file did not arrive."""
    (folder / MANIFEST_SIGNATURE).unlink()


def sign_with(key: SigningKey, folder: Path) -> None:
    """Somebody else's signature, and checksums that fit it."""
    content = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST_SIGNATURE).write_text(key.sign(content, namespace=MANIFEST_NAMESPACE))
    _sum_up(folder)


def rewrite(folder: Path, key: SigningKey, change: Callable[[dict[str, Any]], None]) -> str:
    """A manifest that says something else, properly signed by the ward. Gives its digest."""
    said = json.loads((folder / MANIFEST).read_bytes())
    change(said)
    content = Manifest.model_validate(said).content()
    (folder / MANIFEST).write_bytes(content)
    sign_with(key, folder)
    return sha256(content)


def alter_the_manifest(folder: Path) -> None:
    """A manifest changed on the way, with checksums that fit: only the signature tells."""
    content = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(content.replace(b'"sheets":', b'"sheets":1', 1))
    _sum_up(folder)


def _sum_up(folder: Path) -> None:
    (encrypted,) = folder.glob("*.csv.*")
    files = [stored_file(path) for path in (encrypted, folder / MANIFEST, folder / MANIFEST_SIGNATURE)]
    (folder / CHECKSUMS).write_bytes(checksums(files))
