"""What the tests of the checks share: facts of an invented year, rules, and batches from plain rows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from tests.builders import CONFIG

from notice_cycle.catalogue import Expectation
from notice_cycle.premiums import PremiumTable, load_premiums
from notice_cycle.validation.facts import Circumstances, Facts
from notice_cycle.validation.validate import Examined, examine

TEXT, WHOLE, DAY, FLAG = pa.string(), pa.int64(), pa.date32(), pa.bool_()
MOMENT = pa.timestamp("us", "UTC")
TABLE: PremiumTable = load_premiums(CONFIG / "premiums", 2026)
DUE_ON = tuple(
    date.fromisoformat(day)
    for day in [
        "2026-07-31",
        "2026-08-31",
        "2026-09-30",
        "2026-11-02",
        "2026-11-30",
        "2027-01-04",
        "2027-02-01",
        "2027-03-01",
        "2027-03-31",
    ]
)
AS_OF = datetime(2026, 6, 30, 9, 0, tzinfo=UTC)  # 18:00 in Tokyo

Row = Sequence[Any]


def facts(items: Sequence[str] = (), **changes: Any) -> Facts:
    """The facts of July 2026; control totals, population and last year by keyword."""
    told = {"as_of": AS_OF, "persons": 0, "amounts": {}} | {
        name: changes.pop(name) for name in Circumstances.model_fields if name in changes
    }
    siblings = np.array(changes.pop("siblings", ()), dtype=np.int64)
    known: dict[str, Any] = {"premiums": TABLE, "due_on": DUE_ON, "items": tuple(items), "siblings": siblings}
    return Facts(**(known | changes), circumstances=Circumstances(**told))


def a_rule(
    check: str, rule: str = "X01", tolerance: int = 0, tolerance_percent: int | None = None, **arguments: Any
) -> Expectation:
    """A rule that names a check."""
    return Expectation(
        rule=rule,
        sentence_ja="見本の規則",
        severity="error",
        requirement="R5",
        check=check,
        arguments=arguments,
        tolerance=tolerance,
        tolerance_percent=tolerance_percent,
    )


def a_batch(schema: Mapping[str, pa.DataType], rows: Sequence[Row]) -> pa.RecordBatch:
    """Rows as they are staged."""
    arrays = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(schema.values())]
    return pa.record_batch(arrays, names=list(schema))


def examined(
    rule: Expectation,
    schema: Mapping[str, pa.DataType],
    rows: Sequence[Row],
    *,
    known: Facts | None = None,
    batch_rows: int = 1000,
) -> Examined:
    """One rule over rows, cut into batches."""
    table = pa.Table.from_batches([a_batch(schema, rows)])
    return examine(table.to_batches(batch_rows), [rule], known or facts(tuple(schema)))


def broken(
    check: str,
    schema: Mapping[str, pa.DataType],
    rows: Sequence[Row],
    arguments: Mapping[str, Any],
    **how: Any,
) -> list[int]:
    """The numbers of the rows that break a check."""
    return examined(a_rule(check, **arguments), schema, rows, **how).row_numbers.get("X01", [])
