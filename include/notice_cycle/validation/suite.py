"""Running a suite of expectations with Great Expectations, and telling its outcome in counts.

Great Expectations is imported here, inside the task, because it costs seconds. It is asked for counts and
row numbers only; values never leave the frame. A rule that could not be judged is an error of the rule,
never "bad data".
"""

import os
from collections.abc import Sequence
from typing import Any, cast

import pandas as pd

from notice_cycle.catalogue import Expectation
from notice_cycle.errors import NotConfigured
from notice_cycle.records import RuleOutcome

_COUNTS_AND_ROW_NUMBERS = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["row_no"],
    "partial_unexpected_count": 0,
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


class JudgedRule(RuleOutcome):
    """An outcome with the row numbers that broke the rule (positions in the staged artefact)."""

    broken_rows: tuple[int, ...]

    def outcome(self) -> RuleOutcome:
        """The part that may leave the vault."""
        return RuleOutcome.model_validate(self.model_dump(exclude={"broken_rows"}))


def judge(rows: pd.DataFrame, expectations: Sequence[Expectation]) -> list[JudgedRule]:
    """Judges every rule over the frame (with its derived columns). Raises NotConfigured on a broken rule."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    batch = (
        context.data_sources.add_pandas("staged")
        .add_dataframe_asset("rows")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": rows})
    )
    suite = gx.ExpectationSuite(name="suite", expectations=[_expectation(gx, one) for one in expectations])
    results = batch.validate(suite, result_format=_COUNTS_AND_ROW_NUMBERS)
    by_rule: dict[str, Any] = {
        cast(Any, result).expectation_config.meta["rule"]: result for result in results.results
    }
    return [_judged(one, by_rule[one.rule], len(rows)) for one in expectations]


def _expectation(gx: Any, one: Expectation) -> Any:
    kind = getattr(gx.expectations, one.expect, None)
    if not (isinstance(kind, type) and issubclass(kind, gx.expectations.Expectation)):
        raise NotConfigured(
            f"規則 {one.rule}: {one.expect} という検査はありません。",
            advice="expectations の expect を確認してください。",
        )
    try:
        return kind(**one.arguments, meta={"rule": one.rule})
    except (TypeError, ValueError):  # Great Expectations names arguments in English, and no officer is helped
        raise _cannot_judge(one) from None


def _judged(one: Expectation, result: Any, rows: int) -> JudgedRule:
    raised = result.exception_info
    if raised.get("raised_exception") or any(
        isinstance(part, dict) and part.get("raised_exception") for part in raised.values()
    ):
        raise _cannot_judge(one)
    found = result.result
    broken = found.get("unexpected_count", 0 if result.success else rows)
    return JudgedRule(
        rule=one.rule,
        sentence_ja=one.sentence_ja,
        severity=one.severity,
        requirement=one.requirement,
        checked=found.get("element_count", rows),
        broken=int(broken),
        allowed=one.allowed,
        # Without values the index list is one mapping from column to row numbers, not one mapping a row.
        broken_rows=tuple(
            int(row) for named in found.get("unexpected_index_list") or () for row in named["row_no"]
        ),
    )


def _cannot_judge(one: Expectation) -> NotConfigured:
    return NotConfigured(
        f"規則 {one.rule} を判定できませんでした（データの誤りではなく、規則の誤りです）。",
        advice="expectations の arguments（列名など）を確認してください。",
    )
