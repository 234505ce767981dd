"""Two letters are pulled out after the hand-over: asked for, approved, encrypted, confirmed, certified, and the cycle closes."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from embedded_ward.contractor import passphrases_on_desk
from embedded_ward.ward import NOTICE, EmbeddedWard
from notice_cycle import records as r
from notice_cycle.copies import PapersDestroyed, copies_of
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout import PulloutConfirmed, PulloutHistory
from tests.e2e.conftest import task_logs, wait_for
from tests.e2e.trace import files_below, tables_of, traces

pytestmark = pytest.mark.ward
RUN, PULL_OUT = "with-a-pull-out", "two-letters"
PULL_OUTS = "/api/v2/dags/pull_out/dagRuns"


@dataclass
class Story:
    """The dispatch, the two letters, and how many envelopes disappear with them."""

    ward: EmbeddedWard
    letters: tuple[str, ...] = ()
    emptied: int = 0

    @property
    def cycle(self) -> str:
        return str(self.ward.ledger.cycle_of_run(NOTICE, RUN))

    @property
    def history(self) -> CycleHistory:
        return self.ward.ledger.history(self.cycle)

    @property
    def pullout(self) -> PulloutHistory:
        return PulloutHistory(self.history, 1)

    def has(self, record: type[r.Record]) -> bool:
        opened = self.ward.ledger.cycle_of_run(NOTICE, RUN) is not None
        return opened and self.history.find(record) is not None

    def state(self) -> str:
        return str(self.ward.person("tanto1").request("GET", f"{PULL_OUTS}/{PULL_OUT}").json()["state"])

    def choose(self) -> None:
        """One letter that lies alone in its envelope and, where there is such a one, one that does not."""
        (folder,) = self.ward.layout.contractor_home.rglob(f"{self.cycle}-p1")
        (opened,) = folder.rglob("print.csv")
        rows = list(csv.DictReader(io.StringIO(opened.read_bytes().decode("cp932"), newline="")))
        rows = [row for row in rows if row["発送回"] == self.cycle]  # not the trailer
        inside = Counter(row["封筒番号"] for row in rows)
        rows.sort(key=lambda row: inside[row["封筒番号"]])
        chosen = (rows[0], rows[-1])
        self.letters = tuple(row["通知書番号"] for row in chosen)
        self.emptied = sum(inside[row["封筒番号"]] == 1 for row in chosen)


@pytest.fixture(scope="module")
def story(ward: EmbeddedWard) -> Iterator[Story]:
    story = Story(ward)
    ward.start_officers()
    ward.trigger(RUN, occasion="supplementary", reason_code="rehearsal", batch_no="2026-08-supplementary")
    wait_for(lambda: story.has(r.OpeningRecord), "the opening")
    hold = ward.desk / f"hold-{story.cycle}"
    hold.touch()
    ward.start_contractor()
    wait_for(lambda: story.has(r.StagingWipeRecord), "the contractor's opening it")
    story.choose()
    listed = "\r\n".join(["通知書番号,理由", *(f"{number},死亡" for number in story.letters), ""])
    (ward.layout.pullout_desk / f"{story.cycle}.csv").write_bytes(listed.encode("cp932"))
    body = {"dag_run_id": PULL_OUT, "logical_date": None, "conf": {"cycle": story.cycle}}
    ward.person("tanto1").request("POST", PULL_OUTS, body).raise_for_status()
    wait_for(lambda: story.state() in {"success", "failed"}, "the pull-out")
    hold.unlink()
    wait_for(lambda: story.has(r.ClosingRecord), "the closing")
    yield story
    ward.supervisor.stop("officers")
    ward.supervisor.stop("contractor")


# The tests of this module look at one story.


def test_the_list_is_read_once_and_gone_from_the_officers_folder(story: Story) -> None:
    assert story.state() == "success"
    assert list(story.ward.layout.pullout_desk.iterdir()) == []
    request = story.pullout.request
    assert (request.notices, request.by_reason, request.envelopes) == (2, {"death": 2}, story.emptied)
    assert request.requested_by.user_id == "tanto1"


def test_two_people_answered_and_the_package_went_the_way_of_print_data(story: Story) -> None:
    pullout = story.pullout
    checked = pullout.latest(r.ValidationConfirmationRecord).confirmed_by.user_id
    assert (checked, pullout.latest(r.HandoverApprovalRecord).approved_by.user_id) == ("tanto1", "shonin")
    package, notice = f"{story.cycle}-p2", f"{story.cycle}-PW2"
    assert pullout.latest(r.EncryptionRecord).package == package
    assert pullout.latest(r.HandoverRecord).files == pullout.latest(r.EncryptionRecord).files
    assert pullout.latest(r.PassphraseHandoverRecord).notice_number == notice
    assert pullout.latest(r.ContentReceiptRecord).quantities.notices == 2
    assert story.history.latest(r.EncryptionRecord).package == f"{story.cycle}-p1"


def test_the_delivery_agrees_without_the_envelopes_that_lost_every_letter(story: Story) -> None:
    (confirmed,) = story.history.facts(PulloutConfirmed)
    assert (confirmed.pulled, confirmed.not_found) == (2, 0)
    delivery, planned = story.history.latest(r.DeliveryRecord), story.history.latest(r.CompositionRecord)
    assert (delivery.envelopes_pulled, delivery.sheets_pulled) == (story.emptied, 2)
    assert delivery.envelopes_delivered == planned.quantities.envelopes - story.emptied
    counted = story.history.latest(r.DeliveryConfirmationRecord).quantity
    assert counted == delivery.envelopes_delivered


def test_the_sheets_are_certified_as_destroyed_and_every_copy_is_erased(story: Story) -> None:
    destroyed = [paper for fact in story.history.facts(PapersDestroyed) for paper in fact.papers]
    assert {paper.what: paper.sheets for paper in destroyed} == {"spoilage": 3, "pulled": 2}
    # Print data and list alike: opened and encrypted on the PC, encrypted on the host.
    assert story.history.latest(r.ErasureRecord).copies_erased == 6
    assert [copy for copy in copies_of(story.history) if copy.is_open and copy.holds_data] == []


def test_the_core_system_is_told_which_letters_were_pulled_out(story: Story) -> None:
    fact = story.history.facts(r.ResultsReturned)[-1]
    assert fact.results["pulled"] == 2
    content = (story.ward.layout.results / NOTICE / fact.file.name).read_text(encoding="cp932")
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert sorted(row["通知書番号"] for row in rows if row["発送結果"] == "2") == sorted(story.letters)


def test_nothing_of_the_two_is_where_it_must_not_be(story: Story) -> None:
    ward = story.ward
    layout, databases = ward.layout, ward.databases
    with psycopg.connect(databases.uri("core_system", "postgres")) as core_system:
        rows = core_system.execute(
            "SELECT notice_no, insured_no, insured_kana FROM kaigo.assessment JOIN kaigo.insured_person"
            " USING (insured_no) WHERE notice_no = ANY(%s) AND notice = %s",
            (list(story.letters), NOTICE),
        ).fetchall()
    assert {row[0] for row in rows} == set(story.letters)
    terms = {term for row in rows for term in row}
    assert traces(terms, files_below(layout.results))  # the search does find them
    allowed = [layout.vault, layout.contractor_home, layout.print_tray, layout.drops, layout.results]
    found = traces(terms, files_below(layout.root, without=allowed))
    passphrases = {one.reveal() for one in passphrases_on_desk(ward.desk, story.cycle)}
    assert len(passphrases) == 2
    found += traces(passphrases, files_below(layout.root, without=[layout.contractor_home, layout.secrets]))
    for database in ("airflow", "ledger"):
        found += traces(terms | passphrases, tables_of(databases.uri(database, "postgres")))
    assert found == []


def test_no_log_shows_a_raw_traceback_of_ours(story: Story) -> None:
    for run in (RUN, PULL_OUT):
        assert "予期しない誤り" not in task_logs(story.ward, run), run
