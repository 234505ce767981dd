"""What is kept of the messages that no stage waits for, once they were judged; no personal data of insured persons."""

from datetime import datetime
from typing import Literal

from notice_cycle.exchange.messages import Carrier, DeclaredCopy, DestroyedPaper
from notice_cycle.records import Fact
from notice_cycle.values import Digest, Frozen


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


class CopyViolation(Fact):
    """A copy against what was agreed: not declared, on a carrier not allowed, at a place or a PC nobody designated.

    `computer`: a print log names it, so the data were there; which of the party's files, it does not say.
    """

    label_ja = "控えの違反"
    against: Literal["undeclared", "carrier", "place", "computer"]
    party: str
    carrier: Carrier
    place: str
    file_sha256: Digest | None
