"""The scenarios: what the contractor is told, which messages he answers with, and how the ward judges them.

A judge raises Refused with a sentence, or says nothing. Where a stage of the product judges the message by itself, that
judge is used; an erasure, which a stage judges over the whole ledger, is judged by what the scenario told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from acceptance_pack.making import SMALL_TOTAL_KEY, Made
from notice_cycle.acknowledgement.receipts import verify_content_receipt, verify_receipt
from notice_cycle.catalogue import Configuration
from notice_cycle.delivery.reconcile import verify_delivery
from notice_cycle.errors import Refused
from notice_cycle.exchange.door import Admitted
from notice_cycle.exchange.messages import Rejection
from notice_cycle.records import HandoverRecord, OverLgwan

Answers = Mapping[str, Admitted[Any]]
"""The admitted answers of a scenario, by kind."""


@dataclass(frozen=True)
class Told:
    """What the ward knows when it judges: the packages by name, the notice, and the contractor's id."""

    packages: Mapping[str, Made]
    manifests: Mapping[str, str]
    configuration: Configuration
    at: datetime

    @property
    def sound(self) -> Made:
        """The package that nothing is wrong with."""
        return self.packages["sound"]

    def handover(self, name: str) -> HandoverRecord:
        """The hand-over of a package, as a stage would have entered it."""
        made = self.packages[name]
        return HandoverRecord(
            party=self.configuration.party.id,
            files=made.encryption.files,
            sent_at=self.at,
            lgwan=OverLgwan(host="pack", host_key_fingerprint="", transport="", remote_folder="", listing=()),
        )


@dataclass(frozen=True)
class Scenario:
    """One task of the pack. `package`: what it is about; `kinds`: what must be answered, `asks_ja`: what is told."""

    id: str
    package: str
    title_ja: str
    asks_ja: str
    kinds: tuple[str, ...]
    judge: Callable[[Answers, Told], None]
    enclosed: bool = False


def _receipt(answers: Answers, told: Told) -> None:
    found = answers["receipt"]
    made = told.sound
    verify_receipt(
        told.handover("sound"),
        made.encryption,
        found.message,
        message_sha256=found.sha256,
        signed_by=found.signed_by,
    )


def _content_receipt(answers: Answers, told: Told) -> None:
    found, made = answers["content-receipt"], told.sound
    verify_content_receipt(
        made.composition,
        made.encryption,
        found.message,
        told.configuration,
        message_sha256=found.sha256,
        signed_by=found.signed_by,
        small_total_key=SMALL_TOTAL_KEY,
    )


def _rejected(level: int, *reasons: str) -> Callable[[Answers, Told], None]:
    def judge(answers: Answers, _told: Told) -> None:
        message: Rejection = answers["rejection"].message
        if message.level != level:
            raise Refused(f"否認の段階が {level} ではありません。")
        if message.reason_code not in reasons:
            raise Refused(f"否認の理由が {'・'.join(reasons)} ではありません。")

    return judge


def _unreadable(answers: Answers, told: Told) -> None:
    message = answers["content-receipt"].message
    if message.print_file_sha256 != told.packages["unreadable"].composition.print_file.sha256:
        raise Refused("印字データの SHA-256 が違います。")
    if message.unreadable_characters != _UNREADABLE:
        raise Refused(f"読めない文字（取り決めのない外字）は{_UNREADABLE}件です。")


_UNREADABLE = 2  # the same glyph in the insured person's name and in the recipient's


def _printed(answers: Answers, told: Told) -> None:
    log, report, made = answers["print-log"], answers["delivery-report"], told.sound
    record = verify_delivery(
        made.composition,
        made.encryption,
        log.message,
        report.message,
        log_sha256=log.sha256,
        report_sha256=report.sha256,
        signed_by=log.signed_by,
    )
    tests = sum(line.sheets for line in log.message.lines if line.purpose == "test")
    if (record.sheets_spoiled, tests) != (3, 2):
        raise Refused("損紙は3枚、試し刷りは2枚です。")
    if record.lots != _LOTS:
        raise Refused(f"ロットは{_LOTS}つに分けて報告してください。")


_LOTS = 2


def _copies(answers: Answers, told: Told) -> None:
    composed, encrypted = told.sound.composition.print_file.sha256, told.sound.encryption.files[0].sha256
    declared = sorted(
        (copy.file_sha256, copy.purpose, copy.carrier) for copy in answers["copy-declaration"].message.copies
    )
    expected = sorted(
        [
            (encrypted, "work", "パソコン"),
            (composed, "work", "パソコン"),
            (composed, "cache", "パソコン"),
            (encrypted, "backup", "サーバー"),
        ]
    )
    if declared != expected:
        raise Refused(
            "控えは4つです（受け取った暗号文、開いた印字データ、プリンタのスプール、受け口のバックアップ）。"
        )


def _transferred(answers: Answers, told: Told) -> None:
    message = answers["transfer-record"].message
    if (message.carrier, message.sheets, message.encrypted) != ("紙", 30, False):
        raise Refused("紙30枚を、暗号化せずに渡した、という移送です。")
    if message.file_sha256 != told.sound.composition.print_file.sha256:
        raise Refused("もとの印字データの SHA-256 が違います。")


def _destroyed(answers: Answers, _told: Told) -> None:
    papers = sorted((one.what, one.sheets) for one in answers["destruction-certificate"].message.papers)
    if papers != [("spoilage", 3), ("test", 2)]:
        raise Refused("廃棄したのは損紙3枚と試し刷り2枚です。")


def _erased(answers: Answers, told: Told) -> None:
    _judge_erasure(answers, told, "sound", {"sound"})
    if len(answers["erasure-report"].message.copies) < _COPIES:
        raise Refused("控えは4つでした。一つずつ書いてください。")


_COPIES = 4


def _erased_with_the_replaced(answers: Answers, told: Told) -> None:
    _judge_erasure(answers, told, "replacing", {"sound", "replacing"})


def _judge_erasure(answers: Answers, told: Told, package: str, left: set[str]) -> None:
    report, certificate = answers["erasure-report"], answers["erasure-certificate"]
    made = told.packages[package]
    erased = {copy.file_sha256 for copy in report.message.copies}
    for name in sorted(left):
        one = told.packages[name]
        if one.encryption.files[0].sha256 not in erased:
            raise Refused(f"受け取った暗号文の消去がありません（{name}）。")
        if one.composition.print_file.sha256 not in erased:
            raise Refused(f"開いた印字データの消去がありません（{name}）。")
    if report.message.notices != made.composition.quantities.notices:
        raise Refused("消去した通知書の件数が違います。")
    if any(copy.started_at > copy.erased_at for copy in report.message.copies):
        raise Refused("消去の開始が、終了より後です。")
    if certificate.message.report_sha256 != report.sha256:
        raise Refused("消去証明書が、置かれた消去報告書についてのものではありません。")
    if certificate.message.certified_at < max(copy.erased_at for copy in report.message.copies):
        raise Refused("証明の日時が、最後の消去より前です。")
    if certificate.message.addressed_to != ("甲",):
        raise Refused("証明書の宛先は甲です。")


def _pulled(answers: Answers, _told: Told) -> None:
    message = answers["pullout-confirmation"].message
    if (message.pulled, message.replaced, message.not_found) != (2, 0, 1):
        raise Refused(
            "引抜き2、見つからない1です。差し替えた数は0です（新しい通知は、別の発送回で届きます）。"
        )
    if message.request_number != "受入試験-引抜き1":
        raise Refused("依頼の番号が違います。")


def _posted(answers: Answers, told: Told) -> None:
    envelopes = sum(lot.envelopes for lot in answers["posting-receipt"].message.lots)
    if envelopes != told.sound.composition.quantities.envelopes:
        raise Refused("差し出した封数が、納品した封数と一致しません。")


def _returned(answers: Answers, _told: Told) -> None:
    message = answers["return-notice"].message
    if (len(message.discs), len(message.passphrase_notices), message.means) != (0, 1, "簡易書留"):
        raise Refused("返すのはパスワード通知書1通だけ、簡易書留です。")
    if not message.tracking_number:
        raise Refused("簡易書留には追跡番号が要ります。")


def _changed(answers: Answers, _told: Told) -> None:
    if answers["measure-change"].message.planned_from is None:
        raise Refused("いつからかを書いてください。")


def _incident(answers: Answers, _told: Told) -> None:
    message = answers["incident-notice"].message
    if (message.what, message.category, message.persons_at_most) != ("likelihood", "loss", 1):
        raise Refused("封筒1通（1人分）の紛失の「おそれ」です。")


def _enclosed(answers: Answers, _told: Told) -> None:
    if answers["enclosure"].message.purpose != "pullout_not_found":
        raise Refused("見つからなかった通知の一覧です。")


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("01-receipt", "sound", "受領", "届いたパッケージを検査し、受領通知（第1段階）を出す。", ("receipt",), _receipt),
    Scenario("02-content", "sound", "開封と計数", "開いて数え、受領通知（第2段階）を出す。外字は取決めのとおりで、読めない文字は無い。", ("content-receipt",), _content_receipt),
    Scenario("03-damaged", "damaged", "壊れたファイル", "検査し、出すべきものを出す。", ("rejection",), _rejected(1, "digest_mismatch")),
    Scenario("04-missing", "missing", "足りないファイル", "検査し、出すべきものを出す。", ("rejection",), _rejected(1, "files_missing")),
    Scenario("05-stranger", "stranger", "区のものでない署名", "検査し、出すべきものを出す。", ("rejection",), _rejected(1, "signature_invalid")),
    Scenario("06-altered", "altered", "書き換えられた送付目録", "チェックサムは合う。検査し、出すべきものを出す。", ("rejection",), _rejected(1, "signature_invalid")),
    Scenario("07-passphrase", "passphrase", "別のパスワード", "渡された通知書のパスワードで開き、出すべきものを出す。", ("rejection",), _rejected(2, "passphrase_wrong", "cannot_open")),
    Scenario("08-count", "count", "合わない件数", "開いて数え、送付目録と照らし、出すべきものを出す。", ("rejection",), _rejected(2, "count_mismatch")),
    Scenario("09-unreadable", "unreadable", "取決めのない外字", "開いて数え、読めない文字の数を書いて受領通知（第2段階）を出す。", ("content-receipt",), _unreadable),
    Scenario("10-not-ours", "other", "ほかの委託先のパッケージ", "送付目録を読み、出すべきものを出す。", ("rejection",), _rejected(1, "not_contracted")),
    Scenario("11-print", "sound", "印刷と納品", "試し刷り2枚（位置合わせ）、紙詰まりで損紙3枚、3枚を刷り直した。二つのロットで納品した。", ("print-log", "delivery-report"), _printed),
    Scenario("12-copies", "sound", "控えの届出", "PC に受け取った暗号文と開いた印字データ、同じ PC にプリンタのスプール、受け口のサーバーに暗号文のバックアップがある。", ("copy-declaration",), _copies),
    Scenario("13-transfer", "sound", "再委託先への移送", "刷り上がった紙30枚を再委託先に渡した。", ("transfer-record",), _transferred),
    Scenario("14-destroyed", "sound", "損紙の廃棄", "損紙3枚と試し刷り2枚を裁断した。", ("destruction-certificate",), _destroyed),
    Scenario("15-erasure", "sound", "消去と証明", "12 の控えをすべて消去し、報告し、証明する。", ("erasure-report", "erasure-certificate"), _erased),
    Scenario("16-replaced", "replacing", "差し替えられたパッケージの消去", "前のパッケージ（sound）も開いていた。両方を消去し、報告し、証明する。", ("erasure-report", "erasure-certificate"), _erased_with_the_replaced),
    Scenario("17-pullout", "sound", "引抜きと差替え", "区分「差替え」の依頼「受入試験-引抜き1」の3通のうち、2通を抜き、1通は見つからなかった。", ("pullout-confirmation",), _pulled),
    Scenario("18-posting", "sound", "差出し", "すべてを差し出した。", ("posting-receipt",), _posted),
    Scenario("19-return", "sound", "返却", "パスワード通知書1通を簡易書留で返した。媒体はない。", ("return-notice",), _returned),
    Scenario("20-change", "sound", "対策の変更", "来月1日から印刷室の錠を替える。", ("measure-change",), _changed),
    Scenario("21-incident", "sound", "事故のおそれ", "封筒1通（1人分）の所在が分からなくなった。", ("incident-notice",), _incident),
    Scenario("22-enclosure", "sound", "個人情報を含む一覧", "見つからなかった通知の一覧（架空のもの）を暗号化して添える。", ("enclosure",), _enclosed, enclosed=True),
)  # fmt: skip
