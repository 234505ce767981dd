"""印刷物の再発行: a 確認書, 盤面ラベル or 送付票 that the printer spoiled is printed again, marked and recorded."""

from airflow.sdk import Param, task

from notice_cycle.reprinting import NUMBER_PATTERN, REASONS_JA
from notice_cycle_airflow.form_dag import CYCLE, form_dag

DOC = """
### 印刷物の再発行

確認書・盤面ラベル・送付票が、紙づまりなどで使えなかったときに、**承認者が**理由を付けてもう一度印刷します。

1. 「トリガー」から、発送回の番号・印刷物の文書番号（紙の右上、書式の本文にあります）・理由を選んで開始します。
2. 同じ番号の紙が「再発行 1」のように印を付けて印刷され、証跡台帳に残ります。前の紙が見つかったら、使わずに裁断します。

**パスワード通知書は再発行できません。** Dag「パスワード通知書の無効化」で番号を無効にし、次の番号で出し直します。
被保険者番号を含む検証該当者一覧と、事故の速報の案は、この Dag では再発行できません。
"""

with form_dag(
    dag_id="paper_reprint",
    dag_display_name="印刷物の再発行",
    description="使えなかった確認書・盤面ラベル・送付票の、理由を付けた再発行",
    doc_md=DOC,
    retries=3,
    params={
        "cycle": CYCLE,
        "number": Param(
            None,
            type="string",
            pattern=NUMBER_PATTERN,
            title="印刷物の文書番号",
            description="例 2026-premium_notice_ordinary-annual-01-納品確認書",
        ),
        "reason_code": Param(
            "jammed", type="string", enum=list(REASONS_JA), values_display=REASONS_JA, title="理由"
        ),
    },
):

    @task(task_display_name="もう一度の印刷")
    def reprint_paper() -> str:
        """再発行の印を付けて印刷し、記録します。承認者でない者や、再発行できない紙のときは、印刷せずに止まります。"""
        from notice_cycle_airflow.reprinting import reprint
        from notice_cycle_airflow.run_context import decision_request, telling, this_run

        with telling():
            cycle, asked, person = decision_request()
            return reprint(cycle, asked, person, asked_in=this_run())

    reprint_paper()
