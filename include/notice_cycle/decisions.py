"""やり直し and 取下げ: a person decides, with a reason code, that records no longer hold.

A decision supersedes the first record of a stage and all that follow it; nothing is deleted. What was handed
over stays the contractor's to erase, also when it was replaced: the erasure is judged over every package that
ever left. A dispatch that has left the ward is not withdrawn but brought to its proven end: given up after the
hand-over (引渡し後の取下げ), it goes on to the erasure of what left and to nothing else.
"""

from collections.abc import Sequence

from notice_cycle.errors import Refused
from notice_cycle.handover.route import packages_that_left
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    Decision,
    DecisionKind,
    DeliveryRecord,
    EncryptionRecord,
    HandoverRecalled,
    OpeningRecord,
    PackageBeyond,
    StagingWipeRecord,
)
from notice_cycle.stage import STAGES, Stage
from notice_cycle.values import Person

REASONS_JA = {
    "data_error": "データの誤り",
    "layout_fault": "様式・印字の不備",
    "package_fault": "パッケージの破損・開けない",
    "contractor_corrected": "委託先の訂正",
    "started_by_mistake": "誤って開始した",
    "drill": "訓練",
}
"""Reason codes of a decision; a reason is a code so that no one types a name."""

REDO_FROM = tuple(stage for stage in STAGES if stage.id not in {"opening", "closing"})


def redo(history: CycleHistory, stage_id: str, reason_code: str, by: Person) -> Decision:
    """やり直し from a stage on. Raises Refused when nothing stands there or it is too late."""
    stage = next((stage for stage in REDO_FROM if stage.id == stage_id), None)
    if history.recalled:
        raise Refused(
            "引渡し後に取り下げられた発送回は、やり直せません。",
            advice="消去の確認まで進め、作り直す通知は新しい発送回で行ってください。",
        )
    first = history.entry_of(stage.records[0]) if stage else None
    if stage is None or first is None:
        raise Refused(
            "指定した段階にはまだ有効な記録がありません。",
            advice="画面で最後に終わった段階を確認し、選び直してください。",
        )
    if history.find(DeliveryRecord) and _is_before_delivery(stage):
        raise Refused(
            "納品の照合が済んでいるため、それより前の段階はやり直せません。",
            advice="この発送回は消去の確認まで進め、作り直す通知は新しい発送回（随時・再作成）で行ってください。",
        )
    if history.find(StagingWipeRecord) and stage.id in {"validation", "composition", "encryption"}:
        raise Refused("中間データは消去済みです。", advice="やり直しの段階に「抽出」を選んでください。")
    return _decision(DecisionKind.REDO, first.digest, stage.id, reason_code, by)


def withdraw(
    history: CycleHistory, reason_code: str, by: Person, *, beyond: Sequence[PackageBeyond] = ()
) -> Decision:
    """取下げ of the whole dispatch, only before anything was handed over. Raises Refused.

    What lies `beyond` a restored ledger may have been handed over.
    """
    opening = history.entry_of(OpeningRecord)
    if opening is None:
        raise Refused("この発送回はすでに取り下げられています。", advice="することはありません。")
    if packages_that_left(history, list(beyond)):
        raise Refused(
            "引渡し済みの発送回は取り下げられません（委託先での消去を確かめる必要があります）。",
            advice="「引渡し後の取下げ」を選ぶか、やり直しで作り直してください。",
        )
    return _decision(DecisionKind.WITHDRAWN, opening.digest, "opening", reason_code, by)


def recall(
    history: CycleHistory, reason_code: str, by: Person, *, beyond: Sequence[PackageBeyond] = ()
) -> HandoverRecalled:
    """引渡し後の取下げ: what left is to be erased, and nothing else is still to be done. Raises Refused."""
    if reason_code not in REASONS_JA:
        raise Refused("理由コードが登録されたものではありません。", advice="一覧から選んでください。")
    left = packages_that_left(history, list(beyond))
    if history.withdrawn or history.recalled:
        raise Refused("この発送回はすでに取り下げられています。", advice="することはありません。")
    if not left:
        raise Refused("この発送回はまだ引き渡されていません。", advice="判断に「取下げ」を選んでください。")
    if history.find(DeliveryRecord):
        raise Refused(
            "納品の照合が済んでいるため、取り下げられません。",
            advice="納品されたものは差し出さずに保管し、この発送回は消去の確認まで進めてください。",
        )
    if history.find(EncryptionRecord) is None:
        raise Refused(
            "作り直しの途中のため、取り下げられません。",
            advice="暗号化まで進めてから取り下げてください。新しいパッケージは、引き渡す前に止まります。",
        )
    return HandoverRecalled(left=left, reason_code=reason_code, decided_by=by)


def _is_before_delivery(stage: Stage) -> bool:
    order = [each.id for each in STAGES]
    return order.index(stage.id) < order.index("delivery")


def _decision(decision: DecisionKind, supersedes: str, stage: str, reason_code: str, by: Person) -> Decision:
    if reason_code not in REASONS_JA:
        raise Refused("理由コードが登録されたものではありません。", advice="一覧から選んでください。")
    return Decision(
        decision=decision, supersedes=supersedes, stage=stage, reason_code=reason_code, decided_by=by
    )
