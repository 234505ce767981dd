"""準備: what of a yearly dispatch can be ready before there is a cycle: plan, contract, papers, proofs, quantities.

The preparation is entered under the id that the cycle will take, when its time has come (deadlines.py), and holds no
personal data: counts of last year, days, register entries. What is still missing is read from the register at every
look, as the gates of the hand-over will read it on the planned day. Nothing is opened or extracted from here.
"""

from collections.abc import Sequence
from datetime import date, datetime

from notice_cycle.business_calendar import Calendars
from notice_cycle.catalogue import Notice
from notice_cycle.deadlines import Due, first_cycle_id
from notice_cycle.dispatch_plan import Plan
from notice_cycle.gates import CycleFacts, Gate, closed, gates_before
from notice_cycle.gates.situation import DAYS_TO_VERIFIED_ERASURE
from notice_cycle.ledger.entry import Entry
from notice_cycle.quantities import Counts
from notice_cycle.records import Fact
from notice_cycle.register import GateExcepted, Register
from notice_cycle.values import Digest, Frozen, NoticeId


class PreparationOpened(Fact):
    """準備の開始: the yearly plan, the contracts that cover it, the planned quantities, and what was missing then.

    `missing`: ids of milestones. `quantities_from`: empty where nothing is known of last year.
    """

    label_ja = "準備の開始"
    fiscal_year: int
    notice: NoticeId
    party: str
    start_at: datetime
    handover_on: date
    delivery_on: date
    posting_on: date
    contracts: tuple[str, ...]
    notices: int | None
    envelopes: int | None
    sheets: int | None
    quantities_from: str
    missing: tuple[str, ...]
    register_sha256: Digest


class Readiness(Frozen):
    """How far the preparation has come: which milestones are settled, and what each other one still lacks."""

    settled: frozenset[str]
    lacking: dict[str, tuple[str, ...]]


def readiness(
    plan: Plan,
    notice: Notice,
    register: Register,
    calendars: Calendars,
    *,
    today: date,
    exceptions: Sequence[GateExcepted] = (),
) -> Readiness:
    """The preparing milestones of a plan by the register, as the gates will see it on the planned day."""
    gates = _gates(plan, notice, register, calendars, today=today, exceptions=exceptions)
    lacking = {}
    for one in plan.rules.milestones:
        if one.by_register:
            shut = tuple(dict.fromkeys(gate.title_ja for gate in closed(gates) if gate.id in one.gates))
            if one.entry and not _has_entry(one.entry, plan, register):
                shut += ("登録簿の登録",)
            lacking[one.id] = shut
    return Readiness(
        settled=frozenset(milestone for milestone, shut in lacking.items() if not shut),
        lacking={milestone: shut for milestone, shut in lacking.items() if shut},
    )


def advised(dues: Sequence[Due], ready: Readiness) -> list[Due]:
    """The dues, each saying what its preparation still lacks."""
    return [
        due.model_copy(update={"advice_ja": f"{due.advice_ja}足りないもの: {'、'.join(lacking)}。"})
        if (lacking := ready.lacking.get(due.milestone))
        else due
        for due in dues
    ]


def prepare(plan: Plan, register: Register, ready: Readiness, counts: Counts | None) -> PreparationOpened:
    """The fact that opens the preparation."""
    contracts = register.contracts_for(plan.notice, plan.party, plan.handover)
    return PreparationOpened(
        fiscal_year=plan.fiscal_year,
        notice=plan.notice,
        party=plan.party,
        start_at=plan.start,
        handover_on=plan.handover,
        delivery_on=plan.delivery,
        posting_on=plan.posting,
        contracts=tuple(sorted(held.key for held in contracts)),
        notices=counts.notices if counts else None,
        envelopes=counts.envelopes if counts else None,
        sheets=counts.sheets if counts else None,
        quantities_from=counts.source_ja if counts else "",
        missing=tuple(sorted(ready.lacking)),
        register_sha256=register.digest,
    )


def find_preparation(preparations: Sequence[Entry], notice: str, fiscal_year: int) -> Entry | None:
    """The entry that opened the preparation of a notice's yearly dispatch."""
    return next(
        (
            entry
            for entry in preparations
            if (entry.data["notice"], entry.data["fiscal_year"]) == (notice, fiscal_year)
        ),
        None,
    )


def _gates(
    plan: Plan,
    notice: Notice,
    register: Register,
    calendars: Calendars,
    *,
    today: date,
    exceptions: Sequence[GateExcepted],
) -> list[Gate]:
    on = max(today, plan.handover)
    facts = CycleFacts(
        cycle=first_cycle_id(plan),
        fiscal_year=plan.fiscal_year,
        notice=plan.notice,
        notice_ja=notice.name_ja,
        party=plan.party,
        route=notice.route,
        planned_erasure_on=calendars.ward.shift(on, DAYS_TO_VERIFIED_ERASURE),
    )
    return gates_before("handover", facts, register, today=on, exceptions=exceptions)


def _has_entry(kind: str, plan: Plan, register: Register) -> bool:
    wanted = {"party": plan.party, "notice": plan.notice, "fiscal_year": plan.fiscal_year}
    return any(
        held.content.kind == kind and wanted.items() <= held.content.model_dump().items()
        for held in register.versions
    )
