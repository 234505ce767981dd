"""数量の照合: from persons to returned letters, each quantity beside what it should be, every difference named.

Read from the records of the cycle alone, counts only. Nothing stops here: what must agree was refused by its stage.
"""

from collections.abc import Iterator

from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import envelopes_to_post, posted_envelopes, postings
from notice_cycle.pullout import Pulled, pulled, pulled_after_delivery
from notice_cycle.records import (
    CompositionRecord,
    DeliveryRecord,
    ExtractionRecord,
    NoticesReconciled,
    ResultsReturned,
)
from notice_cycle.returned_mail import REASONS_JA, returned_by_reason

HEADINGS = ("数えたもの", "数量", "比べるもの", "差")
MODES_JA = {
    "per_item": "計画を超える印刷（損紙・試し刷り・刷り直し）に理由を求めた",
    "literal": "2枚以上のすべての印刷に理由を求めた",
}
"""How the contract reads 「2枚以上印刷した場合は、その理由」."""

DIFFERENCES_JA: dict[str, str] = {
    "not_delivered": "納品されていないロット",
    "short": "納品が少ないロット",
    "over": "納品が多いロット",
    "twice": "二度納品されたロット",
    "pulled_but_delivered": "引き抜いたのに納品されたもの",
    "split": "ロットの区切りの違い（計は一致）",
    "not_posted": "納品したのに差し出していないもの",
}

RESULTS_JA = {
    "sent": "発送",
    "pulled": "引抜き",
    "replaced": "差替え",
    "uncertain": "引抜きの結果が不明",
    "withdrawn": "取下げ",
}
"""What became of a notice, as the core system is told."""

Row = tuple[str, str, str, str]


def reconciliation(
    extraction: ExtractionRecord, composition: CompositionRecord, history: CycleHistory
) -> tuple[Row, ...]:
    """The rows as far as the cycle has come."""
    rows = list(_composed(extraction, composition))
    if delivery := history.find(DeliveryRecord):
        rows += [*_printed(composition, delivery), *_delivered(composition, delivery, pulled(history))]
        rows += _after(delivery, history)
    rows += [(label, told, "", "") for label, told in (*by_notice(history), *_returned(history))]
    return tuple(rows)


def by_notice(history: CycleHistory) -> Iterator[tuple[str, str]]:
    """What the comparison down to the notice number found, by count; its numbers are on the list it names."""
    delivery = history.find(DeliveryRecord)
    for against, one in {one.against: one for one in history.facts(NoticesReconciled)}.items():
        told = "。".join(
            f"{DIFFERENCES_JA[each.kind]}{f'（ロット{each.lot}）' if each.lot else ''}"
            f" 予定 {each.due:,}封、届出 {each.told:,}封、該当の範囲 {f'{each.notices:,}通' if each.notices else '絞れません'}"
            for each in one.differences
        )
        where = f"。番号の一覧 {one.list_number} は課のプリンタに印刷しました" if one.list_number else ""
        if against == "納品" and delivery and delivery.delivery_report_sha256 != one.told_sha256:
            where += "。受け付けなかった納品報告についてのものです"
        yield (f"通知書番号までの照合（{against}）", f"{told or '差異なし'}{where}")


def _returned(history: CycleHistory) -> Iterator[tuple[str, str]]:
    for fact in history.facts(ResultsReturned):
        told = "、".join(
            f"{ja} {fact.results[name]:,}通" for name, ja in RESULTS_JA.items() if name in fact.results
        )
        yield ("発送結果の返送（基幹系へ）", told)


def reminder_ja(history: CycleHistory) -> str:
    """What is still to be recorded after the delivery; empty when nothing is."""
    delivery = history.find(DeliveryRecord)
    if delivery is None or posted_envelopes(history) == envelopes_to_post(history):
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


def _delivered(composition: CompositionRecord, delivery: DeliveryRecord, out: Pulled) -> Iterator[Row]:
    if out.requests:
        yield (
            "引抜き",
            f"{out.notices:,}通",
            f"なくなる封筒 {out.envelopes:,}封、廃棄する用紙 {out.sheets:,}枚、見つからない {out.not_found:,}通",
            "",
        )
    planned = {str(lot.lot_no): lot.envelopes - out.by_lot[lot.lot_no] for lot in composition.lots}
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
    beside = f"封筒 {envelopes:,}封" + (f"、引抜き {out.envelopes:,}封" if out.requests else "")
    yield _row("納品", delivery.envelopes_delivered, "封", envelopes - out.envelopes, beside)


def _after(delivery: DeliveryRecord, history: CycleHistory) -> Iterator[Row]:
    delivered, posted = delivery.envelopes_delivered, posted_envelopes(history)
    beside = f"納品 {delivered:,}封"
    if (out := pulled_after_delivery(history)).requests:
        yield (
            "納品後の引抜き",
            f"{out.notices:,}通",
            f"なくなる封筒 {out.envelopes:,}封（廃棄の証明あり）",
            "",
        )
        beside += f"、納品後の引抜き {out.envelopes:,}封"
    if postings(history):
        yield _row("差出し", posted, "封", envelopes_to_post(history), beside)
    else:
        yield ("差出し", "記録なし", beside, "")
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
