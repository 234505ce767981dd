"""The one clock of the product: every time that enters a record, a document or a rule comes from here.

Times are aware and in UTC; dates and fiscal years are judged in Asia/Tokyo. The demo and the tests move
the clock with a file named by NOTICE_CYCLE_CLOCK_FILE ({"offset_seconds": 123}); the ledger refuses a
moved clock unless its first entry says that all its data are synthetic.
"""

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

TOKYO = ZoneInfo("Asia/Tokyo")
CLOCK_FILE_VARIABLE = "NOTICE_CYCLE_CLOCK_FILE"


def now() -> datetime:
    """The present moment, aware, in UTC, to the second."""
    return (datetime.now(UTC) + _offset()).replace(microsecond=0)


def today() -> date:
    """Today's date in Tokyo."""
    return now().astimezone(TOKYO).date()


def machine_time_in(wait: timedelta) -> datetime:
    """When a wait that starts now ends by the machine's own clock: Airflow's scheduler never follows a moved one."""
    return datetime.now(UTC) + wait


def is_moved() -> bool:
    """Whether this process sees a moved clock."""
    return _clock_file() is not None


def move_to(moment: datetime, clock_file: Path) -> None:
    """Sets the clock kept in `clock_file` to `moment` (aware); all processes that name the file follow."""
    offset = moment - datetime.now(UTC)
    partial = clock_file.with_suffix(".partial")
    partial.write_text(json.dumps({"offset_seconds": round(offset.total_seconds())}))
    partial.replace(clock_file)


def _offset() -> timedelta:
    path = _clock_file()
    if path is None:
        return timedelta(0)
    return timedelta(seconds=json.loads(path.read_text())["offset_seconds"])


def _clock_file() -> Path | None:
    named = os.environ.get(CLOCK_FILE_VARIABLE)
    return Path(named) if named else None
