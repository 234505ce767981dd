"""利用者の停止: the lock-out closed an account; it enters the ledger and the operator is told."""

from airflow.sdk import Param, task

from notice_cycle_airflow.form_dag import form_dag

DOC = """
### 利用者の停止

ログインに続けて失敗した利用者は、その場で停止されます。この Dag は、そのたびに自動で始まり、証跡台帳に記録して、
情報システム運用にメールで知らせます。人が「トリガー」から開始することはありません。

- **緑**: 記録し、知らせました。**赤**: 停止は済んでいますが、記録か知らせができていません。直してクリアします。
- 有効に戻すのは**管理者だけ**です。手順は、[運用手順書](/notice-cycle/runbook)の「利用者」の節にあります。
"""

with form_dag(
    dag_id="account_closed",
    dag_display_name="利用者の停止",
    description="ログインに続けて失敗した利用者の停止の記録と知らせ",
    doc_md=DOC,
    retries=3,
    params={
        "login": Param(None, type="string", title="ログイン名"),
        "failures": Param(None, type="integer", minimum=1, title="続けて失敗した回数"),
        "closed_at": Param(None, type="string", format="date-time", title="停止した時刻"),
    },
):

    @task(task_display_name="停止の記録と知らせ")
    def account_closed() -> str:
        """停止した利用者を証跡台帳に記録し、情報システム運用に知らせます。"""
        from notice_cycle.accounts import enter_once
        from notice_cycle.settings import Settings
        from notice_cycle_airflow.account_mail import tell_closed
        from notice_cycle_airflow.run_context import closed_account, telling, this_task

        with telling():
            ledger, closed = closed_account()
            enter_once(ledger, closed, this_task())
            tell_closed(closed, Settings())
            return closed.login

    account_closed()
