"""名寄せ: one person an envelope, unless the identical recipient at the identical address consented on each notice."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from notice_cycle.composition.envelopes import ADDRESSEE, SURNAME, Bundles, bundled, surnames
from notice_cycle.errors import Conflict

FACILITY = {
    "recipient_id": "9",
    "share_envelope": True,
    "recipient_name": "架空苑",
    "recipient_suffix": "御中",
}


def a_notice(number: int, **changes: Any) -> dict[str, Any]:
    known = {
        "recipient_id": f"{number:010d}",
        "share_envelope": False,
        "postcode": "1000001",
        "address": "架空区見本一丁目",
        "address_detail": "",
        "recipient_name": "見本　花子",
        "recipient_suffix": "様",
    }
    return known | changes


def bundles(*rows: dict[str, Any]) -> Bundles:
    table = pa.Table.from_pylist(list(rows))
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    addressee = {item: columns[item].cast(pa.binary()) for item in ADDRESSEE}
    addressee[SURNAME] = surnames(columns["recipient_name"], columns["share_envelope"]).cast(pa.binary())
    return bundled(
        addressee, columns["recipient_id"].cast(pa.binary()), np.asarray(columns["share_envelope"])
    )


def envelopes(*rows: dict[str, Any]) -> list[list[int]]:
    """The rows of each envelope, counted from 1, in the order of their leaders."""
    found = bundles(*rows)
    grouped = [(np.flatnonzero(found.envelope == place) + 1).tolist() for place in range(len(found.leaders))]
    assert [group[0] - 1 for group in grouped] == found.leaders.tolist()
    return grouped


def ambiguous(*rows: dict[str, Any]) -> list[list[int]]:
    return [(group + 1).tolist() for group in bundles(*rows).ambiguous]


def test_same_name_and_same_address_are_not_the_same_person() -> None:
    assert envelopes(a_notice(1), a_notice(2), a_notice(3)) == [[1], [2], [3]]


def test_one_recipient_without_consent_gets_an_envelope_each() -> None:
    assert envelopes(*(a_notice(n, recipient_id="9") for n in (1, 2))) == [[1], [2]]


def test_one_recipient_with_consent_gets_one_envelope() -> None:
    assert envelopes(a_notice(1), *(a_notice(n, **FACILITY) for n in (2, 3, 4))) == [[1], [2, 3, 4]]


def test_only_those_who_consented_share_and_a_person_is_told() -> None:
    rows = [a_notice(n, **FACILITY) for n in (1, 2)] + [a_notice(3, **FACILITY | {"share_envelope": False})]
    assert envelopes(*rows) == [[1, 2], [3]]
    assert ambiguous(*rows) == [[1, 2, 3]]


def test_a_notice_without_a_recipient_has_an_envelope_of_its_own() -> None:
    rows = [a_notice(n, **FACILITY) for n in (1, 2)] + [
        a_notice(3, recipient_id=None),
        a_notice(4, recipient_id=None),
    ]
    assert envelopes(*rows) == [[1, 2], [3], [4]]
    assert ambiguous(*rows) == []


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
        bundles(a_notice(1, **FACILITY), a_notice(2, **FACILITY | other), a_notice(3, **FACILITY | other))
    assert "架空苑" not in str(caught.value)
    assert "担当課で確認" in caught.value.advice


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"recipient_name": "見本　一郎"}, [[1, 2]]),
        ({"recipient_name": "見本 一郎"}, [[1, 2]]),
        ({"recipient_name": "見本"}, [[1, 2]]),
        ({"recipient_name": "見本山　一郎"}, []),
        ({"address": "架空区見本二丁目"}, []),
        ({"address_detail": "１０１"}, []),
        ({"share_envelope": False}, []),
    ],
)
def test_one_surname_at_one_address_under_two_recipient_ids_is_ambiguous(
    other: dict[str, Any], told: list[list[int]]
) -> None:
    rows = (a_notice(1, share_envelope=True), a_notice(2, **{"share_envelope": True} | other), a_notice(3))
    assert envelopes(*rows) == [[1], [2], [3]]
    assert ambiguous(*rows) == told


def test_without_recipients_every_row_is_an_envelope() -> None:
    found = bundled({}, None, np.zeros(3, dtype=bool))
    assert found.leaders.tolist() == found.envelope.tolist() == [0, 1, 2]
