"""The checks a suite may name: functions over one batch, and tallies over the whole of the rows.

A row check takes rows, facts and the arguments of its rule, and gives one flag a row: true keeps the rule.
A whole check sees batch after batch and tells at the end what it found. Both are named by their name in
`notice_cycle.validation.registry`, where their arguments stand. No check raises on bad data.
"""

from collections.abc import Callable
from typing import TypeAlias

from notice_cycle.validation.checks import (
    addressees,
    amounts,
    characters,
    days,
    formats,
    payments,
    whole,
)
from notice_cycle.validation.rows import Kept

RowCheck: TypeAlias = Callable[..., Kept]

ROW_CHECKS: dict[str, RowCheck] = {
    function.__name__: function
    for module in (formats, amounts, days, addressees, payments, characters)
    for function in module.CHECKS
}
WHOLE_CHECKS = whole.CHECKS
