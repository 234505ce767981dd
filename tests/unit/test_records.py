"""What records may hold: totals of small cycles only under a key, whole numbers, known fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import SMALL_TOTAL_KEY, a_cycle, a_rule

from notice_cycle import records as r
from notice_cycle.records import SMALL_CYCLE, AmountTotal

YEN = st.integers(0, 10**12)


@given(yen=YEN, persons=st.integers(0, 200_000))
def test_a_total_is_told_from_ten_persons_on_and_hidden_below(yen: int, persons: int) -> None:
    total = AmountTotal.of(yen, persons=persons, key=SMALL_TOTAL_KEY)
    assert (total.yen == yen and total.hmac is None) if persons >= 10 else total.yen is None
    assert total.equals(yen, key=SMALL_TOTAL_KEY)
    assert not total.equals(yen + 1, key=SMALL_TOTAL_KEY)


def test_the_border_is_ten() -> None:
    assert SMALL_CYCLE == 10
    assert AmountTotal.of(72_600, persons=10, key=b"k").label_ja == "72,600円"
    hidden = AmountTotal.of(72_600, persons=9, key=b"k")
    assert hidden.label_ja == "10人未満のため非表示"
    assert "726" not in hidden.model_dump_json(include={"yen"})


def test_a_hidden_total_is_equal_only_under_its_key() -> None:
    hidden = AmountTotal.of(72_600, persons=1, key=b"k")
    assert hidden == AmountTotal.of(72_600, persons=9, key=b"k")
    assert not hidden.equals(72_600, key=b"another key")
    assert hidden.hmac != AmountTotal.of(72_600, persons=1, key=b"another key").hmac


def test_the_hidden_digest_is_the_documented_hmac() -> None:
    """So that an auditor with the key can recompute it with openssl."""
    assert AmountTotal.of(72_600, persons=1, key=b"k").hmac == (
        "38d45f271b56e29201c6f5872cb3e1effeee38025eb80f33153b63aafd829f81"
    )


@pytest.mark.parametrize(
    ("broken", "allowed", "holds"), [(0, 0, True), (1, 0, False), (3, 3, True), (4, 3, False)]
)
def test_a_rule_holds_up_to_what_is_allowed(broken: int, allowed: int, holds: bool) -> None:
    assert a_rule(broken=broken, allowed=allowed).holds is holds


def test_only_rules_of_severity_error_stop() -> None:
    rules = (a_rule(broken=1), a_rule(broken=1, severity="warning"), a_rule(broken=1, allowed=1), a_rule())
    record = a_cycle()[r.ValidationRecord].model_copy(update={"rules": rules})
    assert record.errors == 1


@pytest.mark.parametrize("record", a_cycle().records, ids=lambda record: record.kind())
def test_a_record_knows_no_surplus_field_and_never_changes(record: r.Record) -> None:
    with pytest.raises(ValueError, match="insured_name"):
        type(record).model_validate({**record.model_dump(), "insured_name": "x"})
    with pytest.raises(ValueError, match="frozen"):
        record.label = "x"  # type: ignore[attr-defined]
