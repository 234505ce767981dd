"""Where the data are now: every copy by place, party, carrier and digest, folded from a cycle's ledger entries.

`copies_of` reads records and facts, superseded ones too: a copy that was handed over is there whatever was decided
since. What a party says beside its receipts (declared copies, transfers, destroyed paper) becomes a fact when it is
judged (`judge_reply`), so that the ledger alone tells the whole.
"""

from notice_cycle.copies.facts import (
    CopiesDeclared,
    CopyKeepingAsked,
    CopyKeptAsInstructed,
    CopyTransferred,
    CopyViolation,
    HandlerViolation,
    PapersDestroyed,
)
from notice_cycle.copies.folded import Copy, Erased, copies_of
from notice_cycle.copies.judging import judge_reply
from notice_cycle.copies.told import told_facts
from notice_cycle.copies.violations import find_violations, known_places

__all__ = [
    "CopiesDeclared",
    "Copy",
    "CopyKeepingAsked",
    "CopyKeptAsInstructed",
    "CopyTransferred",
    "CopyViolation",
    "Erased",
    "HandlerViolation",
    "PapersDestroyed",
    "copies_of",
    "find_violations",
    "judge_reply",
    "known_places",
    "told_facts",
]
