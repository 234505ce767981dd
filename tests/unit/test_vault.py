"""The vault: what is kept reads back, nothing is readable on disk, nothing altered passes, nothing stays."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders import CYCLE

from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.errors import Altered, Refused
from notice_cycle.values import sha256
from notice_cycle.vault import CycleVault, Vault
from notice_cycle.vault.names import CYCLE_KEY, PASSPHRASE, PRINT_FILE, STAGED
from synthetic_ward import CANARY

OTHER_CYCLE = CYCLE.replace("annual", "supplementary")
CHUNK = 64 * 1024
PLAIN = f"{CANARY.name}、{CANARY.address}".encode() * 3_000  # more than three chunks


def keep(vault: CycleVault, name: str, content: bytes) -> None:
    with vault.writing(name) as artefact:
        artefact.buffer.write(content)


def read(vault: CycleVault, name: str) -> bytes:
    with vault.reading(name) as plain:
        return plain.read()


def folder_of(tmp_path: Path, cycle: str = CYCLE) -> Path:
    return tmp_path / "vault" / cycle


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 1024 * 1024 + 1])
def test_what_is_kept_reads_back(vault: CycleVault, size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    with vault.writing(STAGED) as artefact:
        artefact.buffer.write(content)
    assert read(vault, STAGED) == content
    assert artefact.stored.model_dump() == {"name": STAGED, "size_bytes": size, "sha256": sha256(content)}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pieces=st.lists(st.binary(max_size=5_000), max_size=8))
def test_pieces_read_back_as_one(vault: CycleVault, pieces: list[bytes]) -> None:
    with vault.writing(STAGED) as artefact:
        for piece in pieces:
            artefact.buffer.write(piece)
    assert read(vault, STAGED) == b"".join(pieces)
    assert artefact.stored.sha256 == sha256(b"".join(pieces))


def test_nothing_kept_is_readable_on_disk(vault: CycleVault, tmp_path: Path) -> None:
    keep(vault, STAGED, PLAIN)
    vault.keep_secret(PASSPHRASE, b"seven words nobody has heard before")
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "vault").rglob("*") if path.is_file())
    assert len(on_disk) > len(PLAIN)
    assert vault.secret(CYCLE_KEY) not in on_disk
    for term in (CANARY.surname, CANARY.given_name, CANARY.address, "seven words", "heard"):
        assert term.encode() not in on_disk


def test_the_same_content_twice_is_different_on_disk(vault: CycleVault, tmp_path: Path) -> None:
    keep(vault, STAGED, PLAIN)
    first = (folder_of(tmp_path) / STAGED).read_bytes()
    keep(vault, STAGED, PLAIN)
    second = (folder_of(tmp_path) / STAGED).read_bytes()
    assert not set(_blocks(first[21:])) & set(_blocks(second[21:]))


def _blocks(content: bytes) -> list[bytes]:
    return [content[start : start + 16] for start in range(0, len(content) - 16)]


def test_an_artefact_whose_writing_failed_is_not_there(vault: CycleVault) -> None:
    with pytest.raises(ZeroDivisionError), vault.writing(STAGED) as artefact:
        artefact.buffer.write(PLAIN)
        _ = 1 // 0
    assert not vault.has(STAGED)
    with pytest.raises(Refused, match="ありません"):
        read(vault, STAGED)


def test_the_torso_of_a_failed_writing_cannot_pass_for_a_whole(vault: CycleVault, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), vault.writing(STAGED) as artefact:
        artefact.buffer.write(PLAIN)
        artefact.buffer.flush()
        _ = 1 // 0
    folder = folder_of(tmp_path)
    (folder / f"{STAGED}.partial").rename(folder / STAGED)
    with pytest.raises(Altered):
        read(vault, STAGED)


def test_a_failed_rewriting_leaves_what_was_there(vault: CycleVault) -> None:
    keep(vault, STAGED, b"first")
    with pytest.raises(ZeroDivisionError), vault.writing(STAGED) as artefact:
        artefact.buffer.write(b"second")
        _ = 1 // 0
    assert read(vault, STAGED) == b"first"


class TestAlteration:
    @pytest.fixture
    def artefact(self, vault: CycleVault, tmp_path: Path) -> Path:
        keep(vault, STAGED, PLAIN)
        return folder_of(tmp_path) / STAGED

    @pytest.mark.parametrize("place", [0, 20, 21, 52, 53, CHUNK, CHUNK + 69, CHUNK + 70, -17, -1])
    def test_one_altered_bit_is_refused(self, vault: CycleVault, artefact: Path, place: int) -> None:
        content = bytearray(artefact.read_bytes())
        content[place] ^= 1
        artefact.write_bytes(content)
        with pytest.raises(Altered):
            read(vault, STAGED)

    @pytest.mark.parametrize(
        "cut",
        [
            lambda whole: b"",
            lambda whole: whole[:10],
            lambda whole: whole[:21],
            lambda whole: whole[:40],
            lambda whole: whole[:53],
            lambda whole: whole[: 53 + CHUNK + 16],
            lambda whole: whole[:-1],
            lambda whole: whole + b"\0",
            lambda whole: whole + whole[53:],
            lambda whole: whole[:53] + whole[53 + CHUNK + 16 :],
        ],
        ids=[
            "empty",
            "in the magic",
            "behind the magic",
            "in the salt",
            "behind the salt",
            "at a chunk",
            "last byte",
            "longer",
            "doubled",
            "first chunk gone",
        ],
    )
    def test_a_truncated_or_longer_artefact_is_refused(
        self, vault: CycleVault, artefact: Path, cut: Callable[[bytes], bytes]
    ) -> None:
        artefact.write_bytes(cut(artefact.read_bytes()))
        with pytest.raises(Altered):
            read(vault, STAGED)

    def test_what_was_appended_is_noticed_by_a_reader_who_stops_at_his_own_end(
        self, vault: CycleVault, artefact: Path
    ) -> None:
        keep(vault, STAGED, bytes(2 * CHUNK))  # whole chunks, so that no chunk is altered by what follows
        artefact.write_bytes(artefact.read_bytes() + b"\0")
        with pytest.raises(Altered, match="余分なデータ"), vault.reading(STAGED) as plain:
            assert plain.read(2 * CHUNK) == bytes(2 * CHUNK)

    def test_a_renamed_artefact_is_refused(self, vault: CycleVault, artefact: Path) -> None:
        artefact.rename(artefact.with_name(PRINT_FILE))
        with pytest.raises(Altered):
            read(vault, PRINT_FILE)

    def test_two_swapped_artefacts_are_refused(self, vault: CycleVault, artefact: Path) -> None:
        keep(vault, PRINT_FILE, b"print data")
        other, aside = artefact.with_name(PRINT_FILE), artefact.with_name("aside")
        artefact.rename(aside)
        other.rename(artefact)
        aside.rename(other)
        for name in (STAGED, PRINT_FILE):
            with pytest.raises(Altered):
                read(vault, name)

    def test_another_cycles_artefact_is_refused_also_with_its_key(
        self, the_vault: Vault, artefact: Path, tmp_path: Path
    ) -> None:
        other = the_vault.cycle(OTHER_CYCLE)
        other.create()
        shutil.copy(artefact, folder_of(tmp_path, OTHER_CYCLE) / STAGED)
        with pytest.raises(Altered):
            read(other, STAGED)
        shutil.copy(artefact.with_name(CYCLE_KEY), folder_of(tmp_path, OTHER_CYCLE) / CYCLE_KEY)
        with pytest.raises(Altered, match="別の発送回"):
            read(other, STAGED)


class TestSecrets:
    def test_a_secret_opens_only_under_the_key_that_wrapped_it(
        self, vault: CycleVault, tmp_path: Path
    ) -> None:
        keep(vault, STAGED, PLAIN)
        stranger = Vault(tmp_path / "vault", KeyEncryptionKey(bytes([1]) * 32)).cycle(CYCLE)
        with pytest.raises(Altered, match="鍵暗号鍵"):
            stranger.secret(CYCLE_KEY)
        with pytest.raises(Altered, match="鍵暗号鍵"):
            read(stranger, STAGED)

    def test_a_renamed_secret_is_refused(self, vault: CycleVault, tmp_path: Path) -> None:
        vault.keep_secret(PASSPHRASE, b"words")
        folder = folder_of(tmp_path)
        shutil.copy(folder / CYCLE_KEY, folder / PASSPHRASE)
        with pytest.raises(Altered):
            vault.secret(PASSPHRASE)

    def test_a_destroyed_secret_says_what_to_do(self, vault: CycleVault) -> None:
        with pytest.raises(Refused, match="破棄済み") as caught:
            vault.secret(PASSPHRASE)
        assert "抽出からやり直してください" in caught.value.advice

    def test_creating_twice_keeps_the_key(self, vault: CycleVault) -> None:
        keep(vault, STAGED, PLAIN)
        key = vault.secret(CYCLE_KEY)
        vault.create()
        assert vault.secret(CYCLE_KEY) == key
        assert read(vault, STAGED) == PLAIN

    def test_each_cycle_has_a_key_of_its_own(self, the_vault: Vault, vault: CycleVault) -> None:
        other = the_vault.cycle(OTHER_CYCLE)
        other.create()
        assert other.secret(CYCLE_KEY) != vault.secret(CYCLE_KEY)


class TestForgetting:
    def test_a_wiped_artefact_says_what_to_do(self, vault: CycleVault) -> None:
        keep(vault, STAGED, PLAIN)
        wiped = vault.wipe([STAGED, "never there"])
        assert [file.name for file in wiped] == [STAGED]
        with pytest.raises(Refused, match="消去済み") as caught:
            read(vault, STAGED)
        assert caught.value.advice == "抽出からやり直してください。"
        assert vault.wipe([STAGED]) == []

    def test_destroying_leaves_nothing(self, the_vault: Vault, vault: CycleVault, tmp_path: Path) -> None:
        keep(vault, STAGED, PLAIN)
        vault.keep_secret(PASSPHRASE, b"words")
        with pytest.raises(ZeroDivisionError), vault.writing(PRINT_FILE):
            _ = 1 // 0  # leaves a partial file
        assert {file.name for file in vault.files()} == {
            STAGED,
            PASSPHRASE,
            CYCLE_KEY,
            f"{PRINT_FILE}.partial",
        }
        assert vault.destroy() == 0
        assert not folder_of(tmp_path).exists()
        assert the_vault.files_left() == 0

    def test_keys_go_first(self, vault: CycleVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        keep(vault, STAGED, PLAIN)
        vault.keep_secret(PASSPHRASE, b"words")
        gone: list[str] = []
        unlink = Path.unlink

        def unlinked(path: Path, missing_ok: bool = False) -> None:
            gone.append(path.name)
            unlink(path, missing_ok=missing_ok)

        monkeypatch.setattr(Path, "unlink", unlinked)
        vault.destroy()
        assert gone == [CYCLE_KEY, PASSPHRASE, STAGED]

    def test_an_interrupted_destruction_has_destroyed_the_keys(
        self, vault: CycleVault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(vault, STAGED, PLAIN)
        unlink = Path.unlink

        def power_cut(path: Path, missing_ok: bool = False) -> None:
            if path.name == STAGED:
                raise KeyboardInterrupt
            unlink(path, missing_ok=missing_ok)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Path, "unlink", power_cut)
            vault.destroy()
        with pytest.raises(Refused, match="破棄済み"):
            read(vault, STAGED)
        assert vault.destroy() == 0

    def test_destroying_twice_finds_nothing_the_second_time(self, vault: CycleVault) -> None:
        vault.destroy()
        assert (vault.files(), vault.destroy()) == ([], 0)

    def test_another_cycle_keeps_what_it_has(self, the_vault: Vault, vault: CycleVault) -> None:
        other = the_vault.cycle(OTHER_CYCLE)
        other.create()
        keep(other, STAGED, PLAIN)
        vault.destroy()
        assert read(other, STAGED) == PLAIN

    @pytest.mark.parametrize("stray", [".nfs0000000000a1", "控え.csv", "a b"])
    def test_a_stray_file_goes_too(self, vault: CycleVault, tmp_path: Path, stray: str) -> None:
        (folder_of(tmp_path) / stray).write_bytes(b"left by somebody")
        assert vault.destroy() == 0
        assert not folder_of(tmp_path).exists()


class TestRewrapping:
    """The keys of two cycles, four files, taken over from an old key-encryption key to a new one."""

    NEW = KeyEncryptionKey(b"n" * 32)

    @pytest.fixture
    def both(self, the_vault: Vault, vault: CycleVault) -> Vault:
        other = the_vault.cycle(OTHER_CYCLE)
        other.create()
        for cycle, words in ((vault, b"words of one"), (other, b"words of the other")):
            cycle.keep_secret(PASSPHRASE, words)
            keep(cycle, STAGED, PLAIN)
        return the_vault

    def renewed(self, tmp_path: Path, cycle: str = CYCLE) -> CycleVault:
        return Vault(tmp_path / "vault", self.NEW).cycle(cycle)

    def on_disk(self, tmp_path: Path) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (tmp_path / "vault").rglob("*") if path.is_file()}

    def test_everything_opens_under_the_new_key_and_nothing_under_the_old(
        self, both: Vault, vault: CycleVault, tmp_path: Path
    ) -> None:
        assert both.rewrap(self.NEW) == 4
        assert self.renewed(tmp_path).secret(PASSPHRASE) == b"words of one"
        assert self.renewed(tmp_path, OTHER_CYCLE).secret(PASSPHRASE) == b"words of the other"
        for cycle in (CYCLE, OTHER_CYCLE):
            assert read(self.renewed(tmp_path, cycle), STAGED) == PLAIN
        for name in (PASSPHRASE, CYCLE_KEY):
            with pytest.raises(Altered, match="開けません"):
                vault.secret(name)

    def test_twice_rewraps_nothing_the_second_time(self, both: Vault, tmp_path: Path) -> None:
        both.rewrap(self.NEW)
        before = self.on_disk(tmp_path)
        assert both.rewrap(self.NEW) == 0
        assert self.on_disk(tmp_path) == before

    def test_artefacts_are_not_touched_and_nothing_is_left_beside(self, both: Vault, tmp_path: Path) -> None:
        before = self.on_disk(tmp_path)
        both.rewrap(self.NEW)
        after = self.on_disk(tmp_path)
        assert after.keys() == before.keys()
        assert {path.name for path in after if after[path] != before[path]} == {CYCLE_KEY, PASSPHRASE}
        assert {stat.S_IMODE(path.stat().st_mode) for path in after} == {0o600}

    @pytest.mark.parametrize("killed_at", [1, 2, 3, 4])
    def test_killed_in_the_middle_it_is_run_again(
        self, both: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
    ) -> None:
        replace, renamed = Path.replace, 0

        def power_cut(path: Path, target: Path) -> Path:
            nonlocal renamed
            renamed += 1
            if renamed == killed_at:
                raise KeyboardInterrupt
            return replace(path, target)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Path, "replace", power_cut)
            both.rewrap(self.NEW)
        assert both.rewrap(self.NEW) == 4 - (killed_at - 1)
        assert self.renewed(tmp_path).secret(PASSPHRASE) == b"words of one"
        assert [path for path in self.on_disk(tmp_path) if path.suffix == ".partial"] == []

    def test_one_that_opens_under_neither_stops_and_stays_with_all_behind_it(
        self, both: Vault, tmp_path: Path
    ) -> None:
        first, second, *behind = sorted((tmp_path / "vault").glob("*/*.key"))
        second.write_bytes(KeyEncryptionKey(b"x" * 32).wrap(b"a stranger's", context="x"))
        before = self.on_disk(tmp_path)
        with pytest.raises(Altered, match="開けません"):
            both.rewrap(self.NEW)
        after = self.on_disk(tmp_path)
        assert [path for path in after if after[path] != before[path]] == [first]
        assert len(behind) == 2

    def test_with_a_wrong_present_key_nothing_is_changed(self, both: Vault, tmp_path: Path) -> None:
        before = self.on_disk(tmp_path)
        with pytest.raises(Altered, match="開けません"):
            Vault(tmp_path / "vault", KeyEncryptionKey(b"w" * 32)).rewrap(self.NEW)
        assert self.on_disk(tmp_path) == before

    def test_an_empty_vault_has_nothing_to_rewrap(self, tmp_path: Path) -> None:
        assert Vault(tmp_path / "nothing here", KeyEncryptionKey(bytes(32))).rewrap(self.NEW) == 0


def test_files_and_folders_are_for_their_owner_alone(vault: CycleVault, tmp_path: Path) -> None:
    keep(vault, STAGED, PLAIN)
    vault.keep_secret(PASSPHRASE, b"words")
    root = tmp_path / "vault"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    assert modes == {
        "vault": 0o700,
        CYCLE: 0o700,
        STAGED: 0o600,
        CYCLE_KEY: 0o600,
        PASSPHRASE: 0o600,
    }
