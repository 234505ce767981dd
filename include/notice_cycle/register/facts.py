"""What the register and the gates leave in the ledger: facts of no cycle, or beside a cycle's chain."""

from datetime import date, datetime
from typing import Any, Literal, Self

from pydantic import model_validator

from notice_cycle.records import Fact
from notice_cycle.register.kinds import KINDS
from notice_cycle.values import Person


class RegisterChanged(Fact):
    """登録簿の変更: an entry added, amended from a day on, or ended with a day. Of no cycle."""

    label_ja = "登録簿の変更"
    entry_kind: str
    key: str
    action: Literal["add", "amend", "end"]
    valid_from: date | None
    valid_until: date | None
    content: dict[str, Any]
    reason_code: str
    filed_as: str
    entered_by: Person
    entered_at: datetime

    @model_validator(mode="after")
    def _content_is_of_its_kind(self) -> Self:
        if self.action == "end":
            if self.content or self.valid_until is None:
                raise ValueError("an end has a last day and no content")
            return self
        if self.valid_from is None:
            raise ValueError("an entry has a first day")
        KINDS[self.entry_kind].model_validate(self.content)
        return self


class GateExcepted(Fact):
    """関門の例外: the head of section lets a closed gate pass, for a cycle or a party, until a day.

    `sections`: on whose dispatches it has an effect, those of who decided; empty: on all.
    """

    label_ja = "関門の例外"
    gate: str
    scope: Literal["cycle", "party"]
    of: str
    reason_code: str
    note_number: str
    until: date
    decided_by: Person
    decided_at: datetime
    sections: tuple[str, ...] = ()

    def covers(self, *, cycle: str, party: str, section: str) -> bool:
        """Whether it is for a dispatch, or for a party in the dispatches of a section."""
        return self.of in {cycle, party} and (not self.sections or section in self.sections)


class GatesJudged(Fact):
    """関門の判定: how the gates before a stage stood, by id and party; `register_sha256` says by which register."""

    label_ja = "関門の判定"
    stage: str
    judged_on: date
    register_sha256: str
    opened: tuple[str, ...]
    warned: tuple[str, ...]
    excepted: tuple[str, ...]
    closed: tuple[str, ...]
