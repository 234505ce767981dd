"""引抜き・差替え: letters that must not go out are named to the contractor after the hand-over, as a package of their own."""

from datetime import timedelta

from airflow.sdk import DAG, Param, chain

from notice_cycle.settings import Settings
from notice_cycle.values import CYCLE_ID_PATTERN
from notice_cycle_airflow.notifiers.ward_mail import WardMail
from stages.acknowledgement import acknowledgement
from stages.handover import handover
from stages.pull_out import confirmation, encryption, request

DOC = """
### 引抜き・差替え

データを引き渡した後で、送ってはならなくなった通知（納付済み、死亡、送付先の変更など）を、委託先に**抜き取らせ、裁断の証明を取ります**。

1. 一覧を CSV で作ります。1行目は「通知書番号,理由」（または「被保険者番号,理由」）、2行目から1通1行です。理由は
   納付・還付の済み、賦課の変更・減免、資格の喪失・転出、死亡、送付先の変更、印字の誤り、その他、から選びます。
2. 引抜き受付フォルダに、**発送回の番号.csv** という名前で置きます。読み取ると一時保管領域に移り、フォルダからは消えます。
   **番号や氏名を、画面の書式には入力しないでください**（画面の履歴に残ります）。
3. 「トリガー」から、発送回の番号と区分を選んで開始します。締切（契約の時刻、ふつう18:00）を過ぎると受け付けません。
4. 担当が件数を確かめ、**別の**承認者が承認すると、暗号化して印字データと同じ経路で渡します。パスワード通知書は番号付きの紙で、別の機会に渡します。
5. 委託先は受領（第1・第2段階）と、抜いた数の確認を届け出ます。以後の納品・差出しは、抜いた封筒を除いて数えます。
   抜いた紙の**廃棄証明書**（区分「引抜き」）が揃うまで、発送回は完了しません。
6. **差替え**も、もとの通知を抜き取ります。新しい通知は、理由「再作成」の随時処理として別に発送します。
7. 渡す前にやめるときは、判断に「取りやめ」を選んで開始します。納品の照合が済んだ後は依頼できません（差し出す前に抜き、「納品後の引抜き」に記録します）。
"""

with DAG(
    dag_id="pull_out",
    dag_display_name="引抜き・差替え",
    description="引き渡した後の通知を抜き取る依頼（承認、暗号化、受領、確認）",
    doc_md=DOC,
    schedule=None,
    catchup=False,
    max_active_runs=16,
    is_paused_upon_creation=False,  # a paused one would accept the request and never run it
    tags=["運用"],
    params={
        "cycle": Param(None, type="string", pattern=CYCLE_ID_PATTERN, title="発送回の番号"),
        "decision": Param(
            "request",
            type="string",
            enum=["request", "cancel"],
            values_display={"request": "依頼する", "cancel": "先の依頼を取りやめる"},
            title="判断",
        ),
        "purpose": Param(
            "引抜き",
            type="string",
            enum=["引抜き", "差替え"],
            values_display={"引抜き": "引抜き（送らない）", "差替え": "差替え（抜いて、別に作り直す）"},
            title="区分",
        ),
    },
    default_args={
        "owner": "介護保険課",
        "retries": 3,
        "retry_delay": timedelta(seconds=Settings().retry_seconds),
        "on_failure_callback": WardMail("task_failed"),
    },
) as dag:
    chain(request(), encryption(), handover(), acknowledgement(wipes_staging=False), confirmation())
