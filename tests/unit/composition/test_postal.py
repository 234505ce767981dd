"""Postal lots: every envelope once, in order, in the class its number allows."""

import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from notice_cycle.composition.postal import CLASSES, Dispatch, PostalClass, into_lots, postal_districts
from notice_cycle.composition.rules import PostalRules
from notice_cycle.errors import Refused
from notice_cycle.records import PostalLot

OWN, SORTED, PLAIN = (str(one) for one in PostalClass)
SMALL = PostalRules(own_postcodes=("9990", "9991234"), own_min_pieces=3, sorted_min_pieces=5, lot_size=4)


def dispatched(*postcodes: str, rules: PostalRules = SMALL) -> Dispatch:
    return into_lots(
        pa.array(postcodes, pa.string()), {"notice_no": pa.array(np.arange(len(postcodes)))}, rules
    )


def own(count: int) -> list[str]:
    return ["9990001"] * count


def away(count: int) -> list[str]:
    return ["9998001"] * count


def pieces(lots: Dispatch) -> dict[str, int]:
    counted = Counter(CLASSES[place] for place in lots.postal_class)
    return {str(one): counted[one] for one in CLASSES}


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
    assert pieces(dispatched(*own(near), *away(far))) == expected


def test_without_own_postcodes_nothing_goes_by_the_own_district() -> None:
    rules = SMALL.model_copy(update={"own_postcodes": ()})
    assert pieces(dispatched(*own(5), rules=rules)) == {OWN: 0, SORTED: 5, PLAIN: 0}


def test_a_whole_postcode_may_be_named_too() -> None:
    codes = ("9991234", "9991235", "9990001", "9990002")
    lots = dispatched(*codes)
    assert {codes[row]: CLASSES[place] for row, place in zip(lots.order, lots.postal_class, strict=True)} == {
        "9990001": OWN,
        "9990002": OWN,
        "9991234": OWN,
        "9991235": PLAIN,
    }


def test_lots_are_filled_in_order_of_postcode_and_never_mix_classes() -> None:
    lots = dispatched(*away(6), "0010001", *own(5))
    told = zip(lots.lot_no, lots.position_in_lot, lots.postal_class, strict=True)
    assert [(lot, place, CLASSES[one].value) for lot, place, one in told] == [
        *((1, position, OWN) for position in (1, 2, 3, 4)),
        (2, 1, OWN),
        *((3, position, SORTED) for position in (1, 2, 3, 4)),
        *((4, position, SORTED) for position in (1, 2, 3)),
    ]
    assert lots.order.tolist() == [7, 8, 9, 10, 11, 6, 0, 1, 2, 3, 4, 5]
    assert lots.lots() == tuple(
        PostalLot(lot_no=lot, postal_class=one, envelopes=envelopes)
        for lot, one, envelopes in ((1, OWN, 4), (2, OWN, 1), (3, SORTED, 4), (4, SORTED, 3))
    )


def test_within_a_postcode_the_address_decides_then_the_detail_then_the_notice() -> None:
    ties = {"address": ["二", "一", "一", "一"], "detail": ["", "１", "", ""], "notice_no": [1, 2, 4, 3]}
    columns = {name: pa.array(values) for name, values in ties.items()}
    assert into_lots(pa.array(own(4)), columns, SMALL).order.tolist() == [3, 2, 1, 0]


def test_a_district_has_three_digits_or_five_where_the_rules_say_so() -> None:
    rules = SMALL.model_copy(update={"five_digit_districts": ("998",)})
    assert postal_districts(pa.array(["9990001", "9981234"]), rules).to_pylist() == ["999", "99812"]


def test_the_least_numbers_of_japan_post_hold_unless_the_rules_say_otherwise() -> None:
    rules = PostalRules(own_postcodes=("999",))
    assert (rules.own_min_pieces, rules.sorted_min_pieces, rules.lot_size) == (100, 2_000, 5_000)
    assert pieces(dispatched(*own(99), rules=rules)) == {OWN: 0, SORTED: 0, PLAIN: 99}
    assert pieces(dispatched(*own(100), rules=rules)) == {OWN: 100, SORTED: 0, PLAIN: 0}


@pytest.mark.parametrize("prefix", ["", "99", "999-0001", "99900011"])
def test_a_prefix_of_another_form_is_no_rule(prefix: str) -> None:
    with pytest.raises(ValidationError):
        PostalRules(own_postcodes=(prefix,))


def test_an_odd_postcode_is_refused() -> None:
    with pytest.raises(Refused, match=r"7桁の数字ではありません（1件）"):
        dispatched("999-0001", "9990001")


def test_no_envelopes_make_no_lots() -> None:
    assert dispatched().lots() == ()


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
    lots = dispatched(*codes, rules=rules)

    assert sorted(lots.order) == list(range(len(codes)))
    near = sum(code.startswith(rules.own_postcodes) for code in codes)
    is_own = near >= rules.own_min_pieces
    others = len(codes) - near * is_own
    is_sorted = others >= rules.sorted_min_pieces
    assert pieces(lots) == {OWN: near * is_own, SORTED: others * is_sorted, PLAIN: others * (not is_sorted)}

    told = lots.lots()
    assert [lot.lot_no for lot in told] == list(range(1, len(told) + 1))
    assert sum(lot.envelopes for lot in told) == len(codes)
    for lot in told:
        inside = lots.lot_no == lot.lot_no
        assert lots.position_in_lot[inside].tolist() == list(range(1, lot.envelopes + 1))
        assert {CLASSES[place].value for place in lots.postal_class[inside]} == {lot.postal_class}
        assert lot.envelopes <= rules.lot_size
    for place in set(lots.postal_class):
        order = [(codes[row], row) for row in lots.order[lots.postal_class == place]]
        assert order == sorted(order)
        sizes = [lot.envelopes for lot in told if lot.postal_class == CLASSES[place].value]
        assert set(sizes[:-1]) <= {rules.lot_size}
