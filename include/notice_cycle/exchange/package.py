"""The package a contractor receives: encrypted print file, manifest, its signature, checksums.

    <cycle>-<n>.csv.age   print data, age v1 with a passphrase (.csv.zip for contractors who have 7-Zip only;
                          .txt instead of .csv where the layout is fixed length)
    manifest.json         what it is, quantities, totals, digests (RFC 8785 canonical JSON)
    manifest.json.sig     SSHSIG by the ward's key, namespace notice-cycle-manifest
    SHA256SUMS            for `sha256sum -c`

Counts and digests only: the manifest holds no personal data.
"""

import json
from datetime import datetime
from typing import Literal

from notice_cycle.errors import Altered
from notice_cycle.records import Quantities
from notice_cycle.values import CycleId, Frozen, PackageId, StoredFile, canonical

MANIFEST = "manifest.json"
MANIFEST_SIGNATURE = "manifest.json.sig"
CHECKSUMS = "SHA256SUMS"
MANIFEST_NAMESPACE = "notice-cycle-manifest"
Marking = Literal["架空データ", "本番"]
Contents = Literal["印字データ", "引抜き", "差替え"]
"""What the encrypted file is: what to print, or a list of what to take out of what was printed."""


class PrintColumn(Frozen):
    """One column of the print file: its heading, and its width in bytes where the format is fixed length."""

    heading: str
    bytes: int | None = None


class PrintFormat(Frozen):
    """How the print file is written: enough to read it without the ward's layout file."""

    format: Literal["csv", "fixed"]
    trailer: bool
    columns: tuple[PrintColumn, ...]


class Manifest(Frozen):
    """What the ward says the package is. `marking` is 架空データ for invented data, 本番 otherwise.

    Amounts are yen by the heading of their column; persons are counted by the column `subject_heading`.
    `agreed_characters`: 外字 of the contractor's own font that were agreed for this print file.
    """

    format: Literal["notice-cycle-manifest/1"] = "notice-cycle-manifest/1"
    marking: Marking
    cycle: CycleId
    package: PackageId
    notice_ja: str
    ward: str
    party_ja: str
    issued_at: datetime
    encryption: Literal["age-v1-scrypt", "zip-aes256"] = "age-v1-scrypt"
    encrypted_file: StoredFile
    print_file: StoredFile
    layout: str
    charset: str
    print_format: PrintFormat
    subject_heading: str
    agreed_characters: tuple[str, ...]
    quantities: Quantities
    totals_yen: dict[str, int]
    contents: Contents = "印字データ"
    request_number: str = ""

    def content(self) -> bytes:
        """The canonical bytes that are written, digested and signed; only a request says what else it is."""
        said = self.model_dump(mode="json")
        if not self.is_request:
            del said["contents"], said["request_number"]
        return canonical(said)

    @property
    def is_request(self) -> bool:
        """Whether it is a list of letters to take out, not data to print."""
        return self.contents != "印字データ"

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """Raises Altered when the bytes are not a canonical manifest."""
        try:
            manifest = cls.model_validate(json.loads(content))
            is_canonical = manifest.content() == content
        except (ValueError, TypeError, RecursionError):  # pydantic's is a ValueError
            is_canonical = False
        if not is_canonical:
            raise Altered(
                "manifest.json が送付目録の形式ではありません。",
                advice="区に連絡し、パッケージの再送を求めてください。",
            )
        return manifest


def marking(*, synthetic: bool) -> Marking:
    """What print file and manifest say about their data."""
    return "架空データ" if synthetic else "本番"


def checksums(files: list[StoredFile]) -> bytes:
    """The SHA256SUMS file for these files, as `sha256sum -c` reads it."""
    return "".join(f"{file.sha256}  {file.name}\n" for file in files).encode()
