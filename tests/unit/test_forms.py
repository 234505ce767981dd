"""The five forms: what an officer may answer, what is refused and asked again, and what is kept."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from tests.builders import CYCLE, OPENED_AT, SHONIN, TANTO, ACycle, a_cycle, a_rule, an_answer

from notice_cycle import records as r
from notice_cycle.acknowledgement.passphrase_notice import PassphraseHandover
from notice_cycle.composition.approval import HandoverApproval
from notice_cycle.delivery.confirmation import DeliveryConfirmation
from notice_cycle.erasure.confirmation import ErasureConfirmation
from notice_cycle.errors import Refused
from notice_cycle.forms import SENT_BACK_REASONS, Field, Form, table, tokyo
from notice_cycle.records import DecisionKind
from notice_cycle.stage import CYCLE_RECORDS, predecessor_of
from notice_cycle.validation.confirmation import ValidationConfirmation
from notice_cycle.values import Person
from synthetic_ward import CANARY

FORMS: tuple[type[Form], ...] = (
    ValidationConfirmation,
    HandoverApproval,
    PassphraseHandover,
    DeliveryConfirmation,
    ErasureConfirmation,
)


def waiting_for(form: type[Form], cycle: ACycle | None = None) -> ACycle:
    """The cycle as it stands when the form asks."""
    before = predecessor_of(form.record)
    assert before
    return (cycle or a_cycle()).up_to(before)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.id)
class TestEveryForm:
    def test_says_who_answers_and_what_for(self, form: type[Form]) -> None:
        assert form.role in {"担当", "承認者"}
        assert form.options
        assert all(field.title_ja for field in form.fields)
        assert form.record in CYCLE_RECORDS

    def test_tells_the_facts_needed_to_decide(self, form: type[Form]) -> None:
        body = form().body(waiting_for(form).history())
        assert "| 項目 | 内容 |" in body
        assert not any(term in body for term in CANARY.search_terms())

    def test_asks_for_nothing_about_insured_persons(self, form: type[Form]) -> None:
        asked = " ".join(field.title_ja + field.help_ja for field in form.fields)
        assert not any(word in asked for word in ("被保険者", "住所", "生年月日", "通知書番号"))

    def test_is_refused_when_its_stage_was_sent_back(self, form: type[Form]) -> None:
        opened_only = a_cycle().up_to(r.OpeningRecord).history()
        with pytest.raises(Refused, match="有効ではありません"):
            form().body(opened_only)


class TestValidationConfirmation:
    form = ValidationConfirmation()
    cycle = waiting_for(ValidationConfirmation)

    def test_a_validation_without_errors_is_confirmed(self) -> None:
        answer = an_answer("確認した")
        record = self.form.judge(answer, self.cycle.history())
        assert record == r.ValidationConfirmationRecord(confirmed_by=TANTO, confirmed_at=answer.at)

    def test_warnings_may_be_passed_and_errors_not(self) -> None:
        warned = self.cycle.with_(validation={"rules": (a_rule(broken=3, severity="warning"),)})
        assert isinstance(
            self.form.judge(an_answer("確認した"), warned.history()), r.ValidationConfirmationRecord
        )
        broken = self.cycle.with_(validation={"rules": (a_rule(broken=3), a_rule(rule="N02", broken=1))})
        with pytest.raises(Refused, match="エラーの規則が2件"):
            self.form.judge(an_answer("確認した"), broken.history())

    def test_every_finding_is_shown_by_count(self) -> None:
        broken = self.cycle.with_(validation={"rules": (a_rule(broken=1_234), a_rule(rule="N02"))})
        body = self.form.body(broken.history())
        assert "| N01 エラー | 通知書番号は11桁の数字である: 1,234件 |" in body
        assert "N02" not in body

    def test_a_small_cycles_total_is_not_shown(self) -> None:
        small = waiting_for(ValidationConfirmation, a_cycle(persons=9, total_yen=217_800))
        body = self.form.body(small.history())
        assert "10人未満のため非表示" in body
        assert "217,800" not in body

    @pytest.mark.parametrize("reason", SENT_BACK_REASONS)
    def test_sending_back_supersedes_the_extraction(self, reason: str) -> None:
        history = self.cycle.history()
        decision = self.form.judge(an_answer("差戻し", reason=reason), history)
        extraction = history.entry_of(r.ExtractionRecord)
        assert extraction
        assert decision == r.Decision(
            decision=DecisionKind.SENT_BACK,
            supersedes=extraction.digest,
            stage="extraction",
            reason_code=SENT_BACK_REASONS[reason],
            decided_by=TANTO,
        )

    @pytest.mark.parametrize("reason", [None, "", " ", "見本 花子さんの誤り"])
    def test_sending_back_needs_a_reason_code(self, reason: str | None) -> None:
        with pytest.raises(Refused, match="差戻しの理由") as caught:
            self.form.judge(an_answer("差戻し", reason=reason), self.cycle.history())
        assert "花子" not in str(caught.value)


class TestHandoverApproval:
    form = HandoverApproval()
    cycle = waiting_for(HandoverApproval)

    def test_another_person_releases_exactly_these_bytes(self) -> None:
        record = self.form.judge(an_answer("承認する", by=SHONIN), self.cycle.history())
        assert isinstance(record, r.HandoverApprovalRecord)
        assert record.print_file_sha256 == self.cycle[r.CompositionRecord].print_file.sha256
        assert record.approved_by == SHONIN

    def test_who_confirmed_cannot_approve(self) -> None:
        with pytest.raises(Refused, match="本人は承認できません"):
            self.form.judge(an_answer("承認する", by=TANTO), self.cycle.history())

    def test_another_name_on_the_same_account_is_the_same_person(self) -> None:
        again = Person(user_id=TANTO.user_id, name="別名")
        with pytest.raises(Refused, match="本人は承認できません"):
            self.form.judge(an_answer("承認する", by=again), self.cycle.history())

    def test_digest_and_confirming_officer_are_shown(self) -> None:
        body = self.form.body(self.cycle.history())
        assert self.cycle[r.CompositionRecord].print_file.sha256 in body
        assert TANTO.name in body

    def test_who_confirmed_may_still_send_back(self) -> None:
        reason = next(iter(SENT_BACK_REASONS))
        decision = self.form.judge(an_answer("差戻し", by=TANTO, reason=reason), self.cycle.history())
        assert isinstance(decision, r.Decision)


class TestPassphraseHandover:
    form = PassphraseHandover()
    cycle = waiting_for(PassphraseHandover)
    given: ClassVar[dict[str, str | None]] = {
        "handed_at": "2026-07-02 15:00",
        "giver": "担当 一郎",
        "taker": "受領 太郎",
        "means": "手渡し",
        "tracking_number": None,
        "quantity": "1",
        "signed_by": "受領 太郎",
        "filed_under": "26介保第96号",
    }

    def judged(self, **changes: str | None) -> r.PassphraseHandoverRecord:
        return self.form.judge(an_answer("引き渡した", **(self.given | changes)), self.cycle.history())

    def test_who_when_how_and_how_many_are_kept(self) -> None:
        record = self.judged()
        notice = f"{CYCLE}-PW1"
        assert (record.notice_number, record.confirmation_number) == (notice, f"{notice}-確認書")
        assert record.handed_at == datetime(2026, 7, 2, 6, 0, tzinfo=UTC)  # entered as Tokyo time
        assert (record.giver, record.taker, record.means, record.quantity) == (
            "担当 一郎",
            "受領 太郎",
            "手渡し",
            1,
        )
        assert record.entered_by == TANTO

    @pytest.mark.parametrize(
        "field", ["handed_at", "giver", "taker", "means", "quantity", "signed_by", "filed_under"]
    )
    @pytest.mark.parametrize("value", [None, "", "  ", "　"])
    def test_a_missing_field_is_named(self, field: str, value: str | None) -> None:
        titles = {known.key: known.title_ja for known in self.form.fields}
        with pytest.raises(Refused) as caught:
            self.judged(**{field: value})
        assert f"「{titles[field]}」" in caught.value.message

    @pytest.mark.parametrize("means", ["電子メール", "メール", "FAX", "宅配便", "手渡し、口頭"])
    def test_e_mail_and_other_means_are_not_selectable(self, means: str) -> None:
        with pytest.raises(Refused, match="手渡し・簡易書留・口頭 から選んでください"):
            self.judged(means=means)
        field = next(known for known in self.form.fields if known.key == "means")
        assert not any("メール" in choice for choice in field.choices)

    @pytest.mark.parametrize("number", ["12345678901", "123-45-67890-1", "123456789012"])
    def test_registered_mail_keeps_its_tracking_number(self, number: str) -> None:
        assert self.judged(means="簡易書留", tracking_number=number).tracking_number == number

    @pytest.mark.parametrize(
        "number",
        [None, "", "未定", "1", "1234567890", "1234567890123", "1234567890A", "-", "１２３４５６７８９０１"],
    )
    def test_registered_mail_needs_a_tracking_number(self, number: str | None) -> None:
        with pytest.raises(Refused, match="追跡番号"):
            self.judged(means="簡易書留", tracking_number=number)

    @pytest.mark.parametrize("quantity", ["0", "2", "-1", "1.0", "一", "1部"])
    def test_there_is_exactly_one_notice(self, quantity: str) -> None:
        with pytest.raises(Refused, match="数量"):
            self.judged(quantity=quantity)

    def test_the_future_is_refused(self) -> None:
        answered = OPENED_AT + timedelta(days=30)
        assert self.judged(handed_at=tokyo(answered))
        with pytest.raises(Refused, match="未来の日時"):
            self.judged(handed_at=tokyo(answered + timedelta(minutes=1)))

    def test_not_on_the_occasion_of_the_data(self) -> None:
        printed = self.cycle[r.PassphraseNoticeRecord].printed_at
        assert self.judged(handed_at=tokyo(printed))  # the same minute: people enter no seconds
        with pytest.raises(Refused, match="データの受領または通知書の発行より前"):
            self.judged(handed_at=tokyo(printed - timedelta(minutes=1)))

    def test_not_before_the_contractor_has_received(self) -> None:
        late = self.cycle.with_(receipt={"received_at": OPENED_AT + timedelta(days=3)})
        with pytest.raises(Refused, match="データの受領または通知書の発行より前"):
            self.form.judge(an_answer("引き渡した", **self.given), late.history())

    @pytest.mark.parametrize("when", ["昨日", "2026-07", "2026-02-30 10:00", "10:00", "2026-07-02 25:00"])
    def test_what_is_no_moment_is_told_with_an_example(self, when: str) -> None:
        with pytest.raises(Refused, match="日時として読めません") as caught:
            self.judged(handed_at=when)
        assert "2026-07-01 15:00" in caught.value.advice

    @pytest.mark.parametrize(
        "when", ["2026/07/02 15:00", "2026-07-02T15:00", "2026-07-02 06:00+00:00", " 2026-07-02 15:00 "]
    )
    def test_moments_are_read_in_several_spellings(self, when: str) -> None:
        assert self.judged(handed_at=when).handed_at == datetime(2026, 7, 2, 6, 0, tzinfo=UTC)

    def test_the_page_says_that_e_mail_is_no_way(self) -> None:
        body = self.form.body(self.cycle.history())
        assert "電子メールでは送れません" in body
        assert f"{CYCLE}-PW1" in body


class TestDeliveryConfirmation:
    form = DeliveryConfirmation()
    cycle = waiting_for(DeliveryConfirmation)
    given: ClassVar[dict[str, str | None]] = {
        "delivered_at": "2026-07-10 13:00",
        "handler": "担当 一郎",
        "deliverer": "配達 次郎",
        "quantity": "39",
        "signed_by": "配達 次郎",
        "filed_under": "26介保第97号",
    }

    def judged(self, **changes: str | None) -> r.DeliveryConfirmationRecord:
        return self.form.judge(an_answer("納品を確認した", **(self.given | changes)), self.cycle.history())

    def test_time_handler_contents_and_quantity_are_kept(self) -> None:
        record = self.judged()
        assert record.delivered_at == datetime(2026, 7, 10, 4, 0, tzinfo=UTC)
        assert (record.handler, record.deliverer, record.quantity) == ("担当 一郎", "配達 次郎", 39)
        assert record.contents == "納入通知書・普通徴収 封入封緘済み"
        assert (record.party, record.confirmation_number) == ("架空印刷株式会社", f"{CYCLE}-納品確認書")

    @pytest.mark.parametrize(
        "field", ["delivered_at", "handler", "deliverer", "quantity", "signed_by", "filed_under"]
    )
    def test_a_missing_field_is_refused(self, field: str) -> None:
        with pytest.raises(Refused, match="入力されていません"):
            self.judged(**{field: " "})

    @pytest.mark.parametrize("quantity", ["38", "40", "0"])
    def test_the_wards_own_count_must_equal_the_plan(self, quantity: str) -> None:
        with pytest.raises(Refused, match=f"数えた数量（{quantity}封）が計画（39封）"):
            self.judged(quantity=quantity)

    @pytest.mark.parametrize("quantity", ["３９", " 39 ", "0,039"])
    def test_digits_are_read_as_people_type_them(self, quantity: str) -> None:
        assert self.judged(quantity=quantity).quantity == 39

    def test_the_future_is_refused(self) -> None:
        with pytest.raises(Refused, match="未来の日時"):
            self.judged(delivered_at="2026-08-01 00:00")

    def test_the_page_does_not_show_the_number_to_be_counted(self) -> None:
        assert "39" not in self.form.body(self.cycle.history())


class TestErasureConfirmation:
    form = ErasureConfirmation()
    cycle = waiting_for(ErasureConfirmation)
    given: ClassVar[dict[str, str | None]] = {
        "method": "写真",
        "confirmed_at": "2026-07-20 10:00",
        "note_number": "26介保第120号",
    }

    def judged(self, **changes: str | None) -> r.ErasureConfirmationRecord:
        return self.form.judge(an_answer("消去を確認した", **(self.given | changes)), self.cycle.history())

    def test_how_when_and_under_which_note_are_kept(self) -> None:
        record = self.judged()
        assert (record.method, record.confirmed_on, record.note_number) == (
            "写真",
            "2026-07-20 10:00",
            "26介保第120号",
        )
        assert record.entered_by == TANTO

    @pytest.mark.parametrize("field", ["method", "confirmed_at", "note_number"])
    def test_a_missing_field_is_refused(self, field: str) -> None:
        with pytest.raises(Refused, match="入力されていません"):
            self.judged(**{field: None})

    def test_a_method_that_is_not_offered_is_refused(self) -> None:
        with pytest.raises(Refused, match="立入り・ビデオ通話・写真・書面 から選んでください"):
            self.judged(method="電話")

    def test_the_future_is_refused(self) -> None:
        with pytest.raises(Refused, match="未来の日時"):
            self.judged(confirmed_at="2027-01-01 00:00")

    def test_the_page_tells_what_was_certified(self) -> None:
        body = self.form.body(self.cycle.history())
        assert "消-26-001" in body
        assert "証明書だけでは完了しません" in body


def test_a_choice_left_empty_is_empty_when_it_is_not_required() -> None:
    field = Field(key="x", title_ja="見本", choices=("a",), required=False)
    assert an_answer("o", x=None).text(field) == ""
    with pytest.raises(Refused, match="a から選んでください"):
        an_answer("o", x="b").text(field)


def test_a_table_has_a_row_for_each_fact() -> None:
    assert table([("甲", "1"), ("乙", "2")]) == "| 項目 | 内容 |\n|---|---|\n| 甲 | 1 |\n| 乙 | 2 |"
