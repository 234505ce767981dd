"""検証該当者一覧: whom a finding concerns, on numbered paper for the section and nowhere else.

The numbers come from the vault and go to the printer; the ledger learns how many a list names and its digest.
A rule that concerns very many prints the first of them and says so: then the data are wrong, not the persons.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from notice_cycle.catalogue import Configuration
from notice_cycle.documents import render
from notice_cycle.printing import print_document
from notice_cycle.records import FindingListPrinted, ValidationRecord
from notice_cycle.settings import Settings
from notice_cycle.values import sha256

Affected = Sequence[tuple[str, str]]
"""Notice number and subject (被保険者番号) of rows."""

_MOST_PRINTED = 300


def print_finding_list(
    validation: ValidationRecord,
    affected: Mapping[str, Affected],
    configuration: Configuration,
    settings: Settings,
    *,
    cycle: str,
    number: int,
    synthetic: bool,
    at: datetime,
) -> FindingListPrinted:
    """Prints list `number` of the cycle: the affected rows by rule. Raises CannotLook when the printer is away."""
    list_number = f"{cycle}-FL{number}"
    rules = [rule for rule in validation.rules if rule.broken]
    pdf = render(
        "finding_list",
        {
            "number": list_number,
            "cycle": cycle,
            "notice": configuration.notice.name_ja,
            "section": f"{configuration.ward} {configuration.notice.section}",
            "subject": configuration.labels[configuration.notice.subject].label_ja,
            "rules": [
                {
                    "rule": rule.rule,
                    "sentence": rule.sentence_ja,
                    "severity": "エラー" if rule.severity == "error" else "注意",
                    "broken": rule.broken,
                    "rows": [list(row) for row in affected.get(rule.rule, ())[:_MOST_PRINTED]],
                }
                for rule in rules
            ],
        },
        at=at,
        synthetic=synthetic,
        documents=settings.config_folder / "documents",
    )
    print_document(settings, list_number, pdf)
    return FindingListPrinted(
        list_number=list_number,
        validation_sha256=validation.staging_sha256,
        rules={rule.rule: rule.broken for rule in rules},
        document_sha256=sha256(pdf),
        printed_at=at,
    )
