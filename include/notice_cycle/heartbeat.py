"""The sign of life that deadline_watch leaves for whoever watches it from outside (deploy/silence_watch.py).

A small JSON file: when it looked, and when it will look next by the ward's calendar. Whoever reads it needs no
calendar and no Airflow: after `next_look_at`, silence is silence.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from notice_cycle.business_calendar import Calendars
from notice_cycle.deadlines import next_look


@dataclass(frozen=True)
class Heartbeat:
    """The file, and how it is written."""

    path: Path

    def beat(self, now: datetime, calendars: Calendars) -> None:
        """Writes the sign beside and renames it. Raises OSError."""
        content = {
            "looked_at": now.astimezone(UTC).isoformat(timespec="seconds"),
            "next_look_at": next_look(now, calendars).astimezone(UTC).isoformat(timespec="seconds"),
        }
        partial = self.path.with_name(f".{self.path.name}.new")
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(self.path)
