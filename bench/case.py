"""What both pipelines are given: one notice's batch in a loaded ward, its configuration, and a folder of its own.

Both read it from `case.json` in that folder, so that every stage can be a process of its own.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from notice_cycle.catalogue import Configuration, resolve
from notice_cycle.extraction.source import ControlTotals
from notice_cycle.records import Record

CONFIG = Path(__file__).parents[1] / "include" / "config"
FISCAL_YEAR = 2026
AT = datetime(2026, 7, 1, tzinfo=UTC)

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Case:
    """`dsn`: the core system, as the product's own login. `siblings`: who has the other decision of the year."""

    folder: str
    dsn: str
    notice: str
    batch: str
    siblings: tuple[int, ...] = ()

    @property
    def path(self) -> Path:
        """The case's folder."""
        return Path(self.folder)

    @property
    def cycle(self) -> str:
        """The cycle whose print file is made."""
        return f"{FISCAL_YEAR}-{self.notice}-annual-01"

    @cached_property
    def configuration(self) -> Configuration:
        """The notice as the sample catalogue has it."""
        return resolve(CONFIG, self.notice, FISCAL_YEAR)

    @cached_property
    def control(self) -> ControlTotals:
        """What the core system says of the batch apart from its rows."""
        return ControlTotals.model_validate_json((self.path / "control.json").read_bytes())

    def save(self) -> None:
        """Writes the case into its folder."""
        (self.path / "case.json").write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, folder: str) -> "Case":
        """Reads the case of a folder."""
        return cls(**json.loads((Path(folder) / "case.json").read_text(encoding="utf-8")))

    def keep(self, record: Record) -> None:
        """Keeps a stage's record for the next one, as the ledger would."""
        (self.path / f"{record.kind()}.json").write_text(record.model_dump_json(), encoding="utf-8")

    def record(self, kind: type[R]) -> R:
        """The record an earlier stage kept."""
        return kind.model_validate_json((self.path / f"{kind.kind()}.json").read_bytes())

    def tell(self, name: str, outcome: Any) -> None:
        """Leaves an outcome for whoever compares the two pipelines."""
        (self.path / name).write_text(json.dumps(outcome), encoding="utf-8")

    def told(self, name: str) -> Any:
        """An outcome that was left."""
        return json.loads((self.path / name).read_bytes())
