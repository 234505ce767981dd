"""Lines of separated fields (CSV), a block of whole lines at a time, stricter than the parser underneath.

pyarrow takes a quote in the middle of a field, a line end inside quotes and an empty line as they come, and
its exceptions repeat the row. So each block is looked over as bytes first, where every mistake has its line,
and is parsed by itself, all columns as text. In CP932 no second byte equals a comma, a quote or a line end.
"""

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from notice_cycle.errors import Refused

_LONGEST_LINE_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_LABELS = {"utf-8": "UTF-8", "cp932": "CP932（Shift_JIS）"}
_ADVICE = "カタログの source と、基幹系の出力様式・文字コードを照合してください。"
_CR, _LF, _QUOTE = b'\r\n"'
_BEFORE_OPENING = np.isin(np.arange(256), list(b',\n"'))
_AFTER_CLOSING = np.isin(np.arange(256), list(b',\r\n"'))


def rows(
    blocks: Iterable[bytes], codec: str, columns: Sequence[str], wanted: Sequence[str]
) -> Iterator[tuple[int, list[pa.Array]]]:
    """The wanted columns as text, in that order, with the line of the first row. Raises Refused with the line."""
    line = 1
    for lines in _whole_lines(blocks):
        content = lines.removeprefix(_BOM) if line == 1 and codec == "utf-8" else lines
        _check_bytes(content, line)
        if line == 1:
            header, _, content = content.partition(b"\n")
            _check_header(header, columns)
            line = 2
        if content:
            yield line, _parsed(_utf8(content, codec, line), columns, wanted, line)
            line += content.count(b"\n")
    if line == 1:
        _check_header(b"", columns)


def refuse_utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Passes on blocks declared CP932; raises Refused for UTF-8, which may decode as CP932 by chance."""
    for block in blocks:
        if not block.isascii() and _is_utf8(block):
            bom = "付き" if block.startswith(_BOM) else "なし"
            raise _other_encoding("cp932", f"BOM{bom}の UTF-8 に見えます")
        yield block


def _is_utf8(block: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(block)  # the end of a block may cut a character
    except UnicodeDecodeError:
        return False
    # Half-width kana of CP932 may by chance be UTF-8 of two bytes; three bytes, as all of Japanese has, may not.
    return max(text, default="") >= "\u0800"


def _other_encoding(declared: str, seen: str) -> Refused:
    return Refused(
        f"連携ファイルの文字コードが、定めた {_LABELS[declared]} ではありません（{seen}）。", advice=_ADVICE
    )


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks cut at line ends; a last line without one gets it."""
    rest = b""
    for block in blocks:
        head, end, tail = block.rpartition(b"\n")
        if end:
            yield rest + head + end
        rest = tail if end else rest + tail
        if len(rest) > _LONGEST_LINE_BYTES:
            raise Refused("連携ファイルに、1MiBを超える行があります。", advice=_ADVICE)
    if rest:
        yield rest + b"\n"


def _check_header(header: bytes, columns: Sequence[str]) -> None:
    named = next(csv.reader([header.decode("ascii", "replace").removesuffix("\r")]), [])
    if named != list(columns):  # what stands there instead is not told: without a header it is a person
        same = [found == column for found, column in zip(named, columns, strict=False)]
        place = [*same, False].index(False) + 1
        raise Refused(
            f"連携ファイルの見出し行が、定めた項目の並びと一致しません（{place}番目から）。", advice=_ADVICE
        )


def _check_bytes(lines: bytes, line: int) -> None:
    """Raises Refused for NUL, and for quotes and line ends anywhere but around whole fields and lines."""
    if (nul := lines.find(b"\0")) >= 0:
        line += lines.count(b"\n", 0, nul)
        raise Refused(
            f"連携ファイルの{line:,}行目に NUL バイトがあります（UTF-16 か、壊れたファイルです）。",
            advice=_ADVICE,
        )
    raw = np.frombuffer(lines, np.uint8)
    quotes, ends, returns = (np.flatnonzero(raw == byte) for byte in (_QUOTE, _LF, _CR))
    starts, opening, closing = np.concatenate(([0], ends[:-1] + 1)), quotes[::2], quotes[1::2]
    wrong = np.concatenate(
        (
            ends[np.searchsorted(quotes, ends) % 2 == 1],  # a quote is still open there
            returns[raw[returns + 1] != _LF],
            starts[(raw[starts] == _LF) | (raw[starts] == _CR)],
            opening[~_BEFORE_OPENING[raw[opening - 1]]],  # of the first byte: the last, which is a line end
            closing[~_AFTER_CLOSING[raw[closing + 1]]],
        )
    )
    if len(wrong):
        raise Refused(
            f"連携ファイルの{line + int(np.searchsorted(ends, wrong.min())):,}行目の引用符または改行が正しくありません"
            "（閉じていない引用符、項目の途中の引用符や改行、空の行）。",
            advice=_ADVICE,
        )


def _utf8(lines: bytes, codec: str, line: int) -> bytes:
    try:
        text = lines.decode(codec)
    except UnicodeDecodeError as broken:
        at = broken.start
    else:
        return lines if codec == "utf-8" else text.encode()
    # Here and not above: the decoder's exception holds the whole block.
    start = lines.rfind(b"\n", 0, at) + 1
    other = "cp932" if codec == "utf-8" else "utf-8"
    try:
        lines[start : lines.find(b"\n", at)].decode(other)
        seen = f"{_LABELS[other]} に見えます"
    except UnicodeDecodeError:
        seen = "判別できません"
    line += lines.count(b"\n", 0, at)
    raise _other_encoding(codec, f"{line:,}行目、{seen}")


def _parsed(utf8: bytes, columns: Sequence[str], wanted: Sequence[str], line: int) -> list[pa.Array]:
    wrong: list[tuple[int, int]] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        wrong.append((row.number, row.actual_columns))
        return "skip"  # an error would repeat the row

    table = arrow_csv.read_csv(
        pa.BufferReader(utf8),
        arrow_csv.ReadOptions(use_threads=False, block_size=len(utf8) + 1, column_names=columns),
        arrow_csv.ParseOptions(ignore_empty_lines=False, invalid_row_handler=note),
        arrow_csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=False,
            include_columns=wanted,
        ),
    )
    if wrong:
        row, fields = wrong[0]
        raise Refused(
            f"連携ファイルの{line + row - 1:,}行目の項目が{fields}個です（定めは{len(columns)}個）。",
            advice=_ADVICE,
        )
    return [table[item].combine_chunks() for item in wanted]
