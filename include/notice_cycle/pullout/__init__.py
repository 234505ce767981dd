"""引抜き・差替え: letters that must not go out are named to the contractor after the hand-over, and taken out with proof."""

from notice_cycle.pullout.facts import (
    REASONS_JA,
    PulloutCancelled,
    PulloutConfirmed,
    PulloutRequested,
)
from notice_cycle.pullout.folded import Pulled, Pullout, PulloutHistory, open_pullouts, pulled, pullouts

__all__ = [
    "REASONS_JA",
    "Pulled",
    "Pullout",
    "PulloutCancelled",
    "PulloutConfirmed",
    "PulloutHistory",
    "PulloutRequested",
    "open_pullouts",
    "pulled",
    "pullouts",
]
