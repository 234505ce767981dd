"""A supplementary run in which everything is done wrong first: by officers, by the contractor, on the way."""

import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from contractor_kit import answers
from contractor_kit.package_check import check_package
from embedded_ward.ward import NOTICE, EmbeddedWard
from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle.confirmations import open_discrepancies
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey
from notice_cycle.forms import tokyo
from notice_cycle.ledger.heads import Head
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.opening import PULLED
from tests.e2e.conftest import confirm_year_settings, state_of, task_logs, wait_for
from tests.e2e.trace import files_below

pytestmark = pytest.mark.ward
RUN = "supplementary-with-faults"
VALIDATION, APPROVAL = "validation.confirm_validation", "composition.approve_handover"
PASSPHRASE, DELIVERY, ERASURE = (
    "acknowledgement.confirm_passphrase_handover",
    "delivery.confirm_delivery",
    "erasure.confirm_erasure",
)


class Story:
    """The run, and what happened on its way."""

    def __init__(self, ward: EmbeddedWard) -> None:
        self.ward = ward
        self.statuses: dict[str, int] = {}

    @property
    def cycle(self) -> str:
        return str(self.ward.ledger.cycle_of_run(NOTICE, RUN))

    @property
    def history(self) -> CycleHistory:
        return self.ward.ledger.history(self.cycle)

    def answer(self, who: str, task: str, option: str, **fields: str | None) -> httpx.Response:
        """Answers a form once it has been parked for two seconds."""
        wait_for(lambda: state_of(self.ward, RUN, task) == "awaiting_input", f"form {task}")
        time.sleep(2.5)
        path = f"/api/v2/dags/{NOTICE}/dagRuns/{RUN}/taskInstances/{task}/-1/hitlDetails"
        return self.ward.person(who).request(
            "PATCH", path, {"chosen_options": [option], "params_input": fields}
        )

    def asked(self, task: str) -> str:
        """What a form shows now."""
        path = f"/api/v2/dags/{NOTICE}/dagRuns/{RUN}/taskInstances/{task}/-1/hitlDetails"
        return str(self.ward.person("tanto1").request("GET", path).json()["body"])

    def clear(self, task: str) -> None:
        """Clears a task and all behind it, as the operator does who sees the run stand still."""
        path = f"/api/v2/dags/{NOTICE}/dagRuns/{RUN}/taskInstances?limit=100"
        moving = {"running", "queued", "scheduled", "restarting"}

        def stands_still() -> bool:
            tasks = self.ward.person("unyo").request("GET", path).json()["task_instances"]
            states = {each["state"] for each in tasks}
            return not states & moving and (None not in states or "failed" not in states)

        wait_for(stands_still, "the run to stand still")
        body = {
            "dag_run_id": RUN,
            "task_ids": [task],
            "dry_run": False,
            "only_failed": False,
            "include_downstream": True,
        }
        answer = self.ward.person("unyo").request("POST", f"/api/v2/dags/{NOTICE}/clearTaskInstances", body)
        assert answer.is_success, answer.text

    def decide(self, run_id: str, **conf: Any) -> str:
        """Starts やり直し・取下げ and waits for its end. Gives the state."""
        return self.ended("cycle_decision", run_id, cycle=conf.pop("cycle", self.cycle), **conf)

    def started(self, dag: str, run_id: str, by: str = "unyo", **conf: Any) -> httpx.Response:
        """Starts a DAG for operating as the operator does."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        return self.ward.person(by).request("POST", f"/api/v2/dags/{dag}/dagRuns", body)

    def ended(self, dag: str, run_id: str, by: str = "unyo", **conf: Any) -> str:
        """Starts a DAG for operating and waits for its end. Gives the state."""
        self.started(dag, run_id, by, **conf).raise_for_status()
        unyo, path = self.ward.person("unyo"), f"/api/v2/dags/{dag}/dagRuns/{run_id}"
        wait_for(lambda: unyo.request("GET", path).json()["state"] in {"success", "failed"}, run_id)
        return str(unyo.request("GET", path).json()["state"])

    def mails(self) -> str:
        return "\n".join(
            text.decode() for where, text in files_below(self.ward.layout.mail) if "as read" in where
        )

    def has(self, record: type[r.Record]) -> bool:
        return (
            self.ward.ledger.cycle_of_run(NOTICE, RUN) is not None and self.history.find(record) is not None
        )


@pytest.fixture(scope="module")
def story(ward: EmbeddedWard) -> Iterator[Story]:
    story = Story(ward)
    ward.trigger(RUN, occasion="supplementary", reason_code="corrected", batch_no="2026-08-supplementary")
    confirm_year_settings(ward, NOTICE, RUN)
    yield story
    ward.supervisor.stop("contractor")


# The tests of this module tell one story and run in order.


def test_a_form_is_answered_only_by_its_role(story: Story) -> None:
    for stranger in ("shonin", "kansa", "unyo", "admin"):
        assert (
            story.answer(stranger, VALIDATION, "確認した", reason=None).status_code == httpx.codes.FORBIDDEN
        )
    assert not story.has(r.ValidationConfirmationRecord)


def test_a_form_shows_quantities_and_says_that_the_data_are_invented(story: Story) -> None:
    body = story.asked(VALIDATION)
    assert "48人" in body
    assert "架空データ" in body
    assert story.cycle in body


def test_a_refused_answer_is_asked_again_with_the_reason(story: Story) -> None:
    assert story.answer("tanto1", VALIDATION, "差戻し", reason=None).is_success
    wait_for(lambda: story.history.facts(r.AnswerRefused), "the refusal in the ledger")
    wait_for(lambda: "前の回答は受け付けられませんでした" in story.asked(VALIDATION), "the form again")
    assert "差戻しの理由" in story.asked(VALIDATION)
    wait_for(lambda: "再回答のお願い" in story.mails(), "the mail")


def test_sending_back_stops_the_run_and_stands_in_the_ledger(story: Story) -> None:
    assert story.answer("tanto1", VALIDATION, "差戻し", reason="R1 データ誤り").is_success
    wait_for(lambda: state_of(story.ward, RUN, VALIDATION) == "failed", "the stop")
    (decision,) = story.history.facts(r.Decision)
    assert (decision.decision, decision.stage, decision.reason_code) == ("差戻し", "extraction", "data_error")
    assert not story.has(r.ExtractionRecord)
    wait_for(lambda: "差戻しとしました" in story.mails(), "the mail")


def test_after_sending_back_the_extraction_is_done_anew(story: Story) -> None:
    story.clear("extraction.extract")
    wait_for(lambda: story.has(r.ValidationRecord), "the new validation")
    assert len(story.history.ever(r.ExtractionRecord)) == 2
    assert story.answer("tanto1", VALIDATION, "確認した", reason=None).is_success


def test_a_dispatch_that_has_left_cannot_be_withdrawn(story: Story) -> None:
    assert story.answer("shonin", APPROVAL, "承認する", reason=None).is_success
    wait_for(lambda: story.has(r.HandoverRecord), "the hand-over")
    assert (
        story.decide("withdraw-too-late", decision="withdraw", reason_code="started_by_mistake") == "failed"
    )
    assert story.has(r.HandoverRecord)


def test_a_receipt_with_one_changed_byte_is_quarantined_and_waited_out(story: Story) -> None:
    ward, package = story.ward, story.history.latest(r.EncryptionRecord).package
    exchange, home = ward.layout.exchange, ward.layout.contractor_home
    ward.start_contractor()
    folder = exchange / "to_ward" / package
    wait_for(lambda: (folder / "receipt.json").exists() or story.has(r.ReceiptRecord), "the contractor")
    ward.supervisor.stop("contractor")
    assert story.has(r.ReceiptRecord) or (folder / "receipt.json").exists()
    # The next message is altered on its way: a receipt of level 2 whose counts were touched after signing.
    signer = SigningKey.load(ward.secrets.contractor_signing_key)
    signers = AllowedSigners.load(home / "ward_signers")
    checked = check_package(exchange / "to_contractor" / package, signers, "架空区")
    honest = answers.receipt(checked, by="印刷 太郎", at=clock.now())
    message = answers.write_message(honest, signer, ward.layout.root / "tmp" / "altered")
    content = message.read_bytes().replace(b'"receipt"', b'"Receipt"', 1)
    (folder / "content-receipt.json.sig").write_bytes(message.with_name("receipt.json.sig").read_bytes())
    (folder / "content-receipt.json").write_bytes(content)
    shutil.rmtree(message.parent)
    wait_for(lambda: story.has(r.PassphraseNoticeRecord), "the notice")
    assert story.answer("tanto1", PASSPHRASE, "引き渡した", **_handed("明日")).is_success
    wait_for(lambda: "日時として読めません" in story.asked(PASSPHRASE), "the form again")
    assert story.answer("tanto1", PASSPHRASE, "引き渡した", **_handed(None)).is_success
    wait_for(lambda: story.history.facts(r.ReplyRefused), "the quarantine")
    assert list((ward.layout.inbox / "quarantine" / story.cycle).glob("*content-receipt.json"))
    wait_for(lambda: "届出の不受理" in story.mails(), "the mail")
    assert state_of(ward, RUN, "acknowledgement.wait_for_content_receipt") in {
        "up_for_reschedule",
        "running",
        "queued",
        "scheduled",
        None,
    }


def test_a_lost_notice_is_voided_by_the_approver_only(story: Story) -> None:
    lost = {"cycle": story.cycle, "reason_code": "lost", "disclosure": "possible"}
    for other in ("unyo", "tanto1"):
        refused = story.started("passphrase_notice_void", f"void-by-{other}", other, **lost)
        assert refused.status_code == httpx.codes.FORBIDDEN
    assert story.history.facts(r.PassphraseNoticeVoided) == []
    assert story.ended("passphrase_notice_void", "void", "shonin", **lost) == "success"
    (voided,) = story.history.facts(r.PassphraseNoticeVoided)
    assert voided.notice_number.endswith("-PW1")


def test_what_somebody_may_have_seen_is_encrypted_anew_and_taken_back(story: Story) -> None:
    before = story.history.entry_of(r.HandoverApprovalRecord)
    assert not story.has(r.EncryptionRecord)
    story.clear("encryption.encrypt")
    wait_for(lambda: story.has(r.HandoverRecord), "the second hand-over")
    assert story.history.entry_of(r.HandoverApprovalRecord) == before
    assert story.history.latest(r.EncryptionRecord).package.endswith("-p2")
    (taken_back,) = story.history.facts(r.CopyWithdrawn)
    assert taken_back.package.endswith("-p1")
    assert (len(taken_back.found), taken_back.left) == (4, ())
    story.ward.start_contractor()
    wait_for(lambda: story.has(r.PassphraseNoticeRecord), "the second notice")
    assert story.history.latest(r.PassphraseNoticeRecord).notice_number.endswith("-PW2")


def test_with_the_right_papers_and_counts_the_cycle_closes(story: Story) -> None:
    tray = story.ward.layout.print_tray
    papers = {f"{story.cycle}-PW{number}-確認書" for number in (1, 2)}
    wait_for(
        lambda: {fact.number for fact in story.history.facts(r.ConfirmationPrinted)} == papers,
        "the paper of the second notice",  # its form prints it, after the notice stands
    )
    for paper in tray.glob("*PW*確認書.pdf"):
        paper.unlink()  # signed and filed
    for paper in tray.glob("*.pdf"):
        shutil.move(paper, story.ward.desk / paper.name)
    stranger = _handed(None) | {"taker": "見知らぬ 者"}
    assert story.answer("tanto1", PASSPHRASE, "引き渡した", **stranger).is_success
    wait_for(lambda: "名簿にない" in story.asked(PASSPHRASE), "the form again")
    wait_for(lambda: "【不一致】" in story.mails(), "the mail")
    assert open_discrepancies(story.history, "passphrase_handover")
    assert story.answer("tanto1", PASSPHRASE, "引き渡した", **_handed(None)).is_success
    wait_for(lambda: story.has(r.DeliveryRecord), "the delivery")
    assert open_discrepancies(story.history, "passphrase_handover") == []
    envelopes = story.history.latest(r.CompositionRecord).quantities.envelopes
    wrong, right = _delivered(envelopes - 1), _delivered(envelopes)
    assert story.answer("tanto2", DELIVERY, "納品を確認した", **wrong).is_success
    wait_for(lambda: "計画" in story.asked(DELIVERY), "the form again")
    assert story.answer("tanto2", DELIVERY, "納品を確認した", **right).is_success
    wait_for(lambda: story.has(r.DeliveryConfirmationRecord), "the confirmation")
    (story.ward.desk / f"delivery-accepted-{story.cycle}").touch()
    erasure = {"method": "立入り", "confirmed_at": None, "note_number": "架空介保第2号"}
    wait_for(lambda: story.has(r.ErasureRecord), "the erasure")
    assert story.answer(
        "tanto1", ERASURE, "消去を確認した", **(erasure | {"confirmed_at": _now()})
    ).is_success
    wait_for(lambda: story.has(r.ClosingRecord), "the closing")


def test_the_erasure_covers_the_replaced_package_too(story: Story) -> None:
    erasure = story.history.latest(r.ErasureRecord)
    assert erasure.copies_erased == 5  # opened, on PC and host; the replaced one on PC and host
    left = list(story.ward.layout.exchange.rglob("*.age"))
    assert left == []


def test_every_refusal_and_decision_stands_in_the_ledger(story: Story) -> None:
    assert [fact.form for fact in story.history.facts(r.AnswerRefused)] == [
        "validation_confirmation",
        "passphrase_handover",
        "passphrase_handover",
        "delivery_confirmation",
    ]
    assert [fact.discrepancy for fact in story.history.facts(r.DiscrepancyClosed)] == [1, 2]
    assert [fact.stage for fact in story.history.facts(r.QuantitiesTold)] == ["確定数量"]
    assert "【確定数量】" in story.mails()
    assert [fact.decision for fact in story.history.facts(r.Decision)] == ["差戻し", "やり直し"]
    assert story.ward.ledger.verify().holds


def test_the_same_batch_a_second_time_is_stopped_before_anything_is_read(story: Story) -> None:
    ward, run = story.ward, "batch-again"
    ward.trigger(run, occasion="supplementary", reason_code="corrected", batch_no="2026-08-supplementary")
    wait_for(lambda: state_of(ward, run, "opening.open_cycle") == "failed", "the stop")
    assert ward.ledger.cycle_of_run(NOTICE, run) is None
    told = f"異動バッチ番号 2026-08-supplementary は、発送回 {ward.ledger.cycle_of_run(NOTICE, RUN)} で使われています"
    wait_for(lambda: told in task_logs(ward, run), "the sentence in the log")


def test_a_dispatch_that_has_not_left_is_withdrawn_and_its_data_destroyed(story: Story) -> None:
    ward, run = story.ward, "to-be-withdrawn"
    ward.trigger(run, occasion="supplementary", reason_code="rehearsal", batch_no="2026-08-supplementary")
    wait_for(lambda: state_of(ward, run, VALIDATION) == "awaiting_input", "the form")
    cycle = str(ward.ledger.cycle_of_run(NOTICE, run))
    assert list((ward.layout.vault / cycle).iterdir())
    withdrawal = {"cycle": cycle, "decision": "withdraw", "reason_code": "started_by_mistake"}
    assert story.decide("withdraw", **withdrawal) == "success"
    history = ward.ledger.history(cycle)
    (cleanup,) = history.facts(r.WithdrawalCleanup)
    assert history.withdrawn
    assert {"cycle.key", "extracted.arrow", "circumstances.json", "findings.json"} == {
        file.name for file in cleanup.destruction.destroyed
    }
    assert (cleanup.destruction.keys_destroyed, cleanup.destruction.files_left) == (1, 0)
    assert not (ward.layout.vault / cycle).exists()
    assert story.decide("withdraw-again", **withdrawal) == "failed"
    assert len(ward.ledger.history(cycle).facts(r.WithdrawalCleanup)) == 1


def test_the_ledger_is_audited_signed_for_and_its_head_told_by_mail(story: Story) -> None:
    assert story.ended("ledger_audit", "audit") == "success"
    head = story.ward.ledger.head()
    checkpoint = story.ward.layout.checkpoints / f"checkpoint-{head.seq:09d}.json"
    assert json.loads(checkpoint.read_bytes())["digest"] == head.digest
    assert checkpoint.with_name(f"{checkpoint.name}.sig").exists()
    assert [path.name for path in story.ward.layout.heads.iterdir()] == [Head.of(head).name]
    wait_for(lambda: f"【台帳の末尾】第{head.seq}号" in story.mails(), "the mail")
    assert head.digest in story.mails()


def test_where_nothing_was_lost_no_restoration_is_recorded(story: Story) -> None:
    restoration = {"reason_code": "drill", "note_number": "26情シ第12号"}
    assert story.ended("ledger_restored", "nothing-lost", **restoration) == "failed"
    wait_for(lambda: "記録する復旧がありません" in story.mails(), "the mail")
    assert story.ward.ledger.entries(kind=r.LedgerRestored.kind()) == []


def test_a_name_is_no_note_number(story: Story) -> None:
    refused = story.started("ledger_restored", "a-name", reason_code="drill", note_number="見本花子")
    assert refused.status_code == httpx.codes.BAD_REQUEST


def test_a_ledger_without_its_noted_head_stops_everything_until_a_person_has_spoken(story: Story) -> None:
    ward, run = story.ward, "in-a-restored-ledger"
    found, lost = ward.ledger.head(), Head(999_999, "5" * 64)
    (ward.layout.heads / lost.name).touch()
    ward.trigger(run, occasion="supplementary", reason_code="rehearsal", batch_no="2026-08-supplementary")
    wait_for(lambda: state_of(ward, run, "opening.open_cycle") == "failed", "the stop")
    assert story.ended("ledger_audit", "audit-refused") == "failed"
    wait_for(lambda: "第999999号）より前の状態に戻っている" in story.mails(), "the mail")
    assert ward.ledger.head() == found

    restoration = {"reason_code": "drill", "note_number": "26情シ第12号"}
    assert story.ended("ledger_restored", "restored", **restoration) == "success"
    (entry,) = ward.ledger.entries(kind=r.LedgerRestored.kind())
    restored = r.LedgerRestored.model_validate(entry.data)
    assert (restored.found_seq, restored.lost_seq, restored.decided_by.name) == (
        found.seq,
        999_999,
        "江口 望",
    )
    assert restored.packages_beyond == ()
    assert (ward.layout.heads / "superseded" / lost.name).exists()
    assert story.ended("ledger_audit", "audit-again") == "success"


def test_no_log_shows_a_raw_traceback_of_ours(story: Story) -> None:
    lines = [json.loads(line) for line in task_logs(story.ward, RUN).splitlines() if line.startswith("{")]
    unforeseen = [line["event"] for line in lines if "予期しない誤り" in line.get("event", "")]
    assert unforeseen == []


def test_the_dispatch_is_made_again_by_a_run_that_names_it(story: Story) -> None:
    ward = story.ward
    asked = {"occasion": "supplementary", "reason_code": "reprint", "batch_no": "2026-08-supplementary"}
    ward.trigger("of-nothing", **asked, reprint_of=f"{story.cycle[:-2]}99", originals=PULLED)
    wait_for(lambda: state_of(ward, "of-nothing", "opening.open_cycle") == "failed", "the stop")
    wait_for(
        lambda: "もとの発送回の番号が要ります" in task_logs(ward, "of-nothing"), "the sentence in the log"
    )
    ward.start_officers()
    ward.trigger("made-again", **asked, reprint_of=story.cycle, originals=PULLED)
    wait_for(lambda: ward.ledger.cycle_of_run(NOTICE, "made-again") is not None, "the opening")
    again = str(ward.ledger.cycle_of_run(NOTICE, "made-again"))
    wait_for(lambda: ward.ledger.history(again).find(r.ClosingRecord) is not None, "the closing")
    ward.supervisor.stop("officers")
    history = ward.ledger.history(again)
    assert (history.opening.reprint_of, history.opening.originals) == (story.cycle, PULLED)
    composed = history.latest(r.CompositionRecord).quantities
    assert composed.notices == story.history.latest(r.CompositionRecord).quantities.notices
    assert history.latest(r.DeliveryRecord).envelopes_delivered == composed.envelopes


def _now() -> str:
    return tokyo(clock.now())


def _handed(at: str | None) -> dict[str, str | None]:
    return {
        "handed_at": at or _now(),
        "giver": "青木 一郎",
        "taker": "印刷 太郎",
        "means": "簡易書留",
        "tracking_number": "12345678901",
        "quantity": "1",
        "signed_by": "印刷 太郎",
        "filed_under": "架空介保第5号",
    }


def _delivered(envelopes: int) -> dict[str, str | None]:
    return {
        "delivered_at": _now(),
        "handler": "石川 恵",
        "deliverer": "印刷 次郎",
        "quantity": f"{envelopes:,}",
        "signed_by": "印刷 次郎",
        "filed_under": "架空介保第6号",
    }
