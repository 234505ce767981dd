"""docker-compose.yaml as a text: who is given which secret, volume and network, and that all of it exists."""

import runpy
import stat
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OURS = ("init", "api-server", "scheduler", "dag-processor", "worker", "worker-lgwan")


@cache
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))


def service(name: str) -> dict[str, Any]:
    return compose()["services"][name]


def secrets_of(name: str) -> set[str]:
    return set(service(name).get("secrets", []))


def volumes_of(name: str) -> set[str]:
    return {volume.split(":")[0] for volume in service(name).get("volumes", [])}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment") / "secrets"
    runpy.run_path(str(ROOT / "deploy" / "secrets_files.py"))["main"](folder)
    return folder


def test_every_secret_that_is_given_is_defined_and_made(made: Path) -> None:
    given = set().union(*(secrets_of(name) for name in compose()["services"]))
    assert given == set(compose()["secrets"])
    assert given <= {path.name for path in made.iterdir()}


def test_secret_files_are_private_and_made_only_once(made: Path) -> None:
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == {0o400}
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    runpy.run_path(str(ROOT / "deploy" / "secrets_files.py"))["main"](made)
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


def test_only_the_worker_reads_vault_and_key_encryption_key() -> None:
    assert [name for name in compose()["services"] if "kek" in secrets_of(name)] == ["worker"]
    assert [name for name in compose()["services"] if "vault" in volumes_of(name)] == ["worker"]


def test_only_the_lgwan_worker_is_on_the_contractors_network() -> None:
    assert [name for name in OURS if "lgwan" in service(name)["networks"]] == ["worker-lgwan"]
    assert volumes_of("worker-lgwan") == {"outbox", "inbox"}
    assert compose()["networks"]["inner"] == {"internal": True}


@pytest.mark.parametrize("worker", ["worker", "worker-lgwan"])
def test_workers_hold_nothing_of_the_metadata_database_and_cannot_speak_for_other_tasks(worker: str) -> None:
    assert not secrets_of(worker) & {
        "metadata_dsn",
        "metadata_async_dsn",
        "fernet_key",
        "jwt_secret",
        "postgres_password",
    }
    assert not {name for name in service(worker)["environment"] if "SQL_ALCHEMY" in name or "JWT" in name}


def test_secrets_are_files_and_never_stand_in_the_environment() -> None:
    for name in OURS:
        for variable, value in service(name)["environment"].items():
            secret = any(
                word in variable for word in ("PASSWORD", "SECRET_KEY", "JWT", "FERNET", "CONN_", "BROKER")
            )
            assert not secret or str(value).startswith(("cat /run/secrets/", "airflow.secrets.")), variable


def test_every_variable_that_must_be_named_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    text = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
    named = {part.split("}")[0].split(":")[0] for part in text.split("${")[1:]}
    assert {name for name in named if f"{name}=" not in example} == set()


def test_what_the_services_run_exists() -> None:
    assert (ROOT / service("init")["command"][1]).exists()
    for name in OURS[1:]:
        assert service(name)["command"][0] == "airflow"
