"""From check to certificate by the command line; the ward's own door and judges accept every answer."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders import a_delivery_confirmation
from tests.unit.contractor_kit.packages import (
    AT,
    CONTRACTOR,
    CYCLE,
    RESIDENT,
    SMALL_TOTAL_KEY,
    WARD,
    APackage,
    a_package,
    key_pair,
    quick_encryption,
)

from contractor_kit.command_line import main
from contractor_kit.templates import template
from notice_cycle import clock
from notice_cycle.acknowledgement.receipts import verify_content_receipt, verify_receipt
from notice_cycle.delivery.reconcile import verify_delivery
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.erasure.verify import Proof, verify_erasure
from notice_cycle.errors import Refused
from notice_cycle.exchange import csv_form
from notice_cycle.exchange.door import admit
from notice_cycle.exchange.messages import (
    MESSAGES,
    ContentReceipt,
    DeliveryReport,
    ErasureCertificate,
    ErasureReport,
    Form,
    M,
    PrintLog,
    Receipt,
)
from notice_cycle.handover.route import packages_that_left
from notice_cycle.values import sha256

PRINTED = """印刷元コンピュータ名,印刷日時,印刷ファイル名,印刷先プリンタ名,印刷枚数,区分,理由
PC-1,2026/7/6 9:05,print.csv,PRINTER-A,６,計画,
PC-2,2026-07-06 09:10,print.csv,PRINTER-B,6,計画,
PC-1,2026-07-06 09:20,print.csv,PRINTER-A,3,損紙,紙詰まり
PC-1,2026-07-06 09:30,print.csv,PRINTER-A,3,刷り直し,損紙3枚分
PC-1,2026-07-06 09:00,print.csv,PRINTER-A,1,試し刷り,位置合わせ
,,,,,,
"""
ERASED = """保管場所,媒体,ファイル,消去方法,使用ツール,製造番号,開始日時,消去日時,作業者,立会者
PC-1,パソコン,{encrypted},除去,鍵の破棄,SN-1,2026-07-08 09:55,2026-07-08 10:00,見本 一郎,見本 二葉
受け口,サーバー,{encrypted},消去,上書き,SN-2,2026-07-08 09:55,2026-07-08 10:00,見本 一郎,見本 二葉
PC-1,パソコン,print.csv,除去,鍵の破棄,SN-1,2026-07-08 10:00,2026-07-08 10:05,見本 一郎,見本 二葉
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> APackage:
    quick_encryption(monkeypatch)
    return a_package(tmp_path / "made")


@pytest.fixture
def kit(package: APackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Kit":
    return Kit(package, tmp_path, monkeypatch)


class Kit:
    """Runs commands for one package, all answers in one folder."""

    def __init__(self, package: APackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.package, self.monkeypatch = package, monkeypatch
        self.out, self.work, self.tables = tmp_path / "answers", tmp_path / "work", tmp_path / "tables"
        self.tables.mkdir()

    def run(self, command: str, *arguments: object, package: Path | None = None) -> int:
        return main(
            [
                command,
                str(package or self.package.folder),
                "--ward-signers",
                str(self.package.ward_signers),
                *map(str, arguments),
            ]
        )

    def answer(self, command: str, *arguments: object, package: Path | None = None) -> int:
        return self.run(
            command, *arguments, "--key", self.package.contractor_key, "--out", self.out, package=package
        )

    def answer_of(self, kind: str, filled: Path, *arguments: object) -> int:
        """`write`: a filled-in template."""
        return main(
            [
                "write",
                kind,
                str(self.package.folder),
                *("--ward-signers", str(self.package.ward_signers), "--from", str(filled)),
                *("--key", str(self.package.contractor_key), "--out", str(self.out)),
                *map(str, arguments),
            ]
        )

    def open(self, passphrase: str | None = None, *arguments: str) -> int:
        typed = self.package.passphrase if passphrase is None else passphrase
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(typed + "\n"))
        return self.run("open", "--out", self.work, *arguments)

    def table(self, name: str, content: str, encoding: str = "utf-8") -> Path:
        path = self.tables / name
        path.write_bytes(content.encode(encoding))
        return path

    def admitted(self, kind: type[M]) -> tuple[M, str]:
        """What the ward's door makes of an answer, and its digest."""
        content = (self.out / kind.file_name()).read_bytes()
        signature = (self.out / f"{kind.file_name()}.sig").read_bytes()
        allowed = self.package.contractors
        found = admit(
            content,
            signature,
            kind,
            cycle=CYCLE,
            signers={CONTRACTOR: CONTRACTOR},
            contractor=CONTRACTOR,
            allowed=allowed,
            at=clock.now(),
        )
        return found.message, found.sha256

    def receipts(self) -> None:
        assert self.answer("receipt", "--by", "見本 一郎") == 0
        assert self.open(None, "--synthetic") == 0
        assert self.answer("content-receipt", self.work / "print.csv", "--by", "見本 一郎") == 0

    def delivery(self) -> None:
        lines = self.table("lines.csv", PRINTED, "cp932")
        assert self.answer("print-log", "--lines", lines) == 0
        log = self.out / "print-log.json"
        lots = ("--lot", "L01=5", "--lot", "L02=6")
        by = ("--place", "文書集配室", "--by", "見本 一郎", "--at", "2026-07-07 15:00")
        assert self.answer("delivery-report", "--print-log", log, *lots, *by) == 0

    def erasure(self, package: Path | None = None) -> None:
        encrypted = self.package.encryption.files[0].name
        copies = self.table("copies.csv", ERASED.format(encrypted=encrypted), "utf-8-sig")
        asks = ("--delivery-report", self.out / "delivery-report.json", "--copies", copies)
        assert self.answer("erasure-report", *asks, "--backups", "なし", package=package) == 0
        report = ("--report", self.out / "erasure-report.json", "--number", "消-1")
        by = ("--by", "見本 二葉", "--at", "2026-07-08 11:00")
        assert self.answer("erasure-certificate", *report, *by, package=package) == 0


def test_check_tells_counts_and_the_fingerprint_that_stands_on_the_passphrase_notice(
    kit: Kit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kit.run("check", "--ward", WARD) == 0
    said = capsys.readouterr().out
    assert "異常はありません" in said
    assert "架空データ" in said
    assert "封筒 11通" in said
    assert kit.package.encryption.signer_fingerprint in said


def test_both_receipts_are_accepted_by_door_and_judge(kit: Kit) -> None:
    kit.receipts()
    package = kit.package
    receipt, digest = kit.admitted(Receipt)
    record = verify_receipt(
        package.handover, package.encryption, receipt, message_sha256=digest, signed_by=CONTRACTOR
    )
    assert record.received_by == "見本 一郎"
    opened, digest = kit.admitted(ContentReceipt)
    verify_content_receipt(
        package.composition,
        package.encryption,
        opened,
        package.configuration,
        message_sha256=digest,
        signed_by=CONTRACTOR,
        small_total_key=SMALL_TOTAL_KEY,
    )
    assert opened.quantities.envelopes == 11
    assert opened.unreadable_characters == 0


def test_the_opened_file_is_byte_for_byte_what_the_ward_composed_and_for_its_owner_only(kit: Kit) -> None:
    assert kit.open(None, "--synthetic") == 0
    assert (kit.work / "print.csv").read_bytes() == kit.package.print_bytes
    assert (kit.work / "print.csv").stat().st_mode & 0o077 == 0
    assert [path.name for path in kit.work.iterdir()] == ["print.csv"]


def test_print_log_and_delivery_report_are_accepted_by_door_and_judge(kit: Kit) -> None:
    kit.delivery()
    (log, log_digest), (report, report_digest) = kit.admitted(PrintLog), kit.admitted(DeliveryReport)
    record = verify_delivery(
        kit.package.composition,
        kit.package.encryption,
        log,
        report,
        log_sha256=log_digest,
        report_sha256=report_digest,
        signed_by=CONTRACTOR,
    )
    assert (record.sheets_printed, record.sheets_spoiled, record.envelopes_delivered) == (19, 3, 11)
    assert log.lines[0].printed_at.isoformat() == "2026-07-06T09:05:00+09:00"


def test_erasure_is_reported_from_the_kept_manifest_and_accepted_by_door_and_judge(kit: Kit) -> None:
    kit.delivery()
    kept = kit.out / "kept"
    kept.mkdir()
    for path in list(kit.package.folder.iterdir()):
        if path.name.startswith("manifest.json"):
            (kept / path.name).write_bytes(path.read_bytes())
        path.unlink()
    kit.erasure(package=kept)
    report, report_digest = kit.admitted(ErasureReport)
    certificate, certificate_digest = kit.admitted(ErasureCertificate)
    proof = Proof(CONTRACTOR, CONTRACTOR, report, report_digest, certificate, certificate_digest)
    history = kit.package.delivered(a_delivery_confirmation(kit.admitted(DeliveryReport)[0], at=AT))
    left = packages_that_left(history, [])
    assert verify_erasure(history, [proof], left=left).copies_erased == 3


def test_lists_may_be_json_with_the_messages_own_names(kit: Kit) -> None:
    kit.delivery()
    expected = kit.admitted(PrintLog)[0]
    lines = [line.model_dump(mode="json") for line in expected.lines]
    kit.out = kit.out / "again"
    path = kit.table("lines.json", json.dumps(lines, ensure_ascii=False))
    assert kit.answer("print-log", "--lines", path) == 0
    assert kit.admitted(PrintLog)[0].lines == expected.lines


def test_no_answer_and_no_word_of_the_commands_holds_personal_data_or_the_passphrase(
    kit: Kit, capsys: pytest.CaptureFixture[str]
) -> None:
    kit.receipts()
    kit.delivery()
    kit.erasure()
    said = capsys.readouterr()
    written = "".join(path.read_text(encoding="utf-8") for path in kit.out.iterdir())
    for told in (said.out, said.err, written):
        assert RESIDENT not in told
        assert "0000000001" not in told
        assert kit.package.passphrase not in told


def test_doing_it_twice_changes_nothing_but_a_different_second_answer_is_stopped(
    kit: Kit, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--at", "2026-07-03 11:00")
    assert kit.answer("receipt", "--by", "見本 一郎", *at) == 0
    before = (kit.out / "receipt.json").read_bytes(), (kit.out / "receipt.json.sig").read_bytes()
    assert kit.answer("receipt", "--by", "見本 一郎", *at) == 0
    assert kit.answer("receipt", "--by", "見本 二葉", *at) == 1
    assert "すでにあり、内容が異なります" in capsys.readouterr().err
    assert before == ((kit.out / "receipt.json").read_bytes(), (kit.out / "receipt.json.sig").read_bytes())
    assert kit.open(None, "--synthetic") == kit.open(None, "--synthetic") == 0


@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_each_template_is_a_message_the_ward_can_read(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", kind]) == 0
    read = MESSAGES[kind].parse(capsys.readouterr().out.encode())
    assert read.kind == kind
    assert main(["template", kind, "--csv"]) == 0
    assert csv_form.parse(MESSAGES[kind], capsys.readouterr().out.encode("cp932")) == read


@pytest.mark.parametrize("kind", sorted(MESSAGES.keys() - {"enclosure"}))
@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_filled_in_template_of_every_kind_is_checked_signed_and_passes_the_door(
    kit: Kit, kind: str, form: Form
) -> None:
    filled = kit.table(f"filled.{form}", _filled_in(kit.package, kind, form), "utf-8")
    assert kit.answer_of(kind, filled) == 0
    message, digest = kit.admitted(MESSAGES[kind])
    assert (message.kind, message.manifest_sha256) == (kind, kit.package.encryption.manifest_sha256)
    assert kit.answer_of(kind, filled) == 0
    assert kit.admitted(MESSAGES[kind])[1] == digest


def test_the_second_of_several_gets_a_number_and_a_subcontractors_its_name(kit: Kit) -> None:
    declared = _filled_in(kit.package, "copy-declaration", "json")
    for number, place in enumerate(("PRINT-PC-1", "PRINT-PC-2", "PRINT-PC-2"), 1):
        filled = kit.table(f"{number}.json", declared.replace("PRINT-PC-1", place))
        assert kit.answer_of("copy-declaration", filled) == 0
    assert kit.answer_of("copy-declaration", filled, "--signer", "example_insert") == 0
    assert sorted(path.name for path in kit.out.glob("*.json")) == [
        "copy-declaration-2.json",
        "copy-declaration.json",
        "example_insert.copy-declaration.json",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text.replace("PRINT-PC-1", "=cmd|calc"), "項目 copies.0.place が正しくありません"),
        (lambda text: text.replace("annual-01", "annual-02"), "別のパッケージ"),
        (lambda text: text.replace("2026-07-03", "2036-07-03"), "未来の日時"),
        (lambda text: text[:-10], "JSON として読めません"),
    ],
)
def test_a_wrongly_filled_in_template_is_not_signed(
    kit: Kit, change: Callable[[str], str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = kit.table("filled.json", change(_filled_in(kit.package, "copy-declaration", "json")))
    assert kit.answer_of("copy-declaration", filled) == 1
    assert sentence in capsys.readouterr().err
    assert not kit.out.exists()


def test_an_enclosure_is_told_of_only_when_the_file_beside_it_is_encrypted_and_the_one_told_of(
    kit: Kit, capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads(_filled_in(kit.package, "enclosure", "json"))
    encrypted = (kit.package.folder / kit.package.encryption.files[0].name).read_bytes()
    for content, sentence in (
        (b"plain text", "暗号化されていません"),
        (encrypted, "一致しません"),
        (encrypted, ""),
    ):
        (kit.tables / told["file"]).write_bytes(content)
        if not sentence:
            told |= {"size_bytes": len(content), "file_sha256": sha256(content)}
        filled = kit.table("filled.json", json.dumps(told, ensure_ascii=False))
        assert kit.answer_of("enclosure", filled) == (1 if sentence else 0)
        assert sentence in capsys.readouterr().err


def _filled_in(package: APackage, kind: str, form: Form) -> str:
    return template(kind, form=form).replace("0" * 64, package.encryption.manifest_sha256)


def test_the_kit_runs_as_a_program_and_needs_neither_airflow_nor_pandas() -> None:
    program = (
        "import sys; from contractor_kit.command_line import main; main(['template', 'receipt']);"
        "print(sorted({'airflow', 'pandas', 'asyncssh', 'notice_cycle.vault'} & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "include", "PYTHONUTF8": "1"},
        cwd=Path(__file__).parents[3],
    )
    assert ran.stderr.strip() == "[]"


def test_another_key_than_the_contractors_does_not_pass_the_door(kit: Kit, tmp_path: Path) -> None:
    path, _ = key_pair(tmp_path / "other")
    arguments = ("--key", path, "--by", "見本 一郎", "--out", kit.out)
    assert kit.run("receipt", *arguments) == 0
    with pytest.raises(Refused, match=re.escape(SigningKey.load(path).fingerprint)):
        kit.admitted(Receipt)
