"""The checks a rule may name, and the arguments each takes. Only names: the functions are in `checks`.

The catalogue reads this when it loads a suite, also where Airflow parses its DAG files, so nothing heavy is
imported here. Refuses a rule that names an unknown check, an unknown or missing argument, or an item that the
notice does not have.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from notice_cycle.errors import NotConfigured


class NamesACheck(Protocol):
    """A rule of a suite, as far as it names a check."""

    @property
    def rule(self) -> str: ...  # noqa: D102 - as in the catalogue
    @property
    def check(self) -> str: ...  # noqa: D102
    @property
    def arguments(self) -> Mapping[str, Any]: ...  # noqa: D102


def refuse_unfit(rules: Iterable[NamesACheck], items: Iterable[str], file: str) -> None:
    """Raises NotConfigured for the first rule that cannot be judged over rows of `items`, naming file and remedy."""
    known = frozenset(items)
    for one in rules:
        if reason := unfit(one, known):
            raise NotConfigured(
                f"expectations/{file}: 規則 {one.rule} を判定できません（{reason}）。",
                advice=f"{file} の規則 {one.rule} の check と arguments を、検査の一覧（validation/registry.py）と見比べて直してください。",
            )


def unfit(rule: NamesACheck, items: frozenset[str]) -> str | None:
    """Why a rule cannot be judged over rows of `items`, None when it can."""
    check, arguments = rule.check, rule.arguments
    if check not in CHECKS:
        return f"{check} という検査はありません"
    takes = CHECKS[check]
    if surplus := sorted(arguments.keys() - takes.keys()):
        return f"引数 {', '.join(surplus)} は検査 {check} にありません"
    if missing := sorted(name for name, kind in takes.items() if kind.required and name not in arguments):
        return f"引数 {', '.join(missing)} がありません"
    for name, value in arguments.items():
        if not takes[name].accepts(value):
            return f"引数 {name} は{takes[name].label_ja}にしてください"
        if unknown := sorted(set(takes[name].items_in(value)) - items):
            return f"引数 {name} の項目 {', '.join(unknown)} が通知書の items にありません"
    return None


# ---- kinds of arguments


@dataclass(frozen=True)
class Argument:
    """What an argument may be, and which items of the notice its value names."""

    label_ja: str
    accepts: Callable[[Any], bool]
    items_in: Callable[[Any], Iterable[str]] = lambda _: ()
    required: bool = True


def _optional(kind: Argument) -> Argument:
    return Argument(kind.label_ja, kind.accepts, kind.items_in, required=False)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are(value: Any, accepts: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(accepts, value))


def _is_pattern(value: Any) -> bool:
    try:
        return _is_text(value) and re.compile(value) is not None
    except re.error:
        return False


def _are_texts_by_text(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_are(texts, _is_text) for texts in value.values())


_ITEM = Argument("項目名", _is_text, lambda value: [value])
_ITEMS = Argument("項目名の並び", lambda value: _are(value, _is_text), lambda value: value)
_NUMBER = Argument("整数", _is_number)
_FLAG = Argument("真偽（true か false）", lambda value: isinstance(value, bool))
_TEXT = Argument("文字列", _is_text)
_TEXTS = Argument("文字列の並び", lambda value: _are(value, _is_text))
_NUMBERS = Argument("整数の並び", lambda value: _are(value, _is_number))
_PATTERN = Argument("正規表現", _is_pattern)
_TABLE = Argument("区分ごとの文字列の並び", _are_texts_by_text)
_COLLECTION = Argument("ordinary か special", lambda value: value in {"ordinary", "special"})


def _takes(**arguments: Argument) -> Mapping[str, Argument]:
    return arguments


_NOTHING = _takes()
_COLUMN = _takes(column=_ITEM)
_COLUMNS = _takes(columns=_ITEMS)

CHECKS: Mapping[str, Mapping[str, Argument]] = {
    # schema and formats
    "exact_columns": _NOTHING,
    "column_types": _takes(
        text=_ITEMS,
        whole=_optional(_ITEMS),
        day=_optional(_ITEMS),
        moment=_optional(_ITEMS),
        flag=_optional(_ITEMS),
    ),
    "filled": _COLUMNS,
    "filled_when": _takes(when=_ITEM, value=_TEXT, columns=_ITEMS),
    "not_blank": _COLUMN,
    "digits": _takes(column=_ITEM, length=_NUMBER),
    "insured_number": _COLUMN,
    "postcode": _COLUMN,
    "one_of": _takes(column=_ITEM, values=_TEXTS),
    "none_of": _takes(column=_ITEM, values=_TEXTS),
    "one_of_numbers": _takes(column=_ITEM, values=_NUMBERS),
    "matches": _takes(column=_ITEM, pattern=_PATTERN),
    "at_most_characters": _takes(column=_ITEM, length=_NUMBER),
    "between": _takes(column=_ITEM, minimum=_optional(_NUMBER), maximum=_optional(_NUMBER)),
    "flag_is": _takes(column=_ITEM, value=_FLAG),
    "same_text": _takes(left=_ITEM, right=_ITEM),
    "same_number": _takes(left=_ITEM, right=_ITEM),
    # amounts by the premium table in force
    "stage_known": _COLUMN,
    "threshold_in_force": _COLUMN,
    "stage_amount": _takes(stage=_ITEM, amount=_ITEM),
    "annual_amount": _takes(stage=_ITEM, months=_ITEM, amount=_ITEM),
    "months_agree": _takes(acquired=_ITEM, lost=_ITEM, months=_ITEM),
    "adds_up": _takes(parts=_ITEMS, total=_ITEM),
    "no_negative": _COLUMNS,
    "whole_units": _COLUMNS,
    "remainder_in_place": _takes(columns=_ITEMS, total=_ITEM),
    "nearly_equal": _takes(columns=_ITEMS, within_units=_NUMBER),
    "only_months_in_table": _takes(columns=_ITEMS, collection=_COLLECTION),
    "different_number": _takes(left=_ITEM, right=_ITEM),
    # days and moments
    "age_between": _takes(birth=_ITEM, minimum=_NUMBER, maximum=_NUMBER),
    "acquired_at_65": _takes(birth=_ITEM, acquired=_ITEM),
    "lost_after": _takes(acquired=_ITEM, lost=_ITEM),
    "before": _takes(earlier=_ITEM, later=_ITEM),
    "not_after": _takes(earlier=_ITEM, later=_ITEM),
    "due_date": _COLUMN,
    "due_of_first_amount": _takes(columns=_ITEMS, due=_ITEM),
    "due_of_instalment": _takes(year=_ITEM, instalment=_ITEM, due=_ITEM),
    "no_amount_past_due": _COLUMNS,
    "day_of_year": _takes(column=_ITEM, month=_NUMBER, day=_NUMBER, years_later=_optional(_NUMBER)),
    "days_from_reference": _takes(column=_ITEM, earliest=_optional(_NUMBER), latest=_optional(_NUMBER)),
    "weekday": _COLUMN,
    "moment_after_day": _takes(moment=_ITEM, day=_ITEM),
    "moment_near_reference": _takes(column=_ITEM, days=_NUMBER),
    "year_within": _takes(column=_ITEM, years_back=_NUMBER),
    # addressees
    "self_is_insured": _takes(kind=_ITEM, recipient=_ITEM, insured=_ITEM),
    "other_is_registered": _takes(kind=_ITEM, recipient_id=_ITEM),
    "suffix_fits": _takes(kind=_ITEM, suffix=_ITEM, allowed=_TABLE),
    "care_of_another": _takes(suffix=_ITEM, care_of=_TEXT, recipient=_ITEM, insured=_ITEM),
    "no_sharing_by": _takes(kind=_ITEM, values=_TEXTS, share=_ITEM),
    # collection, slips and payments
    "zero_when": _takes(when=_ITEM, value=_TEXT, columns=_ITEMS),
    "positive_when": _takes(when=_ITEM, value=_TEXT, columns=_ITEMS),
    "equal_when": _takes(when=_ITEM, value=_TEXT, left=_ITEMS, right=_ITEMS),
    "subtracts": _takes(whole=_ITEM, part=_ITEM, rest=_ITEM),
    "special_not_too_early": _COLUMN,
    "special_start_month": _takes(acquired=_ITEM, month=_ITEM, years=_NUMBER),
    "provisional_as_february": _takes(columns=_ITEMS, february=_ITEM, smoothed=_ITEM),
    # characters
    "printable": _COLUMNS,
    "no_controls": _COLUMNS,
    "no_half_width_kana": _COLUMNS,
    "no_outer_blanks": _COLUMNS,
    "full_width_space": _COLUMN,
    "kana_only": _COLUMN,
    "no_individual_number": _COLUMNS,
    # the whole of the rows
    "unique_number": _takes(column=_ITEM, length=_NUMBER),
    "in_no_sibling": _takes(column=_ITEM, length=_NUMBER),
    "one_value_each": _takes(
        key=_ITEM, length=_NUMBER, columns=_ITEMS, when=_optional(_ITEM), value=_optional(_TEXT)
    ),
    "unambiguous_sharing": _takes(share=_ITEM, recipient_id=_ITEM, name=_ITEM, address=_ITEMS),
    "rows_as_controlled": _NOTHING,
    "total_as_controlled": _COLUMN,
    "population_adds_up": _NOTHING,
    "population_by_method": _takes(column=_ITEM, methods=_TEXTS),
    "steady_count": _takes(column=_ITEM, percent=_NUMBER),
    "steady_shares": _takes(column=_ITEM, points=_NUMBER, persons=_NUMBER),
}
"""Name of each check → its arguments. A test holds it against the signatures of the functions."""
