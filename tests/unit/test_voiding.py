"""パスワード通知書の無効化: by the approver only, and what has to be made anew."""

import pytest
from tests.builders import CYCLE, TANTO, a_cycle
from tests.pulled_out import opened_list, step, the_list
from tests.unit.register.world import a_register

from notice_cycle import records as r
from notice_cycle.acknowledgement.voiding import REASONS_JA, disclosed_packages, void
from notice_cycle.errors import Refused
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout import PulloutHistory, open_pullouts
from notice_cycle.pullout.folded import State
from notice_cycle.values import Person

SHONIN = Person(user_id="shonin", name="shonin")
CYCLE_NOW = a_cycle().up_to(r.PassphraseHandoverRecord)


def voided(
    history: CycleHistory, reason: str = "lost", *, disclosure: bool, by: Person = SHONIN
) -> tuple[r.PassphraseNoticeVoided | None, r.Decision]:
    return void(history, a_register(), reason, disclosure_possible=disclosure, by=by)


def test_where_nobody_saw_it_the_notice_is_printed_under_the_next_number() -> None:
    fact, decision = voided(CYCLE_NOW.history(), disclosure=False)
    assert fact is not None
    assert (fact.notice_number, fact.reason_code, fact.disclosure_possible) == (f"{CYCLE}-PW1", "lost", False)
    after = CYCLE_NOW.noting(fact, decision).history()
    assert after.current[-1].kind == r.ReceiptRecord.kind()  # the package and its receipt stand
    assert after.number_of(r.PassphraseNoticeRecord) == 2
    assert disclosed_packages(after) == set()


def test_where_somebody_may_have_the_package_is_made_anew_and_the_old_one_taken_back() -> None:
    fact, decision = voided(CYCLE_NOW.history(), disclosure=True)
    assert fact is not None
    after = CYCLE_NOW.noting(fact, decision).history()
    assert after.current[-1].kind == r.HandoverApprovalRecord.kind()
    assert disclosed_packages(after) == {f"{CYCLE}-p1"}


@pytest.mark.parametrize("reason", ["wrong_hands", "same_occasion"])
def test_some_reasons_always_disclose(reason: str) -> None:
    with pytest.raises(Refused, match="おそれがないとはいえません"):
        voided(CYCLE_NOW.history(), reason, disclosure=False)
    assert voided(CYCLE_NOW.history(), reason, disclosure=True)[0]


@pytest.mark.parametrize(
    "by", [TANTO, Person(user_id="kacho", name="kacho"), Person(user_id="unyo", name="shonin")]
)
def test_only_the_approver_decides(by: Person) -> None:
    with pytest.raises(Refused, match="承認者とされた者だけ"):
        voided(CYCLE_NOW.history(), disclosure=True, by=by)


@pytest.mark.parametrize("reason", ["", "なくした", "notice_lost"])
def test_a_reason_is_a_registered_code(reason: str) -> None:
    assert reason not in REASONS_JA
    with pytest.raises(Refused, match="理由コード"):
        voided(CYCLE_NOW.history(), reason, disclosure=True)


def test_after_the_contractor_opened_it_it_is_an_incident() -> None:
    with pytest.raises(Refused, match="すでにデータを開いている") as caught:
        voided(a_cycle().up_to(r.ContentReceiptRecord).history(), disclosure=True)
    assert "事故" in caught.value.advice


def test_without_a_notice_there_is_nothing_to_void() -> None:
    with pytest.raises(Refused, match="無効にするパスワード通知書がありません"):
        voided(a_cycle().up_to(r.ReceiptRecord).history(), disclosure=False)


def test_after_a_crash_between_the_two_only_the_decision_is_entered() -> None:
    fact, decision = voided(CYCLE_NOW.history(), disclosure=True)
    assert fact is not None
    again, the_same = voided(CYCLE_NOW.noting(fact).history(), disclosure=True)
    assert again is None
    assert the_same == decision
    with pytest.raises(Refused, match="無効にするパスワード通知書がありません"):
        voided(CYCLE_NOW.noting(fact, decision).history(), disclosure=True)


# ---- the notice of a list of letters to take out


def listed(*facts: r.Fact) -> PulloutHistory:
    """A dispatch that is opened, and a list whose notice was handed over and is lost."""
    opened = a_cycle().up_to(r.StagingWipeRecord)
    steps = [fact for fact in opened_list(opened) if fact != step(the_list(opened)[r.ContentReceiptRecord])]
    return PulloutHistory(opened.noting(*steps, *facts).history(), 1)


def test_the_lost_notice_of_a_list_is_printed_again_and_the_dispatch_stays_as_it_is() -> None:
    fact, decision = voided(listed(), disclosure=False)
    assert fact is not None
    assert fact.notice_number == f"{CYCLE}-PW2"
    after = listed(fact, decision)
    assert after.current[-1].kind == r.ReceiptRecord.kind()
    assert after.whole.current == listed().whole.current
    assert after.number_of(r.PassphraseNoticeRecord) == 3
    again = the_list(a_cycle())[r.PassphraseNoticeRecord].model_copy(update={"notice_number": f"{CYCLE}-PW3"})
    printed = listed(fact, decision, step(again))
    assert printed.latest(r.PassphraseNoticeRecord) == again
    assert printed.find(r.PassphraseHandoverRecord) is None, "it is to be handed over again"


def test_where_somebody_may_have_it_the_list_is_encrypted_anew() -> None:
    fact, decision = voided(listed(), disclosure=True)
    assert fact is not None
    after = listed(fact, decision)
    assert after.current[-1].kind == r.HandoverApprovalRecord.kind(), "nobody approves the same list twice"
    assert disclosed_packages(after) == {f"{CYCLE}-p2"}
    assert [one.state for one in open_pullouts(after.whole)] == [State.APPROVED]
    other = the_list(a_cycle(), 2)
    anew = listed(fact, decision, step(other[r.EncryptionRecord]), step(other[r.HandoverRecord]))
    assert anew.latest(r.EncryptionRecord).package == f"{CYCLE}-p3"
    assert [one.package for one in anew.ever_with_pullouts(r.EncryptionRecord)] == [
        f"{CYCLE}-p{number}" for number in (1, 2, 3)
    ]


def test_once_the_list_is_opened_it_is_an_incident() -> None:
    opened = a_cycle().up_to(r.StagingWipeRecord)
    history = PulloutHistory(opened.noting(*opened_list(opened)).history(), 1)
    with pytest.raises(Refused, match="すでにデータを開いている"):
        voided(history, disclosure=True)
