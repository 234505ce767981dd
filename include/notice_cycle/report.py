"""発送回の報告書: what the section reads about a cycle, gathered from its ledger entries. Counts only.

The page in the web UI and the PDF show the same blocks. Nothing is read here but the history it is given, and
nothing of a person can be in it, because nothing of a person is in the ledger.
"""

from collections.abc import Iterator, Mapping

from notice_cycle.catalogue import Configuration, ItemLabel
from notice_cycle.composition.rules import CHARSETS_JA, EXCLUDED_JA
from notice_cycle.composition.totals import total_ja
from notice_cycle.forms import tokyo
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.opening import REASONS_JA
from notice_cycle.reconciliation import HEADINGS, reconciliation, reminder_ja
from notice_cycle.records import (
    CompositionRecord,
    ExtractionRecord,
    HandoverApprovalRecord,
    RuleOutcome,
    ValidationConfirmationRecord,
    ValidationRecord,
    YearSettingsRecord,
)
from notice_cycle.stage import STAGES
from notice_cycle.values import Frozen

PRINT_FILE = "印字データ"
HIDDEN = "10人未満のため非表示"


class Block(Frozen):
    """One table of the report. `note` says what it means when there is nothing, or what to do."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Report(Frozen):
    """The whole report of one cycle."""

    cycle: str
    notice_ja: str
    section: str
    ward: str
    synthetic: bool
    stage_ja: str
    blocks: tuple[Block, ...]


def report(cycle: str, history: CycleHistory) -> Report:
    """The report as far as the cycle has come."""
    configuration = Configuration.model_validate(history.opening.configuration)
    return Report(
        cycle=cycle,
        notice_ja=configuration.notice.name_ja,
        section=configuration.notice.section,
        ward=configuration.ward,
        synthetic=history.opening.synthetic,
        stage_ja="取下げ" if history.withdrawn else _stage(history),
        blocks=tuple(_blocks(history, configuration)),
    )


def _stage(history: CycleHistory) -> str:
    """The last step that stands."""
    stage, record = next(
        (stage, record)
        for stage in STAGES
        for record in stage.records
        if record.kind() == history.current[-1].kind
    )
    step = "" if record.label_ja == stage.label_ja else f"の「{record.label_ja}」"
    given_up = "引渡し後の取下げ。" if history.recalled else ""
    return f"{given_up}「{stage.label_ja}」{step}まで済み"


def _blocks(history: CycleHistory, configuration: Configuration) -> Iterator[Block]:
    extraction, validation = history.find(ExtractionRecord), history.find(ValidationRecord)
    yield _overview(history, configuration, extraction)
    if extraction:
        yield _quantities(configuration, extraction, history.find(CompositionRecord))
        if composed := history.find(CompositionRecord):
            yield Block(
                title="数量の照合",
                headings=HEADINGS,
                rows=reconciliation(extraction, composed, history),
                note=reminder_ja(history),
            )
    if validation:
        yield from _findings(validation)
        for item in configuration.notice.distributions:
            yield _distribution(item, validation, configuration.labels[item])
    if composition := history.find(CompositionRecord):
        yield from _printing(configuration, composition)
    if validation:
        yield Block(
            title="判定した規則のすべて",
            headings=("規則", "意味", "区分", "対応する義務", "該当", "許容"),
            rows=tuple((*_rule(rule), _found(rule), f"{rule.allowed:,}") for rule in validation.rules),
        )


def _overview(
    history: CycleHistory, configuration: Configuration, extraction: ExtractionRecord | None
) -> Block:
    opening = history.opening
    rows = [
        ("通知書", configuration.notice.name_ja),
        (
            "年度・区分",
            f"{opening.fiscal_year}年度 {opening.occasion.label_ja}（{REASONS_JA[opening.reason_code]}）",
        ),
        ("異動バッチ番号", opening.batch_no),
        ("委託先", configuration.party.name_ja),
    ]
    if opening.reprint_of:
        rows.append(("もとの発送回・もとの通知", f"{opening.reprint_of}（{opening.originals}）"))
    if extraction:
        rows.append(("基準日時", tokyo(extraction.as_of)))
    if settings := history.find(YearSettingsRecord):
        rows.append(
            (
                "年度設定確認",
                f"{settings.confirmed_by.name}（{tokyo(settings.confirmed_at)}、{settings.papers}）",
            )
        )
    if confirmed := history.find(ValidationConfirmationRecord):
        rows.append(("検証確認", f"{confirmed.confirmed_by.name}（{tokyo(confirmed.confirmed_at)}）"))
    if approved := history.find(HandoverApprovalRecord):
        rows.append(("引渡し承認", f"{approved.approved_by.name}（{tokyo(approved.approved_at)}）"))
    return Block(title="発送回", headings=("項目", "内容"), rows=tuple(rows))


def _quantities(
    configuration: Configuration, extraction: ExtractionRecord, composition: CompositionRecord | None
) -> Block:
    counted = composition.quantities if composition else None

    def both(label: str, before: str, after: str) -> tuple[str, str, str]:
        return (label, before, after if counted else "未作成")

    rows = [both("人数", f"{extraction.persons:,}人", f"{counted.persons:,}人" if counted else "")]
    for total in configuration.notice.totals:
        after = total_ja(composition, total.item) if composition else ""
        rows.append(both(f"{total.label_ja}の合計", extraction.totals[total.item].label_ja, after))
    if counted:
        rows += [
            ("通知書", "", f"{counted.notices:,}通"),
            ("封筒", "", f"{counted.envelopes:,}封"),
            ("用紙", "", f"{counted.sheets:,}枚"),
        ]
    return Block(
        title="件数と金額",
        headings=("項目", "抽出（基幹系の統制票と一致）", "印字データ"),
        rows=tuple(rows),
        note="印字データの件数・金額は、抽出から差分一覧で除いた分を引いたものと一致しています。"
        if counted
        else "",
    )


def _findings(validation: ValidationRecord) -> Iterator[Block]:
    found = [rule for rule in validation.rules if rule.broken]
    found.sort(key=lambda rule: (rule.holds, rule.severity != "error"))
    yield Block(
        title="検証で見つかったこと",
        headings=("規則", "意味", "区分", "対応する義務", "該当"),
        rows=tuple((*_rule(rule), f"{rule.broken:,}件") for rule in found),
        note=_advice(validation, found),
    )


def _advice(validation: ValidationRecord, found: list[RuleOutcome]) -> str:
    judged = f"{len(validation.rules)}件の規則をすべて判定しました。"
    if not found:
        return f"{judged}該当はありません。"
    if validation.errors:
        return f"{judged}エラーが{validation.errors}件あります。差戻しを選び、基幹系のデータを直してから抽出をやり直してください。"
    return f"{judged}エラーはありません。注意の内容を確かめ、問題がなければ検証確認で通してください。該当者の一覧は印刷されています。"


def _rule(rule: RuleOutcome) -> tuple[str, str, str, str]:
    severity = "エラー" if rule.severity == "error" else "注意"
    return (
        rule.rule,
        rule.sentence_ja,
        f"{severity}（許容内）" if rule.broken and rule.holds else severity,
        rule.requirement,
    )


def _found(rule: RuleOutcome) -> str:
    return f"{rule.broken:,}" if rule.checked else "判定対象なし"


def _distribution(item: str, validation: ValidationRecord, label: ItemLabel) -> Block:
    this, last = validation.counts.get(item, {}), validation.last_year.get(item, {})
    whole, whole_last = sum(this.values()), sum(last.values())
    rows = []
    for value in sorted({*this, *last}, key=ItemLabel.place):
        now, then = this.get(value, 0), last.get(value, 0)
        change = _change(now, then) if last else "－"
        rows.append(
            (
                label.of(value),
                f"{now:,}",
                _share(now, whole),
                f"{then:,}" if last else "－",
                _share(then, whole_last),
                change,
            )
        )
    rows.append(
        (
            "計",
            f"{whole:,}",
            "",
            f"{whole_last:,}" if last else "－",
            "",
            _change(whole, whole_last) if last else "－",
        )
    )
    year = f"{validation.last_year_of}年度" if validation.last_year_of else "前年度"
    return Block(
        title=f"{label.label_ja}別の人数",
        headings=(label.label_ja, "今回", "構成比", year, "構成比", "増減"),
        rows=tuple(rows) if this else (),
        note="" if this else HIDDEN,
    )


def _change(now: int, then: int) -> str:
    return f"{now - then:+,}" if now != then else "±0"


def _share(part: int, whole: int) -> str:
    return f"{part * 1000 // whole / 10:.1f}%" if whole else "－"


def _printing(configuration: Configuration, composition: CompositionRecord) -> Iterator[Block]:
    variants = configuration.notice.variants
    rows = [("様式の版・文字集合", f"{composition.layout}・{CHARSETS_JA[composition.charset]}")]
    if variants:
        rows += [
            (f"様式: {variants.values.get(value, value)}", f"{notices:,}通")
            for value, notices in composition.variants.items()
        ]
    rows += [
        (f"差分一覧による除外: {EXCLUDED_JA.get(reason, reason)}", f"{n:,}人")
        for reason, n in composition.excluded.items()
    ]
    rows += [
        ("差分一覧による送付先の訂正", f"{composition.corrected:,}人"),
        ("差分一覧のうち、この発送回にない番号", f"{composition.unknown_differences:,}件"),
        ("名寄せで人が見るべきもの", f"{composition.ambiguous:,}件"),
        ("取り決めた外字に置き換えた文字", _characters(composition.replaced_characters)),
        ("カスタマバーコードを付けられない宛名", f"{composition.without_customer_barcode:,}封"),
        ("印字データの SHA-256", composition.print_file.sha256),
    ]
    yield Block(title=PRINT_FILE, headings=("項目", "内容"), rows=tuple(rows))
    yield Block(
        title="郵便の区分とロット",
        headings=("ロット", "区分", "封筒"),
        rows=tuple((f"{lot.lot_no}", lot.postal_class, f"{lot.envelopes:,}封") for lot in composition.lots),
    )


def _characters(replaced: Mapping[str, int]) -> str:
    return "、".join(f"{code} {count:,}字" for code, count in replaced.items()) or "なし"
