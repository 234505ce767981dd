"""The canary lives in every ward, owes an ordinary notice, and shares no distinctive string with anybody."""

import numpy as np
import pytest

from notice_cycle.premiums import acquired_at_65
from synthetic_ward import CANARY, DROPPED, NOTICE_ITEMS, Ward, annual_batch, build_ward
from synthetic_ward.residents import check_digits
from synthetic_ward.ward import BURDEN, ORDINARY, REMINDER


@pytest.fixture(scope="module")
def ward() -> Ward:
    return build_ward()


@pytest.mark.parametrize(("persons", "seed"), [(200, 1), (2_000, 2), (5_000, 2026)])
def test_she_always_gets_one_ordinary_notice_at_home(persons: int, seed: int) -> None:
    notices = build_ward(persons, seed).notice(ORDINARY)
    (row,) = np.flatnonzero(notices["insured_no"] == CANARY.insured_no)
    hers = {name: column[row].item() for name, column in notices.items()}
    assert hers["batch_no"] == annual_batch(2026)
    assert hers["notice_no"] == CANARY.notice_no
    assert hers["household_no"] == CANARY.household_no
    assert (hers["recipient_id"], hers["recipient_kind"]) == (CANARY.recipient_id, "self")
    assert (hers["insured_name"], hers["insured_kana"]) == (CANARY.name, CANARY.kana)
    assert hers["recipient_name"] == CANARY.name
    assert (hers["postcode"], hers["address"]) == (CANARY.postcode, CANARY.address)
    assert hers["address_detail"] == CANARY.address_detail
    assert (hers["birth_date"], hers["acquired_on"]) == (CANARY.birth_date, CANARY.acquired_on)
    assert (hers["lost_on"], hers["months"], hers["stage"]) == (None, 12, CANARY.stage)
    assert hers["collection_method"] == "ordinary"


def test_she_pays_late_and_is_certified_for_care(ward: Ward) -> None:
    hers = {
        notice: ward.notice(notice)["notice_no"][
            ward.notice(notice)["insured_no"] == CANARY.insured_no
        ].tolist()
        for notice in NOTICE_ITEMS
        if "insured_no" in NOTICE_ITEMS[notice]
    }
    assert {notice: numbers for notice, numbers in hers.items() if numbers} == {
        ORDINARY: [CANARY.notice_no],
        REMINDER: ["26069816604"],
        BURDEN: ["26089816604"],
    }
    assert BURDEN in DROPPED


def test_the_lists_of_later_changes_never_name_her(ward: Ward) -> None:
    assert not [
        number for number in ward.core["difference"]["notice_no"].tolist() if number.endswith("9816604")
    ]


def test_her_own_facts_are_consistent() -> None:
    assert acquired_at_65(CANARY.birth_date) == CANARY.acquired_on
    number = int(CANARY.insured_no)
    assert check_digits(np.array([number // 10])).item() == number % 10


def test_no_search_term_matches_anything_else_in_the_ward(ward: Ward) -> None:
    terms = CANARY.search_terms()
    assert len(terms) == len(set(terms))
    for table, columns in (ward.core | ward.host).items():
        for name, column in columns.items():
            texts = column.astype(str)
            for term in terms:
                hits = np.unique(texts[np.char.find(texts, term) >= 0]).tolist()
                assert len(hits) <= 1, f"{table}.{name}: {term}"
                assert all(hit in vars(CANARY).values() or hit == CANARY.name for hit in hits)


def test_every_search_term_but_the_half_width_kana_is_in_the_core_system(ward: Ward) -> None:
    everything = "\n".join(
        "\n".join(np.unique(column).tolist())
        for columns in ward.core.values()
        for column in columns.values()
        if column.dtype.kind == "U"
    )
    absent = {term for term in CANARY.search_terms() if term not in everything}
    assert absent == set(CANARY.kana_half_width.split())
