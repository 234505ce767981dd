"""Stage 9, 消去."""

from airflow.sdk import chain, task, task_group

from notice_cycle.erasure.confirmation import ErasureConfirmation
from notice_cycle.erasure.verify import parties_that_erase
from notice_cycle.exchange.messages import ErasureCertificate, ErasureReport
from notice_cycle.handover.returns import Returns
from notice_cycle.records import ErasureRecord
from notice_cycle_airflow.operators.evidence_form import EvidenceForm
from notice_cycle_airflow.sensors.contractor_reply import ContractorReplySensor


@task_group(group_id="erasure", group_display_name="9 消去")
def erasure() -> None:
    @task(task_display_name="消去報告書と消去証明書の照合")
    def verify_erasure() -> str:
        """委託先が持っていた控えがすべて消去され、証明されていることを確かめます。"""
        from notice_cycle.erasure.verify import proofs_of, verify_erasure
        from notice_cycle.handover.route import packages_that_left
        from notice_cycle_airflow.judging import judge_replies
        from notice_cycle_airflow.run_context import current_cycle, telling, the_context

        with telling():
            cycle = current_cycle()
            judge_replies(cycle, the_context())

            def judged(history):
                cycle.judge_gates("erasure")
                name_of = cycle.register().name_of
                reports, certificates = (
                    cycle.all_received(kind) for kind in (ErasureReport, ErasureCertificate)
                )
                proofs = proofs_of(history, reports, certificates, name_of)
                messages = [(ErasureReport, proof.report_sha256) for proof in proofs]
                messages += [(ErasureCertificate, proof.certificate_sha256) for proof in proofs]
                with cycle.judging(*messages):
                    beyond = cycle.packages_beyond()
                    left = packages_that_left(history, beyond)
                    return verify_erasure(history, proofs, left=left, beyond=beyond, name_of=name_of)

            return cycle.once(ErasureRecord, judged)

    chain(
        ContractorReplySensor(
            task_id="wait_for_erasure",
            task_display_name="待機: 消去報告書と消去証明書",
            kinds=[ErasureReport, ErasureCertificate],
            settles=ErasureRecord,
            of=parties_that_erase,
        ),
        verify_erasure(),
        EvidenceForm(task_id="confirm_erasure", form=ErasureConfirmation),
    )
    EvidenceForm(
        task_id="confirm_returns", form=Returns
    )  # beside the erasure; skipped where no disc went out
