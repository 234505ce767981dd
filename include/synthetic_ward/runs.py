"""What every run of the invented core system has in common: its number and day, its rows, and what it says of them.

A run tells persons and amounts by its own reckoning, never by adding up the rows a reader will see. The year
before is this year, a little more or less.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import repeat

import numpy as np

from synthetic_ward.canary import CANARY
from synthetic_ward.residents import Rng, Rows
from synthetic_ward.ward import (
    BOOKLET,
    BURDEN,
    CHANGE,
    DEMAND,
    ORDINARY,
    PROVISIONAL,
    REMINDER,
    SPECIAL,
    SUPPORT,
    Column,
    Columns,
)

DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    ORDINARY: ("stage", "collection_method", "payment_means"),
    SPECIAL: ("stage", "pension_payer"),
    PROVISIONAL: ("pension_payer",),
    CHANGE: ("stage", "collection_method", "change_reason"),
    REMINDER: ("instalment",),
    DEMAND: ("overdue_count",),
    BURDEN: ("burden_ratio",),
    BOOKLET: (),
    SUPPORT: ("center",),
}
"""By which items last year is reported."""
_AT_MOST = 0.02  # by how much last year differs


@dataclass(frozen=True)
class Batch:
    """One run for one notice: the two digits that its notice numbers hold, when it was decided (JST)."""

    notice: str
    batch_no: str
    code: str
    decided_on: date

    @property
    def as_of(self) -> str:
        """基準日時."""
        return f"{self.decided_on - timedelta(days=1)}T18:00:00+09:00"

    @property
    def opening(self) -> str:
        """What its notice numbers begin with: year and run."""
        return f"{self.decided_on.year % 100:02d}{self.code}"


@dataclass(frozen=True)
class Run:
    """What a run leaves behind. `counted`: columns by item of DISTRIBUTIONS; empty: last year is told elsewhere."""

    batch: Batch
    tables: dict[str, Columns]
    persons: int
    amounts: Mapping[str, int] = field(default_factory=dict)
    counted: Mapping[str, Column] = field(default_factory=dict)
    population: Mapping[str, int] = field(default_factory=dict)


def notice_numbers(rng: Rng, batch: Batch, insured_no: Column) -> Column:
    """Eleven digits: year, run, serial in no order a reader could rely on."""
    opening = int(batch.opening) * 10_000_000
    numbers = (opening + 1 + rng.permutation(len(insured_no))).astype("U11")
    numbers[insured_no == CANARY.insured_no] = CANARY.number_of(batch.opening)
    return numbers


def tables_of(runs: Sequence[Run]) -> dict[str, Columns]:
    """The rows of all runs, table by table, in the order in which the runs name them."""
    tables: dict[str, list[Columns]] = {}
    for run in runs:
        for name, columns in run.tables.items():
            tables.setdefault(name, []).append(columns)
    return {
        name: {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
        for name, parts in tables.items()
    }


def figures_of(rng: Rng, runs: Sequence[Run], fiscal_year: int) -> dict[str, Columns]:
    """The tables control_total, control_amount, last_year_count and population."""
    of_batch = [(run, (run.batch.batch_no, run.batch.notice)) for run in runs]
    last_year = [
        (run.batch.notice, fiscal_year - 1, item, value, heads)
        for run in runs
        for item, value, heads in _last_year(rng, run)
    ]
    return {
        "control_total": _columns(
            "batch_no notice as_of persons", [(*of, run.batch.as_of, run.persons) for run, of in of_batch]
        ),
        "control_amount": _columns(
            "batch_no notice item total_yen",
            [(*of, item, yen) for run, of in of_batch for item, yen in run.amounts.items()],
        ),
        "last_year_count": _columns("notice fiscal_year item value persons", last_year),
        "population": _columns(
            "batch_no notice category persons",
            [(*of, category, heads) for run, of in of_batch for category, heads in run.population.items()],
        ),
    }


def differences_of(rng: Rng, runs: Sequence[Run], homes: Columns, names: Column) -> Columns:
    """異動リスト: for each run a few deaths, moves and new addressees, noted in the evening after it.

    `homes`: addresses to move to, the last of them hers; `names`: of new addressees. She is never among them.
    """
    lists = []
    for run in runs:
        notice_no = next(iter(run.tables.values()))["notice_no"]
        notice_no = notice_no[notice_no != CANARY.number_of(run.batch.opening)]
        each = max(1, min(8, len(notice_no) // 2_000))
        told = rng.choice(notice_no, 3 * each, replace=False)
        reason = np.repeat(["death", "moved_out", "recipient_changed"], each)
        changed = reason == "recipient_changed"
        home, name = (
            rng.integers(0, len(homes["postcode"]) - 1, 3 * each),
            rng.integers(0, len(names), 3 * each),
        )
        minutes = (30 + np.sort(rng.integers(0, 150, 3 * each))).astype("timedelta64[m]")
        evening = np.datetime64(run.batch.as_of[:19], "m") + minutes
        to = {column: homes[column][home] for column in ("postcode", "address", "address_detail")}
        to |= {"recipient_name": names[name], "recipient_suffix": np.array("様方")}
        lists.append(
            {
                "batch_no": np.full(3 * each, run.batch.batch_no),
                "notice": np.full(3 * each, run.batch.notice),
                "notice_no": told,
                "reason": reason,
                "noted_at": np.strings.add(np.datetime_as_string(evening), ":00+09:00"),
                "recipient_kind": np.where(changed, "family", ""),
            }
            | {column: np.where(changed, values, "") for column, values in to.items()}
        )
    return {column: np.concatenate([one[column] for one in lists]) for column in lists[0]}


def picked(rng: Rng, rows: Rows, share: float, fewest: int) -> Rows:
    """A share of the rows, at least so many, in no order."""
    return rng.permutation(rows)[: max(fewest, round(len(rows) * share))]


def _counted(column: Column) -> tuple[list[object], list[int]]:
    values, heads = np.unique(column, return_counts=True)
    return values.tolist(), heads.tolist()


def _last_year(rng: Rng, run: Run) -> Iterator[tuple[str, str, int]]:
    """Persons by item and value: near this year's, and as many in all."""
    for item, column in run.counted.items():
        values, heads = _counted(column)
        then = np.cumsum(heads * (1 + rng.uniform(-_AT_MOST, _AT_MOST, len(heads)) / 2))
        ends = np.round(then * (sum(heads) / then[-1])).astype(int) if heads else then
        yield from zip(repeat(item), map(str, values), np.diff(ends, prepend=0).tolist(), strict=False)


def _columns(names: str, rows: Sequence[tuple[object, ...]]) -> Columns:
    return {
        name: np.array(column) for name, column in zip(names.split(), zip(*rows, strict=True), strict=True)
    }
