"""The folder of noted heads: the highest counts, whatever is left of others, and a missing folder is no answer."""

from pathlib import Path

import pytest
from tests.builders import a_digest

from notice_cycle.errors import CannotLook
from notice_cycle.ledger.heads import Head, Heads

FOURTH, FIFTH = Head(4, a_digest("4")), Head(5, a_digest("5"))


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_note_is_an_empty_file_named_by_seq_and_digest(tmp_path: Path) -> None:
    Heads(tmp_path).note(FOURTH)
    assert files_in(tmp_path) == [f"000000004-{a_digest('4')}"]
    assert (tmp_path / FOURTH.name).read_bytes() == b""


def test_a_new_note_removes_the_lower_one(tmp_path: Path) -> None:
    heads = Heads(tmp_path)
    heads.note(FOURTH)
    heads.note(FIFTH)
    assert heads.noted() == [FIFTH]


def test_a_writer_that_comes_late_does_not_lower_the_head(tmp_path: Path) -> None:
    heads = Heads(tmp_path)
    heads.note(FIFTH)
    heads.note(FOURTH)
    assert heads.noted() == [FIFTH]


def test_what_a_killed_writer_left_goes_with_the_next_note(tmp_path: Path) -> None:
    for number in (2, 3):
        (tmp_path / Head(number, a_digest(number)).name).touch()
    Heads(tmp_path).note(FIFTH)
    assert Heads(tmp_path).noted() == [FIFTH]


def test_two_truths_for_one_seq_are_both_kept(tmp_path: Path) -> None:
    heads, other = Heads(tmp_path), Head(5, a_digest("another ledger"))
    heads.note(FIFTH)
    heads.note(other)
    assert set(heads.noted()) == {FIFTH, other}


def test_a_lower_note_that_another_writer_removed_first_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads, unlink = Heads(tmp_path), Path.unlink
    heads.note(FOURTH)

    def unlinked_twice(path: Path, missing_ok: bool = False) -> None:
        unlink(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlinked_twice)
    heads.note(FIFTH)
    assert heads.noted() == [FIFTH]


@pytest.mark.parametrize("stray", [".nfs0001", "000000004", f"4-{a_digest('4')}", "000000004-x", "README"])
def test_a_stray_file_is_no_note(tmp_path: Path, stray: str) -> None:
    (tmp_path / stray).touch()
    assert Heads(tmp_path).noted() == []


def test_a_superseded_note_is_kept_beside(tmp_path: Path) -> None:
    heads = Heads(tmp_path)
    heads.note(FIFTH)
    heads.supersede(FIFTH)
    heads.supersede(FIFTH)  # twice changes nothing
    assert heads.noted() == []
    assert files_in(tmp_path / "superseded") == [FIFTH.name]


def test_a_folder_that_is_not_mounted_is_not_an_empty_one(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "not mounted")
    for act in (heads.noted, lambda: heads.note(FIFTH), lambda: heads.supersede(FIFTH)):
        with pytest.raises(CannotLook, match="末尾の控え"):
            act()
    assert not (tmp_path / "not mounted").exists()
