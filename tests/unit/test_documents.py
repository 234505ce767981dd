from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from notice_cycle.documents import DOCUMENTS, render, typesetting
from notice_cycle.errors import NotConfigured

AT = datetime(2026, 7, 3, 1, 5, tzinfo=UTC)  # 10:05 in Tokyo
PASSPHRASE = "GDW1D1-3XNV7Y-BR35B6-4H3KC0-XQAGCJ"
MARK = "架空データ"


def passphrase_facts(**changed: Any) -> dict[str, Any]:
    return {
        "number": "2026-premium_notice_ordinary-annual-01-PW1",
        "cycle": "2026-premium_notice_ordinary-annual-01",
        "notice": "介護保険料額決定通知書兼納入通知書(普通徴収・口座振替を含む年度当初の発送分)",
        "section": "みほん区 福祉部 介護保険課",
        "package": "2026-premium_notice_ordinary-annual-01-r1",
        "contractor": "みほん印刷株式会社",
        "passphrase": PASSPHRASE,
        "fingerprint": "SHA256:uNiVztksCsDhcc0u9e8BrrJXHVpXkkkLiVqXbzFQPZs",
    } | changed


def confirmation_facts(**changed: Any) -> dict[str, Any]:
    return {
        "number": "介保第2026-0002号",
        "kind": "データの受渡し",
        "cycle": "2026-premium_notice_ordinary-annual-01",
        "notice": "介護保険料額決定通知書兼納入通知書(普通徴収・口座振替を含む年度当初の発送分)",
        "giver": "みほん区 福祉部 介護保険課",
        "taker": "みほん印刷株式会社 情報処理課",
        "occurred": True,
        "handlers": ["見本 一郎", "見本 二葉"],
        "means": "手渡し",
        "medium": "DVD-R",
        "contents": [{"content": "印字データ(暗号化)", "quantity": "1件"}],
        "places": [{"label": "保管場所（委託先の金庫）", "place": "本社2階 耐火金庫A"}],
        "checks": ["書き込み後に読み戻し、一致した媒体である"],
        "filing_place": "介護保険課 書庫 棚B-3",
    } | changed


BOTH = pytest.mark.parametrize(
    ("template", "facts"),
    [("passphrase_notice", passphrase_facts()), ("confirmation", confirmation_facts())],
)


def pages(document: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(document)).pages]


@BOTH
def test_the_same_facts_and_time_give_the_same_bytes(template: str, facts: dict[str, Any]) -> None:
    first = render(template, facts, at=AT, synthetic=True)
    assert first == render(template, dict(reversed(facts.items())), at=AT, synthetic=True)
    assert first != render(template, facts, at=AT + timedelta(minutes=1), synthetic=True)


@BOTH
def test_made_up_data_are_marked_and_real_ones_are_not(template: str, facts: dict[str, Any]) -> None:
    assert all(MARK in page for page in pages(render(template, facts, at=AT, synthetic=True)))
    assert not any(MARK in page for page in pages(render(template, facts, at=AT, synthetic=False)))


def test_every_page_of_a_long_document_is_marked() -> None:
    contents = [{"content": f"印字データ {number}", "quantity": "1件"} for number in range(80)]
    found = pages(render("confirmation", confirmation_facts(contents=contents), at=AT, synthetic=True))
    assert len(found) > 1
    assert all(MARK in page and "介保第2026-0002号" in page for page in found)


@BOTH
def test_it_fits_one_page_is_pdf_a_and_embeds_its_fonts(template: str, facts: dict[str, Any]) -> None:
    document = render(template, facts, at=AT, synthetic=True)
    assert len(pages(document)) == 1
    reader = PdfReader(BytesIO(document))
    metadata = reader.xmp_metadata
    assert metadata is not None
    assert (metadata.pdfaid_part, metadata.pdfaid_conformance) == ("2", "B")
    for font in reader.pages[0]["/Resources"]["/Font"].values():  # type: ignore[index]
        described = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        assert "/FontFile2" in described


def test_the_passphrase_stands_on_one_line_exactly_as_given() -> None:
    document = render("passphrase_notice", passphrase_facts(), at=AT, synthetic=False)
    assert PASSPHRASE in pages(document)[0].splitlines()


def test_the_passphrase_is_in_no_property_of_the_file() -> None:
    reader = PdfReader(BytesIO(render("passphrase_notice", passphrase_facts(), at=AT, synthetic=False)))
    assert PASSPHRASE not in str(reader.metadata)
    assert PASSPHRASE.encode() not in reader.root_object["/Metadata"].get_data()  # type: ignore[attr-defined]


def test_every_symbol_has_a_reading() -> None:
    (text,) = pages(render("passphrase_notice", passphrase_facts(), at=AT, synthetic=True))
    assert "4 4H3KC0 数字のよん・エイチ・数字のさん・ケイ・シー・数字のゼロ" in text.splitlines()
    assert "使っていません" in text


def test_absent_lookalikes_are_promised_only_if_absent() -> None:
    facts = passphrase_facts(passphrase="OIL100-ABCDEF")
    (text,) = pages(render("passphrase_notice", facts, at=AT, synthetic=True))
    assert "使っていません" not in text
    assert "オー・アイ・エル・数字のいち・数字のゼロ・数字のゼロ" in text


def test_dates_and_times_are_tokyos_in_era_years() -> None:
    before_midnight = datetime(2026, 6, 30, 15, 5, tzinfo=UTC)
    (text,) = pages(render("confirmation", confirmation_facts(), at=before_midnight, synthetic=True))
    assert "令和8年7月1日" in text
    assert "0時05分" in text
    assert "確認書" in text.splitlines()


def test_facts_are_text_and_never_commands() -> None:
    facts = confirmation_facts(means='#panic("x") *太字* $1$ <a>')
    (text,) = pages(render("confirmation", facts, at=AT, synthetic=True))
    assert '#panic("x") *太字* $1$ <a>' in text


@pytest.mark.parametrize("template", ["no_such_form", "form", "../documents/confirmation", "", "fonts"])
def test_an_unknown_template_is_refused(template: str) -> None:
    with pytest.raises(NotConfigured, match="様式"):
        render(template, {}, at=AT, synthetic=True)


def test_surplus_and_missing_facts_are_refused_by_name_without_their_values() -> None:
    facts = passphrase_facts(insured_person="見本 花子")
    del facts["contractor"]
    with pytest.raises(NotConfigured) as refused:
        render("passphrase_notice", facts, at=AT, synthetic=True)
    assert "contractor" in str(refused.value)
    assert "insured_person" in str(refused.value)
    assert "花子" not in str(refused.value)
    assert PASSPHRASE not in str(refused.value)


def test_a_template_in_error_quotes_facts_only_when_they_are_made_up(tmp_path: Path) -> None:
    (tmp_path / "broken.typ").write_text("// facts: passphrase\n#panic(sys.inputs.facts)")
    with pytest.raises(NotConfigured) as real:
        render("broken", {"passphrase": PASSPHRASE}, at=AT, synthetic=False, documents=tmp_path)
    assert PASSPHRASE not in str(real.value)
    assert real.value.__cause__ is None
    with pytest.raises(NotConfigured, match=PASSPHRASE):
        render("broken", {"passphrase": PASSPHRASE}, at=AT, synthetic=True, documents=tmp_path)


def test_the_licence_lies_beside_the_fonts() -> None:
    assert "SIL OPEN FONT LICENSE Version 1.1" in (DOCUMENTS / "fonts" / "OFL.txt").read_text()


def test_a_rare_character_is_printed_with_the_font_of_the_image() -> None:
    if not typesetting.RARE_CHARACTERS.is_dir():
        pytest.skip("fonts-ipamj-mincho is not installed here; run tools/debian-packages")
    firm = confirmation_facts(taker="𠮷田印刷株式会社")
    document = render("confirmation", firm, at=AT, synthetic=False)
    assert "𠮷田印刷株式会社" in "".join(pages(document)[0].split())


@pytest.mark.parametrize("synthetic", [True, False])
@pytest.mark.parametrize("code", [0x3134A, 0xF0000])
def test_a_character_that_no_font_has_is_named_by_its_code_point(code: int, synthetic: bool) -> None:
    firm = confirmation_facts(taker=f"架空{chr(code)}印刷")
    with pytest.raises(NotConfigured, match=rf"印字できない文字（U\+{code:04X}）"):
        render("confirmation", firm, at=AT, synthetic=synthetic)
