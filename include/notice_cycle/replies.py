"""What a laid-down message means beside what was received before: new, known, a repeat, or a second, different answer.

Names are read here, contents at the door. A message may lie in the contractor's folder for weeks: it is the ledger
that says whether it was taken, refused, or must be decided by a person. Nothing here reads a file.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum

from notice_cycle.decisions import redo
from notice_cycle.errors import Conflict, Refused
from notice_cycle.exchange import csv_form
from notice_cycle.exchange.door import form_of
from notice_cycle.exchange.messages import MESSAGES, Form, Message, PulloutConfirmation, Rejection
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    ConflictDecided,
    ContentReceiptRecord,
    Decision,
    DeliveryRecord,
    EnclosureKept,
    EnclosurePassphraseReceived,
    ErasureRecord,
    PaperReply,
    ReceiptRecord,
    Record,
    ReplyConflict,
    ReplyReceived,
    ReplyRefused,
)
from notice_cycle.stage import STAGES
from notice_cycle.values import Frozen, Person, sha256

SETTLED_BY: dict[str, type[Record]] = {
    "receipt": ReceiptRecord,
    "content-receipt": ContentReceiptRecord,
    "print-log": DeliveryRecord,
    "delivery-report": DeliveryRecord,
    "erasure-report": ErasureRecord,
    "erasure-certificate": ErasureRecord,
}
"""The kinds that a stage waits for, and the record it makes of the contractor's."""

ABOUT_ONE_PACKAGE = frozenset({*SETTLED_BY, Rejection.kind, PulloutConfirmation.kind})
"""The kinds that answer one package: those about a pull-out's own are no answers to the dispatch."""

_NAME = re.compile(
    r"(?:(?P<signer>[a-z][a-z0-9_]{2,49})\.)?(?P<kind>[a-z]+(?:-[a-z]+)*)(?:-(?P<number>[1-9][0-9]{0,2}))?\.(?P<form>json|csv)"
)


class Laid(Frozen):
    """A file in a reply folder that has the name of a message: of which kind, whose by its name, written how."""

    file: str
    kind: str
    signer: str
    number: int
    form: Form

    @property
    def message(self) -> type[Message]:
        """The kind as a model."""
        return MESSAGES[self.kind]


def find_laid(names: Iterable[str], signers: Mapping[str, str], contractor: str) -> list[Laid]:
    """The messages among a folder's files, in order of number. `contractor`: the id of 乙, whose files bear no name."""
    by_party = {party: signer for signer, party in signers.items()}
    found = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None or match["kind"] not in MESSAGES:
            continue
        signer = match["signer"] or by_party[contractor]
        number = int(match["number"] or 1)
        if signers.get(signer, contractor) == contractor and match["signer"]:
            continue  # neither a subcontractor of this cycle nor the contractor's own way of naming
        found.append(Laid(file=name, kind=match["kind"], signer=signer, number=number, form=form_of(name)))
    return sorted(found, key=lambda laid: (laid.kind, laid.signer, laid.number, laid.form))


class Standing(StrEnum):
    """What a laid-down message is beside what was received before."""

    NEW = "new"
    KNOWN = "known"
    REPEATED = "repeated"
    DROPPED = "dropped"
    CONFLICT = "conflict"


def standing_of(
    history: CycleHistory, kind: type[Message], party: str, digest: str, *, package: str, contractor: str
) -> Standing:
    """Judges the digest of what lies there now. `REPEATED`: known, but not the last that was received of a kind."""
    received = receptions(history, kind.kind, party, contractor=contractor)
    decided = [
        one for one in history.facts(ConflictDecided) if (one.message, one.party) == (kind.kind, party)
    ]
    if any(one.dropped_sha256 == digest for one in decided):
        return Standing.DROPPED
    if any(fact.message_sha256 == digest for _, fact in received):
        last = received[-1][1]
        return Standing.KNOWN if kind.several or last.message_sha256 == digest else Standing.REPEATED
    if kind.several or not received:
        return Standing.NEW
    entry, last = received[-1]
    if last.package not in ("", package) or any(one.held_sha256 == digest for one in decided):
        return Standing.NEW
    return Standing.NEW if _gave_way(history, entry, last, party == contractor) else Standing.CONFLICT


def _gave_way(history: CycleHistory, entry: Entry, last: ReplyReceived, own: bool) -> bool:
    """Whether the one received was refused since, or a person decided that its stage is done again."""
    later = [each for each in history.entries if each.seq > entry.seq]
    refused = {
        each.data["message_sha256"]
        for each in later
        if each.kind == ReplyRefused.kind() and each.data["message"] == last.message
    }
    settled = SETTLED_BY.get(last.message) if own else None
    stands = settled is not None and history.entry_of(settled) is not None
    # A decision about a pull-out changes nothing for its dispatch, nor the other way round.
    chained = {each.digest for each in history.records}
    decided = any(each.kind == Decision.kind() and each.data["supersedes"] in chained for each in later)
    return last.message_sha256 in refused or (decided and not stands)


def receptions(
    history: CycleHistory, kind: str, party: str, *, contractor: str
) -> list[tuple[Entry, ReplyReceived]]:
    """What was received of a kind from a party, oldest first; without a party it was the contractor's."""
    known = (
        (each, ReplyReceived.model_validate(each.data))
        for each in history.entries
        if each.kind == ReplyReceived.kind()
    )
    return [
        (each, fact)
        for each, fact in known
        if fact.message == kind and (fact.party or contractor) == party and is_answer_to(history, fact)
    ]


def is_answer_to(history: CycleHistory, fact: ReplyReceived) -> bool:
    """Whether a message is about what a history is of: the dispatch, or one pull-out of it."""
    return fact.message not in ABOUT_ONE_PACKAGE or history.is_answered_here(fact.package)


def inbox_name(kind: type[Message], fact: ReplyReceived) -> str:
    """Under which name a message lies in the inbox."""
    return fact.file or kind.file_name()


def name_in_inbox(laid: Laid, taken: Collection[str], *, own: bool, beside: bool = False) -> str:
    """The name for a new message: its own, or of several the next that is not taken (packages share an inbox).

    `beside`: it is about a package beside that of the dispatch, whose answers keep their names.
    """
    signer = "" if own else laid.signer
    if not laid.message.several and not beside:
        return laid.message.file_name(signer=signer, form=laid.form)
    numbers = (laid.message.file_name(signer=signer, number=each, form=laid.form) for each in range(1, 1_000))
    return next(name for name in numbers if name not in taken)


def paper_of(history: CycleHistory, kind: str, digest: str) -> PaperReply | None:
    """The officer's entry that a file was transcribed from paper, None when there is none."""
    entered = (
        one for one in history.facts(PaperReply) if (one.message, one.message_sha256) == (kind, digest)
    )
    return next(entered, None)


# ---- two different answers


def open_conflicts(history: CycleHistory) -> list[ReplyConflict]:
    """Conflicts that nobody has decided yet."""
    decided = {
        (one.message, one.party, frozenset((one.held_sha256, one.dropped_sha256)))
        for one in history.facts(ConflictDecided)
    }
    return [
        one
        for one in history.facts(ReplyConflict)
        if (one.message, one.party, frozenset((one.first_sha256, one.second_sha256))) not in decided
    ]


def refuse_open_conflicts(history: CycleHistory) -> None:
    """Raises Conflict while two different messages of a kind stand against each other."""
    if conflicts := open_conflicts(history):
        label = MESSAGES[conflicts[0].message].label_ja
        raise Conflict(
            f"内容の異なる二通の{label}が届いています。どちらが正しいか、人の判断が要ります。",
            advice="委託先に電話で確かめ、Dag「異なる届出の判断」に記録してから、止まったタスクをクリアしてください。",
        )


def decide(
    history: CycleHistory, kind: str, party: str, *, choice: str, reason_code: str, by: Person
) -> tuple[ConflictDecided, Decision | None]:
    """Which holds; taking the second of a message that a stage has settled also does that stage again.

    Raises Refused when nothing is to be decided, or the stage cannot be done again any more.
    """
    waiting = [one for one in open_conflicts(history) if (one.message, one.party) == (kind, party)]
    if not waiting:
        raise Refused(
            "この届出について、判断を待っている二通はありません。",
            advice="発送回・届出の種類・事業者を、届いたメールと照らし合わせてください。",
        )
    conflict, decision = waiting[-1], None
    held, dropped = conflict.first_sha256, conflict.second_sha256
    if choice == "second":
        held, dropped = dropped, held
        settled = _settled_by(conflict, history)
        if settled and history.entry_of(settled):
            stage = next(stage for stage in STAGES if settled in stage.records)
            decision = redo(history, stage.id, reason_code, by)
    decided = ConflictDecided(
        message=kind,
        party=party,
        held_sha256=held,
        dropped_sha256=dropped,
        reason_code=reason_code,
        decided_by=by,
    )
    return decided, decision


def _settled_by(conflict: ReplyConflict, history: CycleHistory) -> type[Record] | None:
    """Which record of the dispatch rests on the message; on a pull-out's confirmation the delivery without the letters."""
    if conflict.message == PulloutConfirmation.kind:
        return DeliveryRecord
    return SETTLED_BY.get(conflict.message) if history.is_answered_here(conflict.package) else None


# ---- rejections

REJECTIONS_JA: dict[str, str] = {
    "files_missing": "ファイルが足りない",
    "digest_mismatch": "ダイジェストが合わない",
    "signature_invalid": "区の署名が確かめられない",
    "malware_found": "マルウェアが見つかった",
    "cannot_open": "開けない",
    "passphrase_wrong": "パスワードが違う",
    "count_mismatch": "件数または金額が合わない",
    "unreadable_characters": "読めない文字がある",
    "wrong_layout": "様式が違う",
    "not_contracted": "契約にない",
}


def is_rejected(history: CycleHistory, package: str) -> bool:
    """Whether the contractor's rejection of a package stands: received, not refused, and nobody decided since."""
    kind, decision = Rejection.kind, Decision.kind()
    rejected_at, refused = -1, {fact.message_sha256 for fact in history.facts(ReplyRefused)}
    for entry in history.entries:
        if entry.kind == ReplyReceived.kind() and entry.data["message"] == kind:
            fact = ReplyReceived.model_validate(entry.data)
            if fact.package in ("", package) and fact.message_sha256 not in refused:
                rejected_at = entry.seq
    return rejected_at >= 0 and not any(
        entry.seq > rejected_at and entry.kind == decision for entry in history.entries
    )


def rejected(rejection: Rejection) -> Refused:
    """The sentence with which a waiting task stops."""
    return Refused(
        f"委託先が受領を否認しました（第{rejection.level}段階、理由: {REJECTIONS_JA[rejection.reason_code]}）。",
        advice="委託先に電話で確かめ、「やり直し・取下げ」で作り直すか経路を変えてから、指定のタスクをクリアしてください。",
    )


# ---- what officers enter


def transcribed(
    kind: str,
    content: bytes,
    form: Form,
    *,
    cycle: str,
    party: str,
    document_number: str,
    by: Person,
    at: datetime,
) -> PaperReply:
    """That a file on the desk is a transcription of a party's paper. Raises Refused when it is no such message."""
    model = MESSAGES[kind]
    message = csv_form.parse(model, content) if form == "csv" else model.parse(content)
    if message.cycle != cycle:
        raise Refused(
            f"{model.label_ja}は別の発送回（{message.cycle}）のものです。",
            advice="書面と転記したファイルの発送回の番号を確かめてください。",
        )
    return PaperReply(
        message=kind,
        message_sha256=sha256(content),
        party=party,
        document_number=document_number,
        entered_by=by,
        entered_at=at,
    )


def passphrase_received(
    history: CycleHistory,
    encrypted_file_sha256: str,
    *,
    means: str,
    giver: str,
    received_on: str,
    by: Person,
    at: datetime,
) -> EnclosurePassphraseReceived:
    """That the passphrase of an enclosure came on an occasion of its own. Raises Refused."""
    kept = {fact.encrypted_file.sha256 for fact in history.facts(EnclosureKept)}
    if encrypted_file_sha256 not in kept:
        raise Refused(
            "その SHA-256 の添付ファイルは届いていません。",
            advice="台帳の「添付ファイルの受領」の記録から、SHA-256 を写し直してください。",
        )
    wrong = Refused("受領の記入が正しくありません。", advice="方法と受領日を選び直してください。")
    try:
        received = EnclosurePassphraseReceived.model_validate(
            {
                "encrypted_file_sha256": encrypted_file_sha256,
                "means": means,
                "giver": giver,
                "received_on": received_on,
                "entered_by": by,
                "entered_at": at,
            }
        )
        came_on = date.fromisoformat(received_on)
    except ValueError:  # pydantic's is one
        raise wrong from None
    if came_on > tokyo_date(at):
        raise wrong
    return received
