"""Validation of whole extractions in the vault: a clean ward of each notice, what is told of it, and what is refused.

The planted defects have tests of their own; so has each check.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.builders import CONFIG, CYCLE, SMALL_TOTAL_KEY

from notice_cycle.catalogue import Configuration, resolve
from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.errors import Altered
from notice_cycle.extraction.extract import extract
from notice_cycle.records import ExtractionRecord, ValidationRecord
from notice_cycle.validation.validate import OTHERS, affected, decided_numbers, validate
from notice_cycle.vault import CycleVault, Vault
from notice_cycle.vault.names import CIRCUMSTANCES, FINDINGS, STAGED
from synthetic_ward import CANARY, NOTICE_ITEMS, Ward, as_table, batch_of, build_ward, supplementary_batch

ORDINARY, SPECIAL = "premium_notice_ordinary", "premium_notice_special"
TOLD_ONLY = {"A12"}  # how many addresses are protected: told, and broken by nobody


@pytest.fixture(scope="module")
def ward() -> Ward:
    return build_ward(2_000)


Staged = tuple[ExtractionRecord, Configuration, CycleVault]
Stage = Callable[..., Staged]


@pytest.fixture
def stage(ward: Ward, tmp_path: Path) -> Stage:
    """Extracts a notice of the ward, with some values changed: `stage(notice, {row: {item: value}})`."""

    def staged(
        notice: str, changed: dict[int, dict[str, Any]] | None = None, batch: str | None = None
    ) -> Staged:
        batch = batch or batch_of(notice, 2026)
        table = as_table(ward.notice(notice, batch), NOTICE_ITEMS[notice])
        rows = table.to_pylist() if changed else []
        for row, values in (changed or {}).items():
            rows[row] |= values
        if changed:
            table = pa.Table.from_pylist(rows, schema=table.schema)
        configuration = resolve(CONFIG, notice, 2026)
        vault = Vault(tmp_path / notice, KeyEncryptionKey(bytes(32))).cycle(CYCLE)
        vault.create()
        record = extract(
            ward.control(notice, batch),
            table.to_reader(max_chunksize=500),
            configuration.notice,
            vault,
            small_total_key=SMALL_TOTAL_KEY,
        )
        return record, configuration, vault

    return staged


def broken(record: ValidationRecord) -> dict[str, int]:
    return {rule.rule: rule.broken for rule in record.rules if rule.broken and rule.rule not in TOLD_ONLY}


@pytest.mark.parametrize("notice", NOTICE_ITEMS)
def test_a_clean_ward_breaks_no_rule(stage: Stage, notice: str) -> None:
    extraction, configuration, vault = stage(notice)
    record = validate(extraction, configuration, vault)
    assert broken(record) == {}
    assert record.errors == 0 and all(rule.holds for rule in record.rules)
    assert [rule.rule for rule in record.rules] == [rule.rule for rule in configuration.expectations]
    assert record.staging_sha256 == extraction.staging.sha256
    looked_at = {rule.rule for rule in record.rules if rule.checked == extraction.rows}
    assert looked_at >= {"F01", "N01", "A01", "C01"}


def test_a_supplementary_batch_is_compared_with_no_population_and_no_last_year(stage: Stage) -> None:
    staged = stage(ORDINARY, batch=supplementary_batch(2026))
    record = validate(*staged, annual=False)
    assert broken(record) == {}
    not_judged = {rule.rule for rule in record.rules if not rule.checked}
    assert {"K04", "K05", "T01", "T02"} <= not_judged
    assert {"K04", "K05", "T01"} <= broken(validate(*staged)).keys()  # an annual run owes them


def test_persons_are_told_by_the_distributions_of_the_notice(stage: Stage, ward: Ward) -> None:
    record = validate(*stage(ORDINARY))
    assert record.counts.keys() == {"stage", "collection_method", "payment_means"}
    means = Counter(ward.notice(ORDINARY, batch_of(ORDINARY, 2026))["payment_means"].tolist())
    assert record.counts["payment_means"] == dict(means)
    assert sum(record.counts["stage"].values()) == sum(means.values())
    assert OTHERS in record.counts["stage"]  # stages of a few persons in so small a ward
    assert record.last_year_of == 2025 and record.last_year.keys() == record.counts.keys()


def test_the_outcome_holds_no_values_and_the_findings_row_numbers_only(stage: Stage, ward: Ward) -> None:
    table = as_table(ward.notice(ORDINARY, batch_of(ORDINARY, 2026)), NOTICE_ITEMS[ORDINARY])
    hers = table["insured_no"].to_pylist().index(CANARY.insured_no)
    changed = {
        "address": f"{CANARY.address}\ue000",
        "postcode": "x" + CANARY.postcode,
        "threshold_yen": 809_000,
    }
    extraction, configuration, vault = stage(ORDINARY, {hers: changed})
    record = validate(extraction, configuration, vault)
    assert broken(record) == {"A01": 1, "A06": 1, "S12": 1}
    with vault.reading(FINDINGS) as source:
        kept = source.read().decode()
    assert {rule: rows for rule, rows in json.loads(kept).items() if rule not in TOLD_ONLY} == {
        "A01": [hers], "A06": [hers], "S12": [hers],
    }  # fmt: skip
    assert not [term for term in CANARY.search_terms() if term in record.model_dump_json() + kept]
    concerned = affected(extraction, configuration.notice, vault)
    assert concerned["S12"] == [(table["notice_no"][hers].as_py(), CANARY.insured_no)]


def test_those_affected_are_told_in_the_order_of_their_rows(stage: Stage) -> None:
    extraction, configuration, vault = stage(
        "guide_booklet", {700: {"postcode": ""}, 3: {"postcode": None}, 4: {"recipient_name": " "}}
    )
    validate(extraction, configuration, vault)
    with vault.reading(STAGED) as source:
        numbers = pa.ipc.open_stream(source).read_all()["notice_no"].to_pylist()
    concerned = affected(extraction, configuration.notice, vault)
    assert [number for number, _ in concerned["A01"]] == [numbers[3], numbers[700]]
    assert [number for number, _ in concerned["A03"]] == [numbers[4]]
    assert "K01" not in concerned


def test_nobody_gets_a_decision_from_two_cycles(stage: Stage) -> None:
    special, special_configuration, special_vault = stage(SPECIAL)
    siblings = decided_numbers(special, special_configuration.notice, special_vault)
    assert len(siblings) == special.rows
    assert broken(validate(*stage(ORDINARY), siblings=siblings)) == {}
    twice = {5: {"insured_no": f"{siblings[7]:010}"}}
    assert broken(validate(*stage(ORDINARY, twice), siblings=siblings)) == {"N05": 1}


@pytest.mark.parametrize("artefact", [STAGED, CIRCUMSTANCES])
def test_what_is_not_what_was_extracted_is_refused(stage: Stage, artefact: str) -> None:
    extraction, configuration, vault = stage(ORDINARY)
    with vault.reading(artefact) as source:
        content = source.read()
    with vault.writing(artefact) as other:
        other.buffer.write(content + b" ")
    with pytest.raises(Altered, match="抽出の記録と一致しません"):
        validate(extraction, configuration, vault)
    assert not vault.has(FINDINGS)
