"""パスワード通知書の無効化: a lost notice is voided by the approver, and released again in the only right way."""

from airflow.sdk import Param, task

from notice_cycle.acknowledgement.voiding import REASONS_JA
from notice_cycle_airflow.form_dag import CYCLE, form_dag

DOC = """
### パスワード通知書の無効化

印刷したパスワード通知書をなくしたとき、読めないとき、渡し方を誤ったときに、**承認者が**番号を無効にします。

1. 「トリガー」から、発送回の番号・理由・開示のおそれを選んで開始します。迷うときは、おそれが「ある」を選びます。
2. この実行が緑になった後、情報システム運用が発送回の画面で次をクリアします（下流を含む）。
   - おそれが**ない**: 「パスワード通知書の印刷」。次の番号でもう一度印刷されます。
   - おそれが**ある**: 「暗号化と送付目録の署名」。新しいパスワードのパッケージになり、LGWAN で送った前のものは引き上げます。
     DVD やアップロードで渡した前のものは、委託先に使わせず、返却・消去させます。
   引抜きの依頼の一覧の通知書なら、Dag「引抜き・差替え」のその依頼の実行で、同じ名前のタスクをクリアします。
3. 見つかった古い通知書は、渡さずに裁断します。

委託先がデータを開いた後は、この書式では済みません。課長に連絡し、事故として受け付けてください。
"""

with form_dag(
    dag_id="passphrase_notice_void",
    dag_display_name="パスワード通知書の無効化",
    description="なくした通知書を無効にし、出し直すか暗号化からやり直す",
    doc_md=DOC,
    params={
        "cycle": CYCLE,
        "reason_code": Param(
            "lost", type="string", enum=list(REASONS_JA), values_display=REASONS_JA, title="理由"
        ),
        "disclosure": Param(
            "possible",
            type="string",
            enum=["possible", "impossible"],
            values_display={
                "possible": "ある（ほかの人が見たかもしれない）",
                "impossible": "ない（封をしたまま区の中にあった）",
            },
            title="開示のおそれ",
        ),
    },
):

    @task(task_display_name="通知書の無効化の記録")
    def void_notice() -> str:
        """通知書の番号を無効にし、記録します。承認者でない者の判断や、データが開かれた後の判断は、記録せずに止まります。"""
        from notice_cycle import clock
        from notice_cycle.acknowledgement.voiding import void
        from notice_cycle.records import PassphraseNoticeRecord
        from notice_cycle.register import read_register
        from notice_cycle_airflow.run_context import decision_request, open_pullout_of, telling

        with telling():
            cycle, asked, person = decision_request()
            with cycle.standing_still(), cycle.ledger.locked(cycle.id, PassphraseNoticeRecord.kind()):
                # Letters are pulled out of data that are opened: the notice is the dispatch's or the list's, never either.
                notice_of = open_pullout_of(cycle) or cycle
                fact, decision = void(
                    notice_of.history(),
                    read_register(cycle.ledger, cycle.settings.config_folder, clock.today()),
                    asked["reason_code"],
                    disclosure_possible=asked["disclosure"] == "possible",
                    by=person,
                )
                if fact:  # first: run again after a crash between the two, only the decision is left to enter
                    cycle.note(fact, by=person)
                cycle.note(decision, by=person)
                return cycle.id

    void_notice()
