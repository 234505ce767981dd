"""What is kept of the messages that no stage waits for, once they were judged; no personal data of insured persons."""

from datetime import date, datetime
from typing import Literal

from notice_cycle.exchange.messages import Carrier, DeclaredCopy, DestroyedPaper
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import Fact
from notice_cycle.values import Digest, Frozen, Person


class ToldBy(Frozen):
    """Whose message it was, and which."""

    party: str
    message_sha256: Digest


class CopiesDeclared(ToldBy, Fact):
    """控えの届出: where a party says that it holds the data."""

    label_ja = "控えの届出の記録"
    copies: tuple[DeclaredCopy, ...]
    declared_at: datetime
    declared_by: str


class CopyTransferred(ToldBy, Fact):
    """移送記録: a file or printed matter went from the party that tells to another."""

    label_ja = "移送の記録"
    to: str
    carrier: Carrier
    file_sha256: Digest
    sheets: int
    encrypted: bool
    means: str
    giver: str
    taker: str
    handed_at: datetime


class PapersDestroyed(ToldBy, Fact):
    """廃棄証明書: spoiled, test, pulled and replaced paper was destroyed."""

    label_ja = "損紙等の廃棄の記録"
    certificate_number: str
    papers: tuple[DestroyedPaper, ...]
    certified_at: datetime
    responsible_person: str


Keepable = Literal["opened", "package", "paper"]
"""What may be kept as instructed: the opened print data, the encrypted package, or paper that is to be destroyed."""


class CopyKeepingAsked(Fact):
    """指示による保管の案: what a party is to keep until when, and under which paper; holds once it is approved."""

    label_ja = "指示による保管の案"
    keeping: int
    party: str
    what: Keepable
    until: date
    reason_code: str
    note_number: str
    asked_by: Person
    asked_at: datetime


class CopyKeptAsInstructed(Fact):
    """指示による保管: the approved instruction; of one party and thing the last holds. The erasure is due on `until`."""

    label_ja = "指示による保管"
    keeping: int
    party: str
    what: Keepable
    until: date
    reason_code: str
    note_number: str
    asked_by: Person
    decided_by: Person
    decided_at: datetime


def kept_as_instructed(history: CycleHistory) -> dict[tuple[str, Keepable], CopyKeptAsInstructed]:
    """The instruction that holds, by party and thing."""
    return {(one.party, one.what): one for one in history.facts(CopyKeptAsInstructed)}


def kept_until(history: CycleHistory, *, data_only: bool) -> date | None:
    """The last day until which anything (or only data) is to be kept; None without an instruction."""
    days = [one.until for one in kept_as_instructed(history).values() if not data_only or one.what != "paper"]
    return max(days, default=None)


class CopyViolation(Fact):
    """A copy against what was agreed: not declared, on a carrier not allowed, at a place or a PC nobody designated.

    `computer`: a print log names it, so the data were there; which of the party's files, it does not say.
    `kept`: erased or destroyed before the day up to which the ward had instructed the party to keep it.
    """

    label_ja = "控えの違反"
    against: Literal["undeclared", "carrier", "place", "computer", "kept"]
    party: str
    carrier: Carrier
    place: str
    file_sha256: Digest | None


class HandlerViolation(Fact):
    """取扱者の違反: whom a message or paper names was on no roster of that day, as the register stood when it was told.

    The name stands in the record or the message, not here. A roster entered later opens the gate and stays beside it.
    """

    label_ja = "取扱者の違反"
    party: str
    on_ja: str
    day: date
