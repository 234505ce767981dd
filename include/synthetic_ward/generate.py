"""Building the invented ward: people, then the runs of a year over them.

Every amount is worked out with the product's own premium arithmetic; what the runs say of persons and amounts
is reckoned apart from the rows a reader will see (`runs`). Loading it is `core_system`'s, dropping files `drops`'s.
"""

from datetime import date
from pathlib import Path

import numpy as np

from notice_cycle.premiums import PremiumTable, load_premiums
from synthetic_ward import arrears, decisions, host, residents, words
from synthetic_ward.canary import CANARY
from synthetic_ward.core_system import NotTheSyntheticWard, load_ward
from synthetic_ward.residents import Cohorts, Rng, with_value
from synthetic_ward.runs import differences_of, figures_of, tables_of
from synthetic_ward.ward import Column, Columns, Ward

__all__ = ["FEWEST_PERSONS", "MOST_PERSONS", "PREMIUMS", "NotTheSyntheticWard", "build_ward", "load_ward"]

PREMIUMS = Path(__file__).parents[1] / "config" / "premiums"
FEWEST_PERSONS = 200  # below, not every stage and every kind of case would occur
MOST_PERSONS = 1_000_000  # above, numbers would reach those of the canary
_CORE_TABLES = (
    *("household", "recipient", "insured_person", "assessment", "assessment_change", "collection"),
    *("special_collection", "provisional_notice", "reminder", "demand_notice"),
    *("control_total", "control_amount", "last_year_count", "population", "difference"),
)


def build_ward(
    persons: int = 70_000,
    seed: int = 2026,
    fiscal_year: int = 2026,
    *,
    premiums: PremiumTable | None = None,
    deductions: bool = True,
) -> Ward:
    """An invented ward of `persons` (200 to 1,000,000) insured; equal arguments give equal digests.

    Without `deductions` from pensions, nearly everybody pays by slip or account.
    """
    if not FEWEST_PERSONS <= persons <= MOST_PERSONS:
        raise ValueError(f"persons must be {FEWEST_PERSONS} to {MOST_PERSONS}, not {persons}")
    table = premiums or load_premiums(PREMIUMS, fiscal_year)
    rng = np.random.default_rng(seed)

    homes = residents.households(rng, persons)
    born, acquired = residents.births_and_acquisitions(rng, homes, fiscal_year)
    cohorts = residents.share_out(rng, acquired, fiscal_year, deductions=deductions)
    lost = _mid_year(rng, cohorts, born, acquired, fiscal_year)
    lost_later = _lost_in_summer(rng, cohorts, lost, fiscal_year)
    name, kana, surname = residents.named(rng, homes)
    recipient, recipient_id = residents.addressees(rng, cohorts, homes, surname)
    person: Columns = {
        "insured_no": residents.insured_numbers(rng, persons),
        "household_no": homes.columns["household_no"][homes.of_person],
        "own_recipient_id": (4_000_000_000 + 13 * rng.permutation(persons)).astype("U10"),
        "recipient_id": recipient_id,
        "support_measure": residents.support_measures(rng, cohorts, persons),
        "insured_name": name,
        "insured_kana": kana,
        "birth_date": born,
        "acquired_on": acquired,
        "lost_on": lost_later,
        "excluded_reason": _excluded_reasons(cohorts, persons),
        "pension_payer": residents.pension_payers(rng, persons),
    } | residents.secrets_of(rng, persons)
    _put_canary(person)

    stage = _stages(rng, cohorts, persons)
    town = decisions.Town(
        cohorts=cohorts,
        insured_no=person["insured_no"],
        acquired_on=acquired,
        lost_on=lost,
        lost_later_on=lost_later,
        stage=stage,
        deducted_yen=decisions.sixth_yen(table, _last_years(rng, stage)),
        payment_means=_payment_means(person),
        pension_payer=person["pension_payer"],
    )
    july = decisions.july(rng, table, town)
    register = host.Register.of(town, person, fiscal_year)
    in_core = [
        decisions.provisional(rng, table, town),
        *july,
        decisions.changes(rng, table, town),
        arrears.reminders(rng, table, july[0]),
        arrears.demands(rng, table, town),
    ]
    later = decisions.supplementary(rng, table, town)
    dropped = [
        run(rng, register, fiscal_year)
        for run in (host.burden_certificates, host.guide_booklets, host.support_program)
    ]
    relatives = recipient["recipient_name"][recipient["recipient_kind"] == "family"]
    core = (
        {"household": homes.columns, "recipient": recipient, "insured_person": person}
        | tables_of([*in_core, later])
        | figures_of(rng, [*in_core, later, *dropped], fiscal_year)
        | {"difference": differences_of(rng, in_core, homes.columns, relatives)}
    )
    return Ward(fiscal_year, seed, {name: core[name] for name in _CORE_TABLES}, tables_of(dropped))


def _mid_year(rng: Rng, cohorts: Cohorts, born: Column, acquired: Column, fiscal_year: int) -> Column:
    """Give the cohorts their days of this fiscal year, in place; the days of loss are returned."""
    april, june_end = date(fiscal_year, 4, 1), date(fiscal_year, 6, 30)
    july, august = date(fiscal_year, 7, 1), date(fiscal_year, 8, 9)
    later_65, later_moved = np.array_split(cohorts.later, 2)
    for rows, first, last in ((cohorts.turned_65, april, june_end), (later_65, july, august)):
        youngest = first.replace(year=first.year - 65)
        born[rows] = residents.days_between(rng, youngest, youngest + (last - first), len(rows)) + 1
    for row, month in zip(cohorts.turned_65, (5, 6, 7), strict=False):
        born[row] = date(fiscal_year - 65, month, 1)  # born on the 1st: the month before counts
    joined_65 = np.concatenate([cohorts.turned_65, later_65])
    acquired[joined_65] = residents.at_65(born[joined_65])
    acquired[cohorts.moved_in] = residents.days_between(rng, april, june_end, len(cohorts.moved_in))
    acquired[later_moved] = residents.days_between(rng, july, august, len(later_moved))
    lost = np.full(len(born), np.datetime64("NaT"), dtype="datetime64[D]")
    # From May on: who lost the status in April owes nothing this year and gets no notice.
    lost[cohorts.lost] = residents.days_between(rng, date(fiscal_year, 5, 1), june_end, len(cohorts.lost))
    early = cohorts.excluded["lost"]
    lost[early] = residents.days_between(rng, april, date(fiscal_year, 4, 30), len(early))
    # 第2号: 40 to 64, insured since the certification for care.
    second = cohorts.excluded["second_category"]
    born[second] = residents.days_between(
        rng, date(fiscal_year - 62, 1, 1), date(fiscal_year - 45, 1, 1), len(second)
    )
    acquired[second] = residents.days_between(
        rng, date(fiscal_year - 2, 4, 1), date(fiscal_year, 3, 31), len(second)
    )
    born[-1], acquired[-1] = CANARY.birth_date, CANARY.acquired_on
    return lost


def _put_canary(person: Columns) -> None:
    hers = {
        "insured_no": CANARY.insured_no,
        "household_no": CANARY.household_no,
        "own_recipient_id": CANARY.recipient_id,
        "insured_name": CANARY.name,
        "insured_kana": CANARY.kana,
        "individual_no": CANARY.individual_no,
        "bank_account": CANARY.bank_account,
        "medical_remark": CANARY.medical_remark,
    }
    for column, value in hers.items():
        person[column] = with_value(person[column], -1, value)


def _lost_in_summer(rng: Rng, cohorts: Cohorts, lost: Column, fiscal_year: int) -> Column:
    """The days of loss as known in August: what July could not know is added."""
    rows, known = cohorts.changed["lost"], lost.copy()
    known[rows] = residents.days_between(rng, date(fiscal_year, 7, 2), date(fiscal_year, 8, 9), len(rows))
    return known


def _stages(rng: Rng, cohorts: Cohorts, persons: int) -> Column:
    """Every stage gets at least one notice; a stage that will change has room above or below."""
    stage = rng.choice(np.arange(1, 19), persons, p=np.array(words.STAGE_WEIGHTS) / sum(words.STAGE_WEIGHTS))
    stage[cohorts.unremarkable[1:19]] = np.arange(1, 19)
    stage[cohorts.unremarkable[0]] = CANARY.stage
    for reason in ("pension", "income", "age_65", "moved_in"):
        rows = cohorts.changed[reason]
        stage[rows] = np.minimum(stage[rows], 15)
    exempted = cohorts.changed["exempted"]
    stage[exempted] = np.maximum(stage[exempted], 2)
    return stage


def _last_years(rng: Rng, stage: Column) -> Column:
    """Last year's stage: for four in five the same, for the others one off."""
    step = rng.choice([-1, 0, 1], len(stage), p=[0.1, 0.8, 0.1])
    last: Column = np.clip(stage + step, 1, 18)
    return last


def _payment_means(person: Columns) -> Column:
    """By account for everybody whose account is known; hers is for refunds only."""
    by_account = person["bank_account"] != ""
    by_account[-1] = False
    return np.where(by_account, "account", "slip")


def _excluded_reasons(cohorts: Cohorts, persons: int) -> Column:
    reasons = np.full(persons, "", dtype="U15")
    for reason, rows in cohorts.excluded.items():
        reasons[rows] = reason
    return reasons
