"""件数表: what is on the paper is what was counted, and no amount of a few persons."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader
from tests.builders import CYCLE
from tests.unit.composition.notices import a_notice, configured, staged

from notice_cycle.composition.quantity_sheet import quantity_sheet
from notice_cycle.records import PostalLot
from notice_cycle.vault import CycleVault


def pages(
    vault: CycleVault, persons: int, notice: str = "premium_notice_ordinary", **changed: Any
) -> list[str]:
    ready = staged(vault, [a_notice(n, notice) for n in range(1, persons + 1)], configured(notice))
    record = ready.composed().model_copy(update=changed)
    document = quantity_sheet(
        record,
        ready.extraction,
        ready.configuration,
        cycle=CYCLE,
        number="Q1",
        synthetic=True,
        at=datetime(2026, 7, 3, 1, 5, tzinfo=UTC),
    )
    return ["".join(page.extract_text().split()) for page in PdfReader(BytesIO(document)).pages]


def test_quantities_totals_digest_and_findings_are_on_one_page(vault: CycleVault) -> None:
    (page,) = pages(vault, 20, excluded={"death": 12}, ambiguous=3, replaced_characters={"U+20BB7": 4})
    for told in (
        "架空データ",
        "20人",
        "20通",
        "20封",
        "1,452,000円",
        "除外（死亡）12通",
        "除外（転出）0通",
        "3件",
        "U+20BB74字",
        "口座振替0通",
        "納付書払い20通",
        "一般20封1",
    ):
        assert told in page, told


def test_a_small_cycle_tells_no_amount(vault: CycleVault) -> None:
    (page,) = pages(vault, 9)
    assert "10人未満のため非表示" in page
    assert "653,400" not in page


def test_many_lots_go_on_over_the_pages(vault: CycleVault) -> None:
    lots = tuple(PostalLot(lot_no=n, postal_class="区分郵便物", envelopes=5_000) for n in range(1, 199))
    assert len(pages(vault, 10, lots=lots)) == 3


@pytest.mark.parametrize("notice", ["burden_certificate", "guide_booklet"])
def test_a_notice_without_amounts_has_a_sheet_too(vault: CycleVault, notice: str) -> None:
    (page,) = pages(vault, 12, notice)
    assert "金額" not in page
