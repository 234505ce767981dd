"""deploy/rotate_kek.py: a new key-encryption key with cycles open, killed wherever it may be killed."""

import os
import runpy
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.errors import Altered, NotConfigured
from notice_cycle.vault import Vault

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "rotate_kek.py"
SECRET_OF = {
    ("2026-a-01", "cycle.key"): b"one",
    ("2026-a-01", "passphrase.key"): b"two",
    ("2026-b-01", "cycle.key"): b"3",
}

# Ends without a word at the Nth file that is given its final name.
KILLED_AT = """
import os, pathlib, runpy, sys
script, folder, vault, nth = sys.argv[1:]
count, rename = 0, pathlib.Path.replace
def replace(self, target):
    global count
    count += 1
    if count == int(nth):
        os._exit(9)
    return rename(self, target)
pathlib.Path.replace = replace
runpy.run_path(script)["rotate"](pathlib.Path(folder), pathlib.Path(vault), owner=os.getuid())
"""


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    KeyEncryptionKey.create(folder / "kek")
    return folder


@pytest.fixture
def vault(tmp_path: Path, secrets: Path) -> Path:
    root = tmp_path / "vault"
    filled = Vault(root, KeyEncryptionKey.load(secrets / "kek"))
    for (cycle, name), secret in SECRET_OF.items():
        filled.cycle(cycle).create()
        filled.cycle(cycle).keep_secret(name, secret)
    return root


def all_open(root: Path, kek: Path) -> bool:
    vault = Vault(root, KeyEncryptionKey.load(kek))
    return all(vault.cycle(cycle).secret(name) == secret for (cycle, name), secret in SECRET_OF.items())


def test_every_key_opens_under_the_new_key_only_and_the_old_one_is_gone(
    script: dict[str, Any], secrets: Path, vault: Path
) -> None:
    before = KeyEncryptionKey.load(secrets / "kek")
    assert script["rotate"](secrets, vault, owner=os.getuid()) == len(SECRET_OF)
    assert all_open(vault, secrets / "kek")
    with pytest.raises(Altered):
        Vault(vault, before).cycle("2026-a-01").secret("cycle.key")
    assert [path.name for path in secrets.iterdir()] == ["kek"]
    assert stat.S_IMODE((secrets / "kek").stat().st_mode) == 0o400


@pytest.mark.parametrize("nth", range(1, len(SECRET_OF) + 3))
def test_killed_at_any_file_it_is_run_again_and_nothing_is_lost(
    nth: int, script: dict[str, Any], secrets: Path, vault: Path
) -> None:
    arguments = [str(SCRIPT), str(secrets), str(vault), str(nth)]
    killed = subprocess.run([sys.executable, "-c", KILLED_AT, *arguments], cwd=ROOT, check=False)
    assert killed.returncode == 9
    script["rotate"](secrets, vault, owner=os.getuid())
    assert all_open(vault, secrets / "kek")
    assert not (secrets / "kek.new").exists()


def test_a_key_that_opens_under_neither_stops_it_and_both_files_stay(
    script: dict[str, Any], secrets: Path, vault: Path
) -> None:
    (vault / "2026-b-01" / "cycle.key").write_bytes(b"something else")
    with pytest.raises(Altered):
        script["rotate"](secrets, vault, owner=os.getuid())
    assert (secrets / "kek").exists() and (secrets / "kek.new").exists()


def test_an_empty_vault_gets_a_new_key_too(script: dict[str, Any], secrets: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    before = (secrets / "kek").read_bytes()
    assert script["rotate"](secrets, tmp_path / "empty", owner=os.getuid()) == 0
    assert (secrets / "kek").read_bytes() != before


def test_without_a_present_key_nothing_is_wrapped(script: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(NotConfigured):
        script["rotate"](tmp_path, tmp_path, owner=os.getuid())


def test_it_refuses_while_a_worker_answers(
    script: dict[str, Any], secrets: Path, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(script["main"].__globals__, "workers_of", lambda queue: ["celery@worker"])
    with pytest.raises(SystemExit, match="ワーカーが動いています"):
        script["main"](secrets, vault)
    assert [path.name for path in secrets.iterdir()] == ["kek"]
