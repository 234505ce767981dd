"""やり直し and 取下げ: what a person may undo, until when, and for a registered reason only."""

import pytest
from tests.builders import TANTO, ACycle, a_cycle, a_decision, a_file

from notice_cycle import records as r
from notice_cycle.decisions import REASONS_JA, REDO_FROM, redo, withdraw
from notice_cycle.errors import Refused
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import DecisionKind
from notice_cycle.stage import STAGES, Stage

BEFORE_DELIVERY = [stage for stage in REDO_FROM if stage.id not in {"delivery", "erasure"}]


def after(cycle: ACycle, decision: r.Decision) -> CycleHistory:
    return cycle.noting(decision).history()


@pytest.mark.parametrize("stage", BEFORE_DELIVERY, ids=lambda stage: stage.id)
def test_a_redo_supersedes_a_stages_first_record_and_all_that_follow(stage: Stage) -> None:
    cycle = a_cycle().up_to(stage.records[-1])
    decision = redo(cycle.history(), stage.id, "data_error", TANTO)
    kept = [record.kind() for each in STAGES[: STAGES.index(stage)] for record in each.records]
    assert [entry.kind for entry in after(cycle, decision).current] == kept
    assert (decision.decision, decision.stage, decision.decided_by) == (DecisionKind.REDO, stage.id, TANTO)


@pytest.mark.parametrize("stage", ["opening", "closing", "", "unknown"])
def test_opening_and_closing_are_not_redone(stage: str) -> None:
    with pytest.raises(Refused, match="まだ有効な記録がありません"):
        redo(a_cycle().history(), stage, "data_error", TANTO)


def test_a_stage_that_has_not_run_is_not_redone() -> None:
    with pytest.raises(Refused, match="まだ有効な記録がありません"):
        redo(a_cycle().up_to(r.ExtractionRecord).history(), "validation", "data_error", TANTO)


@pytest.mark.parametrize("stage", [stage.id for stage in BEFORE_DELIVERY])
def test_after_the_delivery_nothing_before_it_is_redone(stage: str) -> None:
    delivered = a_cycle().up_to(r.DeliveryRecord).history()
    with pytest.raises(Refused, match="納品の照合が済んでいる") as caught:
        redo(delivered, stage, "data_error", TANTO)
    assert "新しい発送回" in caught.value.advice
    assert redo(delivered, "delivery", "data_error", TANTO).stage == "delivery"


@pytest.mark.parametrize("stage", ["validation", "composition", "encryption"])
def test_what_needs_wiped_staging_is_redone_from_the_extraction(stage: str) -> None:
    wiped = a_cycle().up_to(r.StagingWipeRecord).history()
    with pytest.raises(Refused, match="消去済み") as caught:
        redo(wiped, stage, "data_error", TANTO)
    assert "「抽出」" in caught.value.advice
    assert redo(wiped, "extraction", "data_error", TANTO).stage == "extraction"


def test_a_cycle_is_withdrawn_as_a_whole_before_the_handover() -> None:
    cycle = a_cycle().up_to(r.EncryptionRecord)
    decision = withdraw(cycle.history(), "started_by_mistake", TANTO)
    assert decision.decision is DecisionKind.WITHDRAWN
    assert after(cycle, decision).withdrawn


def test_what_was_handed_over_is_not_withdrawn_even_when_it_was_redone() -> None:
    cycle = a_cycle().up_to(r.HandoverRecord)
    with pytest.raises(Refused, match="引渡し済みの発送回は取り下げられません"):
        withdraw(cycle.history(), "drill", TANTO)
    entry = cycle.history().entry_of(r.ExtractionRecord)
    assert entry
    redone = after(cycle, a_decision(supersedes=entry.digest))
    with pytest.raises(Refused, match="引渡し済みの発送回は取り下げられません"):
        withdraw(redone, "drill", TANTO)


def test_what_a_restored_ledger_forgot_may_have_been_handed_over() -> None:
    cycle = a_cycle().up_to(r.CompositionRecord)
    package = f"{cycle.id}-p1"
    forgotten = r.PackageBeyond(package=package, encrypted_file=a_file(f"{package}.csv.age"))
    with pytest.raises(Refused, match="引渡し済みの発送回は取り下げられません"):
        withdraw(cycle.history(), "drill", TANTO, beyond=[forgotten])


def test_a_cycle_is_withdrawn_once() -> None:
    cycle = a_cycle().up_to(r.ExtractionRecord)
    withdrawn = after(cycle, withdraw(cycle.history(), "drill", TANTO))
    with pytest.raises(Refused, match="すでに取り下げられています"):
        withdraw(withdrawn, "drill", TANTO)


@pytest.mark.parametrize("reason", ["", "見本花子の誤り", "Drill"])
def test_a_reason_is_a_registered_code(reason: str) -> None:
    assert reason not in REASONS_JA
    for decide in (
        lambda: withdraw(a_cycle().up_to(r.OpeningRecord).history(), reason, TANTO),
        lambda: redo(a_cycle().up_to(r.ExtractionRecord).history(), "extraction", reason, TANTO),
    ):
        with pytest.raises(Refused, match="理由コード") as caught:
            decide()
        assert "花子" not in str(caught.value)
