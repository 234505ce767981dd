"""What officer and approver see before they answer: in the order in which one reads, and nothing left out for being nought."""

import re

from tests.builders import a_cycle, a_rule

from notice_cycle import records as r
from notice_cycle.composition.approval import HandoverApproval
from notice_cycle.validation.confirmation import ValidationConfirmation


def row(body: str, label: str) -> str:
    found = re.search(rf"^\| {re.escape(label)} \| (.*) \|$", body, re.MULTILINE)
    assert found, body
    return found.group(1)


def validated(**changes: object) -> str:
    return ValidationConfirmation().body(
        a_cycle().with_(validation=changes).up_to(r.ValidationRecord).history()
    )


def composed(**changes: object) -> str:
    return HandoverApproval().body(a_cycle().with_(composition=changes).up_to(r.CompositionRecord).history())


def test_stages_stand_in_their_order_and_the_others_last() -> None:
    counts = {"stage": {"1": 40, "10": 20, "2": 30, "その他": 10}}
    told = row(validated(counts=counts), "所得段階別")
    assert told == "第1段階 40人、第2段階 30人、第10段階 20人、その他 10人"


def test_what_cannot_pass_comes_first() -> None:
    rules = [a_rule(rule="A1", severity="warning", broken=3), a_rule(rule="A3", severity="error", broken=1)]
    body = validated(rules=[rule.model_dump() for rule in rules])
    assert body.index("| A3 エラー |") < body.index("| A1 注意 |")


def test_the_approver_is_told_also_of_what_there_is_none() -> None:
    body = composed(ambiguous=0, replaced_characters={})
    assert row(body, "名寄せで人が見るべきもの") == "0件"
    assert row(body, "取り決めた外字に置き換えた文字") == "なし"
    assert row(body, "印字できない文字").startswith("なし")
    assert row(composed(ambiguous=2), "名寄せで人が見るべきもの") == "2件（一覧を課のプリンタに印刷済み）"


def test_the_approver_is_told_why_an_amount_is_hidden() -> None:
    items = a_cycle().up_to(r.CompositionRecord).history().latest(r.CompositionRecord).totals
    hidden = {item: {"yen": None, "hmac": "0" * 64} for item in items}
    assert "非表示（差分一覧で除いた人が10人未満）" in composed(totals=hidden, excluded={"death": 1})
    assert "非表示" not in composed()
