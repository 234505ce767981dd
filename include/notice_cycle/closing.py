"""Closing a cycle 完了: the ward's own copies and keys are destroyed and proved gone, then the evidence is counted.

The cycle closes only when every record of the chain is current and the ledger's chain holds.
"""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange.door import QUARANTINE
from notice_cycle.handover.returns import Given
from notice_cycle.ledger.chain import Verdict
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    ClosingRecord,
    DestructionBegun,
    DestructionRecord,
    MediaReturn,
    PassphraseReturn,
    ResultsReturned,
)
from notice_cycle.stage import CYCLE_RECORDS, is_passed_over
from notice_cycle.values import found_file
from notice_cycle.vault import CycleVault


def survey(vault: CycleVault, outbox: Path, inbox: Path, *, cycle: str) -> DestructionBegun:
    """Everything of the cycle that is still there, to be entered before it is destroyed."""
    in_folders = [found_file(path) for folder in _folders(outbox, inbox, cycle) for path in _files(folder)]
    return DestructionBegun(found=(*vault.files(), *in_folders))


def destroy(
    vault: CycleVault,
    outbox: Path,
    inbox: Path,
    begun: Sequence[DestructionBegun],
    *,
    cycle: str,
    at: datetime,
) -> DestructionRecord:
    """Destroys keys first, then vault, outbox and inbox of the cycle; `begun` tells what there was.

    Raises Altered when anything is left.
    """
    left = vault.destroy()
    for folder in _folders(outbox, inbox, cycle):
        shutil.rmtree(folder, ignore_errors=True)
        left += len(_files(folder))
    if left:
        raise Altered(
            f"消去できないファイルが{left}件残っています。",
            advice="情報システム課で権限を確認し、再実行してください。",
        )
    destroyed = tuple(dict.fromkeys(file for one in begun for file in one.found))
    return DestructionRecord(
        destroyed=destroyed,
        keys_destroyed=len({file.name for file in destroyed if file.name.endswith(".key")}),
        files_left=left,
        destroyed_at=at,
    )


def close(history: CycleHistory, verdict: Verdict, *, at: datetime) -> ClosingRecord:
    """States that the evidence is complete. Raises Refused listing what is missing, Altered on a broken chain."""
    if not verdict.holds or verdict.head is None:
        raise Altered(verdict.reason_ja, advice="証跡台帳が一致するまで、この発送回は完了できません。")
    kept = [record for record in CYCLE_RECORDS if record is not ClosingRecord]
    standing = {record.kind(): entry.digest for record in kept if (entry := history.entry_of(record))}
    needed = [record for record in kept if not is_passed_over(record, recalled=history.recalled)]
    missing = [record.label_ja for record in needed if record.kind() not in standing]
    if missing := [*missing, *Given.of(history).missing]:
        raise Refused(
            f"証跡が揃っていません: {'、'.join(missing)}。", advice="足りない段階から実行してください。"
        )
    beside = {
        e.kind: e.digest
        for e in history.entries
        if e.kind in {MediaReturn.kind(), PassphraseReturn.kind(), ResultsReturned.kind()}
    }
    return ClosingRecord(
        evidence=standing | beside, ledger_entries=verdict.entries, ledger_head=verdict.head, closed_at=at
    )


def _folders(outbox: Path, inbox: Path, cycle: str) -> list[Path]:
    return [outbox / cycle, inbox / cycle, inbox / QUARANTINE / cycle]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []
