"""納品の後の書式: what the ward itself handed in at the post, the letters taken out before that, and those that came back."""

from airflow.sdk import Param, task

from notice_cycle.posting import OFFICE_PATTERN, RECEIPT_PATTERN
from notice_cycle.pullout.facts import METHODS_JA, STAFF_PATTERN
from notice_cycle.returned_mail import REASONS_JA
from notice_cycle_airflow.form_dag import CYCLE, SECTION, form_dag

POSTING = """
### 差出しの記録

区が郵便局に差し出した封筒を、差出票ごとに証跡台帳に記録します。納品した数より多くは記録できません。

1. 「トリガー」から、発送回・差出日時・郵便局・通数・差出票の番号を入れて開始します。
2. 間違えたときは、同じ差出票の番号でもう一度開始します。後のものに置き換わります。
3. 委託先が差し出す契約では、委託先の差出票の届出が記録になります。ここでは、記録済みの差出票を直すことだけができます。

**被保険者の氏名・番号は、どの欄にも入力しないでください**（画面の履歴に残ります）。
"""

PULLED_OUT = """
### 納品後の引抜き

納品された後、差し出す前に、封筒から抜いた通知（死亡、賦課の変更など）を、**廃棄の証明とともに**証跡台帳に記録します。記録した封筒は、
差し出す数から除いて数えます。

1. 抜いた通知の一覧を CSV で作り、引抜き受付フォルダに、**発送回の番号.csv** という名前で置きます。1行目は「通知書番号,理由」
   （または「被保険者番号,理由」）、2行目から1通1行です。読み取ると一時保管領域に移り、フォルダからは消えます。
2. 区が抜いたときは、二人で廃棄し、廃棄の日時・方法・枚数・廃棄した者・立会者を入れて「トリガー」します。
   委託先が抜いたときは、廃棄証明書（区分「引抜き」）が届いて記録された後に、その番号だけを入れます。
3. 間違えたときは、判断に「最後の記録を取り消す」を選んで開始します。

**被保険者の氏名・番号は、どの欄にも入力しないでください**（画面の履歴に残ります）。
"""

RETURNED = """
### 返戻の記録

郵便局から戻った封筒を、その日の分だけ、理由ごとに数えて証跡台帳に記録します。完了を待たせることはなく、完了の後でも記録できます。

1. 「トリガー」から、発送回・戻った日・理由ごとの通数を入れて開始します。
2. 間違えたときは、同じ日でもう一度開始します。その日の分が、後のものに置き換わります。

**だれの封筒かは書きません。被保険者の氏名・番号は、どの欄にも入力しないでください**（画面の履歴に残ります）。
"""


with form_dag(
    dag_id="posting",
    dag_display_name="差出しの記録",
    description="区が郵便局に差し出した封筒の記録",
    doc_md=POSTING,
    owner=SECTION,
    params={
        "cycle": CYCLE,
        "posted_at": Param(None, type="string", format="date-time", title="差出日時"),
        "post_office": Param(
            None, type="string", pattern=OFFICE_PATTERN, title="郵便局", description="例 架空中央郵便局"
        ),
        "envelopes": Param(None, type="integer", minimum=0, maximum=1_000_000, title="通数（封）"),
        "receipt_number": Param(None, type="string", pattern=RECEIPT_PATTERN, title="差出票の番号"),
    },
):

    @task(task_display_name="差出しの記録")
    def enter_posting() -> str:
        """差出しを証跡台帳に記録します。納品した数を超えるときは、記録せずに止まります。"""
        from notice_cycle import clock
        from notice_cycle.posting import Posted, contractor_posts, enter_posting
        from notice_cycle.replies import refuse_open_conflicts
        from notice_cycle_airflow.run_context import decision_request, telling

        with telling():
            cycle, asked, person = decision_request()
            with cycle.ledger.locked(cycle.id, Posted.kind()):
                history = cycle.history()
                refuse_open_conflicts(history)
                by_contractor = contractor_posts(history, cycle.register())
                fact = enter_posting(history, asked, by_contractor=by_contractor, by=person, at=clock.now())
                if fact not in history.facts(Posted):
                    cycle.note(fact, by=person)
            return fact.receipt_number

    enter_posting()

with form_dag(
    dag_id="delivered_pull_out",
    dag_display_name="納品後の引抜き",
    description="納品された後、差し出す前に抜いて廃棄した通知の記録",
    doc_md=PULLED_OUT,
    owner=SECTION,
    params={
        "cycle": CYCLE,
        "decision": Param(
            "record",
            type="string",
            enum=["record", "cancel"],
            values_display={"record": "記録する", "cancel": "最後の記録を取り消す"},
            title="判断",
        ),
        "destroyed_at": Param(
            None, type=["null", "string"], format="date-time", title="廃棄の日時（区が廃棄したとき）"
        ),
        "method": Param(
            "shredding", type="string", enum=list(METHODS_JA), values_display=METHODS_JA, title="廃棄の方法"
        ),
        "sheets": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=1_000_000,
            title="廃棄した枚数（区が廃棄したとき）",
        ),
        "operator": Param(
            None, type=["null", "string"], pattern=STAFF_PATTERN, title="廃棄した者（区が廃棄したとき）"
        ),
        "witness": Param(
            None, type=["null", "string"], pattern=STAFF_PATTERN, title="立会者（区が廃棄したとき）"
        ),
        "certificate_number": Param(
            None,
            type=["null", "string"],
            pattern=RECEIPT_PATTERN,
            title="廃棄証明書の番号（委託先が廃棄したとき）",
        ),
    },
):

    @task(task_display_name="納品後の引抜きの記録")
    def record_pulled_out() -> str:
        """一覧の番号をすべて発送回の中に見つけ、廃棄の証明とともに記録します。差し出していない数より多ければ、記録せずに止まります。"""
        from notice_cycle_airflow.pullouts import taken_out
        from notice_cycle_airflow.run_context import decision_request, telling, the_context

        with telling():
            run = the_context()["dag_run"]
            return taken_out(*decision_request(), (run.dag_id, run.run_id))

    record_pulled_out()

with form_dag(
    dag_id="returned_mail",
    dag_display_name="返戻の記録",
    description="戻った封筒の、理由ごとの数の記録",
    doc_md=RETURNED,
    owner=SECTION,
    params={
        "cycle": CYCLE,
        "returned_on": Param(None, type="string", format="date", title="戻った日"),
        **{
            reason: Param(0, type="integer", minimum=0, maximum=1_000_000, title=f"{label_ja}（封）")
            for reason, label_ja in REASONS_JA.items()
        },
    },
):

    @task(task_display_name="返戻の記録")
    def enter_returned() -> str:
        """返戻の数を証跡台帳に記録します。納品した数を超えるときは、記録せずに止まります。"""
        from notice_cycle import clock
        from notice_cycle.returned_mail import ReturnedMail, enter_returned
        from notice_cycle_airflow.run_context import decision_request, telling

        with telling():
            cycle, asked, person = decision_request()
            with cycle.ledger.locked(cycle.id, ReturnedMail.kind()):
                history = cycle.history()
                fact = enter_returned(history, asked, by=person, at=clock.now())
                if fact not in history.facts(ReturnedMail):
                    cycle.note(fact, by=person)
            return str(fact.returned_on)

    enter_returned()
