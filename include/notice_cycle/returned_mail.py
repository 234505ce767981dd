"""返戻: letters that came back, counted by reason and day by the ward's officer. Never delays the closing.

Counts only: whose letters they are stays on the letters. More than was delivered is refused.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from notice_cycle.errors import Refused
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import as_entered
from notice_cycle.records import DeliveryRecord, Fact
from notice_cycle.values import Person

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
