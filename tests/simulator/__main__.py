"""Writes docs/contractor-behaviour.md anew."""

from pathlib import Path

from tests.simulator.ways import as_document

(Path(__file__).parents[2] / "docs" / "contractor-behaviour.md").write_text(as_document(), encoding="utf-8")
