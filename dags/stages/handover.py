"""Stage 6, 引渡し."""

from airflow.sdk import chain, task, task_group

from notice_cycle.handover.disc import DiscHandover
from notice_cycle.handover.upload import Upload
from notice_cycle_airflow.operators.evidence_form import EvidenceForm


@task_group(group_id="handover", group_display_name="6 引渡し")
def handover() -> None:
    @task(task_display_name="LGWAN での送信", queue="lgwan", pool="lgwan")
    def send() -> str:
        """送信箱の暗号文を委託先に送り、読み戻して照合してから名前を付けます。同じものを二度は送りません。"""
        from notice_cycle.records import HandoverRecord
        from notice_cycle_airflow.proposing import proposing_disc
        from notice_cycle_airflow.run_context import current_cycle, only_by, telling
        from notice_cycle_airflow.sending import send_package

        with telling():
            cycle = current_cycle()
            only_by(cycle, "lgwan")

            def sent(history):
                cycle.judge_gates("handover", "lgwan")
                with proposing_disc(cycle):
                    return send_package(cycle, history)

            return cycle.once(HandoverRecord, sent)

    @task(task_display_name="アップロードの準備")
    def prepare_upload() -> str:
        """送信箱の内容を暗号化の記録と照合し、この後アップロードされることを記録します。"""
        from notice_cycle_airflow.run_context import current_cycle, only_by, telling

        with telling():
            cycle = current_cycle()
            only_by(cycle, "manual")
            cycle.judge_gates("handover", "manual")
            return cycle.begin_handover("manual")

    @task(task_display_name="LGWAN の控えの引上げ", queue="lgwan", pool="lgwan")
    def withdraw_copies() -> str:
        """前に LGWAN で送り始めたものを、委託先の受け口から引き上げます。回線が使えなければ、次の書式で確認します。"""
        from notice_cycle_airflow.run_context import current_cycle, only_by, telling
        from notice_cycle_airflow.sending import withdraw_packages

        with telling():
            cycle = current_cycle()
            only_by(cycle, "dvd")
            return withdraw_packages(cycle)

    @task(task_display_name="媒体イメージの作成", pool="heavy")
    def make_discs() -> str:
        """暗号文、署名付きの送付目録、開くためのページと手順書を、DVD のイメージにまとめます。"""
        from notice_cycle_airflow.discs import make_discs
        from notice_cycle_airflow.run_context import current_cycle, only_by, telling

        with telling():
            cycle = current_cycle()
            only_by(cycle, "dvd")
            cycle.judge_gates("handover", "dvd")
            cycle.begin_handover("dvd")
            return make_discs(cycle)

    @task(task_display_name="媒体の書込みと読み戻し", pool="heavy")
    def burn_discs() -> str:
        """書込み装置があれば、イメージを DVD に書き込み、読み戻して照合します。なければ、職員が行うことを示します。"""
        from notice_cycle_airflow.discs import burn_discs
        from notice_cycle_airflow.run_context import current_cycle, only_by, telling

        with telling():
            cycle = current_cycle()
            only_by(cycle, "dvd")
            return burn_discs(cycle)

    send()
    chain(prepare_upload(), EvidenceForm(task_id="confirm_upload", form=Upload))
    chain(
        withdraw_copies(),
        make_discs(),
        burn_discs(),
        EvidenceForm(task_id="confirm_discs", form=DiscHandover),
    )
