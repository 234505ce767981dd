"""An example of each message, to fill in with a text editor and sign with stock `ssh-keygen -Y sign`.

Examples are made from the message models themselves, so they cannot fall behind them.
"""

import json
from datetime import datetime
from typing import Any

from notice_cycle.clock import TOKYO
from notice_cycle.exchange import csv_form
from notice_cycle.exchange.messages import (
    ContentReceipt,
    CopyDeclaration,
    DeclaredCopy,
    DeliveryReport,
    DestroyedPaper,
    DestructionCertificate,
    Enclosure,
    ErasedCopy,
    ErasureCertificate,
    ErasureReport,
    Form,
    IncidentNotice,
    Lot,
    MeasureChange,
    Message,
    PostingReceipt,
    PrintLog,
    PrintLogLine,
    PulloutConfirmation,
    Receipt,
    Rejection,
    ReturnNotice,
    TransferRecord,
)
from notice_cycle.exchange.package import CHECKSUMS, MANIFEST, MANIFEST_SIGNATURE
from notice_cycle.records import Quantities

_CYCLE = "2026-premium_notice_ordinary-annual-01"
_ENCRYPTED = f"{_CYCLE}-p1.csv.age"
_DIGEST = "0" * 64
_ABOUT: dict[str, Any] = {"cycle": _CYCLE, "manifest_sha256": _DIGEST}
_AT = datetime(2026, 7, 3, 10, 5, tzinfo=TOKYO)


def template(kind: str, *, form: Form = "json") -> str:
    """The example of a message kind, as indented JSON or as CSV. Raises KeyError for an unknown kind."""
    example = _EXAMPLES[kind]
    if form == "csv":
        return csv_form.write(example)
    return json.dumps(example.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"


def _print_job(printer: str, sheets: int, purpose: str, reason: str = "") -> PrintLogLine:
    return PrintLogLine.model_validate(
        {
            "source_computer": "PRINT-PC-1",
            "printed_at": _AT,
            "print_file": "print.csv",
            "printer": printer,
            "sheets": sheets,
            "purpose": purpose,
            "reason": reason,
        }
    )


def _erased(place: str, method: str, tool: str, carrier: str = "パソコン") -> ErasedCopy:
    return ErasedCopy.model_validate(
        {
            "place": place,
            "file_sha256": _DIGEST,
            "carrier": carrier,
            "method": method,
            "tool": tool,
            "serial_number": "製造番号",
            "started_at": _AT,
            "erased_at": _AT,
            "operator": "作業者の氏名",
            "witness": "立会者の氏名",
        }
    )


_EXAMPLES: dict[str, Message] = {
    example.kind: example
    for example in (
        Receipt(
            **_ABOUT,
            files=dict.fromkeys((_ENCRYPTED, MANIFEST, MANIFEST_SIGNATURE, CHECKSUMS), _DIGEST),
            received_at=_AT,
            received_by="受け取った者の氏名",
        ),
        ContentReceipt(
            **_ABOUT,
            print_file_sha256=_DIGEST,
            quantities=Quantities(persons=100, notices=100, envelopes=98, sheets=100),
            totals_yen={"決定年額": 7_500_000, "普通徴収額": 7_200_000},
            unreadable_characters=0,
            opened_at=_AT,
            opened_by="開いた者の氏名",
        ),
        PrintLog(
            **_ABOUT,
            lines=(
                _print_job("PRINTER-A", 100, "planned"),
                _print_job("PRINTER-A", 3, "spoilage", "紙詰まり"),
                _print_job("PRINTER-A", 3, "reprint", "損紙3枚の刷り直し"),
            ),
        ),
        DeliveryReport(
            **_ABOUT,
            lots=(Lot(lot="L01", envelopes=98),),
            sheets_spoiled=3,
            place="納品場所（契約のとおり）",
            delivering_party="乙",
            delivered_at=_AT,
            delivered_by="納品した者の氏名",
        ),
        ErasureReport(
            **_ABOUT,
            notices=100,
            copies=(
                _erased("PRINT-PC-1（受け取った暗号化ファイル）", "purge", "暗号化ボリュームの鍵の破棄"),
                _erased("PRINT-PC-1（開いた印字データ）", "purge", "暗号化ボリュームの鍵の破棄"),
                _erased("SFTP サーバーの受け口", "clear", "上書き1回のうえ削除", "サーバー"),
            ),
            backups="バックアップは取得していない",
        ),
        ErasureCertificate(
            **_ABOUT,
            certificate_number="証明書の番号",
            report_sha256=_DIGEST,
            addressed_to=("甲",),
            certified_at=_AT,
            responsible_person="責任者の氏名",
        ),
        Rejection(
            **_ABOUT,
            level=1,
            reason_code="digest_mismatch",
            note="暗号文の SHA-256 が送付目録と違う",
            rejected_at=_AT,
            rejected_by="否認した者の氏名",
        ),
        CopyDeclaration(
            **_ABOUT,
            copies=(
                DeclaredCopy(
                    place="PRINT-PC-1",
                    carrier="パソコン",
                    file_sha256=_DIGEST,
                    made_at=_AT,
                    purpose="work",
                    access="取扱者名簿の者だけ",
                ),
            ),
            declared_at=_AT,
            declared_by="届け出た者の氏名",
        ),
        TransferRecord(
            **_ABOUT,
            taken_by_party="再委託先の名称",
            carrier="紙",
            file_sha256=_DIGEST,
            sheets=100,
            encrypted=False,
            means="自社便（施錠した箱）",
            giver="渡した者の氏名",
            taker="受けた者の氏名",
            handed_at=_AT,
        ),
        DestructionCertificate(
            **_ABOUT,
            certificate_number="証明書の番号",
            papers=(
                DestroyedPaper(
                    what="spoilage",
                    sheets=3,
                    method="shredding",
                    destroyed_at=_AT,
                    operator="作業者の氏名",
                    witness="立会者の氏名",
                ),
            ),
            certified_at=_AT,
            responsible_person="責任者の氏名",
        ),
        PulloutConfirmation(
            **_ABOUT,
            request_number="依頼の番号",
            request_sha256=_DIGEST,
            pulled=2,
            replaced=0,
            not_found=0,
            done_at=_AT,
            done_by="実施した者の氏名",
        ),
        PostingReceipt(
            **_ABOUT,
            receipt_number="差出票の番号",
            post_office="架空中央郵便局",
            lots=(Lot(lot="L01", envelopes=98),),
            posted_at=_AT,
            posted_by="差し出した者の氏名",
        ),
        ReturnNotice(
            **_ABOUT,
            discs=("媒体の番号",),
            passphrase_notices=("パスワード通知書の番号",),
            means="簡易書留",
            tracking_number="00000000000",
            returned_at=_AT,
            returned_by="返却した者の氏名",
        ),
        MeasureChange(
            **_ABOUT,
            summary="印刷室の入退室を指紋認証に変える",
            planned_from=_AT,
            reported_at=_AT,
            reported_by="報告した者の氏名",
        ),
        IncidentNotice(
            **_ABOUT,
            what="likelihood",
            category="loss",
            known_at=_AT,
            outline="封筒1通の所在を確認中",
            persons_at_most=1,
            measures_taken="作業を止め、室内を捜索中",
            contact="03-0000-0000 責任者の氏名",
            reported_at=_AT,
            reported_by="報告した者の氏名",
        ),
        Enclosure(
            **_ABOUT,
            file="enclosed.age",
            file_sha256=_DIGEST,
            size_bytes=1_234,
            purpose="pullout_not_found",
            sent_at=_AT,
            sent_by="送った者の氏名",
        ),
    )
}
