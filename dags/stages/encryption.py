"""Stage 5, 暗号化."""

from airflow.sdk import task, task_group


@task_group(group_id="encryption", group_display_name="5 暗号化")
def encryption() -> None:
    @task(task_display_name="暗号化と送付目録の署名", pool="heavy")
    def encrypt() -> str:
        """委託先に確定数量を知らせ、承認された印字データを暗号化して送信箱に置きます。パスワードは一時保管領域の中だけで作ります。"""
        from notice_cycle import clock
        from notice_cycle.composition.differences import refuse_late_entries
        from notice_cycle.encryption.package import encrypt_package, next_number
        from notice_cycle.records import CompositionRecord, EncryptionRecord, HandoverApprovalRecord
        from notice_cycle_airflow.notifiers.ward_mail import deliver
        from notice_cycle_airflow.quantities import try_to_tell_quantities
        from notice_cycle_airflow.run_context import current_cycle, telling
        from notice_cycle_airflow.sources import differences

        with telling():
            cycle = current_cycle()
            try_to_tell_quantities(cycle.ledger, cycle.settings, cycle.id, cycle.actor, deliver)

            def encrypted(history):
                cycle.judge_gates("encryption")
                refuse_late_entries(
                    differences(cycle),
                    history.latest(CompositionRecord),
                    history.latest(HandoverApprovalRecord),
                )
                return encrypt_package(
                    history.latest(CompositionRecord),
                    history.latest(HandoverApprovalRecord),
                    cycle.configuration,
                    cycle.vault,
                    outbox=cycle.settings.outbox,
                    signing_key=cycle.settings.signing_key,
                    cycle=cycle.id,
                    number=next_number(history.ever_with_pullouts(EncryptionRecord), cycle.packages_beyond()),
                    synthetic=cycle.opening.synthetic,
                    at=clock.now(),
                )

            return cycle.once(EncryptionRecord, encrypted)

    encrypt()
