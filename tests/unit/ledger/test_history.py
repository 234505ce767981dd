"""A cycle's entries folded: what is current after 差戻し, やり直し and 取下げ."""

import pytest
from tests.builders import CYCLE, ACycle, a_cycle, a_decision, an_event

from notice_cycle import records as r
from notice_cycle.errors import Refused
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import DecisionKind, record_kinds
from notice_cycle.stage import CYCLE_RECORDS, predecessor_of


def superseding(record: type[r.Record], what: DecisionKind) -> CycleHistory:
    cycle = a_cycle()
    entry = cycle.history().entry_of(record)
    assert entry
    return cycle.noting(a_decision(what, supersedes=entry.digest)).history()


def test_an_untouched_cycle_is_current_as_a_whole() -> None:
    history = a_cycle().history()
    assert [entry.kind for entry in history.current] == [record.kind() for record in CYCLE_RECORDS]
    assert not history.withdrawn


@pytest.mark.parametrize("what", list(DecisionKind))
@pytest.mark.parametrize("record", CYCLE_RECORDS, ids=lambda record: record.kind())
def test_a_decision_takes_a_record_and_all_that_follow_it_and_nothing_else(
    record: type[r.Record], what: DecisionKind
) -> None:
    history = superseding(record, what)
    before = CYCLE_RECORDS[: CYCLE_RECORDS.index(record)]
    assert [entry.kind for entry in history.current] == [kept.kind() for kept in before]
    assert history.withdrawn == (record is r.OpeningRecord)


def test_a_superseded_record_is_refused_with_its_japanese_name() -> None:
    history = superseding(r.CompositionRecord, DecisionKind.REDO)
    assert history.find(r.CompositionRecord) is None
    with pytest.raises(Refused, match=r"印字データ作成.*有効ではありません") as caught:
        history.latest(r.CompositionRecord)
    assert "再実行" in caught.value.advice


def test_a_withdrawn_cycle_still_tells_how_it_was_opened() -> None:
    history = superseding(r.OpeningRecord, DecisionKind.WITHDRAWN)
    assert history.opening == a_cycle()[r.OpeningRecord]


def test_numbers_count_superseded_records_too() -> None:
    history = superseding(r.EncryptionRecord, DecisionKind.REDO)
    assert history.number_of(r.EncryptionRecord) == 2
    assert a_cycle().up_to(r.HandoverApprovalRecord).history().number_of(r.EncryptionRecord) == 1


def test_facts_stand_beside_the_chain() -> None:
    history = a_cycle().noting(an_event(1), an_event(2)).history()
    assert [fact.form for fact in history.facts(r.AnswerRefused)] == ["form_1", "form_2"]
    assert len(history.current) == len(CYCLE_RECORDS)


def test_a_cycle_without_entries_has_no_current_record_and_is_not_withdrawn() -> None:
    history = CycleHistory([])
    assert history.current == ()
    assert not history.withdrawn


def test_every_record_has_one_place_in_the_chain_and_a_name_of_its_own() -> None:
    kinds = [kept.kind() for kept in (*CYCLE_RECORDS, *r.Fact.__subclasses__())]
    assert len(set(kinds)) == len(kinds)
    assert record_kinds() == {record.kind() for record in CYCLE_RECORDS}
    assert all(record.label_ja for record in CYCLE_RECORDS)


def test_each_record_follows_the_one_before_it() -> None:
    chain = {record.kind(): predecessor_of(record) for record in CYCLE_RECORDS}
    assert chain["opening"] is None
    assert chain["passphrase_notice"] is r.ReceiptRecord  # no passphrase before the data have arrived
    assert chain["encryption"] is r.HandoverApprovalRecord
    assert chain["closing"] is r.DestructionRecord


def test_the_builder_gives_a_cycle_whose_records_the_product_accepts() -> None:
    cycle: ACycle = a_cycle()
    assert cycle.id == CYCLE
    assert all(
        type(record).model_validate(record.model_dump(mode="json")) == record for record in cycle.records
    )
