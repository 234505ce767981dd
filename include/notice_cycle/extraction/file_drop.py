"""Reading a notice's rows from a file that the host computer drops into a folder (ファイル連携).

`<batch>.ctl`, written last, promises `<batch>.csv` or `.dat`: count, totals, digest. The data file is digested,
then read in blocks of whole lines, each checked before it is parsed. Refuses what is not exactly as declared,
and tells it by row number: no value, of whomever, enters a message. A file that may still be written is
"not there yet": it is waited for.
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from notice_cycle.catalogue import DropColumn, FileDrop, Notice
from notice_cycle.errors import Altered, CannotLook, NotConfigured, NotThereYet, Refused
from notice_cycle.extraction import fixed_length, separated
from notice_cycle.extraction.source import Batch, ControlTotals
from notice_cycle.extraction.typed import ARROW, LABELS_JA, Unreadable, typed
from notice_cycle.values import sha256_of_chunks

_BLOCK = 4 * 1024 * 1024
_CONTROL_BYTES = 4096
_CLOCK_TOLERANCE = timedelta(minutes=5)
_Texts = Iterator[tuple[int, list[pa.Array]]]  # some rows' columns as text, with the line of the first row
_ASK_THE_HOST = "基幹系の担当者に連絡し、出力し直してもらってから、抽出を再実行してください。"


@contextmanager
def reading(
    root: Path, drop: FileDrop, notice: Notice, batch: Batch, *, now: datetime
) -> Iterator[tuple[ControlTotals, pa.RecordBatchReader]]:
    """Opens a batch's files: the control totals and the rows of `items`. Raises NotThereYet, CannotLook or Refused.

    The rows are checked while they are read: what the reader raises is of the same kind, and until it has
    come to its end nothing read is sound.
    """
    offered = {column.item: column for column in drop.columns}
    if absent := [item for item in notice.items if item not in offered]:
        raise NotConfigured(
            f"ファイル連携の source.columns に、登録した項目 {', '.join(absent)} がありません。",
            advice="カタログの items と source.columns を照合してください。",
        )
    control_name, name = f"{batch.number}.ctl", f"{batch.number}.{'dat' if drop.is_fixed_length else 'csv'}"
    with _folder(root / drop.folder) as folder:
        _look_for(control_name, name, _names(folder), batch)
        with _file(folder, control_name) as source:
            control = _control(source, batch)
        _judge(control, {"notice": notice.id, "batch": batch.number, "file": name})
        as_of = _as_of(control["as_of"], now, timedelta(hours=drop.max_age_hours))
        with _file(folder, name) as source:
            promised = control["sha256"].lower()
            if sha256_of_chunks(_blocks(source))[0] != promised:
                raise Altered(
                    "連携ファイルの SHA-256 が統制票と一致しません（途中で切れたか、変更されています）。",
                    advice=_ASK_THE_HOST,
                )
            totals = _control_totals(control, as_of)
            wanted = [offered[item] for item in notice.items]
            schema = pa.schema([(column.item, ARROW[column.type]) for column in wanted])
            batches = _batches(_digested(_blocks(source), promised), drop, wanted, schema)
            yield totals, pa.RecordBatchReader.from_batches(schema, batches)


# ---- the folder and its files


@contextmanager
def _answering() -> Iterator[None]:
    """Turns what the shared folder does when it is away into CannotLook, and a link into Refused."""
    try:
        yield
    except OSError as failed:
        if failed.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR):
            raise _irregular() from None
        raise CannotLook(
            f"連携フォルダを読めません（{errno.errorcode.get(failed.errno or 0, '不明')}）。",
            advice="共有フォルダの接続と、実行ユーザーの読取り権限を確認してください。",
        ) from None


def _irregular() -> Refused:
    return Refused(
        "連携フォルダまたは連携ファイルが、シンボリックリンクなど通常と異なるものです。",
        advice="だれが置いたかを確認し、通常のファイルで置き直してもらってください。",
    )


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    with _answering():
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _file(folder: int, name: str) -> Iterator[BinaryIO]:
    """Opened within the folder that is already open, never through a link, and only a file of bytes."""

    def within(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)

    with _answering():
        opened = open(name, "rb", opener=within)  # noqa: SIM115 - what its user raises is not ours to turn
    with opened as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise _irregular()
        yield source


def _names(folder: int) -> list[str]:
    with _answering():
        return os.listdir(folder)


def _look_for(control: str, data: str, names: list[str], batch: Batch) -> None:
    if control not in names:
        raise _not_there_yet(batch)
    if data not in names:
        raise Refused(f"統制票ファイルはありますが、連携ファイル {data} がありません。", advice=_ASK_THE_HOST)
    # A batch number holds no other characters than these, so `<batch>_2.ctl` is no batch of its own.
    same = re.compile(re.escape(batch.number) + r"(?![0-9A-Za-z-])", re.IGNORECASE)
    if others := sum(name not in (control, data) and same.match(name) is not None for name in names):
        raise Refused(
            f"異動バッチ {batch.number} のファイルが、連携フォルダにほかにも{others}件あります。",
            advice="どれが正しいかを基幹系の担当者に確認し、余分なファイルを片付けてもらってから、抽出を再実行してください。",
        )


def _not_there_yet(batch: Batch) -> NotThereYet:
    return NotThereYet(
        f"異動バッチ {batch.number} の統制票ファイルが、まだ連携フォルダに届いていません。",
        advice="届くまで自動で待ちます。長く届かないときは、異動バッチ番号と基幹系の処理を確認してください。",
    )


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    """A file's bytes from its beginning. Raises NotThereYet when it changes meanwhile."""
    with _answering():
        source.seek(0)
        before = os.fstat(source.fileno())
        while block := source.read(_BLOCK):
            yield block
        after = os.fstat(source.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _changed()


def _digested(blocks: Iterable[bytes], promised: str) -> Iterator[bytes]:
    """Passes blocks on and makes sure at the end that these were the promised bytes."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
        yield block
    if digest.hexdigest() != promised:
        raise _changed()


def _changed() -> NotThereYet:
    return NotThereYet(
        "連携ファイルが、読取りの途中で変わりました。",
        advice="基幹系の出力が終わるまで自動で待ち、初めから読み直します。",
    )


# ---- the control file

_CONTROL = {
    "format_version": "1",
    "notice": ".+",
    "batch": ".+",
    "file": ".+",
    "count": "[0-9]{1,9}",
    "sha256": "[0-9A-Fa-f]{64}",
    "as_of": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})",
}
_BESIDE = {  # lines that stand as often as the notice has amounts and last year's values
    r"amount\.[a-z][a-z0-9_]*": r"[0-9]{1,15}",
    r"last_year": r"[0-9]{4}",
    r"last_year\.[a-z][a-z0-9_]*\..{1,40}": r"[0-9]{1,9}",
}


def _form_of(key: str) -> str:
    beside = (form for name, form in _BESIDE.items() if re.fullmatch(name, key))
    return _CONTROL.get(key) or next(beside, r"(?!)")


def _control_totals(control: dict[str, str], as_of: datetime) -> ControlTotals:
    last_year: dict[str, dict[str, int]] = {}
    for key, persons in control.items():
        if key.startswith("last_year."):
            _, item, value = key.split(".", 2)
            last_year.setdefault(item, {})[value] = int(persons)
    return ControlTotals(
        as_of=as_of,
        persons=int(control["count"]),
        amounts={key[7:]: int(yen) for key, yen in control.items() if key.startswith("amount.")},
        last_year=last_year,
        last_year_of=int(control["last_year"]) if "last_year" in control else None,
    )


def _control(source: BinaryIO, batch: Batch) -> dict[str, str]:
    """The control file's lines, each key once and of its form; what a wrong line holds is not told."""
    if os.fstat(source.fileno()).st_size > _CONTROL_BYTES:
        raise Refused("統制票ファイルが大きすぎます（上限4KiB）。", advice=_ASK_THE_HOST)
    text = b"".join(_blocks(source)).decode("utf-8-sig", "replace")
    if not text:  # its name is there, its content not yet
        raise _not_there_yet(batch)
    found: dict[str, str] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        key, _, value = line.removesuffix("\r").partition("=")
        if key in found or not re.fullmatch(_form_of(key), value):
            raise Refused(
                f"統制票ファイルの{number}行目が正しくありません（知らない項目、重複、または値の形）。",
                advice=_ASK_THE_HOST,
            )
        found[key] = value
    if missing := [key for key in _CONTROL if key not in found]:
        raise Refused(f"統制票ファイルに項目 {', '.join(missing)} がありません。", advice=_ASK_THE_HOST)
    return found


def _judge(control: dict[str, str], expected: dict[str, str]) -> None:
    if different := [key for key, value in expected.items() if control[key] != value]:
        raise Refused(
            f"統制票ファイルが、別の処理のものです（{', '.join(different)} が異なります）。",
            advice="異動バッチ番号を確認し、基幹系の担当者に連絡してください。",
        )


def _as_of(text: str, now: datetime, max_age: timedelta) -> datetime:
    try:
        as_of = datetime.fromisoformat(text)
    except ValueError:
        as_of = None
    if as_of is None or not now - max_age <= as_of <= now + _CLOCK_TOLERANCE:
        why = "日時ではない" if as_of is None else "未来" if as_of > now else "古すぎる"
        raise Refused(
            f"統制票ファイルの基準日時 as_of を受け付けられません（{why}）。",
            advice="異動バッチ番号と基幹系の処理日を確認し、最新の処理で出力し直してもらってください。",
        )
    return as_of


# ---- rows


def _batches(
    blocks: Iterator[bytes], drop: FileDrop, wanted: list[DropColumn], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    for line, texts in (_fixed if drop.is_fixed_length else _separated)(blocks, drop, wanted):
        columns = [
            _readable(column, line, typed, text, column.type)
            for text, column in zip(texts, wanted, strict=True)
        ]
        yield pa.record_batch(columns, schema=schema)


def _separated(blocks: Iterator[bytes], drop: FileDrop, wanted: list[DropColumn]) -> _Texts:
    codec = "utf-8" if drop.format == "csv-utf8" else "cp932"
    return separated.rows(
        blocks if codec == "utf-8" else separated.refuse_utf8(blocks),
        codec,
        [column.item for column in drop.columns],
        [column.item for column in wanted],
    )


def _fixed(blocks: Iterator[bytes], drop: FileDrop, wanted: list[DropColumn]) -> _Texts:
    widths = [column.bytes or 0 for column in drop.columns]
    place = {
        column.item: slice(end - width, end)
        for column, width, end in zip(drop.columns, widths, accumulate(widths), strict=True)
    }
    for line, records in fixed_length.records(separated.refuse_utf8(blocks), sum(widths)):
        yield line, [_field(records[:, place[column.item]], column, line) for column in wanted]


def _field(field: fixed_length.Bytes, column: DropColumn, line: int) -> pa.Array:
    cut_out = fixed_length.texts if column.type == "text" else fixed_length.codes
    return _readable(column, line, cut_out, field)


def _readable(column: DropColumn, line: int, read: Callable[..., pa.Array], *given: Any) -> pa.Array:
    try:
        return read(*given)
    except Unreadable as broken:
        row = broken.row
    raise Refused(
        f"連携ファイルの{line + row:,}行目の項目 {column.item} を、{LABELS_JA[column.type]}として読めません。",
        advice=_ASK_THE_HOST,
    )
