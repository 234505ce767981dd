"""Taking an incident down and stamping its steps, once however often a task runs; reading them back.

What may not be entered: a moment in the future or before the ward knew, a cycle of another contractor, a decision by
anyone but 課長, an end while something is wanting.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from notice_cycle import clock
from notice_cycle.accounts import require_section
from notice_cycle.errors import Refused
from notice_cycle.fiscal_year import FiscalYear, tokyo_date
from notice_cycle.incidents.facts import IncidentReported, IncidentStepped
from notice_cycle.incidents.folded import REASONS_JA, STEPS, Incident
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import CompositionRecord, ExtractionRecord
from notice_cycle.register import Register, read_register
from notice_cycle.register.changing import FILED_PATTERN
from notice_cycle.values import Person

if TYPE_CHECKING:
    from notice_cycle.ledger.store import Ledger

HEAD_OF_SECTION = "課長"
_LOCK = "incident"


def read_incidents(ledger: "Ledger") -> list[Incident]:
    """Every incident with its steps, oldest first."""
    return Incident.fold(
        [_reported(entry) for entry in ledger.entries(kind=IncidentReported.kind())],
        [_stepped(entry) for entry in ledger.entries(kind=IncidentStepped.kind())],
    )


def sections_concerned(ledger: "Ledger", cycles: Sequence[str]) -> tuple[str, ...]:
    """The sections whose cycles are concerned, each once; none when no cycle is named."""
    found = (str(ledger.history(cycle).opening.configuration["notice"]["section"]) for cycle in cycles)
    return tuple(dict.fromkeys(found))


def find_incident(ledger: "Ledger", number: str) -> Incident:
    """One incident. Raises Refused when there is none of that number."""
    found = [one for one in read_incidents(ledger) if one.number == number.strip()]
    if not found:
        raise Refused(
            f"受付番号 {number.strip()} の事故はありません。",
            advice="「事故の受付」のメールか印刷物にある番号を写し直してください。",
        )
    return found[0]


def report(ledger: "Ledger", config: Path, asked: Mapping[str, str], *, by: Person, at: datetime) -> Entry:
    """Takes an incident down, or finds it when the same task already did.

    `asked`: the answers as text, several of a kind on lines of their own. Raises Refused naming what is wrong.
    """
    with ledger.locked(_LOCK, IncidentReported.kind()):
        register = read_register(ledger, config, tokyo_date(at))
        entries = ledger.entries(kind=IncidentReported.kind())
        cycles = _lines(asked.get("cycles", ""))
        fact = incident_of(
            asked,
            register,
            {cycle: ledger.history(cycle) for cycle in cycles},
            number=_next_number([_reported(entry) for entry in entries], at),
            by=by,
            at=at,
        )
        for entry in reversed(entries):
            known = _reported(entry)
            same = {name: getattr(known, name) for name in ("number", "persons", "entered_at")}
            if known == fact.model_copy(update=same):
                return entry
        return ledger.note(None, fact, by)


def incident_of(
    asked: Mapping[str, str],
    register: Register,
    histories: Mapping[str, CycleHistory],
    *,
    number: str,
    by: Person,
    at: datetime,
) -> IncidentReported:
    """The fact to enter. Raises Refused naming what to put right."""
    party = asked.get("party", "").strip()
    firm = register.firm(party, tokyo_date(at))
    if firm is None:
        raise Refused(
            f"事業者 {party} は、その日の登録簿にありません。",
            advice="先に「事業者」の書式で登録するか、登録番号と日付を確かめてください。",
        )
    for cycle, history in histories.items():
        _refuse_cycle(cycle, history, party, tier=firm.tier, name=firm.name_ja)
    values: dict[str, Any] = {
        name: _lines(asked.get(name, "")) if name in _SEVERAL else asked.get(name, "").strip()
        for name in (
            "incident_kind",
            "told_by",
            "told_by_means",
            "carrier",
            "encrypted",
            "malicious",
            *_SEVERAL,
        )
    }
    try:
        return IncidentReported(
            **values,
            number=number,
            party=party,
            known_at=_moment(asked.get("known_at", ""), "区が知った日時", at=at),
            cycles=tuple(histories),
            persons=_persons(histories.values()),
            filed_as=_filed(asked.get("filed_as", "")),
            entered_by=by,
            entered_at=at,
        )
    except ValidationError as wrong:
        field = str(wrong.errors(include_input=False)[0]["loc"][0])
        raise Refused(
            f"事故の「{TITLES_JA.get(field, field)}」が、一覧にあるものではありません。",
            advice="一覧から選び直してください。",
        ) from None


TITLES_JA = {
    "incident_kind": "種類",
    "told_by": "届け出た者",
    "told_by_means": "知った方法",
    "carrier": "何が",
    "items": "含まれる項目",
    "encrypted": "暗号化されていたか",
    "malicious": "不正の目的のおそれ",
    "measures": "委託先がしたこと",
}
"""How the form calls the fields that are chosen from a list."""
_SEVERAL = ("items", "measures")


def choices(field: str) -> list[str]:
    """What a field of the form may say."""
    annotation: Any = IncidentReported.model_fields[field].annotation
    inner = get_args(annotation)[0] if field in _SEVERAL else annotation
    return [str(choice) for choice in get_args(inner)]


def take_step(
    ledger: "Ledger",
    config: Path,
    asked: Mapping[str, str],
    *,
    by: Person,
    at: datetime,
    own: Sequence[str] = (),
) -> Entry:
    """Stamps a step, or finds the stamp when the same task already did. Raises Refused.

    `own`: the sections of who stamps, empty for who acts for all; one of them must be concerned.
    """
    with ledger.locked(_LOCK, IncidentStepped.kind()):
        incident = find_incident(ledger, asked["number"])
        concerned = sections_concerned(ledger, incident.reported.cycles)
        require_section(own, concerned, f"事故 {incident.number} ")
        fact = step_of(incident, asked, read_register(ledger, config, tokyo_date(at)), by=by, at=at)
        for entry in reversed(ledger.entries(kind=IncidentStepped.kind())):
            known = _stepped(entry)
            if known == fact.model_copy(update={"entered_at": known.entered_at}):
                return entry
        if incident.stamped(fact.step):
            raise Refused(
                f"「{STEPS[fact.step].label_ja}」は、事故 {incident.number} にすでに記録されています。",
                advice="記録は直せません。違う内容が正しいときは、文書に経緯を残してください。",
            )
        if incident.is_closed:
            raise Refused(
                f"事故 {incident.number} の処理は終わっています。",
                advice="新しいことが分かったときは、「事故の受付」から受け付けてください。",
            )
        return ledger.note(None, fact, by)


def step_of(
    incident: Incident, asked: Mapping[str, str], register: Register, *, by: Person, at: datetime
) -> IncidentStepped:
    """The stamp to enter. Raises Refused when it may not be."""
    step, reason = STEPS.get(asked.get("step", "")), asked.get("reason_code", "").strip()
    if step is None or (reason and reason not in REASONS_JA):
        raise Refused("事故の処理か理由が、登録されたものではありません。", advice="一覧から選んでください。")
    if step.decided and not register.holds_office(by.user_id, HEAD_OF_SECTION, tokyo_date(at)):
        raise Refused(
            f"「{step.label_ja}」を決められるのは、登録簿で課長とされた者だけです。",
            advice="課長がログインして行ってください。課長が代わったときは「区の職員の役割」を登録してください。",
        )
    if step.decided and not reason:
        raise Refused(f"「{step.label_ja}」には理由が要ります。", advice="理由を選んでください。")
    done_at = _moment(asked.get("done_at", ""), "行った日時", at=at)
    if done_at < incident.reported.known_at:
        raise Refused(
            "行った日時が、区が事故を知った日時より前です。", advice="二つの日時を確かめてください。"
        )
    if step.id == "closed" and (missing := incident.missing()):
        raise Refused(
            f"事故 {incident.number} には、まだ済んでいないことがあります（{'、'.join(missing)}）。",
            advice="それぞれを記録してから終了してください。",
        )
    return IncidentStepped(
        number=incident.number,
        step=step.id,
        done_at=done_at,
        reason_code=reason if step.decided else "",
        filed_as=_filed(asked.get("filed_as", "")),
        entered_by=by,
        entered_at=at,
    )


def _refuse_cycle(cycle: str, history: CycleHistory, party: str, *, tier: str, name: str) -> None:
    if not history.records:
        raise Refused(
            f"発送回 {cycle} はありません。", advice="発送回の番号を一行に一つ、写し直してください。"
        )
    contractor = str(history.opening.configuration["party"]["id"])
    if tier != "丙" and contractor != party:
        raise Refused(
            f"発送回 {cycle} の委託先は、{name}ではありません。",
            advice="事業者か発送回の番号を確かめてください。",
        )


def _persons(histories: Any) -> int | None:
    """The persons whose data the cycles hold, the newest count of each; None when none holds any."""
    counts = []
    for history in histories:
        composed, extracted = history.ever(CompositionRecord), history.ever(ExtractionRecord)
        if composed or extracted:
            counts.append(composed[-1].quantities.persons if composed else extracted[-1].persons)
    return sum(counts) if counts else None


def _next_number(known: Sequence[IncidentReported], at: datetime) -> str:
    year = FiscalYear.of(at).year
    return f"{year}-{sum(one.number.startswith(f'{year}-') for one in known) + 1:03d}"


def _moment(text: str, title: str, *, at: datetime) -> datetime:
    try:
        given = datetime.fromisoformat(text.strip().replace("/", "-"))
    except ValueError:
        raise Refused(
            f"「{title}」が日時として読めません。", advice="2026-07-01 15:00 のように入力してください。"
        ) from None
    aware = given if given.tzinfo else given.replace(tzinfo=clock.TOKYO)
    if aware > at:
        raise Refused(f"「{title}」が未来の日時です。", advice="実際の日時を入力してください。")
    return aware


def _filed(text: str) -> str:
    if not re.fullmatch(FILED_PATTERN, text.strip()):
        raise Refused(
            "文書番号の形が違います。", advice="26介保第12号 のように入力してください。氏名などは書けません。"
        )
    return text.strip()


def _lines(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _reported(entry: Entry) -> IncidentReported:
    return IncidentReported.model_validate(entry.data)


def _stepped(entry: Entry) -> IncidentStepped:
    return IncidentStepped.model_validate(entry.data)
