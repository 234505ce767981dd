"""Changing the register by a form: what is asked, what is refused, and that nothing is entered twice."""

from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from tests.builders import CONFIG, TASK, a_digest
from tests.unit.register.world import CYCLE, DAY, INSERT, KACHO, NOON, NOTICE, PRINT, TANTO, a_register

from notice_cycle.errors import Refused
from notice_cycle.ledger.entry import Entry
from notice_cycle.records import Fact
from notice_cycle.register import (  # fmt: skip
    Asked,
    GateExcepted,
    Register,
    RegisterChanged,
    change,
    enter,
    enter_exception,
    load_seed,
    read_exceptions,
    read_register,
)
from notice_cycle.register.changing import ACTIONS_JA, REASONS_JA, blanks
from notice_cycle.register.kinds import KINDS, FirmEntry, HandlerEntry

PLACE = {"party": PRINT, "name": "第二作業室", "lock": "作業場所"}
FIRM = {"name_ja": "架空製本株式会社", "tier": "丙", "corporate_number": "9010001000009"}
CONSENT = {"contractor": PRINT, "subcontractor": INSERT, "notices": NOTICE, "number": "26介保第4号"}
SUBCONTRACT = {
    "contractor": PRINT, "subcontractor": INSERT, "notices": NOTICE, "clauses_2": "はい", "direct_powers": "はい",
    "document_sha256": a_digest("x"),
}  # fmt: skip


def asked(kind: str = "place", content: dict[str, str] | None = None, **changes: Any) -> Asked:
    known: dict[str, Any] = {
        "entry_kind": kind,
        "key": "a-new-one",
        "action": "add",
        "valid_from": "2026-07-01",
        "reason_code": "new",
        "filed_as": "26介保第12号",
        "content": PLACE if content is None else content,
    }
    return Asked.model_validate(known | changes)


def changed(*args: Any, register: Any = None, **changes: Any) -> RegisterChanged:
    return change(register or a_register(), asked(*args, **changes), by=TANTO, at=NOON)


def test_a_form_asks_what_the_model_holds() -> None:
    assert [(one.key, one.title_ja) for one in blanks(HandlerEntry)][:2] == [("party", "事業者"), ("name", "氏名（事業者の従事者）")]  # fmt: skip
    lines, choice = blanks(HandlerEntry)[3], blanks(FirmEntry)[1]
    assert (lines.lines, choice.choices) == (True, ("甲", "乙", "丙"))


def test_no_field_of_a_kind_is_named_like_the_forms_own() -> None:
    own = set(Asked.model_fields)
    assert {kind.kind for kind in KINDS.values() if own & set(kind.model_fields)} == set()


def test_flat_answers_become_entry_and_content() -> None:
    flat = {"key": " k ", "action": "end", "valid_until": "2026-07-31", "name": "x"}
    made = Asked.of_params("place", flat)
    assert (made.key, made.action, made.content) == ("k", "end", {"name": "x"})


def test_lines_choices_and_days_are_read_as_people_type_them() -> None:
    content = {"party": INSERT, "name": "封入 三郎", "duty": "取扱者", "reported_to": "甲\n 乙 \n"}
    fact = changed("handler", content, valid_from="2026/07/01")
    assert (fact.content["reported_to"], fact.valid_from) == (["甲", "乙"], DAY)
    proof = {
        "party": PRINT,
        "notice": NOTICE,
        "fiscal_year": "2026",
        "layout_on": "2026-06-01",
        "window_on": "",
    }
    assert changed("proof", proof).content["window_on"] is None
    assert changed("subcontract", SUBCONTRACT).content["clauses_2"] is True


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": "amend"}, "登録されていません"),
        ({"action": "end", "valid_until": "2026-07-31"}, "登録されていません"),
        ({"key": "example-print-work"}, "すでに登録されています"),
        ({"action": "erase"}, "登録されたものではありません"),
        ({"reason_code": "気分"}, "登録されたものではありません"),
        ({"kind": "weapon"}, "登録されたものではありません"),
        ({"valid_from": ""}, "日付として読めません"),
        ({"valid_until": "someday"}, "日付として読めません"),
        ({"valid_until": "2026-06-30"}, "末日が初日より前"),
        ({"key": "example-print-work", "action": "end"}, "「有効期間の末日」が日付として読めません"),
        ({"content": {**PLACE, "lock": "棚"}}, "「種類」が正しくありません（選択肢にありません）"),
        ({"content": {**PLACE, "name": ""}}, "「場所の名前」が正しくありません（入力されていません）"),
        ({"content": {**PLACE, "name": "1234567890 様"}}, "被保険者番号のおそれ"),
        ({"content": {**PLACE, "name": "１２３４５６７８９０"}}, "被保険者番号のおそれ"),
        ({"content": {**PLACE, "floor": "3"}, "kind": "firm", "key": "a_firm"}, "正しくありません"),
        ({"content": {**PLACE, "party": "nobody_known"}}, "登録簿にありません"),
        ({"kind": "proof", "content": {"party": PRINT, "notice": NOTICE, "fiscal_year": "二〇二六"}}, "形が違います"),
        ({"kind": "pledge", "content": {"party": PRINT, "name": "印刷 太郎", "signed_on": "きのう"}}, "形の日付に"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_its_title(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        changed(**changes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"party": PRINT, "name": "T1", "purpose": "結合端末"}, "結合の承認の文書番号が要ります"),
        ({"party": "ward", "name": "T1", "purpose": "結合端末", "governance_reference": "8情シ第1号"}, None),
    ],
)
def test_a_coupled_terminal_names_its_approval(content: dict[str, str], words: str | None) -> None:
    if words is None:
        assert changed("computer", content).content["governance_reference"] == "8情シ第1号"
        return
    with pytest.raises(Refused, match=words):
        changed("computer", content)


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("page_credentials", {"party": PRINT, "means": "簡易書留"}, "追跡番号が要ります"),
        ("page_credentials", {"party": PRINT, "means": "鍵認証のみ"}, "同等と認めた決定"),
        ("page_credentials", {"party": PRINT, "means": "電子メール"}, "選択肢にありません"),
        ("audit", {"party": PRINT, "job": "j", "fiscal_year": "2026", "by": "甲", "held_on": "2026-06-01", "method": "写真", "findings": "0"}, "その理由が要ります"),
    ],
)  # fmt: skip
def test_a_way_or_a_visit_is_proved(kind: str, content: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        changed(kind, content)


def test_nobody_registers_his_own_office() -> None:
    content = {"user_id": "tanto1", "office": "課長", "section": "介護保険課"}
    with pytest.raises(Refused, match="自分の役割を自分で"):
        changed("officer", content)
    assert changed("officer", {**content, "user_id": "tanto2"}).content["office"] == "課長"


def test_a_deputy_is_somebody_else_and_ends() -> None:
    content = {"user_id": "tanto2", "office": "承認者", "instead_of": "shonin", "section": "介護保険課"}
    entered = changed("deputy", content, valid_until="2026-07-31")
    assert entered.content["office"] == "承認者"
    with pytest.raises(Refused, match="有効期間の末日が要ります"):
        changed("deputy", content)
    with pytest.raises(Refused, match="本人を本人の代理に"):
        changed("deputy", {**content, "instead_of": "tanto2"}, valid_until="2026-07-31")
    with pytest.raises(Refused, match="自分の役割を自分で"):
        changed("deputy", {**content, "user_id": TANTO.user_id}, valid_until="2026-07-31")


def test_a_deputy_stands_in_for_the_days_of_the_entry_only() -> None:
    content = {"user_id": "tanto2", "office": "承認者", "instead_of": "shonin", "section": "介護保険課"}
    entered = changed("deputy", content, valid_from="2026-07-06", valid_until="2026-07-10")
    register = Register.fold(load_seed(CONFIG), [entered], DAY)
    days = [date(2026, 7, day) for day in (5, 6, 10, 11)]
    assert [register.stands_in_for("tanto2", day) for day in days] == [set(), {"承認者"}, {"承認者"}, set()]
    assert register.stands_in_for("shonin", days[1]) == set()


def test_a_firms_key_is_the_name_by_which_the_catalogue_calls_it() -> None:
    with pytest.raises(Refused, match="事業者の登録番号は"):
        changed("firm", FIRM, key="a-binder")
    assert changed("firm", FIRM, key="a_binder").key == "a_binder"


# ---- what the clauses rule out


def test_there_is_no_way_to_register_a_fourth_tier() -> None:
    """別紙2 第11項, R94: neither by name nor by handing on what 丙 has."""
    deeper = a_register(alter={"firm/other_print": {"tier": "丙"}})
    for kind, content, register in (
        ("firm", {**FIRM, "tier": "丁"}, None),
        ("firm", {**FIRM, "tier": "再々委託先"}, None),
        ("subcontract", {**SUBCONTRACT, "contractor": INSERT, "subcontractor": "other_print"}, deeper),
        ("consent", {**CONSENT, "contractor": INSERT, "subcontractor": "other_print"}, deeper),
    ):
        with pytest.raises(Refused, match="第四の階層はありません（別紙2 第11項、R94）"):
            changed(kind, content, register=register, key="a_new_one")
    assert changed("firm", FIRM, key="a_binder").content["tier"] == "丙"


def test_a_contract_is_with_a_contractor_and_a_subcontract_with_a_subcontractor() -> None:
    with pytest.raises(Refused, match="立場は乙です（ここには丙が要ります）"):
        changed("subcontract", {**SUBCONTRACT, "subcontractor": "other_print"})
    with pytest.raises(Refused, match="立場は甲です（ここには乙が要ります）"):
        changed("consent", {**CONSENT, "contractor": "ward"})


def test_consent_is_impossible_where_the_contract_knows_no_subcontracting() -> None:
    with pytest.raises(Refused, match="再委託をしない契約です（R61）"):
        changed("consent", {**CONSENT, "notices": f"{NOTICE}\nreminder"})
    assert changed("consent", CONSENT).content["notices"] == [NOTICE]


@pytest.mark.parametrize("by", [{"corporate_number": "9010001000002"}, {"name_ja": "架空封入株式会社"}])
def test_a_bidder_cannot_become_the_subcontractor(by: dict[str, str]) -> None:
    register = a_register(alter={"bidder/2026-premium-other": by})
    with pytest.raises(Refused, match="入札参加者です。再委託先にはできません（R59）"):
        changed("consent", CONSENT, register=register)


# ---- with a ledger


class ALedger:
    """What entering needs of the ledger, in memory."""

    def __init__(self) -> None:
        self.kept: list[Entry] = []

    def entries(self, *, kind: str) -> list[Entry]:
        return [entry for entry in self.kept if entry.kind == kind]

    def note(self, cycle: str | None, fact: Fact, actor: Any) -> Entry:
        entry = Entry(
            seq=len(self.kept) + 1, previous=None, recorded_at=NOON, actor=TASK, cycle=cycle, kind=fact.kind(),
            follows=None, data=fact.model_dump(mode="json"),
        )  # fmt: skip
        self.kept.append(entry)
        return entry

    @contextmanager
    def locked(self, cycle: str, stage: str) -> Any:
        yield


def test_a_change_is_entered_once_and_seen_from_then_on() -> None:
    ledger: Any = ALedger()
    first = enter(ledger, CONFIG, asked(), by=TANTO, at=NOON)
    again = enter(ledger, CONFIG, asked(), by=TANTO, at=NOON + timedelta(minutes=5))
    assert (first, len(ledger.kept), first.cycle) == (again, 1, None)
    assert read_register(ledger, CONFIG, DAY).of_key("place", "a-new-one")
    assert read_register(ledger, CONFIG, date(2026, 6, 30)).of_key("place", "a-new-one") == []


def test_the_same_again_from_another_person_or_after_another_change_is_no_repetition() -> None:
    ledger: Any = ALedger()
    enter(ledger, CONFIG, asked(), by=TANTO, at=NOON)
    with pytest.raises(Refused, match="すでに登録されています"):
        enter(ledger, CONFIG, asked(), by=KACHO, at=NOON)
    enter(
        ledger,
        CONFIG,
        asked(action="end", valid_from="", valid_until="2026-07-31", content={}),
        by=TANTO,
        at=NOON,
    )
    with pytest.raises(Refused, match="すでに登録されています"):
        enter(ledger, CONFIG, asked(), by=TANTO, at=NOON)
    assert len(ledger.kept) == 2


def test_an_end_twice_is_one_end() -> None:
    ledger: Any = ALedger()
    end = asked(key="example-print-work", action="end", valid_from="", valid_until="2026/07/31", content={})
    assert enter(ledger, CONFIG, end, by=TANTO, at=NOON) == enter(ledger, CONFIG, end, by=TANTO, at=NOON)
    assert len(ledger.kept) == 1


def test_an_exception_is_entered_once() -> None:
    ledger: Any = ALedger()
    form = {
        "gate": "roster",
        "of": CYCLE,
        "reason_code": "deadline",
        "note_number": "26介保第7号",
        "until": "2026-07-10",
    }
    for minutes in (0, 5):
        enter_exception(ledger, CONFIG, form, by=KACHO, at=NOON + timedelta(minutes=minutes))
    assert [one.gate for one in read_exceptions(ledger)] == ["roster"]
    assert ledger.kept[0].kind == GateExcepted.kind()


def test_actions_and_reasons_are_told_in_japanese() -> None:
    assert not any(word.isascii() for word in (*ACTIONS_JA.values(), *REASONS_JA.values()))
