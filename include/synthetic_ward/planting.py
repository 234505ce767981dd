"""How a defect is planted into what an otherwise clean ward offers of one notice; which ones is `defects`'s.

A defect changes the rows as they would be staged, what is said of them, or the dropped files, and nothing else.
Control totals follow the rows unless the defect is in them: a core system that is wrong agrees with itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.extraction.source import ControlTotals
from synthetic_ward.residents import Rng
from synthetic_ward.ward import (
    NOTICE_ITEMS,
    ORDINARY,
    SPECIAL,
    Ward,
    as_table,
    batch_of,
)

FoundBy = Literal["extraction", "validation", "composition"]
Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Offered:
    """One notice's batch as it is offered. `siblings`: insured numbers decided in the other cycles of its group."""

    notice: str
    batch_no: str
    rows: pa.Table
    control: ControlTotals
    siblings: tuple[int, ...] = ()


@dataclass(frozen=True)
class Planted:
    """What is offered with the defect in it, and the row numbers it stands at (none: it is beside the rows)."""

    offered: Offered
    rows: tuple[int, ...] = ()


Plant: TypeAlias = Callable[[Offered, Rng], Planted]
Spoil: TypeAlias = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Defect:
    """A named defect. `story_ja`: what happens, or for a replay what happened where. `found_by`: who must stop it."""

    id: str
    title_ja: str
    story_ja: str
    notice: str
    found_by: FoundBy


@dataclass(frozen=True)
class RowDefect(Defect):
    """A defect in the rows of a batch or in what is said of them, and which rules of the suite find it."""

    plant: Plant
    expected_rules: tuple[str, ...] = ()
    batch: str = ""

    def batch_no(self, fiscal_year: int) -> str:
        """The batch it is planted in."""
        return f"{fiscal_year}-{self.batch}" if self.batch else batch_of(self.notice, fiscal_year)


@dataclass(frozen=True)
class DropDefect(Defect):
    """A defect in dropped files. `spoil` is given the data file and its control file."""

    spoil: Spoil


def offered(ward: Ward, notice: str, batch_no: str | None = None) -> Offered:
    """A clean batch."""
    batch_no = batch_no or batch_of(notice, ward.fiscal_year)
    siblings: list[int] = []
    if notice in (ORDINARY, SPECIAL):
        other = ward.notice(SPECIAL if notice == ORDINARY else ORDINARY)
        siblings = other["insured_no"].astype(np.int64).tolist()
    rows = as_table(ward.notice(notice, batch_no), NOTICE_ITEMS[notice])
    return Offered(notice, batch_no, rows, ward.control(notice, batch_no), tuple(siblings))


# ---- ways of planting


Where: TypeAlias = Callable[[pa.Table], Any]


def anyone(rows: pa.Table) -> Any:
    """Every row may be hit."""
    return pa.array(np.ones(len(rows), dtype=bool))


def having(**values: object) -> Where:
    """Rows with these values."""

    def where(rows: pa.Table) -> Any:
        found = anyone(rows)
        for item, value in values.items():
            found = pc.and_(found, pc.equal(rows[item], value))
        return found

    return where


def above(**bounds: object) -> Where:
    """Rows with more, or later, than this."""

    def where(rows: pa.Table) -> Any:
        found = anyone(rows)
        for item, bound in bounds.items():
            found = pc.and_(found, pc.greater(rows[item], pa.scalar(bound, rows.schema.field(item).type)))
        return found

    return where


def one_row(where: Where = anyone, /, **changes: object) -> Plant:
    """Changes items of one row: to a value, or to what a function makes of the row."""

    def plant(clean: Offered, rng: Rng) -> Planted:
        number = _picked(clean.rows, where, rng)
        values = _made(changes, _row(clean.rows, number))
        return Planted(agreeing(clean, with_values(clean.rows, number, values)), (number,))

    return plant


def taking_from_another(
    *items: str, where: Where = anyone, other: Where = anyone, also: Mapping[str, object] | None = None
) -> Plant:
    """One row gets these items of another row, and then what `also` makes of it, as in `one_row`."""

    def plant(clean: Offered, rng: Rng) -> Planted:
        number = _picked(clean.rows, where, rng)
        source = _picked(clean.rows, other, rng, but=number)
        values = {item: _row(clean.rows, source)[item] for item in items}
        values |= _made(also or {}, _row(clean.rows, number) | values)
        return Planted(agreeing(clean, with_values(clean.rows, number, values)), (number,))

    return plant


def share_of_rows(per_cent: int, where: Where = anyone, /, **values: object) -> Plant:
    """So many per cent of all rows, taken from those that may be hit, get these values."""

    def plant(clean: Offered, rng: Rng) -> Planted:
        may_be = np.flatnonzero(where(clean.rows).to_numpy(zero_copy_only=False))
        wanted = -(-len(clean.rows) * per_cent // 100)
        hit = np.sort(rng.permutation(may_be)[:wanted])
        mask = np.zeros(len(clean.rows), dtype=bool)
        mask[hit] = True
        rows = clean.rows
        for item, value in values.items():
            changed = pc.if_else(pa.array(mask), pa.scalar(value, rows.schema.field(item).type), rows[item])
            rows = rows.set_column(rows.schema.get_field_index(item), rows.schema.field(item), changed)
        return Planted(agreeing(clean, rows), tuple(hit.tolist()))

    return plant


def saying(**told: Callable[[ControlTotals], object]) -> Plant:
    """The rows are clean; what is said of them is not."""

    def plant(clean: Offered, rng: Rng) -> Planted:
        said = clean.control.model_copy(update={name: value(clean.control) for name, value in told.items()})
        return Planted(replace(clean, control=said))

    return plant


def agreeing(clean: Offered, rows: pa.Table) -> Offered:
    """These rows, with control totals that agree with them."""
    amounts = {item: pc.sum(rows[item]).as_py() or 0 for item in clean.control.amounts}
    said = clean.control.model_copy(update={"persons": len(rows), "amounts": amounts})
    return replace(clean, rows=rows, control=said)


def with_values(rows: pa.Table, number: int, values: Row) -> pa.Table:
    """The rows with a few values of one row replaced."""
    for item, value in values.items():
        field, column = rows.schema.field(item), rows[item]
        parts = [
            *column.slice(0, number).chunks,
            pa.array([value], field.type),
            *column.slice(number + 1).chunks,
        ]
        rows = rows.set_column(rows.schema.get_field_index(item), field, pa.chunked_array(parts, field.type))
    return rows


def against_the_control(plant: Plant) -> Plant:
    """The same defect, and the control totals know nothing of it."""

    def planted(clean: Offered, rng: Rng) -> Planted:
        made = plant(clean, rng)
        return Planted(replace(made.offered, control=clean.control), made.rows)

    return planted


def without_a_row(clean: Offered, rng: Rng) -> Planted:
    """Somebody is not there."""
    number = _picked(clean.rows, anyone, rng)
    return Planted(agreeing(clean, pa.concat_tables([clean.rows[:number], clean.rows[number + 1 :]])))


def with_a_row_twice(clean: Offered, rng: Rng) -> Planted:
    """Somebody is there twice, side by side."""
    number = _picked(clean.rows, anyone, rng)
    rows = pa.concat_tables([clean.rows[: number + 1], clean.rows[number:]])
    return Planted(agreeing(clean, rows), (number, number + 1))


def without_column(item: str) -> Plant:
    """An item is not offered."""

    def plant(clean: Offered, rng: Rng) -> Planted:
        return Planted(replace(clean, rows=clean.rows.drop_columns([item])))

    return plant


def with_column(item: str, value: str) -> Plant:
    """An item is offered that nobody asked for."""

    def plant(clean: Offered, rng: Rng) -> Planted:
        column = pa.repeat(pa.scalar(value), len(clean.rows))
        return Planted(replace(clean, rows=clean.rows.append_column(item, column)))

    return plant


def _made(changes: Mapping[str, object], row: Row) -> Row:
    return {item: change(row) if callable(change) else change for item, change in changes.items()}


def _row(rows: pa.Table, number: int) -> Row:
    row: Row = rows.slice(number, 1).to_pylist()[0]
    return row


def _picked(rows: pa.Table, where: Where, rng: Rng, but: int = -1) -> int:
    found = np.flatnonzero(np.asarray(where(rows)))
    return int(rng.choice(found[found != but]))
