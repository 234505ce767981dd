"""A contractor's message as CSV, for firms with nothing but a spreadsheet: `<kind>.csv`, UTF-8 or CP932.

One rule: lines of two columns, 項目 and 値, up to an empty line; then, where the message has a list, a table with a
heading. A 項目 that may have several values stands on several lines. Read as strictly as JSON: unknown, missing or
repeated 項目 are refused, nothing is calculated, and no value is ever repeated in a refusal.
"""

import csv
import io
import re
import types
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import AwareDatetime, ValidationError

from notice_cycle.clock import TOKYO
from notice_cycle.errors import Refused
from notice_cycle.exchange.messages import MAX_MESSAGE_BYTES, M, Message
from notice_cycle.values import Frozen

_MAX_ROWS = 20_000
_ASK_AGAIN = "委託先に、様式どおりに作り直して署名し、同じ名前で置き直すよう依頼してください。"

LABELS: dict[str, str] = {
    "format": "様式", "message": "届出", "cycle": "発送回", "manifest_sha256": "送付目録のSHA-256",
    "received_at": "受け取った日時", "received_by": "受け取った者",
    "print_file_sha256": "印字データのSHA-256", "unreadable_characters": "読めない文字",
    "opened_at": "開いた日時", "opened_by": "開いた者",
    "persons": "人数", "notices": "通知書", "envelopes": "封筒", "sheets": "用紙",
    "source_computer": "印刷元コンピュータ名", "printed_at": "印刷日時", "print_file": "印刷ファイル名",
    "printer": "印刷先プリンタ名", "purpose": "区分", "reason": "理由",
    "lot": "ロット", "sheets_spoiled": "損紙", "place": "場所", "delivering_party": "納品する者",
    "delivered_at": "納品した日時", "delivered_by": "納品した者",
    "carrier": "媒体", "file_sha256": "ファイルのSHA-256", "method": "方法", "tool": "使用ツール",
    "serial_number": "製造番号", "started_at": "開始日時", "erased_at": "消去日時",
    "operator": "作業者", "witness": "立会者", "backups": "バックアップ",
    "certificate_number": "証明書の番号", "report_sha256": "報告書のSHA-256", "addressed_to": "宛先",
    "certified_at": "証明の日時", "responsible_person": "責任者",
    "level": "段階", "reason_code": "理由コード", "note": "補足",
    "rejected_at": "否認した日時", "rejected_by": "否認した者",
    "made_at": "作成日時", "access": "アクセスできる者", "declared_at": "届出の日時", "declared_by": "届け出た者",
    "taken_by_party": "受け取った事業者", "encrypted": "暗号化", "means": "手段", "giver": "渡した者",
    "taker": "受けた者", "handed_at": "渡した日時",
    "what": "種類", "destroyed_at": "廃棄日時",
    "request_number": "依頼の番号", "request_sha256": "依頼のSHA-256", "pulled": "引き抜いた数",
    "replaced": "差し替えた数", "not_found": "見つからない数", "done_at": "実施日時", "done_by": "実施した者",
    "receipt_number": "差出票の番号", "post_office": "郵便局", "posted_at": "差出日時", "posted_by": "差し出した者",
    "discs": "媒体の番号", "passphrase_notices": "パスワード通知書の番号", "tracking_number": "追跡番号",
    "returned_at": "返却日時", "returned_by": "返却した者",
    "summary": "内容", "planned_from": "予定日時", "reported_at": "報告日時", "reported_by": "報告した者",
    "category": "分類", "known_at": "知った日時", "outline": "概要", "persons_at_most": "最大の人数",
    "measures_taken": "とった措置", "contact": "連絡先",
    "file": "ファイル名", "size_bytes": "大きさ", "sent_at": "送った日時", "sent_by": "送った者",
}  # fmt: skip
"""What a field is called in CSV: the same name always the same."""

WORDS: dict[str, dict[str, str]] = {
    "purpose": {
        "計画": "planned", "損紙": "spoilage", "試し刷り": "test", "刷り直し": "reprint",
        "作業": "work", "バックアップ": "backup", "一時ファイル": "cache",
    },
    "method": {
        "消去": "clear", "除去": "purge", "破壊": "destroy",
        "裁断": "shredding", "溶解": "dissolving", "焼却": "incineration",
    },
    "what": {
        "損紙": "spoilage", "試し刷り": "test", "引抜き": "pulled", "差替え": "replaced",
        "事故": "accident", "おそれ": "likelihood", "違反": "breach",
    },
}  # fmt: skip
"""Words for the values of a field; the values themselves are taken as well."""

_TABLE_OF_NAMES: dict[str, tuple[str, str]] = {
    "files": ("ファイル名", "SHA-256"),
    "totals_yen": ("合計の見出し", "合計（円）"),
}
"""Fields that map names to values: a table of two columns."""

_SPREADSHEET_MOMENT = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?"
)  # 2026/7/3 9:05, as spreadsheets write it

Reading = Callable[[str], Any]


def parse(kind: type[M], content: bytes) -> M:
    """Reads a message strictly. Raises Refused naming the 項目 and what is wrong, never its value."""
    rows = _rows(kind, content)
    fields = _head(kind, rows)
    if table := _table_field(kind):
        fields[table] = _table(kind, table, rows)
    elif any(_filled(row) for row in rows):
        raise _wrong(kind, "（項目の後の行）")
    try:
        return kind.model_validate(fields, strict=True)
    except ValidationError as wrong:
        loc = wrong.errors(include_input=False, include_url=False)[0]["loc"]
        named = [LABELS[part] for part in loc if isinstance(part, str) and part in LABELS]
        raise _wrong(kind, named[-1] if named else "（一覧）") from None


def write(message: Message) -> str:
    """A message as CSV text; `parse` reads it back."""
    target = io.StringIO()
    lines = csv.writer(target)
    table = _table_field(type(message))
    for name, value in message:
        if name == table:
            continue
        if isinstance(value, Frozen):
            lines.writerows([LABELS[inner], _said(each)] for inner, each in value)
        elif isinstance(value, tuple):
            lines.writerows([LABELS[name], _said(each)] for each in value)
        else:
            lines.writerow([LABELS[name], _said(value, name)])
    if table:
        lines.writerow([])
        value = getattr(message, table)
        if table in _TABLE_OF_NAMES:
            lines.writerow(_TABLE_OF_NAMES[table])
            lines.writerows([name, _said(each)] for name, each in value.items())
        else:
            row = _row_model(type(message), table)
            lines.writerow([LABELS[name] for name in row.model_fields])
            lines.writerows([_said(each, inner) for inner, each in line] for line in value)
    return target.getvalue()


def moment(text: str) -> datetime:
    """A time as people write it, in Tokyo unless it names another offset. Raises ValueError."""
    text = unicodedata.normalize("NFKC", text).strip()
    if parts := _SPREADSHEET_MOMENT.fullmatch(text):
        year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=TOKYO)
    found = datetime.fromisoformat(text)
    if ":" not in text:
        raise ValueError("a date without a time")
    return found if found.tzinfo else found.replace(tzinfo=TOKYO)


def count(text: str) -> int:
    """A whole number, with or without thousands separators, full width too. Raises ValueError."""
    plain = unicodedata.normalize("NFKC", text).strip().replace(",", "")
    if not (plain.isascii() and plain.isdecimal()):
        raise ValueError("not a whole number")
    return int(plain)


# ---- reading


def _rows(kind: type[Message], content: bytes) -> Iterator[list[str]]:
    if len(content) > MAX_MESSAGE_BYTES:
        raise Refused("届出が大きすぎます（上限1MiB）。", advice=_ASK_AGAIN)
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise _unreadable(kind)
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            found.append([cell.strip() for cell in row])
            if len(found) > _MAX_ROWS:
                raise _unreadable(kind)
    except csv.Error:
        raise _unreadable(kind) from None
    return iter(found)


def _head(kind: type[Message], rows: Iterator[list[str]]) -> dict[str, Any]:
    known = _head_fields(kind)
    by_label = {LABELS[name]: name for name in known}
    values: dict[str, list[str]] = {}
    for row in rows:
        if not _filled(row):
            break
        name = by_label.get(row[0])
        if name is None or any(row[2:]) or not row[1:]:
            raise _wrong(kind, row[0] if name else "（知らない項目）")
        values.setdefault(name, []).append(row[1])
    fields: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, (into, several, reading) in known.items():
        said = [value for value in values.get(name, []) if value]
        if len(said) > 1 and not several:
            raise _wrong(kind, LABELS[name])
        try:
            read = [reading(value) for value in said]
        except (ValueError, OverflowError):
            raise _wrong(kind, LABELS[name]) from None
        target = nested.setdefault(into, {}) if into else fields
        if several:
            target[name] = tuple(read)
        elif read:
            target[name] = read[0]
    return fields | nested


def _table(kind: type[Message], table: str, rows: Iterator[list[str]]) -> Any:
    filled = [row for row in rows if _filled(row)]
    if not filled:
        raise _wrong(kind, "（一覧）")
    heading, lines = filled[0], filled[1:]
    while heading and not heading[-1]:
        heading.pop()
    if table in _TABLE_OF_NAMES:
        return _names(kind, table, heading, lines)
    model = _row_model(kind, table)
    labels = {LABELS[name]: name for name in model.model_fields}
    if sorted(heading) != sorted(labels):
        raise _wrong(kind, "（一覧の見出し）")
    found = []
    for line in lines:
        if any(line[len(heading) :]):
            raise _wrong(kind, "（一覧）")
        fields = {}
        for label, value in zip(heading, line, strict=False):
            name = labels[label]
            try:
                if value:
                    fields[name] = _reading(name, model.model_fields[name].annotation)(value)
            except (ValueError, OverflowError):
                raise _wrong(kind, label) from None
        found.append(fields)
    try:
        return tuple(model.model_validate(fields, strict=True) for fields in found)
    except ValidationError as wrong:
        loc = wrong.errors(include_input=False, include_url=False)[0]["loc"]
        raise _wrong(kind, LABELS.get(str(loc[0]) if loc else "", "（一覧）")) from None


def _names(kind: type[Message], table: str, heading: list[str], lines: list[list[str]]) -> dict[str, Any]:
    if tuple(heading) != _TABLE_OF_NAMES[table]:
        raise _wrong(kind, "（一覧の見出し）")
    found: dict[str, Any] = {}
    for line in lines:
        if not line[1:] or any(line[2:]) or line[0] in found:
            raise _wrong(kind, "（一覧）")
        try:
            found[line[0]] = count(line[1]) if table == "totals_yen" else line[1]
        except ValueError:
            raise _wrong(kind, _TABLE_OF_NAMES[table][1]) from None
    return found


def _filled(row: list[str]) -> bool:
    return any(row)


def _unreadable(kind: type[Message]) -> Refused:
    return Refused(f"{kind.label_ja}が CSV として読めません。", advice=_ASK_AGAIN)


def _wrong(kind: type[Message], where: str) -> Refused:
    return Refused(f"{kind.label_ja}（CSV）の項目 {where} が正しくありません。", advice=_ASK_AGAIN)


# ---- what a kind has


@cache
def _head_fields(kind: type[Message]) -> Mapping[str, tuple[str, bool, Reading]]:
    """Each field told on a line of its own: the model it is nested in, whether it may be repeated, how it is read."""
    found: dict[str, tuple[str, bool, Reading]] = {}
    for name, field in kind.model_fields.items():
        if name == _table_field(kind):
            continue
        annotation = _bare(field.annotation)
        if isinstance(annotation, type) and issubclass(annotation, Frozen):
            for inner, each in annotation.model_fields.items():
                found[inner] = (name, False, _reading(inner, each.annotation))
        elif get_origin(annotation) is tuple:
            found[name] = ("", True, _reading(name, get_args(annotation)[0]))
        else:
            found[name] = ("", False, _reading(name, annotation))
    return found


@cache
def _table_field(kind: type[Message]) -> str:
    """The field that is the table, empty when there is none."""
    for name, field in kind.model_fields.items():
        annotation = _bare(field.annotation)
        if get_origin(annotation) is dict or (
            get_origin(annotation) is tuple and isinstance(get_args(annotation)[0], type(Frozen))
        ):
            return name
    return ""


def _row_model(kind: type[Message], table: str) -> type[Frozen]:
    return cast(type[Frozen], get_args(_bare(kind.model_fields[table].annotation))[0])


def _reading(name: str, annotation: Any) -> Reading:
    annotation = _bare(annotation)
    if annotation is bool:
        return _yes_or_no
    if annotation is int:
        return count
    if annotation is AwareDatetime:
        return moment
    if get_origin(annotation) is Literal:
        if all(isinstance(value, int) for value in get_args(annotation)):
            return count
        return lambda text: WORDS.get(name, {}).get(text, text)
    return str


def _yes_or_no(text: str) -> bool:
    answers = {"はい": True, "いいえ": False}
    if text not in answers:
        raise ValueError("neither yes nor no")
    return answers[text]


def _bare(annotation: Any) -> Any:
    """A type without what is said beside it: Annotated, and None as an alternative."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _bare(next(arg for arg in get_args(annotation) if arg is not type(None)))
    return annotation


def _said(value: Any, name: str = "") -> str:
    words = {value_of: word for word, value_of in WORDS.get(name, {}).items()}
    match value:
        case None:
            return ""
        case bool():
            return "はい" if value else "いいえ"
        case datetime():
            return value.isoformat()
        case _:
            return words.get(str(value), str(value))
