"""What the kit refuses: a sentence that says what to do, exit status 1, and nothing left lying about."""

import io
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.builders import an_erased_copy
from tests.unit.contractor_kit.packages import AT, WARD, APackage, a_package, key_pair, quick_encryption

from contractor_kit import answers, opening
from contractor_kit.command_line import main
from contractor_kit.package_check import check_package
from notice_cycle.encryption.passphrase import ALPHABET, generate, parse
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey
from notice_cycle.errors import Altered, NotConfigured, Refused
from notice_cycle.exchange.messages import ErasureReport, Lot, PrintLogLine
from notice_cycle.exchange.package import (
    CHECKSUMS,
    MANIFEST,
    MANIFEST_NAMESPACE,
    MANIFEST_SIGNATURE,
    Manifest,
)
from notice_cycle.exchange.package import checksums as checksums_of
from notice_cycle.values import stored_file

ENCRYPTED = "encrypted"
Said = pytest.CaptureFixture[str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> APackage:
    quick_encryption(monkeypatch)
    return a_package(tmp_path / "made")


def run(package: APackage, command: str, *arguments: object) -> int:
    signers = ("--ward-signers", str(package.ward_signers))
    return main([command, str(package.folder), *signers, *map(str, arguments)])


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text + "\n"))


def path_of(package: APackage, name: str) -> Path:
    return package.folder / (package.encryption.files[0].name if name == ENCRYPTED else name)


def repack(package: APackage, key: Path | None = None, **changed: object) -> None:
    """Writes manifest, signature and checksums anew, as someone would who changes the package with care."""
    manifest = Manifest.parse((package.folder / MANIFEST).read_bytes()).model_copy(update=changed)
    (package.folder / MANIFEST).write_bytes(manifest.content())
    if key is not None:
        signature = SigningKey.load(key).sign(manifest.content(), namespace=MANIFEST_NAMESPACE)
        (package.folder / MANIFEST_SIGNATURE).write_text(signature)
    packed = [stored_file(path_of(package, name)) for name in (ENCRYPTED, MANIFEST, MANIFEST_SIGNATURE)]
    (package.folder / CHECKSUMS).write_bytes(checksums_of(packed))


# --- the package


@pytest.mark.parametrize("name", [ENCRYPTED, MANIFEST, MANIFEST_SIGNATURE, CHECKSUMS])
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_an_altered_byte_in_any_file_is_refused_with_what_to_do(
    package: APackage, name: str, where: str, capsys: Said
) -> None:
    path = path_of(package, name)
    content = bytearray(path.read_bytes())
    content[{"first": 0, "middle": len(content) // 2, "last": -1}[where]] ^= 1
    path.write_bytes(content)
    assert run(package, "check") == 1
    said = capsys.readouterr().err
    assert " → " in said
    assert "区に連絡" in said
    assert path.name in said or name == CHECKSUMS
    assert "Traceback" not in said


@pytest.mark.parametrize("name", [ENCRYPTED, MANIFEST, MANIFEST_SIGNATURE, CHECKSUMS])
def test_a_missing_file_is_named(package: APackage, name: str, capsys: Said) -> None:
    path_of(package, name).unlink()
    assert run(package, "check") == 1
    assert f"{path_of(package, name).name} がありません" in capsys.readouterr().err


def test_new_checksums_do_not_cover_a_manifest_the_ward_did_not_sign(package: APackage, capsys: Said) -> None:
    repack(package, totals_yen={"決定年額": 1, "普通徴収額": 1})
    assert run(package, "check") == 1
    assert f"{WARD} の署名と一致しません" in capsys.readouterr().err


def test_a_manifest_signed_by_somebody_else_is_refused(
    package: APackage, tmp_path: Path, capsys: Said
) -> None:
    path, line = key_pair(tmp_path / "other")
    repack(package, key=path)
    assert run(package, "check") == 1
    assert "署名者の一覧にありません" in capsys.readouterr().err
    with package.ward_signers.open("a") as signers:
        signers.write(f"somebody {line}\n")
    assert run(package, "check", "--ward", WARD) == 1
    assert "署名したのは somebody です" in capsys.readouterr().err


def test_with_two_names_on_the_list_the_ward_must_be_named(
    package: APackage, tmp_path: Path, capsys: Said
) -> None:
    _, line = key_pair(tmp_path / "other")
    with package.ward_signers.open("a") as signers:
        signers.write(f"somebody {line}\n")
    assert run(package, "check") == 1
    assert "--ward で指定してください" in capsys.readouterr().err
    assert run(package, "check", "--ward", WARD) == 0


def test_a_newer_encrypted_file_with_matching_checksums_is_refused_by_the_manifest(package: APackage) -> None:
    path_of(package, ENCRYPTED).write_bytes(b"age-encryption.org/v1\n")
    repack(package)
    with pytest.raises(Altered, match="区の署名した送付目録と一致しません"):
        _ = package.checked


# --- opening


@pytest.mark.parametrize("group", range(1, 6))
def test_a_mistyped_symbol_is_answered_with_the_number_of_its_group(
    package: APackage, group: int, monkeypatch: pytest.MonkeyPatch, capsys: Said, tmp_path: Path
) -> None:
    groups = package.passphrase.split("-")
    wrong = ALPHABET[(ALPHABET.index(groups[group - 1][0]) + 1) % len(ALPHABET)]
    groups[group - 1] = wrong + groups[group - 1][1:]
    type_in(monkeypatch, "-".join(groups))
    assert run(package, "open", "--synthetic", "--out", tmp_path / "work") == 1
    said = capsys.readouterr().err
    assert f"第{group}グループ" in said
    assert groups[0] not in said
    assert not (tmp_path / "work").exists()


def test_on_a_terminal_a_mistyped_passphrase_may_be_typed_again(
    package: APackage, monkeypatch: pytest.MonkeyPatch, capsys: Said, tmp_path: Path
) -> None:
    typed = iter(["GDW1D1", package.passphrase.lower()])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert run(package, "open", "--synthetic", "--out", tmp_path / "work") == 0
    assert "文字です" in capsys.readouterr().err


def test_the_passphrase_of_another_package_is_refused_and_leaves_nothing(
    package: APackage, monkeypatch: pytest.MonkeyPatch, capsys: Said, tmp_path: Path
) -> None:
    type_in(monkeypatch, generate().reveal())
    assert run(package, "open", "--synthetic", "--out", tmp_path / "work") == 1
    assert "パスワードが違います" in capsys.readouterr().err
    assert list((tmp_path / "work").iterdir()) == []


def test_invented_data_are_never_opened_as_real(package: APackage, capsys: Said, tmp_path: Path) -> None:
    assert run(package, "open", "--out", tmp_path / "work") == 1
    assert "架空データです" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_real_data_are_never_opened_as_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    quick_encryption(monkeypatch)
    real = a_package(tmp_path / "made", synthetic=False)
    assert run(real, "open", "--synthetic", "--out", tmp_path / "work") == 1
    assert "本番のデータです" in capsys.readouterr().err
    type_in(monkeypatch, real.passphrase)
    assert run(real, "open", "--out", tmp_path / "work") == 0


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"marking": "本番"}, "データ区分"),
        ({"cycle": "2026-premium_notice_ordinary-annual-02"}, "別の発送回"),
    ],
)
def test_rows_that_contradict_a_signed_manifest_are_refused_and_removed(
    package: APackage, changed: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    key, line = key_pair(tmp_path / "ward_again")
    package.ward_signers.write_text(f"{WARD} {line}\n")
    repack(package, key=key, **changed)
    is_synthetic = "marking" not in changed
    with pytest.raises(Altered, match=sentence):
        opening.open_package(
            package.checked, parse(package.passphrase), tmp_path / "work", synthetic=is_synthetic
        )
    assert list((tmp_path / "work").iterdir()) == []


def test_another_file_under_the_name_is_not_overwritten(
    package: APackage, monkeypatch: pytest.MonkeyPatch, capsys: Said, tmp_path: Path
) -> None:
    (tmp_path / "print.csv").write_text("mine")
    type_in(monkeypatch, package.passphrase)
    assert run(package, "open", "--synthetic", "--out", tmp_path) == 1
    assert "上書きせずに止めました" in capsys.readouterr().err
    assert (tmp_path / "print.csv").read_text() == "mine"


# --- counting


def test_unreadable_characters_are_counted_and_reported_not_hidden(package: APackage, tmp_path: Path) -> None:
    manifest = package.checked.manifest
    path = tmp_path / "print.csv"
    # A byte that is no character, a half character, and a 外字 that was not agreed (F041).
    content = package.print_bytes.replace(b'"100-0000"', b'"\xff\x81"', 1).replace(
        b'"100-0000"', b'"\xf0\x41"', 1
    )
    path.write_bytes(content)
    assert opening.count_print_file(path, manifest).unreadable_characters == 3
    assert opening.count_print_file(path, manifest).quantities == manifest.quantities


def test_a_print_file_saved_again_by_a_spreadsheet_is_not_receipted(
    package: APackage, tmp_path: Path
) -> None:
    path = tmp_path / "print.csv"
    path.write_bytes(package.print_bytes.replace(b'"', b""))
    counted = opening.count_print_file(path, package.checked.manifest)
    with pytest.raises(Altered, match="印字データが、送付目録のものと一致しません"):
        answers.content_receipt(package.checked.signed, counted, by="見本 一郎", at=AT)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda _: b"", "見出し"),
        (lambda _: b'"a","b"\r\n', "見出し"),
        (lambda whole: whole.split(b"\r\n")[0] + b'\r\n"1"\r\n', "2行目"),
        (lambda whole: whole.replace(b'"72000"', b'"-5"', 2), "2行目の決定年額"),
    ],
)
def test_what_is_no_print_file_is_refused_by_line(
    package: APackage, content: Callable[[bytes], bytes], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "print.csv").write_bytes(content(package.print_bytes))
    with pytest.raises(Refused, match=sentence):
        opening.count_print_file(tmp_path / "print.csv", package.checked.manifest)


# --- answers


def a_job(
    sheets: int, purpose: str = "planned", reason: str = "", print_file: str = "print.csv"
) -> PrintLogLine:
    return PrintLogLine.model_validate(
        {
            "source_computer": "PC-1",
            "printed_at": AT,
            "print_file": print_file,
            "printer": "A",
            "sheets": sheets,
            "purpose": purpose,
            "reason": reason,
        }
    )


@pytest.mark.parametrize(
    ("jobs", "sentence"),
    [
        ([a_job(11)], "送付目録 12枚、印刷ログ 11枚"),
        ([a_job(12), a_job(3, "spoilage")], "2件目に理由がありません"),
        ([a_job(12), a_job(3, "spoilage", "紙詰まり")], "損紙 3枚、刷り直し 0枚"),
        ([a_job(12, print_file="other.csv")], "1件目の印刷ファイル名"),
    ],
)
def test_a_print_log_the_ward_would_refuse_is_refused_here(
    package: APackage, jobs: list[PrintLogLine], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        answers.print_log(package.checked.signed, jobs)


def test_a_delivery_report_the_ward_would_refuse_is_refused_here(package: APackage) -> None:
    signed = package.checked.signed
    log = answers.print_log(signed, [a_job(12)])
    with pytest.raises(Refused, match="送付目録 11封、納品 10封"):
        answers.delivery_report(
            signed, log, [Lot(lot="L01", envelopes=10)], place="文書集配室", by="見本 一郎", at=AT
        )


def test_a_print_log_of_another_package_is_refused(package: APackage) -> None:
    signed = package.checked.signed
    log = answers.print_log(signed, [a_job(12)]).model_copy(update={"manifest_sha256": "0" * 64})
    with pytest.raises(Refused, match="別のパッケージ"):
        answers.delivery_report(
            signed, log, [Lot(lot="L01", envelopes=11)], place="文書集配室", by="見本 一郎", at=AT
        )


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            "PC-1,パソコン,print.csv,消去,上書き,SN-1,2026-07-08 09:55,2026-07-08 10:00,見本 一郎,見本 二葉\n",
            "csv.age がありません",
        ),
        (
            "PC-1,パソコン,print.csv,消した,上書き,SN-1,2026-07-08 09:55,2026-07-08 10:00,見本 一郎,見本 二葉\n",
            "2行目の「消去方法」",
        ),
        (
            "PC-1,パソコン,print.csv,消去,上書き,SN-1,2026-07-08 09:55,7月8日,見本 一郎,見本 二葉\n",
            "2行目の「消去日時」",
        ),
        (
            "PC-1,パソコン,some.csv,消去,上書き,SN-1,2026-07-08 09:55,2026-07-08 10:00,見本 一郎,見本 二葉\n",
            "2行目の「ファイル」",
        ),
        (
            "PC-1,USB,print.csv,消去,上書き,SN-1,2026-07-08 09:55,2026-07-08 10:00,見本 一郎,見本 二葉\n",
            "2行目の「媒体」",
        ),
        ("", "行がありません"),
    ],
)
def test_an_incomplete_list_of_erased_copies_is_refused_by_line_and_heading(
    package: APackage, rows: str, sentence: str, tmp_path: Path, capsys: Said
) -> None:
    signed = package.checked.signed
    log = answers.print_log(signed, [a_job(12)])
    lots = [Lot(lot="L01", envelopes=11)]
    key = SigningKey.load(package.contractor_key)
    report = answers.delivery_report(signed, log, lots, place="文書集配室", by="見本 一郎", at=AT)
    delivery = answers.write_message(report, key, tmp_path)
    copies = tmp_path / "copies.csv"
    copies.write_text(
        "保管場所,媒体,ファイル,消去方法,使用ツール,製造番号,開始日時,消去日時,作業者,立会者\n" + rows,
        encoding="utf-8",
    )
    arguments = ("--delivery-report", delivery, "--copies", copies, "--backups", "なし")
    assert run(package, "erasure-report", *arguments, "--key", package.contractor_key, "--out", tmp_path) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "erasure-report.json").exists()


def test_a_list_of_letters_may_be_erased_before_the_delivery_but_not_the_print_data(
    package: APackage,
) -> None:
    signed = package.checked.signed
    log = answers.print_log(signed, [a_job(12)])
    lots = [Lot(lot="L01", envelopes=11)]
    delivery = answers.delivery_report(signed, log, lots, place="文書集配室", by="見本 一郎", at=AT)
    before, after = AT - timedelta(hours=1), AT + timedelta(hours=1)

    def reported(erased_at: datetime) -> ErasureReport:
        own = (signed.manifest.encrypted_file, signed.manifest.print_file)
        copies = [an_erased_copy(file.sha256, erased_at=erased_at) for file in own]
        listed = an_erased_copy("3" * 64, erased_at=before)
        return answers.erasure_report(signed, delivery, [*copies, listed], backups="なし")

    assert len(reported(after).copies) == 3
    with pytest.raises(Refused, match="1件目の写しが、納品より前に消去された"):
        reported(before)


# --- the command line


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "必要な項目がありません: コマンド"),
        (["check"], "必要な項目がありません: PACKAGE_DIR"),
        (["check", "p", "--no-signature"], "知らない項目です: --no-signature"),
        (["template", "letter"], "項目 種類 が正しくありません"),
        (["check", "no-such-folder", "--ward-signers", "none"], "署名者の一覧 none を読めません"),
        (["receipt", "p", "--key", "k", "--out", "o", "--by", "b", "--at", "昨日"], "日時「昨日」"),
        (
            [
                "delivery-report",
                "p",
                "--print-log",
                "x",
                "--key",
                "k",
                "--out",
                "o",
                "--by",
                "b",
                "--place",
                "x",
                "--lot",
                "5",
            ],
            "--lot L01=5000",
        ),
    ],
)
def test_a_wrong_command_line_is_answered_in_japanese(
    arguments: list[str], sentence: str, capsys: Said
) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert " → " in said


def test_a_folder_that_cannot_be_written_is_answered_with_a_sentence(package: APackage, capsys: Said) -> None:
    arguments = (
        "--key",
        package.contractor_key,
        "--by",
        "見本 一郎",
        "--out",
        package.ward_signers / "below",
    )
    assert run(package, "receipt", *arguments) == 1
    assert "フォルダではありません" in capsys.readouterr().err
    (package.ward_signers.parent / "somewhere").mkdir()
    log = ("--print-log", package.ward_signers.parent / "somewhere", "--lot", "L01=11", "--place", "x")
    assert run(package, "delivery-report", *log, *arguments) == 1
    assert "ファイルではなくフォルダです" in capsys.readouterr().err


def test_every_command_explains_itself_in_japanese(capsys: Said) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["print-log", "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("使い方: python -m contractor_kit print-log")
    assert "印刷ログを作る" in said
    for english in ("usage:", "positional", "options:", "show this help"):
        assert english not in said


def test_a_list_without_the_ward_does_not_check_anything(package: APackage) -> None:
    with pytest.raises(Refused):
        check_package(package.folder, AllowedSigners(()), WARD)
    with pytest.raises(NotConfigured):
        AllowedSigners.load(package.folder / "none")
