"""The dated premium table of a fiscal year, and the arithmetic every amount on a notice must satisfy.

One YAML file a fiscal year states the stages, the instalment months and the rounding; nothing here knows a
yen amount by itself. All arithmetic is on whole yen. This module judges no resident and reads no clock: it
answers what the amount must be, and whoever holds the notice compares.
"""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from notice_cycle.errors import NotConfigured, Refused
from notice_cycle.fiscal_year import FiscalYear

MONTHS_A_YEAR = 12
FIRST_MONTH_OF_FISCAL_YEAR = 4

Month = Annotated[int, Field(ge=1, le=12)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaseAmount(_Frozen):
    """基準額: what stage ratio 1.0 pays, in yen."""

    monthly_yen: PositiveInt
    annual_yen: PositiveInt


class IncomeThreshold(_Frozen):
    """The national income border of stages 1/2 and 4/5; it moves every year."""

    yen: PositiveInt
    effective_from: date


class Stage(_Frozen):
    """One 所得段階: its ratio to the base amount and its annual premium in yen."""

    stage: PositiveInt
    ratio: Annotated[Decimal, Field(gt=0)]
    annual_yen: PositiveInt


class PremiumTable(_Frozen):
    """One fiscal year's premiums. `fictitious` is true while the amounts are not the ward's own."""

    fiscal_year: int
    fictitious: bool
    source: str
    base: BaseAmount
    national_income_threshold: IncomeThreshold
    ordinary_months: Annotated[tuple[Month, ...], Field(min_length=1)]
    special_months: Annotated[tuple[Month, ...], Field(min_length=1)]
    rounding_unit_yen: PositiveInt
    remainder_to: Literal["first", "last"]
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]

    def stage(self, number: int) -> Stage:
        """The stage with this number; Refused when the table has none."""
        if not 1 <= number <= len(self.stages):
            raise Refused(
                f"所得段階 {number} は {self.fiscal_year}年度の保険料表(1〜{len(self.stages)})にありません",
                advice="基幹系の所得段階を担当課に確認してください",
            )
        return self.stages[number - 1]

    @field_validator("ordinary_months", "special_months")
    @classmethod
    def _months_follow_the_fiscal_year(cls, months: tuple[int, ...]) -> tuple[int, ...]:
        if [*months] != sorted(set(months), key=_place_in_fiscal_year):
            raise PydanticCustomError("months", "月は年度の順(4月から翌年3月)に重複なく並べます")
        return months

    @field_validator("stages")
    @classmethod
    def _stages_rise(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if [row.stage for row in stages] != list(range(1, len(stages) + 1)):
            raise PydanticCustomError("stages", "所得段階は1から順に欠番なく並べます")
        for lower, upper in pairwise(stages):
            if upper.ratio <= lower.ratio or upper.annual_yen <= lower.annual_yen:
                raise PydanticCustomError(
                    "stages", "第{stage}段階の割合または年額が前の段階以下です", {"stage": upper.stage}
                )
        return stages

    @model_validator(mode="after")
    def _figures_agree(self) -> Self:
        if self.base.annual_yen != self.base.monthly_yen * MONTHS_A_YEAR:
            raise _wrong("base.annual_yen", "基準額の年額が月額×12と一致しません")
        # A table copied from last year keeps last year's date; in 2025 a city sent 657 wrong notices so.
        if FiscalYear.of(self.national_income_threshold.effective_from).year != self.fiscal_year:
            raise _wrong("national_income_threshold.effective_from", "施行日がこの年度の日付ではありません")
        for row in self.stages:
            key = f"stages.{row.stage}.annual_yen"
            if row.annual_yen % self.rounding_unit_yen:
                raise _wrong(key, f"年額が{self.rounding_unit_yen}円単位ではありません")
            if abs(self.base.annual_yen * row.ratio - row.annual_yen) >= self.rounding_unit_yen:
                raise _wrong(key, f"年額が基準額×割合と{self.rounding_unit_yen}円以上違います")
        return self


def load_premiums(directory: Path, fiscal_year: int) -> PremiumTable:
    """Read `<directory>/<fiscal_year>.yaml`. NotConfigured names the file, the key and the remedy."""
    path = directory / f"{fiscal_year}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise NotConfigured(
            f"{fiscal_year}年度の保険料表 premiums/{path.name} がありません",
            advice="前年度のファイルを写して作り、担当課の表とすべての項目を読み合わせてください",
        ) from missing
    except (UnicodeDecodeError, yaml.YAMLError) as unreadable:
        mark = getattr(unreadable, "problem_mark", None)
        where = f"(行 {mark.line + 1})" if mark else ""
        raise NotConfigured(
            f"premiums/{path.name} を読み取れません{where}",
            advice="文字コード(UTF-8)、字下げ、コロンの後の空白を直してください",
        ) from unreadable
    try:
        table = PremiumTable.model_validate(content)
    except ValidationError as invalid:
        key, reason = _first_fault(invalid)
        raise NotConfigured(
            f"premiums/{path.name} の項目 {key}: {reason}(誤り {invalid.error_count()}件)",
            advice=f"担当課の保険料表を見て premiums/{path.name} の {key} を直してください",
        ) from invalid
    if table.fiscal_year != fiscal_year:
        raise NotConfigured(
            f"premiums/{path.name} の項目 fiscal_year: {table.fiscal_year} はファイル名の年度と違います",
            advice=f"{fiscal_year}年度の表か確かめ、fiscal_year とすべての金額を直してください",
        )
    return table


def annual_premium(table: PremiumTable, stage: int, months: int) -> int:
    """Yen a year for `months` (0-12) insured: stage amount × months/12, rounded down to the unit."""
    if not 0 <= months <= MONTHS_A_YEAR:
        raise Refused(f"月数 {months} は0〜12の外です", advice="資格取得日と喪失日を担当課に確認してください")
    unit = table.rounding_unit_yen
    return table.stage(stage).annual_yen * months // MONTHS_A_YEAR // unit * unit


def split_instalments(table: PremiumTable, total_yen: int, first_slot: int = 1) -> tuple[int, ...]:
    """One amount a month of `ordinary_months`: 0 before the 期 `first_slot` (1 = July), then equal shares.

    Shares are whole units; what does not divide goes where `remainder_to` says.
    """
    slots = len(table.ordinary_months)
    if not 1 <= first_slot <= slots:
        raise Refused(f"期 {first_slot} は1〜{slots}の外です", advice="決定日を担当課に確認してください")
    if total_yen < 0:
        raise Refused("普通徴収の合計額が負です", advice="還付の対象か担当課に確認してください")
    open_slots = slots - first_slot + 1
    share = total_yen // open_slots // table.rounding_unit_yen * table.rounding_unit_yen
    amounts = [0] * (first_slot - 1) + [share] * open_slots
    amounts[first_slot - 1 if table.remainder_to == "first" else -1] += total_yen - share * open_slots
    return tuple(amounts)


def first_open_slot(table: PremiumTable, decided_on: date) -> int:
    """The first 期 still payable after a decision: its own month counts, because the due date is its end."""
    place = _place_in_fiscal_year(decided_on.month)
    if FiscalYear.of(decided_on).year < table.fiscal_year:
        return 1
    if FiscalYear.of(decided_on).year == table.fiscal_year:
        for slot, month in enumerate(table.ordinary_months, start=1):
            if _place_in_fiscal_year(month) >= place:
                return slot
    raise Refused(
        f"決定日 {decided_on} の後に {table.fiscal_year}年度の普通徴収の納期がありません",
        advice="随時の納期を設けるか担当課に確認してください",
    )


def months_insured(acquired_on: date, lost_on: date | None, fiscal_year: int) -> int:
    """Months of the fiscal year that count: from the month of acquisition to the month before loss."""
    if lost_on is not None and lost_on < acquired_on:
        raise Refused("資格喪失日が資格取得日より前です", advice="資格の日付を担当課に確認してください")
    opening = _month_number(date(fiscal_year, FIRST_MONTH_OF_FISCAL_YEAR, 1))
    closing = opening + MONTHS_A_YEAR
    start = max(_month_number(acquired_on), opening)
    end = closing if lost_on is None else min(_month_number(lost_on), closing)
    return max(0, end - start)


def acquired_at_65(born_on: date) -> date:
    """The day before the 65th birthday: age is reached as the day before ends (年齢計算ニ関スル法律)."""
    if (born_on.month, born_on.day) == (2, 29):  # 65 years later is never a leap year
        return date(born_on.year + 65, 2, 28)
    return born_on.replace(year=born_on.year + 65) - timedelta(days=1)


def _place_in_fiscal_year(month: int) -> int:
    return (month - FIRST_MONTH_OF_FISCAL_YEAR) % MONTHS_A_YEAR


def _month_number(day: date) -> int:
    return day.year * MONTHS_A_YEAR + day.month


def _wrong(key: str, reason: str) -> PydanticCustomError:
    return PydanticCustomError("premium_table", "{reason}", {"key": key, "reason": reason})


_REASONS = {
    "missing": "書かれていません",
    "extra_forbidden": "知らない項目です",
    "model_type": "項目の並びになっていません",
    "literal_error": "選べない値です",
}


def _first_fault(invalid: ValidationError) -> tuple[str, str]:
    """The key as a clerk finds it in the file (rows of `stages` by stage number), and why it is wrong."""
    fault = invalid.errors(include_url=False, include_input=False)[0]
    context: dict[str, Any] = fault.get("ctx", {})
    parts = [str(part + 1) if isinstance(part, int) else str(part) for part in fault["loc"]]
    key = context.get("key") or ".".join(parts) or "(全体)"
    own = fault["type"] in {"premium_table", "months", "stages"}
    return key, fault["msg"] if own else _REASONS.get(fault["type"], "値の形が正しくありません")
