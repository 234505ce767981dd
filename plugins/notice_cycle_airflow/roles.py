"""Who may do what in the web UI: the ward's roles as tables, and how the metadata database is made to match.

An account has one role by its duty (ROLES) and the roles of its sections (所属:…): the duty says what may be done,
the section says in which dispatches. The tables are the whole truth: synchronising gives a role exactly these
permissions and takes back others that someone clicked together. A DAG that `reaches` does not name is seen by those
who see every DAG, and started by nobody but `Admin`. Airflow's own roles stay as they are; `Admin` is for
installing, not for daily work. The names are Flask-AppBuilder's, which invents a permission for any misspelling: a
test compares them.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from notice_cycle.accounts import NO_SECTION
from notice_cycle.catalogue import load_notice, notice_ids
from notice_cycle.errors import NoticeCycleError
from notice_cycle.people import People
from notice_cycle.register.kinds import KINDS
from notice_cycle_airflow.passwords import require_good_password

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.models import Permission
    from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride

SECTION = "担当"
APPROVER = "承認者"
OPERATOR = "情報システム運用"
DIRECTOR = "課長"
AUDITOR = "監査"
MANAGER = "管理者"
ADMINISTRATOR = "Admin"  # Airflow's own name: it grants itself new permissions under it

_LOOK = (
    ("can_read", "Website"),
    ("can_read", "DAG Runs"),
    ("can_read", "DAG Versions"),
    ("can_read", "DAG Warnings"),
    ("can_read", "Task Instances"),
    ("can_read", "Task Logs"),  # the sentence that says what is wrong stands there; no personal data does
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

_SEE_EVERY_DAG = (("can_read", "DAGs"),)

_DIAGNOSE = (
    ("can_read", "DAG Code"),
    ("can_read", "DAG Dependencies"),
    ("can_read", "ImportError"),
    ("can_read", "Jobs"),
    ("can_read", "Cluster Activity"),
    ("menu_access", "Cluster Activity"),
    ("menu_access", "Jobs"),
)

_SETTINGS = tuple(
    (action, resource)
    for resource in ("Connections", "Variables")
    for action in ("can_create", "can_read", "can_edit", "can_delete", "menu_access")
)

# An account is closed, never deleted: who left can still be told from the audit log.
_ACCOUNTS = (
    *((action, "Users") for action in ("can_create", "can_read", "can_edit")),
    *((action, "Passwords") for action in ("can_read", "can_edit")),
    ("can_read", "Roles"),
    ("menu_access", "Security"),
    ("menu_access", "List Users"),
    ("menu_access", "List Roles"),
)

ROLES: dict[str, tuple[tuple[str, str], ...]] = {
    SECTION: (*_LOOK, *_ANSWER_FORMS),
    APPROVER: (*_LOOK, *_ANSWER_FORMS),
    OPERATOR: (
        *_LOOK,
        *_SEE_EVERY_DAG,
        *_DIAGNOSE,
        ("can_edit", "DAG Runs"),  # of those DAGs only that `reaches` gives it to work on
        ("can_edit", "Task Instances"),
        ("can_read", "Pools"),
    ),
    DIRECTOR: (*_LOOK, *_ANSWER_FORMS),
    AUDITOR: (
        *_LOOK,
        *_SEE_EVERY_DAG,
        *_DIAGNOSE,
        ("can_read", "Audit Logs"),
        ("menu_access", "Audit Logs"),
    ),
    MANAGER: (
        *_LOOK,
        *_SEE_EVERY_DAG,
        *_DIAGNOSE,
        *_SETTINGS,
        *_ACCOUNTS,
        ("menu_access", "Admin"),
        ("can_read", "Pools"),
        ("can_read", "Audit Logs"),
        ("menu_access", "Audit Logs"),
    ),
}

_OF_SECTION = "所属:"


@dataclass(frozen=True)
class Reach:
    """Which roles see a DAG (beside those that see every one), start it, and work on its runs.

    To work on it is to pause the DAG and to clear and mark its tasks. Who starts or works on a DAG sees it.
    """

    seen_by: tuple[str, ...] = ()
    started_by: tuple[str, ...] = ()
    worked_on_by: tuple[str, ...] = ()


_OF_OPERATING = Reach(started_by=(OPERATOR,), worked_on_by=(OPERATOR,))
_OF_REGISTER = Reach(seen_by=(SECTION, APPROVER, DIRECTOR), started_by=(SECTION, DIRECTOR))
_OF_REPLIES = Reach(seen_by=(APPROVER, DIRECTOR), started_by=(SECTION, OPERATOR), worked_on_by=(OPERATOR,))
_OF_COUNTS = Reach(seen_by=(APPROVER, DIRECTOR), started_by=(SECTION,), worked_on_by=(OPERATOR,))
# Whoever hears of an incident takes it down; what only 課長 decides, the form itself refuses to others.
_OF_INCIDENTS = Reach(started_by=(SECTION, APPROVER, DIRECTOR, OPERATOR), worked_on_by=(OPERATOR,))

_REACHES = {
    "cycle_decision": _OF_OPERATING,
    "ledger_restored": _OF_OPERATING,
    "ledger_audit": _OF_OPERATING,
    "deadline_watch": _OF_OPERATING,
    "reply_watch": _OF_OPERATING,
    # The operator sees it to know what to clear; only the approver decides.
    **dict.fromkeys(
        ("passphrase_notice_void", "paper_reprint"),
        Reach(seen_by=(SECTION, DIRECTOR), started_by=(APPROVER,), worked_on_by=(OPERATOR,)),
    ),
    "copy_keeping": _OF_COUNTS,
    "copy_keeping_approval": Reach(
        seen_by=(SECTION, DIRECTOR), started_by=(APPROVER,), worked_on_by=(OPERATOR,)
    ),
    **dict.fromkeys(("reply_conflict", "reply_on_paper", "enclosure_passphrase"), _OF_REPLIES),
    **dict.fromkeys(("posting", "delivered_pull_out", "returned_mail", "pull_out"), _OF_COUNTS),
    "incident": _OF_INCIDENTS,
    "incident_step": _OF_INCIDENTS,
    "account_closed": Reach(worked_on_by=(OPERATOR,)),  # started by the lock-out itself
    "account_changed": Reach(
        worked_on_by=(OPERATOR,)
    ),  # started by the page and the commands that change accounts
    "gate_exception": Reach(seen_by=(SECTION, APPROVER), started_by=(DIRECTOR,)),
    **{f"register_{kind}": _OF_REGISTER for kind in KINDS},
    # Who holds an office and who stands in for whom is not for the officer to say.
    "register_officer": Reach(seen_by=(SECTION, APPROVER), started_by=(DIRECTOR, MANAGER)),
    "register_deputy": Reach(seen_by=(SECTION, APPROVER), started_by=(DIRECTOR, MANAGER)),
    "register_account_review": Reach(seen_by=(SECTION, APPROVER, DIRECTOR), started_by=(OPERATOR, MANAGER)),
}


def section_role(section: str) -> str:
    """The role that lets its holders see the dispatches of a section."""
    return f"{_OF_SECTION}{section}"


def sections(config: Path) -> set[str]:
    """The sections of the catalogue and of people.yaml; a file with a mistake names none."""
    found = {section for _, section in _notices(config) if section}
    try:
        return found | set(People.load(config).sections)
    except NoticeCycleError:
        return found


def limited_to(names: Collection[str]) -> tuple[str, ...]:
    """On which sections' dispatches the holder of these roles may act; empty: on all, as who sees every DAG."""
    if any(name == ADMINISTRATOR or set(_SEE_EVERY_DAG) <= set(ROLES.get(name, ())) for name in names):
        return ()
    own = sorted(name.removeprefix(_OF_SECTION) for name in names if name.startswith(_OF_SECTION))
    return tuple(own) or (NO_SECTION,)


def reaches(config: Path) -> dict[str, Reach]:
    """Every DAG by its id: those above, and each notice of the catalogue for its section and the operator."""
    notices = {
        notice: Reach(
            seen_by=(section_role(section),) if section else (),
            started_by=(OPERATOR,),
            worked_on_by=(OPERATOR,),
        )
        for notice, section in _notices(config)
    }
    return _REACHES | notices


def _notices(config: Path) -> Iterator[tuple[str, str]]:
    for notice in notice_ids(config):
        try:
            yield notice, load_notice(config, notice).section
        except (
            NoticeCycleError
        ):  # catalogue_check.py tells it; until then the section does not see the notice
            yield notice, ""


@dataclass(frozen=True)
class User:
    """One login. `role` is a key of ROLES or ADMINISTRATOR, `sections` are whose dispatches it sees.

    Names are Japanese; the ledger keeps them, family name first.
    """

    name: str
    role: str
    family_name: str
    given_name: str
    mail: str
    password: SecretStr
    sections: tuple[str, ...] = ()

    @property
    def roles(self) -> set[str]:
        """The names of all its roles."""
        return {self.role, *map(section_role, self.sections)}


def synchronise_roles_and_users(users: Iterable[User], config: Path) -> None:
    """Make roles as in the tables, for the sections of `config`, and the users named; twice changes nothing.

    A user who exists keeps the password and gets the roles; users not named stay untouched. At the end every account
    is told to the ledger, as far as that does not know it. Needs a migrated metadata database and Airflow's settings in
    the environment; costs seconds, so call it once for all.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    from notice_cycle_airflow.account_changes import tell_all

    with get_application_builder() as builder:
        manager: FabAirflowSecurityManagerOverride = builder.sm
        permission = cache(partial(_permission, manager))
        wanted = permissions_of_roles(config)
        for role in manager.get_all_roles():
            if role.name.startswith(_OF_SECTION) and role.name not in wanted:
                role.permissions = []
        for name, permissions in wanted.items():
            role = manager.add_role(name)
            role.permissions = [permission(action, resource) for action, resource in permissions]
        manager.session.commit()
        for user in users:
            _synchronise_user(manager, user)
        tell_all()


def permissions_of_roles(config: Path) -> dict[str, list[tuple[str, str]]]:
    """Every role with its permissions, those on single DAGs included."""
    found = {name: list(permissions) for name, permissions in ROLES.items()}
    # Airflow gives the first page to every role whenever it starts; taken away each time, no two starts were the same.
    found |= {section_role(section): [("can_read", "Website")] for section in sections(config)}
    for dag_id, reach in reaches(config).items():
        for role in dict.fromkeys((*reach.seen_by, *reach.started_by, *reach.worked_on_by)):
            found[role].append(("can_read", f"DAG:{dag_id}"))
        for role in reach.started_by:
            found[role].append(("can_create", f"DAG Run:{dag_id}"))
        for role in reach.worked_on_by:
            found[role].append(("can_edit", f"DAG:{dag_id}"))
    return found


def _permission(manager: "FabAirflowSecurityManagerOverride", action: str, resource: str) -> "Permission":
    permission = manager.create_permission(action, resource)
    if permission is None:
        raise LookupError(f"no permission {action} on {resource}: see the log")
    return permission


def _synchronise_user(manager: "FabAirflowSecurityManagerOverride", user: User) -> None:
    roles = [role for name in sorted(user.roles) if (role := manager.find_role(name))]
    if len(roles) != len(user.roles):
        raise LookupError(f"user {user.name}: one of {', '.join(sorted(user.roles))} is no role or section")
    known = manager.find_user(username=user.name)
    if known is None:
        require_good_password(user.password.get_secret_value())
        manager.add_user(
            username=user.name,
            first_name=user.given_name,
            last_name=user.family_name,
            email=user.mail,
            role=roles,
            password=user.password.get_secret_value(),
        )
    elif {role.name for role in known.roles} != user.roles:
        known.roles = roles
        manager.update_user(known)
