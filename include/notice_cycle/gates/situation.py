"""What gates are judged by: the facts of one cycle, the register, the day. And what a gate is.

`CycleFacts` is filled from the cycle's records (`facts_of`) and from what the task knows about its own machine; a
field that nobody filled (None) closes the gates that need it, it never opens one. Only without `workflow_sha256` any
shared version of the work flow counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.catalogue import Configuration
from notice_cycle.exercise import DRILL
from notice_cycle.handover.returns import Given
from notice_cycle.handover.route import ROUTES_JA
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.opening import OF_INVENTED_DATA
from notice_cycle.records import (
    CompositionRecord,
    CopyWithdrawn,
    EncryptionRecord,
    ExtractionRecord,
    HandoverApprovalRecord,
    HandoverBegun,
    HandoverRecord,
    PassphraseHandoverRecord,
    Route,
    RouteSwitched,
)
from notice_cycle.register import Register
from notice_cycle.values import CycleId, Digest, Frozen, Item, NoticeId

Carrier = Literal["パソコン", "サーバー", "DVD", "紙", "その他"]

DAYS_TO_VERIFIED_ERASURE = 22
"""Business days from the hand-over: delivery 7, the erasure report 5, the ward's own confirmation 10."""


class NamedPerson(Frozen):
    """A contractor's person named on a record."""

    name: str
    party: str
    day: date
    on_ja: str


class CopyHeld(Frozen):
    """A copy of the data with a contractor, and what became of it (`settled` empty: nothing yet)."""

    party: str
    carrier: Carrier
    place: str
    what_ja: str = ""
    declared: bool = True
    settled: Literal["", "返還", "引渡し", "消去"] = ""
    settled_to: Literal["", "甲", "乙"] = ""


class Confirmed(Frozen):
    """A 確認書: which, for which party, who of the contractor checked it, and whether a difference is open."""

    what_ja: str
    party: str
    checked_by: str
    difference_open: bool = False


class ErasureProof(Frozen):
    """The proof of erasure of one party: to whom the certificate went, and who confirmed it."""

    party: str
    reported: bool
    certificate_to: tuple[Literal["甲", "乙"], ...]
    confirmed_by: tuple[Literal["甲", "乙"], ...]


class CycleFacts(Frozen):
    """One cycle as the gates see it. `standing`: the kinds of records that hold now."""

    cycle: CycleId
    fiscal_year: int
    notice: NoticeId
    notice_ja: str = ""
    section: str = ""
    party: str
    route: Route
    planned_route: Route = "lgwan"
    rehearsal: bool = False
    drill: bool = False
    synthetic: bool = False
    standing: frozenset[str] = frozenset()
    items: tuple[Item, ...] = ()
    columns: tuple[Item, ...] = ()
    ambiguous: int | None = None
    approved: bool = False
    storage_host: str | None = None
    sending_host: str | None = None
    endpoint: str | None = None
    workflow_sha256: Digest | None = None
    planned_erasure_on: date | None = None
    package_format: Literal["age", "zip-aes256"] | None = None
    switch_decided: bool = False
    earlier_routes: tuple[Route, ...] = ()
    sent_by_lgwan: bool = False
    lgwan_copy_settled: bool = False
    media_confirmed: bool = False
    media_kept_in: str = ""
    password_kept_in: str = ""
    data_handed_at: datetime | None = None
    password_handed_at: datetime | None = None
    password_gap_minutes: int = 0
    media_given_by: str = ""
    password_given_by: str = ""
    print_excess_unexplained: int | None = None
    print_computers: tuple[str, ...] = ()
    delivered_by: str | None = None
    media_out: int = 0
    media_back: int = 0
    passwords_out: int = 0
    passwords_back: int = 0
    inbound_unprotected: int | None = None
    named: tuple[NamedPerson, ...] | None = None
    copies: tuple[CopyHeld, ...] | None = None
    confirmations: tuple[Confirmed, ...] | None = None
    erasures: tuple[ErasureProof, ...] = ()
    open_erasures: tuple[CycleId, ...] | None = None

    @property
    def routes(self) -> frozenset[Route]:
        """The route, and every one by which a hand-over was begun before it was switched."""
        return frozenset({self.route, *self.earlier_routes})


def facts_of(
    cycle: str,
    history: CycleHistory,
    *,
    route: Route,
    today: date,
    calendar: BusinessCalendar,
    further: dict[str, object] | None = None,
) -> CycleFacts:
    """The facts that the cycle's records tell today; `further` adds what only the task or other cycles know.

    Copies, the people named on papers and the 確認書 come from `copies.told_facts`, in `further`.
    """
    opening = history.opening
    configuration = Configuration.model_validate(opening.configuration)
    extraction, composition = history.find(ExtractionRecord), history.find(CompositionRecord)
    encryption, handover = history.find(EncryptionRecord), history.find(HandoverRecord)
    password = history.find(PassphraseHandoverRecord)
    disc = handover.dvd if handover else None
    switched, given = [fact.route for fact in history.facts(RouteSwitched)], Given.of(history)
    known: dict[str, object] = {
        "cycle": cycle,
        "fiscal_year": opening.fiscal_year,
        "notice": opening.notice,
        "notice_ja": configuration.notice.name_ja,
        "section": configuration.notice.section,
        "party": configuration.party.id,
        "route": route,
        "planned_route": configuration.notice.route,
        "synthetic": opening.synthetic,
        "rehearsal": opening.reason_code in OF_INVENTED_DATA,
        "drill": opening.reason_code == DRILL,
        "standing": frozenset(entry.kind for entry in history.current),
        "items": configuration.notice.items,
        "columns": extraction.columns if extraction else (),
        "ambiguous": composition.ambiguous if composition else None,
        "approved": history.find(HandoverApprovalRecord) is not None,
        "endpoint": f"{configuration.party.host}:{configuration.party.port}",
        "planned_erasure_on": calendar.shift(today, DAYS_TO_VERIFIED_ERASURE),
        "package_format": _format(encryption),
        "switch_decided": bool(switched) and switched[-1] == route,
        "earlier_routes": tuple(dict.fromkeys(fact.route for fact in history.facts(HandoverBegun))),
        # A hand-over that began may have left a package with the contractor, whatever came of it.
        "sent_by_lgwan": any(one.route != "dvd" for one in history.ever(HandoverRecord))
        or any(fact.route != "dvd" for fact in history.facts(HandoverBegun)),
        "lgwan_copy_settled": bool(disc and disc.lgwan_copy != "送っていない")
        or bool(history.facts(CopyWithdrawn)),
        "media_confirmed": disc is not None,
        "media_kept_in": disc.kept_in_safe if disc else "",
        "password_kept_in": disc.notice_kept_in if disc else "",
        "media_out": given.discs,
        "media_back": given.discs_back,
        "data_handed_at": (disc.handed_at if disc else handover.sent_at) if handover else None,
        "password_handed_at": password.handed_at if password else None,
        "password_gap_minutes": getattr(configuration.password_gap_minutes, route),
        "media_given_by": disc.giver if disc else "",
        "password_given_by": password.giver if password else "",
        "passwords_out": given.notices,
        "passwords_back": given.notices_back,
    }
    return CycleFacts.model_validate(known | (further or {}))


def _format(encryption: EncryptionRecord | None) -> Literal["age", "zip-aes256"] | None:
    names = [file.name for file in encryption.files] if encryption else []
    if any(name.endswith(".age") for name in names):
        return "age"
    return "zip-aes256" if any(name.endswith(".zip") for name in names) else None


class Gate(Frozen):
    """A gate as it stands. `closes` False: it only warns. `excepted_until`: open by a decision, up to that day."""

    id: str
    title_ja: str
    requirements: tuple[str, ...]
    stage: str
    party: str
    passed: bool
    reason_ja: str
    advice_ja: str
    may_be_excepted: bool
    closes: bool = True
    excepted_until: date | None = None

    @property
    def name(self) -> str:
        """The gate's id, with the party it was judged for."""
        return f"{self.id}:{self.party}" if self.party else self.id


@dataclass(frozen=True)
class Closed:
    """Why a gate is closed, and what to do: two Japanese sentences."""

    reason_ja: str
    advice_ja: str


@dataclass(frozen=True)
class Situation:
    """Everything a rule may look at."""

    facts: CycleFacts
    register: Register
    today: date

    @property
    def subcontractors(self) -> list[str]:
        """Who works on the notice under the contractor, with consent or without."""
        held = self.register.subcontracts_for(self.facts.notice, self.facts.party, self.today)
        return sorted({one.content.subcontractor for one in held})

    @property
    def may_wait_for_contract(self) -> bool:
        """A rehearsal with invented data: it may leave before contract, proof and marks are there."""
        return self.facts.rehearsal and self.facts.synthetic

    def name(self, party: str) -> str:
        """How a sentence calls a party."""
        return self.register.name_of(party)

    @property
    def notice(self) -> str:
        """How a sentence calls the notice."""
        return f"「{self.facts.notice_ja or self.facts.notice}」"

    @property
    def way(self) -> str:
        """How a sentence calls the route."""
        return ROUTES_JA[self.facts.route]

    def apart(self) -> bool:
        """Whether the password went on another occasion than the data, by at least the configured gap."""
        data, password = self.facts.data_handed_at, self.facts.password_handed_at
        if data is None or password is None:
            return False
        data = data.replace(second=0, microsecond=0)  # people enter minutes, machines seconds
        return password >= data + timedelta(minutes=self.facts.password_gap_minutes)


Scope = Literal["cycle", "contractor", "parties", "subcontractors"]
Judge = Callable[[Situation, str], Closed | None]


@dataclass(frozen=True)
class Rule:
    """One gate of the process: where it closes, for whom it is judged, and by what else it is enforced.

    `for_subcontractor`: the requirements when it is judged for 丙. `enforced_by` names code that refuses besides.
    """

    id: str
    title_ja: str
    stage: str
    requirements: tuple[str, ...]
    for_subcontractor: tuple[str, ...]
    scope: Scope
    may_be_excepted: bool
    closes: bool
    only_real_data: bool
    enforced_by: str
    judge: Judge


RULES: dict[str, Rule] = {}
"""Every gate by id, in the order of the files that define them."""


def rule(
    gate: str,
    title_ja: str,
    stage: str,
    requirements: str,
    *,
    scope: Scope = "cycle",
    sub: str = "",
    never_excepted: bool = False,
    warns: bool = False,
    only_real_data: bool = False,
    enforced_by: str = "",
) -> Callable[[Judge], Judge]:
    """Enters a judging function as a gate. Requirements are ids with spaces between; `sub`: those of 丙.

    A gate of the whole cycle is judged once, for all parties: it carries both.
    """

    def entered(judge: Judge) -> Judge:
        if gate in RULES:
            raise ValueError(f"gate {gate} twice")
        RULES[gate] = Rule(
            id=gate,
            title_ja=title_ja,
            stage=stage,
            requirements=tuple((requirements if scope != "cycle" else f"{requirements} {sub}").split()),
            for_subcontractor=tuple(sub.split()),
            scope=scope,
            may_be_excepted=not (never_excepted or warns),
            closes=not warns,
            only_real_data=only_real_data,
            enforced_by=enforced_by,
            judge=judge,
        )
        return judge

    return entered
