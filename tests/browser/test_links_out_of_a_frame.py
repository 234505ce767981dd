"""The pages stand in a sandboxed frame of the web UI: their links lead out of it all the same, in a real browser."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page
from tests.browser.test_decrypter import browser, needs_browser  # noqa: F401 - a fixture

from notice_cycle_airflow.views.report import filled

# The sandbox as Airflow 3's web UI writes it.
AROUND = '<iframe title="frame" src="/inside" sandbox="allow-scripts allow-same-origin allow-forms allow-downloads"></iframe>'
INSIDE = filled(
    "inside",
    '<a id="run" href="/dags/one/runs/two" target="_top"><b>run</b></a> <a id="own" href="/own">own</a>',
)


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        told = {"/": AROUND, "/inside": INSIDE}.get(self.path, f"<p>{self.path}</p>").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def page(browser) -> Iterator[Page]:  # noqa: F811
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield page
    context.close()
    server.shutdown()
    server.server_close()


@needs_browser
def test_a_link_to_a_run_leads_the_whole_page_there(page: Page) -> None:
    page.frame_locator("iframe").locator("#run b").click()
    page.wait_for_url("**/dags/one/runs/two")
    assert page.inner_text("p") == "/dags/one/runs/two"


@needs_browser
def test_the_runbook_opens_beside_it(page: Page) -> None:
    with page.expect_popup() as opened:
        page.frame_locator("iframe").locator("p.manual a").click()
    opened.value.wait_for_url("**/notice-cycle/runbook")
    assert page.url.endswith("/")


@needs_browser
def test_a_link_of_its_own_stays_inside(page: Page) -> None:
    inside = page.frame_locator("iframe")
    inside.locator("#own").click()
    inside.get_by_text("/own").wait_for()
    assert page.url.endswith("/")


@needs_browser
def test_outside_a_frame_a_link_is_a_link(page: Page) -> None:
    page.goto(f"{page.url}inside")
    page.click("#run")
    page.wait_for_url("**/dags/one/runs/two")
