"""One embedded ward for all tests of whole cycles: the real scheduler, database, SFTP host and mails."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded_ward.layout import REPOSITORY, WardLayout
from embedded_ward.ward import EmbeddedWard
from notice_cycle import clock

# How soon a dead scheduler's tasks are taken over: seconds where a deployment has half a minute. The scheduler
# must beat well within the threshold, or it takes itself for dead and starts running tasks a second time.
FAST_RECOVERY = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
}


@pytest.fixture(scope="package")  # its moved clock is not for the tests of other folders
def ward() -> Iterator[EmbeddedWard]:
    layout = WardLayout(REPOSITORY / "var" / "test", *free_ports(3))
    ward = EmbeddedWard(layout, persons=20_000, further_settings=FAST_RECOVERY)
    try:
        ward.start(people=False)
        os.environ[clock.CLOCK_FILE_VARIABLE] = str(layout.root / "clock.json")
        wait_for(ward.knows_dag, "the DAG")
        yield ward
    finally:
        os.environ.pop(clock.CLOCK_FILE_VARIABLE, None)
        ward.stop()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(ready: Callable[[], object], what: str, seconds: float = 300.0, every: float = 0.2) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, f"{what} did not come within {seconds:.0f} s"
        time.sleep(every)


def state_of(ward: EmbeddedWard, run_id: str, task_id: str) -> str | None:
    return next((task["state"] for task in ward.tasks(run_id) if task["task_id"] == task_id), None)


def confirm_year_settings(ward: EmbeddedWard, notice: str, run_id: str) -> None:
    """As the approver, unless another cycle's confirmation was carried over."""
    task = f"/api/v2/dags/{notice}/dagRuns/{run_id}/taskInstances/opening.confirm_year_settings"

    def state() -> str | None:
        answer = ward.person("unyo").request("GET", task)
        return answer.json()["state"] if answer.is_success else None

    wait_for(lambda: state() in {"awaiting_input", "success"}, "年度設定確認")
    if state() == "awaiting_input":
        time.sleep(2.5)  # Airflow 3.3 may lose an answer that comes while the form is being parked
        answer = {"chosen_options": ["確認した"], "params_input": {"papers": "架空区介護保険条例"}}
        ward.person("shonin").request("PATCH", f"{task}/-1/hitlDetails", answer).raise_for_status()


def task_logs(ward: EmbeddedWard, run_id: str) -> str:
    folder = ward.layout.airflow_home / "logs"
    return "\n".join(path.read_text() for path in Path(folder).rglob("*.log") if run_id in str(path))
