"""返却確認書: after the delivery the discs and the passphrase notices come back (R34, R56). One form, a record for each.

Asked only when discs were handed over, also ones that a later package replaced. Refuses another quantity than was
given and is still out, a return before the delivery, and a giver who is not on the roster of that day.
"""

from dataclasses import dataclass
from typing import cast

from notice_cycle.catalogue import Configuration
from notice_cycle.confirmations import Staff, printed_numbers, require_on_roster
from notice_cycle.errors import Differs, Refused
from notice_cycle.forms import Answer, Field, Form, table, tokyo
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    DeliveryConfirmationRecord,
    EncryptionRecord,
    Fact,
    HandoverRecord,
    MediaReturn,
    PassphraseHandoverRecord,
    PassphraseReturn,
    Record,
)


@dataclass(frozen=True)
class Given:
    """What was given to the contractor and what of it came back: discs and passphrase notices."""

    discs: int
    notices: int
    discs_back: int
    notices_back: int

    @classmethod
    def of(cls, history: CycleHistory) -> "Given":
        """Counted over every package of the cycle; what went over LGWAN has nothing to give back."""
        discs = sum(
            record.dvd.quantity for record in history.ever_with_pullouts(HandoverRecord) if record.dvd
        )
        return cls(
            discs=discs,
            notices=sum(record.quantity for record in history.ever_with_pullouts(PassphraseHandoverRecord))
            if discs
            else 0,
            discs_back=sum(fact.quantity for fact in history.facts(MediaReturn)),
            notices_back=sum(fact.quantity for fact in history.facts(PassphraseReturn)),
        )

    @property
    def missing(self) -> list[str]:
        """What is still out, as the closing names it."""
        out = (
            (MediaReturn, self.discs - self.discs_back),
            (PassphraseReturn, self.notices - self.notices_back),
        )
        return [fact.label_ja for fact, quantity in out if quantity]


DISCS_AT = Field(
    key="discs_returned_at",
    title_ja="媒体: 日時",
    help_ja="返却を受けた日時（例 2026-07-13 10:00）",
    moment=True,
)
DISCS_GIVER = Field(
    key="discs_giver", title_ja="媒体: 取扱者（委託先で返した者）", help_ja="取扱者名簿にある者の氏名"
)
DISCS_TAKER = Field(key="discs_taker", title_ja="媒体: 受領者（区で受けた者）", help_ja="職員の氏名")
DISCS = Field(key="discs_quantity", title_ja="媒体: 数量（枚）", help_ja="数えた媒体の枚数")
DISCS_FILED = Field(
    key="discs_filed_under", title_ja="媒体: 署名済みの確認書の文書番号", help_ja="例 26介保第96号"
)
NOTICES_AT = Field(
    key="notices_returned_at",
    title_ja="パスワード通知書: 日時",
    help_ja="返却を受けた日時（例 2026-07-13 14:00）",
    moment=True,
)
NOTICES_GIVER = Field(
    key="notices_giver",
    title_ja="パスワード通知書: 取扱者（委託先で返した者）",
    help_ja="取扱者名簿にある者の氏名",
)
NOTICES_TAKER = Field(
    key="notices_taker", title_ja="パスワード通知書: 受領者（区で受けた者）", help_ja="職員の氏名"
)
NOTICES = Field(key="notices_quantity", title_ja="パスワード通知書: 数量（部）", help_ja="数えた通知書の部数")
NOTICES_FILED = Field(
    key="notices_filed_under",
    title_ja="パスワード通知書: 署名済みの確認書の文書番号",
    help_ja="例 26介保第97号",
)
RETURNED = "返却を受けた"


class Returns(Form):
    """Filled in by the ward's officer when both came back; the two papers stay two records."""

    id = "returns"
    title_ja = "返却確認書"
    role = "担当"
    options = (RETURNED,)
    fields = (
        *(DISCS_AT, DISCS_GIVER, DISCS_TAKER, DISCS, DISCS_FILED),
        *(NOTICES_AT, NOTICES_GIVER, NOTICES_TAKER, NOTICES, NOTICES_FILED),
    )

    def applies(self, history: CycleHistory) -> bool:
        """Only when discs were handed over."""
        return Given.of(history).discs > 0

    def standing(self, history: CycleHistory) -> Entry | None:
        """The last of the two, once nothing is out any more."""
        if Given.of(history).missing:
            return None
        kinds = {MediaReturn.kind(), PassphraseReturn.kind()}
        return next((entry for entry in reversed(history.entries) if entry.kind in kinds), None)

    def body(self, history: CycleHistory) -> str:
        """What to count."""
        given, delivery = Given.of(history), history.latest(DeliveryConfirmationRecord)
        facts = [
            ("納品", tokyo(delivery.delivered_at)),
            ("渡した媒体", f"{given.discs}枚"),
            ("渡したパスワード通知書", f"{given.notices}部"),
        ]
        return "\n".join(
            [
                "納品の後に委託先から返された媒体とパスワード通知書を、**区が数えて**記入してください。",
                "確認書は媒体とパスワード通知書で一枚ずつ、二枚を綴じます。返された媒体は裁断し、記録します。",
                "",
                table(facts),
            ]
        )

    def judge(self, answer: Answer, history: CycleHistory) -> tuple[Fact, ...]:
        """Two records, or the one that is missing when the other stands already."""
        package, given = history.latest(EncryptionRecord).package, Given.of(history)
        media_number, notices_number = printed_numbers(self.id, history)
        media = MediaReturn(
            confirmation_number=media_number,
            package=package,
            returned_at=answer.moment(DISCS_AT),
            giver=answer.text(DISCS_GIVER),
            taker=answer.text(DISCS_TAKER),
            contents="暗号化した印字データを記録した DVD-R",
            quantity=answer.count(DISCS),
            filed_under=answer.text(DISCS_FILED),
            entered_by=answer.by,
            entered_at=answer.at,
        )
        notices = PassphraseReturn(
            confirmation_number=notices_number,
            package=package,
            returned_at=answer.moment(NOTICES_AT),
            giver=answer.text(NOTICES_GIVER),
            taker=answer.text(NOTICES_TAKER),
            contents="パスワード通知書",
            quantity=answer.count(NOTICES),
            filed_under=answer.text(NOTICES_FILED),
            entered_by=answer.by,
            entered_at=answer.at,
        )
        delivered_at = history.latest(DeliveryConfirmationRecord).delivered_at
        for fact, told_ja, out in (
            (media, "媒体", given.discs),
            (notices, "パスワード通知書", given.notices),
        ):
            if fact.returned_at < delivered_at:
                raise Refused(
                    f"{told_ja}の返却の日時が、納品より前です。",
                    advice="媒体と通知書は納品の後に返却を受けます。実際に受けた日時を入力してください。",
                )
            if fact.quantity != out:
                raise Differs(
                    f"返された{told_ja}の数量（{fact.quantity}）が、渡した数量（{out}）と一致しません。",
                    advice="数え直してください。足りないものが見つかるまで、返却は記録できず、発送回は完了しません。"
                    "見つからなければ事故として扱います。",
                )
        standing = {MediaReturn: given.discs_back, PassphraseReturn: given.notices_back}
        return tuple(fact for fact in (media, notices) if not standing[type(fact)])

    def compare(self, kept: Record | tuple[Fact, ...], history: CycleHistory, staff: Staff) -> None:
        """Who gave back is on the roster of that day: a disc and a notice may come on different days."""
        configuration = Configuration.model_validate(history.opening.configuration)
        givers = {MediaReturn: DISCS_GIVER, PassphraseReturn: NOTICES_GIVER}
        for fact in cast(tuple[MediaReturn | PassphraseReturn, ...], kept):
            require_on_roster(staff, configuration, fact.returned_at, [(givers[type(fact)], fact.giver)])
