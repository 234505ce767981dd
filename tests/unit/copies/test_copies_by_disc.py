"""The copies of a cycle that went by disc, also after LGWAN had failed: all accounted for, or the closing says what is not."""

from datetime import timedelta

import pytest
from tests.builders import CYCLE, OPENED_AT, TANTO, ACycle, a_file, come_back, on_disc
from tests.unit.copies.test_copies import GOOD
from tests.unit.register.world import a_register

from notice_cycle import records as r
from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.copies import copies_of, find_violations, told_facts
from notice_cycle.gates import closed, facts_of, gates_before
from notice_cycle.ledger.history import CycleHistory

DAY = (OPENED_AT + timedelta(days=21)).date()
TO_DISC = r.RouteSwitched(route="dvd", reason_code="line_down", decided_by=TANTO)
FAILED = a_file(f"{CYCLE}-p9.csv.age", b"never came")
BEGUN = r.HandoverBegun(package=f"{CYCLE}-p9", route="lgwan", encrypted_file=FAILED, begun_at=OPENED_AT)
HALF = (r.RemoteFile(name=f"{FAILED.name}.part", size_bytes=10),)
WITHDRAWN = r.CopyWithdrawn(package=f"{CYCLE}-p9", found=HALF, left=(), withdrawn_at=OPENED_AT)
BY_DISC = r.HandoverBegun(
    package=f"{CYCLE}-p1", route="dvd", encrypted_file=GOOD[r.EncryptionRecord].files[0], begun_at=OPENED_AT
)
EARLY = {fact.kind() for fact in (r.RouteSwitched, r.HandoverBegun, r.CopyWithdrawn)}
MEDIA, NOTICES = (
    fact.model_copy(update={"giver": "印刷 次郎", "returned_at": OPENED_AT + timedelta(days=20)})
    for fact in come_back()
)


def by_disc() -> ACycle:
    """Discs in the registered safe; the report names the PC's two copies and the package that never came."""
    handover = on_disc()
    places = {
        "kept_in_safe": "架空印刷 第一工場 金庫",
        "notice_kept_in": "架空印刷 管理部 鍵付キャビネット",
        "taker": "印刷 次郎",
    }
    proof = GOOD[r.ErasureRecord].parties[0]
    on_host, *on_pc = proof.copies
    never_came = on_host.model_copy(update={"file_sha256": FAILED.sha256})
    reported = proof.model_copy(update={"copies": (never_came, *on_pc)})
    return GOOD.with_(handover=handover | {"dvd": handover["dvd"] | places}, erasure={"parties": (reported,)})


def told(*facts: r.Fact) -> CycleHistory:
    """The cycle with what happened on its way before the hand-over, as it was."""
    entries = by_disc().noting(TO_DISC, BEGUN, WITHDRAWN, BY_DISC, *facts).history().entries
    early = [entry for entry in entries if entry.kind in EARLY]
    late = [entry for entry in entries if entry.kind not in EARLY]
    at = next(number for number, entry in enumerate(late) if entry.kind == r.HandoverRecord.kind())
    return CycleHistory([*late[:at], *early, *late[at:]])


def stands_against(*facts: r.Fact) -> dict[str, str]:
    """The gates before the closing that are closed, with what they say."""
    history = told(*facts)
    known = facts_of(
        CYCLE, history, route="dvd", today=DAY, calendar=BusinessCalendar(), further=told_facts(history)
    )
    judged = gates_before("closing", known, a_register(as_of=DAY, subcontractor=False), today=DAY)
    return {gate.id: gate.reason_ja for gate in closed(judged)}


def test_a_cycle_that_was_switched_to_the_disc_closes_when_all_came_back() -> None:
    assert stands_against(MEDIA, NOTICES) == {}


def test_a_disc_that_did_not_come_back_stands_in_the_way() -> None:
    closed_gates = stands_against(NOTICES)
    assert set(closed_gates) == {"media_returned", "dispositions"}
    assert "媒体 渡した1・戻った0" in closed_gates["media_returned"]


def test_a_notice_that_did_not_come_back_stands_in_the_way() -> None:
    assert set(stands_against(MEDIA)) == {"media_returned"}


def test_whoever_gave_back_stands_on_the_roster() -> None:
    stranger = NOTICES.model_copy(update={"giver": "名簿に ない"})
    closed_gates = stands_against(MEDIA, stranger)
    assert list(closed_gates) == ["handlers_on_roster"]
    assert "返却確認書（パスワード）" in closed_gates["handlers_on_roster"]


@pytest.mark.parametrize(("routes", "against"), [({"dvd"}, ["carrier"]), ({"dvd", "lgwan"}, [])])
def test_the_package_that_lay_on_the_host_is_no_violation_where_lgwan_was_tried(
    routes: set[r.Route], against: list[str]
) -> None:
    history = told(MEDIA, NOTICES)
    register = a_register(as_of=DAY, subcontractor=False)
    found = find_violations(copies_of(history), register, contractor="example_print", routes=routes)
    assert [one.against for one in found] == against
