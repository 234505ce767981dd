"""The package a contractor receives: encrypted print file, manifest, its signature, checksums.

    <cycle>-<n>.csv.age   print data, age v1 with a passphrase
    manifest.json         what it is, quantities, totals, digests (RFC 8785 canonical JSON)
    manifest.json.sig     SSHSIG by the ward's key, namespace notice-cycle-manifest
    SHA256SUMS            for `sha256sum -c`

Counts and digests only: the manifest holds no personal data.
"""

import json
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from notice_cycle.errors import Altered
from notice_cycle.records import Quantities
from notice_cycle.values import CycleId, Frozen, PackageId, StoredFile, canonical

MANIFEST = "manifest.json"
MANIFEST_SIGNATURE = "manifest.json.sig"
CHECKSUMS = "SHA256SUMS"
MANIFEST_NAMESPACE = "notice-cycle-manifest"
Marking = Literal["架空データ", "本番"]


class Manifest(Frozen):
    """What the ward says the package is. `marking` is 架空データ for invented data, 本番 otherwise."""

    format: Literal["notice-cycle-manifest/1"] = "notice-cycle-manifest/1"
    marking: Marking
    cycle: CycleId
    package: PackageId
    notice_ja: str
    ward: str
    party_ja: str
    issued_at: datetime
    encryption: Literal["age-v1-scrypt"] = "age-v1-scrypt"
    encrypted_file: StoredFile
    print_file: StoredFile
    layout: str
    charset: str
    quantities: Quantities
    ordinary_total_yen: int

    def content(self) -> bytes:
        """The canonical bytes that are written, digested and signed."""
        return canonical(self.model_dump(mode="json"))

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """Raises Altered when the bytes are not a canonical manifest."""
        try:
            manifest = cls.model_validate(json.loads(content))
        except (ValueError, ValidationError, RecursionError):
            manifest = None
        if manifest is None or manifest.content() != content:
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
