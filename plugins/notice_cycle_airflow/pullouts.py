"""The steps of a pull-out that no stage of a dispatch has: asking for it, encrypting the list, hearing what was taken out;
and letters taken out by hand after the delivery."""

import logging
from collections import Counter
from typing import Any, cast

from notice_cycle import clock
from notice_cycle.copies import PapersDestroyed
from notice_cycle.encryption.package import encrypt_package, next_number
from notice_cycle.errors import NotThereYet, Refused
from notice_cycle.exchange.messages import PulloutConfirmation
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import Posted, posted_envelopes
from notice_cycle.pullout import DeliveredPulledOut, PulloutConfirmed, PulloutHistory, PulloutRequested
from notice_cycle.pullout.facts import Purpose
from notice_cycle.pullout.folded import confirmation_of
from notice_cycle.pullout.rules import cancel, require_askable, verify_confirmation
from notice_cycle.records import (
    CompositionRecord,
    DeliveryRecord,
    EncryptionRecord,
    HandoverApprovalRecord,
    PulloutStep,
)
from notice_cycle.replies import refuse_open_conflicts
from notice_cycle.values import Person
from notice_cycle_airflow.notifiers.ward_mail import WardMail
from notice_cycle_airflow.run_context import RECALLED_JA, RunningCycle, RunningPullout

Run = tuple[str, str]
"""A DAG's id and that of its run."""

LEFT_JA = "引抜き受付フォルダの一覧を消せません。置いた職員が、いま消してください。"
_log = logging.getLogger(__name__)


def requested(cycle: RunningCycle, asked: dict[str, str], person: Person, run: Run) -> str:
    """Enters what a run asks for, once. Gives the request's number; empty when the open request was given up instead."""
    from notice_cycle.pullout.listing import remove_list

    # A request and the judgement of the delivery exclude each other.
    with cycle.ledger.locked(cycle.id, DeliveryRecord.kind()):
        history = cycle.history()
        if asked["decision"] == "cancel":
            cycle.note(cancel(history, by=person, at=clock.now()), by=person)
            return ""
        known = [one for one in history.facts(PulloutRequested) if (one.dag_id, one.run_id) == run]
        request = (
            known[-1] if known else _entered(cycle, history, cast(Purpose, asked["purpose"]), run, person)
        )
        if not remove_list(cycle.settings.pullout_desk, cycle.id):
            _log.warning(LEFT_JA)
        return request.number


def _entered(
    cycle: RunningCycle, history: CycleHistory, purpose: Purpose, run: Run, person: Person
) -> PulloutRequested:
    from notice_cycle.pullout.listing import request_pullout

    refuse_open_conflicts(history)
    require_askable(history, cycle.configuration, at=clock.now())
    request, listed = request_pullout(
        history,
        cycle.configuration,
        cycle.vault,
        cycle.settings.pullout_desk,
        cycle=cycle.id,
        number=len(history.facts(PulloutRequested)) + 1,
        purpose=purpose,
        run=run,
        synthetic=cycle.opening.synthetic,
        by=person,
        at=clock.now(),
    )
    cycle.note(
        PulloutStep.of(request.pullout, listed)
    )  # first: the request is found by its run, with its list
    cycle.note(request, by=person)
    return request


def taken_out(cycle: RunningCycle, asked: dict[str, str], person: Person, run: Run) -> str:
    """Enters what was taken out after the delivery, once, or takes the last entry back. Gives its number."""
    from notice_cycle.pullout.after_delivery import cancel_last, pull_out_delivered
    from notice_cycle.pullout.listing import remove_list

    # What is posted and what is taken out exclude each other.
    with cycle.ledger.locked(cycle.id, Posted.kind()):
        history = cycle.history()
        refuse_open_conflicts(history)
        if asked["decision"] == "cancel":
            cancelled = cancel_last(history, by=person, at=clock.now())
            cycle.note(cancelled, by=person)
            return str(cancelled.pullout)
        known = [one for one in history.facts(DeliveredPulledOut) if (one.dag_id, one.run_id) == run]
        fact = known[-1] if known else None
        if fact is None:
            try:
                fact = pull_out_delivered(
                    history,
                    asked,
                    _certificates(history),
                    cycle.configuration,
                    cycle.vault,
                    desk=cycle.settings.pullout_desk,
                    cycle=cycle.id,
                    run=run,
                    posted=posted_envelopes(history),
                    by=person,
                    at=clock.now(),
                )
            except NotThereYet as missing:  # a form that waits would hold up everybody else's
                raise Refused(
                    missing.message, advice="一覧を置いてから、もう一度開始してください。"
                ) from None
            cycle.note(fact, by=person)
        if not remove_list(cycle.settings.pullout_desk, cycle.id):
            _log.warning(LEFT_JA)
        return str(fact.pullout)


def _certificates(history: CycleHistory) -> Counter[str]:
    """Sheets that the contractor's certificates say were pulled out, by number."""
    found: Counter[str] = Counter()
    for one in history.facts(PapersDestroyed):
        found[one.certificate_number] += sum(paper.sheets for paper in one.papers if paper.what == "pulled")
    return found


def encrypted(cycle: RunningCycle, history: CycleHistory) -> EncryptionRecord:
    """Encrypts the approved list as the next package of the cycle."""
    request = cast(PulloutHistory, history).request
    cycle.judge_gates("encryption")
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
        contents=request.purpose,
        request_number=request.number,
        passphrase_name=cycle.passphrase_name,
    )


def confirmed(cycle: RunningCycle, context: Any) -> str:
    """Keeps the contractor's confirmation, once, and tells the section of letters that he did not find."""
    running = cast(RunningPullout, cycle)
    with cycle.ledger.locked(cycle.id, PulloutConfirmed.kind()):
        history = running.history()
        if history.recalled:
            return RECALLED_JA
        if confirmation_of(history, running.pullout):
            return history.request.number
        message, digest = cycle.received(PulloutConfirmation)
        with cycle.judging((PulloutConfirmation, digest)):
            fact = verify_confirmation(
                history, message, party=cycle.configuration.party.id, message_sha256=digest
            )
        cycle.note(fact)
    if fact.not_found:
        reason = f"依頼 {history.request.number} のうち{fact.not_found:,}通が見つかりません。"
        facts = {
            "cycle": cycle.id,
            "notice": cycle.configuration.notice.name_ja,
            "message": "引抜き・差替えの確認",
            "stage": "delivery",
            "reason": reason,
        }
        WardMail("discrepancy", "section", facts)(context)
        _log.warning("%s", reason)
    return history.request.number
