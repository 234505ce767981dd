"""納品後の引抜き: letters that were delivered and then taken out by hand before they were posted.

Nothing is asked of the contractor: the officer's list is read as for a pull-out, each letter found in the dispatch, and
entered only with the proof that its paper is destroyed. From then on that many envelopes fewer are to be posted.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from notice_cycle.catalogue import Configuration
from notice_cycle.errors import Refused
from notice_cycle.forms import tokyo
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout.facts import DeliveredPulledOut, DeliveredPulloutCancelled, Destroyed
from notice_cycle.pullout.folded import (
    Pullout,
    certified_by_contractor,
    pulled,
    pulled_after_delivery,
    pullouts,
    taken_after_delivery,
)
from notice_cycle.pullout.listing import keep_list, listed_in, take_out
from notice_cycle.records import CompositionRecord, DeliveryRecord, ResultsReturned
from notice_cycle.values import Person
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import delivered_pullout_list

_AGAIN = "確かめて、もう一度「納品後の引抜き」から開始してください。"


def pull_out_delivered(
    history: CycleHistory,
    asked: Mapping[str, str],
    certificates: Mapping[str, int],
    configuration: Configuration,
    vault: CycleVault,
    *,
    desk: Path,
    cycle: str,
    run: tuple[str, str],
    posted: int,
    by: Person,
    at: datetime,
) -> DeliveredPulledOut:
    """Reads the list and keeps it in the vault; gives the fact. `asked`: the form; `posted`: envelopes posted so far.

    `certificates`: sheets pulled out, by number of the contractor's 廃棄証明書. Raises NotThereYet without a list, Refused.
    """
    if history.recalled or history.find(DeliveryRecord) is None:
        raise Refused(
            "納品の照合が済んでいない発送回です。",
            advice="納品の前なら「引抜き・差替え」で委託先に依頼してください。",
        )
    if history.facts(ResultsReturned):
        raise Refused(
            "発送結果を基幹系に返した後です。納品後の引抜きは、もう記録できません。",
            advice="抜いた通知の番号を、基幹系の担当者に直接知らせ、廃棄の証明とともに紙で残してください。",
        )
    delivered, number = history.latest(DeliveryRecord), len(history.facts(DeliveredPulledOut)) + 1
    asked_before = [one for one in pullouts(history) if one.confirmed]
    sure = [one.request.list_file.name for one in asked_before if not _has_missing(one)]
    # What the contractor did not find may lie among what he delivered.
    unsure = [one.request.list_file.name for one in asked_before if _has_missing(one)]
    standing = pulled_after_delivery(history)
    taken = take_out(
        vault,
        desk,
        configuration,
        cycle=cycle,
        earlier=listed_in(vault, [*sure, *standing.lists], configuration),
        uncertain=frozenset(listed_in(vault, unsure, configuration)),
    )
    destroyed = _destroyed(asked, len(taken.letters), delivered, at)
    if destroyed is None:
        _require_certificate(asked["certificate_number"], certificates, history, len(taken.letters))
    gone = standing.envelopes + taken.envelopes
    if posted + gone > delivered.envelopes_delivered:
        raise Refused(
            f"引き抜いた封筒が、差し出していない封筒より多くなります（納品 {delivered.envelopes_delivered:,}封、"
            f"差出し {posted:,}封、納品後の引抜き {gone:,}封）。",
            advice=f"差出しの記録と一覧を見比べてください。差し出したものは引き抜けません。{_AGAIN}",
        )
    return DeliveredPulledOut(
        pullout=number,
        dispatch=history.latest(CompositionRecord).print_file.sha256,
        dag_id=run[0],
        run_id=run[1],
        notices=len(taken.letters),
        by_reason=taken.by_reason,
        envelopes=taken.envelopes,
        opened=taken.opened,
        lots=taken.lots,
        list_file=keep_list(
            vault,
            delivered_pullout_list(number),
            configuration,
            taken.letters,
            cycle=cycle,
            synthetic=history.opening.synthetic,
        ),
        destroyed=destroyed,
        certificate_number="" if destroyed else asked["certificate_number"],
        entered_by=by,
        entered_at=at,
    )


def cancel_last(history: CycleHistory, *, by: Person, at: datetime) -> DeliveredPulloutCancelled:
    """Takes the last one back that stands. Raises Refused when there is none."""
    standing = taken_after_delivery(history)
    if not standing:
        raise Refused("取り消す納品後の引抜きがありません。", advice="発送回の番号を確かめてください。")
    return DeliveredPulloutCancelled(pullout=standing[-1].pullout, cancelled_by=by, cancelled_at=at)


def _has_missing(one: Pullout) -> bool:
    return one.confirmed is not None and one.confirmed.not_found > 0


def _destroyed(
    asked: Mapping[str, str], sheets: int, delivered: DeliveryRecord, at: datetime
) -> Destroyed | None:
    """What the ward destroyed itself; None where the contractor's certificate is named instead."""
    own = [asked[name] for name in ("destroyed_at", "operator", "witness", "sheets")]
    if asked["certificate_number"] and not any(own):
        return None
    if asked["certificate_number"] or not all(own):
        raise Refused(
            "廃棄の証明が足りないか、二通りに書かれています。",
            advice="区が廃棄したら、廃棄の日時・廃棄した者・立会者・枚数を、委託先が廃棄したら、廃棄証明書の番号だけを入れてください。",
        )
    destroyed_at, operator, witness, counted = own
    if operator == witness:
        raise Refused("廃棄した者と立会者が同じです。", advice=f"二人で廃棄してください。{_AGAIN}")
    moment = datetime.fromisoformat(destroyed_at)
    if moment.tzinfo is None or not delivered.delivered_at <= moment <= at:
        raise Refused(
            f"廃棄の日時が、納品（{tokyo(delivered.delivered_at)}）より前か、未来です。", advice=_AGAIN
        )
    if int(counted) != sheets:
        raise Refused(
            f"廃棄した枚数が、一覧の通知書と一致しません（一覧 {sheets:,}通、廃棄 {int(counted):,}枚）。",
            advice=f"紙と一覧を数え直してください。{_AGAIN}",
        )
    known = {"sheets": sheets, "method": asked["method"], "destroyed_at": moment}
    return Destroyed.model_validate(known | {"operator": operator, "witness": witness})


def _require_certificate(
    number: str, certificates: Mapping[str, int], history: CycleHistory, sheets: int
) -> None:
    before = pulled(history)
    spoken_for = before.sheets - before.replaced + certified_by_contractor(history)
    free = sum(certificates.values()) - spoken_for
    if number not in certificates or free < sheets:
        raise Refused(
            f"委託先の廃棄証明書（区分「引抜き」）が足りません（一覧 {sheets:,}通、届いている残り {max(0, free):,}枚）。",
            advice="番号を確かめ、委託先に廃棄証明書の届出を依頼してください。届いて記録されてから、もう一度開始します。",
        )
