"""What the checks may know besides the rows: tables, dates and counts, nothing of a person but siblings' numbers."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.premiums import PremiumTable
from notice_cycle.values import Frozen

InsuredNumberRule: TypeAlias = Literal["none", "modulus10", "modulus11"]
Numbers: TypeAlias = NDArray[np.int64]


class Circumstances(Frozen):
    """What the core system said beside the rows (`circumstances.json`): control totals, population, last year."""

    as_of: datetime
    persons: int
    amounts: dict[str, int]
    population: dict[str, int] = Field(default_factory=dict)
    last_year: dict[str, dict[str, int]] = Field(default_factory=dict)
    last_year_of: int | None = None


def _none() -> Numbers:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Facts:
    """One validation's circumstances. `siblings`: insured numbers that have a decision of the same group already.

    `annual`: the yearly run, which has a population and a last year to be compared with. `charset` and
    `agreed_characters` (外字) are what the contractor can print.
    """

    premiums: PremiumTable
    due_on: tuple[date, ...]
    items: tuple[str, ...]
    circumstances: Circumstances
    annual: bool = True
    insured_number_rule: InsuredNumberRule = "modulus10"
    charset: str = "cp932-windows"
    agreed_characters: frozenset[str] = frozenset()
    siblings: Numbers = field(default_factory=_none)

    @property
    def reference_day(self) -> np.datetime64:
        """The day of 基準日時 in Tokyo."""
        return np.datetime64(tokyo_date(self.circumstances.as_of), "D")

    @property
    def fiscal_year(self) -> int:
        """The fiscal year of the premium table in force."""
        return self.premiums.fiscal_year
