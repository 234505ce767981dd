"""A contractor with age, sha256sum, ssh-keygen and a text editor, following docs/exchange-format.md to the certificate.

No line of the kit and no model of ours writes an answer: they are the document's own examples, with the package's
values put in as a person would. The ward's door and its stages judge them.
"""

import csv
import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.builders import a_delivery_confirmation
from tests.unit.contractor_kit.packages import (
    AT,
    CONTRACTOR,
    CYCLE,
    SMALL_TOTAL_KEY,
    WARD,
    APackage,
    a_package,
    quick_encryption,
)
from tests.unit.contractor_kit.test_stock_tools import open_with_age, run

from notice_cycle import clock
from notice_cycle.acknowledgement.receipts import verify_content_receipt, verify_receipt
from notice_cycle.delivery.reconcile import verify_delivery
from notice_cycle.erasure.verify import Proof, verify_erasure
from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange import door
from notice_cycle.exchange.messages import (
    MESSAGES,
    ContentReceipt,
    CopyDeclaration,
    DeliveryReport,
    DestructionCertificate,
    ErasureCertificate,
    ErasureReport,
    M,
    PrintLog,
    Receipt,
)
from notice_cycle.handover.route import packages_that_left

DOCUMENT = (Path(__file__).parents[2] / "docs" / "exchange-format.md").read_text(encoding="utf-8")
MISSING = [tool for tool in ("age", "sha256sum", "ssh-keygen") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


class Contractor:
    """Who has the package's folder, the ward's list of signers, a key, the paper, and the document."""

    def __init__(self, package: APackage, desk: Path) -> None:
        self.package, self.desk = package, desk
        self.opened = desk / "print.csv"
        desk.mkdir()

    def checks_and_opens(self) -> None:
        folder = self.package.folder
        run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=folder)
        signed_by = ("-Y", "verify", "-f", str(self.package.ward_signers), "-I", WARD)
        manifest = (folder / "manifest.json").read_bytes()
        run(
            *("ssh-keygen", *signed_by, "-n", "notice-cycle-manifest", "-s", "manifest.json.sig"),
            cwd=folder,
            said=manifest,
        )
        open_with_age(self.package.encryption.files[0].name, self.opened, self.package.passphrase, folder)

    def digest(self, path: Path) -> str:
        return run("sha256sum", str(path)).split()[0]

    def writes(self, kind: str, *, form: str = "json") -> None:
        """The document's example, with this package's digests and counts instead of the example's; then signed."""
        (block,) = re.findall(
            rf'^```json\n(\{{\n  "format": "notice-cycle-message/1",\n  "message": "{kind}",\n.*?)^```$',
            DOCUMENT,
            re.MULTILINE | re.DOTALL,
        )
        folder = self.package.folder
        files = [folder / name for name in (f"{CYCLE}-p1.csv.age", "manifest.json.sig", "SHA256SUMS")]
        digests = {
            "1": self.digest(files[0]),
            "2": self.digest(self.opened),
            "3": self.digest(folder / "manifest.json"),
            "4": self.digest(files[1]),
            "5": self.digest(files[2]),
        }
        if kind == "erasure-certificate":
            digests["6"] = self.digest(self.desk / "erasure-report.json")
        for digit, digest in digests.items():
            block = block.replace(digit * 64, digest)
        if kind == "copy-declaration":
            block = block.replace(f'"file_sha256": "{digests["3"]}"', f'"file_sha256": "{digests["2"]}"')
        rows, envelopes, annual, ordinary = self.counts()
        for example, counted in (
            ("7500000", annual), ("7200000", ordinary), ("100", rows), ("98", envelopes), ("2026-07-01", "2026-07-04"),
        ):  # fmt: skip
            block = re.sub(rf"(?<=[ :]){example}\b|(?<=\"){example}(?=T)", str(counted), block)
        path = self.desk / f"{kind}.{form}"
        path.write_text(block, encoding="utf-8")
        key = str(self.package.contractor_key)
        run("ssh-keygen", "-Y", "sign", "-f", key, "-n", "notice-cycle-message", str(path))

    def counts(self) -> tuple[int, int, int, int]:
        """As a person counts in a spreadsheet: rows, different envelope numbers, two sums."""
        heading, *rows = csv.reader(io.StringIO(self.opened.read_bytes().decode("cp932")))
        data = [dict(zip(heading, row, strict=True)) for row in rows if row[0] == "2"]
        return (
            len(data),
            len({row["封筒番号"] for row in data}),
            sum(int(row["決定年額"]) for row in data),
            sum(int(row["普通徴収額"]) for row in data),
        )

    def sent(self, kind: type[M]) -> door.Admitted[M]:
        """What the ward's door makes of it."""
        path = self.desk / kind.file_name()
        return door.admit(
            path.read_bytes(),
            path.with_name(path.name + ".sig").read_bytes(),
            kind,
            cycle=CYCLE,
            signers={CONTRACTOR: CONTRACTOR},
            contractor=CONTRACTOR,
            allowed=self.package.contractors,
            at=clock.now(),
        )


@pytest.fixture
def contractor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contractor:
    quick_encryption(monkeypatch)
    return Contractor(a_package(tmp_path / "made"), tmp_path / "desk")


def test_a_cycle_is_completed_from_receipt_to_certificate_with_stock_tools_alone(
    contractor: Contractor,
) -> None:
    package = contractor.package
    said: dict[str, Any] = {"signed_by": CONTRACTOR}
    contractor.checks_and_opens()
    for kind in ("receipt", "content-receipt", "copy-declaration", "print-log", "delivery-report"):
        contractor.writes(kind)

    receipt = contractor.sent(Receipt)
    verify_receipt(
        package.handover, package.encryption, receipt.message, message_sha256=receipt.sha256, **said
    )
    opened = contractor.sent(ContentReceipt)
    second_level = verify_content_receipt(
        package.composition,
        package.encryption,
        opened.message,
        package.configuration,
        message_sha256=opened.sha256,
        small_total_key=SMALL_TOTAL_KEY,
        **said,
    )
    assert contractor.sent(CopyDeclaration).message.copies[0].file_sha256 == second_level.print_file_sha256
    log, report = contractor.sent(PrintLog), contractor.sent(DeliveryReport)
    delivered = verify_delivery(
        package.composition,
        package.encryption,
        log.message,
        report.message,
        log_sha256=log.sha256,
        report_sha256=report.sha256,
        **said,
    )
    assert (delivered.envelopes_delivered, delivered.sheets_spoiled) == (11, 3)

    for kind in ("destruction-certificate", "erasure-report", "erasure-certificate"):
        contractor.writes(kind)
    assert contractor.sent(DestructionCertificate).message.papers[0].sheets == 3
    erased, certificate = contractor.sent(ErasureReport), contractor.sent(ErasureCertificate)
    proof = Proof(
        CONTRACTOR, CONTRACTOR, erased.message, erased.sha256, certificate.message, certificate.sha256
    )
    history = package.delivered(second_level, delivered, a_delivery_confirmation(report.message, at=AT))
    erasure = verify_erasure(history, [proof], left=packages_that_left(history, []))
    assert (erasure.copies_erased, erasure.notices) == (3, 12)


@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_every_example_of_the_document_signed_by_ssh_keygen_passes_the_door(
    contractor: Contractor, kind: str
) -> None:
    contractor.opened.write_bytes(contractor.package.print_bytes)
    if kind == "erasure-certificate":
        contractor.writes("erasure-report")
    contractor.writes(kind)
    assert contractor.sent(MESSAGES[kind]).party == CONTRACTOR


def test_a_letter_changed_after_signing_is_noticed(contractor: Contractor) -> None:
    contractor.opened.write_bytes(contractor.package.print_bytes)
    contractor.writes("receipt")
    path = contractor.desk / "receipt.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace("受け取った者", "受けとった者"), encoding="utf-8"
    )
    with pytest.raises(Altered):
        contractor.sent(Receipt)
    path.with_name("receipt.json.sig").write_text("", encoding="utf-8")
    with pytest.raises(Refused):
        contractor.sent(Receipt)
