"""Equal rows are equal bytes, whatever a driver left behind nulls and past the last row."""

import io
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import ipc

from notice_cycle.extraction.leftovers import without_leftovers

ROWS = 100  # not a multiple of eight: four bits of the last byte belong to nobody
SET = np.arange(ROWS) % 3 != 0
COLUMNS = {
    "date": (pa.date32(), 4, [date(2026, 7, 1) if is_set else None for is_set in SET]),
    "yen": (pa.int64(), 8, [int(n) if is_set else None for n, is_set in enumerate(SET)]),
    "stage": (pa.int32(), 4, [int(n) if is_set else None for n, is_set in enumerate(SET)]),
    "noted_at": (pa.timestamp("us", "UTC"), 8, [int(n) if is_set else None for n, is_set in enumerate(SET)]),
}


def bitmap(flags: np.ndarray, leftover: bool) -> pa.Buffer:
    rest = np.full(-len(flags) % 8, leftover)
    return pa.py_buffer(np.packbits(np.concatenate([flags, rest]), bitorder="little"))


def fixed_width(kind: pa.DataType, width: int, values: list[object], leftover: int) -> pa.Array:
    clean = np.frombuffer(pa.array(values, kind).buffers()[1], np.uint8)[: ROWS * width].reshape(ROWS, width)
    dirty = np.where(SET[:, None], clean, np.uint8(leftover))
    return pa.Array.from_buffers(kind, ROWS, [bitmap(SET, bool(leftover)), pa.py_buffer(dirty.tobytes())])


def texts(leftover: int) -> pa.Array:
    """A null text that nevertheless has a length and letters."""
    words = [b"\xe9\xab\x99" if is_set else bytes([0x41]) * leftover for is_set in SET]
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(np.int32)
    buffers = [bitmap(SET, bool(leftover)), pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(words))]
    return pa.Array.from_buffers(pa.string(), ROWS, buffers)


def flags(leftover: int, *, with_nulls: bool) -> pa.Array:
    valid = bitmap(SET, bool(leftover)) if with_nulls else None
    return pa.Array.from_buffers(pa.bool_(), ROWS, [valid, bitmap(SET, bool(leftover))])


def a_batch(leftover: int) -> pa.RecordBatch:
    columns = {name: fixed_width(*facts, leftover) for name, facts in COLUMNS.items()}
    columns |= {"name": texts(leftover), "flag": flags(leftover, with_nulls=False)}
    columns |= {"protected": flags(leftover, with_nulls=True), "notice_no": pa.array(range(ROWS))}
    return pa.record_batch(columns)


def written(rows: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with ipc.new_stream(sink, rows.schema) as stream:
        stream.write_batch(rows)
    return sink.getvalue()


def test_what_was_planted_is_seen_in_the_bytes() -> None:
    assert a_batch(0).equals(a_batch(7))
    for name in a_batch(0).schema.names[:-1]:
        assert written(a_batch(0).select([name])) != written(a_batch(7).select([name])), name


@pytest.mark.parametrize("leftover", [1, 7, 255])
def test_equal_rows_are_written_as_equal_bytes(leftover: int) -> None:
    cleared = without_leftovers(a_batch(leftover))
    cleared.validate(full=True)
    assert cleared.equals(a_batch(leftover))
    assert cleared.schema.equals(a_batch(leftover).schema)
    assert written(cleared) == written(without_leftovers(a_batch(0)))


@pytest.mark.parametrize(("first", "rows"), [(3, 90), (5, 1), (8, 92), (40, 0)])
def test_a_part_of_a_batch_is_the_rows_it_shows(first: int, rows: int) -> None:
    part = without_leftovers(a_batch(7).slice(first, rows))
    part.validate(full=True)
    assert part.equals(a_batch(0).slice(first, rows))


def test_a_column_of_nulls_only_stays_one() -> None:
    rows = pa.record_batch({"lost_on": pa.nulls(5, pa.date32()), "note": pa.nulls(5, pa.string())})
    assert without_leftovers(rows).equals(rows)
