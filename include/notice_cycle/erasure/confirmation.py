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
SUB_BY = Field(
    key="subcontractor_confirmed_by",
    title_ja="再委託先（丙）の消去を確かめた委託先（乙）の者",
    help_ja="丙にデータを渡したときだけ。取扱者名簿にある者の氏名",
    required=False,
)
SUB_AT = Field(
    key="subcontractor_confirmed_at",
    title_ja="乙が丙の消去を確かめた日時",
    help_ja="丙にデータを渡したときだけ。例 2026-07-20 10:00",
    moment=True,
    required=False,
)


class ErasureConfirmation(Form):
    """How, when and under which filed note the ward confirmed that its data are gone."""

    id = "erasure_confirmation"
    title_ja = "消去確認"
    role = "担当"
    options = ("消去を確認した",)
    fields = (METHOD, CONFIRMED_AT, NOTE_NUMBER, SUB_BY, SUB_AT)
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
        facts += [
            ("再委託先（丙）の消去証明書", plain(proof.certificate_number)) for proof in erasure.parties[1:]
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
        sub_by, sub_on = self._by_contractor(answer, history.latest(ErasureRecord))
        return ErasureConfirmationRecord(
            subcontractor_confirmed_by=sub_by,
            subcontractor_confirmed_on=sub_on,
            method=cast(Any, answer.text(METHOD)),
            confirmed_on=tokyo(confirmed_at),
            note_number=answer.text(NOTE_NUMBER),
            entered_by=answer.by,
            entered_at=answer.at,
        )

    def _by_contractor(self, answer: Answer, erasure: ErasureRecord) -> tuple[str, str]:
        """Who of 乙 confirmed the erasure of 丙, and when: both, and only when 丙 had the data (別紙2 第13項)."""
        by, has_moment = answer.text(SUB_BY), bool(answer.text(SUB_AT))
        subs = erasure.parties[1:]
        if bool(subs) != bool(by) or bool(subs) != has_moment:
            raise Refused(
                "再委託先（丙）の消去を乙が確かめた者と日時が、丙にデータを渡した発送回なのにないか、渡していないのにあります。",
                advice="丙が消去証明書を出した発送回では両方を入れ、ほかでは両方を空にしてください。",
            )
        if not subs:
            return "", ""
        confirmed_at = answer.moment(SUB_AT)
        if confirmed_at < max(copy.erased_at for proof in subs for copy in proof.copies).replace(
            second=0, microsecond=0
        ):
            raise Refused(
                "乙が確かめた日時が、再委託先（丙）の消去より前です。",
                advice="消去の後に確かめた日時を、委託先に聞いて入力してください。",
            )
        return by, tokyo(confirmed_at)
