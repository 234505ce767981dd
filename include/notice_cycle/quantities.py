"""予定数量 and 確定数量: what the contractor is told to prepare for, counts only, by mail, on every route.

Planned ones are last year's of the same yearly run, or what the catalogue expects of the notice's usual run: the yearly
one, or each run of a notice that has none. Where neither says anything, nothing is planned and nothing is told. Confirmed ones are those that were approved; they are told again when they change. What
was told stands in the ledger, so that nothing is mailed twice.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from notice_cycle.alerts import Mail, Post
from notice_cycle.catalogue import Configuration, Notice
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    CompositionRecord,
    DeliveryRecord,
    HandoverApprovalRecord,
    OpeningRecord,
    QuantitiesTold,
)
from notice_cycle.values import Frozen, Occasion


class Counts(Frozen):
    """What is told: at which stage, how many, and where the numbers come from."""

    stage: Literal["予定数量", "確定数量"]
    notices: int
    envelopes: int
    sheets: int
    source_ja: str

    @property
    def numbers(self) -> tuple[int, int, int]:
        """What must be the same not to be told again."""
        return self.notices, self.envelopes, self.sheets


def find_untold(
    history: CycleHistory, openings: Sequence[Entry], history_of: Callable[[str], CycleHistory]
) -> Counts | None:
    """What the contractor of a cycle is to be told now; `openings` are those of all cycles."""
    if history.withdrawn or history.recalled or history.find(DeliveryRecord):
        return None
    counts = _confirmed(history) or _planned(history, openings, history_of)
    told = [fact for fact in history.facts(QuantitiesTold) if counts and fact.stage == counts.stage]
    if counts is None or (told and counts.stage == "予定数量"):
        return None
    last = (told[-1].notices, told[-1].envelopes, told[-1].sheets) if told else None
    return None if last == counts.numbers else counts


def _confirmed(history: CycleHistory) -> Counts | None:
    composition = history.find(CompositionRecord)
    if composition is None or history.find(HandoverApprovalRecord) is None:
        return None
    given = composition.quantities
    return Counts(
        stage="確定数量",
        notices=given.notices,
        envelopes=given.envelopes,
        sheets=given.sheets,
        source_ja="引渡し承認を受けた印字データ",
    )


def _planned(
    history: CycleHistory, openings: Sequence[Entry], history_of: Callable[[str], CycleHistory]
) -> Counts | None:
    opening = history.opening
    notice = Configuration.model_validate(opening.configuration).notice
    annual = opening.occasion is Occasion.ANNUAL
    if history.find(CompositionRecord) or not (annual or notice.starts is None):
        return None
    return planned_for_year(notice, opening.fiscal_year, openings if annual else (), history_of)


def planned_for_year(
    notice: Notice,
    fiscal_year: int,
    openings: Sequence[Entry],
    history_of: Callable[[str], CycleHistory],
) -> Counts | None:
    """What a yearly dispatch will probably be: last year's quantities, else the catalogue's expectation."""
    for entry in reversed(openings):
        known = OpeningRecord.model_validate(entry.data)
        if (known.notice, known.occasion, known.fiscal_year) == (
            notice.id,
            Occasion.ANNUAL,
            fiscal_year - 1,
        ) and (composition := history_of(str(entry.cycle)).find(CompositionRecord)):
            last = composition.quantities
            return Counts(
                stage="予定数量",
                notices=last.notices,
                envelopes=last.envelopes,
                sheets=last.sheets,
                source_ja=f"前年度（{known.fiscal_year}年度）の実績",
            )
    if (expected := notice.expected) is None:
        return None
    return Counts(stage="予定数量", **expected.model_dump(), source_ja="区の見込み")


_TEMPLATES = {"予定数量": "quantities_planned", "確定数量": "quantities_confirmed"}


def mail_of(counts: Counts, configuration: Configuration, *, cycle: str, to: str, post: Post) -> Mail:
    """The contractor's mail; the same counts give the same message id."""
    facts = {
        "cycle": cycle,
        "notice": configuration.notice.name_ja,
        "ward": f"{configuration.ward} {configuration.notice.section}",
        "notices": f"{counts.notices:,}",
        "envelopes": f"{counts.envelopes:,}",
        "sheets": f"{counts.sheets:,}",
        "source": counts.source_ja,
        "link": "",
    }
    return post.mail(_TEMPLATES[counts.stage], to, facts, thread=cycle, once=list(counts.numbers))


def told(counts: Counts, mail: Mail, *, party: str, at: datetime) -> QuantitiesTold:
    """What the ledger keeps once the mail is handed over."""
    return QuantitiesTold(**counts.model_dump(), party=party, message_id=mail.message_id, told_at=at)
