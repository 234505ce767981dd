"""事故の処理: each step of handling an incident, when it was done and where its paper is filed; 課長 decides."""

from airflow.sdk import Param, task

from notice_cycle.incidents.folded import REASONS_JA, STEPS
from notice_cycle.register.changing import FILED_PATTERN
from notice_cycle_airflow.form_dag import SECTION, form_dag

DOC = """
### 事故の処理
受け付けた事故について、したことを一つずつ、日時と文書番号を付けて証跡台帳に記録します。記録した期限は、期限の見張りから消えます。

- **課長だけ**: 報告を要しないとの判断、公表するかどうかの判断、引渡しの停止の解除、処理の終了。理由も選びます。
- **停止の解除**を記録すると、その日から、その事業者へ引き渡せます（止まったタスクをクリアします）。
- **処理の終了**は、済んでいないことがあると、それを示して止まります。

**被保険者の氏名・番号は、どの欄にも入力しないでください**（画面の履歴に残ります）。
"""

with form_dag(
    dag_id="incident_step",
    dag_display_name="事故の処理",
    description="事故の処理の記録と、停止の解除",
    doc_md=DOC,
    tag="事故",
    owner=SECTION,
    params={
        "number": Param(
            None, type="string", pattern=r"^20[0-9]{2}-[0-9]{3}$", title="受付番号", description="例 2026-001"
        ),
        "step": Param(
            None,
            type="string",
            enum=list(STEPS),
            values_display={
                step.id: step.label_ja + ("（課長）" if step.decided else "") for step in STEPS.values()
            },
            title="したこと",
        ),
        "done_at": Param(None, type="string", format="date-time", title="行った日時"),
        "reason_code": Param(
            "",
            type="string",
            enum=["", *REASONS_JA],
            values_display={"": "（課長の判断のときだけ）", **REASONS_JA},
            title="理由",
        ),
        "filed_as": Param(
            None, type="string", pattern=FILED_PATTERN, title="文書番号", description="例 26介保第12号"
        ),
    },
):

    @task(task_display_name="処理の記録")
    def take_step() -> str:
        """したことを証跡台帳に記録します。記録できないときは理由を示して止まります。"""
        from notice_cycle import clock
        from notice_cycle.incidents.entering import take_step
        from notice_cycle.settings import Settings
        from notice_cycle_airflow.run_context import form_request, own_sections, telling

        with telling():
            ledger, asked, person = form_request()
            config, own = Settings().config_folder, own_sections()
            return take_step(ledger, config, asked, by=person, at=clock.now(), own=own).digest

    take_step()
