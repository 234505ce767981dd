"""消去確認: a certificate alone does not close the cycle; the ward confirms the erasure (別紙1 第15項, R82)."""

from typing import Any, cast

from notice_cycle.errors import Refused
from notice_cycle.forms import Answer, Field, Form, plain, table, tokyo
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import ErasureConfirmationRecord, ErasureRecord

METHOD = Field(key="method", title_ja="確認の方法", choices=("立入り", "ビデオ通話", "写真", "書面"))
CONFIRMED_AT = Field(key="confirmed_at", title_ja="確認した日時", help_ja="例 2026-07-20 10:00", moment=True)
NOTE_NUMBER = Field(
    key="note_number", title_ja="確認記録の文書番号", help_ja="保管先の文書番号（例 26介保第120号）"
)


class ErasureConfirmation(Form):
    """How, when and under which filed note the ward confirmed that its data are gone."""

    id = "erasure_confirmation"
    title_ja = "消去確認"
    role = "担当"
    options = ("消去を確認した",)
    fields = (METHOD, CONFIRMED_AT, NOTE_NUMBER)
    record = ErasureConfirmationRecord

    def body(self, history: CycleHistory) -> str:
        """What the contractor certified."""
        erasure = history.latest(ErasureRecord)
        facts = [
            ("消去証明書", plain(erasure.certificate_number)),
            ("消去した控え", f"{erasure.copies_erased:,}か所"),
            ("件数", f"{erasure.notices:,}件（引渡しと一致）"),
            ("最後の消去", tokyo(erasure.erased_at)),
        ]
        return "\n".join(
            ["証明書だけでは完了しません。消去の状況を区が確認し、記入してください。", "", table(facts)]
        )

    def judge(self, answer: Answer, history: CycleHistory) -> ErasureConfirmationRecord:
        """Keeps who confirmed, how and when: not before the last copy was erased."""
        confirmed_at = answer.moment(CONFIRMED_AT)
        if confirmed_at < history.latest(ErasureRecord).erased_at.replace(second=0, microsecond=0):
            raise Refused(
                "確認した日時が、委託先の消去より前です。",
                advice="消去の後に確認し、その日時を入力してください。",
            )
        return ErasureConfirmationRecord(
            method=cast(Any, answer.text(METHOD)),
            confirmed_on=tokyo(confirmed_at),
            note_number=answer.text(NOTE_NUMBER),
            entered_by=answer.by,
            entered_at=answer.at,
        )
