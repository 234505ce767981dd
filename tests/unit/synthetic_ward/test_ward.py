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
from synthetic_ward import VIEW_COLUMNS, Ward, annual_batch, build_ward, supplementary_batch
from synthetic_ward.generate import PREMIUMS
from synthetic_ward.residents import check_digits
from synthetic_ward.ward import INSTALMENT_COLUMNS, Column, Columns

ANNUAL, SUPPLEMENTARY = annual_batch(2026), supplementary_batch(2026)
TABLE = load_premiums(PREMIUMS, 2026)
AMBIGUOUS = set("〜−‖¢£¬—∥～－＼￠￡￢")  # each maps differently in some CP932 table


@pytest.fixture(scope="module")
def ward() -> Ward:
    return build_ward()


@pytest.fixture(scope="module")
def notices(ward: Ward) -> Columns:
    return ward.notices()


def test_the_same_seed_gives_the_same_ward() -> None:
    first, again, other = build_ward(2_000), build_ward(2_000), build_ward(2_000, seed=7)
    assert first.digest() == again.digest() != other.digest()


@pytest.mark.parametrize("persons", [200, 211, 2_000])
def test_a_small_ward_still_has_every_stage_and_every_kind_of_recipient(persons: int) -> None:
    notices = build_ward(persons, seed=3).notices()
    assert set(notices["stage"].tolist()) == set(range(1, 19))
    assert set(notices["recipient_kind"].tolist()) == {"self", "family", "guardian", "facility"}
    assert set(notices["collection_method"].tolist()) == {"ordinary", "mixed"}


@pytest.mark.parametrize("persons", [199, 1_000_001])
def test_a_ward_too_small_or_too_large_is_refused(persons: int) -> None:
    with pytest.raises(ValueError, match="persons must be"):
        build_ward(persons)


def test_the_population_is_shared_out_as_in_a_city_ward(ward: Ward) -> None:
    july = ward.assessment["batch_no"] == ANNUAL
    method = ward.assessment["collection_method"][july]
    shares = {kind: round(float((method == kind).mean()), 3) for kind in ("special", "ordinary", "mixed")}
    assert shares == {"special": 0.78, "ordinary": 0.19, "mixed": 0.03}
    homes = np.unique(ward.insured_person["household_no"], return_counts=True)[1]
    assert set(homes.tolist()) == {1, 2}
    assert len(ward.insured_person["insured_no"]) == 70_000


def test_the_notices_have_the_agreed_columns_and_unique_numbers(notices: Columns) -> None:
    assert tuple(notices) == VIEW_COLUMNS
    assert len(VIEW_COLUMNS) == 35
    count = len(notices["notice_no"])
    assert {len(column) for column in notices.values()} == {count}
    assert len(set(notices["notice_no"].tolist())) == len(set(notices["insured_no"].tolist())) == count
    for column, digits in (("notice_no", 11), ("insured_no", 10), ("household_no", 10), ("recipient_id", 10)):
        assert all(re.fullmatch(rf"\d{{{digits}}}", number) for number in notices[column].tolist()), column
    assert all(re.fullmatch(r"9999\d{3}", postcode) for postcode in notices["postcode"].tolist())


def test_the_check_digit_follows_the_published_vector() -> None:
    assert check_digits(np.array([3312001, 13104])).tolist() == [5, 5]


def test_every_insured_number_carries_its_check_digit(ward: Ward) -> None:
    numbers = ward.insured_person["insured_no"].astype(np.int64)
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
    for born_on, acquired_on in _distinct(ward.insured_person, "birth_date", "acquired_on"):
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


def test_pensioners_pay_no_slip_and_are_no_newcomers(ward: Ward) -> None:
    special = ward.assessment["collection_method"] == "special"
    assert (ward.assessment["ordinary_total_yen"][special] == 0).all()
    assert (ward.assessment["notice_no"][special] == "").all()
    pensioners = np.isin(ward.insured_person["insured_no"], ward.assessment["insured_no"][special])
    assert (ward.insured_person["acquired_on"][pensioners] < np.datetime64("2025-10-01")).all()


@pytest.mark.parametrize("persons", [300, 70_000])
def test_control_totals_equal_the_notices(persons: int) -> None:
    ward = build_ward(persons)
    totals = ward.control_total
    assert totals["batch_no"].tolist() == [ANNUAL, SUPPLEMENTARY]
    for row, batch in enumerate(totals["batch_no"].tolist()):
        notices = ward.notices(batch)
        instalments = sum(int(notices[column].sum()) for column in INSTALMENT_COLUMNS)
        assert totals["persons"][row] == len(notices["notice_no"])
        assert totals["annual_total_yen"][row] == notices["annual_yen"].sum()
        assert totals["instalment_total_yen"][row] == instalments
        assert set(notices["as_of"].tolist()) == {totals["as_of"][row]}


def test_the_supplementary_batch_is_a_few_dozen_newcomers_and_changes(ward: Ward) -> None:
    notices = ward.notices(SUPPLEMENTARY)
    newcomers = notices["acquired_on"] >= np.datetime64("2026-07-01")
    assert (newcomers.sum(), (~newcomers).sum()) == (24, 24)
    assert (notices["collection_method"] == np.where(newcomers, "ordinary", "mixed")).all()
    july = set(ward.assessment["insured_no"][ward.assessment["batch_no"] == ANNUAL].tolist())
    assert not july & set(notices["insured_no"][newcomers].tolist())
    assert set(notices["insured_no"][~newcomers].tolist()) <= july


def test_everybody_else_receives_at_home(notices: Columns) -> None:
    own = notices["recipient_kind"] == "self"
    assert (notices["recipient_name"][own] == notices["insured_name"][own]).all()
    assert not notices["share_envelope"][own].any()
    ids, notices_each = np.unique(notices["recipient_id"][own], return_counts=True)
    assert len(ids) == own.sum()
    assert (notices_each == 1).all()


def test_one_guardian_receives_for_several_persons_with_consent(notices: Columns) -> None:
    guarded = (notices["recipient_kind"] == "guardian") & notices["share_envelope"]
    assert np.unique(notices["recipient_id"][guarded], return_counts=True)[1].max() >= 3


def test_every_text_survives_cp932_both_ways(ward: Ward) -> None:
    for table, columns in ward.tables().items():
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
        re.fullmatch("[ァ-ヶー]+　[ァ-ヶー]+", kana) for kana in ward.insured_person["insured_kana"].tolist()
    )


def test_what_must_never_be_exported_is_there_and_plainly_fake(ward: Ward) -> None:
    numbers = ward.insured_person["individual_no"]
    assert all(re.fullmatch(r"9999\d{8}", number) for number in numbers.tolist())
    assert len(np.unique(numbers)) == 70_000
    assert (ward.insured_person["bank_account"] != "").any()
    assert (ward.insured_person["medical_remark"] != "").any()
    assert not {"individual_no", "bank_account", "medical_remark"} & set(VIEW_COLUMNS)


def _distinct(table: Columns, *names: str) -> set[tuple[int | date | None, ...]]:
    columns: list[Column] = [table[name] for name in names]
    return set(zip(*(column.tolist() for column in columns), strict=True))
