"""Lets a form that is asked again show what it says now.

Airflow 3.3 keeps the first text of a form: asking again (after a refused answer, or after the task was
cleared) clears the answer but leaves the old body, and an officer would decide on last time's quantities.
This middleware of the api-server writes the new text once the execution API has accepted the request, that
is, after the task's own token was checked and before the task is parked.
"""

import json
import re
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

_ASKING = re.compile(r"/execution/hitlDetails/([0-9a-f-]{36})")
_CREATED = 201


class FormRefresh(BaseHTTPMiddleware):
    """Passes every request on; after an accepted question it refreshes the stored form."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Acts only on a task's own, accepted question."""
        asking = _ASKING.fullmatch(request.url.path) if request.method == "POST" else None
        if asking is None:
            return await call_next(request)
        question = json.loads(await request.body())
        response = await call_next(request)
        if response.status_code == _CREATED:
            await run_in_threadpool(refresh, asking[1], question)
        return response


def refresh(task_instance: str, question: dict[str, Any]) -> None:
    """Writes subject, body, options, params and assignees of a question over those stored before."""
    from uuid import UUID

    from airflow._shared.timezones import timezone
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session

    with create_session() as session:
        detail = session.get(HITLDetail, UUID(task_instance))
        if detail is None or detail.responded_at is not None:
            return
        detail.subject, detail.body = question["subject"], question.get("body")
        detail.options, detail.params = question["options"], question.get("params") or {}
        detail.assignees = question.get("assigned_users") or []
        detail.created_at = timezone.utcnow()
