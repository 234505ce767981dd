"""Checks over the whole of the rows: duplicates, one person or household told twice, and totals against controls.

They keep 64-bit numbers of each row, never a text, and compare at the end. What is broken is either rows, told
by their numbers, or totals and shares, told by how many. Where the core system gives nothing to compare with,
nothing was looked at (`checked` 0), and the outcome says so. Numbers that are null or malformed are passed
over here: the rules on formats find them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.validation.facts import Facts, Numbers
from notice_cycle.validation.rows import Flags, Rows

_INSURED = "insured"
_METHODS = ("ordinary", "special", "mixed")
_EXCLUDED = "excluded:"


@dataclass(frozen=True)
class Found:
    """What a whole check found: how many were looked at, the rows that break the rule, and what breaks it beside rows."""

    checked: int
    rows: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    besides: int = 0


class WholeCheck(Protocol):
    """Sees every batch once, in order; then tells."""

    def see(self, rows: Rows) -> None:
        """Takes note of a batch."""

    def found(self) -> Found:
        """What all batches together show."""


class _Gathered:
    """One column of all rows, gathered batch by batch."""

    def __init__(self) -> None:
        self._parts: list[Any] = []

    def add(self, part: Any) -> None:
        self._parts.append(part)

    def whole(self) -> Any:
        """The column; the parts are given up, so that it is not held twice."""
        joined = np.concatenate(self._parts) if self._parts else np.empty(0, dtype=np.int64)
        self._parts.clear()
        return joined


class UniqueNumber:
    """No number twice."""

    def __init__(self, facts: Facts, *, column: str, length: int) -> None:
        self._column, self._length, self._keys = column, length, _Gathered()

    def see(self, rows: Rows) -> None:
        """Keeps the number of each row."""
        number = rows.digits(self._column, self._length)
        self._keys.add(_keys(rows, number.number, number.well_formed))

    def found(self) -> Found:
        """All rows of a number that stands twice."""
        keys = self._keys.whole()
        return Found(len(keys), np.flatnonzero(_stands_twice(keys)))


class InNoSibling:
    """Nobody who has a decision of the same group from another cycle."""

    def __init__(self, facts: Facts, *, column: str, length: int) -> None:
        self._siblings, self._column, self._length = np.sort(facts.siblings), column, length
        self._seen, self._rows = 0, _Gathered()

    def see(self, rows: Rows) -> None:
        """Looks the batch's numbers up among the siblings'."""
        if not len(self._siblings):
            return
        number = rows.digits(self._column, self._length)
        place = np.searchsorted(self._siblings, number.number).clip(max=len(self._siblings) - 1)
        known = number.well_formed & (self._siblings[place] == number.number)
        self._seen += len(rows)
        self._rows.add(np.flatnonzero(known) + rows.first_row)

    def found(self) -> Found:
        """The rows of numbers that another cycle has."""
        return Found(self._seen, self._rows.whole())


class OneValueEach:
    """Rows with the same key agree in these texts, among the rows where `when` has the value."""

    def __init__(
        self,
        facts: Facts,
        *,
        key: str,
        length: int,
        columns: Sequence[str],
        when: str | None = None,
        value: str | None = None,
    ) -> None:
        self._key, self._length, self._columns, self._when, self._value = key, length, columns, when, value
        self._seen, self._keys, self._texts = 0, _Gathered(), _Gathered()

    def see(self, rows: Rows) -> None:
        """Keeps key and fingerprint of each row."""
        key = rows.digits(self._key, self._length)
        meant = key.well_formed
        if self._when:
            meant = meant & pc.equal(rows.text(self._when), self._value).to_numpy(zero_copy_only=False)
        self._seen += int(meant.sum())
        self._keys.add(_keys(rows, key.number, meant))
        self._texts.add(rows.fingerprint(self._columns))

    def found(self) -> Found:
        """All rows of a key with two different texts."""
        return Found(self._seen, np.flatnonzero(_disagrees(self._keys.whole(), self._texts.whole())))


class UnambiguousSharing:
    """Who may share an envelope does not live with somebody of the same surname under another registered number.

    In 2023 a city took the same surname at the same address for the same household.
    """

    def __init__(
        self, facts: Facts, *, share: str, recipient_id: str, name: str, address: Sequence[str]
    ) -> None:
        self._share, self._id, self._name, self._address = share, recipient_id, name, tuple(address)
        self._homes, self._recipients, self._rows = _Gathered(), _Gathered(), _Gathered()

    def see(self, rows: Rows) -> None:
        """Keeps surname with address, and registered number, of the rows that may share."""
        share = np.flatnonzero(rows.flag(self._share))
        if not len(share):
            return
        few = Rows(rows.batch.take(share))
        surname = pc.replace_substring_regex(few.text(self._name), "[ 　].*", "")
        named = Rows(pa.record_batch([surname], names=[self._name]))
        self._homes.add(named.fingerprint([self._name]) ^ ~few.fingerprint(self._address))
        self._recipients.add(few.fingerprint([self._id]))
        self._rows.add(share + rows.first_row)

    def found(self) -> Found:
        """All rows of such a surname and address."""
        rows = self._rows.whole()
        return Found(len(rows), rows[_disagrees(self._homes.whole(), self._recipients.whole())])


def _keys(rows: Rows, number: Numbers, meant: Flags) -> Numbers:
    """The numbers of the rows that are meant; any other row gets a number that stands nowhere else."""
    return np.where(meant, number, -1 - np.arange(rows.first_row, rows.first_row + len(rows)))


def _stands_twice(key: Any) -> Flags:
    """Which rows have a key that stands more than once."""
    order = np.argsort(key)
    same = key[order][1:] == key[order][:-1]
    flags = np.zeros(len(key), dtype=np.bool_)
    flags[order[1:][same]] = True
    flags[order[:-1][same]] = True
    return flags


def _disagrees(key: Any, text: Any) -> Flags:
    """Rows of a key that stands with more than one text."""
    flags = _stands_twice(key)
    several = np.flatnonzero(flags)
    order = several[np.lexsort((text[several], key[several]))]
    another_key = key[order][1:] != key[order][:-1]
    group = np.concatenate([[0], np.cumsum(another_key)])[: len(order)]
    disagrees = np.zeros(len(order), dtype=np.bool_)
    disagrees[group[1:][~another_key & (text[order][1:] != text[order][:-1])]] = True
    flags[order] = disagrees[group]
    return flags


# ---- against the core system's own counts


class RowsAsControlled:
    """As many rows as the control total has persons."""

    def __init__(self, facts: Facts) -> None:
        self._persons, self._rows = facts.circumstances.persons, 0

    def see(self, rows: Rows) -> None:
        """Counts."""
        self._rows += len(rows)

    def found(self) -> Found:
        """One difference, or none."""
        return Found(1, besides=int(self._rows != self._persons))


class TotalAsControlled:
    """The column's sum is the control total of that item."""

    def __init__(self, facts: Facts, *, column: str) -> None:
        self._said, self._column, self._sum = facts.circumstances.amounts.get(column), column, 0

    def see(self, rows: Rows) -> None:
        """Adds up."""
        self._sum += int(rows.whole(self._column).sum())

    def found(self) -> Found:
        """One difference, or none. A control total that is not there is a difference."""
        return Found(1, besides=int(self._sum != self._said))


class PopulationAddsUp:
    """普徴 + 特徴 + 併徴 + excluded by reason are all insured persons, in the core system's own counts."""

    def __init__(self, facts: Facts) -> None:
        self._population = _population(facts)

    def see(self, rows: Rows) -> None:
        """Needs no rows."""

    def found(self) -> Found:
        """One difference, or none; nothing looked at where no population is due."""
        if self._population is None:
            return Found(0)
        noticed = sum(self._population.get(method, 0) for method in _METHODS)
        excluded = sum(persons for name, persons in self._population.items() if name.startswith(_EXCLUDED))
        return Found(1, besides=int(noticed + excluded != self._population.get(_INSURED)))


class PopulationByMethod:
    """As many rows of each method of this notice as the population has persons of it."""

    def __init__(self, facts: Facts, *, column: str, methods: Sequence[str]) -> None:
        self._population, self._methods, self._counts = _population(facts), methods, _Counts(column)

    def see(self, rows: Rows) -> None:
        """Counts by method."""
        self._counts.see(rows)

    def found(self) -> Found:
        """How many methods differ."""
        if self._population is None:
            return Found(0)
        counted, said = self._counts.by_value, self._population
        differs = sum(counted[method] != said.get(method, 0) for method in self._methods)
        return Found(len(self._methods), besides=differs)


def _population(facts: Facts) -> Mapping[str, int] | None:
    """The population, None where none is due. An annual run without one has an empty one."""
    return facts.circumstances.population if facts.annual else None


class SteadyCount:
    """The number of persons moved by no more than so many per cent against last year."""

    def __init__(self, facts: Facts, *, column: str, percent: int) -> None:
        self._last = sum(_last_year(facts, column).values())
        self._percent, self._rows = percent, 0

    def see(self, rows: Rows) -> None:
        """Counts."""
        self._rows += len(rows)

    def found(self) -> Found:
        """One drift, or none; nothing looked at where last year is not known."""
        moved = abs(self._rows - self._last) * 100 > self._last * self._percent
        return Found(1, besides=int(moved)) if self._last else Found(0)


class SteadyShares:
    """Each value's share of all persons moved by no more than so many points; values of few persons are passed over."""

    def __init__(self, facts: Facts, *, column: str, points: int, persons: int) -> None:
        self._last, self._points, self._few = _last_year(facts, column), points, persons
        self._counts = _Counts(column)

    def see(self, rows: Rows) -> None:
        """Counts by value."""
        self._counts.see(rows)

    def found(self) -> Found:
        """How many values moved; nothing looked at where last year is not known."""
        now, last = self._counts.by_value, self._last
        all_now, all_last = sum(now.values()), sum(last.values())
        if not all_now or not all_last:
            return Found(0)
        told = [value for value in {*now, *last} if max(now.get(value, 0), last.get(value, 0)) >= self._few]
        moved = [
            value
            for value in told  # in whole numbers: |n/N − l/L| × 100 > points
            if abs(now.get(value, 0) * all_last - last.get(value, 0) * all_now) * 100
            > self._points * all_now * all_last
        ]
        return Found(len(told), besides=len(moved))


def _last_year(facts: Facts, item: str) -> Mapping[str, int]:
    known = facts.circumstances
    comparable = facts.annual and known.last_year_of == facts.fiscal_year - 1
    return known.last_year.get(item, {}) if comparable else {}


class _Counts:
    """Persons by value of one column, its values as text."""

    def __init__(self, column: str) -> None:
        self._column, self.by_value = column, Counter[str]()

    def see(self, rows: Rows) -> None:
        self.by_value.update(count_by_value(rows, self._column))


def count_by_value(rows: Rows, column: str) -> dict[str, int]:
    """Persons by value of a column of any type; the values as text, flags as true and false, nulls left out."""
    return rows.once(("counts", column), lambda: _counted(rows.batch[column]))


def _counted(column: pa.Array) -> dict[str, int]:
    counted = column.value_counts()
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return {_text(value): persons for value, persons in pairs if value is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


CHECKS: dict[str, Callable[..., WholeCheck]] = {
    "unique_number": UniqueNumber,
    "in_no_sibling": InNoSibling,
    "one_value_each": OneValueEach,
    "unambiguous_sharing": UnambiguousSharing,
    "rows_as_controlled": RowsAsControlled,
    "total_as_controlled": TotalAsControlled,
    "population_adds_up": PopulationAddsUp,
    "population_by_method": PopulationByMethod,
    "steady_count": SteadyCount,
    "steady_shares": SteadyShares,
}
