"""The recipes of operations.md: every command, script, flag, service, volume, table and secret file they name exists."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import pairwise, takewhile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES = set(COMPOSE["services"])
# Subcommands of `docker compose` that we use: which of their words name a service. None: all.
OF_SERVICES = {"up": None, "stop": None, "restart": None, "run": 1, "exec": 1}
WITH_VALUE = {"--scale", "--pull", "--env-file"}


def _lines(document: str) -> Iterator[str]:
    for block in re.findall(r"^```sh\n(.*?)^```$", document, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip():
                yield line


LINES = [*_lines(TEXT), *_lines(README)]


def words(line: str) -> list[str]:
    """A line as a shell reads it; `|`, `(`, `>` and the like are words of their own."""
    line = re.sub(r"\$\(date [^)]*\)", "2026-07-01", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def compose_commands() -> Iterator[tuple[str, list[str]]]:
    """Each `docker compose` in the blocks: its subcommand and the words behind it."""
    for line in LINES:
        said = words(line)
        for position in [at for at in range(len(said) - 1) if said[at : at + 2] == ["docker", "compose"]]:
            behind = takewhile(lambda word: not set(word) <= set("();<>|&"), said[position + 2 :])
            flags, names = flags_and_names(list(behind))
            assert flags in ([], ["--env-file", "deploy/demo.env"])
            yield names[0], names[1:]


def flags_and_names(said: list[str]) -> tuple[list[str], list[str]]:
    """Flags before the first word that is none, and the words that are none."""
    flags, names = [], []
    rest = iter(said)
    for word in rest:
        if word.startswith("-"):
            flags.append(word)
            if word in WITH_VALUE:
                flags.append(next(rest))
        else:
            names.append(word)
            names.extend(rest)
    return flags, names


def test_there_are_recipes() -> None:
    assert len(list(compose_commands())) > 30


def test_every_service_that_a_command_names_exists() -> None:
    for command, said in compose_commands():
        flags, names = flags_and_names(said)
        scaled = [flag.split("=")[0] for before, flag in pairwise(flags) if before == "--scale"]
        named = names[: OF_SERVICES[command]] if command in OF_SERVICES else []
        assert {*named, *scaled} <= SERVICES, (command, said)


@cache
def help_of(command: str) -> str:
    asked = subprocess.run(
        ["docker", "compose", command, "--help"], capture_output=True, text=True, check=False
    )
    return asked.stdout


def test_every_subcommand_and_flag_exists() -> None:
    if not shutil.which("docker") or "--scale" not in help_of("up"):
        pytest.skip("no docker compose here")
    for command, said in compose_commands():
        for flag in flags_and_names(said)[0]:
            if flag.startswith("-"):
                assert re.search(rf"(^|[\s,]){re.escape(flag)}\b", help_of(command)), (command, flag)


def test_every_airflow_command_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "notice_cycle_airflow.auth_manager.WardAuthManager")
    from airflow.cli.cli_parser import get_parser

    seen = 0
    for command, said in compose_commands():
        names = flags_and_names(said)[1]
        if command == "exec" and names[1:2] == ["airflow"]:
            seen += 1
            get_parser().parse_args(names[2:])
    assert seen >= 4


def test_every_table_that_is_cleaned_is_one_and_runs_go_with_the_audit_only() -> None:
    from airflow.utils.db_cleanup import config_dict

    cleaned = [words(line) for line in LINES if "airflow db clean" in line]
    assert cleaned
    for said in cleaned:
        tables = set(said[said.index("--tables") + 1].split(","))
        assert tables <= set(config_dict)
        # A table takes those with it that hang on it.
        taken = {*tables, *(more for table in tables for more in config_dict[table].dependent_tables or [])}
        if taken & {"dag", "dag_run", "deadline", "task_instance", "task_reschedule", "trigger", "xcom"}:
            assert said[said.index("--dag-ids") + 1] == "ledger_audit"


def test_every_script_is_there_and_may_be_run() -> None:
    named = {
        word for line in LINES for word in re.findall(r"(?:^|[ (])((?:deploy|docs|tools)/[\w./-]+)", line)
    }
    assert {"deploy/backup", "deploy/restore", "docs/verify-ledger.sh"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert [name for name in named if not name.endswith(".env") and not os.access(ROOT / name, os.X_OK)] == []
    for script in ("backup", "restore"):
        assert subprocess.run(["bash", "-n", str(ROOT / "deploy" / script)], check=False).returncode == 0


def test_every_volume_and_container_exists_under_the_projects_name() -> None:
    project = COMPOSE["name"]
    volumes = set(re.findall(rf"\b{project}_(\w+)", TEXT))
    containers = set(re.findall(rf"\b{project}-([a-z-]+)-1\b", TEXT))
    assert volumes and volumes <= set(COMPOSE["volumes"])
    assert containers and containers <= SERVICES


def test_every_secret_file_exists_and_every_step_of_secrets_is_known(tmp_path: Path) -> None:
    import runpy

    made = runpy.run_path(str(ROOT / "deploy" / "secrets_files.py"))
    made["main"](tmp_path)
    named = {name for line in LINES for name in re.findall(r"secrets/([\w.]+)", line)}
    deleted = [name for line in LINES for name in re.findall(r"cd secrets && rm ([\w ]+)'", line)]
    assert deleted
    assert {*named, *" ".join(deleted).split()} <= {path.name for path in tmp_path.iterdir()}
    steps = {
        tuple(said[2:]) for command, said in compose_commands() if command == "run" and said[1] == "secrets"
    }
    assert steps - {()} == {(step, name) for step in ("prepare", "take") for name in made["IN_TWO_STEPS"]}


def test_the_first_commands_stand_in_readme_and_operations_alike() -> None:
    rehearsal = [line for line in _lines(README) if "--env-file deploy/demo.env" in line]
    assert len(rehearsal) == 3
    assert [line for line in rehearsal if line.split(" #")[0].strip() not in TEXT] == []
