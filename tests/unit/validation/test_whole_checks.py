"""The checks over the whole of the rows: batches are cut small, so that what they find lies across them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.validation.examples import FLAG, TEXT, WHOLE, Row, a_rule, broken, examined, facts

from notice_cycle.validation.checks import ROW_CHECKS, WHOLE_CHECKS
from notice_cycle.validation.facts import Facts
from notice_cycle.validation.registry import CHECKS

NUMBER = {"n": TEXT}
TEN_DIGITS = {"column": "n", "length": 10}


def numbers(*values: int) -> list[Row]:
    return [(f"{value:010}",) for value in values]


def besides(
    check: str, schema: dict[str, Any], rows: list[Row], arguments: dict[str, Any], known: Facts
) -> tuple[int, int]:
    """How many were looked at, and how many broke the rule, where no row is to blame."""
    verdict = examined(a_rule(check, **arguments), schema, rows, known=known, batch_rows=2).verdicts["X01"]
    assert sum(verdict.broken[:-1]) == 0
    return verdict.checked, verdict.broken[-1]


def test_every_whole_check_is_registered() -> None:
    assert ROW_CHECKS.keys() | WHOLE_CHECKS.keys() == CHECKS.keys()
    assert not ROW_CHECKS.keys() & WHOLE_CHECKS.keys()


# ---- duplicates


def test_every_row_of_a_number_that_stands_twice_is_found() -> None:
    rows = numbers(5, 1, 2, 5, 3, 5, 2)
    assert broken("unique_number", NUMBER, rows, TEN_DIGITS, batch_rows=2) == [0, 2, 3, 5, 6]
    assert broken("unique_number", NUMBER, numbers(1, 2, 3), TEN_DIGITS, batch_rows=2) == []


def test_malformed_numbers_are_left_to_the_rule_on_formats() -> None:
    assert broken("unique_number", NUMBER, [("x",), ("x",), (None,), (None,), ("",)], TEN_DIGITS) == []


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 7))
def test_duplicates_are_those_a_dictionary_finds(values: list[int], batch_rows: int) -> None:
    expected = [row for row, value in enumerate(values) if values.count(value) > 1]
    assert broken("unique_number", NUMBER, numbers(*values), TEN_DIGITS, batch_rows=batch_rows) == expected


def test_a_person_with_a_decision_from_another_cycle_is_found() -> None:
    known = facts(NUMBER, siblings=[7, 3, 12])
    assert broken(
        "in_no_sibling", NUMBER, numbers(1, 3, 5, 12, 99), TEN_DIGITS, known=known, batch_rows=2
    ) == [1, 3]


def test_without_siblings_nothing_is_looked_at() -> None:
    verdict = examined(a_rule("in_no_sibling", **TEN_DIGITS), NUMBER, numbers(0, 1)).verdicts["X01"]
    assert (verdict.checked, sum(verdict.broken)) == (0, 0)


# ---- one number, two truths


PEOPLE = {"id": TEXT, "kind": TEXT, "name": TEXT, "address": TEXT}
SAME = {"key": "id", "length": 10, "columns": ["name", "address"]}


def test_one_number_with_two_addressees_is_found() -> None:
    rows = [
        ("0000000001", "family", "山田", "一丁目"), ("0000000002", "self", "佐藤", "二丁目"),
        ("0000000001", "family", "山田", "一丁目"), ("0000000003", "family", "鈴木", "三丁目"),
        ("0000000003", "family", "鈴木三", "丁目"), ("0000000003", "family", "鈴木", "三丁目"),
    ]  # fmt: skip
    assert broken("one_value_each", PEOPLE, rows, SAME, batch_rows=2) == [3, 4, 5]


@pytest.mark.parametrize(
    ("one", "other"), [(("", "bb"), ("b", "b")), (("a", ""), ("", "a")), (("\0", ""), ("", "\0"))]
)
def test_texts_are_told_apart_where_only_the_column_differs(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    rows = [("0000000001", "self", *one), ("0000000001", "self", *other)]
    assert broken("one_value_each", PEOPLE, rows, SAME) == [0, 1]


def test_only_the_rows_meant_are_compared() -> None:
    rows = [("0000000001", "self", "山田", "一丁目"), ("0000000001", "family", "佐藤", "二丁目")]
    assert broken("one_value_each", PEOPLE, rows, SAME) == [0, 1]
    only_self = SAME | {"when": "kind", "value": "self"}
    assert broken("one_value_each", PEOPLE, rows, only_self) == []
    assert broken("one_value_each", PEOPLE, [*rows, ("0000000001", "self", "山田", "九丁目")], only_self) == [
        0,
        2,
    ]


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.text("ab髙𠮷\0", max_size=3), st.text("ab", max_size=2)), max_size=25
    )
)
def test_two_truths_are_those_a_dictionary_finds(cases: list[tuple[int, str, str]]) -> None:
    rows = [(f"{number:010}", "self", name, address) for number, name, address in cases]
    told: dict[int, set[tuple[str, str]]] = {}
    for number, *texts in cases:
        told.setdefault(number, set()).add((texts[0], texts[1]))
    expected = [row for row, (number, *_) in enumerate(cases) if len(told[number]) > 1]
    assert broken("one_value_each", PEOPLE, rows, SAME, batch_rows=4) == expected


SHARING = {"share": FLAG, "id": TEXT, "name": TEXT, "address": TEXT}
BY = {"share": "share", "recipient_id": "id", "name": "name", "address": ["address"]}


def test_the_same_surname_at_the_same_address_is_not_the_same_person() -> None:
    rows = [
        (True, "1", "山田　一", "一丁目"), (True, "2", "山田　二", "一丁目"),  # as in Sapporo, 2023
        (True, "3", "佐藤　三", "二丁目"), (True, "3", "佐藤　三", "二丁目"),  # one recipient for two
        (True, "4", "鈴木　四", "三丁目"), (False, "5", "鈴木　五", "三丁目"),  # who shares with nobody
        (True, "6", "田中　六", "四丁目"), (True, "7", "田中　七", "五丁目"),
    ]  # fmt: skip
    assert broken("unambiguous_sharing", SHARING, rows, BY, batch_rows=3) == [0, 1]


def test_where_nobody_shares_nothing_is_looked_at() -> None:
    verdict = examined(
        a_rule("unambiguous_sharing", **BY), SHARING, [(False, "1", "山田　一", "x")]
    ).verdicts["X01"]
    assert (verdict.checked, sum(verdict.broken)) == (0, 0)


# ---- against the core system's counts


@pytest.mark.parametrize(("persons", "found"), [(3, 0), (2, 1), (4, 1)])
def test_rows_are_as_many_as_the_control_total(persons: int, found: int) -> None:
    assert besides("rows_as_controlled", NUMBER, numbers(1, 2, 3), {}, facts(NUMBER, persons=persons)) == (
        1,
        found,
    )


@pytest.mark.parametrize(("amounts", "found"), [({"yen": 600}, 0), ({"yen": 601}, 1), ({}, 1)])
def test_a_total_is_the_control_total(amounts: dict[str, int], found: int) -> None:
    known = facts(("yen",), amounts=amounts)
    rows: list[Row] = [(100,), (200,), (300,)]
    assert besides("total_as_controlled", {"yen": WHOLE}, rows, {"column": "yen"}, known) == (1, found)


POPULATION = {
    "insured": 100,
    "ordinary": 30,
    "special": 60,
    "mixed": 5,
    "excluded:lost": 4,
    "excluded:exempt_facility": 1,
}


@pytest.mark.parametrize(
    ("population", "found"),
    [(POPULATION, 0), (POPULATION | {"insured": 101}, 1), (POPULATION | {"excluded:lost": 3}, 1), ({}, 1)],
)
def test_the_population_adds_up(population: dict[str, int], found: int) -> None:
    known = facts(NUMBER, population=population)
    assert besides("population_adds_up", NUMBER, numbers(1), {}, known) == (1, found)


METHOD = {"m": TEXT}
ROWS: list[Row] = [("ordinary",)] * 3 + [("mixed",)]
BY_METHOD = {"column": "m", "methods": ["ordinary", "mixed"]}


@pytest.mark.parametrize(
    ("population", "found"),
    [({"ordinary": 3, "mixed": 1}, 0), ({"ordinary": 4}, 2), ({"ordinary": 3, "mixed": 0}, 1)],
)
def test_each_method_is_as_many_as_in_the_population(population: dict[str, int], found: int) -> None:
    assert besides("population_by_method", METHOD, ROWS, BY_METHOD, facts(METHOD, population=population)) == (
        2,
        found,
    )


def test_only_the_annual_run_has_a_population() -> None:
    known = facts(METHOD, population=POPULATION, annual=False)
    assert besides("population_adds_up", METHOD, ROWS, {}, known) == (0, 0)
    assert besides("population_by_method", METHOD, ROWS, BY_METHOD, known) == (0, 0)


# ---- against last year


def last_year(**persons: int) -> dict[str, Any]:
    return {"last_year": {"m": persons}, "last_year_of": 2025}


@pytest.mark.parametrize(("persons", "found"), [(100, 0), (84, 0), (125, 0), (83, 1), (126, 1)])
def test_the_number_of_persons_may_move_by_a_fifth(persons: int, found: int) -> None:
    known = facts(METHOD, **last_year(ordinary=persons))
    rows: list[Row] = [("ordinary",)] * 100
    assert besides("steady_count", METHOD, rows, {"column": "m", "percent": 20}, known) == (1, found)


SHARES: list[Row] = [("ordinary",)] * 80 + [("mixed",)] * 15 + [("special",)] * 5
BY_POINTS = {"column": "m", "points": 5, "persons": 10}


@pytest.mark.parametrize(
    ("persons", "looked_at", "found"),
    [
        ({"ordinary": 160, "mixed": 30, "special": 10}, 3, 0),
        ({"ordinary": 85, "mixed": 10, "special": 5}, 2, 0),  # five points; the few are passed over
        ({"ordinary": 86, "mixed": 9, "special": 5}, 2, 2),
        ({"ordinary": 80}, 2, 2),
        ({"ordinary": 60, "gone": 40}, 3, 3),
    ],
)
def test_shares_may_move_by_so_many_points(persons: dict[str, int], looked_at: int, found: int) -> None:
    assert besides("steady_shares", METHOD, SHARES, BY_POINTS, facts(METHOD, **last_year(**persons))) == (
        looked_at,
        found,
    )


@pytest.mark.parametrize(
    "changes", [{"last_year_of": None}, {"last_year_of": 2024}, {"annual": False}, {"last_year": {}}]
)
def test_without_last_year_no_drift_is_judged(changes: dict[str, Any]) -> None:
    known = facts(METHOD, **(last_year(ordinary=1) | changes))
    assert besides("steady_count", METHOD, ROWS, {"column": "m", "percent": 1}, known) == (0, 0)
    assert besides("steady_shares", METHOD, ROWS, BY_POINTS, known) == (0, 0)


def test_numbers_and_flags_are_counted_by_their_text() -> None:
    known = facts(
        ("s", "f"), last_year={"s": {"5": 2, "11": 1}, "f": {"true": 2, "false": 1}}, last_year_of=2025
    )
    rows: list[Row] = [(5, True), (5, True), (11, False)]
    for column in ("s", "f"):
        arguments = {"column": column, "points": 0, "persons": 1}
        assert besides("steady_shares", {"s": WHOLE, "f": FLAG}, rows, arguments, known) == (2, 0)
