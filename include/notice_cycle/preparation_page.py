"""準備 of a notice as its page shows it before there is a run: the coming yearly plan, what was entered, what is missing now.

Like the plan of a cycle it is read live, and what is missing is what the mails name. It holds days, counts and the
register's keys. Pure: the caller says what time it is.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from notice_cycle.business_calendar import Calendars
from notice_cycle.catalogue import Notice
from notice_cycle.deadline_rules import Deadlines
from notice_cycle.deadlines import first_cycle_id, opened, preparation_begins, yearly_plans
from notice_cycle.dispatch_plan import Plan, said_day
from notice_cycle.fiscal_year import FiscalYear, tokyo_date
from notice_cycle.ledger.entry import Entry
from notice_cycle.plan_page import PlanPage, page_of
from notice_cycle.preparation import PreparationOpened, Readiness
from notice_cycle.records import OpeningRecord
from notice_cycle.values import Frozen


class PreparationPage(Frozen):
    """What is prepared. `lacking`: milestone and what it lacks today; None before the preparation begins."""

    year_ja: str
    said_ja: str
    recorded: tuple[tuple[str, str], ...]
    lacking: tuple[tuple[str, str], ...] | None
    plan: PlanPage


def plan_to_prepare(
    notice: Notice,
    openings: Sequence[OpeningRecord],
    deadlines: Deadlines,
    calendars: Calendars,
    *,
    now: datetime,
) -> Plan | None:
    """The next yearly plan of a notice whose cycle was never opened; None for a notice without a yearly run."""
    plans = yearly_plans(notice, now, deadlines, calendars)
    return next((plan for plan in plans if not opened(openings, plan)), None)


def preparation_page(
    plan: Plan,
    notice: Notice,
    ready: Readiness,
    begun: Entry | None,
    calendars: Calendars,
    *,
    synthetic: bool,
    now: datetime,
    slip: int = 0,
    met: Collection[str] = (),
) -> PreparationPage:
    """The page as of `now`. `begun`: the entry that opened the preparation; `met`: what another cycle has settled."""
    labels = {one.id: one.label_ja for one in plan.rules.milestones}
    lacking = tuple((labels[one], "、".join(shut)) for one, shut in ready.lacking.items())
    return PreparationPage(
        year_ja=f"{FiscalYear(plan.fiscal_year).label_ja}（{plan.fiscal_year}年度）の当初の発送回",
        said_ja=_said(plan, begun, now=now),
        recorded=_recorded(begun, labels) if begun else (),
        lacking=lacking if preparation_begins(plan) <= now else None,
        plan=page_of(
            first_cycle_id(plan),
            plan,
            None,
            notice,
            calendars,
            synthetic=synthetic,
            now=now,
            slip=slip,
            met={*met, *ready.settled},
        ),
    )


def _said(plan: Plan, begun: Entry | None, *, now: datetime) -> str:
    begins, start = preparation_begins(plan), said_day(tokyo_date(plan.start))
    if now < begins:
        return (
            f"準備は{begins.year}年{said_day(tokyo_date(begins))}に始まります。いま見えるのは計画だけです。"
        )
    late = now >= plan.start
    then = f"発送回は{start}に自動で始ま{'るはずでしたが、始まっていません。情報システム運用に連絡してください' if late else 'ります'}。"
    if begun is not None:
        on = said_day(tokyo_date(begun.recorded_at))
        return f"準備は{on}に始まり、証跡台帳 第{begun.seq}号に記録しました。{then}"
    return (
        then if late else f"準備の時期です。次の「期限の見張り」が、準備の開始を証跡台帳に記録します。{then}"
    )


def _recorded(begun: Entry, labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    was = PreparationOpened.model_validate(begun.data)
    quantities = "分かりません（前年度の実績も、区の見込みもありません）"
    if was.quantities_from:
        quantities = f"通知書 {was.notices:,}件・封筒 {was.envelopes:,}通・用紙 {was.sheets:,}枚（{was.quantities_from}）"
    return (
        ("引渡しを覆う契約（登録番号）", "、".join(was.contracts) or "ありませんでした"),
        ("予定数量", quantities),
        (
            "計画の日",
            f"引渡し（T）{said_day(was.handover_on)}、納品 {said_day(was.delivery_on)}、差出し {said_day(was.posting_on)}",
        ),
        ("足りなかったもの", "、".join(labels.get(one, one) for one in was.missing) or "ありませんでした"),
    )
