"""確認書: the paper that lies ready before its form is filled in, and what every one of them is checked by.

A paper has a number of its own, is printed once and is the same bytes whenever it is made. Its form then asks who
signed for the contractor and where the paper is filed. Who is not on the roster of that day is a difference: it is kept open
until a right answer comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from notice_cycle.catalogue import Configuration
from notice_cycle.errors import Differs, Refused
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.forms import Field
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout.folded import packages_of
from notice_cycle.records import (
    ConfirmationPrinted,
    DeliveryConfirmationRecord,
    DeliveryRecord,
    DiscrepancyClosed,
    DiscrepancyOpened,
    DiscsMade,
    EncryptionRecord,
    HandoverRecord,
    PassphraseHandoverRecord,
    PassphraseNoticeRecord,
    Record,
)
from notice_cycle.register import GateExcepted, Register
from notice_cycle.register.kinds import IncidentHoldEntry
from notice_cycle.values import Person

if TYPE_CHECKING:
    from notice_cycle.handover.papers import Confirmation

SIGNED_BY = Field(
    key="signed_by", title_ja="確認書に署名した者（委託先）", help_ja="取扱者名簿にある者の氏名"
)
FILED = Field(key="filed_under", title_ja="署名済みの確認書の文書番号", help_ja="例 26介保第95号")


# ---- the paper


@dataclass(frozen=True)
class Paper:
    """A 確認書 to be printed: under which number, behind which record (`after`), as of when."""

    form: str
    number: str
    after: str
    at: datetime
    content: "Confirmation"


def find_paper(form: str, history: CycleHistory) -> Paper | None:
    """The next paper that a form needs; None when it has none, or all of them lie there already."""
    behind = _PAPERS.get(form)
    entry = history.entry_of(behind) if behind else None
    if entry is None:
        return None
    for base in _bases(form, history):
        printed = _printed(form, base, history)
        if not any(fact.after == entry.digest for fact in printed):
            number = f"{base}-{len(printed) + 1}" if printed else base
            return Paper(form, number, entry.digest, entry.recorded_at, _content(form, number, history))
    return None


def paper_of(printed: ConfirmationPrinted, history: CycleHistory) -> Paper | None:
    """A paper as it was printed, of the dispatch or of a pull-out; None when the record behind it no longer holds."""
    for each in (history, *packages_of(history)):
        entry = each.entry_of(_PAPERS[printed.form])
        if entry and entry.digest == printed.after:
            content = _content(printed.form, printed.number, each)
            return Paper(printed.form, printed.number, printed.after, entry.recorded_at, content)
    return None


def printed_numbers(form: str, history: CycleHistory) -> list[str]:
    """The numbers of the papers that lie there for a form, in the order it has them."""
    numbers = []
    for base in _bases(form, history):
        printed = _printed(form, base, history)
        numbers.append(printed[-1].number if printed else base)
    return numbers


def printed_number(form: str, history: CycleHistory) -> str:
    """The number of the paper that lies there for a form that has one."""
    (number,) = printed_numbers(form, history)
    return number


def _printed(form: str, base: str, history: CycleHistory) -> list[ConfirmationPrinted]:
    return [
        fact
        for fact in history.facts(ConfirmationPrinted)
        if fact.form == form and (fact.number == base or fact.number.startswith(f"{base}-"))
    ]


_MEDIA_BACK, _NOTICES_BACK = "媒体返却確認書", "パスワード返却確認書"


def _bases(form: str, history: CycleHistory) -> list[str]:
    cycle = history.entries[0].cycle
    match form:
        case "passphrase_handover":
            return [f"{history.latest(PassphraseNoticeRecord).notice_number}-確認書"]
        case "disc_handover":
            return [f"{history.latest(EncryptionRecord).package}-媒体引渡確認書"]
        case "returns":
            package = history.latest(EncryptionRecord).package
            return [f"{package}-{_MEDIA_BACK}", f"{package}-{_NOTICES_BACK}"]
        case _:
            return [f"{cycle}-納品確認書"]


def _content(form: str, number: str, history: CycleHistory) -> "Confirmation":
    # Only here: it knows how discs are made, and the forms are read whenever a DAG is parsed.
    from notice_cycle.handover.papers import Confirmation, ConfirmationKind, Parties

    configuration = Configuration.model_validate(history.opening.configuration)
    contents: list[tuple[str, str]]
    match form:
        case "passphrase_handover":
            kind, means = ConfirmationKind.PASSWORD_OUT, "手渡し ・ 簡易書留 ・ 口頭（○で囲む）"
            contents = [(f"パスワード通知書 {history.latest(PassphraseNoticeRecord).notice_number}", "1 部")]
        case "disc_handover":
            kind, means = ConfirmationKind.MEDIA_OUT, "手渡し ・ 簡易書留（○で囲む）"
            package = history.latest(EncryptionRecord).package
            made = [fact for fact in history.facts(DiscsMade) if fact.package == package][-1]
            contents = [row for disc in made.discs for row in ((disc.label, "1 枚"), (disc.image.sha256, ""))]
        case "returns" if _MEDIA_BACK in number:
            kind, means = ConfirmationKind.MEDIA_RETURN, "手渡し ・ 簡易書留（○で囲む）"
            given = [record.dvd for record in history.ever_with_pullouts(HandoverRecord) if record.dvd]
            contents = [(disc.label, "1 枚") for dvd in given for disc in dvd.discs]
        case "returns":
            kind, means = ConfirmationKind.PASSWORD_RETURN, "手渡し ・ 簡易書留（○で囲む）"
            notices = history.ever_with_pullouts(PassphraseHandoverRecord)
            contents = [(f"パスワード通知書 {one.notice_number}", f"{one.quantity} 部") for one in notices]
        case _:
            kind, means = ConfirmationKind.DELIVERY, "納品場所での引渡し"
            delivery = history.latest(DeliveryRecord)
            contents = [
                (f"{configuration.notice.name_ja} 封入封緘済み", f"{delivery.envelopes_delivered:,} 封"),
                (f"納品した事業者　{delivery.delivering_party}", ""),
            ]
    return Confirmation(
        kind=kind,
        number=number,
        cycle=str(history.entries[0].cycle),
        notice_ja=configuration.notice.name_ja,
        parties=Parties(f"{configuration.ward} {configuration.notice.section}", configuration.party.name_ja),
        means_ja=means,
        contents=contents,
        filing_place=f"{configuration.notice.section}　文書番号",
    )


_PAPERS: dict[str, type[Record]] = {
    "passphrase_handover": PassphraseNoticeRecord,
    "disc_handover": EncryptionRecord,
    "delivery_confirmation": DeliveryRecord,
    "returns": DeliveryConfirmationRecord,
}
"""The forms that have a paper (that of the returns has two), and the record behind which it is made."""


# ---- who may be named on it


@dataclass(frozen=True)
class Staff:
    """Whom an answer may name: the register, and what 課長 has excepted."""

    register: Register
    exceptions: Sequence[GateExcepted] = ()

    def excepts(self, gate: str, *, cycle: str, configuration: Configuration, on: date) -> bool:
        """Whether a gate was excepted for the cycle or its contractor up to a day."""
        of = {
            "cycle": cycle,
            "party": configuration.party.id,
            "section": configuration.notice.section,
        }
        return any(one.gate == gate and one.until >= on and one.covers(**of) for one in self.exceptions)


def require_on_roster(
    staff: Staff, configuration: Configuration, moment: datetime, named: Sequence[tuple[Field, str]]
) -> None:
    """Raises Differs for who was on no roster of that day: the contractor's, or of who works under it on the notice."""
    day = tokyo_date(moment)
    parties = _at_work(staff.register, configuration, day)
    unknown = [
        f"「{field.title_ja}」{name}"
        for field, name in named
        if not any(staff.register.handler_on_roster(name, day, party=one) for one in parties)
    ]
    if unknown:
        raise Differs(
            f"{day}の取扱者名簿にない（または研修・誓約書のない）者です: {'、'.join(unknown)}。",
            advice="氏名を確かめてください。名簿の提出漏れなら登録簿に登録してから、名簿にない者が扱ったなら委託先と課長に電話してから、答え直します。",
        )


def _at_work(register: Register, configuration: Configuration, day: date) -> set[str]:
    """The contractor, and who works under it on the notice on a day."""
    party = configuration.party.id
    under = register.subcontracts_for(configuration.notice.id, party, day)
    return {party, *(held.content.subcontractor for held in under)}


# ---- when nothing may be given


def refuse_while_held(
    register: Register, configuration: Configuration, handed_at: datetime | None = None
) -> None:
    """Raises Refused while an incident stops the hand-overs to who works on the notice (R41): data, disc and passphrase.

    What was given (`handed_at`) before the day on which the ward knew may be entered meanwhile; what was given in spite of
    it once 課長 has lifted the hold.
    """
    parties = _at_work(register, configuration, register.as_of)
    holds = [
        held.content
        for held in register.held(IncidentHoldEntry)
        if held.content.party in parties
        and (handed_at is None or tokyo_date(handed_at) >= held.content.known_on)
    ]
    if holds:
        names = dict.fromkeys(register.name_of(one.party) for one in holds)
        references = dict.fromkeys(one.reference for one in holds)
        raise Refused(
            f"{'・'.join(names)}への引渡しは、事故（{'、'.join(references)}）のため止められています。",
            advice="まだ渡していなければ、渡さないでください。課長が「事故の処理」に停止の解除を記録した後で、止まったタスクはクリアし、書式には実際に渡した日時で答え直します。",
        )


# ---- differences that stay open


def open_discrepancies(history: CycleHistory, form: str) -> list[DiscrepancyOpened]:
    """The differences of a form that no right answer has closed."""
    settled = {fact.discrepancy for fact in history.facts(DiscrepancyClosed)}
    return [
        fact
        for fact in history.facts(DiscrepancyOpened)
        if fact.form == form and fact.discrepancy not in settled
    ]


def opened(history: CycleHistory, form: str, wrong: Differs, by: Person) -> DiscrepancyOpened | None:
    """The difference to be entered; None when the same one is open already."""
    if any(fact.reason_ja == wrong.message for fact in open_discrepancies(history, form)):
        return None
    number = len(history.facts(DiscrepancyOpened)) + 1
    return DiscrepancyOpened(discrepancy=number, form=form, reason_ja=wrong.message, answered_by=by)


def settled(history: CycleHistory, form: str, by: Person) -> list[DiscrepancyClosed]:
    """What a right answer closes."""
    return [
        DiscrepancyClosed(discrepancy=fact.discrepancy, form=form, answered_by=by)
        for fact in open_discrepancies(history, form)
    ]
