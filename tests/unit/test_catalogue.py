"""The catalogue: each kind of mistake gives a Japanese sentence that names file, key and remedy."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.builders import CONFIG, NOTICE

from notice_cycle.catalogue import FORBIDDEN_ITEMS, load_notice, mistakes, notice_ids, resolve
from notice_cycle.errors import NotConfigured

LAYOUT, SUITE = f"layouts/{NOTICE}-2.yaml", f"expectations/{NOTICE}.yaml"
ENTRY, PARTIES = f"notices/{NOTICE}.yaml", "parties.yaml"
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龠]")
PYDANTIC = re.compile(
    r"(?i)input should|field required|extra inputs|unable to parse|value error|string should"
)

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of the sample configuration with this notice and a second one of the same form."""
    folder = tmp_path / "config"
    shutil.copytree(CONFIG, folder, ignore=shutil.ignore_patterns("documents"))
    for other in notice_ids(CONFIG):
        if other != NOTICE:
            (folder / "notices" / f"{other}.yaml").unlink()
    shutil.copy(folder / ENTRY, folder / "notices" / "another_notice.yaml")
    return folder


def changed(config: Path, name: str, change: Change) -> Path:
    path = config / name
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def mistake(config: Path) -> NotConfigured:
    with pytest.raises(NotConfigured) as caught:
        resolve(config, NOTICE, 2026)
    told = caught.value
    assert JAPANESE.search(told.message)
    assert JAPANESE.search(told.advice)
    assert not PYDANTIC.search(str(told)), str(told)
    return told


def test_the_sample_catalogue_is_sound() -> None:
    assert len(notice_ids(CONFIG)) == 9
    assert mistakes(CONFIG, 2026) == []


def test_a_resolved_configuration_reads_back_with_the_same_digest() -> None:
    configuration = resolve(CONFIG, NOTICE, 2026)
    again = type(configuration).model_validate(configuration.model_dump(mode="json"))
    assert again == configuration
    assert again.digest() == configuration.digest()


BROKEN_TEXT = {
    "a tab": "name_ja:\t見本\n\tsection: x\n",
    "an open bracket": "items: [a, b\n",
    "two values": "a: b: c\n",
    "a list": "- a\n- b\n",
    "nothing": "",
    "not UTF-8": "名".encode("cp932") + b": x\n",
    "a command": "name_ja: !!python/object/apply:os.system [true]\n",
}


@pytest.mark.parametrize("name", [ENTRY, LAYOUT, SUITE, PARTIES])
@pytest.mark.parametrize("what", BROKEN_TEXT)
def test_a_file_that_is_not_yaml_is_named(config: Path, name: str, what: str) -> None:
    text = BROKEN_TEXT[what]
    (config / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert Path(name).name in mistake(config).message


def test_the_line_of_a_syntax_error_is_named(config: Path) -> None:
    (config / ENTRY).write_text("name_ja: 見本\nsection: [\n", encoding="utf-8")
    assert "行目付近" in mistake(config).message


@pytest.mark.parametrize("name", [LAYOUT, SUITE])
def test_a_missing_file_is_named(config: Path, name: str) -> None:
    (config / name).unlink()
    told = mistake(config)
    assert name in told.message
    assert "ありません" in told.message


def test_a_missing_premium_table_is_named(config: Path) -> None:
    with pytest.raises(NotConfigured, match=r"2027年度.*premiums/2027.yaml"):
        resolve(config, NOTICE, 2027)


MISTAKES: dict[str, tuple[str, Change, str, str]] = {
    # what: file, change, the key that must be named, a word of the remedy
    "missing key": (ENTRY, lambda c: c.pop("section"), "section", "必須のキーがありません"),
    "unknown key": (ENTRY, lambda c: c.update(sektion="x"), "sektion", "知らないキー"),
    "the id repeated": (ENTRY, lambda c: c.update(id="another"), "id", "ファイル名"),
    "a number as name": (ENTRY, lambda c: c.update(name_ja=7), "name_ja", "文字列"),
    "an hour as word": (ENTRY, lambda c: c["starts"].update(hour="九時"), "starts.hour", "整数"),
    "an hour too late": (ENTRY, lambda c: c["starts"].update(hour=24), "starts.hour", "23"),
    "a month too early": (ENTRY, lambda c: c["starts"].update(month=0), "starts.month", "1"),
    "starts as text": (ENTRY, lambda c: c.update(starts="7月"), "starts", "形"),
    "a missing part": (ENTRY, lambda c: c["source"].pop("schema_name"), "source.sql.schema_name", "必須"),
    "another kind of source": (ENTRY, lambda c: c["source"].update(kind="ftp"), "source", "sql か file_drop"),
    "no time to start": (ENTRY, lambda c: c.pop("starts"), "（全体）", "trigger_ja"),
    "a total of no item": (
        ENTRY,
        lambda c: c["totals"].append({"item": "tax_yen", "label_ja": "税"}),
        "（全体）",
        "tax_yen",
    ),
    "a schema with SQL": (
        ENTRY,
        lambda c: c["source"].update(schema_name="export; DROP TABLE y"),
        "source.sql.schema_name",
        "使えない文字",
    ),
    "items as text": (ENTRY, lambda c: c.update(items="notice_no"), "items", "並び"),
    "an item of SQL": (ENTRY, lambda c: c["items"].append("1; DROP TABLE x"), "items", "使えない文字"),
    "an item twice": (ENTRY, lambda c: c["items"].append("notice_no"), "items", "重複"),
    "another route": (ENTRY, lambda c: c.update(route="mail"), "route", "lgwan"),
    "no layout column": (LAYOUT, lambda c: c.update(columns=[]), "columns", ""),
    "a column without heading": (
        LAYOUT,
        lambda c: c["columns"][2].pop("heading_ja"),
        "columns.2.heading_ja",
        "必須",
    ),
    "an unknown charset": (LAYOUT, lambda c: c.update(charset="ebcdic"), "charset", "cp932-windows"),
    "a layout's id repeated": (LAYOUT, lambda c: c.update(id="another"), "id", "ファイル名"),
    "no rules": (SUITE, lambda c: c.pop("expectations"), "expectations", "必須"),
    "an empty suite": (SUITE, lambda c: c.update(expectations=[]), "expectations", ""),
    "an unknown severity": (
        SUITE,
        lambda c: c["expectations"][0].update(severity="fatal"),
        "expectations.0.severity",
        "error",
    ),
    "an unknown key of a rule": (
        SUITE,
        lambda c: c["expectations"][1].update(column="x"),
        "expectations.1.column",
        "知らないキー",
    ),
    "a rule's id twice": (
        SUITE,
        lambda c: c["expectations"][1].update(rule="N01"),
        "expectations",
        "N01",
    ),
    "a fraction as argument": (
        SUITE,
        lambda c: c["expectations"][0].update(arguments={"mostly": 0.95}),
        "expectations.0",
        "小数",
    ),
    "an allowance as word": (
        SUITE,
        lambda c: c["expectations"][0].update(tolerance="少し"),
        "expectations.0.tolerance",
        "整数",
    ),
    "no ward": (PARTIES, lambda c: c.pop("ward"), "ward", "必須"),
    "no addresses": (PARTIES, lambda c: c.pop("mail"), "mail", "必須"),
    "an address missing": (PARTIES, lambda c: c["mail"].pop("approver"), "mail.approver", "必須"),
    "no parties": (PARTIES, lambda c: c.pop("parties"), "parties", "必須"),
    "an unknown section": (PARTIES, lambda c: c.update(partys={}), "partys", "知らないキー"),
    "an empty party": (
        PARTIES,
        lambda c: c["parties"].update(example_print=None),
        "parties.example_print",
        "形",
    ),
    "a party's port as word": (
        PARTIES,
        lambda c: c["parties"]["example_print"].update(port="SSH"),
        "parties.example_print.port",
        "整数",
    ),
    "a party's tier": (
        PARTIES,
        lambda c: c["parties"]["example_print"].update(tier="甲"),
        "parties.example_print.tier",
        "乙",
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_with_file_key_and_remedy(config: Path, what: str) -> None:
    name, change, key, remedy = MISTAKES[what]
    changed(config, name, change)
    told = mistake(config)
    assert Path(name).name in told.message
    assert re.search(rf"(?<![\w.]){re.escape(key)}(?![a-z_])", told.message), told.message
    assert remedy in str(told)


def test_a_column_that_is_not_whitelisted_is_told(config: Path) -> None:
    changed(config, LAYOUT, lambda c: c["columns"].append({"heading_ja": "口座", "item": "account"}))
    told = mistake(config)
    assert f"{NOTICE}-2.yaml: columns" in told.message
    assert "account" in told.message
    assert f"notices/{NOTICE}.yaml の items" in told.message
    assert "columns から外してください" in told.advice


def test_a_party_that_is_not_registered_is_told(config: Path) -> None:
    changed(config, ENTRY, lambda c: c.update(party="unknown_print"))
    told = mistake(config)
    assert "parties.yaml: parties に unknown_print がありません" in told.message
    assert "登録" in told.advice


@pytest.mark.parametrize("item", sorted(FORBIDDEN_ITEMS))
def test_a_forbidden_item_is_never_given(config: Path, item: str) -> None:
    changed(config, ENTRY, lambda c: c["items"].append(item))
    told = mistake(config)
    assert f"notices/{NOTICE}.yaml" in told.message
    assert item in told.message
    assert "items から外してください" in told.message


@pytest.mark.parametrize(
    "item", ["individual_no", "individual_number", "my_number", "bank_account", "creed", "medical_remark"]
)
def test_what_the_core_system_must_keep_is_forbidden(item: str) -> None:
    assert item in FORBIDDEN_ITEMS


@pytest.mark.parametrize("name", [ENTRY])
@pytest.mark.parametrize("what", BROKEN_TEXT)
def test_a_mistake_in_one_notice_leaves_the_others_alone(config: Path, name: str, what: str) -> None:
    text = BROKEN_TEXT[what]
    (config / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert resolve(config, "another_notice", 2026).notice.id == "another_notice"
    assert len(mistakes(config, 2026)) == 1
    assert notice_ids(config) == ["another_notice", NOTICE]


def test_a_mistake_in_one_party_leaves_other_parties_notices_alone(config: Path) -> None:
    changed(config, PARTIES, lambda c: c["parties"].update(second=dict(c["parties"]["example_print"])))
    changed(config, "notices/another_notice.yaml", lambda c: c.update(party="second"))
    changed(config, PARTIES, lambda c: c["parties"]["example_print"].pop("host"))
    assert resolve(config, "another_notice", 2026).party.id == "second"
    assert len(mistakes(config, 2026)) == 1


def test_a_file_named_like_no_notice_is_told(config: Path) -> None:
    shutil.copy(config / ENTRY, config / "notices" / "納入通知書.yaml")
    with pytest.raises(NotConfigured, match=r"納入通知書\.yaml.*id"):
        load_notice(config, "納入通知書")


def test_every_due_date_is_the_months_end_or_the_next_business_day() -> None:
    due_on = resolve(CONFIG, NOTICE, 2026).due_on
    assert [f"{day:%a %Y-%m-%d}" for day in due_on] == [
        "Fri 2026-07-31",
        "Mon 2026-08-31",
        "Wed 2026-09-30",
        "Mon 2026-11-02",  # 31 October is a Saturday
        "Mon 2026-11-30",
        "Mon 2027-01-04",  # 31 December to 3 January: 年末年始
        "Mon 2027-02-01",  # 31 January is a Sunday
        "Mon 2027-03-01",  # 28 February is a Sunday
        "Wed 2027-03-31",
    ]
