"""One look of deadline_watch: what is due in every open dispatch, told once a level, and remembered in the ledger.

Judging and wording are the domain's; here the ledger is read, the mails are handed over and what was told is
entered. A mail that the server refuses is entered as well and fails the task once the others have gone; a server that
does not answer fails it at once, to be tried again. Either way only what is not yet remembered is told the next time.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import cast

from notice_cycle import clock
from notice_cycle.alerts import Mail, Outgoing, Post, Reminder, Watched, mails_of_a_look
from notice_cycle.business_calendar import Calendars
from notice_cycle.catalogue import Notice, load_notice, notice_ids
from notice_cycle.deadline_rules import ROLES_JA, Deadlines, Role
from notice_cycle.deadlines import (
    AlertSent,
    Due,
    first_cycle_id,
    judge,
    load,
    next_look,
    opened,
    plan_of,
    preparation_of,
    settled_elsewhere,
)
from notice_cycle.dispatch_plan import Plan
from notice_cycle.errors import CannotLook, NoticeCycleError, Refused
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.heartbeat import Heartbeat
from notice_cycle.incidents.entering import read_incidents, sections_concerned
from notice_cycle.incidents.folded import IncidentReminder, incident_reminders
from notice_cycle.ledger.entry import System
from notice_cycle.ledger.store import Ledger
from notice_cycle.people import People
from notice_cycle.preparation import (
    PreparationOpened,
    Readiness,
    advised,
    find_preparation,
    prepare,
    readiness,
)
from notice_cycle.quantities import planned_for_year
from notice_cycle.records import ClosingRecord, OpeningRecord, YearSettingsRecord
from notice_cycle.register import GateExcepted, Register, due_reminders, read_exceptions, read_register
from notice_cycle.returned_mail import ReturnedMailReminder, remind_of_returned
from notice_cycle.settings import Settings
from notice_cycle.unsent_mail import (
    REASONS_JA,
    STOPS_THE_REST,
    MailUnsent,
    UnsentReminder,
    unsent_dues,
    unsent_reminders,
)
from notice_cycle_airflow.notifiers.ward_mail import note_unsent, reason_of
from notice_cycle_airflow.quantities import tell_all_quantities
from notice_cycle_airflow.views import PREPARATION

_log = logging.getLogger(__name__)


def look(
    ledger: Ledger,
    settings: Settings,
    actor: System,
    deliver: Callable[[Mail], None],
) -> str:
    """Looks once. Gives a Japanese line for the log. Raises what reading, configuring or sending raises."""
    now = clock.now()
    deadlines, calendars = load(settings.config_folder)
    today = tokyo_date(now)
    incidents = _incidents(ledger, settings.config_folder, now)
    watched: list[Watched] = []
    reminders: Sequence[Reminder] = incidents
    unreadable: NoticeCycleError | None = None
    if calendars.ward.why_closed(today) and not incidents:
        _beat(calendars)
        return "今日は閉庁日です。知らせは次の開庁日に届きます。"
    people = People.load(settings.config_folder)
    told = prepared = 0
    unsent: list[MailUnsent] = []
    if not calendars.ward.why_closed(today):
        told, unsent = tell_all_quantities(ledger, settings, actor, deliver)
        prepared = open_preparations(
            ledger, settings.config_folder, deadlines, calendars, now=now, actor=actor
        )
        watched = under_watch(ledger, settings.config_folder, deadlines, calendars, now)
        of_the_register, unreadable = _reminders(
            ledger, settings.config_folder, today, calendars, people.register_section
        )
        reminders = [
            *incidents,
            *of_the_register,
            *_returned_mail(ledger, deadlines, calendars, today),
            *_unsent_before(ledger, settings.config_folder, calendars, now),
        ]
    sending = mails_of_a_look(
        watched,
        reminders,
        _told_before(ledger),
        now=now,
        people=people,
        calendars=calendars,
        post=Post.of(settings, people),
    )
    unsent += _send(sending, deliver, ledger, actor, now)
    note_unsent(ledger, unsent, actor)
    if away := [one for one in unsent if one.reason in STOPS_THE_REST]:
        raise CannotLook(
            f"メールサーバーに渡せません（{REASONS_JA[away[0].reason]}）。",
            advice="自動で再試行します。続くときは、メールサーバーの稼働と接続 smtp_default を確かめてください。",
        )
    _beat(calendars)
    if unreadable:
        raise unreadable  # only now: a mistake in the register silences no due date
    if unsent:
        raise Refused(
            f"届けられなかった知らせが{len(unsent):,}件あります（{_whom_ja(unsent)}）。",
            advice="宛先（people.yaml・parties.yaml）とメールサーバーの記録を確かめて直し、急ぐものは電話で伝えてください。"
            "ほかの宛先には届いています。次の見回りで、もう一度送ります。",
        )
    late = sum(due.state == "red" for one in watched for due in one.dues)
    begun = f"準備の開始 {prepared}件、" if prepared else ""
    return f"発送回 {len(watched)}件、{begun}期限超過 {late}件、メール {len(sending) + told}通。"


def under_watch(
    ledger: Ledger, config: Path, deadlines: Deadlines, calendars: Calendars, now: datetime
) -> list[Watched]:
    """Every open cycle, and every yearly run that is being prepared, with its dues as judged now."""
    openings = ledger.entries(kind=OpeningRecord.kind())
    register = _register(ledger, config, tokyo_date(now))
    exceptions = read_exceptions(ledger)
    settings_confirmed = [
        YearSettingsRecord.model_validate(entry.data)
        for entry in ledger.entries(kind=YearSettingsRecord.kind())
    ]
    notices = _readable(config)
    found = []
    for entry in openings:
        history = ledger.history(entry.cycle or "")
        notice = notices.get(history.opening.notice)
        if notice is None or history.withdrawn or history.entry_of(ClosingRecord):
            continue
        plan = plan_of(history, notice, deadlines, calendars)
        ready = _ready(plan, notice, register, exceptions, calendars, now=now)
        met = settled_elsewhere(plan.fiscal_year, settings_confirmed, plan.rules) | ready.settled
        dues = advised(judge(plan, history, now, calendars, subject=entry.cycle or "", met=met), ready)
        run_path = f"/dags/{history.opening.dag_id}/runs/{history.opening.run_id}"
        found.append(_watched(notice, run_path, deadlines, dues))
    known = [OpeningRecord.model_validate(entry.data) for entry in openings]
    for notice, preparation in _in_preparation(notices, known, deadlines, calendars, now):
        ready = _ready(preparation, notice, register, exceptions, calendars, now=now)
        met = settled_elsewhere(preparation.fiscal_year, settings_confirmed, preparation.rules)
        subject = first_cycle_id(preparation)
        dues = advised(
            judge(preparation, None, now, calendars, subject=subject, met=met | ready.settled), ready
        )
        found.append(_watched(notice, f"/dags/{notice.id}/plugin/{PREPARATION}", deadlines, dues))
    return found


def open_preparations(
    ledger: Ledger,
    config: Path,
    deadlines: Deadlines,
    calendars: Calendars,
    *,
    now: datetime,
    actor: System,
) -> int:
    """Enters the preparation of every yearly dispatch whose time has come, once. How many were entered."""
    openings = ledger.entries(kind=OpeningRecord.kind())
    known = [OpeningRecord.model_validate(entry.data) for entry in openings]
    register = _register(ledger, config, tokyo_date(now))
    if register is None:
        return 0
    entered = 0
    for notice, plan in _in_preparation(_readable(config), known, deadlines, calendars, now):
        with ledger.locked(first_cycle_id(plan), PreparationOpened.kind()):
            standing = ledger.entries(kind=PreparationOpened.kind())
            if find_preparation(standing, notice.id, plan.fiscal_year):
                continue
            ready = _ready(plan, notice, register, read_exceptions(ledger), calendars, now=now)
            counts = planned_for_year(notice, plan.fiscal_year, openings, ledger.history)
            ledger.note(first_cycle_id(plan), prepare(plan, register, ready, counts), actor)
            entered += 1
    return entered


def _in_preparation(
    notices: Mapping[str, Notice],
    known: Sequence[OpeningRecord],
    deadlines: Deadlines,
    calendars: Calendars,
    now: datetime,
) -> Iterator[tuple[Notice, Plan]]:
    for notice in notices.values():
        plan = preparation_of(notice, now, deadlines, calendars)
        if plan is not None and not opened(known, plan):
            yield notice, plan


def _register(ledger: Ledger, config: Path, today: date) -> Register | None:
    """None when it cannot be read: the reminders tell of that, and what it settles is nobody's fault meanwhile."""
    try:
        return read_register(ledger, config, today)
    except NoticeCycleError:
        return None


def _ready(
    plan: Plan,
    notice: Notice,
    register: Register | None,
    exceptions: Sequence[GateExcepted],
    calendars: Calendars,
    *,
    now: datetime,
) -> Readiness:
    if register is None:
        by_register = frozenset(one.id for one in plan.rules.milestones if one.by_register)
        return Readiness(settled=by_register, lacking={})
    return readiness(plan, notice, register, calendars, today=tokyo_date(now), exceptions=exceptions)


def _watched(notice: Notice, run_path: str, deadlines: Deadlines, dues: Sequence[Due]) -> Watched:
    return Watched(
        name_ja=notice.name_ja,
        section=notice.section,
        party=notice.party,
        run_path=run_path,
        escalation=deadlines.escalation,
        dues=tuple(dues),
    )


def _readable(config: Path) -> dict[str, Notice]:
    """Every notice whose file can be read; catalogue_check.py shows the others."""
    found = {}
    for notice_id in notice_ids(config):
        try:
            found[notice_id] = load_notice(config, notice_id)
        except NoticeCycleError:
            _log.warning("通知書 %s の設定を読めないため、期限を見張れません。", notice_id)
    return found


def _reminders(
    ledger: Ledger, config: Path, today: date, calendars: Calendars, section: str
) -> tuple[Sequence[Reminder], NoticeCycleError | None]:
    try:
        return due_reminders(ledger, config, today, calendars.ward, section=section), None
    except NoticeCycleError as unreadable:
        return (), unreadable


def _incidents(ledger: Ledger, config: Path, now: datetime) -> list[IncidentReminder]:
    """The law's clocks of open incidents: they count closed days, so they are told on them too."""
    open_ones = [one for one in read_incidents(ledger) if not one.is_closed]
    if not open_ones:
        return []
    register = read_register(ledger, config, tokyo_date(now))
    return [
        reminder
        for one in open_ones
        for reminder in incident_reminders(
            one,
            now,
            party_ja=register.name_of(one.reported.party),
            sections=sections_concerned(ledger, one.reported.cycles) or ("",),
        )
    ]


def _returned_mail(
    ledger: Ledger, deadlines: Deadlines, calendars: Calendars, today: date
) -> list[ReturnedMailReminder]:
    """Closed dispatches too: letters come back for weeks."""
    histories = (ledger.history(entry.cycle or "") for entry in ledger.entries(kind=OpeningRecord.kind()))
    found = (
        remind_of_returned(one, today, deadlines.returned_mail, calendars.ward)
        for one in histories
        if not one.withdrawn
    )
    return [one for one in found if one is not None]


def _send(
    sending: Sequence[Outgoing], deliver: Callable[[Mail], None], ledger: Ledger, actor: System, now: datetime
) -> list[MailUnsent]:
    """Sends each mail and remembers it. Gives what did not go out.

    One that is refused stops no other. A server that breaks off may do so for one mail; twice in a row it is away.
    """
    unsent: list[MailUnsent] = []
    broke_off = False
    for place, outgoing in enumerate(sending):
        try:
            deliver(outgoing.mail)
        except Exception as failed:
            reason = reason_of(failed)
            _log.error("メールを送れませんでした（%s: %s）。", outgoing.template, type(failed).__name__)
            is_away = broke_off and reason in STOPS_THE_REST
            tried = sending[place:] if is_away else [outgoing]
            unsent += [one for each in tried for one in unsent_dues(each, reason, now)]
            if is_away:
                break
            broke_off = reason in STOPS_THE_REST
        else:
            broke_off = False
            _remember(outgoing, ledger, actor, now)
    return unsent


def _unsent_before(ledger: Ledger, config: Path, calendars: Calendars, now: datetime) -> list[UnsentReminder]:
    """Of earlier looks, not of this one: a retry some minutes later sends them all the same."""
    known = [MailUnsent.model_validate(entry.data) for entry in ledger.entries(kind=MailUnsent.kind())]
    earlier = [one for one in known if next_look(one.tried_at, calendars) <= now]
    return unsent_reminders(earlier, _told_before(ledger), config, ledger.history)


def _whom_ja(unsent: Sequence[MailUnsent]) -> str:
    return "・".join(dict.fromkeys(ROLES_JA[cast(Role, one.to_role)] for one in unsent))


def _told_before(ledger: Ledger) -> set[tuple[str, str, int, datetime]]:
    known = [AlertSent.model_validate(entry.data) for entry in ledger.entries(kind=AlertSent.kind())]
    return {one.key for one in known}


def _remember(outgoing: Outgoing, ledger: Ledger, actor: System, now: datetime) -> None:
    for told in outgoing.told:
        ledger.note(told.cycle, AlertSent.of(told, now), actor)


def _beat(calendars: Calendars) -> None:
    """Read against the real time by a process outside: with a moved clock that process makes no sense."""
    if (path := Settings().watch_heartbeat) is not None:
        Heartbeat(path).beat(clock.now(), calendars)
