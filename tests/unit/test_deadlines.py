"""When a due date turns amber and red, when it is nobody's fault yet, and whom it is told to: to the minute."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.builders import CYCLE, TANTO, ACycle, a_cycle, a_decision, a_digest, taken_after_delivery
from tests.unit.copies.told import SUBCONTRACTOR, a_transfer
from tests.unit.test_named_calendars import at
from tests.unit.test_pullout import asked, said

from notice_cycle import records as r
from notice_cycle.business_calendar import Calendars
from notice_cycle.catalogue import load_notice
from notice_cycle.deadline_rules import load_deadlines
from notice_cycle.deadlines import (
    Due,
    first_cycle_id,
    judge,
    next_look,
    opened,
    plan_of,
    preparation_of,
    settled_elsewhere,
    to_tell,
)
from notice_cycle.dispatch_plan import Plan, plan_annual
from notice_cycle.gates import RULES
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import Posted
from notice_cycle.pullout import DeliveredPulloutCancelled, PulloutCancelled
from notice_cycle.records import Fact, Record, record_kinds
from notice_cycle.values import Occasion, Person

CONFIG = Path(__file__).parents[2] / "include" / "config"
CALENDARS = Calendars.from_file()
DEADLINES = load_deadlines(CONFIG)
JULY = load_notice(CONFIG, "premium_notice_ordinary")
PLAN: Plan = plan_annual(JULY, 2026, DEADLINES.rules(JULY.id, 2026, JULY.party), CALENDARS)


def moved_to(cycle: ACycle, **moments: datetime) -> CycleHistory:
    """The cycle's history with some records entered at other moments, by kind; the rest as the builder says."""
    entries = []
    for entry in cycle.history().entries:
        changes: dict[str, object] = {"previous": entries[-1].digest if entries else entry.previous}
        if entry.follows:
            changes["follows"] = entries[-1].digest
        if entry.kind in moments:
            changes["recorded_at"] = moments[entry.kind]
        entries.append(entry.model_copy(update=changes))
    return CycleHistory(entries)


def handed_over(moment: str) -> CycleHistory:
    sent = a_cycle().with_(handover={"sent_at": at(moment)}).up_to(r.HandoverRecord)
    return moved_to(sent, handover=at(moment))


def delivered(moment: str) -> CycleHistory:
    on = at(moment)
    cycle = a_cycle().with_(delivery_confirmation={"delivered_at": on}, handover={"sent_at": PLANNED})
    return moved_to(cycle.up_to(r.DeliveryConfirmationRecord), delivery_confirmation=on)


PREPARED = {one.id for one in PLAN.rules.milestones if one.by_register}
PLANNED = at("Mon 2026-07-06 11:30")


def the(milestone: str, history: CycleHistory | None, now: datetime, met: tuple[str, ...] = ()) -> Due:
    dues = judge(PLAN, history, now, CALENDARS, subject=CYCLE, met=met)
    return next(due for due in dues if due.milestone == milestone)


# ---- to the minute


@pytest.mark.parametrize(
    ("milestone", "up_to", "moment", "state"),
    [
        ("extraction", r.YearSettingsRecord, "Thu 2026-07-02 12:59", "open"),
        ("extraction", r.YearSettingsRecord, "Thu 2026-07-02 13:00", "amber"),  # four hours before
        ("extraction", r.YearSettingsRecord, "Thu 2026-07-02 17:00", "amber"),  # exactly at due
        ("extraction", r.YearSettingsRecord, "Thu 2026-07-02 17:01", "red"),
        ("validation", r.ValidationRecord, "Fri 2026-07-03 17:00", "amber"),
        ("validation", r.ValidationRecord, "Fri 2026-07-03 17:01", "red"),
        ("approval", r.CompositionRecord, "Mon 2026-07-06 08:59", "open"),
        ("approval", r.CompositionRecord, "Mon 2026-07-06 09:00", "amber"),
        ("approval", r.CompositionRecord, "Mon 2026-07-06 11:01", "red"),
        ("handover", r.EncryptionRecord, "Mon 2026-07-06 12:01", "amber"),  # sent again until 16:00
        ("handover", r.EncryptionRecord, "Mon 2026-07-06 16:00", "amber"),
        ("handover", r.EncryptionRecord, "Mon 2026-07-06 16:01", "red"),
        ("fallback", r.EncryptionRecord, "Tue 2026-07-07 12:00", "amber"),
        ("fallback", r.EncryptionRecord, "Tue 2026-07-07 12:01", "red"),
        ("posting", r.EncryptionRecord, "Tue 2026-07-14 16:59", "open"),
        ("posting", r.EncryptionRecord, "Tue 2026-07-14 17:00", "amber"),
        ("posting", r.EncryptionRecord, "Thu 2026-07-16 17:01", "red"),
    ],
)
def test_a_planned_moment(milestone: str, up_to: type[Record], moment: str, state: str) -> None:
    assert the(milestone, a_cycle().up_to(up_to).history(), at(moment)).state == state


@pytest.mark.parametrize(
    ("milestone", "sent", "moment", "state"),
    [
        ("receipt", "Mon 2026-07-06 11:30", "Mon 2026-07-06 13:29", "open"),
        ("receipt", "Mon 2026-07-06 11:30", "Mon 2026-07-06 13:30", "amber"),  # +2 h
        ("receipt", "Mon 2026-07-06 11:30", "Mon 2026-07-06 15:30", "amber"),  # +4 h
        ("receipt", "Mon 2026-07-06 11:30", "Mon 2026-07-06 15:31", "red"),
        (
            "receipt",
            "Fri 2026-07-17 16:00",
            "Tue 2026-07-21 11:30",
            "amber",
        ),  # over 海の日, contractor's hours
        ("receipt", "Fri 2026-07-17 16:00", "Tue 2026-07-21 11:31", "red"),
        ("content_receipt", "Mon 2026-07-06 11:30", "Tue 2026-07-07 17:00", "amber"),
        ("content_receipt", "Mon 2026-07-06 11:30", "Wed 2026-07-08 12:00", "amber"),  # red T+2 12:00
        ("content_receipt", "Mon 2026-07-06 11:30", "Wed 2026-07-08 12:01", "red"),
        ("delivery", "Mon 2026-07-06 11:30", "Wed 2026-07-15 13:01", "red"),
        (
            "delivery",
            "Wed 2026-07-08 11:30",
            "Wed 2026-07-15 13:01",
            "open",
        ),  # seven days from when it was sent
        ("delivery", "Wed 2026-07-08 11:30", "Fri 2026-07-17 13:00", "amber"),
        ("delivery", "Wed 2026-07-08 11:30", "Fri 2026-07-17 13:01", "red"),
        ("print_log", "Mon 2026-07-06 11:30", "Tue 2026-07-21 17:01", "red"),
    ],
)
def test_a_moment_that_counts_from_the_hand_over(milestone: str, sent: str, moment: str, state: str) -> None:
    assert the(milestone, handed_over(sent), at(moment)).state == state


@pytest.mark.parametrize(
    ("delivered_on", "moment", "state"),
    [
        ("Wed 2026-07-15 10:00", "Wed 2026-07-22 16:59", "open"),
        ("Wed 2026-07-15 10:00", "Wed 2026-07-22 17:00", "amber"),
        ("Wed 2026-07-15 10:00", "Thu 2026-07-23 17:01", "amber"),  # +5, over 海の日
        ("Wed 2026-07-15 10:00", "Thu 2026-07-30 17:00", "amber"),  # +10
        ("Wed 2026-07-15 10:00", "Thu 2026-07-30 17:01", "red"),
        (
            "Fri 2026-12-25 10:00",
            "Thu 2027-01-07 17:00",
            "amber",
        ),  # 28 December and 4 January on: the year's end
        ("Fri 2026-12-25 10:00", "Fri 2027-01-15 17:01", "red"),
    ],
)
def test_the_erasure_report_counts_from_the_delivery(delivered_on: str, moment: str, state: str) -> None:
    assert the("erasure_report", delivered(delivered_on), at(moment)).state == state


def test_the_erasure_of_the_year_is_red_after_31_march_whatever_came_before() -> None:
    history = delivered("Wed 2026-07-15 10:00")
    assert the("erasure_year_end", history, at("Wed 2027-03-31 17:00")).state == "amber"
    assert the("erasure_year_end", history, at("Wed 2027-03-31 17:01")).state == "red"


# ---- whose turn it is


def test_nobody_is_late_with_a_step_that_cannot_be_taken_yet() -> None:
    stuck = a_cycle().up_to(r.YearSettingsRecord).history()  # the extraction never came
    late = {
        due.milestone
        for due in judge(PLAN, stuck, at("Mon 2026-07-20 09:00"), CALENDARS, subject=CYCLE, met=PREPARED)
        if due.state == "red"
    }
    assert late == {"extraction", "handover", "posting"}


def test_a_record_settles_and_says_since_when() -> None:
    due = the("handover", handed_over("Mon 2026-07-06 11:30"), at("Tue 2026-07-07 09:00"))
    assert (due.state, due.since) == ("done", at("Mon 2026-07-06 11:30"))


def test_a_superseded_record_settles_nothing() -> None:
    cycle = a_cycle().up_to(r.ExtractionRecord)
    extraction = cycle.history().entry_of(r.ExtractionRecord)
    assert extraction is not None
    again = cycle.noting(a_decision(supersedes=extraction.digest)).history()
    assert the("extraction", cycle.history(), at("Fri 2026-07-03 09:00")).state == "done"
    assert the("extraction", again, at("Fri 2026-07-03 09:00")).state == "red"


def test_the_choice_of_another_route_settles_the_decision_about_the_disc() -> None:
    switched = r.RouteSwitched(
        route="dvd", reason_code="line_down", decided_by=Person(user_id="k", name="課長 五郎")
    )
    history = a_cycle().up_to(r.EncryptionRecord).noting(switched).history()
    assert the("fallback", history, at("Tue 2026-07-07 12:01")).state == "done"


def test_a_subcontractors_erasure_is_due_only_where_one_was_given_a_file() -> None:
    cycle = a_cycle().up_to(r.DeliveryConfirmationRecord)
    late = cycle[r.DeliveryConfirmationRecord].delivered_at + timedelta(days=60)

    def ids(history: CycleHistory) -> list[str]:
        return [due.milestone for due in judge(PLAN, history, late, CALENDARS, subject=CYCLE)]

    assert "subcontractor_erasure" not in ids(cycle.history())
    encrypted = cycle[r.EncryptionRecord].files[0].sha256
    assert "subcontractor_erasure" not in ids(cycle.noting(a_transfer(encrypted, carrier="紙")).history())
    given = cycle.noting(a_transfer(encrypted))
    assert the("subcontractor_erasure", given.history(), late).state == "red"
    told = [
        r.ReplyReceived(
            message=kind, message_sha256=a_digest(kind), signed_by=SUBCONTRACTOR, party=SUBCONTRACTOR
        )
        for kind in ("erasure-report", "erasure-certificate")
    ]
    assert the("subcontractor_erasure", given.noting(told[0]).history(), late).state == "red"
    assert the("subcontractor_erasure", given.noting(*told).history(), late).state == "done"
    refused = r.ReplyRefused(
        message="erasure-report",
        message_sha256=told[0].message_sha256,
        reason_ja="違います。",
        quarantined_as="x",
    )
    assert the("subcontractor_erasure", given.noting(*told, refused).history(), late).state == "red"


def test_a_request_to_pull_letters_out_is_due_until_the_newest_one_is_confirmed() -> None:
    cycle = a_cycle().up_to(r.StagingWipeRecord)

    def state(*facts: Fact, moment: str = "Fri 2026-07-03 12:01") -> str | None:
        dues = judge(PLAN, cycle.noting(*facts).history(), at(moment), CALENDARS, subject=CYCLE)
        return next((due.state for due in dues if due.milestone == "pullout_confirmation"), None)

    first = asked(cycle, requested_at=at("Thu 2026-07-02 17:50"))
    assert state() is None
    assert state(first, moment="Fri 2026-07-03 09:59") == "open"
    assert state(first, moment="Fri 2026-07-03 12:00") == "amber"
    assert state(first) == "red"
    assert state(first, said()) == "done"
    cancelled = PulloutCancelled(pullout=1, cancelled_by=TANTO, cancelled_at=at("Thu 2026-07-02 18:00"))
    assert state(first, cancelled) == "done"
    second = asked(cycle, 2, requested_at=at("Fri 2026-07-03 10:00"))
    assert state(first, said(), second) == "open"
    assert state(first, said(), second, moment="Mon 2026-07-06 12:01") == "red"
    assert state(first, said(), second, said(2), moment="Mon 2026-07-06 12:01") == "done"
    assert state(asked(cycle, dispatch=a_digest("made again"))) is None


def test_a_withdrawn_cycle_is_late_with_nothing() -> None:
    cycle = a_cycle().up_to(r.ExtractionRecord)
    opening = cycle.history().records[0]
    gone = cycle.noting(a_decision(r.DecisionKind.WITHDRAWN, supersedes=opening.digest, stage="opening"))
    assert judge(PLAN, gone.history(), at("Mon 2026-07-20 09:00"), CALENDARS, subject=CYCLE) == []


def test_what_another_cycle_confirmed_is_settled() -> None:
    confirmed = a_cycle()[r.YearSettingsRecord]
    met = settled_elsewhere(2026, [confirmed], PLAN.rules)
    assert met == {"year_settings"}
    assert settled_elsewhere(2027, [confirmed], PLAN.rules) == set()
    assert the("year_settings", None, at("Tue 2026-06-16 09:00"), tuple(met)).state == "done"


def test_before_it_is_opened_only_the_opening_is_anybodys_business() -> None:
    now = at("Wed 2026-07-01 10:01")
    dues = judge(PLAN, None, now, CALENDARS, subject=first_cycle_id(PLAN))
    assert [(due.milestone, due.state) for due in dues] == [
        ("proof_first", "red"),
        ("year_settings", "red"),
        ("contract_gates", "red"),
        ("proof_final", "red"),
        ("opening", "red"),
    ]
    assert first_cycle_id(PLAN) == CYCLE


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        ("Wed 2026-06-17 16:59", "open"),
        ("Wed 2026-06-17 17:00", "amber"),
        ("Mon 2026-06-22 17:00", "amber"),
        ("Mon 2026-06-22 17:01", "red"),
    ],
)
def test_what_the_register_settles_is_due_before_the_yearly_run_only(moment: str, state: str) -> None:
    assert the("proof_final", None, at(moment)).state == state
    assert the("proof_final", None, at(moment), ("proof_final",)).state == "done"
    assert the("proof_final", a_cycle().up_to(r.HandoverRecord).history(), at(moment)).state == "done"
    by_hand = PLAN.model_copy(update={"occasion": Occasion.SUPPLEMENTARY})
    dues = judge(by_hand, a_cycle().up_to(r.OpeningRecord).history(), at(moment), CALENDARS, subject=CYCLE)
    assert PREPARED.isdisjoint(due.milestone for due in dues)


@pytest.mark.parametrize(
    ("moment", "prepared"),
    [
        ("Fri 2026-05-01 09:00", None),  # 61 days before the start
        ("Mon 2026-05-04 09:00", 2026),
        ("Thu 2026-07-16 17:00", 2026),
        ("Fri 2026-07-17 09:00", None),  # after the posting day a run that never was is no longer prepared
        ("Mon 2027-05-03 09:00", 2027),
    ],
)
def test_the_yearly_run_is_prepared_from_sixty_days_before(moment: str, prepared: int | None) -> None:
    plan = preparation_of(JULY, at(moment), DEADLINES, CALENDARS)
    assert (plan.fiscal_year if plan else None) == prepared


def test_aprils_run_is_prepared_in_the_fiscal_year_before() -> None:
    plan = preparation_of(
        load_notice(CONFIG, "provisional_notice"), at("Mon 2027-03-15 09:00"), DEADLINES, CALENDARS
    )
    assert plan is not None
    assert plan.start == at("Thu 2027-04-01 09:00")


def test_an_annual_cycle_keeps_the_yearly_plan_and_a_run_by_hand_its_own() -> None:
    annual = plan_of(a_cycle().history(), JULY, DEADLINES, CALENDARS)
    assert annual == PLAN
    assert opened([a_cycle().history().opening], PLAN)
    by_hand = a_cycle(cycle="2026-premium_notice_ordinary-supplementary-01").history()
    assert plan_of(by_hand, JULY, DEADLINES, CALENDARS).handover == at("Mon 2026-07-06 00:00").date()


def test_every_record_that_settles_or_anchors_exists_with_its_field() -> None:
    kinds = {record.kind(): record for record in (*Record.__subclasses__(), *Fact.__subclasses__())}
    for one in DEADLINES.milestones:
        assert set(one.settled_by) <= kinds.keys(), one.id
        assert one.after is None or one.after in kinds, one.id
        kind, _, field = one.anchor.partition(".")
        if field:
            assert kind in record_kinds() or one.pullout, one.id
            assert field == "recorded_at" or field in kinds[kind].model_fields, one.id


def test_every_gate_of_the_preparation_is_one_of_the_hand_over() -> None:
    named = {gate for one in DEADLINES.milestones for gate in one.gates}
    assert named
    assert {RULES[gate].stage for gate in named} == {"handover"}


def test_every_milestone_has_its_section_in_the_runbook() -> None:
    runbook = (CONFIG.parents[1] / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert [one.id for one in DEADLINES.milestones if f'<a id="{one.stage}">' not in runbook] == []


def test_the_posting_is_done_when_receipts_tell_all_that_was_delivered() -> None:
    cycle = a_cycle().up_to(r.DeliveryConfirmationRecord)
    envelopes = cycle[r.DeliveryRecord].envelopes_delivered
    now = at("Thu 2026-07-16 17:01")

    def posted(number: str, count: int) -> Posted:
        return Posted(
            receipt_number=number, party="", envelopes=count, post_office="架空郵便局", posted_at=now
        )

    first, rest = posted("1", envelopes - 1), posted("2", 1)
    states = [the("posting", one.history(), now).state for one in (cycle, cycle.noting(first))]
    assert states == ["red", "red"]
    assert the("posting", cycle.noting(first, rest).history(), now).state == "done"
    out = taken_after_delivery(cycle)
    assert the("posting", cycle.noting(first, out).history(), now).state == "done"
    back = DeliveredPulloutCancelled(pullout=1, cancelled_by=TANTO, cancelled_at=now)
    assert the("posting", cycle.noting(first, out, back).history(), now).state == "red"
    assert (
        the("posting", cycle.noting(taken_after_delivery(cycle, envelopes=envelopes)).history(), now).state
        == "done"
    )


# ---- whom to tell


def levels(milestone: str, history: CycleHistory, moment: str) -> list[tuple[int, str]]:
    due = the(milestone, history, at(moment))
    return [
        (int(one.level), one.to_role) for one in to_tell(due, at(moment), DEADLINES.escalation, CALENDARS)
    ]


UNREAD = a_cycle().up_to(r.ValidationRecord).history()


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("Fri 2026-07-03 09:00", []),
        ("Fri 2026-07-03 13:00", [(0, "section")]),
        ("Fri 2026-07-03 17:01", [(1, "section")]),
        ("Mon 2026-07-06 09:00", [(1, "section")]),  # red since Friday evening: told at Monday's first look
        ("Tue 2026-07-07 08:59", [(1, "section")]),
        ("Tue 2026-07-07 09:00", [(1, "section"), (2, "chief")]),
        ("Wed 2026-07-08 08:59", [(1, "section"), (2, "chief")]),
        ("Wed 2026-07-08 09:00", [(1, "section"), (2, "chief"), (3, "director")]),
    ],
)
def test_a_due_date_goes_up_a_level_a_business_day(moment: str, told: list[tuple[int, str]]) -> None:
    assert levels("validation", UNREAD, moment) == told


def test_escalation_waits_out_a_long_weekend() -> None:
    history = handed_over("Wed 2026-07-08 11:30")  # delivery red on Fri 17 July; 海の日 on the 20th
    assert levels("delivery", history, "Tue 2026-07-21 08:59") == [(1, "section")]
    assert levels("delivery", history, "Tue 2026-07-21 09:00") == [(1, "section"), (2, "chief")]


def test_a_contractors_step_is_told_to_the_section_and_an_approvers_to_the_approver() -> None:
    assert levels("receipt", handed_over("Mon 2026-07-06 11:30"), "Mon 2026-07-06 15:31") == [(1, "section")]
    assert levels("approval", a_cycle().up_to(r.CompositionRecord).history(), "Mon 2026-07-06 11:01") == [
        (1, "approver")
    ]


def test_what_the_director_decides_goes_to_the_director_once() -> None:
    history = a_cycle().up_to(r.EncryptionRecord).history()
    assert levels("fallback", history, "Fri 2026-07-10 09:00") == [(1, "director")]


@pytest.mark.parametrize(
    ("moment", "following"),
    [
        ("Mon 2026-07-06 08:59", "Mon 2026-07-06 09:00"),
        ("Mon 2026-07-06 09:00", "Mon 2026-07-06 13:00"),
        ("Mon 2026-07-06 13:00", "Mon 2026-07-06 15:00"),
        ("Fri 2026-07-17 15:00", "Tue 2026-07-21 09:00"),
        ("Mon 2026-12-28 16:00", "Mon 2027-01-04 09:00"),
        ("Sat 2026-07-18 10:00", "Tue 2026-07-21 09:00"),
    ],
)
def test_the_next_look(moment: str, following: str) -> None:
    assert next_look(at(moment), CALENDARS) == at(following)


# ---- the sentence


def test_a_sentence_says_what_and_since_when() -> None:
    late = the("validation", UNREAD, at("Mon 2026-07-06 09:00"))
    assert (
        late.sentence_ja
        == "「検証確認」（担当）が、期限の7月3日（金）17:00を過ぎても済んでいません（3日超過）。"
    )
    soon = the("validation", UNREAD, at("Fri 2026-07-03 13:00"))
    assert soon.sentence_ja == "「検証確認」（担当）の期限は7月3日（金）17:00です。"
    passing = the("handover", a_cycle().up_to(r.EncryptionRecord).history(), at("Mon 2026-07-06 13:00"))
    assert "7月6日（月）16:00までに済まなければ期限超過になります" in passing.sentence_ja
