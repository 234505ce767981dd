"""The rules of a suite as Great Expectations' own expectations over the frame of all rows: what `validation` is compared with.

Each check has a translation: a core expectation where one says the same, otherwise a column of verdicts that has to
be True. Such a column is worked out by column arithmetic where pandas has it, and by `apply` row by row only where a
function of several columns is needed. Told is rule → how many broke it, as the product tells it; a rule over the
whole is looked at in a frame of figures of its own. For rows without nulls but `lost_on`, as a clean ward has them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

from notice_cycle.catalogue import Configuration, Expectation
from notice_cycle.composition import windows31j
from notice_cycle.errors import Refused
from notice_cycle.extraction.source import ControlTotals
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.premiums import PremiumTable, acquired_at_65, months_insured, split_instalments

_BLANKS = r"^\s|\s\Z"
_CONTROLS = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"
_HALF_WIDTH_KANA = r"[\uff61-\uff9f]"
_KANA_NAME = r"^[\u30a1-\u30faー・\u3000ヽヾ]+\Z"
_FULL_WIDTH_SPACE = r"^(?=[^\u3000]*\u3000)(?:\S|\u3000)*\Z"
_POSTCODE = rf"^(?!{'|'.join(7 * digit for digit in '0123456789')})[0-9]{{7}}\Z"
_ONE = "[0-9０-９]"
_INDIVIDUAL_NO = re.compile(rf"(?<!{_ONE})(?:{_ONE}{{4}}[-－ 　]?){{2}}{_ONE}{{4}}(?!{_ONE})")
_SPECIAL_STARTS = {4: 4, 5: 4, 6: 4, 7: 4, 8: 4, 9: 4, 10: 6, 11: 6, 12: 8, 1: 8, 2: 10, 3: 10}


@dataclass
class Naive:
    """The frame, what is known besides it, and the verdicts and figures that rules were turned into."""

    frame: pd.DataFrame
    configuration: Configuration
    control: ControlTotals
    siblings: Sequence[int]
    verdicts: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, list[bool]] = field(default_factory=dict)

    @property
    def table(self) -> PremiumTable:
        """The premium table in force."""
        return self.configuration.premiums

    @property
    def today(self) -> date:
        """The day of 基準日時."""
        return tokyo_date(self.control.as_of)

    def stage_yen(self, column: str) -> pd.Series:
        """The annual amount of each row's stage; NaN for a stage that the table does not have."""
        return self.frame[column].map({row.stage: row.annual_yen for row in self.table.stages})


def outcomes(naive: Naive) -> dict[str, int]:
    """Rule → how many broke it."""
    rules = naive.configuration.expectations
    core = {one.rule: asked for one in rules if (asked := _translated(naive, one)) is not None}
    told = _judged(naive.frame, core) | _judged_true(naive.verdicts)
    for rule, figures in naive.figures.items():
        told |= _judged_true({rule: figures})
    return {one.rule: told.get(one.rule, 0) for one in rules}


def _translated(naive: Naive, one: Expectation) -> Any:
    if one.check in _CORE:
        return _CORE[one.check](naive, **one.arguments)
    if one.check in _COLUMNS:
        naive.verdicts[one.rule] = _COLUMNS[one.check](naive, naive.frame, **one.arguments)
    elif figures := _FIGURES[one.check](naive, **one.arguments):
        naive.figures[one.rule] = figures
    return None


def _judged_true(columns: Mapping[str, Any]) -> dict[str, int]:
    return _judged(
        pd.DataFrame(columns),
        {rule: gxe.ExpectColumnValuesToBeInSet(column=rule, value_set=[True]) for rule in columns},
    )


def _judged(frame: pd.DataFrame, expectations: Mapping[str, Any]) -> dict[str, int]:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    batch = (
        context.data_sources.add_pandas("naive")
        .add_dataframe_asset("rows")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": frame})
    )
    for rule, expectation in expectations.items():
        expectation.meta = {"rule": rule}
    suite = gx.ExpectationSuite(name="rules", expectations=list(expectations.values()))
    judged = batch.validate(suite, result_format="COMPLETE")
    return {result.expectation_config.meta["rule"]: _broken(result) for result in judged.results}


def _broken(result: Any) -> int:
    if result.exception_info and result.exception_info.get("raised_exception"):
        raise RuntimeError(f"{result.expectation_config.type}: {result.exception_info['exception_message']}")
    counted = result.result.get("unexpected_count")
    return int(not result.success) if counted is None else int(counted)


# ---- checks that Great Expectations has

_CORE: dict[str, Callable[..., Any]] = {
    "exact_columns": lambda n: gxe.ExpectTableColumnsToMatchOrderedList(column_list=list(n.configuration.notice.items)),
    "digits": lambda n, column, length: _matching(column, rf"^[0-9]{{{length}}}\Z"),
    "postcode": lambda n, column: _matching(column, _POSTCODE),
    "not_blank": lambda n, column: _matching(column, r"\S"),
    "kana_only": lambda n, column: _matching(column, _KANA_NAME),
    "full_width_space": lambda n, column: _matching(column, _FULL_WIDTH_SPACE),
    "unique_number": lambda n, column, length: gxe.ExpectColumnValuesToBeUnique(column=column),
    "one_of": lambda n, column, values: gxe.ExpectColumnValuesToBeInSet(column=column, value_set=values),
    "one_of_numbers": lambda n, column, values: gxe.ExpectColumnValuesToBeInSet(column=column, value_set=values),
    "none_of": lambda n, column, values: gxe.ExpectColumnValuesToNotBeInSet(column=column, value_set=values),
    "threshold_in_force": lambda n, column: gxe.ExpectColumnValuesToBeInSet(
        column=column, value_set=[n.table.national_income_threshold.yen]
    ),
    "due_date": lambda n, column: gxe.ExpectColumnValuesToBeInSet(
        column=column, value_set=list(n.configuration.due_on)
    ),
    "at_most_characters": lambda n, column, length: gxe.ExpectColumnValueLengthsToBeBetween(
        column=column, max_value=length
    ),
    "between": lambda n, column, minimum=None, maximum=None: gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=minimum, max_value=maximum
    ),
    "stage_known": lambda n, column: gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=1, max_value=len(n.table.stages)
    ),
    "same_text": lambda n, left, right: gxe.ExpectColumnPairValuesToBeEqual(column_A=left, column_B=right),
    "same_number": lambda n, left, right: gxe.ExpectColumnPairValuesToBeEqual(column_A=left, column_B=right),
    "rows_as_controlled": lambda n: gxe.ExpectTableRowCountToEqual(value=n.control.persons),
    "total_as_controlled": lambda n, column: gxe.ExpectColumnSumToBeBetween(
        column=column, min_value=n.control.amounts[column], max_value=n.control.amounts[column]
    ),
}  # fmt: skip


def _matching(column: str, regex: str) -> Any:
    return gxe.ExpectColumnValuesToMatchRegex(column=column, regex=regex)


# ---- checks that become a column of verdicts


def _no_individual_number(naive: Naive, frame: pd.DataFrame, columns: list[str]) -> Any:
    return frame[columns].apply(lambda column: ~column.map(_has_individual_number)).all(axis=1)


def _has_individual_number(text: str) -> bool:
    return any(_is_individual_number(found) for found in _INDIVIDUAL_NO.findall(text))


def _is_individual_number(written: str) -> bool:
    *digits, check = (int(character) for character in written if character.isdecimal())
    rest = (
        sum(digit * weight for digit, weight in zip(digits, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True))
        % 11
    )
    return check == (0 if rest <= 1 else 11 - rest)


def _insured_number(naive: Naive, frame: pd.DataFrame, column: str) -> Any:
    return frame[column].map(_has_check_digit)


def _has_check_digit(number: str) -> bool:
    if not re.fullmatch("[0-9]{10}", number):
        return False
    products = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(number[:9]))]
    return -sum(product // 10 + product % 10 for product in products) % 10 == int(number[9])


def _one_value_each(
    naive: Naive,
    frame: pd.DataFrame,
    *,
    key: str,
    length: int,
    columns: list[str],
    when: str | None = None,
    value: str | None = None,
) -> Any:
    meant = frame[key].str.len() == length
    if when:
        meant &= frame[when] == value
    different = frame.loc[meant, [key, *columns]].drop_duplicates()
    several = different.loc[different[key].duplicated(), key]
    return ~(meant & frame[key].isin(several))


def _unambiguous_sharing(
    naive: Naive, frame: pd.DataFrame, *, share: str, recipient_id: str, name: str, address: list[str]
) -> Any:
    sharing = frame.loc[frame[share], [recipient_id, *address]]
    home = [
        frame.loc[frame[share], name].str.replace("[ 　].*", "", regex=True),
        *(sharing[one] for one in address),
    ]
    several = sharing[recipient_id].groupby(home).transform("nunique") > 1
    return ~several.reindex(frame.index, fill_value=False)


def _acquired_at_65(naive: Naive, frame: pd.DataFrame, birth: str, acquired: str) -> Any:
    return frame[acquired] >= frame[birth].map(acquired_at_65)


def _age_between(naive: Naive, frame: pd.DataFrame, birth: str, minimum: int, maximum: int) -> Any:
    return frame[birth].map(
        lambda born: _attained(born, minimum) <= naive.today < _attained(born, maximum + 1)
    )


def _attained(born: date, years: int) -> date:
    if (born.month, born.day) == (2, 29) and (born.year + years) % 4:
        return date(born.year + years, 2, 28)
    return born.replace(year=born.year + years) - timedelta(days=1)


def _lost_after(naive: Naive, frame: pd.DataFrame, acquired: str, lost: str) -> Any:
    return frame[lost].fillna(date.max) > frame[acquired]


def _days_from_reference(
    naive: Naive, frame: pd.DataFrame, column: str, earliest: int | None = None, latest: int | None = None
) -> Any:
    first = date.min if earliest is None else naive.today + timedelta(days=earliest)
    last = date.max if latest is None else naive.today + timedelta(days=latest)
    return (frame[column] >= first) & (frame[column] <= last)


def _printable(naive: Naive, frame: pd.DataFrame, columns: list[str]) -> Any:
    known = set("".join(entry.original for entry in naive.configuration.gaiji.entries))

    def can_be_printed(text: str) -> bool:
        if not known.issuperset(text):
            known.update(one for one in text if one not in "\r\n" and not windows31j.unprintable(one))
        return known.issuperset(text)

    return frame[columns].apply(lambda column: column.map(can_be_printed)).all(axis=1)


def _without(pattern: str) -> Callable[..., Any]:
    def kept(naive: Naive, frame: pd.DataFrame, columns: list[str]) -> Any:
        return frame[columns].apply(lambda column: ~column.str.contains(pattern)).all(axis=1)

    return kept


def _self_is_insured(naive: Naive, frame: pd.DataFrame, kind: str, recipient: str, insured: str) -> Any:
    return (frame[kind] != "self") | (frame[recipient] == frame[insured])


def _other_is_registered(naive: Naive, frame: pd.DataFrame, kind: str, recipient_id: str) -> Any:
    number = frame[recipient_id]
    return (frame[kind] == "self") | (number.str.fullmatch("[0-9]{10}") & (number != "0" * 10))


def _suffix_fits(
    naive: Naive, frame: pd.DataFrame, kind: str, suffix: str, allowed: Mapping[str, list[str]]
) -> Any:
    fitting = {(value, each) for value, suffixes in allowed.items() for each in suffixes}
    return pd.MultiIndex.from_frame(frame[[kind, suffix]]).isin(fitting)


def _care_of_another(
    naive: Naive, frame: pd.DataFrame, *, suffix: str, care_of: str, recipient: str, insured: str
) -> Any:
    return (frame[suffix] != care_of) | (frame[recipient] != frame[insured])


def _no_sharing_by(naive: Naive, frame: pd.DataFrame, kind: str, values: list[str], share: str) -> Any:
    return ~(frame[share] & frame[kind].isin(values))


def _annual_amount(naive: Naive, frame: pd.DataFrame, stage: str, months: str, amount: str) -> Any:
    unit = naive.table.rounding_unit_yen
    expected = naive.stage_yen(stage) * frame[months] // 12 // unit * unit
    return frame[months].between(0, 12) & (frame[amount] == expected)


def _months_agree(naive: Naive, frame: pd.DataFrame, acquired: str, lost: str, months: str) -> Any:
    def agree(row: pd.Series) -> bool:
        acquired_on, lost_on, count = row.tolist()
        try:
            return bool(months_insured(acquired_on, lost_on or None, naive.table.fiscal_year) == count)
        except Refused:  # lost before acquired
            return False

    return frame[[acquired, lost, months]].apply(agree, axis=1)


def _remainder_in_place(naive: Naive, frame: pd.DataFrame, columns: list[str], total: str) -> Any:
    def in_place(row: pd.Series) -> bool:
        *amounts, all_yen = row.tolist()
        first = next((slot for slot, yen in enumerate(amounts, start=1) if yen > 0), 1)
        return all_yen >= 0 and tuple(amounts) == split_instalments(naive.table, all_yen, first)

    return frame[[*columns, total]].apply(in_place, axis=1)


def _only_months_in_table(naive: Naive, frame: pd.DataFrame, columns: list[str], collection: str) -> Any:
    months = naive.table.ordinary_months if collection == "ordinary" else naive.table.special_months
    outside = [column for column in columns if int(column.rsplit("_", 1)[1]) not in months]
    return (frame[outside] == 0).all(axis=1)


def _no_amount_past_due(naive: Naive, frame: pd.DataFrame, columns: list[str]) -> Any:
    past = [
        column for column, due in zip(columns, naive.configuration.due_on, strict=True) if due < naive.today
    ]
    return (frame[past] == 0).all(axis=1)


def _due_of_first_amount(naive: Naive, frame: pd.DataFrame, columns: list[str], due: str) -> Any:
    def is_first(row: pd.Series) -> bool:
        *amounts, due_on = row.tolist()
        paid = (day for day, yen in zip(naive.configuration.due_on, amounts, strict=True) if yen > 0)
        return next(paid, None) == due_on

    return frame[[*columns, due]].apply(is_first, axis=1)


def _equal_when(
    naive: Naive, frame: pd.DataFrame, *, when: str, value: str, left: list[str], right: list[str]
) -> Any:
    same = (frame[left].to_numpy() == frame[right].to_numpy()).all(axis=1)
    return (frame[when] != value) | same


def _nearly_equal(naive: Naive, frame: pd.DataFrame, columns: list[str], within_units: int) -> Any:
    spread = frame[columns].max(axis=1) - frame[columns].min(axis=1)
    return spread <= within_units * naive.table.rounding_unit_yen


def _special_start_month(naive: Naive, frame: pd.DataFrame, acquired: str, month: str, years: int) -> Any:
    recent = naive.today - timedelta(days=365 * years)
    expected = frame[acquired].map(lambda day: _SPECIAL_STARTS[day.month])
    return (frame[acquired] < recent) | (frame[month] == expected)


_COLUMNS: dict[str, Callable[..., Any]] = {
    "no_individual_number": _no_individual_number,
    "insured_number": _insured_number,
    "filled": lambda n, frame, columns: frame[columns].notna().all(axis=1),
    "in_no_sibling": lambda n, frame, column, length: ~frame[column].isin({f"{one:0{length}}" for one in n.siblings}),
    "one_value_each": _one_value_each,
    "unambiguous_sharing": _unambiguous_sharing,
    "acquired_at_65": _acquired_at_65,
    "age_between": _age_between,
    "lost_after": _lost_after,
    "days_from_reference": _days_from_reference,
    "printable": _printable,
    "no_controls": _without(_CONTROLS),
    "no_half_width_kana": _without(_HALF_WIDTH_KANA),
    "no_outer_blanks": _without(_BLANKS),
    "self_is_insured": _self_is_insured,
    "other_is_registered": _other_is_registered,
    "suffix_fits": _suffix_fits,
    "care_of_another": _care_of_another,
    "no_sharing_by": _no_sharing_by,
    "stage_amount": lambda n, frame, stage, amount: frame[amount] == n.stage_yen(stage),
    "annual_amount": _annual_amount,
    "months_agree": _months_agree,
    "adds_up": lambda n, frame, parts, total: frame[parts].sum(axis=1) == frame[total],
    "whole_units": lambda n, frame, columns: (frame[columns] % n.table.rounding_unit_yen == 0).all(axis=1),
    "no_negative": lambda n, frame, columns: (frame[columns] >= 0).all(axis=1),
    "remainder_in_place": _remainder_in_place,
    "nearly_equal": _nearly_equal,
    "only_months_in_table": _only_months_in_table,
    "no_amount_past_due": _no_amount_past_due,
    "due_of_first_amount": _due_of_first_amount,
    "zero_when": lambda n, frame, when, value, columns: (frame[when] != value) | (frame[columns] == 0).all(axis=1),
    "positive_when": lambda n, frame, when, value, columns: (frame[when] != value) | (frame[columns] > 0).all(axis=1),
    "equal_when": _equal_when,
    "special_not_too_early": lambda n, frame, column: frame[column] < date(n.table.fiscal_year, 4, 1),
    "special_start_month": _special_start_month,
}  # fmt: skip


# ---- checks over the whole: a few figures each


def _column_types(naive: Naive, **names: list[str]) -> list[bool]:
    """What pandas infers of each column; the figure is one for each row, as the product counts it."""
    inferred = {"text": "string", "whole": "integer", "day": "date", "flag": "boolean"}
    found = {
        column: pd.api.types.infer_dtype(naive.frame[column], skipna=True)
        for columns in names.values()
        for column in columns
    }
    fit = all(
        found[column] in {inferred[kind], "empty"} for kind, columns in names.items() for column in columns
    )
    return [fit] if fit else [False] * len(naive.frame)


def _population_adds_up(naive: Naive) -> list[bool]:
    said = naive.control.population
    noticed = sum(said.get(method, 0) for method in ("ordinary", "special", "mixed"))
    excluded = sum(persons for category, persons in said.items() if category.startswith("excluded:"))
    return [noticed + excluded == said.get("insured")]


def _population_by_method(naive: Naive, column: str, methods: list[str]) -> list[bool]:
    counted = naive.frame[column].value_counts()
    return [counted.get(method, 0) == naive.control.population.get(method, 0) for method in methods]


def _steady_count(naive: Naive, column: str, percent: int) -> list[bool]:
    last = sum(naive.control.last_year.get(column, {}).values())
    return [abs(len(naive.frame) - last) * 100 <= last * percent] if last else []


def _steady_shares(naive: Naive, column: str, points: int, persons: int) -> list[bool]:
    now = {str(value): int(count) for value, count in naive.frame[column].value_counts().items()}
    last = naive.control.last_year.get(column, {})
    all_now, all_last = sum(now.values()), sum(last.values())
    told = [value for value in {*now, *last} if max(now.get(value, 0), last.get(value, 0)) >= persons]
    return [
        abs(now.get(value, 0) * all_last - last.get(value, 0) * all_now) * 100 <= points * all_now * all_last
        for value in told
    ]


_FIGURES: dict[str, Callable[..., list[bool]]] = {
    "column_types": _column_types,
    "population_adds_up": _population_adds_up,
    "population_by_method": _population_by_method,
    "steady_count": _steady_count,
    "steady_shares": _steady_shares,
}

TRANSLATED = frozenset(_CORE) | frozenset(_COLUMNS) | frozenset(_FIGURES)
"""The checks that have a translation."""
