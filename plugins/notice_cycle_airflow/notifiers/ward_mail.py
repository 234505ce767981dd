"""Mails to the ward's officers: Japanese, plain, with what happened, what to do and a link. No personal data.

Templates are data (include/config/mail/<template>.yaml). A mail that cannot be sent is logged and stops
nothing: the web UI shows the same facts.
"""

import html
import logging
import re
from typing import Any, cast

import yaml
from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk.bases.notifier import BaseNotifier

from notice_cycle.errors import NotConfigured
from notice_cycle.settings import Settings

_log = logging.getLogger(__name__)
SMTP_CONNECTION = "smtp_default"


class WardMail(BaseNotifier):
    """Sends `template` to a role's addresses; as an `on_failure_callback` it tells of a failed task."""

    def __init__(self, template: str, to: str = "operator", facts: dict[str, str] | None = None) -> None:
        super().__init__()
        self.template, self.to, self.facts = template, to, facts or {}

    def notify(self, context: Any) -> None:
        """Sends the mail for the task in `context`."""
        try:
            send(self.template, self.to, {**_facts(context), **self.facts})
        except Exception as unsent:
            _log.error("メールを送れませんでした（%s: %s）。", self.template, type(unsent).__name__)


def send(template: str, to: str, facts: dict[str, str]) -> None:
    """Fills and sends a template. Raises NotConfigured for an unknown one, and what SMTP raises."""
    settings = Settings()
    path = settings.config_folder / "mail" / f"{template}.yaml"
    if not path.exists():
        raise NotConfigured(
            f"メールのひな形 {template} がありません。", advice="include/config/mail を確認してください。"
        )
    words = yaml.safe_load(path.read_text(encoding="utf-8"))
    parties = yaml.safe_load((settings.config_folder / "parties.yaml").read_text(encoding="utf-8"))
    mark = "【架空データ】" if settings.says_synthetic else ""
    paragraphs = [
        ("何が起きたか", words["what"]),
        ("なぜ大切か", words["why"]),
        ("すること", words["action"]),
    ]
    body = "".join(f"<h3>{title}</h3><p>{_filled(text, facts)}</p>" for title, text in paragraphs)
    link = html.escape(facts["link"])
    with SmtpHook(smtp_conn_id=SMTP_CONNECTION) as hook:
        cast(SmtpHook, hook).send_email_smtp(
            to=parties["mail"][to],
            subject=mark + _filled(words["subject"], facts, as_html=False),
            html_content=f'<html lang="ja"><body><p>{mark}</p>{body}<p><a href="{link}">{link}</a></p></body></html>',
        )


def _facts(context: Any) -> dict[str, str]:
    task, run, instance = context.get("task"), context["dag_run"], context["ti"]
    exception = context.get("exception")
    display = getattr(task, "task_display_name", None) or instance.task_id
    base = Settings().base_url
    return {
        "notice": getattr(context.get("dag"), "dag_display_name", None) or run.dag_id,
        "task": str(display),
        "stage": str(instance.task_id).split(".")[0],
        "run": str(run.run_id),
        "reason": _sentence(exception),
        "link": f"{base}/dags/{run.dag_id}/runs/{run.run_id}/tasks/{instance.task_id}",
    }


def _sentence(exception: object) -> str:
    """Our own sentences as they are; of anything else only that it happened (its text may hold anything)."""
    text = str(exception or "")
    return text if re.search(r" → ", text) else "処理が途中で終わりました（ログを確認してください）。"


def _filled(text: str, facts: dict[str, str], *, as_html: bool = True) -> str:
    values = {name: html.escape(value) if as_html else value for name, value in facts.items()}
    return text.strip().format_map(values).replace("\n", "<br>" if as_html else " ")
