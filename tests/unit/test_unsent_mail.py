"""送れなかったメール: entered once, told again to whoever missed it and to the operator, until it went or is settled."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from tests.builders import CONFIG, CYCLE, TANTO, ACycle, a_cycle, a_decision
from tests.unit.test_named_calendars import at

from notice_cycle import records as r
from notice_cycle.alerts import TODAY, Outgoing, Post, load_template
from notice_cycle.deadlines import Level, Told
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.unsent_mail import MailUnsent, UnsentReminder, new_ones, unsent_dues, unsent_reminders

FRIDAY = at("Fri 2026-07-03 10:00")
KAIGO = "介護保険課"


def of_a_task(template: str = "form_waiting", **changes: Any) -> MailUnsent:
    known = {
        "subject": CYCLE,
        "to_role": "section",
        "section": KAIGO,
        "reason": "refused",
        "tried_at": FRIDAY,
    }
    return MailUnsent.model_validate({"template": template} | known | changes)


def of_a_due(milestone: str = "validation", level: int = 1, **changes: Any) -> MailUnsent:
    return of_a_task("overdue", milestone=milestone, level=level, due_at=FRIDAY, **changes)


def reminded(
    *known: MailUnsent, told: Iterable[tuple[str, str, int, datetime]] = (), cycle: ACycle | None = None
) -> list[UnsentReminder]:
    history = (cycle or a_cycle().up_to(r.OpeningRecord)).history()
    return unsent_reminders(known, set(told), CONFIG, lambda _: history)


def test_what_a_task_wanted_to_say_is_told_again_to_whoever_missed_it_and_to_the_operator() -> None:
    own, operator = reminded(of_a_task())
    assert (own.tell, own.section, own.name_ja) == ("担当", KAIGO, CYCLE)
    assert own.sentence_ja == (
        f"2026-07-03の「回答のお願い」のメールが届いていません（{CYCLE}）。メールサーバーが宛先か内容を断りました。"
    )
    assert (operator.tell, operator.state) == ("情報システム運用", "red")
    assert "1件が、担当（介護保険課）に届いていません" in operator.sentence_ja


def test_a_due_date_tells_itself_again_and_only_the_operator_is_told_how_many() -> None:
    (operator,) = reminded(of_a_due(), of_a_due("approval"), of_a_due("approval", 2))
    assert operator.tell == "情報システム運用"
    assert "3件" in operator.sentence_ja


def test_what_has_gone_since_is_not_told_and_does_not_change_the_line() -> None:
    gone, still = of_a_due(), of_a_due("approval")
    key = (gone.subject, gone.milestone, 1, FRIDAY)
    assert [one.id for one in reminded(gone, still, told=[key])] == [one.id for one in reminded(gone, still)]
    assert reminded(gone, told=[key]) == []


def test_a_dispatch_that_is_over_needs_no_mail() -> None:
    assert reminded(of_a_task(), cycle=a_cycle()) == []
    opened = a_cycle().up_to(r.OpeningRecord)
    withdrawn = a_decision(r.DecisionKind.WITHDRAWN, supersedes=opened.history().entries[0].digest)
    assert reminded(of_a_task(), cycle=opened.noting(withdrawn)) == []


def test_what_belongs_to_no_dispatch_is_told_all_the_same() -> None:
    empty = CycleHistory([])
    found = unsent_reminders([of_a_task(subject="incident-2026-001")], set(), CONFIG, lambda _: empty)
    assert [one.tell for one in found] == ["担当", "情報システム運用"]


def test_of_the_contractor_only_the_operator_hears_until_it_has_its_quantities() -> None:
    unsent = of_a_task("quantities", to_role="contractor", section="")
    (operator,) = reminded(unsent)
    assert "委託先に届いていません" in operator.sentence_ja
    told = r.QuantitiesTold(
        stage="確定数量", party="x", notices=1, envelopes=1, sheets=1, source_ja="", message_id="<1@x>",
        told_at=FRIDAY + timedelta(hours=3),
    )  # fmt: skip
    assert reminded(unsent, cycle=a_cycle().up_to(r.CompositionRecord).noting(told)) == []


def test_the_same_mail_for_the_same_reason_is_entered_once() -> None:
    later = FRIDAY + timedelta(hours=3)
    monday = FRIDAY + timedelta(days=3)
    assert new_ones([of_a_due(), of_a_due(tried_at=monday)], []) == [of_a_due(tried_at=monday)]
    assert new_ones([of_a_due(tried_at=monday)], [of_a_due()]) == []
    assert new_ones([of_a_due(reason="away")], [of_a_due()]) == [of_a_due(reason="away")]
    assert new_ones([of_a_due(level=2)], [of_a_due()]) == [of_a_due(level=2)]
    assert new_ones([of_a_task(tried_at=later)], [of_a_task()]) == []
    assert new_ones([of_a_task(tried_at=monday)], [of_a_task()]) == [of_a_task(tried_at=monday)]
    assert new_ones([of_a_task("incident")], [of_a_task()]) == [of_a_task("incident")]


def test_of_todays_page_the_address_is_a_digest_and_the_page_is_settled_once_it_went() -> None:
    office = "kaigo-shonin@ward.example"
    mark = Told(subject=TODAY, milestone=office, level=Level.SOON, to_role="approver", due_at=FRIDAY)
    mail = Post(config=CONFIG, base_url="http://ward", domain="ward.example", synthetic=True).mail(
        "due_soon", office, load_template(CONFIG, "due_soon").sample | {"link": ""}, thread=CYCLE
    )
    outgoing = Outgoing(mail=mail, told=(mark,), template=TODAY, section=KAIGO)
    (page,) = unsent_dues(outgoing, "refused", FRIDAY)
    assert (page.to_role, page.section) == ("approver", KAIGO)
    assert "@" not in page.model_dump_json()
    assert [one.tell for one in reminded(page)] == ["情報システム運用"]
    assert reminded(page, told=[mark.key]) == []


def test_a_line_about_an_unsent_mail_that_does_not_go_either_is_not_told_of_again() -> None:
    (own, _) = reminded(of_a_task())
    mark = Told(subject="register", milestone=own.id, level=Level.OVERDUE, to_role="section", due_at=FRIDAY)
    mail = Post(config=CONFIG, base_url="http://ward", domain="ward.example", synthetic=True).mail(
        "overdue", "x@ward.example", load_template(CONFIG, "overdue").sample | {"link": ""}, thread=CYCLE
    )
    assert (
        unsent_dues(Outgoing(mail=mail, told=(mark,), template="overdue", section=KAIGO), "refused", FRIDAY)
        == []
    )


def test_neither_an_address_nor_a_name_is_kept() -> None:
    kept = of_a_task().model_dump_json() + of_a_due().model_dump_json()
    assert "@" not in kept
    assert TANTO.name not in kept
