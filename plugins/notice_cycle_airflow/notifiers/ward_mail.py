"""Mails to the ward's officers over the SMTP connection: Japanese, plain, with what happened, what to do and a link.

What a mail says is notice_cycle.alerts' business, who gets it notice_cycle.people's. `WardMail` tells from a task
and stops nothing when it cannot: the web UI shows the same facts, and the ledger remembers that it could not, for the
next look of deadline_watch. `deliver` raises, for whoever must know that a mail went out. No personal data.
"""

import logging
import re
import smtplib
from collections.abc import Sequence
from typing import Any, cast

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk import get_current_context
from airflow.sdk.bases.notifier import BaseNotifier
from airflow.sdk.exceptions import AirflowException

from notice_cycle import clock
from notice_cycle.alerts import Mail, Post
from notice_cycle.deadline_rules import Role
from notice_cycle.ledger.entry import System
from notice_cycle.ledger.store import Ledger
from notice_cycle.people import People
from notice_cycle.settings import Settings
from notice_cycle.unsent_mail import MailUnsent, Reason, new_ones
from notice_cycle.values import CYCLE_ID_PATTERN

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
                self._remember(context, role, reason_of(unsent))

    def _remember(self, context: Any, role: str, reason: Reason) -> None:
        from notice_cycle_airflow.run_context import open_ledger

        subject = self.facts.get("cycle") or _thread(context)
        try:
            note_unsent(
                open_ledger(),
                [
                    MailUnsent(
                        template=self.template,
                        subject=subject,
                        to_role=role,
                        section="" if role == "operator" else self._whose(context),
                        reason=reason,
                        tried_at=clock.now(),
                    )
                ],
                System(task=str(context["ti"].task_id)),
            )
        except Exception as lost:  # the mail may have been about a ledger that is away
            _log.error("送れなかったことを証跡台帳に残せません（%s）。", type(lost).__name__)

    def _whose(self, context: Any) -> str:
        return self.section or str(getattr(context.get("task"), "owner", ""))

    def _send(self, context: Any, role: Role, written_to: set[str]) -> None:
        settings = Settings()
        people = People.load(settings.config_folder)
        to = people.address(role, section=self._whose(context))
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


def reason_of(unsent: Exception) -> Reason:
    """Why the mail server did not take a mail, as far as an officer must know."""
    match unsent:
        case smtplib.SMTPAuthenticationError():
            return "login"
        case smtplib.SMTPRecipientsRefused() | smtplib.SMTPSenderRefused() | smtplib.SMTPDataError():
            return "refused"
        case OSError() | AirflowException():  # smtplib's other errors, and what the hook makes of some
            return "away"
        case _:
            return "other"


def note_unsent(ledger: Ledger, found: Sequence[MailUnsent], actor: System) -> None:
    """Enters what did not go out, each once."""
    known = [MailUnsent.model_validate(entry.data) for entry in ledger.entries(kind=MailUnsent.kind())]
    for one in new_ones(found, known):
        cycle = one.subject if re.match(CYCLE_ID_PATTERN, one.subject) else None
        ledger.note(cycle, one, actor)


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
