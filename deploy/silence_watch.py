"""Watches from outside Airflow that the watching goes on: mails when 期限の見張り or the scheduler falls silent.

Standard library only, so that whatever breaks Airflow does not break this. Run it by its own container, a systemd
timer or cron (`--once`), on a machine that keeps running when Airflow does not. It tells a silence once, again
every day while it lasts, and when it is over. It reads no ledger and no data of a cycle.

    silence_watch.py --heartbeat FILE --health URL --smtp HOST:PORT --from A --to B --state FILE [--starttls] [--once]

The mail server's login is read from SMTP_USER and from the file SMTP_PASSWORD_FILE.
"""

import argparse
import json
import logging
import os
import smtplib
import ssl
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

TOKYO = timezone(timedelta(hours=9), "JST")  # Japan has had no summer time since 1951
AGAIN_AFTER = timedelta(days=1)
HEALTHY = "healthy"
log = logging.getLogger("silence_watch")


def silence_of_the_watch(heartbeat: Path, now: datetime, grace: timedelta) -> str | None:
    """Why deadline_watch must be thought silent; None while it is not."""
    try:
        content = json.loads(heartbeat.read_text(encoding="utf-8"))
        looked_at, expected_at = (
            datetime.fromisoformat(content[name]) for name in ("looked_at", "next_look_at")
        )
        silent = now > expected_at + grace
    except FileNotFoundError:
        return "「期限の見張り」は、まだ一度も動いていないか、しるしのファイルが消えています。"
    except (OSError, ValueError, KeyError, TypeError):
        return "「期限の見張り」のしるしのファイルを読めません。"
    if silent:
        return f"「期限の見張り」は {_said(looked_at)} を最後に動いていません。次は {_said(expected_at)} のはずでした。"
    return None


def silence_of_the_scheduler(url: str, timeout: float) -> str | None:
    """Why the scheduler must be thought down, from the api-server's own health page; None while it is not."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - the operator's own address
            health = json.load(answer)
        states = {name: str(health[name]["status"]) for name in ("metadatabase", "scheduler")}
    except (OSError, ValueError, KeyError, TypeError) as unreachable:
        return f"Airflow の画面（api-server）が応答しません（{type(unreachable).__name__}）。"
    if ill := [name for name, state in states.items() if state != HEALTHY]:
        return f"Airflow の {'・'.join(ill)} が正常ではありません。"
    return None


def look(options: argparse.Namespace, now: datetime) -> str:
    """One look: judges, mails what is new, remembers. Gives a line for the log. Raises what SMTP raises."""
    reasons = [
        reason
        for reason in (
            silence_of_the_watch(options.heartbeat, now, timedelta(minutes=options.grace_minutes)),
            silence_of_the_scheduler(options.health, options.timeout_seconds) if options.health else None,
        )
        if reason
    ]
    looks, told_at = _remembered(options.state)
    seen = looks + 1 if reasons else 0
    if not reasons and told_at:
        _send(options, now, "【復旧】期限の見張り", _OVER)
        told_at = None
    elif reasons and seen >= options.looks and (told_at is None or now - told_at >= AGAIN_AFTER):
        _send(options, now, "【見張りの停止】期限の見張りが止まっています", _words(reasons))
        told_at = now
    _remember(options.state, looks=seen, told_at=told_at)
    return " ".join(reasons) or "見張りは動いています。"


_OVER = """■ 何が起きたか
止まっていた「期限の見張り」とスケジューラーが、また動いています。

■ なぜ大切か
止まっていた間の期限の知らせは、次の見回り（9時・13時・15時）でまとめて届きます。

■ すること
発送回の画面で、止まっていた間に過ぎた期限がないか確かめてください。"""


def _words(reasons: list[str]) -> str:
    told = "\n".join(reasons)
    return f"""■ 何が起きたか
{told}

■ なぜ大切か
止まっている間は、引渡し・納品・消去の期限を過ぎても、だれにも知らせが届きません。処理も進んでいないおそれがあります。

■ すること
情報システム運用: スケジューラーと「期限の見張り」（deadline_watch）の Dag のスイッチを確かめ、起動し直してください。
担当: 直るまで、発送計画の表で今日の期限を確かめてください。
手順: 運用手順書（docs/runbook.md）の「silence_watch」の節。"""


def _send(options: argparse.Namespace, now: datetime, subject: str, body: str) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, options.sender, ", ".join(options.to)
    mail["Date"], mail["Message-ID"] = (
        format_datetime(now),
        make_msgid(domain=options.sender.rpartition("@")[2]),
    )
    mail.set_content(body)
    host, _, port = options.smtp.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=options.timeout_seconds) as server:
        if options.starttls:
            server.starttls(context=ssl.create_default_context())
        if user := os.environ.get("SMTP_USER"):
            server.login(user, Path(os.environ["SMTP_PASSWORD_FILE"]).read_text(encoding="utf-8").strip())
        server.send_message(mail)


def _remembered(path: Path) -> tuple[int, datetime | None]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        told_at = datetime.fromisoformat(known["told_at"]) if known["told_at"] else None
        return int(known["looks"]), told_at
    except (OSError, ValueError, KeyError, TypeError):
        return 0, None


def _remember(path: Path, *, looks: int, told_at: datetime | None) -> None:
    partial = path.with_name(f".{path.name}.new")
    content = {"looks": looks, "told_at": told_at.isoformat() if told_at else None}
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)


def _said(moment: datetime) -> str:
    local = moment.astimezone(TOKYO)
    return f"{local.month}月{local.day}日（{'月火水木金土日'[local.weekday()]}）{local:%H:%M}"


def main(arguments: list[str] | None = None) -> int:
    """Looks once or for ever. A mail server that does not answer is logged and tried again at the next look."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heartbeat", type=Path, required=True, help="what deadline_watch writes")
    parser.add_argument("--health", help="the api-server's /api/v2/monitor/health")
    parser.add_argument("--smtp", required=True, help="HOST:PORT")
    parser.add_argument("--starttls", action="store_true")
    parser.add_argument("--from", dest="sender", required=True)
    parser.add_argument("--to", action="append", required=True)
    parser.add_argument("--state", type=Path, required=True, help="what was told, kept over restarts")
    parser.add_argument("--grace-minutes", type=int, default=60)
    parser.add_argument("--looks", type=int, default=2, help="so many silent looks in a row before a mail")
    parser.add_argument("--every-seconds", type=int, default=300)
    parser.add_argument("--timeout-seconds", type=float, default=10.0)
    parser.add_argument("--once", action="store_true", help="for cron and systemd timers")
    options = parser.parse_args(arguments)
    while True:
        status = 0
        try:
            log.info("%s", look(options, datetime.now(UTC)))
        except OSError as unsent:  # smtplib's errors are OSErrors too
            status = 1
            log.warning("メールを送れませんでした（%s）。", type(unsent).__name__)
        if options.once:
            return status
        time.sleep(options.every_seconds)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    sys.exit(main())
