"""データの所在 as an officer reads it."""

import pytest
from tests.builders import a_cycle, the_configuration

from notice_cycle import records as r
from notice_cycle.copies import copies_of
from notice_cycle.copies.table import HEADINGS, names_of, rows_of, summary_ja
from notice_cycle.stage import CYCLE_RECORDS


@pytest.mark.parametrize("last", CYCLE_RECORDS, ids=lambda record: record.kind())
def test_every_state_can_be_shown(last: type[r.Record]) -> None:
    copies = copies_of(a_cycle().up_to(last).history())
    rows = rows_of(copies, names_of(the_configuration()))
    assert len(rows) == len(copies)
    assert {len(row.cells) for row in rows} <= {len(HEADINGS)}
    assert [row.is_open for row in rows] == sorted((row.is_open for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        (r.OpeningRecord, "まだ何も抽出していません。"),
        (r.StagingWipeRecord, "今ある控えは、委託先に3件、区に2件です。"),
        (r.ErasureRecord, "今ある控えは、委託先に0件、区に2件です。"),
        (r.ClosingRecord, "この発送回のデータは、記録の上では、どこにもありません。"),
    ],
)
def test_one_sentence_says_where_the_data_are(last: type[r.Record], sentence: str) -> None:
    assert summary_ja(copies_of(a_cycle().up_to(last).history())) == sentence


def test_a_row_tells_who_holds_what_where_since_when_and_by_which_entry() -> None:
    copies = copies_of(a_cycle().up_to(r.HandoverRecord).history())
    row = rows_of(copies, names_of(the_configuration()))[0]
    assert row.cells[:4] == ("ある", "架空印刷株式会社（乙）", "sftp.print.example", "サーバー")
    assert row.cells[4].startswith("暗号化された印字データ（")
    assert row.cells[7].startswith("第")
