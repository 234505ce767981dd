"""What an entry's text is, and how a chain of rows is judged, without a database."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st
from tests.builders import CYCLE, OPENED_AT, TANTO, TASK, a_digest

from notice_cycle.ledger.chain import Row, verify_chain
from notice_cycle.ledger.entry import Entry
from notice_cycle.values import canonical, sha256

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcあ髙", max_size=3), inner),
    max_leaves=12,
)


def an_entry(seq: int = 1, previous: str | None = None, **data: Any) -> Entry:
    return Entry(
        seq=seq,
        previous=previous,
        recorded_at=OPENED_AT + timedelta(minutes=seq),
        actor=TASK,
        cycle=CYCLE,
        kind="event",
        follows=None,
        data=data,
    )


def a_row(entry: Entry, **changes: Any) -> Row:
    row = Row(entry.seq, entry.cycle, entry.kind, entry.follows, entry.text(), entry.digest)
    return row._replace(**changes)


def a_chain(length: int) -> list[Row]:
    rows: list[Row] = []
    for seq in range(1, length + 1):
        rows.append(a_row(an_entry(seq, rows[-1].digest if rows else None, number=seq)))
    return rows


def with_body(row: Row, change: Callable[[dict[str, Any]], Any]) -> Row:
    """The row as a forger would leave it who recomputes the digest."""
    said = json.loads(row.body)
    change(said)
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return row._replace(body=body, digest=sha256(body.encode()))


def test_the_text_is_canonical_json_with_the_time_in_utc() -> None:
    text = an_entry(2, a_digest(1), b=1, a="髙").text()
    assert text == (
        '{"actor":{"task":"a.task"},"cycle":"' + CYCLE + '","data":{"a":"髙","b":1},"follows":null,'
        '"kind":"event","previous":"' + a_digest(1) + '","recorded_at":"2026-07-01T00:02:00Z",'
        '"schema_version":1,"seq":2}'
    )


def test_the_digest_is_the_sha256_of_the_text() -> None:
    entry = an_entry(a=1)
    assert entry.digest == sha256(entry.text().encode())


def test_the_same_moment_in_another_zone_has_the_same_text() -> None:
    entry = an_entry()
    in_tokyo = entry.recorded_at.astimezone(timezone(timedelta(hours=9)))
    assert entry.model_copy(update={"recorded_at": in_tokyo}).text() == entry.text()


@given(data=st.dictionaries(st.text("abcあ髙", max_size=3), JSON, max_size=4))
def test_an_entry_read_back_is_the_entry_written(data: dict[str, Any]) -> None:
    entry = an_entry(**{f"k{key}": value for key, value in data.items()})
    assert Entry.from_text(entry.text()) == entry


@given(value=JSON)
@example(value={"a\ud7ff": 1, "a\ue000": 2, "😀": 3, "": [True, None, -1]})
@example(value=['\x00\x1f\x7f\u2028/\\"\b\f', {"z": {}, "あ": []}])
def test_what_is_said_fast_is_what_rfc_8785_says(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), {1: 2}, "\ud800", {"\udfff": 1}], ids=ascii)
def test_what_rfc_8785_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)


@pytest.mark.parametrize("value", [1.0, [1, 2.5], {"a": {"b": (0.1,)}}, float("nan"), float("inf")], ids=repr)
def test_a_float_never_enters_canonical_json(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


def test_keys_are_sorted_by_utf_16_as_rfc_8785_says() -> None:
    assert canonical({"😀": 1, "ﬀ": 2, "a": 3}) == '{"a":3,"😀":1,"ﬀ":2}'.encode()


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace('"seq":1', '"seq": 1'),
        lambda text: text.replace('{"actor"', '{"zz":0,"actor"'),
        lambda text: text[:-1] + ',"seq":1}',
        lambda text: text.replace("Z", "+00:00"),
        lambda text: text.replace('"schema_version":1', '"schema_version":2'),
        lambda text: text.replace("a.task", "\\u0061.task"),
        lambda text: text + "\n",
        lambda _: "[]",
        lambda _: "",
    ],
)
def test_a_text_that_is_not_canonical_is_not_read(rewrite: Callable[[str], str]) -> None:
    with pytest.raises(ValueError):
        Entry.from_text(rewrite(an_entry(a=1).text()))


def test_a_whole_chain_holds_and_names_its_head() -> None:
    rows = a_chain(5)
    verdict = verify_chain(rows)
    assert (verdict.holds, verdict.entries, verdict.head) == (True, 5, rows[-1].digest)
    assert verdict.reason_ja == "5件すべて一致しました。"


def test_an_emptied_ledger_does_not_hold() -> None:
    verdict = verify_chain([])
    assert not verdict.holds
    assert (verdict.first_bad, verdict.head) == (1, None)
    assert "第1号がありません" in verdict.reason_ja


FORGERIES: dict[str, Callable[[list[Row]], list[Row]]] = {
    "data": lambda c: [c[0], c[1], with_body(c[2], lambda said: said["data"].update(number=9)), *c[3:]],
    "a float": lambda c: [c[0], c[1], with_body(c[2], lambda said: said["data"].update(number=0.5)), *c[3:]],
    "a deep nesting": lambda c: [c[0], c[1], forged(c[2], "[" * 100_000 + "]" * 100_000), *c[3:]],
    "an enormous number": lambda c: [c[0], c[1], forged(c[2], "9" * 5_000), *c[3:]],
    "a number beyond 2^53": lambda c: [
        c[0],
        c[1],
        with_body(c[2], lambda said: said["data"].update(number=2**60)),
        *c[3:],
    ],
    "a lone surrogate": lambda c: [c[0], c[1], forged(c[2], '{"a":"\\ud800"}'), *c[3:]],
    "previous": lambda c: [
        c[0],
        c[1],
        with_body(c[2], lambda said: said.update(previous=a_digest("x"))),
        *c[3:],
    ],
    "recorded_at": lambda c: [
        *c[:2],
        with_body(c[2], lambda said: said.update(recorded_at="2025-07-01T00:00:00Z")),
        *c[3:],
    ],
    "actor": lambda c: [*c[:2], with_body(c[2], lambda said: said.update(actor=TANTO.model_dump())), *c[3:]],
}


def forged(row: Row, body: str) -> Row:
    return row._replace(body=body, digest=sha256(body.encode()))


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forger_who_recomputes_the_digest_breaks_the_link_to_the_next_entry(what: str) -> None:
    verdict = verify_chain(FORGERIES[what](a_chain(5)))
    assert verdict.first_bad in (3, 4)  # 3 when the text itself is no entry, 4 when only the link tells
    assert f"第{verdict.first_bad}号が改ざんされているか欠けています" in verdict.reason_ja
    assert "監査担当に連絡" in verdict.reason_ja


@pytest.mark.parametrize(
    ("column", "value"),
    [("seq", 7), ("cycle", None), ("cycle", "x"), ("kind", "x"), ("follows", a_digest(1))],
)
def test_a_heading_that_differs_from_the_text_is_named(column: str, value: Any) -> None:
    rows = a_chain(3)
    rows[1] = rows[1]._replace(**{column: value})
    assert verify_chain(rows).first_bad == (value if column == "seq" else 2)


def test_entries_after_the_first_bad_one_are_not_counted() -> None:
    rows = a_chain(6)
    rows[3] = rows[3]._replace(kind="x")
    verdict = verify_chain(rows)
    assert (verdict.entries, verdict.head, verdict.first_bad) == (3, rows[2].digest, 4)


def test_a_naive_time_is_never_written_as_if_it_were_utc() -> None:
    with pytest.raises(ValueError, match="timezone"):
        Entry.model_validate({**an_entry().model_dump(), "recorded_at": datetime(2026, 7, 1)})  # noqa: DTZ001
