"""Each planted defect stands where it says and nowhere else, and is found by whoever should find it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from notice_cycle.catalogue import Configuration, FileDrop, load_notice, resolve
from notice_cycle.composition.envelopes import ADDRESSEE, SURNAME, bundled, surnames
from notice_cycle.errors import NoticeCycleError
from notice_cycle.extraction import file_drop
from notice_cycle.extraction.extract import extract
from notice_cycle.extraction.source import Batch
from notice_cycle.validation.facts import Circumstances, Facts
from notice_cycle.validation.suite import allowed
from notice_cycle.validation.validate import Examined, examine
from notice_cycle.vault import CycleVault
from synthetic_ward import DROPPED, NOTICE_ITEMS, Ward, batch_of, build_ward
from synthetic_ward.defects import DEFECTS
from synthetic_ward.defects_table import DOCUMENT, document
from synthetic_ward.drops import write_drop
from synthetic_ward.planting import DropDefect, Offered, Planted, RowDefect, offered

CONFIG = Path(__file__).parents[3] / "include" / "config"
IN_ROWS = [defect for defect in DEFECTS if isinstance(defect, RowDefect)]
IN_FILES = [defect for defect in DEFECTS if isinstance(defect, DropDefect)]
BY_STAGE: dict[str, list[RowDefect]] = {
    stage: [defect for defect in IN_ROWS if defect.found_by == stage]
    for stage in ("extraction", "validation", "composition")
}


def each(defects: list) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("defect", defects, ids=lambda defect: defect.id)


@pytest.fixture(scope="module")
def ward() -> Ward:
    return build_ward()


@pytest.fixture(scope="module")
def small() -> Ward:
    return build_ward(3_000, seed=11)


@pytest.fixture(scope="module")
def clean(ward: Ward) -> Callable[[RowDefect], Offered]:
    kept: dict[tuple[str, str], Offered] = {}

    def of(defect: RowDefect) -> Offered:
        key = (defect.notice, defect.batch_no(ward.fiscal_year))
        if key not in kept:
            kept[key] = offered(ward, *key)
        return kept[key]

    return of


def planted(defect: RowDefect, clean: Offered) -> Planted:
    return defect.plant(clean, np.random.default_rng(sum(defect.id.encode())))


def examined(configuration: Configuration, this: Offered) -> Examined:
    facts = Facts(
        premiums=configuration.premiums,
        due_on=configuration.due_on,
        items=configuration.notice.items,
        circumstances=Circumstances.model_validate(this.control.model_dump()),
        annual=not this.batch_no.endswith("supplementary"),
        charset=configuration.layout.charset,
        siblings=np.unique(np.array(this.siblings, dtype=np.int64)),
    )
    return examine(
        this.rows.combine_chunks().to_batches(max_chunksize=20_000), configuration.expectations, facts
    )


def broken(configuration: Configuration, found: Examined) -> set[str]:
    return {
        rule.rule
        for rule in configuration.expectations
        if sum(found.verdicts[rule.rule].broken) > allowed(rule, found.verdicts[rule.rule].checked)
    }


def test_there_are_enough_defects_and_each_has_its_own_name() -> None:
    assert len({defect.id for defect in DEFECTS}) == len(DEFECTS) >= 50
    assert len({defect.title_ja for defect in DEFECTS}) == len(DEFECTS)
    incidents = ("kasama-2021", "satsumasendai-2025", "hiratsuka-2008", "yoshioka-2025", "sapporo-2023")
    for name in (*incidents, "iga-2022", "konan-2025"):
        assert any(defect.id.startswith(name) for defect in DEFECTS), name
    assert {defect.notice for defect in DEFECTS} == set(NOTICE_ITEMS)


@each(BY_STAGE["validation"])
def test_a_defect_is_found_by_its_rules_at_its_row(
    defect: RowDefect, clean: Callable[[RowDefect], Offered]
) -> None:
    configuration = resolve(CONFIG, defect.notice, 2026)
    made = planted(defect, clean(defect))
    found = examined(configuration, made.offered)
    assert defect.expected_rules
    assert set(defect.expected_rules) <= broken(configuration, found)
    for rule in defect.expected_rules:
        if rule in found.row_numbers:
            assert set(made.rows) <= set(found.row_numbers[rule])


@pytest.mark.parametrize("notice", NOTICE_ITEMS)
def test_a_clean_ward_raises_nothing(ward: Ward, notice: str) -> None:
    configuration = resolve(CONFIG, notice, 2026)
    for batch in np.unique(ward.notice(notice)["batch_no"]).tolist():
        found = examined(configuration, offered(ward, notice, batch))
        assert broken(configuration, found) == set()


@each(IN_ROWS)
def test_a_defect_stands_in_its_rows_and_nowhere_else(defect: RowDefect, small: Ward) -> None:
    before = offered(small, defect.notice, defect.batch_no(small.fiscal_year))
    made = planted(defect, before)
    after = made.offered
    assert (after.notice, after.batch_no, after.siblings) == (before.notice, before.batch_no, before.siblings)
    same_columns = after.rows.column_names == before.rows.column_names
    if same_columns and len(after.rows) == len(before.rows):
        assert changed_rows(before.rows, after.rows) == set(made.rows)
        if "drift" not in defect.id:
            assert len(made.rows) <= 1
    else:
        assert abs(len(after.rows) - len(before.rows)) + (not same_columns) == 1
    assert after.rows.num_rows == before.rows.num_rows or same_columns
    if defect.found_by != "extraction" and made.rows:
        agreed = {item: pc.sum(after.rows[item]).as_py() for item in after.control.amounts}
        assert after.control == before.control.model_copy(update={"amounts": agreed})


def changed_rows(before: pa.Table, after: pa.Table) -> set[int]:
    assert before.schema == after.schema
    found: set[int] = set()
    for item in before.column_names:
        one, other = before[item].combine_chunks(), after[item].combine_chunks()
        equal = pc.fill_null(pc.equal(one, other), False)
        both_null = pc.and_(one.is_null(), other.is_null())
        found |= set(pc.indices_nonzero(pc.invert(pc.or_(equal, both_null))).to_pylist())
    return found


@each(IN_ROWS)
def test_a_defect_is_planted_the_same_way_again(defect: RowDefect, small: Ward) -> None:
    before = offered(small, defect.notice, defect.batch_no(small.fiscal_year))
    first, again = planted(defect, before), planted(defect, before)
    assert first.rows == again.rows
    assert first.offered.rows.equals(again.offered.rows)
    assert first.offered.control == again.offered.control


@each(BY_STAGE["extraction"])
def test_a_defect_of_the_source_is_refused_by_the_extraction(
    defect: RowDefect, small: Ward, vault: CycleVault
) -> None:
    before = offered(small, defect.notice, defect.batch_no(small.fiscal_year))
    extracted(before, vault)
    with pytest.raises(NoticeCycleError):
        extracted(planted(defect, before).offered, vault)


def extracted(this: Offered, vault: CycleVault) -> None:
    notice = load_notice(CONFIG, this.notice)
    extract(this.control, this.rows.to_reader(), notice, vault, small_total_key=bytes(32))


@each(BY_STAGE["composition"])
def test_a_defect_of_bundling_is_listed_for_a_person(defect: RowDefect, small: Ward) -> None:
    before = offered(small, defect.notice, defect.batch_no(small.fiscal_year))
    made = planted(defect, before)
    assert not ambiguous(before)
    (rows,) = ambiguous(made.offered)
    assert set(made.rows) <= set(rows)


def ambiguous(this: Offered) -> list[list[int]]:
    rows = this.rows.combine_chunks()
    consent = rows["share_envelope"].combine_chunks()
    addressee = {item: rows[item].combine_chunks() for item in ADDRESSEE}
    addressee[SURNAME] = surnames(addressee["recipient_name"], consent)
    found = bundled(addressee, rows["recipient_id"].combine_chunks(), consent.to_numpy(zero_copy_only=False))
    return [group.tolist() for group in found.ambiguous]


@each(IN_FILES)
def test_a_defect_of_a_file_is_refused_before_anything_is_kept(
    defect: DropDefect, small: Ward, tmp_path: Path, vault: CycleVault
) -> None:
    assert defect.notice in DROPPED
    drop = load_notice(CONFIG, defect.notice).source
    assert isinstance(drop, FileDrop)
    control = write_drop(small, tmp_path, defect.notice, drop)
    read_into(vault, small, tmp_path, defect.notice)
    defect.spoil(control.with_suffix(".dat" if drop.is_fixed_length else ".csv"), control)
    with pytest.raises(NoticeCycleError):
        read_into(vault, small, tmp_path, defect.notice)


def read_into(vault: CycleVault, ward: Ward, root: Path, name: str) -> None:
    notice, batch = load_notice(CONFIG, name), batch_of(name, 2026)
    assert isinstance(notice.source, FileDrop)
    now = ward.control(name, batch).as_of + timedelta(hours=12)
    with file_drop.reading(root, notice.source, notice, Batch.parse(batch), now=now) as (control, rows):
        extract(control, rows, notice, vault, small_total_key=bytes(32))


def test_what_is_planted_leaves_the_clean_batch_as_it_was(small: Ward) -> None:
    before = offered(small, "reminder")
    kept = replace(before, rows=before.rows.slice(0))
    for defect in (defect for defect in IN_ROWS if defect.notice == "reminder"):
        planted(defect, before)
    assert before.rows.equals(kept.rows)
    assert before.control == kept.control


def test_the_table_in_the_documents_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "python -m synthetic_ward.defects_table"
