"""台帳の復旧: a ledger that was restored has forgotten its last entries; a person says so, and why.

Nothing is repaired and nothing made up for: a fact tells from where the ledger goes on, and which packages may lie with
a contractor that no record knows any more. Their erasure is asked for, and their numbers are not given again.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from notice_cycle.encryption.formats import FORMATS
from notice_cycle.errors import Altered, CannotLook, Refused
from notice_cycle.ledger.checkpoints import Checkpoints
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.heads import Head, Heads
from notice_cycle.ledger.store import Ledger
from notice_cycle.records import EncryptionRecord, LedgerRestored, PackageBeyond, PulloutStep
from notice_cycle.values import PACKAGE_ID_PATTERN, Person, stored_file

REASONS_JA = {"failure": "障害からの復旧", "replacement": "機器の入替え", "drill": "訓練"}
"""Reason codes of a restoration; a reason is a code so that no one types a name."""

NOTE_NUMBER_PATTERN = r"^[0-9]{1,4}[ァ-ヶー一-鿿]{1,8}第[0-9]{1,6}号$"
"""The number of a paper file, e.g. 26情シ第12号: nothing else fits, no name and no insured person's number."""


def record_restoration(
    ledger: Ledger,
    heads: Heads | None,
    checkpoints: Checkpoints | None,
    outbox: Path,
    *,
    reason_code: str,
    note_number: str,
    by: Person,
) -> Entry:
    """Enters LedgerRestored and notes the new head; notes and checkpoints beyond it are put away, not deleted.

    `ledger` must not compare heads. Killed on the way, it may be run again: the fact is entered once. Raises
    Refused when nothing was lost, Altered when what is left does not hold.
    """
    lost = ledger.lost(heads.noted()) if heads else []
    if heads is None or not lost:
        raise Refused(
            "記録する復旧がありません。証跡台帳は、控えた末尾のとおりです。",
            advice="することはありません。末尾の控え（NOTICE_CYCLE_HEADS）を置いていない場合は、復旧を記録できません。",
        )
    if reason_code not in REASONS_JA:
        raise Refused("理由コードが登録されたものではありません。", advice="一覧から選んでください。")
    entry = _entered(ledger, lost[-1])
    if entry is None:
        found = _sound_end(ledger)
        restored = LedgerRestored(
            found_seq=found.seq,
            found_digest=found.digest,
            lost_seq=lost[-1].seq,
            lost_digest=lost[-1].digest,
            entries_lost=max(lost[-1].seq - found.seq, 1),
            packages_beyond=_packages_no_record_knows(ledger, outbox),
            reason_code=reason_code,
            note_number=note_number,
            decided_by=by,
        )
        entry = ledger.note(None, restored, by)
    # The notes go last: while one of them is lost, this may be run again.
    if checkpoints:
        _put_away_beyond(ledger, checkpoints, after_seq=entry.data["found_seq"])
    for head in lost:
        heads.supersede(head)
    heads.note(Head.of(entry))
    return entry


def packages_beyond(restorations: Iterable[Entry], cycle: str) -> list[PackageBeyond]:
    """The packages of a cycle that no record of a restored ledger knew, oldest restoration first."""
    return [
        package
        for entry in restorations
        for package in LedgerRestored.model_validate(entry.data).packages_beyond
        if package.package.startswith(f"{cycle}-p")
    ]


def _entered(ledger: Ledger, lost: Head) -> Entry | None:
    entries = ledger.entries(kind=LedgerRestored.kind())
    return next((entry for entry in entries if entry.data["lost_digest"] == lost.digest), None)


def _sound_end(ledger: Ledger) -> Head:
    verdict = ledger.verify()
    if not verdict.holds or verdict.head is None:
        raise Altered(
            verdict.reason_ja, advice="この台帳では続けられません。別のバックアップを確かめてください。"
        )
    return Head(verdict.entries, verdict.head)


_ENCRYPTED_FILE = re.compile(
    rf"({PACKAGE_ID_PATTERN.strip('^$')})\.(?:csv|txt)({'|'.join(re.escape(form.ending) for form in FORMATS.values())})"
)


def _packages_no_record_knows(ledger: Ledger, outbox: Path) -> tuple[PackageBeyond, ...]:
    known = {entry.data["package"] for entry in ledger.entries(kind=EncryptionRecord.kind())}
    steps = (entry.data for entry in ledger.entries(kind=PulloutStep.kind()))
    known |= {step["data"]["package"] for step in steps if step["record"] == EncryptionRecord.kind()}
    try:
        paths = sorted(path for folder in outbox.iterdir() if folder.is_dir() for path in folder.iterdir())
        return tuple(
            PackageBeyond(package=named[1], encrypted_file=stored_file(path))
            for path in paths
            if (named := _ENCRYPTED_FILE.fullmatch(path.name)) and named[1] not in known
        )
    except OSError as unreadable:
        raise CannotLook(
            "送信箱のフォルダーを読めません。",
            advice="環境変数 NOTICE_CYCLE_OUTBOX のフォルダーがあるか、マウントと権限を確認してください。",
        ) from unreadable


def _put_away_beyond(ledger: Ledger, checkpoints: Checkpoints, *, after_seq: int) -> None:
    kept = checkpoints.kept()
    lost = set(ledger.lost([checkpoint.head for checkpoint in kept]))
    for checkpoint in kept:
        # One that differs before the restored end is no matter of a restoration: it stays and is found by the audit.
        if checkpoint.head in lost and checkpoint.seq > after_seq:
            checkpoints.supersede(checkpoint)
