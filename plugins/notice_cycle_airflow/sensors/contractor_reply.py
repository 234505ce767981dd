"""Waiting for a contractor's signed messages on his host or the ward's desk, in reschedule mode.

"Not there yet" looks again later; "cannot look" retries and says so; "wrong file" is quarantined, noted,
mailed, and waited out until a right one comes. A rejection, or two different answers, ends the waiting at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from airflow.sdk import BaseSensorOperator

from notice_cycle.errors import CannotLook
from notice_cycle.exchange.messages import MESSAGES, Message, Rejection
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import Record, ReplyRefused
from notice_cycle.replies import (
    inbox_name,
    is_rejected,
    receptions,
    refuse_open_conflicts,
    rejected,
)
from notice_cycle.settings import Settings
from notice_cycle.stage import is_passed_over
from notice_cycle_airflow.judging import judge_replies
from notice_cycle_airflow.replies import Reception, reply_folder
from notice_cycle_airflow.run_context import RunningCycle, current_cycle, telling

_A_YEAR_SECONDS = 366 * 24 * 3600


Parties = Callable[[CycleHistory], Sequence[str]]


class ContractorReplySensor(BaseSensorOperator):
    """Succeeds when every message of `kinds` lies in the inbox, or the record `settles` already stands.

    `of`: the parties that are waited for, told by the ledger; the contractor alone when it is not given.
    """

    def __init__(
        self,
        *,
        kinds: Sequence[type[Message]],
        settles: type[Record],
        of: Parties | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mode="reschedule",
            poke_interval=Settings().reply_interval_seconds,
            timeout=_A_YEAR_SECONDS,
            queue="lgwan",
            pool="lgwan",
            **kwargs,
        )
        self.kinds, self.settles, self.of = tuple(kinds), settles, of

    def poke(self, context: Any) -> bool:
        """Looks once."""
        with telling():
            cycle = current_cycle()
            history = cycle.history()
            if self.is_settled(history):
                return True
            try:
                return asyncio.run(self._look(cycle, context))
            except CannotLook as unreachable:
                # The line may be down for a night: keep looking, and let the log say why nothing comes.
                self.log.warning("%s", unreachable)
                return False

    def is_settled(self, history: CycleHistory) -> bool:
        """Whether there is nothing to wait for: the record stands, or the dispatch no longer asks for it."""
        return history.entry_of(self.settles) is not None or is_passed_over(
            self.settles, recalled=history.recalled
        )

    async def _look(self, cycle: RunningCycle, context: Any) -> bool:
        reception = Reception(cycle, context)
        awaited = {kind.kind for kind in self.kinds}
        async with reply_folder(cycle, reception.history) as folder:
            found = await reception.find(folder, MESSAGES)
        parties = self._parties(cycle)
        own = [one for one in found if one.laid.kind in awaited and cycle.signers[one.laid.signer] in parties]
        # What came with it is not left to 届出の受信: the next stage may need it.
        reception.take([one for one in found if one not in own and not reception.is_left_to_its_stage(one)])
        refused = {fact.quarantined_as for fact in reception.history.facts(ReplyRefused)}
        # Of messages that were refused together, one that is put there anew makes all count again.
        if any(one.quarantine_name not in refused for one in own):
            reception.take(own, again=True)
        history = reception.history
        refuse_open_conflicts(history)
        if is_rejected(history, reception.package):
            raise rejected(cycle.received(Rejection)[0])
        if self.of:
            judge_replies(
                cycle, context
            )  # a transfer that was told just now makes one more party to wait for
        missing = [
            (kind.label_ja, party)
            for party in self._parties(cycle)
            for kind in self.kinds
            if not self._is_here(cycle, reception, kind, party)
        ]
        if missing:
            name_of = cycle.register().name_of
            told = "、".join(f"{label}（{name_of(party)}）" for label, party in missing)
            self.log.info("まだ届いていません: %s", told)
        return not missing

    def _parties(self, cycle: RunningCycle) -> Sequence[str]:
        return self.of(cycle.history()) if self.of else [cycle.configuration.party.id]

    def _is_here(self, cycle: RunningCycle, reception: Reception, kind: type[Message], party: str) -> bool:
        """In the inbox, of this package: what a stage refused was taken out of it."""
        contractor = cycle.configuration.party.id
        known = receptions(reception.history, kind.kind, party, contractor=contractor)
        if not known or known[-1][1].package not in ("", reception.package):
            return False
        return (cycle.settings.inbox / cycle.id / inbox_name(kind, known[-1][1])).exists()
