"""Stage 8, 納品."""

from airflow.sdk import chain, task, task_group

from notice_cycle.delivery.confirmation import DeliveryConfirmation
from notice_cycle.exchange.messages import DeliveryReport, PrintLog
from notice_cycle.records import DeliveryRecord
from notice_cycle_airflow.operators.evidence_form import EvidenceForm
from notice_cycle_airflow.sensors.contractor_reply import ContractorReplySensor


@task_group(group_id="delivery", group_display_name="8 納品")
def delivery() -> None:
    @task(task_display_name="印刷ログと納品報告の照合")
    def verify_delivery() -> str:
        """印刷枚数と納品数量を計画と照合し、計画を超える印刷に理由があることを確かめます。差異は通知書番号の一覧を印刷します。"""
        from notice_cycle.delivery.reconcile import verify_delivery
        from notice_cycle.pullout import pulled
        from notice_cycle.pullout.rules import require_no_open_pullout
        from notice_cycle.records import CompositionRecord, EncryptionRecord
        from notice_cycle_airflow.judging import judge_replies, tell_violations
        from notice_cycle_airflow.reconciling import reconcile_delivery
        from notice_cycle_airflow.run_context import current_cycle, telling, the_context

        with telling():
            cycle = current_cycle()
            judge_replies(cycle, the_context())

            def judged(history):
                cycle.judge_gates("delivery")
                require_no_open_pullout(history)
                party, notice = cycle.configuration.party, cycle.configuration.notice.id
                contracts = cycle.register().contracts_for(notice, party.id)
                log, log_digest = cycle.received(PrintLog)
                report, report_digest = cycle.received(DeliveryReport)
                with cycle.judging((PrintLog, log_digest), (DeliveryReport, report_digest)):
                    list_number = reconcile_delivery(cycle, report, report_digest)
                    return verify_delivery(
                        history.latest(CompositionRecord),
                        history.latest(EncryptionRecord),
                        log,
                        report,
                        log_sha256=log_digest,
                        report_sha256=report_digest,
                        signed_by=party.signer,
                        reasons=party.print_reasons,
                        pulled=pulled(history),
                        places=sorted({held.content.delivery_place for held in contracts}),
                        list_number=list_number,
                    )

            digest = cycle.once(DeliveryRecord, judged)
            tell_violations(cycle, the_context())
            return digest

    chain(
        ContractorReplySensor(
            task_id="wait_for_delivery",
            task_display_name="待機: 印刷ログと納品報告",
            kinds=[PrintLog, DeliveryReport],
            settles=DeliveryRecord,
        ),
        verify_delivery(),
        EvidenceForm(task_id="confirm_delivery", form=DeliveryConfirmation),
    )
