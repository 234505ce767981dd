"""発送計画: the due dates of a cycle as a page beside its DAG run, and what a later hand-over would do.

It reads the ledger as the report does. Whoever may read the DAG may read its plan; it holds dates only.
"""

from html import escape

from fastapi import Query
from fastapi.responses import HTMLResponse

from notice_cycle import clock
from notice_cycle.errors import NoticeCycleError
from notice_cycle.plan_page import SLIPS, PlanPage, Slip, plan_page
from notice_cycle_airflow.views.report import PREFIX, app, filled, find_cycle, may_read_dag

VIEW = {
    "name": "発送計画",
    "href": f"{PREFIX}/plan/{{DAG_ID}}?run_id={{RUN_ID}}",
    "destination": "dag_run",
    "url_route": "notice-cycle-plan",
    "category": "",
}


@app.get("/plan/{dag_id}", dependencies=may_read_dag)
def page(dag_id: str, run_id: str, slip: int = Query(0, ge=0, le=max(SLIPS))) -> HTMLResponse:
    """The plan of the run's cycle."""
    try:
        told = _plan(dag_id, run_id, slip)
    except NoticeCycleError as sorry:
        return HTMLResponse(
            filled("発送計画を表示できません", f"<p>{escape(str(sorry))}</p>"), status_code=503
        )
    if told is None:
        sentence = "<p>この実行は、発送回をまだ開始していないか、取り下げられています。</p>"
        return HTMLResponse(filled("発送計画はありません", sentence), status_code=404)
    mark = '<p class="synthetic">架空データ</p>' if told.synthetic else ""
    heading = f"<h1>発送計画　{escape(told.notice_ja)}</h1><p>{escape(told.cycle)}</p>"
    body = (
        mark + heading + days_of(told) + lines_of(told) + what_if_of(told, f"{PREFIX}/plan/{dag_id}", run_id)
    )
    return HTMLResponse(filled(f"発送計画 {told.cycle}", body))


def _plan(dag_id: str, run_id: str, slip: int) -> PlanPage | None:
    from notice_cycle.catalogue import load_notice
    from notice_cycle.deadlines import load, plan_of, settled_elsewhere
    from notice_cycle.ledger.store import Ledger
    from notice_cycle.preparation import readiness
    from notice_cycle.records import YearSettingsRecord
    from notice_cycle.register import read_exceptions, read_register
    from notice_cycle.settings import Settings
    from notice_cycle.values import Occasion

    found = find_cycle(dag_id, run_id)
    if found is None or found[1].withdrawn:
        return None
    cycle, history = found
    settings, opening = Settings(), history.opening
    deadlines, calendars = load(settings.config_folder)
    notice = load_notice(settings.config_folder, opening.notice)
    ledger = Ledger(settings.ledger_reader_dsn)
    confirmed = [
        YearSettingsRecord.model_validate(entry.data)
        for entry in ledger.entries(kind=YearSettingsRecord.kind())
    ]
    register = read_register(ledger, settings.config_folder, clock.today())
    rules = deadlines.rules(opening.notice, opening.fiscal_year, notice.party)
    met = settled_elsewhere(opening.fiscal_year, confirmed, rules)
    if opening.occasion is Occasion.ANNUAL:
        plan = plan_of(history, notice, deadlines, calendars)
        met |= readiness(
            plan, notice, register, calendars, today=clock.today(), exceptions=read_exceptions(ledger)
        ).settled
    return plan_page(
        cycle, history, notice, deadlines, calendars, now=clock.now(), slip=slip, met=met, register=register
    )


def days_of(told: PlanPage) -> str:
    """The days of the plan in a row, and what there is to say about them."""
    head = "".join(f"<th>{escape(name)}</th>" for name, _ in told.days)
    days = "".join(f'<td class="date">{escape(day)}</td>' for _, day in told.days)
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in told.remarks)
    return f"<table><thead><tr>{head}</tr></thead><tbody><tr>{days}</tr></tbody></table>" + (
        f"<ul>{remarks}</ul>" if remarks else ""
    )


def lines_of(told: PlanPage) -> str:
    """期限: every milestone with its state."""
    rows = "".join(
        f'<tr class="{line.state}"><td class="date">{escape(line.due_ja)}</td>'
        f'<td class="state">{escape(line.state_ja)}</td><td>{escape(line.who_ja)}</td>'
        f"<td>{escape(line.label_ja)}</td><td>{escape(line.stage_ja)}</td></tr>"
        for line in told.lines
    )
    head = "".join(f"<th>{name}</th>" for name in ("期限", "状態", "だれが", "何を", "段階"))
    return (
        "<section><h2>期限</h2><p>「見込み」は、前の段階が期限どおりに済んだときの日です。「一覧だけ」の行は、この発送回では知らせません。</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></section>"
    )


def what_if_of(told: PlanPage, address: str, run_id: str = "") -> str:
    """遅れたら: the question, which comes back to `address`, and its answer."""
    if told.handed_over:
        return "<section><h2>遅れたら</h2><p>引渡しは済んでいます。</p></section>"
    chosen = told.slip.days if told.slip else 0
    options = "".join(
        f'<option value="{days}"{" selected" if days == chosen else ""}>{days}開庁日</option>'
        for days in SLIPS
    )
    run = f'<input type="hidden" name="run_id" value="{escape(run_id)}">' if run_id else ""
    asking = (
        f'<form method="get" action="{escape(address)}">{run}'
        f'<label>引渡しが <select name="slip">{options}</select> 遅れたら</label> <button>見る</button></form>'
    )
    return f"<section><h2>遅れたら</h2>{asking}{_slip(told.slip) if told.slip else ''}</section>"


def _slip(slip: Slip) -> str:
    rows = "".join(
        f'<tr class="{line.state}"><td class="date">{escape(line.planned_ja)}</td>'
        f'<td class="date">{escape(line.reached_ja)}</td><td class="state">{escape(line.state_ja)}</td>'
        f"<td>{escape(line.label_ja)}</td></tr>"
        for line in slip.lines
    )
    head = "".join(f"<th>{name}</th>" for name in ("計画", "遅れたとき", "結果", "何を"))
    return (
        f"<p>{escape(slip.sentence_ja)}<br>{escape(slip.last_ja)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
