"""検証確認: the section reads the outcome of the validation and lets it pass or sends it back."""

from notice_cycle.catalogue import Configuration, ItemLabel
from notice_cycle.errors import Refused
from notice_cycle.forms import REASON, SENT_BACK_REASONS, Answer, Form, table, tokyo
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    Decision,
    DecisionKind,
    ExtractionRecord,
    OpeningRecord,
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
        configuration = Configuration.model_validate(history.latest(OpeningRecord).configuration)
        labels = configuration.labels
        found = [rule for rule in validation.rules if rule.broken]
        found.sort(key=lambda rule: (rule.holds, rule.severity != "error"))
        facts = [
            ("基準日時", tokyo(extraction.as_of)),
            ("対象者", f"{extraction.rows:,}人（基幹系の統制票と一致）"),
            *(
                (f"{total.label_ja}の合計", f"{extraction.totals[total.item].label_ja}（統制票と一致）")
                for total in configuration.notice.totals
            ),
            *(
                (f"{labels[item].label_ja}別", counted(validation.counts.get(item), labels[item]))
                for item in configuration.notice.distributions
            ),
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


HIDDEN = "10人未満のため非表示"


def counted(values: dict[str, int] | None, label: ItemLabel) -> str:
    """Persons by value in one line."""
    return (
        "、".join(
            f"{label.of(value)} {persons:,}人"
            for value, persons in sorted((values or {}).items(), key=lambda told: label.place(told[0]))
        )
        or HIDDEN
    )
