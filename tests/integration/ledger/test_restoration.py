"""台帳の復旧: what a restored ledger has forgotten is told once, and stays asked for."""

from pathlib import Path

import pytest
from tests.builders import CYCLE, NOTICE, OPENED_AT, TANTO, TASK, a_cycle, a_key_file, an_event
from tests.conftest import LedgerDatabase

from notice_cycle import records as r
from notice_cycle.encryption.package import next_number
from notice_cycle.errors import Altered, CannotLook, Refused
from notice_cycle.ledger.audit import audit
from notice_cycle.ledger.checkpoints import Checkpoints
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.heads import Head, Heads
from notice_cycle.ledger.store import Ledger
from notice_cycle.restoration import packages_beyond, record_restoration
from notice_cycle.values import sha256

NOTE = "26情シ第12号"
OTHER = f"2026-{NOTICE}-supplementary-01"


class Restored:
    """A cycle went as far as its hand-over; then the database came back as it was when the approval was entered."""

    def __init__(self, database: LedgerDatabase, root: Path) -> None:
        self.database, self.outbox = database, root / "outbox"
        for folder in ("heads", "checkpoints", "outbox"):
            (root / folder).mkdir()
        self.heads = Heads(root / "heads")
        self.checkpoints = Checkpoints(root / "checkpoints", a_key_file(root / "ward_key"))
        self.folder = root
        entries = a_cycle().up_to(r.HandoverRecord).entered_in(self.ledger)
        audit(self.ledger, self.checkpoints, at=OPENED_AT)
        self.lost, self.found = Head.of(entries[-1]), Head.of(entries[-3])
        self.put(CYCLE, 1)
        database.tamper(f"DELETE FROM ledger.entry WHERE seq > {self.found.seq}")

    @property
    def ledger(self) -> Ledger:
        """The ledger as a task opens it."""
        return Ledger(self.database.writer, self.heads)

    def put(self, cycle: str, number: int, content: bytes = b"ciphertext") -> None:
        """Leaves a package in the outbox."""
        folder = self.outbox / cycle
        folder.mkdir(exist_ok=True)
        (folder / f"{cycle}-p{number}.csv.age").write_bytes(content)
        for name in ("manifest.json", "manifest.json.sig", "SHA256SUMS"):
            (folder / name).write_bytes(b"of the package")

    def record(self, **changes: str) -> Entry:
        return record_restoration(
            Ledger(self.database.writer),
            self.heads,
            self.checkpoints,
            self.outbox,
            **({"reason_code": "failure", "note_number": NOTE} | changes),
            by=TANTO,
        )

    @property
    def told(self) -> list[r.LedgerRestored]:
        entries = self.database.ledger.entries(kind=r.LedgerRestored.kind())
        return [r.LedgerRestored.model_validate(entry.data) for entry in entries]


@pytest.fixture
def restored(ledger_database: LedgerDatabase, tmp_path: Path) -> Restored:
    return Restored(ledger_database, tmp_path)


def test_the_fact_tells_what_is_left_what_is_lost_and_who_says_so(restored: Restored) -> None:
    entry = restored.record()
    (fact,) = restored.told
    assert (entry.cycle, entry.actor, fact.decided_by) == (None, TANTO, TANTO)
    assert (fact.found_seq, fact.found_digest) == restored.found
    assert (fact.lost_seq, fact.lost_digest) == restored.lost
    assert (fact.entries_lost, fact.reason_code, fact.note_number) == (2, "failure", NOTE)


def test_afterwards_the_ledger_goes_on_and_the_old_note_is_kept(restored: Restored) -> None:
    with pytest.raises(Refused, match="より前の状態に戻っている"):
        restored.ledger.compare_heads()
    entry = restored.record()
    restored.ledger.compare_heads()
    assert restored.heads.noted() == [Head.of(entry)]
    assert (restored.folder / "heads" / "superseded" / restored.lost.name).exists()
    assert restored.ledger.note(CYCLE, an_event(), TASK).seq == entry.seq + 1
    assert restored.ledger.verify().holds


def test_a_second_time_there_is_nothing_to_record(restored: Restored) -> None:
    restored.record()
    with pytest.raises(Refused, match="記録する復旧がありません"):
        restored.record()
    assert len(restored.told) == 1


def test_where_nothing_was_lost_or_noted_there_is_nothing_to_record(
    ledger_database: LedgerDatabase, tmp_path: Path
) -> None:
    heads = Heads(tmp_path)
    Ledger(ledger_database.writer, heads).note(None, an_event(), TASK)
    for known in (heads, None):
        with pytest.raises(Refused, match="記録する復旧がありません"):
            record_restoration(
                ledger_database.ledger,
                known,
                None,
                tmp_path,
                reason_code="drill",
                note_number=NOTE,
                by=TANTO,
            )
    assert ledger_database.head[0] == 2


def test_killed_before_the_old_note_is_put_away_it_is_entered_once(
    restored: Restored, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Heads, "supersede", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        restored.record()
    with pytest.raises(Refused):
        restored.ledger.compare_heads()
    entry = restored.record()
    assert len(restored.told) == 1
    assert restored.heads.noted() == [Head.of(entry)]


def test_another_ledger_in_its_place_counts_one_entry_lost_at_least(restored: Restored) -> None:
    for number in range(5):
        restored.database.ledger.note(CYCLE, an_event(number), TASK)  # by writers that know no heads
    restored.record()
    (fact,) = restored.told
    assert (fact.entries_lost, fact.found_seq > fact.lost_seq) == (1, True)


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE ledger.entry SET body = 'x' WHERE seq = 8",
        "DELETE FROM ledger.entry",
        "DELETE FROM ledger.entry WHERE seq = 3",
    ],
    ids=["its end altered", "emptied", "an entry taken out"],
)
def test_a_ledger_that_does_not_hold_is_not_gone_on_with(restored: Restored, forgery: str) -> None:
    assert restored.found.seq == 8
    restored.database.tamper(forgery)
    with pytest.raises(Altered, match="改ざんされているか欠けています"):
        restored.record()


def test_a_reason_is_a_registered_code(restored: Restored) -> None:
    with pytest.raises(Refused, match="理由コード"):
        restored.record(reason_code="見本花子の誤り")
    assert restored.told == []


class TestPackages:
    def test_a_package_no_record_knows_is_told_with_its_digest(self, restored: Restored) -> None:
        restored.put(OTHER, 2, b"of a dispatch that was forgotten")
        restored.record()
        found = {each.package: each.encrypted_file for each in restored.told[0].packages_beyond}
        assert set(found) == {f"{CYCLE}-p1", f"{OTHER}-p2"}
        assert found[f"{CYCLE}-p1"].name == f"{CYCLE}-p1.csv.age"
        assert found[f"{OTHER}-p2"].sha256 == sha256(b"of a dispatch that was forgotten")

    def test_a_package_that_its_record_knows_is_not_beyond(
        self, ledger_database: LedgerDatabase, tmp_path: Path
    ) -> None:
        restored = Restored(ledger_database, tmp_path)
        a_cycle().up_to(r.EncryptionRecord).entered_in(ledger_database.ledger)
        restored.record()
        assert restored.told[0].packages_beyond == ()

    def test_what_is_half_written_or_no_package_of_ours_is_not_told(self, restored: Restored) -> None:
        folder = restored.outbox / CYCLE
        for name in (f"{CYCLE}-p2.csv.age.partial", "見本花子の控え.csv.age", "x-p1.csv.age"):
            (folder / name).write_bytes(b"left by somebody")
        (restored.outbox / "a file").touch()
        restored.record()
        assert [each.package for each in restored.told[0].packages_beyond] == [f"{CYCLE}-p1"]

    def test_an_outbox_that_is_not_mounted_is_not_an_empty_one(self, restored: Restored) -> None:
        restored.outbox = restored.folder / "not mounted"
        with pytest.raises(CannotLook, match="送信箱のフォルダーを読めません"):
            restored.record()
        assert restored.told == []

    def test_its_number_is_not_given_again(self, restored: Restored) -> None:
        restored.record()
        entries = restored.ledger.entries(kind=r.LedgerRestored.kind())
        history = restored.ledger.history(CYCLE)
        beyond = packages_beyond(entries, CYCLE)
        assert history.number_of(r.EncryptionRecord) == 1  # the records alone would give p1 again
        assert next_number(history.ever(r.EncryptionRecord), beyond) == 2

    def test_a_cycle_is_told_its_own_packages_only(self, restored: Restored) -> None:
        restored.put(OTHER, 1)
        longer = f"2026-{NOTICE}-supplementary-011"
        restored.put(longer, 1)
        restored.record()
        entries = restored.ledger.entries(kind=r.LedgerRestored.kind())
        assert [each.package for each in packages_beyond(entries, OTHER)] == [f"{OTHER}-p1"]


class TestCheckpoints:
    def test_one_beyond_the_restored_end_is_put_away_and_the_audit_passes(self, restored: Restored) -> None:
        with pytest.raises(Refused, match="checkpoint-"):
            audit(restored.database.ledger, restored.checkpoints, at=OPENED_AT)
        entry = restored.record()
        assert audit(restored.ledger, restored.checkpoints, at=OPENED_AT) == entry
        assert len(list((restored.folder / "checkpoints" / "superseded").iterdir())) == 2

    def test_one_that_differs_before_the_restored_end_stays_and_is_found(self, restored: Restored) -> None:
        """Somebody changed an entry and passes it off as a restoration."""
        (wrong,) = restored.checkpoints.kept()
        wrong = wrong.model_copy(update={"seq": 3, "entries": 3})
        restored.checkpoints.keep(wrong)
        restored.record()
        with pytest.raises(Refused, match="checkpoint-000000003"):
            audit(restored.ledger, restored.checkpoints, at=OPENED_AT)

    def test_without_checkpoints_the_fact_is_entered_all_the_same(self, restored: Restored) -> None:
        restored.checkpoints = None  # type: ignore[assignment]
        restored.record()
        assert len(restored.told) == 1
