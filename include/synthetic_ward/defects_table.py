"""docs/defects.md: every planted defect, where it comes from, and which rule or stage finds it.

`python -m synthetic_ward.defects_table` writes it; a test holds it current, and others plant each defect into an
otherwise clean ward and see it found as the table says.
"""

from collections.abc import Iterator
from pathlib import Path

from notice_cycle.catalogue import load_notice, resolve
from synthetic_ward.defects import DEFECTS
from synthetic_ward.planting import Defect, RowDefect

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "include" / "config"
DOCUMENT = ROOT / "docs" / "defects.md"

_STAGES_JA = {"extraction": "抽出", "validation": "検証", "composition": "印字データ作成"}
_HEAD = """# 植え込んだ誤りと、見つける規則 (planted defects)

架空の区（被保険者70,000人）に誤りを一つずつ植え込み、どの段階のどの規則が見つけるかを確かめています。誤りのない区では、
どの通知書でも一件も見つかりません。「由来」に年のあるものは、公表された事故の再現です（実在の自治体のデータは使っていません）。

この表は `python -m synthetic_ward.defects_table` が作り、`tests/unit/synthetic_ward/test_defects.py` が一つずつ確かめます。
"""


def document() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *_tables(), ""])


def _tables() -> Iterator[str]:
    for stage, stage_ja in _STAGES_JA.items():
        found = [defect for defect in DEFECTS if defect.found_by == stage]
        yield f"## {stage_ja}で見つかるもの（{len(found)}件）\n"
        yield "| 誤り | 通知書 | 由来 | 見つける規則 |"
        yield "|---|---|---|---|"
        yield from (_row(defect) for defect in found)
        yield ""


def _row(defect: Defect) -> str:
    notice = load_notice(CONFIG, defect.notice).name_ja
    return f"| {defect.title_ja} (`{defect.id}`) | {notice} | {defect.story_ja or '—'} | {_finders(defect)} |"


def _finders(defect: Defect) -> str:
    if not isinstance(defect, RowDefect) or not defect.expected_rules:
        return f"{_STAGES_JA[defect.found_by]}が断る" if defect.found_by == "extraction" else "人に知らせる"
    sentences = {rule.rule: rule.sentence_ja for rule in resolve(CONFIG, defect.notice, 2026).expectations}
    return "、".join(f"{rule} {sentences[rule]}" for rule in defect.expected_rules)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
