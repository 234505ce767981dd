"""A form of the process as an Airflow task: it asks, waits without a slot, and keeps the answer in the ledger.

A form whose valid answer stands in the ledger does not ask again; one that another cycle asks already waits for that
answer, without a slot. A refused answer is noted, mailed and asked
again with the reason. There is no default and no time-out. Form contents come from `notice_cycle.forms`.
"""

from collections.abc import Sequence
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from notice_cycle import clock
from notice_cycle.accounts import person_of, require_section, sections_of
from notice_cycle.confirmations import Staff, opened, settled
from notice_cycle.errors import Conflict, Differs, NotThereYet, Refused
from notice_cycle.forms import Answer, Field, Form
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import AnswerRefused, Decision, Fact, OpeningRecord, Record
from notice_cycle.register import read_exceptions, read_register
from notice_cycle.replies import refuse_open_conflicts
from notice_cycle.stage import is_passed_over
from notice_cycle_airflow.confirmations import lay_out_confirmation
from notice_cycle_airflow.notifiers.ward_mail import TOLD_TO, WardMail
from notice_cycle_airflow.run_context import RECALLED_JA, RunningCycle, current_cycle, telling

_MAIL_ROLES = {"担当": "section", "承認者": "approver", "情報システム運用": "operator"}


class EvidenceForm(HITLOperator):
    """One form; assigned to the form's role. XCom shows the digest of the record, never the answer."""

    template_fields: Sequence[str] = ()

    def __init__(self, *, form: type[Form], **kwargs: Any) -> None:
        kwargs.pop("params", None)  # the DAG's own; what a form asks for is its own business
        super().__init__(
            subject=form.title_ja,
            options=list(form.options),
            params={field.key: _param(field) for field in form.fields},
            assigned_users=[{"id": f"role:{form.role}", "name": form.role}],
            task_display_name=f"書式: {form.title_ja}",
            **kwargs,
        )
        self.form = form()
        self._refusal = ""

    def execute(self, context: Any) -> str:
        """Asks, unless the answer stands. Parks the task."""
        with telling():
            cycle = current_cycle()
            history = cycle.history()
            if self._is_passed_over(history):
                return RECALLED_JA
            if not self.form.applies(history):
                raise AirflowSkipException("この発送回では使わない書式です。")
            if standing := self.form.standing(history):
                self.log.info("回答はすでに記録されています（第%d号）。", standing.seq)
                return standing.digest
            if taken_over := self._taken_over(cycle, history):
                return taken_over
            self._wait_for_the_other(cycle, history)
            notes = [f"**発送回** {cycle.id}　**回答する人** {self.form.role}"]
            if number := lay_out_confirmation(cycle, self.form.id):
                notes.append(f"**確認書** {number} を印刷しました。双方が署名してから記入してください。")
            if conflict := _open_conflict(history):
                notes.append(f"> **いまは回答できません。** {conflict}")
            if cycle.opening.synthetic:
                notes.append("**架空データ**（実在の人のデータではありません）")
            if self._refusal:
                notes.append(f"> **前の回答は受け付けられませんでした。** {self._refusal}")
            self.body = "\n\n".join([*notes, self.form.body(history)])
        facts = {
            "cycle": cycle.id,
            "form": self.form.title_ja,
            "role": self.form.role,
            "reason": self._refusal,
            "link": self.generate_link_to_ui_from_context(context=context, base_url=cycle.settings.base_url),
        }
        template = "answer_refused" if self._refusal else "form_waiting"
        self.notifiers = [WardMail(template, _MAIL_ROLES[self.form.role], facts)]
        return super().execute(context)  # type: ignore[no-any-return]  # it parks by raising

    def execute_complete(self, context: Any, event: dict[str, Any]) -> str:
        """Judges the answer: a record, a decision that stops, or the same form again with the reason."""
        with telling():
            if "error" in event:
                self.process_trigger_event_error(event)
            cycle = current_cycle()
            if self._is_passed_over(cycle.history()):
                return RECALLED_JA  # it was given up while the form waited
            if taken_over := self._taken_over(cycle, cycle.history()):
                return taken_over  # answered elsewhere while the form was open here
            answer = _answer(event)
            try:
                if cycle.is_pullout:  # whose DAG is every section's
                    require_section(
                        sections_of(str(event["responded_by_user"]["name"])),
                        [cycle.configuration.notice.section],
                        f"発送回 {cycle.id} ",
                    )
                outcome = self._judged(answer, cycle)
            except (Refused, Conflict) as wrong:
                self._refusal = str(wrong)
                cycle.note(
                    AnswerRefused(form=self.form.id, answered_by=answer.by, reason_ja=wrong.message),
                    by=answer.by,
                )
                if isinstance(wrong, Differs):
                    self._keep_open(wrong, answer, cycle, context)
            else:
                if isinstance(outcome, Decision):
                    cycle.note(outcome, by=answer.by)
                    raise AirflowFailException(
                        f"{answer.by.name} が{outcome.decision.value}としました（理由 {outcome.reason_code}）。"
                        " → 原因を直し、「抽出」のタスクからクリアして再実行してください。"
                    )
                for closed in settled(cycle.history(), self.form.id, answer.by):
                    cycle.note(closed, by=answer.by)
                if isinstance(outcome, Record):
                    return cycle.enter(outcome, by=answer.by)
                for fact in outcome:
                    cycle.note(fact, by=answer.by)
                standing = self.form.standing(cycle.history())
                return standing.digest if standing else ""
        return self.execute(context)

    def _taken_over(self, cycle: RunningCycle, history: CycleHistory) -> str | None:
        earlier = cycle.ledger.entries(kind=self.form.record.kind()) if self.form.record else []
        if carried := self.form.carried(earlier, history):
            self.log.info("この内容は、ほかの発送回で回答済みです。その回答を引き継ぎます。")
            return cycle.enter(carried)
        return None

    def _wait_for_the_other(self, cycle: RunningCycle, history: CycleHistory) -> None:
        openings = cycle.ledger.entries(kind=OpeningRecord.kind())
        if other := self.form.asked_in(openings, cycle.ledger.history, history):
            raise NotThereYet(
                f"「{self.form.title_ja}」は、同じ設定で先に始まった発送回 {other} でたずねています。",
                advice="そこで回答されると、この発送回はたずねずに続きます。先の発送回をやめたときは、取下げを記録してください。",
            )

    def _keep_open(self, wrong: Differs, answer: Answer, cycle: RunningCycle, context: Any) -> None:
        if fact := opened(cycle.history(), self.form.id, wrong, answer.by):
            cycle.note(fact, by=answer.by)
            facts = {"cycle": cycle.id, "message": self.form.title_ja, "reason": str(wrong)}
            WardMail("discrepancy", TOLD_TO["discrepancy"], facts)(context)

    def _is_passed_over(self, history: CycleHistory) -> bool:
        record = self.form.record
        return record is not None and is_passed_over(record, recalled=history.recalled)

    def _judged(self, answer: Answer, cycle: RunningCycle) -> Record | Decision | tuple[Fact, ...]:
        if answer.option not in self.form.options:
            raise Refused("選択肢が選ばれていません。", advice="いずれか一つを選んで送信してください。")
        history = cycle.history()
        refuse_open_conflicts(history)
        outcome = self.form.judge(answer, history)
        if not isinstance(outcome, Decision):
            register = read_register(cycle.ledger, cycle.settings.config_folder, clock.today())
            self.form.compare(outcome, history, Staff(register, read_exceptions(cycle.ledger)))
        return outcome


def _open_conflict(history: CycleHistory) -> str:
    """Why nobody may answer now, empty when everybody may: which of two answers holds is decided first."""
    try:
        refuse_open_conflicts(history)
    except Conflict as undecided:
        return str(undecided)
    return ""


def _answer(event: dict[str, Any]) -> Answer:
    who = event["responded_by_user"]
    chosen = event["chosen_options"]
    return Answer(
        option=chosen[0] if len(chosen) == 1 else "",
        fields={
            key: None if value is None else str(value) for key, value in (event["params_input"] or {}).items()
        },
        by=person_of(str(who["name"]), str(who["id"])),
        at=clock.now(),
    )


def _param(field: Field) -> Param:
    # Airflow 3.3 fails a task whose params are not valid before anyone has answered: every field may be null.
    schema: dict[str, Any] = {"type": ["null", "string"], "minLength": 1, "title": field.title_ja}
    if field.choices:
        schema = {
            "type": ["null", "string"],
            "enum": [*field.choices, None],
            "values_display": {"null": "（選んでください）"},
            "title": field.title_ja,
        }
    return Param(None, description=field.help_ja or None, **schema)
