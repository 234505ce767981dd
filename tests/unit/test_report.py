"""発送回の報告書: told as far as the cycle has come, in counts, and hidden where a count would tell about a person."""

import pytest
from tests.builders import CYCLE, OPENED_AT, TANTO, a_cycle, a_rule, taken_after_delivery

from notice_cycle import records as r
from notice_cycle.posting import Posted
from notice_cycle.report import Block, report
from notice_cycle.returned_mail import ReturnedMail
from notice_cycle.stage import CYCLE_RECORDS


def blocks(cycle=None) -> dict[str, Block]:  # type: ignore[no-untyped-def]
    told = report(CYCLE, (cycle or a_cycle()).history())
    return {block.title: block for block in told.blocks}


@pytest.mark.parametrize("last", CYCLE_RECORDS, ids=lambda record: record.kind())
def test_every_state_of_a_cycle_can_be_told(last: type[r.Record]) -> None:
    told = report(CYCLE, a_cycle().up_to(last).history())
    assert last.label_ja in told.stage_ja
    assert {len(row) == len(block.headings) for block in told.blocks for row in block.rows} == {True}


def test_a_withdrawn_cycle_says_so() -> None:
    opened = a_cycle().up_to(r.OpeningRecord)
    decision = r.Decision(
        decision=r.DecisionKind.WITHDRAWN,
        supersedes=opened.history().entries[0].digest,
        stage="opening",
        reason_code="drill",
        decided_by={"user_id": "1", "name": "x"},
    )
    assert report(CYCLE, opened.noting(decision).history()).stage_ja == "取下げ"


def test_this_year_stands_beside_last_year() -> None:
    counts = {"counts": {"stage": {"5": 30, "18": 10}}, "last_year": {"stage": {"5": 20, "1": 20}}}
    table = blocks(a_cycle().with_(validation=counts))["所得段階別の人数"]
    assert table.headings == ("所得段階", "今回", "構成比", "2025年度", "構成比", "増減")
    assert table.rows == (
        ("第1段階", "0", "0.0%", "20", "50.0%", "-20"),
        ("第5段階", "30", "75.0%", "20", "50.0%", "+10"),
        ("第18段階", "10", "25.0%", "0", "0.0%", "+10"),
        ("計", "40", "", "40", "", "±0"),
    )


def test_what_was_not_counted_is_not_told() -> None:
    hidden = blocks(a_cycle().with_(validation={"counts": {}, "last_year": {}}))["所得段階別の人数"]
    assert (hidden.rows, hidden.note) == ((), "10人未満のため非表示")


def test_a_small_cycles_amounts_are_hidden() -> None:
    rows = blocks(a_cycle(persons=3))["件数と金額"].rows
    assert {row[1] for row in rows if "合計" in row[0]} == {"10人未満のため非表示"}


def test_an_amount_that_would_tell_of_the_few_left_out_says_why_it_is_hidden() -> None:
    hidden = {"yen": None, "hmac": "0" * 64}
    totals = dict.fromkeys(
        a_cycle().up_to(r.CompositionRecord).history().latest(r.CompositionRecord).totals, hidden
    )
    rows = blocks(a_cycle().with_(composition={"totals": totals, "excluded": {"death": 2}}))[
        "件数と金額"
    ].rows
    assert {row[2] for row in rows if "合計" in row[0]} == {"非表示（差分一覧で除いた人が10人未満）"}
    assert all(row[1].endswith("円") for row in rows if "合計" in row[0])


FOUND = [
    a_rule(rule="A1", severity="warning", broken=3),
    a_rule(rule="A2", severity="error", broken=2, allowed=5),
    a_rule(rule="A3", severity="error", broken=1),
    a_rule(rule="A4"),
]


def test_what_cannot_pass_comes_first() -> None:
    found = blocks(a_cycle().with_(validation={"rules": [rule.model_dump() for rule in FOUND]}))
    table = found["検証で見つかったこと"]
    assert [(row[0], row[2], row[4]) for row in table.rows] == [
        ("A3", "エラー", "1件"),
        ("A1", "注意", "3件"),
        ("A2", "エラー（許容内）", "2件"),
    ]
    assert "エラーが1件" in table.note
    assert "差戻し" in table.note
    assert len(found["判定した規則のすべて"].rows) == 4


def test_nothing_found_is_said() -> None:
    assert blocks()["検証で見つかったこと"].note == "1件の規則をすべて判定しました。該当はありません。"


def test_what_the_differential_list_changed_is_told() -> None:
    changes = {"excluded": {"death": 2}, "corrected": 1, "replaced_characters": {"U+20BB7": 4}}
    rows = dict(blocks(a_cycle().with_(composition=changes))["印字データ"].rows)
    assert rows["差分一覧による除外: 死亡"] == "2人"
    assert rows["差分一覧による送付先の訂正"] == "1人"
    assert rows["取り決めた外字に置き換えた文字"] == "U+20BB7 4字"


def reconciled(cycle) -> dict[str, tuple[str, ...]]:  # type: ignore[no-untyped-def]
    return {row[0]: row[1:] for row in blocks(cycle)["数量の照合"].rows}


def test_quantities_are_reconciled_from_persons_to_returned_letters() -> None:
    printed = {"sheets_printed": 47, "sheets_spoiled": 2, "sheets_test": 3, "reasons": "literal"}
    composed = {"lots": [{"lot_no": 1, "postal_class": "定形", "envelopes": 39}]}
    posted = Posted(receipt_number="1", party="", envelopes=38, post_office="架空郵便局", posted_at=OPENED_AT)
    came_back = ReturnedMail(
        returned_on=OPENED_AT.date(),
        counts={"unknown_address": 2, "refused": 1},
        entered_by=TANTO,
        entered_at=OPENED_AT,
    )
    cycle = a_cycle().with_(delivery=printed, composition=composed).noting(posted, came_back)
    assert reconciled(cycle) == {
        "人数": ("40人", "抽出 40人、除外 0人", "±0"),
        "通知書": ("40通", "人数 40人", "±0"),
        "封筒": ("39封", "ロットの計 39封", "±0"),
        "用紙（計画）": ("40枚", "", ""),
        "印刷した用紙": ("47枚", "計画 40枚、損紙 2枚、試し刷り 3枚、刷り直し 2枚（損紙と同数）", "±0"),
        "印刷の理由": ("", "2枚以上のすべての印刷に理由を求めた", ""),
        "納品 ロット 1": ("39封", "計画 39封", "±0"),
        "納品": ("39封", "封筒 39封", "±0"),
        "差出し": ("38封", "納品 39封", "-1"),
        "返戻": ("3封", "宛所不明 2、受取拒否 1", ""),
        "届いた見込み（差出しから返戻を除く）": ("35封", "", ""),
    }
    assert "差出しが全部は記録されていません" in blocks(cycle)["数量の照合"].note


def test_what_was_taken_out_after_the_delivery_is_no_difference_at_the_posting() -> None:
    posted = Posted(receipt_number="1", party="", envelopes=38, post_office="架空郵便局", posted_at=OPENED_AT)
    cycle = a_cycle().noting(posted, taken_after_delivery(a_cycle()))
    rows = reconciled(cycle)
    assert rows["納品後の引抜き"] == ("1通", "なくなる封筒 1封（廃棄の証明あり）", "")
    assert rows["差出し"] == ("38封", "納品 39封、納品後の引抜き 1封", "±0")
    assert blocks(cycle)["数量の照合"].note == ""


def test_every_difference_is_named() -> None:
    changed = {
        "composition": {"excluded": {"death": 1}},
        "delivery": {"sheets_printed": 41, "envelopes_delivered": 37, "deliveries": [{"lot": "甲", "envelopes": 37}]},
    }  # fmt: skip
    rows = reconciled(a_cycle().with_(**changed))
    assert [rows[name][-1] for name in ("人数", "印刷した用紙", "納品")] == ["+1", "+1", "-2"]
    assert rows["納品 ロット 甲"] == ("37封", "委託先のロット", "")
    assert rows["差出し"] == ("記録なし", "納品 37封", "")


def test_before_the_delivery_only_what_was_composed_is_reconciled() -> None:
    before = a_cycle().up_to(r.StagingWipeRecord)
    assert list(reconciled(before)) == ["人数", "通知書", "封筒", "用紙（計画）"]
    assert blocks(before)["数量の照合"].note == ""
