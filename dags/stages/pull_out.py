"""引抜き・差替え: what only a pull-out does; handover and receipts are those of the dispatch."""

from airflow.sdk import chain, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

from notice_cycle.pullout.forms import PulloutApproval, PulloutCheck
from notice_cycle_airflow.operators.evidence_form import EvidenceForm
from notice_cycle_airflow.sensors.pullout_confirmation import PulloutConfirmationSensor


@task_group(group_id="request", group_display_name="1 依頼")
def request() -> None:
    @task(task_display_name="一覧の読取り")
    def read_list() -> str:
        """引抜き受付フォルダの一覧を一時保管領域に移し、すべての番号がこの発送回にあることを確かめます。取りやめのときは、それを記録して終わります。"""
        from notice_cycle_airflow.pullouts import requested
        from notice_cycle_airflow.run_context import decision_request, telling, the_context

        with telling():
            run = the_context()["dag_run"]
            number = requested(*decision_request(), (run.dag_id, run.run_id))
        if not number:
            raise AirflowSkipException("取りやめを記録しました。")
        return number

    chain(
        read_list(),
        EvidenceForm(task_id="check_request", form=PulloutCheck),
        EvidenceForm(task_id="approve_request", form=PulloutApproval),
    )


@task_group(group_id="encryption", group_display_name="2 暗号化")
def encryption() -> None:
    @task(task_display_name="暗号化と送付目録の署名")
    def encrypt() -> str:
        """承認された一覧を、新しいパスワードで暗号化して送信箱に置きます。パッケージには発送回の次の番号が付きます。"""
        from notice_cycle.records import EncryptionRecord
        from notice_cycle_airflow.pullouts import encrypted
        from notice_cycle_airflow.run_context import current_cycle, telling

        with telling():
            cycle = current_cycle()
            return cycle.once(EncryptionRecord, lambda history: encrypted(cycle, history))

    encrypt()


@task_group(group_id="confirmation", group_display_name="5 引抜きの確認")
def confirmation() -> None:
    @task(task_display_name="引抜きの確認の照合")
    def verify_confirmation() -> str:
        """委託先が抜いた数を依頼と照合します。以後の納品・差出しの数は、抜いた封筒を除いて数えます。"""
        from notice_cycle_airflow.pullouts import confirmed
        from notice_cycle_airflow.run_context import current_cycle, telling, the_context

        with telling():
            return confirmed(current_cycle(), the_context())

    (
        PulloutConfirmationSensor(
            task_id="wait_for_confirmation", task_display_name="待機: 引抜き・差替えの確認"
        )
        >> verify_confirmation()
    )
