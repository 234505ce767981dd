"""The hand-over's other routes as their tasks run them, on a real ledger: begun first, discs made once, gates kept."""

import logging
import shutil
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from pypdf import PdfReader
from tests.builders import CYCLE, TANTO, TASK, ACycle, a_cycle, a_key_file, an_answer
from tests.unit.contractor_kit.packages import APackage, a_package, quick_encryption
from tests.unit.incidents.test_incidents import ANSWERS
from tests.unit.register.world import KACHO, a_register

from embedded_ward.desk import read_disc
from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle.acknowledgement.passphrase_notice import PassphraseHandover
from notice_cycle.closing import close
from notice_cycle.decisions import recall
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange.messages import Receipt
from notice_cycle.handover import media
from notice_cycle.handover.disc import DiscHandover
from notice_cycle.handover.media import describe_image
from notice_cycle.incidents.entering import report, take_step
from notice_cycle.ledger.store import Ledger
from notice_cycle.register import GatesJudged
from notice_cycle.settings import Settings
from notice_cycle.values import Person, sha256
from notice_cycle_airflow import run_context
from notice_cycle_airflow.discs import burn_discs, make_discs
from notice_cycle_airflow.operators import evidence_form
from notice_cycle_airflow.reprinting import reprint
from notice_cycle_airflow.run_context import RunningCycle
from notice_cycle_airflow.sensors import contractor_reply

needs_xorriso = pytest.mark.skipif(
    shutil.which("xorriso") is None, reason="xorriso is not installed; run tools/debian-packages"
)
A_JULY_DAY = "2026-07-06T10:00:00+09:00"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> APackage:
    quick_encryption(monkeypatch)
    return a_package(tmp_path / "made")


@pytest.fixture
def cycle(package: APackage, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningCycle:
    """A cycle whose package waits in the outbox."""
    moved = tmp_path / "clock.json"
    clock.move_to(clock.datetime.fromisoformat(A_JULY_DAY), moved)
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(moved))
    a_cycle().up_to(r.EncryptionRecord).with_(encryption=package.encryption.model_dump()).entered_in(ledger)
    settings = Settings(
        {
            "NOTICE_CYCLE_OUTBOX": str(package.folder.parent),
            "NOTICE_CYCLE_SIGNING_KEY_FILE": str(a_key_file(tmp_path / "key")),
            "NOTICE_CYCLE_HOST": "lgwan-terminal-1",
            "NOTICE_CYCLE_PRINT_TRAY": str(tmp_path / "tray"),
        }
    )
    return RunningCycle(id=CYCLE, actor=TASK, settings=settings, ledger=ledger)


def test_a_hand_over_is_noted_once_before_anything_goes(cycle: RunningCycle, package: APackage) -> None:
    assert [cycle.begin_handover("dvd") for _ in range(2)] == [package.encryption.package] * 2
    (begun,) = cycle.history().facts(r.HandoverBegun)
    assert (begun.route, begun.encrypted_file) == ("dvd", package.encryption.files[0])


def test_a_touched_outbox_is_not_even_begun(cycle: RunningCycle, package: APackage) -> None:
    (package.folder / "manifest.json").write_bytes(b"{}")
    with pytest.raises(Altered):
        cycle.begin_handover("manual")
    assert cycle.history().facts(r.HandoverBegun) == []


def test_discs_are_made_once_and_hold_the_package(cycle: RunningCycle, package: APackage) -> None:
    labels = make_discs(cycle)
    (made,) = cycle.history().facts(r.DiscsMade)
    assert [disc.label for disc in made.discs] == [labels]
    (image,) = package.folder.glob("*.iso")
    held = describe_image(image)
    assert held.image == made.discs[0].image
    on_disc = {file.path.removeprefix("package/"): file.sha256 for file in held.files}
    assert {file.name: file.sha256 for file in package.encryption.files}.items() <= on_disc.items()
    assert make_discs(cycle) == labels
    assert len(cycle.history().facts(r.DiscsMade)) == 1


def test_every_disc_has_its_label_and_the_package_its_transmittal_printed_once(
    cycle: RunningCycle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_discs(monkeypatch)
    labels = make_discs(cycle).split("、")
    assert len(labels) > 1
    facts = cycle.history().facts(r.DiscPaperPrinted)
    package = cycle.history().latest(r.EncryptionRecord).package
    assert [fact.number for fact in facts] == [
        *(f"{label}-盤面ラベル" for label in labels),
        f"{package}-送付票",
    ]
    tray = tmp_path / "tray"
    papers = {path.name: path.read_bytes() for path in tray.iterdir()}
    assert {f"{fact.number}.pdf": fact.document_sha256 for fact in facts} == {
        name: sha256(content) for name, content in papers.items()
    }
    shutil.rmtree(tray)
    make_discs(cycle)
    assert not tray.exists()
    assert cycle.history().facts(r.DiscPaperPrinted) == facts
    for number in (
        facts[0].number,
        facts[-1].number,
    ):  # a label and the transmittal: the approver prints them again
        asked = {"number": number, "reason_code": "jammed"}
        again = reprint(cycle, asked, Person(user_id="shonin", name="上田 誠"), asked_in=number)
        assert "再発行 1" in PdfReader(tray / f"{again}.pdf").pages[0].extract_text()


def test_papers_printed_before_a_crash_are_the_same_bytes_again(
    cycle: RunningCycle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RunningCycle.note

    def dying(self: RunningCycle, fact: r.Fact, by: object = None) -> None:
        if isinstance(fact, r.DiscPaperPrinted):
            raise KeyboardInterrupt
        real(self, fact)

    with monkeypatch.context() as crashing, pytest.raises(KeyboardInterrupt):
        crashing.setattr(RunningCycle, "note", dying)
        make_discs(cycle)
    (paper,) = (tmp_path / "tray").iterdir()
    before = paper.read_bytes()
    clock.move_to(clock.now() + timedelta(hours=1), tmp_path / "clock.json")
    make_discs(cycle)
    assert paper.read_bytes() == before
    assert len(cycle.history().facts(r.DiscsMade)) == 1
    assert len(cycle.history().facts(r.DiscPaperPrinted)) == 2


def test_no_paper_of_the_discs_tells_the_passphrase(
    cycle: RunningCycle, package: APackage, tmp_path: Path
) -> None:
    make_discs(cycle)
    (image,) = package.folder.glob("*.iso")
    told = [path.read_bytes() for path in (tmp_path / "tray").iterdir()]
    told += [read_disc(image)["README.pdf"]]
    assert len(told) == 3
    secret = "".join(package.passphrase.split("-"))
    for paper in told:
        text = "".join(page.extract_text() for page in PdfReader(BytesIO(paper)).pages)
        assert secret not in "".join(text.split()).replace("-", "").replace("\u200b", "")


def test_every_disc_bears_the_guide_as_pdf_a_and_the_page_that_opens_the_package(
    cycle: RunningCycle, package: APackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_discs(monkeypatch)
    labels = make_discs(cycle).split("、")
    images = list(package.folder.glob("*.iso"))
    assert len(images) == len(labels) > 1
    for image in images:
        held = read_disc(image)
        assert held["open.html"] == media.decrypter_page()
        assert "印字データを開く手順書" in held["README.txt"].decode("utf-8-sig")
        guide = PdfReader(BytesIO(held["README.pdf"]))
        assert guide.xmp_metadata is not None
        assert (guide.xmp_metadata.pdfaid_part, guide.xmp_metadata.pdfaid_conformance) == ("2", "B")
        for page in guide.pages:
            for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
                (described,) = font.get_object()["/DescendantFonts"]
                assert "/FontFile2" in described.get_object()["/FontDescriptor"].get_object()
        assert "印字データを開く手順書" in guide.pages[0].extract_text()


def test_the_discs_signers_line_is_the_wards(cycle: RunningCycle, package: APackage, tmp_path: Path) -> None:
    make_discs(cycle)
    (image,) = package.folder.glob("*.iso")
    key = SigningKey.load(cycle.settings.signing_key)
    assert key.public_line.encode() in image.read_bytes()


def test_without_a_drive_the_log_says_what_an_officer_does(
    cycle: RunningCycle, caplog: pytest.LogCaptureFixture
) -> None:
    label = make_discs(cycle)
    with caplog.at_level(logging.INFO):
        assert burn_discs(cycle) == "職員が書き込む"
    assert "DVD の書込み装置がありません" in caplog.text or "書込みの道具" in caplog.text
    assert f"{label}.iso" in caplog.text
    assert cycle.history().facts(r.DiscBurnt) == []
    assert "装置で書き込み" not in DiscHandover().body(cycle.history())


@needs_xorriso
def test_with_a_drive_a_disc_is_burnt_read_back_and_not_burnt_again(
    cycle: RunningCycle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_discs(cycle)
    drive = a_drive(cycle, tmp_path)
    with caplog.at_level(logging.INFO):
        assert burn_discs(cycle) == "書込み 1枚"
    assert "xorriso で書き込みました" in caplog.text
    (burnt,) = cycle.history().facts(r.DiscBurnt)
    (made,) = cycle.history().facts(r.DiscsMade)
    assert (burnt.disc, burnt.program, burnt.device) == (made.discs[0], "xorriso", str(drive))
    written = drive.read_bytes()
    assert burn_discs(cycle) == "書込み 1枚"
    assert (len(cycle.history().facts(r.DiscBurnt)), drive.read_bytes()) == (1, written)
    assert "装置で書き込み、読み戻して一致" in DiscHandover().body(cycle.history())


@needs_xorriso
def test_a_disc_that_a_killed_try_has_burnt_is_read_back_only(
    cycle: RunningCycle, package: APackage, tmp_path: Path
) -> None:
    make_discs(cycle)
    drive = a_drive(cycle, tmp_path)
    (image,) = package.folder.glob("*.iso")
    drive.write_bytes(image.read_bytes())
    burn_discs(cycle)
    (burnt,) = cycle.history().facts(r.DiscBurnt)
    assert burnt.program == "（書込み済み）"


@needs_xorriso
def test_several_discs_are_burnt_one_after_another_each_onto_a_new_one(
    cycle: RunningCycle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_discs(monkeypatch)
    count = len(make_discs(cycle).split("、"))
    assert count > 1
    drive = a_drive(cycle, tmp_path)
    for number in range(1, count):
        with pytest.raises(Refused, match=f"{count}枚中{number}枚") as asked:
            burn_discs(cycle)
        assert "新しい DVD-R" in asked.value.advice
        drive.write_bytes(bytes(20 * 1024 * 1024))
    assert burn_discs(cycle) == f"書込み {count}枚"
    assert [fact.disc.label[-2:] for fact in cycle.history().facts(r.DiscBurnt)] == [
        f"d{number}" for number in range(1, count + 1)
    ]


def test_an_image_that_was_touched_is_not_burnt(cycle: RunningCycle, package: APackage) -> None:
    make_discs(cycle)
    (image,) = package.folder.glob("*.iso")
    image.write_bytes(image.read_bytes() + bytes(2048))
    with pytest.raises(Altered, match="作成した時の内容と異なります"):
        burn_discs(cycle)


def tiny_discs(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small package takes several."""
    monkeypatch.setattr(media, "_KEPT_FREE", 0)
    monkeypatch.setattr(media, "_PART_ALIGNMENT", 1024)
    monkeypatch.setattr(media, "DISC_BYTES", 2048)
    monkeypatch.setitem(media.build_images.__kwdefaults__, "disc_bytes", 2048)
    monkeypatch.setitem(media.part_names.__kwdefaults__, "disc_bytes", 2048)


def a_drive(cycle: RunningCycle, tmp_path: Path) -> Path:
    """A blank disc; a file stands in for the drive."""
    drive = tmp_path / "drive"
    drive.write_bytes(bytes(20 * 1024 * 1024))
    cycle.settings.__dict__["disc_drive"] = drive  # as the cached property would read it
    return drive


@pytest.mark.parametrize("route", ["lgwan", "manual", "dvd"])
def test_the_sample_register_lets_the_sample_notice_pass(cycle: RunningCycle, route: r.Route) -> None:
    if route != "lgwan":
        with pytest.raises(Refused, match="経路の切替え"):
            cycle.judge_gates("handover", route)
        cycle.note(r.RouteSwitched(route=route, reason_code="line_down", decided_by=TANTO))
    cycle.judge_gates("handover", route)
    cycle.judge_gates("handover", route)
    judged = cycle.history().facts(GatesJudged)[-1]
    assert len(cycle.history().facts(GatesJudged)) == (1 if route == "lgwan" else 2)
    assert judged.stage == "handover"
    assert judged.closed == ()


def test_another_host_does_not_send(cycle: RunningCycle, ledger: Ledger) -> None:
    settings = SimpleNamespace(host_name="a-laptop", config_folder=cycle.settings.config_folder)
    other = RunningCycle(id=CYCLE, actor=TASK, settings=settings, ledger=ledger)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="関門が閉じています"):
        other.judge_gates("handover", "lgwan")
    assert other.history().facts(GatesJudged)[-1].closed != ()


def test_gates_are_kept_and_told_once_for_each_stage(
    cycle: RunningCycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(run_context, "tell", lambda kind, facts: told.append((kind, facts)))
    for _ in range(2):
        cycle.judge_gates("validation")
        cycle.judge_gates("handover")
        for _ in range(2):
            with pytest.raises(Refused, match="納品した者"):
                cycle.judge_gates("erasure")
    assert [fact.stage for fact in cycle.history().facts(GatesJudged)] == [
        "validation",
        "handover",
        "erasure",
    ]
    ((kind, facts),) = told
    assert (kind, facts["cycle"], facts["stage_ja"]) == ("gate_closed", CYCLE, "消去")
    assert "印刷ログ" in facts["gate"]


def test_an_authorisation_that_ends_before_the_planned_erasure_is_told_once_and_stops_nothing(
    cycle: RunningCycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(run_context, "tell", lambda kind, facts: told.append((kind, facts)))
    today = clock.today()
    ending = {
        f"certificate/{key}": {"valid_until": today + timedelta(days=9)}
        for key in ("example-print-lgwan", "example-print-privacy")
    }
    register = a_register(as_of=today, alter=ending, subcontractor=False)
    monkeypatch.setattr(run_context, "read_register", lambda *_: register)
    cycle.judge_gates("handover")
    cycle.judge_gates("handover")
    ((kind, facts),) = told
    assert (kind, facts["stage_ja"]) == ("gate_warns", "引渡し")
    assert facts["gate"] == "消去までのプライバシーマーク・消去までの LGWAN-ASP の認証"
    assert str(today + timedelta(days=9)) in facts["reason"]
    assert cycle.history().facts(GatesJudged)[-1].warned == (
        "lgwan_asp_until_erasure:example_print",
        "privacy_mark_until_erasure:example_print",
    )


def test_while_an_incident_stops_the_hand_overs_the_form_takes_none(
    cycle: RunningCycle, ledger: Ledger
) -> None:
    known, config = a_cycle(), cycle.settings.config_folder
    for record in (r.HandoverRecord, r.ReceiptRecord, r.PassphraseNoticeRecord):
        cycle.enter(known[record])
    form = evidence_form.EvidenceForm(task_id="form", form=PassphraseHandover)
    given = {
        "handed_at": "2026-07-05 15:00",
        "giver": "青木 一郎",
        "taker": "印刷 太郎",
        "means": "手渡し",
        "quantity": "1",
        "signed_by": "印刷 太郎",
        "filed_under": "26介保第96号",
    }
    answer = an_answer("引き渡した", at=clock.now(), **given)
    report(ledger, config, ANSWERS, by=TANTO, at=clock.now())
    with pytest.raises(Refused, match="事故（受付番号 2026-001）のため止められています"):
        form._judged(answer, cycle)
    lifting = {
        "number": "2026-001",
        "step": "hold_lifted",
        "done_at": "2026-07-06T09:00",
        "filed_as": "26介保第32号",
        "reason_code": "settled",
    }
    take_step(ledger, config, lifting, by=KACHO, at=clock.now())
    kept = form._judged(answer, cycle)
    assert isinstance(kept, r.PassphraseHandoverRecord)


def test_a_dispatch_given_up_after_it_left_runs_to_its_erasure_and_no_further_record(
    cycle: RunningCycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = a_cycle()
    cycle.enter(known[r.HandoverRecord])
    cycle.note(recall(cycle.history(), "data_error", TANTO), by=TANTO)

    def never(_history: object) -> r.Record:
        raise AssertionError("nothing is made any more")

    monkeypatch.setattr(contractor_reply, "current_cycle", lambda: cycle)
    monkeypatch.setattr(evidence_form, "current_cycle", lambda: cycle)
    for record in (r.ReceiptRecord, r.PassphraseNoticeRecord, r.StagingWipeRecord, r.DeliveryRecord):
        assert cycle.once(record, never) == run_context.RECALLED_JA
    sensor = contractor_reply.ContractorReplySensor(task_id="wait", kinds=[Receipt], settles=r.ReceiptRecord)
    assert sensor.poke({})
    form = evidence_form.EvidenceForm(task_id="form", form=PassphraseHandover)
    assert form.execute({}) == run_context.RECALLED_JA
    assert form.execute_complete({}, {}) == run_context.RECALLED_JA
    cycle.judge_gates("delivery")
    cycle.judge_gates("erasure")
    assert cycle.history().facts(GatesJudged) == []
    for record, kept in (
        (r.ErasureRecord, _of_the_host(known)),
        (r.ErasureConfirmationRecord, known[r.ErasureConfirmationRecord]),
    ):
        digest = cycle.once(record, lambda _, kept=kept: kept)
        assert cycle.once(record, never) == digest
    kinds = [entry.kind for entry in cycle.history().current]
    assert kinds[-3:] == ["handover", "erasure", "erasure_confirmation"]
    cycle.judge_gates("closing")
    cycle.once(r.DestructionRecord, lambda _: known[r.DestructionRecord])
    cycle.once(r.ClosingRecord, lambda history: close(history, cycle.ledger.verify(), at=clock.now()))
    assert cycle.history().current[-1].kind == "closing"


def _of_the_host(known: ACycle) -> r.ErasureRecord:
    """The proof of a firm that never opened the package: it lay on its host, and people of its roster erased it."""
    erasure = known[r.ErasureRecord]
    (proof,) = erasure.parties
    copy = proof.copies[0].model_copy(update={"operator": "見本 一郎", "witness": "見本 二葉"})
    told = {"copies": (copy,), "responsible_person": "見本 二葉"}
    return erasure.model_copy(update={"copies_erased": 1, "parties": (proof.model_copy(update=told),)})
