"""年度設定確認: once a year a person compares premium table, threshold and instalments with the section's papers.

Nothing of a year is extracted before. The confirmation stands for every cycle of the year that runs by the very
same figures: one changed yen, and it is asked for again. Last year's table can so not run silently in a new year.
Of a section's cycles that are open at once only the first asks; the others wait for its answer and carry it over.
"""

from collections.abc import Callable, Sequence

from notice_cycle.catalogue import Configuration
from notice_cycle.forms import Answer, Field, Form, table
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import OpeningRecord, YearSettingsRecord
from notice_cycle.values import Digest, canonical, sha256

CONFIRM = "確認した"
PAPERS = Field(
    key="papers",
    title_ja="読み合わせた資料",
    help_ja="例: 介護保険条例（令和8年3月改正）第4条、告示第12号。人の名前は書かないでください。",
)


class YearSettings(Form):
    """The approver answers once a fiscal year; later cycles of the year carry the answer over."""

    id = "year_settings"
    title_ja = "年度設定確認"
    role = "承認者"
    options = (CONFIRM,)
    fields = (PAPERS,)
    record = YearSettingsRecord

    def body(self, history: CycleHistory) -> str:
        """The figures of the year, as they will be used."""
        configuration = _configuration(history)
        premiums, due_on = configuration.premiums, configuration.due_on
        threshold = premiums.national_income_threshold
        facts = [
            ("年度", f"{premiums.fiscal_year}年度"),
            ("表の出所", ("**架空** " if premiums.fictitious else "") + premiums.source),
            ("基準額", f"月額 {premiums.base.monthly_yen:,}円・年額 {premiums.base.annual_yen:,}円"),
            (
                "所得の基準額（第1・2段階、第4・5段階の境）",
                f"{threshold.yen:,}円（{threshold.effective_from} 施行）",
            ),
            ("普通徴収の納期限", "、".join(f"第{n}期 {day}" for n, day in enumerate(due_on, start=1))),
            ("特別徴収の月", "、".join(f"{month}月" for month in premiums.special_months)),
            (
                "端数",
                f"{premiums.rounding_unit_yen}円未満切捨て、割り切れない分は{_REMAINDER[premiums.remainder_to]}の期",
            ),
        ]
        stages = [
            (f"第{row.stage}段階", f"割合 {row.ratio}・年額 {row.annual_yen:,}円") for row in premiums.stages
        ]
        return "\n".join(
            [
                "この設定は、この発送回が始まった時点で、まだ確認されていません。条例・告示と一項目ずつ読み合わせ、すべて合っていれば「確認した」を選んでください。",
                "確認すると、同じ設定でこの後に始まる、この年度のすべての発送回に使われます。違いがあれば回答せず、情報システム課に設定の修正を依頼してください。",
                "同じ課の、同じ設定の発送回がほかにも始まっているときは、この回答で続きます。それぞれにはたずねません。",
                "ほかの課の発送回で、同じ設定をもう確認したときは、資料を書かずに「確認した」を選べば、その確認を引き継いで続きます。",
                "",
                table(facts),
                "",
                table(stages, ("所得段階", "割合・年額")),
            ]
        )

    def judge(self, answer: Answer, history: CycleHistory) -> YearSettingsRecord:
        """Confirms exactly the figures this cycle was opened with."""
        configuration = _configuration(history)
        return YearSettingsRecord(
            fiscal_year=configuration.premiums.fiscal_year,
            premiums_sha256=settings_digest(configuration),
            papers=answer.text(PAPERS),
            confirmed_by=answer.by,
            confirmed_at=answer.at,
            confirmed_in=str(history.entries[0].cycle),
        )

    def carried(self, earlier: Sequence[Entry], history: CycleHistory) -> YearSettingsRecord | None:
        """The confirmation of these figures that another cycle holds, None when nobody has confirmed them."""
        wanted = settings_digest(_configuration(history))
        confirmed = (YearSettingsRecord.model_validate(entry.data) for entry in reversed(earlier))
        return next((one for one in confirmed if one.premiums_sha256 == wanted), None)

    def asked_in(
        self, openings: Sequence[Entry], history_of: Callable[[str], CycleHistory], history: CycleHistory
    ) -> str | None:
        """The first cycle of the section that was opened with these figures before this one and is not withdrawn.

        Only of the own section: another's form is neither seen nor answered here, and nobody waits for it.
        """
        own = _configuration(history)
        for opening in openings:
            cycle = str(opening.cycle)
            if cycle == history.entries[0].cycle:
                return None
            if opening.data["fiscal_year"] != history.opening.fiscal_year:
                continue
            theirs = Configuration.model_validate(opening.data["configuration"])
            same = theirs.notice.section == own.notice.section and settings_digest(theirs) == settings_digest(
                own
            )
            if same and not history_of(cycle).withdrawn:
                return cycle
        return None


def settings_digest(configuration: Configuration) -> Digest:
    """SHA-256 over the premium table and the due dates of a year."""
    figures = configuration.model_dump(mode="json", include={"premiums", "due_on"})
    return sha256(canonical(figures))


def _configuration(history: CycleHistory) -> Configuration:
    return Configuration.model_validate(history.latest(OpeningRecord).configuration)


_REMAINDER = {"first": "最初", "last": "最後"}
