"""Stage 1, 開始."""

from airflow.sdk import task, task_group

from notice_cycle.year_settings import YearSettings
from notice_cycle_airflow.operators.evidence_form import EvidenceForm


@task_group(group_id="opening", group_display_name="1 開始")
def opening() -> None:
    @task(task_display_name="発送回の開始")
    def open_cycle() -> str:
        """発送回の番号を決め、この実行で使う設定一式を証跡台帳に保存します。当初の回は、委託先に予定数量を知らせます。"""
        from notice_cycle import clock, opening
        from notice_cycle.catalogue import resolve
        from notice_cycle.preparation import PreparationOpened, find_preparation
        from notice_cycle.records import OpeningRecord
        from notice_cycle.register import read_register
        from notice_cycle.settings import Settings
        from notice_cycle_airflow.notifiers.ward_mail import deliver
        from notice_cycle_airflow.quantities import try_to_tell_quantities
        from notice_cycle_airflow.run_context import open_ledger, opening_request, telling, this_task

        with telling():
            ledger, request = open_ledger(), opening_request()
            if standing := ledger.cycle_of_run(request.dag_id, request.run_id):
                try_to_tell_quantities(ledger, Settings(), standing, this_task(), deliver)
                return standing
            config, today = Settings().config_folder, clock.today()
            configuration = opening.by_default_route(
                resolve(config, request.dag_id, request.fiscal_year),
                read_register(ledger, config, today),
                today,
            )
            cycle, record = opening.open_cycle(
                request,
                configuration,
                ledger.entries(kind=OpeningRecord.kind()),
                ledger.history,
                synthetic=ledger.synthetic,
                preparation=find_preparation(
                    ledger.entries(kind=PreparationOpened.kind()), request.dag_id, request.fiscal_year
                ),
            )
            ledger.enter(cycle, record, this_task(), after=None)
            try_to_tell_quantities(ledger, Settings(), cycle, this_task(), deliver)
            return cycle

    open_cycle() >> EvidenceForm(task_id="confirm_year_settings", form=YearSettings)
