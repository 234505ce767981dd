"""Paper through a real `lp` call, or into the tray; nothing of it is ever a temporary file."""

import stat
from pathlib import Path

import pytest

from notice_cycle.errors import CannotLook
from notice_cycle.printing import print_document
from notice_cycle.settings import Settings

PDF = b"%PDF-1.7 a secret on paper"


def a_printer(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    program = folder / "lp"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Settings({"NOTICE_CYCLE_PRINTER": "kaigo-1"})


def test_lp_gets_the_document_on_its_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = a_printer(tmp_path, f'echo "$@" > {tmp_path}/said; cat > {tmp_path}/printed', monkeypatch)
    print_document(settings, "cycle-PW1", PDF)
    assert (tmp_path / "printed").read_bytes() == PDF
    assert (tmp_path / "said").read_text() == "-d kaigo-1 -t cycle-PW1 -\n"


@pytest.mark.parametrize("script", ["exit 1", "echo 'no such printer' >&2; exit 2"])
def test_a_printer_that_refuses_is_told_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    with pytest.raises(CannotLook, match="プリンタ") as caught:
        print_document(a_printer(tmp_path, script, monkeypatch), "cycle-PW1", PDF)
    assert "用紙" in caught.value.advice


def test_without_lp_the_sentence_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotLook, match="プリンタ"):
        print_document(Settings({"NOTICE_CYCLE_PRINTER": "kaigo-1"}), "cycle-PW1", PDF)


def test_the_tray_holds_the_document_whole_and_private(tmp_path: Path) -> None:
    tray = tmp_path / "tray"
    print_document(Settings({"NOTICE_CYCLE_PRINT_TRAY": str(tray)}), "cycle-PW1", PDF)
    (paper,) = tray.iterdir()
    assert paper.name == "cycle-PW1.pdf"
    assert paper.read_bytes() == PDF
    assert stat.S_IMODE(paper.stat().st_mode) == 0o600
    assert stat.S_IMODE(tray.stat().st_mode) == 0o700
