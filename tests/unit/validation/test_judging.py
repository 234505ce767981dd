"""Judging: Great Expectations sees counts only and says what the counts say; a broken check is not bad data."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.validation.examples import TEXT, WHOLE, a_batch, a_rule, examined, facts

from notice_cycle.errors import NotConfigured
from notice_cycle.validation.checks import ROW_CHECKS
from notice_cycle.validation.suite import Verdict, allowed, judge
from notice_cycle.validation.validate import KEPT_ROW_NUMBERS, OTHERS, examine, told

# ---- the verdict


COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(COUNTS, st.integers(0, 120), st.none() | st.integers(0, 100)), min_size=1, max_size=5)
)
def test_great_expectations_says_what_the_counts_say(cases: list[tuple[list[int], int, int | None]]) -> None:
    rules = [
        a_rule("filled", f"X{n:02}", tolerance, percent) for n, (_, tolerance, percent) in enumerate(cases)
    ]
    longest = max(len(counts) for counts, *_ in cases)
    verdicts = {
        rule.rule: Verdict(300, [*counts, *[0] * (longest - len(counts))])
        for rule, (counts, *_) in zip(rules, cases, strict=True)
    }
    for outcome, rule, (counts, tolerance, percent) in zip(judge(rules, verdicts), rules, cases, strict=True):
        assert (outcome.rule, outcome.checked, outcome.broken) == (rule.rule, 300, sum(counts))
        assert outcome.allowed == (tolerance if percent is None else 3 * percent)
        assert outcome.holds == (sum(counts) <= outcome.allowed)


def test_the_outcomes_stand_in_the_order_of_the_suite() -> None:
    rules = [a_rule("filled", rule) for rule in ("N02", "A01", "S03")]
    outcomes = judge(rules, {rule: Verdict(1, [0]) for rule in ("A01", "S03", "N02")})
    assert [outcome.rule for outcome in outcomes] == ["N02", "A01", "S03"]


def test_a_percentage_of_few_is_rounded_down() -> None:
    assert allowed(a_rule("filled", tolerance_percent=1), 199) == 1
    assert allowed(a_rule("filled", tolerance_percent=1), 99) == 0
    assert allowed(a_rule("filled", tolerance_percent=100), 7) == 7


# ---- a broken check is not bad data


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (a_rule("stage_known", column="gone"), "項目 gone が通知書の items にありません"),
        (a_rule("nothing"), "nothing という検査はありません"),
        (a_rule("stage_known", column="t"), "項目 t が整数ではありません"),
        (a_rule("postcode", column="n"), "項目 n が文字ではありません"),
        (a_rule("unique_number", column="n", length=3), "項目 n が文字ではありません"),
        (
            a_rule("matches", column="t", pattern="(?=x)"),
            "ArrowInvalid で止まりました",
        ),  # RE2 knows no look-ahead
    ],
)
def test_a_broken_check_is_told_apart_from_bad_data(rule: Any, reason: str) -> None:
    with pytest.raises(
        NotConfigured, match="規則 X01 を判定できませんでした（データの誤りではなく"
    ) as caught:
        examined(rule, {"t": TEXT, "n": WHOLE}, [("山田", 5)])
    assert reason in caught.value.message
    assert "arguments" in caught.value.advice


def test_a_column_that_was_not_extracted_is_told() -> None:
    with pytest.raises(NotConfigured, match="抽出データに項目 b がありません"):
        examined(a_rule("stage_known", column="b"), {"a": WHOLE}, [(1,)], known=facts(("a", "b")))


def test_what_a_check_raises_tells_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: Any, **__: Any) -> None:
        raise ValueError("鳳凰堂　金糸雀子")

    monkeypatch.setitem(ROW_CHECKS, "postcode", raising)
    with pytest.raises(NotConfigured) as caught:
        examined(a_rule("postcode", column="t"), {"t": TEXT}, [("1600022",)])
    assert "鳳凰堂" not in f"{caught.value} {caught.value.__cause__}" and caught.value.__suppress_context__


# ---- row numbers and batches


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 9))
def test_counts_and_row_numbers_do_not_depend_on_how_the_rows_are_cut(
    stages: list[int], batch_rows: int
) -> None:
    found = examined(
        a_rule("stage_known", column="s"), {"s": WHOLE}, [(s,) for s in stages], batch_rows=batch_rows
    )
    expected = [row for row, stage in enumerate(stages) if stage == 0]
    assert found.row_numbers.get("X01", []) == expected
    assert sum(found.verdicts["X01"].broken) == len(expected)
    assert found.verdicts["X01"].checked == len(stages)


def test_row_numbers_are_capped_and_counts_are_not() -> None:
    many = pa.record_batch([pa.array(np.zeros(KEPT_ROW_NUMBERS + 5, dtype=np.int64))], names=["s"])
    found = examine([many, many], [a_rule("stage_known", column="s")], facts(("s",)))
    assert found.row_numbers["X01"] == list(range(KEPT_ROW_NUMBERS))
    assert sum(found.verdicts["X01"].broken) == 2 * (KEPT_ROW_NUMBERS + 5)
    json.dumps(found.row_numbers)


def test_rows_of_a_whole_check_are_told_by_their_batches() -> None:
    rows = [(f"{n:03}",) for n in (1, 2, 3, 1, 5, 2)]
    found = examined(a_rule("unique_number", column="n", length=3), {"n": TEXT}, rows, batch_rows=2)
    assert found.verdicts["X01"].broken == [2, 1, 1, 0]


def test_an_empty_extraction_breaks_no_rule_of_rows() -> None:
    empty = a_batch({"n": TEXT}, [])
    rules = [
        a_rule("digits", "X01", column="n", length=3),
        a_rule("unique_number", "X02", column="n", length=3),
    ]
    found = examine([empty], rules, facts(("n",)), ["n"])
    assert {rule: (v.checked, list(v.broken)) for rule, v in found.verdicts.items()} == {
        "X01": (0, [0]),
        "X02": (0, [0]),
    }
    assert [outcome.broken for outcome in judge(rules, found.verdicts)] == [0, 0]
    assert found.counts == {"n": {}}


# ---- what is told of the distributions


@pytest.mark.parametrize(
    ("now", "last", "told_now", "told_last"),
    [
        ({"5": 20, "11": 30}, {"5": 18}, {"5": 20, "11": 30}, {"5": 18}),
        ({"a": 9}, {"a": 500}, {}, {}),  # fewer than ten in all
        ({"a": 50, "b": 4, "c": 6}, {}, {"a": 50, OTHERS: 10}, {}),
        (
            {"a": 50, "b": 4, "c": 30},
            {},
            {"a": 50, OTHERS: 34},
            {},
        ),  # four alone would be told by the difference
        ({"a": 50, "b": 40}, {"a": 50, "b": 3, "c": 60}, {OTHERS: 90}, {"c": 60, OTHERS: 53}),
        ({"a": 50}, {"a": 5}, {"a": 50}, {}),
        ({}, {"a": 50}, {}, {}),
    ],
)
def test_few_persons_are_not_told(
    now: dict[str, int], last: dict[str, int], told_now: dict[str, int], told_last: dict[str, int]
) -> None:
    assert told({"x": now}, {"x": last}) == ({"x": told_now}, {"x": told_last} if told_last else {})


VALUES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 40))


@given(VALUES, VALUES)
def test_no_told_value_stands_for_fewer_than_ten_persons(now: dict[str, int], last: dict[str, int]) -> None:
    for counted, all_persons in zip(told({"x": now}, {"x": last}), (now, last), strict=True):
        values = counted.get("x", {})
        assert all(persons == 0 or persons >= 10 for persons in values.values())
        assert not values or sum(values.values()) == sum(all_persons.values())


def test_values_stand_in_the_order_a_person_counts() -> None:
    counted, _ = told({"stage": {"11": 10, "2": 10, "1": 10}}, {})
    assert list(counted["stage"]) == ["1", "2", "11"]
