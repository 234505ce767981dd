"""A clean ward keeps the section's rules on every notice, worked out here once more without the ward's arithmetic."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.premiums import annual_premium, load_premiums, months_insured, split_instalments
from synthetic_ward import NOTICE_ITEMS, Ward, annual_batch, as_table, build_ward
from synthetic_ward.generate import PREMIUMS
from synthetic_ward.ward import (
    BOOKLET,
    BURDEN,
    CHANGE,
    DEMAND,
    INSTALMENT_COLUMNS,
    ORDINARY,
    PROVISIONAL,
    REMINDER,
    SLIP_COLUMNS,
    SPECIAL,
    SPECIAL_COLUMNS,
    SUPPORT,
)

TABLE = load_premiums(PREMIUMS, 2026)


@pytest.fixture(scope="module", params=[200, 30_000])
def ward(request: pytest.FixtureRequest) -> Ward:
    return build_ward(request.param, seed=5)


def test_pension_deductions_are_last_februarys_and_then_the_rest(ward: Ward) -> None:
    rows = ward.notice(SPECIAL)
    april, june, august, *rest = (rows[name] for name in SPECIAL_COLUMNS)
    assert (april == june).all()
    assert (june == august).all()
    slots = np.stack([april, june, august, *rest])
    assert (slots > 0).all()
    assert (slots % 100 == 0).all()
    for total in ("annual_yen", "special_total_yen", "pension_file_yen"):
        assert (slots.sum(axis=0) == rows[total]).all()
    assert (rest[1] == rest[2]).all()
    assert ((rest[0] - rest[1] >= 0) & (rest[0] - rest[1] < 300)).all()
    for stage, months, yen in _distinct(rows, "stage", "months", "annual_yen"):
        assert yen == annual_premium(TABLE, stage, months)


@pytest.mark.parametrize(
    ("joined", "starts"), [(4, 4), (9, 4), (10, 6), (11, 6), (12, 8), (1, 8), (2, 10), (3, 10)]
)
def test_pension_deductions_start_as_the_month_of_joining_says(ward: Ward, joined: int, starts: int) -> None:
    rows = ward.notice(SPECIAL)
    months = rows["acquired_on"].astype("datetime64[M]").astype(int) % 12 + 1
    assert set(rows["special_starts_month"][months == joined].tolist()) <= {starts}


def test_april_announces_what_july_counts_as_deducted(ward: Ward) -> None:
    rows = ward.notice(PROVISIONAL)
    april, june, august = (rows[name] for name in SPECIAL_COLUMNS[:3])
    assert (april == rows["last_february_yen"]).all()
    assert (june == april).all()
    assert ((august != april) == rows["smoothed"]).all()
    assert 0 < rows["smoothed"].sum() < len(april) / 10
    assert (april + june + august == rows["provisional_total_yen"]).all()
    assert (rows["pension_file_yen"] == rows["provisional_total_yen"]).all()
    in_april = dict(zip(rows["insured_no"].tolist(), april.tolist(), strict=True))
    july, mixed = ward.notice(SPECIAL), ward.notice(ORDINARY, annual_batch(2026))
    assert [in_april[number] for number in july["insured_no"].tolist()] == july["special_04"].tolist()
    for number, method, yen in _distinct(mixed, "insured_no", "collection_method", "special_total_yen"):
        assert yen == (2 * in_april[number] if method == "mixed" else 0)


def test_changes_of_august_have_a_reason_that_shows(ward: Ward) -> None:
    rows = ward.notice(CHANGE)
    before = {
        number: (stage, months, yen)
        for notice in (ORDINARY, SPECIAL)
        for number, stage, months, yen in _distinct(
            ward.notice(notice, annual_batch(2026)), "insured_no", "stage", "months", "annual_yen"
        )
    }
    for number, stage, months, yen, was_yen, reason, acquired, lost, changed in _distinct(
        rows,
        *("insured_no", "stage", "months", "annual_yen", "before_annual_yen", "change_reason"),
        *("acquired_on", "lost_on", "changed_on"),
    ):
        was = before[number]
        assert was[2] == was_yen != yen == annual_premium(TABLE, stage, months)
        assert months == months_insured(acquired, lost, 2026)
        match reason:
            case "lost":
                assert (stage, changed) == (was[0], lost)
                assert months < was[1]
            case "exempted":
                assert (stage, months) == (was[0] - 1, was[1])
            case _:
                assert stage > was[0]
                assert months == was[1]
        assert date(2026, 7, 2) <= changed <= date(2026, 8, 9)
    assert set(rows["change_reason"].tolist()) == {"income", "moved_in", "age_65", "lost", "exempted"}


def test_changes_of_august_are_spread_over_the_instalments_still_open(ward: Ward) -> None:
    rows = ward.notice(CHANGE)
    assert (rows["ordinary_total_yen"] + rows["special_total_yen"] == rows["annual_yen"]).all()
    assert (rows["ordinary_total_yen"] > 0).all()
    assert ((rows["special_total_yen"] > 0) == (rows["collection_method"] == "mixed")).all()
    for total, *amounts in _distinct(rows, "ordinary_total_yen", *INSTALMENT_COLUMNS):
        assert tuple(amounts) == split_instalments(TABLE, total, 2)
    slip = rows["payment_means"] == "slip"
    for instalment, on_slip in zip(INSTALMENT_COLUMNS, SLIP_COLUMNS, strict=True):
        assert (rows[on_slip] == np.where(slip, rows[instalment], 0)).all()
    assert (rows["first_due_on"] == np.datetime64("2026-08-31")).all()


def test_reminders_go_to_who_still_owes_julys_instalment(ward: Ward) -> None:
    rows = ward.notice(REMINDER)
    july = dict(_distinct(ward.notice(ORDINARY, annual_batch(2026)), "insured_no", "instalment_07"))
    for number, payable, paid, overdue, levied, instalment, due_on in _distinct(
        rows, "insured_no", "payable_yen", "paid_yen", "overdue_yen", "levied_year", "instalment", "due_on"
    ):
        assert payable == july[number]
        assert overdue == payable - paid > 0
        assert (levied, instalment, due_on) == (2026, 1, date(2026, 7, 31))
    assert len(np.unique(rows["insured_no"])) == len(rows["insured_no"]) >= 12
    assert (rows["paid_since_yen"] == 0).all()
    assert not rows["account_pending"].any()
    assert (rows["payment_no"] == rows["notice_no"]).all()
    assert set(rows["paid_checked_at"].tolist()) == {
        ward.control(REMINDER, "2026-08-reminder").as_of.isoformat()
    }


def test_demands_name_the_oldest_of_so_many_instalments(ward: Ward) -> None:
    rows = ward.notice(DEMAND)
    calendar = BusinessCalendar()
    ends = [date(2025, 7, 31), date(2025, 8, 31), date(2025, 9, 30), date(2025, 10, 31), date(2025, 11, 30)]
    ends += [date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]
    ends += [date(2026, 7, 31), date(2026, 8, 31), date(2026, 9, 30)]
    due = [calendar.next_business_day(day) for day in ends]
    for oldest, count, total in _distinct(rows, "oldest_due_on", "overdue_count", "overdue_total_yen"):
        assert oldest == due[-count]
        assert total % (100 * count) == 0 < total
    assert (rows["reminder_sent_on"] > rows["oldest_due_on"]).all()
    assert (rows["paid_since_yen"] == 0).all()
    assert not rows["instalment_agreement"].any()
    assert (rows["payment_no"] == rows["notice_no"]).all()


def test_burden_certificates_hold_from_august_to_july(ward: Ward) -> None:
    rows = ward.notice(BURDEN)
    assert _distinct(rows, "valid_from", "valid_until") == {(date(2026, 8, 1), date(2027, 7, 31))}
    assert set(rows["burden_ratio"].tolist()) == {1, 2, 3}
    assert (rows["certified_until"] > rows["valid_from"]).all()
    assert len(np.unique(rows["insured_no"])) == len(rows["insured_no"])


def test_a_booklet_goes_to_each_household_once(ward: Ward) -> None:
    rows, person = ward.notice(BOOKLET), ward.core["insured_person"]
    assert len(np.unique(rows["household_no"])) == len(rows["household_no"])
    there = (person["excluded_reason"] == "") & np.isnat(person["lost_on"])
    there &= person["acquired_on"] < np.datetime64("2026-07-01")
    assert set(rows["household_no"].tolist()) == set(person["household_no"][there].tolist())


def test_the_programme_begins_after_the_checklist(ward: Ward) -> None:
    rows = ward.notice(SUPPORT)
    assert (rows["checked_on"] < rows["eligible_from"]).all()
    assert set(rows["support_measure"].tolist()) <= {"none", "confirmed"}
    assert all(name.endswith("地域包括支援センター") for name in rows["center"].tolist())


def test_later_changes_name_notices_and_a_new_addressee_only_where_there_is_one(ward: Ward) -> None:
    lists = ward.core["difference"]
    new = lists["reason"] == "recipient_changed"
    for column in ("recipient_kind", "postcode", "address", "recipient_name", "recipient_suffix"):
        assert ((lists[column] != "") == new).all(), column
    for notice in set(lists["notice"].tolist()):
        told = lists["notice_no"][lists["notice"] == notice].tolist()
        assert len(set(told)) == len(told) < len(ward.notice(notice)["notice_no"]) / 2
        assert set(told) <= set(ward.notice(notice)["notice_no"].tolist())
    assert all(
        moment.startswith(ward.control(notice, batch).as_of.date().isoformat())
        for moment, notice, batch in _distinct(lists, "noted_at", "notice", "batch_no")
    )


@pytest.mark.parametrize("notice", NOTICE_ITEMS)
def test_rows_become_the_table_that_is_staged(ward: Ward, notice: str) -> None:
    rows = ward.notice(notice)
    table = as_table({name: column[::-1] for name, column in rows.items()}, NOTICE_ITEMS[notice])
    assert tuple(table.column_names) == NOTICE_ITEMS[notice]
    for name in table.column_names:
        kind = table.schema.field(name).type
        assert kind in (pa.string(), pa.int64(), pa.bool_(), pa.date32(), pa.timestamp("us", "UTC"))
        assert (kind == pa.date32()) == (rows[name].dtype.kind == "M")
        assert table[name].null_count == (np.isnat(rows[name]).sum() if kind == pa.date32() else 0)
    assert table["notice_no"].to_pylist() == rows["notice_no"].tolist()


def _distinct(table: dict[str, np.ndarray], *names: str) -> set[tuple]:
    return set(zip(*(table[name].tolist() for name in names), strict=True))
