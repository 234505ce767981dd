"""One stage of the product in a process of its own, as its Airflow task runs it: `python -m bench.product STAGE FOLDER`.

The stage reads the record before it, works on a real vault, and keeps its own record. Nothing is added but the
measuring; who would have confirmed and approved is not asked.
"""

import sys
from collections.abc import Callable

from bench.case import AT, Case
from bench.measure import Stopwatch, run_measured
from notice_cycle.vault import CycleVault

STAGES = ("extract", "validate", "compose", "encrypt")
_KEY = b"a key for small totals"
_MODULES = {  # heavy libraries load inside tasks: here they load before the measured work
    "extract": ["notice_cycle.extraction.extract", "notice_cycle.extraction.sql_source"],
    "validate": ["notice_cycle.validation.validate", "notice_cycle.validation.expectation"],
    "compose": ["notice_cycle.composition.compose", "notice_cycle.extraction.sql_source"],
    "encrypt": ["notice_cycle.encryption.package"],
}


def vault_of(case: Case) -> CycleVault:
    """The cycle's vault, in the case's folder."""
    from notice_cycle.encryption.wrapping import KeyEncryptionKey
    from notice_cycle.vault import Vault

    vault = Vault(case.path / "vault", KeyEncryptionKey(bytes(32))).cycle(case.cycle)
    vault.create()
    return vault


def extract(case: Case) -> None:
    """基幹系からの抽出."""
    from notice_cycle.extraction.extract import extract
    from notice_cycle.extraction.source import Batch
    from notice_cycle.extraction.sql_source import reading

    notice = case.configuration.notice
    with reading(case.dsn, notice.source, notice, Batch.parse(case.batch)) as (control, rows):
        case.keep(extract(control, rows, notice, vault_of(case), small_total_key=_KEY))


def validate(case: Case) -> None:
    """データの検証."""
    from notice_cycle.records import ExtractionRecord
    from notice_cycle.validation.validate import validate

    extraction = case.record(ExtractionRecord)
    case.keep(validate(extraction, case.configuration, vault_of(case), siblings=case.siblings))


def compose(case: Case) -> None:
    """印字データの作成."""
    from notice_cycle.composition.compose import compose
    from notice_cycle.extraction.source import Batch
    from notice_cycle.extraction.sql_source import differences
    from notice_cycle.records import ExtractionRecord, ValidationRecord

    notice = case.configuration.notice
    record = compose(
        case.record(ExtractionRecord),
        case.record(ValidationRecord),
        case.configuration,
        vault_of(case),
        cycle=case.cycle,
        synthetic=True,
        small_total_key=_KEY,
        differences=differences(case.dsn, notice.source, notice, Batch.parse(case.batch)),
    )
    case.keep(record)


def encrypt(case: Case) -> None:
    """暗号化と送付目録の署名."""
    from notice_cycle.encryption.package import encrypt_package
    from notice_cycle.records import CompositionRecord, HandoverApprovalRecord
    from notice_cycle.values import Person

    composition = case.record(CompositionRecord)
    approval = HandoverApprovalRecord(
        approved_by=Person(user_id="shonin1", name="承認 花子"),
        approved_at=AT,
        print_file_sha256=composition.print_file.sha256,
    )
    record = encrypt_package(
        composition,
        approval,
        case.configuration,
        vault_of(case),
        outbox=case.path / "outbox",
        signing_key=case.path / "signing_key",
        cycle=case.cycle,
        number=1,
        synthetic=True,
        at=AT,
    )
    case.keep(record)


_WORK: dict[str, Callable[[Case], None]] = {
    "extract": extract,
    "validate": validate,
    "compose": compose,
    "encrypt": encrypt,
}


def main(stage: str, folder: str) -> None:
    """Runs one stage and prints what it took."""

    def work(watch: Stopwatch) -> None:
        case = Case.load(folder)
        with watch.lap("configuration"):
            _ = case.configuration
        with watch.lap(stage):
            _WORK[stage](case)

    run_measured(_MODULES[stage], work)


if __name__ == "__main__":
    main(*sys.argv[1:])
