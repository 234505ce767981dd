"""The watch from outside, as a process of its own: a real file, a real health page, a real mail server."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.integration.mail_servers import PASSWORD, USER, Letterbox, a_certificate, a_mail_server

from notice_cycle.business_calendar import Calendars
from notice_cycle.heartbeat import Heartbeat

SCRIPT = Path(__file__).parents[2] / "deploy" / "silence_watch.py"


class Health(HTTPServer):
    """The api-server's health page, saying what the test sets."""

    scheduler = "healthy"
    metadatabase = "healthy"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Health)
        states = {name: {"status": getattr(server, name)} for name in ("metadatabase", "scheduler")}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(states).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def health() -> Iterator[Health]:
    server = Health(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def box() -> Iterator[Letterbox]:
    with a_mail_server() as found:
        yield found


@pytest.fixture
def heartbeat(tmp_path: Path) -> Path:
    path = tmp_path / "heartbeat.json"
    Heartbeat(path).beat(datetime.now(UTC), Calendars.from_file())
    return path


def silent_since(path: Path, hours: int) -> None:
    """As deadline_watch would have left it: the next look was due `hours` ago."""
    due = datetime.now(UTC) - timedelta(hours=hours)
    path.write_text(
        json.dumps({"looked_at": (due - timedelta(hours=2)).isoformat(), "next_look_at": due.isoformat()})
    )


def look(heartbeat: Path, box: Letterbox, health: Health | None, *more: str, **environment: str) -> str:
    """One look of the script, in a Python without our packages on its path."""
    url = [f"--health=http://127.0.0.1:{health.server_address[1]}/api/v2/monitor/health"] if health else []
    run = subprocess.run(
        [
            sys.executable, "-I", SCRIPT, "--heartbeat", heartbeat, *url, "--smtp", f"127.0.0.1:{box.port}",
            "--from", "watch@ward.example", "--to", "joho-system@ward.example", "--to", "kaigo-hoken@ward.example",
            "--state", heartbeat.with_name("state.json"), "--once", "--timeout-seconds", "5", *more,
        ],
        env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1"} | environment,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return run.stderr + f"exit {run.returncode}"


def subjects(box: Letterbox) -> list[str]:
    return [str(mail["Subject"]) for mail in box.mails]


def test_a_watch_that_looks_and_a_healthy_scheduler_are_no_news(
    heartbeat: Path, box: Letterbox, health: Health
) -> None:
    for _ in range(3):
        assert "見張りは動いています。exit 0" in look(heartbeat, box, health).replace("\n", "")
    assert box.mails == []


def test_a_silent_watch_is_told_once_at_the_second_look_and_its_end_too(
    heartbeat: Path, box: Letterbox, health: Health
) -> None:
    silent_since(heartbeat, hours=3)
    for _ in range(4):
        look(heartbeat, box, health)
    assert subjects(box) == ["【見張りの停止】期限の見張りが止まっています"]
    body = box.mails[0].get_content()
    assert "を最後に動いていません" in body
    assert all(f"■ {heading}" in body for heading in ("何が起きたか", "なぜ大切か", "すること"))
    assert box.recipients == [["joho-system@ward.example", "kaigo-hoken@ward.example"]]
    Heartbeat(heartbeat).beat(datetime.now(UTC), Calendars.from_file())
    look(heartbeat, box, health)
    look(heartbeat, box, health)
    assert subjects(box)[1:] == ["【復旧】期限の見張り"]


def test_a_look_that_is_a_little_late_is_not_silence(heartbeat: Path, box: Letterbox, health: Health) -> None:
    silent_since(heartbeat, hours=0)
    assert "見張りは動いています" in look(heartbeat, box, health, "--looks", "1")
    assert "動いていません" in look(heartbeat, box, health, "--looks", "1", "--grace-minutes", "0")


def test_a_silence_that_lasts_is_told_again_after_a_day(
    heartbeat: Path, box: Letterbox, health: Health
) -> None:
    silent_since(heartbeat, hours=30)
    look(heartbeat, box, health, "--looks", "1")
    state = heartbeat.with_name("state.json")
    known = json.loads(state.read_text())
    known["told_at"] = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    state.write_text(json.dumps(known))
    look(heartbeat, box, health, "--looks", "1")
    assert len(box.mails) == 2


@pytest.mark.parametrize("what", ["scheduler", "metadatabase"])
def test_a_scheduler_that_is_not_healthy_is_told(
    what: str, heartbeat: Path, box: Letterbox, health: Health
) -> None:
    setattr(health, what, "unhealthy")
    look(heartbeat, box, health, "--looks", "1")
    assert what in box.mails[0].get_content()


def test_an_api_server_that_does_not_answer_is_told(heartbeat: Path, box: Letterbox) -> None:
    look(heartbeat, box, None, "--looks", "1", "--health", "http://127.0.0.1:9/api/v2/monitor/health")
    assert "応答しません" in box.mails[0].get_content()


@pytest.mark.parametrize(
    "content", [None, "", "{}", '{"looked_at": 1, "next_look_at": 2}', '{"looked_at": "x"}']
)
def test_a_sign_that_is_missing_or_unreadable_is_silence(
    content: str | None, heartbeat: Path, box: Letterbox, health: Health
) -> None:
    heartbeat.unlink() if content is None else heartbeat.write_text(content)
    look(heartbeat, box, health, "--looks", "1")
    assert len(box.mails) == 1


def test_it_logs_in_over_starttls(heartbeat: Path, tmp_path: Path, health: Health) -> None:
    certificate, key = a_certificate(tmp_path)
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    silent_since(heartbeat, hours=3)
    with a_mail_server(certificate, key) as box:
        look(
            heartbeat, box, health, "--looks", "1", "--starttls",
            SSL_CERT_FILE=str(certificate), SMTP_USER=USER, SMTP_PASSWORD_FILE=str(password),
        )  # fmt: skip
        assert (len(box.mails), box.encrypted, box.logins) == (1, [True], [USER])


def test_a_mail_server_that_is_away_is_tried_again_at_the_next_look(heartbeat: Path, health: Health) -> None:
    silent_since(heartbeat, hours=3)
    with a_mail_server() as gone:
        pass
    said = look(heartbeat, gone, health, "--looks", "1")
    assert "メールを送れませんでした" in said
    assert "exit 1" in said
    with a_mail_server() as back:
        look(heartbeat, back, health, "--looks", "1")
        assert len(back.mails) == 1
