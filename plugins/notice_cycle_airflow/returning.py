"""発送結果: telling the core system what became of every notice, once, before the dispatch index is destroyed."""

import logging

from notice_cycle import clock
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.pullout import pulled
from notice_cycle.records import CompositionRecord, ResultsReturned
from notice_cycle.vault.names import DISPATCH_INDEX
from notice_cycle_airflow.run_context import RunningCycle

_log = logging.getLogger(__name__)


def return_results(cycle: RunningCycle) -> str:
    """Writes the files, or finds that they were written; gives what XCom may show: counts."""
    from notice_cycle.notice_reconciliation import read_dispatch
    from notice_cycle.result_file import load_format, outcomes, write_results

    with cycle.ledger.locked(cycle.id, ResultsReturned.kind()):
        history = cycle.history()
        if returned := history.facts(ResultsReturned):
            _log.info("発送結果は、すでに返しています。何もしません。")
            return returned[-1].file.sha256
        if not cycle.vault.has(DISPATCH_INDEX):
            _log.warning("一時保管領域に通知書番号の索引がないため、発送結果は返せません。")
            return "索引がないため、返していません"
        notice, now = cycle.configuration.notice, clock.now()
        composition = history.latest(CompositionRecord)
        dispatched = read_dispatch(cycle.vault, notice.subject, composition, pulled(history))
        fact = write_results(
            outcomes(dispatched, history, cycle.vault),
            load_format(cycle.settings.config_folder, notice.id, tokyo_date(now)),
            cycle.settings.result_root / notice.id,
            notice=notice.id,
            cycle=cycle.id,
            as_of=history.current[-1].recorded_at,
            at=now,
        )
        cycle.note(fact)
        return fact.file.sha256
