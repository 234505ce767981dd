"""Mails over a real SMTP server with STARTTLS and a login, as the ward's own would ask for."""

import json
import re
import smtplib
import ssl
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.builders import CONFIG
from tests.integration.mail_servers import PASSWORD, USER, Letterbox, a_certificate, a_mail_server

from notice_cycle.alerts import Mail, sample_mail
from notice_cycle_airflow.notifiers.ward_mail import TOLD_TO, WardMail, deliver

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
