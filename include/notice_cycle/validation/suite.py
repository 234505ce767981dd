"""Judging a suite with Great Expectations over a table of verdicts, so that no personal value ever reaches it.

The table has a row a batch and a column a rule, holding how many rows of the batch broke the rule, and a last
row for what was found over the whole. Each rule is one expectation on its column. A verdict that Great
Expectations cannot give is a fault of the rule, never "bad data".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from notice_cycle.catalogue import Expectation
from notice_cycle.errors import NotConfigured
from notice_cycle.records import RuleOutcome


@dataclass(frozen=True)
class Verdict:
    """How many rows (or totals, or shares) were looked at, and how many of each batch broke the rule."""

    checked: int
    broken: Sequence[int]


def judge(rules: Sequence[Expectation], verdicts: Mapping[str, Verdict]) -> list[RuleOutcome]:
    """The outcome of every rule, in the order of the suite. Raises NotConfigured for one that cannot be judged."""
    import great_expectations as gx

    from notice_cycle.validation.expectation import ExpectRuleToBeKept

    table = pd.DataFrame({rule: verdict.broken for rule, verdict in verdicts.items()}, dtype="int64")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    batch = (
        context.data_sources.add_pandas("verdicts")
        .add_dataframe_asset("table")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": table})
    )
    expectations: list[Any] = [
        ExpectRuleToBeKept(
            column=one.rule,
            max_value=allowed(one, verdicts[one.rule].checked),
            meta=one.model_dump(include={"rule", "sentence_ja", "severity", "requirement"}),
        )
        for one in rules
    ]
    judged = batch.validate(
        gx.ExpectationSuite(name="rules", expectations=expectations), result_format="BASIC"
    )
    results = {cast(Any, result).expectation_config.meta["rule"]: result for result in judged.results}
    return [_outcome(one, verdicts[one.rule].checked, results[one.rule]) for one in rules]


def allowed(rule: Expectation, checked: int) -> int:
    """How many may break the rule: its tolerance, or so many per cent of those looked at, rounded down."""
    return rule.tolerance if rule.tolerance_percent is None else checked * rule.tolerance_percent // 100


def cannot_judge(rule: str, reason: str) -> NotConfigured:
    """A broken check, told apart from bad data."""
    return NotConfigured(
        f"規則 {rule} を判定できませんでした（データの誤りではなく、規則の誤りです: {reason}）。",
        advice="expectations の check と arguments（項目名など）を直し、取下げて開始し直してください。",
    )


def _outcome(one: Expectation, checked: int, result: Any) -> RuleOutcome:
    broken = result.result.get("observed_value")
    if broken is None:
        raise cannot_judge(one.rule, "判定の結果がありません")
    outcome = RuleOutcome(
        rule=one.rule,
        sentence_ja=one.sentence_ja,
        severity=one.severity,
        requirement=one.requirement,
        checked=checked,
        broken=int(broken),
        allowed=allowed(one, checked),
    )
    if outcome.holds != result.success:
        raise cannot_judge(one.rule, "件数と判定が食い違っています")
    return outcome
