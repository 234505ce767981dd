"""Sets one document as PDF/A-2b with the typst compiler that comes inside its Python wheel.

The same template, facts and time give the same bytes. A template names its facts in `// facts:` lines at
its top and gets exactly those: a surplus fact is refused, so nothing reaches paper unasked. Facts pass to
the compiler in memory; no file but the template and the fonts is opened. Of insured
persons only the numbers on 検証該当者一覧 enter a document, and that goes from memory to the printer.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from notice_cycle.errors import NotConfigured
from notice_cycle.fiscal_year import TOKYO, era_date

DOCUMENTS = Path(__file__).parents[2] / "config" / "documents"
FONTS = DOCUMENTS / "fonts"
RARE_CHARACTERS = Path("/usr/share/fonts/truetype/ipamj")
"""Debian's fonts-ipamj-mincho, in the product's image: 𠮷 and others that our own fonts lack. Too large to carry along."""

_TEMPLATE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NO_GLYPH = re.compile(r'the text [`"]+(.+?)["`]+ could not be displayed')
_FACTS_LINE = re.compile(r"^// facts:(.*)$", re.MULTILINE)


def render(
    template: str,
    facts: Mapping[str, Any],
    *,
    at: datetime,
    synthetic: bool,
    reissue: int = 0,
    documents: Path = DOCUMENTS,
) -> bytes:
    """Sets `documents`/`template`.typ; returns the PDF. `at`: the event's time, aware, shown in Tokyo time.

    `facts`: JSON values by the names the template asks for. `synthetic`: every page says 架空データ. `reissue`: every
    page says which 再発行 it is; 0 for the first print.
    Raises NotConfigured for an unknown template, facts that do not match it, or a template in error.
    """
    path = _template(template, documents)
    _compare_facts(template, facts, path)
    local = at.astimezone(TOKYO)
    inputs = {
        "facts": json.dumps(facts, ensure_ascii=False),
        "era_date": era_date(local.date()),
        "time": f"{local.hour}時{local.minute:02}分",
        "synthetic": json.dumps(synthetic),
        "reissue": str(reissue),
    }
    return _compile(path, inputs, documents, at)


def _template(template: str, documents: Path) -> Path:
    path = documents / f"{template}.typ"
    if not _TEMPLATE_NAME.fullmatch(template) or not path.is_file() or not _facts_named(path):
        raise NotConfigured(
            f"文書の様式 {template} がありません。",
            advice="様式の名前と include/config/documents の中身を確かめてください。",
        )
    return path


def _facts_named(path: Path) -> set[str]:
    """The facts a template asks for; empty for a file that only other templates use."""
    return set(" ".join(_FACTS_LINE.findall(path.read_text(encoding="utf-8"))).split())


def _compare_facts(template: str, facts: Mapping[str, Any], path: Path) -> None:
    named = _facts_named(path)
    if named != facts.keys():
        missing, surplus = sorted(named - facts.keys()), sorted(facts.keys() - named)
        raise NotConfigured(
            f"様式 {template} の項目が合いません。不足: {missing}、余分: {surplus}",
            advice="様式の先頭にある facts の行と、渡した項目の名前をそろえてください。",
        )


def _compile(path: Path, inputs: dict[str, str], documents: Path, at: datetime) -> bytes:
    import typst

    try:
        return typst.compile(
            str(path),
            root=str(documents),
            font_paths=_fonts(),
            format="pdf",
            sys_inputs=inputs,
            pdf_standards="a-2b",
            timestamp=int(at.timestamp()),
        )
    except typst.TypstError as error:
        if lacking := _NO_GLYPH.search(str(error.diagnostic)):
            text = re.sub(r"\\u\{([0-9a-f]+)\}", lambda code: chr(int(code[1], 16)), lacking[1])
            codes = " ".join(f"U+{ord(character):04X}" for character in text)
            raise NotConfigured(
                f"様式 {path.stem} に、印字できない文字（{codes}）があります。",
                advice="fonts-ipamj-mincho（製品のイメージには入っています）を導入するか、名称の表記を登録し直してから、クリアしてください。",
            ) from None
        # The compiler may quote a fact, and a fact may be a passphrase: it is heard only on made-up data,
        # and never as this error's cause, because causes are logged.
        heard = (
            error.diagnostic
            if inputs["synthetic"] == "true"
            else "詳細は架空データで同じ文書を作ると表示されます。"
        )
        raise NotConfigured(
            f"様式 {path.stem} を組版できません。{heard}",
            advice="様式 (.typ) を直し、検査を通してから配置してください。",
        ) from None


@cache
def _fonts() -> Any:
    """Our fonts, those inside the compiler, and one for rare characters; the machine's others differ by host."""
    import typst

    further = [str(RARE_CHARACTERS)] if RARE_CHARACTERS.is_dir() else []
    return typst.Fonts(include_system_fonts=False, font_paths=[str(FONTS), *further])
