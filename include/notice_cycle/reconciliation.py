"""数量の照合: from persons to returned letters, each quantity beside what it should be, every difference named.

Read from the records of the cycle alone, counts only. Nothing stops here: what must agree was refused by its stage.
"""

from collections.abc import Iterator

from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import posted_envelopes, postings
from notice_cycle.records import CompositionRecord, DeliveryRecord, ExtractionRecord
from notice_cycle.returned_mail import REASONS_JA, returned_by_reason

HEADINGS = ("数えたもの", "数量", "比べるもの", "差")
MODES_JA = {
    "per_item": "計画を超える印刷（損紙・試し刷り・刷り直し）に理由を求めた",
    "literal": "2枚以上のすべての印刷に理由を求めた",
}
"""How the contract reads 「2枚以上印刷した場合は、その理由」."""

Row = tuple[str, str, str, str]


def reconciliation(
    extraction: ExtractionRecord, composition: CompositionRecord, history: CycleHistory
) -> tuple[Row, ...]:
    """The rows as far as the cycle has come."""
    rows = list(_composed(extraction, composition))
    if delivery := history.find(DeliveryRecord):
        rows += [*_printed(composition, delivery), *_delivered(composition, delivery)]
        rows += _after(delivery, history)
    return tuple(rows)


def reminder_ja(history: CycleHistory) -> str:
    """What is still to be recorded after the delivery; empty when nothing is."""
    delivery = history.find(DeliveryRecord)
    if delivery is None or posted_envelopes(history) == delivery.envelopes_delivered:
        return ""
    return "差出しが全部は記録されていません。区が差し出したら「差出しの記録」に、差出票の番号と通数を入れてください。委託先が差し出す契約なら、差出票の届出を求めます。"


def _composed(extraction: ExtractionRecord, composition: CompositionRecord) -> Iterator[Row]:
    counted, excluded = composition.quantities, sum(composition.excluded.values())
    yield _row(
        "人数",
        counted.persons,
        "人",
        extraction.persons - excluded,
        f"抽出 {extraction.persons:,}人、除外 {excluded:,}人",
    )
    yield _row("通知書", counted.notices, "通", counted.persons, f"人数 {counted.persons:,}人")
    in_lots = sum(lot.envelopes for lot in composition.lots)
    yield _row("封筒", counted.envelopes, "封", in_lots, f"ロットの計 {in_lots:,}封")
    yield ("用紙（計画）", f"{counted.sheets:,}枚", "", "")


def _printed(composition: CompositionRecord, delivery: DeliveryRecord) -> Iterator[Row]:
    planned, spoiled, test = composition.quantities.sheets, delivery.sheets_spoiled, delivery.sheets_test
    yield _row(
        "印刷した用紙",
        delivery.sheets_printed,
        "枚",
        planned + spoiled + test + spoiled,
        f"計画 {planned:,}枚、損紙 {spoiled:,}枚、試し刷り {test:,}枚、刷り直し {spoiled:,}枚（損紙と同数）",
    )
    yield ("印刷の理由", "", MODES_JA[delivery.reasons], "")


def _delivered(composition: CompositionRecord, delivery: DeliveryRecord) -> Iterator[Row]:
    planned = {str(lot.lot_no): lot.envelopes for lot in composition.lots}
    told = {"".join(filter(str.isdecimal, lot.lot)): lot.envelopes for lot in delivery.deliveries}
    same = set(planned) == set(told) and len(told) == len(delivery.deliveries)
    for lot in delivery.deliveries:
        due = planned["".join(filter(str.isdecimal, lot.lot))] if same else None
        yield _row(
            f"納品 ロット {lot.lot}",
            lot.envelopes,
            "封",
            due,
            "委託先のロット" if due is None else f"計画 {due:,}封",
        )
    envelopes = composition.quantities.envelopes
    yield _row("納品", delivery.envelopes_delivered, "封", envelopes, f"封筒 {envelopes:,}封")


def _after(delivery: DeliveryRecord, history: CycleHistory) -> Iterator[Row]:
    delivered, posted = delivery.envelopes_delivered, posted_envelopes(history)
    if postings(history):
        yield _row("差出し", posted, "封", delivered, f"納品 {delivered:,}封")
    else:
        yield ("差出し", "記録なし", f"納品 {delivered:,}封", "")
    by_reason = returned_by_reason(history)
    named = "、".join(f"{ja} {by_reason[reason]:,}" for reason, ja in REASONS_JA.items() if by_reason[reason])
    yield ("返戻", f"{by_reason.total():,}封", named or "なし", "")
    yield (
        "届いた見込み（差出しから返戻を除く）",
        f"{posted - by_reason.total():,}封" if posted else "－",
        "",
        "",
    )


def _row(label: str, counted: int, unit: str, due: int | None, beside: str) -> Row:
    difference = "" if due is None else f"{counted - due:+,}" if counted != due else "±0"
    return (label, f"{counted:,}{unit}", beside, difference)
