"""What is written to whom: one mail an address a look, once a level, in the cycle's thread, without personal data."""

import re
import shutil
from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path

import pytest
from tests.builders import CYCLE, a_cycle
from tests.unit.test_deadlines import CALENDARS, CONFIG, DEADLINES, JULY, PLAN, handed_over
from tests.unit.test_named_calendars import at

from notice_cycle import records as r
from notice_cycle.alerts import (
    Outgoing,
    Post,
    Watched,
    as_document,
    load_template,
    mails_of_a_look,
    main,
    preview,
)
from notice_cycle.deadlines import AlertSent, Level, judge
from notice_cycle.errors import NotConfigured
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.people import People
from notice_cycle.values import Frozen

ROOT = Path(__file__).parents[2]
PEOPLE = People.load(CONFIG)
POST = Post(config=CONFIG, base_url="http://ward", domain=PEOPLE.domain, synthetic=False)
TANTO, CHIEF, DIRECTOR = (f"kaigo-{name}@ward.example" for name in ("hoken", "kakaricho", "kacho"))
APPROVER, OPERATOR, PRINT = "kaigo-shonin@ward.example", "joho-system@ward.example", "uketsuke@print.example"
Keys = Collection[tuple[str, str, int, datetime]]


class AReminder(Frozen):
    id: str = "p_mark-example_print-2026"
    label_ja: str = "プライバシーマークの更新"
    due_on: date = date(2026, 7, 8)
    state: str = "amber"
    section: str = "介護保険課"
    tell: str = "担当"
    sentence_ja: str = "架空印刷株式会社のプライバシーマークは2026-07-08に切れます。"
    advice_ja: str = "更新した登録証の写しを求めてください。"
    name_ja: str = "登録簿"
    why_ja: str = "切れると、引渡しの前の確認で止まります。"
    runbook_anchor: str = "register"

    def is_over(self, now: datetime) -> bool:
        return tokyo_date(now) > self.due_on


PREPARED = {one.id for one in PLAN.rules.milestones if one.by_register}


def watched(history: CycleHistory, moment: str, name: str = CYCLE) -> Watched:
    return Watched(
        name_ja="納入通知書・普通徴収",
        section="介護保険課",
        party=JULY.party,
        run_path=f"/dags/{JULY.id}/runs/1",
        escalation=DEADLINES.escalation,
        dues=tuple(judge(PLAN, history, at(moment), CALENDARS, subject=name, met=PREPARED)),
    )


def a_look(
    *histories: CycleHistory,
    moment: str,
    told: Keys = (),
    reminders: tuple[AReminder, ...] = (),
    people: People = PEOPLE,
) -> list[Outgoing]:
    names = [f"{CYCLE[:-1]}{number}" for number in range(1, 9)]
    return mails_of_a_look(
        [watched(one, moment, name) for one, name in zip(histories, names, strict=False)],
        reminders,  # type: ignore[arg-type]
        told,
        now=at(moment),
        people=people,
        calendars=CALENDARS,
        post=POST,
    )


def to(sent: list[Outgoing], address: str) -> list[str]:
    return [one.mail.subject for one in sent if one.mail.to == address]


def keys(sent: list[Outgoing]) -> set[tuple[str, str, int, datetime]]:
    return {told.key for one in sent for told in one.told}


UNREAD = a_cycle().up_to(r.ValidationRecord).history()
FRESH = a_cycle().up_to(r.YearSettingsRecord).history()


# ---- one look


def test_one_thing_that_is_near_is_one_mail_that_names_it() -> None:
    (mail,) = a_look(UNREAD, moment="Fri 2026-07-03 13:00")
    assert mail.mail.to == TANTO
    assert mail.mail.subject == "【期限】期限が近い 検証確認（7月3日（金）17:00） 納入通知書・普通徴収"
    assert [heading for heading, _ in mail.mail.paragraphs] == ["何が起きたか", "なぜ大切か", "すること"]
    assert mail.mail.link == "http://ward/dags/premium_notice_ordinary/runs/1"
    assert "「validation」の節" in mail.mail.text


def test_what_was_told_is_not_told_again_until_it_goes_up_a_level() -> None:
    first = a_look(UNREAD, moment="Fri 2026-07-03 13:00")
    assert a_look(UNREAD, moment="Fri 2026-07-03 15:00", told=keys(first)) == []
    monday = a_look(UNREAD, moment="Mon 2026-07-06 09:00", told=keys(first))
    assert to(monday, CHIEF) == []
    told = keys(first) | keys(monday)
    tuesday = a_look(UNREAD, moment="Tue 2026-07-07 09:00", told=told)
    assert to(tuesday, CHIEF) == ["【今日の一枚】7月7日（火） 係長 正午まで1件・全1件"]
    noon = a_look(UNREAD, moment="Tue 2026-07-07 13:00", told=told | keys(tuesday))
    assert [subject for subject in to(noon, TANTO) + to(noon, CHIEF) if "検証確認" in subject] == []


def test_each_level_is_told_once_even_when_the_watch_slept_for_days() -> None:
    sent = a_look(UNREAD, moment="Wed 2026-07-08 13:00")
    told = [(one.milestone, one.level, one.to_role) for each in sent for one in each.told]
    assert {one for one in told if one[0] == "validation"} == {
        ("validation", Level.OVERDUE, "section"),
        ("validation", Level.CHIEF, "chief"),
        ("validation", Level.DIRECTOR, "director"),
    }
    assert a_look(UNREAD, moment="Wed 2026-07-08 15:00", told=keys(sent)) == []


def test_several_dues_for_one_person_are_one_digest() -> None:
    sent = a_look(UNREAD, UNREAD, UNREAD, moment="Fri 2026-07-03 13:00")
    (mail,) = sent
    assert mail.mail.subject == "【期限】3件 7月3日（金）13:00の見回り"
    assert mail.mail.text.count("検証確認") == 2 * 3  # the line and its advice
    assert len(mail.told) == 3
    assert mail.mail.link == "http://ward/dags/premium_notice_ordinary/runs/1"


def test_a_digest_puts_the_overdue_first() -> None:
    sent = a_look(handed_over("Mon 2026-07-06 11:30"), moment="Tue 2026-07-14 17:00")
    page = next(one.mail.text for one in sent if one.mail.to == TANTO)
    states = re.findall(r"・【新】【(.+?)】", page)
    assert states == [
        "期限超過",
        "期限超過",
        "期限が近い",
        "期限が近い",
    ]  # two receipts; delivery and posting


def test_the_morning_has_one_page_for_whoever_has_something_to_do() -> None:
    sent = a_look(a_cycle().up_to(r.CompositionRecord).history(), moment="Mon 2026-07-06 09:00")
    assert to(sent, APPROVER) == ["【今日の一枚】7月6日（月） 承認者 正午まで1件・全1件"]
    assert to(sent, OPERATOR) == ["【今日の一枚】7月6日（月） 情報システム運用 正午まで1件・全1件"]
    assert to(sent, DIRECTOR) == []  # nothing to do, no mail
    page = next(one.mail.text for one in sent if one.mail.to == APPROVER)
    assert (
        "・【新】【期限が近い】7月6日（月）11:00　引渡し承認（承認者）　納入通知書・普通徴収　2026-premium_notice_ordinary-annual-01"
        in page
    )


def test_the_page_comes_once_a_morning_and_never_in_the_afternoon() -> None:
    cycle = a_cycle().up_to(r.CompositionRecord).history()
    first = a_look(cycle, moment="Mon 2026-07-06 09:00")
    assert a_look(cycle, moment="Mon 2026-07-06 09:30", told=keys(first)) == []
    late = a_look(cycle, moment="Mon 2026-07-06 10:30")  # the scheduler was late
    assert any("今日の一枚" in subject for subject in to(late, APPROVER))
    assert not any("今日の一枚" in one.mail.subject for one in a_look(cycle, moment="Mon 2026-07-06 13:00"))


def test_a_day_without_anything_to_do_has_no_mail() -> None:
    assert a_look(FRESH, moment="Wed 2026-07-01 13:00") == []


def test_a_reminder_of_the_register_is_told_once_a_state() -> None:
    (mail,) = a_look(moment="Mon 2026-07-06 13:00", reminders=(AReminder(),))
    assert mail.mail.subject == "【期限】期限が近い プライバシーマークの更新（7月8日（水）） 登録簿"
    assert mail.told[0].cycle is None
    assert "架空印刷株式会社のプライバシーマークは2026-07-08に切れます。" in mail.mail.text
    (other,) = a_look(moment="Mon 2026-07-06 13:00", reminders=(AReminder(tell="課長"),))
    assert other.mail.to == DIRECTOR
    assert a_look(moment="Mon 2026-07-06 15:00", reminders=(AReminder(),), told=keys([mail])) == []
    (red,) = a_look(moment="Thu 2026-07-09 13:00", reminders=(AReminder(state="red"),), told=keys([mail]))
    assert red.mail.subject.startswith("【期限超過】")


@pytest.mark.parametrize(
    ("moment", "state", "subject"),
    [
        ("Wed 2026-07-08 13:00", "amber", "【期限】期限が近い "),
        ("Thu 2026-07-09 13:00", "amber", "【期限】期限を過ぎた "),
        ("Wed 2026-07-08 13:00", "red", "【期限】至急 "),  # its day has not passed
        ("Thu 2026-07-09 13:00", "red", "【期限超過】"),
    ],
)
def test_a_reminder_is_called_overdue_only_after_its_day(moment: str, state: str, subject: str) -> None:
    (mail,) = a_look(moment=moment, reminders=(AReminder(state=state),))
    assert mail.mail.subject.startswith(subject)


def test_what_is_urgent_stands_behind_the_overdue_and_before_the_rest() -> None:
    three = tuple(
        AReminder(id=str(day), label_ja=f"{day}日の", due_on=date(2026, 7, day), state=state)
        for day, state in ((7, "amber"), (9, "red"), (6, "red"))
    )
    (mail,) = a_look(moment="Wed 2026-07-08 13:00", reminders=three)
    assert re.findall(r"・【新】【(.+?)】", mail.mail.text) == ["期限超過", "至急", "期限を過ぎた"]


# ---- the contractor


def test_a_contractor_that_agreed_is_told_of_its_own_steps_only() -> None:
    sent = a_look(handed_over("Mon 2026-07-06 11:30"), moment="Mon 2026-07-06 15:00")
    (copy,) = [one for one in sent if one.mail.to == PRINT]
    assert "受領通知（第1段階）" in copy.mail.text
    assert "http" not in copy.mail.text
    assert [(told.milestone, told.to_role) for told in copy.told] == [("copy:receipt", "contractor")]
    again = a_look(handed_over("Mon 2026-07-06 11:30"), moment="Mon 2026-07-06 15:00", told=keys([copy]))
    assert to(again, PRINT) == []
    assert len(to(again, TANTO)) == 1  # the copy that went says nothing of the section's own mail
    overdue = a_look(UNREAD, moment="Wed 2026-07-08 13:00")
    assert to(overdue, PRINT) == []  # the section's own delay is nobody else's business


def test_a_contractor_that_did_not_agree_is_told_nothing() -> None:
    silent = PEOPLE.model_copy(update={"copied_parties": ()})
    sent = a_look(handed_over("Mon 2026-07-06 11:30"), moment="Mon 2026-07-06 15:00", people=silent)
    assert to(sent, PRINT) == []
    assert len(to(sent, TANTO)) == 1


def test_the_escalation_is_not_the_contractors_business() -> None:
    sent = a_look(handed_over("Mon 2026-07-06 11:30"), moment="Wed 2026-07-08 13:00")
    (copy,) = [one for one in sent if one.mail.to == PRINT]
    assert copy.mail.text.count("受領通知（第1段階）") == 1


# ---- threads, identity, words


def test_all_mails_of_a_cycle_are_one_thread_and_a_repeat_is_the_same_mail() -> None:
    soon = a_look(UNREAD, moment="Fri 2026-07-03 13:00")[0].mail
    again = a_look(UNREAD, moment="Fri 2026-07-03 13:00")[0].mail
    late = next(one.mail for one in a_look(UNREAD, moment="Fri 2026-07-03 17:01"))
    assert soon.thread == late.thread == f"<{CYCLE}@ward.example>"
    assert soon.headers["References"] == soon.headers["In-Reply-To"] == soon.thread
    assert soon.message_id == again.message_id != late.message_id
    assert re.fullmatch(r"<[0-9a-f]{32}@ward\.example>", soon.message_id)


def test_a_ledger_entry_remembers_what_was_told() -> None:
    (mail,) = a_look(UNREAD, moment="Fri 2026-07-03 13:00")
    entry = AlertSent.of(mail.told[0], at("Fri 2026-07-03 13:00"))
    kept = AlertSent.model_validate_json(entry.model_dump_json())
    assert kept.key == mail.told[0].key
    assert mail.told[0].cycle == CYCLE


def test_a_mail_is_html_that_cannot_be_more_than_text() -> None:
    facts = load_template(CONFIG, "task_failed").sample | {
        "reason": "<script>x</script> → 直す",
        "link": "http://x/?a=1&b=2",
    }
    mail = POST.mail("task_failed", OPERATOR, facts, thread="x")
    assert "<script>" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert "a=1&amp;b=2" in mail.html
    assert "<script>x</script>" in mail.text


def test_every_mail_of_invented_data_says_so() -> None:
    post = POST.model_copy(update={"synthetic": True})
    mail = post.mail("digest", OPERATOR, load_template(CONFIG, "digest").sample, thread="x")
    assert mail.subject.startswith("【架空データ】")
    assert "【架空データ】" in mail.text
    assert "【架空データ】" in mail.html


def test_a_fact_with_braces_is_only_text() -> None:
    facts = load_template(CONFIG, "task_failed").sample | {"reason": "{cycle} {0} {x.y} → 直す"}
    assert "{cycle} {0} {x.y}" in POST.mail("task_failed", OPERATOR, facts, thread="x").text


TEMPLATES = sorted(path.stem for path in (CONFIG / "mail").glob("*.yaml"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_can_be_previewed_and_says_three_things(name: str) -> None:
    shown = preview(CONFIG, name)
    assert re.match(r"宛先: \S+@\S+\n件名: 【.+?】", shown)
    assert not re.search(r"\{[a-z_]+\}", shown)
    for heading in ("何が起きたか", "なぜ大切か", "すること"):
        assert f"■ {heading}\n" in shown


def test_the_templates_the_issue_asks_for_are_there() -> None:
    assert {
        "task_failed", "gate_closed", "form_waiting", "due_soon", "overdue", "escalated", "discrepancy",
        "violation", "incident", "digest", "today", "contractor_due", "closing_missed",
    } <= set(TEMPLATES)  # fmt: skip


def test_the_document_is_current() -> None:
    """Run: python -m notice_cycle.alerts document docs/mails.md."""
    assert (ROOT / "docs" / "mails.md").read_text(encoding="utf-8") == as_document(CONFIG)


def test_the_command_shows_a_mail(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "overdue"]) == 0
    assert "件名: 【期限超過】" in capsys.readouterr().out
    assert main(["preview", "no_such"]) == 1
    assert "メールのひな形 no_such がありません。" in capsys.readouterr().out


# ---- people


def the_config(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def test_a_section_has_its_own_addresses_and_another_falls_back() -> None:
    assert PEOPLE.address("chief", section="地域包括ケア推進課") == "houkatsu-kakaricho@ward.example"
    assert PEOPLE.address("section", section="知らない課") == "kaigo-hoken@ward.example"
    assert PEOPLE.address("contractor", party="example_print") == PRINT
    with pytest.raises(NotConfigured, match="other"):
        PEOPLE.address("contractor", party="other")


def test_without_people_yaml_parties_yaml_is_enough(tmp_path: Path) -> None:
    config = the_config(tmp_path)
    (config / "people.yaml").unlink()
    people = People.load(config)
    found = {
        role: people.address(role, section="介護保険課")
        for role in ("section", "chief", "director", "operator")
    }
    assert found == {"section": TANTO, "chief": APPROVER, "director": APPROVER, "operator": OPERATOR}


def test_one_address_for_several_roles_gets_one_mail(tmp_path: Path) -> None:
    config = the_config(tmp_path)
    (config / "people.yaml").unlink()
    sent = a_look(UNREAD, moment="Wed 2026-07-08 13:00", people=People.load(config))
    assert len(to(sent, APPROVER)) == 1
    assert "係長・課長" in next(one.mail.text for one in sent if one.mail.to == APPROVER)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("people.yaml", "    chief: kaigo", "    chef: kaigo"),
        ("people.yaml", "sections:", "sections: ["),
        ("people.yaml", "register_section: 介護保険課", "register_section: 保険課"),
        ("parties.yaml", "mail:\n  section", "post:\n  section"),
        ("mail/overdue.yaml", "subject:", "subjekt:"),
        ("mail/overdue.yaml", "{sentence}", "{sentense}"),
    ],
)
def test_a_mistake_is_refused_with_its_file(tmp_path: Path, name: str, old: str, new: str) -> None:
    config = the_config(tmp_path)
    path = config / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(NotConfigured, match=Path(name).stem):
        People.load(config)
        preview(config, "overdue")
