"""The register 登録簿: contracts, marks, rosters, places, machines, audits — the ledger folded as of any date.

It starts from include/config/register.yaml and changes only by facts in the ledger; there is no mutable table. It
knows the tiers 甲, 乙 and 丙 and no other, and no insured person.
"""

from notice_cycle.register.changing import Asked, change
from notice_cycle.register.entering import (
    due_reminders,
    enter,
    enter_exception,
    read_exceptions,
    read_register,
)
from notice_cycle.register.facts import GateExcepted, GatesJudged, RegisterChanged
from notice_cycle.register.folded import Held, Register
from notice_cycle.register.seed import load_seed

__all__ = [
    "Asked",
    "GateExcepted",
    "GatesJudged",
    "Held",
    "Register",
    "RegisterChanged",
    "change",
    "due_reminders",
    "enter",
    "enter_exception",
    "load_seed",
    "read_exceptions",
    "read_register",
]
