"""運用手順書: docs/runbook.md as a page, for whoever is logged in; mails link to its sections.

A section's address is the English name in its heading, as mails and documents name it. It holds nothing of a dispatch.
"""

import re
from functools import cache
from pathlib import Path

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi.responses import HTMLResponse
from markdown_it import MarkdownIt

from notice_cycle_airflow.views.report import app, filled

RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"


@app.get("/runbook")
def page(_: GetUserDep) -> HTMLResponse:
    """The whole runbook."""
    return HTMLResponse(document())


@cache
def document() -> str:
    """The runbook as HTML; links to the other documents, which are not served, are only their words."""
    text = re.sub(r'^<a id="[a-z_]+"></a>$', "", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]+)\]\((?!https?:|#)[^)]+\)", r"\1", text)
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return filled("運用手順書", re.sub(r"<h2>(.+?) \(([a-z_, ]+)\)</h2>", _with_addresses, html))


def _with_addresses(heading: re.Match[str]) -> str:
    names = [name.replace(" ", "_") for name in heading[2].split(", ")]
    places = "".join(f'<span id="{name}"></span>' for name in names)
    return f"<h2>{places}{heading[1]} ({heading[2]})</h2>"
