"""A layout or a 外字 table that could not be written or read back is refused when it is loaded."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.composition.notices import CONFIG, laid_out

from notice_cycle.composition.rules import GaijiEntry, GaijiTable, Layout, Slips, made_items

ENTRY = {"characters": "U+20BB7", "agreed_on": date(2026, 5, 20), "agreed_by_ja": "区と架空印刷"}


@pytest.mark.parametrize(
    ("items", "changes", "sentence"),
    [
        (("notice_no", "notice_no"), {}, "同じ見出し"),
        (("notice_no:11",), {}, "bytes は"),
        (("notice_no:11", "postcode"), {"format": "fixed"}, "bytes は"),
        (("notice_no:11",), {"format": "fixed", "charset": "utf-8"}, "固定長は"),
        (("notice_no",), {"trailer": True}, "record_kind"),
    ],
)
def test_a_layout_that_could_not_be_written_is_refused(
    items: tuple[str, ...], changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        laid_out(*items, **changes)


@pytest.mark.parametrize(
    "changes",
    [{}, {"text": "吉", "gaiji": "U+E000"}, {"gaiji": "U+5409"}, {"text": "吉", "characters": "20BB7"}],
)
def test_an_agreement_needs_one_counterpart_and_code_points(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GaijiEntry(**ENTRY | changes)


def test_a_character_is_agreed_once() -> None:
    with pytest.raises(ValidationError, match=r"U\+20BB7 が重複"):
        GaijiTable(entries=(GaijiEntry(**ENTRY, text="吉"), GaijiEntry(**ENTRY, gaiji="U+E000")))


def test_the_slips_of_a_notice_make_their_items() -> None:
    assert {"barcode_07", "barcode_03"} <= made_items(Slips(issuer="912345"))
    assert "barcode" in made_items(Slips(issuer="912345", amount="overdue_yen"))
    assert not any(item.startswith(("barcode", "elqr")) for item in made_items(None))
    with pytest.raises(ValidationError, match="amount"):
        Slips(issuer="912345", instalment="instalment")


def test_the_sample_layouts_hold_every_format() -> None:
    found = [path.read_text(encoding="utf-8") for path in (CONFIG / "layouts").glob("*.yaml")]
    assert any("format: fixed" in text for text in found)
    assert any("charset: utf-8" in text for text in found)
    assert Layout.model_fields["trailer"].default is False
