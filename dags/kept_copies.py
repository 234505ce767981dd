"""指示による保管: what the ward lets a contractor keep beyond the erasure's due date; asked by an officer, decided by the approver."""

from airflow.sdk import Param, task

from notice_cycle.copies.keeping import REASONS_JA, WHAT_JA
from notice_cycle.register.changing import FILED_PATTERN, KEY_PATTERN
from notice_cycle_airflow.form_dag import CYCLE, SECTION, form_dag

ASKING = """
### 指示による保管の案

区の指示で、委託先または再委託先に、控えや紙をある日まで保管させるときに、**担当が**案を作ります（別紙1 第14項 ただし書）。

1. 保管を指示する文書を起案します。
2. 「トリガー」から、発送回・事業者・保管させるもの・期限・理由・文書番号を入れて開始します。
3. 緑になると、案の番号が XCom に出て、承認者にメールが届きます。**承認者が承認するまで、期限は延びません。**

期限は、契約の終わる年度末（3月31日）までです。**被保険者の氏名・番号は、どの欄にも入力しないでください**（画面の履歴に残ります）。
"""

APPROVING = """
### 指示による保管の承認

担当の案を、**承認者が**承認します。案を作った者は承認できません。

1. 案の内容と、起案した文書を照らし合わせます。
2. 「トリガー」から、発送回と案の番号を入れて開始します。
3. 緑になると、消去の期限が保管の期限まで延び、「データの所在」に「指示による保管」と出ます。文書を委託先に交付します。

保管しているものの消去・廃棄が証明されるまで、発送回は完了しません。同じ事業者の同じものを、期限を変えてもう一度承認すると、後のものが効きます。
"""

with form_dag(
    dag_id="copy_keeping",
    dag_display_name="指示による保管の案",
    description="委託先に、ある日まで控えや紙を保管させる指示の案",
    doc_md=ASKING,
    owner=SECTION,
    params={
        "cycle": CYCLE,
        "party": Param(
            None,
            type="string",
            pattern=KEY_PATTERN,
            title="事業者の登録番号",
            description="例 example_print",
        ),
        "what": Param(
            None, type="string", enum=list(WHAT_JA), values_display=dict(WHAT_JA), title="保管させるもの"
        ),
        "until": Param(None, type="string", format="date", title="期限（この日に消去・廃棄させる）"),
        "reason_code": Param(
            None, type="string", enum=list(REASONS_JA), values_display=REASONS_JA, title="理由"
        ),
        "note_number": Param(
            None,
            type="string",
            pattern=FILED_PATTERN,
            title="指示の文書番号",
            description="例 26介保第130号",
        ),
    },
):

    @task(task_display_name="保管の案の記録")
    def ask_keeping() -> str:
        """案を証跡台帳に記録し、承認者に知らせます。期限はまだ延びません。"""
        from notice_cycle import clock
        from notice_cycle.copies import CopyKeepingAsked
        from notice_cycle.copies.keeping import ask_keeping
        from notice_cycle_airflow.notifiers.ward_mail import WardMail
        from notice_cycle_airflow.run_context import decision_request, telling, the_context

        with telling():
            cycle, asked, person = decision_request()
            with cycle.ledger.locked(cycle.id, CopyKeepingAsked.kind()):
                history, parties = cycle.history(), cycle.signers.values()
                fact = ask_keeping(history, asked, subcontractors=parties, by=person, at=clock.now())
                if fact not in history.facts(CopyKeepingAsked):
                    form = f"指示による保管の承認（案 {fact.keeping}）"
                    facts = {"cycle": cycle.id, "form": form, "role": "承認者"}
                    section = cycle.configuration.notice.section
                    WardMail("form_waiting", "approver", facts, section)(the_context())
                    cycle.note(fact, by=person)
            return f"案 {fact.keeping}"

    ask_keeping()

with form_dag(
    dag_id="copy_keeping_approval",
    dag_display_name="指示による保管の承認",
    description="指示による保管の案を、承認者が承認する",
    doc_md=APPROVING,
    owner=SECTION,
    params={
        "cycle": CYCLE,
        "keeping": Param(None, type="integer", minimum=1, maximum=999, title="案の番号"),
    },
):

    @task(task_display_name="指示による保管の記録")
    def approve_keeping() -> str:
        """承認を証跡台帳に記録します。承認者でない者や、案を作った者の承認は、記録せずに止まります。"""
        from notice_cycle import clock
        from notice_cycle.copies import CopyKeptAsInstructed
        from notice_cycle.copies.keeping import approve_keeping
        from notice_cycle_airflow.run_context import decision_request, telling

        with telling():
            cycle, asked, person = decision_request()
            with cycle.ledger.locked(cycle.id, CopyKeptAsInstructed.kind()):
                history, number = cycle.history(), int(asked["keeping"])
                fact = approve_keeping(history, cycle.register(), number, by=person, at=clock.now())
                if fact not in history.facts(CopyKeptAsInstructed):
                    cycle.note(fact, by=person)
            return str(fact.until)

    approve_keeping()
