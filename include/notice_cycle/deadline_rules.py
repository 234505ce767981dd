"""The due dates of a cycle as data: deadlines.yaml, checked when read, and narrowed to one notice, year and contractor.

Knows no dates and no clock: dispatch_plan.py turns the rules into days, deadlines.py judges them. The file is
read anew at every look, not frozen with the cycle: an agreed postponement holds from the next look on, and what
was told under the old date stays in the ledger.
"""

from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from notice_cycle.business_calendar import WARD, MonthDay
from notice_cycle.errors import NotConfigured
from notice_cycle.records import Route
from notice_cycle.stage import STAGES
from notice_cycle.values import Frozen

FILE_NAME = "deadlines.yaml"

Role = Literal["section", "chief", "director", "approver", "operator", "contractor"]
ROLES_JA: dict[Role, str] = {
    "section": "担当",
    "chief": "係長",
    "director": "課長",
    "approver": "承認者",
    "operator": "情報システム運用",
    "contractor": "委託先",
}

Point = Literal["start", "handover", "delivery", "posting", "first_due", "year_end"]
POINTS: tuple[Point, ...] = ("start", "handover", "delivery", "posting", "first_due", "year_end")
"""Days of the plan that a due date may be counted from; anything else is `record.field`."""

MilestoneId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*$")]


class Offset(Frozen):
    """So many business days of a calendar (then at a time of day), or hours of presence. Negative: before."""

    days: int = 0
    hours: int = 0
    calendar: str = WARD
    at: time | None = None

    @model_validator(mode="after")
    def _days_or_hours(self) -> Self:
        if self.hours and (self.days or self.at):
            raise ValueError("hours は days・at と一緒に書けません")
        return self


class Milestone(Frozen):
    """One due date: who must have done what, counted from where, and which record shows that it is done.

    Amber from `amber_before` the due moment on; red once `red_after` it has passed. `after`: a record that must
    stand before anybody can be late with this. `route`: only where the package went this way. `subcontractor`: only
    where one was given a file, and done too once each has reported. `pullout`: only where letters are to be taken out,
    counted from the newest request and done while none is open; in no plan. `kept`: not due before the day up to which the
    ward has instructed to keep data, or anything. `gates` and `entry`: settled before the cycle opens, when these
    gates of the hand-over are open and the register has such an entry; only a yearly dispatch has that much time.
    `told` false: shown in the plan, judged by nobody.
    """

    id: MilestoneId
    label_ja: str
    stage: str
    who: Role
    anchor: str = Field(pattern=r"^[a-z_]+(\.[a-z_]+)?$")
    after: str | None = None
    route: Route | None = None
    subcontractor: bool = False
    pullout: bool = False
    kept: Literal["", "data", "any"] = ""
    offset: Offset
    amber_before: Offset = Offset()
    red_after: Offset = Offset()
    settled_by: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    entry: Literal["proof"] | None = None
    requirements: tuple[str, ...] = Field(min_length=1)
    escalates: bool = True
    told: bool = True
    why_ja: str = ""
    action_ja: str

    @model_validator(mode="after")
    def _stands_on_something(self) -> Self:
        if self.stage not in {stage.id for stage in STAGES}:
            raise ValueError(f"{self.id}: stage {self.stage} は段階の名前ではありません")
        if "." not in self.anchor:
            if self.anchor not in POINTS:
                raise ValueError(f"{self.id}: anchor {self.anchor} は計画の日ではありません")
            if self.offset.at is None:
                raise ValueError(f"{self.id}: 計画の日から数える期限には at（時刻）が要ります")
        if self.told and not (self.settled_by or self.by_register):
            raise ValueError(f"{self.id}: settled_by（済みとする記録）がありません")
        if self.told and not self.why_ja:
            raise ValueError(f"{self.id}: why_ja（なぜ大切か）がありません")
        return self

    @property
    def by_register(self) -> bool:
        """Whether the register settles it, not a record of the cycle."""
        return bool(self.gates or self.entry)


class PlanRule(Frozen):
    """How a dispatch plan is counted. Days are the ward's, printing days the contractor's, transit the post's."""

    counts_from: Literal["first_due", "arrival", "opening"]
    first_due_month: int = Field(ge=1, le=12)
    arrive_by: MonthDay | None = None
    posting_before_first_due: int = Field(ge=1)
    postal_days: int = Field(ge=1)
    delivery_before_posting: int = Field(ge=0)
    handover_before_delivery: int = Field(ge=1)
    handover_after_opening: int = Field(ge=0)

    @model_validator(mode="after")
    def _arrival_has_a_day(self) -> Self:
        if self.counts_from == "arrival" and self.arrive_by is None:
            raise ValueError("arrival のときは arrive_by（月-日）が要ります")
        return self


class Escalation(Frozen):
    """After how many ward business days of red the next person is told, at the first look of that day."""

    chief_after_days: int = Field(ge=1)
    director_after_days: int = Field(ge=1)


class ReturnedMailRule(Frozen):
    """For how many weeks after the posting a count of returned letters is asked for."""

    weeks: int = Field(ge=0, le=26)


class Rules(Frozen):
    """What holds for one notice, fiscal year and contractor. `reasons_ja`: why it differs from the default.

    `of_the_year_ja`: those that are about the yearly plan alone; a run by hand counts from its opening.
    """

    plan: PlanRule
    milestones: tuple[Milestone, ...]
    escalation: Escalation
    reasons_ja: tuple[str, ...] = ()
    of_the_year_ja: tuple[str, ...] = ()

    def milestone(self, named: str) -> Milestone:
        """A milestone by its id. Raises KeyError."""
        return {one.id: one for one in self.milestones}[named]


class Override(Frozen):
    """Changes for what matches all that is written; an empty condition matches everything."""

    notices: tuple[str, ...] = ()
    fiscal_year: int | None = None
    party: str | None = None
    reason_ja: str
    plan: dict[str, Any] = Field(default_factory=dict)
    milestones: dict[MilestoneId, dict[str, Any]] = Field(default_factory=dict)

    def matches(self, notice: str, fiscal_year: int, party: str) -> bool:
        """Whether it speaks of this notice, year and contractor."""
        return (
            (not self.notices or notice in self.notices)
            and self.fiscal_year in (None, fiscal_year)
            and self.party in (None, party)
        )


class Deadlines(Frozen):
    """deadlines.yaml as it stands."""

    escalation: Escalation
    returned_mail: ReturnedMailRule = ReturnedMailRule(weeks=6)
    plan: PlanRule
    milestones: tuple[Milestone, ...]
    overrides: tuple[Override, ...] = ()

    @model_validator(mode="after")
    def _every_name_is_known_and_every_override_fits(self) -> Self:
        known = [one.id for one in self.milestones]
        if twice := sorted({one for one in known if known.count(one) > 1}):
            raise ValueError(f"期限 {', '.join(twice)} が重複しています")
        for override in self.overrides:
            if unknown := sorted(override.milestones.keys() - set(known)):
                raise ValueError(f"overrides に、milestones に無い期限 {', '.join(unknown)} があります")
            self._changed(override, self.plan, {one.id: one for one in self.milestones})
        return self

    def rules(self, notice: str, fiscal_year: int, party: str) -> Rules:
        """What holds for a notice in a fiscal year with a contractor (an id of parties.yaml)."""
        plan, milestones = self.plan, {one.id: one for one in self.milestones}
        holding = [one for one in self.overrides if one.matches(notice, fiscal_year, party)]
        for override in holding:
            plan, milestones = self._changed(override, plan, milestones)
        return Rules(
            plan=plan,
            milestones=tuple(milestones.values()),
            escalation=self.escalation,
            reasons_ja=tuple(one.reason_ja for one in holding),
            of_the_year_ja=tuple(one.reason_ja for one in holding if one.plan and not one.milestones),
        )

    @staticmethod
    def _changed(
        override: Override, plan: PlanRule, milestones: dict[str, Milestone]
    ) -> tuple[PlanRule, dict[str, Milestone]]:
        changed = dict(milestones)
        for name, change in override.milestones.items():
            if change.get("drop"):
                changed.pop(name, None)
            else:
                changed[name] = Milestone.model_validate(changed[name].model_dump() | change)
        return PlanRule.model_validate(plan.model_dump() | override.plan), changed


def load_deadlines(config: Path) -> Deadlines:
    """Reads deadlines.yaml in a configuration folder. Raises NotConfigured naming the key."""
    path = config / FILE_NAME
    try:
        return Deadlines.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "（全体）"
        raise NotConfigured(
            f"期限の設定 {path.name} の {where} が正しくありません（{_remedy(first)}）。",
            advice=f"{path.name} の該当箇所を直してください。直すまで、期限の知らせは届きません。",
        ) from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        raise NotConfigured(
            f"期限の設定 {path.name} を読めません。",
            advice="ファイルの場所、字下げ、コロンの後の空白を確かめてください。直すまで、期限の知らせは届きません。",
        ) from None


def _remedy(mistake: Any) -> str:
    match mistake["type"]:
        case "value_error":
            return str(mistake["ctx"]["error"])
        case "extra_forbidden":
            return "知らないキーです。綴りを確かめてください"
        case "missing":
            return "必須のキーがありません"
        case _:
            return "値の形が正しくありません。見本の書き方を確かめてください"
