"""The differential list 差分一覧: who died or moved out is left out, a changed 送付先 is corrected, each counted.

It arrives between extraction and approval; what arrives after the composition sends back before anything is
encrypted. A correction must be complete; a notice with a corrected addressee
goes in an envelope of its own, because the new addressee is registered under no recipient id yet. Refuses
incomplete corrections, unknown reasons, and two different entries of the same moment. Holds personal data.
"""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.composition.columns import digits_of
from notice_cycle.errors import Conflict, Refused
from notice_cycle.records import CompositionRecord, HandoverApprovalRecord

EXCLUDING = ("death", "moved_out")
CORRECTING = "recipient_changed"
_CORRECTED = ("recipient_kind", "postcode", "address", "address_detail", "recipient_name", "recipient_suffix")
_NEEDED = ("address", "recipient_name")
_BLANKS = " 　"


class Differences:
    """The list, one entry a notice: the latest. What it did is counted in `excluded` and `corrected`."""

    def __init__(self, listed: pa.Table | dict[str, Any] | None) -> None:
        """`listed`: the columns notice_no, reason, noted_at and the addressee's. Raises Refused or Conflict."""
        self.excluded: Counter[str] = Counter()
        self.corrected = 0
        self.read: int | None = listed.num_rows if isinstance(listed, pa.Table) else None
        entries = (listed if isinstance(listed, pa.Table) else pa.table(listed or {})).to_pylist()
        _refuse_unknown_reasons(entries)
        latest = _latest(entries)
        self._excluding = {
            no: entry["reason"] for no, entry in latest.items() if entry["reason"] in EXCLUDING
        }
        self._correcting = {no: entry for no, entry in latest.items() if entry["reason"] == CORRECTING}
        _refuse_incomplete(list(self._correcting.values()))

    @property
    def unknown(self) -> int:
        """How many notices on the list were among none of the rows given to `applied`."""
        return len(self._excluding) + len(self._correcting) - self.excluded.total() - self.corrected

    def applied(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows without the excluded ones, and with the corrected addressees."""
        if not (self._excluding or self._correcting):
            return rows
        rows = self._without_excluded(rows)
        known = pa.array(self._correcting, pa.string())
        place = pc.index_in(rows["notice_no"], known)
        mask = pc.is_valid(place)
        if count := pc.sum(mask).as_py():
            self.corrected += count
            entries = [self._correcting[known[row].as_py()] for row in pc.drop_null(place).to_pylist()]
            for item in [name for name in _CORRECTED if name in rows.schema.names]:
                told = pa.array([entry[item] or "" for entry in entries], pa.string())
                rows = _with_column(rows, item, pc.replace_with_mask(rows[item], mask, told))
            for item, value in (("recipient_id", None), ("share_envelope", False)):
                if item in rows.schema.names:
                    rows = _with_column(
                        rows, item, pc.if_else(mask, pa.scalar(value, rows[item].type), rows[item])
                    )
        return rows

    def _without_excluded(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        leaves = pc.is_in(rows["notice_no"], pa.array(self._excluding, pa.string()))
        gone = rows["notice_no"].filter(leaves).to_pylist()
        self.excluded.update(self._excluding[notice_no] for notice_no in gone)
        return rows.filter(pc.invert(leaves)) if gone else rows


def refuse_late_entries(
    listed: pa.Table | None, composition: CompositionRecord, approval: HandoverApprovalRecord
) -> None:
    """Raises Refused when the list has grown since the composition by what was noted before the approval."""
    if listed is None or composition.differences_read is None:
        return
    after = sum(noted_at > approval.approved_at for noted_at in listed["noted_at"].to_pylist())
    if (late := listed.num_rows - composition.differences_read - after) > 0:
        raise Refused(
            f"印字データを作った後、引渡し承認の前に、差分一覧に{late}件が加わっています。",
            advice="暗号化せずに止めました。「やり直し」（段階は印字データ作成）を記録し、作り直したものの承認を受けてください。",
        )


def _latest(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    latest: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda entry: entry["noted_at"]):
        latest[entry["notice_no"]] = entry
    twice = [
        e for e in entries if e["noted_at"] == (last := latest[e["notice_no"]])["noted_at"] and e != last
    ]
    if twice:
        raise Conflict(
            f"差分一覧に、同じ通知書について同じ時刻の異なる届けがあります（{len(twice)}件）。",
            advice="どちらが正しいかを担当課で確認し、基幹系の差分一覧を直してから、印字データの作成を再実行してください。",
        )
    return latest


def _refuse_unknown_reasons(entries: list[dict[str, Any]]) -> None:
    if odd := sum(entry["reason"] not in (*EXCLUDING, CORRECTING) for entry in entries):
        raise Refused(
            f"差分一覧に、死亡・転出・送付先変更のどれでもない理由があります（{odd}件）。",
            advice="基幹系の差分一覧の理由を担当課で確認し、直してから、印字データの作成を再実行してください。",
        )


def _refuse_incomplete(entries: list[dict[str, Any]]) -> None:
    _, right = digits_of(pa.array([entry["postcode"] for entry in entries], pa.string()), 7)
    full = np.array(
        [all((entry[item] or "").strip(_BLANKS) for item in _NEEDED) for entry in entries], dtype=bool
    )
    if odd := int((~(right & full)).sum()):
        raise Refused(
            f"差分一覧の新しい送付先に、郵便番号・住所・氏名の不備があります（{odd}件）。",
            advice="基幹系の送付先を担当課で直してから、印字データの作成を再実行してください。",
        )


def _with_column(rows: pa.RecordBatch, item: str, column: Any) -> pa.RecordBatch:
    return rows.set_column(rows.schema.names.index(item), item, column)
