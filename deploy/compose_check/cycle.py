"""Whole cycles through the REST API: one over LGWAN with every container restarted or killed in the middle of it, and
a small one by disc after it.

MEETINGS says which container dies at which task. What is killed dies at once and comes back as after a power cut. While
something is restarted in good order the DAG is paused, so that the cycle does not run past the next meeting. A task
that failed for good is cleared, as an operator would, and counted.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import httpx
from deploy.compose_check.deployment import CheckFailed, Deployment

from embedded_ward.officers import Officer

NOTICE = "premium_notice_ordinary"
RUN = "compose-check"
ANSWER_WITHIN_SECONDS = 180.0
TASK_WITHIN_SECONDS = 900.0  # what the broker loses is queued again after ten minutes
CYCLE_WITHIN_SECONDS = 1200.0
WORKERS = ("worker", "worker-lgwan")
_LOOK_EVERY_SECONDS = 0.3
DISC_RUN, DISC_CYCLE = "compose-check-disc", f"2026-{NOTICE}-supplementary-01"
_DECISION = "compose-check-route"
_DISC_CONF = {
    "fiscal_year": 2026,
    "occasion": "supplementary",
    "reason_code": "corrected",
    "batch_no": "2026-08-supplementary",
}
_CONF = {"fiscal_year": 2026, "occasion": "annual", "reason_code": "annual", "batch_no": "2026-annual"}

RUNNING, ASKING = ("running",), ("awaiting_input",)
WAITING = ("running", "up_for_reschedule")


@dataclass(frozen=True)
class Meeting:
    """When `task` is in one of `states`, the services are restarted one by one, or killed without warning."""

    task: str
    states: tuple[str, ...]
    services: tuple[str, ...]
    kill: bool = False


MEETINGS = (
    Meeting("extraction.extract", RUNNING, ("worker",), kill=True),
    Meeting("extraction.extract", RUNNING, ("core-gateway",), kill=True),
    Meeting("validation.validate", RUNNING, ("scheduler",), kill=True),
    Meeting("validation.confirm_validation", ASKING, ("api-server", "web", "officers")),
    Meeting("composition.compose", RUNNING, ("postgres",), kill=True),
    Meeting("composition.approve_handover", ASKING, ("dag-processor", "triggerer", "core-system")),
    Meeting("encryption.encrypt", RUNNING, ("worker",), kill=True),
    Meeting("handover.send", RUNNING, ("worker-lgwan",), kill=True),
    Meeting("handover.send", RUNNING, ("contractor-host",), kill=True),
    Meeting("acknowledgement.wait_for_content_receipt", WAITING, ("contractor",)),
    Meeting("delivery.wait_for_delivery", WAITING, ("redis",), kill=True),
    Meeting("delivery.confirm_delivery", ASKING, ("mail-gateway", "mail-catcher")),
)
LOOKED_AT_ON_HOST = ("acknowledgement.wait_for_content_receipt", "delivery.wait_for_delivery")
"""Meetings after which the package still lies on the contractor's host; it is erased after the delivery."""


@dataclass
class Cycle:
    """The cycle as its operator `unyo` sees it."""

    deployment: Deployment
    operator: Officer
    tell: Callable[[str], None]
    cleared: list[str] = field(default_factory=list)
    met: list[Meeting] = field(default_factory=list)
    seen_on_host: list[str] = field(default_factory=list)
    began: float = 0.0
    run: str = RUN
    conf: Mapping[str, object] = field(default_factory=lambda: _CONF)
    _killed_at_try: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        """Waits for the DAG, unpauses and triggers it."""
        self._pause(False)
        self.began = time.monotonic()
        run = {"dag_run_id": self.run, "logical_date": None, "conf": dict(self.conf)}
        self._ask("POST", f"/api/v2/dags/{NOTICE}/dagRuns", run)
        _wait(self.state, "the run", ANSWER_WITHIN_SECONDS, "api-server")

    def shake(self) -> None:
        """Every meeting in turn."""
        for meeting in MEETINGS:
            state = self._wait_for(meeting)
            if state in meeting.states:
                self.met.append(meeting)
            with nullcontext() if meeting.kill else self._dag_paused():
                for service in meeting.services:
                    self._take_down(service, meeting, state)
            if meeting.task in LOOKED_AT_ON_HOST:
                self.seen_on_host.append(self.deployment.package_on_host())

    def wait_for_end(self) -> None:
        """Blocks until the run has succeeded; clears what failed for good."""
        _wait(lambda: self._look() and self.state() == "success", "the cycle's end", CYCLE_WITHIN_SECONDS, "scheduler",
              self._where)  # fmt: skip

    def state(self) -> str | None:
        """The state of the run; None when nobody answers."""
        run = self._ask("GET", f"/api/v2/dags/{NOTICE}/dagRuns/{self.run}")
        return str(run["state"]) if run else None

    def tasks(self) -> dict[str, dict[str, Any]]:
        """The tasks as the API tells them, by id; empty when nobody answers."""
        found = self._ask("GET", f"/api/v2/dags/{NOTICE}/dagRuns/{self.run}/taskInstances?limit=100")
        return {task["task_id"]: task for task in found["task_instances"]} if found else {}

    def retried(self) -> str:
        """The tasks that were begun again, by themselves or by the operator: what the kills really met."""
        again = {
            name: task["try_number"] - 1 for name, task in self.tasks().items() if task["try_number"] > 1
        }
        return ", ".join(f"{name} {count} times" for name, count in again.items()) or "nothing"

    @classmethod
    def by_disc(cls, deployment: Deployment, operator: Officer, tell: Callable[[str], None]) -> "Cycle":
        """A small supplementary cycle that goes by disc."""
        return cls(deployment, operator, tell, run=DISC_RUN, conf=_DISC_CONF)

    def switch_to_disc(self) -> None:
        """経路の変更, while the DAG is paused and nothing is encrypted yet, so that nothing has to be cleared."""
        opened = "opening.open_cycle"
        _wait(
            lambda: self._look().get(opened, {}).get("state") == "success",
            opened,
            TASK_WITHIN_SECONDS,
            "scheduler",
        )
        asked = {"cycle": DISC_CYCLE, "decision": "route", "route": "dvd", "reason_code": "drill"}
        run = {"dag_run_id": _DECISION, "logical_date": None, "conf": asked}
        path = "/api/v2/dags/cycle_decision/dagRuns"
        with self._dag_paused():
            _wait(lambda: self._ask("POST", path, run), "the decision", ANSWER_WITHIN_SECONDS, "api-server")
            ended = f"{path}/{_DECISION}"
            _wait(
                lambda: (self._ask("GET", ended) or {}).get("state") == "success",
                "経路の変更",
                TASK_WITHIN_SECONDS,
                "worker",
            )

    # ---- how

    def _wait_for(self, meeting: Meeting) -> str:
        """The state in which the task was met; `success` when it went by too fast.

        A task that was killed stays `running` until the scheduler misses its heartbeat: only its next try counts.
        """
        met: dict[str, Any] = {}

        def here() -> bool:
            met.update(self._look().get(meeting.task, {}))
            is_dead = self._killed_at_try.get(meeting.task) == met.get("try_number")
            return met.get("state") == "success" or (met.get("state") in meeting.states and not is_dead)

        _wait(here, meeting.task, TASK_WITHIN_SECONDS, "scheduler", self._where)
        if meeting.kill and set(meeting.services) & set(WORKERS):
            self._killed_at_try[meeting.task] = met["try_number"]
        return str(met["state"])

    def _look(self) -> dict[str, dict[str, Any]]:
        """The tasks; those that failed for good are cleared."""
        tasks = self.tasks()
        if failed := [name for name, task in tasks.items() if task["state"] == "failed"]:
            self._clear(failed)
        return tasks

    def _clear(self, tasks: list[str]) -> None:
        """What an operator does after the failure mail, once the container is back."""
        what = {"dag_run_id": self.run, "task_ids": tasks, "dry_run": False, "only_failed": True,
                "include_downstream": True, "reset_dag_runs": True}  # fmt: skip
        if self._ask("POST", f"/api/v2/dags/{NOTICE}/clearTaskInstances", what):
            self.cleared += tasks
            self.tell(f"cleared: {', '.join(tasks)}")

    def _take_down(self, service: str, meeting: Meeting, state: str) -> None:
        down_at = time.monotonic()
        if meeting.kill:
            self.deployment.kill_and_start(service)
        else:
            self.deployment.compose("restart", service)
        self.deployment.wait_until_well(service)
        done, now = "killed" if meeting.kill else "restarted", time.monotonic()
        self.tell(
            f"at {down_at - self.began:4.0f} s {service} {done} at {meeting.task} ({state}),"
            f" well after {now - down_at:.0f} s"
        )

    @contextmanager
    def _dag_paused(self) -> Iterator[None]:
        self._pause(True)
        yield
        self._pause(False)

    def _pause(self, paused: bool) -> None:
        path, what = f"/api/v2/dags/{NOTICE}", {"is_paused": paused}
        _wait(
            lambda: self._ask("PATCH", path, what),
            "an answer about the DAG",
            ANSWER_WITHIN_SECONDS,
            "api-server",
        )

    def _where(self) -> str:
        open_ = {
            name: task["state"]
            for name, task in self.tasks().items()
            if task["state"] not in ("success", None)
        }
        return ", ".join(f"{name} {state}" for name, state in open_.items())

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any] | None:
        """The answer; None when the front door is just being restarted."""
        try:
            answer = self.operator.request(method, path, body)
            return answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError):
            return None


def _wait(
    ready: Callable[[], object], what: str, seconds: float, service: str, where: Callable[[], str] = str
) -> None:
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise CheckFailed(f"{what} did not come within {seconds:.0f} s; {where()}", service)
        time.sleep(_LOOK_EVERY_SECONDS)
