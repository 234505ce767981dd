"""差出しと返戻: never more than was delivered, demanded only where the contractor posts, returned mail in counts."""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.builders import (
    CONFIG,
    CONTRACTOR,
    OPENED_AT,
    TANTO,
    ACycle,
    a_cycle,
    a_digest,
    taken_after_delivery,
)
from tests.further_messages import a_posting_receipt

from notice_cycle import records as r
from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.clock import TOKYO
from notice_cycle.copies import judge_reply
from notice_cycle.copies.judging import is_too_early, keeps
from notice_cycle.deadline_rules import load_deadlines
from notice_cycle.errors import Refused
from notice_cycle.exchange import messages as m
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import (
    Posted,
    contractor_posts,
    enter_posting,
    envelopes_to_post,
    posted_envelopes,
    postings,
    require_posted,
)
from notice_cycle.register import Register, load_seed
from notice_cycle.returned_mail import ReturnedMail, enter_returned, remind_of_returned, returned_by_reason

DELIVERED = a_cycle().up_to(r.DeliveryConfirmationRecord)
LATER = OPENED_AT + timedelta(days=30)


def judged(message: m.PostingReceipt, cycle: ACycle = DELIVERED) -> Posted:
    kept = judge_reply(message, cycle.history(), party=CONTRACTOR, message_sha256=a_digest(message))
    assert isinstance(kept, Posted)
    return kept


def lots(*envelopes: int) -> tuple[m.Lot, ...]:
    return tuple(m.Lot(lot=str(number), envelopes=each) for number, each in enumerate(envelopes, start=1))


class TestToldByTheContractor:
    def test_what_was_delivered_was_posted(self) -> None:
        posted = judged(a_posting_receipt(DELIVERED))
        assert (posted.envelopes, posted.party, posted.post_office) == (39, CONTRACTOR, "架空中央郵便局")
        history = DELIVERED.noting(posted).history()
        require_posted(history)
        assert posted.message_sha256 in keeps(history)

    def test_several_receipts_add_up(self) -> None:
        first = judged(a_posting_receipt(DELIVERED, lots=lots(30)))
        cycle = DELIVERED.noting(first)
        with pytest.raises(Refused, match=r"納品 39封、差出し 30封"):
            require_posted(cycle.history())
        rest = judged(a_posting_receipt(cycle, receipt_number="差-26-002", lots=lots(9)), cycle)
        require_posted(cycle.noting(rest).history())
        with pytest.raises(Refused, match=r"多くなります（納品 39封、差出し 40封）"):
            judged(a_posting_receipt(cycle, receipt_number="差-26-002", lots=lots(10)), cycle)

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"lots": lots(40)}, "納品した数より多くなります"),
            ({"lots": lots(38, 1)}, "納品より多いロットが1件"),
            ({"posted_at": OPENED_AT}, "データの引渡しより前"),
            ({"manifest_sha256": a_digest("other")}, "この発送回のパッケージについてのものではありません"),
        ],
    )
    def test_what_cannot_be_is_refused(self, changes: dict[str, Any], why: str) -> None:
        with pytest.raises(Refused, match=why):
            judged(a_posting_receipt(DELIVERED, **changes))

    def test_a_receipt_number_is_told_once(self) -> None:
        cycle = DELIVERED.noting(judged(a_posting_receipt(DELIVERED, lots=lots(5))))
        with pytest.raises(Refused, match="同じ番号の差出票"):
            judged(a_posting_receipt(cycle, lots=lots(6)), cycle)

    def test_it_waits_for_the_delivery_to_be_reconciled(self) -> None:
        before = a_cycle().up_to(r.StagingWipeRecord).history()
        assert is_too_early(m.PostingReceipt, before)
        assert not is_too_early(m.CopyDeclaration, before)
        assert not is_too_early(m.PostingReceipt, DELIVERED.history())

    def test_a_dispatch_given_up_knows_no_posting(self) -> None:
        given_up = a_cycle().up_to(r.ReceiptRecord)
        recalled = given_up.noting(r.HandoverRecalled(left={}, reason_code="drill", decided_by=TANTO))
        assert not is_too_early(m.PostingReceipt, recalled.history())
        with pytest.raises(Refused, match="取り下げた発送回"):
            judged(a_posting_receipt(recalled), recalled)
        require_posted(recalled.history())


class TestWhoPosts:
    @pytest.mark.parametrize("posted_by", ["区", "委託先"])
    def test_the_contract_on_the_day_of_the_hand_over_says_who_posts(self, posted_by: str) -> None:
        day = tokyo_date(DELIVERED[r.HandoverRecord].sent_at)
        assert contractor_posts(DELIVERED.history(), a_register(posted_by, until=day)) is (
            posted_by == "委託先"
        )


def a_register(posted_by: str, *, until: date) -> Register:
    """The sample, its contract ended on a day and followed by one by which the other posts."""
    seed = Register.fold(load_seed(CONFIG), [], until).versions
    (contract,) = [held for held in seed if held.key == "2026-premium" and held.content.kind == "contract"]
    other = {"区": "委託先", "委託先": "区"}[posted_by]
    then = replace(contract, content=contract.content.model_copy(update={"posted_by": posted_by}))
    later = replace(contract, content=contract.content.model_copy(update={"posted_by": other}))
    return Register(
        until + timedelta(days=30),
        (
            *(held for held in seed if held is not contract),
            replace(then, valid_until=until),
            replace(later, valid_from=until + timedelta(days=1)),
        ),
    )


def entered(cycle: ACycle = DELIVERED, *, by_contractor: bool = False, **changes: str) -> Posted:
    asked = {
        "posted_at": (OPENED_AT + timedelta(days=3)).isoformat(),
        "post_office": "架空中央郵便局",
        "envelopes": "39",
        "receipt_number": "差-1",
    }
    return enter_posting(cycle.history(), asked | changes, by_contractor=by_contractor, by=TANTO, at=LATER)


class TestTakenOutAfterTheDelivery:
    """Thirty-nine were delivered, one was taken out and destroyed."""

    TAKEN = DELIVERED.noting(taken_after_delivery(DELIVERED))

    def test_the_rest_is_all_that_is_to_be_posted(self) -> None:
        cycle = self.TAKEN.noting(judged(a_posting_receipt(self.TAKEN, lots=lots(38)), self.TAKEN))
        require_posted(cycle.history())
        with pytest.raises(Refused, match=r"納品 39封、納品後の引抜き 1封、差出し 39封"):
            judged(a_posting_receipt(self.TAKEN), self.TAKEN)

    def test_fewer_are_still_missed_and_the_form_takes_no_more(self) -> None:
        cycle = self.TAKEN.noting(entered(self.TAKEN, envelopes="37"))
        with pytest.raises(Refused, match=r"納品 39封、納品後の引抜き 1封、差出し 37封"):
            require_posted(cycle.history())
        with pytest.raises(Refused, match="多くなります"):
            entered(self.TAKEN)

    def test_of_print_data_made_again_nothing_was_taken_out(self) -> None:
        other = DELIVERED.noting(taken_after_delivery(DELIVERED, dispatch=a_digest("made before")))
        assert envelopes_to_post(other.history()) == 39


class TestEnteredByTheWard:
    def test_the_ward_enters_what_it_posted(self) -> None:
        posted = entered()
        assert (posted.party, posted.envelopes, posted.entered_by) == ("", 39, TANTO)

    def test_the_same_number_again_replaces_and_the_same_entry_is_found(self) -> None:
        first = entered(envelopes="38")
        cycle = DELIVERED.noting(first)
        assert entered(cycle, envelopes="38") is not None
        assert entered(cycle, envelopes="38") in cycle.history().facts(Posted)
        corrected = cycle.noting(entered(cycle, envelopes="39")).history()
        assert posted_envelopes(corrected) == 39
        assert len(postings(corrected)) == 1

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"envelopes": "40"}, "多くなります（納品 39封、差出し 40封）"),
            ({"posted_at": OPENED_AT.isoformat()}, "より前か、未来です"),
            ({"posted_at": (LATER + timedelta(minutes=1)).isoformat()}, "より前か、未来です"),
            ({"posted_at": "2026-07-10T10:00:00"}, "より前か、未来です"),
            ({"posted_at": "きのう"}, "より前か、未来です"),
        ],
    )
    def test_what_cannot_be_is_refused(self, changes: dict[str, str], why: str) -> None:
        with pytest.raises(Refused, match=why):
            entered(**changes)

    def test_two_receipts_together_are_never_more_than_was_delivered(self) -> None:
        cycle = DELIVERED.noting(entered(envelopes="20"))
        with pytest.raises(Refused, match="差出し 40封"):
            entered(cycle, receipt_number="差-2", envelopes="20")

    def test_where_the_contractor_posts_a_form_only_puts_right_what_he_told(self) -> None:
        with pytest.raises(Refused, match="契約では、委託先が差し出します"):
            entered(by_contractor=True)
        told = judged(a_posting_receipt(DELIVERED, lots=lots(38)))
        cycle = DELIVERED.noting(told)
        right = entered(cycle, by_contractor=True, receipt_number=told.receipt_number)
        assert right.party == CONTRACTOR
        require_posted(cycle.noting(right).history())
        assert told.message_sha256 in keeps(cycle.noting(right).history())

    def test_nothing_is_posted_before_the_delivery_is_reconciled(self) -> None:
        with pytest.raises(Refused, match="納品の照合"):
            entered(a_cycle().up_to(r.StagingWipeRecord))


def came_back(cycle: ACycle = DELIVERED, day: str = "2026-07-10", **counts: int) -> ReturnedMail:
    asked = {"returned_on": day, **dict.fromkeys(("moved_away", "refused", "not_collected", "other"), "0")}
    asked |= {"unknown_address": "0"} | {reason: str(count) for reason, count in counts.items()}
    return enter_returned(cycle.history(), asked, by=TANTO, at=LATER)


class TestReturnedMail:
    def test_days_add_up_by_reason(self) -> None:
        cycle = DELIVERED.noting(came_back(unknown_address=2, refused=1))
        cycle = cycle.noting(came_back(cycle, "2026-07-13", unknown_address=1))
        assert returned_by_reason(cycle.history()) == {
            "unknown_address": 3,
            "moved_away": 0,
            "refused": 1,
            "not_collected": 0,
            "other": 0,
        }

    def test_the_same_day_again_replaces_and_the_same_entry_is_found(self) -> None:
        cycle = DELIVERED.noting(came_back(refused=3))
        assert came_back(cycle, refused=3) in cycle.history().facts(ReturnedMail)
        right = cycle.noting(came_back(cycle, refused=1))
        assert returned_by_reason(right.history()).total() == 1

    def test_more_than_was_delivered_is_refused_over_all_days(self) -> None:
        cycle = DELIVERED.noting(came_back(other=30))
        with pytest.raises(Refused, match="納品 39封、返戻 40封"):
            came_back(cycle, "2026-07-13", moved_away=10)

    @pytest.mark.parametrize("day", ["2026-06-30", "2026-08-30"])
    def test_a_day_before_the_delivery_or_to_come_is_refused(self, day: str) -> None:
        with pytest.raises(Refused, match="返戻の日"):
            came_back(day=day, other=1)

    def test_letters_come_back_after_the_closing_too(self) -> None:
        closed = a_cycle().noting(came_back(a_cycle(), unknown_address=1)).history()
        assert returned_by_reason(closed).total() == 1
        assert closed.entry_of(r.ClosingRecord)


class TestTheWeeklyCount:
    """Posted on Wednesday 8 July: its weeks end on Wednesdays, the last one on 19 August."""

    RULE, WARD = load_deadlines(CONFIG).returned_mail, BusinessCalendar.from_file(CONFIG / "calendar.yaml")

    def entries(self, *came_back_on: str) -> list[Entry]:
        cycle = DELIVERED.noting(judged(a_posting_receipt(DELIVERED)))
        *before, posting = cycle.history().entries
        posted_at = datetime(2026, 7, 8, 15, tzinfo=TOKYO)
        counts = [cycle.noting(came_back(cycle, day)).history().entries[-1] for day in came_back_on]
        return [*before, posting.model_copy(update={"recorded_at": posted_at}), *counts]

    def reminded(self, day: str, *came_back_on: str, **changes: Any) -> tuple[int, str] | None:
        rule = self.RULE.model_copy(update={"weeks": changes.get("weeks", self.RULE.weeks)})
        history, ward = CycleHistory(self.entries(*came_back_on)), changes.get("ward", self.WARD)
        told = remind_of_returned(history, date.fromisoformat(day), rule, ward)
        return (told.week, f"{told.due_on:%m-%d}") if told else None

    def test_six_weeks_by_default_also_for_a_file_written_before_there_was_a_rule(
        self, tmp_path: Path
    ) -> None:
        told = (CONFIG / "deadlines.yaml").read_text(encoding="utf-8")
        older = re.sub(r"(?m)^returned_mail: .*$", "", told)
        assert older != told
        (tmp_path / "deadlines.yaml").write_text(older, encoding="utf-8")
        assert (self.RULE.weeks, load_deadlines(tmp_path).returned_mail.weeks) == (6, 6)

    @pytest.mark.parametrize(
        ("day", "told"),
        [
            ("2026-07-14", None),
            ("2026-07-15", (1, "07-15")),
            ("2026-07-21", (1, "07-15")),
            ("2026-07-22", (2, "07-22")),
            ("2026-08-19", (6, "08-19")),
            ("2026-08-25", (6, "08-19")),
            ("2026-08-26", None),
        ],
    )
    def test_every_week_without_a_count_is_asked_for(self, day: str, told: tuple[int, str] | None) -> None:
        assert self.reminded(day) == told

    def test_a_count_answers_its_week_and_those_before_also_when_nothing_came_back(self) -> None:
        assert self.reminded("2026-07-22", "2026-07-21") is None
        assert self.reminded("2026-07-22", "2026-07-15") == (2, "07-22")
        assert self.reminded("2026-07-29", "2026-07-21") == (3, "07-29")

    def test_the_ward_may_ask_for_fewer_weeks_or_none(self) -> None:
        assert self.reminded("2026-07-28", weeks=2) == (2, "07-22")
        assert self.reminded("2026-07-29", weeks=2) is None
        assert self.reminded("2026-07-15", weeks=0) is None

    def test_a_week_that_ends_on_a_closed_day_is_asked_for_on_the_next_open_one(self) -> None:
        ward = BusinessCalendar(closures={date(2026, 7, 15): "臨時の閉庁"})
        assert self.reminded("2026-07-15", ward=ward) is None
        assert self.reminded("2026-07-16", ward=ward) == (1, "07-16")

    def test_what_is_not_posted_cannot_come_back(self) -> None:
        assert remind_of_returned(DELIVERED.history(), date(2026, 8, 1), self.RULE, self.WARD) is None
