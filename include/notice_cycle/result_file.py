"""発送結果 for the core system: what became of every notice, as a data file and, written last, its control file.

Written at the closing, just before the dispatch index is destroyed: only then it is known what was pulled out and
posted, and it is told once. The same dispatch gives the same bytes. Refuses to overwrite a whole pair of another
content, which the core system may have read.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from notice_cycle.errors import Altered, CannotLook, NotConfigured
from notice_cycle.fiscal_year import TOKYO, tokyo_date
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.notice_reconciliation import Dispatched, Letter, pulled_numbers
from notice_cycle.posting import all_posted_at, postings
from notice_cycle.pullout import Pullout, pullouts, taken_after_delivery
from notice_cycle.pullout.folded import State
from notice_cycle.reconciliation import RESULTS_JA
from notice_cycle.records import DeliveryConfirmationRecord, ResultsReturned
from notice_cycle.values import Frozen, StoredFile, sha256
from notice_cycle.vault import CycleVault

FILE_NAME = "result_files.yaml"
Result = Literal["sent", "pulled", "replaced", "uncertain", "withdrawn"]


class ResultColumn(Frozen):
    """One column of the file. `bytes`: its width, of fixed length only."""

    item: Literal[
        "notice_no", "subject", "result", "delivered_on", "posted_on", "pulled_on", "lot_no", "cycle"
    ]
    heading_ja: str = ""
    bytes: int | None = Field(default=None, ge=1)


class ResultFormat(Frozen):
    """How the file is written from a day on; `results`: the code of each result. `notices` empty: all."""

    valid_from: date
    notices: tuple[str, ...] = ()
    format: Literal["csv-cp932", "csv-utf8", "fixed-cp932"]
    columns: tuple[ResultColumn, ...] = Field(min_length=1)
    results: dict[Result, str]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if {"notice_no", "result"} - {column.item for column in self.columns}:
            raise ValueError("columns に notice_no と result が要ります")
        if any((column.bytes is not None) != self.is_fixed_length for column in self.columns):
            raise ValueError("bytes は、固定長ならすべての列に書き、CSV なら書かないでください")
        if set(self.results) != set(RESULTS_JA) or len(set(self.results.values())) != len(self.results):
            raise ValueError(f"results に {'・'.join(RESULTS_JA)} の異なる符号を書いてください")
        return self

    @property
    def is_fixed_length(self) -> bool:
        """Records of so many bytes instead of separated fields."""
        return self.format == "fixed-cp932"

    @property
    def codec(self) -> str:
        """How characters become bytes."""
        return "utf-8" if self.format == "csv-utf8" else "cp932"


class _Formats(Frozen):
    formats: tuple[ResultFormat, ...] = Field(min_length=1)


def load_format(config: Path, notice: str, on: date) -> ResultFormat:
    """The format that holds for a notice on a day. Raises NotConfigured."""
    path = config / FILE_NAME
    try:
        known = _Formats.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).formats
    except ValidationError as wrong:
        where = ".".join(str(part) for part in wrong.errors()[0]["loc"]) or "（全体）"
        raise NotConfigured(
            f"発送結果の様式 {FILE_NAME} の {where} が正しくありません。",
            advice="見本（include/config/result_files.yaml）の書き方と比べて直し、クリアしてください。",
        ) from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        raise NotConfigured(
            f"発送結果の様式 {FILE_NAME} を読めません。",
            advice="ファイルの場所、字下げ、コロンの後の空白を確かめ、クリアしてください。",
        ) from None
    holding = [one for one in known if one.valid_from <= on and (not one.notices or notice in one.notices)]
    if not holding:
        raise NotConfigured(
            f"発送結果の様式 {FILE_NAME} に、{on} に効く {notice} のものがありません。",
            advice="valid_from と notices を確かめて書き足し、クリアしてください。",
        )
    # A notice named on purpose goes before what holds for all; then the later first day.
    return max(holding, key=lambda one: (bool(one.notices), one.valid_from))


@dataclass(frozen=True)
class Outcome:
    """What became of one notice; days only where they are known."""

    letter: Letter
    result: Result
    delivered_on: date | None = None
    posted_on: date | None = None
    pulled_on: date | None = None


def outcomes(dispatched: Dispatched, history: CycleHistory, vault: CycleVault) -> list[Outcome]:
    """Every notice in order of dispatch, as the ledger and the pull-out lists tell it."""
    if history.recalled:
        return [Outcome(letter, "withdrawn") for letter in dispatched.letters]
    taken = {
        number: (_result_of(one), tokyo_date(one.confirmed.done_at) if one.confirmed else None)
        for one in pullouts(history)
        if one.state is not State.CANCELLED
        for number in pulled_numbers(vault, [one.request.list_file.name])
    }
    for out in taken_after_delivery(history):  # what could not be found before may have been found then
        on = tokyo_date(out.destroyed.destroyed_at if out.destroyed else out.entered_at)
        taken.update(dict.fromkeys(pulled_numbers(vault, [out.list_file.name]), ("pulled", on)))
    delivered_on = tokyo_date(history.latest(DeliveryConfirmationRecord).delivered_at)
    # One day for all: a lot has no number of its own with a contractor, and the clocks run from the last one.
    posted = [tokyo_date(one.posted_at) for one in postings(history)] if all_posted_at(history) else []
    posted_on = max(posted, default=None)
    return [
        Outcome(letter, taken[letter.notice_no][0], pulled_on=taken[letter.notice_no][1])
        if letter.notice_no in taken
        else Outcome(letter, "sent", delivered_on, posted_on)
        for letter in dispatched.letters
    ]


def write_results(
    found: Sequence[Outcome],
    layout: ResultFormat,
    folder: Path,
    *,
    notice: str,
    cycle: str,
    as_of: datetime,
    at: datetime,
) -> ResultsReturned:
    """Writes both files below `folder` (the notice's own) and gives the fact. The same files there stay as they are.

    Raises CannotLook when the shared folder is away, Altered when other files of this dispatch are there.
    """
    content = _content(found, layout, cycle)
    name = f"{cycle}.{'dat' if layout.is_fixed_length else 'csv'}"
    file = StoredFile(name=name, size_bytes=len(content), sha256=sha256(content))
    results: Counter[str] = Counter(one.result for one in found)
    control = _control(
        {
            "format_version": "1",
            "notice": notice,
            "cycle": cycle,
            "file": name,
            "count": str(len(found)),
            "sha256": file.sha256,
            "as_of": as_of.astimezone(TOKYO).isoformat(timespec="seconds"),
            **{f"result.{result}": str(results[result]) for result in RESULTS_JA},
        }
    )
    control_file = StoredFile(name=f"{cycle}.ctl", size_bytes=len(control), sha256=sha256(control))
    try:
        if not folder.parent.is_dir():  # never made here: a share that is not mounted must be noticed
            raise FileNotFoundError(2, "not mounted")
        folder.mkdir(mode=0o750, exist_ok=True)
        standing = _read(folder / control_file.name)
        if standing not in (None, control):
            raise Altered(
                "発送結果のフォルダに、この発送回の別の内容の統制票があります。",
                advice="基幹系が前のものを取り込んだかを担当者に確かめ、二つとも片付けてもらってから、クリアしてください。",
            )
        if standing is None or _read(folder / name) != content:
            _write(folder / name, content)
            _write(folder / control_file.name, control)
    except OSError as failed:
        raise CannotLook(
            f"発送結果のフォルダに書けません（{type(failed).__name__}）。",
            advice="基幹系との共有フォルダの接続と、実行ユーザーの書込み権限を確認してください。",
        ) from None
    return ResultsReturned(
        file=file,
        control_file=control_file,
        layout_valid_from=layout.valid_from,
        results=dict(results),
        written_at=at,
    )


def _result_of(one: Pullout) -> Result:
    """Which of a request's notices were not found, only the contractor's enclosure tells: none of them is certain."""
    if one.confirmed is None or one.confirmed.not_found:
        return "uncertain"
    return "replaced" if one.request.purpose == "差替え" else "pulled"


def _content(found: Iterable[Outcome], layout: ResultFormat, cycle: str) -> bytes:
    rows = (_row(one, layout, cycle) for one in found)
    if layout.is_fixed_length:
        widths = [column.bytes or 0 for column in layout.columns]
        return b"".join(_record(row, widths, layout) for row in rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([column.heading_ja or column.item for column in layout.columns])
    writer.writerows(rows)
    return text.getvalue().encode(layout.codec)


def _row(one: Outcome, layout: ResultFormat, cycle: str) -> list[str]:
    values: Mapping[str, str] = {
        "notice_no": one.letter.notice_no,
        "subject": one.letter.subject,
        "result": layout.results[one.result],
        "delivered_on": _day(one.delivered_on),
        "posted_on": _day(one.posted_on),
        "pulled_on": _day(one.pulled_on),
        "lot_no": str(one.letter.lot_no),
        "cycle": cycle,
    }
    return [values[column.item] for column in layout.columns]


def _record(row: Sequence[str], widths: Sequence[int], layout: ResultFormat) -> bytes:
    fields = [text.encode(layout.codec) for text in row]
    for field, width, column in zip(fields, widths, layout.columns, strict=True):
        if len(field) > width:
            raise NotConfigured(
                f"発送結果の様式 {FILE_NAME} の列 {column.item} の幅が足りません（{width}バイト）。",
                advice="基幹系の担当者と幅を決め直し、bytes を直してクリアしてください。",
            )
    return b"".join(field.ljust(width) for field, width in zip(fields, widths, strict=True)) + b"\r\n"


def _day(day: date | None) -> str:
    return f"{day:%Y%m%d}" if day else ""


def _control(lines: Mapping[str, str]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in lines.items()).encode()


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, readable for the share's group."""
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "wb", opener=_ours) as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    partial.replace(path)


def _ours(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o640)
