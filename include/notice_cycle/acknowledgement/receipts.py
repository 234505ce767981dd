"""Judging the contractor's two receipts against what was handed over and composed."""

from notice_cycle.catalogue import Configuration
from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange.messages import ContentReceipt, Receipt
from notice_cycle.records import (
    CompositionRecord,
    ContentReceiptRecord,
    EncryptionRecord,
    HandoverRecord,
    ReceiptRecord,
)

_CALL = "委託先に確認して正しい届出を置き直してもらい、その後、待機のタスクからクリアして再実行してください。"


def verify_receipt(
    handover: HandoverRecord,
    encryption: EncryptionRecord,
    receipt: Receipt,
    *,
    message_sha256: str,
    signed_by: str,
) -> ReceiptRecord:
    """Level 1: every file that was handed over, with the same digest. Raises Altered otherwise."""
    expected = {file.name: file.sha256 for file in handover.files}
    if receipt.manifest_sha256 != encryption.manifest_sha256 or receipt.files != expected:
        raise Altered("受領通知のダイジェストが、引き渡したファイルと一致しません。", advice=_CALL)
    return ReceiptRecord(
        message_sha256=message_sha256,
        signed_by=signed_by,
        received_at=receipt.received_at,
        received_by=receipt.received_by,
    )


def verify_content_receipt(
    composition: CompositionRecord,
    encryption: EncryptionRecord,
    receipt: ContentReceipt,
    configuration: Configuration,
    *,
    message_sha256: str,
    signed_by: str,
    small_total_key: bytes,
) -> ContentReceiptRecord:
    """Level 2: the same print file, counts and total, and no unreadable character. Raises Altered or Refused."""
    if (
        receipt.manifest_sha256 != encryption.manifest_sha256
        or receipt.print_file_sha256 != composition.print_file.sha256
    ):
        raise Altered(
            "委託先が開いた印字データのダイジェストが、作成した印字データと一致しません。", advice=_CALL
        )
    totals = {configuration.heading_of(item): total for item, total in composition.totals.items()}
    if (
        receipt.quantities != composition.quantities
        or receipt.totals_yen.keys() != totals.keys()
        or not all(totals[name].equals(yen, key=small_total_key) for name, yen in receipt.totals_yen.items())
    ):
        raise Refused("委託先が数えた件数または合計額が一致しません。", advice=_CALL)
    if receipt.unreadable_characters:
        raise Refused(
            f"委託先で読めない文字が{receipt.unreadable_characters:,}件あります。",
            advice="該当の文字を委託先に確認し、代替文字を取り決めてから、抽出をやり直してください。",
        )
    return ContentReceiptRecord(
        message_sha256=message_sha256,
        signed_by=signed_by,
        print_file_sha256=receipt.print_file_sha256,
        opened_at=receipt.opened_at,
        quantities=receipt.quantities,
        unreadable_characters=receipt.unreadable_characters,
    )
