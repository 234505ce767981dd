"""Opening a package with the passphrase, and counting what is in it.

Plaintext gets its name only after its digest and the mark in every row were compared with the manifest; what
fails is removed. Invented data are never opened as real ones, nor real ones as invented: whoever opens must
say which they expect. Counting gives counts only.
"""

import csv
import io
import re
from collections import Counter
from pathlib import Path

from contractor_kit.files import writing
from contractor_kit.package_check import CheckedPackage
from notice_cycle.encryption import age
from notice_cycle.encryption.passphrase import Passphrase
from notice_cycle.errors import Altered, Conflict, Refused
from notice_cycle.exchange.package import Manifest, marking
from notice_cycle.records import Quantities
from notice_cycle.values import Digest, Frozen, stored_file

_CALL = "印刷せずに、区に連絡してください。"
_ENCODINGS = {"cp932-windows": "cp932"}
_MARK, _CYCLE, _ENVELOPE, _PERSON, _ORDINARY = (
    "データ区分",
    "発送回",
    "封筒番号",
    "被保険者番号",
    "普通徴収額",
)
# What did not decode, control characters, and 外字 (private use): those decode, but no print shop has a glyph.
_UNREADABLE = re.compile("[\ufffd\x00-\x1f\x7f-\x9f\ue000-\uf8ff]")


class PrintFileCount(Frozen):
    """What was counted in a print file. `marks` and `cycles`: every value found in those two columns."""

    print_file_sha256: Digest
    quantities: Quantities
    ordinary_total_yen: int
    unreadable_characters: int
    marks: frozenset[str]
    cycles: frozenset[str]


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
            age.decrypt(source, target, secret.reveal())
        target.flush()
        _compare(count_print_file(partial, manifest), manifest)
    return path


def count_print_file(path: Path, manifest: Manifest) -> PrintFileCount:
    """Counts an opened print file. Raises Refused naming line and column, never a value."""
    unreadable = 0
    people: Counter[str] = Counter()
    envelopes, marks, cycles = set(), set(), set()
    total_yen = 0
    try:
        digest = stored_file(path).sha256
        with path.open("rb") as raw:
            text = io.TextIOWrapper(
                raw, encoding=_ENCODINGS.get(manifest.charset, manifest.charset), errors="replace", newline=""
            )
            rows = csv.reader(text, strict=True)
            headings = next(rows, [])
            column = {heading: headings.index(heading) for heading in _needed(headings)}
            for row in rows:
                if len(row) != len(headings):
                    raise _unreadable_line(rows.line_num)
                people[row[column[_PERSON]]] += 1
                envelopes.add(row[column[_ENVELOPE]])
                marks.add(row[column[_MARK]])
                cycles.add(row[column[_CYCLE]])
                total_yen += _yen(row[column[_ORDINARY]], rows.line_num)
                unreadable += len(_UNREADABLE.findall("".join(row)))
    except FileNotFoundError:
        raise Refused(
            f"印字データ {path} がありません。", advice="open で開いたファイルを指定してください。"
        ) from None
    except csv.Error:
        raise _unreadable_line(rows.line_num) from None
    except LookupError:
        raise Refused(f"文字コード {manifest.charset} を読めません。", advice=_CALL) from None
    return PrintFileCount(
        print_file_sha256=digest,
        quantities=Quantities(
            persons=len(people), notices=people.total(), envelopes=len(envelopes), sheets=people.total()
        ),
        ordinary_total_yen=total_yen,
        unreadable_characters=unreadable,
        marks=frozenset(marks),
        cycles=frozenset(cycles),
    )


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


def _needed(headings: list[str]) -> tuple[str, ...]:
    needed = (_MARK, _CYCLE, _ENVELOPE, _PERSON, _ORDINARY)
    if missing := [heading for heading in needed if heading not in headings]:
        raise Refused(f"印字データに列 {'、'.join(missing)} がありません。", advice=_CALL)
    return needed


def _yen(text: str, line: int) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise Refused(f"印字データの{line:,}行目の{_ORDINARY}が整数ではありません。", advice=_CALL)
    return int(text)


def _unreadable_line(line: int) -> Refused:
    return Refused(f"印字データの{line:,}行目を CSV として読めません。", advice=_CALL)
