"""Files dropped by the host computer: all of it exactly as declared and promised, or nothing and why, by row."""

import codecs
import os
import random
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from notice_cycle.catalogue import DropColumn, FileDrop, Notice
from notice_cycle.composition import windows31j
from notice_cycle.errors import Altered, CannotLook, NotConfigured, NoticeCycleError, NotThereYet, Refused
from notice_cycle.extraction import fixed_length, separated
from notice_cycle.extraction.file_drop import reading
from notice_cycle.extraction.source import Batch, ControlTotals
from notice_cycle.values import sha256

NOTICE = "premium_notice_ordinary"
NOW = datetime(2026, 7, 1, 0, 0, tzinfo=UTC)
FORMATS = ["csv-cp932", "csv-utf8", "fixed-cp932"]
SEPARATED = ["csv-cp932", "csv-utf8"]
ITEMS = ("notice_no", "recipient_name", "annual_yen", "birth_date", "lost_on", "share_envelope")
COLUMNS = (
    ("notice_no", "text", 11),
    ("individual_no", "text", 12),  # never whitelisted
    ("recipient_name", "text", 20),
    ("annual_yen", "integer", 9),
    ("birth_date", "date", 8),
    ("lost_on", "date", 8),
    ("share_envelope", "flag", 1),
)
SECRET = "999912345678"


def a_notice(items: tuple[str, ...] = ITEMS) -> Notice:
    """Only what reading asks of a notice: its id and its whitelist."""
    return Notice.model_construct(id=NOTICE, items=items)


def a_row(number: int = 1, **changes: str) -> dict[str, str]:
    """One person's row, as the host writes it."""
    return {
        "notice_no": f"{number:011d}",
        "individual_no": SECRET,
        "recipient_name": "髙橋　﨑子",
        "annual_yen": "80400",
        "birth_date": "19400229",
        "lost_on": "",
        "share_envelope": "0",
    } | changes


def a_file(form: str, rows: list[dict[str, str]], *, end: str = "\r\n") -> bytes:
    """A data file as the host writes it in one of the formats."""
    if form == "fixed-cp932":
        return b"".join(a_record(row) + end.encode() for row in rows)
    quoted = [
        ",".join(f'"{row[item]}"' if kind == "text" else row[item] for item, kind, _ in COLUMNS)
        for row in rows
    ]
    return in_charset(
        form, "".join(line + end for line in [",".join(item for item, _, _ in COLUMNS), *quoted])
    )


def in_charset(form: str, text: str) -> bytes:
    if form == "csv-utf8":
        return text.encode()
    return text.encode() if text.isascii() else windows31j.encode(text)


def a_record(row: dict[str, str]) -> bytes:
    """Text padded on the right with blanks of full width as far as they fit, numbers on the left with nought."""
    written = b""
    for item, kind, width in COLUMNS:
        value = in_charset("fixed-cp932", row[item])
        blanks = width - len(value)
        match kind:
            case "text" if blanks > 0 and value[:1] > b"\x80":
                written += value + b"\x81\x40" * (blanks // 2) + b" " * (blanks % 2)
            case "integer":
                written += value.zfill(width)
            case _:
                written += value.ljust(width)
    return written


@dataclass(frozen=True)
class ADrop:
    """A drop root with one batch; `changed` alters what was promised, `promising` the control file."""

    root: Path
    form: str = "csv-cp932"
    batch: str = "2026-annual"
    control: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.root / "kaigo"

    @property
    def name(self) -> str:
        return f"{self.batch}.{'dat' if self.form == 'fixed-cp932' else 'csv'}"

    @property
    def data(self) -> Path:
        return self.folder / self.name

    @property
    def control_file(self) -> Path:
        return self.folder / f"{self.batch}.ctl"

    def promising(self, **control: str) -> "ADrop":
        return replace(self, control=self.control | control)

    def put(self, content: bytes, *, rows: int = 1) -> "ADrop":
        """The data file, and after it a control file that fits it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data.write_bytes(content)
        promised = {
            "format_version": "1",
            "notice": NOTICE,
            "batch": self.batch,
            "file": self.name,
            "count": str(rows),
            "amount.annual_yen": "80400",
            "last_year": "2025",
            "last_year.burden_ratio.1": "12",
            "sha256": sha256(content),
            "as_of": "2026-06-30T21:00:00+09:00",
        } | self.control
        self.control_file.write_text("".join(f"{key}={value}\n" for key, value in promised.items()), "utf-8")
        return self

    def declared(self, **changes: Any) -> FileDrop:
        widths = self.form == "fixed-cp932"
        return FileDrop(
            kind="file_drop",
            folder="kaigo",
            format=self.form,
            columns=tuple(DropColumn(item=i, type=t, bytes=w if widths else None) for i, t, w in COLUMNS),
            max_age_hours=48,
        ).model_copy(update=changes)

    def read(self, items: tuple[str, ...] = ITEMS, **declared: Any) -> tuple[ControlTotals, pa.Table]:
        with reading(
            self.root, self.declared(**declared), a_notice(items), Batch.parse(self.batch), now=NOW
        ) as (totals, rows):
            return totals, rows.read_all()

    def refused(self, kind: type[NoticeCycleError] = Refused, match: str = "") -> NoticeCycleError:
        """What reading says; whatever went wrong, it tells nobody's data, not even down its chain of causes."""
        with pytest.raises(kind, match=match) as caught:
            self.read()
        assert caught.value.advice
        told = "".join(traceback.format_exception(caught.value)) + str(caught.value.__context__)
        for value in (SECRET, "髙橋", "﨑子", "80400", "0229"):
            assert value not in told
        return caught.value


@pytest.fixture
def drop(tmp_path: Path) -> ADrop:
    return ADrop(tmp_path)


@pytest.fixture(params=FORMATS)
def any_drop(tmp_path: Path, request: pytest.FixtureRequest) -> ADrop:
    return ADrop(tmp_path, form=request.param)


# ---- what is read


def test_rows_come_typed_with_the_control_totals(any_drop: ADrop) -> None:
    rows = [
        a_row(1),
        a_row(2, annual_yen="-500", birth_date="19410301", lost_on="20260630", share_envelope="1"),
    ]
    totals, table = any_drop.put(a_file(any_drop.form, rows), rows=2).read()
    assert totals == ControlTotals(
        as_of=datetime(2026, 6, 30, 12, 0, tzinfo=UTC),
        persons=2,
        amounts={"annual_yen": 80_400},
        last_year={"burden_ratio": {"1": 12}},
        last_year_of=2025,
    )
    assert table.to_pylist() == [
        {
            "notice_no": "00000000001",
            "recipient_name": "髙橋　﨑子",
            "annual_yen": 80_400,
            "birth_date": date(1940, 2, 29),
            "lost_on": None,
            "share_envelope": False,
        },
        {
            "notice_no": "00000000002",
            "recipient_name": "髙橋　﨑子",
            "annual_yen": -500,
            "birth_date": date(1941, 3, 1),
            "lost_on": date(2026, 6, 30),
            "share_envelope": True,
        },
    ]
    assert table.schema == pa.schema(
        {
            "notice_no": pa.string(),
            "recipient_name": pa.string(),
            "annual_yen": pa.int64(),
            "birth_date": pa.date32(),
            "lost_on": pa.date32(),
            "share_envelope": pa.bool_(),
        }
    )


def test_only_whitelisted_columns_leave_the_reader_in_their_order(any_drop: ADrop) -> None:
    _, table = any_drop.put(a_file(any_drop.form, [a_row()])).read(("annual_yen", "notice_no"))
    assert table.schema.names == ["annual_yen", "notice_no"]
    assert SECRET not in str(table.to_pydict())


def test_a_whitelisted_item_that_the_drop_does_not_offer_is_told(any_drop: ADrop) -> None:
    any_drop.put(a_file(any_drop.form, [a_row()]))
    with pytest.raises(NotConfigured, match="登録した項目 telephone がありません"):
        any_drop.read((*ITEMS, "telephone"))


def test_no_rows_are_no_rows(any_drop: ADrop) -> None:
    _, table = any_drop.put(a_file(any_drop.form, []), rows=0).read()
    assert (table.num_rows, tuple(table.schema.names)) == (0, ITEMS)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_end_in_lf_or_crlf(any_drop: ADrop, end: str) -> None:
    _, table = any_drop.put(a_file(any_drop.form, [a_row(1), a_row(2)], end=end)).read()
    assert table["share_envelope"].to_pylist() == [False, False]
    assert table["notice_no"].to_pylist() == ["00000000001", "00000000002"]


def test_a_csv_may_lack_its_last_line_end(drop: ADrop) -> None:
    assert drop.put(a_file(drop.form, [a_row()])[:-2]).read()[1].num_rows == 1


def test_a_bom_may_stand_before_utf8(tmp_path: Path) -> None:
    drop = ADrop(tmp_path, form="csv-utf8")
    assert drop.put(codecs.BOM_UTF8 + a_file(drop.form, [a_row()])).read()[1].num_rows == 1


@pytest.mark.parametrize("form", SEPARATED)
def test_nothing_is_guessed_from_a_text(tmp_path: Path, form: str) -> None:
    texts = ["", "NA", "null", "0012", "1e3", "TRUE", " 先頭と末尾　", 'a""b', "a,b", "2026-07-01"]
    rows = [a_row(recipient_name=text) for text in texts]
    _, table = ADrop(tmp_path, form=form).put(a_file(form, rows)).read()
    assert table["recipient_name"].to_pylist() == [text.replace('""', '"') for text in texts]


@pytest.mark.parametrize("form", SEPARATED)
def test_quotes_are_not_needed(tmp_path: Path, form: str) -> None:
    bare = a_file(form, [a_row(1), a_row(2)]).replace(b'"', b"")
    assert ADrop(tmp_path, form=form).put(bare).read()[1]["recipient_name"].to_pylist() == ["髙橋　﨑子"] * 2


@pytest.mark.parametrize("written", ["髙".encode("cp932"), b"\xfb\xfc", b"\xee\xe0"])
def test_each_of_the_two_codes_of_a_character_is_the_character(drop: ADrop, written: bytes) -> None:
    content = a_file(drop.form, [a_row(recipient_name="X")]).replace(b'"X"', written)
    assert drop.put(content).read()[1]["recipient_name"].to_pylist() == ["髙"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("髙橋".encode("cp932").ljust(20), "髙橋"),
        ("髙橋　".encode("cp932").ljust(20), "髙橋"),
        ("　髙橋　子 　".encode("cp932").ljust(20), "　髙橋　子"),
        ("ﾀｶﾊｼ ﾀﾛｳ".encode("cp932").ljust(20), "ﾀｶﾊｼ ﾀﾛｳ"),
        (b" " * 20, ""),
        (b"\x81\x40" * 10, ""),
        ("十文字十文字十文字十".encode("cp932"), "十文字十文字十文字十"),
    ],
)
def test_fixed_length_text_loses_only_the_blanks_at_its_end(
    tmp_path: Path, written: bytes, read: str
) -> None:
    content = a_file("fixed-cp932", [a_row()])
    content = content[:23] + written + content[43:]
    _, table = ADrop(tmp_path, form="fixed-cp932").put(content).read()
    assert table["recipient_name"].to_pylist() == [read]


@pytest.mark.parametrize(
    ("written", "yen"),
    [
        (b"000080400", 80_400),
        (b"    80400", 80_400),
        (b"-00080400", -80_400),
        (b"   +80400", 80_400),
        (b"        0", 0),
    ],
)
def test_fixed_length_numbers_are_padded_with_nought_or_blanks(
    tmp_path: Path, written: bytes, yen: int
) -> None:
    content = a_file("fixed-cp932", [a_row()])
    content = content[:43] + written + content[52:]
    assert ADrop(tmp_path, form="fixed-cp932").put(content).read()[1]["annual_yen"].to_pylist() == [yen]


# ---- properties

NAMES = st.text(
    st.sampled_from("髙﨑彅槗渡邊邉齋藤山田太郎花子ソ表能十申貼ァミ①㈱ⅰ～－ｱｶﾞﾊﾟー々〆ヶAz09 　.,-")
    | st.characters(codec="cp932", exclude_characters="¢£¬‖−〜"),
    max_size=10,
).filter(
    lambda name: (
        not windows31j.unprintable(name) and not set(name) & set('"\r\n') and name == name.rstrip(" 　")
    )
)


@pytest.mark.parametrize("form", FORMATS)
@given(names=st.lists(NAMES, min_size=1, max_size=30), seed=st.integers())
@settings(max_examples=60, deadline=None)
def test_every_name_comes_back_wherever_the_blocks_are_cut(form: str, names: list[str], seed: int) -> None:
    content = a_file(form, [a_row(recipient_name=name) for name in names])
    blocks = cut_at_random(content, random.Random(seed))
    found: list[str] = []
    if form == "fixed-cp932":
        for _, records in fixed_length.records(blocks, sum(width for _, _, width in COLUMNS)):
            found += fixed_length.texts(records[:, 23:43]).to_pylist()
    else:
        codec = form.removeprefix("csv-").replace("utf8", "utf-8")
        for _, (column,) in separated.rows(
            blocks, codec, [item for item, _, _ in COLUMNS], ["recipient_name"]
        ):
            found += column.to_pylist()
    assert found == names


def cut_at_random(content: bytes, rng: random.Random) -> Iterator[bytes]:
    # The first block holds at least a whole record with its end, as a file's first 4 MiB do.
    cuts = sorted(rng.randrange(min(80, len(content)), len(content) + 1) for _ in range(rng.randrange(6)))
    for start, stop in zip([0, *cuts], [*cuts, len(content)], strict=True):
        if content[start:stop]:
            yield content[start:stop]


def test_a_file_of_many_blocks_comes_back_whole_and_in_order(any_drop: ADrop) -> None:
    rng = random.Random(7)
    names = [
        "".join(rng.choices("髙﨑渡邊齋藤ソ表能ｱﾞ Az", k=rng.randrange(9))).rstrip() for _ in range(150_000)
    ]
    rows = [a_row(number, recipient_name=name) for number, name in enumerate(names)]
    content = a_file(any_drop.form, rows)
    assert len(content) > 2 * 4 * 1024 * 1024
    _, table = any_drop.put(content).read()
    assert table["recipient_name"].to_pylist() == names
    assert table["notice_no"].to_pylist() == [row["notice_no"] for row in rows]


def test_a_mistake_in_a_later_block_is_told_by_its_line_in_the_file(any_drop: ADrop) -> None:
    rows = [a_row(number) for number in range(120_000)]
    rows[110_000] = a_row(annual_yen="8040O")
    header = any_drop.form != "fixed-cp932"
    any_drop.put(a_file(any_drop.form, rows)).refused(
        match=f"連携ファイルの{110_001 + header:,}行目の項目 annual_yen を、整数として読めません"
    )


# ---- not there yet


def test_without_its_control_file_a_data_file_is_not_there_yet(any_drop: ADrop) -> None:
    any_drop.put(b"half a fi")
    any_drop.control_file.unlink()
    any_drop.refused(
        NotThereYet, "異動バッチ 2026-annual の統制票ファイルが、まだ連携フォルダに届いていません"
    )


def test_an_empty_control_file_is_not_there_yet(drop: ADrop) -> None:
    drop.put(a_file(drop.form, [a_row()])).control_file.write_bytes(b"")
    drop.refused(NotThereYet, "まだ連携フォルダに届いていません")


def test_a_folder_that_is_away_cannot_be_looked_at(drop: ADrop) -> None:
    assert not isinstance(drop.refused(CannotLook, r"連携フォルダを読めません（ENOENT）"), NotThereYet)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_cannot_be_looked_at(drop: ADrop) -> None:
    drop.put(a_file(drop.form, [a_row()])).data.chmod(0)
    drop.refused(CannotLook, r"連携フォルダを読めません（EACCES）")


def test_a_data_file_that_changes_while_it_is_digested_is_not_there_yet(drop: ADrop) -> None:
    drop.put(b"x" * 64 * 1024 * 1024)
    done = threading.Event()

    def host_goes_on_writing() -> None:
        for moment in count(1):
            if done.is_set():
                return
            os.utime(drop.data, ns=(moment, moment))

    host = threading.Thread(target=host_goes_on_writing)
    host.start()
    try:
        drop.refused(NotThereYet, "連携ファイルが、読取りの途中で変わりました")
    finally:
        done.set()
        host.join()


def test_a_data_file_that_changes_after_it_was_digested_is_not_there_yet(any_drop: ADrop) -> None:
    any_drop.put(a_file(any_drop.form, [a_row(1)]))
    opened = reading(any_drop.root, any_drop.declared(), a_notice(), Batch.parse(any_drop.batch), now=NOW)
    with opened as (_, rows), pytest.raises(NotThereYet, match="連携ファイルが、読取りの途中で変わりました"):
        before = any_drop.data.stat()
        any_drop.data.write_bytes(a_file(any_drop.form, [a_row(2)]))  # as long as before, and as old
        os.utime(any_drop.data, ns=(before.st_atime_ns, before.st_mtime_ns))
        rows.read_all()


# ---- the control file


@pytest.mark.parametrize(
    ("promised", "told"),
    [
        ({"notice": "another_notice"}, "notice が異なります"),
        ({"batch": "2025-annual"}, "batch が異なります"),
        ({"file": "2025-annual.csv"}, "file が異なります"),
        ({"file": "../kaigo/2026-annual.csv"}, "file が異なります"),
        ({"file": "/etc/passwd"}, "file が異なります"),
        ({"notice": "x", "batch": "y"}, "notice, batch が異なります"),
    ],
)
def test_a_control_file_of_something_else_is_refused(
    drop: ADrop, promised: dict[str, str], told: str
) -> None:
    drop.promising(**promised).put(a_file(drop.form, [a_row()])).refused(
        match=f"統制票ファイルが、別の処理のものです（{told}）"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format_version", "2"),
        ("count", "1人"),
        ("count", "-1"),
        ("count", "１"),
        ("count", ""),
        ("amount.annual_yen", "80,400"),
        ("amount.annual_yen", "80400.0"),
        ("sha256", "0" * 63),
        ("as_of", "2026-06-30T21:00:00"),  # of which zone?
        ("as_of", "20260630"),
        ("telephone", "03"),
        (" count", "1"),
    ],
)
def test_a_line_of_the_control_file_that_is_not_of_its_form_is_refused(
    drop: ADrop, key: str, value: str
) -> None:
    drop.promising(**{key: value}).put(a_file(drop.form, [a_row()])).refused(
        match=r"統制票ファイルの[0-9]+行目が正しくありません"
    )


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("count=1\ncount=1\n", "2行目が正しくありません"),
        ("count=1\n\nnotice=x\n", "2行目が正しくありません"),
        ("count 1\n", "1行目が正しくありません"),
        ("count=1\n", "に項目 format_version, notice, batch, file, sha256, as_of がありません"),
        ("notice=" + "x" * 5000, "が大きすぎます"),
    ],
)
def test_a_control_file_is_read_strictly(drop: ADrop, written: str, told: str) -> None:
    drop.put(a_file(drop.form, [a_row()])).control_file.write_text(written)
    drop.refused(match=f"統制票ファイル(の)?{told}")


def test_a_control_file_may_come_from_windows(drop: ADrop) -> None:
    control = drop.put(a_file(drop.form, [a_row()])).control_file
    lines = control.read_bytes()
    digest = sha256(drop.data.read_bytes())
    control.write_bytes(
        codecs.BOM_UTF8 + lines.replace(b"\n", b"\r\n").replace(digest.encode(), digest.upper().encode())
    )
    assert drop.read()[1].num_rows == 1


@pytest.mark.parametrize(
    ("as_of", "why"),
    [
        (NOW + timedelta(minutes=6), "未来"),
        (NOW - timedelta(hours=48, minutes=1), "古すぎる"),
    ],
)
def test_data_of_another_day_are_refused(drop: ADrop, as_of: datetime, why: str) -> None:
    drop.promising(as_of=as_of.isoformat()).put(a_file(drop.form, [a_row()])).refused(
        match=f"統制票ファイルの基準日時 as_of を受け付けられません（{why}）"
    )


def test_a_day_that_is_none_is_refused(drop: ADrop) -> None:
    drop.promising(as_of="2026-06-31T21:00:00+09:00").put(b"").refused(match="as_of .*（日時ではない）")


@pytest.mark.parametrize("as_of", [NOW + timedelta(minutes=5), NOW - timedelta(hours=48)])
def test_the_clocks_may_differ_a_little(drop: ADrop, as_of: datetime) -> None:
    drop.promising(as_of=as_of.isoformat()).put(a_file(drop.form, [a_row()]))
    assert drop.read()[0].as_of == as_of


# ---- the files


def test_a_missing_data_file_is_refused(any_drop: ADrop) -> None:
    any_drop.put(a_file(any_drop.form, [a_row()])).data.unlink()
    any_drop.refused(match=f"連携ファイル {re.escape(any_drop.name)} がありません")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-20],
        lambda content: content + b"\r\n",
        lambda content: content.replace(b"80400", b"80500"),
        lambda _: b"",
    ],
)
def test_a_data_file_other_than_promised_is_refused(
    any_drop: ADrop, damage: Callable[[bytes], bytes]
) -> None:
    content = a_file(any_drop.form, [a_row()])
    any_drop.put(content).data.write_bytes(damage(content))
    any_drop.refused(Altered, "SHA-256 が統制票と一致しません")


@pytest.mark.parametrize("other", ["2026-annual_2.ctl", "2026-annual_2.csv", "2026-annual.dat", "2026-annual (1).csv", "2026-ANNUAL.CSV", "2026-annual.csv.filepart"])  # fmt: skip
def test_a_second_drop_of_a_batch_is_refused(drop: ADrop, other: str) -> None:
    drop.put(a_file(drop.form, [a_row()]))
    (drop.folder / other).write_bytes(b"")
    drop.refused(match="異動バッチ 2026-annual のファイルが、連携フォルダにほかにも1件あります")


def test_other_batches_lie_beside_it(drop: ADrop) -> None:
    for batch in ("2026-annual-2", "2026-annual2", "2026-07"):
        replace(drop, batch=batch).put(a_file(drop.form, [a_row(recipient_name="別人")]))
    drop.put(a_file(drop.form, [a_row()]))
    assert drop.read()[1]["recipient_name"].to_pylist() == ["髙橋　﨑子"]


@pytest.mark.parametrize("which", ["data", "control_file", "folder"])
def test_a_link_is_not_followed(drop: ADrop, which: str) -> None:
    drop.put(a_file(drop.form, [a_row()]))
    path: Path = getattr(drop, which)
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    drop.refused(match="シンボリックリンクなど通常と異なるもの")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_not_a_file_is_refused_and_not_waited_for(drop: ADrop, make: Callable[[Path], None]) -> None:
    drop.put(a_file(drop.form, [a_row()])).data.unlink()
    make(drop.data)
    drop.refused(match="シンボリックリンクなど通常と異なるもの")


@pytest.mark.parametrize("folder", ["../etc", "a/b", "", ".", "A"])
def test_a_folder_is_a_name_and_no_path(drop: ADrop, folder: str) -> None:
    with pytest.raises(ValidationError):
        FileDrop.model_validate(drop.declared().model_dump() | {"folder": folder})


def test_widths_are_declared_for_fixed_length_and_only_there(tmp_path: Path) -> None:
    for form, other in (("csv-cp932", "fixed-cp932"), ("fixed-cp932", "csv-utf8")):
        declared = ADrop(tmp_path, form=form).declared().model_dump()
        with pytest.raises(ValidationError, match="固定長ならすべての列に書き、CSV なら書かないで"):
            FileDrop.model_validate(declared | {"format": other})


def test_a_column_is_declared_once(drop: ADrop) -> None:
    declared = drop.declared().model_dump()
    with pytest.raises(ValidationError, match="同じ項目が重複"):
        FileDrop.model_validate(declared | {"columns": (*declared["columns"], declared["columns"][0])})


# ---- character sets


@pytest.mark.parametrize(
    ("form", "content", "told"),
    [
        ("csv-cp932", a_file("csv-utf8", [a_row()]), r"CP932（Shift_JIS） ではありません（BOMなしの UTF-8 に見えます）"),
        ("csv-cp932", codecs.BOM_UTF8 + a_file("csv-utf8", [a_row()]), r"（BOM付きの UTF-8 に見えます）"),
        ("csv-cp932", codecs.BOM_UTF8 + a_file("csv-utf8", []), r"（BOM付きの UTF-8 に見えます）"),
        # Valid CP932, if nobody looks: 縺ゅ＞
        ("csv-cp932", a_file("csv-utf8", [a_row(recipient_name="あい")]), r"（BOMなしの UTF-8 に見えます）"),
        ("csv-utf8", a_file("csv-cp932", [a_row()]), r"UTF-8 ではありません（2行目、CP932（Shift_JIS） に見えます）"),
        ("csv-utf8", a_file("csv-utf8", [a_row(), a_row()]) + b"\x81\xff", r"（4行目、判別できません）"),
        ("csv-cp932", a_file("csv-cp932", [a_row()]) + "渡邊".encode(), r"（3行目、UTF-8 に見えます）"),
        ("fixed-cp932", "髙橋　﨑子".encode() * 9, r"（BOMなしの UTF-8 に見えます）"),
    ],
)  # fmt: skip
def test_another_character_set_is_refused_and_named(
    tmp_path: Path, form: str, content: bytes, told: str
) -> None:
    ADrop(tmp_path, form=form).put(content).refused(match=told)


def test_a_kana_that_utf8_could_mean_too_is_no_reason_to_refuse(drop: ADrop) -> None:
    both = b"\xc3\xb1"  # ﾃｱ, or ñ
    content = a_file(drop.form, [a_row(recipient_name="X")]).replace(b"X", both)
    assert drop.put(content).read()[1]["recipient_name"].to_pylist() == ["ﾃｱ"]


@pytest.mark.parametrize("form", SEPARATED)
def test_utf16_is_refused_by_its_nul_bytes(tmp_path: Path, form: str) -> None:
    content = a_file("csv-utf8", [a_row()]).decode().encode("utf-16")
    ADrop(tmp_path, form=form).put(content).refused(match="1行目に NUL バイトがあります")


# ---- separated fields

HEADER = ",".join(item for item, _, _ in COLUMNS) + "\r\n"
GOOD = f'1,{SECRET},"髙橋　﨑子",80400,19400229,,0\r\n'


@pytest.mark.parametrize("form", SEPARATED)
@pytest.mark.parametrize(
    ("header", "place"),
    [
        ("", 1),
        ("\r\n", 1),
        (GOOD, 1),
        (HEADER.replace("annual_yen", "total_yen"), 4),
        (HEADER.replace("birth_date,lost_on", "lost_on,birth_date"), 5),
        (HEADER.replace(",share_envelope", ""), 7),
        (HEADER.replace("\r\n", ",telephone\r\n"), 8),
        (HEADER.upper(), 1),
    ],
)
def test_the_header_names_the_items_in_their_order(
    tmp_path: Path, form: str, header: str, place: int
) -> None:
    ADrop(tmp_path, form=form).put(in_charset(form, header)).refused(
        match=f"見出し行が、定めた項目の並びと一致しません（{place}番目から）|行目の引用符または改行が正しくありません"
        if header == "\r\n"
        else f"見出し行が、定めた項目の並びと一致しません（{place}番目から）"
    )


def test_the_header_may_be_quoted(drop: ADrop) -> None:
    quoted = ",".join(f'"{item}"' for item, _, _ in COLUMNS) + "\r\n"
    assert drop.put(in_charset(drop.form, quoted + GOOD)).read()[1].num_rows == 1


@pytest.mark.parametrize("form", SEPARATED)
@pytest.mark.parametrize(
    ("row", "told"),
    [
        (GOOD.replace("80400,", ""), r"3行目の項目が6個です（定めは7個）"),
        (GOOD.replace("80400", "80,400"), r"3行目の項目が8個です（定めは7個）"),
        ("x\r\n", r"3行目の項目が1個です"),
        (GOOD.replace("　", "\0"), r"3行目に NUL バイトがあります"),
        *(
            (row, r"3行目の引用符または改行が正しくありません")
            for row in (
                GOOD.replace("　", "\r\n"),
                GOOD.replace("　", "\n"),
                GOOD.replace("　", "\r"),
                GOOD.replace('"', "").replace("　", "\r"),
                GOOD.replace('子"', "子"),
                GOOD.replace('"髙', "髙"),
                GOOD.replace("　", '"'),
                GOOD.replace('"髙', ' "髙'),
                GOOD.replace('子"', '子" '),
                "\r\n",
                "\n",
            )
        ),
    ],
)
def test_a_row_that_is_not_separated_as_it_should_is_told_by_its_line(
    tmp_path: Path, form: str, row: str, told: str
) -> None:
    ADrop(tmp_path, form=form).put(
        in_charset(form, HEADER + GOOD) + raw(form, row) + in_charset(form, GOOD)
    ).refused(match=told)


def raw(form: str, text: str) -> bytes:
    """As `in_charset`, with characters that nobody prints."""
    return b"".join(c.encode() if c.isascii() else in_charset(form, c) for c in text)


def test_a_line_without_an_end_is_not_gathered_for_ever(drop: ADrop) -> None:
    drop.put(HEADER.encode() + b"1" * 6 * 1024 * 1024).refused(match="1MiBを超える行があります")


# ---- fixed length


def records(*rows: dict[str, str]) -> bytes:
    return a_file("fixed-cp932", list(rows))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (records(a_row()) + records(a_row())[1:], 2),
        (records(a_row()) + b" " + records(a_row()), 2),
        (records(a_row()) + records(a_row())[:-1], 2),
        (records(a_row()) + records(a_row())[:-2], 2),
        (records(a_row()) + records(a_row())[:-3], 2),
        (records(a_row()) + b"\r\n" + records(a_row()), 2),
        (records(a_row(1), a_row(2)) + b"\x1a", 3),
        (records(a_row()) + a_file("fixed-cp932", [a_row()], end="\n"), 2),
        (a_file("fixed-cp932", [a_row()], end="\n") + records(a_row()), 2),
        (records(a_row()) + records(a_row()).replace("　".encode("cp932"), b"\r\n"), 2),
        (records(a_row()) + records(a_row()).replace("　".encode("cp932"), b"\0\0"), 2),
        (b"short", 1),
    ],
)
def test_a_record_of_another_length_is_told_by_its_line(tmp_path: Path, content: bytes, line: int) -> None:
    ADrop(tmp_path, form="fixed-cp932").put(content).refused(
        match=f"連携ファイルの{line}行目が、定めた69バイトと改行（全行で同じもの）になっていません"
    )


def test_a_character_cut_in_two_by_its_field_is_told(tmp_path: Path) -> None:
    content = bytearray(records(a_row(1), a_row(2)))
    content[71 + 41 : 71 + 43] = b" \x8b"  # the first byte of a character, as the last of the name
    ADrop(tmp_path, form="fixed-cp932").put(bytes(content)).refused(
        match="2行目の項目 recipient_name を、CP932 の文字として読めません"
    )


# ---- values


@pytest.mark.parametrize(
    ("item", "written", "told"),
    [
        *(
            ("annual_yen", written, "整数")
            for written in ("", "8O400", "8.5", "1e3", "0x1F", "--5", "+", "5-", "8 0", "５")
        ),
        *(
            ("birth_date", written, "日付")
            for written in ("00000000", "99999999", "19410229", "20261301", "2026070", "２０２６")
        ),
        *(("share_envelope", written, "1か0の区分") for written in ("", "2", "T", "Y")),
    ],
)
def test_a_value_that_is_not_of_its_type_is_told_by_line_and_item(
    any_drop: ADrop, item: str, written: str, told: str
) -> None:
    content = a_file(any_drop.form, [a_row(1), a_row(2, **{item: written}), a_row(3)])
    if any_drop.form == "fixed-cp932" and item == "annual_yen":
        content = content.replace(written.encode("cp932").zfill(9), written.encode("cp932").rjust(9))
    line = 2 if any_drop.form == "fixed-cp932" else 3
    any_drop.put(content).refused(match=f"連携ファイルの{line}行目の項目 {item} を、{told}として読めません")


@pytest.mark.parametrize("written", ["1940-2-29", "1940-0229", "1941-02-29", "1940/02/29", "40-02-29", "0000-01-01", " 19400229"])  # fmt: skip
def test_a_date_has_one_of_two_forms(drop: ADrop, written: str) -> None:
    drop.put(a_file(drop.form, [a_row(birth_date=written)])).refused(match="birth_date を、日付として")


def test_both_forms_of_dates_are_read(drop: ADrop) -> None:
    rows = [a_row(birth_date=written) for written in ("19400229", "1940-02-29")]
    assert drop.put(a_file(drop.form, rows)).read()[1]["birth_date"].to_pylist() == [date(1940, 2, 29)] * 2


@pytest.mark.parametrize("written", ["9" * 18, "-" + "9" * 18, "0" * 30 + "5"])
def test_large_amounts_are_exact(drop: ADrop, written: str) -> None:
    _, table = drop.put(a_file(drop.form, [a_row(annual_yen=written)])).read()
    assert table["annual_yen"].to_pylist() == [int(written)]


def test_an_amount_beyond_all_bounds_is_refused(drop: ADrop) -> None:
    drop.put(a_file(drop.form, [a_row(annual_yen="9" * 19)])).refused(match="annual_yen を、整数として")
