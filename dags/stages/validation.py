"""Stage 3, 検証."""

from airflow.sdk import task, task_group

from notice_cycle.validation.confirmation import ValidationConfirmation
from notice_cycle_airflow.operators.evidence_form import EvidenceForm


@task_group(group_id="validation", group_display_name="3 検証")
def validation() -> None:
    @task(task_display_name="データの検証", pool="heavy")
    def validate() -> str:
        """検証規則をすべて判定し、該当件数だけを記録します（該当者は一時保管領域の外に出ません）。"""
        from notice_cycle.records import ExtractionRecord, ValidationRecord
        from notice_cycle.validation.validate import validate
        from notice_cycle_airflow.run_context import current_cycle, telling

        with telling():
            cycle = current_cycle()
            return cycle.once(
                ValidationRecord,
                lambda history: validate(history.latest(ExtractionRecord), cycle.configuration, cycle.vault),
            )

    validate() >> EvidenceForm(task_id="confirm_validation", form=ValidationConfirmation)
