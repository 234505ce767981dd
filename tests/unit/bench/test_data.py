"""The benchmark compares like with like: the same verdicts on bad data, the same bytes, and tables that say so.

No time is ever a test.
"""

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from bench import data, naive, product
from bench.case import Case
from bench.measure import Figures, Stopwatch
from bench.naive_checks import TRANSLATED, Naive, outcomes
from bench.tables import table_of, targets_of
from bench.wards import ORDINARY, SPECIAL, put_up, ward_for
from tests.conftest import a_database

from notice_cycle.catalogue import resolve
from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.extraction.extract import extract
from notice_cycle.validation.validate import validate
from notice_cycle.vault import Vault
from synthetic_ward import Ward, build_ward
from synthetic_ward.defects import DEFECTS
from synthetic_ward.planting import Offered, RowDefect, agreeing, offered

NOTICES = (ORDINARY, SPECIAL)


@pytest.fixture(autouse=True)
def _object_columns() -> Iterator[None]:
    """As the naive pipeline sets them in its own process."""
    with pytest.warns(DeprecationWarning), pd.option_context("future.infer_string", False):
        yield


@pytest.fixture
def case(postgres: str, tmp_path: Path) -> Callable[[str], Case]:
    """A small ward, loaded: `case(notice)`."""
    return lambda notice: put_up(ward_for(notice, 400), notice, tmp_path, a_database(postgres))


def both(case: Case) -> Case:
    """Both pipelines up to the print file."""
    for stage in (product.extract, product.validate, product.compose):
        stage(case)
    frame = naive.extract(case)
    case.tell("naive_verdicts.json", naive.validate(case, frame))
    path = naive.compose(case, frame, naive.read(case, "difference"))
    case.tell("naive_digest.json", naive.encrypt(path))
    return case


@pytest.mark.parametrize("notice", NOTICES)
def test_both_pipelines_make_the_same_print_file(case: Callable[[str], Case], notice: str) -> None:
    made = both(case(notice))
    data.refuse_difference(made)
    composition = made.told("composition.json")
    assert composition["corrected"] and composition["excluded"].keys() == {"death", "moved_out"}
    if notice == ORDINARY:
        assert composition["quantities"]["envelopes"] < composition["quantities"]["sheets"]


def test_another_verdict_or_another_byte_ends_the_comparison(case: Callable[[str], Case]) -> None:
    made = both(case(SPECIAL))
    right = made.told("naive_verdicts.json")
    made.tell("naive_verdicts.json", right | {"P01": 1})
    with pytest.raises(data.NotTheSame, match="different verdicts: P01"):
        data.refuse_difference(made)
    made.tell("naive_verdicts.json", right)
    made.tell("naive_digest.json", "0" * 64)
    with pytest.raises(data.NotTheSame, match="different print files"):
        data.refuse_difference(made)


# ---- verdicts on bad data


@pytest.fixture(scope="module")
def ward() -> Ward:
    return build_ward(2_000)


@pytest.mark.parametrize("notice", NOTICES)
def test_every_check_of_the_suite_is_translated(notice: str) -> None:
    rules = resolve(naive_config(), notice, 2026).expectations
    assert {one.check for one in rules} <= TRANSLATED


@pytest.mark.parametrize("notice", NOTICES)
def test_bad_data_breaks_the_same_rules_as_often(ward: Ward, tmp_path: Path, notice: str) -> None:
    bad = spoilt(with_defects(offered(ward, notice)))
    judged = as_judged(bad, tmp_path)
    assert judged == as_judged_naively(bad)
    assert sum(broken > 0 for broken in judged.values()) > len(judged) // 2


def with_defects(clean: Offered) -> Offered:
    """One batch with every planted defect of its notice that the rules should find and that leaves no null."""
    bad = clean
    for number, defect in enumerate(DEFECTS):
        if not isinstance(defect, RowDefect) or defect.notice != clean.notice or not defect.expected_rules:
            continue
        if not defect.batch and defect.id != "null-address":
            bad = defect.plant(bad, np.random.default_rng(number)).offered
    return bad


def spoilt(clean: Offered) -> Offered:
    """Every column wrong in some rows: amounts, days and flags moved, texts longer by what does not belong there."""
    draw = random.Random(1)
    rows = clean.rows.to_pylist()
    for item in clean.rows.column_names:
        for row in draw.sample(rows, 30):
            row[item] = _other(row[item], draw)
    return agreeing(clean, pa.Table.from_pylist(rows, schema=clean.rows.schema))


def _other(value: Any, draw: random.Random) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + draw.choice([-20_000, -100, -1, 1, 50, 100])
        case str():
            return value + draw.choice(["1", " ", "\u3000", "ｱ", "\n", "\ue000", "髙", "長" * 40])
        case date():
            return value + timedelta(days=draw.choice([-4000, -31, -1, 1, 365, 4000]))
        case None:
            return date(2026, 5, 31)


def as_judged(bad: Offered, folder: Path) -> dict[str, int]:
    configuration = resolve(naive_config(), bad.notice, 2026)
    vault = Vault(folder, KeyEncryptionKey(bytes(32))).cycle("2026")
    vault.create()
    rows = bad.rows.to_reader(max_chunksize=300)
    record = extract(bad.control, rows, configuration.notice, vault, small_total_key=b"key")
    validated = validate(record, configuration, vault, siblings=bad.siblings)
    return {rule.rule: rule.broken for rule in validated.rules}


def as_judged_naively(bad: Offered) -> dict[str, int]:
    frame = pd.DataFrame({item: as_read(bad.rows[item]) for item in bad.rows.column_names})
    return outcomes(Naive(frame, resolve(naive_config(), bad.notice, 2026), bad.control, bad.siblings))


def as_read(column: pa.ChunkedArray) -> Any:
    """A column as pandas.read_sql gives it."""
    plain = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
    return column.to_numpy() if plain else pd.Series(column.to_pylist(), dtype=object)


def naive_config() -> Path:
    return Path(data.__file__).parents[1] / "include" / "config"


# ---- measuring and telling


def test_the_peak_of_a_lap_is_its_own() -> None:
    watch = Stopwatch()
    with watch.lap("much"):
        held = bytearray(200_000_000)
        held[::4096] = b"x" * len(held[::4096])
        del held
    with watch.lap("little"):
        pass
    assert watch.laps["much"].peak_mb - watch.laps["little"].peak_mb > 150
    assert watch.laps["much"].cpu_s >= 0


def a_run(rows: int, *, cpu_s: float, naive_cpu_s: float | None, peak_mb: int = 500) -> dict[str, Any]:
    """A run in which every stage of a pipeline took the same."""
    took = {"cpu_s": cpu_s, "wall_s": 2 * cpu_s, "peak_mb": peak_mb}
    mine = {name: took for stage in product.STAGES for name in (stage, f"{stage}: imports")}
    theirs = {name: took | {"cpu_s": naive_cpu_s} for name in ("imports", "configuration", *product.STAGES)}
    known = {"notice": "n", "persons": rows, "rows": rows, "rules": 70, "envelopes": rows, "print_file_mb": 9}
    return known | {"load_average": [1.0, 2.0], "product": mine, "naive": theirs if naive_cpu_s else {}}


def test_a_table_tells_each_stage_and_all_of_them() -> None:
    table = table_of(a_run(70_000, cpu_s=1, naive_cpu_s=5))
    lines = {line.split()[0]: line.split()[1:] for line in table.splitlines()[3:]}
    assert lines["compose"] == ["1.00", "5.00", "5.0x", "2.0", "2.0", "500", "500"]
    assert lines["work"] == ["4.00", "20.00", "5.0x", "8.0", "8.0", "500", "500"]
    assert lines["imports"][:3] == ["4.00", "10.00", "2.5x"]
    alone = table_of(a_run(70_000, cpu_s=1, naive_cpu_s=None)).splitlines()
    assert alone[-2].split() == ["work", "4.00", "8.0", "500"]


def test_targets_are_told_with_yes_or_no() -> None:
    runs = [a_run(70_000, cpu_s=1, naive_cpu_s=9), a_run(1_000_000, cpu_s=10, naive_cpu_s=45, peak_mb=1_200)]
    told = {one["target"]: one["reached"] for one in targets_of(runs)}
    assert told == {
        "1,000,000 rows under 1 GB": "no",
        "70,000 rows under 10 s of wall": "yes",
        "4x less CPU, in all": "yes",
        "4x less CPU, extract": "yes",
        "5x less CPU, compose": "no",
        "growth at most linear": "yes",
    }


def test_a_sum_of_figures_has_the_highest_peak() -> None:
    assert Figures(1, 2, 300) + Figures(3, 4, 200) == Figures(4, 6, 300)
