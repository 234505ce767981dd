"""The ledger in a real PostgreSQL: who may write what, what stands, what is refused, and what a forger leaves."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests.builders import (
    CYCLE,
    NOTICE,
    TANTO,
    TASK,
    a_cycle,
    a_decision,
    a_digest,
    a_file,
    an_event,
    an_opening,
)
from tests.conftest import LOGINS, LedgerDatabase, a_database

from notice_cycle import clock
from notice_cycle import records as r
from notice_cycle.errors import CannotLook, Conflict, Refused
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.store import Ledger, set_up
from notice_cycle.records import DecisionKind
from notice_cycle.stage import CYCLE_RECORDS, predecessor_of
from notice_cycle.values import sha256

ROOT = Path(__file__).parents[3]
COLUMNS = ("seq", "cycle", "kind", "follows", "body", "digest")


def a_writer(*arguments: str) -> "subprocess.Popen[str]":
    """A process of its own that notes entries or holds a lock."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.ledger.a_writer", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "include")])},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def moved_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clock.json"
    clock.move_to(datetime(2027, 1, 2, tzinfo=UTC), file)
    monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(file))


class TestVerification:
    @pytest.fixture
    def written(self, ledger_database: LedgerDatabase) -> LedgerDatabase:
        a_cycle().up_to(r.HandoverRecord).noting(an_event()).entered_in(ledger_database.ledger)
        assert ledger_database.ledger.verify().holds
        return ledger_database

    def test_one_changed_byte_in_any_column_of_any_entry_is_found(self, written: LedgerDatabase) -> None:
        entries = len(written.ledger.entries())
        for seq in range(1, entries + 1):
            for column in COLUMNS[1:]:
                assert self._first_bad_after_changing(written, seq, column) == seq, (seq, column)

    def test_every_byte_of_a_text_counts(self, written: LedgerDatabase) -> None:
        handover = written.ledger.entries(kind=r.HandoverRecord.kind())[0]
        length = len(handover.text())
        for position in range(1, length + 1, 7):
            found = self._first_bad_after_changing(written, handover.seq, "body", position)
            assert found == handover.seq, position

    def _first_bad_after_changing(
        self, database: LedgerDatabase, seq: int, column: str, position: int = 1
    ) -> int | None:
        """One character of a stored value replaced by another, verified, and put back."""
        with psycopg.connect(database.superuser) as connection:
            row = connection.execute(
                f"SELECT {column} FROM ledger.entry WHERE seq = {seq}".encode()
            ).fetchone()
        assert row
        value = row[0]
        changed = (
            "x" if value is None else value[: position - 1] + _other(value[position - 1]) + value[position:]
        )
        self._store(database, seq, column, changed)
        verdict = database.ledger.verify()
        self._store(database, seq, column, value)
        assert f"第{seq}号が改ざんされているか欠けています" in verdict.reason_ja
        return verdict.first_bad

    def _store(self, database: LedgerDatabase, seq: int, column: str, value: Any) -> None:
        with psycopg.connect(database.superuser) as connection:
            connection.execute("ALTER TABLE ledger.entry DISABLE TRIGGER ALL")
            connection.execute(f"UPDATE ledger.entry SET {column} = %s WHERE seq = {seq}".encode(), (value,))

    @pytest.mark.parametrize(
        ("forgery", "first_bad", "reason"),
        [
            ("UPDATE ledger.entry SET seq = 99 WHERE seq = 4", 5, "第4号がありません"),
            ("DELETE FROM ledger.entry WHERE seq = 4", 5, "第4号がありません"),
            ("DELETE FROM ledger.entry WHERE seq = 1", 2, "第1号がありません"),
            ("DELETE FROM ledger.entry WHERE seq <= 3", 4, "第1号がありません"),
            ("DELETE FROM ledger.entry", 1, "第1号がありません"),
            ("TRUNCATE ledger.entry", 1, "第1号がありません"),
            (
                "UPDATE ledger.entry SET seq = seq + 1000 WHERE seq >= 4;"
                "INSERT INTO ledger.entry SELECT 4, cycle, kind, follows, body, repeat('0', 64)"
                " FROM ledger.entry WHERE seq = 3;"
                "UPDATE ledger.entry SET seq = seq - 999 WHERE seq > 1000",
                4,
                "本文とダイジェストが合いません",
            ),
            (
                "UPDATE ledger.entry SET seq = 1004 WHERE seq = 4; UPDATE ledger.entry SET seq = 4 WHERE seq = 5;"
                "UPDATE ledger.entry SET seq = 5 WHERE seq = 1004",
                4,
                "前の記録とのつながりが合いません",
            ),
        ],
        ids=[
            "seq changed",
            "deleted",
            "first deleted",
            "head of the chain deleted",
            "emptied",
            "truncated",
            "inserted",
            "reordered",
        ],
    )
    def test_the_first_bad_entry_is_named(
        self, written: LedgerDatabase, forgery: str, first_bad: int, reason: str
    ) -> None:
        written.tamper(*forgery.split(";"))
        verdict = written.ledger.verify()
        assert verdict.first_bad == first_bad
        assert reason in verdict.reason_ja

    def test_a_chain_cut_at_its_end_shows_by_another_head(self, written: LedgerDatabase) -> None:
        """Only a head noted elsewhere (a closing record, an auditor's copy) tells that the end was cut off."""
        noted = written.ledger.verify()
        written.tamper(f"DELETE FROM ledger.entry WHERE seq = {noted.entries}")
        cut = written.ledger.verify()
        assert cut.entries == noted.entries - 1
        assert cut.head != noted.head

    def test_the_reader_can_verify(self, written: LedgerDatabase) -> None:
        assert Ledger(written.reader).verify().holds


def _other(character: str) -> str:
    return "0" if character != "0" else "1"


class TestGuards:
    @pytest.fixture(scope="class")
    @classmethod
    def ledger_database(cls, postgres: str, _ledger_template: str) -> LedgerDatabase:
        """One for all of these: nothing here may change it but one true entry a forgery."""
        return LedgerDatabase(a_database(postgres, _ledger_template))

    CHANGES = (
        "UPDATE ledger.entry SET kind = 'x'",
        "UPDATE ledger.entry SET kind = 'x' WHERE false",
        "DELETE FROM ledger.entry",
        "DELETE FROM ledger.entry WHERE seq = 1",
        "TRUNCATE ledger.entry",
        "INSERT INTO ledger.entry VALUES (1, NULL, 'x', NULL, '{}', 'x') ON CONFLICT (seq) DO UPDATE SET kind = 'x'",
        "MERGE INTO ledger.entry e USING (SELECT 1) s ON e.seq = 1 WHEN MATCHED THEN DELETE",
    )

    @pytest.mark.parametrize("change", CHANGES)
    def test_the_writer_changes_nothing(self, ledger_database: LedgerDatabase, change: str) -> None:
        with (
            psycopg.connect(ledger_database.writer) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(change.encode())
        assert ledger_database.ledger.verify().holds

    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("role", ["ledger_owner", "postgres"])
    @pytest.mark.parametrize("replication_role", ["origin", "replica"])
    def test_nobody_changes_anything_while_the_triggers_stand(
        self, ledger_database: LedgerDatabase, change: str, role: str, replication_role: str
    ) -> None:
        with psycopg.connect(ledger_database.superuser) as connection:
            connection.execute(f"SET session_replication_role = {replication_role}".encode())
            connection.execute(f"SET ROLE {role}".encode())
            with pytest.raises(psycopg.Error, match=r"証跡台帳は追記専用です|連鎖に合わない"):
                connection.execute(change.encode())
        assert ledger_database.ledger.verify().holds

    @pytest.mark.parametrize(
        "statement",
        [
            "ALTER TABLE ledger.entry ADD COLUMN x int",
            "ALTER TABLE ledger.entry DISABLE TRIGGER refuse_change",
            "ALTER TABLE ledger.entry DISABLE TRIGGER ALL",
            "DROP TABLE ledger.entry",
            "DROP SCHEMA ledger CASCADE",
            "DROP TRIGGER check_entry ON ledger.entry",
            "CREATE OR REPLACE FUNCTION ledger.check_entry() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "ALTER FUNCTION ledger.check_entry() RENAME TO nothing",
            "CREATE TABLE ledger.other (a int)",
            "CREATE RULE forget AS ON INSERT TO ledger.entry DO INSTEAD NOTHING",
            "CREATE TRIGGER mine BEFORE INSERT ON ledger.entry EXECUTE FUNCTION ledger.refuse_change()",
            "ALTER TABLE ledger.entry OWNER TO airflow_task",
            "SET ROLE ledger_owner",
            "SET session_replication_role = replica",
            "CREATE SCHEMA mine",
            "CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'",
        ],
    )
    @pytest.mark.parametrize("login", list(LOGINS))
    def test_neither_writer_nor_reader_takes_the_guards_away(
        self, ledger_database: LedgerDatabase, login: str, statement: str
    ) -> None:
        dsn = make_conninfo(ledger_database.superuser, user=login)
        with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())

    def test_the_writer_hands_no_rights_on(self, ledger_database: LedgerDatabase) -> None:
        with psycopg.connect(ledger_database.writer) as connection:
            connection.execute("GRANT ALL ON ledger.entry TO auditor")  # PostgreSQL only warns
            row = connection.execute(
                "SELECT has_table_privilege('auditor', 'ledger.entry', 'INSERT')"
            ).fetchone()
        assert row == (False,)

    def test_the_reader_reads_and_does_not_write(self, ledger_database: LedgerDatabase) -> None:
        reading = Ledger(ledger_database.reader)
        assert reading.genesis().data == {"ward": "架空区", "synthetic": True}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reading.note(CYCLE, an_event(), TASK)

    def test_nobody_owns_the_ledger_by_logging_in(self, ledger_database: LedgerDatabase) -> None:
        dsn = make_conninfo(ledger_database.superuser, user="ledger_owner")
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            psycopg.connect(dsn)

    @pytest.mark.parametrize(
        "forge",
        [
            lambda e: (e.seq + 1, e.cycle, e.kind, e.follows, e.text(), e.digest),
            lambda e: (e.seq, "other", e.kind, e.follows, e.text(), e.digest),
            lambda e: (e.seq, None, e.kind, e.follows, e.text(), e.digest),
            lambda e: (e.seq, e.cycle, "other", e.follows, e.text(), e.digest),
            lambda e: (e.seq, e.cycle, e.kind, a_digest(1), e.text(), e.digest),
            lambda e: (e.seq, e.cycle, e.kind, e.follows, e.text(), a_digest(1)),
            lambda e: (e.seq, e.cycle, e.kind, e.follows, e.text() + " ", e.digest),
            lambda e: (e.seq, e.cycle, e.kind, e.follows, "[]", sha256(b"[]")),
            lambda e: (e.seq, e.cycle, e.kind, e.follows, "{}", sha256(b"{}")),
            lambda e: _row(e.model_copy(update={"previous": a_digest("other")})),
            lambda e: _row(e.model_copy(update={"previous": None})),
            lambda e: _row(e.model_copy(update={"seq": e.seq - 1})),
            lambda e: _row(e.model_copy(update={"seq": e.seq + 1})),
            lambda e: (e.seq, e.cycle, e.kind, e.follows, e.text(), e.digest.upper()),
        ],
        ids=[
            "seq beside the text",
            "cycle beside the text",
            "no cycle",
            "kind beside the text",
            "follows beside the text",
            "foreign digest",
            "text longer than digested",
            "a list",
            "an empty text",
            "foreign predecessor",
            "no predecessor",
            "a seq that is taken",
            "a gap",
            "digest in capitals",
        ],
    )
    def test_an_insert_that_breaks_the_chain_is_refused_by_the_database(
        self, ledger_database: LedgerDatabase, forge: Any
    ) -> None:
        seq, head = ledger_database.head
        entry = Entry(
            seq=seq + 1,
            previous=head,
            recorded_at=clock.now(),
            actor=TANTO,
            cycle=CYCLE,
            kind="answer_refused",
            follows=None,
            data=an_event().model_dump(mode="json"),
        )
        with psycopg.connect(ledger_database.writer) as connection:
            with (
                pytest.raises(psycopg.errors.CheckViolation, match="連鎖に合わない"),
                connection.transaction(),
            ):
                _insert(connection, forge(entry))
            _insert(connection, _row(entry))  # the true entry is not refused
        assert ledger_database.ledger.verify().entries == seq + 1

    @pytest.mark.parametrize("text", ["not json", "", "{", '{"seq":"x"}'])
    def test_an_insert_whose_text_is_no_json_is_refused(
        self, ledger_database: LedgerDatabase, text: str
    ) -> None:
        with psycopg.connect(ledger_database.writer) as connection, pytest.raises(psycopg.DataError):
            _insert(connection, (ledger_database.head[0] + 1, None, "x", None, text, sha256(text.encode())))


def _row(entry: Entry) -> tuple[Any, ...]:
    return (entry.seq, entry.cycle, entry.kind, entry.follows, entry.text(), entry.digest)


def _insert(connection: psycopg.Connection, row: tuple[Any, ...]) -> None:
    connection.execute("INSERT INTO ledger.entry VALUES (%s, %s, %s, %s, %s, %s)", row)


class TestManyWriters:
    def test_eight_processes_and_threads_leave_one_unbroken_chain(
        self, ledger_database: LedgerDatabase
    ) -> None:
        processes = [a_writer("note", ledger_database.writer, str(number), "40") for number in range(3)]
        ledger = ledger_database.ledger
        with ThreadPoolExecutor(5) as threads:
            list(
                threads.map(lambda n: [ledger.note(CYCLE, an_event(n), TASK) for _ in range(40)], range(3, 8))
            )
        for process in processes:
            process.communicate(timeout=60)
        assert [process.returncode for process in processes] == [0, 0, 0]
        verdict = ledger.verify()
        assert (verdict.holds, verdict.entries) == (True, 1 + 8 * 40)
        forms = [fact.form for fact in ledger.history(CYCLE).facts(r.AnswerRefused)]
        assert {form: forms.count(form) for form in forms} == {f"form_{n}": 40 for n in range(8)}

    def test_the_same_record_entered_by_eight_at_once_stands_once(
        self, ledger_database: LedgerDatabase
    ) -> None:
        ledger = ledger_database.ledger
        with ThreadPoolExecutor(8) as threads:
            entries = list(
                threads.map(lambda _: ledger.enter(CYCLE, an_opening(), TASK, after=None), range(8))
            )
        assert len({entry.digest for entry in entries}) == 1
        assert len(ledger.history(CYCLE).entries) == 1

    def test_of_eight_different_records_one_stands_and_the_others_are_conflicts(
        self, ledger_database: LedgerDatabase
    ) -> None:
        ledger = ledger_database.ledger

        def opened(number: int) -> bool:
            try:
                ledger.enter(CYCLE, an_opening(run_id=f"run {number}"), TASK, after=None)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(opened, range(8))) == 1


OTHER_CONTENT: dict[str, dict[str, Any]] = {
    "opening": {"run_id": "another"},
    "extraction": {"rows": 41},
    "validation": {"counts": {"stage": {"6": 40}}},
    "validation_confirmation": {"confirmed_by": {"user_id": "x", "name": "x"}},
    "composition": {"layout": "x"},
    "handover_approval": {"print_file_sha256": a_digest("x")},
    "encryption": {"cipher": "x"},
    "year_settings": {"papers": "x"},
    "handover": {"party": "x"},
    "receipt": {"received_by": "x"},
    "passphrase_notice": {"notice_number": "x"},
    "passphrase_handover": {"taker": "x"},
    "content_receipt": {"unreadable_characters": 1},
    "staging_wipe": {"kept": ("x",)},
    "delivery": {"lots": 2},
    "delivery_confirmation": {"quantity": 1},
    "erasure": {"notices": 1},
    "erasure_confirmation": {"note_number": "x"},
    "destruction": {"files_left": 1},
    "closing": {"ledger_entries": 1},
}


class TestEntering:
    def test_a_whole_cycle_is_read_back_as_it_was_entered(self, ledger: Ledger) -> None:
        cycle = a_cycle()
        cycle.entered_in(ledger)
        history = ledger.history(CYCLE)
        assert [history.find(type(record)) for record in cycle.records] == list(cycle.records)
        assert ledger.verify().holds

    def test_the_same_content_behind_the_same_record_gives_the_stored_entry(self, ledger: Ledger) -> None:
        cycle = a_cycle()
        first = cycle.entered_in(ledger)
        assert cycle.entered_in(ledger) == first

    def test_other_content_behind_the_same_record_is_a_conflict(self, ledger: Ledger) -> None:
        cycle = a_cycle()
        cycle.entered_in(ledger)
        before = ledger.verify().entries
        changed = cycle.with_(**OTHER_CONTENT)
        assert len(OTHER_CONTENT) == len(CYCLE_RECORDS)
        for record in changed.records:
            with pytest.raises(Conflict, match=f"{record.label_ja}.*別の内容ですでに記録されています"):
                ledger.enter(CYCLE, record, TASK, after=predecessor_of(type(record)))
        assert ledger.verify().entries == before

    def test_the_same_content_by_another_actor_is_the_stored_entry(self, ledger: Ledger) -> None:
        stored = ledger.enter(CYCLE, an_opening(), TASK, after=None)
        assert ledger.enter(CYCLE, an_opening(), TANTO, after=None) == stored

    def test_a_record_without_its_predecessor_is_refused(self, ledger: Ledger) -> None:
        cycle = a_cycle()
        cycle.up_to(r.ExtractionRecord).entered_in(ledger)
        with pytest.raises(Refused, match=r"検証確認.*有効ではありません"):
            ledger.enter(CYCLE, cycle[r.CompositionRecord], TASK, after=r.ValidationConfirmationRecord)

    @pytest.mark.parametrize("what", list(DecisionKind))
    def test_what_follows_a_superseded_record_is_refused(self, ledger: Ledger, what: DecisionKind) -> None:
        cycle = a_cycle()
        entries = cycle.up_to(r.CompositionRecord).entered_in(ledger)
        ledger.note(CYCLE, a_decision(what, supersedes=entries[1].digest), TANTO)
        with pytest.raises(Refused, match="有効ではありません"):
            ledger.enter(CYCLE, cycle[r.HandoverApprovalRecord], TASK, after=r.CompositionRecord)
        assert [entry.kind for entry in ledger.history(CYCLE).current] == ["opening"]

    def test_after_a_redo_the_same_content_is_a_new_record(self, ledger: Ledger) -> None:
        cycle = a_cycle().up_to(r.ValidationRecord)
        entries = cycle.entered_in(ledger)
        ledger.note(CYCLE, a_decision(supersedes=entries[1].digest), TANTO)
        again = ledger.enter(CYCLE, cycle[r.ExtractionRecord], TASK, after=r.OpeningRecord)
        assert again.seq > entries[-1].seq
        history = ledger.history(CYCLE)
        assert [entry.kind for entry in history.current] == ["opening", "extraction"]
        assert history.number_of(r.ExtractionRecord) == 3

    def test_two_cycles_do_not_see_each_other(self, ledger: Ledger) -> None:
        other = f"2026-{NOTICE}-supplementary-01"
        a_cycle().up_to(r.ExtractionRecord).entered_in(ledger)
        a_cycle(cycle=other, run_id="other").up_to(r.OpeningRecord).entered_in(ledger)
        assert [entry.kind for entry in ledger.history(other).current] == ["opening"]
        assert ledger.cycle_of_run(NOTICE, "other") == other
        assert ledger.cycle_of_run(NOTICE, "unknown") is None
        assert ledger.cycle_of_run("another_notice", "other") is None

    def test_an_id_is_opened_once(self, ledger: Ledger) -> None:
        ledger.enter(CYCLE, an_opening(run_id="first"), TASK, after=None)
        with pytest.raises(Conflict, match="開始"):
            ledger.enter(CYCLE, an_opening(run_id="second"), TASK, after=None)

    def test_an_id_is_not_opened_again_after_its_withdrawal(self, ledger: Ledger) -> None:
        opening = ledger.enter(CYCLE, an_opening(run_id="first"), TASK, after=None)
        ledger.note(CYCLE, a_decision(DecisionKind.WITHDRAWN, supersedes=opening.digest), TANTO)
        assert ledger.history(CYCLE).withdrawn
        with pytest.raises(Conflict, match="開始"):
            ledger.enter(CYCLE, an_opening(run_id="second"), TASK, after=None)

    def test_a_value_that_is_not_json_enters_nothing(self, ledger: Ledger) -> None:
        class Measured(r.Fact):
            share: float

        before = ledger.verify().entries
        with pytest.raises(TypeError):
            ledger.note(CYCLE, Measured(share=0.5), TASK)
        assert ledger.verify().entries == before

    def test_an_unreachable_database_is_cannot_look(self, tmp_path: Path) -> None:
        with pytest.raises(CannotLook, match="接続できません"):
            Ledger(make_conninfo(host=str(tmp_path), dbname="ledger")).genesis()


class TestBeginning:
    def test_an_empty_ledger_is_refused_until_it_is_begun(self, empty_database: str) -> None:
        with psycopg.connect(empty_database) as connection:
            connection.execute((ROOT / "include/notice_cycle/ledger/schema.sql").read_bytes())
        with pytest.raises(Refused, match="まだ始められていません"):
            Ledger(empty_database).genesis()

    def test_setting_up_twice_changes_nothing(self, ledger_database: LedgerDatabase) -> None:
        before = _catalogue(ledger_database.superuser)
        set_up(ledger_database.superuser, ward="架空区", synthetic=True, logins=LOGINS)
        assert _catalogue(ledger_database.superuser) == before

    @pytest.mark.parametrize(("ward", "synthetic"), [("架空区", False), ("別の区", True)])
    def test_a_ledger_is_never_begun_again_for_something_else(
        self, ledger_database: LedgerDatabase, ward: str, synthetic: bool
    ) -> None:
        with pytest.raises(Conflict, match="別の区分"):
            set_up(ledger_database.superuser, ward=ward, synthetic=synthetic, logins=LOGINS)
        assert ledger_database.ledger.synthetic

    def test_a_moved_clock_writes_in_an_invented_ledger(self, ledger: Ledger, moved_clock: None) -> None:
        entry = ledger.note(CYCLE, an_event(), TASK)
        assert entry.recorded_at.year == 2027

    def test_a_moved_clock_writes_nothing_in_a_real_ledger(
        self, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_up(empty_database, ward="実在区", synthetic=False, logins={})
        ledger = Ledger(empty_database)
        ledger.note(CYCLE, an_event(), TASK)
        file = tmp_path / "clock.json"
        clock.move_to(datetime.now(UTC) + timedelta(seconds=1), file)
        monkeypatch.setenv(clock.CLOCK_FILE_VARIABLE, str(file))
        for act in (
            lambda: ledger.note(CYCLE, an_event(), TASK),
            lambda: ledger.enter(CYCLE, an_opening(synthetic=False), TASK, after=None),
        ):
            with pytest.raises(Refused, match="時計が動かされています"):
                act()
        assert ledger.verify().entries == 2

    def test_a_real_ledger_is_not_begun_under_a_moved_clock(
        self, empty_database: str, moved_clock: None
    ) -> None:
        with pytest.raises(Refused, match="時計が動かされています"):
            set_up(empty_database, ward="実在区", synthetic=False, logins={})
        with pytest.raises(Refused, match="まだ始められていません"):
            Ledger(empty_database).genesis()


def _catalogue(dsn: str) -> list[Any]:
    """Entries, columns, triggers, rights and memberships, as the database keeps them."""
    with psycopg.connect(dsn) as connection:
        return [
            connection.execute(query.encode()).fetchall()
            for query in (
                "SELECT * FROM ledger.entry ORDER BY seq",
                "SELECT attname, atttypid, attnotnull FROM pg_attribute WHERE attrelid = 'ledger.entry'::regclass "
                "ORDER BY attnum",
                "SELECT tgname, tgenabled, tgtype FROM pg_trigger WHERE tgrelid = 'ledger.entry'::regclass "
                "ORDER BY tgname",
                "SELECT relacl, relowner::regrole FROM pg_class WHERE oid = 'ledger.entry'::regclass",
                "SELECT nspacl, nspowner::regrole FROM pg_namespace WHERE nspname = 'ledger'",
                "SELECT roleid::regrole, member::regrole FROM pg_auth_members ORDER BY 1, 2",
                "SELECT rolname, rolsuper, rolcanlogin, rolcreaterole FROM pg_roles ORDER BY 1",
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'ledger' ORDER BY 1",
            )
        ]


class TestLock:
    def test_a_second_holder_waits_and_then_cannot_look(self, ledger: Ledger) -> None:
        with (
            ledger.locked(CYCLE, "handover"),
            pytest.raises(CannotLook, match="同じ段階の処理"),
            ledger.locked(CYCLE, "handover", wait_seconds=0),
        ):
            pytest.fail("two holders")

    def test_other_stages_and_other_cycles_are_not_held_up(self, ledger: Ledger) -> None:
        with (
            ledger.locked(CYCLE, "handover"),
            ledger.locked(CYCLE, "encryption", wait_seconds=0),
            ledger.locked(f"2026-{NOTICE}-supplementary-01", "handover", wait_seconds=0),
        ):
            ledger.note(CYCLE, an_event(), TASK)  # appending is not held up either

    def test_the_lock_falls_with_its_block_also_when_the_block_fails(self, ledger: Ledger) -> None:
        with pytest.raises(ZeroDivisionError), ledger.locked(CYCLE, "handover"):
            _ = 1 // 0
        with ledger.locked(CYCLE, "handover", wait_seconds=0):
            pass

    def test_the_lock_falls_with_its_process(self, ledger_database: LedgerDatabase) -> None:
        holder = a_writer("hold", ledger_database.writer, CYCLE, "handover")
        assert holder.stdout
        try:
            assert holder.stdout.readline() == "held\n"
            ledger = ledger_database.ledger
            with pytest.raises(CannotLook), ledger.locked(CYCLE, "handover", wait_seconds=0):
                pytest.fail("two holders")
            os.kill(holder.pid, signal.SIGKILL)
            began = time.monotonic()
            with ledger.locked(CYCLE, "handover", wait_seconds=10):
                assert time.monotonic() - began < 5
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()


class TestSmallCycles:
    TOTAL_YEN = 87_654_300  # no amount of the premium table, which the opening holds

    def test_no_entry_of_a_small_cycle_tells_the_total(self, ledger: Ledger) -> None:
        a_cycle(persons=9, total_yen=self.TOTAL_YEN).entered_in(ledger)
        texts = [entry.text() for entry in ledger.entries()]
        assert not [text for text in texts if str(self.TOTAL_YEN) in text]
        assert '"yen":null' in "".join(texts)

    def test_ten_persons_are_not_small(self, ledger: Ledger) -> None:
        a_cycle(persons=10, total_yen=self.TOTAL_YEN).entered_in(ledger)
        assert f'"yen":{self.TOTAL_YEN}' in "".join(entry.text() for entry in ledger.entries())


def test_a_stored_file_is_no_path() -> None:
    with pytest.raises(ValueError, match="name"):
        a_file("../print.csv")
