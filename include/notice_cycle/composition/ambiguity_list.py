"""検証該当者一覧 of the 名寄せ: who looks like one addressee and gets an envelope each, on numbered paper for the section.

The notice numbers come from the vault and go to the printer; the ledger learns how many groups the list names and its
digest. Nothing is bundled by it: what a person finds is put right in the core system, and extracted anew.
"""

import json
from datetime import datetime

from notice_cycle.catalogue import Configuration
from notice_cycle.documents import render
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.printing import print_document
from notice_cycle.records import CompositionRecord, ExtractionRecord, FindingListPrinted
from notice_cycle.settings import Settings
from notice_cycle.values import sha256
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import AMBIGUOUS

RULE = "名寄せ"
_SENTENCE_JA = (
    "同封に同意した人と同じ姓・同じ住所で宛名番号が異なるか、同じ宛名番号で同封の同意が分かれている"
    "（同封していない）"
)


def is_due(history: CycleHistory) -> bool:
    """Whether the print file has ambiguous cases that are not printed yet."""
    composed = history.entry_of(CompositionRecord)
    return (
        composed is not None
        and history.latest(CompositionRecord).ambiguous > 0
        and not any(
            RULE in one.rules and one.printed_at >= composed.recorded_at
            for one in history.facts(FindingListPrinted)
        )
    )


def print_ambiguity_list(
    composition: CompositionRecord,
    extraction: ExtractionRecord,
    configuration: Configuration,
    settings: Settings,
    vault: CycleVault,
    *,
    cycle: str,
    number: int,
    synthetic: bool,
    at: datetime,
) -> FindingListPrinted:
    """Prints list `number` of the cycle: notice numbers by group. Raises CannotLook when the printer is away."""
    list_number = f"{cycle}-FL{number}"
    with vault.reading(AMBIGUOUS) as kept:
        groups = json.loads(kept.read())
    rule = {
        "rule": RULE,
        "sentence": _SENTENCE_JA,
        "severity": "注意",
        "broken": composition.ambiguous,
        "rows": [
            [notice_no, f"第{n}組"] for n, numbers in enumerate(groups, start=1) for notice_no in numbers
        ],
    }
    facts = {
        "number": list_number,
        "cycle": cycle,
        "notice": configuration.notice.name_ja,
        "section": f"{configuration.ward} {configuration.notice.section}",
        "subject": "組",
        "rules": [rule],
    }
    pdf = render(
        "finding_list", facts, at=at, synthetic=synthetic, documents=settings.config_folder / "documents"
    )
    print_document(settings, list_number, pdf)
    return FindingListPrinted(
        list_number=list_number,
        validation_sha256=extraction.staging.sha256,
        rules={RULE: composition.ambiguous},
        document_sha256=sha256(pdf),
        printed_at=at,
    )
