"""What every source of a notice's rows offers: the batch asked for, and what the core system says it holds.

Refuses a batch number of any other form. No source is opened here.
"""

import re
from datetime import datetime

from pydantic import Field

from notice_cycle.errors import Refused
from notice_cycle.values import Frozen

_BATCH = re.compile(r"[0-9A-Za-z-]{1,40}")


class Batch(Frozen):
    """A batch number of the core system (異動バッチ), checked."""

    number: str

    @classmethod
    def parse(cls, text: str) -> "Batch":
        """Raises Refused for anything but digits, letters and hyphens."""
        if not _BATCH.fullmatch(text):
            raise Refused(
                "異動バッチ番号は半角英数字とハイフンだけで入力してください。",
                advice="基幹系の処理票の番号を確認してください。",
            )
        return cls(number=text)


class ControlTotals(Frozen):
    """What the core system says of a batch, apart from its rows (統制票).

    `amounts`: yen by item. `population`: persons by `insured`, method and `excluded:<reason>`; empty where the
    notice decides nothing. `last_year`: persons by item and value in the fiscal year `last_year_of`.
    """

    as_of: datetime
    persons: int
    amounts: dict[str, int]
    population: dict[str, int] = Field(default_factory=dict)
    last_year: dict[str, dict[str, int]] = Field(default_factory=dict)
    last_year_of: int | None = None
