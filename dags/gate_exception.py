"""関門の例外: the head of section lets a closed gate pass, with a reason, until a day."""

from airflow.sdk import Param, task

from notice_cycle.gates import EXCEPTION_REASONS_JA, RULES
from notice_cycle.register.changing import FILED_PATTERN
from notice_cycle_airflow.form_dag import SECTION, form_dag

DOC = """
### 関門の例外

閉じた関門を、**課長が**、理由と期限を付けて通します。期限を過ぎると、例外は効かなくなります。

1. 「トリガー」から、関門・対象（発送回の番号か、事業者の登録番号）・理由・文書番号・期限を入れて開始します。
2. この実行が緑になった後、止まったタスクをクリアします。

契約の条項、再委託の承諾、切れた認証、暗号化、パスワードの別の機会などには、例外を認められません（一覧にありません）。
課長かどうかは、登録簿の「区の職員の役割」で確かめます。**被保険者の氏名・番号は入力しないでください。**
"""

EXCEPTABLE = {rule.id: rule.title_ja for rule in RULES.values() if rule.may_be_excepted}

with form_dag(
    dag_id="gate_exception",
    dag_display_name="関門の例外",
    description="閉じた関門を、課長が理由と期限を付けて通す",
    doc_md=DOC,
    tag="登録簿",
    owner=SECTION,
    params={
        "gate": Param(None, type="string", enum=list(EXCEPTABLE), values_display=EXCEPTABLE, title="関門"),
        "of": Param(
            None,
            type="string",
            maxLength=100,
            title="対象",
            description="発送回の番号（その回だけ）か、事業者の登録番号（その事業者のすべての回）",
        ),
        "reason_code": Param(
            "paper_on_its_way",
            type="string",
            enum=list(EXCEPTION_REASONS_JA),
            values_display=EXCEPTION_REASONS_JA,
            title="理由",
        ),
        "note_number": Param(None, type="string", pattern=FILED_PATTERN, title="決定の文書番号"),
        "until": Param(None, type="string", format="date", title="期限（この日まで）"),
    },
):

    @task(task_display_name="例外の記録")
    def except_gate() -> str:
        """例外を証跡台帳に記録します。課長でない者の例外や、認められない例外は、記録せずに止まります。"""
        from notice_cycle import clock
        from notice_cycle.register import enter_exception
        from notice_cycle.settings import Settings
        from notice_cycle_airflow.run_context import form_request, own_sections, telling

        with telling():
            ledger, asked, person = form_request()
            config, own = Settings().config_folder, own_sections()
            return enter_exception(ledger, config, asked, by=person, at=clock.now(), sections=own).digest

    except_gate()
