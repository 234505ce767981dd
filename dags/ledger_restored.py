"""台帳の復旧: the ledger's database came back from a backup; a person says so, and the ledger goes on from there."""

from airflow.sdk import Param, task

from notice_cycle.restoration import NOTE_NUMBER_PATTERN, REASONS_JA
from notice_cycle_airflow.form_dag import form_dag

DOC = """
### 台帳の復旧

証跡台帳のデータベースをバックアップから戻すと、戻した時点より後の記録が失われ、すべてのタスクが止まります。
戻したことを理由と文書番号を付けて証跡台帳に記録すると、また進められます。

1. **心当たりがないときは開始しないでください。** 業務を止め、情報システム課の責任者に連絡します。
2. もっと新しいバックアップがないか、接続 `ledger` が正しいデータベースを指しているかを、先に確かめます。
3. 「トリガー」から、理由と、経緯を綴じた文書の番号を入れて開始します。**氏名や被保険者番号は入れないでください。**
4. この実行が緑になった後、**失われた間に納品や完了まで済んでいた発送回は「取下げ」に**します。もう一度作ると、二度目の通知が届きます。
   ほかの発送回は、止まったタスクをクリアします。失われた記録の段階は、もう一度実行されます。

送信箱にあって記録にないパッケージは、委託先にあるかもしれないものとして記録します。消去を確かめるまで、その発送回は完了しません。
手順の全体は、[運用手順書](/notice-cycle/runbook)の「台帳の復旧」の節にあります。
"""

with form_dag(
    dag_id="ledger_restored",
    dag_display_name="台帳の復旧",
    description="バックアップから戻した証跡台帳を、理由を付けて使い続ける",
    doc_md=DOC,
    params={
        "reason_code": Param(
            "failure", type="string", enum=list(REASONS_JA), values_display=REASONS_JA, title="理由"
        ),
        "note_number": Param(
            None,
            type="string",
            pattern=NOTE_NUMBER_PATTERN,
            title="経緯の文書番号",
            description="経緯を綴じた文書の番号です（例 26情シ第12号）。氏名や被保険者番号は入力しないでください。",
        ),
    },
):

    @task(task_display_name="復旧の記録")
    def record_restoration() -> str:
        """失われた末尾と、記録にないパッケージを、証跡台帳に記録します。戻っていなければ、何もせずに止まります。"""
        from notice_cycle.restoration import record_restoration
        from notice_cycle.settings import Settings
        from notice_cycle_airflow.run_context import restoration_request, telling

        with telling():
            settings = Settings()
            ledger, asked, person = restoration_request()
            entry = record_restoration(
                ledger,
                settings.heads,
                settings.checkpoints,
                settings.outbox,
                reason_code=asked["reason_code"],
                note_number=asked["note_number"],
                by=person,
            )
            return entry.digest

    record_restoration()
