"""The contractor's messages, each compared with the manifest before it is written.

What the ward would refuse is said here first, in the contractor's words. A message once written is not
overwritten by a different one: the ward stops on a second, different answer. Times are passed in.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from contractor_kit.files import write_whole
from contractor_kit.opening import PrintFileCount
from contractor_kit.package_check import CheckedPackage, SignedManifest
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.errors import Altered, Conflict, Refused
from notice_cycle.exchange import csv_form
from notice_cycle.exchange.enclosures import container_of
from notice_cycle.exchange.messages import (
    MAX_MESSAGE_BYTES,
    MESSAGE_NAMESPACE,
    ContentReceipt,
    DeliveryReport,
    Enclosure,
    ErasedCopy,
    ErasureCertificate,
    ErasureReport,
    Lot,
    Message,
    PrintLog,
    PrintLogLine,
    Receipt,
)
from notice_cycle.values import sha256, stored_file

M = TypeVar("M", bound=Message)

_ASK_WARD = "数を確かめ、合わないときは書き換えずに区に連絡してください。"


def receipt(package: CheckedPackage, *, by: str, at: datetime) -> Receipt:
    """受領通知（第1段階）: the four files as they arrived."""
    files = {file.name: file.sha256 for file in package.files}
    return _message(Receipt, package.signed, files=files, received_at=at, received_by=by)


def content_receipt(
    signed: SignedManifest, counted: PrintFileCount, *, by: str, at: datetime
) -> ContentReceipt:
    """受領通知（第2段階）. Unreadable characters are reported, not refused: the ward must learn of them."""
    manifest = signed.manifest
    if counted.print_file_sha256 != manifest.print_file.sha256:
        raise Altered(
            "印字データが、送付目録のものと一致しません。",
            advice="open で開いたままのファイルを指定してください（表計算ソフトで保存し直すと変わります）。",
        )
    if (counted.quantities, counted.totals_yen) != (manifest.quantities, manifest.totals_yen):
        raise Refused("印字データを数えた件数または合計額が、送付目録と一致しません。", advice=_ASK_WARD)
    return _message(
        ContentReceipt,
        signed,
        print_file_sha256=counted.print_file_sha256,
        quantities=counted.quantities,
        totals_yen=counted.totals_yen,
        unreadable_characters=counted.unreadable_characters,
        opened_at=at,
        opened_by=by,
    )


def print_log(signed: SignedManifest, lines: Sequence[PrintLogLine]) -> PrintLog:
    """印刷ログ. Raises Refused when the jobs do not add up to the plan."""
    if signed.manifest.is_request:
        raise Refused(
            f"このパッケージは{signed.manifest.contents}の依頼です。印刷するものではありません。",
            advice="一覧の通知を紙で抜き、pullout-confirmation を出してください。",
        )
    for number, line in enumerate(lines, 1):
        if line.print_file != signed.manifest.print_file.name:
            raise Refused(
                f"印刷ログの{number}件目の印刷ファイル名が {signed.manifest.print_file.name} ではありません。",
                advice="このパッケージの印刷だけを書いてください。",
            )
        if line.purpose != "planned" and not line.reason.strip():
            raise Refused(
                f"印刷ログの{number}件目に理由がありません。",
                advice="損紙・試し刷り・刷り直しの行には、理由を書いてください。",
            )
    sheets = _sheets(lines)
    planned = signed.manifest.quantities.sheets
    if sheets["planned"] != planned:
        raise Refused(
            f"計画の印刷枚数が送付目録と一致しません（送付目録 {planned:,}枚、印刷ログ {sheets['planned']:,}枚）。",
            advice=_ASK_WARD,
        )
    if sheets["spoilage"] != sheets["reprint"]:
        raise Refused(
            f"損紙と刷り直しの枚数が一致しません（損紙 {sheets['spoilage']:,}枚、刷り直し {sheets['reprint']:,}枚）。",
            advice="損紙1枚につき刷り直し1枚です。印刷ログの行を確かめてください。",
        )
    return _message(PrintLog, signed, lines=tuple(lines))


def delivery_report(
    signed: SignedManifest,
    log: PrintLog,
    lots: Sequence[Lot],
    *,
    place: str,
    by: str,
    at: datetime,
    party: str = "乙",
    pulled: int = 0,
) -> DeliveryReport:
    """納品報告. The spoiled sheets are those of the print log; `pulled`: envelopes that the ward had taken out."""
    _expect_same_package(signed, log)
    delivered, planned = sum(lot.envelopes for lot in lots), signed.manifest.quantities.envelopes
    if delivered != planned - pulled:
        less = f"、引抜き {pulled:,}封" if pulled else ""
        raise Refused(
            f"納品数量が送付目録と一致しません（送付目録 {planned:,}封{less}、納品 {delivered:,}封）。",
            advice=f"{_ASK_WARD}区の依頼で抜いた封筒は --pulled に書きます。",
        )
    return _message(
        DeliveryReport,
        signed,
        lots=tuple(lots),
        sheets_spoiled=_sheets(log.lines)["spoilage"],
        place=place,
        delivering_party=party,
        delivered_at=at,
        delivered_by=by,
    )


def erasure_report(
    signed: SignedManifest, delivery: DeliveryReport, copies: Sequence[ErasedCopy], *, backups: str
) -> ErasureReport:
    """データ消去報告書: the encrypted and the opened file must be among the copies, erased after the delivery."""
    _expect_same_package(signed, delivery)
    manifest = signed.manifest
    erased = {copy.file_sha256 for copy in copies}
    held = {file.sha256: file.name for file in (manifest.encrypted_file, manifest.print_file)}
    if missing := [name for sha256, name in held.items() if sha256 not in erased]:
        raise Refused(
            f"消去した写しの中に {' と '.join(missing)} がありません。",
            advice="受け取ったファイルも開いたファイルも、すべての写しを消去して1件ずつ書いてください。",
        )
    for number, copy in enumerate(copies, 1):
        # A list of letters to take out may be erased as soon as they are.
        if copy.file_sha256 in held and copy.erased_at < delivery.delivered_at:
            raise Refused(
                f"{number}件目の写しが、納品より前に消去されたことになっています。",
                advice="消去日時を確かめてください。",
            )
        if copy.started_at > copy.erased_at:
            raise Refused(
                f"{number}件目の写しの開始日時が、消去日時より後です。", advice="日時を確かめてください。"
            )
    return _message(
        ErasureReport, signed, notices=manifest.quantities.notices, copies=tuple(copies), backups=backups
    )


def erasure_certificate(
    signed: SignedManifest,
    report_content: bytes,
    *,
    number: str,
    by: str,
    at: datetime,
    addressed_to: Sequence[str] = ("甲",),
) -> ErasureCertificate:
    """消去証明書 for exactly the bytes of the report as they are sent to the ward."""
    report = read_message(ErasureReport, report_content)
    _expect_same_package(signed, report)
    if at < max(copy.erased_at for copy in report.copies):
        raise Refused(
            "証明の日時が、報告書の消去日時より前です。", advice="すべての消去が済んでから証明してください。"
        )
    return _message(
        ErasureCertificate,
        signed,
        certificate_number=number,
        report_sha256=sha256(report_content),
        addressed_to=tuple(addressed_to),
        certified_at=at,
        responsible_person=by,
    )


def filled_in(kind: type[M], signed: SignedManifest, path: Path, *, at: datetime) -> M:
    """A message of any kind from a template that was filled in, JSON or CSV; about this package, of the past.

    For an enclosure the encrypted file lies beside the template and is compared.
    """
    content = path.read_bytes()
    try:
        message = csv_form.parse(kind, content) if path.suffix.lower() == ".csv" else kind.parse(content)
    except Refused as wrong:
        raise Refused(
            wrong.message,
            advice=f"`python -m contractor_kit template {kind.kind}` の見本と照らし合わせてください。",
        ) from None
    _expect_same_package(signed, message)
    if any(moment > at for moment in message.moments()):
        raise Refused(
            f"{path.name} に未来の日時があります。",
            advice="実際の日時と、パソコンの時計を確かめてください。",
        )
    if isinstance(message, Enclosure):
        _expect_enclosed(message, path.parent)
    return message


def _expect_enclosed(message: Enclosure, folder: Path) -> None:
    path = folder / message.file
    found = stored_file(path)
    with path.open("rb") as source:
        container_of(source)  # never plaintext
    if (found.size_bytes, found.sha256) != (message.size_bytes, message.file_sha256):
        raise Refused(
            f"{message.file} の大きさまたは SHA-256 が、届出と一致しません。",
            advice=f"大きさは {found.size_bytes}、SHA-256 は {found.sha256} です。暗号化し直したときは書き直してください。",
        )


def read_message(kind: type[M], content: bytes) -> M:
    """A message written before. Raises Refused in words for the one who wrote it."""
    try:
        return kind.parse(content)
    except Refused as wrong:
        raise Refused(
            wrong.message, advice=f"このキットで作った {kind.file_name()} を指定してください。"
        ) from None


def write_message(
    message: Message, key: SigningKey, out: Path, *, signer: str = "", number: int | None = None
) -> Path:
    """Signs and writes `<kind>.json` and `<kind>.json.sig`; the signature first. Twice the same changes nothing.

    `signer`: a subcontractor's name, which stands before the kind. Of a kind that may come several times, without a
    `number` the next free one is taken.
    """
    content = message.content()
    if len(content) > MAX_MESSAGE_BYTES:
        raise Refused(
            f"{message.label_ja}が1MiBを超えます。", advice="同じ種類の行をまとめて、行数を減らしてください。"
        )
    path = _place(message, content, out, signer, number)
    if path.exists() and path.read_bytes() != content:
        raise Conflict(
            f"{path} がすでにあり、内容が異なります。",
            advice="上書きせずに止めました。区から置き直しを依頼された場合は、前のファイルを別のフォルダに移してからやり直してください。",
        )
    signature = key.sign(content, namespace=MESSAGE_NAMESPACE)
    write_whole(path.with_name(path.name + ".sig"), signature.encode("ascii"))
    write_whole(path, content)
    return path


def _place(message: Message, content: bytes, out: Path, signer: str, number: int | None) -> Path:
    if number or not message.several:
        return out / message.file_name(signer=signer, number=number or 1)
    places = (out / message.file_name(signer=signer, number=each) for each in range(1, 1_000))
    return next(place for place in places if not place.exists() or place.read_bytes() == content)


def _message(kind: type[M], signed: SignedManifest, **fields: Any) -> M:
    try:
        return kind(message=kind.kind, cycle=signed.manifest.cycle, manifest_sha256=signed.sha256, **fields)
    except ValidationError as wrong:
        where = ".".join(str(part) for part in wrong.errors()[0]["loc"])
        raise Refused(
            f"{kind.label_ja}の項目 {where} が正しくありません。",
            advice="空欄・改行がないこと、200文字以内であること、数が0以上の整数であることを確かめてください。",
        ) from None


def _sheets(lines: Sequence[PrintLogLine]) -> Counter[str]:
    sheets: Counter[str] = Counter()
    for line in lines:
        sheets[line.purpose] += line.sheets
    return sheets


def _expect_same_package(signed: SignedManifest, message: Message) -> None:
    if (message.cycle, message.manifest_sha256) != (signed.manifest.cycle, signed.sha256):
        raise Refused(
            f"{message.file_name()} は別のパッケージについてのものです。",
            advice=f"発送回 {signed.manifest.cycle} の {message.file_name()} を指定してください。",
        )
