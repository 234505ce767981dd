"""Reconciling print log and delivery report with the quantities composed.

printed = planned + spoilage + test + reprints, each beyond the plan with a reason (R43, R44); delivered
envelopes = planned envelopes. A difference stops and names itself by count.
"""

from collections import Counter

from notice_cycle.errors import Refused
from notice_cycle.exchange.messages import DeliveryReport, PrintLog
from notice_cycle.records import CompositionRecord, DeliveryRecord, EncryptionRecord

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
) -> DeliveryRecord:
    """Raises Refused naming the difference in counts."""
    if {log.manifest_sha256, report.manifest_sha256} != {encryption.manifest_sha256}:
        raise Refused("印刷ログまたは納品報告が、別のパッケージについてのものです。", advice=_ASK)
    sheets: Counter[str] = Counter()
    for line in log.lines:
        sheets[line.purpose] += line.sheets
        if line.print_file != composition.print_file.name:
            raise Refused("印刷ログに、この発送回のものでない印刷ファイル名があります。", advice=_ASK)
        if line.purpose != "planned" and not line.reason.strip():
            raise Refused("印刷ログに、計画を超える印刷の理由がない行があります。", advice=_ASK)
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
    delivered = sum(lot.envelopes for lot in report.lots)
    if delivered != planned.envelopes:
        raise Refused(
            f"納品数量が計画と一致しません（計画 {planned.envelopes:,}封、納品 {delivered:,}封）。",
            advice=_ASK,
        )
    return DeliveryRecord(
        print_log_sha256=log_sha256,
        delivery_report_sha256=report_sha256,
        signed_by=signed_by,
        sheets_printed=sum(sheets.values()),
        sheets_spoiled=report.sheets_spoiled,
        envelopes_delivered=delivered,
        lots=len(report.lots),
        delivered_at=report.delivered_at,
    )
