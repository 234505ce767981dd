"""Accounts of the web UI as the ledger sees them: who is named how, who may act on which section's dispatches, what became of them.

An account is a login; the name beside it is the officer's, as the administrator entered it. No password, and
nothing that was typed at the login, enters here. What the api-server notes of a person is all that a task knows: the
sections stand in it, as they were when the person started the run or answered the form.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from notice_cycle.errors import Refused
from notice_cycle.ledger.entry import System
from notice_cycle.ledger.store import Ledger
from notice_cycle.records import Fact
from notice_cycle.values import Frozen, Person

NO_SECTION = "所属なし"
"""Shown for who may act on the dispatches of the own sections only, and has none."""

_SHOWN = re.compile(r"(?P<name>.+)（(?P<login>[^（）、]+)(?P<sections>(、[^（）、]+)*)）")


class AccountClosed(Fact):
    """利用者の停止: an account was closed after failed logins in a row."""

    label_ja = "利用者の停止"
    login: str
    failures: int
    closed_at: datetime


class AccountChanged(Fact):
    """利用者の変更: an account was made, opened, closed or given other roles, by a person or (None) by a command.

    `was_active` None: it was made, or the ledger had never heard of it. Roles are those of duty and of sections, sorted.
    """

    label_ja = "利用者の変更"
    login: str
    was_active: bool | None
    active: bool
    roles_before: tuple[str, ...]
    roles: tuple[str, ...]
    changed_by: Person | None
    changed_at: datetime


class AccountFound(Frozen):
    """An account as the metadata database has it."""

    login: str
    active: bool
    roles: tuple[str, ...]


def shown_as(login: str, family_name: str, given_name: str, sections: Iterable[str] = ()) -> str:
    """How Airflow notes a person: 青木 一郎（tanto1、介護保険課）; without sections who acts for all of them."""
    return f"{family_name} {given_name}（{'、'.join([login, *sections])}）"


def person_of(shown: str, user_id: str = "") -> Person:
    """The person behind what Airflow noted; where it noted a bare login, that, or `user_id`, is all there is."""
    if told := _SHOWN.fullmatch(shown):
        return Person(user_id=told["login"], name=told["name"])
    return Person(user_id=user_id or shown, name=shown)


def sections_of(shown: str) -> tuple[str, ...]:
    """On whose dispatches the person may act; empty: everybody's."""
    told = _SHOWN.fullmatch(shown)
    return tuple(told["sections"].split("、")[1:]) if told else ()


def require_section(own: Collection[str], of: Collection[str], what_ja: str) -> None:
    """Raises Refused for who has sections (`own`), and none of those that something is of."""
    if own and of and not set(own) & set(of):
        raise Refused(
            f"{what_ja}は{'・'.join(of)}のものです（あなたの所属: {'・'.join(own)}）。",
            advice=f"{'・'.join(of)}の職員に依頼してください。所属が違うときは、管理者に利用者の所属の変更を依頼してください。",
        )


def enter_once(ledger: Ledger, fact: AccountClosed | AccountChanged, by: Person | System) -> bool:
    """Enters what became of an account. False when it stands there already."""
    with ledger.locked("accounts", fact.kind()):
        known = (type(fact).model_validate(entry.data) for entry in ledger.entries(kind=fact.kind()))
        if fact in known:
            return False
        ledger.note(None, fact, by)
        return True


def enter_found(ledger: Ledger, found: Collection[AccountFound], at: datetime, by: System) -> list[str]:
    """Enters what the ledger does not know of the accounts as they all were `at` a moment. Gives their logins."""
    with ledger.locked("accounts", AccountChanged.kind()):
        closed = [AccountClosed.model_validate(one.data) for one in ledger.entries(kind=AccountClosed.kind())]
        changed = [
            AccountChanged.model_validate(one.data) for one in ledger.entries(kind=AccountChanged.kind())
        ]
        untold = changes_untold(accounts_told([*closed, *changed]), found, at)
        for change in untold:
            ledger.note(None, change, by)
    return [change.login for change in untold]


def accounts_told(facts: Iterable[AccountClosed | AccountChanged]) -> dict[str, AccountFound]:
    """Every account as the ledger's facts leave it, by login."""
    told: dict[str, AccountFound] = {}
    for fact in sorted(
        facts, key=lambda one: one.closed_at if isinstance(one, AccountClosed) else one.changed_at
    ):
        if isinstance(fact, AccountChanged):
            told[fact.login] = AccountFound(login=fact.login, active=fact.active, roles=fact.roles)
        else:
            known = told.get(fact.login)
            told[fact.login] = AccountFound(
                login=fact.login, active=False, roles=known.roles if known else ()
            )
    return told


def changes_untold(
    told: Mapping[str, AccountFound], found: Collection[AccountFound], at: datetime
) -> list[AccountChanged]:
    """What became of accounts without the ledger: made before it could be told, changed past the product, or gone.

    An account that is gone can do nothing: it is told as closed and without roles.
    """
    gone = {
        login: AccountFound(login=login, active=False, roles=())
        for login in told.keys() - {one.login for one in found}
    }
    return [
        AccountChanged(
            login=now.login,
            was_active=was.active if was else None,
            active=now.active,
            roles_before=was.roles if was else (),
            roles=now.roles,
            changed_by=None,
            changed_at=at,
        )
        for now in sorted([*found, *gone.values()], key=lambda one: one.login)
        if (was := told.get(now.login)) != now
    ]
