"""Reading the lists a contractor keeps: print jobs, lots and erased copies, from CSV or JSON.

A CSV has Japanese headings and comes from a spreadsheet (UTF-8 or Windows' own character set); a JSON file is
a list of objects with the messages' own field names. A mistake is named by file, line and heading.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from notice_cycle.errors import Refused
from notice_cycle.exchange.csv_form import count, moment
from notice_cycle.exchange.messages import Carrier, ErasedCopy, Lot, PrintLogLine
from notice_cycle.exchange.package import Manifest
from notice_cycle.values import Frozen

__all__ = ["METHODS", "PURPOSES", "count", "moment", "read_erased_copies", "read_lots", "read_print_lines"]

T = TypeVar("T", bound=Frozen)
Reading = Callable[[str], Any]

PURPOSES = {"計画": "planned", "損紙": "spoilage", "試し刷り": "test", "刷り直し": "reprint"}
# NIST SP 800-88 in the wording of the IPA's translation.
METHODS = {"消去": "clear", "除去": "purge", "破壊": "destroy"}


def read_print_lines(path: Path) -> list[PrintLogLine]:
    """Print jobs: 印刷元コンピュータ名,印刷日時,印刷ファイル名,印刷先プリンタ名,印刷枚数,区分,理由."""
    columns: dict[str, tuple[str, Reading]] = {
        "印刷元コンピュータ名": ("source_computer", str),
        "印刷日時": ("printed_at", moment),
        "印刷ファイル名": ("print_file", str),
        "印刷先プリンタ名": ("printer", str),
        "印刷枚数": ("sheets", count),
        "区分": ("purpose", _one_of(PURPOSES)),
        "理由": ("reason", str),
    }
    return _read(path, PrintLogLine, columns)


def read_lots(path: Path) -> list[Lot]:
    """Delivered lots: ロット,封数."""
    return _read(path, Lot, {"ロット": ("lot", str), "封数": ("envelopes", count)})


def read_erased_copies(path: Path, manifest: Manifest) -> list[ErasedCopy]:
    """Erased copies: 保管場所,媒体,ファイル,消去方法,使用ツール,製造番号,開始日時,消去日時,作業者,立会者.

    ファイル: a name in the manifest or a SHA-256.
    """
    digests = {file.name: file.sha256 for file in (manifest.encrypted_file, manifest.print_file)}
    columns: dict[str, tuple[str, Reading]] = {
        "保管場所": ("place", str),
        "媒体": ("carrier", str),
        "ファイル": ("file_sha256", lambda text: digests.get(text, text)),
        "消去方法": ("method", _one_of(METHODS)),
        "使用ツール": ("tool", str),
        "製造番号": ("serial_number", str),
        "開始日時": ("started_at", moment),
        "消去日時": ("erased_at", moment),
        "作業者": ("operator", str),
        "立会者": ("witness", str),
    }
    return _read(path, ErasedCopy, columns)


def _one_of(words: Mapping[str, str]) -> Reading:
    def reading(text: str) -> str:
        word = text.strip()
        return words.get(word, word)

    return reading


def _read(path: Path, kind: type[T], columns: Mapping[str, tuple[str, Reading]]) -> list[T]:
    content = _text(path)
    found = (
        _json(path, kind, content) if path.suffix.lower() == ".json" else _csv(path, kind, columns, content)
    )
    if not found:
        raise Refused(f"{path.name} に行がありません。", advice="1行以上書いてください。")
    return found


def _csv(path: Path, kind: type[T], columns: Mapping[str, tuple[str, Reading]], content: str) -> list[T]:
    rows = csv.DictReader(io.StringIO(content, newline=""))
    headings = [heading.strip() for heading in rows.fieldnames or ()]
    if sorted(headings) != sorted(columns):
        raise Refused(
            f"{path.name} の見出しが正しくありません。",
            advice=f"1行目を「{','.join(columns)}」にしてください。",
        )
    rows.fieldnames = headings
    found = []
    for row in rows:
        if any((row[heading] or "").strip() for heading in columns):  # spreadsheets leave empty lines behind
            found.append(_from_row(path, rows.line_num, kind, columns, row))
    return found


def _from_row(
    path: Path, line: int, kind: type[T], columns: Mapping[str, tuple[str, Reading]], row: Mapping[str, Any]
) -> T:
    fields = {}
    for heading, (field, reading) in columns.items():
        try:
            fields[field] = reading((row[heading] or "").strip())
        except ValueError:
            raise _bad_cell(path, line, heading) from None
    try:
        return kind.model_validate(fields)
    except ValidationError as wrong:
        field = str(wrong.errors()[0]["loc"][0])
        raise _bad_cell(
            path, line, next(heading for heading, (name, _) in columns.items() if name == field)
        ) from None


def _json(path: Path, kind: type[T], content: str) -> list[T]:
    try:
        return TypeAdapter(list[kind]).validate_python(json.loads(content))  # type: ignore[valid-type]
    except ValidationError as wrong:
        where = ".".join(str(part) for part in wrong.errors()[0]["loc"]) or "（全体）"
        raise Refused(
            f"{path.name} の項目 {where} が正しくありません。",
            advice="`python -m contractor_kit template` の見本と照らし合わせてください。",
        ) from None
    except (ValueError, RecursionError):
        raise Refused(
            f"{path.name} を JSON として読めません。", advice="括弧・引用符・カンマを確かめてください。"
        ) from None


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise Refused(f"{path} がありません。", advice="ファイルの指定を確認してください。") from None
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused(
        f"{path.name} の文字コードを読めません。",
        advice="UTF-8 または Windows の標準の文字コードで保存してください。",
    )


def _bad_cell(path: Path, line: int, heading: str) -> Refused:
    hints = {
        "区分": f"{'・'.join(PURPOSES)} のどれかにしてください。",
        "消去方法": f"{'・'.join(METHODS)} のどれかにしてください。",
        "印刷日時": "例: 2026-07-03 10:05",
        "開始日時": "例: 2026-07-03 10:05",
        "消去日時": "例: 2026-07-03 10:05",
        "媒体": f"{'・'.join(get_args(Carrier))} のどれかにしてください。",
        "ファイル": "送付目録にあるファイル名か、SHA-256 を書いてください。",
    }
    return Refused(
        f"{path.name} の{line}行目の「{heading}」が正しくありません。",
        advice=hints.get(heading, "空欄でないこと、数は整数であることを確かめてください。"),
    )
