"""引渡し後の取下げ: a dispatch given up after it left is asked back, erased with proof, and closed; nothing else."""

from datetime import timedelta

import pytest
from tests.builders import (
    CONFIG,
    CYCLE,
    OPENED_AT,
    TANTO,
    ACycle,
    a_cycle,
    a_decision,
    a_file,
    an_erased_copy,
    an_erasure_report,
)
from tests.unit.test_closing import HOLDS
from tests.unit.test_judging_replies import a_proof
from tests.unit.test_named_calendars import at
from tests.unit.test_opening import Openings, a_request

from notice_cycle import records as r
from notice_cycle.catalogue import Configuration, load_notice
from notice_cycle.closing import close
from notice_cycle.deadlines import judge, load, plan_of
from notice_cycle.decisions import recall, redo, withdraw
from notice_cycle.erasure.verify import verify_erasure
from notice_cycle.errors import Conflict, Refused
from notice_cycle.exchange.messages import ErasedCopy
from notice_cycle.handover.route import packages_that_left, switch
from notice_cycle.report import report
from notice_cycle.stage import CYCLE_RECORDS, followed_by, is_passed_over, predecessor_of

HANDED = a_cycle().up_to(r.HandoverRecord)
BETWEEN = CYCLE_RECORDS[CYCLE_RECORDS.index(r.ReceiptRecord) : CYCLE_RECORDS.index(r.DeliveryRecord)]


def given_up(cycle: ACycle = HANDED) -> ACycle:
    return cycle.noting(recall(cycle.history(), "data_error", TANTO))


@pytest.mark.parametrize("last", [r.HandoverRecord, *BETWEEN], ids=lambda record: record.kind())
def test_until_it_is_delivered_a_dispatch_can_be_given_up_and_what_left_is_named(
    last: type[r.Record],
) -> None:
    cycle = a_cycle().up_to(last)
    fact = recall(cycle.history(), "data_error", TANTO)
    sent = cycle[r.EncryptionRecord].files[0]
    assert fact.left == {sent.name: sent.sha256}
    history = cycle.noting(fact).history()
    assert (history.recalled, history.withdrawn) == (True, False)
    assert [entry.kind for entry in history.current] == [record.kind() for record in cycle.records]


def test_an_upload_that_only_began_is_given_up_the_same_way() -> None:
    cycle = a_cycle().up_to(r.EncryptionRecord)
    made = cycle[r.EncryptionRecord]
    begun = r.HandoverBegun(
        package=made.package, route="lgwan", encrypted_file=made.files[0], begun_at=OPENED_AT
    )
    assert given_up(cycle.noting(begun)).history().recalled


def test_what_may_not_be_given_up() -> None:
    for cycle, words in (
        (a_cycle().up_to(r.EncryptionRecord), "まだ引き渡されていません"),
        (a_cycle().up_to(r.DeliveryRecord), "納品の照合が済んでいる"),
        (given_up(), "すでに取り下げられています"),
    ):
        with pytest.raises(Refused, match=words):
            recall(cycle.history(), "data_error", TANTO)
    with pytest.raises(Refused, match="理由コード"):
        recall(HANDED.history(), "因縁", TANTO)
    made = HANDED.history().entry_of(r.EncryptionRecord)
    assert made
    with pytest.raises(Refused, match="作り直しの途中"):
        recall(HANDED.noting(a_decision(supersedes=made.digest)).history(), "data_error", TANTO)


def test_after_it_nothing_is_redone_withdrawn_or_sent_another_way() -> None:
    history = given_up().history()
    configuration = Configuration.model_validate(history.opening.configuration)
    with pytest.raises(Refused, match="やり直せません"):
        redo(history, "encryption", "data_error", TANTO)
    with pytest.raises(Refused, match="引渡し済みの発送回は取り下げられません"):
        withdraw(history, "data_error", TANTO)
    with pytest.raises(Refused, match="経路は変更できません"):
        switch(history, configuration, "dvd", "line_down", TANTO)


def test_everything_before_the_erasure_is_passed_over_and_the_erasure_follows_what_stands() -> None:
    assert not any(is_passed_over(record, recalled=False) for record in CYCLE_RECORDS)
    asked = [record for record in CYCLE_RECORDS if not is_passed_over(record, recalled=True)]
    assert asked == [
        r.ErasureRecord, r.ErasureConfirmationRecord, r.DestructionRecord, r.ClosingRecord
    ]  # fmt: skip
    standing = {entry.kind for entry in HANDED.history().current}
    assert followed_by(r.ErasureRecord, standing, recalled=True) is r.HandoverRecord
    assert followed_by(r.ErasureRecord, standing, recalled=False) is r.DeliveryConfirmationRecord
    for record in asked[1:]:
        assert followed_by(record, standing, recalled=True) is predecessor_of(record)


def test_the_erasure_is_judged_without_a_delivery_but_over_all_that_left() -> None:
    cycle = given_up()
    package = cycle[r.EncryptionRecord].files[0].sha256
    yesterday = {"started_at": OPENED_AT - timedelta(days=1), "erased_at": OPENED_AT - timedelta(days=1)}

    def judged(*copies: ErasedCopy) -> r.ErasureRecord:
        history = cycle.history()
        proof = a_proof(cycle, an_erasure_report(cycle, *copies))
        return verify_erasure(history, [proof], left=packages_that_left(history, []))

    on_host = an_erased_copy(package, carrier="サーバー", place="受け口", **yesterday)
    assert judged(on_host).copies_erased == 1
    with pytest.raises(Refused, match="暗号化された印字データ"):
        judged(an_erased_copy(a_file("another").sha256))


def test_it_closes_with_the_evidence_there_is_and_not_before_the_erasure_is_confirmed() -> None:
    known = a_cycle()
    ends = [known[record] for record in (r.ErasureRecord, r.ErasureConfirmationRecord, r.DestructionRecord)]
    whole = ACycle(records=(*HANDED.records, *ends), beside=given_up().beside)
    record = close(whole.history(), HOLDS, at=OPENED_AT)
    assert {"handover", "erasure", "erasure_confirmation", "destruction"} <= record.evidence.keys()
    assert "delivery" not in record.evidence
    with pytest.raises(Refused, match="受領通知"):
        close(ACycle(records=whole.records).history(), HOLDS, at=OPENED_AT)
    unconfirmed = ACycle(records=(*HANDED.records, known[r.ErasureRecord]), beside=given_up().beside)
    with pytest.raises(Refused, match="消去確認"):
        close(unconfirmed.history(), HOLDS, at=OPENED_AT)


def test_only_the_erasure_is_still_due_counted_from_the_day_it_was_given_up() -> None:
    deadlines, calendars = load(CONFIG)
    history = given_up().history()  # on Wed 2026-07-01
    plan = plan_of(history, load_notice(CONFIG, "premium_notice_ordinary"), deadlines, calendars)

    def dues(moment: str) -> dict[str, str]:
        return {
            due.milestone: due.state for due in judge(plan, history, at(moment), calendars, subject=CYCLE)
        }

    assert dues("Thu 2026-07-02 09:00") == {
        "erasure_report": "open", "erasure_confirmation": "open", "erasure_year_end": "open", "closing": "open",
    }  # fmt: skip
    assert dues("Thu 2026-07-09 09:00")["erasure_report"] == "amber"  # due Wed 2026-07-08
    assert dues("Thu 2026-07-16 09:00")["erasure_report"] == "red"


def test_the_annual_run_may_be_opened_anew_and_the_report_says_why() -> None:
    openings = Openings(CYCLE)
    with pytest.raises(Conflict):
        openings.opened(a_request())
    openings.histories[CYCLE] = given_up().history()
    assert openings.opened(a_request())[0] == CYCLE.removesuffix("01") + "02"
    assert report(CYCLE, given_up().history()).stage_ja == "引渡し後の取下げ。「引渡し」まで済み"
