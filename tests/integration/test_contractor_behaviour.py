"""Every named way of a contractor gets the expected reaction; none closes a cycle, none loses a file."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.conftest import LedgerDatabase, a_database
from tests.simulator.ward import Reaction, SimulatedWard, stands_before
from tests.simulator.ways import WAYS, Way, as_document

from notice_cycle.ledger.store import Ledger

DOCUMENT = Path(__file__).parents[2] / "docs" / "contractor-behaviour.md"
Prepared = Callable[[Way], Ledger]


@pytest.fixture(scope="module")
def ledger_before(postgres: str, _ledger_template: str) -> Prepared:
    """A ledger of its own for a way: a copy of the one that stands before its stage."""

    @cache
    def template(stage: str, before: int) -> str:
        database = LedgerDatabase(a_database(postgres, _ledger_template))
        way = next(way for way in WAYS if (way.stage, id(way.cycle)) == (stage, before))
        stands_before(stage, way.cycle, database.ledger)
        return str(conninfo_to_dict(database.superuser)["dbname"])

    def copied(way: Way) -> Ledger:
        return LedgerDatabase(a_database(postgres, template(way.stage, id(way.cycle)))).ledger

    return copied


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
async def test_a_contractor_gets_the_reaction_that_is_expected(
    way: Way, ledger_before: Prepared, tmp_path: Path
) -> None:
    ward = SimulatedWard(tmp_path, ledger_before(way), way.stage, way.cycle)
    way.play(ward)
    told = await ward.reaction()  # whatever is not one of our errors fails here
    assert told.reaction == way.reaction, told.sentence
    assert way.says in told.sentence
    assert ward.never_closes()
    assert [name for name, content in ward.laid.items() if not ward.keeps(content)] == []
    if told.reaction == Reaction.QUARANTINED:
        assert "reply_refused" in ward.mails
        assert list((tmp_path / "inbox" / "quarantine").rglob("*.sig"))


def test_there_are_at_least_forty_bad_ways_of_every_temper() -> None:
    assert len({way.name for way in WAYS}) == len(WAYS)
    assert sum(way.temper != "正直" for way in WAYS) >= 40
    assert {way.temper for way in WAYS} == {"正直", "遅い", "黙る", "誤る", "雑", "悪意"}
    assert {way.reaction for way in WAYS} == set(Reaction)


def test_the_table_in_the_documents_is_this_one() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == as_document()
