"""The DAGs as Airflow loads them: structure, names, and what a mistake in the catalogue does."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from notice_cycle.register.kinds import KINDS
from notice_cycle.stage import STAGES

ROOT = Path(__file__).parents[2]
NOTICE = "premium_notice_ordinary"
NOTICES = sorted(path.stem for path in (ROOT / "include" / "config" / "notices").glob("*.yaml"))
ROUTES = (
    ["handover.send"],
    ["handover.prepare_upload", "handover.confirm_upload"],
    ["handover.withdraw_copies", "handover.make_discs", "handover.burn_discs", "handover.confirm_discs"],
)
OPERATING = (
    "cycle_decision",
    "ledger_restored",
    "ledger_audit",
    "deadline_watch",
    "reply_watch",
    "reply_conflict",
    "reply_on_paper",
    "enclosure_passphrase",
    "posting",
    "delivered_pull_out",
    "returned_mail",
    "copy_keeping",
    "copy_keeping_approval",
    "account_closed",
    "account_changed",
    "paper_reprint",
    "passphrase_notice_void",
)
PULL_OUT = (
    *("request.read_list", "request.check_request", "request.approve_request", "encryption.encrypt"),
    *(task for route in ROUTES for task in route),
    *("acknowledgement.wait_for_receipt", "acknowledgement.verify_receipt"),
    *("acknowledgement.print_passphrase_notice", "acknowledgement.confirm_passphrase_handover"),
    *("acknowledgement.wait_for_content_receipt", "acknowledgement.verify_content_receipt"),
    *("confirmation.wait_for_confirmation", "confirmation.verify_confirmation"),
)
# They look into the folders where answers come, which only this queue's workers can.
OVER_LGWAN = {"reply_watch", "reply_on_paper"}

INCIDENTS = ("incident", "incident_step")
REGISTER = ("gate_exception", *(f"register_{kind}" for kind in KINDS))

# Task ids are frozen while cycles are open: a renamed task would lose the answer that stands under its old name.
PICTURE = Path(__file__).with_name("structure.txt").read_text().split()


@cache
def loaded(config: Path | None = None) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {
        "AIRFLOW_HOME": str(ROOT / "var" / "test-airflow-home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("include", "plugins", "dags")),
    }
    if config:
        environment["NOTICE_CYCLE_CONFIG"] = str(config)
    script = Path(__file__).with_name("dag_facts.py")
    run = subprocess.run(
        [sys.executable, script, ROOT / "dags"],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    line = next((line for line in run.stdout.splitlines() if line.startswith("FACTS ")), None)
    assert line, run.stdout[-2000:] + run.stderr[-2000:]
    return json.loads(line.removeprefix("FACTS "))


def tasks() -> list[dict[str, Any]]:
    return loaded()["dags"][NOTICE]["tasks"]


def test_everything_imports() -> None:
    assert loaded()["import_errors"] == {}
    assert set(loaded()["dags"]) == {*NOTICES, *OPERATING, *INCIDENTS, *REGISTER, "pull_out"}


def test_a_dag_file_parses_in_well_under_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = loaded()["seconds_by_file"]
    with capsys.disabled():
        print(f"\nparse times: {seconds}")
    assert (
        max(seconds.values()) < 3
    )  # generous: the figure is printed, a busy machine must not fail the build


@pytest.mark.parametrize("dag_id", OPERATING)
def test_a_dag_for_operating_has_one_task_that_tells_when_it_fails(dag_id: str) -> None:
    dag = loaded()["dags"][dag_id]
    assert (dag["tags"], dag["max_active_runs"], dag["catchup"]) == (["運用"], 1, False)
    assert dag["starts_paused"] is False  # a paused one would accept a request and never run it
    (task,) = dag["tasks"]
    queue = "lgwan" if dag_id in OVER_LGWAN else "default"
    assert (task["queue"], task["tells"], task["name"].isascii()) == (queue, True, False)


def test_the_forms_of_an_incident_tell_start_by_hand_and_warn_of_personal_data() -> None:
    dags = loaded()["dags"]
    assert {dag_id: [task["id"] for task in dags[dag_id]["tasks"]] for dag_id in INCIDENTS} == {
        "incident": ["report_incident", "print_draft"],
        "incident_step": ["take_step"],
    }
    for dag_id in INCIDENTS:
        dag = dags[dag_id]
        assert (dag["schedule"], dag["max_active_runs"], dag["starts_paused"]) == ("NullTimetable", 1, False)
        assert all(task["tells"] and task["queue"] == "default" for task in dag["tasks"])
        assert "被保険者の氏名・番号" in dag["doc"]


@pytest.mark.parametrize("dag_id", ["posting", "delivered_pull_out", "returned_mail", "copy_keeping"])
def test_the_forms_after_the_delivery_warn_of_personal_data(dag_id: str) -> None:
    assert "被保険者の氏名・番号" in loaded()["dags"][dag_id]["doc"]


def test_a_pull_out_goes_the_way_of_print_data_and_waits_without_a_slot() -> None:
    dag = loaded()["dags"]["pull_out"]
    tasks_of = {task["id"]: task for task in dag["tasks"]}
    assert sorted(tasks_of) == sorted(PULL_OUT)
    assert (dag["schedule"], dag["starts_paused"], dag["max_active_runs"]) == ("NullTimetable", False, 16)
    assert "番号や氏名を、画面の書式には入力しないでください" in dag["doc"]
    assert all(task["tells"] and not task["name"].isascii() for task in tasks_of.values())
    assert tasks_of["encryption.encrypt"]["upstream"] == ["request.approve_request"]
    assert tasks_of["confirmation.wait_for_confirmation"]["upstream"] == [
        "acknowledgement.verify_content_receipt"
    ]
    on_the_line = {task for task, known in tasks_of.items() if known["queue"] == "lgwan"}
    waits = {task for task in tasks_of if ".wait_for_" in task}
    assert on_the_line == waits | {"handover.send", "handover.withdraw_copies"}
    assert {tasks_of[task]["mode"] for task in waits} == {"reschedule"}


def test_the_audit_and_the_two_watches_start_by_themselves_and_nothing_else_does() -> None:
    dags = loaded()["dags"]
    assert dags["deadline_watch"]["cron"] == ["0 9,13,15 * * *", "Asia/Tokyo", "0:00:00"]
    # The zero: seen for the first time shortly after six, it waits for the next morning; there may be no ledger yet.
    assert dags["ledger_audit"]["cron"] == ["0 6 * * *", "Asia/Tokyo", "0:00:00"]
    assert dags["reply_watch"]["cron"][:2] == ["*/10 * * * *", "Asia/Tokyo"]
    scheduled = {"ledger_audit", "deadline_watch", "reply_watch"}
    assert {dags[dag_id]["schedule"] for dag_id in OPERATING if dag_id not in scheduled} == {"NullTimetable"}


def test_the_tasks_are_the_ones_that_open_runs_know() -> None:
    assert [task["id"] for task in tasks()] == PICTURE
    assert len(PICTURE) <= 40


def test_the_process_is_one_chain_but_for_the_routes_of_the_hand_over() -> None:
    upstream = {task["id"]: task["upstream"] for task in tasks()}
    route_of = {
        task: [before] for route in ROUTES for before, task in pairwise(["encryption.encrypt", *route])
    }
    returns = "erasure.confirm_returns"  # beside the erasure: after the delivery, before the closing
    behind = [task for task in PICTURE if not task.startswith("handover.") and task != returns]
    chained = {task: [before] for before, task in pairwise(behind)}
    chained["acknowledgement.wait_for_receipt"] = sorted(route[-1] for route in ROUTES)
    chained[returns] = ["delivery.confirm_delivery"]
    chained["closing.return_results"] = ["erasure.confirm_erasure", returns]
    assert {task: sorted(before) for task, before in upstream.items()} == {
        "opening.open_cycle": [],
        **chained,
        **route_of,
    }


def test_the_notices_all_have_the_same_process() -> None:
    dags = loaded()["dags"]
    assert {tuple(task["id"] for task in dags[notice]["tasks"]) for notice in NOTICES} == {tuple(PICTURE)}


def test_stages_are_the_ten_stages_in_order() -> None:
    groups = list(dict.fromkeys(task["id"].split(".")[0] for task in tasks()))
    assert groups == [stage.id for stage in STAGES]
    assert len(groups) == 10


def test_every_task_has_a_japanese_name_and_tells_when_it_fails() -> None:
    for task in tasks():
        assert not task["name"].isascii(), task["id"]
        assert task["tells"], task["id"]


def test_forms_have_no_default_and_no_time_out() -> None:
    forms = [task for task in tasks() if task["operator"] == "EvidenceForm"]
    # Five a cycle over LGWAN and one a year; two more for the disc, one more for an officer's upload.
    of_other_routes = {"handover.confirm_upload", "handover.confirm_discs", "erasure.confirm_returns"}
    lgwan = {form["id"] for form in forms} - of_other_routes
    assert (len(lgwan - {"opening.confirm_year_settings"}), len(forms)) == (5, 9)
    assert [form for form in forms if form["defaults"] or form["response_timeout"]] == []


def test_sensors_wait_a_year_without_a_slot() -> None:
    sensors = [task for task in tasks() if task["operator"] == "ContractorReplySensor"]
    assert len(sensors) == 4
    for sensor in sensors:
        assert (sensor["mode"], sensor["queue"], sensor["pool"]) == ("reschedule", "lgwan", "lgwan")
        assert sensor["timeout"] >= 365 * 24 * 3600


def test_only_the_lgwan_queue_talks_to_the_contractor() -> None:
    on_the_line = {task["id"] for task in tasks() if task["queue"] == "lgwan"}
    waits = {task["id"] for task in tasks() if ".wait_for_" in task["id"]}
    assert on_the_line == waits | {"handover.send", "handover.withdraw_copies"}


def test_the_dag_reads_as_its_users_know_it() -> None:
    dag = loaded()["dags"][NOTICE]
    assert dag["display_name"] == "納入通知書・普通徴収"
    assert dag["max_active_runs"] == 16
    assert not dag["dagrun_timeout"]
    assert not dag["catchup"]
    assert dag["schedule"] == "毎年7月の最初の開庁日 9:00"
    assert "被保険者番号や氏名は入力しないでください" in dag["doc"]


@pytest.fixture(scope="module")
def broken_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second notice that is sound, and the first one broken at a key."""
    config = tmp_path_factory.mktemp("catalogue") / "config"
    shutil.copytree(ROOT / "include" / "config", config)
    first = config / "notices" / f"{NOTICE}.yaml"
    (config / "notices" / "second_notice.yaml").write_text(first.read_text().replace("普通徴収", "見本"))
    first.write_text(first.read_text().replace("layout:", "layuot:"))
    return config


def test_a_broken_entry_shows_as_its_own_import_error_naming_file_key_and_remedy(
    broken_catalogue: Path,
) -> None:
    errors = loaded(broken_catalogue)["import_errors"]
    assert list(errors) == ["catalogue_check.py"]
    assert f"{NOTICE}.yaml" in errors["catalogue_check.py"]
    assert "layuot" in errors["catalogue_check.py"] or "layout" in errors["catalogue_check.py"]
    assert "second_notice" not in errors["catalogue_check.py"]


def test_a_broken_entry_takes_neither_its_own_open_runs_nor_another_dag_down(broken_catalogue: Path) -> None:
    dags = loaded(broken_catalogue)["dags"]
    assert set(dags) == {*NOTICES, "second_notice", *OPERATING, *INCIDENTS, *REGISTER, "pull_out"}
    assert [task["id"] for task in dags[NOTICE]["tasks"]] == PICTURE
    assert dags["second_notice"]["schedule"] == "毎年7月の最初の開庁日 9:00"


def test_a_file_that_is_no_yaml_at_all_takes_nothing_down(broken_catalogue: Path) -> None:
    config = broken_catalogue.parent / "unreadable"
    shutil.copytree(broken_catalogue, config)
    (config / "notices" / f"{NOTICE}.yaml").write_text("name_ja: [\n")
    assert set(loaded(config)["dags"]) == {
        *NOTICES,
        "second_notice",
        *OPERATING,
        *INCIDENTS,
        *REGISTER,
        "pull_out",
    }
    assert "YAML" in loaded(config)["import_errors"]["catalogue_check.py"]
