"""Checking a package on arrival: checksums, the ward's signature on the manifest, and the digests in it.

Three independent ties, all of them always: SHA256SUMS over the files, the signature over the manifest, the
manifest over the encrypted file. There is no way to skip the signature. Changes nothing in the package.
"""

import re
from pathlib import Path

from notice_cycle.encryption.sshsig import AllowedSigners, verify
from notice_cycle.errors import Altered, NotConfigured, Refused
from notice_cycle.exchange.package import (
    CHECKSUMS,
    MANIFEST,
    MANIFEST_NAMESPACE,
    MANIFEST_SIGNATURE,
    Manifest,
    checksums,
)
from notice_cycle.values import Digest, Frozen, StoredFile, sha256, stored_file

_CALL = "このパッケージは使わず、区に連絡して再送を求めてください。"
_SUM = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]{0,119})\n")


class SignedManifest(Frozen):
    """A manifest the ward has signed, its digest, and the fingerprint of the key that signed it."""

    manifest: Manifest
    sha256: Digest
    signer_fingerprint: str


class CheckedPackage(Frozen):
    """A package that passed: where it lies and its four files as they are on the disk."""

    folder: Path
    signed: SignedManifest
    files: tuple[StoredFile, ...]

    @property
    def manifest(self) -> Manifest:
        """What the ward says the package is."""
        return self.signed.manifest

    @property
    def encrypted_path(self) -> Path:
        """The encrypted print file."""
        return self.folder / self.manifest.encrypted_file.name


def check_package(folder: Path, allowed: AllowedSigners, ward: str) -> CheckedPackage:
    """Everything there is to check without the passphrase. Raises Altered or Refused naming the file."""
    listed = _listed(folder)
    files = []
    for name, digest in listed.items():
        file = _stored(folder / name)
        if file.sha256 != digest:
            raise Altered(f"{name} の内容が {CHECKSUMS} と一致しません。", advice=_CALL)
        files.append(file)
    signed = read_manifest(folder, allowed, ward)
    expected = signed.manifest.encrypted_file
    if list(listed) != [expected.name, MANIFEST, MANIFEST_SIGNATURE]:
        raise Altered(f"{CHECKSUMS} に書かれたファイルが、送付目録のパッケージと異なります。", advice=_CALL)
    if files[0] != expected:
        raise Altered(f"{expected.name} の内容が、区の署名した送付目録と一致しません。", advice=_CALL)
    return CheckedPackage(folder=folder, signed=signed, files=(*files, _stored(folder / CHECKSUMS)))


def read_manifest(folder: Path, allowed: AllowedSigners, ward: str) -> SignedManifest:
    """Manifest and signature alone, which hold no personal data and may be kept after the erasure."""
    content, signature = _content(folder / MANIFEST), _content(folder / MANIFEST_SIGNATURE)
    who = verify(content, signature, namespace=MANIFEST_NAMESPACE, allowed=allowed)
    if who != ward:
        raise Refused(
            f"送付目録に署名したのは {who} です（{ward} ではありません）。",
            advice="区の署名者の名前（--ward）と署名者の一覧（--ward-signers）を、区から受け取った書面と照合してください。",
        )
    return SignedManifest(
        manifest=Manifest.parse(content),
        sha256=sha256(content),
        signer_fingerprint=_fingerprint(content, signature, allowed),
    )


def only_signer(allowed: AllowedSigners) -> str:
    """The one name whose keys may sign manifests. Raises NotConfigured when there are none or several."""
    names = sorted({signer.principal for signer in allowed.signers if signer.may_sign(MANIFEST_NAMESPACE)})
    if len(names) != 1:
        raise NotConfigured(
            f"署名者の一覧に、送付目録に署名できる名前が{len(names)}件あります。",
            advice="区の署名者の名前を --ward で指定してください。",
        )
    return names[0]


def _listed(folder: Path) -> dict[str, Digest]:
    """Name and digest of each line of SHA256SUMS, which must be exactly as the ward writes it."""
    text = _content(folder / CHECKSUMS).decode("ascii", errors="replace")
    listed = {name: digest for digest, name in _SUM.findall(text)}
    lines = [StoredFile(name=name, size_bytes=0, sha256=digest) for name, digest in listed.items()]
    if not lines or checksums(lines) != text.encode():
        raise Altered(f"{CHECKSUMS} の形式が正しくありません。", advice=_CALL)
    return listed


def _fingerprint(content: bytes, signature: bytes, allowed: AllowedSigners) -> str:
    """Which of the ward's keys it was: the one that passes alone."""
    for signer in allowed.signers:
        try:
            verify(content, signature, namespace=MANIFEST_NAMESPACE, allowed=AllowedSigners((signer,)))
        except Refused:
            continue
        return signer.fingerprint
    raise AssertionError("verified before")


def _stored(path: Path) -> StoredFile:
    try:
        return stored_file(path)
    except FileNotFoundError:
        raise _missing(path) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None


def _missing(path: Path) -> Refused:
    return Refused(
        f"{path.parent} に {path.name} がありません。",
        advice="フォルダの指定を確認してください。正しい場合は受信が終わっていないので、終わるまで待つか、区に連絡してください。",
    )
