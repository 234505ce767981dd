"""Where the data are: every copy of a cycle, and what became of it, told by the ledger alone."""

from datetime import timedelta
from typing import Any

import pytest
from tests.builders import CONTRACTOR, CYCLE, OPENED_AT, TANTO, ACycle, a_cycle, a_digest, a_file
from tests.unit.copies.good import GOOD
from tests.unit.copies.told import (
    SUBCONTRACTOR,
    a_declaration,
    a_declared_copy,
    a_transfer,
    destroyed,
)
from tests.unit.incidents.test_incidents import taken
from tests.unit.register.world import INSERT, NOON, PRINT, a_register

from notice_cycle import records as r
from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.copies import Copy, CopyViolation, copies_of, find_violations, told_facts
from notice_cycle.copies.told import named_people
from notice_cycle.copies.violations import find_unknown_handlers, sentence_ja
from notice_cycle.exchange import messages as m
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.gates import closed, facts_of, gates_before
from notice_cycle.handover.route import packages_that_left
from notice_cycle.incidents.facts import IncidentReported
from notice_cycle.stage import CYCLE_RECORDS

WHOLE = a_cycle()
OPENED = WHOLE[r.CompositionRecord].print_file.sha256
ENCRYPTED = WHOLE[r.EncryptionRecord].files[0].sha256


def copies(cycle: ACycle, *facts: r.Fact) -> list[Copy]:
    return list(copies_of(cycle.noting(*facts).history()))


def still_there(cycle: ACycle, *facts: r.Fact) -> set[tuple[str, str, str]]:
    return {(copy.party, copy.carrier, copy.what) for copy in copies(cycle, *facts) if copy.is_open}


IN_VAULT = {("甲", "サーバー", "印字データ"), ("甲", "サーバー", "通知書番号の索引")}
IN_OUTBOX = ("甲", "サーバー", "暗号化された印字データ")
ON_HOST = (CONTRACTOR, "サーバー", "暗号化された印字データ")
ON_PC = (CONTRACTOR, "パソコン", "暗号化された印字データ")
PRINT_FILE = (CONTRACTOR, "パソコン", "開いた印字データ")
NOTICE_HERE, NOTICE_THERE = ("甲", "紙", "パスワード通知書"), (CONTRACTOR, "紙", "パスワード通知書")


@pytest.mark.parametrize(
    ("last", "where"),
    [
        (r.OpeningRecord, set()),
        (r.ExtractionRecord, {("甲", "サーバー", "抽出したデータ")}),
        (r.CompositionRecord, {("甲", "サーバー", "抽出したデータ"), *IN_VAULT}),
        (r.EncryptionRecord, {("甲", "サーバー", "抽出したデータ"), *IN_VAULT, IN_OUTBOX}),
        (r.HandoverRecord, {("甲", "サーバー", "抽出したデータ"), *IN_VAULT, IN_OUTBOX, ON_HOST}),
        (
            r.PassphraseNoticeRecord,
            {("甲", "サーバー", "抽出したデータ"), *IN_VAULT, IN_OUTBOX, ON_HOST, ON_PC, NOTICE_HERE},
        ),
        (
            r.StagingWipeRecord,
            {("甲", "サーバー", "通知書番号の索引"), IN_OUTBOX, ON_HOST, ON_PC, PRINT_FILE, NOTICE_THERE},
        ),
        (r.ErasureRecord, {("甲", "サーバー", "通知書番号の索引"), IN_OUTBOX, NOTICE_THERE}),
        (r.ClosingRecord, {NOTICE_THERE}),
    ],
    ids=lambda value: value.kind() if isinstance(value, type) else "",
)
def test_where_the_data_are_at_each_step(last: type[r.Record], where: set[Any]) -> None:
    assert still_there(WHOLE.up_to(last)) == where


@pytest.mark.parametrize("last", CYCLE_RECORDS, ids=lambda record: record.kind())
def test_a_copy_never_disappears_without_saying_what_became_of_it(last: type[r.Record]) -> None:
    before = copies(WHOLE.up_to(last))
    after = {(copy.party, copy.what, copy.carrier, copy.sha256, copy.since) for copy in copies(WHOLE)}
    assert {(copy.party, copy.what, copy.carrier, copy.sha256, copy.since) for copy in before} <= after
    for copy in before:
        assert copy.is_open == (copy.ended_at is None) == (copy.end_evidence is None)


def test_every_package_that_ever_left_is_among_the_copies() -> None:
    begun = r.HandoverBegun(
        package=f"{CYCLE}-p2",
        route="lgwan",
        encrypted_file=a_file(f"{CYCLE}-p2.csv.age", b"2"),
        begun_at=OPENED_AT,
    )
    history = WHOLE.noting(begun).history()
    told = {copy.sha256 for copy in copies_of(history) if copy.party == CONTRACTOR}
    assert set(packages_that_left(history, []).values()) <= told


def test_a_superseded_hand_over_is_a_copy_all_the_same() -> None:
    cycle = WHOLE.up_to(r.HandoverRecord)
    entry = cycle.history().entry_of(r.HandoverRecord)
    assert entry
    redo = r.Decision(
        decision=r.DecisionKind.REDO, supersedes=entry.digest, stage="handover", reason_code="drill",
        decided_by={"user_id": "1", "name": "x"},
    )  # fmt: skip
    assert ON_HOST in still_there(cycle, redo)


def test_what_was_taken_back_from_the_host_is_gone() -> None:
    name = WHOLE[r.EncryptionRecord].files[0].name
    found = (r.RemoteFile(name=name, size_bytes=10),)

    def withdrawn(*left: r.RemoteFile) -> r.CopyWithdrawn:
        return r.CopyWithdrawn(
            package=f"{CYCLE}-p1", found=found, left=left, withdrawn_at=OPENED_AT + timedelta(days=1)
        )

    cycle = WHOLE.up_to(r.HandoverRecord)
    assert ON_HOST not in still_there(cycle, withdrawn())
    assert ON_HOST in still_there(cycle, withdrawn(*found))


def test_a_declaration_tells_the_place_of_a_receipt_and_adds_what_is_beyond() -> None:
    cycle = WHOLE.up_to(r.StagingWipeRecord)
    told = a_declaration(
        a_declared_copy(OPENED), a_declared_copy(OPENED, place="BACKUP-01", purpose="backup")
    )
    mine = [copy for copy in copies(cycle, told) if (copy.party, copy.sha256) == (CONTRACTOR, OPENED)]
    assert [(copy.place, copy.what) for copy in mine] == [
        ("PRINT-PC-1", "開いた印字データ"),
        ("BACKUP-01", "予備の控え"),
    ]
    assert [copy.place for copy in copies(cycle, told, told) if copy.sha256 == OPENED and copy.party == CONTRACTOR] == [
        "PRINT-PC-1", "BACKUP-01"
    ]  # fmt: skip


def test_what_a_later_declaration_leaves_out_stays_open() -> None:
    cycle = WHOLE.up_to(r.StagingWipeRecord)
    first = a_declaration(a_declared_copy(OPENED, place="BACKUP-01", purpose="backup"))
    assert (CONTRACTOR, "パソコン", "予備の控え") in still_there(
        cycle, first, a_declaration(a_declared_copy(OPENED))
    )


def test_an_erased_copy_that_nobody_had_told_of_is_undeclared() -> None:
    proof = WHOLE[r.ErasureRecord].parties[0]
    more = proof.copies[2].model_copy(update={"place": "私物のパソコン"})
    cycle = WHOLE.with_(erasure={"parties": (proof.model_copy(update={"copies": (*proof.copies, more)}),)})
    (undeclared,) = [copy for copy in copies(cycle) if not copy.declared]
    assert (undeclared.place, undeclared.became) == ("私物のパソコン", "消去")
    facts = told_facts(cycle.history())["copies"]
    assert [copy.place for copy in facts if not copy.declared] == ["私物のパソコン"]  # type: ignore[attr-defined]


def test_a_subcontractors_copy_is_followed_there() -> None:
    cycle = WHOLE.up_to(r.DeliveryConfirmationRecord)
    assert (SUBCONTRACTOR, "パソコン", "移送された印字データ") in still_there(cycle, a_transfer(OPENED))


@pytest.mark.parametrize(
    ("sheets", "certified", "is_open"),
    [(3, [3], False), (3, [2], True), (3, [2, 1], False), (3, [4], True), (3, [], True)],
)
def test_spoiled_paper_is_there_until_as_many_sheets_were_destroyed(
    sheets: int, certified: list[int], is_open: bool
) -> None:
    cycle = WHOLE.with_(delivery={"sheets_spoiled": sheets, "sheets_printed": 40 + 2 * sheets})
    facts = [destroyed("spoilage", count) for count in certified]
    assert ((CONTRACTOR, "紙", "損紙") in still_there(cycle, *facts)) is is_open


def test_what_was_delivered_is_with_the_ward_and_paper_of_a_subcontractor_too() -> None:
    paper = a_transfer(OPENED, carrier="紙", sheets=40)
    printed = [copy for copy in copies(WHOLE, paper) if copy.what == "印刷物"]
    assert {(copy.party, copy.became, copy.to) for copy in printed} == {
        (CONTRACTOR, "引渡し", "甲"), (SUBCONTRACTOR, "引渡し", "甲")
    }  # fmt: skip


def test_discs_are_with_the_contractor_until_they_come_back() -> None:
    disc = r.Disc(label="D1", image=a_file("D1.iso"))
    over = {
        "lgwan": None,
        "dvd": r.OnDisc(
            confirmation_number="1", discs=(disc,), burnt_at="機械室", kept_in_safe="金庫", notice_kept_in="棚",
            giver="x", taker="y", handed_at=OPENED_AT + timedelta(hours=1), means="手渡し", tracking_number="",
            quantity=1, lgwan_copy="送っていない", filed_under="1", entered_by={"user_id": "1", "name": "x"},
            entered_at=OPENED_AT,
        ),
    }  # fmt: skip
    cycle = WHOLE.with_(handover=over)
    assert (CONTRACTOR, "DVD", "媒体 D1") in still_there(cycle)
    assert ON_HOST not in still_there(cycle.up_to(r.HandoverRecord))


# ---- violations and gates


def violations(cycle: ACycle, *facts: r.Fact, **register: Any) -> list[tuple[str, str, str]]:
    found = find_violations(copies(cycle, *facts), a_register(**register), contractor=PRINT, routes={"lgwan"})
    return [(one.against, one.party, one.place) for one in found]


def test_a_copy_on_another_carrier_or_at_another_place_is_a_violation() -> None:
    cycle = WHOLE.up_to(r.StagingWipeRecord)
    stick = a_declaration(a_declared_copy(OPENED, carrier="その他", place="USB メモリー", purpose="backup"))
    assert violations(cycle, stick) == [("carrier", PRINT, "USB メモリー"), ("place", PRINT, "USB メモリー")]
    at_work = a_declaration(a_declared_copy(OPENED, place="PRINT-PC-1"))
    assert violations(cycle, at_work) == []


def test_a_subcontractor_may_hold_pc_and_paper_only() -> None:
    cycle = WHOLE.up_to(r.StagingWipeRecord)
    on_server = a_declaration(
        a_declared_copy(OPENED, carrier="サーバー", place="架空封入 作業室"), party=INSERT
    )
    assert violations(cycle, on_server) == [("carrier", INSERT, "架空封入 作業室")]


def test_an_undeclared_copy_is_a_violation_though_it_was_erased() -> None:
    proof = WHOLE[r.ErasureRecord].parties[0]
    at_work = tuple(copy.model_copy(update={"place": "PRINT-PC-1"}) for copy in proof.copies[1:])
    more = at_work[1].model_copy(update={"place": "PRINT-PC-2"})
    told = proof.model_copy(update={"copies": (proof.copies[0], *at_work, more)})
    assert violations(WHOLE.with_(erasure={"parties": (told,)})) == [("undeclared", PRINT, "PRINT-PC-2")]


def test_a_pc_of_the_print_log_that_is_on_no_list_is_a_violation_once() -> None:
    history, register = WHOLE.history(), a_register()
    found = find_violations(
        copies_of(history), register, contractor=PRINT, routes={"lgwan"},
        computers=("HOME-PC", "PRINT-PC-1", "HOME-PC"),
    )  # fmt: skip
    (one,) = [violation for violation in found if violation.against == "computer"]
    assert (one.party, one.carrier, one.place) == (PRINT, "パソコン", "HOME-PC")
    assert sentence_ja(one, register).startswith("登録簿にないパソコンから印刷しています")


def test_who_was_on_no_roster_of_the_day_is_a_violation_once_and_not_by_name() -> None:
    register = a_register()
    strangers = GOOD.up_to(r.DeliveryRecord).with_(delivery={"delivered_by": "臨時 太郎"})
    named = list(named_people(strangers.history(), PRINT, register))
    (one,) = find_unknown_handlers([*named, *named], register)
    day = tokyo_date(strangers[r.DeliveryRecord].delivered_at)
    assert (one.party, one.on_ja, one.day) == (PRINT, "納品報告", day)
    told = sentence_ja(one, register)
    assert told.startswith(f"納品報告に、{day}の取扱者名簿にない")
    assert "臨時 太郎" not in told
    known = named_people(GOOD.history(), PRINT, register)
    assert find_unknown_handlers(known, register) == []


def gates(cycle: ACycle, *facts: r.Fact, **register: Any) -> dict[str, str]:
    """The closed gates before the closing, with what they say."""
    history = cycle.noting(*facts).history()
    day = (OPENED_AT + timedelta(days=7)).date()
    known = facts_of(
        CYCLE, history, route="lgwan", today=day, calendar=BusinessCalendar(), further=told_facts(history)
    )
    judged = gates_before("closing", known, a_register(as_of=day, **register), today=day)
    return {gate.id: gate.reason_ja for gate in closed(judged)}


def test_what_came_with_personal_data_unprotected_closes_until_a_person_has_dealt_with_it() -> None:
    kept = r.EnclosureKept(
        announced_in_sha256=a_digest("announced"), party=CONTRACTOR, encrypted_file=a_file("list.age", b"age"),
        container="age", kept_as="enclosed-list.age",
    )  # fmt: skip
    passphrase = r.EnclosurePassphraseReceived(
        encrypted_file_sha256=kept.encrypted_file.sha256, means="口頭", giver="見本 一郎", received_on="2026-07-03",
        entered_by=TANTO, entered_at=OPENED_AT,
    )  # fmt: skip
    assert "1件" in gates(GOOD, kept)["inbound_protected"]
    assert "inbound_protected" not in gates(GOOD, kept, passphrase)

    plain = r.EnclosureUnprotected(
        announced_in_sha256=a_digest("plain"), party=CONTRACTOR, file_sha256=a_digest("a list"), found_at=NOON
    )
    history = GOOD.noting(kept, plain).history()

    def unprotected(*incidents: IncidentReported) -> object:
        return told_facts(history, incidents=incidents)["inbound_unprotected"]

    assert unprotected() == 2
    assert unprotected(taken()) == 2, "an incident that names no cycle is about something else"
    assert unprotected(taken(a_cycle(), cycles=CYCLE)) == 1
    before = taken(a_cycle(), cycles=CYCLE).model_copy(update={"entered_at": NOON - timedelta(minutes=1)})
    assert unprotected(before) == 2, "what was taken down before it came is about something else"


def test_a_cycle_whose_copies_are_all_accounted_for_may_close() -> None:
    assert gates(GOOD, subcontractor=False) == {}
    assert gates(GOOD) == {}, "a subcontractor that was given nothing has nothing to prove"


def test_all_that_is_missing_is_told_at_once() -> None:
    before = GOOD.up_to(r.DeliveryConfirmationRecord).with_(
        delivery={"sheets_spoiled": 3, "sheets_printed": 46}
    )
    missing = gates(before, subcontractor=False)
    assert {"erasure_report", "erasure_verified", "dispositions"} <= missing.keys()
    assert "済んでいない控えが4件" in missing["dispositions"]
    for copy in ("サーバー 暗号化された印字データ", "パソコン 開いた印字データ", "紙 損紙 3枚"):
        assert copy in missing["dispositions"]


def test_who_was_not_on_the_roster_that_day_closes_the_gate() -> None:
    stranger = GOOD.with_(receipt={"received_by": "見知らぬ 者"})
    assert "受領通知（第1段階）" in gates(stranger, subcontractor=False)["handlers_on_roster"]


def test_printing_from_a_pc_that_is_on_no_list_closes_the_gate() -> None:
    elsewhere = GOOD.with_(delivery={"computers": ("PRINT-PC-1", "HOME-PC"), "delivered_by": "印刷 次郎"})
    assert gates(elsewhere, subcontractor=False) == {
        "copies_in_place": "指定していない場所に控えがあります（HOME-PC）。"
    }


def test_a_subcontractors_proof_and_both_confirmations_are_needed() -> None:
    moved = a_transfer(OPENED)
    told = gates(GOOD, moved)
    assert {"subcontractor_certificate", "dispositions", "erasure_report"} <= told.keys()
    proof = GOOD[r.ErasureRecord].parties[0]
    at_sub = proof.copies[2].model_copy(
        update={"place": "架空封入 作業室", "operator": "封入 二郎", "witness": "封入 二郎"}
    )
    theirs = proof.model_copy(
        update={
            "party": INSERT, "addressed_to": ("甲", "乙"), "copies": (at_sub,), "responsible_person": "封入 二郎"
        }
    )  # fmt: skip
    proved = GOOD.with_(erasure={"parties": (proof, theirs)})
    assert set(gates(proved, moved)) == {"subcontractor_certificate"}, "乙 has not confirmed"
    both = {"subcontractor_confirmed_by": "見本 二葉", "subcontractor_confirmed_on": "2026-07-06 10:00"}
    assert gates(proved.with_(erasure_confirmation=both), moved) == {}


def test_a_violation_is_the_same_however_often_it_is_found() -> None:
    one = CopyViolation(
        against="place", party=PRINT, carrier="パソコン", place="自宅", file_sha256=a_digest("x")
    )
    assert CopyViolation.model_validate(one.model_dump()) == one
    assert m.DeclaredCopy is type(a_declared_copy(OPENED))
