"""名寄せ: one person an envelope, unless the identical recipient at the identical address consented on each notice."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notice_cycle.composition.envelopes import in_envelopes
from notice_cycle.errors import Conflict


def a_notice(number: int, **changes: Any) -> dict[str, Any]:
    known = {
        "notice_no": f"{number:011d}",
        "insured_no": f"{number:010d}",
        "recipient_id": f"{number:010d}",
        "share_envelope": False,
        "postcode": "1000001",
        "address": "架空区見本一丁目",
        "address_detail": "",
        "recipient_name": "見本　花子",
        "recipient_suffix": "様",
        "ordinary_total_yen": 1_000 * number,
    }
    return known | changes


def composed(*rows: dict[str, Any]) -> pd.DataFrame:
    return in_envelopes(pd.DataFrame(rows))


def envelopes(frame: pd.DataFrame) -> list[list[str]]:
    """The notice numbers of each envelope, short, in print order."""
    return [[no.lstrip("0") for no in group["notice_no"]] for _, group in frame.groupby("envelope_no")]


FACILITY = {
    "recipient_id": "9",
    "share_envelope": True,
    "recipient_name": "架空苑",
    "recipient_suffix": "御中",
}


def test_same_name_and_same_address_are_not_the_same_person() -> None:
    assert envelopes(composed(a_notice(1), a_notice(2), a_notice(3))) == [["1"], ["2"], ["3"]]


def test_one_recipient_without_consent_gets_an_envelope_each() -> None:
    rows = (a_notice(n, recipient_id="9") for n in (1, 2))
    assert envelopes(composed(*rows)) == [["1"], ["2"]]


def test_one_recipient_with_consent_gets_one_envelope() -> None:
    frame = composed(*(a_notice(n, **FACILITY) for n in (3, 1, 2)))
    assert envelopes(frame) == [["1", "2", "3"]]
    assert frame["sheet_no"].tolist() == [1, 2, 3]
    assert frame["sheets_in_envelope"].tolist() == [3, 3, 3]


def test_only_those_who_consented_share() -> None:
    rows = [a_notice(n, **FACILITY) for n in (1, 2)] + [a_notice(3, **FACILITY | {"share_envelope": False})]
    assert sorted(envelopes(composed(*rows))) == [["1", "2"], ["3"]]


def test_a_notice_number_that_equals_a_recipient_id_is_no_recipient() -> None:
    rows = [a_notice(1, **FACILITY), a_notice(2, notice_no="9")]
    assert len(envelopes(composed(*rows))) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"recipient_name": "別の苑"},
        {"recipient_suffix": "様"},
        {"postcode": "1000002"},
        {"address": "架空区見本二丁目"},
        {"address_detail": "１０１"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_one_recipient_id_with_two_addressees_stops(other: dict[str, str]) -> None:
    with pytest.raises(Conflict, match=r"同じ宛名番号に異なる送付先.*1件") as caught:
        composed(a_notice(1, **FACILITY), a_notice(2, **FACILITY | other))
    assert "架空苑" not in str(caught.value)
    assert "担当課で確認" in caught.value.advice


def test_envelopes_leave_in_postal_order() -> None:
    frame = composed(
        a_notice(1, postcode="1000002"),
        a_notice(2, address="架空区見本二丁目"),
        a_notice(3),
        a_notice(4, address_detail="１０１"),
        a_notice(5),
    )
    assert envelopes(frame) == [["3"], ["5"], ["4"], ["2"], ["1"]]


def test_no_rows_make_no_envelopes() -> None:
    frame = in_envelopes(pd.DataFrame([a_notice(1)]).iloc[:0])
    assert len(frame) == 0
    assert {"envelope_no", "sheet_no", "sheets_in_envelope"} <= set(frame.columns)


RECIPIENTS = {
    recipient: {
        "recipient_id": recipient,
        "postcode": f"10000{int(recipient) % 3:02d}",
        "address": f"架空区見本{int(recipient) % 2}丁目",
        "recipient_name": f"見本{recipient}",
    }
    for recipient in map(str, range(6))
}


@given(drawn=st.lists(st.tuples(st.sampled_from(sorted(RECIPIENTS)), st.booleans()), min_size=1, max_size=30))
def test_every_row_is_in_exactly_one_envelope_and_nothing_is_lost(drawn: list[tuple[str, bool]]) -> None:
    rows = [
        a_notice(number, **RECIPIENTS[recipient], share_envelope=shares)
        for number, (recipient, shares) in enumerate(drawn, 1)
    ]
    frame = composed(*rows)
    assert sorted(frame["notice_no"]) == [row["notice_no"] for row in rows]
    assert frame["ordinary_total_yen"].sum() == sum(row["ordinary_total_yen"] for row in rows)
    assert sorted(frame["envelope_no"].unique()) == list(range(1, frame["envelope_no"].max() + 1))
    assert frame["envelope_no"].is_monotonic_increasing
    sharing = {recipient for recipient, shares in drawn if shares}
    alone = sum(not shares for _, shares in drawn)
    assert frame["envelope_no"].max() == len(sharing) + alone
    for _, envelope in frame.groupby("envelope_no"):
        assert envelope["sheet_no"].tolist() == list(range(1, len(envelope) + 1))
        assert set(envelope["sheets_in_envelope"]) == {len(envelope)}
        assert envelope["recipient_id"].nunique() == 1
        assert len(envelope) == 1 or envelope["share_envelope"].all()


@given(order=st.permutations(range(8)))
def test_the_order_of_extraction_does_not_matter(order: list[int]) -> None:
    rows = [a_notice(n, **(FACILITY if n % 2 else {}), postcode=f"100000{n % 2}") for n in range(8)]
    expected = composed(*rows)
    pd.testing.assert_frame_equal(composed(*(rows[place] for place in order)), expected)
