"""The July cycle on the real scheduler, with scheduler and worker killed (-9) twice on the way."""

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from embedded_ward.contractor import passphrases_on_desk
from embedded_ward.demo import agreeing_quantities
from embedded_ward.ward import NOTICE, WARD, EmbeddedWard
from notice_cycle import records as r
from notice_cycle.exchange.package import MANIFEST_NAMESPACE
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.stage import CYCLE_RECORDS
from notice_cycle.values import sha256
from synthetic_ward.canary import CANARY
from tests.e2e.conftest import state_of, task_logs, wait_for
from tests.e2e.trace import files_below, tables_of, traces
from tests.unit.contractor_kit.test_stock_tools import open_with_age, run

pytestmark = pytest.mark.ward
RUN = "annual-with-kills"


class Cycle:
    """The cycle as the tests look at it, and what was seen on its way."""

    def __init__(self, ward: EmbeddedWard) -> None:
        self.ward = ward
        self.kills: list[str] = []
        self.traces_on_the_way: list[str] = []
        self.seen_where_it_belongs = False
        self.kept = Path(tempfile.mkdtemp()) / "packages"

    @property
    def id(self) -> str:
        return str(self.ward.ledger.cycle_of_run(NOTICE, RUN))

    @property
    def history(self) -> CycleHistory:
        return self.ward.ledger.history(self.id)

    def has(self, record: type[r.Record]) -> bool:
        return (
            self.ward.ledger.cycle_of_run(NOTICE, RUN) is not None and self.history.find(record) is not None
        )

    def kill_scheduler_and_workers(self, moment: str) -> None:
        """kill -9 to the scheduler and all that it started, then a new scheduler."""
        record = next(each for each in self.ward.supervisor.records() if each.name == "scheduler")
        family = [psutil.Process(record.pid), *psutil.Process(record.pid).children(recursive=True)]
        for process in family:
            os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs(family, timeout=5)
        self.kills.append(f"{moment}: {len(family)} processes")
        self.ward.airflow.restart("scheduler")

    def look_for_the_canary(self) -> list[str]:
        """Everywhere but core system, vault, contractor's folder and print tray."""
        layout, databases = self.ward.layout, self.ward.databases
        # Drops and results are the core system's folders.
        allowed = [layout.vault, layout.contractor_home, layout.print_tray, layout.drops, layout.results]
        found = traces(CANARY.search_terms(), files_below(layout.root, without=allowed))
        for database, role in (("airflow", "postgres"), ("ledger", "postgres")):
            found += traces(CANARY.search_terms(), tables_of(databases.uri(database, role)))
        return found


@pytest.fixture(scope="module")
def cycle(ward: EmbeddedWard) -> Iterator[Cycle]:
    cycle = Cycle(ward)
    ward.start_officers()
    # The core system holds still, so that the extraction is surely in the middle of its work.
    with psycopg.connect(ward.databases.uri("core_system", "core_system")) as core_system:
        core_system.execute("LOCK TABLE kaigo.assessment IN ACCESS EXCLUSIVE MODE")
        ward.trigger(RUN)
        wait_for(lambda: state_of(ward, RUN, "extraction.extract") == "running", "the extraction")
        wait_for(lambda: _waits_for_lock(ward), "the extraction's query")
        assert not cycle.has(r.ExtractionRecord)
        cycle.kill_scheduler_and_workers("extraction")
    # The contractor's host takes the first bytes and then nothing more.
    ward.layout.sftp_faults.write_text(json.dumps({"stall_at": 100_000}))
    wait_for(lambda: list(ward.layout.exchange.rglob("*.part")), "the upload")
    time.sleep(0.5)
    assert not cycle.has(r.HandoverRecord)
    cycle.kill_scheduler_and_workers("upload")
    ward.layout.sftp_faults.unlink()
    wait_for(lambda: cycle.has(r.HandoverRecord), "the hand-over")
    ward.start_contractor()
    wait_for(lambda: cycle.has(r.PassphraseHandoverRecord), "the passphrase's hand-over")
    wait_for(lambda: list(ward.layout.contractor_home.rglob("print.csv")), "the opened package")
    shutil.copytree(ward.layout.exchange / "to_contractor", cycle.kept)
    opened = files_below(ward.layout.contractor_home)
    cycle.seen_where_it_belongs = bool(traces([CANARY.notice_no], opened))
    cycle.traces_on_the_way = cycle.look_for_the_canary()
    wait_for(lambda: cycle.has(r.ClosingRecord), "the closing")
    yield cycle
    ward.supervisor.stop("officers")
    ward.supervisor.stop("contractor")
    shutil.rmtree(cycle.kept.parent)


def _waits_for_lock(ward: EmbeddedWard) -> bool:
    with psycopg.connect(ward.databases.administrator) as administrator:
        found = administrator.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'extractor' AND wait_event_type = 'Lock'"
        ).fetchone()
    return bool(found and found[0])


def test_the_cycle_closes_although_scheduler_and_workers_were_killed_twice(cycle: Cycle) -> None:
    assert len(cycle.kills) == 2
    assert [entry.kind for entry in cycle.history.current] == [record.kind() for record in CYCLE_RECORDS]


def test_every_quantity_agrees_from_extraction_to_erasure(cycle: Cycle) -> None:
    rows = agreeing_quantities(cycle.history)
    assert [row for row in rows if row[1] != row[2]] == []
    assert cycle.history.latest(r.ExtractionRecord).rows > 1000


def test_no_step_was_recorded_twice(cycle: Cycle) -> None:
    kinds = [entry.kind for entry in cycle.history.records]
    assert len(kinds) == len(set(kinds)) == len(CYCLE_RECORDS)


def test_the_package_was_handed_over_once(cycle: Cycle) -> None:
    log = (cycle.ward.layout.logs / "sftp_host.log").read_text()
    package = cycle.history.latest(r.EncryptionRecord)
    for file in package.files:
        final = f"-> /to_contractor/{package.package}/{file.name}\n"
        assert log.count(final) == 1, file.name


def test_the_ledger_verifies(cycle: Cycle) -> None:
    verdict = cycle.ward.ledger.verify()
    assert verdict.holds, verdict.reason_ja


def test_nothing_is_left_in_vault_outbox_inbox_and_print_tray(cycle: Cycle) -> None:
    layout = cycle.ward.layout
    left = [
        path
        for folder in (layout.vault, layout.outbox, layout.inbox, layout.print_tray)
        for path in folder.rglob("*")
    ]
    assert [path for path in left if path.is_file()] == []


def test_the_canary_is_found_where_she_belongs(cycle: Cycle) -> None:
    assert cycle.seen_where_it_belongs
    core_system = tables_of(cycle.ward.databases.uri("core_system", "postgres"))
    found = traces(CANARY.search_terms(), core_system)
    terms = {line.split(": ", 1)[1] for line in found}
    assert terms >= {CANARY.notice_no, CANARY.insured_no}
    assert len(terms) >= len(CANARY.search_terms()) / 2  # so the search does find names and addresses


def test_the_core_system_is_told_what_became_of_every_notice(cycle: Cycle) -> None:
    fact = cycle.history.facts(r.ResultsReturned)[-1]
    folder = cycle.ward.layout.results / NOTICE
    content = (folder / fact.file.name).read_bytes()
    assert sha256(content) == fact.file.sha256
    assert CANARY.notice_no.encode() in content
    assert f"sha256={fact.file.sha256}" in (folder / fact.control_file.name).read_text()
    assert fact.results == {"sent": cycle.history.latest(r.CompositionRecord).quantities.notices}


def test_the_canary_is_nowhere_else_while_the_cycle_runs(cycle: Cycle) -> None:
    assert cycle.traces_on_the_way == []


def test_the_canary_is_nowhere_else_after_the_cycle(cycle: Cycle) -> None:
    assert cycle.look_for_the_canary() == []


def test_no_passphrase_and_no_key_is_in_logs_mails_or_databases(cycle: Cycle) -> None:
    (passphrase,) = passphrases_on_desk(cycle.ward.desk, cycle.id)
    layout = cycle.ward.layout
    allowed = [layout.contractor_home, layout.secrets]
    found = traces([passphrase.reveal()], files_below(layout.root, without=allowed))
    for database in ("airflow", "ledger"):
        found += traces([passphrase.reveal()], tables_of(cycle.ward.databases.uri(database, "postgres")))
    assert found == []


@pytest.mark.skipif(
    not shutil.which("age") or not shutil.which("ssh-keygen"), reason="age or ssh-keygen is not installed"
)
def test_stock_age_and_ssh_keygen_open_and_verify_the_package(cycle: Cycle, tmp_path: Path) -> None:
    package = cycle.history.latest(r.EncryptionRecord)
    folder = cycle.kept / package.package
    run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=folder)
    signers = str(cycle.ward.layout.contractor_home / "ward_signers")
    check = ("-Y", "verify", "-f", signers, "-I", WARD, "-n", MANIFEST_NAMESPACE, "-s", "manifest.json.sig")
    run("ssh-keygen", *check, cwd=folder, said=(folder / "manifest.json").read_bytes())
    (passphrase,) = passphrases_on_desk(cycle.ward.desk, cycle.id)
    open_with_age(package.files[0].name, tmp_path / "print.csv", passphrase.reveal(), folder)
    printed = cycle.history.latest(r.CompositionRecord).print_file
    assert sha256((tmp_path / "print.csv").read_bytes()) == printed.sha256
    assert "架空データ" in (tmp_path / "print.csv").read_bytes().decode("cp932")


def test_every_mail_says_that_the_data_are_invented(cycle: Cycle) -> None:
    mails = [content for where, content in files_below(cycle.ward.layout.mail) if "as read" in where]
    assert len(mails) >= 5
    assert all("架空データ" in mail.decode() for mail in mails)


def test_a_second_annual_run_is_refused_with_a_sentence(cycle: Cycle) -> None:
    cycle.ward.trigger("annual-again")
    wait_for(lambda: state_of(cycle.ward, "annual-again", "opening.open_cycle") == "failed", "the refusal")
    assert "すでに開始されています" in task_logs(cycle.ward, "annual-again")
    mail = b"".join(content for where, content in files_below(cycle.ward.layout.mail) if "as read" in where)
    assert "すでに開始されています" in mail.decode()


def test_clearing_a_finished_task_redoes_nothing(cycle: Cycle) -> None:
    before = (cycle.ward.ledger.verify().entries, _uploads(cycle))
    answer = cycle.ward.person("unyo").request(
        "POST",
        f"/api/v2/dags/{NOTICE}/clearTaskInstances",
        {"dag_run_id": RUN, "task_ids": ["handover.send"], "dry_run": False, "only_failed": False},
    )
    assert answer.is_success, answer.text
    cleared_at = datetime.now(UTC)

    def done() -> bool:
        task = next(t for t in cycle.ward.tasks(RUN) if t["task_id"] == "handover.send")
        return task["state"] == "success" and datetime.fromisoformat(task["end_date"]) > cleared_at

    wait_for(done, "the cleared task")
    assert (cycle.ward.ledger.verify().entries, _uploads(cycle)) == before


def _uploads(cycle: Cycle) -> int:
    return (cycle.ward.layout.logs / "sftp_host.log").read_text().count("open for writing")


class TestReport:
    """報告書: beside the run, for who may read the DAG, in counts only."""

    PATH = f"/notice-cycle/report/{NOTICE}"

    def asked(self, cycle: Cycle, login: str, further: str = "") -> httpx.Response:
        return cycle.ward.person(login).request("GET", f"{self.PATH}{further}?run_id={RUN}")

    @pytest.mark.parametrize("login", ["tanto1", "shonin", "unyo", "kansa", "kacho"])
    def test_whoever_may_read_the_dag_reads_it(self, cycle: Cycle, login: str) -> None:
        answer = self.asked(cycle, login)
        assert answer.status_code == httpx.codes.OK
        assert cycle.id in answer.text
        assert "判定した規則のすべて" in answer.text
        assert not [term for term in CANARY.search_terms() if term in answer.text]

    def test_nobody_else_does(self, cycle: Cycle) -> None:
        for further in ("", "/pdf", "/quantities"):
            address = f"{cycle.ward.address}{self.PATH}{further}?run_id={RUN}"
            assert httpx.get(address, trust_env=False).status_code == httpx.codes.UNAUTHORIZED

    @pytest.mark.parametrize("paper", ["/pdf", "/quantities"])
    def test_its_papers_are_pdf(self, cycle: Cycle, paper: str) -> None:
        answer = self.asked(cycle, "tanto1", paper)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert answer.content.startswith(b"%PDF-")

    def test_the_ui_is_told_of_its_tab(self, cycle: Cycle) -> None:
        plugins = cycle.ward.person("tanto1").request("GET", "/api/v2/plugins").json()["plugins"]
        views = [view["name"] for plugin in plugins for view in plugin["external_views"]]
        assert "報告書" in views

    def test_a_run_that_opened_no_cycle_has_none(self, cycle: Cycle) -> None:
        answer = cycle.ward.person("tanto1").request("GET", f"{self.PATH}?run_id=nobody")
        assert (answer.status_code, "まだありません" in answer.text) == (404, True)


class TestPlan:
    """発送計画: beside the run, for who may read the DAG, in dates only."""

    PATH = f"/notice-cycle/plan/{NOTICE}"

    @pytest.mark.parametrize("login", ["tanto1", "shonin", "unyo", "kansa", "kacho"])
    def test_whoever_may_read_the_dag_reads_it(self, cycle: Cycle, login: str) -> None:
        answer = cycle.ward.person(login).request("GET", f"{self.PATH}?run_id={RUN}")
        assert answer.status_code == httpx.codes.OK
        assert cycle.id in answer.text
        assert "引渡しは済んでいます" in answer.text
        assert not [term for term in CANARY.search_terms() if term in answer.text]

    def test_nobody_else_does_and_a_strange_slip_is_refused(self, cycle: Cycle) -> None:
        address = f"{cycle.ward.address}{self.PATH}?run_id={RUN}"
        assert httpx.get(address, trust_env=False).status_code == httpx.codes.UNAUTHORIZED
        strange = cycle.ward.person("tanto1").request("GET", f"{self.PATH}?run_id={RUN}&slip=999")
        assert strange.status_code == httpx.codes.UNPROCESSABLE_ENTITY

    def test_the_ui_is_told_of_its_tab(self, cycle: Cycle) -> None:
        plugins = cycle.ward.person("tanto1").request("GET", "/api/v2/plugins").json()["plugins"]
        assert "発送計画" in [view["name"] for plugin in plugins for view in plugin["external_views"]]
