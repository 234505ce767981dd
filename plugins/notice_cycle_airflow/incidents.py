"""What the form of an incident sets off: the mail to everyone responsible, and the draft on the printer."""

from notice_cycle import clock
from notice_cycle.dispatch_plan import said
from notice_cycle.incidents.entering import find_incident, sections_concerned
from notice_cycle.incidents.folded import Incident
from notice_cycle.incidents.preliminary_report import draft_once
from notice_cycle.ledger.store import Ledger
from notice_cycle.register import read_register
from notice_cycle.settings import Settings
from notice_cycle_airflow.notifiers.ward_mail import tell


def tell_incident(ledger: Ledger, number: str) -> None:
    """The mail 【事故】, at once, to each section concerned, its 課長 and the operator."""
    incident = find_incident(ledger, number)
    cycles = incident.reported.cycles
    facts = {
        "number": number,
        "cycle": cycles[0] if cycles else f"incident-{number}",
        "party": _party_ja(ledger, incident),
        "known": said(incident.reported.known_at),
        "internal": said(incident.internal_due()),
        "hard": said(incident.hard_due()),
    }
    for section in sections_concerned(ledger, cycles) or ("",):
        tell("incident", facts, section=section)


def print_draft(ledger: Ledger, number: str) -> str:
    """Prints the draft of the preliminary report once; gives the document's digest."""
    settings, incident = Settings(), find_incident(ledger, number)
    drafted = draft_once(
        ledger,
        settings,
        incident,
        party_ja=_party_ja(ledger, incident),
        ward=str(ledger.genesis().data["ward"]),
        at=clock.now(),
    )
    return drafted.document_sha256


def _party_ja(ledger: Ledger, incident: Incident) -> str:
    register = read_register(ledger, Settings().config_folder, clock.today())
    return register.name_of(incident.reported.party)
