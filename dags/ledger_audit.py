"""台帳の検証: every morning the whole ledger is verified, signed for, and its head told by mail."""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from notice_cycle.settings import Settings
from notice_cycle_airflow.notifiers.ward_mail import WardMail

DOC = """
### 台帳の検証

毎朝6時に、証跡台帳の全件を検証し、控えた末尾・これまでのチェックポイントと比べます。手で「トリガー」してもかまいません。

- **緑**: 一致しました。末尾が進んでいれば、署名したチェックポイントが一つ増えます。末尾はメールでも届きます。
- **赤**: 一致しないか、読めません。ログの最後の「→」の後に、することが書いてあります。証跡台帳には何も書きません。
"""

with DAG(
    dag_id="ledger_audit",
    dag_display_name="台帳の検証",
    description="証跡台帳の全件の検証、署名したチェックポイント、末尾の通知",
    doc_md=DOC,
    # Without the zero, a DAG that is new shortly after six would run at once, perhaps before there is a ledger.
    schedule=CronTriggerTimetable("0 6 * * *", timezone="Asia/Tokyo", run_immediately=timedelta(0)),
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

    @task(task_display_name="全件の検証")
    def audit() -> str:
        """全件を検証し、控えた末尾・チェックポイントと比べます。一致しないときは理由を示して止まります。"""
        from airflow.sdk import get_current_context

        from notice_cycle import clock
        from notice_cycle.ledger.audit import audit
        from notice_cycle.settings import Settings
        from notice_cycle_airflow.run_context import open_ledger, telling

        with telling():
            head = audit(open_ledger(), Settings().checkpoints, at=clock.now())
            facts = {"seq": str(head.seq), "digest": head.digest, "entries": f"{head.seq:,}"}
            # A head that lies in other people's mailboxes cannot be altered together with the database.
            WardMail("ledger_head", facts=facts)(get_current_context())
            return head.digest

    audit()
