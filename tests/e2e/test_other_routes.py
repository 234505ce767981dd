"""Whole cycles by the other ways, side by side on one real scheduler: disc by contract, LGWAN that fails and then a disc,
the yearly exercise of that, an officer's upload, a contractor who has nothing but 7-Zip, a dispatch that is given up
after it left. Each closes, and nothing is handed over twice.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
import psycopg
import pytest

from embedded_ward.demo import agreeing_quantities
from embedded_ward.ward import NOTICE, EmbeddedWard
from notice_cycle import records as r
from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.exercise import LGWAN_DRILL, ExerciseHeld
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.register import GatesJudged, load_seed, read_register
from notice_cycle.register.folded import Register
from notice_cycle.register.kinds import ExerciseEntry
from notice_cycle.register.reminders import reminders
from notice_cycle.stage import CYCLE_RECORDS
from tests.e2e.conftest import state_of, task_logs, wait_for
from tests.e2e.trace import files_below, tables_of, traces

pytestmark = pytest.mark.ward
BATCH = "2026-08-supplementary"
DISC, SWITCHED, UPLOAD, ZIP = "disc-by-contract", "lgwan-then-disc", "officers-upload", "seven-zip"
DRILL = "line-down-drill"
RUNS = (DISC, SWITCHED, DRILL, UPLOAD, ZIP)
"""Those that are delivered."""
GIVEN_UP = "given-up-after-the-hand-over"
OF_EVERY_ROUTE = {"検証確認", "引渡し承認", "パスワード引渡確認書", "納品確認書", "消去確認"}


@dataclass
class Cycle:
    """One of the cycles as the tests look at it."""

    ward: EmbeddedWard
    run: str

    @property
    def id(self) -> str:
        return str(self.ward.ledger.cycle_of_run(NOTICE, self.run))

    @property
    def history(self) -> CycleHistory:
        return self.ward.ledger.history(self.id)

    def has(self, record: type[r.Record]) -> bool:
        opened = self.ward.ledger.cycle_of_run(NOTICE, self.run) is not None
        return opened and self.history.find(record) is not None

    def forms_answered(self) -> list[str]:
        path = f"/api/v2/dags/{NOTICE}/dagRuns/{self.run}/hitlDetails?limit=100"
        told = self.ward.person("tanto1").request("GET", path).json()["hitl_details"]
        return sorted(detail["subject"] for detail in told if detail["response_received"])


@contextmanager
def written(ward: EmbeddedWard, file: str, change: Callable[[str], str]) -> Iterator[None]:
    """A contract that says otherwise, in the configuration as a cycle stores it when it opens."""
    path = ward.layout.root / "config" / file
    before = path.read_text(encoding="utf-8")
    changed = change(before)
    assert changed != before
    path.write_text(changed, encoding="utf-8")
    yield
    path.write_text(before, encoding="utf-8")


def opened(ward: EmbeddedWard, run: str, reason_code: str = "rehearsal") -> Cycle:
    cycle = Cycle(ward, run)
    # A batch goes out once; rehearsals and exercises may take it again.
    ward.trigger(run, occasion="supplementary", reason_code=reason_code, batch_no=BATCH)
    wait_for(lambda: cycle.has(r.OpeningRecord), f"{run} to open")
    return cycle


def by_route(route: str) -> Callable[[str], str]:
    return lambda notice: notice.replace("route: lgwan", f"route: {route}")


def a_second_contract_with_zip(register: str) -> str:
    """Beside the contract that names age, one of the same job that names AES-ZIP."""
    (contract,) = re.findall(r"^  2026-premium:\n(?:    .*\n)+", register, re.MULTILINE)
    zipped = contract.replace("2026-premium:", "2026-premium-zip:").replace(
        "format: age", "format: zip-aes256"
    )
    return register.replace(contract, contract + zipped)


def asked(ward: EmbeddedWard, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
    answer = ward.person("unyo").request(method, path, body)
    assert answer.is_success, answer.text
    return answer


def has_failed(cycle: Cycle) -> bool:
    """The run is red, as the operator sees it before he clears: a clearing earlier than that may be overtaken by it."""
    run = cycle.ward.person("unyo").request("GET", f"/api/v2/dags/{NOTICE}/dagRuns/{cycle.run}").json()
    return bool(run["state"] == "failed")


def decided(ward: EmbeddedWard, cycle: Cycle, **conf: str) -> None:
    """A decision of the operator's in DAG やり直し・取下げ."""
    body = {
        "dag_run_id": f"{conf['decision']}-{cycle.run}",
        "logical_date": None,
        "conf": {"cycle": cycle.id, **conf},
    }
    asked(ward, "POST", "/api/v2/dags/cycle_decision/dagRuns", body)


def switch_to_disc(ward: EmbeddedWard, cycle: Cycle, reason_code: str) -> None:
    """経路の変更 with its reason, then the run is cleared from the encryption, as its DAG's text says."""
    decided(ward, cycle, decision="route", route="dvd", reason_code=reason_code)
    wait_for(lambda: cycle.history.facts(r.RouteSwitched), "the decision")
    wait_for(lambda: has_failed(cycle), "the run to be red")
    what = {
        "dag_run_id": cycle.run,
        "task_ids": ["encryption.encrypt"],
        "dry_run": False,
        "only_failed": False,
        "include_downstream": True,
    }
    asked(ward, "POST", f"/api/v2/dags/{NOTICE}/clearTaskInstances", what)


def give_up(ward: EmbeddedWard, cycle: Cycle) -> None:
    """引渡し後の取下げ while the contractor holds the goods back; he is told to erase all the same."""
    wait_for(lambda: cycle.has(r.StagingWipeRecord), "the contractor's opening it", seconds=600)
    decided(ward, cycle, decision="recall", reason_code="data_error")
    wait_for(lambda: cycle.history.recalled, "the decision")
    (ward.desk / f"hold-{cycle.id}").unlink()
    (ward.desk / f"delivery-accepted-{cycle.id}").touch()


@pytest.fixture(scope="module")
def cycles(ward: EmbeddedWard) -> Iterator[dict[str, Cycle]]:
    ward.start_officers()
    ward.start_contractor()
    began = time.monotonic()
    register = ward.layout.root / "config" / "register.yaml"
    register.write_text(a_second_contract_with_zip(register.read_text("utf-8")), encoding="utf-8")
    switched = opened(ward, SWITCHED)
    # The contractor's host hangs up in the middle of every upload of this one.
    fault = {"drop_after_bytes": 1_000, "only": switched.id}
    ward.layout.sftp_faults.write_text(json.dumps(fault))
    with written(ward, f"notices/{NOTICE}.yaml", by_route("dvd")):
        disc = opened(ward, DISC)
    with written(ward, f"notices/{NOTICE}.yaml", by_route("manual")):
        upload = opened(ward, UPLOAD)
    with written(ward, "parties.yaml", lambda text: text.replace("format: age", "format: zip-aes256")):
        zipped = opened(ward, ZIP)
    drill = opened(ward, DRILL, reason_code="drill")
    left = opened(ward, GIVEN_UP)
    (ward.desk / f"hold-{left.id}").touch()
    cycles = {cycle.run: cycle for cycle in (disc, switched, drill, upload, zipped, left)}
    wait_for(
        lambda: state_of(ward, DRILL, "handover.send") == "failed",
        "the gate of the exercise to close",
        seconds=900,
    )
    switch_to_disc(ward, drill, "drill")
    give_up(ward, left)
    wait_for(
        lambda: state_of(ward, SWITCHED, "handover.send") == "failed", "LGWAN to fail for good", seconds=600
    )
    assert list(ward.layout.exchange.rglob("*.part")), "half a package lies on the host, to be withdrawn"
    ward.layout.sftp_faults.unlink()
    switch_to_disc(ward, switched, "host_down")
    for cycle in cycles.values():
        wait_for(lambda cycle=cycle: cycle.has(r.ClosingRecord), f"{cycle.run} to close", seconds=900)
    print(f"\nsix cycles in {time.monotonic() - began:.0f} s")
    yield cycles
    ward.supervisor.stop("officers")
    ward.supervisor.stop("contractor")


@pytest.mark.parametrize("run", RUNS)
def test_the_cycle_closes_with_every_record_and_agreeing_quantities(
    cycles: dict[str, Cycle], run: str
) -> None:
    history = cycles[run].history
    assert [entry.kind for entry in history.current] == [record.kind() for record in CYCLE_RECORDS]
    assert [row for row in agreeing_quantities(history) if row[1] != row[2]] == []


def test_the_ledger_verifies(cycles: dict[str, Cycle]) -> None:
    verdict = cycles[DISC].ward.ledger.verify()
    assert verdict.holds, verdict.reason_ja


@pytest.mark.parametrize(
    ("run", "route", "further"),
    [
        (DISC, "dvd", {"媒体引渡確認書", "返却確認書"}),
        (SWITCHED, "dvd", {"媒体引渡確認書", "返却確認書"}),
        (DRILL, "dvd", {"媒体引渡確認書", "返却確認書"}),
        (UPLOAD, "manual", {"アップロードの記録"}),
        (ZIP, "lgwan", set()),
    ],
)
def test_no_more_forms_than_needed(cycles: dict[str, Cycle], run: str, route: str, further: set[str]) -> None:
    """Five over LGWAN, seven by disc; the year's settings are confirmed once a year, in whichever cycle comes first."""
    cycle = cycles[run]
    answered = [form for form in cycle.forms_answered() if form != "年度設定確認"]
    assert answered == sorted(OF_EVERY_ROUTE | further)
    assert cycle.history.latest(r.HandoverRecord).route == route
    judged = [fact for fact in cycle.history.facts(GatesJudged) if fact.stage == "handover"][-1]
    assert judged.closed == ()


def test_by_contract_the_disc_needs_no_line(cycles: dict[str, Cycle]) -> None:
    history = cycles[DISC].history
    handover = history.latest(r.HandoverRecord)
    assert handover.dvd is not None
    assert (handover.dvd.kept_in_safe, handover.dvd.lgwan_copy) == ("架空印刷 第一工場 金庫", "送っていない")
    assert history.facts(r.RouteSwitched) == []
    host = (cycles[DISC].ward.layout.logs / "sftp_host.log").read_text()
    assert history.latest(r.EncryptionRecord).package not in host


@pytest.mark.parametrize("run", [DISC, SWITCHED, DRILL])
def test_what_was_given_came_back(cycles: dict[str, Cycle], run: str) -> None:
    history = cycles[run].history
    (media,), (notices,) = history.facts(r.MediaReturn), history.facts(r.PassphraseReturn)
    handover = history.latest(r.HandoverRecord)
    assert handover.dvd is not None
    assert (media.quantity, notices.quantity) == (handover.dvd.quantity, 1)
    closing = history.latest(r.ClosingRecord).evidence
    assert {"media_return", "passphrase_return"} < set(closing)
    assert list((cycles[run].ward.desk / "returned").glob(f"{cycles[run].id}*")) == []


def test_after_the_line_failed_the_half_package_was_withdrawn_and_its_erasure_reported(
    cycles: dict[str, Cycle],
) -> None:
    cycle = cycles[SWITCHED]
    first, second = cycle.history.ever(r.EncryptionRecord)
    assert (first.package[-3:], second.package[-3:]) == ("-p1", "-p2")
    (withdrawn,) = cycle.history.facts(r.CopyWithdrawn)
    assert withdrawn.package == first.package
    assert [file.name for file in withdrawn.found] == [f"{first.files[0].name}.part"]
    assert withdrawn.left == ()
    (decision,) = cycle.history.facts(r.RouteSwitched)
    assert (decision.route, decision.reason_code, decision.decided_by.user_id) == ("dvd", "host_down", "unyo")
    handover = cycle.history.latest(r.HandoverRecord)
    assert handover.dvd is not None
    assert handover.dvd.lgwan_copy == "引き上げた"
    # The PC's opened and encrypted copy, and the line of the package that never came.
    assert cycle.history.latest(r.ErasureRecord).copies_erased == 3
    assert cycle.history.latest(r.PassphraseNoticeRecord).notice_number == f"{cycle.id}-PW1"


def test_the_mail_of_the_failed_send_proposed_the_disc(cycles: dict[str, Cycle]) -> None:
    mails = (
        text.decode() for where, text in files_below(cycles[SWITCHED].ward.layout.mail) if "as read" in where
    )
    (failed,) = [mail for mail in mails if "LGWAN での送信に" in mail]
    assert "LGWAN での送信に4回失敗しました" in failed or "LGWAN での送信に4回失敗し、" in failed
    assert "課長の了解を得て決めてください" in failed
    assert "経路の変更" in failed
    assert "LGWAN での送信に3回失敗" in task_logs(cycles[SWITCHED].ward, SWITCHED)


def test_the_exercise_took_no_line_and_counts_for_the_year(cycles: dict[str, Cycle]) -> None:
    """What docs/runbook.md tells: the gate closes, a person switches with the reason 訓練, the end is entered by itself."""
    cycle = cycles[DRILL]
    history, ledger = cycle.history, cycle.ward.ledger
    judged = [fact for fact in history.facts(GatesJudged) if fact.stage == "handover"]
    assert (judged[0].closed, judged[-1].closed) == (("drill_by_disc",), ())
    assert [fact.route for fact in history.facts(r.HandoverBegun)] == ["dvd"]
    assert history.facts(r.CopyWithdrawn) == []
    (switch,) = [entry for entry in history.entries if entry.kind == r.RouteSwitched.kind()]
    assert (switch.data["reason_code"], switch.data["decided_by"]["user_id"]) == ("drill", "unyo")
    handover, closing = history.latest(r.HandoverRecord), history.latest(r.ClosingRecord)
    assert handover.dvd is not None
    (held,) = history.facts(ExerciseHeld)
    assert (held.exercise, held.party, held.findings) == (LGWAN_DRILL, handover.party, 0)
    assert (held.switched_at, held.handed_at, held.completed_at) == (
        switch.recorded_at,
        handover.dvd.handed_at,
        closing.closed_at,
    )
    config, end = cycle.ward.layout.root / "config", date(2027, 3, 31)
    counted = read_register(ledger, config, end)
    (known,) = counted.held(ExerciseEntry, end)
    assert (known.content.cycle, known.content.exercise) == (cycle.id, LGWAN_DRILL)
    uncounted = Register.fold(load_seed(config), [], end)
    due = [
        {one.thing.split(":")[0] for one in reminders(register, end, BusinessCalendar())}
        for register in (uncounted, counted)
    ]
    assert ["lgwan_drill" in told for told in due] == [True, False]


def test_what_is_given_up_after_it_left_goes_to_its_erasure_and_nothing_else(
    cycles: dict[str, Cycle],
) -> None:
    cycle = cycles[GIVEN_UP]
    history = cycle.history
    passed_over = {r.DeliveryRecord, r.DeliveryConfirmationRecord}
    assert [entry.kind for entry in history.current] == [
        record.kind() for record in CYCLE_RECORDS if record not in passed_over
    ]
    (recalled,) = history.facts(r.HandoverRecalled)
    assert (recalled.reason_code, recalled.decided_by.user_id) == ("data_error", "unyo")
    assert list(recalled.left) == [history.latest(r.EncryptionRecord).files[0].name]
    assert "納品確認書" not in cycle.forms_answered()
    erased = history.entry_of(r.ErasureRecord)
    assert erased is not None
    assert erased.recorded_at > next(
        entry.recorded_at for entry in history.entries if entry.kind == r.HandoverRecalled.kind()
    )
    assert "予期しない誤り" not in task_logs(cycle.ward, GIVEN_UP)


def test_the_upload_is_recorded_with_what_became_of_the_copy(cycles: dict[str, Cycle]) -> None:
    handover = cycles[UPLOAD].history.latest(r.HandoverRecord)
    assert handover.manual is not None
    assert handover.manual.copy_deleted_at >= handover.sent_at
    package = cycles[UPLOAD].history.latest(r.EncryptionRecord)
    assert handover.files == package.files
    assert not (cycles[UPLOAD].ward.desk / "page" / package.package).exists()


def test_the_zip_was_opened_with_7_zip_and_is_none_of_age(cycles: dict[str, Cycle]) -> None:
    package = cycles[ZIP].history.latest(r.EncryptionRecord)
    assert package.files[0].name.endswith(".zip")
    assert "AES-256" in package.cipher
    told = (cycles[ZIP].ward.layout.logs / "contractor.log").read_text()
    assert f"{package.package}: opened with 7-Zip" in told


@pytest.mark.parametrize("run", RUNS)
def test_nothing_was_handed_over_twice(cycles: dict[str, Cycle], run: str) -> None:
    history, ward = cycles[run].history, cycles[run].ward
    assert len(history.ever(r.HandoverRecord)) == 1
    package = history.latest(r.EncryptionRecord).package
    begun = [fact for fact in history.facts(r.HandoverBegun) if fact.package == package]
    assert len(begun) == 1
    named = re.findall(
        rf"-> /to_contractor/{re.escape(package)}/(\S+)\n", (ward.layout.logs / "sftp_host.log").read_text()
    )
    files = [file.name for file in history.latest(r.EncryptionRecord).files]
    assert sorted(named) == (sorted(files) if run == ZIP else [])
    contractor = (ward.layout.logs / "contractor.log").read_text()
    assert contractor.count(f"{package}: print-log.json sent") == 1
    assert contractor.count(f"{cycles[run].id}-p") == contractor.count(
        package
    )  # no other package was printed


def test_nothing_is_left_and_nobody_of_the_batch_is_found_where_she_must_not_be(
    cycles: dict[str, Cycle],
) -> None:
    ward = cycles[DISC].ward
    layout, databases = ward.layout, ward.databases
    folders = (layout.vault, layout.outbox, layout.inbox, layout.print_tray)
    ids = {cycle.id for cycle in cycles.values()}
    left = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert [path for path in left if any(one in str(path) for one in ids)] == []
    with psycopg.connect(databases.uri("core_system", "postgres")) as core_system:
        rows = core_system.execute(
            "SELECT notice_no, insured_no, insured_kana FROM kaigo.assessment JOIN kaigo.insured_person"
            " USING (insured_no) WHERE batch_no = %s AND notice = %s",
            (BATCH, NOTICE),
        ).fetchall()
    assert len(rows) > 20
    terms = {term for row in rows for term in row}
    assert traces(terms, tables_of(databases.uri("core_system", "postgres")))  # the search does find them
    allowed = [layout.vault, layout.contractor_home, layout.print_tray, layout.drops, layout.results]
    found = traces(terms, files_below(layout.root, without=allowed))
    for database in ("airflow", "ledger"):
        found += traces(terms, tables_of(databases.uri(database, "postgres")))
    assert found == []


def test_no_log_shows_a_raw_traceback_of_ours(cycles: dict[str, Cycle]) -> None:
    for run in RUNS:
        assert "予期しない誤り" not in task_logs(cycles[run].ward, run), run
