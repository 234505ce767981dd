"""Who lives in the invented ward: households, persons, registered addressees, and what happens to whom.

Everything is drawn in whole columns from one generator, so the same seed gives the same ward. Amounts are
no business of this module.
"""

from dataclasses import dataclass
from datetime import date
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from notice_cycle.premiums import acquired_at_65
from synthetic_ward import words
from synthetic_ward.canary import CANARY
from synthetic_ward.ward import Column, Columns

Rows = NDArray[np.intp]
Rng = np.random.Generator

SYSTEM_START = np.datetime64("2000-04-01")  # long-term-care insurance began
_FULL_WIDTH = np.array(
    [str(number).translate(str.maketrans("0123456789", "０１２３４５６７８９")) for number in range(1000)]
)


@dataclass(frozen=True)
class Homes:
    """Households, and each person's; persons 2k and 2k+1 below `couples`×2 are married. The last is hers."""

    columns: Columns
    of_person: Rows
    couples: int


@dataclass(frozen=True)
class Cohorts:
    """Row numbers of persons. The first five share out everybody; the others are parts of them."""

    special: Rows
    mixed: Rows
    ordinary: Rows
    later: Rows  # joins after the July run: ordinary, supplementary batch only
    excluded: dict[str, Rows]  # insured, and no decision in July, by reason
    turned_65: Rows
    moved_in: Rows
    lost: Rows
    unremarkable: Rows  # ordinary all year; the canary is the first
    changed: dict[str, Rows]  # decided anew in August, by reason; `pension`: special in July, income is more


def households(rng: Rng, persons: int) -> Homes:
    """About two fifths of the insured live as couples; the canary, the last person, lives alone."""
    couples = persons // 5
    count = persons - couples
    of_person = np.concatenate([np.repeat(np.arange(couples), 2), np.arange(couples, count)])
    columns = _addresses(rng, count)
    columns["household_no"] = (5_000_000_000 + 7 * np.arange(count)).astype("U10")
    hers = {
        "household_no": CANARY.household_no,
        "postcode": CANARY.postcode,
        "address": CANARY.address,
        "address_detail": CANARY.address_detail,
    }
    for name, value in hers.items():
        columns[name] = with_value(columns[name], count - 1, value)
    return Homes(columns, of_person, couples)


def births_and_acquisitions(rng: Rng, homes: Homes, fiscal_year: int) -> tuple[Column, Column]:
    """Days of birth and of acquisition of persons who were all insured before the fiscal year."""
    persons = len(homes.of_person)
    youngest = np.datetime64(f"{fiscal_year - 65}-04-01")  # 65 on 31 March
    born = youngest - _days(rng.beta(1.1, 2.6, persons) * 38 * 365)
    husbands = np.arange(0, 2 * homes.couples, 2)
    near = born[husbands] + _days(rng.normal(0, 3 * 365, homes.couples))
    born[husbands + 1] = np.minimum(near, youngest)
    arrived = SYSTEM_START + _days(rng.random(persons) * (fiscal_year - 2000) * 365)
    settled = _chance(rng, persons, 0.85)  # the others moved in at some time
    acquired = np.maximum(at_65(born), np.where(settled, SYSTEM_START, arrived))
    return born, acquired


def share_out(rng: Rng, acquired_on: Column, fiscal_year: int, *, deductions: bool = True) -> Cohorts:
    """78 % special, 19 % ordinary, 3 % mixed; who joined in the last half year cannot be special yet.

    Without `deductions` only the cases of August's changes are special, and all others of the 78 % ordinary.
    """
    persons = len(acquired_on)
    canary = persons - 1
    recent = acquired_on >= np.datetime64(f"{fiscal_year - 1}-10-01")
    # Recent joiners first, so that the ordinary share holds them all; the canary is set apart.
    order = rng.permutation(persons - 1)
    order = np.concatenate([order[recent[order]], order[~recent[order]]])
    ordinary_count = max(round(persons * 0.19), int(recent.sum())) - 1
    mixed_count = round(persons * 0.03)
    pool, rest = order[:ordinary_count], order[ordinary_count:]
    few = max(2, persons // 4_000)
    mixed, lost_early, sheltered, second, special = np.split(rest, np.cumsum([mixed_count, few, few, few]))

    pool = rng.permutation(pool)
    some = max(6, min(48, persons // 50))
    sizes = [some, max(4, round(ordinary_count * 0.06)), max(4, round(ordinary_count * 0.04))]
    sizes.append(max(3, round(ordinary_count * 0.02)))
    later, turned_65, moved_in, lost, plain = np.split(pool, np.cumsum(sizes))
    each = max(2, round(ordinary_count * 0.004))
    special, not_deducted = (special, special[:0]) if deductions else np.split(special, [3 * each])
    return Cohorts(
        special=special,
        mixed=mixed,
        ordinary=np.concatenate([[canary], pool[some:], not_deducted]),
        later=later,
        excluded={"lost": lost_early, "exempt_facility": sheltered, "second_category": second},
        turned_65=turned_65,
        moved_in=moved_in,
        lost=lost,
        unremarkable=np.concatenate([[canary], plain]),
        changed={
            "pension": special[: 3 * each],
            "income": plain[:each],
            "exempted": plain[each : 2 * each],
            "lost": plain[2 * each : 3 * each],
            "age_65": turned_65[-each:],
            "moved_in": moved_in[-each:],
        },
    )


def at_65(born_on: Column) -> Column:
    """`acquired_at_65` by column: each day of birth is worked out once."""
    days, back = np.unique(born_on, return_inverse=True)
    return np.array([acquired_at_65(day) for day in days.tolist()], dtype="datetime64[D]")[back]


def days_between(rng: Rng, first: date, last: date, count: int) -> Column:
    """Random days, both ends included."""
    return np.datetime64(first) + rng.integers(0, (last - first).days + 1, count).astype("timedelta64[D]")


def named(rng: Rng, homes: Homes) -> tuple[Column, Column, Column]:
    """Names, kana and surnames; a couple shares the surname."""
    surname, surname_kana = _surnames(rng, int(homes.of_person[-1]) + 1)
    persons = len(homes.of_person)
    wife = np.arange(persons) % 2 == 1
    couple = np.arange(persons) < 2 * homes.couples
    female = np.where(couple, wife, _chance(rng, persons, 0.7))
    given, given_kana = _given_names(rng, female)
    surname, surname_kana = surname[homes.of_person], surname_kana[homes.of_person]
    return _joined(surname, "　", given), _joined(surname_kana, "　", given_kana), surname


def addressees(rng: Rng, cohorts: Cohorts, homes: Homes, surname: Column) -> tuple[Columns, Column]:
    """The registered recipients, and each person's recipient_id ('' for most, who receive at home)."""
    noticed = rng.permutation(np.concatenate([cohorts.ordinary, cohorts.mixed, cohorts.later]))
    noticed = noticed[noticed != len(surname) - 1]
    special = rng.permutation(cohorts.special)
    of_person = np.full(len(surname), -1)

    def taken(share: float, special_share: float) -> Rows:
        nonlocal noticed, special
        here, there = max(4, round(len(noticed) * share)), round(len(special) * special_share)
        persons = np.concatenate([noticed[:here], special[:there]])
        noticed, special = noticed[here:], special[there:]
        return persons

    family = taken(0.02, 0.005)
    of_person[family] = np.arange(len(family))
    wards = taken(0.012, 0.003)
    guardians = max(1, len(wards) // 4)
    of_person[wards] = len(family) + _several_each(rng, len(wards), guardians)
    sheltered = taken(0.015, 0.005)
    of_person[sheltered] = len(family) + guardians + _several_each(rng, len(sheltered), len(words.FACILITIES))
    # A son or daughter often receives for both parents.
    married = family[family < 2 * homes.couples]
    married = married[(of_person[married ^ 1] < 0) & _chance(rng, len(married), 0.5)]
    of_person[married ^ 1] = of_person[married]

    counts = (len(family), guardians, len(words.FACILITIES))
    total = sum(counts)
    columns = _addresses(rng, total)
    kind = np.repeat(["family", "guardian", "facility"], counts)
    away = (kind == "family") & _chance(rng, total, 0.5)
    outside = rng.integers(0, len(words.OUTSIDE_TOWNS), total)
    street = _joined(np.array(words.OUTSIDE_TOWNS)[outside], _FULL_WIDTH[rng.integers(1, 900, total)], "番地")
    columns["address"] = np.where(away, street, columns["address"])
    columns["postcode"] = np.where(away, (9_999_501 + outside).astype("U7"), columns["postcode"])
    offices = np.array(words.GUARDIAN_OFFICES)[rng.integers(0, len(words.GUARDIAN_OFFICES), total)]
    columns["address_detail"] = np.select(
        [kind == "family", kind == "guardian"], [columns["address_detail"], offices], default=""
    )
    other, _ = _surnames(rng, total)
    own = np.concatenate([surname[family], other[len(family) :]])
    kept = _chance(rng, total, 0.65)
    called = np.where(kept, own, other)
    given = np.array(words.GIVEN_NAMES_RELATIVES)[rng.integers(0, len(words.GIVEN_NAMES_RELATIVES), total)]
    names = _joined(called, "　", given)
    columns["recipient_name"] = np.concatenate([names[: -len(words.FACILITIES)], np.array(words.FACILITIES)])
    columns["recipient_suffix"] = np.select(
        [kind == "family", kind == "guardian"], ["様方", "様"], default="御中"
    )
    share = _chance(rng, total, np.select([kind == "family", kind == "guardian"], [0.5, 0.7], default=0.25))
    # Of the same surname at the same address only one: a clean ward leaves nobody in doubt who shares with whom.
    _, first = np.unique(_joined(called, columns["address"], columns["address_detail"]), return_index=True)
    share &= np.isin(np.arange(total), first)
    share[len(family)] = True  # the first guardian has several persons and the section's consent
    share[-len(words.FACILITIES)] = True
    columns["share_envelope"] = share
    columns["recipient_kind"] = kind
    columns["recipient_id"] = (6_000_000_000 + 11 * np.arange(total)).astype("U10")
    return columns, np.where(of_person < 0, "", columns["recipient_id"][of_person])


def insured_numbers(rng: Rng, persons: int) -> Column:
    """Ten digits: nine with gaps and leading zeros, then the check digit."""
    numbers = rng.permutation(100_000 + np.cumsum(rng.integers(1, 30, persons)))
    return np.strings.zfill((numbers * 10 + check_digits(numbers)).astype("U10"), 10)


def check_digits(numbers: Column) -> Column:
    """Modulus 10, weights 2, 1 from the right, products summed digit by digit; 3312001 → 5."""
    total = np.zeros_like(numbers)
    for place in range(9):
        product = numbers // 10**place % 10 * (2 - place % 2)
        total += product // 10 + product % 10
    return -total % 10


def support_measures(rng: Rng, cohorts: Cohorts, persons: int) -> Column:
    """支援措置: a few protected addresses, each confirmed by the section."""
    few = max(2, persons // 5_000)
    protected = [cohorts.ordinary[1 : 1 + few], rng.choice(cohorts.special, few, replace=False)]
    measure = np.full(persons, "none", dtype="U11")
    measure[np.concatenate(protected)] = "confirmed"
    return measure


def pension_payers(rng: Rng, persons: int) -> Column:
    """Three digits of the body that pays a person's pension."""
    payers, share = zip(*words.PENSION_PAYERS, strict=True)
    return rng.choice(np.array(payers), persons, p=np.array(share) / sum(share))


def secrets_of(rng: Rng, persons: int) -> Columns:
    """The columns that must never be exported: each plainly a fake, each plainly personal."""
    branch = np.array(words.BANK_BRANCHES)[rng.integers(0, len(words.BANK_BRANCHES), persons)]
    account = _joined(branch, " 普通 ", np.strings.zfill(rng.integers(1, 5_000_000, persons).astype("U7"), 7))
    remark = np.array(words.MEDICAL_REMARKS)[rng.integers(0, len(words.MEDICAL_REMARKS), persons)]
    return {
        "individual_no": (999_900_000_000 + 11 * rng.permutation(persons)).astype("U12"),
        "bank_account": np.where(_chance(rng, persons, 0.3), account, ""),
        "medical_remark": np.where(_chance(rng, persons, 0.1), remark, ""),
    }


def with_value(column: Column, row: int, value: object) -> Column:
    """The column with one value replaced; a text column grows where assignment would cut."""
    new = np.array([value], dtype=None if column.dtype.kind == "U" else column.dtype)
    changed = column.astype(np.promote_types(column.dtype, new.dtype))
    changed[row] = new[0]
    return changed


def _addresses(rng: Rng, count: int) -> Columns:
    blocks = [
        (f"架空区{town}{f'{words.CHOME[chome]}丁目' if chomes else ''}", str(9_999_001 + number))
        for number, (town, chomes) in enumerate(words.TOWNS)
        for chome in range(max(1, chomes))
    ]
    streets, postcodes = (np.array(part) for part in zip(*blocks, strict=True))
    block = rng.integers(0, len(blocks), count)
    lot, house = _FULL_WIDTH[rng.integers(1, 41, count)], _FULL_WIDTH[rng.integers(1, 31, count)]
    building = np.array(words.BUILDINGS)[rng.integers(0, len(words.BUILDINGS), count)]
    room = _FULL_WIDTH[rng.integers(1, 10, count) * 100 + rng.integers(1, 13, count)]
    in_building = _chance(rng, count, 0.45)
    return {
        "postcode": postcodes[block],
        "address": _joined(streets[block], lot, "番", house, "号"),
        "address_detail": np.where(in_building, _joined(building, room, "号室"), ""),
    }


def _surnames(rng: Rng, count: int) -> tuple[Column, Column]:
    kanji, kana, weight = (np.array(part) for part in zip(*words.SURNAMES, strict=True))
    chosen = rng.choice(len(kanji), count, p=weight / weight.sum())
    return kanji[chosen], kana[chosen]


def _given_names(rng: Rng, female: Column) -> tuple[Column, Column]:
    kanji, kana = (
        np.array(part) for part in zip(*words.GIVEN_NAMES_FEMALE, *words.GIVEN_NAMES_MALE, strict=True)
    )
    women, men = len(words.GIVEN_NAMES_FEMALE), len(words.GIVEN_NAMES_MALE)
    count = len(female)
    chosen = np.where(female, rng.integers(0, women, count), women + rng.integers(0, men, count))
    return kanji[chosen], kana[chosen]


def _several_each(rng: Rng, persons: int, recipients: int) -> Rows:
    """A recipient for each person; the first recipient surely has three, who all get a notice."""
    return np.concatenate([np.zeros(3, dtype=np.intp), rng.integers(0, recipients, persons - 3)])


def _chance(rng: Rng, count: int, share: float | Column) -> NDArray[np.bool_]:
    drawn: NDArray[np.bool_] = rng.random(count) < share
    return drawn


def _days(amount: Column) -> Column:
    return amount.astype(np.int64).astype("timedelta64[D]")


def _joined(*parts: Column | str) -> Column:
    return reduce(np.strings.add, (np.asarray(part) for part in parts))
