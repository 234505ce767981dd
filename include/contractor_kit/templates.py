"""An example of each message, to fill in with a text editor and sign with stock `ssh-keygen -Y sign`.

Examples are made from the message models themselves, so they cannot fall behind them.
"""

import json
from datetime import datetime

from notice_cycle.clock import TOKYO
from notice_cycle.exchange.messages import (
    ContentReceipt,
    DeliveryReport,
    ErasedCopy,
    ErasureCertificate,
    ErasureReport,
    Lot,
    Message,
    PrintLog,
    PrintLogLine,
    Receipt,
)
from notice_cycle.exchange.package import CHECKSUMS, MANIFEST, MANIFEST_SIGNATURE
from notice_cycle.records import Quantities

_CYCLE = "2026-premium_notice_ordinary-annual-01"
_ENCRYPTED = f"{_CYCLE}-p1.csv.age"
_DIGEST = "0" * 64
_AT = datetime(2026, 7, 3, 10, 5, tzinfo=TOKYO)


def template(kind: str) -> str:
    """The example of a message kind as indented JSON text. Raises KeyError for an unknown kind."""
    return json.dumps(_EXAMPLES[kind].model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"


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


def _erased(place: str, method: str, tool: str) -> ErasedCopy:
    return ErasedCopy.model_validate(
        {
            "place": place,
            "file_sha256": _DIGEST,
            "method": method,
            "tool": tool,
            "erased_at": _AT,
            "operator": "作業者の氏名",
            "witness": "立会者の氏名",
        }
    )


_EXAMPLES: dict[str, Message] = {
    example.kind: example
    for example in (
        Receipt(
            cycle=_CYCLE,
            manifest_sha256=_DIGEST,
            files=dict.fromkeys((_ENCRYPTED, MANIFEST, MANIFEST_SIGNATURE, CHECKSUMS), _DIGEST),
            received_at=_AT,
            received_by="受け取った者の氏名",
        ),
        ContentReceipt(
            cycle=_CYCLE,
            manifest_sha256=_DIGEST,
            print_file_sha256=_DIGEST,
            quantities=Quantities(persons=100, notices=100, envelopes=98, sheets=100),
            totals_yen={"決定年額": 7_500_000, "普通徴収額": 7_200_000},
            unreadable_characters=0,
            opened_at=_AT,
            opened_by="開いた者の氏名",
        ),
        PrintLog(
            cycle=_CYCLE,
            manifest_sha256=_DIGEST,
            lines=(
                _print_job("PRINTER-A", 100, "planned"),
                _print_job("PRINTER-A", 3, "spoilage", "紙詰まり"),
                _print_job("PRINTER-A", 3, "reprint", "損紙3枚の刷り直し"),
            ),
        ),
        DeliveryReport(
            cycle=_CYCLE,
            manifest_sha256=_DIGEST,
            lots=(Lot(lot="L01", envelopes=98),),
            sheets_spoiled=3,
            delivered_at=_AT,
            delivered_by="納品した者の氏名",
        ),
        ErasureReport(
            cycle=_CYCLE,
            manifest_sha256=_DIGEST,
            notices=100,
            copies=(
                _erased("PRINT-PC-1（受け取った暗号化ファイル）", "clear", "上書き1回のうえ削除"),
                _erased("PRINT-PC-1（開いた印字データ）", "clear", "上書き1回のうえ削除"),
            ),
            backups="バックアップは取得していない",
        ),
        ErasureCertificate(
            cycle=_CYCLE,
            manifest_sha256=_DIGEST,
            certificate_number="証明書の番号",
            report_sha256=_DIGEST,
            certified_at=_AT,
            responsible_person="責任者の氏名",
        ),
    )
}
