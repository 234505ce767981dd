"""データの所在: the copies of a cycle as one table for the ward's officers; what is still there stands first."""

from collections.abc import Mapping, Sequence

from notice_cycle.catalogue import Configuration
from notice_cycle.copies.folded import WARD, Copy
from notice_cycle.forms import tokyo
from notice_cycle.values import Frozen

HEADINGS = ("今", "だれが", "どこに", "媒体", "何を", "いつから", "どうなったか", "証跡")
STILL_THERE, GONE = "ある", "ない"
_NOT_TOLD = "届出を待っています"
_DIGEST_SHOWN = 12


class Row(Frozen):
    """One copy as it is shown, a cell for each heading."""

    is_open: bool
    cells: tuple[str, ...]


def rows_of(copies: Sequence[Copy], names: Mapping[str, str]) -> list[Row]:
    """Open copies first, the contractors' before the ward's; `names` by party."""
    ordered = sorted(copies, key=lambda copy: (not copy.is_open, copy.party == WARD, copy.since))
    return [Row(is_open=copy.is_open, cells=_cells(copy, names)) for copy in ordered]


def names_of(configuration: Configuration) -> dict[str, str]:
    """How the table calls the ward, the contractor and its subcontractors."""
    contractor = {configuration.party.id: f"{configuration.party.name_ja}（乙）"}
    subs = {sub.id: f"{sub.name_ja}（丙）" for sub in configuration.subcontractors}
    return {WARD: f"{configuration.ward}（甲）", **contractor, **subs}


def summary_ja(copies: Sequence[Copy]) -> str:
    """One sentence above the table."""
    outside = sum(copy.is_open and copy.party != WARD and copy.holds_data for copy in copies)
    inside = sum(copy.is_open and copy.party == WARD and copy.holds_data for copy in copies)
    if not copies:
        return "まだ何も抽出していません。"
    if not outside and not inside:
        return "この発送回のデータは、記録の上では、どこにもありません。"
    return f"今ある控えは、委託先に{outside}件、区に{inside}件です。"


def _cells(copy: Copy, names: Mapping[str, str]) -> tuple[str, ...]:
    return (
        STILL_THERE if copy.is_open else GONE,
        names.get(copy.party, copy.party),
        copy.place or ("—" if copy.carrier == "紙" else _NOT_TOLD),
        copy.carrier,
        _what(copy),
        tokyo(copy.since),
        _became(copy),
        f"第{copy.evidence}号" + (f"・第{copy.end_evidence}号" if copy.end_evidence else ""),
    )


def _what(copy: Copy) -> str:
    count = "" if copy.quantity is None else f"　{copy.quantity:,}{'枚' if copy.holds_data else '部'}"
    digest = f"（{copy.sha256[:_DIGEST_SHOWN]}…）" if copy.sha256 and copy.carrier != "紙" else ""
    undeclared = "" if copy.declared else "　届け出がありません"
    return f"{copy.what}{count}{digest}{undeclared}"


def _became(copy: Copy) -> str:
    if copy.is_open and copy.kept_until:
        return f"指示による保管（{copy.kept_until} まで）"
    if copy.is_open or copy.ended_at is None:
        return ""
    to = f"（{copy.to}へ）" if copy.to and copy.became != "消去" else ""
    return f"{copy.became}{to} {tokyo(copy.ended_at)}"
