"""Columns computed from the staged ones, so that rules over several columns become plain comparisons.

Each `*_ok` column is True where the row keeps the rule; each `expected_*` column is what the named column
should hold. The arithmetic is that of `notice_cycle.premiums`, on whole columns.
"""

from datetime import date

import pandas as pd

from notice_cycle.composition import windows31j

ORDINARY_SLOTS = tuple(f"instalment_{month:02d}" for month in (7, 8, 9, 10, 11, 12, 1, 2, 3))
_PRINTED = (
    *("notice_no", "insured_no", "postcode", "address", "address_detail"),
    *("recipient_name", "recipient_suffix", "insured_name", "insured_kana"),
)
_UNIT_YEN = 100
_MAY_BE_EMPTY = ["lost_on"]


def with_derived_columns(
    rows: pd.DataFrame, *, stage_annual_yen: dict[int, int], due_on: tuple[date, ...]
) -> pd.DataFrame:
    """Adds the computed columns. `stage_annual_yen`: the premium table in force; `due_on`: the due date of each slot."""
    complete = rows.drop(columns=_MAY_BE_EMPTY).notna().all(axis=1)
    rows = _without_gaps(rows)
    slots = rows[list(ORDINARY_SLOTS)]
    in_full = rows["stage"].map(stage_annual_yen).fillna(-1).astype("int64")
    first_slot_yen = slots.where(slots > 0).bfill(axis=1).iloc[:, 0].fillna(0)
    return rows.assign(
        row_no=range(len(rows)),
        complete_ok=complete,
        no_negative_yen_ok=(rows[[*ORDINARY_SLOTS, "special_total_yen"]] >= 0).all(axis=1),
        expected_stage_annual_yen=in_full,
        expected_annual_yen=in_full * rows["months"].astype("int64") // 12 // _UNIT_YEN * _UNIT_YEN,
        instalment_sum_yen=slots.sum(axis=1).astype("int64"),
        ordinary_and_special_yen=(rows["ordinary_total_yen"] + rows["special_total_yen"]).astype("int64"),
        instalments_in_whole_units_ok=(slots % _UNIT_YEN == 0).all(axis=1),
        first_instalment_is_largest_ok=(slots.le(first_slot_yen, axis=0)).all(axis=1),
        method_ok=(rows["collection_method"].eq("mixed") == rows["special_total_yen"].gt(0)),
        insured_no_ok=_check_digit_ok(rows["insured_no"]),
        guardian_ok=~rows["recipient_kind"].eq("self") | rows["recipient_name"].eq(rows["insured_name"]),
        printable_ok=_printable(rows),
        first_due_ok=pd.to_datetime(rows["first_due_on"]).eq(_due_of_first_instalment(slots, due_on)),
        aged_65_ok=pd.to_datetime(rows["birth_date"]) + pd.DateOffset(years=65)
        <= pd.to_datetime(rows["acquired_on"]) + pd.Timedelta(days=1),
        in_force_ok=rows["lost_on"].isna()
        | (pd.to_datetime(rows["lost_on"]) > pd.to_datetime(rows["acquired_on"])),
    )


def _without_gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Empty texts and zeros for nulls: Great Expectations passes over a null, and a rule must not."""
    gaps = {
        str(name): column.fillna("")
        if isinstance(column.dtype, pd.StringDtype)
        else column.fillna(0).astype("int64")
        for name, column in rows.items()
        if column.isna().any()
        and (isinstance(column.dtype, pd.StringDtype) or pd.api.types.is_numeric_dtype(column))
    }
    return rows.assign(**gaps)


def _check_digit_ok(numbers: pd.Series) -> pd.Series:
    """Modulus 10, weights 2,1 from the right, over the first nine digits; wrong lengths are not ok."""
    total = pd.Series(0, index=numbers.index)
    well_formed = numbers.str.fullmatch(r"[0-9]{10}")
    digits = numbers.where(well_formed, "0000000001")
    for position in range(9):
        product = digits.str[position].astype("int64") * (2 if position % 2 == 0 else 1)
        total += product // 10 + product % 10
    return well_formed & ((10 - total % 10) % 10).eq(digits.str[9].astype("int64"))


def _printable(rows: pd.DataFrame) -> pd.Series:
    """True where every printed text has faithful Windows-31J bytes; only rows with odd characters are tried."""
    ok = pd.Series(True, index=rows.index)
    for column in _PRINTED:
        text = "".join(rows[column])
        odd = set(windows31j.unprintable(text)) | {
            c for c in "\r\n" if c in text
        }  # line ends belong between rows
        if odd:
            ok &= ~rows[column].map(lambda text, odd=odd: not odd.isdisjoint(text))
    return ok


def _due_of_first_instalment(slots: pd.DataFrame, due_on: tuple[date, ...]) -> pd.Series:
    """The due date of the first slot that holds an amount."""
    first = slots.gt(0).to_numpy().argmax(axis=1)
    return pd.Series(pd.to_datetime(list(due_on))[first], index=slots.index)
