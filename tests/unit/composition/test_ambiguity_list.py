"""Ambiguous cases of the 名寄せ leave the vault on paper only, once for each print file."""

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from tests.builders import CYCLE, ACycle, a_cycle, the_configuration

from notice_cycle import records as r
from notice_cycle.composition.ambiguity_list import RULE, is_due, print_ambiguity_list
from notice_cycle.settings import Settings
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import AMBIGUOUS

GROUPS = [["00000000002", "00000000003"], ["00000000007", "00000000008", "00000000009"]]


def composed(ambiguous: int = 2) -> ACycle:
    return a_cycle().with_(composition={"ambiguous": ambiguous}).up_to(r.CompositionRecord)


def printed(vault: CycleVault, tray: Path, at: datetime) -> r.FindingListPrinted:
    with vault.writing(AMBIGUOUS) as artefact:
        artefact.buffer.write(json.dumps(GROUPS).encode())
    history = composed().history()
    return print_ambiguity_list(
        history.latest(r.CompositionRecord),
        history.latest(r.ExtractionRecord),
        the_configuration(),
        Settings({"NOTICE_CYCLE_PRINT_TRAY": str(tray)}),
        vault,
        cycle=CYCLE,
        number=2,
        synthetic=True,
        at=at,
    )


def composed_at(cycle: ACycle) -> datetime:
    entry = cycle.history().entry_of(r.CompositionRecord)
    assert entry
    return entry.recorded_at


def test_the_ledger_learns_how_many_and_nobodys_number(vault: CycleVault, tmp_path: Path) -> None:
    fact = printed(vault, tmp_path / "tray", composed_at(composed()))
    assert (fact.list_number, fact.rules) == (f"{CYCLE}-FL2", {RULE: 2})
    assert not [number for group in GROUPS for number in group if number in fact.model_dump_json()]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")
def test_the_paper_names_every_notice_and_its_group(vault: CycleVault, tmp_path: Path) -> None:
    printed(vault, tmp_path / "tray", composed_at(composed()))
    (paper,) = (tmp_path / "tray").iterdir()
    told = subprocess.run(["pdftotext", "-layout", paper, "-"], check=True, capture_output=True, text=True)
    text = told.stdout
    assert all(text.count(number) == 1 for group in GROUPS for number in group)
    assert (text.count("第1組"), text.count("第2組")) == (2, 3)


def test_it_is_due_once_for_each_print_file_that_has_such_cases(vault: CycleVault, tmp_path: Path) -> None:
    assert not is_due(a_cycle().up_to(r.ValidationConfirmationRecord).history())
    assert not is_due(composed(ambiguous=0).history())
    assert is_due(composed().history())
    fact = printed(vault, tmp_path / "tray", composed_at(composed()))
    assert not is_due(composed().noting(fact).history())
    findings = fact.model_copy(update={"rules": {"A12": 1}})
    assert is_due(composed().noting(findings).history())
