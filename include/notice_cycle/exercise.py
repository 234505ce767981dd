"""LGWAN 停止の訓練: a dispatch of invented data that is held as if the line were down, and goes out on disc.

It walks the whole way to the proven erasure; only then it counts for the year. What it counted, and how long the
switch took, is told by the ledger. Real data are never used for an exercise: opening.py refuses.
"""

from datetime import datetime
from typing import Literal

from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    AnswerRefused,
    ClosingRecord,
    DiscrepancyOpened,
    Fact,
    HandoverRecord,
    ReplyRefused,
    RouteSwitched,
)

DRILL = "drill"
"""The reason code by which a dispatch is opened as this exercise."""

LGWAN_DRILL: Literal["LGWAN 停止時の媒体での引渡し"] = "LGWAN 停止時の媒体での引渡し"
"""How the register calls this exercise among others."""

_TO_PUT_RIGHT = {fact.kind() for fact in (AnswerRefused, DiscrepancyOpened, ReplyRefused)}


class ExerciseHeld(Fact):
    """訓練の実施: from the switch to the disc to its hand-over; `findings`: answers and messages that were refused."""

    label_ja = "訓練の実施"
    exercise: str
    party: str
    switched_at: datetime
    handed_at: datetime
    completed_at: datetime
    findings: int


def find_held(history: CycleHistory) -> ExerciseHeld | None:
    """The exercise that this cycle was, once it is closed; None for any other, and when it is entered already."""
    handed, closing = history.find(HandoverRecord), history.find(ClosingRecord)
    if history.opening.reason_code != DRILL or handed is None or closing is None:
        return None
    switched = [entry.recorded_at for entry in history.entries if entry.kind == RouteSwitched.kind()]
    if handed.dvd is None or not switched or history.facts(ExerciseHeld):
        return None
    return ExerciseHeld(
        exercise=LGWAN_DRILL,
        party=handed.party,
        switched_at=switched[-1],
        handed_at=handed.dvd.handed_at,
        completed_at=closing.closed_at,
        findings=sum(entry.kind in _TO_PUT_RIGHT for entry in history.entries),
    )
