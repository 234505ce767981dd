"""The named ways of a contractor, each with the reaction that is expected of the ward and words of its sentence.

A way lays down what this contractor would; nothing else is different from an honest one. `docs/contractor-behaviour.md`
is made from this list.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from notice_cycle import records as r
from notice_cycle.clock import now
from notice_cycle.exchange import csv_form
from notice_cycle.exchange import messages as m
from notice_cycle.pullout import PulloutRequested, pulled
from tests.builders import (
    CYCLE,
    OPENED_AT,
    ACycle,
    a_content_receipt,
    a_contractor,
    a_cycle,
    a_delivery_report,
    a_digest,
    a_print_line,
    a_print_log,
    a_receipt,
    an_erased_copy,
    an_erasure_certificate,
    an_erasure_report,
    every_copy_erased,
)
from tests.further_messages import (
    a_copy_declaration,
    a_declared_copy,
    a_destroyed_paper,
    a_destruction_certificate,
    a_posting_receipt,
    a_pullout_confirmation,
    a_rejection,
    a_transfer_record,
)
from tests.pulled_out import opened_list, said, the_list
from tests.simulator.ward import FIRM, GOOD, OTHER_FIRM, Reaction, SimulatedWard, without

Temper = Literal["正直", "遅い", "黙る", "誤る", "雑", "悪意"]
Stage = Literal["receipt", "content", "pullout", "delivery", "erasure"]
STAGES_JA: dict[str, str] = {
    "receipt": "受領（第1段階）",
    "content": "受領（第2段階）",
    "pullout": "引抜き",
    "delivery": "納品",
    "erasure": "消去",
}


@dataclass(frozen=True)
class Way:
    """One way. `says`: words of the sentence that a person reads; empty where there is none.

    `cycle`: what happened before its stage.
    """

    name: str
    temper: Temper
    what_ja: str
    stage: Stage
    reaction: Reaction
    says: str
    play: Callable[[SimulatedWard], None]
    cycle: ACycle = GOOD


WAYS: list[Way] = []
JAMMED = GOOD.with_(delivery={"sheets_spoiled": 3, "sheets_printed": 46})
ASKED = GOOD.noting(*opened_list(GOOD))
"""Three letters in two envelopes are to be pulled out; the contractor has opened the list."""

A, W, T, Q, R, S, G = (
    Reaction.ACCEPTED,
    Reaction.WAITS,
    Reaction.TOLD,
    Reaction.QUARANTINED,
    Reaction.REFUSED,
    Reaction.STOPPED,
    Reaction.GATED,
)
CLERK, MANAGER = "見本 一郎", "見本 二葉"
ENCRYPTED = GOOD[r.EncryptionRecord].files[0].sha256
OPENED = GOOD[r.CompositionRecord].print_file.sha256
LIST = the_list(GOOD)
(REQUEST,) = [fact for fact in ASKED.beside if isinstance(fact, PulloutRequested)]
CONFIRMED = said().model_copy(update={"done_by": CLERK})
PULLED = without(pulled(ASKED.noting(CONFIRMED).history())).noting(*ASKED.beside, CONFIRMED)
Play = Callable[[SimulatedWard], None]


def way(
    temper: Temper, stage: Stage, reaction: Reaction, what_ja: str, says: str = "", *, after: ACycle = GOOD
) -> Callable[[Play], Play]:
    """Enters a function as a way, under its own name."""

    def entered(play: Play) -> Play:
        WAYS.append(Way(play.__name__, temper, what_ja, stage, reaction, says, play, after))
        return play

    return entered


# ---- what an honest contractor says


def receipt(**changes: Any) -> m.Receipt:
    return a_receipt(GOOD, **({"received_by": CLERK} | changes))


def content(**changes: Any) -> m.ContentReceipt:
    return a_content_receipt(GOOD, **({"opened_by": CLERK} | changes))


def line(**changes: Any) -> m.PrintLogLine:
    return a_print_line(GOOD, **({"source_computer": "PRINT-PC-1"} | changes))


def delivery(**changes: Any) -> m.DeliveryReport:
    return a_delivery_report(GOOD, **({"delivered_by": "印刷 次郎"} | changes))


def erased(**changes: Any) -> tuple[m.ErasedCopy, ...]:
    return every_copy_erased(
        GOOD, **({"place": "PRINT-PC-1", "operator": CLERK, "witness": MANAGER} | changes)
    )


def confirmation(**changes: Any) -> m.PulloutConfirmation:
    known = {
        "request_number": REQUEST.number, "request_sha256": LIST[r.CompositionRecord].print_file.sha256,
        "pulled": REQUEST.notices, "done_at": CONFIRMED.done_at, "done_by": CLERK,
    }  # fmt: skip
    return a_pullout_confirmation(LIST, **(known | changes))


def destroys_pulled(ward: SimulatedWard, sheets: int = 3) -> None:
    paper = a_destroyed_paper(what="pulled", sheets=sheets, operator=CLERK, witness=MANAGER)
    certificate = a_destruction_certificate(GOOD, paper, responsible_person=MANAGER)
    ward.lays_with_the_dispatch(certificate)


def erased_list(**changes: Any) -> tuple[m.ErasedCopy, ...]:
    return every_copy_erased(
        LIST, **({"place": "PRINT-PC-1", "operator": CLERK, "witness": MANAGER} | changes)
    )


def destroyed_spoilage(sheets: int) -> m.DestructionCertificate:
    paper = a_destroyed_paper(sheets=sheets, operator=CLERK, witness=MANAGER)
    return a_destruction_certificate(GOOD, paper, responsible_person=MANAGER)


def prints_and_delivers(ward: SimulatedWard, *lines: m.PrintLogLine, **report: Any) -> None:
    ward.lays(a_print_log(GOOD, *(lines or (line(),))))
    ward.lays(delivery(**report))


def erases(ward: SimulatedWard, *copies: m.ErasedCopy, certificate: Any = None, **report: Any) -> None:
    told = an_erasure_report(GOOD, *(copies or erased()), **report)
    ward.lays(told)
    ward.lays(an_erasure_certificate(GOOD, told, **({"responsible_person": MANAGER} | (certificate or {}))))


def text_of(message: m.Message, **changes: Any) -> bytes:
    """A message as somebody's own program would write it."""
    return json.dumps(message.model_dump(mode="json") | changes, ensure_ascii=False).encode()


# ---- 受領（第1段階）


@way("正直", "receipt", A, "約束どおりに受領を届け出る")
def honest_receipt(ward: SimulatedWard) -> None:
    ward.lays(receipt())


@way("黙る", "receipt", W, "何も置かない（期限の見張りが知らせる）")
def silent(ward: SimulatedWard) -> None:
    pass


@way("遅い", "receipt", A, "期限を過ぎてから届け出る（遅れは期限の見張りが知らせる）")
def late(ward: SimulatedWard) -> None:
    ward.lays(receipt(received_at=now() - timedelta(minutes=1)))


@way("遅い", "receipt", W, "送りかけのファイル（.part）だけがある")
def half_file(ward: SimulatedWard) -> None:
    ward.lays_bytes("receipt.json.part", receipt().content()[:100], firm=None)


@way("遅い", "receipt", T, "届出はあるが、署名がいつまでもない", "署名のファイル（.sig）がなく")
def no_signature_yet(ward: SimulatedWard) -> None:
    ward.lays_bytes("receipt.json", receipt().content(), firm=None)


@way("誤る", "receipt", R, "別のダイジェストを届け出る", "引き渡したファイルと一致しません")
def wrong_digest(ward: SimulatedWard) -> None:
    files = {file.name: a_digest(file.name) for file in GOOD[r.HandoverRecord].files}
    ward.lays(receipt(files=files))


@way("雑", "receipt", R, "受け取ったファイルを一つ書き落とす", "引き渡したファイルと一致しません")
def one_file_forgotten(ward: SimulatedWard) -> None:
    files = [(file.name, file.sha256) for file in GOOD[r.HandoverRecord].files]
    ward.lays(receipt(files=dict(files[1:])))


@way("誤る", "receipt", R, "前のパッケージについて届け出る", "引き渡したファイルと一致しません")
def other_package(ward: SimulatedWard) -> None:
    ward.lays(receipt(manifest_sha256=a_digest("an earlier package")))


@way("誤る", "receipt", Q, "別の発送回の届出を置く", "別の発送回")
def other_cycle(ward: SimulatedWard) -> None:
    ward.lays(receipt().model_copy(update={"cycle": CYCLE.replace("annual-01", "supplementary-03")}))


@way("悪意", "receipt", Q, "昨年の発送回の、正しく署名された受領通知を置き直す", "別の発送回")
def replayed_receipt(ward: SimulatedWard) -> None:
    ward.lays(a_receipt(a_cycle()).model_copy(update={"cycle": CYCLE.replace("2026", "2025")}))


@way("悪意", "receipt", S, "二通目に、違う内容の受領通知を置く", "内容の異なる")
def two_different_receipts(ward: SimulatedWard) -> None:
    ward.lays(receipt())
    ward.lays_bytes("receipt.csv", csv_form.write(receipt(received_by=MANAGER)).encode())


@way("誤る", "receipt", S, "パッケージを受け取れないと届け出る（否認）", "否認")
def rejects_the_package(ward: SimulatedWard) -> None:
    ward.lays(a_rejection(GOOD, rejected_by=CLERK))


@way("悪意", "receipt", Q, "登録していない鍵で署名する", "署名")
def unknown_key(ward: SimulatedWard) -> None:
    ward.lays(receipt(), firm=a_contractor())


@way("悪意", "receipt", Q, "ほかの事業者の鍵で署名する", "署名")
def another_firms_key(ward: SimulatedWard) -> None:
    ward.lays(receipt(), firm=OTHER_FIRM)


@way("悪意", "receipt", Q, "署名した後で内容を書き換える", "署名")
def altered_after_signing(ward: SimulatedWard) -> None:
    ward.lays(receipt())
    ward.lays_bytes("receipt.json", receipt().content().replace("見本".encode(), "別人".encode()), firm=None)


@way("悪意", "receipt", Q, "別の用途の署名を付ける", "署名")
def signature_for_another_purpose(ward: SimulatedWard) -> None:
    ward.lays(receipt())
    signature = ward.folder / "receipt.json.sig"
    signature.write_bytes(FIRM.signs(receipt().content(), namespace="notice-cycle-manifest"))


@way("雑", "receipt", Q, "空の署名ファイルの代わりに、別の文を置く", "署名")
def signature_that_is_none(ward: SimulatedWard) -> None:
    ward.lays(receipt())
    (ward.folder / "receipt.json.sig").write_text("署名は後で送ります\n", encoding="utf-8")


@way("雑", "receipt", Q, "時計の狂ったパソコンで、先の日時を書く", "未来の日時")
def clock_in_the_future(ward: SimulatedWard) -> None:
    ward.lays(receipt(received_at=now() + timedelta(days=3)))


@way("雑", "receipt", Q, "JSON でない文を置く", "JSON として読めません")
def not_json(ward: SimulatedWard) -> None:
    ward.lays_bytes("receipt.json", "受け取りました。よろしくお願いします。".encode())


@way("雑", "receipt", Q, "知らない項目を加える", "項目")
def surplus_field(ward: SimulatedWard) -> None:
    ward.lays_bytes("receipt.json", text_of(receipt(), remarks="急ぎでお願いします"))


@way("悪意", "receipt", Q, "同じ項目を二度書く（読む道具によって値が変わる）", "JSON として読めません")
def a_key_twice(ward: SimulatedWard) -> None:
    ward.lays_bytes("receipt.json", text_of(receipt())[:-1] + b',"message":"receipt"}')


@way("雑", "receipt", Q, "日時に時差を書かない", "項目 received_at")
def moment_without_zone(ward: SimulatedWard) -> None:
    ward.lays_bytes("receipt.json", text_of(receipt(), received_at="2026-07-01T11:00:00"))


@way("悪意", "receipt", Q, "10GB のファイルを置く", "大きすぎます")
def ten_gigabytes(ward: SimulatedWard) -> None:
    ward.lays(receipt())
    os.truncate(ward.folder / "receipt.json", 10 * 1024**3)
    ward.laid.clear()  # its first mebibyte is kept


@way(
    "悪意",
    "receipt",
    Q,
    "圧縮すると小さい、開くと巨大なファイル（ZIP 爆弾）を届出の名で置く",
    "JSON として読めません",
)
def zip_bomb(ward: SimulatedWard) -> None:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("receipt.json", bytes(64 * 1024 * 1024))
    ward.lays_bytes("receipt.json", packed.getvalue())


@way("悪意", "receipt", Q, "10万段の入れ子を書く", "JSON として読めません")
def nested_without_end(ward: SimulatedWard) -> None:
    ward.lays_bytes("receipt.json", b"[" * 100_000)


@way("悪意", "receipt", Q, "受領者の欄に改行を入れ、記録に行を増やそうとする", "項目 received_by")
def line_break_in_a_name(ward: SimulatedWard) -> None:
    ward.lays_bytes("receipt.json", text_of(receipt(), received_by="見本\n受理: すべて"))


@way("悪意", "receipt", Q, "ファイル名の欄に上のフォルダを書く", "項目 files")
def path_in_a_file_name(ward: SimulatedWard) -> None:
    ward.lays_bytes("receipt.json", text_of(receipt(), files={"../../etc/passwd": a_digest("x")}))


@way("悪意", "receipt", T, "届出の名で、区のファイルへのリンクを置く", "通常のファイルではありません")
def link_to_a_file_of_the_ward(ward: SimulatedWard) -> None:
    (ward.folder / "receipt.json").symlink_to("/etc/hostname")
    (ward.folder / "receipt.json.sig").symlink_to("/etc/hostname")


@way("雑", "receipt", T, "届出の名のフォルダを作る", "通常のファイルではありません")
def folder_instead_of_a_file(ward: SimulatedWard) -> None:
    (ward.folder / "receipt.json").mkdir()


@way("雑", "receipt", T, "約束にない名前のファイル（人の名の付いた表）を置く", "foreign-")
def file_of_another_name(ward: SimulatedWard) -> None:
    ward.lays_bytes("受領した件.csv", b"no message of ours")


# ---- 受領（第2段階）


@way("正直", "content", A, "開いて数え、同じ数を届け出る")
def honest_content_receipt(ward: SimulatedWard) -> None:
    ward.lays(content())


@way("誤る", "content", R, "一件少なく数える", "件数または合計額が一致しません")
def one_notice_less(ward: SimulatedWard) -> None:
    planned = GOOD[r.CompositionRecord].quantities
    ward.lays(content(quantities=planned.model_copy(update={"notices": planned.notices - 1})))


@way("誤る", "content", R, "合計額が1円違う", "件数または合計額が一致しません")
def one_yen_more(ward: SimulatedWard) -> None:
    ward.lays(a_content_receipt(GOOD, total_yen=2_345_601, opened_by=CLERK))


@way(
    "雑",
    "content",
    R,
    "表計算ソフトで保存し直したファイルを使う",
    "ダイジェストが、作成した印字データと一致しません",
)
def saved_again_by_a_spreadsheet(ward: SimulatedWard) -> None:
    ward.lays(content(print_file_sha256=a_digest("saved again")))


@way("正直", "content", R, "読めない文字があると届け出る", "読めない文字が2件")
def unreadable_characters(ward: SimulatedWard) -> None:
    ward.lays(content(unreadable_characters=2))


# ---- 引抜き・差替え


@way("正直", "pullout", A, "依頼のとおりに抜き、数を届け出て、抜いた紙を廃棄する", after=ASKED)
def honest_pullout(ward: SimulatedWard) -> None:
    ward.lays(confirmation())
    destroys_pulled(ward)


@way("正直", "pullout", A, "一通見つからないと届け出る（区に知らせが届く）", after=ASKED)
def one_letter_not_found(ward: SimulatedWard) -> None:
    ward.lays(confirmation(pulled=2, not_found=1))
    destroys_pulled(ward, sheets=2)


@way("黙る", "pullout", W, "依頼を開いた後、何も届け出ない", after=ASKED)
def silent_on_a_pullout(ward: SimulatedWard) -> None:
    pass


@way("雑", "pullout", A, "同じ確認を二度置く（記録に残るだけ）", after=ASKED)
def the_same_confirmation_twice(ward: SimulatedWard) -> None:
    ward.lays(confirmation())
    ward.lays(confirmation(), name="pullout-confirmation-2.json")
    destroys_pulled(ward)


@way("誤る", "pullout", R, "別の依頼の番号で確認する", "についてのものではありません", after=ASKED)
def confirms_another_request(ward: SimulatedWard) -> None:
    ward.lays(confirmation(request_number=REQUEST.number.replace("引抜き1", "引抜き2")))


@way(
    "雑",
    "pullout",
    R,
    "開いた一覧でなく、暗号化された一覧のダイジェストを書く",
    "についてのものではありません",
    after=ASKED,
)
def digest_of_the_encrypted_list(ward: SimulatedWard) -> None:
    ward.lays(confirmation(request_sha256=LIST[r.EncryptionRecord].files[0].sha256))


@way(
    "雑",
    "pullout",
    R,
    "一通少なく抜き、残りを言わない",
    "依頼 3通、引抜き 2通、見つからない 0通",
    after=ASKED,
)
def one_letter_too_few(ward: SimulatedWard) -> None:
    ward.lays(confirmation(pulled=2))


@way("誤る", "pullout", R, "頼まれていない一通も抜く", "依頼 3通、引抜き 4通", after=ASKED)
def one_letter_too_many(ward: SimulatedWard) -> None:
    ward.lays(confirmation(pulled=4))


@way("誤る", "pullout", R, "差し替えたと届け出る（新しい通知は届いていない）", "抜き取りだけ", after=ASKED)
def says_that_it_replaced(ward: SimulatedWard) -> None:
    ward.lays(confirmation(pulled=2, replaced=1))


@way("悪意", "pullout", R, "一覧を開く前に抜いたことにする", "依頼を開いた日時より前", after=ASKED)
def pulled_before_the_list_was_opened(ward: SimulatedWard) -> None:
    ward.lays(confirmation(done_at=OPENED_AT))


@way(
    "悪意",
    "pullout",
    Q,
    "依頼のパッケージを受け取らずに、印字データのフォルダで確認する",
    "依頼のパッケージのフォルダにありません",
    after=ASKED,
)
def confirms_without_the_package(ward: SimulatedWard) -> None:
    ward.lays_with_the_dispatch(a_pullout_confirmation(GOOD, request_number=REQUEST.number))


@way(
    "悪意",
    "pullout",
    Q,
    "前の依頼の、正しく署名された確認を置き直す",
    "この発送回のパッケージについてのものではありません",
    after=ASKED,
)
def replayed_confirmation(ward: SimulatedWard) -> None:
    ward.lays(confirmation(manifest_sha256=GOOD[r.EncryptionRecord].manifest_sha256))


@way("悪意", "pullout", S, "数の違う二通の確認を置く", "内容の異なる", after=ASKED)
def two_different_confirmations(ward: SimulatedWard) -> None:
    ward.lays(confirmation())
    ward.lays(confirmation(pulled=2, not_found=1), name="pullout-confirmation-2.json")


@way("雑", "pullout", G, "名簿にない者が抜く", "名簿にない", after=ASKED)
def pulled_by_somebody_unknown(ward: SimulatedWard) -> None:
    ward.lays(confirmation(done_by="臨時 太郎"))
    destroys_pulled(ward)


@way("遅い", "delivery", W, "引抜きの確認の前に、納品を届け出る", "引抜きの確認待ち", after=ASKED)
def delivered_before_the_confirmation(ward: SimulatedWard) -> None:
    prints_and_delivers(ward)


@way("正直", "delivery", A, "抜いた封筒を除いて納品し、抜いた紙を廃棄する", after=PULLED)
def delivered_without_the_pulled_letters(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, lots=(m.Lot(lot="1", envelopes=37),))
    destroys_pulled(ward)


@way(
    "悪意", "delivery", R, "抜いたと届け出た封筒も納品する", "計画 39封、引抜き 2封、納品 39封", after=PULLED
)
def pulled_letters_delivered_all_the_same(ward: SimulatedWard) -> None:
    prints_and_delivers(ward)


@way(
    "誤る", "delivery", R, "抜いた封筒よりも少なく納品する", "計画 39封、引抜き 2封、納品 36封", after=PULLED
)
def more_envelopes_missing_than_pulled(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, lots=(m.Lot(lot="1", envelopes=36),))


@way("悪意", "erasure", R, "引抜きの一覧（開いたもの）を消去しない", "の消去がありません", after=PULLED)
def list_of_the_pulled_kept(ward: SimulatedWard) -> None:
    erases(ward, *erased(), *erased_list()[:2])
    destroys_pulled(ward)


@way("雑", "erasure", G, "抜いた紙の廃棄を証明しない", "引き抜いたもの 3枚", after=PULLED)
def pulled_sheets_not_certified(ward: SimulatedWard) -> None:
    erases(ward, *erased(), *erased_list())


@way("悪意", "erasure", G, "抜いた紙を一枚少なく廃棄したと証明する", "引き抜いたもの 3枚", after=PULLED)
def one_pulled_sheet_kept(ward: SimulatedWard) -> None:
    erases(ward, *erased(), *erased_list())
    destroys_pulled(ward, sheets=2)


# ---- 納品


@way("正直", "delivery", A, "計画どおりに印刷し、納品する")
def honest_delivery(ward: SimulatedWard) -> None:
    prints_and_delivers(ward)


@way("遅い", "delivery", W, "納品報告だけで、印刷ログがない")
def delivery_without_print_log(ward: SimulatedWard) -> None:
    ward.lays(delivery())


@way("誤る", "delivery", R, "一枚多く印刷し、理由を書かない", "計画 40枚、印刷ログ 41枚")
def one_sheet_too_many(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, line(sheets=41))


@way("悪意", "delivery", R, "一枚余計に刷り、損紙のない刷り直しと書く", "損紙 0枚、刷り直し 1枚")
def reprint_without_spoilage(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, line(), line(sheets=1, purpose="reprint", reason="念のため"))


@way("雑", "delivery", R, "刷り直しの理由を書かない", "理由がない")
def reprint_without_reason(ward: SimulatedWard) -> None:
    spoiled = line(sheets=1, purpose="spoilage", reason="紙詰まり")
    prints_and_delivers(ward, line(), spoiled, line(sheets=1, purpose="reprint"), sheets_spoiled=1)


@way("誤る", "delivery", R, "一封少なく納品する", "計画 39封、納品 38封")
def one_envelope_less(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, lots=(m.Lot(lot="1", envelopes=38),))


@way("雑", "delivery", R, "同じロットを二度書く", "同じロットが二度")
def a_lot_twice(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, lots=(m.Lot(lot="1", envelopes=20), m.Lot(lot="1", envelopes=19)))


@way("悪意", "delivery", R, "契約と違う場所に納品する", "契約の納品場所")
def delivered_elsewhere(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, place="架空印刷 第二倉庫")


@way("誤る", "delivery", R, "納品の後にも印刷したログを出す", "納品より後の印刷")
def printed_after_the_delivery(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, line(printed_at=OPENED_AT + timedelta(days=3)))


@way("誤る", "delivery", R, "別の印刷ファイルのログを出す", "この発送回のものでない印刷ファイル名")
def log_of_another_print_file(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, line(print_file="last_year.csv"))


@way("悪意", "delivery", G, "登録していないパソコンから印刷する", "HOME-PC")
def unknown_print_computer(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, line(source_computer="HOME-PC"))


@way("雑", "delivery", G, "名簿にない者が納品する", "名簿にない")
def handler_not_on_the_roster(ward: SimulatedWard) -> None:
    prints_and_delivers(ward, delivered_by="臨時 太郎")


@way("悪意", "delivery", Q, "CSV の届出に計算式を書く", "")
def formula_in_a_table(ward: SimulatedWard) -> None:
    prints_and_delivers(ward)
    declared = csv_form.write(a_copy_declaration(GOOD)).replace(
        "届出 七郎", '=HYPERLINK("http://example.com")'
    )
    ward.lays_bytes("copy-declaration.csv", declared.encode())


@way("悪意", "delivery", G, "USB メモリーに控えを取る（届け出る）", "認めていない記録媒体")
def copy_on_a_stick(ward: SimulatedWard) -> None:
    prints_and_delivers(ward)
    stick = a_declared_copy(OPENED, carrier="その他", place="USB メモリー", purpose="backup")
    ward.lays(a_copy_declaration(GOOD, stick))


@way("悪意", "delivery", Q, "承諾していない者にデータを渡す", "承諾した再委託先でもありません")
def handed_to_a_stranger(ward: SimulatedWard) -> None:
    prints_and_delivers(ward)
    ward.lays(a_transfer_record(GOOD, taken_by_party="知人の印刷所"))


# ---- 消去


@way("正直", "erasure", A, "すべての控えを消去し、証明する")
def honest_erasure(ward: SimulatedWard) -> None:
    erases(ward)


@way("遅い", "erasure", W, "報告書だけで、証明書がない")
def report_without_certificate(ward: SimulatedWard) -> None:
    ward.lays(an_erasure_report(GOOD, *erased()))


@way("悪意", "erasure", R, "開いた印字データの控えを一つ残す", "開いた印字データの消去がありません")
def missing_copy(ward: SimulatedWard) -> None:
    erases(ward, *erased()[:2])


@way("雑", "erasure", R, "受け口（サーバー）に置かれたものを忘れる", "サーバー（")
def forgotten_on_the_host(ward: SimulatedWard) -> None:
    erases(ward, *erased()[1:])


@way("悪意", "erasure", G, "届け出ていない自宅の控えが、報告書で初めて分かる", "届け出のない")
def undeclared_copy(ward: SimulatedWard) -> None:
    home = an_erased_copy(OPENED, place="自宅のパソコン", operator=CLERK, witness=MANAGER)
    erases(ward, *erased(), home)


@way("雑", "erasure", R, "パソコンを上書きだけで済ませる", "clear）は、パソコンには認められません")
def only_cleared(ward: SimulatedWard) -> None:
    erases(ward, *erased(method="clear"))


@way("悪意", "erasure", R, "納品の前に消去したことにする（消去の前の証明書）", "納品より前に消去")
def erased_before_the_delivery(ward: SimulatedWard) -> None:
    erases(ward, *erased(erased_at=OPENED_AT + timedelta(hours=1)))


@way("悪意", "erasure", R, "消去の前の日付の証明書を出す", "最後の消去より前")
def certificate_before_the_erasure(ward: SimulatedWard) -> None:
    erases(ward, certificate={"certified_at": OPENED_AT + timedelta(days=4)})


@way("誤る", "erasure", R, "別の報告書の証明書を出す", "届いた消去報告書についてのものではありません")
def certificate_of_another_report(ward: SimulatedWard) -> None:
    erases(ward, certificate={"report_sha256": a_digest("another report")})


@way("誤る", "erasure", R, "証明書を区（甲）にあてない", "あて先に甲がありません")
def certificate_to_somebody_else(ward: SimulatedWard) -> None:
    erases(ward, certificate={"addressed_to": ("乙",)})


@way("誤る", "erasure", R, "件数が一件少ない", "引渡し 40件、消去 39件")
def fewer_notices_erased(ward: SimulatedWard) -> None:
    erases(ward, notices=39)


@way("悪意", "erasure", R, "一人で消去し、自分で立ち会ったことにする", "立会人が、消去した者と同じ")
def witness_of_oneself(ward: SimulatedWard) -> None:
    erases(ward, *erased(witness=CLERK))


@way("誤る", "erasure", R, "開始が終了より後の消去を報告する", "開始が、終了より後")
def erasure_that_ends_before_it_starts(ward: SimulatedWard) -> None:
    erases(ward, *erased(started_at=OPENED_AT + timedelta(days=6)))


@way("雑", "erasure", R, "バックアップの欄を空白で埋める", "バックアップについての記載がありません")
def no_word_on_backups(ward: SimulatedWard) -> None:
    erases(ward, backups="　")


@way("雑", "erasure", G, "消去した者が、その日の名簿にない", "名簿にない")
def erased_by_somebody_unknown(ward: SimulatedWard) -> None:
    erases(ward, *erased(operator="臨時 太郎"))


@way("雑", "erasure", G, "損紙の廃棄を証明しない", "損紙 3枚", after=JAMMED)
def spoilage_not_certified(ward: SimulatedWard) -> None:
    erases(ward)


@way("悪意", "erasure", G, "損紙を一枚少なく廃棄したと証明する", "損紙 3枚", after=JAMMED)
def one_spoiled_sheet_kept(ward: SimulatedWard) -> None:
    erases(ward)
    ward.lays(destroyed_spoilage(2))


@way(
    "悪意",
    "erasure",
    Q,
    "損紙の廃棄の証明を、同じ番号でもう一通出して枚数を合わせる",
    "同じ番号の廃棄証明書",
    after=JAMMED,
)
def a_destruction_certificate_twice(ward: SimulatedWard) -> None:
    erases(ward)
    for number, sheets in enumerate((2, 1), start=1):
        certificate = destroyed_spoilage(sheets)
        ward.lays(certificate, name=certificate.file_name(number=number))


@way("正直", "erasure", A, "納品したすべてを差し出し、差出票を届け出る")
def posts_everything(ward: SimulatedWard) -> None:
    erases(ward)
    ward.lays(a_posting_receipt(GOOD))


@way("誤る", "erasure", Q, "納品したより一通多く差し出したと届け出る", "納品した数より多くなります")
def one_envelope_more_posted(ward: SimulatedWard) -> None:
    erases(ward)
    envelopes = GOOD[r.DeliveryRecord].envelopes_delivered + 1
    ward.lays(a_posting_receipt(GOOD, lots=(m.Lot(lot="1", envelopes=envelopes),)))


@way("悪意", "erasure", Q, "同じ差出票の番号で、もう一通届け出る", "同じ番号の差出票")
def a_posting_receipt_twice(ward: SimulatedWard) -> None:
    erases(ward)
    for number, envelopes in enumerate((20, 19), start=1):
        receipt = a_posting_receipt(GOOD, lots=(m.Lot(lot="1", envelopes=envelopes),))
        ward.lays(receipt, name=receipt.file_name(number=number))


def as_document() -> str:
    """docs/contractor-behaviour.md."""
    rows = [
        f"| `{one.name}` | {one.temper} | {STAGES_JA[one.stage]} | {one.what_ja} | {one.reaction} | {one.says} |"
        for one in WAYS
    ]
    return _INTRODUCTION.format(count=len(WAYS)) + "\n".join(rows) + "\n"


_INTRODUCTION = """# 委託先のふるまいと、区の反応 (contractor behaviour)

委託先が届け出る{count}通りのやり方を、実際の受付・照合・関門に通し、区の反応を確かめています（tests/simulator）。
どのやり方でも、発送回はそれだけでは完了せず、置かれたファイルは失われず、赤くなったタスクのログにあるのは下の文のような日本語です。
手で直さず、tests/simulator/ways.py を直し、`python -m tests.simulator` で作り直します。

- **受け付ける**: 記録し、次の段階へ進む。
- **待ち続ける**: まだ届いていないとして、次の見回りでまた見る。置かれたものには触れない。
- **触れずに、運用担当に知らせて待つ**: 届出でないもの。二度の見回りで変わらなければ、名前を伏せて一度だけ知らせる。読まず、動かさない。
- **受付で隔離し、知らせて待つ**: 署名・形式・発送回の誤り。理由を付けて隔離し、メールで知らせ、正しいものを待つ。
- **照合で止め、隔離する**: 内容が区の記録と合わない。段階のタスクが赤になる。
- **止めて、人に聞く**: 二つの違う答え、または否認。人が決めるまで進まない。
- **受け付けるが、完了の関門が閉じる**: 事実として記録する。違反が正されるか、課長が例外を決めるまで完了しない。

| 名前 | 性質 | 段階 | すること | 反応 | 出る文（の一部） |
|---|---|---|---|---|---|
"""
