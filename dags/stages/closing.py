"""Stage 10, 完了."""

from airflow.sdk import task, task_group


@task_group(group_id="closing", group_display_name="10 完了")
def closing() -> None:
    # Without a disc the form of the returns is skipped, and this runs all the same.
    @task(task_display_name="発送結果の返送", trigger_rule="none_failed_min_one_success")
    def return_results() -> str:
        """どの通知を発送し、引き抜き、差し替えたかを、基幹系のフォルダにファイルで返します。索引を廃棄する前に、一度だけ行います。"""
        from notice_cycle.posting import contractor_posts, require_posted
        from notice_cycle_airflow.judging import judge_replies
        from notice_cycle_airflow.reconciling import reconcile_posting
        from notice_cycle_airflow.returning import return_results
        from notice_cycle_airflow.run_context import current_cycle, telling, the_context

        with telling():
            cycle = current_cycle()
            judge_replies(cycle, the_context())
            history = cycle.history()
            if not history.recalled:
                reconcile_posting(cycle)
            if contractor_posts(history, cycle.register()):
                require_posted(history)
            return return_results(cycle)

    @task(task_display_name="区の控えと鍵の廃棄")
    def destroy() -> str:
        """委託先の控えと返却の関門を確かめてから、区の鍵、一時保管領域、送信箱、受信箱を廃棄し、残っていないことを見ます。"""
        from notice_cycle import clock
        from notice_cycle.closing import destroy, survey
        from notice_cycle.records import DestructionBegun, DestructionRecord
        from notice_cycle_airflow.judging import judge_replies
        from notice_cycle_airflow.run_context import current_cycle, telling, the_context

        with telling():
            cycle = current_cycle()
            judge_replies(cycle, the_context())
            places = (cycle.vault, cycle.settings.outbox, cycle.settings.inbox)

            def gone(history):
                cycle.judge_gates("closing")
                cycle.note(survey(*places, cycle=cycle.id))
                begun = cycle.history().facts(DestructionBegun)
                return destroy(*places, begun, cycle=cycle.id, at=clock.now())

            return cycle.once(DestructionRecord, gone)

    @task(task_display_name="証跡の確認と完了")
    def close() -> str:
        """証跡が揃い、証跡台帳の連鎖が一致することを確かめて、発送回を完了します。訓練なら、訓練の実施を記録します。"""
        from notice_cycle import clock
        from notice_cycle.closing import close
        from notice_cycle.exercise import find_held
        from notice_cycle.records import ClosingRecord
        from notice_cycle_airflow.run_context import current_cycle, telling

        with telling():
            cycle = current_cycle()
            closed = cycle.once(
                ClosingRecord, lambda history: close(history, cycle.ledger.verify(), at=clock.now())
            )
            if held := find_held(cycle.history()):
                cycle.note(held)
            return closed

    return_results() >> destroy() >> close()
