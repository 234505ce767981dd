"""The suite of 納入通知書・普通徴収 on a staged ward: each planted defect is found by its rules and by no other.

Great Expectations takes seconds to load and to judge; all defects are planted in one frame, each in a row of
its own, and judged once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import ipc
from tests.builders import CYCLE, SMALL_TOTAL_KEY, the_configuration
from tests.conftest import as_extractor

from notice_cycle.catalogue import Configuration, Expectation
from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.errors import Altered, NotConfigured
from notice_cycle.extraction.extract import extract
from notice_cycle.records import ExtractionRecord, ValidationRecord
from notice_cycle.validation.derive import with_derived_columns
from notice_cycle.validation.suite import JudgedRule, judge
from notice_cycle.validation.validate import read_staged, validate
from notice_cycle.vault import CycleVault, Vault
from notice_cycle.vault.names import FINDINGS, STAGED
from synthetic_ward import CANARY, Ward, annual_batch, supplementary_batch

RULES = the_configuration().expectations


@dataclass(frozen=True)
class Staged:
    """An extraction in a vault, and its rows as the validation reads them."""

    extraction: ExtractionRecord
    vault: CycleVault

    @property
    def rows(self) -> pd.DataFrame:
        return read_staged(self.extraction, self.vault)


@pytest.fixture(scope="module")
def staged(core_system: str, tmp_path_factory: pytest.TempPathFactory) -> Staged:
    return _staged(core_system, tmp_path_factory.mktemp("annual"), annual_batch(2026))


def _staged(core_system: str, folder: Path, batch: str) -> Staged:
    vault = Vault(folder, KeyEncryptionKey(bytes(32))).cycle(CYCLE)
    vault.create()
    record = extract(
        as_extractor(core_system), the_configuration().notice, batch, vault, small_total_key=SMALL_TOTAL_KEY
    )
    return Staged(record, vault)


def derived(rows: pd.DataFrame, configuration: Configuration | None = None) -> pd.DataFrame:
    known = configuration or the_configuration()
    return with_derived_columns(
        rows,
        stage_annual_yen={row.stage: row.annual_yen for row in known.premiums.stages},
        due_on=known.due_on,
    )


# ---- a clean ward


@pytest.fixture(scope="module")
def clean(staged: Staged) -> ValidationRecord:
    return validate(staged.extraction, the_configuration(), staged.vault)


def test_a_clean_ward_breaks_no_rule(clean: ValidationRecord, staged: Staged) -> None:
    assert {rule.rule: rule.broken for rule in clean.rules if rule.broken} == {}
    assert clean.errors == 0
    assert [rule.rule for rule in clean.rules] == [rule.rule for rule in RULES]
    assert {rule.checked for rule in clean.rules} == {staged.extraction.rows}


def test_a_supplementary_batch_breaks_no_rule(core_system: str, tmp_path: Path) -> None:
    later = _staged(core_system, tmp_path, supplementary_batch(2026))
    record = validate(later.extraction, the_configuration(), later.vault)
    assert {rule.rule: rule.broken for rule in record.rules if rule.broken} == {}


def test_persons_are_told_by_stage_and_method(clean: ValidationRecord, small_ward: Ward) -> None:
    notices = pd.DataFrame(small_ward.notices(annual_batch(2026)))
    assert clean.persons_by_stage == {str(s): int((notices["stage"] == s).sum()) for s in range(1, 19)}
    assert clean.persons_by_method == {
        method: int((notices["collection_method"] == method).sum()) for method in ("ordinary", "mixed")
    }


def test_the_validation_names_the_extraction_it_judged(clean: ValidationRecord, staged: Staged) -> None:
    assert clean.staging_sha256 == staged.extraction.staging.sha256


# ---- planted defects


Defect = Callable[[dict[str, Any]], dict[str, Any]]
"""A row as it is → the columns that the defect changes."""


def _wrong_check_digit(row: dict[str, Any]) -> dict[str, Any]:
    number = row["insured_no"]
    return {"insured_no": number[:9] + str((int(number[9]) + 1) % 10)}


def _one_yen_on(row: dict[str, Any]) -> dict[str, Any]:
    """One yen more in the first instalment, and in every total, so that only the unit is wrong."""
    return {"instalment_07": row["instalment_07"] + 1}


DEFECTS: dict[str, tuple[Defect, set[str]]] = {
    # what: the change of one row, the rules that must find it
    "notice number of ten digits": (lambda r: {"notice_no": r["notice_no"][:10]}, {"N01"}),
    "notice number with a letter": (lambda r: {"notice_no": "A" + r["notice_no"][1:]}, {"N01"}),
    "notice number in full-width digits": (lambda r: {"notice_no": "２６０１０００００９９"}, {"N01"}),
    "notice number and a line end": (lambda r: {"notice_no": r["notice_no"] + "\n"}, {"A06"}),
    "postcode and a line end": (lambda r: {"postcode": r["postcode"] + "\n"}, {"A06"}),
    "no notice number": (lambda r: {"notice_no": None}, {"N01", "N04"}),
    "wrong check digit": (_wrong_check_digit, {"P01"}),
    "insured number of nine digits": (lambda r: {"insured_no": r["insured_no"][:9]}, {"P01"}),
    "no insured number": (lambda r: {"insured_no": None}, {"P01", "N04"}),
    "no name": (
        lambda r: {"insured_name": "", "recipient_name": "施設長", "recipient_kind": "facility"},
        {"P02"},
    ),
    "a name of spaces": (
        lambda r: {"insured_name": " 　", "recipient_name": "施設長", "recipient_kind": "facility"},
        {"P02"},
    ),
    "name is null": (
        lambda r: {"insured_name": None, "recipient_name": "施設長", "recipient_kind": "facility"},
        {"P02", "N04"},
    ),
    "too young": (lambda r: {"birth_date": r["acquired_on"] - timedelta(days=64 * 365)}, {"P03"}),
    "one day too young": (
        lambda r: {"birth_date": date(1961, 4, 3), "acquired_on": date(2026, 4, 1)},
        {"P03"},
    ),
    "no birth date": (lambda r: {"birth_date": None}, {"P03", "N04"}),
    "lost before acquired": (lambda r: {"lost_on": r["acquired_on"] - timedelta(days=1)}, {"P04"}),
    "lost on the day of acquisition": (lambda r: {"lost_on": r["acquired_on"]}, {"P04"}),
    "postcode with a hyphen": (lambda r: {"postcode": "100-0001"}, {"A01"}),
    "no postcode": (lambda r: {"postcode": None}, {"A01", "N04"}),
    "no address": (lambda r: {"address": "　"}, {"A02"}),
    "address is null": (lambda r: {"address": None}, {"A02", "N04"}),
    "address detail is null": (lambda r: {"address_detail": None}, {"N04"}),
    "no recipient": (lambda r: {"recipient_name": "", "recipient_kind": "facility"}, {"A03"}),
    "an unknown kind of recipient": (lambda r: {"recipient_kind": "neighbour"}, {"A04"}),
    "kind of recipient is null": (lambda r: {"recipient_kind": None}, {"A04", "N04"}),
    "addressed to somebody else as oneself": (
        lambda r: {"recipient_name": "別人　太郎", "recipient_kind": "self"},
        {"A05"},
    ),
    "a private character 外字": (lambda r: {"address_detail": "\ue000荘"}, {"A06"}),
    "a character outside the set": (lambda r: {"address_detail": "𠮷野荘"}, {"A06"}),
    "an invisible character": (lambda r: {"address_detail": "荘\u200b"}, {"A06"}),
    "a line end inside the address": (lambda r: {"address_detail": "一\r\n二"}, {"A06"}),
    "a tab inside the address": (lambda r: {"address_detail": "一\t二"}, {"A06"}),
    "a NUL inside the address": (lambda r: {"address_detail": "一\0二"}, {"A06"}),
    "stage 0": (lambda r: {"stage": 0}, {"S01", "S03", "S04"}),
    "stage 19": (lambda r: {"stage": 19}, {"S01", "S03", "S04"}),
    "no stage": (lambda r: {"stage": None}, {"S01", "S03", "S04", "N04"}),
    "another stage": (lambda r: {"stage": r["stage"] % 18 + 1}, {"S03", "S04"}),
    "0 months": (lambda r: {"months": 0}, {"S02", "S04"}),
    "13 months": (lambda r: {"months": 13}, {"S02", "S04"}),
    "no months": (lambda r: {"months": None}, {"S02", "S04", "N04"}),
    "last year's stage amount": (lambda r: {"stage_annual_yen": r["stage_annual_yen"] - 100}, {"S03"}),
    "annual amount 100 yen too much": (lambda r: {"annual_yen": r["annual_yen"] + 100}, {"S04", "S06"}),
    "instalments 100 yen short": (lambda r: {"instalment_03": r["instalment_03"] - 100}, {"S05"}),
    "first instalment is null": (lambda r: {"instalment_07": None}, {"S05", "N04", "D01"}),
    "last instalment is null": (lambda r: {"instalment_03": None}, {"S05", "N04"}),
    "special amount besides": (
        lambda r: {"special_total_yen": 1_000, "collection_method": "mixed"},
        {"S06"},
    ),
    "one yen more": (_one_yen_on, {"S05", "S07"}),
    "a remainder in the last instalment": (
        lambda r: {
            "instalment_07": r["instalment_03"],
            "instalment_03": r["instalment_07"] + 100,
            "instalment_08": r["instalment_08"] - 100,
        },
        {"S08"},
    ),
    "ordinary with a special amount": (lambda r: {"special_total_yen": 1_000}, {"S06", "S09"}),
    "mixed without a special amount": (lambda r: {"collection_method": "mixed"}, {"S09"}),
    "nothing to pay": (
        lambda r: {name: 0 for name in r if name.startswith("instalment_")} | {"ordinary_total_yen": 0},
        {"S06", "S10"},
    ),
    "a negative instalment": (
        lambda r: {"instalment_07": r["instalment_07"] + r["instalment_08"] + 100, "instalment_08": -100},
        {"S11"},
    ),
    "a negative special amount": (
        lambda r: {
            "special_total_yen": -1_000,
            "ordinary_total_yen": r["ordinary_total_yen"] + 1_000,
            "instalment_07": r["instalment_07"] + 1_000,
        },
        {"S11"},
    ),
    "due on a closed day": (lambda r: {"first_due_on": date(2026, 8, 1)}, {"D01"}),
    "due a month late": (lambda r: {"first_due_on": date(2026, 8, 31)}, {"D01"}),
    "no due date": (lambda r: {"first_due_on": None}, {"D01", "N04"}),
    "first instalment skipped": (
        lambda r: {"instalment_07": 0, "instalment_08": r["instalment_07"] + r["instalment_08"]},
        {"D01"},
    ),
}


@pytest.fixture(scope="module")
def found(staged: Staged) -> dict[str, set[str]]:
    """Every defect planted in a row of its own, judged once: defect → rules that found its row."""
    table = staged.rows
    ordinary = table.index[
        table["collection_method"].eq("ordinary") & table["recipient_kind"].eq("self") & table["lost_on"].isna()
        & table["months"].eq(12) & table["insured_name"].ne(CANARY.name)
    ]  # fmt: skip
    rows = table.to_dict("records")
    assert len(ordinary) > len(DEFECTS) + 4
    place = dict(zip(DEFECTS, ordinary, strict=False))
    for what, (defect, _) in DEFECTS.items():
        rows[place[what]] |= defect(dict(rows[place[what]]))
    twins = ordinary[-4:]
    rows[twins[0]]["notice_no"] = rows[twins[1]]["notice_no"]
    rows[twins[2]]["insured_no"] = rows[twins[3]]["insured_no"]
    place |= {f"twin {number}": row for number, row in enumerate(twins)}
    judged = judge(derived(_as_extracted(rows, staged)), RULES)
    assert {row for rule in judged for row in rule.broken_rows} <= set(place.values())
    for rule in judged:
        assert len(rule.broken_rows) == rule.broken
    return {what: {rule.rule for rule in judged if row in rule.broken_rows} for what, row in place.items()}


def _as_extracted(rows: list[dict[str, Any]], staged: Staged) -> pd.DataFrame:
    """Rows through Arrow, with the types they have when they come from the core system."""
    with staged.vault.reading(STAGED) as source:
        schema = ipc.open_stream(source).read_all().schema
    clean = [{name: None if value is pd.NaT else value for name, value in row.items()} for row in rows]
    return pa.Table.from_pylist(clean, schema=schema).to_pandas()


@pytest.mark.parametrize("what", DEFECTS)
def test_a_defect_is_found_by_its_rules_and_by_no_other(found: dict[str, set[str]], what: str) -> None:
    assert found[what] == DEFECTS[what][1]


def test_both_notices_of_one_number_are_found(found: dict[str, set[str]]) -> None:
    assert found["twin 0"] == found["twin 1"] == {"N02"}


def test_both_notices_of_one_person_are_found(found: dict[str, set[str]]) -> None:
    assert found["twin 2"] == found["twin 3"] == {"N03"}


def test_every_rule_of_the_suite_finds_some_defect(found: dict[str, set[str]]) -> None:
    assert set().union(*found.values()) == {rule.rule for rule in RULES}


# ---- what is told, and what is not


def test_the_outcome_holds_no_values(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    table = staged.rows
    hers = table.index[table["insured_name"].eq(CANARY.name)]
    table.loc[hers, ["address", "postcode", "annual_yen"]] = [
        f"{CANARY.address}\ue000",
        "x" + CANARY.postcode,
        1,
    ]
    monkeypatch.setattr("notice_cycle.validation.validate.read_staged", lambda *_: table)
    record = validate(staged.extraction, the_configuration(), staged.vault)
    assert {rule.rule: rule.broken for rule in record.rules if rule.broken} == {
        "A01": 1, "A06": 1, "S04": 1, "S06": 1,
    }  # fmt: skip
    assert record.errors == 4
    told = record.model_dump_json()
    assert not [term for term in CANARY.search_terms() if term in told]
    with staged.vault.reading(FINDINGS) as findings:
        kept = findings.read().decode()
    assert f'"A01": [{hers[0]}]' in kept  # the row numbers stay in the vault
    assert not [term for term in CANARY.search_terms() if term in kept]


def test_altered_staging_is_refused(staged: Staged) -> None:
    record = staged.extraction
    other = record.model_copy(update={"staging": record.staging.model_copy(update={"sha256": "0" * 64})})
    with pytest.raises(Altered, match="抽出の記録と一致しません"):
        validate(other, the_configuration(), staged.vault)


# ---- broken rules


def a_rule(expect: str = "ExpectColumnValuesToBeInSet", allowed: int = 0, **arguments: Any) -> Expectation:
    return Expectation(
        rule="X99",
        sentence_ja="見本",
        severity="error",
        requirement="R5",
        allowed=allowed,
        expect=expect,
        arguments=arguments,
    )


BROKEN_RULES = {
    "unknown column": a_rule(column="no_such_column", value_set=[True]),
    "no column": a_rule(value_set=[True]),
    "unknown argument": a_rule(column="stage", value_set=[1], colour="red"),
    "unknown expectation": a_rule("ExpectColumnValuesToBeFine", column="stage"),
    "a module, not an expectation": a_rule("core"),
    "a private name": a_rule("__name__"),
    "the base of all expectations": a_rule("Expectation"),
    "broken regex": a_rule("ExpectColumnValuesToMatchRegex", column="postcode", regex="("),
    "unknown second column": a_rule("ExpectColumnPairValuesToBeEqual", column_A="stage", column_B="x"),
    "between words": a_rule("ExpectColumnValuesToBeBetween", column="postcode", min_value=1),
}


@pytest.mark.parametrize("what", BROKEN_RULES)
def test_a_broken_rule_is_not_taken_for_bad_data(staged: Staged, what: str) -> None:
    with pytest.raises(NotConfigured, match="規則 X99") as caught:
        judge(derived(staged.rows), [BROKEN_RULES[what]])
    assert "expectations" in caught.value.advice


def test_a_broken_rule_among_good_ones_is_still_told(staged: Staged) -> None:
    with pytest.raises(NotConfigured, match="規則 X99"):
        judge(derived(staged.rows), [*RULES[:2], BROKEN_RULES["unknown column"]])


@pytest.mark.parametrize(("allowed", "holds"), [(0, False), (1, True)])
def test_a_rule_counts_what_is_allowed(staged: Staged, allowed: int, holds: bool) -> None:
    rows = staged.rows
    rows.loc[3, "stage"] = 0
    rule = a_rule("ExpectColumnValuesToBeBetween", column="stage", min_value=1, allowed=allowed)
    outcome: JudgedRule = judge(derived(rows), [rule])[0]
    assert (outcome.broken, outcome.broken_rows) == (1, (3,))
    assert outcome.holds is holds
