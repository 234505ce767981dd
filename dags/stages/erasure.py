"""Stage 9, 消去."""

from airflow.sdk import chain, task, task_group

from notice_cycle.erasure.confirmation import ErasureConfirmation
from notice_cycle.exchange.messages import ErasureCertificate, ErasureReport
from notice_cycle.records import ErasureRecord
from notice_cycle_airflow.operators.evidence_form import EvidenceForm
from notice_cycle_airflow.sensors.contractor_reply import ContractorReplySensor


@task_group(group_id="erasure", group_display_name="9 消去")
def erasure() -> None:
    @task(task_display_name="消去報告書と消去証明書の照合")
    def verify_erasure() -> str:
        """委託先が持っていた控えがすべて消去され、証明されていることを確かめます。"""
        from notice_cycle.erasure.verify import verify_erasure
        from notice_cycle.handover.route import packages_that_left
        from notice_cycle.records import (
            CompositionRecord,
            ContentReceiptRecord,
            DeliveryConfirmationRecord,
            EncryptionRecord,
        )
        from notice_cycle_airflow.run_context import current_cycle, telling

        with telling():
            cycle = current_cycle()

            def judged(history):
                cycle.judge_gates("erasure")
                report, report_digest = cycle.received(ErasureReport)
                certificate, certificate_digest = cycle.received(ErasureCertificate)
                with cycle.judging((ErasureReport, report_digest), (ErasureCertificate, certificate_digest)):
                    return verify_erasure(
                        history.latest(CompositionRecord),
                        history.latest(EncryptionRecord),
                        history.latest(DeliveryConfirmationRecord),
                        report,
                        certificate,
                        left=packages_that_left(history, cycle.packages_beyond()),
                        opened=history.ever(ContentReceiptRecord),
                        report_sha256=report_digest,
                        certificate_sha256=certificate_digest,
                        signed_by=cycle.configuration.party.signer,
                    )

            return cycle.once(ErasureRecord, judged)

    chain(
        ContractorReplySensor(
            task_id="wait_for_erasure",
            task_display_name="待機: 消去報告書と消去証明書",
            kinds=[ErasureReport, ErasureCertificate],
            settles=ErasureRecord,
        ),
        verify_erasure(),
        EvidenceForm(task_id="confirm_erasure", form=ErasureConfirmation),
    )
