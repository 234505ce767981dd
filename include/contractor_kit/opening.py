"""Opening a package with the passphrase, and counting what is in it.

Plaintext gets its name only after its digest and the mark in every row were compared with the manifest; what
fails is removed. Invented data are never opened as real ones, nor real ones as invented: whoever opens must
say which they expect. Counting gives counts only.
"""

from pathlib import Path

from contractor_kit.files import writing
from contractor_kit.package_check import CheckedPackage
from notice_cycle.encryption.formats import FORMATS, PackageFormat, decrypt
from notice_cycle.encryption.passphrase import Passphrase
from notice_cycle.errors import Altered, Conflict, Refused
from notice_cycle.exchange import print_file
from notice_cycle.exchange.package import Manifest, marking
from notice_cycle.values import Digest, stored_file

_CALL = "印刷せずに、区に連絡してください。"


class PrintFileCount(print_file.PrintFileCount):
    """What was counted in a print file, and the file's digest."""

    print_file_sha256: Digest


def is_synthetic(manifest: Manifest) -> bool:
    """Whether the ward says that the data are invented."""
    return manifest.marking == marking(synthetic=True)


def expect_marking(manifest: Manifest, *, synthetic: bool) -> None:
    """Raises Refused unless invented data are asked for as such, and real data as real."""
    if is_synthetic(manifest) and not synthetic:
        raise Refused(
            "このパッケージは架空データです。本番の印刷には使えません。",
            advice="試験・訓練として開く場合だけ、--synthetic を付けてください。",
        )
    if synthetic and not is_synthetic(manifest):
        raise Refused(
            "このパッケージは本番のデータです。架空データとしては開けません。",
            advice="試験には使わないでください。本番の印刷のために開く場合は、--synthetic を外してください。",
        )


def open_package(package: CheckedPackage, secret: Passphrase, out: Path, *, synthetic: bool) -> Path:
    """Decrypts the print file into `out` and gives its path; opened before and unchanged, it is left alone.

    Raises Refused for a wrong passphrase or marking, Altered when the content is not what the manifest says,
    Conflict when another file has the name already.
    """
    manifest = package.manifest
    expect_marking(manifest, synthetic=synthetic)
    path = out / manifest.print_file.name
    if path.exists():
        if stored_file(path).sha256 == manifest.print_file.sha256:
            return path
        raise Conflict(
            f"{path} がすでにあり、このパッケージの印字データと異なります。",
            advice="上書きせずに止めました。--out に空のフォルダを指定してください。",
        )
    with writing(path) as (target, partial):
        with package.encrypted_path.open("rb") as source:
            decrypt(_format_of(manifest), source, target, secret)
        target.flush()
        _compare(count_print_file(partial, manifest), manifest)
    return path


def _format_of(manifest: Manifest) -> PackageFormat:
    return next(form for form in FORMATS.values() if form.manifest_word == manifest.encryption)


def count_print_file(path: Path, manifest: Manifest) -> PrintFileCount:
    """Counts an opened print file. Raises Refused naming line and column, never a value."""
    try:
        digest = stored_file(path).sha256
        with path.open("rb") as source:
            counted = print_file.count_print_file(
                source,
                manifest.print_format,
                manifest.charset,
                subject=manifest.subject_heading,
                totals=manifest.totals_yen,
                gaiji=manifest.agreed_characters,
            )
    except FileNotFoundError:
        raise Refused(
            f"印字データ {path} がありません。", advice="open で開いたファイルを指定してください。"
        ) from None
    return PrintFileCount(print_file_sha256=digest, **counted.model_dump())


def _compare(counted: PrintFileCount, manifest: Manifest) -> None:
    if counted.print_file_sha256 != manifest.print_file.sha256:
        raise Altered("開いた印字データが、区の署名した送付目録と一致しません。", advice=_CALL)
    if not counted.marks <= {manifest.marking}:
        raise Altered(
            f"印字データの中に、送付目録（{manifest.marking}）と異なるデータ区分の行があります。",
            advice=_CALL,
        )
    if not counted.cycles <= {manifest.cycle}:
        raise Altered("印字データの中に、別の発送回の行があります。", advice=_CALL)
