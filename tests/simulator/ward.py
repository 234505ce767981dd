"""The ward's side without a scheduler: the door, the stage functions and the gates, against a real ledger.

A cycle stands before a stage; a contractor has laid down what it has laid down; `reaction` tells what the ward does
about it, in one word, with the sentence that a person would read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from notice_cycle import records as r
from notice_cycle.acknowledgement.receipts import verify_content_receipt, verify_receipt
from notice_cycle.closing import close
from notice_cycle.delivery.reconcile import verify_delivery
from notice_cycle.erasure.verify import proofs_of, verify_erasure
from notice_cycle.errors import Conflict, NoticeCycleError, NotThereYet, Refused
from notice_cycle.exchange import messages as m
from notice_cycle.handover.route import packages_that_left
from notice_cycle.ledger.store import Ledger
from notice_cycle.pullout import Pulled, pulled
from notice_cycle.pullout.rules import require_no_open_pullout
from notice_cycle.settings import Settings
from notice_cycle.strays import Seen, StraysFound
from notice_cycle_airflow import judging, pullouts
from notice_cycle_airflow import replies as taking
from notice_cycle_airflow.judging import judge_replies
from notice_cycle_airflow.pullouts import confirmed
from notice_cycle_airflow.reply_watching import look_at
from notice_cycle_airflow.run_context import RunningCycle, RunningPullout
from notice_cycle_airflow.sensors.contractor_reply import ContractorReplySensor
from notice_cycle_airflow.sensors.pullout_confirmation import PulloutConfirmationSensor
from tests.builders import (
    CONTRACTOR,
    OPENED_AT,
    SMALL_TOTAL_KEY,
    TANTO,
    TASK,
    AContractor,
    ACycle,
    a_contractor,
)
from tests.pulled_out import the_list, with_the_list_erased
from tests.unit.copies.good import GOOD


class Reaction(StrEnum):
    """What the ward does. The words stand in docs/contractor-behaviour.md."""

    ACCEPTED = "受け付ける"
    WAITS = "待ち続ける"
    TOLD = "触れずに、運用担当に知らせて待つ"
    QUARANTINED = "受付で隔離し、知らせて待つ"
    REFUSED = "照合で止め、隔離する"
    STOPPED = "止めて、人に聞く"
    GATED = "受け付けるが、完了の関門が閉じる"


@dataclass(frozen=True)
class Told:
    """A reaction and the sentence that goes with it."""

    reaction: Reaction
    sentence: str = ""


@dataclass(frozen=True)
class Waiting:
    """A stage that waits for messages: what stands before it, and what it waits for.

    `settles`: the record it makes; of a pull-out, which makes a fact, the last record before it.
    """

    before: type[r.Record]
    kinds: tuple[type[m.Message], ...]
    settles: type[r.Record]


STAGES = {
    "receipt": Waiting(r.HandoverRecord, (m.Receipt,), r.ReceiptRecord),
    "content": Waiting(r.PassphraseHandoverRecord, (m.ContentReceipt,), r.ContentReceiptRecord),
    "pullout": Waiting(r.StagingWipeRecord, (m.PulloutConfirmation,), r.ContentReceiptRecord),
    "delivery": Waiting(r.StagingWipeRecord, (m.PrintLog, m.DeliveryReport), r.DeliveryRecord),
    "erasure": Waiting(
        r.DeliveryConfirmationRecord, (m.ErasureReport, m.ErasureCertificate), r.ErasureRecord
    ),
}

OTHER_FIRM = a_contractor("example_insert")
FIRM = a_contractor(beside=[OTHER_FIRM])


def without(out: Pulled) -> ACycle:
    """The good cycle, delivered without what was pulled out, and its list erased with the print data."""
    if not out.requests:
        return GOOD
    envelopes = GOOD[r.DeliveryRecord].envelopes_delivered - out.envelopes
    delivered = {
        "envelopes_delivered": envelopes,
        "envelopes_pulled": out.envelopes,
        "sheets_pulled": out.sheets,
    }
    delivered |= {"deliveries": (r.LotDelivered(lot="1", envelopes=envelopes),)}
    delivered_without = GOOD.with_(delivery=delivered, delivery_confirmation={"quantity": envelopes})
    return with_the_list_erased(delivered_without)


def stands_before(stage: str, cycle: ACycle, ledger: Ledger) -> None:
    """Brings a cycle before a stage, in a ledger: many wards may begin from copies of it."""
    cycle.up_to(STAGES[stage].before).entered_in(ledger)
    by_hand = r.RouteSwitched(route="manual", reason_code="drill", decided_by=TANTO)
    ledger.note(cycle.id, by_hand, TASK)


@dataclass
class SimulatedWard:
    """One cycle that `stands_before` a stage; `lays` is the contractor's hand, `reaction` the ward's answer."""

    root: Path
    ledger: Ledger
    stage: str
    cycle: ACycle = GOOD
    mails: list[str] = field(default_factory=list)
    laid: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = STAGES[self.stage]
        self.cycle = self.cycle.up_to(self.waiting.before)
        signers = (
            f'{firm.name} namespaces="{m.MESSAGE_NAMESPACE}" {firm.key.public_line}\n'
            for firm in (FIRM, OTHER_FIRM)
        )
        (self.root / "allowed_signers").write_text("".join(signers))
        names = {"INBOX": "inbox", "REPLY_DESK": "desk", "ALLOWED_SIGNERS_FILE": "allowed_signers"}
        settings = Settings({f"NOTICE_CYCLE_{name}": str(self.root / path) for name, path in names.items()})
        known = {"id": self.cycle.id, "actor": TASK, "settings": settings, "ledger": self.ledger}
        self.dispatch = RunningCycle(**known)
        self.running = RunningPullout(**known, pullout=1) if self.stage == "pullout" else self.dispatch
        answered = the_list(GOOD) if self.stage == "pullout" else self.cycle
        self.folder = self.root / "desk" / answered[r.EncryptionRecord].package
        self.dispatch_folder = self.root / "desk" / self.cycle[r.EncryptionRecord].package
        for folder in {self.folder, self.dispatch_folder}:
            folder.mkdir(parents=True)

    # ---- the contractor's hand

    def lays(self, message: m.Message, *, name: str = "", firm: AContractor = FIRM) -> None:
        """A message, signed, under its name."""
        self.lays_bytes(name or message.file_name(), message.content(), firm)

    def lays_with_the_dispatch(self, message: m.Message) -> None:
        """In the folder of the print data, where what is about a pull-out's own package does not belong."""
        self.folder, answered = self.dispatch_folder, self.folder
        self.lays(message)
        self.folder = answered

    def lays_bytes(self, name: str, content: bytes, firm: AContractor | None = FIRM) -> None:
        """Any bytes, signed unless nobody signs."""
        (self.folder / name).write_bytes(content)
        self.laid[name] = content
        if firm:
            (self.folder / f"{name}.sig").write_bytes(firm.signs(content))

    # ---- the ward's answer

    async def reaction(self) -> Told:
        """Looks, waits for the stage's messages, judges them, and goes on to the gates before the closing."""
        kinds, settles = self.waiting.kinds, self.waiting.settles
        sensor = (
            PulloutConfirmationSensor(task_id="wait")
            if self.stage == "pullout"
            else ContractorReplySensor(task_id="wait", kinds=list(kinds), settles=settles)
        )
        with self._no_mail_server():
            try:
                is_complete = await sensor._look(self.running, {})
                for _ in range(1 if is_complete else 2):  # at the second look what lies there lies still
                    seen = Seen(self.root / "seen.json")
                    for looked_at in {self.running, self.dispatch}:
                        await look_at(looked_at, {}, seen)
                    seen.keep()
            except (Refused, Conflict) as stopped:
                return Told(Reaction.STOPPED, str(stopped))
            judge_replies(self.dispatch, {})
            refused = self.running.history().facts(r.ReplyRefused)
            if not is_complete:
                if refused:
                    return Told(Reaction.QUARANTINED, refused[-1].reason_ja)
                strays = self.running.history().facts(StraysFound)
                return (
                    Told(Reaction.TOLD, strays[-1].found[0].sentence_ja) if strays else Told(Reaction.WAITS)
                )
            try:
                self._judge()
            except NotThereYet as waiting:
                return Told(Reaction.WAITS, waiting.message)
            except Conflict as stopped:
                return Told(Reaction.STOPPED, str(stopped))
            except Refused as wrong:
                return Told(Reaction.REFUSED, wrong.message)
            if refused:
                return Told(Reaction.QUARANTINED, refused[-1].reason_ja)
            return self._gates()

    def _judge(self) -> None:
        if self.stage == "pullout":
            confirmed(self.running, {})
        else:
            self.running.enter(self._judged())

    def _judged(self) -> r.Record:
        cycle, history = self.running, self.running.history()
        composition, encryption = history.latest(r.CompositionRecord), history.latest(r.EncryptionRecord)
        if self.stage == "receipt":
            receipt, digest = cycle.received(m.Receipt)
            with cycle.judging((m.Receipt, digest)):
                return verify_receipt(
                    history.latest(r.HandoverRecord), encryption, receipt, message_sha256=digest, signed_by=CONTRACTOR
                )  # fmt: skip
        if self.stage == "content":
            opened, digest = cycle.received(m.ContentReceipt)
            with cycle.judging((m.ContentReceipt, digest)):
                return verify_content_receipt(
                    composition, encryption, opened, cycle.configuration, message_sha256=digest,
                    signed_by=CONTRACTOR, small_total_key=SMALL_TOTAL_KEY,
                )  # fmt: skip
        if self.stage == "delivery":
            require_no_open_pullout(history)
            (log, log_digest), (report, report_digest) = (
                cycle.received(m.PrintLog),
                cycle.received(m.DeliveryReport),
            )
            with cycle.judging((m.PrintLog, log_digest), (m.DeliveryReport, report_digest)):
                return verify_delivery(
                    composition, encryption, log, report, log_sha256=log_digest, report_sha256=report_digest,
                    signed_by=CONTRACTOR, places=("区役所 本庁舎 文書集配室",), pulled=pulled(history),
                )  # fmt: skip
        proofs = proofs_of(
            history, cycle.all_received(m.ErasureReport), cycle.all_received(m.ErasureCertificate)
        )
        messages = [(m.ErasureReport, proof.report_sha256) for proof in proofs]
        messages += [(m.ErasureCertificate, proof.certificate_sha256) for proof in proofs]
        with cycle.judging(*messages):
            return verify_erasure(history, proofs, left=packages_that_left(history, []))

    def _gates(self) -> Told:
        """What the gates before the closing say once everything else is as in a good cycle."""
        history = self.dispatch.history()
        standing, out = {entry.kind for entry in history.current}, pulled(history)
        for record in without(out).records:
            if record.kind() not in standing and not isinstance(
                record, r.DestructionRecord | r.ClosingRecord
            ):
                self.dispatch.enter(record)
        judge_replies(self.dispatch, {})
        try:
            self.dispatch.judge_gates("closing")
        except Refused as closed:
            return Told(Reaction.GATED, closed.message)
        return Told(Reaction.ACCEPTED)

    # ---- what must hold whatever was laid down

    def never_closes(self) -> bool:
        """Whether the cycle refuses to close as it stands."""
        try:
            close(self.dispatch.history(), self.ledger.verify(), at=OPENED_AT + timedelta(days=30))
        except NoticeCycleError:
            return True
        return False

    def keeps(self, content: bytes) -> bool:
        """Whether bytes that were laid down lie somewhere still: at the desk, in the inbox or in quarantine."""
        return any(
            path.stat().st_size == len(content) and path.read_bytes() == content
            for path in self.root.rglob("*")
            if path.is_file() and not path.is_symlink()
        )

    @contextmanager
    def _no_mail_server(self) -> Iterator[None]:
        mails = self.mails

        class Mail:
            def __init__(self, template: str, *_facts: Any, **_more: Any) -> None:
                self.template = template

            def __call__(self, _context: Any) -> None:
                mails.append(self.template)

        telling = (taking, judging, pullouts)
        real = [module.WardMail for module in telling]
        for module in telling:
            module.WardMail = Mail  # type: ignore[assignment,misc]
        try:
            yield
        finally:
            for module, mail in zip(telling, real, strict=True):
                module.WardMail = mail  # type: ignore[misc]
