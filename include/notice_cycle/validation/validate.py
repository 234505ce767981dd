"""Validating a staged extraction: every rule judged batch after batch, the outcome told without personal data.

Memory holds one batch and a few numbers a row. The row numbers behind a finding stay in the vault
(`findings.json`), at most ten thousand a rule; the record holds counts only. Refuses staged rows that are not
the ones the record names. Broken rules are told, not raised: the section decides (form 検証確認).
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from notice_cycle.catalogue import OTHERS, Configuration, Expectation, Notice
from notice_cycle.errors import Altered
from notice_cycle.records import SMALL_CYCLE, ExtractionRecord, ValidationRecord
from notice_cycle.validation.checks import ROW_CHECKS, WHOLE_CHECKS
from notice_cycle.validation.checks.whole import count_by_value
from notice_cycle.validation.facts import Circumstances, Facts, Numbers
from notice_cycle.validation.registry import unfit
from notice_cycle.validation.rows import Flags, Rows, UnfitColumn
from notice_cycle.validation.suite import Verdict, cannot_judge, judge
from notice_cycle.values import Digest, blocks, sha256_of_chunks
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import CIRCUMSTANCES, FINDINGS, STAGED

KEPT_ROW_NUMBERS = 10_000
_NUMBER_DIGITS = 10


def validate(
    extraction: ExtractionRecord,
    configuration: Configuration,
    vault: CycleVault,
    *,
    siblings: Iterable[int] = (),
    annual: bool = True,
) -> ValidationRecord:
    """Judges the staged rows. `siblings`: insured numbers with a decision of the same group in other cycles.

    `annual`: the yearly run, which is compared with the population and with last year.
    """
    _is_whole(CIRCUMSTANCES, extraction.circumstances.sha256, vault)
    with vault.reading(CIRCUMSTANCES) as source:
        circumstances = Circumstances.model_validate_json(source.read())
    facts = Facts(
        premiums=configuration.premiums,
        due_on=configuration.due_on,
        insured_number_rule=configuration.insured_number_rule,
        items=configuration.notice.items,
        circumstances=circumstances,
        annual=annual,
        charset=configuration.layout.charset,
        agreed_characters=frozenset("".join(entry.original for entry in configuration.gaiji.entries)),
        siblings=np.fromiter(siblings, dtype=np.int64),
    )
    with staged_batches(extraction, vault) as batches:
        examined = examine(batches, configuration.expectations, facts, configuration.notice.distributions)
    with vault.writing(FINDINGS) as artefact:
        artefact.buffer.write(json.dumps(examined.row_numbers).encode())
    counts, last_year = told(examined.counts, circumstances.last_year)
    return ValidationRecord(
        staging_sha256=extraction.staging.sha256,
        rules=tuple(judge(configuration.expectations, examined.verdicts)),
        counts=counts,
        last_year=last_year,
        last_year_of=circumstances.last_year_of,
    )


# ---- the staged rows


@contextmanager
def staged_batches(extraction: ExtractionRecord, vault: CycleVault) -> Iterator[Iterator[pa.RecordBatch]]:
    """The staged rows, batch by batch. Raises Altered when they are not the ones the record names."""
    _is_whole(STAGED, extraction.staging.sha256, vault)
    with vault.reading(STAGED) as source:
        yield iter(ipc.open_stream(source))


def _is_whole(name: str, promised: Digest, vault: CycleVault) -> None:
    with vault.reading(name) as source:
        digest, _ = sha256_of_chunks(blocks(source))
    if digest != promised:
        raise Altered(
            "抽出データが、抽出の記録と一致しません。",
            advice="抽出をやり直してください（やり直しの記録が要ります）。",
        )


def decided_numbers(extraction: ExtractionRecord, notice: Notice, vault: CycleVault) -> Numbers:
    """The subjects of a cycle as numbers: what a sibling's validation takes as `siblings`."""
    with staged_batches(extraction, vault) as batches:
        found = [Rows(batch).digits(notice.subject, _NUMBER_DIGITS) for batch in batches if batch.num_rows]
    return np.concatenate([each.number[each.well_formed] for each in found] or [np.empty(0, dtype=np.int64)])


def affected(
    extraction: ExtractionRecord, notice: Notice, vault: CycleVault
) -> dict[str, list[tuple[str, str]]]:
    """Whom each finding concerns: rule → notice number and subject. For the print tray only, never for a log.

    At most ten thousand a rule; none for a rule over the whole.
    """
    with vault.reading(FINDINGS) as source:
        rules: dict[str, list[int]] = json.loads(source.read())
    wanted = np.array(sorted({row for rows in rules.values() for row in rows}), dtype=np.int64)
    named: dict[int, tuple[str, str]] = {}
    with staged_batches(extraction, vault) as batches:
        first_row = 0
        for batch in batches:
            here = wanted[(wanted >= first_row) & (wanted < first_row + batch.num_rows)]
            few = batch.select(["notice_no", notice.subject]).take(pa.array(here - first_row))
            pairs = zip(*(column.to_pylist() for column in few.columns), strict=True)
            named |= {
                row: (number or "", subject or "")
                for row, (number, subject) in zip(here.tolist(), pairs, strict=True)
            }
            first_row += batch.num_rows
    return {rule: [named[row] for row in rows] for rule, rows in rules.items()}


# ---- examining them


@dataclass(frozen=True)
class Examined:
    """What was found: verdicts by rule, the first row numbers of what broke a rule, persons by item and value."""

    verdicts: dict[str, Verdict]
    row_numbers: dict[str, list[int]]
    counts: dict[str, dict[str, int]]


def examine(
    batches: Iterable[pa.RecordBatch],
    rules: Sequence[Expectation],
    facts: Facts,
    distributions: Sequence[str] = (),
) -> Examined:
    """Every rule over every batch, in one pass. Raises NotConfigured for a rule that cannot be judged."""
    judges = [_judge_of(rule, facts) for rule in rules]
    counts: dict[str, Counter[str]] = {item: Counter() for item in distributions}
    ends = [0]
    for batch in batches:
        if not batch.num_rows:
            continue
        rows = Rows(batch, first_row=ends[-1])
        for each in judges:
            each.see(rows)
        for item, counted in counts.items():
            counted.update(count_by_value(rows, item))
        ends.append(ends[-1] + len(rows))
    judged = {each.rule: each.verdict(ends[1:]) for each in judges}
    return Examined(
        verdicts={rule: verdict for rule, (verdict, _) in judged.items()},
        row_numbers={rule: rows for rule, (_, rows) in judged.items() if rows},
        counts={item: dict(counted) for item, counted in counts.items()},
    )


def _judge_of(rule: Expectation, facts: Facts) -> "_RowJudge | _WholeJudge":
    if reason := unfit(rule, frozenset(facts.items)):
        raise cannot_judge(rule.rule, reason)
    return (_RowJudge if rule.check in ROW_CHECKS else _WholeJudge)(rule, facts)


@contextmanager
def _telling_broken_checks(rule: str) -> Iterator[None]:
    try:
        yield
    except UnfitColumn as unfitting:
        raise cannot_judge(rule, str(unfitting)) from None
    except Exception as broken:  # its text may hold values, so only its kind is told
        raise cannot_judge(rule, f"検査が {type(broken).__name__} で止まりました") from None


class _RowJudge:
    """One rule whose check looks at each row by itself."""

    def __init__(self, rule: Expectation, facts: Facts) -> None:
        self.rule, self._facts = rule.rule, facts
        self._check, self._arguments = ROW_CHECKS[rule.check], rule.arguments
        self._checked, self._broken, self._row_numbers = 0, list[int](), list[int]()

    def see(self, rows: Rows) -> None:
        """Counts the rows of a batch that break the rule, and notes the first of them."""
        rows.forget()
        with _telling_broken_checks(self.rule):
            broken = ~_flags(self._check(rows, self._facts, **self._arguments))
        if (incomplete := rows.incomplete()) is not None:
            broken |= incomplete
        self._checked += len(rows)
        self._broken.append(int(np.count_nonzero(broken)))
        if self._broken[-1] and (room := KEPT_ROW_NUMBERS - len(self._row_numbers)) > 0:
            self._row_numbers += (np.flatnonzero(broken)[:room] + rows.first_row).tolist()

    def verdict(self, ends: Sequence[int]) -> tuple[Verdict, list[int]]:
        """The counts by batch, and the rows."""
        return Verdict(self._checked, [*self._broken, 0]), self._row_numbers


class _WholeJudge:
    """One rule whose check looks at all rows together."""

    def __init__(self, rule: Expectation, facts: Facts) -> None:
        self.rule = rule.rule
        self._check = WHOLE_CHECKS[rule.check](facts, **rule.arguments)

    def see(self, rows: Rows) -> None:
        """Lets the check take note of a batch."""
        with _telling_broken_checks(self.rule):
            self._check.see(rows)

    def verdict(self, ends: Sequence[int]) -> tuple[Verdict, list[int]]:
        """The counts by batch, last what was found besides rows, and the rows."""
        with _telling_broken_checks(self.rule):
            found = self._check.found()
        by_batch = np.bincount(np.searchsorted(ends, found.rows, side="right"), minlength=len(ends))
        kept: list[int] = found.rows[:KEPT_ROW_NUMBERS].tolist()
        return Verdict(found.checked, [*by_batch.tolist(), found.besides]), kept


def _flags(kept: Any) -> Flags:
    flags: Flags = kept.to_numpy(zero_copy_only=False) if isinstance(kept, pa.Array) else kept
    return flags


# ---- what is told of the distributions


def told(
    counts: Mapping[str, Mapping[str, int]], last_year: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """This year's and last year's persons by item and value, as they may leave the vault.

    A value of fewer than ten persons, in either year, is counted among the others; were these still fewer than
    ten, the next smallest value goes with them. Of fewer than ten persons in all nothing is told.
    """
    now: dict[str, dict[str, int]] = {}
    then: dict[str, dict[str, int]] = {}
    for item, this_year in counts.items():
        now[item], then[item] = _without_small(this_year, last_year.get(item, {}))
    return now, {item: counted for item, counted in then.items() if counted}


def _without_small(now: Mapping[str, int], last: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    if 0 < sum(last.values()) < SMALL_CYCLE:
        last = {}
    if sum(now.values()) < SMALL_CYCLE:
        return {}, {}
    years = [year for year in (now, last) if year]
    by_size = sorted({*now, *last}, key=lambda value: (min(_size(year, value) for year in years), value))
    hidden: list[str] = []
    for value in by_size:
        small = any(0 < year.get(value, 0) < SMALL_CYCLE for year in years)
        too_few = any(0 < sum(year.get(each, 0) for each in hidden) < SMALL_CYCLE for year in years)
        if small or too_few:
            hidden.append(value)
    return _folded(now, hidden), _folded(last, hidden)


def _size(year: Mapping[str, int], value: str) -> int:
    """Persons of a value; nobody is nobody's secret, so nought sorts last."""
    return year.get(value, 0) or sum(year.values()) + 1


def _folded(year: Mapping[str, int], hidden: Sequence[str]) -> dict[str, int]:
    told = {value: year[value] for value in sorted(year, key=_in_order) if value not in hidden}
    others = sum(year.get(value, 0) for value in hidden)
    return told | ({OTHERS: others} if others else {})


def _in_order(value: str) -> tuple[int, str]:
    return (int(value), "") if value.isdecimal() else (0, value)
