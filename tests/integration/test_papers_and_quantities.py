"""On a real ledger: a 確認書 is laid out once, quantities are mailed once, a disclosed package is taken back first."""

from pathlib import Path

import pytest
from pypdf import PdfReader
from tests.builders import CYCLE, TASK, a_cycle, on_disc

from notice_cycle import records as r
from notice_cycle.alerts import Mail
from notice_cycle.confirmations import printed_number
from notice_cycle.decisions import redo
from notice_cycle.errors import Refused
from notice_cycle.ledger.store import Ledger
from notice_cycle.settings import Settings
from notice_cycle.values import Person, sha256
from notice_cycle_airflow import confirmations
from notice_cycle_airflow.confirmations import lay_out_confirmation
from notice_cycle_airflow.quantities import tell_all_quantities, tell_quantities, try_to_tell_quantities
from notice_cycle_airflow.reprinting import reprint
from notice_cycle_airflow.run_context import RunningCycle

SHONIN = Person(user_id="shonin", name="上田 誠")


@pytest.fixture
def cycle(ledger: Ledger, tmp_path: Path) -> RunningCycle:
    a_cycle().up_to(r.PassphraseNoticeRecord).entered_in(ledger)
    settings = Settings({"NOTICE_CYCLE_PRINT_TRAY": str(tmp_path / "tray")})
    return RunningCycle(id=CYCLE, actor=TASK, settings=settings, ledger=ledger)


def test_a_paper_is_laid_out_once_and_the_ledger_has_its_digest(cycle: RunningCycle, tmp_path: Path) -> None:
    number = f"{CYCLE}-PW1-確認書"
    assert [lay_out_confirmation(cycle, "passphrase_handover") for _ in range(2)] == [number, number]
    (fact,) = cycle.history().facts(r.ConfirmationPrinted)
    (paper,) = (tmp_path / "tray").iterdir()
    assert (paper.name, fact.number) == (f"{number}.pdf", number)
    assert sha256(paper.read_bytes()) == fact.document_sha256


def test_a_paper_printed_before_a_crash_is_the_same_bytes_again(
    cycle: RunningCycle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crashing, pytest.raises(KeyboardInterrupt):
        crashing.setattr(RunningCycle, "note", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        lay_out_confirmation(cycle, "passphrase_handover")
    (paper,) = (tmp_path / "tray").iterdir()
    before = paper.read_bytes()
    lay_out_confirmation(cycle, "passphrase_handover")
    assert paper.read_bytes() == before


def test_the_returns_have_two_papers_each_laid_out_once(ledger: Ledger, tmp_path: Path) -> None:
    a_cycle().with_(handover=on_disc()).up_to(r.DeliveryConfirmationRecord).entered_in(ledger)
    settings = Settings({"NOTICE_CYCLE_PRINT_TRAY": str(tmp_path / "tray")})
    cycle = RunningCycle(id=CYCLE, actor=TASK, settings=settings, ledger=ledger)
    numbers = [f"{CYCLE}-p1-媒体返却確認書", f"{CYCLE}-p1-パスワード返却確認書"]
    assert [lay_out_confirmation(cycle, "returns") for _ in range(2)] == ["、".join(numbers)] * 2
    facts = cycle.history().facts(r.ConfirmationPrinted)
    assert [fact.number for fact in facts] == numbers
    for fact in facts:
        assert sha256((tmp_path / "tray" / f"{fact.number}.pdf").read_bytes()) == fact.document_sha256


def test_a_paper_of_the_returns_that_a_crash_left_out_follows(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_cycle().with_(handover=on_disc()).up_to(r.DeliveryConfirmationRecord).entered_in(ledger)
    settings = Settings({"NOTICE_CYCLE_PRINT_TRAY": str(tmp_path / "tray")})
    cycle = RunningCycle(id=CYCLE, actor=TASK, settings=settings, ledger=ledger)
    printed: list[str] = []

    def jamming(_settings: Settings, number: str, _pdf: bytes) -> None:
        if len(printed) == 1:
            raise KeyboardInterrupt
        printed.append(number)

    with monkeypatch.context() as crashing, pytest.raises(KeyboardInterrupt):
        crashing.setattr(confirmations, "print_document", jamming)
        lay_out_confirmation(cycle, "returns")
    monkeypatch.setattr(confirmations, "print_document", lambda _, number, __: printed.append(number))
    lay_out_confirmation(cycle, "returns")
    assert printed == [f"{CYCLE}-p1-媒体返却確認書", f"{CYCLE}-p1-パスワード返却確認書"]


def test_a_spoiled_paper_is_printed_again_marked_and_once_a_run(cycle: RunningCycle, tmp_path: Path) -> None:
    number = lay_out_confirmation(cycle, "passphrase_handover")
    asked = {"number": f" {number} ", "reason_code": "jammed"}
    named = [reprint(cycle, asked, SHONIN, asked_in=run) for run in ("run-1", "run-1", "run-2")]
    assert named == [f"{number}-再発行1", f"{number}-再発行1", f"{number}-再発行2"]
    facts = cycle.history().facts(r.PaperReprinted)
    assert [(fact.issue, fact.decided_by, fact.reason_code) for fact in facts] == [
        (1, SHONIN, "jammed"),
        (2, SHONIN, "jammed"),
    ]
    for fact in facts:
        pdf = tmp_path / "tray" / f"{number}-再発行{fact.issue}.pdf"
        assert sha256(pdf.read_bytes()) == fact.document_sha256
        words = PdfReader(pdf).pages[0].extract_text()
        assert f"再発行 {fact.issue}" in words
        assert number in words.replace("\n", "")
    assert "再発行" not in PdfReader(tmp_path / "tray" / f"{number}.pdf").pages[0].extract_text()
    # The form still bears the number of the paper.
    assert printed_number("passphrase_handover", cycle.history()) == number


@pytest.mark.parametrize(
    ("number", "by", "said"),
    [
        (f"{CYCLE}-PW1", "shonin", "パスワード通知書は再発行できません"),
        (f"{CYCLE}-納品確認書", "shonin", f"この発送回にありません.*{CYCLE}-PW1-確認書"),
        (f"{CYCLE}-PW1-確認書", "tanto1", "登録簿で承認者とされた者だけ"),
    ],
)
def test_what_may_not_be_printed_again(cycle: RunningCycle, number: str, by: str, said: str) -> None:
    lay_out_confirmation(cycle, "passphrase_handover")
    asked, person = {"number": number, "reason_code": "lost"}, Person(user_id=by, name="だれか")
    with pytest.raises(Refused, match=said):
        reprint(cycle, asked, person, asked_in="run-1")
    assert cycle.history().facts(r.PaperReprinted) == []


def test_a_paper_whose_record_was_redone_is_not_printed_again(cycle: RunningCycle) -> None:
    number = lay_out_confirmation(cycle, "passphrase_handover")
    decision = redo(cycle.history(), "encryption", "data_error", SHONIN)
    cycle.note(decision, by=SHONIN)
    with pytest.raises(Refused, match="やり直しで使わなくなった"):
        reprint(cycle, {"number": number, "reason_code": "lost"}, SHONIN, asked_in="run-1")


def test_a_form_without_a_paper_prints_nothing(cycle: RunningCycle, tmp_path: Path) -> None:
    assert lay_out_confirmation(cycle, "erasure_confirmation") == ""
    assert not (tmp_path / "tray").exists()


def away(_mail: Mail) -> None:
    raise OSError("away")


def test_confirmed_quantities_go_out_once_and_a_failure_loses_nothing(cycle: RunningCycle) -> None:
    sent: list[Mail] = []
    one = (cycle.ledger, cycle.settings, CYCLE, TASK)
    try_to_tell_quantities(*one, away)
    assert cycle.history().facts(r.QuantitiesTold) == []
    with pytest.raises(OSError, match="away"):
        tell_quantities(*one, away)
    told, unsent = tell_all_quantities(cycle.ledger, cycle.settings, TASK, away)
    assert (told, [(lost.subject, lost.to_role, lost.reason) for lost in unsent]) == (
        0,
        [(CYCLE, "contractor", "away")],
    )
    assert tell_all_quantities(cycle.ledger, cycle.settings, TASK, sent.append) == (1, [])
    assert tell_all_quantities(cycle.ledger, cycle.settings, TASK, sent.append) == (0, [])
    try_to_tell_quantities(*one, sent.append)
    assert [mail.to for mail in sent] == ["uketsuke@print.example"]
    (fact,) = cycle.history().facts(r.QuantitiesTold)
    assert (fact.stage, fact.envelopes, fact.message_id) == ("確定数量", 39, sent[0].message_id)
