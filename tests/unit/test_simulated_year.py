"""A whole fiscal year of nine notices and of what the register asks for, three looks a business day, and every mail it makes.

The script says when each cycle opens and where it is late, and when something is entered in the register; everything
else happens in time. What comes out is the
calendar in simulated_year.txt, which a person has read. After a change: `python -m tests.unit.test_simulated_year`,
then read the difference before it is committed.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from tests.builders import TANTO, ACycle, a_cycle
from tests.unit.register.world import JOB, PRINT, held

from notice_cycle import records as r
from notice_cycle.alerts import Post, Watched, mails_of_a_look
from notice_cycle.catalogue import Notice, load_notice, notice_ids
from notice_cycle.clock import TOKYO
from notice_cycle.deadlines import (
    LOOKS,
    Level,
    first_cycle_id,
    judge,
    load,
    preparation_of,
)
from notice_cycle.dispatch_plan import Plan, dated, due_moment, plan_annual, plan_from_opening
from notice_cycle.exercise import LGWAN_DRILL
from notice_cycle.fiscal_year import FiscalYear
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.people import People
from notice_cycle.posting import Posted
from notice_cycle.register import Register, load_seed
from notice_cycle.register.kinds import ZONES
from notice_cycle.register.reminders import OpenErasure, Reminder, reminders
from notice_cycle.returned_mail import ReturnedMail, ReturnedMailReminder, remind_of_returned
from notice_cycle.stage import CYCLE_RECORDS
from notice_cycle.values import Occasion

CONFIG = Path(__file__).parents[2] / "include" / "config"
EXPECTED = Path(__file__).with_name("simulated_year.txt")
YEAR = FiscalYear(2026)
DEADLINES, CALENDARS = load(CONFIG)
PEOPLE = People.load(CONFIG)
POST = Post(config=CONFIG, base_url="http://ward", domain=PEOPLE.domain, synthetic=True)
NOTICES: Mapping[str, Notice] = {notice: load_notice(CONFIG, notice) for notice in notice_ids(CONFIG)}

# How long before it is due a step is taken when nothing goes wrong.
IN_TIME = {
    "extraction": timedelta(hours=7),
    "validation": timedelta(hours=6),
    "approval": timedelta(hours=1),
    "handover": timedelta(hours=1),
    "receipt": timedelta(hours=3),
    "passphrase": timedelta(hours=2),
    "content_receipt": timedelta(hours=5),
    "delivery": timedelta(hours=2),
    "erasure_report": timedelta(days=2),
    "erasure_confirmation": timedelta(days=6),
    "closing": timedelta(days=2),
}
# Everything is posted on the day it was delivered.
POSTED_AFTER = timedelta(hours=2)
# Returned letters are counted the day before each week is over; of one dispatch the third week is forgotten.
COUNTED_BEFORE = timedelta(days=1)
FORGOTTEN = ("2026-premium_notice_ordinary-annual-01", 3)
# The moments inside records that later due dates count from.
MOMENTS = {
    "handover": "sent_at",
    "passphrase_notice": "printed_at",
    "delivery_confirmation": "delivered_at",
    "erasure_confirmation": "entered_at",
}


@dataclass(frozen=True)
class Dispatch:
    """One cycle of the script. `late`: by how many business days which milestone is missed."""

    notice: str
    opens: str
    occasion: Occasion = Occasion.SUPPLEMENTARY
    late: Mapping[str, int] = field(default_factory=dict)

    @property
    def opens_at(self) -> datetime:
        return datetime.fromisoformat(self.opens).replace(tzinfo=TOKYO)


def by_hand(notice: str, *days: str, **late: int) -> Iterator[Dispatch]:
    for day in days:
        yield Dispatch(notice, f"{day} 10:00", late=late)


SCRIPT = (
    Dispatch("provisional_notice", "2026-04-01 09:00", Occasion.ANNUAL),
    # The validation is read a day late; everything after it is caught up.
    Dispatch("premium_notice_ordinary", "2026-07-01 09:00", Occasion.ANNUAL, {"validation": 1}),
    # The contractor opens the package two days late.
    Dispatch("premium_notice_special", "2026-07-01 09:00", Occasion.ANNUAL, {"content_receipt": 2}),
    # The line is down: the hand-over is two days late, and with it the posting.
    Dispatch("burden_certificate", "2026-07-01 09:00", Occasion.ANNUAL, {"handover": 2}),
    *by_hand("guide_booklet", "2026-06-08"),
    *by_hand("premium_change_notice", "2026-05-11", "2026-06-10", "2026-08-10", "2026-09-10", "2026-10-13"),
    # The erasure report of November comes nine days late, over the year's end nobody is written to.
    *by_hand("premium_change_notice", "2026-11-30", erasure_report=9),
    *by_hand("premium_change_notice", "2027-01-12", "2027-02-10", "2027-03-01"),
    *by_hand("reminder", "2026-08-18", "2026-09-15", "2026-10-20", "2026-11-17", "2027-01-19", "2027-02-16"),
    # The ward itself confirms an erasure four days late: 担当, 係長, 課長.
    *by_hand("demand_notice", "2026-10-05", erasure_confirmation=4),
    *by_hand("demand_notice", "2027-02-08"),
    *by_hand("support_program_notice", "2026-04-30", "2026-07-31", "2026-10-30", "2027-01-29"),
    # Erased and confirmed only after the contract has ended.
    *by_hand("support_program_notice", "2027-03-05", erasure_report=12),
)  # fmt: skip


REMINDER_JOB = "督促状等の印刷・封入封緘業務"
SEED = tuple(load_seed(CONFIG))
# What is entered in the register beside the sample, and on which day.
ENTERED = (
    ("2026-09-24", held("account_review", "first-half", "2026-09-24", None, reviewed_on="2026-09-24", closed_accounts=1)),
    # One confirmation on site is planned before the end of September, and held.
    ("2026-09-28", held("audit", "reminder", "2026-09-28", None, party=PRINT, job=REMINDER_JOB, fiscal_year=2026, by="甲",
                        planned_on="2026-12-01", method="立入り", findings=0)),
    ("2026-12-02", held("audit", "reminder-held", "2026-12-02", None, party=PRINT, job=REMINDER_JOB, fiscal_year=2026, by="甲",
                        held_on="2026-12-01", method="立入り", findings=1)),
    *(("2026-10-20", held("entry_log_check", f"zone-{n}", "2026-10-20", None, party=PRINT, zone=zone, checked_on="2026-10-20",
                          differences=0)) for n, zone in enumerate(ZONES)),
    ("2026-10-21", held("log_submission", "access", "2026-10-21", None, party=PRINT, log="アクセスログ", submitted_on="2026-10-20",
                        up_to="2026-09-30")),
    ("2026-11-05", held("exercise", "drill", "2026-11-05", None, exercise=LGWAN_DRILL, held_on="2026-11-05", findings=2)),
    ("2027-02-24", held("certificate", "asp-renewed", "2027-06-01", "2029-05-31", party=PRINT, mark="LGWAN-ASP", number="架空-A0002",
                        checked_on="2027-02-24", source="J-LIS の登録一覧")),
    # The other confirmation is planned for 10 November in the sample, and held by video in March only.
    ("2027-03-10", held("audit", "premium-held", "2027-03-10", None, party=PRINT, job=JOB, fiscal_year=2026, by="甲",
                        held_on="2027-03-09", method="ビデオ通話", remote_reason="工場が改修中のため", findings=0)),
    ("2027-03-19", held("account_review", "second-half", "2027-03-19", None, reviewed_on="2027-03-19", closed_accounts=0)),
)  # fmt: skip
# A dispatch of the year before whose erasure is confirmed in April only.
CARRIED_OVER = OpenErasure(
    cycle="2025-support_program_notice-supplementary-04",
    party=PRINT,
    fiscal_year=2025,
    section="地域包括ケア推進課",
)
CONFIRMED_ON = date(2026, 4, 20)


@cache
def of_the_register(day: date) -> tuple[Reminder, ...]:
    """What the register reminds of on a day of the script."""
    known = [*SEED, *(entry for entered_on, entry in ENTERED if date.fromisoformat(entered_on) <= day)]
    still_open = [CARRIED_OVER] if day < CONFIRMED_ON else []
    register, section = Register.fold(known, [], day), PEOPLE.register_section
    return tuple(reminders(register, day, CALENDARS.ward, still_open, section=section))


@dataclass(frozen=True, eq=False)
class Played:
    """A cycle as it went: its plan and its entries with the moments they were made."""

    id: str
    plan: Plan
    history: CycleHistory

    def until(self, now: datetime) -> CycleHistory:
        return self._first(sum(entry.recorded_at <= now for entry in self.history.entries))

    @cache  # noqa: B019 - a history computes its digests once; there are thirty cycles and seven hundred looks
    def _first(self, count: int) -> CycleHistory:
        return CycleHistory(self.history.entries[:count])

    @property
    def closed_at(self) -> datetime:
        return self.history.entries[-1].recorded_at


def play(dispatch: Dispatch, number: int) -> Played:
    """Takes every step when the script says so."""
    notice = NOTICES[dispatch.notice]
    rules = DEADLINES.rules(notice.id, YEAR.year, notice.party)
    if dispatch.occasion is Occasion.ANNUAL:
        plan = plan_annual(notice, YEAR.year, rules, CALENDARS)
    else:
        plan = plan_from_opening(
            notice.id, YEAR.year, notice.party, rules, CALENDARS, opened_at=dispatch.opens_at
        )
    moments: dict[str, datetime] = {}
    now = dispatch.opens_at
    actual = plan
    for record in CYCLE_RECORDS:
        kind = record.kind()
        settling = next(
            (one for one in rules.milestones if kind in one.settled_by and one.id in IN_TIME), None
        )
        if settling is not None:
            due = due_moment(settling, actual, CALENDARS, lambda anchor: moments.get(anchor.split(".")[0]))
            at = due - IN_TIME[settling.id]
            if days := dispatch.late.get(settling.id, 0):
                at = datetime.combine(CALENDARS.ward.shift(due.date(), days), due.timetz())
            now = max(now + timedelta(minutes=5), _open(at))
        moments[kind] = now
        now += timedelta(minutes=5)
        if kind == r.HandoverRecord.kind():
            actual = plan.handed_over(moments[kind].date(), CALENDARS)
    cycle_id = f"{YEAR.year}-{notice.id}-{dispatch.occasion.value}-{number:02d}"
    cycle = a_cycle(cycle=cycle_id).with_(**{kind: {name: moments[kind]} for kind, name in MOMENTS.items()})
    entries: list[Entry] = []
    for entry in cycle.history().entries:
        follows = entries[-1].digest if entries else None
        entries.append(entry.model_copy(update={"recorded_at": moments[entry.kind], "follows": follows}))
    posted = _posted(cycle, moments[r.DeliveryConfirmationRecord.kind()] + POSTED_AFTER)
    entries = sorted([*entries, posted, *_counted(cycle, posted)], key=lambda entry: entry.recorded_at)
    return Played(cycle_id, plan, CycleHistory(entries))


def _posted(cycle: ACycle, at: datetime) -> Entry:
    posted = Posted(
        receipt_number="1", party="", envelopes=cycle[r.DeliveryRecord].envelopes_delivered,
        post_office="架空郵便局", posted_at=at,
    )  # fmt: skip
    return cycle.noting(posted).history().entries[-1].model_copy(update={"recorded_at": at})


def _counted(cycle: ACycle, posted: Entry) -> Iterator[Entry]:
    for week in range(1, DEADLINES.returned_mail.weeks + 1):
        at = _open(posted.recorded_at + timedelta(weeks=week) - COUNTED_BEFORE)
        if (cycle.id, week) != FORGOTTEN:
            none = ReturnedMail(returned_on=at.date(), counts={"other": 0}, entered_by=TANTO, entered_at=at)
            yield cycle.noting(none).history().entries[-1].model_copy(update={"recorded_at": at})


def _open(moment: datetime) -> datetime:
    day = CALENDARS.ward.previous_business_day(moment.date())
    return datetime.combine(day, moment.timetz())


def looks() -> Iterator[datetime]:
    day = YEAR.start
    while day <= YEAR.end:
        if CALENDARS.ward.is_business_day(day):
            yield from (datetime.combine(day, look, TOKYO) for look in LOOKS)
        day += timedelta(days=1)


@cache
def the_year() -> tuple[tuple[datetime, str, str, tuple[str, ...]], ...]:
    """Every mail: when, to whom, its subject and the lines about what it tells."""
    numbers: dict[tuple[str, Occasion], int] = {}
    cycles = []
    for dispatch in sorted(SCRIPT, key=lambda one: one.opens_at):
        name = (dispatch.notice, dispatch.occasion)
        numbers[name] = numbers.get(name, 0) + 1
        cycles.append(play(dispatch, numbers[name]))
    told: set[tuple[str, str, int, datetime]] = set()
    sent = []
    for now in looks():
        outgoing = mails_of_a_look(
            _watched(cycles, now),
            [*of_the_register(now.date()), *_of_returned_mail(cycles, now)],
            told,
            now=now,
            people=PEOPLE,
            calendars=CALENDARS,
            post=POST,
        )
        for one in outgoing:
            told |= {each.key for each in one.told}
            lines = tuple(line for line in one.mail.text.splitlines() if line.startswith("・"))
            sent.append((now, one.mail.to, one.mail.subject.removeprefix("【架空データ】"), lines))
    return tuple(sent)


# The papers are ready before they are due; one proof is approved two days late.
PREPARED = {"proof_first", "contract_gates", "proof_final"}
LATE_PROOF = ("premium_notice_special", datetime(2026, 6, 24, 15, tzinfo=TOKYO))


def _prepared(plan: Plan, now: datetime) -> set[str]:
    notice, approved_at = LATE_PROOF
    waiting = (plan.notice, plan.fiscal_year) == (notice, YEAR.year) and now < approved_at
    return PREPARED - {"proof_final"} if waiting else PREPARED


def _watched(cycles: list[Played], now: datetime) -> list[Watched]:
    begun = [one for one in cycles if one.history.entries[0].recorded_at <= now]
    # The year's settings are confirmed in April's run and hold for all others.
    met = {"year_settings"} if begun else set[str]()
    found = [
        (
            one.plan,
            judge(
                one.plan,
                one.until(now),
                now,
                CALENDARS,
                subject=one.id,
                met=met | _prepared(one.plan, now),
            ),
        )
        for one in begun
        if now <= one.closed_at
    ]
    opened = {one.plan.notice for one in begun if one.plan.occasion is Occasion.ANNUAL}
    for notice in NOTICES.values():
        plan = preparation_of(notice, now, DEADLINES, CALENDARS)
        if plan is not None and (plan.fiscal_year != YEAR.year or notice.id not in opened):
            done = (met if plan.fiscal_year == YEAR.year else set[str]()) | _prepared(plan, now)
            found.append((plan, judge(plan, None, now, CALENDARS, subject=first_cycle_id(plan), met=done)))
    return [
        Watched(
            name_ja=NOTICES[plan.notice].name_ja,
            section=NOTICES[plan.notice].section,
            party=plan.party,
            run_path=f"/dags/{plan.notice}",
            escalation=DEADLINES.escalation,
            dues=tuple(dues),
        )
        for plan, dues in found
    ]


def _of_returned_mail(cycles: list[Played], now: datetime) -> Iterator[ReturnedMailReminder]:
    for one in cycles:
        notice, until = NOTICES[one.plan.notice], one.until(now)
        if told := remind_of_returned(until, now.date(), DEADLINES.returned_mail, CALENDARS.ward):
            yield told.model_copy(update={"name_ja": notice.name_ja, "section": notice.section})


def as_calendar() -> str:
    """The year as text: one block a look, one line a mail, below it what it tells."""
    parts = ["# 一年の知らせ（架空の年度 令和8年度）。作り直し: python -m tests.unit.test_simulated_year"]
    last = None
    for now, to, subject, lines in the_year():
        if now != last:
            parts.append(f"\n{dated(now)}")
            last = now
        parts += [f"  {to}　{subject}", *(f"      {line}" for line in lines)]
    return "\n".join(parts) + "\n"


def test_the_year_is_the_one_that_was_reviewed(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{len(the_year())} mails in the year; see {EXPECTED.name}")
    assert as_calendar() == EXPECTED.read_text(encoding="utf-8")


def test_all_nine_notices_are_dispatched() -> None:
    assert {dispatch.notice for dispatch in SCRIPT} == set(NOTICES)
    assert len(NOTICES) == 9


def test_nobody_is_written_to_on_a_closed_day_or_outside_the_looks() -> None:
    assert all(CALENDARS.ward.is_business_day(now.date()) and now.time() in LOOKS for now, *_ in the_year())


def test_nobody_gets_two_mails_at_one_look() -> None:
    seen = [(now, to) for now, to, *_ in the_year()]
    assert len(seen) == len(set(seen))


def test_a_director_hears_only_of_what_a_chief_heard_of_before() -> None:
    def first(address: str, words: str) -> datetime | None:
        return next(
            (
                now
                for now, to, subject, lines in the_year()
                if to == address and words in subject + "".join(lines)
            ),
            None,
        )

    chief, director = (first(f"kaigo-{who}@ward.example", "消去確認") for who in ("kakaricho", "kacho"))
    section = next(
        now
        for now, to, subject, lines in the_year()
        if to == "kaigo-hoken@ward.example"
        and "【期限超過】" in "".join(lines)
        and "消去確認（" in "".join(lines)
    )
    assert chief is not None
    assert director is not None
    assert section < chief < director
    assert Level.CHIEF < Level.DIRECTOR


def test_what_the_register_asks_for_is_told_to_whom_it_concerns_when_it_grows_louder() -> None:
    told = [
        (f"{now:%m-%d}", to.partition("@")[0], line)
        for now, to, _, lines in the_year()
        for line in lines
        if "登録簿" in line
    ]
    of_audits = [(day, to, line[2:].split("】")[1]) for day, to, line in told if "立入調査等（" in line]
    assert of_audits == [
        ("09-01", "kaigo-hoken", "【期限が近い"),  # the other one has no plan
        ("10-27", "kaigo-hoken", "【期限が近い"),  # two weeks before the planned day
        ("11-17", "kaigo-hoken", "【期限が近い"),
        ("01-04", "kaigo-kacho", "【期限が近い"),  # 31 December is closed
        ("03-01", "kaigo-kacho", "【至急"),
    ]
    carried_over = [(day, to) for day, to, line in told if "年度を越えた消去" in line]
    assert carried_over == [("04-01", "houkatsu-kacho")]


def test_a_week_without_a_count_of_returned_letters_is_told_once_to_the_section() -> None:
    told = [
        (f"{now:%m-%d}", to.partition("@")[0], "premium_notice_ordinary-annual-01、差出しから3週目" in line)
        for now, to, subject, lines in the_year()
        for line in (subject, *lines)
        if "返戻の数" in line
    ]
    assert told == [
        ("08-05", "kaigo-hoken", True),
        ("01-04", "kaigo-hoken", False),  # a week that was over while the office was closed
    ]


def test_a_cycle_in_time_is_never_told_to_a_superior() -> None:
    above = [
        lines
        for _, to, subject, lines in the_year()
        if "kakaricho" in to or "kacho" in to
        for lines in [(subject, *lines)]
    ]
    assert above
    assert not any("仮徴収通知" in line or "べんり帳" in line for lines in above for line in lines)


if __name__ == "__main__":
    EXPECTED.write_text(as_calendar(), encoding="utf-8")
    sys.stdout.write(as_calendar())
