"""An incident: what may be taken down, whom it stops, which clocks it starts, what the ledger proves, and its end."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader
from tests.builders import CYCLE, OPENED_AT, a_cycle
from tests.unit.register.world import DAY, INSERT, KACHO, NOON, PRINT, TANTO, a_register, facts
from tests.unit.test_named_calendars import at

from notice_cycle import records as r
from notice_cycle.documents import render
from notice_cycle.errors import Refused
from notice_cycle.gates import closed, gates_before
from notice_cycle.incidents.entering import choices, incident_of, step_of
from notice_cycle.incidents.facts import IncidentReported, IncidentStepped
from notice_cycle.incidents.folded import STEPS, Incident, incident_reminders
from notice_cycle.incidents.preliminary_report import draft
from notice_cycle.incidents.protection import protection_of
from notice_cycle.register import Register
from notice_cycle.register.entering import incident_holds

ANSWERS = {
    "party": PRINT,
    "incident_kind": "漏えいのおそれ",
    "known_at": "2026-07-01T10:20",
    "told_by": "委託先（乙）",
    "told_by_means": "電話",
    "carrier": "DVD",
    "items": "氏名・住所\n保険料額・所得段階",
    "encrypted": "はい",
    "malicious": "いいえ",
    "measures": "作業を止めた\n調査中",
    "filed_as": "26介保第31号",
}


def taken(cycle: Any = None, **answers: str) -> IncidentReported:
    histories = {CYCLE: cycle.history()} if cycle else {}
    return incident_of(ANSWERS | answers, a_register(), histories, number="2026-001", by=TANTO, at=NOON)


def an_incident(*steps: str, cycle: Any = None, **answers: str) -> Incident:
    incident = Incident(reported=taken(cycle, **answers))
    for step in steps:
        incident = incident.model_copy(update={"steps": (*incident.steps, stamp(incident, step))})
    return incident


def stamp(incident: Incident, step: str, /, by: Any = KACHO, **answers: str) -> IncidentStepped:
    asked = {
        "step": step, "done_at": "2026-07-01T11:00", "filed_as": "26介保第32号",
        "reason_code": "settled" if step in STEPS and STEPS[step].decided else "",
    }  # fmt: skip
    return step_of(incident, asked | answers, a_register(), by=by, at=NOON)


# ---- taking it down


def test_an_incident_is_codes_days_and_counts() -> None:
    found = taken(a_cycle(persons=250))
    assert (found.persons, found.cycles, found.known_at) == (250, (CYCLE,), at("Wed 2026-07-01 10:20"))
    assert (found.items, found.measures) == (("氏名・住所", "保険料額・所得段階"), ("作業を止めた", "調査中"))
    free_text = {
        name for name, field in IncidentReported.model_fields.items()
        if field.annotation is str and name not in {"number", "party", "filed_as"}
    }  # fmt: skip
    assert free_text == set()


def test_persons_are_counted_from_the_newest_record_of_each_cycle() -> None:
    assert taken().persons is None
    assert taken(a_cycle().up_to(r.OpeningRecord)).persons is None
    assert taken(a_cycle(persons=77).up_to(r.ExtractionRecord)).persons == 77


def test_a_subcontractor_reports_directly_and_names_the_contractors_cycles() -> None:
    found = taken(a_cycle(), party=INSERT, told_by="再委託先（丙）", told_by_means="署名した届出")
    assert (found.party, found.told_by) == (INSERT, "再委託先（丙）")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"party": "somebody"}, "登録簿にありません"),
        ({"party": "other_print"}, "委託先は、架空第二印刷株式会社ではありません"),
        ({"incident_kind": "いろいろ"}, "「種類」が、一覧にあるものではありません"),
        ({"items": "氏名・住所\n本名は秘密"}, "「含まれる項目」が、一覧"),
        ({"malicious": ""}, "「不正の目的のおそれ」が、一覧"),
        ({"known_at": "きのう"}, "日時として読めません"),
        ({"known_at": "2026-07-02 10:00"}, "未来の日時です"),
        ({"filed_as": "山田 太郎"}, "文書番号の形が違います"),
    ],
)
def test_what_may_not_be_taken_down(answers: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        taken(a_cycle(), **answers)


def test_an_unknown_cycle_is_not_taken_down() -> None:
    histories = {CYCLE: a_cycle().up_to(r.OpeningRecord).history().__class__([])}
    with pytest.raises(Refused, match="はありません"):
        incident_of(ANSWERS, a_register(), histories, number="2026-001", by=TANTO, at=NOON)


def test_the_form_offers_what_the_fact_allows() -> None:
    assert choices("malicious") == ["はい", "いいえ", "不明"]
    assert "被保険者番号" in choices("items")
    assert choices("measures")[-1] == "まだ何もしていない"


# ---- the hold


def held_register(incident: Incident, as_of: date = DAY) -> Register:
    holds = incident_holds([incident.reported], incident.steps, as_of)
    return a_register(plus=holds, as_of=as_of)


@pytest.mark.parametrize("party", [PRINT, INSERT])
def test_an_incident_stops_the_hand_overs_of_its_party_until_kacho_lifts_it(party: str) -> None:
    incident = an_incident(party=party)
    (gate,) = closed(gates_before("handover", facts(), held_register(incident), today=DAY))
    assert (gate.id, gate.party, gate.may_be_excepted) == ("incident_hold", party, False)
    assert "受付番号 2026-001" in gate.reason_ja
    lifted = an_incident("hold_lifted", party=party)
    assert closed(gates_before("handover", facts(), held_register(lifted), today=DAY)) == []


def test_a_hold_that_is_lifted_later_stays_answerable() -> None:
    incident = Incident(reported=taken())
    later = incident.model_copy(
        update={
            "steps": (
                stamp(incident, "hold_lifted").model_copy(update={"entered_at": NOON + timedelta(days=5)}),
            )
        }
    )
    (before,) = incident_holds([later.reported], later.steps, date(2026, 7, 5))
    (after,) = incident_holds([later.reported], later.steps, date(2026, 7, 6))
    assert (before.valid_until, after.valid_until) == (None, date(2026, 7, 5))
    assert incident_holds([later.reported], later.steps, date(2026, 6, 30)) == []


# ---- steps


@pytest.mark.parametrize("step", [step.id for step in STEPS.values() if step.decided and step.id != "closed"])
def test_only_kacho_decides_and_only_with_a_reason(step: str) -> None:
    incident = an_incident()
    assert stamp(incident, step).reason_code == "settled"
    with pytest.raises(Refused, match="課長とされた者だけ"):
        stamp(incident, step, by=TANTO)
    with pytest.raises(Refused, match="理由が要ります"):
        stamp(incident, step, reason_code="")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"step": "party"}, "登録されたものではありません"),
        ({"reason_code": "なんとなく"}, "登録されたものではありません"),
        ({"done_at": "2026-07-01 10:19"}, "知った日時より前です"),
        ({"done_at": "2026-07-01 12:01"}, "未来の日時です"),
        ({"filed_as": ""}, "文書番号の形が違います"),
    ],
)
def test_what_may_not_be_stamped(answers: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        stamp(an_incident(), "notified", by=TANTO, **answers)


def test_what_anyone_stamps_needs_no_reason_and_keeps_none() -> None:
    assert stamp(an_incident(), "notified", by=TANTO, reason_code="settled").reason_code == ""


EVERYTHING = (
    "notified", "written_report", "instruction", "acknowledged", "preliminary_report", "final_report", "not_published",
    "hold_lifted",
)  # fmt: skip


@pytest.mark.parametrize("left_out", EVERYTHING)
def test_an_incident_ends_only_when_nothing_is_wanting(left_out: str) -> None:
    assert an_incident(*EVERYTHING, "closed").is_closed
    wanting = an_incident(*(step for step in EVERYTHING if step != left_out))
    with pytest.raises(Refused, match="まだ済んでいないことがあります"):
        stamp(wanting, "closed")


def test_kacho_may_decide_that_no_report_is_needed() -> None:
    steps = [step for step in EVERYTHING if not step.endswith("_report") or step == "written_report"]
    assert an_incident(*steps, "report_not_needed", "closed").is_closed


# ---- clocks


def told(incident: Incident, moment: str) -> dict[str, tuple[str, str]]:
    found = incident_reminders(incident, at(moment), party_ja="架空印刷株式会社", sections=["介護保険課"])
    return {one.clock.step: (one.state, one.tell) for one in found}


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("Wed 2026-07-01 10:30", {"notified": ("amber", "担当"), "written_report": ("amber", "担当"), "preliminary_report": ("amber", "課長")}),
        ("Wed 2026-07-01 13:00", {"notified": ("red", "課長"), "written_report": ("amber", "担当"), "preliminary_report": ("amber", "課長")}),
        ("Sat 2026-07-04 13:00", {"notified": ("red", "課長"), "written_report": ("red", "課長"), "preliminary_report": ("red", "課長")}),
        ("Tue 2026-07-21 10:20", {"notified": ("red", "課長"), "written_report": ("red", "課長"), "preliminary_report": ("red", "課長"), "final_report": ("amber", "課長")}),
        ("Sun 2026-07-26 10:20", {"notified": ("red", "課長"), "written_report": ("red", "課長"), "preliminary_report": ("red", "課長"), "final_report": ("red", "課長")}),
    ],
)  # fmt: skip
def test_the_clocks_of_an_incident(moment: str, expected: dict[str, tuple[str, str]]) -> None:
    assert told(an_incident(), moment) == expected


def test_every_section_concerned_is_told_and_remembered_apart() -> None:
    sections = ("介護保険課", "地域包括ケア推進課")
    now = at("Sat 2026-07-04 13:00")
    found = incident_reminders(an_incident(), now, party_ja="架空印刷株式会社", sections=sections)
    assert [(one.clock.step, one.section) for one in found] == [
        (step, section)
        for section in sections
        for step in ("notified", "written_report", "preliminary_report")
    ]
    assert len({one.id for one in found}) == 6


def test_a_stamp_stops_its_clock_and_the_end_stops_all() -> None:
    assert set(told(an_incident("notified", "preliminary_report"), "Wed 2026-07-01 13:00")) == {
        "written_report"
    }
    assert told(an_incident(*EVERYTHING, "closed"), "Sun 2026-07-26 10:20") == {}


def test_the_days_of_the_law() -> None:
    incident = an_incident()
    assert incident.internal_due() == at("Sat 2026-07-04 10:20")
    assert incident.hard_due() == at("Mon 2026-07-06 10:20")
    assert incident.final_due() == at("Fri 2026-07-31 10:20")
    assert an_incident(malicious="はい").final_due() == at("Sun 2026-08-30 10:20")


@pytest.mark.parametrize(
    ("persons", "answers", "expected"),
    [
        (100, {}, False), (101, {}, True), (100, {"malicious": "不明"}, True), (None, {}, True),
        (500, {"incident_kind": "特記事項の違反", "carrier": "なし"}, False),
        (500, {"incident_kind": "特記事項の違反"}, True),
    ],
)  # fmt: skip
def test_when_the_law_asks_for_a_report(persons: int | None, answers: dict[str, str], expected: bool) -> None:
    incident = an_incident(cycle=a_cycle(persons=persons) if persons else None, **answers)
    assert incident.may_be_reportable is expected
    assert ("preliminary_report" in told(incident, "Wed 2026-07-01 13:00")) is expected


# ---- what the ledger proves


def test_before_anything_left_there_is_nothing_to_prove() -> None:
    (one,) = protection_of(a_cycle().up_to(r.EncryptionRecord).history())
    assert (one.proved, one.sentence_ja) == (True, "まだ区の外に出ていません。")
    assert protection_of(a_cycle().up_to(r.CompositionRecord).history()) == []


def test_a_package_whose_passphrase_has_not_gone_is_safe() -> None:
    (one,) = protection_of(a_cycle().up_to(r.ReceiptRecord).history())
    assert one.proved
    for words in ("age v1", "LGWAN（自動送信）", "受領通知", "パスワードは渡していません"):
        assert words in one.sentence_ja


def test_a_separate_occasion_is_proved_by_the_confirmation() -> None:
    (one,) = protection_of(a_cycle().up_to(r.PassphraseHandoverRecord).history())
    assert one.proved
    assert f"{CYCLE}-PW1-確認書" in one.sentence_ja
    sent_at = OPENED_AT - timedelta(hours=1)
    together = a_cycle().up_to(r.PassphraseHandoverRecord).with_(passphrase_handover={"handed_at": sent_at})
    (other,) = protection_of(together.history())
    assert not other.proved
    assert "証明できません" in other.sentence_ja


def test_once_opened_the_cipher_protects_no_longer() -> None:
    (one,) = protection_of(a_cycle().up_to(r.ContentReceiptRecord).history())
    assert not one.proved
    assert "開いた後の控えは暗号化されていません" in one.sentence_ja


def test_an_upload_that_broke_off_may_have_left() -> None:
    cycle = a_cycle().up_to(r.EncryptionRecord)
    made = cycle[r.EncryptionRecord]
    begun = r.HandoverBegun(
        package=made.package, route="lgwan", encrypted_file=made.files[0], begun_at=OPENED_AT
    )
    (one,) = protection_of(cycle.noting(begun).history())
    assert "引渡しに着手" in one.sentence_ja


# ---- the draft


def test_the_draft_holds_the_laws_items_and_no_more_than_the_ledger_knows() -> None:
    cycle = a_cycle(persons=250).up_to(r.PassphraseHandoverRecord)
    incident = an_incident("persons_told", cycle=cycle)
    known = draft(incident, {CYCLE: cycle.history()}, party_ja="架空印刷株式会社", ward="架空区")
    rows: Any = known["rows"]
    assert [row[0] for row in rows] == [
        "概要", "保有個人情報の項目", "本人の数", "原因", "二次被害又はそのおそれの有無及びその内容",
        "本人への対応の実施状況", "公表の実施状況", "再発防止のための措置", "その他参考となる事項",
    ]  # fmt: skip
    assert "最大 250人" in rows[2][1]
    assert "調査中" in rows[3][1]
    assert known["verdict"] == "暗号化と鍵の分離を、台帳で証明できます。"
    (page,) = [
        page.extract_text()
        for page in PdfReader(
            BytesIO(render("incident_report", known, at=datetime(2026, 7, 1, 3, tzinfo=UTC), synthetic=True))
        ).pages
    ]
    for words in ("事故2026-001-速報案", "架空データ", "最大 250人", "7月6日（月）10:20", f"{CYCLE}-p1"):
        assert words in page, words


@pytest.mark.parametrize("up_to", [r.CompositionRecord, r.ContentReceiptRecord])
def test_the_draft_claims_no_protection_it_cannot_prove(up_to: type[r.Record]) -> None:
    cycle = a_cycle().up_to(up_to)
    known = draft(an_incident(cycle=cycle), {CYCLE: cycle.history()}, party_ja="架空印刷", ward="架空区")
    assert "証明できます。" not in str(known["verdict"])
