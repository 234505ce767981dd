"""届出の受信: every few minutes, what contractors and subcontractors report without being waited for."""

from airflow.sdk import DAG, CronTriggerTimetable, task

from notice_cycle.settings import Settings
from notice_cycle_airflow.notifiers.ward_mail import WardMail

DOC = """
### 届出の受信

進行中のすべての発送回について、委託先（乙）と再委託先（丙）の届出を見に行き、受け付けます。否認、事故の通知、控えの届出、移送記録、廃棄証明書、
引抜きの確認、差出票、返却届、対策の変更、添付ファイルなど、いつ来るか分からないものです。工程が待っている届出は、「待機:」のタスクが受け付けます。

- **緑**: 見ました。受け付けたもの・受け付けなかったものは、証跡台帳に残っています。
- **赤**: 人が直すことがあります（鍵の変更など）。ログの最後の「→」の後に、することが書いてあります。
- 同じ種類で内容の違う二通が届くと、その発送回は止まります。「異なる届出の判断」で、どちらを採るか記録してください。
"""

with DAG(
    dag_id="reply_watch",
    dag_display_name="届出の受信",
    description="いつ来るか分からない届出の受付け",
    doc_md=DOC,
    schedule=CronTriggerTimetable(f"*/{Settings().reply_watch_minutes} * * * *", timezone="Asia/Tokyo"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["運用"],
    default_args={"owner": "情報システム課", "on_failure_callback": WardMail("task_failed")},
) as dag:

    @task(task_display_name="届出の確認と受付け", queue="lgwan", pool="lgwan")
    def take_in() -> str:
        """進行中の発送回の届出を見に行き、受け付けます。回線が使えない発送回は、次の回に見ます。"""
        from airflow.sdk import get_current_context

        from notice_cycle.settings import Settings
        from notice_cycle_airflow.reply_watching import look
        from notice_cycle_airflow.run_context import open_ledger, telling, this_task

        with telling():
            return look(open_ledger(), Settings(), this_task(), get_current_context())

    take_in()
