"""The STREAM layer: what is released, what is refused, and which files it may stand in for."""

import gc
import io

import pyarrow as pa
import pytest

from notice_cycle.encryption.stream import CHUNK_BYTES, SEALED_CHUNK_BYTES, StreamReader, StreamWriter
from notice_cycle.errors import Altered

KEY = bytes(range(32))
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 17]


def plaintext(size: int) -> bytes:
    return (b"0123456789abcdef-" * (size // 17 + 1))[:size]


def sealed(plain: bytes, key: bytes = KEY) -> bytes:
    raw = io.BytesIO()
    with StreamWriter(raw, key) as writer:
        writer.write(plain)
    return raw.getvalue()


def released(stream: bytes, key: bytes = KEY) -> tuple[bytes, bool]:
    """What a reader gives out, and whether it then came to an authenticated end."""
    reader, found = StreamReader(io.BytesIO(stream), key), b""
    try:
        while part := reader.read1():
            found += part
    except Altered:
        return found, False
    return found, True


class Trickle(io.RawIOBase):
    """A source that returns few bytes at a time, as pipes and network files do."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        part = self._inner.read(min(len(buffer), 4099))
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_read(size):
    assert released(sealed(plaintext(size))) == (plaintext(size), True)


@pytest.mark.parametrize("size", SIZES)
def test_the_stream_costs_one_tag_per_chunk_and_at_least_one(size):
    assert len(sealed(plaintext(size))) == size + 16 * max(1, -(-size // CHUNK_BYTES))


@pytest.mark.parametrize("piece", [1000, CHUNK_BYTES, CHUNK_BYTES + 1, 200_000])
def test_the_size_of_the_writes_does_not_show(piece):
    plain, raw = plaintext(200_000), io.BytesIO()
    with StreamWriter(raw, KEY) as writer:
        for start in range(0, len(plain), piece):
            writer.write(plain[start : start + piece])
    assert raw.getvalue() == sealed(plain)


def test_a_source_that_returns_little_at_a_time_is_read_whole():
    plain = plaintext(2 * CHUNK_BYTES + 5)
    assert StreamReader(Trickle(sealed(plain)), KEY).read() == plain


def test_read_returns_exactly_the_size_asked_for_until_the_end():
    reader = StreamReader(io.BytesIO(sealed(plaintext(CHUNK_BYTES + 10))), KEY)
    assert len(reader.read(CHUNK_BYTES + 3)) == CHUNK_BYTES + 3
    assert reader.read(0) == b""
    assert len(reader.read(100)) == 7
    assert reader.read(100) == b""


# --- faults


@pytest.mark.parametrize("size", [0, 1, 100, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES + 40])
def test_a_flipped_bit_is_found_and_only_whole_chunks_before_it_are_released(size):
    stream, plain = sealed(plaintext(size)), plaintext(size)
    positions = {0, 1, len(stream) // 2, len(stream) - 17, len(stream) - 16, len(stream) - 1}
    for position in positions & set(range(len(stream))):
        altered = bytearray(stream)
        altered[position] ^= 0x04
        assert released(bytes(altered)) == (plain[: position // SEALED_CHUNK_BYTES * CHUNK_BYTES], False)


@pytest.mark.parametrize("size", [0, 1, 30])
def test_every_single_bit_of_a_small_stream_matters(size):
    stream = sealed(plaintext(size))
    for bit in range(len(stream) * 8):
        altered = bytearray(stream)
        altered[bit // 8] ^= 1 << bit % 8
        assert released(bytes(altered)) == (b"", False)


def test_truncation_is_found_wherever_it_happens():
    plain = plaintext(2 * CHUNK_BYTES + 40)
    stream = sealed(plain)
    for length in (
        0,
        1,
        15,
        16,
        17,
        CHUNK_BYTES,
        SEALED_CHUNK_BYTES - 1,
        SEALED_CHUNK_BYTES + 1,
        len(stream) - 1,
    ):
        expected = plain[: length // SEALED_CHUNK_BYTES * CHUNK_BYTES]
        assert released(stream[:length]) == (expected, False)


@pytest.mark.parametrize("chunks", [1, 2])
def test_truncation_at_a_chunk_border_is_found(chunks):
    plain = plaintext(3 * CHUNK_BYTES)
    assert released(sealed(plain)[: chunks * SEALED_CHUNK_BYTES]) == (plain[: chunks * CHUNK_BYTES], False)


@pytest.mark.parametrize("extra", [b"\0", b"x" * 16, b"x" * SEALED_CHUNK_BYTES])
@pytest.mark.parametrize("size", [CHUNK_BYTES, 2 * CHUNK_BYTES])
def test_data_appended_to_full_chunks_is_found_after_them(size, extra):
    assert released(sealed(plaintext(size)) + extra) == (plaintext(size), False)


def test_data_appended_to_a_short_chunk_is_found():
    assert released(sealed(b"abc") + b"\0") == (b"", False)


def test_a_second_stream_appended_is_found():
    assert released(sealed(plaintext(CHUNK_BYTES)) * 2) == (plaintext(CHUNK_BYTES), False)


def test_exchanged_repeated_and_missing_chunks_are_found():
    plain = plaintext(4 * CHUNK_BYTES)
    stream = sealed(plain)
    one, two, three, four = (
        stream[i : i + SEALED_CHUNK_BYTES] for i in range(0, len(stream), SEALED_CHUNK_BYTES)
    )
    first = plain[:CHUNK_BYTES]
    assert released(two + one + three + four) == (b"", False)
    assert released(one + three + two + four) == (first, False)
    assert released(one + one + two + three + four) == (first, False)
    assert released(one + three + four) == (first, False)
    assert released(four) == (b"", False)


def test_another_key_releases_nothing():
    assert released(sealed(b"abc"), bytes(32)) == (b"", False)


def test_a_reader_stays_broken_after_its_first_fault():
    reader = StreamReader(io.BytesIO(sealed(plaintext(10))[:-1]), KEY)
    for _ in range(3):
        with pytest.raises(Altered):
            reader.read(1)


def test_the_fault_names_the_chunk_and_what_to_do():
    stream = bytearray(sealed(plaintext(2 * CHUNK_BYTES)))
    stream[SEALED_CHUNK_BYTES] ^= 1
    with pytest.raises(Altered, match="第2区画") as caught:
        StreamReader(io.BytesIO(stream), KEY).read()
    assert caught.value.advice


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(33)])
def test_a_key_of_another_length_is_a_programming_error(key):
    with pytest.raises(ValueError, match="32 bytes"):
        StreamReader(io.BytesIO(), key)
    with pytest.raises(ValueError, match="32 bytes"):
        StreamWriter(io.BytesIO(), key)


# --- a writer that did not end well


def test_an_exception_in_the_context_leaves_a_recognisably_incomplete_stream():
    for size in (0, 10, CHUNK_BYTES, 2 * CHUNK_BYTES):
        raw = io.BytesIO()
        with pytest.raises(RuntimeError), StreamWriter(raw, KEY) as writer:
            writer.write(plaintext(size))
            raise RuntimeError
        assert writer.closed
        writer.close()
        assert released(raw.getvalue())[1] is False


def test_a_wrapper_closing_the_writer_while_an_exception_passes_does_not_complete_it():
    raw = io.BytesIO()
    with (
        pytest.raises(RuntimeError),
        StreamWriter(raw, KEY) as writer,
        io.TextIOWrapper(writer, encoding="utf-8") as text,
    ):
        text.write("途中まで")
        raise RuntimeError
    assert released(raw.getvalue()) == (b"", False)


def test_a_writer_that_is_dropped_writes_no_last_chunk():
    raw = io.BytesIO()
    StreamWriter(raw, KEY).write(b"abc")
    gc.collect()
    assert raw.getvalue() == b""


def test_an_abandoned_writer_writes_no_last_chunk():
    raw = io.BytesIO()
    writer = StreamWriter(raw, KEY)
    writer.write(b"abc")
    writer.abandon()
    assert raw.getvalue() == b""


def test_close_without_a_context_completes_the_stream_once():
    raw = io.BytesIO()
    writer = StreamWriter(raw, KEY)
    writer.write(b"abc")
    writer.close()
    writer.close()
    assert released(raw.getvalue()) == (b"abc", True)
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"d")


def test_a_target_that_takes_only_part_is_an_error_and_nothing_follows():
    class FullDisc(io.BytesIO):
        def write(self, data) -> int:
            return super().write(bytes(data)[:100])

    raw = FullDisc()
    with pytest.raises(OSError, match="only 100"), StreamWriter(raw, KEY) as writer:
        writer.write(plaintext(2 * CHUNK_BYTES))
    assert len(raw.getvalue()) == 100


def test_neither_side_closes_the_file_it_was_given():
    raw = io.BytesIO()
    with StreamWriter(raw, KEY):
        pass
    raw.seek(0)
    with StreamReader(raw, KEY) as reader:
        assert reader.read() == b""
    assert not raw.closed
    with pytest.raises(ValueError, match="closed"):
        reader.read()


# --- the files it stands in for


def test_text_goes_through_text_wrappers():
    lines = [f"{number},𠮷野家\n" for number in range(20_000)]
    raw = io.BytesIO()
    with StreamWriter(raw, KEY) as writer, io.TextIOWrapper(writer, encoding="utf-8", newline="") as text:
        text.writelines(lines)
    raw.seek(0)
    with io.TextIOWrapper(StreamReader(raw, KEY), encoding="utf-8", newline="") as text:
        assert list(text) == lines


def test_a_buffered_reader_gives_out_what_precedes_a_fault():
    plain = plaintext(2 * CHUNK_BYTES)
    reader = io.BufferedReader(StreamReader(io.BytesIO(sealed(plain)[:-1]), KEY))
    assert reader.read(CHUNK_BYTES) == plain[:CHUNK_BYTES]
    with pytest.raises(Altered):
        reader.read(1)


def arrow_stream(batches: int, rows: int = 20_000) -> tuple[pa.Table, bytes]:
    batch = pa.record_batch({"番号": pa.array(range(rows)), "名": pa.array(["𠮷"] * rows)})
    raw = io.BytesIO()
    with StreamWriter(raw, KEY) as writer, pa.ipc.new_stream(writer, batch.schema) as stream:
        for _ in range(batches):
            stream.write_batch(batch)
    return pa.Table.from_batches([batch] * batches), raw.getvalue()


def test_arrow_streams_go_through():
    table, stream = arrow_stream(batches=3)
    with StreamReader(io.BytesIO(stream), KEY) as reader:
        with pa.ipc.open_stream(reader) as arrow:
            assert arrow.read_all() == table
        reader.drain()


def test_an_arrow_reader_meets_the_fault_itself():
    _, stream = arrow_stream(batches=3)
    with pytest.raises(Altered), pa.ipc.open_stream(StreamReader(io.BytesIO(stream[:200_000]), KEY)) as arrow:
        arrow.read_all()


def test_an_arrow_stream_that_failed_is_incomplete():
    raw = io.BytesIO()
    schema = pa.schema({"番号": pa.int64()})
    with pytest.raises(RuntimeError), StreamWriter(raw, KEY) as writer, pa.ipc.new_stream(writer, schema):
        raise RuntimeError
    assert released(raw.getvalue()) == (b"", False)


def test_drain_finds_what_lies_behind_the_consumers_own_end():
    reader = StreamReader(io.BytesIO(sealed(plaintext(CHUNK_BYTES)) + b"\0"), KEY)
    assert len(reader.read(CHUNK_BYTES)) == CHUNK_BYTES
    with pytest.raises(Altered, match="余分"):
        reader.drain()
