"""The accounts of the web UI as a list for the review twice a year (棚卸し), and the way back in for the last 管理者.

The list is also a page of the web UI (views/account_review.py).

    python -m notice_cycle_airflow.accounts list             every account, with what to look at, as a table
    python -m notice_cycle_airflow.accounts open LOGIN       opens a closed account
    python -m notice_cycle_airflow.accounts synchronise      brings the roles into line with the catalogue

Runs where Airflow's metadata database is known (`docker compose exec scheduler …`). It shows no password and
changes no role of an account.
"""

import argparse
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta

from notice_cycle import clock
from notice_cycle.settings import Settings
from notice_cycle_airflow import roles

UNUSED = timedelta(days=180)
HEADINGS = ("ログイン名", "氏名", "役割・所属", "状態", "最後のログイン", "確かめること")


@dataclass(frozen=True)
class Account:
    """One account as the metadata database has it. `last_login` and `created` are aware, None: never, unknown."""

    login: str
    name: str
    roles: tuple[str, ...]
    active: bool
    last_login: datetime | None
    created: datetime | None

    def doubts(self, now: datetime) -> list[str]:
        """What the reviewer should look at."""
        duties = [role for role in self.roles if role in {*roles.ROLES, roles.ADMINISTRATOR}]
        sections = [role for role in self.roles if role.startswith(roles.section_role(""))]
        others = [role for role in self.roles if role not in {*duties, *sections}]
        used = self.last_login or self.created
        needs_section = {roles.SECTION, roles.APPROVER, roles.DIRECTOR}
        return [
            doubt
            for doubt, holds in (
                ("停止中", not self.active),
                (f"{UNUSED.days}日以上ログインがない", self.active and (used is None or now - used > UNUSED)),
                ("役割がない", not duties),
                ("役割が二つ以上ある", len(duties) > 1),
                ("所属がない（発送回が見えない）", bool(needs_section & set(duties)) and not sections),
                ("所属が二つ以上ある", len(sections) > 1),
                (f"この製品のものでない役割がある（{'、'.join(others)}）", bool(others)),
                ("設置用の Admin", roles.ADMINISTRATOR in duties),
            )
            if holds
        ]


def rows_of(accounts: Iterable[Account], now: datetime) -> list[tuple[str, ...]]:
    """The list under HEADINGS, by login."""
    return [
        (
            each.login,
            each.name,
            "、".join(each.roles) or "なし",
            "有効" if each.active else "停止",
            each.last_login.astimezone(clock.TOKYO).strftime("%Y-%m-%d") if each.last_login else "なし",
            "、".join(each.doubts(now)),
        )
        for each in sorted(accounts, key=lambda account: account.login)
    ]


def summary_ja(accounts: Sequence[Account], now: datetime) -> str:
    """How many there are, how many of them are closed, and what to do then."""
    day = now.astimezone(clock.TOKYO).strftime("%Y-%m-%d")
    closed = sum(not each.active for each in accounts)
    return f"{day} 現在、{len(accounts)}人、うち停止 {closed}人。確かめたら、「登録簿: 利用者の棚卸し」に記録してください。"


def table(accounts: Sequence[Account], now: datetime) -> str:
    """The list as a Markdown table, with what it counts below."""
    rows = rows_of(accounts, now)
    widths = [max(map(_width, column)) for column in zip(HEADINGS, *rows, strict=True)]
    lines = [_line(HEADINGS, widths), _line(["-" * width for width in widths], widths)]
    return "\n".join([*lines, *(_line(row, widths) for row in rows), "", summary_ja(accounts, now)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def read_accounts() -> list[Account]:
    """Every account of the metadata database."""
    from airflow.providers.fab.auth_manager.models import User
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        return [
            Account(
                login=user.username,
                name=f"{user.last_name} {user.first_name}",
                roles=tuple(sorted(role.name for role in user.roles)),
                active=bool(user.active),
                last_login=_aware(user.last_login),
                created=_aware(user.created_on),
            )
            for user in session.query(User)
        ]


def open_account(login: str) -> bool:
    """Opens a closed account; False when there is none of that name. The failures start at nought again."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        user = builder.sm.find_user(username=login)
        if user is None:
            return False
        user.active, user.fail_login_count = True, 0
        return bool(builder.sm.update_user(user))


def _aware(moment: datetime | None) -> datetime | None:
    """Flask-AppBuilder writes the machine's local time without saying so."""
    return moment.astimezone() if moment else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Exit status 1: no account of that name."""
    parser = argparse.ArgumentParser(prog="python -m notice_cycle_airflow.accounts", description="利用者")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="利用者の一覧（棚卸し用）")
    commands.add_parser("open", help="停止した利用者を有効に戻す").add_argument("login")
    commands.add_parser("synchronise", help="役割と所属を、表とカタログのとおりにする")
    options = parser.parse_args(arguments)
    with redirect_stdout(sys.stderr):  # Airflow logs to the standard output, which is for the answer
        answer = _answer(options)
    print(answer or f"利用者 {options.login} はありません。")
    return 0 if answer else 1


def _answer(options: argparse.Namespace) -> str:
    if options.command == "list":
        return table(read_accounts(), clock.now())
    if options.command == "synchronise":
        roles.synchronise_roles_and_users((), Settings().config_folder)
        return "役割と所属を、表とカタログのとおりにしました。"
    return f"利用者 {options.login} を有効に戻しました。" if open_account(options.login) else ""


if __name__ == "__main__":
    sys.exit(main())
