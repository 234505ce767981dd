"""The cycle a task works on: found by its DAG run, with ledger, vault and configuration at hand.

The only module that reads params and Airflow connections. It also decides what an error means to Airflow:
"ask a person" and "stop" fail at once, "retry" retries, "not there yet" gives the slot back and looks again later;
anything unforeseen is told by its place only, because its text might hold personal data.
"""

import logging
import re
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from airflow.sdk import Connection, get_current_context
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)
from psycopg.conninfo import make_conninfo

from notice_cycle import clock
from notice_cycle.accounts import (
    AccountChanged,
    AccountClosed,
    AccountFound,
    person_of,
    require_section,
    sections_of,
)
from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.catalogue import Configuration, load_notice
from notice_cycle.copies import told_facts
from notice_cycle.encryption.sshsig import AllowedSigners
from notice_cycle.errors import CannotLook, Conflict, NoticeCycleError, NotThereYet, Refused
from notice_cycle.exchange import door
from notice_cycle.exchange.door import Admitted
from notice_cycle.exchange.messages import M
from notice_cycle.fiscal_year import FiscalYear, tokyo_date
from notice_cycle.gates import closed, facts_of, gates_before, judged, require_open, told, warning
from notice_cycle.handover.lgwan import check_outbox
from notice_cycle.handover.route import ROUTES_JA, route_of
from notice_cycle.incidents.entering import read_incidents, sections_concerned
from notice_cycle.ledger.entry import System
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.ledger.store import Ledger
from notice_cycle.opening import OpeningRequest
from notice_cycle.pullout import PulloutHistory, PulloutRequested, open_pullouts, pullouts
from notice_cycle.pullout.folded import State
from notice_cycle.pullout.rules import configuration_of_list
from notice_cycle.records import (
    CompositionRecord,
    EncryptionRecord,
    ExtractionRecord,
    Fact,
    HandoverBegun,
    HandoverRecord,
    LedgerRestored,
    OpeningRecord,
    PackageBeyond,
    PulloutStep,
    Record,
    ReplyReceived,
    ReplyRefused,
    Route,
    ValidationRecord,
)
from notice_cycle.register import GatesJudged, Register, read_exceptions, read_register
from notice_cycle.register.kinds import ConsentEntry
from notice_cycle.register.reminders import find_open_erasures
from notice_cycle.replies import inbox_name, is_answer_to, paper_of, refuse_open_conflicts
from notice_cycle.restoration import packages_beyond
from notice_cycle.settings import Settings
from notice_cycle.stage import followed_by, is_passed_over, stage_of
from notice_cycle.values import CYCLE_ID_PATTERN, Occasion, Person
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import PASSPHRASE, pullout_passphrase
from notice_cycle_airflow.notifiers.ward_mail import tell

LEDGER_CONNECTION = "ledger"
RECALLED_JA = "引渡し後に取り下げられた発送回です。消去の確認まで、することはありません。"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunningCycle:
    """One cycle as a task sees it. `actor` is the task, named in everything it enters."""

    id: str
    actor: System
    settings: Settings
    ledger: Ledger

    is_pullout = False
    passphrase_name = PASSPHRASE

    def history(self) -> CycleHistory:
        """The cycle's entries, read now."""
        return self.ledger.history(self.id)

    @cached_property
    def opening(self) -> OpeningRecord:
        """How the cycle was opened."""
        return self.history().opening

    @cached_property
    def configuration(self) -> Configuration:
        """What the cycle runs by, as stored when it was opened."""
        return Configuration.model_validate(self.opening.configuration)

    @cached_property
    def vault(self) -> CycleVault:
        """The cycle's folder in the vault."""
        return self.settings.vault.cycle(self.id)

    @cached_property
    def allowed_signers(self) -> AllowedSigners:
        """Which contractor signs with which key."""
        return AllowedSigners.load(self.settings.allowed_signers)

    def packages_beyond(self) -> list[PackageBeyond]:
        """Packages of this cycle that a restored ledger has forgotten."""
        return packages_beyond(self.ledger.entries(kind=LedgerRestored.kind()), self.id)

    def once(self, record: type[Record], make: Callable[[CycleHistory], Record]) -> str:
        """Enters a record unless a current one stands, alone under the lock of its step. Gives its digest.

        This is why clearing a task redoes nothing: the record is found and `make` is not called.
        """
        with self.ledger.locked(self.id, record.kind()):
            history = self.history()
            refuse_open_conflicts(history)
            if standing := history.entry_of(record):
                _log.info("すでに記録されています（第%d号）。何もしません。", standing.seq)
                return standing.digest
            if is_passed_over(record, recalled=history.recalled):
                _log.info(RECALLED_JA)
                return RECALLED_JA
            if before := self._followed_by(record, history):
                history.latest(before)  # a decision may have fallen while this task waited for its turn
            return self.enter(make(history))

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Holds back every step that touches vault, outbox or contractor, once those that run have ended.

        A decision taken in the middle of an upload would leave a package with the contractor that no record knows.
        """
        with ExitStack() as held:
            for record in (
                ExtractionRecord,
                ValidationRecord,
                CompositionRecord,
                EncryptionRecord,
                HandoverRecord,
            ):
                held.enter_context(self.ledger.locked(self.id, record.kind()))
            yield

    def enter(self, record: Record, by: Person | None = None) -> str:
        """Enters a record behind its predecessor. Gives its digest."""
        after = self._followed_by(type(record), self.history())
        entry = self.ledger.enter(self.id, record, by or self.actor, after=after)
        _log.info("証跡台帳 第%d号「%s」を記録しました。", entry.seq, record.label_ja)
        return entry.digest

    @staticmethod
    def _followed_by(record: type[Record], history: CycleHistory) -> type[Record] | None:
        standing = {entry.kind for entry in history.current}
        return followed_by(record, standing, recalled=history.recalled)

    def note(self, fact: Fact, by: Person | None = None) -> None:
        """Enters a fact beside the chain."""
        self.ledger.note(self.id, fact, by or self.actor)

    def register(self) -> Register:
        """The register as known today."""
        return read_register(self.ledger, self.settings.config_folder, clock.today())

    def judge_gates(self, stage: str, route: Route | None = None) -> None:
        """Judges the gates before a stage, keeps and tells the judgement once, raises Refused when one is closed.

        `route`: the one about to be taken; otherwise the cycle's.
        """
        today, history, config = clock.today(), self.history(), self.settings.config_folder
        if history.recalled and stage != "closing":
            return  # nothing is printed or delivered: what left is asked back, whatever is missing
        register, host = read_register(self.ledger, config, today), self.settings.host_name
        facts = facts_of(
            self.id,
            history,
            route=route or route_of(history, self.configuration),
            today=today,
            calendar=BusinessCalendar.from_file(config / "calendar.yaml"),
            further={
                "open_erasures": self._carried_over() if stage == "handover" else None,
                "sending_host": host,
                "storage_host": host,
                **told_facts(
                    history,
                    register,
                    beyond=self.packages_beyond(),
                    incidents=[one.reported for one in read_incidents(self.ledger)],
                ),
            },
        )
        gates = gates_before(stage, facts, register, today=today, exceptions=read_exceptions(self.ledger))
        fact = judged(stage, gates, register, today=today)
        earlier = [one for one in history.facts(GatesJudged) if one.stage == stage]
        if earlier[-1:] != [fact]:
            stage_ja = stage_of(stage).label_ja
            if stopping := closed(gates):  # first: a mail too many after a crash, never one too few
                tell("gate_closed", {"cycle": self.id, **told(stage_ja, stopping)})
            known = earlier[-1].warned if earlier else ()
            if new := [gate for gate in warning(gates) if gate.name not in known]:
                tell("gate_warns", {"cycle": self.id, **told(stage_ja, new)})
            self.note(fact)
        require_open(gates)

    def _carried_over(self) -> tuple[str, ...]:
        """The contractor's cycles of earlier years whose erasure is not confirmed."""
        openings = self.ledger.entries(kind=OpeningRecord.kind())
        return tuple(
            one.cycle
            for one in find_open_erasures(openings, self.ledger.history)
            if one.party == self.configuration.party.id and one.fiscal_year < self.opening.fiscal_year
        )

    def begin_handover(self, route: Route) -> str:
        """Notes, before the first byte goes, that the package may lie with the contractor from now on."""
        history = self.history()
        encryption = history.latest(EncryptionRecord)
        check_outbox(encryption, self.settings.outbox, self.id)
        begun = (fact.package for fact in history.facts(HandoverBegun) if fact.route == route)
        if encryption.package not in begun:
            self.note(
                HandoverBegun(
                    package=encryption.package,
                    route=route,
                    encrypted_file=encryption.files[0],
                    begun_at=clock.now(),
                )
            )
        return encryption.package

    @cached_property
    def signers(self) -> dict[str, str]:
        """Who may answer for this cycle: the party's id by the name it signs with; 乙, and 丙 with the ward's consent.

        A consent at any time since the opening: what a party was given it must be able to account for later.
        """
        known = {self.configuration.party.signer: self.configuration.party.id}
        if not self.configuration.subcontractors:
            return known
        opened_on = tokyo_date(self.history().records[0].recorded_at)
        consented = {
            held.content.subcontractor
            for held in self.register().ever(ConsentEntry)
            if held.content.contractor == self.configuration.party.id
            and self.configuration.notice.id in held.content.notices
            and held.valid_from <= clock.today()
            and (held.valid_until is None or held.valid_until >= opened_on)
        }
        return known | {
            sub.signer: sub.id for sub in self.configuration.subcontractors if sub.id in consented
        }

    def received(self, kind: type[M]) -> tuple[M, str]:
        """The contractor's latest admitted message of a kind, from the inbox, with its digest."""
        own = ("", self.configuration.party.id)
        known = [fact for fact in self._receptions(kind) if fact.party in own]
        if not known:
            raise Refused(
                f"{kind.label_ja}はまだ届いていません。", advice="待機のタスクから実行してください。"
            )
        found = self._from_inbox(kind, known[-1])
        return found.message, found.sha256

    def all_received(self, kind: type[M], but: Collection[str] = ()) -> list[Admitted[M]]:
        """Every admitted message of a kind, by whichever party, oldest first, checked again from the inbox.

        Of a kind that a party says once, its latest; what was refused afterwards is not among them, nor those
        whose digest is in `but`.
        """
        latest: dict[object, ReplyReceived] = {}
        for fact in self._receptions(kind):
            party = fact.party or self.configuration.party.id
            key = fact.message_sha256 if kind.several else party
            latest.pop(key, None)
            latest[key] = fact
        refused = {fact.message_sha256 for fact in self.history().facts(ReplyRefused)}
        folder = self.settings.inbox / self.id
        return [
            self._from_inbox(kind, fact)
            for fact in latest.values()
            if fact.message_sha256 not in but
            and (fact.message_sha256 not in refused or (folder / inbox_name(kind, fact)).exists())
        ]

    def _receptions(self, kind: type[M]) -> list[ReplyReceived]:
        history = self.history()
        known = [fact for fact in history.facts(ReplyReceived) if fact.message == kind.kind]
        return [fact for fact in known if is_answer_to(history, fact)]

    def _from_inbox(self, kind: type[M], fact: ReplyReceived) -> Admitted[M]:
        return door.received(
            self.settings.inbox,
            self.id,
            kind,
            inbox_name(kind, fact),
            sha256_expected=fact.message_sha256,
            signers=self.signers,
            contractor=self.configuration.party.id,
            allowed=self.allowed_signers,
            at=clock.now(),
            on_paper=paper_of(self.history(), kind.kind, fact.message_sha256),
        )

    @contextmanager
    def judging(self, *messages: tuple[type[Any], str]) -> Iterator[None]:
        """Judges messages (kind, digest): when they are refused, they are put away and never taken again."""
        try:
            yield
        except Refused as wrong:
            for kind, digest in messages:
                names = [
                    inbox_name(kind, fact) for fact in self._receptions(kind) if fact.message_sha256 == digest
                ]
                kept_as = door.put_away(self.settings.inbox, self.id, names[-1])
                self.note(
                    ReplyRefused(
                        message=kind.kind,
                        message_sha256=digest,
                        reason_ja=wrong.message,
                        quarantined_as=kept_as,
                    )
                )
            raise


@dataclass(frozen=True)
class RunningPullout(RunningCycle):
    """A pull-out of a cycle: the same tasks, which read and write the records of its own package."""

    is_pullout = True
    pullout: int

    def history(self) -> PulloutHistory:
        """The cycle's entries as one pull-out sees them, read now."""
        return PulloutHistory(self.ledger.history(self.id), self.pullout)

    @property
    def passphrase_name(self) -> str:  # type: ignore[override]
        """Where the passphrase of its package lies in the vault."""
        return pullout_passphrase(self.pullout)

    @cached_property
    def configuration(self) -> Configuration:
        """What the cycle runs by, with the list's layout in the place of the print file's."""
        return configuration_of_list(Configuration.model_validate(self.opening.configuration))

    def enter(self, record: Record, by: Person | None = None) -> str:
        """Enters a record of the pull-out's package, beside the chain of the cycle."""
        entry = self.ledger.note(self.id, PulloutStep.of(self.pullout, record), by or self.actor)
        _log.info("証跡台帳 第%d号「%s」を記録しました。", entry.seq, record.label_ja)
        return entry.digest


def pullouts_of(cycle: RunningCycle) -> list[RunningPullout]:
    """The pull-outs of a cycle that count, oldest first; confirmed ones are answered into until it is closed."""
    return [
        RunningPullout(
            id=cycle.id,
            actor=cycle.actor,
            settings=cycle.settings,
            ledger=cycle.ledger,
            pullout=one.request.pullout,
        )
        for one in pullouts(cycle.history())
        if one.state != State.CANCELLED
    ]


def open_pullout_of(cycle: RunningCycle) -> RunningPullout | None:
    """The pull-out that the contractor has not confirmed; there is one at a time."""
    is_open = {one.request.pullout for one in open_pullouts(cycle.history())}
    return next((one for one in pullouts_of(cycle) if one.pullout in is_open), None)


def _running_pullout(ledger: Ledger, dag_id: str, run_id: str) -> RunningPullout | None:
    """The pull-out that a DAG run asked for. Skips the task when it was cancelled, or its dispatch was made again."""
    for entry in ledger.entries(kind=PulloutRequested.kind()):
        if (entry.data["dag_id"], entry.data["run_id"]) != (dag_id, run_id):
            continue
        number, cycle = entry.data["pullout"], str(entry.cycle)
        known = {one.request.pullout: one for one in pullouts(ledger.history(cycle))}
        if number not in known:
            raise AirflowSkipException("印字データが作り直されたため、この依頼は使いません。")
        if known[number].state == State.CANCELLED:
            raise AirflowSkipException("この依頼は取りやめられています。")
        return RunningPullout(id=cycle, actor=this_task(), settings=Settings(), ledger=ledger, pullout=number)
    return None


def current_cycle() -> RunningCycle:
    """The cycle that this DAG run opened. Raises Refused when it opened none, or the cycle is withdrawn."""
    run = get_current_context()["dag_run"]
    ledger = open_ledger()
    if pullout := _running_pullout(ledger, run.dag_id, run.run_id):
        return pullout
    cycle = ledger.cycle_of_run(run.dag_id, run.run_id)
    if cycle is None:
        raise Refused(
            "この実行は発送回をまだ開始していません。", advice="「開始」のタスクから実行してください。"
        )
    running = RunningCycle(id=cycle, actor=this_task(), settings=Settings(), ledger=ledger)
    if running.history().withdrawn:
        raise Refused(
            f"発送回 {cycle} は取り下げられています。", advice="必要なら新しい実行として開始してください。"
        )
    return running


def only_by(cycle: RunningCycle, route: Route) -> None:
    """Skips the task when the package goes another way."""
    if (other := route_of(cycle.history(), cycle.configuration)) != route:
        raise AirflowSkipException(f"この発送回の経路は「{ROUTES_JA[other]}」です。")


def decision_request() -> tuple[RunningCycle, dict[str, str], Person]:
    """What the form やり直し・取下げ asks for: the cycle it names, its other params, and who asks."""
    ledger, asked, person = form_request()
    if not ledger.history(asked["cycle"]).records:
        raise Refused("その番号の発送回はありません。", advice="発送回の番号を画面から写し直してください。")
    running = RunningCycle(id=asked["cycle"], actor=this_task(), settings=Settings(), ledger=ledger)
    return running, asked, person


def restoration_request() -> tuple[Ledger, dict[str, str], Person]:
    """What the form 台帳の復旧 asks for: the ledger as it is, not compared with its head, the params, and who asks."""
    context = get_current_context()
    return Ledger(database(LEDGER_CONNECTION)), _asked(context), _person(context)


def form_request() -> tuple[Ledger, dict[str, str], Person]:
    """What a person started this run for: the ledger, the answers as text (empty where nothing was said), and who asks.

    Raises Refused when an answer, in whichever field, names a dispatch of a section that is not the person's.
    """
    context = get_current_context()
    ledger, asked, person = open_ledger(), _asked(context), _person(context)
    named = (line for answer in asked.values() for line in answer.splitlines())
    for cycle in filter(re.compile(CYCLE_ID_PATTERN).fullmatch, map(str.strip, named)):
        if ledger.history(cycle).records:
            require_section(own_sections(), sections_concerned(ledger, [cycle]), f"発送回 {cycle} ")
    return ledger, asked, person


def own_sections() -> tuple[str, ...]:
    """On whose dispatches the person who started this run may act; empty: everybody's."""
    return sections_of(_who(get_current_context()))


def _asked(context: Any) -> dict[str, str]:
    return {key: _as_text(value) for key, value in context["params"].items()}


def _as_text(value: Any) -> str:
    """Several choices stand on lines of their own."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def closed_account() -> tuple[Ledger, AccountClosed]:
    """What the lock-out started this run for."""
    asked = get_current_context()["params"]
    closed = AccountClosed(
        login=asked["login"],
        failures=asked["failures"],
        closed_at=datetime.fromisoformat(asked["closed_at"]),
    )
    return open_ledger(), closed


def changed_account() -> tuple[Ledger, AccountChanged]:
    """What the api-server started this run for, when it was for one account."""
    asked = get_current_context()["params"]
    changed = AccountChanged(
        login=asked["login"],
        was_active=asked["was_active"],
        active=asked["active"],
        roles_before=tuple(asked["roles_before"]),
        roles=tuple(asked["roles"]),
        changed_by=person_of(asked["changed_by"]) if asked["changed_by"] else None,
        changed_at=datetime.fromisoformat(asked["changed_at"]),
    )
    return open_ledger(), changed


def accounts_found() -> tuple[Ledger, list[AccountFound], datetime] | None:
    """All accounts as an installation found them and when, where this run was started for that."""
    asked = get_current_context()["params"]
    if asked["found"] is None:
        return None
    found = [AccountFound.model_validate(one) for one in asked["found"]]
    return open_ledger(), found, datetime.fromisoformat(asked["changed_at"])


def opening_request() -> OpeningRequest:
    """What this DAG run was started for: its params, or the yearly schedule."""
    context = get_current_context()
    run, params = context["dag_run"], context["params"]
    by_schedule = str(run.run_type) in {"scheduled", "DagRunType.SCHEDULED"}
    if by_schedule and run.logical_date is not None:
        year = FiscalYear.of(run.logical_date.astimezone(clock.TOKYO).date()).year
        starts = load_notice(Settings().config_folder, run.dag_id).starts
        return OpeningRequest(
            dag_id=run.dag_id,
            run_id=run.run_id,
            fiscal_year=year,
            occasion=Occasion.ANNUAL,
            reason_code="annual",
            batch_no=(starts.batch if starts else "{year}-annual").format(year=year),
        )
    if not params.get("batch_no"):
        raise Refused(
            "異動バッチ番号が入力されていません。",
            advice="基幹系の処理票の番号を入れて起動し直してください。",
        )
    return OpeningRequest(
        dag_id=run.dag_id,
        run_id=run.run_id,
        fiscal_year=int(params["fiscal_year"]),
        occasion=Occasion(params["occasion"]),
        reason_code=str(params["reason_code"]),
        batch_no=str(params["batch_no"]),
        reprint_of=str(params.get("reprint_of") or ""),
        originals=str(params.get("originals") or ""),
    )


def the_context() -> Any:
    """The running task's context, for a mail that it sends."""
    return get_current_context()


def this_task() -> System:
    """The running task, as an actor."""
    return System(task=str(get_current_context()["ti"].task_id))


def this_run() -> str:
    """The running DAG run, by which a cleared task knows what it has done."""
    return str(get_current_context()["dag_run"].run_id)


def open_ledger() -> Ledger:
    """The ledger behind the Airflow connection `ledger`. Raises Refused when it has lost its noted head."""
    ledger = Ledger(database(LEDGER_CONNECTION), Settings().heads)
    ledger.compare_heads()
    return ledger


def database(connection_id: str) -> str:
    """A libpq connection string from an Airflow connection (host may be a socket folder)."""
    connection = Connection.get(connection_id)
    return make_conninfo(
        host=connection.host,
        port=connection.port,
        user=connection.login,
        password=connection.password,
        dbname=connection.schema,
    )


def _person(context: Any) -> Person:
    who = _who(context)
    if not who:
        raise Refused(
            "だれの判断か分かりません。", advice="画面にログインして「トリガー」から開始してください。"
        )
    return person_of(who)


def _who(context: Any) -> str:
    return str(context["dag_run"].triggering_user_name or "")


@contextmanager
def telling() -> Iterator[None]:
    """Turns errors into what Airflow does: Refused and Conflict fail, CannotLook retries, the rest is told by place.

    NotThereYet waits as the sensors do: no slot, no retry used up, however long.
    """
    try:
        yield
    except NotThereYet as awaited:
        _log.info("%s", awaited)
        wait = timedelta(seconds=Settings().reply_interval_seconds)
        raise AirflowRescheduleException(clock.machine_time_in(wait)) from None
    except CannotLook as unreachable:
        raise AirflowException(str(unreachable)) from None
    except (Refused, Conflict, NoticeCycleError) as stop:
        raise AirflowFailException(str(stop)) from None
    except AirflowException:
        raise
    except Exception as unforeseen:
        places = [
            f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(unforeseen.__traceback__)
        ]
        _log.error("予期しない誤り %s: %s", type(unforeseen).__name__, " ← ".join(reversed(places)))
        raise AirflowException(
            f"予期しない誤りが起きました（{type(unforeseen).__name__}）。 → ログの場所を添えて情報システム課に連絡してください。"
        ) from None
