"""準備: the coming yearly dispatch of a notice, as a page beside its DAG: there is no run yet, but a plan and papers to get.

It reads the ledger as the plan of a cycle does. Whoever may read the DAG may read it; it holds days, counts and the
register's keys.
"""

from html import escape

from fastapi import Query
from fastapi.responses import HTMLResponse

from notice_cycle import clock
from notice_cycle.errors import NoticeCycleError
from notice_cycle.plan_page import SLIPS
from notice_cycle.preparation_page import PreparationPage
from notice_cycle_airflow.views import PREPARATION
from notice_cycle_airflow.views.plan import days_of, lines_of, what_if_of
from notice_cycle_airflow.views.report import PREFIX, app, filled, may_read_dag

VIEW = {
    "name": "準備",
    "href": f"{PREFIX}/preparation/{{DAG_ID}}",
    "destination": "dag",
    "url_route": PREPARATION,
    "category": "",
}


@app.get("/preparation/{dag_id}", dependencies=may_read_dag)
def page(dag_id: str, slip: int = Query(0, ge=0, le=max(SLIPS))) -> HTMLResponse:
    """What the notice's next yearly dispatch has ready, and what it lacks."""
    try:
        told = _preparation(dag_id, slip)
    except NoticeCycleError as sorry:
        return HTMLResponse(filled("準備を表示できません", f"<p>{escape(str(sorry))}</p>"), status_code=503)
    if told is None:
        sentence = (
            "<p>年に一度、自動で始まる通知書の Dag だけに、準備があります。"
            "随時の発送回の期限は、その実行の「発送計画」で見られます。</p>"
        )
        return HTMLResponse(filled("準備はありません", sentence), status_code=404)
    return HTMLResponse(document(told, f"{PREFIX}/preparation/{dag_id}"))


def document(told: PreparationPage, address: str) -> str:
    """The whole page; `address` is its own, for the question 遅れたら."""
    mark = '<p class="synthetic">架空データ</p>' if told.plan.synthetic else ""
    heading = (
        f"<h1>準備　{escape(told.plan.notice_ja)}</h1>"
        f"<p>{escape(told.year_ja)}　{escape(told.plan.cycle)}</p><p>{escape(told.said_ja)}</p>"
    )
    return filled(
        f"準備 {told.plan.cycle}",
        mark
        + heading
        + days_of(told.plan)
        + _lacking(told)
        + _recorded(told)
        + lines_of(told.plan)
        + what_if_of(told.plan, address),
    )


def _lacking(told: PreparationPage) -> str:
    if told.lacking is None:
        return ""
    if not told.lacking:
        return "<section><h2>足りないもの</h2><p>引渡しの日に要る登録は、いま登録簿にそろっています。</p></section>"
    return (
        "<section><h2>足りないもの</h2><p>引渡しの日に、登録簿に足りないものです。登録すると、ここから消えます。</p>"
        f"{_table(('何を', '足りないもの'), told.lacking)}</section>"
    )


def _recorded(told: PreparationPage) -> str:
    if not told.recorded:
        return ""
    return (
        f"<section><h2>準備の開始の記録</h2><p>その日に記録した内容です。後で変わりません。</p>"
        f"{_table(('項目', '内容'), told.recorded)}</section>"
    )


def _table(headings: tuple[str, str], rows: tuple[tuple[str, str], ...]) -> str:
    head = "".join(f"<th>{name}</th>" for name in headings)
    body = "".join(f"<tr><td>{escape(left)}</td><td>{escape(right)}</td></tr>" for left, right in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _preparation(dag_id: str, slip: int) -> PreparationPage | None:
    from notice_cycle.catalogue import load_notice, notice_ids
    from notice_cycle.deadlines import load, settled_elsewhere
    from notice_cycle.ledger.store import Ledger
    from notice_cycle.preparation import PreparationOpened, find_preparation, readiness
    from notice_cycle.preparation_page import plan_to_prepare, preparation_page
    from notice_cycle.records import OpeningRecord, YearSettingsRecord
    from notice_cycle.register import read_exceptions, read_register
    from notice_cycle.settings import Settings

    settings = Settings()
    config, now, today = settings.config_folder, clock.now(), clock.today()
    if dag_id not in notice_ids(config):
        return None
    notice, (deadlines, calendars) = load_notice(config, dag_id), load(config)
    ledger = Ledger(settings.ledger_reader_dsn)
    openings = [
        OpeningRecord.model_validate(entry.data) for entry in ledger.entries(kind=OpeningRecord.kind())
    ]
    plan = plan_to_prepare(notice, openings, deadlines, calendars, now=now)
    if plan is None:
        return None
    confirmed = [
        YearSettingsRecord.model_validate(entry.data)
        for entry in ledger.entries(kind=YearSettingsRecord.kind())
    ]
    register, exceptions = read_register(ledger, config, today), read_exceptions(ledger)
    return preparation_page(
        plan,
        notice,
        readiness(plan, notice, register, calendars, today=today, exceptions=exceptions),
        find_preparation(ledger.entries(kind=PreparationOpened.kind()), notice.id, plan.fiscal_year),
        calendars,
        synthetic=ledger.synthetic,
        now=now,
        slip=slip,
        met=settled_elsewhere(plan.fiscal_year, confirmed, plan.rules),
    )
