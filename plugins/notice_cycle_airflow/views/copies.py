"""データの所在: where a cycle's data are now, as a page beside its DAG run; for whoever may read the DAG.

Read from the ledger alone, like the report: counts, places and digests, nothing of a person.
"""

from html import escape

from fastapi.responses import HTMLResponse

from notice_cycle.catalogue import Configuration
from notice_cycle.copies import copies_of
from notice_cycle.copies.table import HEADINGS, Row, names_of, rows_of, summary_ja
from notice_cycle.errors import NoticeCycleError
from notice_cycle.ledger.history import CycleHistory
from notice_cycle_airflow.views.report import PREFIX, app, filled, find_cycle, may_read_dag

VIEW = {
    "name": "データの所在",
    "href": f"{PREFIX}/copies/{{DAG_ID}}?run_id={{RUN_ID}}",
    "destination": "dag_run",
    "url_route": "notice-cycle-copies",
    "category": "",
}


@app.get("/copies/{dag_id}", dependencies=may_read_dag)
def page(dag_id: str, run_id: str) -> HTMLResponse:
    """Where the data of the run's cycle are."""
    try:
        found = find_cycle(dag_id, run_id)
    except NoticeCycleError as sorry:
        return HTMLResponse(
            filled("データの所在を表示できません", f"<p>{escape(str(sorry))}</p>"), status_code=503
        )
    if found is None:
        return HTMLResponse(
            filled("データはまだありません", "<p>この実行は、発送回をまだ開始していません。</p>"),
            status_code=404,
        )
    return HTMLResponse(document(*found))


def document(cycle: str, history: CycleHistory) -> str:
    """The whole page."""
    configuration, copies = Configuration.model_validate(history.opening.configuration), copies_of(history)
    mark = '<p class="synthetic">架空データ</p>' if history.opening.synthetic else ""
    heading = f"<h1>データの所在　{escape(configuration.notice.name_ja)}</h1><p>{escape(cycle)}</p>"
    return filled(
        f"データの所在 {cycle}",
        f"{mark}{heading}<p>{escape(summary_ja(copies))}</p>{_table(rows_of(copies, names_of(configuration)))}"
        "<p>証跡の番号は、証跡台帳の通し番号です（始まりと終わり）。暗号化された印字データと開いた印字データの"
        "かっこの中は SHA-256 の先頭です。</p>",
    )


def _table(rows: list[Row]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADINGS)
    body = "".join(
        f'<tr class="{"open" if row.is_open else "gone"}">'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        + "</tr>"
        for row in rows
    )
    return f'<table class="copies"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
