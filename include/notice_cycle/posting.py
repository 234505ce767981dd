"""差出し: what was handed in at the post, told by the contractor (差出票) or entered by the ward's officer.

The contract says who posts. What was delivered is to be posted, less the letters taken out since (納品後の引抜き); more is
refused. That all of it was posted is demanded only where the contractor posts, before the ward's own copies are destroyed;
where the ward posts the report reminds of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from notice_cycle.catalogue import Configuration
from notice_cycle.errors import Refused
from notice_cycle.exchange.messages import PostingReceipt
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.forms import tokyo
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout import DeliveredPulledOut, DeliveredPulloutCancelled, pulled_after_delivery
from notice_cycle.records import DeliveryRecord, EncryptionRecord, Fact, HandoverRecord, LotDelivered
from notice_cycle.register import Register
from notice_cycle.values import Digest, Person

RECEIPT_PATTERN = r"^[0-9A-Za-z一-鿿ァ-ヶー()（）-]{1,40}$"
OFFICE_PATTERN = r"^[^0-9０-９\s]{1,30}郵便局$"

_ASK = "委託先に確かめ、正しい差出票を新しい番号のファイルで置くよう依頼してください。"
_ENTER_AGAIN = "差出票の控えを見て、もう一度「差出しの記録」から開始してください。"


class Posted(Fact):
    """差出し: one posting receipt; `lots` as the contractor names them, none where an officer entered it.

    `party`: who told it, empty where the ward posted; the same number entered again replaces what was said before.
    """

    label_ja = "差出しの記録"
    receipt_number: str
    party: str
    message_sha256: Digest | None = None
    lots: tuple[LotDelivered, ...] = ()
    envelopes: int
    post_office: str
    posted_at: datetime
    posted_by: str = ""
    entered_by: Person | None = None
    entered_at: datetime | None = None


def postings(history: CycleHistory) -> list[Posted]:
    """Every receipt as it was said last."""
    return list({one.receipt_number: one for one in history.facts(Posted)}.values())


def posted_envelopes(history: CycleHistory) -> int:
    """How many envelopes were posted, as far as it is recorded."""
    return sum(one.envelopes for one in postings(history))


def envelopes_to_post(history: CycleHistory) -> int:
    """What was delivered, less what was taken out since and is proved to be destroyed. Raises Refused before the delivery."""
    delivered = history.latest(DeliveryRecord).envelopes_delivered
    return delivered - pulled_after_delivery(history).envelopes


def all_posted_at(history: CycleHistory) -> datetime | None:
    """When it was told that everything delivered is posted or taken out; None while it is not, or nothing is delivered."""
    if history.find(DeliveryRecord) is None or posted_envelopes(history) != envelopes_to_post(history):
        return None
    kinds = {fact.kind() for fact in (Posted, DeliveredPulledOut, DeliveredPulloutCancelled)}
    told = [entry.recorded_at for entry in history.entries if entry.kind in kinds]
    return max(told, default=None)


# ---- told by the contractor


def can_be_judged(history: CycleHistory) -> bool:
    """A posting is compared with the delivery: until that is reconciled the message is left alone."""
    return history.recalled or history.find(DeliveryRecord) is not None


def judge_posting(
    message: PostingReceipt, history: CycleHistory, *, party: str, message_sha256: str
) -> Posted:
    """The fact that keeps a posting receipt. Raises Refused."""
    delivery = _delivery(history)
    if message.manifest_sha256 != history.latest(EncryptionRecord).manifest_sha256:
        raise Refused("差出票が、納品したパッケージについてのものではありません。", advice=_ASK)
    if message.receipt_number in {one.receipt_number for one in history.facts(Posted)}:
        raise Refused("同じ番号の差出票が、すでに記録されています。", advice=_ASK)
    if message.posted_at < min(record.sent_at for record in history.ever(HandoverRecord)):
        raise Refused("届出の日時が、データの引渡しより前です。", advice=_ASK)
    posted = Posted(
        receipt_number=message.receipt_number,
        party=party,
        message_sha256=message_sha256,
        lots=tuple(LotDelivered(lot=lot.lot, envelopes=lot.envelopes) for lot in message.lots),
        envelopes=sum(lot.envelopes for lot in message.lots),
        post_office=message.post_office,
        posted_at=message.posted_at,
        posted_by=message.posted_by,
    )
    told = [*postings(history), posted]
    _refuse_more_than_delivered(told, history, advice=_ASK)
    _refuse_lots_beyond(told, delivery)
    return posted


# ---- entered by the ward's officer


def enter_posting(
    history: CycleHistory, asked: Mapping[str, str], *, by_contractor: bool, by: Person, at: datetime
) -> Posted:
    """The fact to enter for the form 差出しの記録; entered again it is the standing one. Raises Refused.

    Where the contractor posts (`by_contractor`) the form only puts right a receipt that is recorded.
    """
    delivery = _delivery(history)
    standing = {one.receipt_number: one for one in postings(history)}
    known = standing.get(asked["receipt_number"])
    if by_contractor and known is None:
        raise Refused(
            "契約では、委託先が差し出します。",
            advice="委託先に差出票の届出を依頼してください。紙の差出票は「書面の届出」で登録します。",
        )
    envelopes = int(asked["envelopes"])
    posted_at = _moment(asked["posted_at"])
    if posted_at is None or not delivery.delivered_at <= posted_at <= at:
        raise Refused(
            f"差出しの日時が、納品（{tokyo(delivery.delivered_at)}）より前か、未来です。",
            advice=_ENTER_AGAIN,
        )
    posted = Posted(
        receipt_number=asked["receipt_number"],
        party=known.party if known else "",
        envelopes=envelopes,
        post_office=asked["post_office"],
        posted_at=posted_at,
        entered_by=by,
        entered_at=at,
    )
    others = [one for number, one in standing.items() if number != posted.receipt_number]
    _refuse_more_than_delivered([*others, posted], history, advice=_ENTER_AGAIN)
    return as_entered(posted, known)


E = TypeVar("E", bound=Fact)


def as_entered(asked: E, known: E | None) -> E:
    """The fact that stands when the same is entered again (a task that runs twice), otherwise the new one."""
    if known and known == asked.model_copy(update={"entered_at": getattr(known, "entered_at", None)}):
        return known
    return asked


# ---- what is demanded


def contractor_posts(history: CycleHistory, register: Register) -> bool:
    """Whether a contract that covered the notice when it was handed over has the contractor post."""
    handed = history.ever(HandoverRecord)
    configuration = Configuration.model_validate(history.opening.configuration)
    day = tokyo_date(handed[-1].sent_at) if handed else None
    contracts = register.contracts_for(configuration.notice.id, configuration.party.id, day)
    return any(held.content.posted_by == "委託先" for held in contracts)


def require_posted(history: CycleHistory) -> None:
    """Raises Refused naming the difference while not everything that was delivered is posted."""
    if history.recalled:
        return
    if (posted := posted_envelopes(history)) != envelopes_to_post(history):
        raise Refused(
            f"委託先が差し出す契約なのに、差し出した数が納品と一致しません（{_counted(history, posted)}）。",
            advice="委託先に、残りの差出票の届出を依頼し、届いてからこのタスクをクリアしてください。抜いて廃棄したものは「納品後の引抜き」に記録します。",
        )


# ---- helpers


def _delivery(history: CycleHistory) -> DeliveryRecord:
    if history.recalled:
        raise Refused(
            "引渡し後に取り下げた発送回に、差出しや返戻はありません。",
            advice="差し出されていれば、事故として受け付けてください。",
        )
    return history.latest(DeliveryRecord)


def _refuse_more_than_delivered(told: list[Posted], history: CycleHistory, *, advice: str) -> None:
    posted = sum(one.envelopes for one in told)
    if posted > envelopes_to_post(history):
        raise Refused(
            f"差し出した数が、納品した数より多くなります（{_counted(history, posted)}）。", advice=advice
        )


def _counted(history: CycleHistory, posted: int) -> str:
    delivered, out = history.latest(DeliveryRecord).envelopes_delivered, pulled_after_delivery(history)
    taken = f"、納品後の引抜き {out.envelopes:,}封" if out.requests else ""
    return f"納品 {delivered:,}封{taken}、差出し {posted:,}封"


def _refuse_lots_beyond(told: list[Posted], delivery: DeliveryRecord) -> None:
    """Lot by lot as the contractor named them at the delivery."""
    delivered = _by_lot(delivery.deliveries)
    posted = _by_lot([lot for one in told for lot in one.lots])
    beyond = [lot for lot, envelopes in posted.items() if envelopes > delivered[lot]]
    if beyond and delivered:
        raise Refused(f"差出票に、納品より多いロットが{len(beyond)}件あります。", advice=_ASK)


def _by_lot(lots: Iterable[LotDelivered]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for lot in lots:
        counted["".join(lot.lot.split())] += lot.envelopes
    return counted


def _moment(text: str) -> datetime | None:
    """An aware moment; None when it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else None
