"""Stage 2, 抽出."""

from airflow.sdk import task, task_group


@task_group(group_id="extraction", group_display_name="2 抽出")
def extraction() -> None:
    @task(task_display_name="基幹系からの抽出", pool="heavy")
    def extract() -> str:
        """登録した項目だけを基幹系から読み取り、暗号化して一時保管領域に置き、統制票の件数・金額と照合します。"""
        from notice_cycle.extraction.extract import extract
        from notice_cycle.records import ExtractionRecord
        from notice_cycle_airflow.run_context import current_cycle, database, telling

        with telling():
            cycle = current_cycle()
            notice = cycle.configuration.notice
            cycle.vault.create()
            return cycle.once(
                ExtractionRecord,
                lambda _: extract(
                    database(notice.source.connection),
                    notice,
                    cycle.opening.batch_no,
                    cycle.vault,
                    small_total_key=cycle.settings.small_total_key,
                ),
            )

    extract()
