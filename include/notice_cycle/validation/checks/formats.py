"""Schema and formats: what stands in a column at all, apart from what it means."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.validation.facts import Facts
from notice_cycle.validation.rows import TYPES, Digits, Kept, Rows

_POSTCODE_DIGITS = 7
_INSURED_DIGITS = 10
_MODULUS11_WEIGHTS = np.array([4, 3, 2, 7, 6, 5, 4, 3, 2])


def exact_columns(rows: Rows, facts: Facts) -> Kept:
    """The columns are the notice's items, in their order."""
    return np.full(len(rows), tuple(rows.batch.schema.names) == facts.items)


def column_types(rows: Rows, facts: Facts, **names: Sequence[str]) -> Kept:
    """Every column is of the type it stands under."""
    schema = rows.batch.schema
    fit = all(
        TYPES[kind](schema.field(name).type)
        for kind, columns in names.items()
        for name in columns
        if name in schema.names
    )
    return np.full(len(rows), fit)


def filled(rows: Rows, facts: Facts, *, columns: Sequence[str]) -> Kept:
    """No null in any of the columns."""
    batch = rows.batch
    nulls = [
        batch[name].is_null().to_numpy(zero_copy_only=False) for name in columns if batch[name].null_count
    ]
    return ~np.logical_or.reduce(nulls) if nulls else np.ones(len(rows), dtype=np.bool_)


def filled_when(rows: Rows, facts: Facts, *, when: str, value: str, columns: Sequence[str]) -> Kept:
    """Where `when` has the value, no null in any of the columns."""
    here = pc.equal(rows.text(when), value).to_numpy(zero_copy_only=False)
    return ~here | filled(rows, facts, columns=columns)


def not_blank(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """Something but blanks."""
    return pc.greater(pc.binary_length(pc.utf8_ltrim_whitespace(rows.text(column))), 0)


def digits(rows: Rows, facts: Facts, *, column: str, length: int) -> Kept:
    """So many half-width digits."""
    return rows.digits(column, length).well_formed


def insured_number(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """Ten digits, of which the last is the check digit by the rule in force."""
    found = rows.digits(column, _INSURED_DIGITS)
    match facts.insured_number_rule:
        case "none":
            return found.well_formed
        case "modulus10":
            return found.well_formed & (_modulus10(found) == found.digits[:, -1])
        case "modulus11":
            return found.well_formed & (_modulus11(found) == found.digits[:, -1])


def _modulus10(found: Digits) -> Kept:
    """Weights 2, 1, 2 … from the right, the products' digits added up."""
    doubled = found.digits[:, -2::-2] * 2
    total = (doubled // 10 + doubled % 10).sum(axis=1) + found.digits[:, -3::-2].sum(axis=1)
    return (10 - total % 10) % 10


def _modulus11(found: Digits) -> Kept:
    """Weights 2 to 7 from the right, then again from 2; 10 and 11 become 0."""
    rest = 11 - (found.digits[:, :-1].astype(np.int64) @ _MODULUS11_WEIGHTS) % 11
    return np.where(rest >= 10, 0, rest)  # noqa: PLR2004


def postcode(rows: Rows, facts: Facts, *, column: str) -> Kept:
    """Seven digits, not all the same."""
    found = rows.digits(column, _POSTCODE_DIGITS)
    return found.well_formed & (found.digits != found.digits[:, :1]).any(axis=1)


def one_of(rows: Rows, facts: Facts, *, column: str, values: Sequence[str]) -> Kept:
    """One of these texts."""
    return pc.is_in(rows.text(column), pa.array(values, pa.string()))


def none_of(rows: Rows, facts: Facts, *, column: str, values: Sequence[str]) -> Kept:
    """None of these texts."""
    return pc.invert(one_of(rows, facts, column=column, values=values))


def one_of_numbers(rows: Rows, facts: Facts, *, column: str, values: Sequence[int]) -> Kept:
    """One of these numbers."""
    return np.isin(rows.whole(column), np.array(values))


def matches(rows: Rows, facts: Facts, *, column: str, pattern: str) -> Kept:
    """The pattern is found in the text (RE2, as `match_substring_regex` reads it)."""
    return pc.match_substring_regex(rows.text(column), pattern)


def at_most_characters(rows: Rows, facts: Facts, *, column: str, length: int) -> Kept:
    """No more characters than the form's field holds."""
    return pc.less_equal(pc.utf8_length(rows.text(column)), length)


def between(
    rows: Rows, facts: Facts, *, column: str, minimum: int | None = None, maximum: int | None = None
) -> Kept:
    """A whole number within the bounds, both included."""
    number = rows.whole(column)
    kept = np.ones(len(rows), dtype=np.bool_)
    if minimum is not None:
        kept &= number >= minimum
    if maximum is not None:
        kept &= number <= maximum
    return kept


def flag_is(rows: Rows, facts: Facts, *, column: str, value: bool) -> Kept:
    """The flag has this value."""
    return rows.flag(column) == value


def same_text(rows: Rows, facts: Facts, *, left: str, right: str) -> Kept:
    """Two columns hold the same text."""
    return pc.equal(rows.text(left), rows.text(right))


def same_number(rows: Rows, facts: Facts, *, left: str, right: str) -> Kept:
    """Two columns hold the same number."""
    return rows.whole(left) == rows.whole(right)


CHECKS = (
    exact_columns,
    column_types,
    filled,
    filled_when,
    not_blank,
    digits,
    insured_number,
    postcode,
    one_of,
    none_of,
    one_of_numbers,
    matches,
    at_most_characters,
    between,
    flag_is,
    same_text,
    same_number,
)
