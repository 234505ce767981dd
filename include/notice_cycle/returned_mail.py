"""返戻: letters that came back, counted by reason and day by the ward's officer. Never delays the closing.

Counts only: whose letters they are stays on the letters. More than was delivered is refused. For some weeks after
the posting the section is reminded of a week without a count, whether the dispatch is closed or not.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Literal

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.deadline_rules import ReturnedMailRule
from notice_cycle.errors import Refused
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import all_posted_at, as_entered
from notice_cycle.records import DeliveryRecord, Fact
from notice_cycle.values import Frozen, Person

Reason = Literal["unknown_address", "moved_away", "refused", "not_collected", "other"]
REASONS_JA: dict[Reason, str] = {
    "unknown_address": "宛所不明",
    "moved_away": "転居先不明",
    "refused": "受取拒否",
    "not_collected": "保管期間経過",
    "other": "その他",
}
"""Why the post brings a letter back."""

_AGAIN = "数え直して、もう一度「返戻の記録」から開始してください。同じ日のものは、後の記録に置き換わります。"


class ReturnedMail(Fact):
    """返戻の記録: how many letters came back on a day, by reason; entered again, the day's counts are replaced."""

    label_ja = "返戻の記録"
    returned_on: date
    counts: dict[Reason, int]
    entered_by: Person
    entered_at: datetime


def returned(history: CycleHistory) -> dict[date, ReturnedMail]:
    """Every day's counts as they were entered last."""
    return {one.returned_on: one for one in history.facts(ReturnedMail)}


def returned_by_reason(history: CycleHistory) -> Counter[Reason]:
    """All that came back so far."""
    return _sum(returned(history))


def enter_returned(
    history: CycleHistory, asked: Mapping[str, str], *, by: Person, at: datetime
) -> ReturnedMail:
    """The fact to enter for the form 返戻の記録; entered again it is the standing one. Raises Refused."""
    delivery = history.latest(DeliveryRecord)
    day = date.fromisoformat(asked["returned_on"])
    if not tokyo_date(delivery.delivered_at) <= day <= tokyo_date(at):
        raise Refused("返戻の日が、納品より前か、未来です。", advice=_AGAIN)
    fact = ReturnedMail(
        returned_on=day,
        counts={reason: int(asked[reason]) for reason in REASONS_JA},
        entered_by=by,
        entered_at=at,
    )
    known = returned(history)
    counted = _sum(known | {day: fact}).total()
    if counted > delivery.envelopes_delivered:
        raise Refused(
            f"返戻の数が、納品した数より多くなります（納品 {delivery.envelopes_delivered:,}封、返戻 {counted:,}封）。",
            advice=_AGAIN,
        )
    return as_entered(fact, known.get(day))


def _sum(days: Mapping[date, ReturnedMail]) -> Counter[Reason]:
    counted: Counter[Reason] = Counter()
    for one in days.values():
        counted.update(one.counts)
    return counted


# ---- the weekly count


class ReturnedMailReminder(Frozen):
    """A week after the posting in which nobody entered a count, as deadline_watch tells it to the section."""

    cycle: str
    week: int
    due_on: date
    name_ja: str
    section: str
    tell: str = "担当"
    state: Literal["amber", "red"] = "amber"
    why_ja: str = (
        "戻った通知は、本人に届いていません。宛先を調べて送り直すまで、納期限が知らされないままになります。"
    )
    advice_ja: str = "戻った封筒を理由ごとに数え、「返戻の記録」に入れてください。1通も戻っていなければ、すべて0で入れます。"
    runbook_anchor: str = "enter_posting"

    @property
    def id(self) -> str:
        """Told once a week of a dispatch."""
        return f"returned_mail:{self.cycle}:{self.week}"

    @property
    def label_ja(self) -> str:
        """Which week of which dispatch."""
        return f"返戻の数（{self.cycle}、差出しから{self.week}週目）"

    @property
    def sentence_ja(self) -> str:
        """What is missing."""
        return f"発送回 {self.cycle} の、差出しから{self.week}週目の返戻の数が、まだ入っていません。"

    def is_over(self, now: datetime) -> bool:
        """Whether its day has passed."""
        return tokyo_date(now) > self.due_on


def remind_of_returned(
    history: CycleHistory, today: date, rule: ReturnedMailRule, calendar: BusinessCalendar
) -> ReturnedMailReminder | None:
    """The newest week that is over without a count; None before the posting, and once the weeks are over."""
    posted_at = all_posted_at(history)
    if posted_at is None:
        return None
    posted, opening = tokyo_date(posted_at), history.opening
    ends = [posted + timedelta(weeks=week) for week in range(rule.weeks + 1)]
    over = [week for week, end in enumerate(ends) if week and calendar.next_business_day(end) <= today]
    if not over or today >= ends[-1] + timedelta(weeks=1):
        return None
    week = over[-1]
    if any(day > ends[week - 1] for day in returned(history)):
        return None
    return ReturnedMailReminder(
        cycle=str(history.records[0].cycle),
        week=week,
        due_on=calendar.next_business_day(ends[week]),
        name_ja=str(opening.configuration["notice"]["name_ja"]),
        section=str(opening.configuration["notice"]["section"]),
    )
