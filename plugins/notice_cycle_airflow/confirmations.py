"""Printing the 確認書 of a form, each once, before the form asks."""

from notice_cycle import clock
from notice_cycle.confirmations import find_paper, printed_numbers
from notice_cycle.printing import print_document
from notice_cycle.records import ConfirmationPrinted
from notice_cycle.values import sha256
from notice_cycle_airflow.run_context import RunningCycle


def lay_out_confirmation(cycle: RunningCycle, form: str) -> str:
    """Prints the papers of a form unless they lie there. Gives their numbers, empty when the form has none."""
    from notice_cycle.handover.papers import confirmation

    with cycle.ledger.locked(cycle.id, ConfirmationPrinted.kind()):
        while paper := find_paper(form, cycle.history()):
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
        history = cycle.history()
        known = {fact.form for fact in history.facts(ConfirmationPrinted)}
        return "、".join(printed_numbers(form, history)) if form in known else ""
