"""Accounts of the web UI as the ledger sees them: who is named how, and which were closed after failed logins.

An account is a login; the name beside it is the officer's, as the administrator entered it. No password, and
nothing that was typed at the login, enters here.
"""

import re
from datetime import datetime

from notice_cycle.ledger.entry import System
from notice_cycle.ledger.store import Ledger
from notice_cycle.records import Fact
from notice_cycle.values import Person

_SHOWN = re.compile(r"(?P<name>.+)（(?P<login>[^（）]+)）")


class AccountClosed(Fact):
    """利用者の停止: an account was closed after failed logins in a row."""

    label_ja = "利用者の停止"
    login: str
    failures: int
    closed_at: datetime


def shown_as(login: str, family_name: str, given_name: str) -> str:
    """How Airflow notes a person: 青木 一郎（tanto1）."""
    return f"{family_name} {given_name}（{login}）"


def person_of(shown: str, user_id: str = "") -> Person:
    """The person behind what Airflow noted; where it noted a bare login, that, or `user_id`, is all there is."""
    if told := _SHOWN.fullmatch(shown):
        return Person(user_id=told["login"], name=told["name"])
    return Person(user_id=user_id or shown, name=shown)


def enter_closing(ledger: Ledger, closed: AccountClosed, by: System) -> bool:
    """Enters that an account was closed. False when it stands there already."""
    with ledger.locked("accounts", AccountClosed.kind()):
        known = (
            AccountClosed.model_validate(entry.data) for entry in ledger.entries(kind=AccountClosed.kind())
        )
        if closed in known:
            return False
        ledger.note(None, closed, by)
        return True
