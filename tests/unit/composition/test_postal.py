"""Postal lots: every envelope once, in order, in the class its number allows."""

import random

import pandas as pd
import pytest
from pydantic import ValidationError

from notice_cycle.composition.postal import PostalClass, PostalRules, class_table, into_lots, lot_table
from notice_cycle.errors import Conflict, Refused

OWN, SORTED, PLAIN = (str(one) for one in PostalClass)
SMALL = PostalRules(own_postcodes=("9990", "9991234"), own_min_pieces=3, sorted_min_pieces=5, lot_size=4)


def envelopes(*postcodes: str) -> pd.DataFrame:
    return pd.DataFrame({"envelope_no": range(1, len(postcodes) + 1), "postcode": list(postcodes)}).astype(
        {"postcode": "str"}
    )


def own(count: int) -> list[str]:
    return ["9990001"] * count


def away(count: int) -> list[str]:
    return ["9998001"] * count


def pieces(lots: pd.DataFrame) -> dict[str, int]:
    return dict(zip(*(class_table(lots)[name] for name in ("postal_class", "envelopes")), strict=True))


@pytest.mark.parametrize(
    ("near", "far", "expected"),
    [
        (3, 5, {OWN: 3, SORTED: 5, PLAIN: 0}),
        (2, 5, {OWN: 0, SORTED: 7, PLAIN: 0}),  # too few for 郵便区内特別: all go sorted
        (2, 3, {OWN: 0, SORTED: 5, PLAIN: 0}),  # … and make up the number
        (2, 2, {OWN: 0, SORTED: 0, PLAIN: 4}),
        (3, 4, {OWN: 3, SORTED: 0, PLAIN: 4}),
        (3, 0, {OWN: 3, SORTED: 0, PLAIN: 0}),
        (0, 5, {OWN: 0, SORTED: 5, PLAIN: 0}),
        (0, 0, {OWN: 0, SORTED: 0, PLAIN: 0}),
    ],
)
def test_a_class_below_its_least_number_falls_back_as_a_whole(
    near: int, far: int, expected: dict[str, int]
) -> None:
    assert pieces(into_lots(envelopes(*own(near), *away(far)), SMALL)) == expected


def test_without_own_postcodes_nothing_goes_by_the_own_district() -> None:
    rules = SMALL.model_copy(update={"own_postcodes": ()})
    assert pieces(into_lots(envelopes(*own(5)), rules)) == {OWN: 0, SORTED: 5, PLAIN: 0}


def test_a_whole_postcode_may_be_named_too() -> None:
    lots = into_lots(envelopes("9991234", "9991235", "9990001", "9990002"), SMALL)
    assert lots.set_index("postcode")["postal_class"].to_dict() == {
        "9990001": OWN,
        "9990002": OWN,
        "9991234": OWN,
        "9991235": PLAIN,
    }


def test_lots_are_filled_in_order_of_postcode_and_never_mix_classes() -> None:
    lots = into_lots(envelopes(*away(6), "0010001", *own(5)), SMALL)
    assert lots[["lot_no", "position_in_lot", "postal_class", "postcode_group"]].to_records(index=False).tolist() == [
        *((1, position, OWN, "999") for position in (1, 2, 3, 4)),
        (2, 1, OWN, "999"),
        (3, 1, SORTED, "001"),
        *((3, position, SORTED, "999") for position in (2, 3, 4)),
        *((4, position, SORTED, "999") for position in (1, 2, 3)),
    ]  # fmt: skip
    assert lots["envelope_no"].tolist() == [8, 9, 10, 11, 12, 7, 1, 2, 3, 4, 5, 6]


def test_the_table_of_lots_and_of_classes() -> None:
    lots = into_lots(envelopes(*away(6), "0010001", *own(5)), SMALL)
    assert lot_table(lots).to_records(index=False).tolist() == [
        (1, OWN, 4, 1, "9990001", "9990001"),
        (2, OWN, 1, 1, "9990001", "9990001"),
        (3, SORTED, 4, 2, "0010001", "9998001"),
        (4, SORTED, 3, 1, "9998001", "9998001"),
    ]
    assert class_table(lots).to_records(index=False).tolist() == [(OWN, 5, 2), (SORTED, 7, 2), (PLAIN, 0, 0)]


def test_the_least_numbers_of_japan_post_hold_unless_the_rules_say_otherwise() -> None:
    rules = PostalRules(own_postcodes=("999",))
    assert (rules.own_min_pieces, rules.sorted_min_pieces, rules.lot_size) == (100, 2_000, 5_000)
    assert pieces(into_lots(envelopes(*own(99)), rules)) == {OWN: 0, SORTED: 0, PLAIN: 99}
    assert pieces(into_lots(envelopes(*own(100)), rules)) == {OWN: 100, SORTED: 0, PLAIN: 0}


@pytest.mark.parametrize("prefix", ["", "99", "999-0001", "99900011"])
def test_a_prefix_of_another_form_is_no_rule(prefix: str) -> None:
    with pytest.raises(ValidationError):
        PostalRules(own_postcodes=(prefix,))


def test_an_odd_postcode_is_refused() -> None:
    with pytest.raises(Refused, match=r"7桁の数字ではありません（1件）"):
        into_lots(envelopes("999-0001", "9990001"), SMALL)


def test_an_envelope_that_stands_twice_stops() -> None:
    twice = envelopes("9990001", "9990002").assign(envelope_no=[4, 4])
    with pytest.raises(Conflict, match=r"（1件）"):
        into_lots(twice, SMALL)


@pytest.mark.parametrize("seed", range(60))
def test_every_envelope_is_in_exactly_one_lot_and_every_lot_keeps_the_rules(seed: int) -> None:
    chance = random.Random(seed)
    rules = PostalRules(
        own_postcodes=chance.choice([(), ("100",), ("1000", "1010001")]),
        own_min_pieces=chance.randrange(1, 40),
        sorted_min_pieces=chance.randrange(1, 80),
        lot_size=chance.randrange(1, 30),
    )
    codes = [
        chance.choice(("100", "101", "900")) + f"{chance.randrange(3):04}"
        for _ in range(chance.randrange(120))
    ]
    given = envelopes(*codes).sample(frac=1, random_state=seed)
    lots = into_lots(given, rules)

    assert sorted(lots["envelope_no"]) == sorted(given["envelope_no"])
    assert (
        lots.set_index("envelope_no")["postcode"].to_dict()
        == given.set_index("envelope_no")["postcode"].to_dict()
    )
    near = sum(code.startswith(rules.own_postcodes) for code in codes)
    is_own = near >= rules.own_min_pieces
    others = len(codes) - near * is_own
    is_sorted = others >= rules.sorted_min_pieces
    assert pieces(lots) == {OWN: near * is_own, SORTED: others * is_sorted, PLAIN: others * (not is_sorted)}

    assert lots["lot_no"].drop_duplicates().tolist() == list(range(1, lots["lot_no"].nunique() + 1))
    for _, lot in lots.groupby("lot_no"):
        assert len(lot) <= rules.lot_size
        assert lot["postal_class"].nunique() == 1
        assert lot["position_in_lot"].tolist() == list(range(1, len(lot) + 1))
        order = list(zip(lot["postcode"], lot["envelope_no"], strict=True))
        assert order == sorted(order)
    for _, one_class in lots.groupby("postal_class"):
        assert one_class["postcode"].is_monotonic_increasing
        assert (one_class.groupby("lot_no").size()[:-1] == rules.lot_size).all()
    assert into_lots(given[::-1], rules).equals(lots)
