"""Making the bytes of a batch depend on its rows alone.

A driver leaves whatever its memory held behind a null and in the bits past the last row. Arrow calls such batches
equal, but written down they differ from one reading to the next, and what else was in that memory is written too.
"""

import numpy as np
import pyarrow as pa


def without_leftovers(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows; every byte that no value fills is nought.

    For batches as a source makes them: whole, not part of a longer one, of numbers, dates, times, flags and texts.
    """
    return pa.record_batch([_without_leftovers(column) for column in rows.columns], schema=rows.schema)


def _without_leftovers(column: pa.Array) -> pa.Array:
    is_flag = pa.types.is_boolean(column.type)
    if not (column.null_count or is_flag):
        return column  # each value fills its place, and the stream's writer cuts off what lies behind them
    filled = column.fill_null(_nought(column.type))
    valid = _bits(column.is_valid()) if column.null_count else None
    values = [_bits(filled)] if is_flag else filled.buffers()[1:]
    return pa.Array.from_buffers(column.type, len(column), [valid, *values], column.null_count)


def _bits(flags: pa.Array) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags.to_numpy(zero_copy_only=False), bitorder="little"))


def _nought(kind: pa.DataType) -> pa.Scalar:
    """0, 1970-01-01, false or the empty text: what bytes of nought say."""
    buffers = [pa.py_buffer(bytes(16))] * (kind.num_buffers - 1)
    return pa.Array.from_buffers(kind, 1, [None, *buffers])[0]
