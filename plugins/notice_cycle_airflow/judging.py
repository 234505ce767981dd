"""What a contractor says beside the messages that a stage waits for: judged, kept, and told when it is against the rules.

Runs at the beginning of the stages that need it. A message that cannot stand goes to quarantine and is told by mail;
it stops nothing, because the stage that needs its content will miss it.
"""

from typing import Any

from notice_cycle.copies import CopyViolation, HandlerViolation, copies_of, find_violations, judge_reply
from notice_cycle.copies.judging import JUDGED, is_too_early, keeps
from notice_cycle.copies.told import named_people
from notice_cycle.copies.violations import find_erased_too_early, find_unknown_handlers, sentence_ja
from notice_cycle.errors import Refused
from notice_cycle.handover.route import route_of
from notice_cycle.records import DeliveryRecord, HandoverBegun, ReplyReceived, ReplyRefused
from notice_cycle_airflow.notifiers.ward_mail import TOLD_TO, WardMail
from notice_cycle_airflow.run_context import RunningCycle


def judge_replies(cycle: RunningCycle, context: Any) -> None:
    """Every message of these kinds that was not judged yet, then the violations that nobody was told of."""
    with cycle.ledger.locked(cycle.id, "judge_replies"):
        for kind in JUDGED:
            if is_too_early(kind, cycle.history()) or _all_judged(cycle, kind.kind):
                continue
            for admitted in cycle.all_received(kind):
                if admitted.sha256 in keeps(cycle.history()):
                    continue
                try:
                    with cycle.judging((kind, admitted.sha256)):
                        fact = judge_reply(
                            admitted.message,
                            cycle.history(),
                            party=admitted.party,
                            message_sha256=admitted.sha256,
                            subcontractors=cycle.signers.values(),
                        )
                except Refused as wrong:
                    facts = {"cycle": cycle.id, "message": kind.label_ja, "reason": str(wrong)}
                    WardMail("reply_refused", "operator", facts)(context)
                else:
                    cycle.note(fact)
        _tell_violations(cycle, context)


def tell_violations(cycle: RunningCycle, context: Any) -> None:
    """The violations that the record just entered shows and that nobody was told of."""
    with cycle.ledger.locked(cycle.id, "judge_replies"):
        _tell_violations(cycle, context)


def _all_judged(cycle: RunningCycle, kind: str) -> bool:
    """Told by the ledger alone: at the end of a cycle the inbox is gone."""
    history = cycle.history()
    settled = keeps(history) | {fact.message_sha256 for fact in history.facts(ReplyRefused)}
    return all(
        fact.message_sha256 in settled for fact in history.facts(ReplyReceived) if fact.message == kind
    )


def _tell_violations(cycle: RunningCycle, context: Any) -> None:
    history, register, contractor = cycle.history(), cycle.register(), cycle.configuration.party.id
    copies = copies_of(history, beyond=cycle.packages_beyond())
    found: list[CopyViolation | HandlerViolation] = [
        *find_violations(
            copies,
            register,
            contractor=contractor,
            routes={
                route_of(history, cycle.configuration),
                *(fact.route for fact in history.facts(HandoverBegun)),
            },
            computers={name for record in history.ever(DeliveryRecord) for name in record.computers},
        ),
        *find_erased_too_early(history, copies),
        *find_unknown_handlers(named_people(history, contractor, register), register),
    ]
    told = [*history.facts(CopyViolation), *history.facts(HandlerViolation)]
    fresh = [violation for violation in found if violation not in told]
    if not fresh:
        return
    notice, what_ja = cycle.configuration.notice, "・".join(dict.fromkeys(one.label_ja for one in fresh))
    facts = {
        "cycle": cycle.id,
        "notice": notice.name_ja,
        "what_ja": what_ja if len(fresh) == 1 else f"{what_ja} {len(fresh)}件",
        "reason": "\n".join(sentence_ja(violation, register) for violation in fresh),
    }
    WardMail("violation", TOLD_TO["violation"], facts, notice.section)(context)
    for violation in fresh:  # after the mail: one too many after a crash, never one too few
        cycle.note(violation)
