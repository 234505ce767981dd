"""Every gate closes when its one thing is missing and opens when it is there; exceptions; what a gate says."""

import ast
import importlib.util
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.builders import CYCLE as A_CYCLE
from tests.builders import a_cycle, a_digest
from tests.unit.register.world import (
    CYCLE,
    DAY,
    DVD,
    INSERT,
    JOB,
    KACHO,
    NOON,
    NOTICE,
    PRINT,
    TANTO,
    a_register,
    facts,
    held,
)

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.copies import told_facts
from notice_cycle.errors import Refused
from notice_cycle.gates import (
    EXCEPTION_REASONS_JA,
    JUDGED_STAGES,
    RULES,
    Confirmed,
    CopyHeld,
    ErasureProof,
    Gate,
    NamedPerson,
    closed,
    except_gate,
    facts_of,
    gates_before,
    judged,
    require_open,
    told,
)
from notice_cycle.records import HandoverRecord, OpeningRecord
from notice_cycle.register import GateExcepted, Register
from notice_cycle.requirements import load_requirements
from notice_cycle.stage import STAGES

ROOT = Path(__file__).parents[2]
NOTHING = frozenset[str]()


@dataclass(frozen=True)
class Closing:
    """What closes a gate: facts changed, entries of the register taken away, altered or added."""

    gate: str
    party: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    register: dict[str, Any] = field(default_factory=dict)
    as_of: date = DAY

    def __str__(self) -> str:
        return f"{self.gate}-{self.party}" if self.party else self.gate

    def judged(self) -> Gate:
        return the_gate(
            self.gate,
            self.party,
            facts(**self.facts),
            a_register(**self.register, as_of=self.as_of),
            self.as_of,
        )


def the_gate(gate: str, party: str, of: Any, register: Register, today: date = DAY, **more: Any) -> Gate:
    stage = RULES[gate].stage
    found = {(one.id, one.party): one for one in gates_before(stage, of, register, today=today, **more)}
    return found[gate, party]


def without(*names: str) -> dict[str, Any]:
    return {"without": names}


def altering(name: str, **changes: Any) -> dict[str, Any]:
    return {"alter": {name: changes}}


def a_copy(**changes: Any) -> dict[str, Any]:
    known = {"party": PRINT, "carrier": "パソコン", "place": "PRINT-PC-1", "settled": "消去"}
    return {"copies": (CopyHeld.model_validate(known | changes),)}


def standing_without(*kinds: str) -> dict[str, Any]:
    return {"standing": facts().standing - set(kinds)}


LAST_YEAR = held(
    "contract", "2025-premium", "2025-04-01", "2026-03-31", party=PRINT, number="25介保契第1号", job=JOB, notices=(NOTICE,),
    methods=("lgwan",), package_format="age", policy_clause="第30条", no_subcontract=False, clauses_1=True, clauses_2=True,
    document_sha256=a_digest("2025"), delivery_place="本庁舎", posted_by="区",
)  # fmt: skip
SUB_LAST_YEAR = held(
    "subcontract", "sub-2025", "2025-04-01", "2026-03-31", contractor=PRINT, subcontractor=INSERT, notices=(NOTICE,),
    clauses_2=True, direct_powers=True, document_sha256=a_digest("sub2025"),
)  # fmt: skip
FURTHER = held(
    "subcontract", "further", contractor=INSERT, subcontractor="other_print", notices=(NOTICE,), clauses_2=True,
    direct_powers=True, document_sha256=a_digest("further"),
)  # fmt: skip

CLOSING = [
    # before the extraction and the validation
    Closing("sensitive_items", facts={"items": ("notice_no", "individual_no")}),
    Closing("storage_host", facts={"storage_host": "some-laptop"}),
    Closing("storage_host", facts={"storage_host": None}),
    Closing("item_whitelist", facts={"columns": ("notice_no", "telephone")}),
    Closing("item_whitelist", facts={"columns": ()}),
    Closing("population", facts=standing_without("extraction")),
    Closing("bundling_decided", facts={"ambiguous": 2, "approved": False}),
    Closing("bundling_decided", facts={"ambiguous": None}),
    # contract and basis
    Closing("contract_covers", PRINT, register=without("contract/2026-premium")),
    Closing("contract_covers", PRINT, as_of=date(2027, 4, 1)),
    Closing("contract_covers", PRINT, register=altering("contract/2026-premium", methods=("dvd",))),
    Closing("contract_covers", PRINT, facts={"rehearsal": True}, register=without("contract/2026-premium")),
    Closing("erasure_before_contract_end", PRINT, facts={"planned_erasure_on": date(2027, 4, 1)}),
    Closing("erasure_before_contract_end", PRINT, facts={"planned_erasure_on": None}),
    Closing("contract_clauses", PRINT, register=altering("contract/2026-premium", clauses_1=False)),
    Closing("contract_clauses", PRINT, register=altering("contract/2026-premium", clauses_2=False)),
    Closing("legal_basis", PRINT, register=without("legal_basis")),
    Closing("legal_basis", PRINT, register=altering("legal_basis/2026-coupling", methods=("dvd",))),
    Closing("legal_basis", PRINT, register=altering("legal_basis/2026-coupling", notices=("reminder",))),
    Closing("acceptance_passed", PRINT, register=without("acceptance")),
    *(
        Closing("proof_approved", PRINT, register=altering(f"proof/2026-{NOTICE}", **{field_: None}))
        for field_ in ("layout_on", "characters_on", "barcode_on", "window_on")
    ),
    Closing("proof_approved", PRINT, register=altering(f"proof/2026-{NOTICE}", fiscal_year=2025)),
    Closing("proof_approved", PRINT, register=altering(f"proof/2026-{NOTICE}", layout_on=date(2026, 7, 2))),
    # marks, of both parties
    Closing("privacy_mark", PRINT, register=altering("certificate/example-print-privacy", valid_until=date(2026, 6, 30))),
    Closing("privacy_mark", INSERT, register=without("certificate/insert-privacy")),
    Closing("lgwan_asp", PRINT, register=without("certificate/example-print-lgwan")),
    # people and preparation, of both parties
    Closing("roster", PRINT, register=without("handler/example-print-manager")),
    Closing("roster", INSERT, register=without("handler/insert-clerk")),
    Closing("roster", INSERT, register=altering("handler/insert-clerk", reported_to=("乙",))),
    Closing("training", PRINT, register=without("training")),
    Closing("training", PRINT, register=without("pledge")),
    Closing("training", INSERT, register=altering("training/insert-clerk", fiscal_year=2025)),
    Closing("emergency_contacts", PRINT, register=without("emergency_contact/example-print-2026")),
    Closing("emergency_contacts", INSERT, register=without("emergency_contact/insert")),
    Closing("workflow_shared", PRINT, register=without("workflow_share/example-print-2026")),
    Closing("workflow_shared", INSERT, facts={"workflow_sha256": a_digest("a newer flow")}),
    Closing("workflow_acknowledged", PRINT, register=altering("workflow_share/example-print-2026", acknowledged_on=None)),
    Closing("workflow_acknowledged", INSERT, register=altering("workflow_share/insert", acknowledged_on=date(2026, 7, 2))),
    Closing("designated_place", PRINT, register=without("place/example-print-work")),
    Closing("designated_place", INSERT, register=without("place/insert-work")),
    # what stands in the way
    Closing(
        "incident_hold", PRINT,
        register={"plus": [held("incident_hold", "i1", party=PRINT, reference="事故第1号", known_on="2026-06-30")]},
    ),
    Closing(
        "incident_hold", INSERT,
        register={"plus": [held("incident_hold", "i1", party=INSERT, reference="事故第1号", known_on="2026-06-30")]},
    ),
    Closing(
        "measure_change", PRINT,
        register={"plus": [held("measure_change", "m1", party=PRINT, summary="印刷室の移転", reported_on="2026-06-30")]},
    ),
    Closing(
        "measure_change", INSERT,
        register={"plus": [held("measure_change", "m1", party=INSERT, summary="作業室の移転", reported_on="2026-06-30")]},
    ),
    Closing("audit_last_year", PRINT, register={"plus": [LAST_YEAR]}),
    Closing("audit_last_year", INSERT, register={"plus": [LAST_YEAR, SUB_LAST_YEAR]}),
    # the way
    Closing("endpoint_allowed", PRINT, facts={"endpoint": "elsewhere.example:22"}),
    Closing("endpoint_allowed", PRINT, facts={"endpoint": None}),
    Closing("coupled_terminal", PRINT, facts={"sending_host": "airflow-worker-1"}),
    Closing("coupled_terminal", PRINT, register=altering("computer/ward-lgwan", purpose="庁内端末")),
    Closing("coupled_terminal", PRINT, register=altering("computer/ward-lgwan", party=PRINT)),
    Closing("coupled_terminal", PRINT, register=altering("computer/ward-lgwan", valid_until=date(2026, 6, 30))),
    Closing("page_credentials", PRINT, register=without("page_credentials")),
    Closing("encrypted_package", facts=standing_without("encryption")),
    Closing("encrypted_package", facts={"package_format": "zip-aes256"}),
    Closing("encrypted_package", facts={"package_format": None}),
    Closing("drill_by_disc", facts={"drill": True}),
    Closing("channel_switch", facts={**DVD, "switch_decided": False}),
    # subcontracting
    Closing("subcontract_consent", INSERT, register=without("consent")),
    Closing("subcontract_consent", INSERT, register=altering("consent/consent", notices=("reminder",))),
    Closing("subcontract_consent", INSERT, register=altering("consent/consent", valid_until=date(2026, 6, 30))),
    Closing("no_subcontract", INSERT, register=altering("contract/2026-premium", no_subcontract=True)),
    Closing("not_a_bidder", INSERT, register=altering("bidder/2026-premium-other", corporate_number="9010001000002")),
    Closing("not_a_bidder", INSERT, register=altering("bidder/2026-premium-other", name_ja="架空封入株式会社")),
    Closing("subcontract_clauses", INSERT, register=altering("subcontract/sub", clauses_2=False)),
    Closing("subcontract_direct_powers", INSERT, register=altering("subcontract/sub", direct_powers=False)),
    Closing("no_fourth_tier", INSERT, register={"plus": [FURTHER]}),
    # media and password
    Closing("media_confirmation", facts={**DVD, "media_confirmed": False}),
    Closing("single_copy", facts={**DVD, "sent_by_lgwan": True, "lgwan_copy_settled": False}),
    Closing("separate_storage", facts={**DVD, "password_kept_in": DVD["media_kept_in"]}),
    Closing("separate_storage", facts={**DVD, "password_kept_in": ""}),
    Closing("safe_storage", facts={**DVD, "media_kept_in": DVD["password_kept_in"]}),
    Closing("password_confirmation", facts=standing_without("passphrase_handover")),
    Closing("separate_occasion", facts={"password_handed_at": NOON + timedelta(minutes=119)}),
    Closing("separate_occasion", facts={"password_handed_at": None}),
    Closing("different_people", facts={**DVD, "password_given_by": "石川恵"}),
    Closing("different_people", facts={**DVD, "password_given_by": "", "media_given_by": ""}),
    # delivery and print log
    Closing("print_log", facts=standing_without("delivery")),
    Closing("print_excess", facts={"print_excess_unexplained": 1}),
    Closing("print_excess", facts={"print_excess_unexplained": None}),
    Closing("delivery_confirmation", facts=standing_without("delivery_confirmation")),
    Closing("delivering_party", facts={"delivered_by": "other_print"}),
    Closing("delivering_party", facts={"delivered_by": None}),
    # copies, erasure, returns
    Closing("carriers", facts=a_copy(carrier="その他")),
    Closing("carriers", facts=a_copy(carrier="DVD")),
    Closing("carriers", facts=a_copy(party=INSERT, carrier="サーバー", place="架空封入 作業室")),
    Closing("carriers", facts={"copies": None}),
    Closing("copies_in_place", facts=a_copy(place="自宅")),
    Closing("copies_in_place", facts=a_copy(party=INSERT, place="PRINT-PC-1")),
    Closing("copies_in_place", facts={"copies": None}),
    Closing("copies_declared", facts=a_copy(declared=False)),
    Closing("copies_declared", facts={"copies": None}),
    Closing("dispositions", facts=a_copy(settled="")),
    Closing("dispositions", facts=a_copy(settled="返還", settled_to="乙")),
    Closing("dispositions", facts=a_copy(party=INSERT, settled="返還", settled_to="")),
    Closing("dispositions", facts={"copies": None}),
    Closing("erasure_report", facts=standing_without("erasure")),
    Closing(
        "erasure_report",
        facts={"erasures": (ErasureProof(party=PRINT, reported=False, certificate_to=("甲",), confirmed_by=("甲",)),)},
    ),
    Closing("erasure_verified", facts=standing_without("erasure_confirmation")),
    Closing(
        "erasure_verified",
        facts={"erasures": (ErasureProof(party=PRINT, reported=True, certificate_to=(), confirmed_by=("甲",)),)},
    ),
    Closing("subcontractor_certificate", INSERT, facts={"erasures": ()}),
    Closing(
        "subcontractor_certificate", INSERT,
        facts={"erasures": (ErasureProof(party=INSERT, reported=True, certificate_to=("甲", "乙"), confirmed_by=("甲",)),)},
    ),
    Closing("media_returned", facts={**DVD, "media_back": 0}),
    Closing("media_returned", facts={**DVD, "passwords_back": 0}),
    Closing("inbound_protected", facts={"inbound_unprotected": 1}),
    Closing("inbound_protected", facts={"inbound_unprotected": None}),
    Closing("countersigned", facts={"confirmations": (Confirmed(what_ja="納品確認書", party=PRINT, checked_by=""),)}),
    Closing(
        "countersigned",
        facts={"confirmations": (Confirmed(what_ja="納品確認書", party=PRINT, checked_by="印刷 次郎", difference_open=True),)},
    ),
    Closing("countersigned", facts={"confirmations": None}),
    Closing("handlers_on_roster", facts={"named": (NamedPerson(name="だれか", party=PRINT, day=DAY, on_ja="印刷ログ"),)}),
    Closing("handlers_on_roster", facts={"named": (NamedPerson(name="封入 二郎", party=PRINT, day=DAY, on_ja="印刷ログ"),)}),
    Closing("handlers_on_roster", facts={"named": None}),
]  # fmt: skip
WARNING = [
    Closing("privacy_mark_until_erasure", PRINT, facts={"planned_erasure_on": date(2028, 3, 1)}),
    Closing("privacy_mark_until_erasure", INSERT, facts={"planned_erasure_on": date(2028, 4, 1)}),
    Closing(
        "lgwan_asp_until_erasure",
        PRINT,
        register=altering("certificate/example-print-lgwan", valid_until=date(2026, 8, 2)),
    ),
    Closing("open_erasures", PRINT, facts={"open_erasures": ("2025-reminder-supplementary-01",)}),
    Closing("open_erasures", PRINT, facts={"open_erasures": None}),
]


@pytest.mark.parametrize("stage", [stage.id for stage in STAGES])
@pytest.mark.parametrize("route", [{}, DVD], ids=["lgwan", "dvd"])
def test_where_everything_is_in_order_every_gate_is_open(stage: str, route: dict[str, Any]) -> None:
    gates = gates_before(stage, facts(**route), a_register(), today=DAY)
    assert [gate.name for gate in gates if not gate.passed] == []
    assert {gate.stage for gate in gates} <= {stage}
    require_open(gates)


@pytest.mark.parametrize("case", CLOSING, ids=str)
def test_a_gate_closes_when_its_one_thing_is_missing(case: Closing) -> None:
    gate = case.judged()
    assert (gate.passed, gate.closes) == (False, True)
    assert gate.reason_ja.endswith("。")
    assert "。" in gate.advice_ja
    with pytest.raises(Refused, match="関門が閉じています") as stopped:
        require_open([gate])
    assert gate.reason_ja in stopped.value.message
    assert all(requirement in stopped.value.message for requirement in gate.requirements)


@pytest.mark.parametrize("case", WARNING, ids=str)
def test_a_warning_stops_nothing(case: Closing) -> None:
    gate = case.judged()
    assert (gate.passed, gate.closes) == (False, False)
    require_open([gate])


def test_every_gate_has_a_case() -> None:
    assert {case.gate for case in (*CLOSING, *WARNING)} == set(RULES)


GATED = [one for one in load_requirements() if "G" in one.tags]


@pytest.mark.parametrize("row", GATED, ids=lambda row: row.id)
def test_every_gate_of_an_obligation_closes_in_its_name_and_opens_where_all_is_in_order(row: Any) -> None:
    for name in row.gates:
        judged_for_it = [
            (case, gate)
            for case in (*CLOSING, *WARNING)
            if case.gate == name and row.id in (gate := case.judged()).requirements
        ]
        assert judged_for_it, name
        for case, gate in judged_for_it:
            assert not gate.passed
            for route in ({}, DVD):
                assert the_gate(name, case.party, facts(**route), a_register()).passed
    assert any(RULES[name].closes for name in row.gates)


def test_gates_stand_before_stages_that_there_are() -> None:
    assert {rule.stage for rule in RULES.values()} <= {stage.id for stage in STAGES}


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_what_else_enforces_a_gate_exists(rule: Any) -> None:
    assert not rule.enforced_by or importlib.util.find_spec(rule.enforced_by)
    assert rule.requirements
    assert not rule.title_ja.isascii()


def test_the_table_of_stages_that_judge_is_true() -> None:
    """A stage whose tasks call judge_gates judges its gates; JUDGED_STAGES says which, and the documents show it."""

    def judges(stage: str) -> bool:
        source = (ROOT / "dags" / "stages" / f"{stage}.py").read_text(encoding="utf-8")
        return any(
            isinstance(node, ast.Attribute | ast.Name)
            and (getattr(node, "attr", "") or getattr(node, "id", "")) == "judge_gates"
            for node in ast.walk(ast.parse(source))
        )

    assert {stage.id for stage in STAGES if judges(stage.id)} == JUDGED_STAGES


# ---- the cases that read like the rules


def test_a_dispatch_that_no_contract_covers_is_outside_any_contract() -> None:
    gate = Closing("contract_covers", PRINT, facts={"notice": "an_unknown_notice"}).judged()
    assert gate.reason_ja.startswith("契約外です")


def test_one_of_several_contracts_a_year_is_enough() -> None:
    second = held(
        "contract", "second", "2026-06-01", "2026-07-31", **LAST_YEAR.content.model_dump() | {"number": "26介保契第9号"}
    )  # fmt: skip
    register = a_register(without=["contract/2026-premium"], plus=[second])
    assert the_gate("contract_covers", PRINT, facts(), register).passed
    assert not the_gate("contract_covers", PRINT, facts(), register, date(2026, 8, 1)).passed


def test_before_the_contract_only_a_rehearsal_with_invented_data_leaves() -> None:
    nothing_yet = a_register(
        without=["contract", "certificate", "proof", "acceptance", "handler", "legal_basis"]
    )
    rehearsal = facts(rehearsal=True, synthetic=True)
    require_open(gates_before("handover", rehearsal, nothing_yet, today=DAY))
    for other in (facts(rehearsal=True), facts(synthetic=True), facts()):
        assert "contract_covers" in {
            gate.id for gate in closed(gates_before("handover", other, nothing_yet, today=DAY))
        }


def test_also_a_rehearsal_leaves_only_encrypted_to_an_allowed_host() -> None:
    rehearsal = facts(rehearsal=True, synthetic=True, endpoint="elsewhere:22", standing=NOTHING)
    stopping = {gate.id for gate in closed(gates_before("handover", rehearsal, a_register(), today=DAY))}
    assert stopping == {"endpoint_allowed", "encrypted_package"}


def test_a_drill_of_a_line_that_is_down_leaves_by_disc_only_and_may_precede_the_contract() -> None:
    nothing_yet = a_register(without=["contract", "certificate", "proof", "acceptance", "handler"])
    drill = WHOLE.with_(opening={"reason_code": "drill"})
    by_line = whole_facts(drill, nothing_yet)
    stopping = closed(gates_before("handover", by_line, nothing_yet, today=DAY))
    assert [gate.id for gate in stopping] == ["drill_by_disc"]
    by_disc = by_line.model_copy(update={**DVD, "drill": True})
    require_open(gates_before("handover", by_disc, nothing_yet, today=DAY))


def test_a_disc_needs_no_lgwan_asp_no_endpoint_and_no_page() -> None:
    register = a_register(without=["endpoint", "page_credentials", "certificate/example-print-lgwan"])
    require_open(gates_before("handover", facts(**DVD, sending_host=None), register, today=DAY))


def test_an_upload_by_an_officer_needs_no_coupled_terminal() -> None:
    by_hand = facts(route="manual", planned_route="manual", sending_host=None)
    require_open(gates_before("handover", by_hand, a_register(), today=DAY))


@pytest.mark.parametrize(
    ("day", "passes"), [(date(2028, 2, 29), True), (date(2028, 3, 1), False)], ids=["last day", "day after"]
)
def test_a_mark_is_valid_on_its_last_day(day: date, passes: bool) -> None:
    assert the_gate("privacy_mark", PRINT, facts(), a_register(as_of=day), day).passed is passes


def test_without_a_subcontractor_nothing_is_asked_of_one() -> None:
    gates = gates_before("handover", facts(), a_register(subcontractor=False), today=DAY)
    assert {gate.party for gate in gates} == {"", PRINT}


@pytest.mark.parametrize("held_on", ["2026-02-01", "2026-06-20"])
def test_last_years_audit_was_held_or_is_made_up_for(held_on: str) -> None:
    audit = held(
        "audit", "a", "2025-09-01", None, party=PRINT, job=JOB, fiscal_year=2025, by="甲", held_on=held_on, method="立入り",
        findings=0,
    )  # fmt: skip
    register = a_register(plus=[LAST_YEAR, audit])
    assert the_gate("audit_last_year", PRINT, facts(), register).passed


def test_an_agreed_change_of_measures_and_an_ended_hold_open_again() -> None:
    settled = [
        held("measure_change", "m", party=PRINT, summary="移転", reported_on="2026-06-01", agreed_on="2026-06-05"),
        held("incident_hold", "i", "2026-06-01", "2026-06-30", party=PRINT, reference="事故第1号", known_on="2026-06-01"),
    ]  # fmt: skip
    require_open(gates_before("handover", facts(), a_register(plus=settled), today=DAY))


def test_several_closed_gates_are_told_at_once() -> None:
    register = a_register(without=["handler", "emergency_contact"])
    with pytest.raises(Refused) as stopped:
        require_open(gates_before("handover", facts(), register, today=DAY))
    for words in ("取扱者名簿", "緊急時の連絡体制", "架空印刷株式会社", "架空封入株式会社"):
        assert words in stopped.value.message


# ---- exceptions


NEVER = {  # 契約の条項・承諾・切れた認証・暗号化・別の機会
    "contract_clauses", "subcontract_clauses", "subcontract_direct_powers", "subcontract_consent", "no_subcontract",
    "not_a_bidder", "privacy_mark", "lgwan_asp", "encrypted_package", "inbound_protected", "separate_occasion",
    "contract_covers", "no_fourth_tier",
}  # fmt: skip


def an_exception(gate: str, of: str = CYCLE, until: date = DAY) -> GateExcepted:
    return GateExcepted(
        gate=gate, scope="cycle" if of == CYCLE else "party", of=of, reason_code="deadline", note_number="26介保第7号",
        until=until, decided_by=KACHO, decided_at=NOON,
    )  # fmt: skip


@pytest.mark.parametrize("case", CLOSING, ids=str)
def test_an_exception_opens_what_may_be_excepted_and_nothing_else(case: Closing) -> None:
    register = a_register(**case.register, as_of=case.as_of)
    for of in (CYCLE, case.party or PRINT):
        exception = an_exception(case.gate, of, until=case.as_of)
        gate = the_gate(
            case.gate, case.party, facts(**case.facts), register, case.as_of, exceptions=[exception]
        )
        assert gate.passed is RULES[case.gate].may_be_excepted
        assert gate.excepted_until == (case.as_of if gate.passed else None)
        assert gate.reason_ja


def test_a_partys_exception_opens_nothing_for_another_section() -> None:
    register = a_register(without=["emergency_contact/example-print-2026"])
    held_by = {
        section: the_gate(
            "emergency_contacts",
            PRINT,
            facts(section="介護保険課"),
            register,
            DAY,
            exceptions=[an_exception("emergency_contacts", PRINT).model_copy(update={"sections": sections})],
        ).passed
        for section, sections in {
            "own": ("介護保険課",),
            "another": ("地域包括ケア推進課",),
            "all": (),
        }.items()
    }
    assert held_by == {"own": True, "another": False, "all": True}


def test_what_can_never_be_excepted() -> None:
    assert [gate for gate in sorted(NEVER) if RULES[gate].may_be_excepted] == []


def test_an_exception_past_its_day_or_for_another_has_no_effect() -> None:
    register = a_register(without=["emergency_contact/example-print-2026"])
    for wrong in (
        an_exception("emergency_contacts", until=DAY - timedelta(days=1)),
        an_exception("emergency_contacts", of="2026-reminder-supplementary-01"),
        an_exception("emergency_contacts", of=INSERT),
        an_exception("roster"),
    ):
        assert not the_gate("emergency_contacts", PRINT, facts(), register, exceptions=[wrong]).passed


def excepting(gate: str = "emergency_contacts", **changes: Any) -> GateExcepted:
    known: dict[str, Any] = {
        "of": CYCLE, "reason_code": "deadline", "note_number": "26介保第7号", "until": date(2026, 7, 10), "by": KACHO,
        "at": NOON, "today": DAY,
    }  # fmt: skip
    return except_gate(a_register(), gate, **(known | changes))


def test_the_head_of_section_excepts_a_gate_for_a_cycle_or_a_party() -> None:
    assert (excepting().scope, excepting(of=PRINT).scope) == ("cycle", "party")
    assert set(EXCEPTION_REASONS_JA) >= {excepting().reason_code}


@pytest.mark.parametrize(
    ("gate", "changes", "words"),
    [
        *((gate, {}, "例外を認められません") for gate in sorted(NEVER)),
        ("open_erasures", {}, "例外を認められません"),
        ("unknown", {}, "登録されたものではありません"),
        ("roster", {"reason_code": "なんとなく"}, "登録されたものではありません"),
        ("roster", {"by": TANTO}, "課長とされた者だけ"),
        ("roster", {"of": "somebody"}, "登録された事業者でもありません"),
        ("roster", {"until": date(2026, 6, 30)}, "期限が過ぎています"),
    ],
)
def test_an_exception_is_refused(gate: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        excepting(gate, **changes)


def test_the_judgement_is_kept_as_a_fact() -> None:
    register = a_register(without=["handler/example-print-manager", "acceptance"])
    gates = gates_before(
        "handover", facts(open_erasures=None), register, today=DAY, exceptions=[an_exception("roster")]
    )
    fact = judged("handover", gates, register, today=DAY)
    assert (fact.closed, fact.excepted, fact.warned) == (
        (f"acceptance_passed:{PRINT}",), (f"roster:{PRINT}",), (f"open_erasures:{PRINT}",)
    )  # fmt: skip
    assert f"roster:{INSERT}" in fact.opened
    assert fact.register_sha256 == register.digest


# ---- from a cycle's records


def test_facts_are_read_from_the_records_of_a_cycle() -> None:
    cycle = a_cycle().up_to(HandoverRecord)
    known = facts_of(
        A_CYCLE, cycle.history(), route="lgwan", today=DAY, calendar=BusinessCalendar(),
        further={"sending_host": "lgwan-terminal-1", "open_erasures": ()},
    )  # fmt: skip
    assert known.planned_erasure_on == date(
        2026, 8, 3
    )  # Mon; 22 business days, 海の日 (20 July) not among them
    assert (known.package_format, known.party, known.synthetic) == ("age", PRINT, True)
    assert "handover" in known.standing
    require_open(gates_before("handover", known, a_register(subcontractor=False), today=DAY))


WHOLE = a_cycle().with_(
    passphrase_handover={"taker": "印刷 太郎"}, delivery_confirmation={"deliverer": "印刷 次郎"}
)
"""A cycle whose contractor's people stand on the sample register's roster."""


def whole_facts(cycle: Any = WHOLE, register: Register | None = None, **further: Any) -> Any:
    history = cycle.history()
    return facts_of(
        A_CYCLE, history, route="lgwan", today=DAY, calendar=BusinessCalendar(),
        further={
            **told_facts(history, register or a_register(subcontractor=False)),
            "sending_host": "lgwan-terminal-1", "storage_host": "airflow-worker-1", "open_erasures": (),
            "copies": (), **further,
        },
    )  # fmt: skip


@pytest.mark.parametrize("stage", sorted(JUDGED_STAGES - {"closing"}))  # closing: tests/unit/copies
def test_the_sample_register_lets_a_whole_cycle_pass_at_every_stage(stage: str) -> None:
    gates = gates_before(stage, whole_facts(), a_register(subcontractor=False), today=DAY)
    require_open(gates)


@pytest.mark.parametrize(
    ("stage", "gate"),
    [
        ("validation", "population"), ("encryption", "bundling_decided"), ("handover", "encrypted_package"),
        ("delivery", "password_confirmation"), ("delivery", "separate_occasion"), ("erasure", "print_log"),
        ("erasure", "print_excess"), ("erasure", "delivery_confirmation"), ("erasure", "delivering_party"),
        ("closing", "erasure_report"), ("closing", "erasure_verified"),
    ],
)  # fmt: skip
def test_before_its_record_stands_a_gate_of_the_records_is_closed(stage: str, gate: str) -> None:
    only_opened = a_cycle().up_to(OpeningRecord)
    gates = gates_before(stage, whole_facts(only_opened), a_register(subcontractor=False), today=DAY)
    assert gate in {one.id for one in closed(gates)}


def test_a_rehearsal_is_told_by_the_opening_and_may_precede_the_contract() -> None:
    nothing_yet = a_register(subcontractor=False, without=["contract", "certificate", "proof", "acceptance"])
    rehearsed = whole_facts(WHOLE.with_(opening={"reason_code": "rehearsal"}), nothing_yet)
    assert rehearsed.rehearsal
    require_open(gates_before("handover", rehearsed, nothing_yet, today=DAY))
    for other in (
        whole_facts(WHOLE, nothing_yet),
        whole_facts(WHOLE.with_(opening={"reason_code": "rehearsal", "synthetic": False}), nothing_yet),
    ):
        with pytest.raises(Refused, match="契約外です"):
            require_open(gates_before("handover", other, nothing_yet, today=DAY))


def test_who_delivered_and_who_took_is_asked_of_the_roster() -> None:
    handed = {"taker": "だれか 知らない", "handed_at": NOON}
    strangers = WHOLE.with_(passphrase_handover=handed, delivery_confirmation={"deliverer": "封入 二郎"})
    known = whole_facts(strangers, a_register(), delivered_by=INSERT)
    papers = {one.on_ja: one.party for one in known.named if one.on_ja.endswith("確認書")}
    assert papers == {"パスワード引渡確認書": PRINT, "納品確認書": INSERT}
    gate = the_gate("handlers_on_roster", "", known, a_register())
    assert not gate.passed
    assert "パスワード引渡確認書 2026-07-01" in gate.reason_ja
    assert "納品確認書" not in gate.reason_ja
    # A subcontractor who delivers without a contract of its own is nobody who may.
    assert not the_gate("delivering_party", "", known, a_register(without=["subcontract"])).passed


def test_one_mail_tells_all_closed_gates() -> None:
    register = a_register(without=["handler", "emergency_contact"])
    said = told("引渡し", gates_before("handover", facts(), register, today=DAY))
    assert said["stage_ja"] == "引渡し"
    assert said["gate"].split("・")[0] == "取扱者名簿"
    assert "緊急時の連絡体制" in said["gate"]
    assert "架空封入株式会社" in said["reason"]
    assert said["requirements"].split("・") == list(dict.fromkeys(said["requirements"].split("・")))
    assert len(said["advice"].splitlines()) < len(said["reason"].splitlines())


def test_a_moment_is_compared_by_the_minute() -> None:
    sent = datetime(2026, 7, 1, 3, 0, 59, tzinfo=UTC)
    at_once = facts(data_handed_at=sent, password_handed_at=sent.replace(second=0), password_gap_minutes=0)
    assert the_gate("separate_occasion", "", at_once, a_register()).passed
