"""Validating a staged extraction: every rule judged, the outcome told without personal data.

The row numbers behind a finding stay in the vault (`findings.json`); the record holds counts only.
"""

import json
from typing import cast

import pandas as pd
from pyarrow import ipc

from notice_cycle.catalogue import Configuration
from notice_cycle.errors import Altered
from notice_cycle.records import SMALL_CYCLE, ExtractionRecord, ValidationRecord
from notice_cycle.validation.derive import with_derived_columns
from notice_cycle.validation.suite import judge
from notice_cycle.values import blocks, sha256_of_chunks
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import FINDINGS, STAGED


def validate(
    extraction: ExtractionRecord, configuration: Configuration, vault: CycleVault
) -> ValidationRecord:
    """Judges the staged rows. Broken rules are told, not raised: the section decides (form 検証確認)."""
    rows = read_staged(extraction, vault)
    frame = with_derived_columns(
        rows,
        stage_annual_yen={row.stage: row.annual_yen for row in configuration.premiums.stages},
        due_on=configuration.due_on,
    )
    judged = judge(frame, configuration.expectations)
    with vault.writing(FINDINGS) as artefact:
        found = {rule.rule: rule.broken_rows for rule in judged if rule.broken}
        artefact.buffer.write(json.dumps(found).encode())
    # A stage and the public premium table together tell an amount: of a small cycle neither is told.
    told = rows if len(rows) >= SMALL_CYCLE else rows.iloc[:0]
    return ValidationRecord(
        staging_sha256=extraction.staging.sha256,
        rules=tuple(rule.outcome() for rule in judged),
        persons_by_stage={
            str(stage): int(n) for stage, n in told["stage"].value_counts().sort_index().items()
        },
        persons_by_method={
            str(method): int(n) for method, n in told["collection_method"].value_counts().items()
        },
    )


def read_staged(extraction: ExtractionRecord, vault: CycleVault) -> pd.DataFrame:
    """The staged rows as a frame. Raises Altered when they are not the ones the record names."""
    with vault.reading(STAGED) as source:
        digest, _ = sha256_of_chunks(blocks(source))
    if digest != extraction.staging.sha256:
        raise Altered(
            "抽出データが、抽出の記録と一致しません。",
            advice="抽出をやり直してください（やり直しの記録が要ります）。",
        )
    with vault.reading(STAGED) as source:
        return cast(pd.DataFrame, ipc.open_stream(source).read_all().to_pandas())
