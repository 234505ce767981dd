"""An exercise of the line being down counts once its dispatch went out on disc and came to its end."""

from datetime import date, timedelta

import pytest
from tests.builders import CONFIG, CYCLE, TANTO, ACycle, a_cycle, on_disc

from notice_cycle import records as r
from notice_cycle.exercise import LGWAN_DRILL, ExerciseHeld, find_held
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.ledger.store import Ledger
from notice_cycle.register import read_register
from notice_cycle.register.entering import exercises_held
from notice_cycle.register.kinds import ExerciseEntry

SWITCHED = r.RouteSwitched(route="dvd", reason_code="drill", decided_by=TANTO)
REFUSED = r.AnswerRefused(form="upload", answered_by=TANTO, reason_ja="違います。")


def a_drill(**handover: object) -> ACycle:
    return a_cycle().with_(opening={"reason_code": "drill"}, handover=handover or on_disc())


DRILL = a_drill().noting(SWITCHED, REFUSED)


def test_it_tells_when_was_switched_when_handed_over_and_what_was_refused() -> None:
    held = find_held(DRILL.history())
    assert held is not None
    assert (held.exercise, held.findings) == (LGWAN_DRILL, 1)
    disc = DRILL[r.HandoverRecord].dvd
    assert disc is not None
    assert held.handed_at == disc.handed_at
    switching = next(entry for entry in DRILL.history().entries if entry.kind == SWITCHED.kind())
    assert held.switched_at == switching.recorded_at


@pytest.mark.parametrize(
    "cycle",
    [
        a_cycle().with_(handover=on_disc()).noting(SWITCHED),  # an ordinary dispatch
        a_drill(party="example_print").noting(SWITCHED),  # it went by line all the same
        a_drill(),  # nobody switched
        DRILL.up_to(r.DestructionRecord),  # not at its end
    ],
)
def test_what_is_no_exercise_is_not_counted(cycle: ACycle) -> None:
    assert find_held(cycle.history()) is None


def test_it_is_entered_once_and_the_register_knows_it_from_its_end_on(ledger: Ledger) -> None:
    DRILL.entered_in(ledger)
    held = find_held(ledger.history(CYCLE))
    assert held is not None
    ledger.note(CYCLE, held, TANTO)
    assert find_held(ledger.history(CYCLE)) is None
    ended = tokyo_date(held.completed_at)
    (known,) = read_register(ledger, CONFIG, ended).held(ExerciseEntry, ended)
    assert (known.content.cycle, known.content.held_on) == (CYCLE, tokyo_date(held.handed_at))
    before = ended - timedelta(days=1)
    assert read_register(ledger, CONFIG, before).ever(ExerciseEntry) == []
    assert exercises_held(ledger.entries(kind=ExerciseHeld.kind()), date(2026, 4, 1)) == []
