"""件数表: the quantities of a print file as a PDF, for the decision paper 起案.

Everything is taken from the records: counts, totals and digests. A total that would tell about fewer than ten
persons is not told here either.
"""

from collections import Counter
from datetime import datetime
from typing import Any

from notice_cycle.catalogue import Configuration
from notice_cycle.clock import TOKYO
from notice_cycle.composition.postal import CLASSES
from notice_cycle.composition.rules import CHARSETS_JA, EXCLUDED_JA
from notice_cycle.composition.totals import total_ja
from notice_cycle.documents import render
from notice_cycle.records import CompositionRecord, ExtractionRecord


def quantity_sheet(
    composition: CompositionRecord,
    extraction: ExtractionRecord,
    configuration: Configuration,
    *,
    cycle: str,
    number: str,
    synthetic: bool,
    at: datetime,
) -> bytes:
    """The PDF. `number`: the document's own; `at`: when the print file was composed."""
    counted, notice = composition.quantities, configuration.notice
    facts: dict[str, Any] = {
        "number": number,
        "notice": notice.name_ja,
        "section": notice.section,
        "ward": configuration.ward,
        "contractor": configuration.party.name_ja,
        "cycle": cycle,
        "as_of": f"{extraction.as_of.astimezone(TOKYO):%Y-%m-%d %H:%M}",
        "layout": f"{composition.layout}・{CHARSETS_JA[composition.charset]}",
        "quantities": [
            {"label": "対象者", "quantity": f"{counted.persons:,}人"},
            {"label": "通知書", "quantity": f"{counted.notices:,}通"},
            {"label": "封筒", "quantity": f"{counted.envelopes:,}封"},
            {"label": "用紙", "quantity": f"{counted.sheets:,}枚"},
        ],
        "totals": [[total.label_ja, total_ja(composition, total.item)] for total in notice.totals],
        "variants": _variants(composition, configuration),
        "classes": _classes(composition),
        "lots": [[str(lot.lot_no), lot.postal_class, f"{lot.envelopes:,}"] for lot in composition.lots],
        "changes": _changes(composition, extraction),
        "checks": _checks(composition),
        "print_file": f"{composition.print_file.name}（{composition.print_file.size_bytes:,}バイト）",
        "sha256": composition.print_file.sha256,
    }
    return render("quantities", facts, at=at, synthetic=synthetic)


def _variants(composition: CompositionRecord, configuration: Configuration) -> list[list[str]]:
    known = configuration.notice.variants.values if configuration.notice.variants else {}
    return [[known.get(value, value), f"{count:,}通"] for value, count in composition.variants.items()]


def _classes(composition: CompositionRecord) -> list[list[str]]:
    envelopes: Counter[str] = Counter()
    for lot in composition.lots:
        envelopes[lot.postal_class] += lot.envelopes
    lots = Counter(lot.postal_class for lot in composition.lots)
    return [[one.value, f"{envelopes[one.value]:,}封", f"{lots[one.value]:,}"] for one in CLASSES]


def _changes(composition: CompositionRecord, extraction: ExtractionRecord) -> list[list[str]]:
    excluded = {reason: composition.excluded.get(reason, 0) for reason in EXCLUDED_JA | composition.excluded}
    return [
        ["抽出した通知書", f"{extraction.rows:,}通"],
        *(
            [f"除外（{EXCLUDED_JA.get(reason, reason)}）", f"{count:,}通"]
            for reason, count in excluded.items()
        ),
        ["印字する通知書", f"{composition.quantities.notices:,}通"],
        ["送付先の訂正", f"{composition.corrected:,}通"],
        ["差分一覧にあり抽出に無いもの", f"{composition.unknown_differences:,}件"],
    ]


def _checks(composition: CompositionRecord) -> list[list[str]]:
    replaced = [
        [f"外字の取決め {points}", f"{n:,}字"]
        for points, n in sorted(composition.replaced_characters.items())
    ]
    return [
        ["名寄せで人が確かめるもの", f"{composition.ambiguous:,}件"],
        ["カスタマバーコードの無い封筒", f"{composition.without_customer_barcode:,}封"],
        *(replaced or [["外字の取決めで印字した文字", "0字"]]),
    ]
