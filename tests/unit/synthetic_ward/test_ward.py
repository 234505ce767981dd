"""The invented ward is repeatable, clean by every rule of the section, and never leaves CP932."""

import re
import unicodedata
from datetime import date

import numpy as np
import pytest

from notice_cycle.premiums import (
    acquired_at_65,
    annual_premium,
    first_open_slot,
    load_premiums,
    months_insured,
    split_instalments,
)
from synthetic_ward import DROPPED, NOTICE_ITEMS, Ward, annual_batch, build_ward, supplementary_batch
from synthetic_ward.generate import PREMIUMS
from synthetic_ward.residents import check_digits
from synthetic_ward.ward import (
    INSTALMENT_COLUMNS,
    ORDINARY,
    SLIP_COLUMNS,
    SPECIAL,
    Column,
    Columns,
)

ANNUAL, SUPPLEMENTARY = annual_batch(2026), supplementary_batch(2026)
TABLE = load_premiums(PREMIUMS, 2026)
AMBIGUOUS = set("〜−‖¢£¬—∥～－＼￠￡￢")  # each maps differently in some CP932 table


@pytest.fixture(scope="module")
def ward() -> Ward:
    return build_ward()


@pytest.fixture(scope="module")
def notices(ward: Ward) -> Columns:
    return ward.notice(ORDINARY)


def test_the_same_seed_gives_the_same_ward() -> None:
    first, again, other = build_ward(2_000), build_ward(2_000), build_ward(2_000, seed=7)
    assert first.digest() == again.digest() != other.digest()


@pytest.mark.parametrize("persons", [200, 211, 2_000])
def test_a_small_ward_still_has_every_stage_and_every_kind_of_recipient(persons: int) -> None:
    notices = build_ward(persons, seed=3).notice(ORDINARY)
    assert set(notices["stage"].tolist()) == set(range(1, 19))
    assert set(notices["recipient_kind"].tolist()) == {"self", "family", "guardian", "facility"}
    assert set(notices["collection_method"].tolist()) == {"ordinary", "mixed"}


@pytest.mark.parametrize("persons", [199, 1_000_001])
def test_a_ward_too_small_or_too_large_is_refused(persons: int) -> None:
    with pytest.raises(ValueError, match="persons must be"):
        build_ward(persons)


def test_the_population_is_shared_out_as_in_a_city_ward(ward: Ward) -> None:
    july = ward.core["assessment"]["batch_no"] == ANNUAL
    method = ward.core["assessment"]["collection_method"][july]
    shares = {kind: round(float((method == kind).mean()), 2) for kind in ("special", "ordinary", "mixed")}
    assert shares == {"special": 0.78, "ordinary": 0.19, "mixed": 0.03}
    homes = np.unique(ward.core["insured_person"]["household_no"], return_counts=True)[1]
    assert set(homes.tolist()) == {1, 2}
    assert len(ward.core["insured_person"]["insured_no"]) == 70_000


def test_everybody_insured_in_july_is_decided_once_or_excluded(ward: Ward) -> None:
    person = ward.core["insured_person"]
    decided = np.concatenate([ward.notice(notice, ANNUAL)["insured_no"] for notice in (ORDINARY, SPECIAL)])
    assert len(np.unique(decided)) == len(decided)
    excluded = person["insured_no"][person["excluded_reason"] != ""]
    later = person["insured_no"][person["acquired_on"] >= np.datetime64("2026-07-01")]
    assert sorted([*decided, *excluded, *later]) == sorted(person["insured_no"])
    population = ward.control(ORDINARY, ANNUAL).population
    assert population == ward.control(SPECIAL, ANNUAL).population
    assert population["insured"] == len(decided) + len(excluded)
    assert population["insured"] == sum(heads for name, heads in population.items() if name != "insured")
    assert population["special"] == len(ward.notice(SPECIAL)["insured_no"])
    assert {name for name in population if ":" in name} == {
        *("excluded:lost", "excluded:exempt_facility", "excluded:second_category")
    }


def test_a_notice_number_stands_once_in_all_notices(ward: Ward) -> None:
    numbers = np.concatenate([ward.notice(notice)["notice_no"] for notice in NOTICE_ITEMS])
    assert len(np.unique(numbers)) == len(numbers)
    assert set(np.strings.str_len(numbers).tolist()) == {11}


@pytest.mark.parametrize("notice", NOTICE_ITEMS)
def test_a_notice_has_its_columns_in_order_of_its_numbers(ward: Ward, notice: str) -> None:
    rows = ward.notice(notice)
    assert tuple(rows) == ("batch_no", *NOTICE_ITEMS[notice])
    assert {len(column) for column in rows.values()} == {len(rows["notice_no"])}
    assert (rows["notice_no"][1:] > rows["notice_no"][:-1]).all()
    for column, digits in (("insured_no", 10), ("household_no", 10), ("recipient_id", 10), ("postcode", 7)):
        if column in rows:
            assert all(re.fullmatch(rf"\d{{{digits}}}", number) for number in rows[column].tolist()), column
    assert all("　" in name for name in rows["recipient_name"].tolist())
    for column in rows.values():
        if column.dtype.kind == "U":
            assert not any(re.search(r"(?<!\d)\d{12}(?!\d)", text) for text in np.unique(column).tolist())


def test_the_check_digit_follows_the_published_vector() -> None:
    assert check_digits(np.array([3312001, 13104])).tolist() == [5, 5]


def test_every_insured_number_carries_its_check_digit(ward: Ward) -> None:
    numbers = ward.core["insured_person"]["insured_no"].astype(np.int64)
    assert (check_digits(numbers // 10) == numbers % 10).all()


def test_every_amount_follows_from_stage_and_months(notices: Columns) -> None:
    for stage, months, stage_yen, annual_yen in _distinct(
        notices, "stage", "months", "stage_annual_yen", "annual_yen"
    ):
        assert stage_yen == TABLE.stage(stage).annual_yen
        assert annual_yen == annual_premium(TABLE, stage, months) > 0


def test_months_follow_from_acquisition_and_loss(notices: Columns) -> None:
    for acquired_on, lost_on, months in _distinct(notices, "acquired_on", "lost_on", "months"):
        assert months == months_insured(acquired_on, lost_on, 2026)


def test_nobody_is_insured_before_the_day_before_the_65th_birthday(ward: Ward) -> None:
    person = ward.core["insured_person"]
    first_category = person["excluded_reason"] != "second_category"
    kept = {name: person[name][first_category] for name in ("birth_date", "acquired_on")}
    for born_on, acquired_on in _distinct(kept, "birth_date", "acquired_on"):
        assert acquired_at_65(born_on) <= acquired_on < date(2026, 8, 10)


def test_residents_born_on_the_first_join_a_month_earlier(notices: Columns) -> None:
    cases = {
        (born_on, months)
        for born_on, acquired_on, lost_on, months in _distinct(
            notices, "birth_date", "acquired_on", "lost_on", "months"
        )
        if acquired_on == acquired_at_65(born_on) and lost_on is None
    }
    assert {(date(1961, 5, 1), 12), (date(1961, 5, 2), 11), (date(1961, 6, 1), 11)} <= cases
    assert {(date(1961, 6, 2), 10), (date(1961, 7, 1), 10)} <= cases
    assert not {(date(1961, 5, 1), 11), (date(1961, 7, 1), 9)} & cases


def test_instalments_add_up_and_stand_only_in_open_slots(notices: Columns) -> None:
    slots = np.stack([notices[column] for column in INSTALMENT_COLUMNS], axis=1)
    assert (slots.sum(axis=1) == notices["ordinary_total_yen"]).all()
    assert (slots % 100 == 0).all()
    assert (notices["ordinary_total_yen"] + notices["special_total_yen"] == notices["annual_yen"]).all()
    assert ((notices["special_total_yen"] > 0) == (notices["collection_method"] == "mixed")).all()
    assert (notices["ordinary_total_yen"] > 0).all()
    for batch, decided_on, due_on in (
        (ANNUAL, date(2026, 7, 1), "2026-07-31"),  # a Friday
        (SUPPLEMENTARY, date(2026, 8, 10), "2026-08-31"),  # a Monday
    ):
        rows = notices["batch_no"] == batch
        slot = first_open_slot(TABLE, decided_on)
        assert (notices["first_due_on"][rows] == np.datetime64(due_on)).all()
        assert (slots[rows][:, slot - 1] > 0).all()
        for total, *amounts in _distinct(
            {name: column[rows] for name, column in notices.items()},
            "ordinary_total_yen",
            *INSTALMENT_COLUMNS,
        ):
            assert tuple(amounts) == split_instalments(TABLE, total, slot)


def test_pensioners_are_no_newcomers(ward: Ward) -> None:
    pensioners = ward.notice(SPECIAL)
    assert (pensioners["acquired_on"] < np.datetime64("2025-10-01")).all()
    assert (pensioners["months"] == 12).all()


def test_a_slip_carries_its_instalment_and_an_account_needs_none(notices: Columns) -> None:
    slip = notices["payment_means"] == "slip"
    for instalment, on_slip in zip(INSTALMENT_COLUMNS, SLIP_COLUMNS, strict=True):
        assert (notices[on_slip] == np.where(slip, notices[instalment], 0)).all()
    assert 0.6 < slip.mean() < 0.8
    assert (notices["payment_no"] == notices["notice_no"]).all()
    assert (notices["threshold_yen"] == TABLE.national_income_threshold.yen).all()


@pytest.mark.parametrize("persons", [200, 300, 70_000])
def test_control_totals_equal_the_rows(persons: int) -> None:
    ward = build_ward(persons)
    totals = ward.core["control_total"]
    offered = set(zip(totals["notice"].tolist(), totals["batch_no"].tolist(), strict=True))
    assert {notice for notice, _ in offered} == set(NOTICE_ITEMS)
    assert len(offered) == 10
    for notice, batch in offered:
        rows, control = ward.notice(notice, batch), ward.control(notice, batch)
        assert control.persons == len(rows["notice_no"])
        assert control.amounts == {item: int(rows[item].sum()) for item in control.amounts}
        assert (notice in DROPPED) == (control.amounts == {})


@pytest.mark.parametrize("notice", [notice for notice in NOTICE_ITEMS if notice != "guide_booklet"])
def test_last_year_was_much_like_this_year(ward: Ward, notice: str) -> None:
    (batch,) = {*ward.notice(notice)["batch_no"].tolist()} - {SUPPLEMENTARY}
    rows, control = ward.notice(notice, batch), ward.control(notice, batch)
    assert control.last_year_of == 2025
    for item, last in control.last_year.items():
        values, heads = np.unique(rows[item], return_counts=True)
        for value, persons in zip(values.tolist(), heads.tolist(), strict=True):
            assert abs(last[str(value)] - persons) <= max(0.021 * persons, 1)


def test_the_supplementary_batch_is_a_few_dozen_newcomers(ward: Ward) -> None:
    notices = ward.notice(ORDINARY, SUPPLEMENTARY)
    assert len(notices["notice_no"]) == 48
    assert (notices["acquired_on"] >= np.datetime64("2026-07-01")).all()
    assert set(notices["collection_method"].tolist()) == {"ordinary"}
    assert not set(ward.notice(ORDINARY, ANNUAL)["insured_no"].tolist()) & set(notices["insured_no"].tolist())
    assert ward.control(ORDINARY, SUPPLEMENTARY).population == {}


def test_everybody_else_receives_at_home(notices: Columns) -> None:
    own = notices["recipient_kind"] == "self"
    assert (notices["recipient_name"][own] == notices["insured_name"][own]).all()
    assert not notices["share_envelope"][own].any()
    assert (notices["recipient_name"][~own] != notices["insured_name"][~own]).all()
    ids, notices_each = np.unique(notices["recipient_id"][own], return_counts=True)
    assert len(ids) == own.sum()
    assert (notices_each == 1).all()


def test_one_guardian_receives_for_several_persons_with_consent(notices: Columns) -> None:
    guarded = (notices["recipient_kind"] == "guardian") & notices["share_envelope"]
    assert np.unique(notices["recipient_id"][guarded], return_counts=True)[1].max() >= 3


@pytest.mark.parametrize("notice", [notice for notice in NOTICE_ITEMS if notice != "guide_booklet"])
def test_one_registered_number_is_one_addressee(ward: Ward, notice: str) -> None:
    rows = ward.notice(notice)
    addressees = _distinct(rows, "recipient_id", "recipient_name", "postcode", "address", "address_detail")
    assert len(addressees) == len(np.unique(rows["recipient_id"]))


def test_protected_addresses_are_confirmed(ward: Ward) -> None:
    for notice in (ORDINARY, SPECIAL):
        measures = set(ward.notice(notice)["support_measure"].tolist())
        assert measures == {"none", "confirmed"}


def test_every_text_survives_cp932_both_ways(ward: Ward) -> None:
    for table, columns in (ward.core | ward.host).items():
        for name, column in columns.items():
            if column.dtype.kind != "U":
                continue
            text = "".join(np.unique(column).tolist())
            assert text.encode("cp932").decode("cp932") == text, f"{table}.{name}"
            assert not set(text) & AMBIGUOUS, f"{table}.{name}"
            assert not set(text) & set('\t\n\r\\"'), f"{table}.{name}"
            assert unicodedata.is_normalized("NFC", text), f"{table}.{name}"


@pytest.mark.parametrize("character", "髙﨑德瀨彅濵桒栁曻")
def test_the_rare_forms_occur_on_notices(notices: Columns, character: str) -> None:
    assert np.char.find(notices["insured_name"], character).max() >= 0
    assert len(character.encode("cp932")) == 2


def test_the_kana_is_full_width_katakana(ward: Ward) -> None:
    assert all(
        re.fullmatch("[ァ-ヶー]+　[ァ-ヶー]+", kana)
        for kana in ward.core["insured_person"]["insured_kana"].tolist()
    )


def test_what_must_never_be_exported_is_there_and_plainly_fake(ward: Ward) -> None:
    numbers = ward.core["insured_person"]["individual_no"]
    assert all(re.fullmatch(r"9999\d{8}", number) for number in numbers.tolist())
    assert len(np.unique(numbers)) == 70_000
    assert (ward.core["insured_person"]["bank_account"] != "").any()
    assert (ward.core["insured_person"]["medical_remark"] != "").any()
    for items in NOTICE_ITEMS.values():
        assert not {"individual_no", "bank_account", "medical_remark"} & set(items)


def _distinct(table: Columns, *names: str) -> set[tuple[int | date | None, ...]]:
    columns: list[Column] = [table[name] for name in names]
    return set(zip(*(column.tolist() for column in columns), strict=True))
