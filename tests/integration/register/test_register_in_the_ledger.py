"""The register in a real ledger: changes and exceptions are entries, entered once, and everybody sees the same."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.builders import CONFIG, CYCLE, a_cycle
from tests.conftest import LedgerDatabase

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.errors import Refused
from notice_cycle.gates import facts_of, gates_before, judged
from notice_cycle.ledger.store import Ledger
from notice_cycle.records import HandoverRecord
from notice_cycle.register import (  # fmt: skip
    Asked,
    GatesJudged,
    RegisterChanged,
    due_reminders,
    enter,
    enter_exception,
    read_exceptions,
    read_register,
)
from notice_cycle.values import Person

TANTO, KACHO = Person(user_id="tanto1", name="tanto1"), Person(user_id="kacho", name="kacho")
AT = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
DAY = AT.date()


def asked(**changes: Any) -> Asked:
    known: dict[str, Any] = {
        "entry_kind": "place", "key": "second", "action": "add", "valid_from": "2026-07-01", "reason_code": "new",
        "filed_as": "26介保第12号", "content": {"party": "example_print", "name": "第二作業室", "lock": "作業場所"},
    }  # fmt: skip
    return Asked.model_validate(known | changes)


def test_a_change_is_one_entry_of_no_cycle_however_often_its_task_runs(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as pool:
        entries = list(pool.map(lambda _: enter(ledger, CONFIG, asked(), by=TANTO, at=AT), range(4)))
    assert len({entry.digest for entry in entries}) == 1
    (entry,) = ledger.entries(kind=RegisterChanged.kind())
    assert (entry.cycle, entry.actor) == (None, TANTO)
    assert read_register(ledger, CONFIG, DAY).of_key("place", "second")
    assert ledger.verify().holds


def test_two_different_changes_of_one_key_do_not_both_stand(ledger: Ledger) -> None:
    enter(ledger, CONFIG, asked(), by=TANTO, at=AT)
    other = asked(content={"party": "example_print", "name": "別の部屋", "lock": "作業場所"})
    with pytest.raises(Refused, match="すでに登録されています"):
        enter(ledger, CONFIG, other, by=TANTO, at=AT)


def test_an_ended_mark_closes_the_hand_over_and_no_exception_opens_it(ledger: Ledger) -> None:
    end = asked(
        entry_kind="certificate", key="example-print-privacy", action="end", valid_from="", valid_until="2026-06-30",
        reason_code="ended", content={},
    )  # fmt: skip
    enter(ledger, CONFIG, end, by=TANTO, at=AT)
    form = {
        "of": "example_print",
        "reason_code": "deadline",
        "note_number": "26介保第7号",
        "until": "2026-07-31",
    }
    enter_exception(ledger, CONFIG, {"gate": "acceptance_passed", **form}, by=KACHO, at=AT)
    with pytest.raises(Refused, match="例外を認められません"):
        enter_exception(ledger, CONFIG, {"gate": "privacy_mark", **form}, by=KACHO, at=AT)
    cycle = a_cycle().up_to(HandoverRecord)
    cycle.entered_in(ledger)
    register = read_register(ledger, CONFIG, DAY)
    facts = facts_of(
        cycle.id, ledger.history(cycle.id), route="lgwan", today=DAY, calendar=BusinessCalendar(),
        further={"sending_host": "lgwan-terminal-1", "open_erasures": ()},
    )  # fmt: skip
    gates = gates_before("handover", facts, register, today=DAY, exceptions=read_exceptions(ledger))
    fact = judged("handover", gates, register, today=DAY)
    assert fact.closed == ("privacy_mark:example_print",)
    ledger.note(cycle.id, fact, TANTO)
    assert ledger.history(cycle.id).facts(GatesJudged) == [fact]


def test_an_auditor_reads_the_register_and_enters_nothing(ledger_database: LedgerDatabase) -> None:
    reader = Ledger(ledger_database.reader)
    assert read_register(reader, CONFIG, DAY).firm("example_print")
    with pytest.raises(Exception, match="permission denied"):
        enter(reader, CONFIG, asked(), by=TANTO, at=AT)


def test_reminders_know_the_erasures_that_the_ledger_shows_open(ledger: Ledger) -> None:
    a_cycle().up_to(HandoverRecord).entered_in(ledger)
    found = due_reminders(ledger, CONFIG, date(2027, 4, 1), BusinessCalendar(), section="介護保険課")
    assert [one.section for one in found if one.thing == f"erasure_carried_over:{CYCLE}"] == ["介護保険課"]
