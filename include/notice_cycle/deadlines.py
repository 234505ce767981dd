"""Who is late with what: the dispatch plan against the ledger, judged by one pure function.

Amber: the due moment is near, or past it by less than the rule allows. Red: overdue. A step nobody can take yet
(the record it counts from does not stand) is open whatever the time: the step before it is the one that is late.
Times are aware; the caller says what time it is. Nothing is sent from here: alerts.py tells.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Literal, Self

from notice_cycle import clock
from notice_cycle.business_calendar import Calendars
from notice_cycle.catalogue import Notice
from notice_cycle.copies.facts import kept_until
from notice_cycle.copies.told import erasures_told_at, had_files
from notice_cycle.deadline_rules import (
    ROLES_JA,
    Deadlines,
    Escalation,
    Milestone,
    Role,
    Rules,
    load_deadlines,
)
from notice_cycle.dispatch_plan import Plan, due_moment, moved, plan_annual, plan_from_opening, said
from notice_cycle.errors import Refused
from notice_cycle.fiscal_year import FiscalYear, tokyo_date
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import Posted, all_posted_at
from notice_cycle.pullout import PulloutRequested, open_pullouts, pullouts
from notice_cycle.records import (
    DeliveryConfirmationRecord,
    Fact,
    HandoverRecalled,
    HandoverRecord,
    OpeningRecord,
    Route,
    YearSettingsRecord,
)
from notice_cycle.stage import STAGES
from notice_cycle.values import CYCLE_ID_PATTERN, CycleId, Frozen, Occasion

State = Literal["done", "open", "amber", "red"]
STATES_JA: dict[State, str] = {"done": "済み", "open": "これから", "amber": "期限が近い", "red": "期限超過"}
PASSED_JA = "期限を過ぎた"
"""How amber reads between the due moment and red."""

LOOKS = (time(9), time(13), time(15))
"""When deadline_watch looks, on the ward's business days. Not at night: a contractor's staff have gone home."""


class Due(Frozen):
    """One milestone of one dispatch as it stands now.

    `since`: done, amber or red since then. `firm` false: counted from a record that has yet to come.
    """

    subject: CycleId
    milestone: str
    label_ja: str
    stage: str
    due_at: datetime
    amber_at: datetime
    red_at: datetime
    state: State
    state_ja: str
    since: datetime | None
    firm: bool
    who: Role
    who_ja: str
    escalates: bool
    sentence_ja: str
    why_ja: str
    advice_ja: str

    @property
    def runbook_anchor(self) -> str:
        """The section of docs/runbook.md: stages and sections have the same names."""
        return self.stage


def judge(
    plan: Plan,
    history: CycleHistory | None,
    now: datetime,
    calendars: Calendars,
    *,
    subject: str,
    met: Collection[str] = (),
) -> list[Due]:
    """Every milestone that is told, in order of time; empty for a withdrawn cycle.

    `history` is None before the cycle opens, and then only what prepares it is judged. `subject`: the id the cycle has or will have. `met`: milestones that
    something outside the cycle has settled (the year's settings confirmed in another cycle, the register).
    """
    if history is not None and history.withdrawn:
        return []
    recalled = history is not None and history.recalled
    handed = history.find(HandoverRecord) if history is not None else None
    if handed is not None:
        plan = plan.handed_over(tokyo_date(handed.sent_at), calendars)

    def known(anchor: str) -> datetime | None:
        return _moment_in(history, anchor)

    dues = [
        _due(
            one,
            plan,
            history,
            now,
            calendars,
            subject=subject,
            met=one.id in met or (one.by_register and handed is not None),
            at=_unless_kept(one, history, due_moment(one, plan, calendars, known)),
        )
        for one in plan.rules.milestones
        if one.told
        and (history is not None or one.stage == STAGES[0].id)
        and _has_gone(one.route, history)
        and not (one.subcontractor and not (history and had_files(history)))
        and not (one.pullout and not (history and pullouts(history)))
        and not (one.by_register and plan.occasion is not Occasion.ANNUAL)
        and not (recalled and one.stage not in _AFTER_RECALL)
    ]
    return sorted(dues, key=lambda due: due.due_at)


_AFTER_RECALL = ("erasure", "closing")
"""What a dispatch given up after it left still has to do."""


def plan_of(history: CycleHistory, notice: Notice, deadlines: Deadlines, calendars: Calendars) -> Plan:
    """The plan of an open cycle: the yearly one for an annual run that has one, else counted from its opening."""
    opening = history.opening
    rules = deadlines.rules(opening.notice, opening.fiscal_year, notice.party)
    if opening.occasion is Occasion.ANNUAL:
        try:
            return plan_annual(notice, opening.fiscal_year, rules, calendars)
        except Refused:
            pass  # an annual run of a notice that has no yearly day: counted from its opening
    return plan_from_opening(
        opening.notice,
        opening.fiscal_year,
        notice.party,
        rules,
        calendars,
        opened_at=history.records[0].recorded_at,
    )


def preparation_of(notice: Notice, now: datetime, deadlines: Deadlines, calendars: Calendars) -> Plan | None:
    """The yearly plan whose cycle is to be opened next: from sixty days before its start to its posting day."""
    plans = yearly_plans(notice, now, deadlines, calendars)
    return next((plan for plan in plans if preparation_begins(plan) <= now), None)


def yearly_plans(notice: Notice, now: datetime, deadlines: Deadlines, calendars: Calendars) -> Iterator[Plan]:
    """This fiscal year's plan until its posting day is over, then the next one's; none for a notice without a yearly run."""
    year = FiscalYear.of(now).year
    for fiscal_year in (year, year + 1):
        try:
            plan = plan_annual(
                notice, fiscal_year, deadlines.rules(notice.id, fiscal_year, notice.party), calendars
            )
        except Refused:
            return
        if tokyo_date(now) <= plan.posting:
            yield plan


def preparation_begins(plan: Plan) -> datetime:
    """When a yearly dispatch is prepared from."""
    return plan.start - _SOON


_SOON = timedelta(days=60)


def first_cycle_id(plan: Plan) -> str:
    """The id a plan's annual cycle will take when nothing was withdrawn before."""
    return f"{plan.fiscal_year}-{plan.notice}-{plan.occasion.value}-01"


def settled_elsewhere(
    fiscal_year: int, year_settings: Iterable[YearSettingsRecord], rules: Rules
) -> set[str]:
    """Milestones that another cycle's confirmation of the year's settings has settled."""
    if not any(record.fiscal_year == fiscal_year for record in year_settings):
        return set()
    return {one.id for one in rules.milestones if YearSettingsRecord.kind() in one.settled_by}


# ---- whom to tell


class Level(IntEnum):
    """How far up a due date has gone."""

    SOON = 0
    OVERDUE = 1
    CHIEF = 2
    DIRECTOR = 3


class Told(Frozen):
    """Somebody is to be told, or was: one per level and due moment."""

    subject: str
    milestone: str
    level: Level
    to_role: Role
    due_at: datetime

    @property
    def key(self) -> tuple[str, str, int, datetime]:
        """By which a repeat is recognised: a due date that moves is told anew."""
        return (self.subject, self.milestone, int(self.level), self.due_at)

    @property
    def copied(self) -> "Told":
        """The same as the contractor's copy tells it, remembered apart."""
        return self.model_copy(update={"milestone": f"copy:{self.milestone}", "to_role": "contractor"})

    @property
    def cycle(self) -> str | None:
        """The cycle it is entered under; None for what belongs to no cycle."""
        return self.subject if re.match(CYCLE_ID_PATTERN, self.subject) else None


class AlertSent(Fact):
    """期限の知らせ: who was told of which due date, once a level. `subject`: the cycle, `today` or `register`.

    `level`: 0 soon, 1 overdue, 2 to 係長, 3 to 課長. For 今日の一枚 `milestone` is the office's address.
    """

    label_ja = "期限の知らせ"
    subject: str
    milestone: str
    level: int
    to_role: str
    due_at: datetime
    told_at: datetime

    @classmethod
    def of(cls, told: Told, at: datetime) -> Self:
        """What is entered once the mail has been handed over."""
        return cls(
            subject=told.subject,
            milestone=told.milestone,
            level=int(told.level),
            to_role=told.to_role,
            due_at=told.due_at,
            told_at=at,
        )

    @property
    def key(self) -> tuple[str, str, int, datetime]:
        """As Told.key."""
        return (self.subject, self.milestone, self.level, self.due_at)


def to_tell(due: Due, now: datetime, escalation: Escalation, calendars: Calendars) -> list[Told]:
    """Who is to know of a due date now, lowest level first; what was told before is for the caller to leave out.

    担当 at the first look after it turned red, 係長 and 課長 so many days (deadlines.yaml) after that look, in the
    morning: nobody's superior hears of it first. A contractor's step is told to the section, which has to call.
    """
    first: Role = "section" if due.who == "contractor" else due.who
    if due.state == "amber":
        return [_told(due, Level.SOON, first)]
    if due.state != "red":
        return []
    found, first_told = [_told(due, Level.OVERDUE, first)], tokyo_date(next_look(due.red_at, calendars))
    steps: tuple[tuple[Level, Role, int], ...] = (
        (Level.CHIEF, "chief", escalation.chief_after_days),
        (Level.DIRECTOR, "director", escalation.director_after_days),
    )
    for level, role, days in steps:
        morning = datetime.combine(calendars.ward.shift(first_told, days), LOOKS[0], clock.TOKYO)
        if due.escalates and role != first and now >= morning:
            found.append(_told(due, level, role))
    return found


def next_look(now: datetime, calendars: Calendars) -> datetime:
    """The first look after `now`, on a ward business day."""
    day = tokyo_date(now)
    while True:
        if calendars.ward.is_business_day(day):
            for look in LOOKS:
                at = datetime.combine(day, look, clock.TOKYO)
                if at > now:
                    return at
        day = calendars.ward.shift(day, 1)


def load(config: Path) -> tuple[Deadlines, Calendars]:
    """The rules and the calendars of a configuration folder. Raises NotConfigured."""
    return load_deadlines(config), Calendars.from_file(config / "calendar.yaml")


# ---- below: one milestone


def _due(
    milestone: Milestone,
    plan: Plan,
    history: CycleHistory | None,
    now: datetime,
    calendars: Calendars,
    *,
    subject: str,
    met: bool,
    at: datetime,
) -> Due:
    amber_at = moved(at, milestone.amber_before, calendars, plan.party, back=True)
    red_at = moved(at, milestone.red_after, calendars, plan.party)
    firm = _is_firm(milestone, history)
    settled_at = _settled_at(milestone, history)
    state: State
    since: datetime | None
    if met or settled_at is not None:
        state, since = "done", settled_at
    elif not firm or now < amber_at:
        state, since = "open", None
    elif now <= red_at:
        state, since = "amber", amber_at
    else:
        state, since = "red", red_at
    return Due(
        subject=subject,
        milestone=milestone.id,
        label_ja=milestone.label_ja,
        stage=milestone.stage,
        due_at=at,
        amber_at=amber_at,
        red_at=red_at,
        state=state,
        state_ja=PASSED_JA if state == "amber" and now > at else STATES_JA[state],
        since=since,
        firm=firm,
        who=milestone.who,
        who_ja=ROLES_JA[milestone.who],
        escalates=milestone.escalates,
        sentence_ja=_sentence(milestone, state, at=at, red_at=red_at, since=since, now=now),
        why_ja=milestone.why_ja,
        advice_ja=milestone.action_ja,
    )


def _unless_kept(milestone: Milestone, history: CycleHistory | None, at: datetime) -> datetime:
    """What the ward has instructed to keep is to be erased on that day (指示による保管), not before."""
    if history is None or not milestone.kept:
        return at
    until = kept_until(history, data_only=milestone.kept == "data")
    return max(at, datetime.combine(until, _CLOSE_OF_DAY, clock.TOKYO)) if until else at


_CLOSE_OF_DAY = time(17)


def _has_gone(route: Route | None, history: CycleHistory | None) -> bool:
    handed = history.find(HandoverRecord) if history else None
    return route is None or (handed is not None and handed.route == route)


def _is_firm(milestone: Milestone, history: CycleHistory | None) -> bool:
    if milestone.after and not _kind_stands(history, milestone.after):
        return False
    return "." not in milestone.anchor or _moment_in(history, milestone.anchor) is not None


def _settled_at(milestone: Milestone, history: CycleHistory | None) -> datetime | None:
    if history is None:
        return None
    known = [
        entry.recorded_at
        for kind in milestone.settled_by
        if kind != Posted.kind()
        for entry in _standing(history, kind)
    ]
    if Posted.kind() in milestone.settled_by and (posted := all_posted_at(history)):
        known.append(posted)
    if milestone.subcontractor and (told := erasures_told_at(history)):
        known.append(told)
    if milestone.pullout:  # one after another: the last one's end is what is waited for
        return max(known) if known and not open_pullouts(history) else None
    return min(known) if known else None


def _standing(history: CycleHistory, kind: str) -> Sequence[Entry]:
    records = [entry for entry in history.current if entry.kind == kind]
    if records:
        return records
    is_record = any(entry.kind == kind for entry in history.records)
    return [] if is_record else [entry for entry in history.entries if entry.kind == kind]


def _kind_stands(history: CycleHistory | None, kind: str) -> bool:
    return history is not None and bool(_standing(history, kind))


def _moment_in(history: CycleHistory | None, anchor: str) -> datetime | None:
    if history is None:
        return None
    kind, _, field = anchor.partition(".")
    if history.recalled and kind == DeliveryConfirmationRecord.kind():
        # Nothing will be delivered: the erasure is due as if it had been on the day the dispatch was given up.
        return next(one.recorded_at for one in history.entries if one.kind == HandoverRecalled.kind())
    if kind == PulloutRequested.kind():
        return max((one.request.requested_at for one in pullouts(history)), default=None)
    for entry in _standing(history, kind):
        return entry.recorded_at if field == "recorded_at" else datetime.fromisoformat(entry.data[field])
    return None


def _sentence(
    milestone: Milestone,
    state: State,
    *,
    at: datetime,
    red_at: datetime,
    since: datetime | None,
    now: datetime,
) -> str:
    label = f"「{milestone.label_ja}」（{ROLES_JA[milestone.who]}）"
    if state == "done":
        return f"{label}は済んでいます" + (f"（{said(since)}）。" if since else "。")
    if state == "red":
        late = (tokyo_date(now) - tokyo_date(red_at)).days
        return f"{label}が、期限の{said(at)}を過ぎても済んでいません" + (
            f"（{late}日超過）。" if late else "。"
        )
    if state == "amber" and now > at:
        return (
            f"{label}が、期限の{said(at)}を過ぎました。{said(red_at)}までに済まなければ期限超過になります。"
        )
    return f"{label}の期限は{said(at)}です。"


def _told(due: Due, level: Level, role: Role) -> Told:
    return Told(subject=due.subject, milestone=due.milestone, level=level, to_role=role, due_at=due.due_at)


def opened(openings: Iterable[OpeningRecord], plan: Plan) -> bool:
    """Whether a plan's annual cycle was ever opened."""
    return any(
        (one.notice, one.fiscal_year, one.occasion) == (plan.notice, plan.fiscal_year, plan.occasion)
        for one in openings
    )
