"""What the year asks for, told before it is too late: one pure function of register and day.

It says what is due, by when, how loud and to whom; who mails it, how often, and when an office is open, is not its
business. A reminder goes away by the entry that answers it, never by being read.
"""

from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.exercise import LGWAN_DRILL
from notice_cycle.fiscal_year import FiscalYear, tokyo_date
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import ErasureConfirmationRecord, HandoverBegun, HandoverRecord
from notice_cycle.register.folded import Held, Register
from notice_cycle.register.kinds import (
    ZONES,
    AccountReviewEntry,
    AuditEntry,
    CertificateEntry,
    ContractEntry,
    CorrectiveActionEntry,
    EmergencyContactEntry,
    EntryLogCheckEntry,
    ExerciseEntry,
    LegalBasisEntry,
    LogSubmissionEntry,
    MeasureChangeEntry,
    StatusRequestEntry,
    SubcontractEntry,
    WorkerNoticeEntry,
    WorkflowShareEntry,
)
from notice_cycle.values import CycleId, Frozen

Level = Literal["info", "amber", "red"]

MARK_WARNINGS_MONTHS = (8, 4)  # renewal is applied for between eight and four months before the mark's end
EXPIRY_WARNING_DAYS = 60
PLANNED_WARNING = timedelta(days=14)

TOLD_BY = "deadline_watch"
"""The DAG that tells the reminders; None while there is none. A test compares it with dags/."""


class Reminder(Frozen):
    """One thing due. `thing` stays the same from its first reminder to its last; `id` tells each level apart."""

    thing: str
    label_ja: str
    requirements: tuple[str, ...]
    due_on: date
    level: Level
    sentence_ja: str
    advice_ja: str
    tell: str
    section: str

    @property
    def id(self) -> str:
        """Told once: the thing at its level."""
        return f"{self.thing}:{self.level}"

    @property
    def state(self) -> Literal["amber", "red"]:
        """How the alerts colour it: whatever is told at all is at least amber."""
        return "red" if self.level == "red" else "amber"

    def is_over(self, now: datetime) -> bool:
        """Whether the day by which it is due has passed."""
        return tokyo_date(now) > self.due_on

    @property
    def name_ja(self) -> str:
        """Where a line of a mail belongs to."""
        return "登録簿"

    @property
    def why_ja(self) -> str:
        """Why it matters."""
        return "登録簿の書類が切れると、引渡しの前の確認で止まります。"

    @property
    def runbook_anchor(self) -> str:
        """The section of docs/runbook.md."""
        return "register"


class OpenErasure(Frozen):
    """A dispatch of an earlier fiscal year whose erasure is not confirmed. `section`: whose dispatch it is."""

    cycle: CycleId
    party: str
    fiscal_year: int
    section: str = ""


def find_open_erasures(
    openings: Sequence[Entry], history_of: Callable[[str], CycleHistory]
) -> list[OpenErasure]:
    """Dispatches whose data left the ward, or may have, and whose erasure it has not confirmed, oldest first."""
    found = []
    for entry in openings:
        history = history_of(str(entry.cycle))
        left = history.ever(HandoverRecord) or history.facts(HandoverBegun)
        if left and history.find(ErasureConfirmationRecord) is None:
            opening = history.opening
            found.append(
                OpenErasure(
                    cycle=str(entry.cycle),
                    party=str(opening.configuration["party"]["id"]),
                    fiscal_year=opening.fiscal_year,
                    section=str(opening.configuration["notice"]["section"]),
                )
            )
    return found


REMINDERS: dict[str, tuple[str, ...]] = {}
"""Every kind of reminder and the requirements it serves."""


@dataclass(frozen=True)
class _Year:
    """What a rule looks at; `jobs` are (job, party, is_sub) of this fiscal year."""

    register: Register
    today: date
    calendar: BusinessCalendar
    open_erasures: tuple[OpenErasure, ...]

    @property
    def year(self) -> FiscalYear:
        return FiscalYear.of(self.today)

    def name(self, party: str) -> str:
        return self.register.name_of(party)

    def parties(self) -> dict[str, date]:
        """Every party that works under a contract or subcontract this year, with its first day in it."""
        contracts = [(held.content.party, held) for held in self.register.ever(ContractEntry)]
        subs = [(held.content.subcontractor, held) for held in self.register.ever(SubcontractEntry)]
        works: list[tuple[str, Held[ContractEntry] | Held[SubcontractEntry]]] = [*contracts, *subs]
        found: dict[str, date] = {}
        for party, held in works:
            if _overlaps(held, self.year) and held.valid_from <= self.today + timedelta(days=30):
                first = max(held.valid_from, self.year.start)
                found[party] = min(found.get(party, first), first)
        return found

    def subcontractors(self) -> list[str]:
        return sorted(
            {
                held.content.subcontractor
                for held in self.register.ever(SubcontractEntry)
                if _overlaps(held, self.year)
            }
        )

    def jobs(self, year: FiscalYear) -> list[tuple[str, str]]:
        """(job, party) of a fiscal year; a subcontractor has the jobs of the contracts it works under."""
        contracts = [held for held in self.register.ever(ContractEntry) if _overlaps(held, year)]
        under = [held for held in self.register.ever(SubcontractEntry) if _overlaps(held, year)]
        own = {(held.content.job, held.content.party) for held in contracts}
        theirs = {
            (held.content.job, sub.content.subcontractor)
            for held in contracts
            for sub in under
            if sub.content.contractor == held.content.party
            and set(sub.content.notices) & set(held.content.notices)
        }
        return sorted(own | theirs)


Found = tuple[str, date, Level, str, str, str]
LABELS_JA: dict[str, str] = {}
"""How each kind of reminder is called."""

_Rule = Callable[[_Year], Iterator[Found]]
_RULES: list[tuple[str, tuple[str, ...], _Rule]] = []


def _reminds(kind: str, requirements: str, label_ja: str) -> Callable[[_Rule], _Rule]:
    def entered(rule: _Rule) -> _Rule:
        REMINDERS[kind], LABELS_JA[kind] = tuple(requirements.split()), label_ja
        _RULES.append((kind, REMINDERS[kind], rule))
        return rule

    return entered


def reminders(
    register: Register,
    today: date,
    calendar: BusinessCalendar,
    open_erasures: Sequence[OpenErasure] = (),
    *,
    section: str = "",
) -> list[Reminder]:
    """Everything to be reminded of on a day, the loudest and the earliest due first.

    `section`: whose register it is; an erasure is told to the section of its dispatch.
    """
    year = _Year(register, today, calendar, tuple(open_erasures))
    of_dispatches = {one.cycle: one.section for one in open_erasures if one.section}
    found = [
        Reminder(
            thing=f"{kind}:{about}",
            label_ja=f"{LABELS_JA[kind]}（{_about_ja(register, about)}）",
            requirements=requirements,
            due_on=due_on,
            level=level,
            sentence_ja=sentence,
            advice_ja=advice,
            tell=tell,
            section=of_dispatches.get(about, section),
        )
        for kind, requirements, rule in _RULES
        for about, due_on, level, sentence, advice, tell in rule(year)
    ]
    return sorted(found, key=lambda one: (("red", "amber", "info").index(one.level), one.due_on, one.thing))


def _about_ja(register: Register, about: str) -> str:
    """Party, mark or job, and year: two things due never read the same."""
    return "・".join(
        f"{part}年度" if part.isdecimal() else register.name_of(part) for part in about.split(":")
    )


# ---- marks and papers that run out


@_reminds("mark_expiring", "R13 R14 R60", "認証の更新")
def _mark_expiring(y: _Year) -> Iterator[Found]:
    parties = y.parties()
    for party, mark in sorted(
        {(held.content.party, held.content.mark) for held in y.register.ever(CertificateEntry)}
    ):
        ends = [
            held.valid_until
            for held in y.register.ever(CertificateEntry)
            if (held.content.party, held.content.mark) == (party, mark)
        ]
        if party not in parties or None in ends:
            continue
        end = max(day for day in ends if day)
        first, second = (_months_before(end, months) for months in MARK_WARNINGS_MONTHS)
        if y.today < first:
            continue
        level: Level = "red" if y.today >= end else "amber" if y.today >= second else "info"
        over = y.today > end
        yield (
            f"{party}:{mark}",
            end,
            level,
            f"{y.name(party)}の{mark}は{end}{'に切れました。引渡しはできません' if over else 'に切れます'}。",
            "更新の申請の状況を確かめ、新しい登録証が届いたら「認証」に登録してください。",
            "担当",
        )


@_reminds("mark_recheck", "R13 R60", "認証の年度ごとの確認")
def _mark_recheck(y: _Year) -> Iterator[Found]:
    due = y.calendar.previous_business_day(date(y.year.year, 4, 30))
    for held in y.register.held(CertificateEntry, y.today):
        if held.content.party in y.parties() and held.content.checked_on < y.year.start:
            yield (
                held.key,
                due,
                "info" if y.today < due else "amber",
                f"{y.name(held.content.party)}の{held.content.mark}を、今年度まだ確かめていません。",
                f"{held.content.source}で有効なことを確かめ、確認した日を登録してください。",
                "担当",
            )


@_reminds("basis_expiring", "R1", "法的根拠・審議会の期限")
def _basis_expiring(y: _Year) -> Iterator[Found]:
    for held in y.register.held(LegalBasisEntry, y.today):
        if held.valid_until and held.valid_until - timedelta(days=EXPIRY_WARNING_DAYS) <= y.today:
            yield (
                held.key,
                held.valid_until,
                "amber",
                f"法的根拠・審議会（{held.content.reference}）の期限は{held.valid_until}です。",
                "次の期間について審議会への付議が要るかを確かめ、登録してください。",
                "担当",
            )


# ---- what every year renews


def _renewal(
    y: _Year, parties: dict[str, date], answered: set[str], what_ja: str, advice: str
) -> Iterator[Found]:
    """Due when the party's work begins in the fiscal year; red ten business days later."""
    for party, first in sorted(parties.items()):
        if party not in answered:
            red_from = y.calendar.shift(first, 10)
            level: Level = "info" if y.today < first else "amber" if y.today < red_from else "red"
            yield (
                f"{party}:{y.year}",
                first,
                level,
                f"{y.name(party)}の{y.year}年度の{what_ja}が届いていません。",
                advice,
                "担当",
            )


@_reminds("roster_renewal", "R37 R65", "取扱者名簿の提出")
def _roster_renewal(y: _Year) -> Iterator[Found]:
    day = max(y.today, y.year.start)
    named = {
        party
        for party in y.parties()
        if any(held.valid_from >= y.year.start for held in y.register.roster(party, day))
    }
    yield from _renewal(
        y, y.parties(), named, "取扱者名簿", "名簿の提出を求め、「取扱責任者・取扱者」に登録してください。"
    )


@_reminds("training_renewal", "R40 R65 R88", "研修の記録")
def _training_renewal(y: _Year) -> Iterator[Found]:
    trained = {
        party
        for party in y.parties()
        if (roster := [held for held in y.register.roster(party, y.today) if held.content.duty == "取扱者"])
        and all(y.register.is_trained(party, held.content.name, y.today) for held in roster)
    }
    yield from _renewal(
        y,
        y.parties(),
        trained,
        "取扱者全員の研修の記録",
        "受講記録の提出を求め、「研修の受講」に登録してください。",
    )


@_reminds("contact_renewal", "R39 R65", "緊急時の連絡体制")
def _contact_renewal(y: _Year) -> Iterator[Found]:
    reported = {
        held.content.party
        for held in y.register.held(EmergencyContactEntry, y.today)
        if held.content.fiscal_year == y.year.year
    }
    yield from _renewal(
        y, y.parties(), reported, "緊急時の連絡体制", "連絡体制と手順書の提出を求め、登録してください。"
    )


@_reminds("worker_notice", "R78", "従事者への周知")
def _worker_notice(y: _Year) -> Iterator[Found]:
    told = {
        held.content.subcontractor
        for held in y.register.ever(WorkerNoticeEntry)
        if held.content.fiscal_year == y.year.year and held.content.former_too
    }
    subs = {party: first for party, first in y.parties().items() if party in y.subcontractors()}
    yield from _renewal(
        y,
        subs,
        told,
        "従事者（従事していた者を含む）への周知の報告",
        "委託先に、秘密の保持と罰則を周知した日の報告を求めてください（別紙1 第11項）。",
    )


# ---- what happens once or twice a year


def _by_march(y: _Year) -> Level:
    """info, amber from 31 December, red from 1 March."""
    year = y.year.year
    if y.today >= date(year + 1, 3, 1):
        return "red"
    return "amber" if y.today >= date(year, 12, 31) else "info"


@_reminds("audit", "R25 R63 R85 R86 R102", "立入調査等")
def _audit(y: _Year) -> Iterator[Found]:
    yield from _audits(y, by="甲", jobs=y.jobs(y.year))


@_reminds("audit_by_contractor", "R99", "委託先による再委託先の調査")
def _audit_by_contractor(y: _Year) -> Iterator[Found]:
    subs = y.subcontractors()
    yield from _audits(y, by="乙", jobs=[(job, party) for job, party in y.jobs(y.year) if party in subs])


def _audits(y: _Year, *, by: Literal["甲", "乙"], jobs: list[tuple[str, str]]) -> Iterator[Found]:
    who = "区" if by == "甲" else "委託先"
    plan_by = date(y.year.year, 9, 30)
    for job, party in jobs:
        known = _audits_of(y, job, party, by, y.year)
        if any(one.held_on and one.held_on <= y.today for one in known):
            continue
        planned = max((one.planned_on for one in known if one.planned_on), default=None)
        if planned and y.today < planned - PLANNED_WARNING and y.today < date(y.year.year, 12, 31):
            continue
        about = f"{party}:{job}:{y.year}"
        if planned is None and y.today < date(y.year.year, 12, 31):
            if y.today >= date(y.year.year, 9, 1):
                yield (
                    about,
                    plan_by,
                    "info" if y.today <= plan_by else "amber",
                    f"「{job}」の{y.name(party)}について、{who}の立入調査等の予定がありません（9月30日まで）。",
                    "日程を決め、「立入調査等」に予定日を登録してください。",
                    "担当",
                )
            continue
        yield (
            about,
            y.year.end,
            _by_march(y),
            f"「{job}」の{y.name(party)}について、{y.year}年度の{who}の立入調査等がまだです"
            f"（{f'予定 {planned}' if planned else '予定なし'}、3月31日まで）。",
            "調査を行い、方法と指摘の件数を登録してください。立入り以外のときは理由も要ります。",
            "担当" if _by_march(y) == "info" else "課長",
        )


@_reminds("audit_missed", "R86 R102", "前年度の立入調査等")
def _audit_missed(y: _Year) -> Iterator[Found]:
    last = FiscalYear(y.year.year - 1)
    for job, party in y.jobs(last):
        held = _audits_of(y, job, party, "甲", last) + _audits_of(y, job, party, "甲", y.year)
        if not any(one.held_on and last.start <= one.held_on <= y.today for one in held):
            yield (
                f"{party}:{job}:{last}",
                last.end,
                "red",
                f"「{job}」の{y.name(party)}について、{last}年度の立入調査等を行わないまま年度が終わりました。",
                "すぐに調査を行って登録してください。次の最初の引渡しは、それまで課長の判断なしには進みません。",
                "課長",
            )


def _audits_of(y: _Year, job: str, party: str, by: str, year: FiscalYear) -> list[AuditEntry]:
    return [
        held.content
        for held in y.register.held(AuditEntry, y.today)
        if (held.content.job, held.content.party, held.content.by, held.content.fiscal_year)
        == (job, party, by, year.year)
    ]


@_reminds("lgwan_drill", "R11", "LGWAN 停止の訓練")
def _lgwan_drill(y: _Year) -> Iterator[Found]:
    by_line = any(
        _overlaps(held, y.year) and {"lgwan", "dvd"} <= set(held.content.methods)
        for held in y.register.ever(ContractEntry)
    )
    held_this_year = any(
        held.content.exercise == LGWAN_DRILL and y.year.start <= held.content.held_on <= y.today
        for held in y.register.ever(ExerciseEntry)
    )
    if by_line and not held_this_year and y.today >= date(y.year.year, 10, 1):
        yield (
            str(y.year),
            y.year.end,
            _by_march(y),
            f"LGWAN が停止したときの訓練を、{y.year}年度にまだ行っていません（3月31日まで）。",
            "検証用の環境で、理由「LGWAN 停止の訓練」の発送回を媒体で渡し、完了したら「訓練の実施」に登録してください。",
            "情報システム運用",
        )


@_reminds("account_review", "R28", "利用者の棚卸し")
def _account_review(y: _Year) -> Iterator[Found]:
    start, end = _half(y.today)
    done = [held.content.reviewed_on for held in y.register.ever(AccountReviewEntry)]
    last_start, last_end = _half(start - timedelta(days=1))
    advice = "利用者と役割を一覧と見比べ、異動した者を停止し、「利用者の棚卸し」に登録してください。"
    if not any(start <= day <= y.today for day in done):
        if done and not any(last_start <= day <= last_end for day in done):
            yield (
                str(last_end),
                last_end,
                "red",
                f"{last_end}までの半年の、利用者の棚卸しをしていません。",
                advice,
                "情報システム運用",
            )
        elif y.today >= _months_before(end, 1):
            level: Level = "amber" if y.today >= end - timedelta(days=13) else "info"
            yield (
                str(end),
                end,
                level,
                f"利用者の棚卸しの期限は{end}です（年2回）。",
                advice,
                "情報システム運用",
            )


@_reminds("entry_log_check", "R38 R65", "入退室記録の点検")
def _entry_log_check(y: _Year) -> Iterator[Found]:
    checked = {
        (held.content.party, held.content.zone)
        for held in y.register.ever(EntryLogCheckEntry)
        if y.year.start <= held.content.checked_on <= y.today
    }
    if y.today < date(y.year.year, 10, 1):
        return
    for party in sorted(y.parties()):
        if missing := [zone for zone in ZONES if (party, zone) not in checked]:
            yield (
                f"{party}:{y.year}",
                y.year.end,
                _by_march(y),
                f"{y.name(party)}の入退室記録（{'・'.join(missing)}）を、今年度まだ点検していません。",
                "記録の提出を求め、入退室の許可と照らして「入退室記録の点検」に登録してください。",
                "担当",
            )


@_reminds("log_submission", "R46 R65 R66", "ログの提出")
def _log_submission(y: _Year) -> Iterator[Found]:
    if y.today < date(y.year.year, 10, 1):
        return
    submitted = {
        (held.content.party, held.content.log)
        for held in y.register.ever(LogSubmissionEntry)
        if y.year.start <= held.content.submitted_on <= y.today
    }
    for party in sorted(y.parties()):
        wanted = ("アクセスログ", "通信ログ") if party in y.subcontractors() else ("アクセスログ",)
        if missing := [log for log in wanted if (party, log) not in submitted]:
            yield (
                f"{party}:{y.year}",
                y.year.end,
                _by_march(y),
                f"{y.name(party)}の{'・'.join(missing)}の提出を、今年度まだ受けていません。",
                "提出を求め、「ログの提出」に登録してください。",
                "担当",
            )


# ---- what waits for an answer


@_reminds("status_request", "R25 R84 R98 R103", "状況報告")
def _status_request(y: _Year) -> Iterator[Found]:
    for held in y.register.held(StatusRequestEntry, y.today):
        if held.content.answered_on is None:
            due = held.content.due_on
            yield (
                held.key,
                due,
                "info" if y.today < due else "amber" if y.today == due else "red",
                f"{y.name(held.content.party)}に求めた状況報告（期限 {due}）が届いていません。",
                "報告を求め、届いた日を登録してください。",
                "担当",
            )


@_reminds("corrective_action", "R25", "改善の指導")
def _corrective_action(y: _Year) -> Iterator[Found]:
    for held in y.register.held(CorrectiveActionEntry, y.today):
        if held.content.done_on is None:
            due = held.content.due_on
            yield (
                held.key,
                due,
                "info" if y.today < due else "amber" if y.today == due else "red",
                f"{y.name(held.content.party)}への改善の指導（期限 {due}）の結果を確かめていません。",
                "改善を確かめ、その日と公表の要否を登録してください。",
                "担当",
            )


@_reminds("workflow_acknowledgement", "R26 R36 R63", "業務フローの確認")
def _workflow_acknowledgement(y: _Year) -> Iterator[Found]:
    for held in y.register.held(WorkflowShareEntry, y.today):
        if held.content.acknowledged_on is None:
            due = y.calendar.shift(held.content.shared_on, 5)
            red_from = y.calendar.shift(held.content.shared_on, 10)
            yield (
                held.key,
                due,
                "info" if y.today < due else "amber" if y.today < red_from else "red",
                f"{y.name(held.content.party)}から、業務フロー {held.content.version} を確認した返事がありません。",
                "確認を求め、返事の届いた日を登録してください。",
                "担当",
            )


@_reminds("measure_change", "R41 R65", "対策の変更の協議")
def _measure_change(y: _Year) -> Iterator[Found]:
    for held in y.register.held(MeasureChangeEntry, y.today):
        if held.content.agreed_on is None:
            due = y.calendar.shift(held.content.reported_on, 5)
            yield (
                held.key,
                due,
                "amber" if y.today < due else "red",
                f"{y.name(held.content.party)}から届いた対策の変更の協議が整っていません。引渡しは止まります。",
                "内容を確かめて協議し、整った日を登録してください。",
                "担当",
            )


@_reminds("erasure_carried_over", "R42 R81", "年度を越えた消去")
def _erasure_carried_over(y: _Year) -> Iterator[Found]:
    for one in y.open_erasures:
        year = FiscalYear(one.fiscal_year)
        if year < y.year:
            yield (
                one.cycle,
                year.end,
                "red",
                f"{y.name(one.party)}の発送回 {one.cycle} は、年度を越えて消去が確かめられていません。",
                "消去報告書と証明書を求め、区として消去を確かめてください。",
                "課長",
            )


def _overlaps(held: Held[ContractEntry] | Held[SubcontractEntry], year: FiscalYear) -> bool:
    return held.valid_from <= year.end and (held.valid_until or date.max) >= year.start


def _half(day: date) -> tuple[date, date]:
    """The half of the fiscal year a day lies in: April to September, October to March."""
    year = FiscalYear.of(day).year
    if 4 <= day.month <= 9:  # noqa: PLR2004
        return date(year, 4, 1), date(year, 9, 30)
    return date(year, 10, 1), date(year + 1, 3, 31)


def _months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last day."""
    index = day.year * 12 + day.month - 1 - months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
