"""納品確認書: the ward's officer records 日時・取扱者・情報の内容・数量 of what was delivered (R27), and by 乙 or 丙 (R64).

It is filled in after the last lot: 納品完了, from which the returns and the erasure are due.
"""

from typing import Any, cast

from notice_cycle.catalogue import Configuration
from notice_cycle.confirmations import FILED, SIGNED_BY, Staff, printed_number, require_on_roster
from notice_cycle.errors import Differs
from notice_cycle.forms import Answer, Field, Form, plain, table, tokyo
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.reconciliation import by_notice
from notice_cycle.records import DeliveryConfirmationRecord, DeliveryRecord, Fact, Record

DELIVERED_AT = Field(
    key="delivered_at", title_ja="日時", help_ja="納品を受けた日時（例 2026-07-10 13:00）", moment=True
)
HANDLER = Field(key="handler", title_ja="取扱者（区で受けた者）", help_ja="職員の氏名")
DELIVERER = Field(key="deliverer", title_ja="納品した者（委託先）", help_ja="取扱者名簿にある者の氏名")
QUANTITY = Field(key="quantity", title_ja="数量（封）", help_ja="区が数えた封筒の数")


class DeliveryConfirmation(Form):
    """The quantity is what the ward counted itself; it must equal the plan."""

    id = "delivery_confirmation"
    title_ja = "納品確認書"
    role = "担当"
    options = ("納品を確認した",)
    fields = (DELIVERED_AT, HANDLER, DELIVERER, QUANTITY, SIGNED_BY, FILED)
    record = DeliveryConfirmationRecord

    def body(self, history: CycleHistory) -> str:
        """What the contractor reported; the count to enter is the ward's own."""
        delivery = history.latest(DeliveryRecord)
        facts = [
            ("情報の内容", _contents(history)),
            ("納品報告の日時", tokyo(delivery.delivered_at)),
            ("納品した事業者", f"{delivery.delivering_party}（{plain(delivery.delivered_by)}）"),
            ("納品場所", plain(delivery.place)),
            ("ロット", _lots(delivery)),
            ("印刷枚数・損紙", f"{delivery.sheets_printed:,}枚・{delivery.sheets_spoiled:,}枚"),
            *((label, plain(told)) for label, told in by_notice(history)),
        ]
        return "\n".join(
            [
                "最後のロットまで届いたら、封筒を数え、区が数えた数を記入してください（納品完了）。",
                "",
                table(facts),
            ]
        )

    def judge(self, answer: Answer, history: CycleHistory) -> DeliveryConfirmationRecord:
        """The ward's count must equal the planned envelopes."""
        quantity, delivery = answer.count(QUANTITY), history.latest(DeliveryRecord)
        planned = delivery.envelopes_delivered  # equal to what was planned, less what was pulled out
        if quantity != planned:
            raise Differs(
                f"数えた数量（{quantity:,}封）が計画（{planned:,}封）と一致しません。",
                advice="数え直し、合わないときは委託先と照合してください。合うまで納品は完了しません。",
            )
        opening = history.opening
        return DeliveryConfirmationRecord(
            confirmation_number=printed_number(self.id, history),
            delivered_at=answer.moment(DELIVERED_AT),
            handler=answer.text(HANDLER),
            contents=_contents(history),
            quantity=quantity,
            party=str(cast(dict[str, Any], opening.configuration["party"])["name_ja"]),
            deliverer=answer.text(DELIVERER),
            delivering_party=delivery.delivering_party,
            entered_by=answer.by,
            entered_at=answer.at,
            signed_by=answer.text(SIGNED_BY),
            filed_under=answer.text(FILED),
        )

    def compare(self, kept: Record | tuple[Fact, ...], history: CycleHistory, staff: Staff) -> None:
        """Who delivered and who signed is on that day's roster."""
        given = cast(DeliveryConfirmationRecord, kept)
        named = [(DELIVERER, given.deliverer), (SIGNED_BY, given.signed_by)]
        configuration = Configuration.model_validate(history.opening.configuration)
        require_on_roster(staff, configuration, given.delivered_at, named)


def _lots(delivery: DeliveryRecord) -> str:
    """Number and names, without the envelopes: those the ward counts itself."""
    shown = "、".join(plain(lot.lot) for lot in delivery.deliveries[:_LOTS_SHOWN])
    return f"{delivery.lots:,}（{shown}{'…' if delivery.lots > _LOTS_SHOWN else ''}）"


_LOTS_SHOWN = 20


def _contents(history: CycleHistory) -> str:
    notice = cast(dict[str, Any], history.opening.configuration["notice"])
    return f"{notice['name_ja']} 封入封緘済み"
