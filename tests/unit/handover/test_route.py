"""Which way a package goes, when that may change, and what may lie with the contractor."""

import pytest
from tests.builders import CYCLE, OPENED_AT, TANTO, a_cycle, a_file, the_configuration

from notice_cycle import records as r
from notice_cycle.clock import TOKYO
from notice_cycle.errors import Refused
from notice_cycle.handover.route import (
    REASONS_JA,
    over_lgwan_before,
    packages_that_left,
    propose_disc,
    route_of,
    switch,
)
from notice_cycle.ledger.history import CycleHistory

ENCRYPTED = a_cycle().up_to(r.EncryptionRecord)
TO_DISC = r.RouteSwitched(route="dvd", reason_code="line_down", decided_by=TANTO)


def begun(package: str, route: r.Route = "lgwan") -> r.HandoverBegun:
    return r.HandoverBegun(
        package=package,
        route=route,
        encrypted_file=a_file(f"{package}.csv.age", package.encode()),
        begun_at=OPENED_AT,
    )


def switched(history: CycleHistory, route: r.Route = "dvd", reason: str = "line_down"):  # type: ignore[no-untyped-def]
    return switch(history, the_configuration(), route, reason, TANTO)


def test_the_catalogues_route_holds_until_a_person_switches_it() -> None:
    assert route_of(ENCRYPTED.history(), the_configuration()) == "lgwan"
    assert route_of(ENCRYPTED.noting(TO_DISC).history(), the_configuration()) == "dvd"


@pytest.mark.parametrize("reason", REASONS_JA)
def test_a_switch_makes_a_new_package(reason: str) -> None:
    history = ENCRYPTED.history()
    fact, decision = switched(history, reason=reason)
    assert (fact.route, fact.reason_code, fact.decided_by) == ("dvd", reason, TANTO)
    assert decision is not None
    assert decision.supersedes == history.entry_of(r.EncryptionRecord).digest  # type: ignore[union-attr]


def test_before_the_encryption_nothing_is_superseded() -> None:
    _, decision = switched(a_cycle().up_to(r.HandoverApprovalRecord).history())
    assert decision is None


def test_a_package_on_its_way_may_still_be_switched() -> None:
    assert switched(a_cycle().up_to(r.ReceiptRecord).history())[1] is not None


@pytest.mark.parametrize(
    ("history", "route", "reason", "said"),
    [
        (ENCRYPTED.history(), "lgwan", "line_down", "すでに「LGWAN"),
        (ENCRYPTED.noting(TO_DISC).history(), "dvd", "line_down", "すでに「DVD"),
        (ENCRYPTED.history(), "dvd", "because", "理由コード"),
        (a_cycle().up_to(r.ContentReceiptRecord).history(), "dvd", "line_down", "すでにデータを開いている"),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(
    history: CycleHistory, route: r.Route, reason: str, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        switched(history, route, reason)


def test_everything_that_was_begun_may_lie_with_the_contractor() -> None:
    history = ENCRYPTED.noting(begun(f"{CYCLE}-p1"), begun(f"{CYCLE}-p2", "dvd")).history()
    beyond = r.PackageBeyond(package=f"{CYCLE}-p9", encrypted_file=a_file(f"{CYCLE}-p9.csv.age"))
    assert list(packages_that_left(history, [beyond])) == [
        f"{CYCLE}-p{number}.csv.age" for number in (1, 2, 9)
    ]
    assert packages_that_left(a_cycle().up_to(r.EncryptionRecord).history(), []) == {}


def test_what_was_begun_over_the_line_is_told_before_a_disc_counts() -> None:
    history = ENCRYPTED.noting(
        begun(f"{CYCLE}-p1"), begun(f"{CYCLE}-p2", "manual"), begun(f"{CYCLE}-p3", "dvd")
    )
    assert over_lgwan_before(history.history(), f"{CYCLE}-p3") == [f"{CYCLE}-p1", f"{CYCLE}-p2"]


SIX_O_CLOCK = OPENED_AT.replace(hour=18, tzinfo=TOKYO)


@pytest.mark.parametrize(
    ("tries", "hour", "said"),
    [
        (1, 12, None),
        (2, 12, None),
        (
            3,
            12,
            "LGWAN での送信に3回失敗しました。引渡しの期限（2026-07-01 18:00）に間に合わないおそれがあります。",
        ),
        (1, 19, "LGWAN での送信に1回失敗し、引渡しの期限（2026-07-01 18:00）を過ぎました。"),
        (4, 19, "LGWAN での送信に4回失敗し、引渡しの期限（2026-07-01 18:00）を過ぎました。"),
    ],
)
def test_the_disc_is_proposed_after_three_tries_or_at_the_hour(
    tries: int, hour: int, said: str | None
) -> None:
    proposal = propose_disc(tries, give_up_at=SIX_O_CLOCK, now=SIX_O_CLOCK.replace(hour=hour))
    if said is None:
        assert proposal is None
    else:
        assert proposal is not None
        assert proposal.startswith(said)
        assert "課長の了解" in proposal
        assert "「経路の変更」を理由とともに" in proposal


def test_without_a_readable_due_date_the_tries_alone_count() -> None:
    assert propose_disc(2, give_up_at=None, now=OPENED_AT) is None
    assert "3回失敗" in str(propose_disc(3, give_up_at=None, now=OPENED_AT))
