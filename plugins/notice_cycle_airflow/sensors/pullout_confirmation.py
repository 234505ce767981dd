"""Waiting for the confirmation that letters were pulled out: like every answer, but a fact settles it, not a record."""

from typing import Any

from notice_cycle.exchange.messages import PulloutConfirmation
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout import PulloutHistory
from notice_cycle.pullout.folded import confirmation_of
from notice_cycle.records import ContentReceiptRecord
from notice_cycle_airflow.sensors.contractor_reply import ContractorReplySensor


class PulloutConfirmationSensor(ContractorReplySensor):
    """Succeeds when the confirmation lies in the inbox or is kept as a fact, or the dispatch was given up."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **({"kinds": [PulloutConfirmation], "settles": ContentReceiptRecord} | kwargs)  # type: ignore[arg-type]
        )

    def is_settled(self, history: CycleHistory) -> bool:
        """Whether the contractor has said what he took out."""
        mine = isinstance(history, PulloutHistory) and confirmation_of(history, history.pullout)
        return bool(mine) or history.recalled
