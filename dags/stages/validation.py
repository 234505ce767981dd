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
        from notice_cycle.values import Occasion
        from notice_cycle_airflow.run_context import current_cycle, telling
        from notice_cycle_airflow.siblings import decided_elsewhere

        with telling():
            cycle = current_cycle()

            def validated(history):
                cycle.judge_gates("validation")
                return validate(
                    history.latest(ExtractionRecord),
                    cycle.configuration,
                    cycle.vault,
                    siblings=decided_elsewhere(cycle),
                    annual=cycle.opening.occasion is Occasion.ANNUAL,
                )

            return cycle.once(ValidationRecord, validated)

    @task(task_display_name="該当者一覧の印刷")
    def print_findings() -> str:
        """該当のあった規則ごとに、該当者の番号を印刷します。該当がなければ何も印刷しません。"""
        from notice_cycle import clock
        from notice_cycle.records import ExtractionRecord, FindingListPrinted, ValidationRecord
        from notice_cycle.validation.finding_list import print_finding_list
        from notice_cycle.validation.validate import affected
        from notice_cycle_airflow.run_context import current_cycle, telling

        with telling():
            cycle = current_cycle()
            history = cycle.history()
            validation = history.latest(ValidationRecord)
            printed = history.facts(FindingListPrinted)
            broken = {rule.rule for rule in validation.rules if rule.broken}
            if not broken:
                return "該当なし"
            if any(
                one.validation_sha256 == validation.staging_sha256 and one.rules.keys() == broken
                for one in printed
            ):
                return "印刷済み"
            fact = print_finding_list(
                validation,
                affected(history.latest(ExtractionRecord), cycle.configuration.notice, cycle.vault),
                cycle.configuration,
                cycle.settings,
                cycle=cycle.id,
                number=len(printed) + 1,
                synthetic=cycle.opening.synthetic,
                at=clock.now(),
            )
            cycle.note(fact)
            return fact.list_number

    validate() >> print_findings() >> EvidenceForm(task_id="confirm_validation", form=ValidationConfirmation)
