"""Pull-outs folded: which count, how far each came, and one read as if it were a dispatch of its own."""

import pytest
from tests.builders import CONTRACTOR, CYCLE, SHONIN, TANTO, ACycle, a_cycle, a_digest, a_file
from tests.pulled_out import LATER, asked, said, step

from notice_cycle import records as r
from notice_cycle.pullout import (
    PulloutCancelled,
    PulloutHistory,
    open_pullouts,
    pulled,
    pullouts,
)
from notice_cycle.pullout.facts import LotEmptied
from notice_cycle.pullout.folded import State


def opened() -> ACycle:
    return a_cycle().up_to(r.StagingWipeRecord)


def a_package(cycle: ACycle, number: int) -> r.EncryptionRecord:
    return cycle[r.EncryptionRecord].model_copy(update={"package": f"{cycle.id}-p{number}"})


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ((), State.REQUESTED),
        ((r.HandoverApprovalRecord,), State.APPROVED),
        ((r.HandoverApprovalRecord, r.HandoverRecord), State.HANDED_OVER),
        ((r.HandoverApprovalRecord, r.HandoverRecord, r.ContentReceiptRecord), State.OPENED),
    ],
)
def test_a_request_is_as_far_as_its_steps(steps: tuple[type[r.Record], ...], state: State) -> None:
    cycle = opened()
    history = cycle.noting(asked(cycle), *(step(cycle[kind]) for kind in steps)).history()
    (one,) = pullouts(history)
    assert (one.state, one.is_open) == (state, True)
    assert pulled(history).envelopes == 0, "nothing counts before the contractor confirmed it"


def test_confirmed_requests_add_up_by_lot_and_name_their_lists_in_the_vault() -> None:
    cycle = opened()
    second = asked(cycle, 2, purpose="差替え", notices=1, opened=0, lots=(LotEmptied(lot_no=2, envelopes=1),))
    history = cycle.noting(asked(cycle), said(), second, said(2, pulled=1)).history()
    found = pulled(history)
    assert (found.notices, found.replaced, found.sheets, found.envelopes) == (4, 1, 4, 3)
    assert (dict(found.by_lot), found.lists) == ({1: 2, 2: 1}, ("pullout-1.csv", "pullout-2.csv"))
    assert open_pullouts(history) == ()


def test_what_was_not_found_may_be_delivered_all_the_same() -> None:
    cycle = opened()
    found = pulled(cycle.noting(asked(cycle), said(pulled=2, not_found=1)).history())
    assert (found.notices, found.envelopes, found.fewest_envelopes) == (2, 2, 1)


def test_of_two_different_confirmations_the_one_that_a_person_dropped_counts_no_more() -> None:
    cycle, first = opened(), said()
    dropped = r.ConflictDecided(
        message="pullout-confirmation",
        party=CONTRACTOR,
        held_sha256=a_digest("second"),
        dropped_sha256=first.message_sha256,
        reason_code="contractor_corrected",
        decided_by=TANTO,
    )
    waiting = cycle.noting(asked(cycle), first, dropped)
    assert [one.is_open for one in pullouts(waiting.history())] == [True], "the delivery waits again"
    second = said(pulled=2, not_found=1).model_copy(update={"message_sha256": a_digest("second")})
    assert pulled(waiting.noting(second).history()).not_found == 1


def test_a_cancelled_request_changes_nothing() -> None:
    cycle = opened()
    cancelled = PulloutCancelled(pullout=1, cancelled_by=TANTO, cancelled_at=LATER)
    history = cycle.noting(asked(cycle), cancelled).history()
    assert [one.state for one in pullouts(history)] == [State.CANCELLED]
    assert (open_pullouts(history), pulled(history).notices) == ((), 0)


def test_a_dispatch_made_again_no_longer_knows_the_request() -> None:
    cycle = opened()
    history = cycle.noting(asked(cycle, dispatch=a_digest("print file of before")), said()).history()
    assert (pullouts(history), pulled(history).notices) == ((), 0)


def test_a_pull_out_reads_like_a_dispatch_of_its_own() -> None:
    cycle = opened()
    listed = cycle[r.CompositionRecord].model_copy(update={"print_file": a_file("pullout-1.csv")})
    approved = cycle[r.HandoverApprovalRecord].model_copy(update={"approved_by": SHONIN})
    noted = cycle.noting(asked(cycle), step(listed), step(approved), step(a_package(cycle, 2)))
    whole = noted.history()
    view = PulloutHistory(whole, 1)
    assert view.latest(r.EncryptionRecord).package == f"{CYCLE}-p2"
    assert view.latest(r.CompositionRecord).print_file.name == "pullout-1.csv"
    assert view.find(r.HandoverRecord) is None, "the dispatch's own hand-over is not the list's"
    assert whole.latest(r.EncryptionRecord).package == f"{CYCLE}-p1"
    digests = {entry.digest for entry in whole.entries}
    assert all(entry.digest in digests for entry in view.current), (
        "a step is named as it stands in the ledger"
    )


def test_numbers_are_given_once_and_answers_go_to_the_package_they_are_about() -> None:
    cycle = opened()
    whole = cycle.noting(
        asked(cycle), step(a_package(cycle, 2)), step(cycle[r.PassphraseNoticeRecord])
    ).history()
    view = PulloutHistory(whole, 1)
    assert whole.number_of(r.PassphraseNoticeRecord) == view.number_of(r.PassphraseNoticeRecord) == 3
    assert (whole.is_answered_here(f"{CYCLE}-p1"), whole.is_answered_here(f"{CYCLE}-p2")) == (True, False)
    assert (view.is_answered_here(f"{CYCLE}-p1"), view.is_answered_here(f"{CYCLE}-p2")) == (False, True)
