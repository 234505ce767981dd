"""Reading and appending to the ledger in PostgreSQL. The only module that writes it.

Appends are serialised by an advisory lock that the table's own trigger takes too. Entering a record that
already stands (same predecessor, same content) gives the stored entry back; the same predecessor with
other content is a conflict that stops. Connections are short; only `locked` holds one.
With `heads`, a ledger that has lost an entry is not written to, and every append is noted outside (see heads.py).
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, cast

import psycopg
from psycopg import sql

from notice_cycle import clock
from notice_cycle.errors import CannotLook, Conflict, Refused
from notice_cycle.ledger.chain import Row, Verdict, verify_chain
from notice_cycle.ledger.entry import GENESIS, Entry, System
from notice_cycle.ledger.heads import Head, Heads
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import Fact, OpeningRecord, Record
from notice_cycle.values import Person, sha256

_APPEND_LOCK = 7104
_SELECT = "SELECT seq, cycle, kind, follows, body, digest FROM ledger.entry"


def set_up(owner_dsn: str, *, ward: str, synthetic: bool, logins: dict[str, tuple[str, str]]) -> None:
    """Creates table, guards, roles and the first entry; twice changes nothing.

    `logins` maps a login role to (password, group), group being ledger_writer or ledger_reader.
    """
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        schema = resources.files("notice_cycle.ledger").joinpath("schema.sql").read_text(encoding="utf-8")
        connection.execute(schema.encode())
        for login, (password, group) in logins.items():
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (login,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            connection.execute(
                sql.SQL(
                    "{} ROLE {} LOGIN PASSWORD {} IN ROLE {}" if not known else "{} ROLE {} LOGIN PASSWORD {}"
                ).format(
                    verb,
                    sql.Identifier(login),
                    sql.Literal(password),
                    *([] if known else [sql.Identifier(group)]),
                )
            )
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(login)))
    Ledger(owner_dsn).begin(ward=ward, synthetic=synthetic)


class Ledger:
    """The ledger behind a libpq connection string. Without `heads` nothing is compared and nothing noted."""

    def __init__(self, dsn: str, heads: Heads | None = None) -> None:
        self._dsn, self._heads = dsn, heads

    # ---- reading

    def genesis(self) -> Entry:
        """The first entry: which ward, and whether all data are synthetic. Raises Refused when empty."""
        with self._connected() as connection:
            return self._genesis(connection)

    @property
    def synthetic(self) -> bool:
        """Whether this ledger was begun for invented data only."""
        return bool(self.genesis().data["synthetic"])

    def history(self, cycle: str) -> CycleHistory:
        """All entries of one cycle."""
        with self._connected() as connection:
            return self._history(connection, cycle)

    def entries(self, *, kind: str | None = None) -> list[Entry]:
        """All entries, or those of one kind, in order of seq."""
        with self._connected() as connection:
            query = _SELECT + (" WHERE kind = %s" if kind else "") + " ORDER BY seq"
            return [
                Entry.from_text(row[4]) for row in connection.execute(query.encode(), (kind,) if kind else ())
            ]

    def cycle_of_run(self, dag_id: str, run_id: str) -> str | None:
        """The cycle that was opened by a DAG run, None when none was."""
        for entry in self.entries(kind=OpeningRecord.kind()):
            if (entry.data["dag_id"], entry.data["run_id"]) == (dag_id, run_id):
                return entry.cycle
        return None

    def head(self) -> Entry:
        """The last entry. Raises Refused when empty."""
        with self._connected() as connection:
            row = connection.execute(_SELECT.encode() + b" ORDER BY seq DESC LIMIT 1").fetchone()
            return Entry.from_text(row[4]) if row else self._genesis(connection)

    def lost(self, heads: Sequence[Head]) -> list[Head]:
        """Those of `heads` that do not stand in this ledger."""
        with self._connected() as connection:
            return _lost(connection, heads)

    def compare_heads(self) -> None:
        """Raises Refused when a head noted outside does not stand here: restored, cut off, or another ledger."""
        if self._heads:
            with self._connected() as connection:
                self._compare_heads(connection)

    def clock_is_off_by(self) -> timedelta:
        """How far this machine's clock is ahead of the database's."""
        with self._connected() as connection:
            there = _one(connection.execute("SELECT clock_timestamp()").fetchone())
            return clock.now() - cast(datetime, there)

    def verify(self) -> Verdict:
        """Recomputes the whole chain."""
        with self._connected() as connection, connection.cursor(name="verify") as cursor:
            cursor.execute(_SELECT.encode() + b" ORDER BY seq")
            return verify_chain(Row(*row) for row in cursor)

    # ---- writing

    def begin(self, *, ward: str, synthetic: bool) -> None:
        """Writes the first entry, once. Raises Conflict when the ledger was begun for something else."""
        data = {"ward": ward, "synthetic": synthetic}
        with self._appending(begins_synthetic=synthetic) as connection:
            first = connection.execute(_SELECT.encode() + b" WHERE seq = 1").fetchone()
            if first is not None:
                if Entry.from_text(first[4]).data != data:
                    raise Conflict(
                        "この証跡台帳は別の区分（実データ／架空データ）で始められています。",
                        advice="接続先の台帳を確かめてください。台帳を作り直して続けることはできません。",
                    )
                return
            entry = self._append(
                connection, System(task="set_up"), cycle=None, kind=GENESIS, follows=None, data=data
            )
        self._committed(entry)

    def enter(
        self, cycle: str, record: Record, actor: Person | System, *, after: type[Record] | None
    ) -> Entry:
        """Enters a record that follows the current record `after` (None only for an opening).

        Gives back the stored entry when the same content already follows it. Raises Conflict when other
        content does, and Refused when `after` is no longer current.
        """
        with self._appending() as connection:
            history = self._history(connection, cycle)
            # An opening is compared with every earlier one: a withdrawn cycle's id is never used again.
            standing = history.current if after else history.records
            predecessor = history.entry_of(after) if after else None
            if after and predecessor is None:
                raise Refused(
                    f"前の段階の記録（{after.label_ja}）が有効ではありません。",
                    advice="差戻し・やり直しの記録を確認し、該当の段階から再実行してください。",
                )
            follows = predecessor.digest if predecessor else None
            data = record.model_dump(mode="json")
            for entry in standing:
                if entry.kind == record.kind() and entry.follows == follows:
                    if entry.data == data:
                        return entry
                    raise Conflict(
                        f"「{record.label_ja}」は別の内容ですでに記録されています（第{entry.seq}号）。",
                        advice="両方の内容を確認してください。やり直す場合は「やり直し・取下げ」で理由を記録します。",
                    )
            entry = self._append(
                connection, actor, cycle=cycle, kind=record.kind(), follows=follows, data=data
            )
        return self._committed(entry)

    def note(self, cycle: str | None, fact: Fact, actor: Person | System) -> Entry:
        """Enters a fact that stands outside the chain of records (a refusal, a decision, an event)."""
        with self._appending() as connection:
            data = fact.model_dump(mode="json")
            entry = self._append(connection, actor, cycle=cycle, kind=fact.kind(), follows=None, data=data)
        return self._committed(entry)

    @contextmanager
    def locked(self, cycle: str, stage: str, *, wait_seconds: int = 600) -> Iterator[None]:
        """Runs an external effect alone: one process per cycle and stage, over all machines.

        An orphaned task may overlap its retry; the lock falls when its process dies. Raises CannotLook
        when the lock is not free after `wait_seconds`.
        """
        key = int(sha256(f"{cycle}/{stage}".encode())[:15], 16)
        with self._connected(autocommit=True) as connection:
            give_up_at = time.monotonic() + wait_seconds
            while not _one(connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()):
                if time.monotonic() > give_up_at:
                    raise CannotLook(
                        "同じ段階の処理が別に動いたままです。",
                        advice="実行中のタスクが終わるのを待ってから、もう一度実行してください。",
                    )
                time.sleep(0.5)
            yield

    # ---- below: how

    @contextmanager
    def _connected(self, *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
        try:
            connection = psycopg.connect(self._dsn, autocommit=autocommit, connect_timeout=10)
        except psycopg.OperationalError as unreachable:
            raise CannotLook(
                "証跡台帳のデータベースに接続できません。",
                advice="データベースの稼働と接続設定を確認してください。",
            ) from unreachable
        try:
            with connection:
                yield connection
        except psycopg.OperationalError as broken:
            raise CannotLook(
                "証跡台帳のデータベースとの接続が切れました。",
                advice="自動で再試行します。続くときはデータベースの稼働を確認してください。",
            ) from broken

    @contextmanager
    def _appending(self, *, begins_synthetic: bool | None = None) -> Iterator[psycopg.Connection]:
        with self._connected() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_APPEND_LOCK,))
            self._compare_heads(connection)  # a task may have begun before the ledger was restored
            synthetic = begins_synthetic
            if clock.is_moved() and synthetic is None:
                synthetic = self._genesis(connection).data["synthetic"]
            if clock.is_moved() and not synthetic:
                raise Refused(
                    "時計が動かされています。実データの台帳には記録できません。",
                    advice=f"環境変数 {clock.CLOCK_FILE_VARIABLE} を外して起動し直してください。",
                )
            yield connection

    def _append(
        self,
        connection: psycopg.Connection,
        actor: Person | System,
        *,
        cycle: str | None,
        kind: str,
        follows: str | None,
        data: dict[str, Any],
    ) -> Entry:
        last = connection.execute("SELECT seq, digest FROM ledger.entry ORDER BY seq DESC LIMIT 1").fetchone()
        entry = Entry(
            seq=(last[0] if last else 0) + 1,
            previous=last[1] if last else None,
            recorded_at=clock.now(),
            actor=actor,
            cycle=cycle,
            kind=kind,
            follows=follows,
            data=data,
        )
        connection.execute(
            "INSERT INTO ledger.entry (seq, cycle, kind, follows, body, digest) VALUES (%s, %s, %s, %s, %s, %s)",
            (entry.seq, cycle, kind, follows, entry.text(), entry.digest),
        )
        return entry

    def _committed(self, entry: Entry) -> Entry:
        if self._heads:
            self._heads.note(Head.of(entry))
        return entry

    def _compare_heads(self, connection: psycopg.Connection) -> None:
        if self._heads and (lost := _lost(connection, self._heads.noted())):
            raise Refused(
                f"証跡台帳が、記録済みの末尾（第{lost[-1].seq}号）より前の状態に戻っているか、別の台帳です。",
                advice="データベースをバックアップから戻したときは、DAG「台帳の復旧」に理由を付けて記録してください。"
                "心当たりがなければ業務を止め、情報システム課の責任者に連絡してください。",
            )

    @staticmethod
    def _genesis(connection: psycopg.Connection) -> Entry:
        row = connection.execute(_SELECT.encode() + b" WHERE seq = 1").fetchone()
        if row is None:
            raise Refused("証跡台帳がまだ始められていません。", advice="導入手順の初期化を実行してください。")
        return Entry.from_text(row[4])

    @staticmethod
    def _history(connection: psycopg.Connection, cycle: str) -> CycleHistory:
        rows = connection.execute(_SELECT.encode() + b" WHERE cycle = %s ORDER BY seq", (cycle,))
        return CycleHistory([Entry.from_text(row[4]) for row in rows])


def _lost(connection: psycopg.Connection, heads: Sequence[Head]) -> list[Head]:
    rows = connection.execute(
        "SELECT seq, digest FROM ledger.entry WHERE seq = ANY(%s)", ([head.seq for head in heads],)
    )
    standing = {Head(*row) for row in rows}
    return [head for head in heads if head not in standing]


def _one(row: tuple[Any, ...] | None) -> Any:
    return row[0] if row else None
