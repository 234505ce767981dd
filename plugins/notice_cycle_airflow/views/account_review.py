"""利用者の一覧: every account with roles, sections and last login, for the review twice a year (棚卸し).

課長 sees the accounts of the own sections, whoever runs, audits or manages the product all of them, everybody else none.
The answer to the review is the form 「登録簿: 利用者の棚卸し」, whose text links here: no menu item for those who see none.
"""

from html import escape
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi.responses import HTMLResponse

from notice_cycle import clock
from notice_cycle_airflow import roles
from notice_cycle_airflow.accounts import HEADINGS, Account, read_accounts, rows_of, summary_ja
from notice_cycle_airflow.views.report import app, filled

_REVIEWERS = {roles.DIRECTOR, roles.OPERATOR, roles.AUDITOR, roles.MANAGER, roles.ADMINISTRATOR}


@app.get("/accounts")
def page(user: GetUserDep) -> HTMLResponse:
    """The accounts that the user may review."""
    mine = _roles_of(user)
    if not mine & _REVIEWERS:
        sentence = "利用者の一覧は、課長・情報システム運用・監査・管理者が見ます。"
        return HTMLResponse(filled("利用者の一覧を表示できません", f"<p>{sentence}</p>"), status_code=403)
    return HTMLResponse(document(seen_by(mine, read_accounts())))


def seen_by(mine: set[str], accounts: list[Account]) -> list[Account]:
    """The accounts of one's sections; all, for who is limited to none."""
    own = {roles.section_role(section) for section in roles.limited_to(mine)}
    return [each for each in accounts if not own or own & set(each.roles)]


def document(accounts: list[Account]) -> str:
    """The whole page."""
    now = clock.now()
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADINGS)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows_of(accounts, now)
    )
    heading = f"<h1>利用者の一覧</h1><p>{escape(summary_ja(accounts, now))}</p>"
    return filled(
        "利用者の一覧",
        f"{heading}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        "<p>異動・退職した人、役割や所属の違う人がいたら、管理者に伝えます。管理者が停止し、または直します。変更は証跡台帳に残ります。</p>",
    )


def _roles_of(user: Any) -> set[str]:
    return {role.name for role in user.roles}
