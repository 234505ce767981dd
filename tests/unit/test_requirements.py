"""The table of the obligations: complete, pointing at what exists, and shown in the documents as it is."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.builders import CONFIG

from notice_cycle.errors import NotConfigured
from notice_cycle.gates import RULES
from notice_cycle.register.kinds import KINDS
from notice_cycle.register.reminders import REMINDERS, TOLD_BY
from notice_cycle.requirements import DOCUMENT, FILE, document, evidence_kinds, load_requirements
from notice_cycle.stage import STAGES

ROOT = Path(__file__).parents[2]
ROWS = load_requirements()


def test_each_obligation_stands_once_and_in_order() -> None:
    assert [one.id for one in ROWS] == [f"R{number}" for number in range(1, 105)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_an_obligation_has_evidence_or_a_stated_reason(row: Any) -> None:
    assert set(row.evidence) <= set(evidence_kinds())
    assert row.evidence or row.note_ja
    assert row.note_ja or not (row.planned_evidence or {"attested", "outside"} & set(row.met_by))


@pytest.mark.parametrize("row", [one for one in ROWS if "G" in one.tags], ids=lambda row: row.id)
def test_an_obligation_tagged_gate_has_a_gate_that_names_it(row: Any) -> None:
    assert row.gates
    assert "gated" in row.met_by
    for gate in row.gates:
        assert row.id in RULES[gate].requirements + RULES[gate].for_subcontractor


def test_gates_and_reminders_name_no_obligation_that_does_not_name_them() -> None:
    by_id = {one.id: one for one in ROWS}
    for rule in RULES.values():
        for requirement in (*rule.requirements, *rule.for_subcontractor):
            assert rule.id in by_id[requirement].gates, (rule.id, requirement)
    for kind, requirements in REMINDERS.items():
        for requirement in requirements:
            assert kind in by_id[requirement].reminders, (kind, requirement)


def test_where_an_obligation_is_met_exists() -> None:
    places = {stage.id for stage in STAGES} | {f"register_{kind}" for kind in KINDS}
    others = {row.where for row in ROWS} - places
    assert others == {"ledger_audit", "incident", "incident_step", "画面（FAB）", "—"}
    assert (ROOT / "dags" / "ledger_audit.py").exists()


def test_nothing_claims_that_reminders_are_told_before_a_dag_tells_them() -> None:
    assert TOLD_BY is None or (ROOT / "dags" / f"{TOLD_BY}.py").exists()


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(ROWS), "python -m notice_cycle.requirements"


@pytest.mark.parametrize(
    ("row", "changes", "words"),
    [
        ("R1", None, "R1 から R104"),
        ("R1", {"gates": ["no_such_gate"]}, "no_such_gate"),
        ("R1", {"gates": ["roster"]}, "roster"),  # it exists, but it is not a gate of R1
        ("R1", {"evidence": ["no_such_kind"]}, "no_such_kind"),
        ("R1", {"entries": ["weapon"]}, "weapon"),
        ("R1", {"reminders": ["audit"]}, "audit"),
        ("R1", {"gates": []}, "gates"),
        ("R4", {"gates": [], "met_by": ["automated"]}, "tags に G"),
        ("R8", {"evidence": []}, "note_ja"),
        ("R5", {"note_ja": ""}, "note_ja"),
        ("R5", {"planned_evidence": ["handover"]}, "handover"),  # it exists: it belongs under evidence
        ("R27", {"evidence": [], "note_ja": "x"}, "recorded"),
        ("R71", {"note_ja": ""}, "note_ja"),
        ("R71", {"met_by": []}, "met_by"),
        ("R71", {"met_by": ["hoped"]}, "met_by"),
    ],
)
def test_a_mistake_in_the_table_is_told_by_its_row(
    row: str, changes: Any, words: str, tmp_path: Path
) -> None:
    rows = yaml.safe_load((CONFIG / FILE).read_text(encoding="utf-8"))
    if changes is None:
        del rows[row]
    else:
        rows[row] |= changes
    (tmp_path / FILE).write_text(yaml.safe_dump(rows, allow_unicode=True, sort_keys=False), encoding="utf-8")
    with pytest.raises(NotConfigured) as caught:
        load_requirements(tmp_path)
    assert row in str(caught.value)
    assert words in str(caught.value)
