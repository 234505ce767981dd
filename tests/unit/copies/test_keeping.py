"""指示による保管: asked by one, approved by another; nothing is settled by it, only its day is later."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from tests.builders import CONFIG, CONTRACTOR, OPENED_AT, SHONIN, TANTO, ACycle, a_cycle
from tests.unit.copies.told import SUBCONTRACTOR, destroyed
from tests.unit.register.world import a_register

from notice_cycle import records as r
from notice_cycle.catalogue import load_notice
from notice_cycle.copies import CopyKeepingAsked, CopyKeptAsInstructed, PapersDestroyed, copies_of, told_facts
from notice_cycle.copies.keeping import approve_keeping, ask_keeping
from notice_cycle.copies.table import names_of, rows_of
from notice_cycle.copies.violations import find_erased_too_early
from notice_cycle.deadlines import judge, load, plan_of
from notice_cycle.errors import Refused
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.register import Register
from notice_cycle.values import Person

AT = OPENED_AT + timedelta(days=3)
UNTIL = date(2026, 9, 30)
OPENED = a_cycle()[r.CompositionRecord].print_file.sha256
DELIVERED = a_cycle().up_to(r.DeliveryConfirmationRecord)


def a_request(**changes: str) -> dict[str, str]:
    known = {
        "party": CONTRACTOR,
        "what": "opened",
        "until": UNTIL.isoformat(),
        "reason_code": "claim",
        "note_number": "26介保第130号",
    }
    return known | changes


def asked(cycle: ACycle = DELIVERED, at: datetime = AT, **changes: str) -> CopyKeepingAsked:
    return ask_keeping(cycle.history(), a_request(**changes), subcontractors=[SUBCONTRACTOR], by=TANTO, at=at)


def kept(until: date = UNTIL, **changes: Any) -> CopyKeptAsInstructed:
    known: dict[str, Any] = {"party": CONTRACTOR, "what": "opened", "keeping": 1, "until": until}
    beside = {"reason_code": "claim", "note_number": "26介保第130号", "decided_at": AT}
    return CopyKeptAsInstructed(**known | beside | {"asked_by": TANTO, "decided_by": SHONIN} | changes)


class TestAsking:
    def test_an_officer_asks_and_the_same_again_changes_nothing(self) -> None:
        first = asked()
        assert (first.keeping, first.until, first.asked_by) == (1, UNTIL, TANTO)
        later = AT + timedelta(hours=1)
        assert asked(DELIVERED.noting(first), at=later) == first
        assert asked(DELIVERED.noting(first), party=SUBCONTRACTOR).keeping == 2

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"party": "somebody"}, "承諾した再委託先でもありません"),
            ({"what": "dvd"}, "登録されたものではありません"),
            ({"reason_code": "x"}, "登録されたものではありません"),
            ({"until": "2026-07-03"}, "今日以前か"),
            ({"until": "2027-04-01"}, "年度末（2027-03-31）より後"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, changes: dict[str, str], why: str) -> None:
        with pytest.raises(Refused, match=why):
            asked(**changes)

    def test_before_the_hand_over_and_after_the_erasure_there_is_nothing_to_keep(self) -> None:
        with pytest.raises(Refused, match="引き渡していないか、完了した"):
            asked(a_cycle().up_to(r.EncryptionRecord))
        with pytest.raises(Refused, match="引き渡していないか、完了した"):
            asked(a_cycle(), what="paper")
        erased = a_cycle().up_to(r.ErasureRecord)
        with pytest.raises(Refused, match="消去がすでに証明されています"):
            asked(erased)
        assert asked(erased, what="paper").what == "paper"


class TestApproving:
    @pytest.fixture
    def register(self) -> Register:
        return a_register()

    def approver(self, register: Register) -> Person:
        from notice_cycle.register.kinds import OfficerEntry

        login = next(
            held.content.user_id
            for held in register.held(OfficerEntry, AT.date())
            if held.content.office == "承認者"
        )
        return Person(user_id=login, name="承認 花子")

    def test_the_approver_decides_once(self, register: Register) -> None:
        cycle, by = DELIVERED.noting(asked()), self.approver(register)
        fact = approve_keeping(cycle.history(), register, 1, by=by, at=AT)
        assert (fact.until, fact.asked_by, fact.decided_by) == (UNTIL, TANTO, by)
        again = cycle.noting(fact).history()
        assert approve_keeping(again, register, 1, by=by, at=AT + timedelta(days=1)) == fact

    def test_nobody_else_and_nobodys_own_request(self, register: Register) -> None:
        cycle, by = DELIVERED.noting(asked()), self.approver(register)
        with pytest.raises(Refused, match="承認者とされた者だけ"):
            approve_keeping(cycle.history(), register, 1, by=TANTO, at=AT)
        with pytest.raises(Refused, match="案 2 はありません"):
            approve_keeping(cycle.history(), register, 2, by=by, at=AT)
        own = DELIVERED.noting(asked().model_copy(update={"asked_by": by}))
        with pytest.raises(Refused, match="案を作った者は"):
            approve_keeping(own.history(), register, 1, by=by, at=AT)

    def test_a_day_that_has_passed_meanwhile_is_refused(self, register: Register) -> None:
        late = datetime.combine(UNTIL, OPENED_AT.timetz())
        with pytest.raises(Refused, match="今日以前か"):
            approve_keeping(
                DELIVERED.noting(asked()).history(), register, 1, by=self.approver(register), at=late
            )


def open_copies(cycle: ACycle) -> dict[str, date | None]:
    return {
        f"{copy.carrier} {copy.what}": copy.kept_until
        for copy in copies_of(cycle.history())
        if copy.is_open and copy.party == CONTRACTOR and copy.holds_data
    }


def too_early(cycle: ACycle) -> list[tuple[str, str]]:
    history = cycle.history()
    found = find_erased_too_early(history, copies_of(history))
    assert {one.against for one in found} <= {"kept"}
    return [(one.carrier, one.file_sha256 or "") for one in found]


def test_a_copy_erased_before_the_day_of_the_instruction_is_a_violation_on_the_day_it_is_none() -> None:
    erased = a_cycle().up_to(r.ErasureRecord)
    (opened,) = [copy for copy in erased[r.ErasureRecord].parties[0].copies if copy.file_sha256 == OPENED]
    erased_on = tokyo_date(opened.erased_at)
    before = {"decided_at": opened.erased_at - timedelta(hours=1)}
    early = erased.noting(kept(erased_on + timedelta(days=1), **before))
    assert too_early(early) == [("パソコン", OPENED)]
    assert too_early(erased.noting(kept(erased_on, **before))) == []
    assert too_early(erased) == []


def test_an_instruction_that_came_after_the_erasure_was_not_broken_and_of_several_the_last_before_it_counts() -> (
    None
):
    erased = a_cycle().up_to(r.ErasureRecord)
    erased_at = erased[r.ErasureRecord].erased_at
    after = kept(decided_at=erased_at + timedelta(hours=1))
    assert too_early(erased.noting(after)) == []
    long = kept(decided_at=erased_at - timedelta(hours=2))
    shorter = kept(tokyo_date(erased_at), keeping=2, decided_at=erased_at - timedelta(hours=1))
    assert too_early(erased.noting(long, shorter)) == []
    assert too_early(erased.noting(shorter, long.model_copy(update={"keeping": 3}))) == [("パソコン", OPENED)]


def test_paper_destroyed_too_early_is_a_violation_with_its_first_sheet() -> None:
    jammed = DELIVERED.with_(delivery={"sheets_spoiled": 3, "sheets_printed": 46})
    told = jammed.noting(kept(what="paper"), destroyed("spoilage", 1))
    assert too_early(told) == [("紙", "")]
    assert too_early(jammed.noting(kept(what="paper", party=SUBCONTRACTOR), destroyed("spoilage", 1))) == []


def test_the_copy_stays_open_with_its_day_and_only_an_approved_instruction_counts() -> None:
    assert set(open_copies(DELIVERED.noting(asked())).values()) == {None}
    told = open_copies(DELIVERED.noting(kept()))
    assert told["パソコン 開いた印字データ"] == UNTIL
    assert told["パソコン 暗号化された印字データ"] is None
    assert set(open_copies(DELIVERED.noting(kept(party=SUBCONTRACTOR))).values()) == {None}
    longer = DELIVERED.noting(kept(), kept(UNTIL + timedelta(days=9), keeping=2))
    assert open_copies(longer)["パソコン 開いた印字データ"] == UNTIL + timedelta(days=9)


def test_page_and_gate_tell_the_day_and_the_gate_stays_closed() -> None:
    history = DELIVERED.noting(kept()).history()
    shown = [
        row.cells
        for row in rows_of(copies_of(history), names_of(_configuration(history)))
        if "指示による保管（2026-09-30 まで）" in row.cells
    ]
    assert len(shown) == 1 and shown[0][0] == "ある"
    held = [copy for copy in told_facts(history)["copies"] if "2026-09-30" in copy.what_ja]  # type: ignore[attr-defined]
    assert [copy.settled for copy in held] == [""]


def _configuration(history: Any) -> Any:
    from notice_cycle.catalogue import Configuration

    return Configuration.model_validate(history.opening.configuration)


def test_paper_is_kept_until_its_destruction_is_certified() -> None:
    spoiled = DELIVERED.with_(delivery={"sheets_spoiled": 3, "sheets_printed": 46})
    cycle = spoiled.noting(kept(what="paper"))
    assert open_copies(cycle)["紙 損紙"] == UNTIL
    gone = PapersDestroyed.model_validate(
        {
            "party": CONTRACTOR, "message_sha256": "0" * 64, "certificate_number": "1",
            "certified_at": AT, "responsible_person": "x",
            "papers": [{"what": "spoilage", "sheets": 3, "method": "shredding", "destroyed_at": AT,
                        "operator": "a", "witness": "b"}],
        }
    )  # fmt: skip
    assert "紙 損紙" not in open_copies(cycle.noting(gone))


def due_on(cycle: ACycle, milestone: str) -> date:
    deadlines, calendars = load(CONFIG)
    history = cycle.history()
    plan = plan_of(history, load_notice(CONFIG, history.opening.notice), deadlines, calendars)
    dues = judge(plan, history, AT, calendars, subject=cycle.id)
    return next(due.due_at for due in dues if due.milestone == milestone).date()


def test_the_erasure_is_due_on_the_day_and_the_returns_are_not_moved() -> None:
    before = due_on(DELIVERED, "erasure_report")
    assert before < UNTIL
    assert due_on(DELIVERED.noting(kept()), "erasure_report") == UNTIL
    assert due_on(DELIVERED.noting(kept(date(2026, 7, 2))), "erasure_report") == before, "never earlier"
    paper = DELIVERED.noting(kept(what="paper"))
    assert due_on(paper, "erasure_report") == before
    whole = a_cycle().up_to(r.ErasureConfirmationRecord)
    assert due_on(whole.noting(kept(what="paper")), "closing") == UNTIL > due_on(whole, "closing")
