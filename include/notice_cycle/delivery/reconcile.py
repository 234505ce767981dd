"""Reconciling print log and delivery report with the quantities composed.

printed = planned + spoilage + test + reprints, each beyond the plan with a reason (R43, R44; in mode `literal` every
job of two sheets and more); delivered envelopes = planned envelopes less those pulled out, at the place of the
contract, after they were printed. A difference stops and names itself by count.
"""

from collections import Counter
from collections.abc import Collection
from typing import Literal

from notice_cycle.errors import Refused
from notice_cycle.exchange.messages import DeliveryReport, PrintLog
from notice_cycle.pullout import Pulled
from notice_cycle.records import CompositionRecord, DeliveryRecord, EncryptionRecord, LotDelivered

_ASK = "委託先に確認して正しい届出を置き直してもらい、その後、待機のタスクからクリアして再実行してください。"


def verify_delivery(
    composition: CompositionRecord,
    encryption: EncryptionRecord,
    log: PrintLog,
    report: DeliveryReport,
    *,
    log_sha256: str,
    report_sha256: str,
    signed_by: str,
    reasons: Literal["per_item", "literal"] = "per_item",
    places: Collection[str] = (),
    pulled: Pulled | None = None,
    list_number: str = "",
) -> DeliveryRecord:
    """Raises Refused naming the difference in counts.

    `places`: where the contract has it delivered (empty: not told); `pulled`: what was taken out after the hand-over;
    `list_number`: the list that names the notices behind a difference (empty: none was needed).
    """
    if {log.manifest_sha256, report.manifest_sha256} != {encryption.manifest_sha256}:
        raise Refused("印刷ログまたは納品報告が、別のパッケージについてのものです。", advice=_ASK)
    sheets: Counter[str] = Counter()
    for line in log.lines:
        sheets[line.purpose] += line.sheets
        if line.print_file != composition.print_file.name:
            raise Refused("印刷ログに、この発送回のものでない印刷ファイル名があります。", advice=_ASK)
        if line.purpose != "planned" and not line.reason.strip():
            raise Refused("印刷ログに、計画を超える印刷の理由がない行があります。", advice=_ASK)
        if reasons == "literal" and line.sheets > 1 and not line.reason.strip():
            raise Refused("印刷ログに、2枚以上の印刷の理由がない行があります。", advice=_ASK)
        if line.printed_at > report.delivered_at:
            raise Refused("印刷ログに、納品より後の印刷があります。", advice=_ASK)
    planned = composition.quantities
    if sheets["planned"] != planned.sheets:
        raise Refused(
            f"印刷枚数が計画と一致しません（計画 {planned.sheets:,}枚、印刷ログ {sheets['planned']:,}枚）。",
            advice=_ASK,
        )
    if sheets["spoilage"] != report.sheets_spoiled or sheets["reprint"] != sheets["spoilage"]:
        raise Refused(
            f"損紙と刷り直しの枚数が一致しません（損紙の報告 {report.sheets_spoiled:,}枚、"
            f"印刷ログの損紙 {sheets['spoilage']:,}枚、刷り直し {sheets['reprint']:,}枚）。",
            advice=_ASK,
        )
    out = pulled or Pulled()
    _compare_lots(composition, report, out, list_number)
    if places and not {_plain(place) for place in places} & {_plain(report.place)}:
        raise Refused(
            f"納品した場所が、契約の納品場所（{'、'.join(places)}）ではありません。",
            advice="契約の場所に納品されているか確かめてください。書き誤りなら、納品報告を置き直してもらいます。",
        )
    return DeliveryRecord(
        print_log_sha256=log_sha256,
        delivery_report_sha256=report_sha256,
        signed_by=signed_by,
        sheets_printed=sum(sheets.values()),
        sheets_spoiled=report.sheets_spoiled,
        envelopes_delivered=sum(lot.envelopes for lot in report.lots),
        lots=len(report.lots),
        delivered_at=report.delivered_at,
        sheets_test=sheets["test"],
        reasons=reasons,
        computers=tuple(sorted({line.source_computer for line in log.lines})),
        place=report.place,
        delivering_party=report.delivering_party,
        delivered_by=report.delivered_by,
        envelopes_pulled=planned.envelopes - sum(lot.envelopes for lot in report.lots),
        sheets_pulled=out.sheets,
        deliveries=tuple(LotDelivered(lot=lot.lot, envelopes=lot.envelopes) for lot in report.lots),
    )


def _compare_lots(
    composition: CompositionRecord, report: DeliveryReport, pulled: Pulled, list_number: str
) -> None:
    """Of what was not found when letters were pulled out, an envelope may be delivered all the same."""
    ask = (
        f"差異のある通知書番号は、課のプリンタの照合差異一覧 {list_number} にあります。"
        if list_number
        else ""
    ) + _ASK
    names = [_plain(lot.lot) for lot in report.lots]
    if len(set(names)) != len(names):
        raise Refused("納品報告に、同じロットが二度あります。", advice=ask)
    delivered = sum(lot.envelopes for lot in report.lots)
    planned = composition.quantities.envelopes
    if planned - pulled.envelopes <= delivered <= planned - pulled.fewest_envelopes:
        return
    less = f"、引抜き {pulled.envelopes:,}封" if pulled.requests else ""
    less += f"（うち見つからない通知書 {pulled.not_found:,}通）" if pulled.not_found else ""
    raise Refused(
        f"納品数量が計画と一致しません（計画 {planned:,}封{less}、納品 {delivered:,}封）。"
        + _differing_lots(composition, report, pulled),
        advice=ask,
    )


def _differing_lots(composition: CompositionRecord, report: DeliveryReport, pulled: Pulled) -> str:
    """Which lots differ, where the contractor kept the ward's lots; by count, the notices are in the vault."""
    planned = {lot.lot_no: lot.envelopes - pulled.by_lot[lot.lot_no] for lot in composition.lots}
    told = {int(digits): lot.envelopes for lot in report.lots if (digits := _digits(lot.lot))}
    if set(told) != set(planned):
        return ""
    differing = [
        f"ロット{number} 計画{planned[number]:,}封・納品{told[number]:,}封"
        for number in sorted(planned)
        if planned[number] != told[number]
    ]
    return f"合わないのは {'、'.join(differing)} です。"


def _digits(lot: str) -> str:
    return "".join(character for character in lot if character in "0123456789")


def _plain(text: str) -> str:
    return "".join(text.split())
