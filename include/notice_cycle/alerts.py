"""Mails as values: a template and facts become one plain Japanese mail, and dues become one mail a person a look.

Every mail says 何が起きたか・なぜ大切か・すること and where. Templates are data (include/config/mail). All mails of a
cycle stand in one thread. No personal data: facts are ids, counts, dates and our own sentences. Nothing is sent
from here.

    python -m notice_cycle.alerts preview overdue
    python -m notice_cycle.alerts document docs/mails.md
"""

import argparse
import html
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Literal, Protocol

import yaml
from pydantic import Field, ValidationError

from notice_cycle import clock
from notice_cycle.business_calendar import Calendars
from notice_cycle.deadline_rules import ROLES_JA, Escalation, Role
from notice_cycle.deadlines import LOOKS, PASSED_JA, STATES_JA, Due, Level, Told, to_tell
from notice_cycle.dispatch_plan import said, said_day
from notice_cycle.errors import NotConfigured
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.people import People
from notice_cycle.settings import Settings
from notice_cycle.values import Frozen, canonical, sha256

SYNTHETIC_MARK = "【架空データ】"
RUNBOOK_PAGE = "/notice-cycle/runbook"
TODAY_PAGE = "/plugin/notice-cycle-today"
"""Where the web UI shows what presses now, of all dispatches: a mail about several links there."""
_HEADINGS = {"what": "何が起きたか", "why": "なぜ大切か", "action": "すること"}


class Template(Frozen):
    """One mail as data. `sample`: facts to show it with, in the preview and in docs/mails.md."""

    subject: str
    what: str
    why: str
    action: str
    sample: dict[str, str] = Field(default_factory=dict)


class Mail(Frozen):
    """A mail ready to be sent. `message_id` is the same for the same mail, so that a repeat is recognised.

    `manual`: the address of the runbook's section; empty for a contractor, who does not reach the ward's network.
    """

    to: str
    subject: str
    paragraphs: tuple[tuple[str, str], ...]
    link: str
    mark: str
    message_id: str
    thread: str
    manual: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What puts it into its thread; mail programs need no first mail for that."""
        return {"Message-ID": self.message_id, "In-Reply-To": self.thread, "References": self.thread}

    @property
    def text(self) -> str:
        """As plain text."""
        parts = [f"■ {heading}\n{body}" for heading, body in self.paragraphs]
        manual = f"運用手順書 {self.manual}" if self.manual else ""
        return "\n\n".join(part for part in (self.mark, *parts, self.link, manual) if part)

    @property
    def html(self) -> str:
        """As HTML without pictures, scripts or remote parts."""
        body = "".join(
            f"<h3>{heading}</h3><p>{html.escape(text).replace(chr(10), '<br>')}</p>"
            for heading, text in self.paragraphs
        )
        addresses = "".join(
            f'<p>{name}<a href="{html.escape(address)}">{html.escape(address)}</a></p>'
            for name, address in (("", self.link), ("運用手順書 ", self.manual))
            if address
        )
        return f'<html lang="ja"><body><p>{self.mark}</p>{body}{addresses}</body></html>'


def load_template(config: Path, name: str) -> Template:
    """Reads a template. Raises NotConfigured naming the file."""
    path = config / "mail" / f"{name}.yaml"
    if not path.exists():
        raise NotConfigured(
            f"メールのひな形 {name} がありません。", advice="include/config/mail を確認してください。"
        )
    try:
        return Template.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError):
        raise NotConfigured(
            f"メールのひな形 {name} を読めません。",
            advice="subject・what・why・action と、字下げを確かめてください。",
        ) from None


class Post(Frozen):
    """What every mail of a deployment shares: templates' folder, the web UI's address, whether data are invented."""

    config: Path
    base_url: str
    domain: str
    synthetic: bool

    @classmethod
    def of(cls, settings: Settings, people: People) -> "Post":
        """From the deployment's settings."""
        return cls(
            config=settings.config_folder,
            base_url=settings.base_url,
            domain=people.domain,
            synthetic=settings.says_synthetic,
        )

    def mail(
        self, template: str, to: str, facts: Mapping[str, str], *, thread: str, once: object = None
    ) -> Mail:
        """Fills a template. `thread`: a cycle's id; `once`: what tells this mail from another of its kind.

        Raises NotConfigured for a template that is not there or asks for a fact that is not given.
        """
        words = load_template(self.config, template)
        try:
            filled = {key: getattr(words, key).format_map(facts).strip() for key in ("subject", *_HEADINGS)}
        except (KeyError, ValueError, IndexError, AttributeError):
            raise NotConfigured(
                f"メールのひな形 {template} に、この知らせには無い項目があります。",
                advice="波括弧の中の名前を、見本（sample）にあるものに直してください。",
            ) from None
        mark = SYNTHETIC_MARK if self.synthetic else ""
        link = facts.get("link", "")
        named = re.search(r"「([a-z_]+)」の節", filled["action"])
        section = named[1] if named else template  # every template has its section
        identity = sha256(canonical([template, to, thread, str(once or sorted(facts.items()))]))[:32]
        return Mail(
            to=to,
            subject=mark + " ".join(filled["subject"].split()),
            paragraphs=tuple((heading, filled[key]) for key, heading in _HEADINGS.items()),
            link=link,
            mark=mark,
            message_id=f"<{identity}@{self.domain}>",
            thread=f"<{thread}@{self.domain}>",
            manual=f"{self.base_url}{RUNBOOK_PAGE}#{section}" if link else "",
        )


# ---- what one look tells


class Reminder(Protocol):
    """Something of the register that is due: a certificate, a roster, a training … (not of one cycle)."""

    @property
    def id(self) -> str:
        """Names the obligation and its period; told once per state."""

    @property
    def label_ja(self) -> str:
        """What it is."""

    @property
    def due_on(self) -> date:
        """The date by which."""

    @property
    def state(self) -> Literal["amber", "red"]:
        """How loud it is today."""

    def is_over(self, now: datetime) -> bool:
        """Whether it is late."""

    @property
    def section(self) -> str:
        """Whose it is."""

    @property
    def tell(self) -> str:
        """The role it is told to, in Japanese."""

    @property
    def sentence_ja(self) -> str:
        """What is due, or is over."""

    @property
    def advice_ja(self) -> str:
        """What to do."""

    @property
    def name_ja(self) -> str:
        """Where it belongs to."""

    @property
    def why_ja(self) -> str:
        """Why it matters."""

    @property
    def runbook_anchor(self) -> str:
        """The section of docs/runbook.md."""


class Watched(Frozen):
    """A dispatch under watch: its dues as judged now, and how it is called."""

    name_ja: str
    section: str
    party: str
    run_path: str
    escalation: Escalation
    dues: tuple[Due, ...]

    @property
    def dag_id(self) -> str:
        """Whose run it is: the notice's DAG."""
        return self.run_path.split("/")[2]


class Line(Frozen):
    """One line of a mail: a due date of a dispatch, or a reminder of the register, for one recipient."""

    subject: str
    name_ja: str
    label_ja: str
    role: Role
    who_ja: str
    state_ja: str
    due_at: datetime
    due_ja: str
    sentence_ja: str
    why_ja: str
    advice_ja: str
    section_ja: str
    section: str
    link: str
    level: Level
    told: Told | None

    @property
    def text(self) -> str:
        """・【期限超過】7月6日（月）12:00　引渡し（情報システム運用）　納入通知書・普通徴収　2026-…-annual-01."""
        new = "【新】" if self.told else ""
        which = f"　{self.subject}" if self.subject != REGISTER else ""
        return f"・{new}【{self.state_ja}】{self.due_ja}　{self.label_ja}（{self.who_ja}）　{self.name_ja}{which}"


class Outgoing(Frozen):
    """A mail and what is to be entered as told once it is sent. `template`: which kind; `section`: whose dispatch."""

    mail: Mail
    told: tuple[Told, ...]
    template: str
    section: str


Keys = Collection[tuple[str, str, int, datetime]]
"""The keys of what was told before."""

TODAY, REGISTER = "today", "register"
"""The subjects of what belongs to no cycle: 今日の一枚, and reminders of the register."""


def mails_of_a_look(
    watched: Sequence[Watched],
    reminders: Sequence[Reminder],
    told: Keys,
    *,
    now: datetime,
    people: People,
    calendars: Calendars,
    post: Post,
) -> list[Outgoing]:
    """One mail an address: 今日の一枚 before noon, else the one thing that is new, else a digest of what is new.

    `told`: the keys of what the ledger says was told. Nothing new and no morning: nobody is written to.
    """
    new: dict[str, list[Line]] = {}
    today: dict[str, list[Line]] = {}
    copies: dict[str, list[Line]] = {}
    for one in watched:
        for due in one.dues:
            levels = to_tell(due, now, one.escalation, calendars)
            fresh = [each for each in levels if each.key not in told]
            for each in fresh:
                line = _line(due, one, post, each.to_role, each)
                new.setdefault(people.address(each.to_role, section=one.section), []).append(line)
            if due.who == "contractor" and one.party in people.copied_parties:
                copied = [each.copied for each in levels if each.level <= Level.OVERDUE]
                own_steps = [
                    _line(due, one, post, "section", each) for each in copied if each.key not in told
                ]
                copies.setdefault(one.party, []).extend(own_steps)
            if is_of_today(due, now):
                role: Role = "section" if due.who == "contractor" else due.who
                own = next((each for each in fresh if each.to_role == role), None)
                address = people.address(role, section=one.section)
                today.setdefault(address, []).append(_line(due, one, post, role, own))
    for reminder in reminders:
        if reminded := _reminded(reminder, told, now, post):
            new.setdefault(people.address(reminded.role, section=reminder.section), []).append(reminded)
    sent = []
    for address in sorted(new.keys() | today.keys()):
        lines = new.get(address, [])
        if outgoing := _today(address, lines, today.get(address, []), told, now=now, post=post):
            sent.append(outgoing)
        elif len(lines) == 1:
            sent.append(_single(address, lines[0], post))
        elif lines:
            sent.append(_digest(address, lines, now, post))
    return sent + [_copy(party, lines, people, post) for party, lines in sorted(copies.items()) if lines]


def is_of_today(due: Due, now: datetime) -> bool:
    """Late, or due today. What is only near was told when it came near, and comes again on its day."""
    return due.state == "red" or (due.state != "done" and due.firm and _day(due.due_at) <= _day(now))


def _line(due: Due, one: Watched, post: Post, role: Role, told: Told | None) -> Line:
    return Line(
        subject=due.subject,
        name_ja=one.name_ja,
        label_ja=due.label_ja,
        role=role,
        who_ja=due.who_ja,
        state_ja=due.state_ja if due.state != "open" else "本日",
        due_at=due.due_at,
        due_ja=said(due.due_at),
        sentence_ja=due.sentence_ja,
        why_ja=due.why_ja,
        advice_ja=due.advice_ja,
        section_ja=f"運用手順書の「{due.runbook_anchor}」の節",
        section=one.section,
        link=f"{post.base_url}{one.run_path}",
        level=told.level if told else Level.OVERDUE if due.state == "red" else Level.SOON,
        told=told,
    )


URGENT_JA = "至急"
"""How a reminder reads that is red although its day has not passed."""


def _reminded(reminder: Reminder, told: Keys, now: datetime, post: Post) -> Line | None:
    roles: dict[str, Role] = {name: role for role, name in ROLES_JA.items() if role != "contractor"}
    role: Role = roles.get(reminder.tell, "section")
    due_at = datetime.combine(reminder.due_on, time(17), clock.TOKYO)
    is_red, is_over = reminder.state == "red", reminder.is_over(now)
    mark = Told(
        subject=REGISTER,
        milestone=reminder.id,
        level=Level.OVERDUE if is_red and is_over else Level.SOON,
        to_role=role,
        due_at=due_at,
    )
    if mark.key in told:
        return None
    return Line(
        subject=REGISTER,
        name_ja=reminder.name_ja,
        label_ja=reminder.label_ja,
        role=role,
        who_ja=ROLES_JA[role],
        state_ja=(STATES_JA["red"] if is_over else URGENT_JA)
        if is_red
        else (PASSED_JA if is_over else STATES_JA["amber"]),
        due_at=due_at,
        due_ja=_said_with_year(reminder.due_on, now),
        sentence_ja=reminder.sentence_ja,
        why_ja=reminder.why_ja,
        advice_ja=reminder.advice_ja,
        section_ja=f"運用手順書の「{reminder.runbook_anchor}」の節",
        section=reminder.section,
        link=post.base_url,
        level=mark.level,
        told=mark,
    )


def _said_with_year(day: date, now: datetime) -> str:
    """The register looks a year ahead."""
    return f"{'' if day.year == _day(now).year else f'{day.year}年'}{said_day(day)}"


_TEMPLATES = {
    Level.SOON: "due_soon",
    Level.OVERDUE: "overdue",
    Level.CHIEF: "escalated",
    Level.DIRECTOR: "escalated",
}


def _single(address: str, line: Line, post: Post) -> Outgoing:
    facts = {
        "notice": line.name_ja,
        "cycle": line.subject,
        "milestone": line.label_ja,
        "state": line.state_ja,
        "who": line.who_ja,
        "role": ROLES_JA[line.role],
        "due": line.due_ja,
        "sentence": line.sentence_ja,
        "why": line.why_ja,
        "advice": line.advice_ja,
        "section": line.section_ja,
        "link": line.link,
    }
    told = _told_of([line])
    template = _TEMPLATES[line.level]
    mail = post.mail(template, address, facts, thread=line.subject, once=_keys(told))
    return Outgoing(mail=mail, told=told, template=template, section=line.section)


def _digest(address: str, lines: Sequence[Line], now: datetime, post: Post) -> Outgoing:
    told = _told_of(lines)
    mail = post.mail(
        "digest",
        address,
        {"moment": said(now), **_several(lines, post)},
        thread=_thread(lines),
        once=_keys(told),
    )
    return Outgoing(mail=mail, told=told, template="digest", section=lines[0].section)


def _today(
    address: str, new: Sequence[Line], today: Sequence[Line], told: Keys, *, now: datetime, post: Post
) -> Outgoing | None:
    """今日の一枚, once a morning, to whoever has something to do or to know."""
    known = {(line.subject, line.label_ja) for line in today}
    lines = [*today, *(line for line in new if (line.subject, line.label_ja) not in known)]
    if not lines:
        return None
    morning = datetime.combine(_day(now), LOOKS[0], clock.TOKYO)
    mark = Told(subject=TODAY, milestone=address, level=Level.SOON, to_role=lines[0].role, due_at=morning)
    if now.astimezone(clock.TOKYO).hour >= _NOON or mark.key in told:
        return None
    by_noon = [line for line in lines if line.due_at <= datetime.combine(_day(now), time(_NOON), clock.TOKYO)]
    facts = {"day": said_day(_day(now)), "by_noon": str(len(by_noon)), **_several(lines, post)}
    mail = post.mail(TODAY, address, facts, thread=f"{TODAY}-{_day(now):%Y-%m}", once=_keys([mark]))
    return Outgoing(mail=mail, told=(*_told_of(new), mark), template=TODAY, section=lines[0].section)


_NOON = 12


def _copy(party: str, lines: Sequence[Line], people: People, post: Post) -> Outgoing:
    """The contractor's own mail: only its own steps, no link into the ward's network."""
    listed = [
        f"・【{line.state_ja}】{line.due_ja}　{line.label_ja}　{line.name_ja}（{line.subject}）"
        for line in lines
    ]
    facts = {"count": str(len(lines)), "lines": "\n".join(listed), "link": ""}
    to = people.address("contractor", party=party)
    told = _told_of(lines)
    mail = post.mail("contractor_due", to, facts, thread=_thread(lines), once=_keys(told))
    return Outgoing(mail=mail, told=told, template="contractor_due", section=lines[0].section)


def _several(lines: Sequence[Line], post: Post) -> dict[str, str]:
    """Overdue first, then what is urgent, then by time; each once, with what to do."""
    loudest = [STATES_JA["red"], URGENT_JA]
    ordered = sorted(
        lines,
        key=lambda line: (
            loudest.index(line.state_ja) if line.state_ja in loudest else len(loudest),
            line.due_at,
            line.label_ja,
        ),
    )
    texts = list(dict.fromkeys(f"{line.text}\n　→ {line.advice_ja}" for line in ordered))
    roles = "・".join(dict.fromkeys(ROLES_JA[line.role] for line in ordered))
    links = {line.link for line in lines}
    return {
        "count": str(len(texts)),
        "role": roles,
        "lines": "\n".join(texts),
        "link": links.pop() if len(links) == 1 else f"{post.base_url}{TODAY_PAGE}",
    }


def _told_of(lines: Sequence[Line]) -> tuple[Told, ...]:
    return tuple(line.told for line in lines if line.told)


def _keys(told: Sequence[Told]) -> list[str]:
    return sorted(str(each.key) for each in told)


def _thread(lines: Sequence[Line]) -> str:
    subjects = sorted({line.subject for line in lines})
    return subjects[0] if len(subjects) == 1 else "digest"


def _day(now: datetime) -> date:
    return tokyo_date(now)


# ---- showing them


def sample_mail(config: Path, name: str, *, base_url: str = "http://localhost:8080") -> Mail:
    """A template filled with its own sample."""
    people = People.load(config)
    sample = {"link": f"{base_url}/dags/premium_notice_ordinary", **load_template(config, name).sample}
    post = Post(config=config, base_url=base_url, domain=people.domain, synthetic=False)
    return post.mail(name, sample.get("to", people.operator), sample, thread=sample.get("cycle", "ledger"))


def preview(config: Path, name: str) -> str:
    """A template filled with its own sample, as plain text with its headers."""
    mail = sample_mail(config, name)
    return f"宛先: {mail.to}\n件名: {mail.subject}\n\n{mail.text}\n"


def as_document(config: Path) -> str:
    """docs/mails.md: every mail with its sample facts."""
    names = sorted(path.stem for path in (config / "mail").glob("*.yaml"))
    parts = [_INTRODUCTION, *(f"## {name}\n\n```text\n{preview(config, name)}```\n" for name in names)]
    return "\n".join(parts)


_INTRODUCTION = """# 届くメール (mails)

`include/config/mail/` のひな形を、見本の値で埋めたものです。手で直さず、ひな形を直して作り直します。

```sh
python -m notice_cycle.alerts preview overdue
python -m notice_cycle.alerts document docs/mails.md
```

- 一つの発送回のメールは、メールソフトで一つのスレッドになります。
- 一回の見回りで一人に届くのは一通です。二つ以上あるときは「まとめ」（digest）、朝は「今日の一枚」（today）になります。
- 被保険者の氏名・番号はどのメールにも出ません。委託先への写しには、その委託先が出すものだけが載ります。
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Exit status 1 with a Japanese sentence when a template is wrong."""
    parser = argparse.ArgumentParser(prog="python -m notice_cycle.alerts", description="届くメールを見ます")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("preview", help="ひな形を見本の値で見る").add_argument("template")
    commands.add_parser("document", help="全部のメールを一つの文書に書く").add_argument("path", type=Path)
    given = parser.parse_args(arguments)
    config = Settings().config_folder
    try:
        if given.command == "document":
            given.path.write_text(as_document(config), encoding="utf-8")
        else:
            sys.stdout.write(preview(config, given.template))
    except NotConfigured as mistake:
        print(mistake)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
