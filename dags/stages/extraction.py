"""Stage 2, 抽出."""

from airflow.sdk import task, task_group


@task_group(group_id="extraction", group_display_name="2 抽出")
def extraction() -> None:
    @task(task_display_name="基幹系からの抽出", pool="heavy")
    def extract() -> str:
        """登録した項目だけを基幹系から読み取り、暗号化して一時保管領域に置き、統制票の件数・金額と照合します。"""
        from notice_cycle.extraction.extract import extract
        from notice_cycle.records import ExtractionRecord
        from notice_cycle_airflow.run_context import current_cycle, telling
        from notice_cycle_airflow.sources import opened

        with telling():
            cycle = current_cycle()
            cycle.vault.create()

            def extracted(_: object) -> ExtractionRecord:
                cycle.judge_gates("extraction")
                with opened(cycle) as (control, rows):
                    return extract(
                        control,
                        rows,
                        cycle.configuration.notice,
                        cycle.vault,
                        small_total_key=cycle.settings.small_total_key,
                    )

            return cycle.once(ExtractionRecord, extracted)

    extract()
