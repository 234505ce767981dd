"""発送計画 of one cycle as its page shows it: every milestone with its state, and what a later hand-over would do.

The due dates are read live, as deadline_watch reads them, so the page says what the mails will say. Pure: the caller
says what time it is.
"""

from collections.abc import Collection
from datetime import datetime

from notice_cycle.business_calendar import Calendars
from notice_cycle.catalogue import Configuration, Notice
from notice_cycle.deadline_rules import ROLES_JA, Deadlines
from notice_cycle.deadlines import Due, judge, plan_of
from notice_cycle.dispatch_plan import Plan, Row, arrival, dated, rows, said_day, what_if
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.handover.route import route_of
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.opening import OF_INVENTED_DATA
from notice_cycle.records import HandoverRecord
from notice_cycle.register import Register
from notice_cycle.stage import stage_of
from notice_cycle.values import Frozen, Occasion

SLIPS = range(1, 11)
"""By how many business days of the ward a page may ask 「遅れたら」."""
LISTED = "listed"


class PlanLine(Frozen):
    """One milestone. `state`: done, open, amber or red as judged, or `listed` for what is only shown."""

    due_ja: str
    state: str
    state_ja: str
    who_ja: str
    label_ja: str
    stage_ja: str


class SlipLine(Frozen):
    """One milestone when the hand-over slips."""

    planned_ja: str
    reached_ja: str
    state: str
    state_ja: str
    label_ja: str


class Slip(Frozen):
    """What happens when the hand-over slips by so many business days."""

    days: int
    sentence_ja: str
    last_ja: str
    lines: tuple[SlipLine, ...]


class PlanPage(Frozen):
    """The plan of one cycle, or of the yearly one to come. `slip` None: not asked for, or the hand-over is done."""

    cycle: str
    notice_ja: str
    synthetic: bool
    days: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    lines: tuple[PlanLine, ...]
    handed_over: bool
    slip: Slip | None


def plan_page(
    cycle: str,
    history: CycleHistory,
    notice: Notice,
    deadlines: Deadlines,
    calendars: Calendars,
    *,
    now: datetime,
    slip: int = 0,
    met: Collection[str] = (),
    register: Register | None = None,
) -> PlanPage:
    """The page as of `now`. `met`: milestones that another cycle has settled. `register`: what contracts there are."""
    plan, synthetic = plan_of(history, notice, deadlines, calendars), history.opening.synthetic
    page = page_of(cycle, plan, history, notice, calendars, synthetic=synthetic, now=now, slip=slip, met=met)
    if register is None or page.handed_over or not _is_outside_contract(plan, history, register, now):
        return page
    outside = f"契約外です: {register.name_of(notice.party)}との、引渡しの日にこの通知書をこの経路で渡せる契約が、登録簿にありません。このままでは引渡しの前に止まります。"
    return page.model_copy(update={"remarks": (outside, *page.remarks)})


def _is_outside_contract(plan: Plan, history: CycleHistory, register: Register, now: datetime) -> bool:
    """As the gate before the hand-over will judge, told from the opening on. A rehearsal may precede the contract."""
    opening = history.opening
    if opening.synthetic and opening.reason_code in OF_INVENTED_DATA:
        return False
    configuration = Configuration.model_validate(opening.configuration)
    day = max(plan.handover, tokyo_date(now))
    covering = register.contracts_for(opening.notice, configuration.party.id, day)
    return all(route_of(history, configuration) not in held.content.methods for held in covering)


def page_of(
    cycle: str,
    plan: Plan,
    history: CycleHistory | None,
    notice: Notice,
    calendars: Calendars,
    *,
    synthetic: bool,
    now: datetime,
    slip: int = 0,
    met: Collection[str] = (),
) -> PlanPage:
    """The page of a plan. `history` None: its cycle is not opened, and only what prepares it has a state."""
    dues = {due.milestone: due for due in judge(plan, history, now, calendars, subject=cycle, met=met)}
    handed = history.find(HandoverRecord) if history is not None else None
    shown = plan.handed_over(tokyo_date(handed.sent_at), calendars) if handed else plan
    return PlanPage(
        cycle=cycle,
        notice_ja=notice.name_ja,
        synthetic=synthetic,
        days=_days(shown, calendars),
        remarks=(*_reasons(plan), *plan.conflicts(calendars)),
        lines=_lines(shown, dues, calendars, is_open=history is not None),
        handed_over=handed is not None,
        slip=_slip(plan, slip, calendars) if slip and not handed else None,
    )


def _reasons(plan: Plan) -> tuple[str, ...]:
    of_the_year = () if plan.occasion is Occasion.ANNUAL else plan.rules.of_the_year_ja
    return tuple(reason for reason in plan.rules.reasons_ja if reason not in of_the_year)


def _days(plan: Plan, calendars: Calendars) -> tuple[tuple[str, str], ...]:
    days = [
        ("開始", dated(plan.start)),
        ("引渡し（T）", said_day(plan.handover)),
        ("納品", said_day(plan.delivery)),
        ("差出しの最終日", said_day(plan.posting)),
        ("到着", said_day(arrival(plan.posting, plan.rules, calendars))),
    ]
    return (*days, ("第1期納期限", said_day(plan.first_due))) if plan.first_due else tuple(days)


def _lines(plan: Plan, dues: dict[str, Due], calendars: Calendars, *, is_open: bool) -> tuple[PlanLine, ...]:
    found = []
    unplanned = [
        Row(one, dues[one.id].due_at) for one in plan.rules.milestones if one.pullout and one.id in dues
    ]
    for milestone, due_at in [*rows(plan, calendars), *unplanned]:
        due = dues.get(milestone.id)
        at = due.due_at if due else due_at
        line = PlanLine(
            due_ja=dated(at) + ("" if due is None or due.firm else "（見込み）"),
            state=due.state if due else LISTED,
            state_ja=due.state_ja if due else "一覧だけ" if is_open or not milestone.told else "開始の後",
            who_ja=ROLES_JA[milestone.who],
            label_ja=milestone.label_ja,
            stage_ja=stage_of(milestone.stage).label_ja,
        )
        found.append((at, line))
    return tuple(line for _, line in sorted(found, key=lambda pair: pair[0]))


def _slip(plan: Plan, days: int, calendars: Calendars) -> Slip:
    then = what_if(plan, days, calendars)
    return Slip(
        days=days,
        sentence_ja=f"引渡しが{days}開庁日遅れて{said_day(then.handover)}になると、納品は{said_day(then.delivery)}、"
        f"差出しは{said_day(then.posting)}、到着は{said_day(then.arrives)}です。",
        last_ja=f"差出しの最終日を守れる最後の引渡しは{said_day(then.safe)}、"
        f"納期限（届ける日）に間に合う最後の引渡しは{said_day(then.last)}です。",
        lines=tuple(
            SlipLine(
                planned_ja=dated(one.planned_at),
                reached_ja=dated(one.reached_at),
                state="red" if one.is_red else "amber" if one.reached_at != one.planned_at else "open",
                state_ja="期限超過"
                if one.is_red
                else "順延"
                if one.reached_at != one.planned_at
                else "変わらず",
                label_ja=one.milestone.label_ja,
            )
            for one in sorted(then.slipped, key=lambda one: one.planned_at)
        ),
    )
