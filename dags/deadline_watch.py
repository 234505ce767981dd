"""期限の見張り: three times a business day every open dispatch is compared with its plan, and the right people told."""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from notice_cycle.settings import Settings
from notice_cycle_airflow.notifiers.ward_mail import WardMail

DOC = """
### 期限の見張り

開庁日の9時・13時・15時に、進行中の発送回と、これから始まる当初処理の期限をすべて見ます。期限は `include/config/deadlines.yaml` です。

- 期限が近いもの・過ぎたものを、担当 → 係長 → 課長の順に、一つの段に一度だけ知らせます。朝は「今日の一枚」になります。
- **緑**: 見ました。知らせることが無ければ、メールは出ません。
- **赤**: 見られないか、届けられなかった知らせがあります（ほかの宛先には届いています）。ログの最後の「→」の後に、することが書いてあります。
  クリアすると、まだ知らせていないものだけを知らせます。届かなかったメールは、種類と役割が台帳に残り、次の見回りで運用担当にも知らせます。
- この見張りそのものが止まったことは、外の見張り（`deploy/silence_watch.py`）がメールで知らせます。
"""

with DAG(
    dag_id="deadline_watch",
    dag_display_name="期限の見張り",
    description="期限の近い・過ぎた発送回の知らせ、今日の一枚",
    doc_md=DOC,
    # Every day: on closed days it only leaves its sign of life. The zero: a new DAG waits for its next hour.
    schedule=CronTriggerTimetable("0 9,13,15 * * *", timezone="Asia/Tokyo", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["運用"],
    default_args={
        "owner": "情報システム課",
        "retries": 3,
        "retry_delay": timedelta(seconds=Settings().retry_seconds),
        "on_failure_callback": WardMail("task_failed"),
    },
) as dag:

    @task(task_display_name="期限の確認と知らせ")
    def watch() -> str:
        """進行中の発送回の期限を見て、まだ知らせていないことを知らせます。"""
        from notice_cycle.settings import Settings
        from notice_cycle_airflow.notifiers.ward_mail import deliver
        from notice_cycle_airflow.run_context import open_ledger, telling, this_task
        from notice_cycle_airflow.watching import look

        with telling():
            return look(open_ledger(), Settings(), this_task(), deliver)

    watch()
