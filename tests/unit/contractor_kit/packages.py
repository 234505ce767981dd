"""Builds what a contractor receives, with the ward's own functions, and what the ward knows of it."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.builders import a_cycle

from contractor_kit.package_check import CheckedPackage, check_package
from notice_cycle.acknowledgement.passphrase_notice import issue_passphrase_notice
from notice_cycle.catalogue import Configuration, resolve
from notice_cycle.composition import windows31j
from notice_cycle.encryption import age
from notice_cycle.encryption.formats import FormatId, PackageTerms
from notice_cycle.encryption.package import encrypt_package
from notice_cycle.encryption.sshsig import AllowedSigners
from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.exchange.messages import MESSAGE_NAMESPACE
from notice_cycle.exchange.package import MANIFEST_NAMESPACE, marking
from notice_cycle.exchange.print_file import DATA_KIND, TRAILER_DIGITS, TRAILER_KIND
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout.rules import configuration_of_list
from notice_cycle.records import (
    AmountTotal,
    CompositionRecord,
    ContentReceiptRecord,
    DeliveryConfirmationRecord,
    EncryptionRecord,
    HandoverApprovalRecord,
    HandoverRecord,
    OverLgwan,
    PostalLot,
    Quantities,
    Record,
)
from notice_cycle.settings import Settings
from notice_cycle.values import Person
from notice_cycle.vault import CycleVault, Vault
from notice_cycle.vault.names import PASSPHRASE, PRINT_FILE, TOTALS, pullout_list, pullout_passphrase

CONFIG = Path(__file__).parents[3] / "include" / "config"
CYCLE = "2026-premium_notice_ordinary-annual-01"
WARD, CONTRACTOR = "kakuu-ku", "example_print"
SMALL_TOTAL_KEY = b"small"
RESIDENT = "見本 髙子"  # 髙: the character that CPython and Windows encode differently
AT = datetime(2026, 7, 3, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class APackage:
    """A package in the ward's outbox, what the ward knows of it, and both parties' keys and lists."""

    folder: Path
    composition: CompositionRecord
    encryption: EncryptionRecord
    configuration: Configuration
    vault: CycleVault
    synthetic: bool
    contractor_key: Path
    ward_signers: Path  # what the contractor was given
    contractors: AllowedSigners  # what the ward keeps
    number: int = 1
    passphrase_name: str = PASSPHRASE

    @property
    def passphrase(self) -> str:
        return self.vault.secret(self.passphrase_name).decode()

    @property
    def handover(self) -> HandoverRecord:
        return HandoverRecord(
            party=CONTRACTOR,
            files=self.encryption.files,
            sent_at=AT,
            lgwan=OverLgwan(
                host="127.0.0.1",
                host_key_fingerprint="SHA256:x",
                transport="ssh",
                remote_folder=f"/to_contractor/{CYCLE}-p1",
                listing=(),
            ),
        )

    def delivered(self, *records: Record) -> CycleHistory:
        """The cycle up to the confirmed delivery, with this package and the records that judged its answers."""
        cycle = a_cycle().up_to(DeliveryConfirmationRecord)
        opened = cycle[ContentReceiptRecord].model_copy(
            update={"print_file_sha256": self.composition.print_file.sha256}
        )
        known = (self.composition, self.encryption, self.handover, opened, *records)
        own = {type(one): one for one in known}
        return replace(cycle, records=tuple(own.get(type(one), one) for one in cycle.records)).history()

    @property
    def checked(self) -> CheckedPackage:
        return check_package(self.folder, AllowedSigners.load(self.ward_signers), WARD)

    @property
    def print_bytes(self) -> bytes:
        with self.vault.reading(PRINT_FILE) as plain:
            return plain.read()

    def passphrase_notice(self, tray: Path) -> Path:
        """The paper, as it leaves the ward's printer."""
        issued = issue_passphrase_notice(
            self.encryption,
            self.configuration,
            self.vault,
            Settings({"NOTICE_CYCLE_PRINT_TRAY": str(tray)}),
            cycle=CYCLE,
            number=self.number,
            synthetic=self.synthetic,
            at=AT,
            passphrase_name=self.passphrase_name,
        )
        return tray / f"{issued.notice_number}.pdf"

    def request_for(self, letters: dict[str, int], home: Path) -> "APackage":
        """The second package: it asks for letters (number to envelope) to be taken out of this one."""
        listing = configuration_of_list(self.configuration)
        text = io.StringIO(newline="")
        written = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        written.writerow([column.heading_ja for column in listing.layout.columns])
        for number, envelope in letters.items():
            known = {"notice_no": number, "insured_no": number, "envelope_no": envelope, "lot_no": 1}
            known |= {"data_kind": marking(synthetic=self.synthetic), "cycle": CYCLE}
            written.writerow([known.get(column.item, envelope) for column in listing.layout.columns])
        with self.vault.writing(pullout_list(1)) as artefact:
            artefact.buffer.write(windows31j.encode(text.getvalue()))
        count = len(letters)
        composition = self.composition.model_copy(
            update={
                "quantities": Quantities(
                    persons=count, notices=count, envelopes=len({*letters.values()}), sheets=count
                ),
                "totals": {},
                "layout": listing.layout.id,
                "print_file": artefact.stored,
            }
        )
        encryption = encrypt_package(
            composition,
            HandoverApprovalRecord(
                approved_by=Person(user_id="shonin", name="承認者"),
                approved_at=AT,
                print_file_sha256=artefact.stored.sha256,
            ),
            listing,
            self.vault,
            outbox=home,
            signing_key=self.ward_signers.with_name("ward_key"),
            cycle=CYCLE,
            number=2,
            synthetic=self.synthetic,
            at=AT,
            contents="引抜き",
            request_number=f"{CYCLE}-引抜き1",
            passphrase_name=pullout_passphrase(1),
        )
        return replace(
            self,
            folder=home / CYCLE,
            composition=composition,
            encryption=encryption,
            configuration=listing,
            number=2,
            passphrase_name=pullout_passphrase(1),
        )


def quick_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    """A work factor that costs no second; age reads any up to 20."""
    monkeypatch.setitem(age.encrypt.__kwdefaults__, "work_factor", 2)


def a_package(
    home: Path, *, synthetic: bool = True, notices: int = 12, package_format: FormatId = "age"
) -> APackage:
    """A package of `notices` sheets, the last two of one person's recipient in one envelope."""
    home.mkdir(parents=True, exist_ok=True)
    configuration = resolve(CONFIG, "premium_notice_ordinary", 2026)
    terms = PackageTerms(format=package_format, clause="仕様書 第5条")
    party = configuration.party.model_copy(update={"package": terms})
    configuration = configuration.model_copy(update={"party": party})
    vault = Vault(home / "vault", KeyEncryptionKey(bytes(32))).cycle(CYCLE)
    vault.create()
    rows = [_row(number, notices, synthetic=synthetic) for number in range(1, notices + 1)]
    composition = _composed(rows, configuration, vault)
    ward_key, ward_line = key_pair(home / "ward_key")
    contractor_key, contractor_line = key_pair(home / "contractor_key")
    approval = HandoverApprovalRecord(
        approved_by=Person(user_id="shonin", name="承認者"),
        approved_at=AT,
        print_file_sha256=composition.print_file.sha256,
    )
    encryption = encrypt_package(
        composition,
        approval,
        configuration,
        vault,
        outbox=home / "outbox",
        signing_key=ward_key,
        cycle=CYCLE,
        number=1,
        synthetic=synthetic,
        at=AT,
    )
    ward_signers = home / "ward_signers"
    ward_signers.write_text(f'{WARD} namespaces="{MANIFEST_NAMESPACE}" {ward_line}\n')
    return APackage(
        folder=home / "outbox" / CYCLE,
        composition=composition,
        encryption=encryption,
        configuration=configuration,
        vault=vault,
        synthetic=synthetic,
        contractor_key=contractor_key,
        ward_signers=ward_signers,
        contractors=AllowedSigners.parse(
            f'{CONTRACTOR} namespaces="{MESSAGE_NAMESPACE}" {contractor_line}\n'
        ),
    )


def _composed(
    rows: Sequence[dict[str, Any]], configuration: Configuration, vault: CycleVault
) -> CompositionRecord:
    """The print file written by hand, not by the product's composition: a second opinion on its form."""
    total_yen = sum(row["ordinary_total_yen"] for row in rows)
    envelopes = max(row["envelope_no"] for row in rows)
    columns = configuration.layout.columns
    text = io.StringIO(newline="")
    written = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    written.writerow([column.heading_ja for column in columns])
    written.writerows([row.get(column.item, "") for column in columns] for row in rows)
    trailer = [len(rows), envelopes, len(rows), total_yen, total_yen]
    numbers = [f"{number:0{TRAILER_DIGITS}}" for number in trailer]
    written.writerow([TRAILER_KIND, *numbers, *[""] * (len(columns) - 1 - len(numbers))])
    with vault.writing(PRINT_FILE) as artefact:
        artefact.buffer.write(windows31j.encode(text.getvalue()))
    amounts = {"annual_yen": total_yen, "ordinary_total_yen": total_yen}
    with vault.writing(TOTALS) as totals:
        totals.buffer.write(json.dumps(amounts).encode())
    return CompositionRecord(
        quantities=Quantities(persons=len(rows), notices=len(rows), envelopes=envelopes, sheets=len(rows)),
        totals={
            item: AmountTotal.of(yen, persons=len(rows), key=SMALL_TOTAL_KEY) for item, yen in amounts.items()
        },
        layout=configuration.layout.id,
        charset=configuration.layout.charset,
        print_file=artefact.stored,
        variants={"slip": len(rows)},
        lots=(PostalLot(lot_no=1, postal_class="一般", envelopes=envelopes),),
        excluded={},
        corrected=0,
        unknown_differences=0,
        ambiguous=0,
        replaced_characters={},
        without_customer_barcode=0,
    )


def _row(number: int, notices: int, *, synthetic: bool) -> dict[str, Any]:
    """One notice with a value for every item any layout asks for."""
    instalments = {f"instalment_{month:02}": 8_000 for month in (7, 8, 9, 10, 11, 12, 1, 2, 3)}
    return instalments | {
        "record_kind": DATA_KIND,
        "data_kind": marking(synthetic=synthetic),
        "cycle": CYCLE,
        "envelope_no": min(number, notices - 1),
        "sheets_in_envelope": 2 if number >= notices - 1 else 1,
        "sheet_no": 2 if number == notices else 1,
        "notice_no": f"{number:010}",
        "postcode": "100-0000",
        "address": "架空区見本一丁目",
        "address_detail": "",
        "recipient_name": RESIDENT,
        "recipient_suffix": "様",
        "insured_no": f"{number:010}",
        "insured_name": RESIDENT,
        "birth_date": date(1950, 4, 1),
        "acquired_on": date(2015, 4, 1),
        "stage": 5,
        "months": 12,
        "stage_annual_yen": 72_000,
        "annual_yen": 72_000,
        "ordinary_total_yen": 72_000,
        "special_total_yen": 0,
        "first_due_on": date(2026, 7, 31),
    }


def key_pair(path: Path) -> tuple[Path, str]:
    """A new OpenSSH key file and its public line; the `.pub` lies beside it."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)
    line = (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )
    path.with_suffix(".pub").write_text(line + "\n")
    return path, line
