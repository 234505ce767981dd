"""A ledger and its noted head: restored, cut off or exchanged is noticed at once; a crash and a crowd are not."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests.builders import CYCLE, TASK, a_cycle, an_event
from tests.conftest import LOGINS, LedgerDatabase

from notice_cycle import records as r
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.ledger.heads import Head, Heads
from notice_cycle.ledger.store import Ledger, set_up

ROOT = Path(__file__).parents[3]
GONE = r"記録済みの末尾（第4号）より前の状態に戻っているか、別の台帳です"


@pytest.fixture
def heads(tmp_path: Path) -> Heads:
    (tmp_path / "heads").mkdir()
    return Heads(tmp_path / "heads")


@pytest.fixture
def ledger(ledger_database: LedgerDatabase, heads: Heads) -> Ledger:
    """The first entry, an opening and two facts: four entries, the last of them noted."""
    ledger = Ledger(ledger_database.writer, heads)
    a_cycle().up_to(r.OpeningRecord).noting(an_event(1), an_event(2)).entered_in(ledger)
    return ledger


def test_every_append_is_noted(ledger_database: LedgerDatabase, ledger: Ledger, heads: Heads) -> None:
    assert heads.noted() == [Head(*ledger_database.head)] == [Head.of(ledger.head())]
    entry = ledger.enter(CYCLE, a_cycle()[r.ExtractionRecord], TASK, after=r.OpeningRecord)
    assert heads.noted() == [Head.of(entry)]


def test_a_new_ledger_notes_its_first_entry(empty_database: str, heads: Heads) -> None:
    set_up(empty_database, ward="架空区", synthetic=True, logins=LOGINS)
    with psycopg.connect(empty_database) as connection:
        connection.execute("ALTER TABLE ledger.entry DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM ledger.entry")
    ledger = Ledger(empty_database, heads)
    ledger.begin(ward="架空区", synthetic=True)
    assert heads.noted() == [Head.of(ledger.genesis())]
    ledger.begin(ward="架空区", synthetic=True)  # twice changes nothing
    assert heads.noted() == [Head.of(ledger.genesis())]


def test_a_ledger_as_it_was_left_passes(ledger: Ledger) -> None:
    ledger.compare_heads()


def test_before_anything_was_noted_everything_passes(ledger_database: LedgerDatabase, heads: Heads) -> None:
    Ledger(ledger_database.writer, heads).compare_heads()


@pytest.mark.parametrize(
    "forgery",
    [
        "DELETE FROM ledger.entry WHERE seq = 4",
        "DELETE FROM ledger.entry WHERE seq > 1",
        "TRUNCATE ledger.entry",
        "UPDATE ledger.entry SET digest = repeat('0', 64) WHERE seq = 4",
    ],
    ids=["cut off", "restored to its beginning", "emptied", "another entry in its place"],
)
def test_a_ledger_that_lost_its_head_is_noticed_at_once(
    ledger_database: LedgerDatabase, ledger: Ledger, forgery: str
) -> None:
    ledger_database.tamper(forgery)
    with pytest.raises(Refused, match=GONE) as caught:
        ledger.compare_heads()
    assert "台帳の復旧" in caught.value.advice
    assert "責任者" in caught.value.advice


def test_another_ledger_is_noticed_also_when_it_is_longer(
    ledger: Ledger, heads: Heads, empty_database: str
) -> None:
    set_up(empty_database, ward="架空区", synthetic=True, logins=LOGINS)
    another = make_conninfo(empty_database, user="airflow_task")
    for number in range(6):
        Ledger(another).note(CYCLE, an_event(number), TASK)
    with pytest.raises(Refused, match=GONE):
        Ledger(another, heads).compare_heads()


def test_a_task_that_began_before_the_restore_writes_nothing_into_it(
    ledger_database: LedgerDatabase, ledger: Ledger, heads: Heads
) -> None:
    noted = heads.noted()
    ledger_database.tamper("DELETE FROM ledger.entry WHERE seq > 2")
    for act in (
        lambda: ledger.note(CYCLE, an_event(), TASK),
        lambda: ledger.enter(CYCLE, a_cycle()[r.ExtractionRecord], TASK, after=r.OpeningRecord),
        lambda: ledger.begin(ward="架空区", synthetic=True),
    ):
        with pytest.raises(Refused, match=GONE):
            act()
    assert (ledger_database.head[0], heads.noted()) == (2, noted)


def test_a_crash_between_append_and_note_is_harmless(
    ledger_database: LedgerDatabase, ledger: Ledger, heads: Heads, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = heads.noted()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Heads, "note", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        ledger.note(CYCLE, an_event(3), TASK)
    assert (ledger_database.head[0], heads.noted()) == (5, before)
    ledger.compare_heads()
    entry = ledger.note(CYCLE, an_event(4), TASK)
    assert heads.noted() == [Head.of(entry)]


def test_an_append_that_is_not_committed_is_not_noted(ledger: Ledger, heads: Heads) -> None:
    before = heads.noted()
    with pytest.raises(Refused, match="有効ではありません"):
        ledger.enter(CYCLE, a_cycle()[r.ValidationRecord], TASK, after=r.ExtractionRecord)
    assert heads.noted() == before


def test_a_folder_that_is_gone_stops_the_append_before_it_happens(
    ledger_database: LedgerDatabase, tmp_path: Path
) -> None:
    ledger = Ledger(ledger_database.writer, Heads(tmp_path / "not mounted"))
    with pytest.raises(CannotLook, match="末尾の控え"):
        ledger.note(CYCLE, an_event(), TASK)
    assert ledger_database.head[0] == 1


def test_a_crowd_of_writers_leaves_the_true_head(
    ledger_database: LedgerDatabase, ledger: Ledger, heads: Heads, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.integration.ledger.a_writer", "note and head"]
    processes = [
        subprocess.Popen(
            [*command, ledger_database.writer, str(tmp_path / "heads"), "30"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "include")])},
        )
        for _ in range(3)
    ]
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda n: [ledger.note(CYCLE, an_event(n), TASK) for _ in range(30)], range(5)))
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert ledger_database.head[0] == 4 + 8 * 30
    assert heads.noted() == [Head(*ledger_database.head)]


def test_without_a_folder_nothing_is_compared(ledger_database: LedgerDatabase, ledger: Ledger) -> None:
    ledger_database.tamper("DELETE FROM ledger.entry WHERE seq = 4")
    unaware = Ledger(ledger_database.writer)
    unaware.compare_heads()
    assert unaware.note(CYCLE, an_event(), TASK).seq == 4
