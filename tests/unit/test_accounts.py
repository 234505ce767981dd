"""How Airflow's note of a person becomes the ledger's, and what the list for the review points at."""

from datetime import UTC, datetime, timedelta

import pytest

from notice_cycle.accounts import (
    AccountChanged,
    AccountClosed,
    AccountFound,
    accounts_told,
    changes_untold,
    person_of,
    require_section,
    sections_of,
    shown_as,
)
from notice_cycle.errors import Refused
from notice_cycle.values import Person
from notice_cycle_airflow.accounts import Account, table
from notice_cycle_airflow.roles import limited_to

NOW = datetime(2026, 9, 1, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("login", "family", "given"),
    [("tanto1", "青木", "一郎"), ("t.aoki-2", "青木（旧姓 石川）", "恵")],
)
def test_name_and_login_come_back_as_they_were_shown(login: str, family: str, given: str) -> None:
    assert person_of(shown_as(login, family, given), "3") == Person(user_id=login, name=f"{family} {given}")


@pytest.mark.parametrize(
    ("names", "own"),
    [
        ({"担当", "所属:介護保険課"}, ("介護保険課",)),
        ({"承認者", "所属:介護保険課", "所属:地域包括ケア推進課"}, ("介護保険課", "地域包括ケア推進課")),
        ({"担当"}, ("所属なし",)),
        ({"Op"}, ("所属なし",)),
        ({"情報システム運用"}, ()),
        ({"Admin"}, ()),
    ],
)
def test_on_whose_dispatches_an_account_may_act(names: set[str], own: tuple[str, ...]) -> None:
    assert limited_to(names) == own
    shown = shown_as("tanto1", "青木", "一郎", own)
    assert sections_of(shown) == own
    assert person_of(shown) == Person(user_id="tanto1", name="青木 一郎")


def test_another_sections_dispatch_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="発送回 X は介護保険課のものです（あなたの所属: 地域包括ケア推進課）"):
        require_section(["地域包括ケア推進課"], ["介護保険課"], "発送回 X ")
    with pytest.raises(Refused, match="あなたの所属: 所属なし"):
        require_section(limited_to({"担当"}), ["介護保険課"], "発送回 X ")


@pytest.mark.parametrize(
    ("own", "of"), [([], ["介護保険課"]), (["介護保険課"], []), (["介護保険課"], ["税務課", "介護保険課"])]
)
def test_who_acts_for_all_or_is_concerned_is_not_refused(own: list[str], of: list[str]) -> None:
    require_section(own, of, "事故 2026-001 ")


def test_a_bare_login_is_all_there_is() -> None:
    assert sections_of("admin") == ()
    assert person_of("admin") == Person(user_id="admin", name="admin")
    assert person_of("tanto1", "3") == Person(user_id="3", name="tanto1")


def an_account(**changed: object) -> Account:
    usual = {
        "login": "tanto1",
        "name": "青木 一郎",
        "roles": ("所属:介護保険課", "担当"),
        "active": True,
        "last_login": datetime(2026, 8, 31, tzinfo=UTC),
        "created": datetime(2026, 4, 1, tzinfo=UTC),
    }
    return Account(**(usual | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("account", "doubts"),
    [
        (an_account(), []),
        (an_account(active=False, last_login=None), ["停止中"]),
        (an_account(last_login=datetime(2026, 2, 1, tzinfo=UTC)), ["180日以上ログインがない"]),
        (an_account(last_login=None), []),  # new, and not used yet
        (an_account(last_login=None, created=datetime(2026, 1, 5, tzinfo=UTC)), ["180日以上ログインがない"]),
        (an_account(roles=("担当",)), ["所属がない（発送回が見えない）"]),
        (an_account(roles=("所属:介護保険課",)), ["役割がない"]),
        (an_account(roles=("所属:介護保険課", "承認者", "担当")), ["役割が二つ以上ある"]),
        (an_account(roles=("監査",)), []),
        (an_account(roles=("Op", "監査")), ["この製品のものでない役割がある（Op）"]),
        (an_account(roles=("Admin",)), ["設置用の Admin"]),
    ],
)
def test_the_list_points_at_what_the_reviewer_should_look_at(account: Account, doubts: list[str]) -> None:
    assert account.doubts(NOW) == doubts


def test_the_list_shows_tokyo_days_and_counts_the_closed() -> None:
    told = table(
        [an_account(last_login=datetime(2026, 8, 31, 20, tzinfo=UTC)), an_account(login="a", active=False)],
        NOW,
    )
    lines = told.splitlines()
    assert "| 2026-09-01 " in lines[3]
    assert lines[2].startswith("| a ")
    assert (
        len({sum(2 if ord(each) > 0x2E80 else 1 for each in line) for line in lines[:4]}) == 1
    )  # columns stand
    assert lines[-1].startswith("2026-09-01 現在、2人、うち停止 1人。")


def found(login: str, *roles: str, active: bool = True) -> AccountFound:
    return AccountFound(login=login, active=active, roles=roles)


def changed(login: str, *roles: str, active: bool = True, hours: int = 0) -> AccountChanged:
    return AccountChanged(
        login=login,
        was_active=None,
        active=active,
        roles_before=(),
        roles=roles,
        changed_by=Person(user_id="kanri", name="小川 豊"),
        changed_at=NOW + timedelta(hours=hours),
    )


def test_accounts_the_ledger_never_heard_of_are_told_as_made_by_nobody() -> None:
    (first, second) = changes_untold(
        {}, [found("tanto1", "担当", "所属:介護保険課"), found("kansa", "監査")], NOW
    )
    assert (first.login, first.was_active, first.active, first.roles_before) == ("kansa", None, True, ())
    assert (second.roles, second.changed_by, second.changed_at) == (("担当", "所属:介護保険課"), None, NOW)


def test_what_the_ledger_knows_is_not_told_again() -> None:
    told = accounts_told([changed("tanto1", "担当"), changed("tanto1", "承認者", hours=1)])
    assert changes_untold(told, [found("tanto1", "承認者")], NOW) == []


def test_what_changed_past_the_ledger_is_told_from_what_it_knew() -> None:
    told = accounts_told([changed("tanto1", "担当")])
    (change,) = changes_untold(told, [found("tanto1", "課長", active=False)], NOW)
    assert (change.was_active, change.active) == (True, False)
    assert (change.roles_before, change.roles) == (("担当",), ("課長",))


def test_a_lock_out_counts_and_an_opening_after_it_too() -> None:
    locked = AccountClosed(login="tanto1", failures=5, closed_at=NOW + timedelta(hours=1))
    facts = [locked, changed("tanto1", "担当")]
    assert changes_untold(accounts_told(facts), [found("tanto1", "担当", active=False)], NOW) == []
    facts.append(changed("tanto1", "担当", hours=2))
    assert changes_untold(accounts_told(facts), [found("tanto1", "担当")], NOW) == []


def test_who_is_gone_is_told_once_as_closed_and_without_roles() -> None:
    told = accounts_told([changed("tanto1", "担当"), changed("kanri", "管理者")])
    (gone,) = changes_untold(told, [found("kanri", "管理者")], NOW)
    assert (gone.login, gone.was_active, gone.active) == ("tanto1", True, False)
    assert (gone.roles_before, gone.roles) == (("担当",), ())
    later = accounts_told([*(changed(one, *state.roles) for one, state in told.items()), gone])
    assert changes_untold(later, [found("kanri", "管理者")], NOW) == []
