"""Stage 4, 印字データ作成."""

from airflow.sdk import task, task_group

from notice_cycle.composition.approval import HandoverApproval
from notice_cycle_airflow.operators.evidence_form import EvidenceForm


@task_group(group_id="composition", group_display_name="4 印字データ作成")
def composition() -> None:
    @task(task_display_name="印字データの作成", pool="heavy")
    def compose() -> str:
        """名寄せと郵便番号順の並べ替えを行い、印字データを作り、件数と金額を抽出と照合します。人が見るべき名寄せは印刷します。"""
        from notice_cycle import clock
        from notice_cycle.composition.ambiguity_list import is_due, print_ambiguity_list
        from notice_cycle.composition.compose import compose
        from notice_cycle.records import (
            CompositionRecord,
            ExtractionRecord,
            FindingListPrinted,
            ValidationRecord,
        )
        from notice_cycle_airflow.run_context import current_cycle, telling
        from notice_cycle_airflow.sources import differences

        with telling():
            cycle = current_cycle()
            digest = cycle.once(
                CompositionRecord,
                lambda history: compose(
                    history.latest(ExtractionRecord),
                    history.latest(ValidationRecord),
                    cycle.configuration,
                    cycle.vault,
                    cycle=cycle.id,
                    synthetic=cycle.opening.synthetic,
                    small_total_key=cycle.settings.small_total_key,
                    differences=differences(cycle),
                ),
            )
            history = cycle.history()
            if is_due(history):
                cycle.note(
                    print_ambiguity_list(
                        history.latest(CompositionRecord),
                        history.latest(ExtractionRecord),
                        cycle.configuration,
                        cycle.settings,
                        cycle.vault,
                        cycle=cycle.id,
                        number=len(history.facts(FindingListPrinted)) + 1,
                        synthetic=cycle.opening.synthetic,
                        at=clock.now(),
                    )
                )
            return digest

    compose() >> EvidenceForm(task_id="approve_handover", form=HandoverApproval)
