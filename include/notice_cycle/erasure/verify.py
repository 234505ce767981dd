"""Judging erasure report and certificate: the right package, every copy, after delivery, and certified."""

from collections.abc import Mapping, Sequence

from notice_cycle.errors import Refused
from notice_cycle.exchange.messages import ErasureCertificate, ErasureReport
from notice_cycle.records import (
    CompositionRecord,
    ContentReceiptRecord,
    DeliveryConfirmationRecord,
    EncryptionRecord,
    ErasureRecord,
)
from notice_cycle.values import Digest

_ASK = "委託先に確認して正しい届出を置き直してもらい、その後、待機のタスクからクリアして再実行してください。"


def verify_erasure(
    composition: CompositionRecord,
    encryption: EncryptionRecord,
    delivery: DeliveryConfirmationRecord,
    report: ErasureReport,
    certificate: ErasureCertificate,
    *,
    left: Mapping[str, Digest],
    opened: Sequence[ContentReceiptRecord],
    report_sha256: str,
    certificate_sha256: str,
    signed_by: str,
) -> ErasureRecord:
    """Every package that ever `left` (name and digest) and every file ever `opened` must be among the copies.

    Raises Refused naming what is missing.
    """
    if {report.manifest_sha256, certificate.manifest_sha256} != {encryption.manifest_sha256}:
        raise Refused("消去報告書または消去証明書が、別のパッケージについてのものです。", advice=_ASK)
    if certificate.report_sha256 != report_sha256:
        raise Refused("消去証明書が、届いた消去報告書についてのものではありません。", advice=_ASK)
    erased = {copy.file_sha256 for copy in report.copies}
    held = {receipt.print_file_sha256: "開いた印字データ" for receipt in opened}
    held |= {digest: f"暗号化された印字データ {name}" for name, digest in left.items()}
    if missing := [name for digest, name in held.items() if digest not in erased]:
        raise Refused(f"消去報告書に、{'と'.join(missing)}の消去がありません。", advice=_ASK)
    if report.notices != composition.quantities.notices:
        raise Refused(
            f"消去報告書の件数が一致しません（引渡し {composition.quantities.notices:,}件、消去 {report.notices:,}件）。",
            advice=_ASK,
        )
    # A replaced package may go at any time; what was printed from stays until the goods are delivered.
    printed_from = {composition.print_file.sha256, encryption.files[0].sha256}
    too_early = [copy for copy in report.copies if copy.erased_at < delivery.delivered_at]
    if any(copy.file_sha256 in printed_from for copy in too_early):
        raise Refused("納品より前に消去されたことになっています。", advice=_ASK)
    return ErasureRecord(
        report_sha256=report_sha256,
        certificate_sha256=certificate_sha256,
        certificate_number=certificate.certificate_number,
        signed_by=signed_by,
        copies_erased=len(report.copies),
        notices=report.notices,
        erased_at=max(copy.erased_at for copy in report.copies),
    )
