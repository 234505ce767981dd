"""Stage 6, 引渡し."""

from airflow.sdk import task, task_group


@task_group(group_id="handover", group_display_name="6 引渡し")
def handover() -> None:
    @task(task_display_name="LGWAN での送信", queue="lgwan", pool="lgwan")
    def send() -> str:
        """送信箱の暗号文を委託先に送り、読み戻して照合してから名前を付けます。同じものを二度は送りません。"""
        from notice_cycle.records import HandoverRecord
        from notice_cycle_airflow.run_context import current_cycle, telling
        from notice_cycle_airflow.sending import send_package

        with telling():
            cycle = current_cycle()
            return cycle.once(HandoverRecord, lambda history: send_package(cycle, history))

    send()
