"""Printing the 確認書 of a form, once, before the form asks."""

from notice_cycle import clock
from notice_cycle.confirmations import find_paper, printed_number
from notice_cycle.printing import print_document
from notice_cycle.records import ConfirmationPrinted
from notice_cycle.values import sha256
from notice_cycle_airflow.run_context import RunningCycle


def lay_out_confirmation(cycle: RunningCycle, form: str) -> str:
    """Prints the paper of a form unless it lies there. Gives its number, empty when the form has none."""
    from notice_cycle.handover.papers import confirmation

    with cycle.ledger.locked(cycle.id, ConfirmationPrinted.kind()):
        history = cycle.history()
        if paper := find_paper(form, history):
            pdf = confirmation(paper.content, at=paper.at, synthetic=cycle.opening.synthetic)
            print_document(cycle.settings, paper.number, pdf)
            cycle.note(
                ConfirmationPrinted(
                    form=form,
                    number=paper.number,
                    after=paper.after,
                    document_sha256=sha256(pdf),
                    printed_at=clock.now(),
                )
            )
            return paper.number
        known = {fact.form for fact in history.facts(ConfirmationPrinted)}
        return printed_number(form, history) if form in known else ""
