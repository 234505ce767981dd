"""The dispatch plan 発送計画: from the first due date of payment backwards to every due date, before anything runs.

A plan is the latest that still works: one day's slip of the hand-over is a day's slip of the posting. It knows
no cycle and judges nothing; deadlines.py compares it with the ledger.

    python -m notice_cycle.dispatch_plan --notice premium_notice_ordinary --fiscal-year 2026 [--slip 1]
    python -m notice_cycle.dispatch_plan --document docs/dispatch-plan.md
"""

import argparse
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

from notice_cycle import clock
from notice_cycle.business_calendar import CONTRACTOR, POST, Calendars
from notice_cycle.catalogue import Notice, load_notice, notice_ids
from notice_cycle.deadline_rules import ROLES_JA, Milestone, Offset, Point, Rules, load_deadlines
from notice_cycle.errors import NoticeCycleError, Refused
from notice_cycle.fiscal_year import FIRST_MONTH, FiscalYear, tokyo_date
from notice_cycle.settings import Settings
from notice_cycle.values import Frozen, Occasion

Known = Callable[[str], datetime | None]
"""Asks for the moment of `record.field`; None while the record does not stand."""


class Plan(Frozen):
    """The days of one dispatch. `delivery` moves with the actual hand-over, `posting` and `year_end` never do."""

    notice: str
    fiscal_year: int
    occasion: Occasion
    party: str
    rules: Rules
    start: datetime
    handover: date
    delivery: date
    posting: date
    first_due: date | None
    year_end: date

    def point(self, named: Point) -> date:
        """A day of the plan. Without a first due date: the posting."""
        if named == "start":
            return tokyo_date(self.start)
        day: date | None = getattr(self, named)
        return day or self.posting

    def handed_over(self, on: date, calendars: Calendars) -> "Plan":
        """The plan after a hand-over on another day than planned: the contractor keeps its printing days."""
        delivery = _delivery(on, self.rules, calendars, self.party)
        return self.model_copy(update={"delivery": delivery})

    def conflicts(self, calendars: Calendars) -> list[str]:
        """What cannot work in this plan, one Japanese sentence each."""
        needed = self.rules.milestone("extraction")
        due = due_moment(needed, self, calendars)
        if due < self.start:
            return [
                f"自動開始（{said(self.start)}）が、{needed.label_ja}の期限（{said(due)}）より後です。"
                "差出しの余裕か、委託先が作る日数を縮めてください。"
            ]
        return []


def plan_annual(notice: Notice, fiscal_year: int, rules: Rules, calendars: Calendars) -> Plan:
    """The plan of the yearly run. Raises Refused for a notice that has none."""
    starts = notice.starts
    if starts is None or rules.plan.counts_from == "opening":
        raise Refused(
            f"{notice.name_ja}には、年に一度の自動開始か、さかのぼって数える日がありません。",
            advice="随時の通知書です。開始した日から数えた期限は、発送回の画面と「今日の一枚」に出ます。",
        )
    year = _year_of_month(fiscal_year, starts.month)
    first_day = calendars.ward.first_business_day(year, starts.month)
    first_due, posting = _posting(fiscal_year, rules, calendars)
    delivery = calendars.ward.shift(posting, -rules.plan.delivery_before_posting)
    return Plan(
        notice=notice.id,
        fiscal_year=fiscal_year,
        occasion=Occasion.ANNUAL,
        party=notice.party,
        rules=rules,
        start=datetime.combine(first_day, time(starts.hour), clock.TOKYO),
        handover=_handover(delivery, rules, calendars, notice.party),
        delivery=delivery,
        posting=posting,
        first_due=first_due,
        year_end=_year_end(fiscal_year, calendars),
    )


def plan_from_opening(
    notice: str, fiscal_year: int, party: str, rules: Rules, calendars: Calendars, *, opened_at: datetime
) -> Plan:
    """The plan of a run that a person starts: counted forward from the opening."""
    handover = calendars.ward.shift(tokyo_date(opened_at), rules.plan.handover_after_opening)
    delivery = _delivery(handover, rules, calendars, party)
    return Plan(
        notice=notice,
        fiscal_year=fiscal_year,
        occasion=Occasion.SUPPLEMENTARY,
        party=party,
        rules=rules,
        start=opened_at,
        handover=handover,
        delivery=delivery,
        posting=calendars.ward.shift(delivery, rules.plan.delivery_before_posting),
        first_due=None,
        year_end=_year_end(fiscal_year, calendars),
    )


def due_moment(
    milestone: Milestone, plan: Plan, calendars: Calendars, known: Known = lambda _: None
) -> datetime:
    """When a milestone is due. While the record it counts from does not stand: as if that came in time."""
    if milestone.anchor in ("start", "handover", "delivery", "posting", "first_due", "year_end"):
        day = plan.point(milestone.anchor)  # type: ignore[arg-type]  # the tuple above is Point
        due = moved(datetime.combine(day, time(0), clock.TOKYO), milestone.offset, calendars, plan.party)
    else:
        anchored = known(milestone.anchor) or _expected(milestone, plan, calendars, known)
        due = moved(anchored, milestone.offset, calendars, plan.party)
    if plan.occasion is Occasion.SUPPLEMENTARY and due < plan.start:
        # Started by hand, nothing can have been due before: what should have been prepared is due that day.
        day = calendars.ward.next_business_day(tokyo_date(plan.start))
        return datetime.combine(day, calendars.ward.hours.closes, clock.TOKYO)
    return due


def moved(
    moment: datetime, offset: Offset, calendars: Calendars, party: str, *, back: bool = False
) -> datetime:
    """A moment by an offset further, or as far back. An empty offset is the moment itself."""
    calendar = calendars.of(offset.calendar, party=party)
    sign = -1 if back else 1
    if offset.hours:
        return calendar.shift_hours(moment, sign * offset.hours)
    if not offset.days and offset.at is None:
        return moment
    local = moment.astimezone(clock.TOKYO)
    day = calendar.shift(local.date(), sign * offset.days)
    return datetime.combine(day, offset.at or local.time(), clock.TOKYO)


class Row(NamedTuple):
    """One line of the plan's table."""

    milestone: Milestone
    due_at: datetime


def rows(plan: Plan, calendars: Calendars, known: Known = lambda _: None) -> list[Row]:
    """Every milestone that can be planned with its due moment, in order of time."""
    planned = (one for one in plan.rules.milestones if not one.pullout)
    found = [Row(one, due_moment(one, plan, calendars, known)) for one in planned]
    return sorted(found, key=lambda row: row.due_at)


# ---- what if


class Slipped(NamedTuple):
    """One due date when the hand-over slips: when it is then reached, and whether that is too late."""

    milestone: Milestone
    planned_at: datetime
    reached_at: datetime
    red_at: datetime

    @property
    def is_red(self) -> bool:
        """Whether it is overdue then."""
        return self.reached_at > self.red_at


class WhatIf(NamedTuple):
    """The plan with a later hand-over. `safe`: the last hand-over that keeps the plan's posting day.

    `last`: the last one with which the post still arrives before the first due date (or the day to arrive by).
    """

    handover: date
    delivery: date
    posting: date
    arrives: date
    slipped: tuple[Slipped, ...]
    safe: date
    last: date


def what_if(plan: Plan, slip: int, calendars: Calendars) -> WhatIf:
    """「引渡しが n 日遅れると」: everything before the hand-over in time, everything after it as late as it may be."""
    handover = calendars.ward.shift(plan.handover, slip) if slip else plan.handover
    late = plan.handed_over(handover, calendars)
    posting = calendars.ward.shift(late.delivery, plan.rules.plan.delivery_before_posting)
    reached = late.model_copy(update={"handover": handover, "posting": max(posting, plan.posting)})
    slipped = []
    for row in rows(plan, calendars):
        one, before = row.milestone, row.milestone.anchor == "handover" and row.due_at.date() < plan.handover
        then = row.due_at if before else due_moment(one, reached, calendars)
        # A date that counts from an actual hand-over moves with it; one that counts from the plan does not.
        limit = row.due_at if one.anchor in ("handover", "posting", "first_due", "year_end") else then
        slipped.append(
            Slipped(one, row.due_at, then, moved(limit, one.red_after, calendars, plan.party)),
        )
    return WhatIf(
        handover=handover,
        delivery=late.delivery,
        posting=reached.posting,
        arrives=arrival(reached.posting, plan.rules, calendars),
        slipped=tuple(slipped),
        safe=plan.handover,
        last=_last_handover(plan, calendars),
    )


def arrival(posted: date, rules: Rules, calendars: Calendars) -> date:
    """The day by which mail posted on a day has arrived."""
    return calendars.of(POST).shift(posted, rules.plan.postal_days)


# ---- how a day is found


def _posting(fiscal_year: int, rules: Rules, calendars: Calendars) -> tuple[date | None, date]:
    rule = rules.plan
    if rule.counts_from == "first_due":
        year = _year_of_month(fiscal_year, rule.first_due_month)
        month_end = date(year, rule.first_due_month, monthrange(year, rule.first_due_month)[1])
        first_due = calendars.ward.next_business_day(month_end)
        return first_due, calendars.ward.shift(first_due, -rule.posting_before_first_due)
    month, day = (int(part) for part in (rule.arrive_by or "").split("-"))
    post = calendars.of(POST)
    arrives = post.previous_business_day(date(_year_of_month(fiscal_year, month), month, day))
    return None, calendars.ward.previous_business_day(post.shift(arrives, -rule.postal_days))


def _delivery(handover: date, rules: Rules, calendars: Calendars, party: str) -> date:
    days = calendars.of(CONTRACTOR, party=party).shift(handover, rules.plan.handover_before_delivery)
    return calendars.ward.next_business_day(days)


def _handover(delivery: date, rules: Rules, calendars: Calendars, party: str) -> date:
    days = calendars.of(CONTRACTOR, party=party).shift(delivery, -rules.plan.handover_before_delivery)
    return calendars.ward.previous_business_day(days)


def _last_handover(plan: Plan, calendars: Calendars) -> date:
    day, rule = plan.handover, plan.rules.plan
    if plan.first_due:
        limit = plan.first_due - timedelta(days=1)
    elif rule.arrive_by:
        limit = date(plan.posting.year, *(int(part) for part in rule.arrive_by.split("-")))
    else:
        return day
    while True:
        following = calendars.ward.shift(day, 1)
        delivered = _delivery(following, plan.rules, calendars, plan.party)
        posted = calendars.ward.shift(delivered, rule.delivery_before_posting)
        if arrival(posted, plan.rules, calendars) > limit:
            return day
        day = following


def _year_of_month(fiscal_year: int, month: int) -> int:
    return fiscal_year if month >= FIRST_MONTH else fiscal_year + 1


def _year_end(fiscal_year: int, calendars: Calendars) -> date:
    return calendars.ward.previous_business_day(FiscalYear(fiscal_year).end)


def _expected(milestone: Milestone, plan: Plan, calendars: Calendars, known: Known) -> datetime:
    """When the record that a milestone counts from should come: the due moment of what it settles."""
    kind = milestone.anchor.split(".")[0]
    settling = next((one for one in plan.rules.milestones if kind in one.settled_by), None)
    if (
        settling is None or settling.id == milestone.id
    ):  # of a step nobody is late with, e.g. a printed notice
        return datetime.combine(plan.handover, time(12), clock.TOKYO)
    return due_moment(settling, plan, calendars, known)


# ---- as a person reads it


def said(moment: datetime) -> str:
    """7月6日（月）12:00 as read in Tokyo."""
    local = moment.astimezone(clock.TOKYO)
    return f"{said_day(local.date())}{local:%H:%M}"


def said_day(day: date) -> str:
    """7月6日（月）."""
    return f"{day.month}月{day.day}日（{'月火水木金土日'[day.weekday()]}）"


def dated(moment: datetime) -> str:
    """2026-07-06（月）12:00 as read in Tokyo."""
    local = moment.astimezone(clock.TOKYO)
    return f"{local:%Y-%m-%d}（{'月火水木金土日'[local.weekday()]}）{local:%H:%M}"


def as_text(plan: Plan, name_ja: str, calendars: Calendars, slip: int = 0) -> str:
    """The plan as the command prints it."""
    first_due = f"　第1期納期限 {said_day(plan.first_due)}" if plan.first_due else ""
    lines = [
        f"発送計画　{name_ja}　{FiscalYear(plan.fiscal_year).label_ja}",
        f"自動開始 {said(plan.start)}　引渡し（T） {said_day(plan.handover)}　納品 {said_day(plan.delivery)}"
        f"　差出しの最終日 {said_day(plan.posting)}　到着 {said_day(arrival(plan.posting, plan.rules, calendars))}{first_due}",
        *(f"（{reason}）" for reason in plan.rules.reasons_ja),
        *(f"注意: {conflict}" for conflict in plan.conflicts(calendars)),
        "",
    ]
    if not slip:
        lines += [
            f"{dated(row.due_at)}　{ROLES_JA[row.milestone.who]}　{row.milestone.label_ja}"
            for row in rows(plan, calendars)
        ]
        return "\n".join(lines)
    then = what_if(plan, slip, calendars)
    red = [one for one in then.slipped if one.is_red]
    lines += [
        f"引渡しが{slip}開庁日遅れて {said_day(then.handover)} になると: 納品 {said_day(then.delivery)}"
        f"　差出し {said_day(then.posting)}　到着 {said_day(then.arrives)}",
        f"期限を過ぎるもの: {'、'.join(one.milestone.label_ja for one in red) or 'なし'}",
        f"余裕を守れる最後の引渡し: {said_day(then.safe)}　納期限（届ける日）に間に合う最後の引渡し: {said_day(then.last)}",
        "",
        *(
            f"{dated(one.planned_at)} → {dated(one.reached_at)}　{'期限超過' if one.is_red else '順延' if one.reached_at != one.planned_at else '変わらず'}"
            f"　{one.milestone.label_ja}"
            for one in then.slipped
        ),
    ]
    return "\n".join(lines)


def as_document(config: Path, years: Sequence[int]) -> str:
    """docs/dispatch-plan.md: every due date of every yearly run, one table a plan."""
    calendars = Calendars.from_file(config / "calendar.yaml")
    deadlines = load_deadlines(config)
    parts = [_INTRODUCTION]
    seen: dict[str, list[str]] = {}
    for notice_id in notice_ids(config):
        notice = load_notice(config, notice_id)
        try:
            plans = [
                plan_annual(notice, year, deadlines.rules(notice_id, year, notice.party), calendars)
                for year in years
            ]
        except Refused:
            continue
        seen.setdefault(_tables(plans, calendars), []).append(notice.name_ja)
    for tables, names in seen.items():
        parts.append(f"## {'、'.join(names)}\n\n{tables}")
    parts.append(_from_opening(deadlines.rules("", years[0], ""), years[0]))
    return "\n".join(parts)


_INTRODUCTION = """# 発送計画 (dispatch plan)

`include/config/deadlines.yaml`・`calendar.yaml` から作った日付の表です。手で直さず、設定を直して作り直します。

```sh
python -m notice_cycle.dispatch_plan --document docs/dispatch-plan.md
```

一つの年度だけを、遅れたときの影響と合わせて見るには:

```sh
python -m notice_cycle.dispatch_plan --notice premium_notice_ordinary --fiscal-year 2026 --slip 1
```

引渡し（T）は、間に合う最後の日です。納品・差出し・消去の行は、引渡しが計画どおりだったときの日付で、実際の引渡し・納品の日から数え直されます。
黄は、その時刻から期限が近いことを知らせるもの、赤は、過ぎると期限超過を知らせるものです。赤が空欄の行は、一覧に載せるだけです。
"""


def _tables(plans: Sequence[Plan], calendars: Calendars) -> str:
    parts = []
    for plan in plans:
        then, first_due = what_if(plan, 1, calendars), ""
        if plan.first_due:
            first_due = f"、第1期納期限 {said_day(plan.first_due)}"
        parts.append(
            f"### {FiscalYear(plan.fiscal_year).label_ja}（{plan.fiscal_year}年度）\n\n"
            f"自動開始 {said(plan.start)}、引渡し（T）{said_day(plan.handover)}、納品 {said_day(plan.delivery)}、"
            f"差出しの最終日 {said_day(plan.posting)}、到着 {said_day(arrival(plan.posting, plan.rules, calendars))}{first_due}。\n"
        )
        parts += [f"- {reason}。" for reason in plan.rules.reasons_ja]
        parts += [f"- **{conflict}**" for conflict in plan.conflicts(calendars)]
        red = "、".join(one.milestone.label_ja for one in then.slipped if one.is_red)
        parts.append(
            f"- 引渡しが1開庁日遅れると: 引渡し {said_day(then.handover)}、納品 {said_day(then.delivery)}、"
            f"差出し {said_day(then.posting)}。期限を過ぎるもの: {red}。\n"
            f"- 納期限（届ける日）に間に合う最後の引渡しは {said_day(then.last)} です。\n\n"
            "| 期限 | 黄 | 赤 | だれが | 何を | 段階 |\n|---|---|---|---|---|---|"
        )
        for milestone, due_at in rows(plan, calendars):
            amber = moved(due_at, milestone.amber_before, calendars, plan.party, back=True)
            red_at = moved(due_at, milestone.red_after, calendars, plan.party)
            parts.append(
                f"| {dated(due_at)} | {said(amber) if milestone.told and amber != due_at else ''} "
                f"| {said(red_at) if milestone.told else ''} | {ROLES_JA[milestone.who]} | {milestone.label_ja} | {milestone.stage} |"
            )
        parts.append("")
    return "\n".join(parts)


def _from_opening(rules: Rules, fiscal_year: int) -> str:
    lines = [
        "## 随時処理と、そのほかの通知書\n",
        f"開始した日から数えます。引渡し（T）は開始の{rules.plan.handover_after_opening}開庁日後、"
        f"納品は引渡しの{rules.plan.handover_before_delivery}営業日後（委託先の暦）、差出しは納品の翌開庁日です。\n",
        "| 何を | だれが | 起点 | 期限 |\n|---|---|---|---|",
    ]
    for one in rules.milestones:
        if one.told and one.anchor != "start" and not one.by_register:
            lines.append(
                f"| {one.label_ja} | {ROLES_JA[one.who]} | {_ANCHORS_JA.get(one.anchor, one.anchor)} | {_offset_ja(one.offset)} |"
            )
    return "\n".join(lines) + "\n"


_ANCHORS_JA: Mapping[str, str] = {
    "handover": "引渡し（T）",
    "delivery": "納品の予定日",
    "posting": "差出しの最終日",
    "year_end": "年度末の最後の開庁日",
    "handover.sent_at": "引き渡した時刻",
    "passphrase_notice.printed_at": "通知書を印刷した時刻",
    "pullout_requested.requested_at": "引抜き・差替えを依頼した時刻",
    "delivery_confirmation.delivered_at": "納品の日",
    "erasure.recorded_at": "消去報告を受け付けた時刻",
    "erasure_confirmation.entered_at": "消去確認の時刻",
}


def _offset_ja(offset: Offset) -> str:
    if offset.hours:
        return f"{offset.hours}時間（{'委託先の' if offset.calendar == CONTRACTOR else ''}人がいる時間）"
    days = {0: "当日"}.get(offset.days, f"{abs(offset.days)}開庁日{'前' if offset.days < 0 else '後'}")
    return f"{days} {offset.at:%H:%M}" if offset.at else days


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Exit status 1 with a Japanese sentence when a file or a name is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m notice_cycle.dispatch_plan", description="発送計画を表にします"
    )
    parser.add_argument("--notice", help="通知書の ID（include/config/notices のファイル名）")
    parser.add_argument("--fiscal-year", type=int, help="年度（西暦）")
    parser.add_argument("--slip", type=int, default=0, help="引渡しが遅れる開庁日数")
    parser.add_argument("--document", type=Path, help="三年度分の表をこのファイルに書く")
    given = parser.parse_args(arguments)
    config = Settings().config_folder
    try:
        if given.document:
            given.document.write_text(as_document(config, DOCUMENTED_YEARS), encoding="utf-8")
            return 0
        if not given.notice or not given.fiscal_year:
            parser.error("--notice と --fiscal-year を書いてください")
        notice = load_notice(config, given.notice)
        calendars = Calendars.from_file(config / "calendar.yaml")
        rules = load_deadlines(config).rules(notice.id, given.fiscal_year, notice.party)
        print(
            as_text(
                plan_annual(notice, given.fiscal_year, rules, calendars),
                notice.name_ja,
                calendars,
                given.slip,
            )
        )
    except NoticeCycleError as mistake:
        print(mistake)
        return 1
    return 0


DOCUMENTED_YEARS = (2026, 2027, 2028)

if __name__ == "__main__":
    raise SystemExit(main())
