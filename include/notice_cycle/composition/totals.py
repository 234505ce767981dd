"""How an amount of the print file reads on forms and papers."""

from notice_cycle.records import SMALL_CYCLE, CompositionRecord


def total_ja(composition: CompositionRecord, item: str) -> str:
    """The amount; where it is hidden for the few whom the differential list left out, it says so.

    Beside the extraction's amount it would tell theirs.
    """
    total = composition.totals[item]
    if total.yen is None and composition.quantities.persons >= SMALL_CYCLE:
        return "非表示（差分一覧で除いた人が10人未満）"
    return total.label_ja
