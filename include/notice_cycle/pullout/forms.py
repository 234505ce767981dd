"""The two forms of a pull-out: the section's officer confirms what the list turned out to be, another person approves it.

They show counts only; either may give the request up, as long as nothing left.
"""

from typing import cast

from notice_cycle.catalogue import Configuration
from notice_cycle.errors import Refused
from notice_cycle.forms import Answer, Form, table
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout.facts import REASONS_JA, PulloutCancelled, PulloutRequested
from notice_cycle.pullout.folded import PulloutHistory
from notice_cycle.pullout.rules import require_in_time
from notice_cycle.records import CompositionRecord, HandoverApprovalRecord, ValidationConfirmationRecord

CONFIRM, APPROVE, CANCEL = "確認した", "承認する", "取りやめる"


class PulloutCheck(Form):
    """The officer looks at the counts of the list he put down."""

    id = "pullout_check"
    title_ja = "引抜き・差替えの依頼の確認"
    role = "担当"
    options = (CONFIRM, CANCEL)
    record = ValidationConfirmationRecord

    def body(self, history: CycleHistory) -> str:
        """What the list turned out to be."""
        return "\n".join(
            [
                "一覧を読み、すべての番号がこの発送回にあることを確かめました。一覧の原本の件数と照らし合わせてください。",
                "",
                _counts(history),
            ]
        )

    def judge(
        self, answer: Answer, history: CycleHistory
    ) -> ValidationConfirmationRecord | tuple[PulloutCancelled, ...]:
        """Passes the list on to the approver."""
        if answer.option == CANCEL:
            return _cancelled(answer, history)
        return ValidationConfirmationRecord(confirmed_by=answer.by, confirmed_at=answer.at)


class PulloutApproval(Form):
    """The approver releases exactly this list; not who put it down, nor who confirmed it."""

    id = "pullout_approval"
    title_ja = "引抜き・差替えの依頼の承認"
    role = "承認者"
    options = (APPROVE, CANCEL)
    record = HandoverApprovalRecord

    def body(self, history: CycleHistory) -> str:
        """Counts by reason, what changes, who confirmed."""
        confirmed = history.latest(ValidationConfirmationRecord).confirmed_by
        return "\n".join(
            [
                "承認すると、一覧を暗号化し、印字データと同じ経路で委託先に渡します。パスワードは別の機会に渡します。",
                f"締切（{_until(history)}）を過ぎると、翌日まで承認できません。",
                "",
                _counts(history),
                "",
                f"確認した者: {confirmed.name}",
            ]
        )

    def judge(
        self, answer: Answer, history: CycleHistory
    ) -> HandoverApprovalRecord | tuple[PulloutCancelled, ...]:
        """Approves these bytes in time."""
        if answer.option == CANCEL:
            return _cancelled(answer, history)
        confirmed = history.latest(ValidationConfirmationRecord).confirmed_by
        if answer.by.user_id in {confirmed.user_id, _request(history).requested_by.user_id}:
            raise Refused(
                "依頼または確認をした本人は承認できません（二人で確かめる決まりです）。",
                advice="別の承認者が回答してください。",
            )
        require_in_time(Configuration.model_validate(history.opening.configuration), answer.at)
        return HandoverApprovalRecord(
            approved_by=answer.by,
            approved_at=answer.at,
            print_file_sha256=history.latest(CompositionRecord).print_file.sha256,
        )


def _request(history: CycleHistory) -> PulloutRequested:
    return cast(PulloutHistory, history).request


def _until(history: CycleHistory) -> str:
    return Configuration.model_validate(history.opening.configuration).party.pullout_until


def _counts(history: CycleHistory) -> str:
    request, listed = _request(history), history.latest(CompositionRecord)
    reasons = "、".join(f"{REASONS_JA[reason]} {count:,}通" for reason, count in request.by_reason.items())
    facts = [
        ("依頼の番号", request.number),
        ("区分", request.purpose),
        ("通知書", f"{request.notices:,}通（{listed.quantities.persons:,}人）"),
        ("理由", reasons),
        ("なくなる封筒", f"{request.envelopes:,}封"),
        ("一部だけ抜く封筒", f"{request.opened:,}封"),
        ("依頼した者", request.requested_by.name),
        ("一覧の SHA-256", f"`{listed.print_file.sha256}`"),
    ]
    return table(facts)


def _cancelled(answer: Answer, history: CycleHistory) -> tuple[PulloutCancelled, ...]:
    return (
        PulloutCancelled(pullout=_request(history).pullout, cancelled_by=answer.by, cancelled_at=answer.at),
    )
