"""Mails to the ward's officers over the SMTP connection: Japanese, plain, with what happened, what to do and a link.

What a mail says is notice_cycle.alerts' business, who gets it notice_cycle.people's. `WardMail` tells from a task
and stops nothing when it cannot: the web UI shows the same facts. `deliver` raises, for whoever must know that a
mail went out. No personal data.
"""

import logging
import re
from typing import Any, cast

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk import get_current_context
from airflow.sdk.bases.notifier import BaseNotifier

from notice_cycle import clock
from notice_cycle.alerts import Mail, Post
from notice_cycle.deadline_rules import Role
from notice_cycle.people import People
from notice_cycle.settings import Settings

_log = logging.getLogger(__name__)
SMTP_CONNECTION = "smtp_default"


class WardMail(BaseNotifier):
    """Sends `template` to roles of the DAG's section (or the one named), once an address.

    As an `on_failure_callback` it tells of a failed task.
    """

    def __init__(
        self,
        template: str,
        to: str | tuple[str, ...] = "operator",
        facts: dict[str, str] | None = None,
        section: str = "",
    ) -> None:
        super().__init__()
        self.template, self.to, self.facts, self.section = template, to, facts or {}, section

    def notify(self, context: Any) -> None:
        """Sends the mail for the task in `context`."""
        written_to: set[str] = set()
        for role in (self.to,) if isinstance(self.to, str) else self.to:
            try:
                self._send(context, cast(Role, role), written_to)
            except Exception as unsent:
                _log.error("メールを送れませんでした（%s: %s）。", self.template, type(unsent).__name__)

    def _send(self, context: Any, role: Role, written_to: set[str]) -> None:
        settings = Settings()
        people = People.load(settings.config_folder)
        section = self.section or str(getattr(context.get("task"), "owner", ""))
        to = people.address(role, section=section)
        if to in written_to:
            return  # one address for two roles
        facts = {**_facts(context, settings.base_url), **self.facts}
        mail = Post.of(settings, people).mail(
            self.template,
            to,
            facts,
            thread=facts.get("cycle") or _thread(context),
            once=[sorted(facts.items()), clock.now()],
        )
        deliver(mail)
        written_to.add(to)


TOLD_TO: dict[str, tuple[Role, ...]] = {
    "gate_closed": ("section",),
    "gate_warns": ("section",),
    "discrepancy": ("section", "operator"),
    "violation": ("section", "chief", "director", "operator"),
    "incident": ("section", "director", "operator"),
}
"""Who hears at once of what a task has found, by the mail's template."""


def tell(kind: str, facts: dict[str, str], *, section: str = "") -> None:
    """Tells everyone in TOLD_TO of it, from inside a task. `facts`: those of the template's sample, `cycle` among them.

    `section`: whose people; that of the task's DAG otherwise.
    It stops nothing when it cannot: what is told is in the ledger and in the web UI as well.
    """
    try:
        context = get_current_context()
    except RuntimeError:
        _log.error("タスクの外からは知らせられません（%s）。", kind)
        return
    WardMail(kind, TOLD_TO[kind], facts, section)(context)


def deliver(mail: Mail) -> None:
    """Hands a mail to the mail server, with STARTTLS and login where the connection says so. Raises what SMTP raises."""
    with SmtpHook(smtp_conn_id=SMTP_CONNECTION) as hook:
        hook.send_email_smtp(
            to=mail.to, subject=mail.subject, html_content=mail.html, custom_headers=mail.headers
        )


def _thread(context: Any) -> str:
    """The cycle of the run, so that its mails stand together; the DAG where there is none or the ledger is away."""
    from notice_cycle_airflow.run_context import open_ledger

    run = context["dag_run"]
    try:
        return open_ledger().cycle_of_run(run.dag_id, run.run_id) or str(run.dag_id)
    except Exception:  # a mail about a broken ledger must go out without it
        return str(run.dag_id)


def _facts(context: Any, base_url: str) -> dict[str, str]:
    task, run, instance = context.get("task"), context["dag_run"], context["ti"]
    display = getattr(task, "task_display_name", None) or instance.task_id
    return {
        "notice": getattr(context.get("dag"), "dag_display_name", None) or run.dag_id,
        "task": str(display),
        "stage": str(instance.task_id).split(".")[0],
        "run": str(run.run_id),
        "reason": _sentence(context.get("exception")),
        "link": f"{base_url}/dags/{run.dag_id}/runs/{run.run_id}/tasks/{instance.task_id}",
    }


def _sentence(exception: object) -> str:
    """Our own sentences as they are; of anything else only that it happened (its text may hold anything)."""
    text = str(exception or "")
    return text if re.search(r" → ", text) else "処理が途中で終わりました（ログを確認してください）。"
