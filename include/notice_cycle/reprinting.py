"""再発行: a paper that the printer spoiled is printed again on the approver's reason, marked 再発行 and numbered.

A 確認書, 盤面ラベル or 送付票 may be; it keeps its number. Never a パスワード通知書: that is voided and released anew. Not a
検証該当者一覧 either, which names insured persons. And not what a later record has made worthless: its successor lies there.
"""

from notice_cycle.confirmations import paper_of
from notice_cycle.errors import Refused
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout.folded import packages_of
from notice_cycle.records import (
    ConfirmationPrinted,
    DiscPaperPrinted,
    EncryptionRecord,
    PaperReprinted,
    PassphraseNoticeRecord,
)
from notice_cycle.register import Register
from notice_cycle.values import Person

APPROVER = "承認者"
REASONS_JA = {
    "jammed": "紙づまり・用紙切れ",
    "unreadable": "汚損・印字の不良",
    "lost": "署名する前の紛失",
    "drill": "訓練",
}
NUMBER_PATTERN = r"^[0-9A-Za-z_一-鿿ァ-ヶー-]{1,120}$"


def find_printed(
    history: CycleHistory, register: Register, number: str, reason_code: str, *, by: Person
) -> ConfirmationPrinted | DiscPaperPrinted:
    """The paper that may be printed again. Raises Refused naming why another may not."""
    if not register.holds_office(by.user_id, APPROVER):
        raise Refused(
            "印刷物を再発行できるのは、登録簿で承認者とされた者だけです。",
            advice="承認者がログインして行ってください。承認者が代わったときは「区の職員の役割」を登録してください。",
        )
    if reason_code not in REASONS_JA:
        raise Refused("理由コードが登録されたものではありません。", advice="一覧から選んでください。")
    if number in {record.notice_number for record in history.ever_with_pullouts(PassphraseNoticeRecord)}:
        raise Refused(
            "パスワード通知書は再発行できません。",
            advice="「パスワード通知書の無効化」で番号を無効にし、次の番号で出し直してください。",
        )
    papers: list[ConfirmationPrinted | DiscPaperPrinted] = [
        *history.facts(ConfirmationPrinted),
        *history.facts(DiscPaperPrinted),
    ]
    for printed in papers:
        if printed.number == number:
            _refuse_worthless(printed, history)
            return printed
    raise Refused(
        f"番号 {number} の印刷物は、この発送回にありません。",
        advice="書式か、紙の右上にある文書番号を写し直してください（"
        + ("、".join(one.number for one in papers) or "まだ何も印刷していません")
        + "）。",
    )


def _refuse_worthless(printed: ConfirmationPrinted | DiscPaperPrinted, history: CycleHistory) -> None:
    stands = (
        paper_of(printed, history) is not None
        if isinstance(printed, ConfirmationPrinted)
        else any(
            made.package == printed.package
            for each in (history, *packages_of(history))
            if (made := each.find(EncryptionRecord))
        )
    )
    if not stands:
        raise Refused(
            f"{printed.number} は、やり直しで使わなくなった印刷物です。",
            advice="やり直した後に印刷されたものを使ってください。",
        )


def next_issue(history: CycleHistory, number: str) -> int:
    """Which 再発行 the next one is, from 1."""
    return sum(fact.number == number for fact in history.facts(PaperReprinted)) + 1
