"""予定数量 and 確定数量: where the numbers come from, and when they are told again."""

from datetime import timedelta
from typing import Any

import pytest
from tests.builders import (
    CONFIG,
    CYCLE,
    NOTICE,
    OPENED_AT,
    TANTO,
    ACycle,
    a_cycle,
    an_opening,
    the_configuration,
)

from notice_cycle import records as r
from notice_cycle.alerts import Post
from notice_cycle.catalogue import ExpectedQuantities, resolve
from notice_cycle.composition.approval import HandoverApproval
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.quantities import Counts, find_untold, mail_of, told
from notice_cycle.values import Occasion

LAST_ID = CYCLE.replace("2026", "2025")
POST = Post(config=CONFIG, base_url="http://ward", domain="ward.example", synthetic=True)
TO = "uketsuke@print.example"


def last_year(**opening: Any) -> ACycle:
    cycle = a_cycle(persons=30, cycle=LAST_ID).up_to(r.CompositionRecord)
    return cycle.with_(opening={"fiscal_year": 2025, **opening})


def found(cycle: ACycle, *others: ACycle) -> Counts | None:
    known = {each.id: each.history() for each in (*others, cycle)}
    openings: list[Entry] = [history.entries[0] for history in known.values()]
    return find_untold(cycle.history(), openings, lambda name: known[name])


def expecting(notice: str = NOTICE, occasion: str = "annual", **expected: int) -> ACycle:
    """The opening of a dispatch whose notice has these quantities in the catalogue, or none."""
    usual = ExpectedQuantities.model_validate(expected) if expected else None
    entry = resolve(CONFIG, notice, 2026).notice.model_copy(update={"expected": usual})
    configuration = the_configuration().model_copy(update={"notice": entry})
    stored = configuration.model_dump(mode="json")
    opening = an_opening().model_copy(
        update={
            "occasion": Occasion(occasion),
            "configuration": stored,
            "configuration_sha256": type(configuration).model_validate(stored).digest(),
        }
    )
    return ACycle(records=(opening,))


OPENED = expecting()
APPROVED = a_cycle().up_to(r.HandoverApprovalRecord)


def test_last_years_run_is_the_plan() -> None:
    counts = found(OPENED, last_year())
    assert counts == Counts(
        stage="予定数量", notices=30, envelopes=29, sheets=30, source_ja="前年度（2025年度）の実績"
    )


@pytest.mark.parametrize(
    "other", [{"notice": "reminder"}, {"fiscal_year": 2024}, {"occasion": "supplementary"}]
)
def test_another_run_is_no_plan(other: dict[str, Any]) -> None:
    assert found(OPENED, last_year(**other)) is None


def test_what_the_catalogue_expects_stands_in_where_there_is_no_last_year() -> None:
    cycle = expecting(notices=40_000, envelopes=39_000, sheets=41_000)
    counts = found(cycle)
    assert counts is not None
    assert (counts.stage, counts.numbers, counts.source_ja) == (
        "予定数量",
        (40_000, 39_000, 41_000),
        "区の見込み",
    )
    better = found(cycle, last_year())
    assert better is not None
    assert better.numbers == (30, 29, 30)


def test_a_notice_without_a_yearly_run_is_planned_by_the_catalogue_each_time() -> None:
    counts = found(
        expecting("reminder", "supplementary", notices=620, envelopes=620, sheets=620), last_year()
    )
    assert counts is not None
    assert (counts.stage, counts.numbers) == ("予定数量", (620, 620, 620))


def test_what_follows_a_yearly_run_is_not_told_the_yearly_numbers() -> None:
    assert found(expecting(NOTICE, "supplementary", notices=40_000, envelopes=39_000, sheets=41_000)) is None


@pytest.mark.parametrize("notice", [entry.stem for entry in (CONFIG / "notices").glob("*.yaml")])
def test_every_notice_of_the_catalogue_expects_something(notice: str) -> None:
    assert resolve(CONFIG, notice, 2026).notice.expected is not None


def test_the_approver_sees_what_was_planned_beside_what_it_became() -> None:
    plan = found(OPENED, last_year())
    body = HandoverApproval().body(noted(a_cycle().up_to(r.CompositionRecord), plan).history())
    assert "30通・29封・30枚（前年度（2025年度）の実績）" in body
    assert "予定数量" not in HandoverApproval().body(a_cycle().up_to(r.CompositionRecord).history())


def test_where_nothing_is_known_nothing_is_told() -> None:
    assert found(OPENED) is None


def test_approved_quantities_are_confirmed() -> None:
    assert (
        found(a_cycle().up_to(r.CompositionRecord), last_year()) is None
    )  # neither plan any more nor approved
    counts = found(APPROVED)
    assert counts is not None
    assert (counts.stage, counts.numbers) == ("確定数量", (40, 39, 40))


def noted(cycle: ACycle, counts: Counts | None) -> ACycle:
    assert counts is not None
    mail = mail_of(counts, the_configuration(), cycle=CYCLE, to=TO, post=POST)
    return cycle.noting(told(counts, mail, party="example_print", at=OPENED_AT))


def test_what_was_told_is_not_told_again() -> None:
    assert found(noted(OPENED, found(OPENED, last_year())), last_year()) is None
    assert found(noted(APPROVED, found(APPROVED))) is None


def test_other_confirmed_numbers_are_told_again() -> None:
    before = found(APPROVED)
    composed = APPROVED[r.CompositionRecord].quantities.model_dump() | {"envelopes": 38}
    redone = APPROVED.with_(composition={"quantities": composed})
    after = found(noted(redone, before))
    assert after is not None
    assert after.envelopes == 38


def test_after_the_delivery_nothing_is_told() -> None:
    assert found(a_cycle().up_to(r.DeliveryRecord)) is None


def test_a_withdrawn_dispatch_is_told_nothing() -> None:
    opening: CycleHistory = APPROVED.history()
    entry = opening.entry_of(r.OpeningRecord)
    assert entry is not None
    decision = r.Decision(
        decision=r.DecisionKind.WITHDRAWN,
        supersedes=entry.digest,
        stage="opening",
        reason_code="drill",
        decided_by=TANTO,
    )
    assert found(APPROVED.noting(decision)) is None


def test_the_mail_holds_counts_and_no_way_into_the_ward() -> None:
    counts = found(APPROVED)
    assert counts is not None
    mail = mail_of(counts, the_configuration(), cycle=CYCLE, to=TO, post=POST)
    assert mail.to == TO
    assert "確定数量" in mail.subject
    assert "封筒　　39通" in mail.text
    assert "http" not in mail.text
    again = mail_of(counts, the_configuration(), cycle=CYCLE, to=TO, post=POST)
    assert mail.message_id == again.message_id
    other = mail_of(
        counts.model_copy(update={"sheets": 1}), the_configuration(), cycle=CYCLE, to=TO, post=POST
    )
    assert other.message_id != mail.message_id


def test_moments_are_those_of_the_task() -> None:
    counts = found(APPROVED)
    assert counts is not None
    mail = mail_of(counts, the_configuration(), cycle=CYCLE, to=TO, post=POST)
    fact = told(counts, mail, party="example_print", at=OPENED_AT + timedelta(hours=1))
    assert (fact.message_id, fact.told_at) == (mail.message_id, OPENED_AT + timedelta(hours=1))
