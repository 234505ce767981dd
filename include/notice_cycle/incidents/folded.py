"""An incident as it stands: what was reported, which steps are stamped, what is still wanting, when each is due.

The law's days are calendar days and count from the moment any of the ward's staff knew.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Literal

from notice_cycle.dispatch_plan import said
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.incidents.facts import IncidentReported, IncidentStepped
from notice_cycle.values import Frozen

REPORTABLE_ABOVE = 100
"""More persons than this and a public body reports (個人情報の保護に関する法律 第68条, 施行規則 第43条)."""


class Step(Frozen):
    """A step of handling: its stamp can be entered once. `decided`: by 課長 only, with a reason."""

    id: str
    label_ja: str
    decided: bool = False
    needed: bool = False


STEPS = {
    step.id: step
    for step in (
        Step(id="notified", label_ja="区の責任者への通知", needed=True),
        Step(id="written_report", label_ja="委託先の書面報告の受理", needed=True),
        Step(id="instruction", label_ja="委託先への指示", needed=True),
        Step(id="acknowledged", label_ja="指示に対する委託先の了知", needed=True),
        Step(id="on_site_inspection", label_ja="立入調査"),
        Step(id="jlis_request", label_ja="J-LIS への立入調査の要請"),
        Step(id="preliminary_report", label_ja="速報の提出"),
        Step(id="final_report", label_ja="確報の提出"),
        Step(id="report_not_needed", label_ja="報告を要しないとの判断", decided=True),
        Step(id="persons_told", label_ja="本人への通知"),
        Step(id="published", label_ja="公表するとの判断", decided=True),
        Step(id="not_published", label_ja="公表しないとの判断", decided=True),
        Step(id="hold_lifted", label_ja="引渡しの停止の解除", decided=True),
        Step(id="closed", label_ja="処理の終了", decided=True),
    )
}

REASONS_JA = {
    "settled": "原因が除かれ、再発防止を確かめた",
    "recovered": "回収し、見られていないことを確かめた",
    "encrypted": "暗号化と鍵の分離を台帳で証明できる",
    "below_threshold": "法の報告・公表の基準に当たらない",
    "required": "法または区の基準に当たる",
    "mistaken": "事故ではなかった",
}
"""Reason codes of 課長's decisions; a reason is a code so that no one types a name."""


class Clock(Frozen):
    """One due date of an incident. From `red_at` on it is late; before, it is told as near."""

    step: str
    label_ja: str
    due_at: datetime
    red_at: datetime
    tell: Literal["担当", "課長"]
    sentence_ja: str
    advice_ja: str


class Incident(Frozen):
    """What was reported, and every step since in the order of the ledger."""

    reported: IncidentReported
    steps: tuple[IncidentStepped, ...] = ()

    @classmethod
    def fold(cls, reports: Iterable[IncidentReported], steps: Iterable[IncidentStepped]) -> "list[Incident]":
        """All incidents, oldest first."""
        known = list(steps)
        return [
            cls(reported=one, steps=tuple(step for step in known if step.number == one.number))
            for one in reports
        ]

    @property
    def number(self) -> str:
        """Its number."""
        return self.reported.number

    @property
    def is_closed(self) -> bool:
        """Whether its handling has ended."""
        return self.stamped("closed") is not None

    def stamped(self, step: str) -> IncidentStepped | None:
        """The stamp of a step, None while it is not done."""
        return next((one for one in self.steps if one.step == step), None)

    def held_until(self) -> date | None:
        """The last day of the hold on the party's hand-overs; None while it holds."""
        lifted = self.stamped("hold_lifted")
        return tokyo_date(lifted.entered_at) - timedelta(days=1) if lifted else None

    @property
    def may_be_reportable(self) -> bool:
        """Whether the law's report must be thought of: a doubt counts as yes, only 課長 decides that it need not be."""
        told = self.reported
        if told.incident_kind == "特記事項の違反" and told.carrier == "なし":
            return False
        return told.persons is None or told.persons > REPORTABLE_ABOVE or told.malicious != "いいえ"

    def missing(self) -> list[str]:
        """What must still be stamped before the handling may end, as an officer reads it."""
        wanting = [step.label_ja for step in STEPS.values() if step.needed and not self.stamped(step.id)]
        if self.may_be_reportable and not self.stamped("report_not_needed"):
            wanting += [
                STEPS[step].label_ja
                for step in ("preliminary_report", "final_report")
                if not self.stamped(step)
            ]
        if not (self.stamped("published") or self.stamped("not_published")):
            wanting.append("公表するかどうかの判断")
        if not self.stamped("hold_lifted"):
            wanting.append(STEPS["hold_lifted"].label_ja)
        return wanting

    def internal_due(self) -> datetime:
        """By when the ward itself wants the preliminary report out: day 3."""
        return self.reported.known_at + timedelta(days=3)

    def hard_due(self) -> datetime:
        """The last moment of 「速やかに」 (3 to 5 days)."""
        return self.reported.known_at + timedelta(days=5)

    def final_due(self) -> datetime:
        """30 days, 60 where malice is suspected (不正の目的)."""
        return self.reported.known_at + timedelta(days=60 if self.reported.malicious == "はい" else 30)

    def clocks(self) -> list[Clock]:
        """Every due date that nobody has met yet, the earliest first."""
        if self.is_closed:
            return []
        known = self.reported.known_at
        clocks = [
            Clock(
                step="notified",
                label_ja="責任者への通知",
                due_at=known,
                red_at=known + timedelta(hours=1),
                tell="担当",
                sentence_ja="区の責任者に通知したことが記録されていません（直ちに）。",
                advice_ja="責任者に電話し、「事故の処理」に日時を記録してください。",
            ),
            Clock(
                step="written_report",
                label_ja="委託先の書面報告",
                due_at=known + timedelta(days=3),
                red_at=known + timedelta(days=3),
                tell="担当",
                sentence_ja=f"委託先の書面の報告の期限は{said(known + timedelta(days=3))}です。",
                advice_ja="書面での報告を求め、届いたら「事故の処理」に記録してください。",
            ),
        ]
        if self.may_be_reportable and not self.stamped("report_not_needed"):
            clocks += [
                Clock(
                    step="preliminary_report",
                    label_ja="速報",
                    due_at=self.internal_due(),
                    red_at=self.internal_due(),
                    tell="課長",
                    sentence_ja=f"速報の内部の期限は{said(self.internal_due())}、法の期限は{said(self.hard_due())}です。",
                    advice_ja="速報の案を確かめて提出し、「事故の処理」に記録してください。要しないときは、その判断を記録します。",
                ),
                Clock(
                    step="final_report",
                    label_ja="確報",
                    due_at=self.final_due(),
                    red_at=self.final_due() - timedelta(days=5),
                    tell="課長",
                    sentence_ja=f"確報の期限は{said(self.final_due())}です。",
                    advice_ja="原因と再発防止を調べ、確報を提出して「事故の処理」に記録してください。",
                ),
            ]
        return [clock for clock in clocks if not self.stamped(clock.step)]


class IncidentReminder(Frozen):
    """A clock as deadline_watch tells it to a section concerned; told once as near and once as late."""

    number: str
    party_ja: str
    clock: Clock
    state: Literal["amber", "red"]
    section: str

    @property
    def id(self) -> str:
        """The clock at its level, for its section."""
        return f"incident:{self.number}:{self.clock.step}:{self.state}:{self.section}"

    def is_over(self, now: datetime) -> bool:
        """Whether the moment by which it is due has passed."""
        return now >= self.clock.due_at

    @property
    def label_ja(self) -> str:
        """What is due."""
        return f"事故 {self.number} {self.clock.label_ja}"

    @property
    def due_on(self) -> date:
        """The day by which."""
        return tokyo_date(self.clock.due_at)

    @property
    def tell(self) -> str:
        """担当 first; what is late, 課長 hears as well as what was hers or his from the beginning."""
        return "課長" if self.state == "red" else self.clock.tell

    @property
    def sentence_ja(self) -> str:
        """Which incident, and by when."""
        return f"{self.party_ja}の事故（{self.number}）: {self.clock.sentence_ja}"

    @property
    def advice_ja(self) -> str:
        """What to do."""
        return self.clock.advice_ja

    @property
    def name_ja(self) -> str:
        """Where a line of a mail belongs to."""
        return "事故"

    @property
    def why_ja(self) -> str:
        """Why it matters."""
        return "法の報告の期限は、閉庁日も数えます。遅れた自治体は、指導を受け、公表されています。"

    @property
    def runbook_anchor(self) -> str:
        """The section of docs/runbook.md."""
        return "report_incident"


FINAL_REMINDER_DAYS = 10


def incident_reminders(
    incident: Incident, now: datetime, *, party_ja: str, sections: Iterable[str]
) -> list[IncidentReminder]:
    """What is to be told of an incident now, to each section concerned."""
    return [
        IncidentReminder(
            number=incident.number,
            party_ja=party_ja,
            clock=clock,
            state="red" if now >= clock.red_at else "amber",
            section=section,
        )
        for section in sections
        for clock in incident.clocks()
        if clock.step != "final_report" or now >= clock.due_at - timedelta(days=FINAL_REMINDER_DAYS)
    ]
