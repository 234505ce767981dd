"""The commands: what is asked and what is said. All that is done lies in the modules beside this one.

Every foreseen fault ends with one sentence saying what happened, an arrow, what to do, and exit status 1.
The passphrase is asked for on the terminal without showing it, or read from standard input; it is no argument,
because arguments stay in the shell's history.
"""

import argparse
import getpass
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from contractor_kit import answers, opening, tables
from contractor_kit.package_check import (
    CheckedPackage,
    SignedManifest,
    check_package,
    only_signer,
    read_manifest,
)
from contractor_kit.templates import template
from notice_cycle import clock
from notice_cycle.encryption.passphrase import Passphrase, parse
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey
from notice_cycle.errors import NoticeCycleError, Refused
from notice_cycle.exchange.messages import MESSAGES, DeliveryReport, Lot, Message, PrintLog

_TRIES = 3
_OS_FAULTS: dict[type[OSError], str] = {
    FileNotFoundError: "ファイルまたはフォルダがありません",
    NotADirectoryError: "フォルダではありません",
    IsADirectoryError: "ファイルではなくフォルダです",
    FileExistsError: "同じ名前のファイルがあります",
    PermissionError: "読み書きする権限がありません",
}
Arguments = argparse.Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 when done, 1 after a sentence on standard error."""
    try:
        asked = _parser().parse_args(arguments)
        asked.run(asked)
    except NoticeCycleError as fault:
        return _say(str(fault))
    except OSError as fault:
        what = _OS_FAULTS.get(type(fault), f"ファイルを読み書きできません（{fault.strerror}）")
        return _say(f"{what}: {fault.filename} → 名前と場所の指定、権限、空き容量を確認してください。")
    except KeyboardInterrupt:
        return _say("中止しました。 → もう一度実行すれば、続きからできます。")
    return 0


# ---- the commands


def check(asked: Arguments) -> None:
    """`check`: everything that can be checked without the passphrase."""
    package = _package(asked)
    manifest, counted = package.manifest, package.manifest.quantities
    print(f"検査しました。異常はありません: {manifest.package}")
    print(f"  区分 {manifest.marking}　通知書 {manifest.notice_ja}　発行 {manifest.ward}")
    print(
        f"  人数 {counted.persons:,}　通知書 {counted.notices:,}件　封筒 {counted.envelopes:,}通　用紙 {counted.sheets:,}枚"
    )
    if manifest.is_request:
        print(
            f"  これは{manifest.contents}の依頼（{manifest.request_number}）です。印刷せず、一覧の通知を抜いてください。"
        )
    print(f"  送付目録の SHA-256 {package.signed.sha256}")
    print(
        f"  区の署名鍵の指紋 {package.signed.signer_fingerprint}（パスワード通知書の指紋と照合してください）"
    )


def receipt(asked: Arguments) -> None:
    """`receipt`: level 1."""
    _write(asked, answers.receipt(_package(asked), by=asked.by, at=_at(asked)))


def open_(asked: Arguments) -> None:
    """`open`: marking first, so that nobody types a passphrase for nothing."""
    package = _package(asked)
    opening.expect_marking(package.manifest, synthetic=asked.synthetic)
    path = opening.open_package(package, _ask_passphrase(), asked.out, synthetic=asked.synthetic)
    print(f"開きました（{package.manifest.marking}）。送付目録と一致しています: {path}")


def content_receipt(asked: Arguments) -> None:
    """`content-receipt`: level 2."""
    signed = _manifest(asked)
    counted = opening.count_print_file(asked.print_csv, signed.manifest)
    _write(asked, answers.content_receipt(signed, counted, by=asked.by, at=_at(asked)))
    if counted.unreadable_characters:
        print(
            f"読めない文字が{counted.unreadable_characters:,}件あります。区から連絡があるまで印刷しないでください。"
        )


def print_log(asked: Arguments) -> None:
    """`print-log`."""
    _write(asked, answers.print_log(_manifest(asked), tables.read_print_lines(asked.lines)))


def delivery_report(asked: Arguments) -> None:
    """`delivery-report`."""
    log = answers.read_message(PrintLog, asked.print_log.read_bytes())
    lots = [*(tables.read_lots(asked.lots) if asked.lots else ()), *asked.lot]
    _write(
        asked,
        answers.delivery_report(
            _manifest(asked),
            log,
            lots,
            place=asked.place,
            party=asked.party,
            by=asked.by,
            at=_at(asked),
            pulled=asked.pulled,
        ),
    )


def erasure_report(asked: Arguments) -> None:
    """`erasure-report`."""
    signed = _manifest(asked)
    delivery = answers.read_message(DeliveryReport, asked.delivery_report.read_bytes())
    copies = tables.read_erased_copies(asked.copies, signed.manifest)
    _write(asked, answers.erasure_report(signed, delivery, copies, backups=asked.backups))


def erasure_certificate(asked: Arguments) -> None:
    """`erasure-certificate`."""
    report = asked.report.read_bytes()
    _write(
        asked,
        answers.erasure_certificate(
            _manifest(asked),
            report,
            number=asked.number,
            by=asked.by,
            at=_at(asked),
            addressed_to=("甲", "乙") if asked.signer else ("甲",),  # a subcontractor's goes to both
        ),
    )


def write(asked: Arguments) -> None:
    """`write`: any kind, from a template that was filled in."""
    message = answers.filled_in(MESSAGES[asked.kind], _manifest(asked), asked.filled, at=clock.now())
    _write(asked, message)


def show_template(asked: Arguments) -> None:
    """`template`."""
    print(template(asked.kind, form="csv" if asked.csv else "json"), end="")


# ---- what they share


def _package(asked: Arguments) -> CheckedPackage:
    return check_package(asked.package_dir, *_ward(asked))


def _manifest(asked: Arguments) -> SignedManifest:
    return read_manifest(asked.package_dir, *_ward(asked))


def _ward(asked: Arguments) -> tuple[AllowedSigners, str]:
    allowed = AllowedSigners.load(asked.ward_signers)
    return allowed, asked.ward or only_signer(allowed)


def _write(asked: Arguments, message: Message) -> None:
    path = answers.write_message(message, SigningKey.load(asked.key), asked.out, signer=asked.signer)
    print(f"{message.label_ja}を書きました: {path} と {path.name}.sig（2つとも区に届けてください）")


def _at(asked: Arguments) -> datetime:
    return asked.at or clock.now()


def _ask_passphrase() -> Passphrase:
    """On a terminal a mistyped group may be typed again; what a program pipes in is read once."""
    if not sys.stdin.isatty():
        return parse(sys.stdin.readline())
    for _ in range(_TRIES - 1):
        try:
            return parse(getpass.getpass("パスワード: "))
        except Refused as mistyped:
            _say(str(mistyped))
    return parse(getpass.getpass("パスワード: "))


def _say(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


# ---- what is asked


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m contractor_kit",
        description="区から受け取った印字データのパッケージを検査し、開き、届出を作ります。インターネットは使いません。"
        "同じことは age、sha256sum、ssh-keygen -Y とテキストエディタでもできます。",
    )
    commands = parser.add_subparsers(
        title="コマンド", metavar="コマンド", required=True, parser_class=_Parser
    )

    def command(name: str, run: Callable[[Arguments], None], help_ja: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_ja, description=help_ja)
        added.set_defaults(run=run)
        return added

    _of_package(command("check", check, "パッケージの検査（チェックサム、区の署名、ダイジェスト）"))
    asks = _of_package(command("receipt", receipt, "検査のうえ、受領通知（第1段階）を作る"))
    _signed(asks, by="受け取った者の氏名", at="受け取った日時")
    asks = _of_package(command("open", open_, "パスワードで印字データを開く（パスワードは端末から入力）"))
    _path(asks, "--out", "開いた印字データを置くフォルダ")
    asks.add_argument("--synthetic", action="store_true", help="架空データのパッケージを試験・訓練として開く")
    asks = _of_package(
        command("content-receipt", content_receipt, "印字データを数え、受領通知（第2段階）を作る")
    )
    asks.add_argument("print_csv", metavar="PRINT_CSV", type=Path, help="open で開いた印字データ")
    _signed(asks, by="開いた者の氏名", at="開いた日時")
    asks = _of_package(command("print-log", print_log, "印刷ログを作る"))
    _path(
        asks,
        "--lines",
        "印刷の一覧。CSV（印刷元コンピュータ名,印刷日時,印刷ファイル名,印刷先プリンタ名,印刷枚数,区分,理由）または JSON",
    )
    _signed(asks)
    asks = _of_package(command("delivery-report", delivery_report, "納品報告を作る"))
    _path(asks, "--print-log", "このキットで作った print-log.json（損紙の枚数を取る）")
    asks.add_argument(
        "--lot",
        metavar="ロット=封数",
        type=_lot,
        action="append",
        default=[],
        help="納品したロット（繰り返し可）",
    )
    asks.add_argument("--lots", metavar="FILE", type=Path, help="ロットの一覧。CSV（ロット,封数）または JSON")
    asks.add_argument(
        "--pulled", metavar="封数", type=int, default=0, help="区の引抜きの依頼でなくなった封筒（なければ 0）"
    )
    asks.add_argument("--place", metavar="場所", required=True, help="納品場所（契約のとおり）")
    asks.add_argument("--party", choices=["乙", "丙"], default="乙", help="納品する者（指定がなければ 乙）")
    _signed(asks, by="納品した者の氏名", at="納品した日時")
    asks = _of_package(command("erasure-report", erasure_report, "データ消去報告書を作る"))
    _path(asks, "--delivery-report", "このキットで作った delivery-report.json")
    _path(
        asks,
        "--copies",
        "消去した写しの一覧。CSV（保管場所,媒体,ファイル,消去方法,使用ツール,製造番号,開始日時,消去日時,作業者,立会者）または JSON",
    )
    asks.add_argument("--backups", metavar="文", required=True, help="バックアップの有無と扱い")
    _signed(asks)
    asks = _of_package(command("erasure-certificate", erasure_certificate, "消去証明書を作る"))
    _path(asks, "--report", "区に届ける erasure-report.json そのもの")
    asks.add_argument("--number", metavar="番号", required=True, help="証明書の番号")
    _signed(asks, by="責任者の氏名", at="証明の日時")
    asks = command("write", write, "見本に書き込んだ届出（どの種類でも）を検査し、署名して書く")
    asks.add_argument("kind", metavar="種類", choices=sorted(MESSAGES), help="、".join(sorted(MESSAGES)))
    _of_package(asks)
    asks.add_argument(
        "--from",
        dest="filled",
        metavar="FILE",
        type=Path,
        required=True,
        help="書き込んだ見本（JSON または CSV）",
    )
    _signed(asks)
    asks = command("template", show_template, "手で書くための届出の見本を表示する（--csv で表計算用）")
    asks.add_argument("kind", metavar="種類", choices=sorted(MESSAGES), help="、".join(sorted(MESSAGES)))
    asks.add_argument("--csv", action="store_true", help="JSON でなく CSV で")
    return parser


def _of_package(asks: argparse.ArgumentParser) -> argparse.ArgumentParser:
    asks.add_argument(
        "package_dir",
        metavar="PACKAGE_DIR",
        type=Path,
        help="パッケージのフォルダ（消去の後は、控えの manifest.json と manifest.json.sig のあるフォルダ）",
    )
    asks.add_argument(
        "--ward-signers",
        metavar="FILE",
        type=Path,
        default=Path("ward_signers"),
        help="区から書面で受け取った署名者の一覧（指定がなければ今のフォルダの ward_signers）",
    )
    asks.add_argument("--ward", metavar="名前", help="一覧の中の区の名前（一覧に区しかなければ省略できます）")
    return asks


def _signed(asks: argparse.ArgumentParser, *, by: str | None = None, at: str | None = None) -> None:
    _path(asks, "--key", "届出に署名する鍵（Ed25519、OpenSSH形式、本人だけが読める権限）")
    _path(asks, "--out", "届出を書くフォルダ")
    asks.add_argument(
        "--signer", metavar="名義", default="", help="再委託先（丙）の名義。委託先（乙）は付けません"
    )
    if by:
        asks.add_argument("--by", metavar="氏名", required=True, help=by)
    if at:
        asks.add_argument(
            "--at", metavar="日時", type=_moment, help=f"{at}（例 2026-07-03 10:05、指定がなければ今）"
        )


def _path(asks: argparse.ArgumentParser, name: str, help_ja: str) -> None:
    asks.add_argument(
        name, metavar="DIR" if name == "--out" else "FILE", type=Path, required=True, help=help_ja
    )


def _moment(text: str) -> datetime:
    try:
        return tables.moment(text)
    except ValueError:
        raise Refused(f"日時「{text}」を読めません。", advice="例: 2026-07-03 10:05") from None


def _lot(text: str) -> Lot:
    name, _, envelopes = text.rpartition("=")
    try:
        return Lot(lot=name, envelopes=tables.count(envelopes))
    except ValueError:  # pydantic's is one
        raise Refused(f"ロット「{text}」を読めません。", advice="例: --lot L01=5000") from None


class _Help(argparse.RawDescriptionHelpFormatter):
    """argparse's headings in Japanese."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, "使い方: " if prefix is None else prefix)

    def start_section(self, heading: str | None) -> None:
        titles = {"positional arguments": "対象", "options": "項目"}
        super().start_section(titles.get(heading or "", heading))


class _Parser(argparse.ArgumentParser):
    """argparse with its sentences in Japanese; it exits with 1 like every other fault."""

    _SENTENCES = (
        (r"the following arguments are required: (.*)", r"必要な項目がありません: \1"),
        (r"unrecognized arguments: (.*)", r"知らない項目です: \1"),
        (r"argument (.*): expected .*", r"項目 \1 の値がありません"),
        (r"argument (.*): (?:invalid|not allowed|ambiguous).*", r"項目 \1 が正しくありません"),
    )

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=_Help, add_help=False, allow_abbrev=False, **settings)
        self.add_argument("-h", "--help", action="help", help="この説明を表示する")

    def error(self, message: str) -> NoReturn:
        """What is wrong with the command line, and where to read how it goes."""
        for english, japanese in self._SENTENCES:
            if re.fullmatch(english, message):
                message = re.sub(english, japanese, message)
                break
        raise Refused(f"{message}。", advice=f"`{self.prog} --help` で書き方を確認してください。")
