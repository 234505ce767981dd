"""Looks of deadline_watch over a real ledger, the clock moved: what goes out, what is remembered, what a retry does."""

import json
import re
import shutil
from datetime import date, datetime, time, timedelta
from pathlib import Path
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from tests.builders import CONFIG, CYCLE, TASK, a_cycle, a_decision
from tests.unit.test_named_calendars import at
from tests.unit.test_pullout import asked

from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle.alerts import Mail
from notice_cycle.deadlines import AlertSent, load
from notice_cycle.errors import CannotLook, NotConfigured, Refused
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.ledger.store import Ledger
from notice_cycle.posting import Posted
from notice_cycle.preparation import PreparationOpened
from notice_cycle.register.reminders import Reminder
from notice_cycle.settings import Settings
from notice_cycle.unsent_mail import MailUnsent
from notice_cycle_airflow import watching
from notice_cycle_airflow.views import preparation
from notice_cycle_airflow.watching import look, under_watch


class Mailbox(list[Mail]):
    """Stands for the mail server; `fails_after` so many mails it does not answer any more."""

    fails_after: int | None = None
    refused: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()

    def __call__(self, mail: Mail) -> None:
        if self.fails_after is not None and len(self) >= self.fails_after:
            raise OSError("away")
        if mail.to in self.dropped:
            raise SMTPServerDisconnected("closed")
        if mail.to in self.refused:
            raise SMTPRecipientsRefused({mail.to: (550, b"no such user")})
        self.append(mail)

    def to(self, address: str) -> list[str]:
        return [mail.subject for mail in self if mail.to == address]


@pytest.fixture
def heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "heartbeat.json"
    monkeypatch.setenv("NOTICE_CYCLE_WATCH_HEARTBEAT", str(path))
    return path


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "clock.json"
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(path))
    clock.move_to(at("Wed 2026-07-01 09:00"), path)
    return path


def looked(ledger: Ledger, moved: Path, moment: str, box: Mailbox) -> str:
    clock.move_to(at(moment) + timedelta(seconds=5), moved)  # it is kept in whole seconds
    return look(ledger, Settings({}), TASK, box)


def test_an_open_cycle_is_told_once_and_the_ledger_remembers(ledger: Ledger, moved: Path) -> None:
    a_cycle().up_to(r.ValidationRecord).entered_in(ledger)
    box = Mailbox()
    looked(ledger, moved, "Fri 2026-07-03 13:00", box)
    assert box.to("kaigo-hoken@ward.example") == [
        "【期限】期限が近い 検証確認（7月3日（金）17:00） 納入通知書・普通徴収"
    ]
    kept = [
        entry for entry in ledger.entries(kind=AlertSent.kind()) if entry.data["milestone"] == "validation"
    ]
    assert [(entry.cycle, entry.data["level"], entry.data["to_role"]) for entry in kept] == [
        (CYCLE, 0, "section")
    ]
    again = Mailbox()
    looked(ledger, moved, "Fri 2026-07-03 15:00", again)
    assert again.to("kaigo-hoken@ward.example") == []
    assert ledger.verify().holds


def test_a_request_to_pull_letters_out_that_nobody_confirms_is_told_to_the_section(
    ledger: Ledger, moved: Path
) -> None:
    opened = a_cycle().up_to(r.StagingWipeRecord)
    opened.noting(asked(opened, requested_at=at("Thu 2026-07-02 17:50"))).entered_in(ledger)
    box = Mailbox()
    looked(ledger, moved, "Fri 2026-07-03 13:00", box)
    assert box.to("kaigo-hoken@ward.example") == ["【期限超過】引抜き・差替えの確認 納入通知書・普通徴収"]


def test_a_look_that_broke_off_tells_the_rest_and_nothing_twice(ledger: Ledger, moved: Path) -> None:
    a_cycle().up_to(r.CompositionRecord).entered_in(ledger)
    broken = Mailbox()
    broken.fails_after = 1
    with pytest.raises(CannotLook, match="メールサーバー"):
        looked(ledger, moved, "Mon 2026-07-06 09:00", broken)
    rest = Mailbox()
    looked(ledger, moved, "Mon 2026-07-06 09:05", rest)
    whole = {mail.to for mail in (*broken, *rest)}
    assert {"kaigo-shonin@ward.example", "joho-system@ward.example"} <= whole
    assert len(whole) == len(broken) + len(rest)


APPROVER, OPERATOR, SECTION = (
    f"{name}@ward.example" for name in ("kaigo-shonin", "joho-system", "kaigo-hoken")
)


def unsent(ledger: Ledger) -> list[MailUnsent]:
    return [MailUnsent.model_validate(entry.data) for entry in ledger.entries(kind=MailUnsent.kind())]


def test_a_refused_address_stops_no_other_and_is_tried_again_at_every_look(
    ledger: Ledger, moved: Path, heartbeat: Path
) -> None:
    a_cycle().up_to(r.CompositionRecord).entered_in(ledger)
    box, whole = Mailbox(), Mailbox()
    box.refused = frozenset({APPROVER})
    with pytest.raises(Refused, match=r"届けられなかった知らせが\d+件あります（[^）]*承認者"):
        looked(ledger, moved, "Mon 2026-07-06 09:00", box)
    assert OPERATOR in {mail.to for mail in box}
    assert APPROVER not in {mail.to for mail in box}
    assert heartbeat.exists(), "it has looked"
    known = unsent(ledger)
    (of_the_approval,) = [one for one in known if one.milestone == "approval"]
    assert (of_the_approval.to_role, of_the_approval.reason, of_the_approval.level) == (
        "approver",
        "refused",
        0,
    )
    sent = len(box)
    with pytest.raises(Refused):
        looked(ledger, moved, "Mon 2026-07-06 09:10", box)
    assert (len(box), unsent(ledger)) == (sent, known), "a retry tells nobody twice and enters nothing new"

    with pytest.raises(Refused):
        looked(ledger, moved, "Mon 2026-07-06 13:00", box)
    (told,) = [mail.text for mail in box[sent:] if mail.to == OPERATOR]
    assert re.search(
        r"届かなかったメール \d件（情報システム運用）　承認者（介護保険課）\n　→ メールサーバーが宛先か内容を断りました",
        told,
    )
    looked(ledger, moved, "Mon 2026-07-06 15:00", whole)  # the address is put right
    assert len(whole.to(APPROVER)) == 1
    assert whole.to(OPERATOR) == [] or "届かなかった" not in "".join(mail.text for mail in whole)
    again = Mailbox()
    looked(ledger, moved, "Mon 2026-07-06 15:10", again)
    assert again.to(APPROVER) == []


def test_a_server_that_was_away_for_minutes_is_in_the_ledger_and_in_nobodys_mail(
    ledger: Ledger, moved: Path
) -> None:
    a_cycle().up_to(r.CompositionRecord).entered_in(ledger)
    away, back, later = Mailbox(), Mailbox(), Mailbox()
    away.fails_after = 0
    with pytest.raises(CannotLook, match="メールサーバーに接続できませんでした"):
        looked(ledger, moved, "Mon 2026-07-06 09:00", away)
    assert {one.reason for one in unsent(ledger)} == {"away"}
    looked(ledger, moved, "Mon 2026-07-06 09:05", back)
    looked(ledger, moved, "Mon 2026-07-06 13:00", later)
    assert [mail for mail in (*back, *later) if "届かなかったメール" in mail.text] == []


def test_a_server_that_breaks_off_at_one_mail_has_the_others(ledger: Ledger, moved: Path) -> None:
    a_cycle().up_to(r.CompositionRecord).entered_in(ledger)
    box = Mailbox()
    box.dropped = frozenset({OPERATOR})
    with pytest.raises(CannotLook):
        looked(ledger, moved, "Mon 2026-07-06 09:00", box)
    assert APPROVER in {mail.to for mail in box}
    assert {(one.to_role, one.reason) for one in unsent(ledger)} == {("operator", "away")}


def test_what_a_task_could_not_say_is_told_at_the_next_look_once(ledger: Ledger, moved: Path) -> None:
    a_cycle().up_to(r.ValidationRecord).entered_in(ledger)
    lost = MailUnsent(
        template="form_waiting", subject=CYCLE, to_role="section", section="介護保険課", reason="away",
        tried_at=at("Thu 2026-07-02 19:20"),
    )  # fmt: skip
    ledger.note(CYCLE, lost, TASK)
    box, again = Mailbox(), Mailbox()
    looked(ledger, moved, "Fri 2026-07-03 09:00", box)
    (page,) = [mail for mail in box if mail.to == SECTION]
    assert "【今日の一枚】" in page.subject
    assert "届かなかったメール「回答のお願い」" in page.text
    assert any("届かなかったメール" in mail.text for mail in box if mail.to == OPERATOR)
    looked(ledger, moved, "Fri 2026-07-03 13:00", again)
    assert [mail for mail in again if "届かなかったメール" in mail.text] == []


def test_quantities_that_the_contractors_server_refuses_silence_no_due_date(
    ledger: Ledger, moved: Path
) -> None:
    a_cycle().up_to(r.HandoverApprovalRecord).entered_in(ledger)
    box = Mailbox()
    box.refused = frozenset({"uketsuke@print.example"})
    with pytest.raises(Refused, match="委託先"):
        looked(ledger, moved, "Mon 2026-07-06 13:00", box)
    assert box.to(OPERATOR)
    (of_the_quantities,) = [one for one in unsent(ledger) if one.template == "quantities"]
    assert (of_the_quantities.subject, of_the_quantities.to_role) == (CYCLE, "contractor")


def test_a_closed_day_is_quiet_and_leaves_its_sign_of_life(
    ledger: Ledger, moved: Path, heartbeat: Path
) -> None:
    a_cycle().up_to(r.ValidationRecord).entered_in(ledger)
    box = Mailbox()
    assert "閉庁日" in looked(ledger, moved, "Mon 2026-07-20 09:00", box)
    assert box == []
    sign = json.loads(heartbeat.read_text())
    assert sign["looked_at"] < sign["next_look_at"]


def test_the_sign_of_life_is_not_left_when_a_mail_could_not_be_sent(
    ledger: Ledger, moved: Path, heartbeat: Path
) -> None:
    a_cycle().up_to(r.ValidationRecord).entered_in(ledger)
    box = Mailbox()
    box.fails_after = 0
    with pytest.raises(CannotLook, match="メールサーバー"):
        looked(ledger, moved, "Fri 2026-07-03 13:00", box)
    assert not heartbeat.exists()


def preparations(ledger: Ledger) -> dict[str | None, PreparationOpened]:
    entries = ledger.entries(kind=PreparationOpened.kind())
    return {entry.cycle: PreparationOpened.model_validate(entry.data) for entry in entries}


def test_the_preparation_opens_with_the_yearly_plan_once_and_holds_counts_only(
    ledger: Ledger, moved: Path
) -> None:
    looked(ledger, moved, "Thu 2026-04-30 13:00", Mailbox())
    assert CYCLE not in preparations(ledger)  # sixty days before the start is Saturday, 2 May
    said = looked(ledger, moved, "Thu 2026-05-07 13:00", Mailbox())
    assert "準備の開始 3件" in said
    assert "準備の開始" not in looked(ledger, moved, "Thu 2026-05-07 15:00", Mailbox())
    opened = preparations(ledger)[CYCLE]
    assert (opened.contracts, opened.missing) == (("2026-premium",), ())
    assert (opened.handover_on, opened.posting_on) == (date(2026, 7, 6), date(2026, 7, 16))
    assert opened.quantities_from in {"", "区の見込み"}
    assert ledger.history(CYCLE).records == ()
    assert ledger.verify().holds


def test_the_preparation_tells_what_the_register_still_lacks(
    ledger: Ledger, moved: Path, tmp_path: Path
) -> None:
    config = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    register = config / "register.yaml"
    text = register.read_text(encoding="utf-8")
    register.write_text(text.replace(", window_on: 2026-03-23", ""), encoding="utf-8")
    settings = Settings({"NOTICE_CYCLE_CONFIG": str(config)})
    clock.move_to(at("Tue 2026-06-23 09:00"), moved)
    box = Mailbox()
    look(ledger, settings, TASK, box)
    (told,) = [mail.text for mail in box if mail.to == "kaigo-hoken@ward.example"]
    assert "再校・校了（担当）　納入通知書・普通徴収" in told
    assert "足りないもの: 校了。" in told
    assert "契約・認証" not in told
    assert preparations(ledger)[CYCLE].missing == ("proof_final",)
    links = {one.run_path for one in under_watch(ledger, config, *load(config), clock.now())}
    assert f"/dags/premium_notice_ordinary/plugin/{preparation.VIEW['url_route']}" in links


def test_a_yearly_run_that_was_not_opened_is_missed(ledger: Ledger, moved: Path) -> None:
    box = Mailbox()
    looked(ledger, moved, "Wed 2026-07-01 13:00", box)
    (subject,) = box.to("joho-system@ward.example")
    assert re.fullmatch(r"【期限】\d件 7月1日（水）13:00の見回り", subject)
    assert all("発送回の開始" in mail.text for mail in box if mail.to == "joho-system@ward.example")


@pytest.mark.parametrize("how", ["closed", "withdrawn"])
def test_a_cycle_that_is_over_is_not_watched(how: str, ledger: Ledger, moved: Path) -> None:
    cycle = a_cycle() if how == "closed" else a_cycle().up_to(r.ExtractionRecord)
    first = cycle.entered_in(ledger)[0]
    if how == "withdrawn":
        ledger.note(
            CYCLE, a_decision(r.DecisionKind.WITHDRAWN, supersedes=first.digest, stage="opening"), TASK
        )
    box = Mailbox()
    looked(ledger, moved, "Mon 2026-11-02 09:00", box)
    assert [mail.text for mail in box if CYCLE in mail.text] == []


def test_a_register_that_cannot_be_read_silences_no_due_date(
    ledger: Ledger, moved: Path, heartbeat: Path, tmp_path: Path
) -> None:
    a_cycle().up_to(r.ValidationRecord).entered_in(ledger)
    config = Path(shutil.copytree(Settings({}).config_folder, tmp_path / "config"))
    (config / "register.yaml").write_text("- [", encoding="utf-8")
    box = Mailbox()
    clock.move_to(at("Fri 2026-07-03 13:01"), moved)
    with pytest.raises(NotConfigured):
        look(ledger, Settings({"NOTICE_CYCLE_CONFIG": str(config)}), TASK, box)
    assert len(box.to("kaigo-hoken@ward.example")) == 1
    assert heartbeat.exists()


def test_a_mark_that_runs_out_is_told_with_the_due_dates(
    ledger: Ledger, moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reminder = Reminder(
        thing="mark_expiring:example_print:プライバシーマーク",
        label_ja="認証の更新（架空印刷株式会社）",
        requirements=("R13",),
        due_on=date(2026, 11, 30),
        level="amber",
        sentence_ja="架空印刷株式会社のプライバシーマークは2026-11-30に切れます。",
        advice_ja="更新の申請の状況を確かめてください。",
        tell="担当",
        section="介護保険課",
    )
    monkeypatch.setattr(watching, "due_reminders", lambda *_, **__: [reminder])
    a_cycle().entered_in(ledger)
    box, again = Mailbox(), Mailbox()
    looked(ledger, moved, "Mon 2026-11-02 13:00", box)
    looked(ledger, moved, "Mon 2026-11-02 15:00", again)
    assert box.to("kaigo-hoken@ward.example") == [
        "【期限】期限が近い 認証の更新（架空印刷株式会社）（11月30日（月）） 登録簿"
    ]
    assert again == []


def test_a_week_without_a_count_of_returned_letters_is_told_also_when_the_dispatch_is_closed(
    ledger: Ledger, moved: Path
) -> None:
    closed = a_cycle()
    delivery = closed[r.DeliveryRecord]
    posted = Posted(
        receipt_number="1",
        party="",
        envelopes=delivery.envelopes_delivered,
        post_office="架空郵便局",
        posted_at=delivery.delivered_at,
    )
    closed.noting(posted).entered_in(ledger)
    (entry,) = ledger.entries(kind=Posted.kind())
    _, calendars = load(CONFIG)
    due = calendars.ward.next_business_day(tokyo_date(entry.recorded_at) + timedelta(weeks=1))
    box, again = Mailbox(), Mailbox()
    for hour, into in ((9, box), (13, again)):
        clock.move_to(datetime.combine(due, time(hour), clock.TOKYO) + timedelta(seconds=5), moved)
        look(ledger, Settings({}), TASK, into)
    (mail,) = [one for one in box if one.to == SECTION and "返戻" in one.subject + one.text]
    assert f"返戻の数（{CYCLE}、差出しから1週目）" in mail.subject + mail.text
    assert not [one for one in again if "返戻" in one.subject + one.text]
