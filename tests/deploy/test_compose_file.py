"""docker-compose.yaml as a text: who is given which secret, volume and network, and that all of it exists."""

import json
import os
import re
import runpy
import stat
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OURS = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "worker-lgwan")
PROXIES = ("web", "core-gateway", "mail-gateway")
DEMO = ("core-system", "fill-core-system", "mail-catcher", "contractor-host", "contractor", "officers")
METADATA = {"metadata_dsn", "metadata_async_dsn", "fernet_key", "jwt_secret", "postgres_password"}
DEPLOY = ROOT / "deploy"


@cache
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))


def service(name: str) -> dict[str, Any]:
    return compose()["services"][name]


def secrets_of(name: str) -> set[str]:
    return set(service(name).get("secrets", []))


def volumes_of(name: str) -> set[str]:
    """The named volumes; the configuration is a folder of the host."""
    return {volume.split(":")[0] for volume in service(name).get("volumes", [])} & set(compose()["volumes"])


def networks_of(name: str) -> set[str]:
    return set(service(name).get("networks", ()))


@pytest.fixture(scope="module")
def secret_files() -> dict[str, Any]:
    return runpy.run_path(str(DEPLOY / "secrets_files.py"))


@pytest.fixture(scope="module")
def make(secret_files: dict[str, Any]) -> Callable[..., None]:
    return secret_files["main"]


@pytest.fixture(scope="module")
def complaints() -> Callable[[Path], list[str]]:
    return runpy.run_path(str(DEPLOY / "start.py"))["complaints"]


@pytest.fixture
def made(tmp_path: Path, make: Callable[..., None]) -> Path:
    make(tmp_path / "secrets", demo=True)
    return tmp_path / "secrets"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_secret_that_is_given_is_defined_and_made(made: Path) -> None:
    given = set().union(*(secrets_of(name) for name in compose()["services"]))
    assert given == set(compose()["secrets"])
    assert given <= set(contents(made))


def test_secret_files_are_private_and_made_only_once(made: Path, make: Callable[..., None]) -> None:
    before = contents(made)
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == {0o400}
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    make(made, demo=True)
    assert contents(made) == before


def test_a_deleted_password_is_made_anew_and_what_repeats_it_follows(
    made: Path, make: Callable[..., None]
) -> None:
    before = contents(made)
    (made / "metadata_password").unlink()
    (made / "ledger_writer_password").unlink()
    make(made, demo=True)
    after = contents(made)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {
        *("metadata_password", "metadata_dsn", "metadata_async_dsn"),
        *("ledger_writer_password", "connections_worker.json", "connections_lgwan.json"),
    }
    assert (
        json.loads(after["connections_lgwan.json"])["ledger"]["password"].encode()
        == after["ledger_writer_password"]
    )


@pytest.mark.parametrize("name", ["signing_key", "sftp_key"])
def test_a_new_key_lies_beside_the_present_one_until_it_is_taken(
    name: str, made: Path, secret_files: dict[str, Any]
) -> None:
    before = contents(made)
    public = secret_files["prepare"](made, name)
    assert secret_files["prepare"](made, name) == public
    assert {key: value for key, value in contents(made).items() if ".new" not in key} == before
    for _ in range(2):
        secret_files["take"](made, name)
        secret_files["main"](made, demo=True)
        assert (made / f"{name}.pub").read_text().strip() == public
        assert (made / f"{name}.former.pub").read_bytes() == before[f"{name}.pub"]
        (made / f"{name}.pub").replace(made / f"{name}.new.pub")  # as if killed before the last rename
        (made / f"{name}.pub").write_bytes(before[f"{name}.pub"])
    assert (made / name).read_bytes() != before[name]


def test_the_contractor_of_the_rehearsal_knows_the_wards_earlier_and_coming_keys(
    made: Path, secret_files: dict[str, Any]
) -> None:
    known = (made / "demo_ward_signers").read_text()
    public = secret_files["prepare"](made, "signing_key")
    for step in ("prepare", "take"):
        secret_files[step](made, "signing_key")
        secret_files["main"](made, demo=True)
        now = (made / "demo_ward_signers").read_text()
        assert now.startswith(known) and public in now and len(now.splitlines()) == 2


def test_both_fernet_keys_hold_until_the_new_one_is_taken(made: Path, secret_files: dict[str, Any]) -> None:
    old = (made / "fernet_key").read_text()
    for _ in range(2):
        secret_files["prepare"](made, "fernet_key")
        new, kept = (made / "fernet_key").read_text().split(",")
        assert kept == old != new
    for _ in range(2):
        secret_files["take"](made, "fernet_key")
        assert (made / "fernet_key").read_text() == new


def test_taking_what_was_not_prepared_is_refused(made: Path, secret_files: dict[str, Any]) -> None:
    before = contents(made)
    with pytest.raises(SystemExit, match="prepare sftp_key"):
        secret_files["take"](made, "sftp_key")
    assert contents(made) == before


def test_what_was_filled_in_by_hand_stays(tmp_path: Path, make: Callable[..., None]) -> None:
    make(tmp_path)
    file = tmp_path / "connections_worker.json"
    known = json.loads(file.read_text(encoding="utf-8"))
    known["core_system"]["password"] = "of the core system"
    file.unlink()
    file.write_text(json.dumps(known), encoding="utf-8")
    make(tmp_path)
    assert json.loads(file.read_text(encoding="utf-8"))["core_system"]["password"] == "of the core system"


def test_a_rehearsal_starts_with_what_was_made(made: Path, complaints: Callable[[Path], list[str]]) -> None:
    assert complaints(made) == []


def test_a_deployment_does_not_start_before_what_only_others_know_is_filled_in(
    tmp_path: Path, make: Callable[..., None], complaints: Callable[[Path], list[str]]
) -> None:
    make(tmp_path)
    assert {line.partition(":")[0] for line in complaints(tmp_path)} == {
        *("allowed_signers", "connections_worker.json", "connections_lgwan.json"),
    }


@pytest.mark.parametrize("password", ["", "airflow", "Admin", "postgres123", "CHANGE_ME", "short-one"])
def test_known_and_short_passwords_are_refused_without_telling_them(
    password: str, tmp_path: Path, complaints: Callable[[Path], list[str]]
) -> None:
    (tmp_path / "admin_password").write_text(password)
    [line] = complaints(tmp_path)
    assert line.startswith("admin_password:")
    assert not password or password == "CHANGE_ME" or password not in line


def test_a_container_ends_with_the_reason_before_its_command_runs(tmp_path: Path) -> None:
    (tmp_path / "admin_password").write_text("airflow")
    program = (DEPLOY / "start.py").read_text(encoding="utf-8").replace("/run/secrets", str(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-c", program, "echo", "started"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (78, "")
    assert "admin_password" in ended.stderr


@pytest.mark.parametrize("synthetic", ["1", "0"])
def test_every_page_says_that_the_data_are_invented_where_they_are(synthetic: str, tmp_path: Path) -> None:
    from embedded_ward import airflow_stack

    program = (DEPLOY / "start.py").read_text(encoding="utf-8").replace("/run/secrets", str(tmp_path))
    command = [sys.executable, "-c", program, "printenv", "AIRFLOW__API__THEME"]
    environment = {**os.environ, "NOTICE_CYCLE_SYNTHETIC": synthetic}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
    assert (json.loads(told) if told else None) == (
        airflow_stack._MARK_ON_EVERY_PAGE if synthetic == "1" else None
    )


def test_only_the_worker_reads_vault_and_key_encryption_key() -> None:
    assert [name for name in compose()["services"] if "kek" in secrets_of(name)] == ["worker"]
    # rotate-kek runs by hand, while no worker does.
    assert [name for name in compose()["services"] if "vault" in volumes_of(name)] == ["rotate-kek", "worker"]
    assert service("rotate-kek")["profiles"] == ["setup"]


def test_only_the_lgwan_worker_is_on_the_contractors_network() -> None:
    assert [name for name in (*OURS, *PROXIES) if "lgwan" in networks_of(name)] == ["worker-lgwan"]
    assert volumes_of("worker-lgwan") == {"outbox", "inbox", "heads", "logs", "reply_desk"}
    assert "reply_desk:/srv/reply_desk:ro" in service("worker-lgwan")["volumes"]
    assert "outbox:/srv/outbox:ro" in service("worker-lgwan")["volumes"]


def test_workers_and_airflow_stand_on_networks_that_lead_nowhere() -> None:
    internal = {
        name for name, network in compose()["networks"].items() if network and network.get("internal")
    }
    assert internal == {"inner", "core", "front"}
    assert [name for name in (*OURS, "postgres", "redis") if networks_of(name) - internal] == ["worker-lgwan"]
    assert networks_of("worker") == {"inner", "core"}


def test_only_the_worker_reaches_the_core_systems_gateway() -> None:
    assert {name for name in compose()["services"] if "core" in networks_of(name)} == {
        "worker",
        "core-gateway",
    }


def test_only_the_front_door_is_published() -> None:
    assert [name for name in compose()["services"] if service(name).get("ports")] == ["web"]


@pytest.mark.parametrize("worker", ["worker", "worker-lgwan"])
def test_workers_hold_nothing_of_the_metadata_database_and_cannot_speak_for_other_tasks(worker: str) -> None:
    assert not secrets_of(worker) & METADATA
    assert not {name for name in service(worker)["environment"] if "SQL_ALCHEMY" in name or "JWT" in name}


@pytest.mark.parametrize("name", [*OURS, *PROXIES])
def test_containers_of_ours_are_hardened_watched_and_bounded(name: str) -> None:
    ours = service(name)
    assert ours["read_only"] and ours["cap_drop"] == ["ALL"] and ours["mem_limit"]
    assert ours["logging"]["options"]["max-size"]
    assert ours["restart"] == ("no" if name == "init" else "unless-stopped")
    assert name == "init" or ours["healthcheck"]["test"][:3] == ["CMD", "python", "deploy/healthy.py"]


def test_the_rest_of_the_world_is_there_in_a_rehearsal_only() -> None:
    assert [name for name in compose()["services"] if "demo" in service(name).get("profiles", [])] == list(
        DEMO
    )


def test_secrets_are_files_and_never_stand_in_the_environment() -> None:
    for name in OURS:
        for variable, value in service(name)["environment"].items():
            secret = any(
                word in variable for word in ("PASSWORD", "SECRET_KEY", "JWT", "FERNET", "CONN_", "BROKER")
            )
            assert not secret or str(value).startswith(("cat /run/secrets/", "airflow.secrets.")), variable


def test_every_variable_is_explained_in_the_example_and_set_in_the_rehearsal() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    rehearsal = (DEPLOY / "demo.env").read_text(encoding="utf-8")
    text = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"\$\{([A-Z_]+)", text))
    assert {name for name in named if not re.search(rf"^{name}=.*  # ", example, re.MULTILINE)} == set()
    told = set(re.findall(r"^(NOTICE_CYCLE_[A-Z_]+)=", rehearsal, re.MULTILINE))
    assert told <= named
    assert set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)) == named


def test_the_file_keeps_to_the_compose_specification(tmp_path: Path) -> None:
    """With the schema that the pinned check-jsonschema carries; a misspelled key is found."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    whole = ROOT / "docker-compose.yaml"
    assert subprocess.run([*check, whole], check=False, capture_output=True).returncode == 0
    misspelled = tmp_path / "docker-compose.yaml"
    misspelled.write_text(whole.read_text(encoding="utf-8").replace("healthcheck:", "healtcheck:", 1))
    found = subprocess.run([*check, misspelled], check=False, capture_output=True, text=True)
    assert found.returncode == 1
    assert "healtcheck" in found.stdout


def test_the_product_image_holds_the_page_that_goes_on_every_disc() -> None:
    from notice_cycle.handover.media import DECRYPTER_FOLDER

    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    product = text[text.index(" AS product") : text.index(" AS demo")]
    copied = " ".join(line for line in product.splitlines() if line.startswith("COPY")).split()
    for name in ("open.html", "open.html.sha256"):
        assert str((DECRYPTER_FOLDER / name).relative_to(ROOT)) in copied


def test_what_the_services_run_exists() -> None:
    from airflow.cli.cli_parser import get_parser

    parser = get_parser()
    for name in (*OURS, *PROXIES, *DEMO):
        command = [str(part) for part in (service(name).get("command") or [])]
        for part in (*command, *map(str, service(name).get("entrypoint", []))):
            if part.startswith("deploy/"):
                assert (ROOT / part).exists(), part
        if command[:1] == ["airflow"]:
            parser.parse_args(command[1:])
        if command[:2] == ["python", "-m"]:
            assert find_spec(command[2]), command[2]


def test_every_build_stage_exists_and_each_image_is_built_once() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    builds = [service(name)["build"]["target"] for name in compose()["services"] if "build" in service(name)]
    assert sorted(builds) == sorted(stages)


def test_a_gateway_forwards_to_one_address_and_nothing_else() -> None:
    configuration = runpy.run_path(str(DEPLOY / "proxy.py"))["configuration"]
    text = configuration("gateway", ["5432=core.ward.example:5432", "6310="])
    assert re.findall(r'listen (\d+); set \$to "([^"]+)"', text) == [
        ("5432", "core.ward.example:5432"),
        ("6310", "nowhere.invalid:9"),
    ]
    with pytest.raises(SystemExit, match="not an address"):
        configuration("gateway", ['5432=a"; } server { listen 9'])
