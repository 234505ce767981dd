"""What a form is: the facts an officer needs to decide, the choices, and how an answer becomes a record.

A form has no default and no time-out. `judge` either returns the record to keep, or a decision (差戻し), or
raises Refused, and then the form asks again with the reason. Forms ask about staff, handlers, times and
quantities, never about insured persons: the web UI's audit log keeps every answer in clear.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from notice_cycle import clock
from notice_cycle.errors import Refused
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import Decision, Fact, Record
from notice_cycle.values import Frozen, Person

if TYPE_CHECKING:
    from notice_cycle.confirmations import Staff


class Field(Frozen):
    """One thing to fill in. `choices` makes it a selection, `moment` a date and time in Tokyo."""

    key: str
    title_ja: str
    help_ja: str = ""
    choices: tuple[str, ...] = ()
    moment: bool = False
    required: bool = True


class Answer(Frozen):
    """What an officer sent: the option chosen, the fields as text, and who it was."""

    option: str
    fields: dict[str, str | None]
    by: Person
    at: datetime

    def text(self, field: Field) -> str:
        """A field's text, trimmed. Raises Refused when it is required and empty."""
        value = str(self.fields.get(field.key) or "").strip()
        if field.required and not value:
            raise Refused(
                f"「{field.title_ja}」が入力されていません。", advice="入力してもう一度送信してください。"
            )
        if value and field.choices and value not in field.choices:
            raise Refused(
                f"「{field.title_ja}」は {'・'.join(field.choices)} から選んでください。",
                advice="選び直してください。",
            )
        return value

    def moment(self, field: Field) -> datetime:
        """A date and time, read as Tokyo time unless it says otherwise. Raises Refused, also for the future."""
        try:
            given = datetime.fromisoformat(self.text(field).replace("/", "-"))
        except ValueError:
            raise Refused(
                f"「{field.title_ja}」が日時として読めません。",
                advice="2026-07-01 15:00 のように入力してください。",
            ) from None
        aware = given if given.tzinfo else given.replace(tzinfo=clock.TOKYO)
        if aware > self.at:
            raise Refused(
                f"「{field.title_ja}」が未来の日時です。", advice="実際に行った日時を入力してください。"
            )
        return aware

    def count(self, field: Field) -> int:
        """A whole number. Raises Refused."""
        text = self.text(field).replace(",", "").replace("，", "")
        if not text.isdecimal():
            raise Refused(
                f"「{field.title_ja}」は数字で入力してください。", advice="件数を整数で入力してください。"
            )
        return int(text)


class Form(ABC):
    """One form of the process; each stage that needs a person has one."""

    id: ClassVar[str]
    title_ja: ClassVar[str]
    role: ClassVar[str]
    options: ClassVar[tuple[str, ...]]
    fields: ClassVar[tuple[Field, ...]] = ()
    record: ClassVar[type[Record] | None] = None
    """What a valid answer becomes in the chain; None for a form that leaves facts beside it."""

    @abstractmethod
    def body(self, history: CycleHistory) -> str:
        """The facts needed to decide, as Markdown."""

    @abstractmethod
    def judge(self, answer: Answer, history: CycleHistory) -> Record | Decision | tuple[Fact, ...]:
        """The record or facts to keep, or the decision to send back. Raises Refused when the answer cannot stand."""

    def standing(self, history: CycleHistory) -> Entry | None:
        """The entry that shows that the form is answered; None while it is to be asked."""
        return history.entry_of(self.record) if self.record else None

    def compare(self, kept: Record | tuple[Fact, ...], history: CycleHistory, staff: "Staff") -> None:
        """Compares who a record or the facts to keep name with the register. Raises Differs or Refused."""
        return  # most forms name nobody

    def applies(self, history: CycleHistory) -> bool:
        """Whether this dispatch asks for the form at all."""
        return True

    def carried(self, earlier: Sequence[Entry], history: CycleHistory) -> Record | None:
        """A record that stands without asking, found among the `earlier` records of its kind in other cycles."""
        return None

    def asked_in(
        self, openings: Sequence[Entry], history_of: Callable[[str], CycleHistory], history: CycleHistory
    ) -> str | None:
        """The other cycle that asks the very same, whose answer this one will carry over; None: this one asks."""
        return None


SENT_BACK_REASONS = {
    "R1 データ誤り": "data_error",
    "R2 件数・金額の不一致": "quantity_mismatch",
    "R3 対象者の誤り": "wrong_population",
    "R4 様式・印字の不備": "layout_fault",
    "R5 時期の変更": "rescheduled",
}
"""Reason codes of a 差戻し as an officer chooses them; reasons are codes so that no one types a name."""

REASON = Field(
    key="reason",
    title_ja="差戻しの理由（差戻しのときだけ）",
    choices=tuple(SENT_BACK_REASONS),
    required=False,
)


def table(rows: Sequence[tuple[str, str]], headings: tuple[str, str] = ("項目", "内容")) -> str:
    """A Markdown table of two columns."""
    lines = [
        f"| {headings[0]} | {headings[1]} |",
        "|---|---|",
        *(f"| {left} | {right} |" for left, right in rows),
    ]
    return "\n".join(lines)


def plain(text: str) -> str:
    """A contractor's words for a form: whatever Markdown or HTML would make of them is taken out."""
    return "".join(" " if character in "|*_`<>[]()#!~\\" else character for character in text)


def tokyo(moment: datetime) -> str:
    """2026-07-01 09:00 as read in Tokyo."""
    return moment.astimezone(clock.TOKYO).strftime("%Y-%m-%d %H:%M")
