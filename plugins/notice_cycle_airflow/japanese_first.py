"""Shows the web UI in Japanese and in Tokyo time unless a person chose otherwise.

Airflow 3.3 has no setting for either: its UI asks the browser. This middleware of the api-server adds one line
to the UI's page that fills in what the browser's storage does not hold yet; a choice made in the UI stays.
"""

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

_DEFAULTS = b"""<script>for (const [name, value] of [["i18nextLng", "ja"], ["timezone", '"Asia/Tokyo"']])
localStorage.getItem(name) ?? localStorage.setItem(name, value)</script>"""
_NOT_THE_UI = ("/api/", "/auth/", "/execution/", "/static/")


class JapaneseFirst(BaseHTTPMiddleware):
    """Touches only the UI's own HTML page."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Adds the defaults to the page's head."""
        wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if not wants_page or request.url.path.startswith(_NOT_THE_UI):
            return await call_next(request)
        # The page comes uncompressed, so that a line can be added.
        request.scope["headers"] = [
            each for each in request.scope["headers"] if each[0] != b"accept-encoding"
        ]
        response = await call_next(request)
        if not response.headers.get("content-type", "").startswith("text/html"):
            return response
        page = b"".join([chunk async for chunk in response.body_iterator])  # type: ignore[attr-defined]
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return Response(page.replace(b"<head>", b"<head>" + _DEFAULTS, 1), response.status_code, headers)
