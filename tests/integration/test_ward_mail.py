"""Mails over a real SMTP server with STARTTLS and a login, as the ward's own would ask for."""

import json
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.builders import CONFIG, TASK, a_cycle
from tests.integration.mail_servers import PASSWORD, USER, Letterbox, a_certificate, a_mail_server
from tests.integration.test_deadline_watch import moved  # noqa: F401 - a fixture
from tests.unit.test_named_calendars import at

from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle.alerts import Mail, sample_mail
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.ledger.store import Ledger
from notice_cycle.settings import Settings
from notice_cycle.unsent_mail import MailUnsent
from notice_cycle_airflow import run_context
from notice_cycle_airflow.notifiers.ward_mail import TOLD_TO, WardMail, deliver
from notice_cycle_airflow.watching import look

MAIL = Mail(
    to="kaigo-hoken@ward.example",
    subject="【期限超過】検証確認　納入通知書",
    paragraphs=(("何が起きたか", "「検証確認」が済んでいません。"), ("すること", "回答してください。")),
    link="http://ward/dags/x",
    mark="",
    message_id="<0123@ward.example>",
    thread="<2026-premium_notice_ordinary-annual-01@ward.example>",
)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return a_certificate(tmp_path)


@pytest.fixture
def guarded(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Letterbox]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))  # how a ward trusts its own authority
    with a_mail_server(*certificate) as box:
        yield box


def connected(
    monkeypatch: pytest.MonkeyPatch, port: int, *, password: str = PASSWORD, tls: bool = True
) -> None:
    connection = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "login": USER,
        "password": password,
        "extra": {
            "disable_ssl": True,
            "disable_tls": not tls,
            "from_email": "notice-cycle@ward.example",
            "retry_limit": 1,
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))


def test_a_mail_goes_out_encrypted_and_logged_in(guarded: Letterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, guarded.port)
    deliver(MAIL)
    (mail,) = guarded.mails
    assert (guarded.encrypted, guarded.logins) == ([True], [USER])
    assert guarded.recipients == [["kaigo-hoken@ward.example"]]
    assert mail["Subject"] == "【期限超過】検証確認　納入通知書"
    assert mail["From"] == "notice-cycle@ward.example"
    body = mail.get_body(("html",))
    assert body is not None
    assert "「検証確認」が済んでいません。" in body.get_content()


class Shown(HTMLParser):
    """What a mail program shows of a mail, as docs/mails.md writes it down."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.text += {"h3": "\n■ ", "br": "\n"}.get(tag, "")

    def handle_endtag(self, tag: str) -> None:
        self.text += {"h3": "\n", "p": "\n"}.get(tag, "")

    def handle_data(self, data: str) -> None:
        self.text += data


DOCUMENTED = dict(
    re.findall(r"^## (\w+)\n\n```text\n(.*?)^```$", (CONFIG.parents[1] / "docs" / "mails.md").read_text("utf-8"), re.M | re.S)
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIG / "mail").glob("*.yaml")))
def test_every_mail_arrives_as_the_document_shows_it(
    name: str, guarded: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, guarded.port)
    deliver(sample_mail(CONFIG, name))
    (mail,), (recipients,) = guarded.mails, guarded.recipients
    body = mail.get_body(("html",))
    assert body is not None
    arrived = [
        f"宛先: {recipients[0]}",
        f"件名: {mail['Subject']}",
        *Shown(body.get_content()).text.splitlines(),
    ]
    assert [line for line in arrived if line] == [line for line in DOCUMENTED[name].splitlines() if line]


A_TASK = {
    "dag_run": SimpleNamespace(dag_id="premium_notice_ordinary", run_id="r"),
    "ti": SimpleNamespace(task_id="closing.destroy"),
}
A_VIOLATION = {"cycle": "2026-premium_notice_ordinary-annual-01", "what_ja": "控えの違反", "reason": "DVD。"}


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("介護保険課", ["kaigo-hoken", "kaigo-kakaricho", "kaigo-kacho", "joho-system"]),
        ("知らない課", ["kaigo-hoken", "kaigo-shonin", "joho-system"]),  # one address for 係長 and 課長
    ],
)
def test_a_violation_is_told_to_the_office_and_its_superiors_once_each(
    guarded: Letterbox, monkeypatch: pytest.MonkeyPatch, section: str, names: list[str]
) -> None:
    connected(monkeypatch, guarded.port)
    WardMail("violation", TOLD_TO["violation"], A_VIOLATION, section).notify(A_TASK)
    assert guarded.recipients == [[f"{name}@ward.example"] for name in names]
    assert len({mail["References"] for mail in guarded.mails}) == 1


CHIEF = "kaigo-kakaricho@ward.example"


def unsent(ledger: Ledger) -> list[tuple[str, str, str, str]]:
    kept = [MailUnsent.model_validate(entry.data) for entry in ledger.entries(kind=MailUnsent.kind())]
    return [(one.template, one.subject, one.to_role, one.reason) for one in kept]


def test_what_the_server_refuses_is_in_the_ledger_and_the_others_have_it(
    guarded: Letterbox, monkeypatch: pytest.MonkeyPatch, ledger: Ledger
) -> None:
    connected(monkeypatch, guarded.port)
    monkeypatch.setattr(run_context, "open_ledger", lambda: ledger)
    guarded.refuses = {CHIEF}
    for _ in range(2):
        WardMail("violation", TOLD_TO["violation"], A_VIOLATION, "介護保険課").notify(A_TASK)
    names = ["kaigo-hoken", "kaigo-kacho", "joho-system"]
    assert guarded.recipients == [[f"{name}@ward.example"] for name in names] * 2
    assert unsent(ledger) == [("violation", A_VIOLATION["cycle"], "chief", "refused")]
    (entry,) = ledger.entries(kind=MailUnsent.kind())
    assert entry.cycle == A_VIOLATION["cycle"]
    assert "@" not in entry.text()
    assert ledger.verify().holds


@pytest.mark.parametrize("reason", ["login", "away"])
def test_a_server_that_takes_nothing_is_remembered_for_every_role(
    reason: str, guarded: Letterbox, monkeypatch: pytest.MonkeyPatch, ledger: Ledger
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    port, password = (guarded.port, "wrong") if reason == "login" else (nobody, PASSWORD)
    connected(monkeypatch, port, password=password)
    monkeypatch.setattr(run_context, "open_ledger", lambda: ledger)
    WardMail(
        "discrepancy", TOLD_TO["discrepancy"], A_VIOLATION | {"notice": "x", "message": "y"}, "介護保険課"
    ).notify(A_TASK)
    cycle = A_VIOLATION["cycle"]
    assert unsent(ledger) == [("discrepancy", cycle, role, reason) for role in ("section", "operator")]


def test_without_a_ledger_a_mail_that_is_not_sent_stops_nothing(
    guarded: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Ledger:
        raise CannotLook("証跡台帳に接続できません。")

    connected(monkeypatch, guarded.port)
    monkeypatch.setattr(run_context, "open_ledger", away)
    guarded.refuses = {"joho-system@ward.example"}
    WardMail("task_failed", facts=A_VIOLATION).notify(A_TASK)
    assert guarded.mails == []


def test_a_look_over_a_real_server_tells_the_refused_office_as_soon_as_its_address_is_right(
    guarded: Letterbox,
    monkeypatch: pytest.MonkeyPatch,
    ledger: Ledger,
    moved: Path,  # noqa: F811
) -> None:
    connected(monkeypatch, guarded.port)
    a_cycle().up_to(r.ValidationRecord).entered_in(ledger)
    guarded.refuses = {"kaigo-hoken@ward.example"}

    def looks(moment: str) -> str:
        clock.move_to(at(moment) + timedelta(seconds=5), moved)
        return look(ledger, Settings({}), TASK, deliver)

    with pytest.raises(Refused, match="担当"):
        looks("Fri 2026-07-03 13:00")
    assert ["kaigo-hoken@ward.example"] not in guarded.recipients
    others = len(guarded.recipients)
    assert others, "everybody else has theirs"
    guarded.refuses = set()
    looks("Fri 2026-07-03 15:00")
    assert guarded.recipients[others:].count(["kaigo-hoken@ward.example"]) == 1
    assert "section" in {role for _, _, role, reason in unsent(ledger) if reason == "refused"}


def test_it_carries_its_thread(guarded: Letterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, guarded.port)
    deliver(MAIL)
    (mail,) = guarded.mails
    assert mail["Message-ID"] == "<0123@ward.example>"
    assert mail["References"] == mail["In-Reply-To"] == MAIL.thread


def test_a_wrong_password_is_an_error_and_sends_nothing(
    guarded: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, guarded.port, password="wrong")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        deliver(MAIL)
    assert guarded.mails == []


def test_a_server_whose_certificate_is_not_trusted_gets_nothing(
    certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(a_certificate(tmp_path / "other")[0]))
    with a_mail_server(*certificate) as box:
        connected(monkeypatch, box.port)
        with pytest.raises(ssl.SSLCertVerificationError):
            deliver(MAIL)
        assert (box.mails, box.logins) == ([], [])


def test_the_password_never_leaves_without_encryption(
    guarded: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, guarded.port, tls=False)
    with pytest.raises(smtplib.SMTPException):
        deliver(MAIL)
    assert (guarded.mails, guarded.logins) == ([], [])
