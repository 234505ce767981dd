"""利用者の変更: an account was made, opened, closed or given other roles; it enters the ledger."""

from airflow.sdk import Param, task

from notice_cycle_airflow.form_dag import form_dag

DOC = """
### 利用者の変更

管理者が利用者を追加し、停止し、有効に戻し、役割や所属を替えるたびに自動で始まり、だれが・いつ・何を変えたかを証跡台帳に記録します。
設置のコマンド（init）と `accounts synchronise` の後にも始まり、すべての利用者を台帳と比べて、台帳の知らない利用者と変更を記録します。
人が「トリガー」から開始することはありません。

- **緑**: 記録しました。**赤**: 変更は済んでいますが、記録ができていません。直してクリアします。
- 続けて失敗したログインによる停止は、「利用者の停止」が記録します。
"""

ROLES = {"type": "array", "items": {"type": "string"}}

with form_dag(
    dag_id="account_changed",
    dag_display_name="利用者の変更",
    description="利用者の追加・停止・再開・役割の変更の記録",
    doc_md=DOC,
    retries=3,
    params={
        "login": Param(None, type=["null", "string"], title="ログイン名"),
        "was_active": Param(None, type=["null", "boolean"], title="前は有効か"),
        "active": Param(None, type=["null", "boolean"], title="有効か"),
        "roles_before": Param([], title="前の役割と所属", **ROLES),
        "roles": Param([], title="役割と所属", **ROLES),
        "changed_by": Param("", type="string", title="変えた人"),
        "found": Param(
            None, type=["null", "array"], items={"type": "object"}, title="設置のときの、すべての利用者"
        ),
        "changed_at": Param(None, type="string", format="date-time", title="変えた時刻"),
    },
):

    @task(task_display_name="変更の記録")
    def account_changed() -> str:
        """変えられた利用者と、前後の役割・状態を証跡台帳に記録します。設置の後は、台帳の知らないことだけを記録します。"""
        from notice_cycle.accounts import enter_found, enter_once
        from notice_cycle_airflow.run_context import accounts_found, changed_account, telling, this_task

        with telling():
            if all_of_them := accounts_found():
                ledger, found, at = all_of_them
                return f"{len(found)}人のうち{len(enter_found(ledger, found, at, this_task()))}人を記録しました。"
            ledger, changed = changed_account()
            enter_once(ledger, changed, changed.changed_by or this_task())
            return changed.login

    account_changed()
