"""Stage 1, 開始."""

from airflow.sdk import task, task_group

from notice_cycle.year_settings import YearSettings
from notice_cycle_airflow.operators.evidence_form import EvidenceForm


@task_group(group_id="opening", group_display_name="1 開始")
def opening() -> None:
    @task(task_display_name="発送回の開始")
    def open_cycle() -> str:
        """発送回の番号を決め、この実行で使う設定一式を証跡台帳に保存します。"""
        from notice_cycle import opening
        from notice_cycle.catalogue import resolve
        from notice_cycle.records import OpeningRecord
        from notice_cycle.settings import Settings
        from notice_cycle_airflow.run_context import open_ledger, opening_request, telling, this_task

        with telling():
            ledger, request = open_ledger(), opening_request()
            if standing := ledger.cycle_of_run(request.dag_id, request.run_id):
                return standing
            configuration = resolve(Settings().config_folder, request.dag_id, request.fiscal_year)
            cycle, record = opening.open_cycle(
                request,
                configuration,
                ledger.entries(kind=OpeningRecord.kind()),
                ledger.history,
                synthetic=ledger.synthetic,
            )
            ledger.enter(cycle, record, this_task(), after=None)
            return cycle

    open_cycle() >> EvidenceForm(task_id="confirm_year_settings", form=YearSettings)
