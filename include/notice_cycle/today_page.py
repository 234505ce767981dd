"""今日の一枚 as a page, live: what is late or near its due date in every open dispatch, why it matters and what to do.

The same dues as the mails of deadline_watch tell, whenever somebody looks. Holds days and ids. Pure: the caller says
what time it is, and whose dispatches they are.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from notice_cycle.alerts import Watched, is_of_today
from notice_cycle.deadlines import Due
from notice_cycle.dispatch_plan import said
from notice_cycle.values import Frozen

_TODAY_JA = "本日"


class PressingLine(Frozen):
    """A due date that is late, near, or of today. `path`: of the run (or the notice, before there is one)."""

    state: str
    state_ja: str
    due_ja: str
    who_ja: str
    label_ja: str
    name_ja: str
    cycle: str
    path: str
    why_ja: str
    advice_ja: str
    manual: str


class DispatchLine(Frozen):
    """An open dispatch, or one in preparation, and what comes next in it. `next_ja` empty: every due date is met."""

    name_ja: str
    cycle: str
    path: str
    section: str
    state: str
    state_ja: str
    next_ja: str


class TodayPage(Frozen):
    """The page as of a moment."""

    at_ja: str
    summary_ja: str
    pressing: tuple[PressingLine, ...]
    dispatches: tuple[DispatchLine, ...]


def today_page(watched: Sequence[Watched], now: datetime) -> TodayPage:
    """The page as of `now` over the dispatches that the reader may see."""
    pressing = [(due, one) for one in watched for due in one.dues if _presses(due, now)]
    pressing.sort(key=lambda pair: (pair[0].state != "red", pair[0].due_at, pair[0].subject))
    late = sum(due.state == "red" for due, _ in pressing)
    near = len(pressing) - late
    summary = f"進行中または準備中の発送回 {len(watched)}件。期限超過 {late}件、本日・期限が近い {near}件。"
    return TodayPage(
        at_ja=said(now),
        summary_ja=summary,
        pressing=tuple(_pressing(due, one) for due, one in pressing),
        dispatches=tuple(sorted(map(_dispatch, watched), key=lambda line: (line.name_ja, line.cycle))),
    )


def _presses(due: Due, now: datetime) -> bool:
    return due.state == "amber" or is_of_today(due, now)


def _pressing(due: Due, one: Watched) -> PressingLine:
    return PressingLine(
        state="amber" if due.state == "open" else due.state,
        state_ja=_TODAY_JA if due.state == "open" else due.state_ja,
        due_ja=said(due.due_at),
        who_ja=due.who_ja,
        label_ja=due.label_ja,
        name_ja=one.name_ja,
        cycle=due.subject,
        path=one.run_path,
        why_ja=due.why_ja,
        advice_ja=due.advice_ja,
        manual=due.runbook_anchor,
    )


def _dispatch(one: Watched) -> DispatchLine:
    coming = _first(due for due in one.dues if due.state != "done")
    worst = _first(
        sorted((due for due in one.dues if due.state in ("red", "amber")), key=lambda due: due.state != "red")
    )
    return DispatchLine(
        name_ja=one.name_ja,
        cycle=one.dues[0].subject if one.dues else "",
        path=one.run_path,
        section=one.section,
        state=worst.state if worst else "open",
        state_ja=worst.state_ja if worst else "順調",
        next_ja=f"{said(coming.due_at)}　{coming.label_ja}（{coming.who_ja}）" if coming else "",
    )


def _first(dues: Iterable[Due]) -> Due | None:
    return next(iter(dues), None)
