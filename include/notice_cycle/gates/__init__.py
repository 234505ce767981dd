"""Gates 関門: the process stops until something is true, and says in Japanese what is missing and what to do.

A gate is a value; judging is pure. The head of section may except a gate for a cycle or a party until a day, with a
reason — never contract clauses, consent, an expired mark, encryption or the separate occasion of the password.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime

from notice_cycle.errors import Refused
from notice_cycle.gates import eligibility, process  # noqa: F401 - they enter their rules
from notice_cycle.gates.situation import (
    RULES,
    Confirmed,
    CopyHeld,
    CycleFacts,
    ErasureProof,
    Gate,
    NamedPerson,
    Rule,
    Situation,
    facts_of,
)
from notice_cycle.register import GateExcepted, GatesJudged, Register
from notice_cycle.values import CYCLE_ID_PATTERN, Person

__all__ = [
    "EXCEPTION_REASONS_JA",
    "JUDGED_STAGES",
    "RULES",
    "Confirmed",
    "CopyHeld",
    "CycleFacts",
    "ErasureProof",
    "Gate",
    "NamedPerson",
    "Rule",
    "closed",
    "except_gate",
    "facts_of",
    "gates_before",
    "judged",
    "require_open",
    "told",
    "warning",
]

JUDGED_STAGES = frozenset(rule.stage for rule in RULES.values())
"""The stages whose tasks judge their gates; a test compares it with dags/stages."""

HEAD_OF_SECTION = "課長"
EXCEPTION_REASONS_JA = {
    "paper_on_its_way": "書面の提出待ち（口頭で確認済み）",
    "deadline": "納期限に間に合わせるため",
    "contractor_fault": "委託先の事情",
    "disaster": "災害・感染症",
    "missed_before_us": "過年度の漏れ（是正の計画あり）",
}
"""Reason codes of an exception; a reason is a code so that no one types a name."""


def gates_before(
    stage: str,
    facts: CycleFacts,
    register: Register,
    *,
    today: date,
    exceptions: Sequence[GateExcepted] = (),
) -> list[Gate]:
    """Every gate before a stage as it stands on a day, once for each party it is judged for; closed ones first."""
    situation = Situation(facts, register, today)
    gates = [
        _judged(rule, party, situation, exceptions)
        for rule in RULES.values()
        if rule.stage == stage
        for party in _parties(rule, situation)
    ]
    return sorted(gates, key=lambda gate: (gate.passed, not gate.closes))


def closed(gates: Sequence[Gate]) -> list[Gate]:
    """The gates that stop the stage."""
    return [gate for gate in gates if gate.closes and not gate.passed]


def warning(gates: Sequence[Gate]) -> list[Gate]:
    """The gates that stop nothing but that somebody should hear of."""
    return [gate for gate in gates if not gate.closes and not gate.passed]


def require_open(gates: Sequence[Gate]) -> None:
    """Raises Refused with every closed gate's reason, its obligation and what to do first."""
    if stopping := closed(gates):
        raise Refused(
            "関門が閉じています: "
            + " ".join(
                f"【{gate.title_ja} {'・'.join(gate.requirements)}】{gate.reason_ja}" for gate in stopping
            ),
            advice=" ".join(dict.fromkeys(gate.advice_ja for gate in stopping)),
        )


def judged(stage: str, gates: Sequence[Gate], register: Register, *, today: date) -> GatesJudged:
    """The fact that tells how the gates stood and by which register."""

    def names(chosen: list[Gate]) -> tuple[str, ...]:
        return tuple(sorted(gate.name for gate in chosen))

    return GatesJudged(
        stage=stage,
        judged_on=today,
        register_sha256=register.digest,
        opened=names([gate for gate in gates if gate.passed and not gate.excepted_until]),
        warned=names(warning(gates)),
        excepted=names([gate for gate in gates if gate.excepted_until]),
        closed=names(closed(gates)),
    )


def told(stage_ja: str, gates: Sequence[Gate]) -> dict[str, str]:
    """What the mail about these closed or warning gates says: all of them in one."""
    return {
        "stage_ja": stage_ja,
        "gate": "・".join(dict.fromkeys(gate.title_ja for gate in gates)),
        "reason": "\n".join(gate.reason_ja for gate in gates),
        "requirements": "・".join(dict.fromkeys(one for gate in gates for one in gate.requirements)),
        "advice": "\n".join(dict.fromkeys(gate.advice_ja for gate in gates)),
    }


def except_gate(
    register: Register,
    gate: str,
    *,
    of: str,
    reason_code: str,
    note_number: str,
    until: date,
    by: Person,
    at: datetime,
    today: date,
    sections: tuple[str, ...] = (),
) -> GateExcepted:
    """関門の例外, for a cycle (`of` a cycle id) or a party, up to and with `until`. Raises Refused.

    `sections`: those of who decides; for a party it has an effect on their dispatches only.
    """
    rule = RULES.get(gate)
    if rule is None or reason_code not in EXCEPTION_REASONS_JA:
        raise Refused("関門または理由が、登録されたものではありません。", advice="一覧から選んでください。")
    if not register.holds_office(by.user_id, HEAD_OF_SECTION, today):
        raise Refused(
            "関門の例外を決められるのは、登録簿で課長とされた者だけです。",
            advice="課長がログインして行ってください。課長が代わったときは「区の職員の役割」を登録してください。",
        )
    if not rule.may_be_excepted:
        raise Refused(
            f"関門「{rule.title_ja}」には例外を認められません（{'・'.join(rule.requirements)}）。",
            advice="契約の条項、承諾、認証の期限、暗号化、別の機会などは、満たすまで進められません。",
        )
    is_cycle = re.fullmatch(CYCLE_ID_PATTERN, of) is not None
    if not is_cycle and register.firm(of, today) is None:
        raise Refused(
            f"例外の対象 {of} は、発送回の番号でも、登録された事業者でもありません。",
            advice="発送回の番号か、事業者の登録番号を写し直してください。",
        )
    if until < today:
        raise Refused("例外の期限が過ぎています。", advice="今日より後の日を入れてください。")
    return GateExcepted(
        gate=gate,
        scope="cycle" if is_cycle else "party",
        of=of,
        reason_code=reason_code,
        note_number=note_number,
        until=until,
        decided_by=by,
        decided_at=at,
        sections=sections,
    )


def _parties(rule: Rule, situation: Situation) -> list[str]:
    match rule.scope:
        case "cycle":
            return [""]
        case "contractor":
            return [situation.facts.party]
        case "parties":
            return [situation.facts.party, *situation.subcontractors]
        case "subcontractors":
            return situation.subcontractors


def _judged(rule: Rule, party: str, situation: Situation, exceptions: Sequence[GateExcepted]) -> Gate:
    is_sub = bool(party) and party != situation.facts.party
    reason = None if rule.only_real_data and situation.may_wait_for_contract else rule.judge(situation, party)
    until = _excepted_until(rule, party, situation, exceptions) if reason else None
    return Gate(
        id=rule.id,
        title_ja=rule.title_ja,
        requirements=(rule.for_subcontractor or rule.requirements) if is_sub else rule.requirements,
        stage=rule.stage,
        party=party,
        passed=reason is None or until is not None,
        reason_ja=reason.reason_ja if reason else "",
        advice_ja=reason.advice_ja if reason else "",
        may_be_excepted=rule.may_be_excepted,
        closes=rule.closes,
        excepted_until=until,
    )


def _excepted_until(
    rule: Rule, party: str, situation: Situation, exceptions: Sequence[GateExcepted]
) -> date | None:
    """The last day of an exception that covers the gate today; one past its day, or of a gate that has none, is nothing."""
    if not rule.may_be_excepted:
        return None
    return max(
        (
            one.until
            for one in exceptions
            if one.gate == rule.id
            and one.until >= situation.today
            and one.covers(
                cycle=situation.facts.cycle,
                party=party or situation.facts.party,
                section=situation.facts.section,
            )
        ),
        default=None,
    )
