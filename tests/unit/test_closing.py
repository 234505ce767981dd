"""完了: only a whole chain of evidence closes a cycle, and nothing of the ward's own copies stays behind."""

from datetime import datetime
from pathlib import Path

import pytest
from tests.builders import (
    CYCLE,
    NOTICE,
    OPENED_AT,
    a_contractor,
    a_cycle,
    a_decision,
    a_digest,
    a_file,
    a_receipt,
)

from notice_cycle import records as r
from notice_cycle.closing import close, survey
from notice_cycle.closing import destroy as destroy_found
from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange import door
from notice_cycle.ledger.chain import Verdict
from notice_cycle.stage import CYCLE_RECORDS
from notice_cycle.vault import CycleVault, Vault
from notice_cycle.vault.names import CYCLE_KEY, DISPATCH_INDEX, PASSPHRASE

HOLDS = Verdict(entries=19, head=a_digest("head"), first_bad=None, reason_ja="")
NEEDED = CYCLE_RECORDS[:-1]
COMPLETE = a_cycle().up_to(r.DestructionRecord)


def test_a_complete_cycle_closes_with_all_its_evidence() -> None:
    history = COMPLETE.history()
    record = close(history, HOLDS, at=OPENED_AT)
    assert record.evidence == {entry.kind: entry.digest for entry in history.entries}
    assert len(record.evidence) == len(NEEDED)
    assert (record.ledger_entries, record.ledger_head) == (19, a_digest("head"))


def test_what_the_core_system_was_told_is_evidence_too() -> None:
    told = r.ResultsReturned(
        file=a_file("results.csv"), control_file=a_file("results.ctl"), layout_valid_from=OPENED_AT.date(),
        results={"sent": 40}, written_at=OPENED_AT,
    )  # fmt: skip
    history = COMPLETE.noting(told).history()
    assert close(history, HOLDS, at=OPENED_AT).evidence["results_returned"] == history.entries[-1].digest


@pytest.mark.parametrize("last", NEEDED[:-1], ids=lambda record: record.kind())
def test_what_is_missing_is_listed_in_japanese(last: type[r.Record]) -> None:
    with pytest.raises(Refused, match="証跡が揃っていません") as caught:
        close(a_cycle().up_to(last).history(), HOLDS, at=OPENED_AT)
    listed = caught.value.message.removeprefix("証跡が揃っていません: ").removesuffix("。").split("、")
    assert listed == [record.label_ja for record in NEEDED[NEEDED.index(last) + 1 :]]


@pytest.mark.parametrize("record", NEEDED, ids=lambda record: record.kind())
def test_superseded_evidence_is_missing_evidence(record: type[r.Record]) -> None:
    entry = COMPLETE.history().entry_of(record)
    assert entry
    with pytest.raises(Refused, match=record.label_ja.replace("（", ".").replace("）", ".")):
        close(COMPLETE.noting(a_decision(supersedes=entry.digest)).history(), HOLDS, at=OPENED_AT)


@pytest.mark.parametrize(
    "verdict",
    [
        HOLDS.model_copy(update={"first_bad": 7, "reason_ja": "証跡台帳の第7号が改ざんされています。"}),
        HOLDS.model_copy(update={"head": None}),
    ],
    ids=["broken", "empty"],
)
def test_a_cycle_never_closes_over_a_chain_that_does_not_hold(verdict: Verdict) -> None:
    with pytest.raises(Altered) as caught:
        close(COMPLETE.history(), verdict, at=OPENED_AT)
    assert verdict.reason_ja in caught.value.message
    assert "完了できません" in caught.value.advice


def destroy(vault: CycleVault, outbox: Path, inbox: Path, *, cycle: str, at: datetime) -> r.DestructionRecord:
    begun = survey(vault, outbox, inbox, cycle=cycle)
    return destroy_found(vault, outbox, inbox, [begun], cycle=cycle, at=at)


class TestDestruction:
    OTHER = f"2026-{NOTICE}-supplementary-01"

    @pytest.fixture
    def outbox(self, tmp_path: Path) -> Path:
        for cycle in (CYCLE, self.OTHER):
            (tmp_path / "outbox" / cycle).mkdir(parents=True)
            (tmp_path / "outbox" / cycle / "manifest.json").write_bytes(b"{}")
        return tmp_path / "outbox"

    @pytest.fixture
    def inbox(self, tmp_path: Path) -> Path:
        inbox, receipt, firm = tmp_path / "inbox", a_receipt(a_cycle()), a_contractor()
        for cycle in (CYCLE, self.OTHER):
            door.store(inbox, cycle, receipt.file_name(), receipt.content(), firm.signs(receipt.content()))
            door.quarantine(inbox, cycle, "receipt.json", b"bad", b"worse")
        return inbox

    def test_nothing_of_the_cycle_is_left(
        self, vault: CycleVault, outbox: Path, inbox: Path, tmp_path: Path
    ) -> None:
        with vault.writing(DISPATCH_INDEX) as artefact:
            artefact.buffer.write(b"index")
        vault.keep_secret(PASSPHRASE, b"words")
        record = destroy(vault, outbox, inbox, cycle=CYCLE, at=OPENED_AT)
        assert (record.keys_destroyed, record.files_left, record.destroyed_at) == (2, 0, OPENED_AT)
        names = [file.name for file in record.destroyed]
        assert {CYCLE_KEY, PASSPHRASE, DISPATCH_INDEX} < set(names)
        assert {"manifest.json", "receipt.json", "receipt.json.sig"} < set(names)
        assert len(names) == 8
        assert [path for path in tmp_path.rglob("*") if CYCLE in path.name] == []

    def test_other_cycles_keep_everything(
        self, the_vault: Vault, vault: CycleVault, outbox: Path, inbox: Path
    ) -> None:
        other = the_vault.cycle(self.OTHER)
        other.create()
        destroy(vault, outbox, inbox, cycle=CYCLE, at=OPENED_AT)
        assert other.names() == [CYCLE_KEY]
        for folder in (outbox / self.OTHER, inbox / self.OTHER, inbox / "quarantine" / self.OTHER):
            assert list(folder.iterdir())

    def test_a_retry_after_a_crash_still_tells_everything_that_went(
        self, vault: CycleVault, outbox: Path, inbox: Path
    ) -> None:
        begun = survey(vault, outbox, inbox, cycle=CYCLE)
        vault.destroy()  # and here the process died
        retry = survey(vault, outbox, inbox, cycle=CYCLE)
        record = destroy_found(vault, outbox, inbox, [begun, retry], cycle=CYCLE, at=OPENED_AT)
        assert (record.keys_destroyed, record.files_left) == (1, 0)
        assert record.destroyed == begun.found

    def test_destroying_twice_finds_nothing(self, vault: CycleVault, outbox: Path, inbox: Path) -> None:
        destroy(vault, outbox, inbox, cycle=CYCLE, at=OPENED_AT)
        again = destroy(vault, outbox, inbox, cycle=CYCLE, at=OPENED_AT)
        assert (again.destroyed, again.files_left) == ((), 0)

    def test_a_foreign_file_goes_too_and_its_name_is_not_recorded(
        self, vault: CycleVault, outbox: Path, inbox: Path
    ) -> None:
        (outbox / CYCLE / "見本花子の控え.csv").write_bytes(b"left by somebody")
        record = destroy(vault, outbox, inbox, cycle=CYCLE, at=OPENED_AT)
        assert not (outbox / CYCLE).exists()
        assert "花子" not in record.model_dump_json()

    def test_what_cannot_be_removed_is_counted_and_stops(
        self, vault: CycleVault, outbox: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("notice_cycle.closing.shutil.rmtree", lambda folder, **_: None)
        with pytest.raises(Altered, match="消去できないファイルが5件残っています"):
            destroy(vault, outbox, inbox, cycle=CYCLE, at=OPENED_AT)
