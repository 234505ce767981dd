"""Dropping the host's notices as files, exactly as `notice_cycle.extraction.file_drop` wants them.

The data file comes first, its control file last. Where a column is asked for that the invented host does not
have, it refuses.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from notice_cycle.composition import windows31j
from notice_cycle.extraction.source import ControlTotals
from notice_cycle.values import sha256
from synthetic_ward.ward import Ward, as_table, batch_of

if TYPE_CHECKING:
    from notice_cycle.catalogue import DropColumn, FileDrop

_LINE_END = b"\r\n"
_WIDE_BLANK = b"\x81\x40"
_LAST_ASCII = b"\x7f"


def write_drops(ward: Ward, root: Path, drops: Mapping[str, "FileDrop"]) -> list[Path]:
    """Writes each notice's data and control file below `root`; the control files are returned. `drops`: by notice."""
    return [write_drop(ward, root, notice, drop) for notice, drop in drops.items()]


def write_drop(ward: Ward, root: Path, notice: str, drop: "FileDrop") -> Path:
    """One notice's two files; its control file."""
    batch = batch_of(notice, ward.fiscal_year)
    rows = as_table(ward.notice(notice, batch), [column.item for column in drop.columns])
    data = root / drop.folder / f"{batch}.{'dat' if drop.is_fixed_length else 'csv'}"
    data.parent.mkdir(parents=True, exist_ok=True)
    content = written(rows, drop)
    data.write_bytes(content)
    return write_control(data, notice, batch, ward.control(notice, batch), sha256(content))


def written(rows: pa.Table, drop: "FileDrop") -> bytes:
    """The data file's bytes."""
    texts = [_texts(rows[column.item]) for column in drop.columns]
    if drop.is_fixed_length:
        fields = [_fixed(column, text) for column, text in zip(drop.columns, texts, strict=True)]
        return _LINE_END.join([*map(b"".join, zip(*fields, strict=True)), b""])
    names = [column.item for column in drop.columns]
    buffer = io.BytesIO()
    csv.write_csv(pa.table(texts, names), buffer, csv.WriteOptions(include_header=False))
    text = ",".join(names) + "\n" + buffer.getvalue().decode()
    text = text.replace("\n", _LINE_END.decode())
    return text.encode() if drop.format == "csv-utf8" else windows31j.encode(text)


def write_control(data: Path, notice: str, batch: str, control: ControlTotals, digest: str) -> Path:
    """The control file beside a data file."""
    lines = {
        "format_version": 1,
        "notice": notice,
        "batch": batch,
        "file": data.name,
        "count": control.persons,
        "sha256": digest,
        "as_of": control.as_of.isoformat(),
    }
    lines |= {f"amount.{item}": yen for item, yen in control.amounts.items()}
    if control.last_year_of is not None:
        lines["last_year"] = control.last_year_of
    for item, values in control.last_year.items():
        lines |= {f"last_year.{item}.{value}": persons for value, persons in values.items()}
    path = data.with_suffix(".ctl")
    path.write_text("".join(f"{key}={value}\n" for key, value in lines.items()), encoding="utf-8")
    return path


def _texts(column: pa.ChunkedArray) -> pa.Array:
    values = column.combine_chunks()
    if pa.types.is_date(values.type):
        return pc.fill_null(pc.replace_substring(values.cast(pa.string()), "-", ""), "")
    if pa.types.is_boolean(values.type):
        return pc.if_else(values, "1", "0")
    return values.cast(pa.string())


def _fixed(column: "DropColumn", texts: pa.Array) -> list[bytes]:
    """Numbers with noughts before, text with blanks behind: wide ones after wide characters. Refuses what is too long."""
    width = column.bytes or 0
    distinct, back = np.unique(np.array(texts.to_pylist(), dtype=object), return_inverse=True)
    padded = []
    for text in distinct:
        value = text.encode() if text.isascii() else windows31j.encode(text)
        blanks = width - len(value)
        if blanks < 0:
            raise ValueError(f"{column.item}: {len(value)} bytes do not fit into {width}")
        if column.type == "integer":
            padded.append(value.zfill(width))
        elif column.type == "text" and value[:1] > _LAST_ASCII:
            padded.append(value + _WIDE_BLANK * (blanks // 2) + b" " * (blanks % 2))
        else:
            padded.append(value.ljust(width))
    return [padded[row] for row in back.tolist()]
