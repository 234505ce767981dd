"""Who may know whom, read from the source: dags → plugins → notice_cycle → libraries, and a few single doors."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAGS, PLUGINS, INCLUDE = ROOT / "dags", ROOT / "plugins", ROOT / "include"
DOMAIN = INCLUDE / "notice_cycle"
HEAVY = {"pandas", "numpy", "pyarrow", "great_expectations", "adbc_driver_postgresql", "adbc_driver_manager"}


def sources(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
    assert found, folder
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path, *, module_level: bool = False) -> Iterator[str]:
    """Full names of what a file imports: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`."""
    nodes = _at_module_level(tree(path)) if module_level else ast.walk(tree(path))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _at_module_level(node: ast.AST) -> Iterator[ast.AST]:
    """Everything that runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _at_module_level(child)


def packages(path: Path, *, module_level: bool = False) -> set[str]:
    return {name.split(".")[0] for name in imports(path, module_level=module_level)}


def offending(folder: Path, forbidden: set[str], *, module_level: bool = False) -> dict[str, set[str]]:
    return {
        str(path.relative_to(ROOT)): found
        for path in sources(folder)
        if (found := packages(path, module_level=module_level) & forbidden)
    }


def strings(path: Path) -> Iterator[str]:
    """String constants of a file, docstrings left out."""
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.value


def files_where(folders: list[Path], holds: object) -> set[str]:
    assert callable(holds)
    return {str(path.relative_to(ROOT)) for folder in folders for path in sources(folder) if holds(path)}


PRODUCT = [DAGS, PLUGINS, DOMAIN]


def test_the_domain_has_never_heard_of_airflow_or_sftp() -> None:
    assert offending(DOMAIN, {"airflow", "paramiko", "asyncssh", "notice_cycle_airflow", "stages"}) == {}


def test_the_domain_knows_neither_the_invented_ward_nor_the_contractors_tools() -> None:
    assert offending(DOMAIN, {"synthetic_ward", "embedded_ward", "contractor_kit", "tests"}) == {}
    for folder in (DAGS, PLUGINS):
        assert offending(folder, {"synthetic_ward", "embedded_ward", "contractor_kit", "tests"}) == {}


def test_the_contractor_kit_sees_only_what_both_parties_share() -> None:
    shared = ("exchange", "encryption", "errors", "values", "clock", "records")
    beyond = {
        f"{path.name}: {name}"
        for path in sources(INCLUDE / "contractor_kit")
        for name in imports(path)
        if name.split(".")[0] == "notice_cycle" and name.split(".")[1] not in shared
    }
    assert beyond == set()
    assert offending(INCLUDE / "contractor_kit", {"airflow", "notice_cycle_airflow", "psycopg", *HEAVY}) == {}


def test_what_the_contractor_kit_imports_draws_nothing_else_in() -> None:
    """The shared modules import each other and small libraries only, so that a firm can run the kit."""
    loaded = _modules_loaded_by("import contractor_kit.command_line")
    assert loaded & {"psycopg", "airflow", "yaml", *HEAVY} == set()
    assert {
        name for name in loaded if name.startswith(("notice_cycle.ledger", "notice_cycle.vault"))
    } == set()


def test_a_dag_file_holds_no_database_and_loads_nothing_heavy() -> None:
    assert offending(DAGS, {"pandas", "psycopg", "sqlalchemy", "sqlite3"}) == {}
    assert offending(DAGS, HEAVY | {"asyncssh", "paramiko"}, module_level=True) == {}


@pytest.mark.parametrize("verb", ["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM", "CREATE TABLE"])
def test_a_dag_file_holds_no_sql(verb: str) -> None:
    assert files_where([DAGS], lambda path: any(verb in text for text in strings(path))) == set()


def test_plugins_load_nothing_heavy_when_they_are_imported() -> None:
    assert offending(PLUGINS, HEAVY, module_level=True) == {}


def test_only_the_ledgers_store_writes_the_ledger() -> None:
    def writes(path: Path) -> bool:
        words = ("INSERT INTO", "UPDATE LEDGER", "DELETE FROM", "TRUNCATE", "MERGE INTO", "COPY LEDGER")
        return any(word in text.upper() for text in strings(path) for word in words)

    assert files_where(PRODUCT, writes) == {"include/notice_cycle/ledger/store.py"}
    knows = files_where(PRODUCT, lambda path: any("ledger.entry" in text for text in strings(path)))
    assert knows == {"include/notice_cycle/ledger/store.py"}


def test_only_the_ledgers_store_and_the_extraction_talk_to_a_database() -> None:
    drivers = {"psycopg", "psycopg2", "sqlalchemy", "adbc_driver_postgresql", "adbc_driver_manager"}
    allowed = {
        "include/notice_cycle/ledger/store.py",
        "include/notice_cycle/extraction/sql_source.py",
        "plugins/notice_cycle_airflow/run_context.py",  # psycopg.conninfo: it spells a connection string
        # The registry of armed yearly starts lives in Airflow's own database.
        "plugins/notice_cycle_airflow/timetables/fiscal_year.py",
    }
    assert files_where(PRODUCT, lambda path: packages(path) & drivers) <= allowed
    conninfo = [
        name for name in imports(PLUGINS / "notice_cycle_airflow" / "run_context.py") if "psycopg" in name
    ]
    assert conninfo == ["psycopg.conninfo.make_conninfo"]


def test_only_the_vault_builds_paths_inside_the_vault() -> None:
    """A vault is made in one place, and the names of its files are never joined to a path outside it."""

    def makes_vault(path: Path) -> bool:
        calls = (node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call))
        return any(isinstance(call, ast.Name) and call.id in {"Vault", "CycleVault"} for call in calls)

    assert files_where(PRODUCT, makes_vault) == {
        "include/notice_cycle/settings.py",
        "include/notice_cycle/vault/store.py",
    }

    names = {
        target.id
        for node in tree(DOMAIN / "vault" / "names.py").body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "PRINT_FILE" in names

    def joins_name(path: Path) -> bool:
        joins = (
            node
            for node in ast.walk(tree(path))
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        )
        return any(
            isinstance(side, ast.Name) and side.id in names
            for node in joins
            for side in (node.left, node.right)
        )

    assert files_where(PRODUCT, joins_name) == {"include/notice_cycle/vault/store.py"}

    def knows_folder(path: Path) -> bool:
        return any(text in {"VAULT", "NOTICE_CYCLE_VAULT"} for text in strings(path))

    assert files_where(PRODUCT, knows_folder) == {"include/notice_cycle/settings.py"}


def test_only_the_run_context_reads_params_and_connections() -> None:
    def reads_params(path: Path) -> bool:
        return any(
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and node.slice.value == "params"
            for node in ast.walk(tree(path))
        )

    def imports_connection(path: Path) -> bool:
        return any(name.startswith("airflow.") and name.endswith(".Connection") for name in imports(path))

    def asks_for_connection(path: Path) -> bool:
        return any(
            isinstance(node, ast.Attribute) and node.attr == "get_connection" for node in ast.walk(tree(path))
        )

    only = {"plugins/notice_cycle_airflow/run_context.py"}
    assert files_where([DAGS, PLUGINS], reads_params) == only
    assert files_where([DAGS, PLUGINS], imports_connection) == only
    hooks = {str(path.relative_to(ROOT)) for path in sources(PLUGINS / "notice_cycle_airflow" / "hooks")}
    assert (
        files_where([DAGS, PLUGINS], asks_for_connection) <= hooks
    )  # a hook may look up its own, as hooks do


def test_nobody_reads_the_clock_of_the_machine_but_the_clock() -> None:
    def reads_clock(path: Path) -> bool:
        return any(
            isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
            and isinstance(node.value, ast.Name) and node.value.id in {"datetime", "date"}
            for node in ast.walk(tree(path))
        )  # fmt: skip

    assert files_where(PRODUCT, reads_clock) == {"include/notice_cycle/clock.py"}


def test_a_stage_knows_another_stage_only_by_its_records() -> None:
    """Two knowings are meant: the form 引渡し承認 sends back as 検証確認 does, validation asks composition's encoder
    what can be printed."""
    stages = {
        "acknowledgement",
        "composition",
        "delivery",
        "erasure",
        "extraction",
        "handover",
        "validation",
    }
    crossing = {
        (str(path.relative_to(DOMAIN).with_suffix("")), name.rsplit(".", 1)[0].removeprefix("notice_cycle."))
        for stage in stages
        for path in sources(DOMAIN / stage)
        for name in imports(path)
        if name.startswith("notice_cycle.") and name.split(".")[1] in stages - {stage}
    }
    assert crossing == {
        ("composition/approval", "validation.confirmation"),
        ("validation/checks/characters", "composition"),
    }


def test_parsing_the_dag_files_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = _modules_loaded_by("import notice_cycle_dags", AIRFLOW_HOME=str(tmp_path))
    assert "notice_cycle.catalogue" in loaded
    assert loaded & {"pandas", "great_expectations", "pyarrow", "asyncssh", "adbc_driver_postgresql"} == set()


def _modules_loaded_by(statement: str, **environment: str) -> set[str]:
    path = os.pathsep.join(str(folder) for folder in (DAGS, PLUGINS, INCLUDE))
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print('LOADED', *sys.modules)"],
        env={**os.environ, "PYTHONPATH": path, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = next(line for line in reversed(done.stdout.splitlines()) if line.startswith("LOADED"))
    return set(last.split()[1:])
