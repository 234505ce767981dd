"""The nine suites as they are shipped: every rule can be judged over its notice, and every check is used."""

import inspect
from typing import Any

import pytest
import yaml
from tests.builders import CONFIG
from tests.unit.validation.examples import a_rule

from notice_cycle.catalogue import Expectation, Suite, load_notice, notice_ids
from notice_cycle.errors import NotConfigured
from notice_cycle.validation.checks import ROW_CHECKS, WHOLE_CHECKS
from notice_cycle.validation.registry import CHECKS, refuse_unfit

LEAST = {
    "premium_notice_ordinary": 40, "premium_notice_special": 40, "premium_change_notice": 40,
    "provisional_notice": 20, "reminder": 20, "demand_notice": 20, "burden_certificate": 20,
    "support_program_notice": 20, "guide_booklet": 8,
}  # fmt: skip


def suite(notice: str) -> tuple[Expectation, ...]:
    content = (CONFIG / "expectations" / f"{notice}.yaml").read_text(encoding="utf-8")
    return Suite.model_validate(yaml.safe_load(content)).expectations


def test_every_notice_has_its_suite() -> None:
    assert set(LEAST) == set(notice_ids(CONFIG))


@pytest.mark.parametrize("notice", LEAST)
def test_a_suite_fits_the_items_of_its_notice(notice: str) -> None:
    rules, items = suite(notice), load_notice(CONFIG, notice).items
    refuse_unfit(rules, items, f"{notice}.yaml")
    assert len(rules) >= LEAST[notice]
    (types,) = (rule.arguments for rule in rules if rule.check == "column_types")
    assert sorted(item for typed in types.values() for item in typed) == sorted(items)
    (filled,) = (rule.arguments["columns"] for rule in rules if rule.check == "filled")
    assert set(items) - set(filled) <= {"lost_on"}


@pytest.mark.parametrize("notice", LEAST)
def test_every_rule_has_its_own_id_and_says_what_holds(notice: str) -> None:
    rules = suite(notice)
    assert len({rule.rule for rule in rules}) == len({rule.sentence_ja for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.rule[0].isupper() and rule.rule[1:].isdecimal(), rule.rule
        assert rule.requirement in {"R4", "R5", "R6", "R8", "R70", "R72"}, rule.rule


@pytest.mark.parametrize("notice", LEAST)
def test_the_totals_of_the_catalogue_are_controlled(notice: str) -> None:
    controlled = [rule.arguments["column"] for rule in suite(notice) if rule.check == "total_as_controlled"]
    assert controlled == [total.item for total in load_notice(CONFIG, notice).totals]


def test_one_rule_means_the_same_in_every_suite() -> None:
    checks: dict[str, set[str]] = {}
    for notice in LEAST:
        for rule in suite(notice):
            checks.setdefault(rule.rule, set()).add(rule.check)
    # A08: the booklet knows no kind of recipient. E12: a debit under way, an agreement: both a flag.
    assert {rule for rule, named in checks.items() if len(named) > 1} == {
        "A08",
        "W01",
        "W02",
        "W03",
        "W04",
        "W05",
    }


def test_every_check_is_used_by_some_suite() -> None:
    assert {rule.check for notice in LEAST for rule in suite(notice)} == CHECKS.keys()


# ---- the registry


@pytest.mark.parametrize("check", CHECKS)
def test_the_registry_names_the_arguments_of_the_function(check: str) -> None:
    parameters = inspect.signature({**ROW_CHECKS, **WHOLE_CHECKS}[check]).parameters
    taken = {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in parameters.items()
        if name not in {"rows", "facts"} and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    if check != "column_types":  # it takes what it is given by kind of column
        assert taken == {name: argument.required for name, argument in CHECKS[check].items()}


UNFIT: dict[str, tuple[Expectation, str]] = {
    "unknown check": (a_rule("fine"), "fine という検査はありません"),
    "unknown argument": (a_rule("postcode", column="a", colour="red"), "引数 colour は検査 postcode にありません"),
    "missing argument": (a_rule("digits", column="a"), "引数 length がありません"),
    "unknown item": (a_rule("postcode", column="b"), "項目 b が通知書の items にありません"),
    "unknown items": (a_rule("no_negative", columns=["a", "c", "b"]), "項目 b, c が"),
    "number as text": (a_rule("digits", column="a", length="7"), "引数 length は整数にしてください"),
    "flag for a number": (a_rule("digits", column="a", length=True), "引数 length は整数にしてください"),
    "text for items": (a_rule("no_negative", columns="a"), "引数 columns は項目名の並びにしてください"),
    "no items": (a_rule("no_negative", columns=[]), "引数 columns は項目名の並びにしてください"),
    "broken pattern": (a_rule("matches", column="a", pattern="("), "引数 pattern は正規表現にしてください"),
    "no flag": (a_rule("flag_is", column="a", value="no"), "引数 value は真偽"),
    "no table": (a_rule("suffix_fits", kind="a", suffix="a", allowed=["様"]), "引数 allowed は区分ごと"),
    "unknown collection": (
        a_rule("only_months_in_table", columns=["a"], collection="both"), "ordinary か special",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", UNFIT)
def test_a_rule_that_cannot_be_judged_is_refused_with_file_rule_and_remedy(what: str) -> None:
    rule, reason = UNFIT[what]
    with pytest.raises(NotConfigured) as caught:
        refuse_unfit([a_rule("postcode", rule="X00", column="a"), rule], ("a",), "reminder.yaml")
    assert caught.value.message.startswith("expectations/reminder.yaml: 規則 X01 を判定できません")
    assert reason in caught.value.message
    assert "reminder.yaml の規則 X01" in caught.value.advice


def test_a_rule_kept_in_the_ledger_fits_as_one_just_loaded() -> None:
    kept: Any = a_rule("suffix_fits", kind="a", suffix="a", allowed={"self": ["様"]}).model_dump(mode="json")
    refuse_unfit([Expectation.model_validate(kept)], ("a",), "x.yaml")
