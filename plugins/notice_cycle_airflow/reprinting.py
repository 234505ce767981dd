"""Printing a paper again, once a run however often its task runs; a task that died between printer and ledger prints twice."""

from collections.abc import Mapping

from notice_cycle import clock
from notice_cycle.confirmations import paper_of
from notice_cycle.errors import Refused
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.printing import print_document
from notice_cycle.records import ConfirmationPrinted, DiscPaperPrinted, PaperReprinted
from notice_cycle.reprinting import find_printed, next_issue
from notice_cycle.values import Person, sha256
from notice_cycle_airflow.run_context import RunningCycle


def reprint(cycle: RunningCycle, asked: Mapping[str, str], person: Person, *, asked_in: str) -> str:
    """Prints what is asked for as the next 再発行 and notes it. Gives the name it has in the printer."""
    with cycle.ledger.locked(cycle.id, PaperReprinted.kind()):
        history = cycle.history()
        for done in history.facts(PaperReprinted):
            if done.asked_in == asked_in:
                return _name(done.number, done.issue)
        number, reason = asked["number"].strip(), asked["reason_code"]
        printed = find_printed(history, cycle.register(), number, reason, by=person)
        issue = next_issue(history, number)
        pdf = _set_again(cycle, history, printed, issue)
        print_document(cycle.settings, _name(number, issue), pdf)
        cycle.note(
            PaperReprinted(
                number=number,
                issue=issue,
                reason_code=reason,
                document_sha256=sha256(pdf),
                asked_in=asked_in,
                decided_by=person,
                printed_at=clock.now(),
            ),
            by=person,
        )
        return _name(number, issue)


def _name(number: str, issue: int) -> str:
    return f"{number}-再発行{issue}"


def _set_again(
    cycle: RunningCycle, history: CycleHistory, printed: ConfirmationPrinted | DiscPaperPrinted, issue: int
) -> bytes:
    # Only here: setting a document loads the typesetter.
    from notice_cycle.handover.papers import confirmation

    if isinstance(printed, DiscPaperPrinted):
        from notice_cycle_airflow.discs import paper_again

        return paper_again(cycle, printed, reissue=issue)
    paper = paper_of(printed, history)
    if paper is None:
        raise Refused(
            f"{printed.number} は、やり直しで使わなくなった印刷物です。",
            advice="やり直した後に印刷されたものを使ってください。",
        )
    return confirmation(paper.content, at=paper.at, synthetic=cycle.opening.synthetic, reissue=issue)
