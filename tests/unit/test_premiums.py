"""The premium arithmetic as tables the section can check with a pocket calculator."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from notice_cycle.errors import NotConfigured, Refused
from notice_cycle.premiums import (
    PremiumTable,
    acquired_at_65,
    annual_premium,
    first_open_slot,
    load_premiums,
    months_insured,
    split_instalments,
)

DIRECTORY = Path(__file__).parents[2] / "include" / "config" / "premiums"


@pytest.fixture(scope="module")
def table() -> PremiumTable:
    return load_premiums(DIRECTORY, 2026)


def test_the_shipped_table_says_that_it_is_invented_and_carries_the_dated_threshold(
    table: PremiumTable,
) -> None:
    assert table.fictitious
    assert len(table.stages) == 18
    assert table.national_income_threshold.yen == 826_500
    assert table.national_income_threshold.effective_from == date(2026, 4, 1)
    assert table.ordinary_months == (7, 8, 9, 10, 11, 12, 1, 2, 3)
    assert table.special_months == (4, 6, 8, 10, 12, 2)


@pytest.mark.parametrize(
    ("stage", "months", "yen"),
    [
        (1, 12, 20_600),
        (1, 1, 1_700),  # 20,600 / 12 = 1,716.7
        (5, 12, 72_600),
        (5, 11, 66_500),  # 66,550
        (5, 10, 60_500),
        (5, 6, 36_300),
        (18, 12, 290_400),
        (18, 7, 169_400),
        (5, 0, 0),
    ],
)
def test_annual_premium_is_the_stage_amount_by_the_month_rounded_down(
    table: PremiumTable, stage: int, months: int, yen: int
) -> None:
    assert annual_premium(table, stage, months) == yen


@pytest.mark.parametrize(("stage", "months"), [(0, 12), (19, 12), (5, 13), (5, -1)])
def test_a_stage_or_month_outside_the_table_is_refused(table: PremiumTable, stage: int, months: int) -> None:
    with pytest.raises(Refused):
        annual_premium(table, stage, months)


@pytest.mark.parametrize(
    ("total_yen", "first_slot", "slots"),
    [
        #                  7月    8月    9月   10月   11月   12月   1月    2月    3月
        (72_600, 1, (8_600, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000)),
        (72_000, 1, (8_000, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000)),
        (48_400, 2, (0, 6_400, 6_000, 6_000, 6_000, 6_000, 6_000, 6_000, 6_000)),
        (6_000, 9, (0, 0, 0, 0, 0, 0, 0, 0, 6_000)),
        (500, 1, (500, 0, 0, 0, 0, 0, 0, 0, 0)),
        (0, 1, (0, 0, 0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_instalments_are_equal_and_the_remainder_goes_to_the_first(
    table: PremiumTable, total_yen: int, first_slot: int, slots: tuple[int, ...]
) -> None:
    assert split_instalments(table, total_yen, first_slot) == slots
    assert sum(slots) == total_yen


def test_the_remainder_can_go_to_the_last_instalment(table: PremiumTable) -> None:
    to_last = table.model_copy(update={"remainder_to": "last"})
    assert split_instalments(to_last, 72_600)[-1] == 8_600


@pytest.mark.parametrize(("total_yen", "first_slot"), [(-100, 1), (100, 0), (100, 10)])
def test_a_negative_total_or_an_unknown_slot_is_refused(
    table: PremiumTable, total_yen: int, first_slot: int
) -> None:
    with pytest.raises(Refused):
        split_instalments(table, total_yen, first_slot)


@pytest.mark.parametrize(
    ("decided_on", "slot"),
    [
        ("Tue 2026-03-31", 1),  # decided ahead of the year
        ("Wed 2026-04-01", 1),
        ("Wed 2026-07-01", 1),
        ("Fri 2026-07-31", 1),
        ("Mon 2026-08-10", 2),
        ("Mon 2027-01-04", 7),
        ("Wed 2027-03-31", 9),
    ],
)
def test_the_first_slot_is_the_one_due_at_the_end_of_the_month_of_decision(
    table: PremiumTable, decided_on: str, slot: int
) -> None:
    assert first_open_slot(table, _day(decided_on)) == slot


def test_a_decision_after_the_year_has_no_ordinary_slot_left(table: PremiumTable) -> None:
    with pytest.raises(Refused, match="納期がありません"):
        first_open_slot(table, date(2027, 4, 1))


@pytest.mark.parametrize(
    ("acquired_on", "lost_on", "months"),
    [
        ("Sat 2000-04-01", None, 12),
        ("Wed 2026-04-01", None, 12),
        ("Thu 2026-04-30", None, 12),  # born 1961-05-01: April counts
        ("Fri 2026-05-01", None, 11),  # born 1961-05-02
        ("Tue 2026-06-30", None, 10),
        ("Wed 2026-07-01", None, 9),
        ("Wed 2027-03-31", None, 1),
        ("Thu 2027-04-01", None, 0),  # next year's
        ("Sat 2000-04-01", "Thu 2026-04-30", 0),  # April does not count in the month of loss
        ("Sat 2000-04-01", "Fri 2026-05-01", 1),
        ("Sat 2000-04-01", "Tue 2026-06-30", 2),
        ("Sat 2000-04-01", "Wed 2027-03-31", 11),
        ("Sat 2000-04-01", "Thu 2027-04-01", 12),
        ("Sat 2000-04-01", "Tue 2026-03-31", 0),  # lost last year
        ("Fri 2026-05-15", "Mon 2026-08-10", 3),
        ("Fri 2026-05-15", "Fri 2026-05-29", 0),
    ],
)
def test_months_run_from_the_month_of_acquisition_to_the_month_before_loss(
    acquired_on: str, lost_on: str | None, months: int
) -> None:
    assert months_insured(_day(acquired_on), _day(lost_on) if lost_on else None, 2026) == months


def test_a_loss_before_the_acquisition_is_refused() -> None:
    with pytest.raises(Refused):
        months_insured(date(2026, 5, 2), date(2026, 5, 1), 2026)


@pytest.mark.parametrize(
    ("born_on", "acquired_on"),
    [
        ("Mon 1961-05-01", "Thu 2026-04-30"),  # born on the 1st: a month earlier
        ("Tue 1961-05-02", "Fri 2026-05-01"),
        ("Sun 1961-01-01", "Wed 2025-12-31"),
        ("Mon 1960-02-29", "Fri 2025-02-28"),
        ("Tue 1960-03-01", "Fri 2025-02-28"),
    ],
)
def test_65_is_reached_the_day_before_the_birthday(born_on: str, acquired_on: str) -> None:
    assert acquired_at_65(_day(born_on)) == _day(acquired_on)


def test_a_missing_year_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"premiums/2027\.yaml がありません → 前年度"):
        load_premiums(tmp_path, 2027)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fiscal_year": 2025}, "national_income_threshold.effective_from: 施行日"),
        ({"rounding_unit_yen": None}, "rounding_unit_yen: 値の形"),
        ({"remainder_to": "middle"}, "remainder_to: 選べない値"),
        ({"colour": "red"}, "colour: 知らない項目"),
        ({"base": {"monthly_yen": 6050, "annual_yen": 72_500}}, "base.annual_yen: 基準額の年額"),
        ({"ordinary_months": [7, 9, 8]}, "ordinary_months: 月は年度の順"),
        ({"special_months": [4, 6, 13]}, "special_months.3: 値の形"),
        (
            {"national_income_threshold": {"yen": 809_000, "effective_from": date(2025, 4, 1)}},
            "national_income_threshold.effective_from: 施行日",
        ),
    ],
)
def test_a_wrong_entry_is_named_with_file_key_and_remedy(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    _written(tmp_path, change)
    with pytest.raises(NotConfigured) as refusal:
        load_premiums(tmp_path, 2026)
    assert refusal.value.message.startswith(f"premiums/2026.yaml の項目 {told}")
    assert "2026.yaml" in refusal.value.advice


@pytest.mark.parametrize(
    ("stage", "change", "told"),
    [
        (3, {"annual_yen": 49_750}, "stages.3.annual_yen: 年額が100円単位ではありません"),
        (3, {"annual_yen": 49_900}, "stages.3.annual_yen: 年額が基準額×割合と100円以上違います"),
        (4, {"ratio": "0.600"}, "stages: 第4段階の割合または年額が前の段階以下です"),
        (4, {"stage": 5}, "stages: 所得段階は1から順に欠番なく並べます"),
        (4, {"annual_yen": "多い"}, "stages.4.annual_yen: 値の形"),
    ],
)
def test_a_wrong_stage_is_named_by_its_number(
    tmp_path: Path, stage: int, change: dict[str, Any], told: str
) -> None:
    stages = _shipped()["stages"]
    stages[stage - 1].update(change)
    _written(tmp_path, {"stages": stages})
    with pytest.raises(NotConfigured) as refusal:
        load_premiums(tmp_path, 2026)
    assert told in refusal.value.message


def test_a_file_of_another_year_is_refused(tmp_path: Path) -> None:
    (tmp_path / "2027.yaml").write_text(
        (DIRECTORY / "2026.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    with pytest.raises(NotConfigured, match="fiscal_year: 2026 はファイル名の年度と違います"):
        load_premiums(tmp_path, 2027)


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "2026.yaml").write_text("fiscal_year: 2026\nbase: [1\n", encoding="utf-8")
    with pytest.raises(NotConfigured, match=r"2026\.yaml を読み取れません\(行 \d\)"):
        load_premiums(tmp_path, 2026)


def _day(text: str) -> date:
    weekday, iso = text.split()
    day = date.fromisoformat(iso)
    assert f"{day:%a}" == weekday, f"{iso} is a {day:%a}"
    return day


def _shipped() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DIRECTORY / "2026.yaml").read_text(encoding="utf-8"))
    return content


def _written(directory: Path, change: dict[str, Any]) -> None:
    text = yaml.safe_dump(_shipped() | change, allow_unicode=True)
    (directory / "2026.yaml").write_text(text, encoding="utf-8")
