"""Stage 7, 受領確認."""

from airflow.sdk import chain, task, task_group

from notice_cycle.acknowledgement.passphrase_notice import PassphraseHandover
from notice_cycle.exchange.messages import ContentReceipt, Receipt
from notice_cycle.records import ContentReceiptRecord, ReceiptRecord
from notice_cycle_airflow.operators.evidence_form import EvidenceForm
from notice_cycle_airflow.sensors.contractor_reply import ContractorReplySensor


@task_group(group_id="acknowledgement", group_display_name="7 受領確認")
def acknowledgement(*, wipes_staging: bool = True) -> None:
    @task(task_display_name="受領通知（第1段階）の照合")
    def verify_receipt() -> str:
        """委託先が受け取ったファイルのダイジェストを、引き渡したものと照合します。"""
        from notice_cycle.acknowledgement.receipts import verify_receipt
        from notice_cycle.records import EncryptionRecord, HandoverRecord
        from notice_cycle_airflow.run_context import current_cycle, telling

        with telling():
            cycle = current_cycle()

            def judged(history):
                cycle.judge_gates("acknowledgement")
                receipt, digest = cycle.received(Receipt)
                with cycle.judging((Receipt, digest)):
                    return verify_receipt(
                        history.latest(HandoverRecord),
                        history.latest(EncryptionRecord),
                        receipt,
                        message_sha256=digest,
                        signed_by=cycle.configuration.party.signer,
                    )

            return cycle.once(ReceiptRecord, judged)

    @task(task_display_name="パスワード通知書の印刷")
    def print_passphrase_notice() -> str:
        """パスワード通知書を番号付きで印刷します。パスワードは紙と一時保管領域の外には出ません。"""
        from notice_cycle import clock
        from notice_cycle.acknowledgement.passphrase_notice import issue_passphrase_notice
        from notice_cycle.confirmations import refuse_while_held
        from notice_cycle.records import EncryptionRecord, PassphraseNoticeRecord
        from notice_cycle_airflow.run_context import current_cycle, telling

        with telling():
            cycle = current_cycle()

            def issued(history):
                refuse_while_held(cycle.register(), cycle.configuration)
                return issue_passphrase_notice(
                    history.latest(EncryptionRecord),
                    cycle.configuration,
                    cycle.vault,
                    cycle.settings,
                    cycle=cycle.id,
                    number=history.number_of(PassphraseNoticeRecord),
                    synthetic=cycle.opening.synthetic,
                    at=clock.now(),
                    passphrase_name=cycle.passphrase_name,
                )

            return cycle.once(PassphraseNoticeRecord, issued)

    @task(task_display_name="受領通知（第2段階）の照合")
    def verify_content_receipt() -> str:
        """委託先が開いて数えた件数・金額・読めない文字を、作成した印字データと照合します。"""
        from notice_cycle.acknowledgement.receipts import verify_content_receipt
        from notice_cycle.records import CompositionRecord, EncryptionRecord
        from notice_cycle_airflow.run_context import current_cycle, telling

        with telling():
            cycle = current_cycle()

            def judged(history):
                receipt, digest = cycle.received(ContentReceipt)
                with cycle.judging((ContentReceipt, digest)):
                    return verify_content_receipt(
                        history.latest(CompositionRecord),
                        history.latest(EncryptionRecord),
                        receipt,
                        cycle.configuration,
                        message_sha256=digest,
                        signed_by=cycle.configuration.party.signer,
                        small_total_key=cycle.settings.small_total_key,
                    )

            return cycle.once(ContentReceiptRecord, judged)

    @task(task_display_name="中間データの消去")
    def wipe_staging() -> str:
        """平文に戻せる中間データを消去します。通知書番号の索引だけが、暗号化されて完了まで残ります。"""
        from notice_cycle import clock
        from notice_cycle.acknowledgement.wipe import wipe_staging
        from notice_cycle.records import StagingWipeRecord
        from notice_cycle_airflow.run_context import current_cycle, telling

        with telling():
            cycle = current_cycle()
            return cycle.once(StagingWipeRecord, lambda _: wipe_staging(cycle.vault, at=clock.now()))

    chain(
        ContractorReplySensor(
            task_id="wait_for_receipt",
            task_display_name="待機: 受領通知（第1段階）",
            kinds=[Receipt],
            settles=ReceiptRecord,
            trigger_rule="none_failed_min_one_success",  # two of the three routes are skipped
        ),
        verify_receipt(),
        print_passphrase_notice(),
        EvidenceForm(task_id="confirm_passphrase_handover", form=PassphraseHandover),
        ContractorReplySensor(
            task_id="wait_for_content_receipt",
            task_display_name="待機: 受領通知（第2段階）",
            kinds=[ContentReceipt],
            settles=ContentReceiptRecord,
        ),
        verify_content_receipt(),
        *([wipe_staging()] if wipes_staging else []),
    )
