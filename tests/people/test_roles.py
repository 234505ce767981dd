"""docs/roles.md against the web UI: every role asks for everything, and gets what the table says.

The tests tell one story and run in order: the forms are answered, a task is marked, a deputy stands in, an account
is closed and opened again.
"""

import re
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from embedded_ward.layout import REPOSITORY
from embedded_ward.officers import Officer
from embedded_ward.ward import NOTICE, EmbeddedWard
from notice_cycle import records as r
from notice_cycle.accounts import AccountChanged, AccountClosed
from notice_cycle.register import RegisterChanged
from notice_cycle_airflow import roles
from notice_cycle_airflow.accounts import HEADINGS
from tests.e2e.conftest import state_of, task_logs, wait_for
from tests.people.conftest import RUN, SETTINGS, VALIDATION, answer_path

pytestmark = pytest.mark.ward

TABLE = (REPOSITORY / "docs" / "roles.md").read_text(encoding="utf-8")
LOGINS = {
    "担当": "tanto1",
    "承認者": "shonin",
    "課長": "kacho",
    "他課": "houkatsu",
    "情報システム運用": "unyo",
    "監査": "kansa",
    "管理者": "kanri",
}
DAG, TASKS = f"/api/v2/dags/{NOTICE}", f"/api/v2/dags/{NOTICE}/dagRuns/{RUN}/taskInstances"
SECOND = "people-second"
BAD_CHOICE = {"chosen_options": ["これは選択肢にない"], "params_input": {}}


def start(dag_id: str, **conf: Any) -> tuple[str, str, dict[str, Any]]:
    """Asks to start a DAG with params that cannot be taken: allowed or not is told before."""
    return "POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf}


# What is asked for each row of the table. Whoever may do it meets a mistake, or changes nothing.
ASKED: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "see_cycle": ("GET", f"{DAG}/dagRuns/{RUN}", None),
    "task_log": ("GET", f"{TASKS}/opening.open_cycle/logs/1", None),
    "report": ("GET", f"/notice-cycle/report/{NOTICE}?run_id={RUN}", None),
    "copies": ("GET", f"/notice-cycle/copies/{NOTICE}?run_id={RUN}", None),
    "plan": ("GET", f"/notice-cycle/plan/{NOTICE}?run_id={RUN}", None),
    "today": ("GET", "/notice-cycle/today", None),
    "runbook": ("GET", "/notice-cycle/runbook", None),
    "preparation": ("GET", f"/notice-cycle/preparation/{NOTICE}", None),
    "dag_code": ("GET", f"/api/v2/dagSources/{NOTICE}", None),
    "answer_section": ("PATCH", answer_path(VALIDATION), BAD_CHOICE),
    "answer_approver": ("PATCH", answer_path(SETTINGS), BAD_CHOICE),
    "start_cycle": start(NOTICE, batch_no="§"),
    "clear": ("POST", f"{DAG}/clearTaskInstances", {"dag_run_id": RUN, "dry_run": True}),
    "mark": ("PATCH", f"{TASKS}/opening.open_cycle/dry_run", {"new_state": "success"}),
    "mark_run": ("PATCH", f"{DAG}/dagRuns/nobody", {"state": "failed"}),
    "pause": ("PATCH", DAG, {"is_paused": False}),
    "delete_run": ("DELETE", f"{DAG}/dagRuns/nobody", None),
    "delete_dag": ("DELETE", "/api/v2/dags/" + NOTICE, None),
    "change_xcom": ("PATCH", f"{TASKS}/opening.open_cycle/xcomEntries/return_value", {"value": "x"}),
    "decide": start("cycle_decision"),
    "void": start("passphrase_notice_void"),
    "reprint": start("paper_reprint"),
    "restore": start("ledger_restored"),
    "audit": start("ledger_audit", no_such_param={}),
    "reply": start("reply_on_paper"),
    "count": start("returned_mail"),
    "ask_keeping": start("copy_keeping"),
    "approve_keeping": start("copy_keeping_approval"),
    "incident": start("incident", party="-"),
    "register": start("register_training"),
    "register_officer": start("register_officer"),
    "register_deputy": start("register_deputy"),
    "register_review": start("register_account_review"),
    "except_gate": start("gate_exception"),
    "work_on_register": ("POST", "/api/v2/dags/register_training/clearTaskInstances", {"dry_run": True}),
    "forge_closing": start("account_closed"),
    "forge_change": start("account_changed"),
    "audit_log": ("GET", "/api/v2/eventLogs?limit=1", None),
    "connections": ("GET", "/api/v2/connections", None),
    "change_connections": ("POST", "/api/v2/connections", {"connection_id": "!"}),
    "variables": ("GET", "/api/v2/variables", None),
    "change_variables": ("POST", "/api/v2/variables", {"no": "key"}),
    "change_pools": ("PATCH", "/api/v2/pools/heavy", {"slots": 1}),
    "configuration": ("GET", "/api/v2/config", None),
    "accounts": ("GET", "/auth/fab/v1/users", None),
    "account_list": ("GET", "/notice-cycle/accounts", None),
    "change_accounts": ("POST", "/auth/fab/v1/users", {"username": "x"}),
    "delete_accounts": ("DELETE", "/auth/fab/v1/users/nobody", None),
    "change_roles": ("PATCH", "/auth/fab/v1/roles/担当", {"name": "担当", "actions": []}),
}
REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


def rows() -> dict[str, dict[str, str]]:
    """The table: for each sign what each column says."""
    lines = [line.strip("| ").split(" | ") for line in TABLE.splitlines() if line.startswith("| ")]
    heading = next(cells for cells in lines if cells[0] == "記号")
    return {
        cells[0].strip("`"): dict(zip(heading[2:], cells[2:], strict=True))
        for cells in lines
        if len(cells) == len(heading) and cells[0].startswith("`")
    }


def test_the_table_and_the_questions_are_about_the_same() -> None:
    assert set(rows()) == set(ASKED)
    assert {tuple(cells) for cells in rows().values()} == {tuple(LOGINS)}
    assert {each for cells in rows().values() for each in cells.values()} == {"○", "×"}


@pytest.mark.parametrize("sign", [sign for sign in ASKED if sign != "answer_section"])
def test_every_role_gets_what_the_table_says(ward: EmbeddedWard, sign: str) -> None:
    assert _got(ward, sign) == rows()[sign]


def test_without_a_login_everything_is_refused(ward: EmbeddedWard) -> None:
    for sign, (method, path, body) in ASKED.items():
        answer = httpx.request(method, ward.address + path, json=body, trust_env=False)
        assert answer.status_code == httpx.codes.UNAUTHORIZED, sign


@pytest.mark.parametrize("login", LOGINS.values())
def test_everybody_sees_the_dags_of_the_table_and_no_other(ward: EmbeddedWard, login: str) -> None:
    (user,) = (user for user in ward.airflow.roster if user.name == login)
    mine = {user.role, *map(roles.section_role, user.sections)}
    reach = roles.reaches(ward.layout.root / "config")
    every = ("can_read", "DAGs") in roles.ROLES[user.role]
    expected = {
        dag_id
        for dag_id, each in reach.items()
        if every or mine & {*each.seen_by, *each.started_by, *each.worked_on_by}
    }
    told = ward.person(login).request("GET", "/api/v2/dags?limit=200").json()["dags"]
    assert {dag["dag_id"] for dag in told} == expected


def test_the_accounts_of_the_installation_are_in_the_ledger_with_their_roles(ward: EmbeddedWard) -> None:
    roster = {
        user.name: tuple(sorted({user.role, *map(roles.section_role, user.sections)}))
        for user in ward.airflow.roster
    }
    wait_for(lambda: len(_facts(ward, AccountChanged)) == len(roster), "every account in the ledger")
    told = _facts(ward, AccountChanged)
    assert {one.login: one.roles for one in told} == roster
    assert {(one.was_active, one.active, one.changed_by) for one in told} == {(None, True, None)}


def test_a_second_cycle_does_not_ask_what_the_first_asks_already(ward: EmbeddedWard) -> None:
    ward.trigger(SECOND, occasion="supplementary", reason_code="rehearsal", batch_no="2026-08-supplementary")
    wait_for(lambda: state_of(ward, SECOND, SETTINGS) == "up_for_reschedule", "the wait for the first")


def test_open_forms_are_listed_to_the_section_only(ward: EmbeddedWard) -> None:
    path = "/api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false"
    told = {
        login: ward.person(login).request("GET", path).json()["total_entries"]
        for login in ("tanto1", "shonin", "houkatsu", "kansa")
    }
    assert told == {"tanto1": 1, "shonin": 1, "houkatsu": 0, "kansa": 1}


def test_a_form_is_kept_with_the_officers_japanese_name(ward: EmbeddedWard) -> None:
    answer = {
        "chosen_options": ["確認した"],
        "params_input": {"papers": "架空区介護保険条例（令和8年3月改正）"},
    }
    assert ward.person("shonin").request("PATCH", answer_path(SETTINGS), answer).is_success
    wait_for(lambda: _history(ward).find(r.YearSettingsRecord), "the record")
    by = _history(ward).latest(r.YearSettingsRecord).confirmed_by
    assert (by.user_id, by.name) == ("shonin", "上田 誠")
    wait_for(lambda: state_of(ward, SECOND, SETTINGS) == "success", "the answer to be taken over")
    second = ward.ledger.history(str(ward.ledger.cycle_of_run(NOTICE, SECOND)))
    assert second.latest(r.YearSettingsRecord) == _history(ward).latest(r.YearSettingsRecord)


def test_a_sections_form_is_answered_by_the_section(ward: EmbeddedWard) -> None:
    for run in (RUN, SECOND):  # the second enters nothing more while the others look
        wait_for(lambda run=run: state_of(ward, run, VALIDATION) == "awaiting_input", "the form")
    time.sleep(2.5)
    assert _got(ward, "answer_section") == rows()["answer_section"]


def test_a_deputy_answers_while_the_register_says_so(ward: EmbeddedWard) -> None:
    shonin = ward.person("shonin")
    assert shonin.request("PATCH", answer_path(VALIDATION), BAD_CHOICE).status_code == httpx.codes.FORBIDDEN
    deputy = {
        "key": "2026-tanto1-july",
        "action": "add",
        "user_id": "shonin",
        "office": "担当",
        "instead_of": "tanto1",
        "section": "介護保険課",
        "valid_from": "2026-07-01",
        "valid_until": "2026-07-31",
        "reason_code": "new",
        "filed_as": "26介保第12号",
    }
    body = {"dag_run_id": "deputy", "logical_date": None, "conf": deputy}
    kacho = ward.person("kacho")
    kacho.request("POST", "/api/v2/dags/register_deputy/dagRuns", body).raise_for_status()
    wait_for(lambda: _facts(ward, RegisterChanged), "the deputy in the register")
    changed = _facts(ward, RegisterChanged)[-1]
    assert (changed.entered_by.user_id, changed.entered_by.name) == ("kacho", "北村 修")
    answer = shonin.request("PATCH", answer_path(VALIDATION), BAD_CHOICE)
    assert answer.status_code == httpx.codes.BAD_REQUEST  # of the choice, not of the person


def test_a_form_about_another_sections_dispatch_is_refused_in_its_run(ward: EmbeddedWard) -> None:
    cycle = str(ward.ledger.cycle_of_run(NOTICE, RUN))
    answers = {"cycle": cycle, "returned_on": "2026-07-01", "unknown_address": 1}
    body = {"dag_run_id": "other-section", "logical_date": None, "conf": answers}
    form = "/api/v2/dags/returned_mail/dagRuns"
    ward.person("houkatsu").request("POST", form, body).raise_for_status()
    run = f"{form}/other-section"
    wait_for(lambda: ward.person("unyo").request("GET", run).json()["state"] == "failed", "the refusal")
    log = ward.person("houkatsu").request("GET", f"{run}/taskInstances/enter_returned/logs/1").text
    assert f"発送回 {cycle} は介護保険課のものです" in log


def test_marking_a_form_as_done_forges_nothing(ward: EmbeddedWard) -> None:
    entries = ward.ledger.verify().entries
    marked = ward.person("unyo").request("PATCH", f"{TASKS}/{VALIDATION}", {"new_state": "success"})
    assert marked.is_success, marked.text
    wait_for(lambda: state_of(ward, RUN, "composition.compose") == "failed", "the next task to stop")
    assert ward.ledger.verify().entries == entries
    assert _history(ward).find(r.ValidationConfirmationRecord) is None
    # The sentence that says what is wrong is for the section to read.
    wait_for(lambda: "が有効ではありません" in task_logs(ward, RUN), "the log")
    log = ward.person("tanto1").request("GET", f"{TASKS}/composition.compose/logs/1")
    assert "が有効ではありません" in log.text


class TestLockOut:
    """Five failed logins in a row close an account, wherever they were tried; only 管理者 opens it."""

    def token(self, ward: EmbeddedWard, password: str) -> int:
        body = {"username": "tanto2", "password": password}
        return httpx.post(f"{ward.address}/auth/token", json=body, trust_env=False).status_code

    def test_failures_close_the_account_and_are_told(self, ward: EmbeddedWard) -> None:
        right = ward.secrets.user_passwords["tanto2"].get_secret_value()
        assert [self.token(ward, "wrong") for _ in range(4)] == [401] * 4
        assert self.token(ward, right) == httpx.codes.CREATED  # in a row: the count starts again
        officer = ward.person("tanto2")
        assert officer.request("GET", DAG).is_success
        assert [self.token(ward, "wrong") for _ in range(5)] == [401] * 5
        assert self.token(ward, right) == httpx.codes.UNAUTHORIZED
        # Who was logged in is out too. `http`, because `request` would try to log in again.
        wait_for(lambda: officer.http.get(DAG).status_code in REFUSED, "the session to end", seconds=45)
        wait_for(lambda: _facts(ward, AccountClosed), "the closing in the ledger")
        (closed,) = _facts(ward, AccountClosed)
        assert (closed.login, closed.failures) == ("tanto2", 5)
        wait_for(lambda: _mails(ward, "利用者の停止"), "the mail")
        (mail,) = _mails(ward, "利用者の停止")
        assert right not in mail.read_text()

    def test_the_command_opens_it_again(self, ward: EmbeddedWard) -> None:
        assert re.search(r"\| tanto2 +\| 石川 恵 .*\| 停止 .*\| 停止中 ", _accounts(ward, "list"))
        assert "有効に戻しました" in _accounts(ward, "open", "tanto2")
        wait_for(lambda: len(_changes(ward, "tanto2")) == 2, "the opening in the ledger")
        (_, opened) = _changes(ward, "tanto2")
        assert (opened.was_active, opened.active, opened.changed_by) == (False, True, None)
        assert opened.roles == opened.roles_before
        right = ward.secrets.user_passwords["tanto2"].get_secret_value()
        assert self.token(ward, right) == httpx.codes.CREATED


def test_other_roles_are_in_the_ledger_with_who_gave_them(ward: EmbeddedWard) -> None:
    kanri, path = ward.person("kanri"), "/auth/fab/v1/users/tanto2?update_mask=roles"
    was, other = ["所属:介護保険課", "担当"], ["担当", "所属:地域包括ケア推進課"]
    for given in (other, was, was):  # the last changes nothing
        body = {"roles": [{"name": name} for name in given]}
        kanri.request("PATCH", path, body).raise_for_status()
    wait_for(lambda: len(_changes(ward, "tanto2")) == 4, "both changes in the ledger")
    told = sorted(_changes(ward, "tanto2"), key=lambda change: change.changed_at)[2:]
    assert [(set(one.roles_before), set(one.roles)) for one in told] == [
        (set(was), set(other)),
        (set(other), set(was)),
    ]
    assert {one.changed_by.user_id for one in told} == {"kanri"}


def test_the_page_of_today_lists_the_dispatches_that_one_may_see(ward: EmbeddedWard) -> None:
    cycle = str(ward.ledger.cycle_of_run(NOTICE, RUN))
    for column, login in LOGINS.items():
        page = ward.person(login).request("GET", "/notice-cycle/today").text
        assert (f">{cycle}</a>" in page) == (column != "他課"), column


def test_the_head_of_section_reviews_the_accounts_of_the_section(ward: EmbeddedWard) -> None:
    pages = {
        login: ward.person(login).request("GET", "/notice-cycle/accounts").text for login in LOGINS.values()
    }
    named = {
        login: {each for each in LOGINS.values() if f"<td>{each}</td>" in pages[login]}
        for login in LOGINS.values()
    }
    assert named["kanri"] == named["unyo"] == named["kansa"] == set(LOGINS.values())
    assert named["kacho"] == {"tanto1", "shonin", "kacho"}
    assert named["tanto1"] == named["houkatsu"] == named["shonin"] == set()


def test_the_list_for_the_review_names_what_to_look_at(ward: EmbeddedWard) -> None:
    told = _accounts(ward, "list").splitlines()
    assert all(heading in told[0] for heading in HEADINGS)
    (approver,) = (line for line in told if line.startswith("| shonin "))
    assert re.search(r"上田 誠 +\| .*承認者.*\| 有効 .*所属が二つ以上ある", approver)
    assert f"{len(ward.airflow.roster)}人、うち停止 0人" in told[-1]


def test_synchronising_again_changes_no_account_and_tells_nothing_twice(ward: EmbeddedWard) -> None:
    before, told = _accounts(ward, "list"), _facts(ward, AccountChanged)
    runs = "/api/v2/dags/account_changed/dagRuns?limit=100&order_by=-run_after"
    known = ward.person("unyo").request("GET", runs).json()["total_entries"]
    _accounts(ward, "synchronise")
    assert _accounts(ward, "list") == before

    def compared() -> bool:
        answer = ward.person("unyo").request("GET", runs).json()
        return answer["total_entries"] == known + 1 and answer["dag_runs"][0]["state"] == "success"

    wait_for(compared, "the comparison")
    assert _facts(ward, AccountChanged) == told


def _accounts(ward: EmbeddedWard, *arguments: str) -> str:
    command = [sys.executable, "-m", "notice_cycle_airflow.accounts", *arguments]
    environment = ward.airflow.environment
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def _got(ward: EmbeddedWard, sign: str) -> dict[str, str]:
    method, path, body = ASKED[sign]
    statuses = {
        column: ward.person(login).request(method, path, body).status_code for column, login in LOGINS.items()
    }
    assert httpx.codes.INTERNAL_SERVER_ERROR not in statuses.values(), (sign, statuses)
    return {column: "×" if status in REFUSED else "○" for column, status in statuses.items()}


@cache
def _seated(ward: EmbeddedWard, login: str) -> Officer:
    """Logged in once: a login costs the machine half a second."""
    return ward.person(login)


def _history(ward: EmbeddedWard) -> Any:
    return ward.ledger.history(str(ward.ledger.cycle_of_run(NOTICE, RUN)))


def _facts(ward: EmbeddedWard, kind: Any) -> list[Any]:
    return [kind.model_validate(entry.data) for entry in ward.ledger.entries(kind=kind.kind())]


def _changes(ward: EmbeddedWard, login: str) -> list[AccountChanged]:
    return [fact for fact in _facts(ward, AccountChanged) if fact.login == login]


def _mails(ward: EmbeddedWard, named: str) -> list[Path]:
    return [path for path in ward.layout.mail.iterdir() if named in path.name]
