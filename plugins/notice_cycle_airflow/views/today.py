"""今日の一枚 as a page of the menu: what is late, why, and what to do, in every dispatch that one may see.

It reads the ledger as the plan of a cycle does. A dispatch is listed to whoever may read its DAG; nobody sees others.
"""

from html import escape

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi.responses import HTMLResponse

from notice_cycle import clock
from notice_cycle.alerts import RUNBOOK_PAGE, TODAY_PAGE
from notice_cycle.errors import NoticeCycleError
from notice_cycle.today_page import DispatchLine, PressingLine, TodayPage, today_page
from notice_cycle_airflow.views.report import PREFIX, app, filled

VIEW = {
    "name": "今日の一枚",
    "href": f"{PREFIX}/today",
    "destination": "nav",
    "url_route": TODAY_PAGE.rpartition("/")[2],
    "category": "",
}


@app.get("/today")
def page(user: GetUserDep) -> HTMLResponse:
    """What presses now."""
    readable = get_auth_manager().get_authorized_dag_ids(user=user)
    try:
        told, synthetic = _today(readable)
    except NoticeCycleError as sorry:
        return HTMLResponse(
            filled("今日の一枚を表示できません", f"<p>{escape(str(sorry))}</p>"), status_code=503
        )
    return HTMLResponse(document(told, synthetic=synthetic))


def document(told: TodayPage, *, synthetic: bool) -> str:
    """The whole page."""
    mark = '<p class="synthetic">架空データ</p>' if synthetic else ""
    heading = f"<h1>今日の一枚</h1><p>{escape(told.at_ja)} 現在。{escape(told.summary_ja)}</p>"
    return filled("今日の一枚", mark + heading + _pressing(told.pressing) + _dispatches(told.dispatches))


def _pressing(lines: tuple[PressingLine, ...]) -> str:
    rows = [
        f'<tr class="{line.state}"><td class="state">{escape(line.state_ja)}</td>'
        f'<td class="date">{escape(line.due_ja)}</td><td>{escape(line.who_ja)}</td>'
        f'<td class="what"><strong>{escape(line.label_ja)}</strong><br>{escape(line.name_ja)}<br>{_link(line.path, line.cycle)}</td>'
        f"<td>{escape(line.why_ja)}<br>→ {escape(line.advice_ja)}"
        f'（<a href="{RUNBOOK_PAGE}#{escape(line.manual)}" target="_blank">手順書</a>）</td></tr>'
        for line in lines
    ]
    headings = ("状態", "期限", "だれが", "何を", "なぜ大切か → すること")
    return _section("遅れているもの・今日のもの・期限が近いもの", headings, rows)


def _dispatches(lines: tuple[DispatchLine, ...]) -> str:
    rows = [
        f'<tr class="{line.state}"><td class="state">{escape(line.state_ja)}</td><td>{escape(line.name_ja)}</td>'
        f'<td class="what">{_link(line.path, line.cycle)}</td><td>{escape(line.section)}</td><td>{escape(line.next_ja)}</td></tr>'
        for line in lines
    ]
    return _section("進行中・準備中の発送回", ("状態", "通知書", "発送回", "課", "次の期限"), rows)


def _section(title: str, headings: tuple[str, ...], rows: list[str]) -> str:
    if not rows:
        return f"<section><h2>{title}</h2><p>ありません。</p></section>"
    head = "".join(f"<th>{name}</th>" for name in headings)
    return (
        f"<section><h2>{title}</h2><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></section>"
    )


def _link(path: str, cycle: str) -> str:
    """Out of the frame in which the web UI shows the page."""
    return f'<a href="{escape(path)}" target="_top">{escape(cycle)}</a>'


def _today(readable: set[str]) -> tuple[TodayPage, bool]:
    from notice_cycle.deadlines import load
    from notice_cycle.ledger.store import Ledger
    from notice_cycle.settings import Settings
    from notice_cycle_airflow.watching import under_watch

    settings, now = Settings(), clock.now()
    deadlines, calendars = load(settings.config_folder)
    ledger = Ledger(settings.ledger_reader_dsn)
    watched = under_watch(ledger, settings.config_folder, deadlines, calendars, now)
    return today_page([one for one in watched if one.dag_id in readable], now), ledger.synthetic
