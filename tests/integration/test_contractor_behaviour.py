"""Every named way of a contractor gets the expected reaction; none closes a cycle, none loses a file."""

from pathlib import Path

import pytest
from tests.simulator.ward import Reaction, SimulatedWard
from tests.simulator.ways import WAYS, Way, as_document, cycle_of

from notice_cycle.ledger.store import Ledger

DOCUMENT = Path(__file__).parents[2] / "docs" / "contractor-behaviour.md"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
async def test_a_contractor_gets_the_reaction_that_is_expected(
    way: Way, ledger: Ledger, tmp_path: Path
) -> None:
    ward = SimulatedWard(tmp_path, ledger, way.stage, cycle_of(way))
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
