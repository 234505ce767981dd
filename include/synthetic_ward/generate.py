"""Building the invented ward and loading it into PostgreSQL.

`build_ward` assesses every person with the product's own premium arithmetic and writes control totals from
its counts of persons by stage and months, never by adding up the rows a reader will see. `load_ward`
recreates the schemas in one transaction and refuses when they belong to anybody else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from pathlib import Path

import numpy as np
import psycopg
from psycopg import sql

from notice_cycle.premiums import (
    MONTHS_A_YEAR,
    PremiumTable,
    annual_premium,
    first_open_slot,
    load_premiums,
    months_insured,
    split_instalments,
)
from synthetic_ward import residents, words
from synthetic_ward.canary import CANARY
from synthetic_ward.residents import Cohorts, Rng, with_value
from synthetic_ward.ward import (
    INSTALMENT_COLUMNS,
    ORDINARY_NOTICE,
    Column,
    Columns,
    Ward,
    annual_batch,
    supplementary_batch,
)

PREMIUMS = Path(__file__).parents[1] / "config" / "premiums"
CORE_SYSTEM_SQL = Path(__file__).with_name("core_system.sql")
FEWEST_PERSONS = 200  # below, not every stage and every kind of case would occur
MOST_PERSONS = 1_000_000  # above, numbers would reach those of the canary
NULL_WHEN_EMPTY = {("insured_person", "recipient_id"), ("assessment", "notice_no")}


class NotTheSyntheticWard(RuntimeError):
    """The database holds a schema `kaigo` or `export` this package did not create."""


@dataclass(frozen=True)
class Batch:
    """One assessment run: its number, the two digits of its notices, when it was decided (JST)."""

    batch_no: str
    code: str
    decided_on: date

    @property
    def as_of(self) -> str:
        """基準日時."""
        return f"{self.decided_on - timedelta(days=1)}T18:00:00+09:00"

    @property
    def issued_at(self) -> str:
        """When the control total was written."""
        return f"{self.decided_on}T18:30:00+09:00"


def build_ward(
    persons: int = 70_000, seed: int = 2026, fiscal_year: int = 2026, *, premiums: PremiumTable | None = None
) -> Ward:
    """An invented ward of `persons` (200 to 1,000,000) insured; equal arguments give equal digests."""
    if not FEWEST_PERSONS <= persons <= MOST_PERSONS:
        raise ValueError(f"persons must be {FEWEST_PERSONS} to {MOST_PERSONS}, not {persons}")
    table = premiums or load_premiums(PREMIUMS, fiscal_year)
    rng = np.random.default_rng(seed)
    annual = Batch(annual_batch(fiscal_year), "01", date(fiscal_year, 7, 1))
    later = Batch(supplementary_batch(fiscal_year), "02", date(fiscal_year, 8, 10))

    homes = residents.households(rng, persons)
    born, acquired = residents.births_and_acquisitions(rng, homes, fiscal_year)
    cohorts = residents.share_out(rng, acquired, fiscal_year)
    lost = _mid_year(rng, cohorts, born, acquired, fiscal_year)
    name, kana, surname = residents.named(rng, homes)
    recipient, recipient_id = residents.addressees(rng, cohorts, homes, surname)
    person: Columns = {
        "insured_no": residents.insured_numbers(rng, persons),
        "household_no": homes.columns["household_no"][homes.of_person],
        "own_recipient_id": (4_000_000_000 + 13 * rng.permutation(persons)).astype("U10"),
        "recipient_id": recipient_id,
        "insured_name": name,
        "insured_kana": kana,
        "birth_date": born,
        "acquired_on": acquired,
        "lost_on": lost,
    } | residents.secrets_of(rng, persons)
    _put_canary(person)

    stage = rng.choice(np.arange(1, 19), persons, p=np.array(words.STAGE_WEIGHTS) / sum(words.STAGE_WEIGHTS))
    stage[cohorts.unremarkable[1:19]] = np.arange(1, 19)  # every stage gets at least one notice
    stage[cohorts.unremarkable[0]] = CANARY.stage
    stage[cohorts.changed] = np.minimum(stage[cohorts.changed], 15)
    town = _Town(cohorts, person["insured_no"], stage, _months(acquired, lost, fiscal_year))
    july, july_total = _assessed(rng, table, annual, _annual_cases(table, town))
    august, august_total = _assessed(rng, table, later, _supplementary_cases(rng, table, town))
    return Ward(
        fiscal_year=fiscal_year,
        seed=seed,
        household=homes.columns,
        recipient=recipient,
        insured_person=person,
        assessment={column: np.concatenate([july[column], august[column]]) for column in july},
        control_total={
            column: np.concatenate([july_total[column], august_total[column]]) for column in july_total
        },
    )


def load_ward(ward: Ward, dsn: str) -> None:
    """Create the schemas afresh and COPY the ward in, or leave all as it was; see NotTheSyntheticWard."""
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(nspname, ', ') FROM pg_namespace WHERE nspname IN ('kaigo', 'export') "
            "AND coalesce(obj_description(oid, 'pg_namespace'), '') NOT LIKE 'synthetic_ward:%'"
        )
        foreign = cursor.fetchone()
        if foreign and foreign[0]:
            raise NotTheSyntheticWard(
                f"スキーマ {foreign[0]} は架空の区のものではありません → 接続先を確かめてください"
            )
        cursor.execute(CORE_SYSTEM_SQL.read_bytes())
        for name, columns in ward.tables().items():
            target = sql.SQL("COPY kaigo.{} ({}) FROM STDIN").format(
                sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with cursor.copy(target) as copy:
                for block in _copy_text(name, columns):
                    copy.write(block)
            cursor.execute(sql.SQL("ANALYZE kaigo.{}").format(sql.Identifier(name)))


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


@dataclass(frozen=True)
class _Town:
    """Everybody, by column: what an assessment run starts from."""

    cohorts: Cohorts
    insured_no: Column
    stage: Column
    months: Column


@dataclass(frozen=True)
class _Cases:
    """Whom one batch assesses, by column, and what of the annual amount the pension pays."""

    insured_no: Column
    stage: Column
    months: Column
    method: Column
    special_yen: Column


def _annual_cases(table: PremiumTable, town: _Town) -> _Cases:
    """July: everybody insured. Mixed: April and June were deducted, then the pension deduction stopped."""
    groups = (town.cohorts.ordinary, town.cohorts.mixed, town.cohorts.special)
    rows = np.concatenate(groups)
    method = np.repeat(["ordinary", "mixed", "special"], [len(group) for group in groups])
    annual_yen = _annual_yen(table, town.stage[rows], town.months[rows])
    sixth = annual_yen // len(table.special_months) // table.rounding_unit_yen * table.rounding_unit_yen
    special_yen = np.select([method == "special", method == "mixed"], [annual_yen, 2 * sixth], default=0)
    return _Cases(town.insured_no[rows], town.stage[rows], town.months[rows], method, special_yen)


def _supplementary_cases(rng: Rng, table: PremiumTable, town: _Town) -> _Cases:
    """August: newcomers, and pensioners whose stage rose; they pay the difference by slip (mixed)."""
    rows = np.concatenate([town.cohorts.later, town.cohorts.changed])
    changed = np.arange(len(rows)) >= len(town.cohorts.later)
    stage, months = town.stage[rows], town.months[rows]
    already_yen = np.where(changed, _annual_yen(table, stage, months), 0)
    risen = stage + np.where(changed, rng.integers(1, 4, len(rows)), 0)
    method = np.where(changed, "mixed", "ordinary")
    return _Cases(town.insured_no[rows], risen, months, method, already_yen)


def _assessed(rng: Rng, table: PremiumTable, batch: Batch, cases: _Cases) -> tuple[Columns, Columns]:
    """The assessment rows of one batch, and the one row of its control total."""
    count = len(cases.insured_no)
    annual_yen = _annual_yen(table, cases.stage, cases.months)
    ordinary_yen = annual_yen - cases.special_yen
    noticed = cases.method != "special"
    totals, back = np.unique(ordinary_yen, return_inverse=True)
    slot = first_open_slot(table, batch.decided_on)
    instalments = np.array([split_instalments(table, total, slot) for total in totals.tolist()])[back]
    due_on = _due_on(table, slot)
    assessed: Columns = {
        "insured_no": cases.insured_no,
        "fiscal_year": np.full(count, table.fiscal_year),
        "batch_no": np.full(count, batch.batch_no),
        "notice_no": _notice_numbers(rng, table.fiscal_year, batch, cases.insured_no, noticed),
        "stage": cases.stage,
        "months": cases.months,
        "stage_annual_yen": np.array([0] + [row.annual_yen for row in table.stages])[cases.stage],
        "annual_yen": annual_yen,
        "collection_method": cases.method,
        "ordinary_total_yen": ordinary_yen,
        **dict(zip(INSTALMENT_COLUMNS, instalments.T, strict=True)),
        "special_total_yen": cases.special_yen,
        "first_due_on": np.where(noticed, due_on, np.datetime64("NaT")).astype("datetime64[D]"),
        "as_of": np.full(count, batch.as_of),
    }
    return assessed, _control_total(table, batch, cases, noticed)


def _control_total(table: PremiumTable, batch: Batch, cases: _Cases, noticed: Column) -> Columns:
    """Heads by stage and months × the premium, less what pensions pay: no row's amount is added up."""
    heads = np.zeros((len(table.stages) + 1, MONTHS_A_YEAR + 1), dtype=np.int64)
    np.add.at(heads, (cases.stage[noticed], cases.months[noticed]), 1)
    annual_yen = sum(
        int(heads[row.stage, month]) * annual_premium(table, row.stage, month)
        for row in table.stages
        for month in range(MONTHS_A_YEAR + 1)
    )
    return {
        "batch_no": np.array([batch.batch_no]),
        "notice": np.array([ORDINARY_NOTICE]),
        "as_of": np.array([batch.as_of]),
        "persons": np.array([int(heads.sum())]),
        "annual_total_yen": np.array([annual_yen]),
        "instalment_total_yen": np.array([annual_yen - int(cases.special_yen[noticed].sum())]),
        "issued_at": np.array([batch.issued_at]),
    }


def _annual_yen(table: PremiumTable, stage: Column, months: Column) -> Column:
    by_stage = [
        [annual_premium(table, row.stage, month) for month in range(MONTHS_A_YEAR + 1)]
        for row in table.stages
    ]
    annual_yen: Column = np.array(by_stage)[stage - 1, months]
    return annual_yen


def _months(acquired: Column, lost: Column, fiscal_year: int) -> Column:
    """`months_insured` by column: each pair of months is worked out once."""
    pairs = np.stack([acquired.astype("datetime64[M]"), lost.astype("datetime64[M]")], axis=1)
    kinds, back = np.unique(pairs.astype(np.int64), axis=0, return_inverse=True)
    firsts = kinds.astype("datetime64[M]").astype("datetime64[D]").tolist()  # NaT becomes None
    return np.array([months_insured(start, end, fiscal_year) for start, end in firsts])[back.reshape(-1)]


def _notice_numbers(rng: Rng, fiscal_year: int, batch: Batch, insured_no: Column, noticed: Column) -> Column:
    """Eleven digits: year, batch, serial in no order a reader could rely on; '' without a notice."""
    opening = int(f"{fiscal_year % 100:02d}{batch.code}") * 10_000_000
    numbers = np.full(len(noticed), "", dtype="U11")
    numbers[noticed] = (opening + 1 + rng.permutation(int(noticed.sum()))).astype("U11")
    numbers[insured_no == CANARY.insured_no] = CANARY.notice_no
    return numbers


def _due_on(table: PremiumTable, slot: int) -> np.datetime64:
    """The last day of the instalment's month, or the Monday after; no batch here meets a holiday."""
    month = table.ordinary_months[slot - 1]
    following = np.datetime64(f"{table.fiscal_year}-{month:02d}", "M") + 1
    due_on: np.datetime64 = np.busday_offset(following.astype("datetime64[D]") - 1, 0, roll="forward")
    return due_on


def _copy_text(table: str, columns: Columns) -> Iterator[str]:
    """Lines of COPY text format, a few thousand a block; the words hold no tab, newline or backslash."""
    texts = [
        _texts(column, null_when_empty=(table, name) in NULL_WHEN_EMPTY) for name, column in columns.items()
    ]
    lines = list(map("\t".join, zip(*texts, strict=True)))
    for start in range(0, len(lines), 5_000):
        yield "\n".join(chain(lines[start : start + 5_000], ("",)))


def _texts(column: Column, *, null_when_empty: bool) -> list[str]:
    if column.dtype.kind == "M":
        column, null_when_empty = np.where(np.isnat(column), "", np.datetime_as_string(column)), True
    texts = list(map(str, column.tolist()))
    return [text or r"\N" for text in texts] if null_when_empty else texts
