"""Who has a decision already: the insured numbers of the other annual cycles of a cycle's decision group.

They are read where they lie anyway, in the vault of those cycles that are still open, and go nowhere else.
"""

from collections.abc import Iterator
from typing import Any

from notice_cycle.catalogue import Configuration
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import ExtractionRecord, OpeningRecord
from notice_cycle.validation.validate import decided_numbers
from notice_cycle.values import Occasion
from notice_cycle.vault.names import STAGED
from notice_cycle_airflow.run_context import RunningCycle


def decided_elsewhere(cycle: RunningCycle) -> Iterator[int]:
    """Insured numbers as integers, cycle after cycle; none for a cycle of no group or a supplementary one."""
    for history, configuration in _siblings(cycle):
        vault = cycle.settings.vault.cycle(str(history.entries[0].cycle))
        extraction = history.find(ExtractionRecord)
        if extraction and vault.has(STAGED):
            numbers: Any = decided_numbers(extraction, configuration.notice, vault)
            yield from numbers.tolist()


def _siblings(cycle: RunningCycle) -> Iterator[tuple[CycleHistory, Configuration]]:
    group, opening = cycle.configuration.notice.decision_group, cycle.opening
    if group is None or opening.occasion is not Occasion.ANNUAL:
        return
    for entry in cycle.ledger.entries(kind=OpeningRecord.kind()):
        other = OpeningRecord.model_validate(entry.data)
        if entry.cycle == cycle.id or (other.fiscal_year, other.occasion) != (
            opening.fiscal_year,
            opening.occasion,
        ):
            continue
        configuration = Configuration.model_validate(other.configuration)
        history = cycle.ledger.history(str(entry.cycle))
        if configuration.notice.decision_group == group and not (history.withdrawn or history.recalled):
            yield history, configuration
