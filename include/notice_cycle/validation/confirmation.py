"""検証確認: the section reads the outcome of the validation and lets it pass or sends it back."""

from notice_cycle.errors import Refused
from notice_cycle.forms import REASON, SENT_BACK_REASONS, Answer, Form, table, tokyo
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    Decision,
    DecisionKind,
    ExtractionRecord,
    ValidationConfirmationRecord,
    ValidationRecord,
)

PASS, SEND_BACK = "確認した", "差戻し"


class ValidationConfirmation(Form):
    """The section's officer answers; findings of severity error cannot be passed."""

    id = "validation_confirmation"
    title_ja = "検証確認"
    role = "担当"
    options = (PASS, SEND_BACK)
    fields = (REASON,)
    record = ValidationConfirmationRecord

    def body(self, history: CycleHistory) -> str:
        """Quantities, distribution and every rule that found something."""
        extraction, validation = history.latest(ExtractionRecord), history.latest(ValidationRecord)
        found = [rule for rule in validation.rules if rule.broken]
        facts = [
            ("基準日時", tokyo(extraction.as_of)),
            ("対象者", f"{extraction.rows:,}人（基幹系の統制票と一致）"),
            ("普通徴収額の合計", f"{extraction.ordinary_total.label_ja}（統制票と一致）"),
            ("徴収方法別", _by_method(validation)),
            ("所得段階別", _by_stage(validation)),
            (
                "規則",
                f"{len(validation.rules)}件を判定、該当あり {len(found)}件、うちエラー {validation.errors}件",
            ),
        ]
        lines = ["件数と検証の結果を確認し、通すか差し戻すかを選んでください。", "", table(facts)]
        if found:
            rows = [
                (
                    f"{rule.rule} {'エラー' if rule.severity == 'error' else '注意'}",
                    f"{rule.sentence_ja}: {rule.broken:,}件",
                )
                for rule in found
            ]
            lines += ["", "該当のあった規則", "", table(rows, ("規則", "該当"))]
        return "\n".join(lines)

    def judge(self, answer: Answer, history: CycleHistory) -> ValidationConfirmationRecord | Decision:
        """Passes a validation without errors; a 差戻し supersedes the extraction."""
        if answer.option == SEND_BACK:
            return sent_back(answer, history)
        if errors := history.latest(ValidationRecord).errors:
            raise Refused(
                f"エラーの規則が{errors}件あるため、確認済みにはできません。",
                advice="差戻しを選び、基幹系のデータを直してから抽出をやり直してください。",
            )
        return ValidationConfirmationRecord(confirmed_by=answer.by, confirmed_at=answer.at)


def sent_back(answer: Answer, history: CycleHistory) -> Decision:
    """差戻し to the extraction, with a reason code. Raises Refused without one."""
    reason = answer.text(REASON.model_copy(update={"required": True}))
    extraction = history.entry_of(ExtractionRecord)
    if extraction is None:
        raise Refused(
            "抽出の記録が有効ではありません。", advice="すでに差し戻されています。画面を読み直してください。"
        )
    return Decision(
        decision=DecisionKind.SENT_BACK,
        supersedes=extraction.digest,
        stage="extraction",
        reason_code=SENT_BACK_REASONS[reason],
        decided_by=answer.by,
    )


_METHODS = {"ordinary": "普通徴収", "mixed": "併用徴収"}
_HIDDEN = "10人未満のため非表示"


def _by_method(validation: ValidationRecord) -> str:
    counted = validation.persons_by_method
    return (
        "、".join(f"{label} {counted.get(m, 0):,}人" for m, label in _METHODS.items()) if counted else _HIDDEN
    )


def _by_stage(validation: ValidationRecord) -> str:
    counted = sorted((int(stage), persons) for stage, persons in validation.persons_by_stage.items())
    return "、".join(f"第{stage}段階 {persons:,}" for stage, persons in counted) or _HIDDEN
