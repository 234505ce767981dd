"""Opening the source a notice names: the core system's database behind an Airflow connection, or a dropped file."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from notice_cycle import clock
from notice_cycle.catalogue import FileDrop
from notice_cycle.extraction import file_drop, sql_source
from notice_cycle.extraction.source import Batch, ControlTotals
from notice_cycle_airflow.run_context import RunningCycle, database


@contextmanager
def opened(cycle: RunningCycle) -> Iterator[tuple[ControlTotals, Any]]:
    """The control totals and the rows (a pyarrow.RecordBatchReader) of the cycle's batch. Raises CannotLook or Refused."""
    notice, batch = cycle.configuration.notice, Batch.parse(cycle.opening.batch_no)
    if isinstance(notice.source, FileDrop):
        root = cycle.settings.drop_root
        with file_drop.reading(root, notice.source, notice, batch, now=clock.now()) as offered:
            yield offered
    else:
        dsn = database(notice.source.connection)
        with sql_source.reading(dsn, notice.source, notice, batch) as offered:
            yield offered


def differences(cycle: RunningCycle) -> Any:
    """The differential list of the cycle's batch as it stands now (a pyarrow.Table); None for a dropped file."""
    notice = cycle.configuration.notice
    if isinstance(notice.source, FileDrop):
        return None  # a host that drops files drops a new one
    dsn = database(notice.source.connection)
    return sql_source.differences(dsn, notice.source, notice, Batch.parse(cycle.opening.batch_no))
