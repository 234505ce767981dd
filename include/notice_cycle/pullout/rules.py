"""When letters may still be pulled out, what the contractor's list looks like, and what his confirmation must say.

From the time the contractor has opened the print data until the delivery is reconciled; earlier the dispatch is made
again, later nothing can be taken out of what left. Requests and approvals come before the hour that the contract names.
"""

from datetime import datetime

from notice_cycle.catalogue import Configuration
from notice_cycle.clock import TOKYO
from notice_cycle.composition.rules import Layout, LayoutColumn
from notice_cycle.errors import NotThereYet, Refused
from notice_cycle.exchange.messages import PulloutConfirmation
from notice_cycle.exchange.print_file import CYCLE, ENVELOPE, MARK
from notice_cycle.forms import tokyo
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout.facts import PulloutCancelled, PulloutConfirmed
from notice_cycle.pullout.folded import PulloutHistory, State, open_pullouts
from notice_cycle.records import (
    CompositionRecord,
    ContentReceiptRecord,
    DeliveryRecord,
    EncryptionRecord,
    StagingWipeRecord,
)
from notice_cycle.values import Person

_ASK = "委託先に確かめ、正しい確認を置き直すよう依頼し、待機のタスクからクリアしてください。"
_HEADINGS = {
    "data_kind": MARK,
    "cycle": CYCLE,
    "envelope_no": ENVELOPE,
    "lot_no": "ロット",
    "position_in_lot": "ロット内番号",
    "notice_no": "通知書番号",
}


def configuration_of_list(configuration: Configuration) -> Configuration:
    """The cycle's configuration with the layout of a pull-out's list: where each letter lies, and whose it is by number.

    No name, no address, no reason: the contractor needs none of them to find the sheet.
    """
    subject = configuration.notice.subject
    headings = _HEADINGS | {subject: configuration.heading_of(subject)}
    layout = Layout(
        id="pullout_list_v1",
        charset=configuration.layout.charset,
        columns=tuple(LayoutColumn(heading_ja=heading, item=item) for item, heading in headings.items()),
    )
    return configuration.model_copy(update={"layout": layout})


def require_askable(history: CycleHistory, configuration: Configuration, *, at: datetime) -> None:
    """Raises Refused, saying what to do instead, when letters cannot be asked for now."""
    if history.recalled:
        raise Refused(
            "引渡し後に取り下げた発送回です。すべて使わずに消去されます。",
            advice="引抜きの依頼は要りません。",
        )
    if history.find(DeliveryRecord):
        raise Refused(
            "納品の照合が済んでいるため、引抜きは依頼できません。",
            advice="納品された封筒から抜いて廃棄し、「納品後の引抜き」に記録してください。差し出されていれば、事故として受け付けます。",
        )
    if history.find(StagingWipeRecord) is None:
        raise Refused(
            "委託先がまだデータを開いていないため、引抜きは依頼できません。",
            advice="「やり直し・取下げ」で印字データから作り直すか、受領確認の段階が終わってから依頼してください。",
        )
    if waiting := open_pullouts(history):
        raise Refused(
            f"先の依頼 {waiting[0].request.number} が終わっていません（{waiting[0].state}）。",
            advice="委託先の確認を待つか、先の依頼を取りやめてから、もう一度開始してください。",
        )
    require_in_time(configuration, at)


def require_in_time(configuration: Configuration, at: datetime) -> None:
    """Raises Refused after the hour up to which the contractor takes requests."""
    until = configuration.party.pullout_until
    if at.astimezone(TOKYO).strftime("%H:%M") > until:
        raise Refused(
            f"引抜きの依頼の締切（{until}）を過ぎています（{tokyo(at)}）。",
            advice="翌日に改めて行ってください。差出しが迫っているときは、委託先に電話で差出しを止めてもらい、"
            "間に合わないときは「引渡し後の取下げ」にするかを課長が決めます。",
        )


def require_no_open_pullout(history: CycleHistory) -> None:
    """Raises NotThereYet while the contractor has not confirmed a request: nobody knows what is to be delivered."""
    if waiting := open_pullouts(history):
        raise NotThereYet(
            f"引抜きの依頼 {waiting[0].request.number} が終わっていません（{waiting[0].state}）。納品の照合は、終わるまで待ちます。",
            advice="委託先に引抜きの確認を求めてください。要らなくなった依頼は「引抜き・差替え」で取りやめます。",
        )


def cancel(history: CycleHistory, *, by: Person, at: datetime) -> PulloutCancelled:
    """Gives the open request up. Raises Refused when there is none, or the contractor has opened it."""
    waiting = open_pullouts(history)
    if not waiting:
        raise Refused("取りやめる依頼がありません。", advice="発送回の番号を確かめてください。")
    if waiting[0].state == State.OPENED:
        raise Refused(
            f"依頼 {waiting[0].request.number} は、委託先がすでに開いています。",
            advice="委託先の確認を待ってください。抜いてはならないものがあれば電話で連絡し、確認に数えてもらいません。",
        )
    return PulloutCancelled(pullout=waiting[0].request.pullout, cancelled_by=by, cancelled_at=at)


def verify_confirmation(
    history: PulloutHistory, message: PulloutConfirmation, *, party: str, message_sha256: str
) -> PulloutConfirmed:
    """The fact that keeps the contractor's confirmation. Raises Refused when it is not about what was asked."""
    request, listed = history.request, history.latest(CompositionRecord)
    if message.manifest_sha256 != history.latest(EncryptionRecord).manifest_sha256 or (
        message.request_number,
        message.request_sha256,
    ) != (request.number, listed.print_file.sha256):
        raise Refused(
            f"引抜き・差替えの確認が、依頼 {request.number} についてのものではありません。", advice=_ASK
        )
    if message.replaced:
        raise Refused(
            "差し替えた数が書かれていますが、依頼は抜き取りだけです。",
            advice=f"差し替える通知は、別の発送回で届きます。{_ASK}",
        )
    if message.pulled + message.not_found != request.notices:
        raise Refused(
            f"引抜きの確認の数が、依頼と一致しません（依頼 {request.notices:,}通、"
            f"引抜き {message.pulled:,}通、見つからない {message.not_found:,}通）。",
            advice=_ASK,
        )
    if message.done_at < history.latest(ContentReceiptRecord).opened_at:
        raise Refused("引抜きの日時が、依頼を開いた日時より前です。", advice=_ASK)
    return PulloutConfirmed(
        pullout=request.pullout,
        party=party,
        message_sha256=message_sha256,
        pulled=message.pulled,
        not_found=message.not_found,
        done_at=message.done_at,
        done_by=message.done_by,
    )
