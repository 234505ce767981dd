"""Every account as an installation finds it, through the params of DAG 利用者の変更, into a real ledger."""

from types import SimpleNamespace
from typing import Any

import pytest

from notice_cycle.accounts import AccountChanged, enter_found
from notice_cycle.ledger.store import Ledger
from notice_cycle_airflow import run_context

AT = "2026-07-01T09:00:00+09:00"
FOUND = [
    {"login": "admin", "active": True, "roles": ["Admin"]},
    {"login": "tanto1", "active": True, "roles": ["所属:介護保険課", "担当"]},
]


def entered(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, found: list[dict[str, Any]]) -> list[str]:
    """What the task enters when it is started with these accounts."""
    context = {"params": {"found": found, "changed_at": AT}, "ti": SimpleNamespace(task_id="account_changed")}
    monkeypatch.setattr(run_context, "get_current_context", lambda: context)
    monkeypatch.setattr(run_context, "open_ledger", lambda: ledger)
    asked = run_context.accounts_found()
    assert asked is not None
    return enter_found(*asked, run_context.this_task())


def test_the_first_accounts_are_entered_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert entered(ledger, monkeypatch, FOUND) == ["admin", "tanto1"]
    assert entered(ledger, monkeypatch, FOUND) == []
    told = [AccountChanged.model_validate(one.data) for one in ledger.entries(kind=AccountChanged.kind())]
    assert [(one.login, one.was_active, one.active, one.roles) for one in told] == [
        ("admin", None, True, ("Admin",)),
        ("tanto1", None, True, ("所属:介護保険課", "担当")),
    ]
    assert {one.changed_by for one in told} == {None}
    assert ledger.verify().holds


def test_what_was_changed_past_the_product_is_entered(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(ledger, monkeypatch, FOUND)
    other = [FOUND[0], {**FOUND[1], "roles": ["承認者"]}]
    assert entered(ledger, monkeypatch, other) == ["tanto1"]
    assert entered(ledger, monkeypatch, other[1:]) == ["admin"]  # gone
    assert entered(ledger, monkeypatch, other[1:]) == []


def test_a_run_for_one_account_finds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    context = {"params": {"found": None, "login": "tanto1"}}
    monkeypatch.setattr(run_context, "get_current_context", lambda: context)
    assert run_context.accounts_found() is None
