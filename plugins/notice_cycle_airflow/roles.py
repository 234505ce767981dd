"""Who may do what in the web UI: the ward's roles as a table, and how the metadata database is made to match.

The table is the whole truth: synchronising gives a role exactly these permissions and takes back others that
someone clicked together, except those on single DAGs, which the DAG files grant. Airflow's own roles stay as
they are; `Admin` is for installing, not for daily work.
The names are Flask-AppBuilder's, which invents a permission for any misspelling: a test compares them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.models import Permission
    from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride

SECTION = "担当"
APPROVER = "承認者"
OPERATOR = "情報システム運用"
DIRECTOR = "課長"
AUDITOR = "監査"
ADMINISTRATOR = "Admin"  # Airflow's own name: it grants itself new permissions under it

_LOOK = (
    ("can_read", "Website"),
    ("can_read", "DAGs"),
    ("can_read", "DAG Runs"),
    ("can_read", "DAG Versions"),
    ("can_read", "DAG Warnings"),
    ("can_read", "Task Instances"),
    ("can_read", "HITL Detail"),
    ("can_read", "XComs"),  # digests only: the form shows what it asks about from there
    ("menu_access", "DAGs"),
    ("menu_access", "DAG Runs"),  # the menu item of the deadlines
    ("menu_access", "HITL Detail"),  # the menu item of the open forms
    ("menu_access", "Browse"),
    ("can_read", "Plugins"),  # the UI asks there for the tab of the report
    ("can_read", "My Profile"),
    ("can_read", "My Password"),
    ("can_edit", "My Password"),
)

# Answering a form does not take the right to edit its DAG: see WardAuthManager.
_ANSWER_FORMS = (("can_edit", "HITL Detail"),)

_DIAGNOSE = (
    ("can_read", "Task Logs"),
    ("can_read", "DAG Code"),
    ("can_read", "DAG Dependencies"),
    ("can_read", "ImportError"),
    ("can_read", "Jobs"),
    ("can_read", "Cluster Activity"),
    ("menu_access", "Cluster Activity"),
    ("menu_access", "Jobs"),
)

ROLES: dict[str, tuple[tuple[str, str], ...]] = {
    SECTION: (*_LOOK, *_ANSWER_FORMS),
    APPROVER: (*_LOOK, *_ANSWER_FORMS),
    OPERATOR: (
        *_LOOK,
        *_DIAGNOSE,
        ("can_edit", "DAGs"),
        ("can_create", "DAG Runs"),
        ("can_edit", "DAG Runs"),
        ("can_edit", "Task Instances"),
        ("can_read", "Pools"),
    ),
    DIRECTOR: (*_LOOK, *_ANSWER_FORMS),
    AUDITOR: (
        *_LOOK,
        *_DIAGNOSE,
        ("can_read", "Audit Logs"),
        ("menu_access", "Audit Logs"),
    ),
}


_SINGLE_DAG = ("DAG:", "DAG Run:")


@dataclass(frozen=True)
class User:
    """One login. `role` is a key of ROLES or ADMINISTRATOR; names are Japanese, family name first."""

    name: str
    role: str
    family_name: str
    given_name: str
    mail: str
    password: SecretStr


def synchronise_roles_and_users(users: Iterable[User]) -> None:
    """Make roles as in ROLES and the users named; twice changes nothing.

    A user who exists keeps the password and gets the role; users not named stay untouched. Needs a migrated
    metadata database and Airflow's settings in the environment; costs seconds, so call it once for all.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager: FabAirflowSecurityManagerOverride = builder.sm
        for name, permissions in ROLES.items():
            role = manager.add_role(name)
            wanted = [_permission(manager, action, resource) for action, resource in permissions]
            granted_by_dags = [
                each for each in role.permissions if each.resource.name.startswith(_SINGLE_DAG)
            ]
            role.permissions = [*wanted, *granted_by_dags]
        manager.session.commit()
        for user in users:
            _synchronise_user(manager, user)


def _permission(manager: "FabAirflowSecurityManagerOverride", action: str, resource: str) -> "Permission":
    permission = manager.create_permission(action, resource)
    if permission is None:
        raise LookupError(f"no permission {action} on {resource}: see the log")
    return permission


def _synchronise_user(manager: "FabAirflowSecurityManagerOverride", user: User) -> None:
    role = manager.find_role(user.role)
    if role is None:
        raise LookupError(f"no role {user.role} for user {user.name}")
    known = manager.find_user(username=user.name)
    if known is None:
        manager.add_user(
            username=user.name,
            first_name=user.given_name,
            last_name=user.family_name,
            email=user.mail,
            role=role,
            password=user.password.get_secret_value(),
        )
    elif known.roles != [role]:
        known.roles = [role]
        manager.update_user(known)
