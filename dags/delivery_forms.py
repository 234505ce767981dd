"""納品の後の書式: what the ward itself handed in at the post, and the letters that came back, counts only."""

from airflow.sdk import Param, task

from notice_cycle.posting import OFFICE_PATTERN, RECEIPT_PATTERN
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
