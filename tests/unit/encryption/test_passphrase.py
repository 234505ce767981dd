"""The passphrase a clerk prints and a contractor types: which slips are caught, how they are named."""

import itertools
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notice_cycle.encryption import passphrase
from notice_cycle.encryption.passphrase import ALPHABET, Passphrase, check_symbol, generate, parse
from notice_cycle.errors import Refused

bodies = st.text(st.sampled_from(ALPHABET), min_size=5, max_size=5)
numbers = st.integers(1, 5)


def a_passphrase() -> str:
    bodies = ("10R2S", "T3V4W", "X5Y6Z", "7A8B9", "C1D0E")
    return "-".join(body + check_symbol(body, number) for number, body in enumerate(bodies, 1))


def is_valid(group: str, number: int) -> bool:
    return check_symbol(group[:5], number) == group[5]


def test_a_generated_passphrase_has_the_printed_form():
    assert re.fullmatch(rf"[{ALPHABET}]{{6}}(-[{ALPHABET}]{{6}}){{4}}", generate().reveal())


def test_generated_passphrases_parse_and_differ():
    made = {generate().reveal() for _ in range(200)}
    assert len(made) == 200
    assert {parse(text).reveal() for text in made} == made


def test_every_symbol_occurs_in_generated_passphrases():
    assert set("".join(generate().reveal() for _ in range(200))) == {*ALPHABET, "-"}


# --- the check symbol: the code is affine over GF(32), so the tables below cover every pair of groups


def test_every_error_in_one_symbol_changes_the_check_whatever_the_rest():
    """Exhaustive: 5 positions, all 32 x 31 exchanges; linearity makes the other symbols irrelevant."""
    for position in range(5):
        before, after = "0" * position, "0" * (4 - position)
        assert len({check_symbol(before + symbol + after, 1) for symbol in ALPHABET}) == 32


def test_every_exchange_of_two_symbols_is_caught_not_only_of_neighbours():
    """Exhaustive: all 15 pairs of places, the check symbol's included, all 992 pairs of symbols."""
    for first, second in itertools.combinations(range(6), 2):
        for a, b in itertools.permutations(ALPHABET, 2):
            group = valid_group({first: a, second: b})
            group[first], group[second] = b, a
            assert not is_valid("".join(group), 1)


def valid_group(symbols: dict[int, str]) -> list[str]:
    """A valid group with these symbols in these places: zeros, and one place that makes it valid."""
    group = [symbols.get(place, "0") for place in range(6)]
    free = next(place for place in range(6) if place not in symbols)
    for symbol in ALPHABET:
        group[free] = symbol
        if is_valid("".join(group), 1):
            return group
    raise AssertionError("every place can make a group valid")


@settings(max_examples=60, deadline=None)
@given(body=bodies, other=bodies, number=numbers)
def test_the_check_symbol_is_affine(body, other, number):
    """What the exhaustive tests rest on: check(a + b) = check(a) + check(b) + check(0) over GF(32)."""
    value = ALPHABET.index
    mixed = "".join(ALPHABET[value(x) ^ value(y)] for x, y in zip(body, other, strict=True))
    expected = (
        value(check_symbol(body, number))
        ^ value(check_symbol(other, number))
        ^ value(check_symbol("00000", number))
    )
    assert value(check_symbol(mixed, number)) == expected


@settings(max_examples=60, deadline=None)
@given(body=bodies, number=numbers, place=st.integers(0, 5))
def test_every_substitution_and_neighbour_exchange_in_a_random_group_is_caught(body, number, place):
    group = body + check_symbol(body, number)
    assert is_valid(group, number)
    for symbol in set(ALPHABET) - {group[place]}:
        assert not is_valid(group[:place] + symbol + group[place + 1 :], number)
    if place < 5 and group[place] != group[place + 1]:
        swapped = group[:place] + group[place + 1] + group[place] + group[place + 2 :]
        assert not is_valid(swapped, number)


def test_a_group_in_anothers_place_is_caught():
    groups = a_passphrase().split("-")
    groups[1], groups[3] = groups[3], groups[1]
    with pytest.raises(Refused, match="第2グループ"):
        parse("-".join(groups))


# --- what a person types


@pytest.mark.parametrize(
    "typed",
    [
        lambda text: text.lower(),
        lambda text: text.replace("-", " "),
        lambda text: text.replace("-", ""),
        lambda text: text.replace("-", " - "),
        lambda text: f"  {text}\n",
        lambda text: text.replace("0", "O").replace("1", "I"),
        lambda text: text.replace("0", "o").replace("1", "l"),
        lambda text: "".join(chr(ord(symbol) + 0xFEE0) for symbol in text),  # 全角
        lambda text: "".join(chr(ord(symbol) + 0xFEE0) for symbol in text.lower()).replace("\uff0d", "　"),
        *[lambda text, dash=dash: text.replace("-", dash) for dash in "‐‑‒–—―−ー－ｰ_"],
        lambda text: " ".join(re.findall("...", text.replace("-", ""))),  # read aloud in threes
    ],
)
def test_what_a_person_may_type_gives_the_canonical_text(typed):
    assert parse(typed(a_passphrase())).reveal() == a_passphrase()


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_the_wrong_group_is_named(number):
    groups = a_passphrase().split("-")
    wrong = "B" if groups[number - 1][0] != "B" else "C"
    groups[number - 1] = wrong + groups[number - 1][1:]
    for separator in ("-", ""):
        with pytest.raises(Refused, match=f"第{number}グループに誤り") as caught:
            parse(separator.join(groups))
        assert caught.value.advice


def test_a_group_of_another_length_is_named():
    groups = a_passphrase().split("-")
    groups[2] = groups[2][:5]
    with pytest.raises(Refused, match="第3グループは6文字のはずですが、5文字"):
        parse("-".join(groups))


def test_a_symbol_that_is_never_used_is_named_by_its_group():
    for symbol in "U*あ":
        groups = a_passphrase().split("-")
        groups[3] = symbol + groups[3][1:]
        with pytest.raises(Refused, match="第4グループに、パスワードで使わない文字"):
            parse("-".join(groups))


@pytest.mark.parametrize(
    "typed", ["", "-", "----", "GDW1D1", a_passphrase() + "-" + "000000", a_passphrase()[:-1]]
)
def test_another_number_of_symbols_is_refused(typed):
    with pytest.raises(Refused, match="文字"):
        parse(typed)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=50))
def test_any_other_text_is_refused(typed):
    with pytest.raises(Refused):
        parse(typed)


def test_a_refusal_does_not_repeat_what_was_typed():
    groups = a_passphrase().split("-")
    for wrong in ("-".join([*groups[:4], groups[4][::-1]]), "-".join(groups[:4]), "".join(groups) + "U"):
        with pytest.raises(Refused) as caught:
            parse(wrong)
        assert not any(group in str(caught.value) for group in groups)


def test_the_constructor_takes_the_canonical_text_only():
    assert Passphrase(a_passphrase()) == parse(a_passphrase())
    with pytest.raises(Refused):
        Passphrase(a_passphrase().lower())


# --- it does not print


def test_a_passphrase_shows_only_dots():
    secret = generate()
    for shown in (repr(secret), str(secret), f"{secret}", "%s" % secret, repr([secret]), repr({"p": secret})):  # noqa: UP031
        assert "●●●" in shown
        assert secret.reveal() not in shown


def test_a_passphrase_neither_changes_nor_pickles():
    secret = generate()
    with pytest.raises(AttributeError):
        secret._text = "x"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_equal_passphrases_are_equal_and_hash_alike():
    assert parse(a_passphrase().lower()) == parse(a_passphrase())
    assert len({parse(a_passphrase()), parse(a_passphrase().lower())}) == 1
    assert parse(a_passphrase()) != a_passphrase()
    assert passphrase.generate() != passphrase.generate()
