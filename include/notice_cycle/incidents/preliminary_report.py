"""速報の案: the draft of the preliminary report, the law's items in the law's order, as far as the ledger knows them.

What only people can know (cause, secondary harm, prevention) stands there as a blank to fill in by hand.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from notice_cycle.dispatch_plan import said
from notice_cycle.documents import render
from notice_cycle.forms import tokyo
from notice_cycle.incidents.facts import IncidentReportDrafted
from notice_cycle.incidents.folded import REPORTABLE_ABOVE, STEPS, Incident
from notice_cycle.incidents.protection import protection_of
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.printing import print_document
from notice_cycle.values import sha256

if TYPE_CHECKING:
    from notice_cycle.ledger.store import Ledger
    from notice_cycle.settings import Settings

_LOCK = "incident"
_BLANK = "（調査中。判明したことを記入）"


def draft_once(
    ledger: "Ledger", settings: "Settings", incident: Incident, *, party_ja: str, ward: str, at: datetime
) -> IncidentReportDrafted:
    """Prints the draft, unless it was printed. Gives its fact. Raises CannotLook when the printer does not take it."""
    with ledger.locked(_LOCK, IncidentReportDrafted.kind()):
        for entry in ledger.entries(kind=IncidentReportDrafted.kind()):
            drafted = IncidentReportDrafted.model_validate(entry.data)
            if drafted.number == incident.number:
                return drafted
        histories = {cycle: ledger.history(cycle) for cycle in incident.reported.cycles}
        facts = draft(incident, histories, party_ja=party_ja, ward=ward)
        pdf = render(
            "incident_report",
            facts,
            at=at,
            synthetic=ledger.synthetic,
            documents=settings.config_folder / "documents",
        )
        print_document(settings, str(facts["number"]), pdf)
        drafted = IncidentReportDrafted(number=incident.number, document_sha256=sha256(pdf), printed_at=at)
        ledger.note(None, drafted, incident.reported.entered_by)
        return drafted


def draft(
    incident: Incident, histories: Mapping[str, CycleHistory], *, party_ja: str, ward: str
) -> dict[str, object]:
    """What the template asks for: the law's items, what the ledger proves, and by when."""
    told = incident.reported
    protections = [one for history in histories.values() for one in protection_of(history)]
    proved = bool(protections) and all(one.proved for one in protections)
    cycles = "、".join(told.cycles) or "特定中"
    rows = [
        (
            "概要",
            f"{told.incident_kind}。{party_ja}について、{tokyo(told.known_at)} に区が知った"
            f"（{told.told_by}、{told.told_by_means}、{told.filed_as}）。対象: {told.carrier}。発送回: {cycles}。",
        ),
        ("保有個人情報の項目", "、".join(told.items)),
        ("本人の数", _persons(incident)),
        ("原因", _BLANK),
        (
            "二次被害又はそのおそれの有無及びその内容",
            f"不正の目的のおそれ: {told.malicious}。暗号化（届出による）: {told.encrypted}。{_BLANK}",
        ),
        ("本人への対応の実施状況", _stamped(incident, "persons_told", "検討中")),
        ("公表の実施状況", _published(incident)),
        ("再発防止のための措置", f"委託先の措置: {'、'.join(told.measures)}。{_BLANK}"),
        ("その他参考となる事項", "委託先への引渡しを停止した。台帳の記録は次の表のとおり。"),
    ]
    return {
        "number": f"事故{incident.number}-速報案",
        "ward": ward,
        "rows": [list(row) for row in rows],
        "verdict": _verdict(proved=proved, any_package=bool(protections)),
        "protections": [[one.package, one.sentence_ja] for one in protections],
        "clocks": [
            ["速報（内部の期限・3日目）", said(incident.internal_due())],
            ["速報（法の期限・5日目）", said(incident.hard_due())],
            ["確報", said(incident.final_due())],
        ],
        "reportable": _reportable(incident),
    }


def _persons(incident: Incident) -> str:
    persons = incident.reported.persons
    if persons is None:
        return "調査中（発送回が特定されていないか、まだ抽出されていません）"
    return f"最大 {persons:,}人（発送回の記録から数えた人数。実際に関係する人数を調べて記入）"


def _stamped(incident: Incident, step: str, otherwise: str) -> str:
    stamp = incident.stamped(step)
    return f"{tokyo(stamp.done_at)} {STEPS[step].label_ja}（{stamp.filed_as}）" if stamp else otherwise


def _published(incident: Incident) -> str:
    if incident.stamped("not_published"):
        return _stamped(incident, "not_published", "")
    return _stamped(incident, "published", "検討中")


def _verdict(*, proved: bool, any_package: bool) -> str:
    if not any_package:
        return "対象の発送回にパッケージの記録がありません。暗号化と鍵の分離を台帳で証明できません。"
    if proved:
        return "暗号化と鍵の分離を、台帳で証明できます。"
    return "暗号化と鍵の分離だけでは守られていません（開かれた後か、証明できない記録があります）。"


def _reportable(incident: Incident) -> str:
    if incident.may_be_reportable:
        return (
            f"本人の数が{REPORTABLE_ABOVE}人を超えるか、不正の目的のおそれがあるか、まだ分かりません。"
            "報告の対象として扱います。要しないと判断できるのは課長だけです（「事故の処理」に記録）。"
        )
    return f"本人の数は{REPORTABLE_ABOVE}人以下で、不正の目的のおそれもない届出です。報告の要否を課長が確かめてください。"
