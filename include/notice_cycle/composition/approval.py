"""引渡し承認: another person than the confirming officer releases exactly these bytes for hand-over."""

from notice_cycle.composition.rules import CHARSETS_JA, EXCLUDED_JA
from notice_cycle.composition.totals import total_ja
from notice_cycle.errors import Refused
from notice_cycle.forms import REASON, Answer, Form, table
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    CompositionRecord,
    Decision,
    HandoverApprovalRecord,
    OpeningRecord,
    QuantitiesTold,
    ValidationConfirmationRecord,
)
from notice_cycle.validation.confirmation import SEND_BACK, sent_back

APPROVE = "承認する"


class HandoverApproval(Form):
    """The approver answers. Two-person rule: who confirmed the validation cannot approve."""

    id = "handover_approval"
    title_ja = "引渡し承認"
    role = "承認者"
    options = (APPROVE, SEND_BACK)
    fields = (REASON,)
    record = HandoverApprovalRecord

    def body(self, history: CycleHistory) -> str:
        """Quantities, total, digest and who confirmed."""
        composition = history.latest(CompositionRecord)
        confirmation = history.latest(ValidationConfirmationRecord)
        configuration = history.latest(OpeningRecord).configuration
        counted = composition.quantities
        labels = {total["item"]: total["label_ja"] for total in configuration["notice"]["totals"]}
        facts = [
            ("委託先", str(configuration["party"]["name_ja"])),
            ("人数・通知書", f"{counted.persons:,}人・{counted.notices:,}通"),
            ("封筒・用紙", f"{counted.envelopes:,}封・{counted.sheets:,}枚"),
            *_planned(history),
            *((f"{label}の合計", total_ja(composition, item)) for item, label in labels.items()),
            *_changes(composition),
            ("様式・文字集合", f"{composition.layout}・{CHARSETS_JA[composition.charset]}"),
            ("印字データの大きさ", f"{composition.print_file.size_bytes:,}バイト"),
            ("印字データの SHA-256", f"`{composition.print_file.sha256}`"),
            ("検証を確認した者", confirmation.confirmed_by.name),
        ]
        return "\n".join(
            [
                "承認すると、この印字データを暗号化し、委託先へ引き渡します。前年度との比較と規則ごとの結果は「報告書」、"
                "起案に付ける数量は「件数表」（報告書の上のリンク）にあります。",
                "",
                table(facts),
            ]
        )

    def judge(self, answer: Answer, history: CycleHistory) -> HandoverApprovalRecord | Decision:
        """Approves these bytes, or sends back to the extraction."""
        if answer.option == SEND_BACK:
            return sent_back(answer, history)
        confirmed_by = history.latest(ValidationConfirmationRecord).confirmed_by
        # Records of older cycles have the login as the name and a number as the id.
        if answer.by.user_id in {confirmed_by.user_id, confirmed_by.name}:
            raise Refused(
                "検証を確認した本人は承認できません（二人で確かめる決まりです）。",
                advice="別の承認者が回答してください。",
            )
        return HandoverApprovalRecord(
            approved_by=answer.by,
            approved_at=answer.at,
            print_file_sha256=history.latest(CompositionRecord).print_file.sha256,
        )


def _planned(history: CycleHistory) -> list[tuple[str, str]]:
    """What the contractor was told to prepare for, beside what it has become."""
    told = [fact for fact in history.facts(QuantitiesTold) if fact.stage == "予定数量"]
    return [
        (
            "予定数量（委託先に知らせた数）",
            f"{one.notices:,}通・{one.envelopes:,}封・{one.sheets:,}枚（{one.source_ja}）",
        )
        for one in told[-1:]
    ]


def _changes(composition: CompositionRecord) -> list[tuple[str, str]]:
    """What happened between extraction and print file. What a person must have looked at is told also when it is nought."""
    left_out = "、".join(
        f"{EXCLUDED_JA.get(reason, reason)} {n:,}人" for reason, n in composition.excluded.items()
    )
    replaced = "、".join(f"{code} {count:,}字" for code, count in composition.replaced_characters.items())
    told = [
        ("差分一覧で除いた人", left_out),
        ("差分一覧で送付先を直した人", f"{composition.corrected:,}人" if composition.corrected else ""),
        (
            "差分一覧のうち、この発送回にない番号",
            f"{composition.unknown_differences:,}件" if composition.unknown_differences else "",
        ),
        (
            "名寄せで人が見るべきもの",
            f"{composition.ambiguous:,}件"
            + ("（一覧を課のプリンタに印刷済み）" if composition.ambiguous else ""),
        ),
        ("取り決めた外字に置き換えた文字", replaced or "なし"),
        ("印字できない文字", "なし（一つでもあれば印字データは作られません）"),
    ]
    return [(label, value) for label, value in told if value]
