"""A new contractor passes the pack with the kit, and no wrong answer passes a scenario."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from tests.builders import CONFIG
from tests.enclosed import encrypted_by_age
from tests.unit.contractor_kit.packages import key_pair

from acceptance_pack.__main__ import PACKAGES, check, main, make
from acceptance_pack.people import PEOPLE
from acceptance_pack.scenarios import SCENARIOS
from contractor_kit import opening
from contractor_kit.answers import write_message
from contractor_kit.package_check import SignedManifest, check_package, read_manifest
from contractor_kit.templates import template
from notice_cycle import clock
from notice_cycle.catalogue import resolve
from notice_cycle.encryption import age
from notice_cycle.encryption.passphrase import parse
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey
from notice_cycle.errors import NoticeCycleError
from notice_cycle.exchange.messages import MESSAGE_NAMESPACE, MESSAGES
from notice_cycle.exchange.package import MANIFEST, MANIFEST_NAMESPACE, Manifest
from notice_cycle.register.kinds import AcceptanceEntry
from notice_cycle.values import sha256

WARD, CONTRACTOR = "kakuu-ku", "example_print"


@dataclass(frozen=True)
class Round:
    """The pack, and a contractor who answers as he should."""

    home: Path

    @cached_property
    def ward_signers(self) -> AllowedSigners:
        return AllowedSigners.parse((self.home / "ward_signers").read_text())

    @cached_property
    def passphrases(self) -> dict[str, str]:
        lines = (self.home / "pack" / "ward" / "passphrases.txt").read_text().splitlines()
        return dict(line.split("\t") for line in lines)

    @property
    def sending(self) -> Path:
        return self.home / "pack" / "to_contractor"

    def manifest(self, name: str) -> Manifest:
        return Manifest.model_validate_json((self.sending / name / MANIFEST).read_bytes())

    def about(self, name: str) -> dict[str, str]:
        content = (self.sending / name / MANIFEST).read_bytes()
        return {"cycle": self.manifest(name).cycle, "manifest_sha256": sha256(content)}

    def counted(self, name: str) -> tuple[SignedManifest, opening.PrintFileCount]:
        package = check_package(self.sending / name, self.ward_signers, WARD)
        out = self.home / "work" / name
        path = opening.open_package(package, parse(self.passphrases[name]), out, synthetic=True)
        return package.signed, opening.count_print_file(path, package.manifest)

    def says(self, kind: str, name: str, **changes: Any) -> dict[str, Any]:
        return json.loads(template(kind)) | self.about(name) | changes

    def writes(self, scenario: str, kind: str, said: dict[str, Any]) -> Path:
        message = MESSAGES[kind].parse(json.dumps(said).encode())
        key = SigningKey.load(self.home / "contractor_key")
        return write_message(message, key, self.home / "answers" / scenario)

    def answers(self) -> None:
        signed, counted = self.counted("sound")
        sound = signed.manifest
        encrypted, printed = sound.encrypted_file.sha256, sound.print_file.sha256
        files = check_package(self.sending / "sound", self.ward_signers, WARD).files
        self.writes(
            "01-receipt", "receipt", self.says("receipt", "sound", files={f.name: f.sha256 for f in files})
        )
        for scenario, name in (("02-content", "sound"), ("09-unreadable", "unreadable")):
            said, found = self.counted(name)
            self.writes(scenario, "content-receipt", self.says(
                "content-receipt", name, print_file_sha256=said.manifest.print_file.sha256,
                quantities=found.quantities.model_dump(), totals_yen=found.totals_yen,
                unreadable_characters=found.unreadable_characters,
            ))  # fmt: skip
        for scenario, name, level, reason in (
            ("03-damaged", "damaged", 1, "digest_mismatch"),
            ("04-missing", "missing", 1, "files_missing"),
            ("05-stranger", "stranger", 1, "signature_invalid"),
            ("06-altered", "altered", 1, "signature_invalid"),
            ("07-passphrase", "passphrase", 2, "passphrase_wrong"),
            ("08-count", "count", 2, "count_mismatch"),
            ("10-not-ours", "other", 1, "not_contracted"),
        ):
            self.writes(scenario, "rejection", self.says("rejection", name, level=level, reason_code=reason))
        jobs = json.loads(template("print-log"))["lines"]
        sheets, envelopes = counted.quantities.sheets, counted.quantities.envelopes
        jobs[0]["sheets"] = sheets
        jobs.append(jobs[1] | {"purpose": "test", "sheets": 2, "reason": "位置合わせ"})
        self.writes("11-print", "print-log", self.says("print-log", "sound", lines=jobs))
        lots = [{"lot": "L01", "envelopes": 10}, {"lot": "L02", "envelopes": envelopes - 10}]
        self.writes("11-print", "delivery-report", self.says("delivery-report", "sound", lots=lots))
        (copy,) = json.loads(template("copy-declaration"))["copies"]
        copies = [
            copy | {"file_sha256": encrypted},
            copy | {"file_sha256": printed},
            copy | {"file_sha256": printed, "purpose": "cache"},
            copy | {"file_sha256": encrypted, "purpose": "backup", "carrier": "サーバー"},
        ]
        self.writes("12-copies", "copy-declaration", self.says("copy-declaration", "sound", copies=copies))
        self.writes("13-transfer", "transfer-record", self.says(
            "transfer-record", "sound", sheets=30, file_sha256=printed))  # fmt: skip
        (paper,) = json.loads(template("destruction-certificate"))["papers"]
        self.writes("14-destroyed", "destruction-certificate", self.says(
            "destruction-certificate", "sound", papers=[paper, paper | {"what": "test", "sheets": 2}]))  # fmt: skip
        self.erases("15-erasure", "sound", [encrypted, printed, printed, encrypted])
        replacing = self.manifest("replacing")
        self.erases("16-replaced", "replacing", [
            encrypted, printed, replacing.encrypted_file.sha256, replacing.print_file.sha256])  # fmt: skip
        self.writes("17-pullout", "pullout-confirmation", self.says(
            "pullout-confirmation", "sound", request_number="受入試験-引抜き1", not_found=1))  # fmt: skip
        lot = [{"lot": "L01", "envelopes": envelopes}]
        self.writes("18-posting", "posting-receipt", self.says("posting-receipt", "sound", lots=lot))
        self.writes("19-return", "return-notice", self.says("return-notice", "sound", discs=[]))
        self.writes("20-change", "measure-change", self.says("measure-change", "sound"))
        self.writes("21-incident", "incident-notice", self.says("incident-notice", "sound"))
        enclosed = encrypted_by_age(b"a list")
        self.writes("22-enclosure", "enclosure", self.says(
            "enclosure", "sound", size_bytes=len(enclosed), file_sha256=sha256(enclosed)))  # fmt: skip
        (self.home / "answers" / "22-enclosure" / "enclosed.age").write_bytes(enclosed)

    def erases(self, scenario: str, name: str, digests: list[str]) -> None:
        copy = json.loads(template("erasure-report"))["copies"][0]
        report = self.says(
            "erasure-report",
            name,
            notices=self.manifest(name).quantities.notices,
            copies=[copy | {"file_sha256": digest} for digest in digests],
        )
        path = self.writes(scenario, "erasure-report", report)
        certificate = self.says("erasure-certificate", name, report_sha256=sha256(path.read_bytes()))
        self.writes(scenario, "erasure-certificate", certificate)

    def judged(self, answers: Path | None = None) -> dict[str, str]:
        contractors = AllowedSigners.parse((self.home / "allowed_signers").read_text())
        outcomes = check(
            self.home / "pack", answers or self.home / "answers", contractors, config=CONFIG, at=clock.now()
        )
        return {one.scenario: one.reason_ja for one in outcomes}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Round:
    home = tmp_path_factory.mktemp("acceptance")
    ward_key, ward_line = key_pair(home / "ward_key")
    _, contractor_line = key_pair(home / "contractor_key")
    (home / "ward_signers").write_text(f'{WARD} namespaces="{MANIFEST_NAMESPACE}" {ward_line}\n')
    (home / "allowed_signers").write_text(
        f'{CONTRACTOR} namespaces="{MESSAGE_NAMESPACE}" {contractor_line}\n'
    )
    configuration = resolve(CONFIG, "premium_notice_ordinary", 2026)
    with pytest.MonkeyPatch.context() as quick:
        quick.setitem(age.encrypt.__kwdefaults__, "work_factor", 2)
        make(home / "pack", configuration, signing_key=ward_key, year=2026, at=clock.now())
        played = Round(home)
        played.answers()
    return played


def test_there_are_scenarios_enough_and_a_package_for_each(played: Round) -> None:
    assert len(SCENARIOS) >= 15
    assert {one.package for one in SCENARIOS} == set(PACKAGES)
    told = (played.sending / "scenarios.md").read_text(encoding="utf-8")
    assert [one.id for one in SCENARIOS if f"`{one.id}`" not in told] == []
    assert "signature_invalid" not in told
    assert not any(
        played.passphrases["sound"] in path.read_text(errors="ignore")
        for path in played.sending.rglob("*.md")
    )


def test_a_contractor_who_answers_rightly_passes_everything(
    played: Round, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {scenario: reason for scenario, reason in played.judged().items() if reason} == {}
    arguments = [str(played.home / "pack"), str(played.home / "answers")]
    assert main(["check", *arguments, "--allowed-signers", str(played.home / "allowed_signers")]) == 0
    said = capsys.readouterr().out
    assert "すべて合格です" in said
    assert AcceptanceEntry.label_ja in said


def test_the_print_file_holds_every_branch(played: Round) -> None:
    played.counted("sound")
    content = (
        (played.home / "work" / "sound" / played.manifest("sound").print_file.name)
        .read_bytes()
        .decode("cp932")
    )
    people = len(PEOPLE) + len(resolve(CONFIG, "premium_notice_ordinary", 2026).gaiji.entries)
    assert content.count("\r\n") == people + 2  # heading and trailer
    assert played.manifest("sound").quantities.envelopes == people - 2  # three in one envelope
    for found in (
        "\ue000",
        "鴎",
        "葛見本",
        "髙﨑①Ⅲ㈱",
        "長" * 40,
        '""見本"",ハイツ',
        "御中",
        '"0"',
        "1922-02-28",
        "899991",
    ):
        assert found in content, found


def test_each_spoilt_package_is_spoilt_as_told(played: Round) -> None:
    for name in ("damaged", "missing", "stranger", "altered"):
        with pytest.raises(NoticeCycleError):
            check_package(played.sending / name, played.ward_signers, WARD)
    for name in ("count", "other"):
        check_package(played.sending / name, played.ward_signers, WARD)
    signed = read_manifest(played.sending / "count", played.ward_signers, WARD)
    with pytest.raises(NoticeCycleError):
        played.counted("passphrase")
    assert signed.manifest.quantities != played.manifest("sound").quantities
    assert played.counted("unreadable")[1].unreadable_characters == 2
    assert played.counted("sound")[1].unreadable_characters == 0


def test_no_scenario_is_passed_by_saying_nothing(played: Round, tmp_path: Path) -> None:
    assert all(played.judged(tmp_path).values())


WRONG: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "01-receipt": ("receipt", lambda s: s["files"].update({"manifest.json": "0" * 64})),
    "02-content": ("content-receipt", lambda s: s["quantities"].update(persons=1)),
    "03-damaged": ("rejection", lambda s: s.update(reason_code="files_missing")),
    "04-missing": ("rejection", lambda s: s.update(level=2)),
    "05-stranger": ("rejection", lambda s: s.update(reason_code="digest_mismatch")),
    "06-altered": ("rejection", lambda s: s.update(reason_code="digest_mismatch")),
    "07-passphrase": ("rejection", lambda s: s.update(reason_code="malware_found")),
    "08-count": ("rejection", lambda s: s.update(reason_code="wrong_layout")),
    "09-unreadable": ("content-receipt", lambda s: s.update(unreadable_characters=0)),
    "10-not-ours": ("rejection", lambda s: s.update(reason_code="cannot_open")),
    "11-print": ("print-log", lambda s: s["lines"].pop()),
    "12-copies": ("copy-declaration", lambda s: s["copies"].pop()),
    "13-transfer": ("transfer-record", lambda s: s.update(sheets=29)),
    "14-destroyed": ("destruction-certificate", lambda s: s["papers"].pop()),
    "15-erasure": ("erasure-report", lambda s: s["copies"].pop()),
    "16-replaced": ("erasure-report", lambda s: s.update(copies=s["copies"][2:])),
    "17-pullout": ("pullout-confirmation", lambda s: s.update(replaced=2, pulled=0)),
    "18-posting": ("posting-receipt", lambda s: s["lots"][0].update(envelopes=1)),
    "19-return": ("return-notice", lambda s: s.update(tracking_number="")),
    "20-change": ("measure-change", lambda s: s.update(planned_from=None)),
    "21-incident": ("incident-notice", lambda s: s.update(what="breach")),
    "22-enclosure": ("enclosure", lambda s: s.update(purpose="other")),
}


@pytest.mark.parametrize("scenario", [one.id for one in SCENARIOS])
def test_a_wrong_answer_fails_its_scenario_and_no_other(played: Round, tmp_path: Path, scenario: str) -> None:
    kind, change = WRONG[scenario]
    shutil.copytree(played.home / "answers", tmp_path / "answers")
    said = json.loads((tmp_path / "answers" / scenario / f"{kind}.json").read_bytes())
    change(said)
    content = json.dumps(said, ensure_ascii=False).encode()
    (tmp_path / "answers" / scenario / f"{kind}.json").write_bytes(content)
    key = SigningKey.load(played.home / "contractor_key")
    signature = key.sign(content, namespace=MESSAGE_NAMESPACE)
    (tmp_path / "answers" / scenario / f"{kind}.json.sig").write_text(signature)
    assert [one for one, reason in played.judged(tmp_path / "answers").items() if reason] == [scenario]


def test_an_answer_too_many_another_signature_and_plaintext_do_not_pass(
    played: Round, tmp_path: Path
) -> None:
    answers = tmp_path / "answers"
    shutil.copytree(played.home / "answers", answers)
    shutil.copy(answers / "01-receipt" / "receipt.json", answers / "03-damaged" / "receipt.json")
    (answers / "04-missing" / "rejection.json.sig").write_bytes(
        (answers / "05-stranger" / "rejection.json.sig").read_bytes()
    )
    (answers / "22-enclosure" / "enclosed.age").write_bytes(b"plain")
    reasons = {one: reason for one, reason in played.judged(answers).items() if reason}
    assert reasons.keys() == {"03-damaged", "04-missing", "22-enclosure"}
    assert "出すものではない届出" in reasons["03-damaged"]


def test_the_commands_say_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["make", str(tmp_path / "pack"), "--signing-key", str(tmp_path / "none")]) == 1
    assert " → " in capsys.readouterr().err
