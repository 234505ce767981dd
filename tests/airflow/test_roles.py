"""The tables of roles against the DAGs and the catalogue, and the rule for passwords."""

import re
import shutil
from pathlib import Path

import pytest
from flask_appbuilder.exceptions import PasswordComplexityValidationError
from tests.airflow.test_dags import ROOT, loaded

from notice_cycle_airflow.passwords import RULE_JA, require_good_password
from notice_cycle_airflow.roles import (
    MANAGER,
    OPERATOR,
    ROLES,
    permissions_of_roles,
    reaches,
    section_role,
    sections,
)


def test_only_the_manager_changes_settings_and_accounts() -> None:
    guarded = {"Connections", "Variables", "Users", "Roles", "Passwords", "Configurations"}
    assert {role for role, has in ROLES.items() if guarded & {resource for _, resource in has}} == {MANAGER}


def test_a_notice_belongs_to_its_section_and_a_broken_one_to_nobody(tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(ROOT / "include" / "config", config)
    assert sections(config) == {"介護保険課", "地域包括ケア推進課"}
    of_care = {resource for _, resource in permissions_of_roles(config)[section_role("地域包括ケア推進課")]}
    assert of_care == {"Website", "DAG:support_program_notice"}
    (config / "notices" / "support_program_notice.yaml").write_text("name_ja: [\n")
    found = permissions_of_roles(config)
    assert found[section_role("地域包括ケア推進課")] == [("can_read", "Website")]
    assert ("can_edit", "DAG:support_program_notice") in found[OPERATOR]


def test_the_table_of_roles_names_every_dag() -> None:
    assert set(reaches(ROOT / "include" / "config")) == set(loaded()["dags"])


def test_a_password_is_long_and_mixed_or_very_long() -> None:
    for good in ("Kaigo2026hoken", "kaigo-hoken-1", "tsuyu no ato no natsu yasumi"):
        require_good_password(good)
    for bad in ("Kaigo2026!", "kaigohokenka", "kaigohoken2026", "aaaaaaaaaaaaaaaaaaaaaa", ""):
        with pytest.raises(PasswordComplexityValidationError, match=re.escape(RULE_JA)):
            require_good_password(bad)
