"""The register and the ledger: reading it as of a day, entering a change once, entering an exception once."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.exercise import LGWAN_DRILL, ExerciseHeld
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.incidents.facts import IncidentReported, IncidentStepped
from notice_cycle.incidents.folded import Incident
from notice_cycle.ledger.entry import Entry
from notice_cycle.records import OpeningRecord
from notice_cycle.register.changing import Asked, change, standing
from notice_cycle.register.facts import GateExcepted, RegisterChanged
from notice_cycle.register.folded import Held, Register
from notice_cycle.register.kinds import Content, ExerciseEntry, IncidentHoldEntry
from notice_cycle.register.reminders import Reminder, find_open_erasures, reminders
from notice_cycle.register.seed import load_seed
from notice_cycle.values import Person

if TYPE_CHECKING:
    from notice_cycle.ledger.store import Ledger

_LOCK = "register"


def read_register(ledger: "Ledger", config: Path, as_of: date) -> Register:
    """The register as known on a day: register.yaml, changed by what the ledger holds, with the holds of incidents and the exercises."""
    holds = incident_holds(
        [
            IncidentReported.model_validate(entry.data)
            for entry in ledger.entries(kind=IncidentReported.kind())
        ],
        [IncidentStepped.model_validate(entry.data) for entry in ledger.entries(kind=IncidentStepped.kind())],
        as_of,
    )
    exercises = exercises_held(ledger.entries(kind=ExerciseHeld.kind()), as_of)
    return Register.fold([*load_seed(config), *holds, *exercises], _changes(ledger), as_of)


def incident_holds(
    reports: Sequence[IncidentReported], steps: Sequence[IncidentStepped], as_of: date
) -> list[Held[Content]]:
    """The hold of every incident on its party's hand-overs as known on a day, until 課長 lifts it."""
    found: list[Held[Content]] = []
    for one in Incident.fold(
        [report for report in reports if tokyo_date(report.entered_at) <= as_of],
        [step for step in steps if tokyo_date(step.entered_at) <= as_of],
    ):
        known_on, until = tokyo_date(one.reported.known_at), one.held_until()
        hold = IncidentHoldEntry(
            party=one.reported.party, reference=f"受付番号 {one.number}", known_on=known_on
        )
        if until is None or known_on <= until:
            found.append(Held(f"incident-{one.number}", known_on, until, hold))
    return found


def exercises_held(entries: Sequence[Entry], as_of: date) -> list[Held[Content]]:
    """Exercises that are dispatches of this ledger, known from their end on; people enter those of another."""
    found: list[Held[Content]] = []
    for entry in entries:
        fact = ExerciseHeld.model_validate(entry.data)
        if (known_on := tokyo_date(fact.completed_at)) <= as_of:
            content = ExerciseEntry(
                exercise=LGWAN_DRILL,
                held_on=tokyo_date(fact.handed_at),
                cycle=entry.cycle,
                findings=fact.findings,
            )
            found.append(Held(f"exercise-{entry.cycle}", known_on, None, content))
    return found


def read_exceptions(ledger: "Ledger") -> list[GateExcepted]:
    """Every exception that was ever decided, oldest first; the gates judge which of them still has an effect."""
    return [GateExcepted.model_validate(entry.data) for entry in ledger.entries(kind=GateExcepted.kind())]


def due_reminders(
    ledger: "Ledger", config: Path, today: date, calendar: BusinessCalendar, *, section: str = ""
) -> list[Reminder]:
    """What the register reminds of on a day, with the erasures that the ledger shows open."""
    openings = ledger.entries(kind=OpeningRecord.kind())
    open_erasures = find_open_erasures(openings, ledger.history)
    return reminders(read_register(ledger, config, today), today, calendar, open_erasures, section=section)


def enter(ledger: "Ledger", config: Path, asked: Asked, *, by: Person, at: datetime) -> Entry:
    """Enters a change, or finds it when the same task already did. Raises Refused as `change` does."""
    with ledger.locked(_LOCK, asked.entry_kind):
        entries = ledger.entries(kind=RegisterChanged.kind())
        facts = [RegisterChanged.model_validate(entry.data) for entry in entries]
        if (place := standing(facts, asked, by)) is not None:
            return entries[place]
        register = Register.fold(load_seed(config), facts, tokyo_date(at))
        return ledger.note(None, change(register, asked, by=by, at=at), by)


def enter_exception(
    ledger: "Ledger",
    config: Path,
    asked: Mapping[str, str],
    *,
    by: Person,
    at: datetime,
    sections: tuple[str, ...] = (),
) -> Entry:
    """Enters an exception to a gate, or finds it when the same task already did. Raises Refused as `except_gate` does."""
    from notice_cycle.gates import except_gate  # the gates know the register, not the other way round

    today = tokyo_date(at)
    with ledger.locked(_LOCK, GateExcepted.kind()):
        fact = except_gate(
            read_register(ledger, config, today),
            asked["gate"],
            of=asked["of"].strip(),
            reason_code=asked["reason_code"],
            note_number=asked["note_number"],
            until=date.fromisoformat(asked["until"]),
            by=by,
            at=at,
            today=today,
            sections=sections,
        )
        for entry in reversed(ledger.entries(kind=GateExcepted.kind())):
            known = GateExcepted.model_validate(entry.data)
            if known == fact.model_copy(update={"decided_at": known.decided_at}):
                return entry
        return ledger.note(None, fact, by)


def _changes(ledger: "Ledger") -> list[RegisterChanged]:
    return [
        RegisterChanged.model_validate(entry.data) for entry in ledger.entries(kind=RegisterChanged.kind())
    ]
