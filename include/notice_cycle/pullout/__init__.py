"""引抜き・差替え: letters that must not go out are named to the contractor after the hand-over, and taken out with proof.

After the delivery they are taken out by hand (`after_delivery`).
"""

from notice_cycle.pullout.facts import (
    REASONS_JA,
    DeliveredPulledOut,
    DeliveredPulloutCancelled,
    PulloutCancelled,
    PulloutConfirmed,
    PulloutRequested,
)
from notice_cycle.pullout.folded import (
    Pulled,
    Pullout,
    PulloutHistory,
    certified_by_contractor,
    open_pullouts,
    pulled,
    pulled_after_delivery,
    pullouts,
    taken_after_delivery,
)

__all__ = [
    "REASONS_JA",
    "DeliveredPulledOut",
    "DeliveredPulloutCancelled",
    "Pulled",
    "Pullout",
    "PulloutCancelled",
    "PulloutConfirmed",
    "PulloutHistory",
    "PulloutRequested",
    "certified_by_contractor",
    "open_pullouts",
    "pulled",
    "pulled_after_delivery",
    "pullouts",
    "taken_after_delivery",
]
