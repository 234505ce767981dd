"""やり直し・取下げ: a decision about a running dispatch, kept in the ledger with its reason."""

from airflow.sdk import Param, task

from notice_cycle.decisions import REASONS_JA, REDO_FROM
from notice_cycle.handover.route import REASONS_JA as ROUTE_REASONS_JA
from notice_cycle.handover.route import ROUTES_JA
from notice_cycle_airflow.form_dag import CYCLE, form_dag

DOC = """
### やり直し・取下げ

記録済みの段階を作り直すとき（**やり直し**）、引渡しの経路を変えるとき（**経路の変更**）、発送回をやめるとき（**取下げ**・**引渡し後の取下げ**）に、理由を付けて証跡台帳に記録します。

1. 「トリガー」から、発送回の番号・判断・段階・理由を選んで開始します。
2. やり直しのときは、この実行が緑になった後、発送回の画面で**選んだ段階の最初のタスクを「クリア」**（下流を含む）します。
   記録が無効になった段階だけが、もう一度実行されます。
3. 経路の変更のときは、この実行が緑になった後、発送回の画面で**「暗号化と送付目録の署名」を「クリア」**（下流を含む）します。
   新しい鍵とパスワードで作り直され、選んだ経路のタスクだけが実行されます。前に LGWAN で送り始めたものは引き上げます。
4. 取下げのときは、この発送回の一時保管領域・送信箱・鍵がその場で廃棄されます。発送回の実行は失敗として止めてください。
5. **引渡し後の取下げ**のときは、平文に戻せる中間データがその場で消去されます。委託先に、**使わずに消去する**よう求めてください。
   発送回の実行は止めません。待機・書式のタスクを「クリア」すると、消去報告書の待機まで進みます。

引き渡したデータの消去は、取り下げても、作り直しても、すべて確かめます。
"""

with form_dag(
    dag_id="cycle_decision",
    dag_display_name="やり直し・取下げ",
    description="記録済みの段階の作り直しと、発送回の取下げ",
    doc_md=DOC,
    params={
        "cycle": CYCLE,
        "decision": Param(
            "redo",
            type="string",
            enum=["redo", "withdraw", "recall", "route"],
            values_display={
                "redo": "やり直し",
                "withdraw": "取下げ（引渡し前）",
                "recall": "引渡し後の取下げ",
                "route": "経路の変更",
            },
            title="判断",
        ),
        "stage": Param(
            "extraction",
            type="string",
            enum=[stage.id for stage in REDO_FROM],
            values_display={stage.id: stage.label_ja for stage in REDO_FROM},
            title="どの段階から（やり直しのとき）",
        ),
        "route": Param(
            "dvd",
            type="string",
            enum=list(ROUTES_JA),
            values_display=ROUTES_JA,
            title="新しい経路（経路の変更のとき）",
        ),
        "reason_code": Param(
            "data_error",
            type="string",
            enum=[*REASONS_JA, *(code for code in ROUTE_REASONS_JA if code not in REASONS_JA)],
            values_display=REASONS_JA | ROUTE_REASONS_JA,
            title="理由",
        ),
    },
):

    @task(task_display_name="判断の記録")
    def decide() -> str:
        """判断を証跡台帳に記録します。記録できないときは理由を示して止まります。"""
        from notice_cycle import clock
        from notice_cycle.acknowledgement.wipe import wipe_staging
        from notice_cycle.closing import destroy, survey
        from notice_cycle.decisions import recall, redo, withdraw
        from notice_cycle.handover.route import switch
        from notice_cycle.records import DestructionBegun, HandoverRecalled, WithdrawalCleanup
        from notice_cycle_airflow.run_context import decision_request, telling

        with telling():
            cycle, asked, person = decision_request()
            with cycle.standing_still():
                history = cycle.history()
                if asked["decision"] == "route":
                    switched, decision = switch(
                        history, cycle.configuration, asked["route"], asked["reason_code"], person
                    )
                    if decision:  # first: a crash between the two leaves a package less, never one too many
                        cycle.note(decision, by=person)
                    cycle.note(switched, by=person)
                    return cycle.id
                if asked["decision"] == "redo":
                    cycle.note(redo(history, asked["stage"], asked["reason_code"], person), by=person)
                    return cycle.id
                if asked["decision"] == "recall":
                    places = (cycle.vault, cycle.settings.outbox, cycle.settings.inbox)
                    if not history.recalled:  # run again after a crash, only the wipe is left to do
                        beyond = cycle.packages_beyond()
                        recalled = recall(history, asked["reason_code"], person, beyond=beyond)
                        cycle.note(survey(*places, cycle=cycle.id))
                        cycle.note(recalled, by=person)
                    wipe_staging(cycle.vault, at=clock.now())
                    (recalled,) = cycle.history().facts(HandoverRecalled)
                    return "、".join(recalled.left)
                if not (history.withdrawn and not history.facts(WithdrawalCleanup)):
                    beyond = cycle.packages_beyond()
                    cycle.note(withdraw(history, asked["reason_code"], person, beyond=beyond), by=person)
                # Run again after a crash between decision and destruction, only the destruction is left to do.
                places = (cycle.vault, cycle.settings.outbox, cycle.settings.inbox)
                cycle.note(survey(*places, cycle=cycle.id))
                begun = cycle.history().facts(DestructionBegun)
                destruction = destroy(*places, begun, cycle=cycle.id, at=clock.now())
                cycle.note(WithdrawalCleanup(destruction=destruction))
                return cycle.id

    decide()
