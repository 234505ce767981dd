"""The ten stages of a cycle, and the chain of records they write: each record follows the one before it."""

from collections.abc import Collection

from notice_cycle import records as r
from notice_cycle.values import Frozen


class Stage(Frozen):
    """A stage by its id (the same word in dags, include, tests and runbook) and the records it leaves, in order."""

    id: str
    label_ja: str
    records: tuple[type[r.Record], ...]


STAGES: tuple[Stage, ...] = (
    Stage(id="opening", label_ja="開始", records=(r.OpeningRecord, r.YearSettingsRecord)),
    Stage(id="extraction", label_ja="抽出", records=(r.ExtractionRecord,)),
    Stage(id="validation", label_ja="検証", records=(r.ValidationRecord, r.ValidationConfirmationRecord)),
    Stage(
        id="composition", label_ja="印字データ作成", records=(r.CompositionRecord, r.HandoverApprovalRecord)
    ),
    Stage(id="encryption", label_ja="暗号化", records=(r.EncryptionRecord,)),
    Stage(id="handover", label_ja="引渡し", records=(r.HandoverRecord,)),
    Stage(
        id="acknowledgement",
        label_ja="受領確認",
        records=(
            r.ReceiptRecord,
            r.PassphraseNoticeRecord,
            r.PassphraseHandoverRecord,
            r.ContentReceiptRecord,
            r.StagingWipeRecord,
        ),
    ),
    Stage(id="delivery", label_ja="納品", records=(r.DeliveryRecord, r.DeliveryConfirmationRecord)),
    Stage(id="erasure", label_ja="消去", records=(r.ErasureRecord, r.ErasureConfirmationRecord)),
    Stage(id="closing", label_ja="完了", records=(r.DestructionRecord, r.ClosingRecord)),
)

CYCLE_RECORDS: tuple[type[r.Record], ...] = tuple(record for stage in STAGES for record in stage.records)
"""The chain of a cycle over LGWAN, in order."""


def predecessor_of(record: type[r.Record]) -> type[r.Record] | None:
    """The record that `record` follows in the chain, None for the opening."""
    position = CYCLE_RECORDS.index(record)
    return CYCLE_RECORDS[position - 1] if position else None


def stage_of(stage_id: str) -> Stage:
    """A stage by its id. Raises StopIteration."""
    return next(stage for stage in STAGES if stage.id == stage_id)


def is_passed_over(record: type[r.Record], *, recalled: bool) -> bool:
    """Whether a dispatch that was given up after it left no longer asks for a record: it asks from the erasure on."""
    return recalled and CYCLE_RECORDS.index(record) < CYCLE_RECORDS.index(r.ErasureRecord)


def followed_by(
    record: type[r.Record], standing: Collection[str], *, recalled: bool
) -> type[r.Record] | None:
    """The record that `record` follows: its predecessor, or in a dispatch given up the last one that stands (by kind)."""
    if not recalled or record is not r.ErasureRecord:
        return predecessor_of(record)
    before = CYCLE_RECORDS[: CYCLE_RECORDS.index(record)]
    return next((one for one in reversed(before) if one.kind() in standing), None)
