"""報告書: a cycle's report as a page beside its DAG run, and as a PDF.

It reads the ledger through a login that can only read (NOTICE_CYCLE_LEDGER_READER_FILE). Whoever may read the DAG
may read its report; it holds counts only.
"""

from html import escape
from pathlib import Path
from string import Template

from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from notice_cycle import clock
from notice_cycle.errors import NoticeCycleError
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.report import PRINT_FILE, Block, Report, report

PREFIX = "/notice-cycle"
VIEW = {
    "name": "報告書",
    "href": f"{PREFIX}/report/{{DAG_ID}}?run_id={{RUN_ID}}",
    "destination": "dag_run",
    "url_route": "notice-cycle-report",
    "category": "",
}
_PAGE = Template((Path(__file__).with_name("report.html")).read_text(encoding="utf-8"))
_LABELLING = ("意味", "内容", "比べるもの", "区分", "対応する義務")

app = FastAPI(title="notice cycle", docs_url=None, redoc_url=None, openapi_url=None)
may_read_dag = [Depends(requires_access_dag(method="GET"))]


@app.exception_handler(NoticeCycleError)
def sorry(_: Request, why: NoticeCycleError) -> HTMLResponse:
    """A page instead of any of the papers: what is the matter, and what to do."""
    return _instead(
        503,
        "報告書を表示できません",
        why.message,
        "少し待って、この画面を読み直してください。続くときは、次の文を添えて情報システム課に連絡してください。",
        why.advice,
    )


@app.get("/report/{dag_id}", dependencies=may_read_dag)
def page(dag_id: str, run_id: str) -> HTMLResponse:
    """The report of the run's cycle."""
    told = _report(dag_id, run_id)
    if told is None:
        return _not_begun()
    base = f"{PREFIX}/report/{escape(dag_id)}"
    link = f'<p><a href="{base}/pdf?run_id={quoted(run_id)}">PDF で開く</a>'
    if any(block.title == PRINT_FILE for block in told.blocks):
        link += f'　<a href="{base}/quantities?run_id={quoted(run_id)}">件数表（起案用の PDF）</a>'
    link += "</p>"
    mark = '<p class="synthetic">架空データ</p>' if told.synthetic else ""
    heading = f"<h1>{escape(told.notice_ja)}</h1><p>{escape(told.cycle)}　{escape(told.stage_ja)}</p>"
    body = mark + heading + link + "".join(map(_block, told.blocks))
    return HTMLResponse(filled(f"報告書 {told.cycle}", body))


@app.get("/report/{dag_id}/pdf", dependencies=may_read_dag)
def pdf(dag_id: str, run_id: str) -> Response:
    """The same as a PDF/A."""
    from notice_cycle.documents.typesetting import render

    told = _report(dag_id, run_id)
    if told is None:
        return _not_begun()
    facts = {
        "number": told.cycle,
        "notice": told.notice_ja,
        "section": told.section,
        "ward": told.ward,
        "stage": told.stage_ja,
        "blocks": [block.model_dump(mode="json") for block in told.blocks],
    }
    document = render("cycle_report", facts, at=clock.now(), synthetic=told.synthetic)
    return _as_pdf(document, f"{told.cycle}-report")


@app.get("/report/{dag_id}/quantities", dependencies=may_read_dag)
def quantities(dag_id: str, run_id: str) -> Response:
    """件数表 for the decision paper, once there is a print file."""
    from notice_cycle.catalogue import Configuration
    from notice_cycle.composition.quantity_sheet import quantity_sheet
    from notice_cycle.records import CompositionRecord, ExtractionRecord

    found = find_cycle(dag_id, run_id)
    if found is None:
        return _not_begun()
    cycle, history = found
    entry = history.entry_of(CompositionRecord)
    if entry is None:
        return _instead(
            404, "件数表はまだありません", "印字データを作成すると、件数表ができます。報告書は今も読めます。"
        )
    document = quantity_sheet(
        history.latest(CompositionRecord),
        history.latest(ExtractionRecord),
        Configuration.model_validate(history.opening.configuration),
        cycle=cycle,
        number=f"{cycle}-件数表",
        synthetic=history.opening.synthetic,
        at=entry.recorded_at,
    )
    return _as_pdf(document, f"{cycle}-quantities")


def _report(dag_id: str, run_id: str) -> Report | None:
    found = find_cycle(dag_id, run_id)
    return report(*found) if found else None


def find_cycle(dag_id: str, run_id: str) -> tuple[str, CycleHistory] | None:
    """The cycle that a run opened, read with the login that can only read; None before it did."""
    from notice_cycle.ledger.store import Ledger
    from notice_cycle.settings import Settings

    ledger = Ledger(Settings().ledger_reader_dsn)
    cycle = ledger.cycle_of_run(dag_id, run_id)
    return (cycle, ledger.history(cycle)) if cycle else None


def _as_pdf(document: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'inline; filename="{name}.pdf"'}
    return Response(document, media_type="application/pdf", headers=headers)


def _not_begun() -> HTMLResponse:
    return _instead(
        404,
        "報告書はまだありません",
        "この実行は、発送回をまだ開始していません。",
        "「発送回の開始」が緑になってから、読み直してください。赤なら、そのログの最後にすることが書いてあります。",
    )


def _instead(status: int, title: str, *sentences: str) -> HTMLResponse:
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences if sentence)
    return HTMLResponse(filled(title, f"<h1>{escape(title)}</h1>{told}"), status_code=status)


def filled(title: str, body: str) -> str:
    """A whole page in the ward's plain dress. `body` is HTML."""
    return _PAGE.substitute(title=escape(title), body=body)


def _block(block: Block) -> str:
    table = ""
    if block.rows:
        kinds = [
            "text" if n == 0 or name in _LABELLING else "number" for n, name in enumerate(block.headings)
        ]
        head = "".join(
            f'<th class="{kind}">{escape(name)}</th>'
            for kind, name in zip(kinds, block.headings, strict=True)
        )
        rows = "".join(
            "<tr>"
            + "".join(
                f'<td class="{kind}">{escape(cell)}</td>' for kind, cell in zip(kinds, row, strict=True)
            )
            + "</tr>"
            for row in block.rows
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    note = f"<p>{escape(block.note)}</p>" if block.note else ""
    return f"<section><h2>{escape(block.title)}</h2>{note}{table}</section>"


def quoted(text: str) -> str:
    """Text as a part of an address."""
    from urllib.parse import quote

    return quote(text, safe="")
