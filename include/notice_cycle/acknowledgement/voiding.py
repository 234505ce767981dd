"""パスワード通知書の無効化: a lost notice no longer counts, and what follows from it, on the approver's reason.

Could nobody else have seen the passphrase, the notice is printed again under the next number. Could somebody, the
package is encrypted anew with another passphrase and the old one is taken back. Refused once the contractor has opened
the package: then it is an incident, not a lost paper.
"""

from notice_cycle.errors import Refused
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    ContentReceiptRecord,
    Decision,
    DecisionKind,
    EncryptionRecord,
    PassphraseNoticeRecord,
    PassphraseNoticeVoided,
)
from notice_cycle.register import Register
from notice_cycle.values import Person

APPROVER = "承認者"
REASONS_JA = {
    "lost": "紛失",
    "unreadable": "汚損・印字の不良",
    "wrong_hands": "誤った相手に渡した",
    "same_occasion": "データと同じ機会に渡した",
    "drill": "訓練",
}
_ALWAYS_DISCLOSED = {"wrong_hands", "same_occasion"}


def void(
    history: CycleHistory, register: Register, reason_code: str, *, disclosure_possible: bool, by: Person
) -> tuple[PassphraseNoticeVoided | None, Decision]:
    """The voiding (None when it stands already) and the decision that supersedes the package or only the notice."""
    if not register.holds_office(by.user_id, APPROVER):
        raise Refused(
            "パスワード通知書を無効にできるのは、登録簿で承認者とされた者だけです。",
            advice="承認者がログインして行ってください。承認者が代わったときは「区の職員の役割」を登録してください。",
        )
    if reason_code not in REASONS_JA:
        raise Refused("理由コードが登録されたものではありません。", advice="一覧から選んでください。")
    if reason_code in _ALWAYS_DISCLOSED and not disclosure_possible:
        raise Refused(
            f"理由「{REASONS_JA[reason_code]}」では、開示のおそれがないとはいえません。",
            advice="「開示のおそれ」に「ある」を選んでください。暗号化からやり直します。",
        )
    if history.find(ContentReceiptRecord):
        raise Refused(
            "委託先がすでにデータを開いているため、通知書の無効化では済みません。",
            advice="課長に連絡し、事故として受け付けてください。委託先には、パッケージを金庫に移すよう伝えます。",
        )
    printed, encryption = history.entry_of(PassphraseNoticeRecord), history.entry_of(EncryptionRecord)
    if printed is None or encryption is None:
        raise Refused(
            "無効にするパスワード通知書がありません（まだ印刷していないか、すでに無効です）。",
            advice="発送回の画面で「パスワード通知書の印刷」を確かめてください。",
        )
    number = history.latest(PassphraseNoticeRecord).notice_number
    standing = {fact.notice_number for fact in history.facts(PassphraseNoticeVoided)}
    fact = PassphraseNoticeVoided(
        notice_number=number,
        package=history.latest(EncryptionRecord).package,
        reason_code=reason_code,
        disclosure_possible=disclosure_possible,
        decided_by=by,
    )
    decision = Decision(
        decision=DecisionKind.REDO,
        supersedes=encryption.digest if disclosure_possible else printed.digest,
        stage="encryption" if disclosure_possible else "acknowledgement",
        reason_code=f"notice_{reason_code}",
        decided_by=by,
    )
    return (None if number in standing else fact), decision


def disclosed_packages(history: CycleHistory) -> set[str]:
    """Packages whose passphrase somebody else may know."""
    return {fact.package for fact in history.facts(PassphraseNoticeVoided) if fact.disclosure_possible}
