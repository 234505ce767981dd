"""What `make compose-check` does without an engine: its tables against docker-compose.yaml, and what it reads."""

import json
import re
import runpy
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.compose_check import afterwards, deployment, reaches
from deploy.compose_check.cycle import DISC_CYCLE, DISC_RUN, LOOKED_AT_ON_HOST, MEETINGS, Cycle
from deploy.compose_check.deployment import BUILDS, CheckFailed, Container, Deployment, mebibytes
from tests.builders import a_cycle, come_back, on_disc

ROOT = Path(__file__).parents[2]
TASKS = (ROOT / "tests" / "airflow" / "structure.txt").read_text(encoding="utf-8").split()
PROBE = runpy.run_path(str(deployment.INSIDE / "probe.py"))


@cache
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))


def services() -> dict[str, Any]:
    return compose()["services"]


def running() -> set[str]:
    """The services that keep running."""
    return {name for name, service in services().items() if service["restart"] != "no"}


def networks(name: str) -> set[str]:
    return set(services()[name].get("networks", ()))


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield Deployment()
    monkeypatch.setattr("tempfile.tempdir", None)


def a_container(service: str, number: int = 1, **addresses: str) -> Container:
    return Container(f"{service}-{number}", service, number, "image", "running", "healthy", 0, addresses, ())


# ---- the tables forget no service


def test_every_service_is_told_to_keep_running_or_to_end() -> None:
    assert set(reaches.ENDS_BY_ITSELF) == set(services()) - running()
    assert set(reaches.MAY_CONNECT) == running()


def test_every_container_that_keeps_running_is_restarted_in_mid_cycle() -> None:
    assert {service for meeting in MEETINGS for service in meeting.services} == running()


def test_restarts_meet_tasks_of_the_cycle_in_their_order() -> None:
    places = [TASKS.index(meeting.task) for meeting in MEETINGS]
    assert places == sorted(places)
    assert set(LOOKED_AT_ON_HOST) < {meeting.task for meeting in MEETINGS}


def test_workers_broker_scheduler_and_database_are_killed_without_warning() -> None:
    killed = {service for meeting in MEETINGS if meeting.kill for service in meeting.services}
    assert killed >= {"worker", "worker-lgwan", "scheduler", "postgres", "redis"}


def test_who_may_connect_shares_a_network_and_nobody_else_does() -> None:
    for who, allowed in reaches.MAY_CONNECT.items():
        assert set(allowed) == {target for target in reaches.LISTENS if networks(who) & networks(target)}, who


def test_every_port_that_a_health_check_asks_for_is_tried() -> None:
    for name in running():
        test = services()[name].get("healthcheck", {}).get("test", [])
        if "port" in test:
            assert reaches.LISTENS[name] == int(test[-1])
    assert {"postgres", "core-system", "redis", "api-server"} < set(reaches.LISTENS)


def test_what_leads_nowhere_stands_on_internal_networks() -> None:
    internal = {
        name for name, network in compose()["networks"].items() if network and network.get("internal")
    }
    nowhere = {name for name in running() if networks(name) <= internal}
    assert set(reaches.LEADS_NOWHERE) == nowhere


def test_every_secret_and_its_holders_are_told() -> None:
    assert set(reaches.HOLDS) == set(compose()["secrets"])
    for secret, holders in reaches.HOLDS.items():
        assert set(holders) == {n for n in running() if secret in services()[n].get("secrets", [])}, secret


def test_every_shared_folder_and_who_sees_it_are_told() -> None:
    assert set(reaches.SHARED) == set(compose()["volumes"]) - {"postgres"}
    for folder, sharing in reaches.SHARED.items():
        seen = {
            name: "read-only" if volume.endswith(":ro") else "written"
            for name in running()
            for volume in services()[name].get("volumes", [])
            if volume.startswith(f"{folder}:/srv/{folder}")
        }
        assert sharing == seen, folder


def test_every_image_that_is_built_is_built_by_the_check() -> None:
    assert set(BUILDS) == {name for name, service in services().items() if "build" in service}
    assert BUILDS.index("init") < BUILDS.index("fill-core-system")


class ScriptedCycle(Cycle):
    """A cycle whose one task goes through given (state, try)."""

    def __init__(self, *story: tuple[str, int]) -> None:
        super().__init__(deployment=None, operator=None, tell=print)
        self.story = list(story)

    def tasks(self) -> dict[str, dict[str, Any]]:
        state, number = self.story.pop(0)
        return {"extraction.extract": {"state": state, "try_number": number}}


def test_a_killed_task_is_met_again_only_in_its_next_try() -> None:
    """Until the scheduler misses its heartbeat, Airflow still calls it running."""
    cycle = ScriptedCycle(("queued", 1), ("running", 1), ("running", 1), ("up_for_retry", 1), ("running", 2))
    worker, gateway = MEETINGS[:2]
    assert (cycle._wait_for(worker), len(cycle.story)) == ("running", 3)
    assert (cycle._wait_for(gateway), len(cycle.story)) == ("running", 0)


def test_a_task_that_went_by_too_fast_is_told_as_such() -> None:
    assert ScriptedCycle(("queued", 1), ("success", 1))._wait_for(MEETINGS[0]) == "success"


class AskedCycle(Cycle):
    """A cycle that notes what it asks and is answered that all is well."""

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any] | None:
        self.__dict__.setdefault("asked", []).append((method, path, body))
        if path.endswith("/taskInstances?limit=100"):
            return {
                "task_instances": [{"task_id": "opening.open_cycle", "state": "success", "try_number": 1}]
            }
        return {"state": "success"}


def test_the_cycle_by_disc_is_switched_while_its_dag_is_paused() -> None:
    cycle = AskedCycle.by_disc(None, None, print)  # type: ignore[arg-type]
    cycle.start()
    cycle.switch_to_disc()
    asked = cycle.__dict__["asked"]
    started = [(path, body["conf"]) for method, path, body in asked if method == "POST"]
    assert [path.split("/")[4] for path, _ in started] == ["premium_notice_ordinary", "cycle_decision"]
    assert started[0][1]["occasion"] == "supplementary"
    assert started[1][1] == {"cycle": DISC_CYCLE, "decision": "route", "route": "dvd", "reason_code": "drill"}
    pausing = [body["is_paused"] for method, _, body in asked if method == "PATCH"]
    decided = next(
        at for at, (method, path, _) in enumerate(asked) if method == "POST" and "cycle_decision" in path
    )
    paused = [at for at, (method, _, body) in enumerate(asked) if method == "PATCH" and body["is_paused"]]
    assert pausing == [False, True, False]
    assert paused[0] < decided
    assert all(DISC_RUN in path for _, path, _ in asked if "/taskInstances" in path)


def test_the_decision_of_the_disc_names_what_its_dag_offers() -> None:
    from notice_cycle.handover.route import REASONS_JA, ROUTES_JA
    from notice_cycle.values import CYCLE_ID_PATTERN

    assert re.fullmatch(CYCLE_ID_PATTERN, DISC_CYCLE)
    assert "dvd" in ROUTES_JA
    assert "drill" in REASONS_JA


class ALedger:
    """The deployment as the checks afterwards ask it: a ledger of one cycle, and an empty host."""

    def __init__(self, *, lines: str = "", **changes: Any) -> None:
        self.lines = lines
        cycle = a_cycle().with_(opening={"run_id": DISC_RUN}, **changes).noting(*come_back())
        self.entries = [entry.text() for entry in cycle.history().entries]

    def run_as_init(self, _program: str) -> dict[str, Any]:
        return {"holds": True, "reason": "", "entries": self.entries}

    def package_on_host(self) -> str:
        return self.lines


def test_a_cycle_that_went_by_disc_and_came_back_passes() -> None:
    assert "1 disc given once" in afterwards.check_disc(ALedger(handover=on_disc()))  # type: ignore[arg-type]


def test_a_cycle_that_went_another_way_or_lies_on_the_host_does_not_pass() -> None:
    with pytest.raises(CheckFailed, match="went by lgwan"):
        afterwards.check_disc(ALedger())  # type: ignore[arg-type]
    with pytest.raises(CheckFailed, match="host holds"):
        afterwards.check_disc(ALedger(lines="abc  ./x", handover=on_disc()))  # type: ignore[arg-type]


# ---- what is tried


def test_a_forbidden_service_is_tried_by_name_and_by_every_address_an_allowed_one_must_answer() -> None:
    there = [a_container(name, edge="10.0.0.1") for name in reaches.LISTENS]
    there.append(a_container("worker", 2, inner="10.0.0.2"))
    tried = [reach for reach in reaches.connections(there) if reach.who == "worker"]
    contractor = [reach.probe for reach in tried if reach.probe[2] == "22"]
    assert contractor == [("connect", "contractor-host", "22"), ("connect", "10.0.0.1", "22")]
    (gateway,) = [reach for reach in tried if reach.probe[1] == "core-gateway"]
    assert gateway.control and gateway.answers == ("reached",)


def test_whatever_is_refused_is_reached_by_somebody() -> None:
    """Else the refusal would say nothing: the probe or the target may be broken."""
    every = [*reaches.files(), *reaches.databases()]
    read = {reach.probe[1] for reach in every if reach.probe[0] == "read" and reach.control}
    handed = {
        f"/run/secrets/{s}" for s, who in reaches.HOLDS.items() if set(who) - set(reaches.WITHOUT_PYTHON)
    }
    assert handed <= read
    assert {f"/srv/{folder}/{reaches.MARKER}" for folder in reaches.SHARED} <= read
    assert {target for allowed in reaches.MAY_CONNECT.values() for target in allowed} == set(reaches.LISTENS)


def test_a_probe_of_every_kind_is_known() -> None:
    every = [*reaches.files(), *reaches.databases()]
    assert {reach.probe[0] for reach in every} <= set(PROBE["KINDS"])


# ---- what the probe answers


def test_a_closed_port_an_open_one_and_an_unknown_name_are_told_apart() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = str(listening.getsockname()[1])
        assert PROBE["answer"](["connect", "127.0.0.1", port]) == "closed"
        listening.listen()
        assert PROBE["answer"](["connect", "127.0.0.1", port]) == "reached"
    assert PROBE["answer"](["connect", "nowhere.invalid", port]) == "no such name"


def test_files_are_read_written_and_missed(tmp_path: Path) -> None:
    there = tmp_path / "there"
    assert PROBE["answer"](["read", str(there)]) == "missing"
    assert PROBE["answer"](["write", str(there)]) == "written"
    assert PROBE["answer"](["read", str(there)]) == "read"
    assert there.read_bytes() == b""


# ---- what is read


@pytest.mark.parametrize(
    ("told", "expected"), [("1.5GiB ", 1536.0), ("250MiB", 250.0), ("512KiB", 0.5), ("0B", 0.0)]
)
def test_memory_is_read_as_docker_stats_writes_it(told: str, expected: float) -> None:
    assert mebibytes(told) == expected


def test_an_unknown_unit_is_not_taken_for_a_number() -> None:
    with pytest.raises(ValueError, match="many"):
        mebibytes("many")


def test_a_container_is_well_when_it_runs_and_is_healthy_or_nobody_asks() -> None:
    told = {
        "Id": "abc",
        "Config": {
            "Image": "notice-cycle:check",
            "Labels": {"com.docker.compose.service": "worker", "com.docker.compose.container-number": "2"},
        },
        "State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "starting"}},
        "NetworkSettings": {"Networks": {"notice-cycle-check_inner": {"IPAddress": "172.18.0.2"}}},
        "Mounts": [{"Type": "volume", "Name": "v"}, {"Type": "bind", "Source": "/etc"}],
    }
    container = Container.from_inspection(told)
    assert (container.service, container.number, container.volumes) == ("worker", 2, ("v",))
    assert container.addresses == {"inner": "172.18.0.2"}
    assert not container.is_well
    del told["State"]["Health"]
    assert Container.from_inspection(told).is_well


@pytest.mark.parametrize(
    ("state", "health", "ended_with", "failed"),
    [
        ("running", "starting", 0, False),
        ("running", "unhealthy", 0, True),
        ("restarting", "", 0, True),
        ("exited", "", 0, False),
        ("exited", "", 78, True),
    ],
)
def test_a_container_has_failed_when_it_is_unhealthy_or_ended_badly(
    state: str, health: str, ended_with: int, failed: bool
) -> None:
    assert Container("id", "init", 1, "image", state, health, ended_with, {}, ()).has_failed is failed


def test_the_values_of_secrets_are_looked_for_and_public_halves_are_not() -> None:
    assert reaches.secret_values(
        "metadata_dsn", b"postgresql+psycopg2://airflow:geheim@postgres/airflow"
    ) == {b"geheim"}
    connections = json.dumps({"ledger": {"password": "geheim", "extra": {"key_file": "/run/secrets/k"}}})
    assert reaches.secret_values("connections_worker.json", connections.encode()) == {b"geheim"}
    assert reaches.secret_values("demo_officers.json", b'{"unyo": "geheim"}') == {b"geheim"}
    assert reaches.secret_values("sftp_key", b"-----BEGIN-----\nb3Blbg\n-----END-----\n") == {b"b3Blbg"}
    assert reaches.secret_values("sftp_key.pub", b"ssh-ed25519 AAAA") == set()


# ---- it stays beside everything else


def test_settings_of_another_deployment_do_not_reach_the_check(
    check: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTICE_CYCLE_SECRETS", "/srv/real/secrets")
    monkeypatch.setenv("NOTICE_CYCLE_CORE_SYSTEM", "core.ward.example:5432")
    monkeypatch.setenv("COMPOSE_FILE", "other.yaml")
    environment = check.environment
    assert environment["COMPOSE_PROJECT_NAME"] == "notice-cycle-check"
    assert environment["NOTICE_CYCLE_SECRETS"] == str(check.secrets)
    assert environment["NOTICE_CYCLE_URL"] == check.address
    assert not {"NOTICE_CYCLE_CORE_SYSTEM", "COMPOSE_FILE"} & set(environment)


def test_a_machine_without_docker_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert deployment.engine_complaint() == "The command `docker` is not installed."


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo 'Cannot connect' >&2; exit 1", "No Docker engine answers: Cannot connect"),
        (
            '[ "$1" = info ] && echo 28 && exit; echo unknown >&2; exit 1',
            "Docker Compose v2 is not installed: unknown",
        ),
        ('[ "$1" = info ] && echo 28 && exit; echo 1.29.2', "Docker Compose v2 is needed, this is 1.29.2."),
        ("echo v2.26.1", None),
    ],
)
def test_an_engine_or_compose_that_does_not_fit_is_named(
    script: str, complaint: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{script}\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert deployment.engine_complaint() == complaint


def test_a_command_that_fails_is_told_with_the_end_of_what_it_said(
    check: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho the reason >&2; exit 3\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(CheckFailed, match=r"(?s)`docker ps` ended with 3:.*the reason"):
        check.docker("ps")


def test_the_secrets_are_removed_even_when_the_engine_is_gone(
    check: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert check.secrets.exists()
    with pytest.raises(CheckFailed):
        check.down()
    assert not check.secrets.exists()
