"""Each check of rows: what keeps it, what breaks it, its boundaries; and a null is never let through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.validation.examples import (
    DAY,
    FLAG,
    MOMENT,
    TABLE,
    TEXT,
    WHOLE,
    Row,
    broken,
    facts,
)

from notice_cycle.errors import Refused
from notice_cycle.premiums import acquired_at_65, annual_premium, months_insured, split_instalments
from notice_cycle.validation.checks import ROW_CHECKS
from notice_cycle.validation.registry import CHECKS

JULY = ("instalment_07", "instalment_08", "instalment_09", "instalment_10", "instalment_11",
        "instalment_12", "instalment_01", "instalment_02", "instalment_03")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A check with its arguments, rows that keep it and rows that break it. `may_lack`: columns whose null is let through."""

    check: str
    columns: Mapping[str, pa.DataType]
    arguments: Mapping[str, Any]
    keep: Sequence[Row]
    break_: Sequence[Row]
    facts: Mapping[str, Any] = field(default_factory=dict)
    may_lack: frozenset[str] = frozenset()


def case(check: str, columns: Mapping[str, pa.DataType], arguments: Mapping[str, Any], keep: Sequence[Any],
         break_: Sequence[Any], **more: Any) -> Case:  # fmt: skip
    """A case; a row of one column may stand without brackets."""
    return Case(check, columns, arguments, _rows(keep), _rows(break_), **more)


def _rows(values: Sequence[Any]) -> list[Row]:
    return [value if isinstance(value, tuple) else (value,) for value in values]


def d(text: str) -> date:
    return date.fromisoformat(text)


def tokyo(text: str) -> datetime:
    return datetime.fromisoformat(text + "+09:00").astimezone(UTC)


A = {"column": "a"}
AB = {"a": WHOLE, "b": WHOLE}
DAYS = {"a": DAY, "b": DAY}
TEXTS = {"a": TEXT, "b": TEXT}
EVEN = (8000,) * 9

CASES = [
    # ---- schema and formats
    case("filled", {"a": TEXT, "b": WHOLE}, {"columns": ["a", "b"]}, [("", 0)], [("x", None), (None, 1)]),
    case("filled_when", {"a": TEXT, "b": DAY}, {"when": "a", "value": "lost", "columns": ["b"]},
         [("lost", d("2026-07-01")), ("income", None)], [("lost", None)], may_lack=frozenset({"b"})),
    case("not_blank", {"a": TEXT}, A, ["x", " x", "　山"], ["", " ", "　", "\t\n"]),
    case("digits", {"a": TEXT}, A | {"length": 3}, ["000", "912"],
         ["12", "1234", "12a", "１２３", "-12", " 12", "", "12\n", "１"]),
    case("insured_number", {"a": TEXT}, A, ["0000000000", "8166042732", "0033120015"],
         ["8166042733", "816604273", "81660427320", "816604273X", "", "1816604273"]),
    case("insured_number", {"a": TEXT}, A, ["0000000000", "1234567892", "9999999996"],
         ["1234567890", "123456789", "12345678９2"], facts={"insured_number_rule": "modulus11"}),
    case("insured_number", {"a": TEXT}, A, ["0000000000", "1234567890"], ["123456789", "12345678901", "x234567890"],
         facts={"insured_number_rule": "none"}),
    case("postcode", {"a": TEXT}, A, ["1600022", "9999001", "0000001"],
         ["0000000", "9999999", "160-0022", "160002", "16000222", "１６０００２２", ""]),
    case("one_of", {"a": TEXT}, A | {"values": ["self", "family"]}, ["self", "family"], ["", "SELF", "self "]),
    case("none_of", {"a": TEXT}, A | {"values": ["unconfirmed"]}, ["none", ""], ["unconfirmed"]),
    case("one_of_numbers", {"a": WHOLE}, A | {"values": [4, 6]}, [4, 6], [0, 5, -4]),
    case("matches", {"a": TEXT}, A | {"pattern": "センター$"}, ["青葉センター"], ["センター青葉", "", "センター\n"]),
    case("at_most_characters", {"a": TEXT}, A | {"length": 3}, ["", "髙木一"], ["髙木一郎", "abcd"]),
    case("between", {"a": WHOLE}, A | {"minimum": 1, "maximum": 12}, [1, 12], [0, 13, -1]),
    case("between", {"a": WHOLE}, A | {"minimum": 1}, [1, 10**12], [0]),
    case("between", {"a": WHOLE}, A | {"maximum": 0}, [0, -(10**12)], [1]),
    case("flag_is", {"a": FLAG}, A | {"value": False}, [False], [True]),
    case("flag_is", {"a": FLAG}, A | {"value": True}, [True], [False]),
    case("same_text", TEXTS, {"left": "a", "right": "b"}, [("x", "x"), ("", "")], [("x", "y"), ("x", "x ")]),
    case("same_number", AB, {"left": "a", "right": "b"}, [(0, 0), (5, 5)], [(5, 6)]),
    # ---- amounts
    case("stage_known", {"a": WHOLE}, A, [1, 18], [0, 19, -1]),
    case("threshold_in_force", {"a": WHOLE}, A, [826_500], [809_000, 800_000, 0]),  # last year's: 2025 in Satsumasendai
    case("stage_amount", AB, {"stage": "a", "amount": "b"}, [(1, 20_600), (18, 290_400)],
         [(1, 20_500), (2, 20_600), (0, -1), (19, -1), (19, 290_400), (-1, -1)]),
    case("annual_amount", {"a": WHOLE, "b": WHOLE, "c": WHOLE}, {"stage": "a", "months": "b", "amount": "c"},
         [(5, 12, 72_600), (1, 11, 18_800), (1, 0, 0)],
         [(5, 12, 72_500), (1, 11, 18_883), (5, 13, 78_600), (5, -1, -6_100), (0, 12, -100), (19, 12, 0)]),
    case("months_agree", {"a": DAY, "b": DAY, "c": WHOLE}, {"acquired": "a", "lost": "b", "months": "c"},
         [(d("2000-04-01"), None, 12), (d("2026-05-31"), None, 11), (d("2000-04-01"), d("2026-07-01"), 3),
          (d("2000-04-01"), d("2026-04-30"), 0), (d("2026-06-01"), d("2027-04-01"), 10)],
         [(d("2000-04-01"), None, 11), (d("2026-05-31"), None, 12), (d("2000-04-01"), d("2026-07-01"), 4),
          (d("2026-05-31"), d("2026-05-01"), 0)], may_lack=frozenset({"b"})),
    case("adds_up", {"a": WHOLE, "b": WHOLE, "c": WHOLE}, {"parts": ["a", "b"], "total": "c"},
         [(1, 2, 3), (0, 0, 0)], [(1, 2, 4)]),
    case("no_negative", AB, {"columns": ["a", "b"]}, [(0, 0)], [(-1, 5), (5, -1)]),
    case("whole_units", AB, {"columns": ["a", "b"]}, [(0, 100), (-300, 8_000)], [(1, 100), (100, 50)]),
    case("remainder_in_place", dict.fromkeys((*JULY, "t"), WHOLE), {"columns": list(JULY), "total": "t"},
         [(*EVEN, 72_000), (8_600, *EVEN[1:], 72_600), (0, 9_300, *(9_000,) * 7, 72_300), (*(0,) * 8, 500, 500),
          (500, *(0,) * 8, 500)],
         [(*EVEN[1:], 8_600, 72_600), (8_100, 8_500, *EVEN[2:], 72_600), (*EVEN, 72_600), (0, *EVEN[1:], 72_000),
          (9_000, 0, *(9_000,) * 7, 72_000)]),
    case("nearly_equal", AB, {"columns": ["a", "b"], "within_units": 2}, [(500, 700), (700, 500)], [(500, 701)]),
    case("only_months_in_table", {"special_04": WHOLE, "special_05": WHOLE},
         {"columns": ["special_04", "special_05"], "collection": "special"}, [(100, 0)], [(100, 100), (0, -100)],
         may_lack=frozenset({"special_04"})),
    case("only_months_in_table", {"instalment_06": WHOLE}, {"columns": ["instalment_06"], "collection": "ordinary"},
         [0], [100]),
    case("different_number", AB, {"left": "a", "right": "b"}, [(1, 2)], [(1, 1)]),
    # ---- days
    case("age_between", {"a": DAY}, {"birth": "a", "minimum": 65, "maximum": 125},
         [d("1961-07-01"), d("1900-07-02")], [d("1961-07-02"), d("1900-07-01"), d("2026-06-30"), d("1889-01-01")]),
    case("acquired_at_65", DAYS, {"birth": "a", "acquired": "b"},
         [(d("1961-04-02"), d("2026-04-01")), (d("1952-02-29"), d("2017-02-28"))],
         [(d("1961-04-03"), d("2026-04-01")), (d("1952-02-29"), d("2017-02-27"))]),
    case("lost_after", DAYS, {"acquired": "a", "lost": "b"},
         [(d("2026-04-01"), None), (d("2026-04-01"), d("2026-04-02"))], [(d("2026-04-01"), d("2026-04-01"))],
         may_lack=frozenset({"b"})),
    case("before", DAYS, {"earlier": "a", "later": "b"}, [(d("2026-04-01"), d("2026-04-02"))],
         [(d("2026-04-01"), d("2026-04-01"))]),
    case("not_after", DAYS, {"earlier": "a", "later": "b"}, [(d("2026-04-01"), d("2026-04-01"))],
         [(d("2026-04-02"), d("2026-04-01"))]),
    case("due_date", {"a": DAY}, A, [d("2026-07-31"), d("2026-11-02")], [d("2026-10-31"), d("2025-07-31")]),
    case("due_of_first_amount", {**dict.fromkeys(JULY, WHOLE), "due": DAY}, {"columns": list(JULY), "due": "due"},
         [(*EVEN, d("2026-07-31")), (0, *EVEN[1:], d("2026-08-31")), (*(0,) * 8, 100, d("2027-03-31"))],
         [(*EVEN, d("2026-08-31")), (0, *EVEN[1:], d("2026-07-31")), (*(0,) * 9, d("2026-07-31"))]),
    case("due_of_instalment", {"y": WHOLE, "n": WHOLE, "due": DAY}, {"year": "y", "instalment": "n", "due": "due"},
         [(2026, 1, d("2026-07-31")), (2026, 9, d("2027-03-31")), (2025, 1, d("2025-07-31")), (2025, 9, d("2026-05-31"))],
         [(2026, 1, d("2026-08-31")), (2026, 0, d("2026-07-31")), (2026, 10, d("2027-03-31")), (2025, 1, d("2026-07-31")),
          (2025, 1, d("2025-03-31"))]),
    case("no_amount_past_due", dict.fromkeys(JULY, WHOLE), {"columns": list(JULY)},
         [(0, *EVEN[1:]), (0,) * 9], [EVEN, (-1, *EVEN[1:])], facts={"as_of": tokyo("2026-08-01T00:00:00")},
         may_lack=frozenset(JULY[1:])),
    case("no_amount_past_due", dict.fromkeys(JULY, WHOLE), {"columns": list(JULY)}, [EVEN], [],
         facts={"as_of": tokyo("2026-07-31T23:00:00")}, may_lack=frozenset(JULY)),
    case("day_of_year", {"a": DAY}, A | {"month": 8, "day": 1}, [d("2026-08-01")], [d("2025-08-01"), d("2026-08-02")]),
    case("day_of_year", {"a": DAY}, A | {"month": 7, "day": 31, "years_later": 1}, [d("2027-07-31")], [d("2026-07-31")]),
    case("days_from_reference", {"a": DAY}, A | {"earliest": -20, "latest": -1}, [d("2026-06-10"), d("2026-06-29")],
         [d("2026-06-09"), d("2026-06-30")]),
    case("days_from_reference", {"a": DAY}, A | {"earliest": 1}, [d("2026-07-01"), d("2099-01-01")], [d("2026-06-30")]),
    case("days_from_reference", {"a": DAY}, A | {"latest": 0}, [d("2026-06-30"), d("1900-01-01")], [d("2026-07-01")]),
    case("weekday", {"a": DAY}, A, [d("2026-07-31")], [d("2026-08-01"), d("2026-08-02")]),  # Fri; Sat, Sun
    case("moment_after_day", {"a": MOMENT, "b": DAY}, {"moment": "a", "day": "b"},
         [(tokyo("2026-08-01T00:00:00"), d("2026-07-31"))],
         [(tokyo("2026-07-31T23:59:59"), d("2026-07-31"))]),  # the day is Tokyo's
    case("moment_near_reference", {"a": MOMENT}, A | {"days": 1},
         [tokyo("2026-06-29T00:00:00"), tokyo("2026-07-01T23:59:00")],
         [tokyo("2026-06-28T23:59:00"), tokyo("2026-07-02T00:00:00")]),
    case("year_within", {"a": WHOLE}, A | {"years_back": 2}, [2026, 2024], [2027, 2023, 0]),
    # ---- addressees
    case("self_is_insured", {"k": TEXT, "r": TEXT, "i": TEXT}, {"kind": "k", "recipient": "r", "insured": "i"},
         [("self", "山田　花", "山田　花"), ("family", "山田　一", "山田　花")],
         [("self", "山田　一", "山田　花"), ("self", "山田 花", "山田　花"), ("self", "", "山田　花")]),
    case("other_is_registered", TEXTS, {"kind": "a", "recipient_id": "b"},
         [("self", ""), ("family", "6000000011")],
         [("family", ""), ("guardian", "0000000000"), ("facility", "600000001")]),
    case("suffix_fits", TEXTS, {"kind": "a", "suffix": "b", "allowed": {"self": ["様"], "facility": ["御中", "様方"]}},
         [("self", "様"), ("facility", "様方")], [("self", "御中"), ("facility", ""), ("guardian", "様"), ("", "様")]),
    case("care_of_another", {"s": TEXT, "r": TEXT, "i": TEXT},
         {"suffix": "s", "care_of": "様方", "recipient": "r", "insured": "i"},
         [("様方", "山田　一", "山田　花"), ("様", "山田　花", "山田　花")], [("様方", "山田　花", "山田　花")]),
    case("no_sharing_by", {"k": TEXT, "s": FLAG}, {"kind": "k", "values": ["self"], "share": "s"},
         [("self", False), ("family", True)], [("self", True)]),
    # ---- collection and payment
    case("zero_when", {"k": TEXT, "a": WHOLE, "b": WHOLE}, {"when": "k", "value": "account", "columns": ["a", "b"]},
         [("account", 0, 0), ("slip", 1, -1)], [("account", 1, -1), ("account", 0, 1)]),  # 2022 in Iga
    case("positive_when", {"k": TEXT, "a": WHOLE, "b": WHOLE}, {"when": "k", "value": "mixed", "columns": ["a", "b"]},
         [("mixed", 1, 1), ("ordinary", 0, 0)], [("mixed", 1, 0), ("mixed", -1, 1)]),
    case("equal_when", {"k": TEXT, "a": WHOLE, "b": WHOLE},
         {"when": "k", "value": "slip", "left": ["a"], "right": ["b"]},
         [("slip", 5, 5), ("account", 0, 5)], [("slip", 5, 6), ("slip", 0, 5)]),
    case("subtracts", {"a": WHOLE, "b": WHOLE, "c": WHOLE}, {"whole": "a", "part": "b", "rest": "c"},
         [(8_000, 3_000, 5_000)], [(8_000, 3_000, 8_000)]),
    case("special_not_too_early", {"a": DAY}, A, [d("2026-03-31")], [d("2026-04-01")]),
    case("special_start_month", {"a": DAY, "m": WHOLE}, {"acquired": "a", "month": "m", "years": 2},
         [(d("2025-04-01"), 4), (d("2025-09-30"), 4), (d("2025-10-01"), 6), (d("2025-11-30"), 6), (d("2025-12-01"), 8),
          (d("2026-01-31"), 8), (d("2026-02-01"), 10), (d("2026-03-31"), 10), (d("2006-02-01"), 4)],
         [(d("2025-09-30"), 6), (d("2025-10-01"), 4), (d("2026-01-31"), 10), (d("2026-03-31"), 4)]),
    case("provisional_as_february", {"a": WHOLE, "b": WHOLE, "f": WHOLE, "s": FLAG},
         {"columns": ["a", "b"], "february": "f", "smoothed": "s"},
         [(5, 5, 5, False), (5, 6, 5, True)], [(5, 6, 5, False), (6, 5, 5, False)]),
    # ---- characters
    case("printable", TEXTS, {"columns": ["a", "b"]}, [("髙﨑", "①㈱"), ("", "～")],
         [("\ue000荘", ""), ("", "𠮷"), ("荘\u200b", ""), ("一\r\n二", ""), ("葛\U000e0100", ""), ("が", "は\u3099"),
          ("〜", "")]),
    case("printable", {"a": TEXT}, {"columns": ["a"]}, ["𠮷"], ["\ue000", "一\n二"], facts={"charset": "utf-8"}),
    case("printable", {"a": TEXT}, {"columns": ["a"]}, ["𠮷野"], ["鷗"], facts={"agreed_characters": frozenset("𠮷")}),
    case("no_controls", {"a": TEXT}, {"columns": ["a"]}, ["", "一　二"], ["一\t二", "一\n", "\0", "一\u2028"]),
    case("no_half_width_kana", {"a": TEXT}, {"columns": ["a"]}, ["", "タカハシ", "高橋"], ["ﾀｶﾊｼ", "高橋ﾊ"]),
    case("no_outer_blanks", TEXTS, {"columns": ["a", "b"]}, [("", ""), ("山　田", "a b")],
         [(" 山", ""), ("山　", ""), ("", "　"), ("x", "y\n")]),
    case("full_width_space", {"a": TEXT}, A, ["山田　花"], ["山田花", "山田 花", "山田　 花", ""]),
    case("kana_only", {"a": TEXT}, A, ["ヤマダ　ハナ", "ジャン・リュック", "ミュラー"],
         ["", "やまだ", "ﾔﾏﾀﾞ ﾊﾅ", "ヤマダ ハナ", "ヤマダ1"]),
    case("no_individual_number", TEXTS, {"columns": ["a", "b"]},
         [("", "架空区一丁目２３番４号"), ("12345678901", ""), ("1234567890123", ""), ("123456789019", ""),
          ("1丁目2番3号456号室789012345678", "")],
         [("123456789018", ""), ("", "番号１２３４５６７８９０１８です"), ("1234-5678-9018", ""), ("1234 5678 9018", ""),
          ("x\n123456789018", "")]),
]  # fmt: skip


def _id(case: Case) -> str:
    return f"{case.check}-{CASES.index(case)}"


def _broken(case: Case, rows: Sequence[Row]) -> list[int]:
    known = facts(tuple(case.columns), **case.facts)
    return broken(case.check, case.columns, rows, case.arguments, known=known, batch_rows=3)


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_a_check_keeps_what_is_right_and_finds_what_is_wrong(case: Case) -> None:
    rows = [*case.keep, *case.break_]
    found = _broken(case, rows)
    assert [rows[row] for row in found] == list(case.break_)


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_a_null_is_never_let_through(case: Case) -> None:
    for place, column in enumerate(case.columns):
        if column not in case.may_lack:
            with_null = [(*row[:place], None, *row[place + 1 :]) for row in case.keep]
            assert _broken(case, with_null) == list(range(len(with_null))), column


def test_every_check_of_rows_has_its_examples() -> None:
    assert {case.check for case in CASES} | {"exact_columns", "column_types"} == ROW_CHECKS.keys()
    assert ROW_CHECKS.keys() < CHECKS.keys()


# ---- the schema


COLUMNS = {"a": TEXT, "b": WHOLE, "c": DAY, "d": MOMENT, "e": FLAG}
ONE_ROW = [("x", 1, d("2026-07-01"), tokyo("2026-07-01T00:00:00"), True)]


def test_the_items_in_their_order_are_exact_columns() -> None:
    assert broken("exact_columns", COLUMNS, ONE_ROW, {}) == []


@pytest.mark.parametrize("items", [("b", "a", "c", "d", "e"), ("a", "b", "c", "d")])
def test_surplus_or_exchanged_columns_break_every_row(items: tuple[str, ...]) -> None:
    assert broken("exact_columns", COLUMNS, ONE_ROW * 2, {}, known=facts(items)) == [0, 1]


TYPES = {"text": ["a"], "whole": ["b"], "day": ["c"], "moment": ["d"], "flag": ["e"]}


def test_columns_of_their_types_keep_the_rule() -> None:
    assert broken("column_types", COLUMNS, ONE_ROW, TYPES) == []
    assert broken("column_types", COLUMNS | {"b": pa.int32()}, ONE_ROW, TYPES) == []


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "text"])
def test_a_column_of_another_type_breaks_every_row(kind: str) -> None:
    (column,) = TYPES[kind]
    wrong = [tuple("x" if name == column else value for name, value in zip(COLUMNS, ONE_ROW[0], strict=True))]
    assert broken("column_types", COLUMNS | {column: TEXT}, wrong * 2, TYPES) == [0, 1]


def test_a_moment_without_its_zone_is_not_a_moment() -> None:
    naive = COLUMNS | {"d": pa.timestamp("us")}
    rows = [(*ONE_ROW[0][:3], datetime.fromisoformat("2026-07-01T00:00:00"), True)]
    assert broken("column_types", naive, rows, TYPES) == [0]


# ---- the same arithmetic as one notice's


STAGES, MONTHS = st.integers(-2, 21), st.integers(-2, 14)
AROUND = st.dates(d("2025-01-01"), d("2028-01-01"))


@given(st.lists(st.tuples(STAGES, MONTHS, st.sampled_from([-100, 0, 0, 0, 100])), min_size=1, max_size=30))
def test_the_annual_amount_is_that_of_one_notice(cases: list[tuple[int, int, int]]) -> None:
    rows, wrong = [], []
    for number, (stage, months, off) in enumerate(cases):
        try:
            right = annual_premium(TABLE, stage, months)
        except Refused:
            right = None
        rows.append((stage, months, (right or 0) + off))
        if right is None or off:
            wrong.append(number)
    columns = {"s": WHOLE, "m": WHOLE, "y": WHOLE}
    assert broken("annual_amount", columns, rows, {"stage": "s", "months": "m", "amount": "y"}) == wrong


@given(st.lists(st.tuples(AROUND, st.none() | AROUND, st.integers(-1, 1)), min_size=1, max_size=30))
def test_the_months_are_those_of_one_notice(cases: list[tuple[date, date | None, int]]) -> None:
    rows, wrong = [], []
    for number, (acquired, lost, off) in enumerate(cases):
        try:
            right = months_insured(acquired, lost, 2026)
        except Refused:
            right = None
        rows.append((acquired, lost, (right or 0) + off))
        if right is None or off:
            wrong.append(number)
    columns = {"a": DAY, "l": DAY, "m": WHOLE}
    assert broken("months_agree", columns, rows, {"acquired": "a", "lost": "l", "months": "m"}) == wrong


@pytest.mark.parametrize("remainder_to", ["first", "last"])
@given(cases=st.lists(st.tuples(st.integers(1, 300), st.integers(1, 9)), min_size=1, max_size=30))
def test_the_split_of_one_notice_keeps_the_remainder_in_place(
    cases: list[tuple[int, int]], remainder_to: str
) -> None:
    table = TABLE.model_copy(update={"remainder_to": remainder_to})
    rows = [(*split_instalments(table, hundreds * 1_000, slot), hundreds * 1_000) for hundreds, slot in cases]
    schema = dict.fromkeys((*JULY, "t"), WHOLE)
    known = facts(tuple(schema), premiums=table)
    assert (
        broken("remainder_in_place", schema, rows, {"columns": list(JULY), "total": "t"}, known=known) == []
    )


@given(st.lists(st.dates(d("1900-01-01"), d("1965-12-31")), min_size=1, max_size=30))
def test_65_is_reached_on_the_very_day(births: list[date]) -> None:
    on_time = [(born, acquired_at_65(born)) for born in births]
    too_early = [(born, eve - timedelta(days=1)) for born, eve in on_time]
    columns = {"b": DAY, "a": DAY}
    found = broken("acquired_at_65", columns, [*on_time, *too_early], {"birth": "b", "acquired": "a"})
    assert found == list(range(len(births), 2 * len(births)))
