"""送れなかったメール: what the mail server did not take is in the ledger, by kind and role, and told again at the next look.

A due date tells itself again until its mail goes; what a task wanted to say is told again in one line. The operator hears
of both. No address and nothing of what the mail said is kept. Nothing is sent from here.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Literal, cast

from notice_cycle.alerts import TODAY, Keys, Outgoing, load_template
from notice_cycle.deadline_rules import ROLES_JA, Role
from notice_cycle.errors import NotConfigured
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import ClosingRecord, Fact, QuantitiesTold
from notice_cycle.values import CYCLE_ID_PATTERN, Frozen, sha256

Reason = Literal["refused", "login", "away", "other"]
REASONS_JA: dict[Reason, str] = {
    "refused": "メールサーバーが宛先か内容を断りました",
    "login": "メールサーバーにログインできませんでした",
    "away": "メールサーバーに接続できませんでした",
    "other": "宛先か接続の設定が正しくありません",
}
STOPS_THE_REST: frozenset[Reason] = frozenset({"login", "away"})
"""Reasons that hold for every other mail as well."""


class MailUnsent(Fact):
    """送れなかったメール: one a due date and level, or of a task one a day, kind and role. Never an address.

    `milestone`, `level`, `due_at`: as in `alert_sent`, empty for what a task wanted to say. `subject`: cycle or DAG.
    """

    label_ja = "送れなかったメール"
    template: str
    subject: str
    milestone: str = ""
    level: int | None = None
    due_at: datetime | None = None
    to_role: str
    section: str
    reason: Reason
    tried_at: datetime

    @property
    def same_as(self) -> tuple[object, ...]:
        """By which a repeat is recognised: the same mail for the same reason is entered once (of a task: once a day)."""
        day = None if self.is_due_date else tokyo_date(self.tried_at)
        own = (self.template, self.to_role, self.section)
        return (self.reason, day, self.key, () if self.is_due_date else own)

    @property
    def key(self) -> tuple[object, ...]:
        """As AlertSent.key."""
        return (self.subject, self.milestone, self.level, self.due_at)

    @property
    def is_due_date(self) -> bool:
        """Whether the due date tells itself again."""
        return self.level is not None


class UnsentReminder(Frozen):
    """A line of the next look, as a reminder of the register is: to whoever missed the mail, or to the operator."""

    key: str
    tell: str
    section: str
    due_on: date
    sentence_ja: str
    advice_ja: str
    label_ja: str
    name_ja: str
    state: Literal["amber", "red"] = "red"
    why_ja: str = "知らせが届かなければ、回答や期限の遅れに、だれも気付けません。"
    runbook_anchor: str = "unsent_mail"

    @property
    def id(self) -> str:
        """Told once."""
        return f"{_PREFIX}{self.key}"

    def is_over(self, now: datetime) -> bool:
        """It should have arrived on its day."""
        return tokyo_date(now) >= self.due_on


def unsent_dues(outgoing: Outgoing, reason: Reason, at: datetime) -> list[MailUnsent]:
    """A mail of a look, due date by due date; what was itself to tell of an unsent mail is not told of again."""
    return [
        MailUnsent(
            template=outgoing.template,
            subject=told.subject,
            milestone=_masked(told.subject, told.milestone),
            level=int(told.level),
            due_at=told.due_at,
            to_role=told.to_role,
            section="" if told.to_role == "operator" else outgoing.section,
            reason=reason,
            tried_at=at,
        )
        for told in outgoing.told
        if not told.milestone.startswith(_PREFIX)
    ]


def _masked(subject: str, milestone: str) -> str:
    """Of 今日の一枚 `milestone` is an address: only its digest is kept."""
    return sha256(milestone.encode())[:16] if subject == TODAY else milestone


_PREFIX = "unsent:"


def unsent_reminders(
    known: Iterable[MailUnsent],
    told: Keys,
    config: Path,
    history_of: Callable[[str], CycleHistory],
) -> list[UnsentReminder]:
    """What did not arrive: each task's mail to whoever missed it, and a day's to the operator, counted.

    `known`: tried before this look; `told`: the keys of what has gone since. A matter that is settled is let be.
    """
    gone = {(subject, _masked(subject, milestone), *rest) for subject, milestone, *rest in told}
    by_day: dict[tuple[date, str, str, Reason], list[bool]] = {}
    found = []
    for one in known:
        day = tokyo_date(one.tried_at)
        settled = one.key in gone if one.is_due_date else _is_settled(one, history_of)
        by_day.setdefault((day, one.to_role, one.section, one.reason), []).append(settled)
        if not (settled or one.is_due_date or one.to_role == "contractor"):
            found.append(_again(one, day, config))
    return found + [_counted(*group, len(each)) for group, each in by_day.items() if not all(each)]


def _again(one: MailUnsent, day: date, config: Path) -> UnsentReminder:
    kind = _kind_ja(one.template, config)
    return UnsentReminder(
        key=f"{day}:{one.subject}:{one.template}:{one.to_role}:{one.section}",
        tell=ROLES_JA[cast(Role, one.to_role)],
        section=one.section,
        due_on=day,
        label_ja=f"届かなかったメール「{kind}」",
        name_ja=one.subject,
        sentence_ja=f"{day}の「{kind}」のメールが届いていません（{one.subject}）。{REASONS_JA[one.reason]}。",
        advice_ja="画面でこの実行と「要対応項目」を開き、知らせの内容を確かめてください。",
    )


def _counted(day: date, to_role: str, section: str, reason: Reason, count: int) -> UnsentReminder:
    role = ROLES_JA[cast(Role, to_role)]
    whom = f"{role}（{section}）" if section else role
    return UnsentReminder(
        key=f"{day}:{reason}:{to_role}:{section}:{count}",
        tell=ROLES_JA["operator"],
        section=section,
        due_on=day,
        label_ja=f"届かなかったメール {count}件",
        name_ja=whom,
        sentence_ja=f"{day}の知らせ{count}件が、{whom}に届いていません。",
        advice_ja=f"{REASONS_JA[reason]}。宛先（people.yaml・parties.yaml）とメールサーバーの記録を確かめて直し、急ぐものは電話で伝えてください。",
    )


def new_ones(found: Iterable[MailUnsent], known: Sequence[MailUnsent]) -> list[MailUnsent]:
    """Those of which the ledger does not know yet, each once."""
    before = {one.same_as for one in known}
    return list({one.same_as: one for one in found if one.same_as not in before}.values())


def _is_settled(one: MailUnsent, history_of: Callable[[str], CycleHistory]) -> bool:
    """The dispatch is over, or the contractor has had its quantities since."""
    if not re.match(CYCLE_ID_PATTERN, one.subject):
        return False
    history = history_of(one.subject)
    if not history.records:
        return False
    since = [fact for fact in history.facts(QuantitiesTold) if fact.told_at >= one.tried_at]
    is_over = history.withdrawn or history.entry_of(ClosingRecord) is not None
    return is_over or (one.to_role == "contractor" and bool(since))


def _kind_ja(template: str, config: Path) -> str:
    """What stands in the brackets of its subject."""
    try:
        subject = load_template(config, template).subject
    except NotConfigured:
        return template
    return subject.partition("【")[2].partition("】")[0].partition("・")[0] or template
