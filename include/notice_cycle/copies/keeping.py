"""指示による保管: the ward instructs a party to keep a copy, or paper, until a day (別紙1 第14項 ただし書, R81).

An officer asks for it, an approver, another person, decides. Its erasure is then due on that day and not settled by it:
the copy stays open in the copy ledger and the cycle does not close before it is erased. Refuses a day past the end of the
fiscal year, when the contract ends, and keeping what is proved erased.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import cast, get_args

from notice_cycle.catalogue import Configuration
from notice_cycle.copies.facts import CopyKeepingAsked, CopyKeptAsInstructed, Keepable
from notice_cycle.errors import Refused
from notice_cycle.fiscal_year import FiscalYear, tokyo_date
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import ClosingRecord, ErasureRecord, HandoverRecord
from notice_cycle.register import Register
from notice_cycle.values import Person

APPROVER = "承認者"
WHAT_JA: dict[Keepable, str] = {
    "opened": "開いた印字データ",
    "package": "暗号化された印字データ",
    "paper": "損紙・試し刷り・引き抜いたもの・差し替えたもの（紙）",
}
REASONS_JA = {
    "fault": "印字・封入の不良の調査",
    "incident": "事故の調査",
    "claim": "問合せ・審査請求への対応",
    "redo": "作り直しの準備",
    "other": "その他（指示書による）",
}
_AGAIN = "確かめて、もう一度「指示による保管の案」から開始してください。"


def ask_keeping(
    history: CycleHistory,
    asked: Mapping[str, str],
    *,
    subcontractors: Iterable[str],
    by: Person,
    at: datetime,
) -> CopyKeepingAsked:
    """The fact to enter for 指示による保管の案; the same once more is the standing one. Raises Refused."""
    until, party = date.fromisoformat(asked["until"]), asked["party"]
    what = cast(Keepable, asked["what"])
    parties = {Configuration.model_validate(history.opening.configuration).party.id, *subcontractors}
    if party not in parties:
        raise Refused(
            "保管させる者が、この発送回の委託先でも、承諾した再委託先でもありません。",
            advice=f"事業者の登録番号を{_AGAIN}",
        )
    if what not in get_args(Keepable) or asked["reason_code"] not in REASONS_JA:
        raise Refused(
            "保管させるものか理由が、登録されたものではありません。", advice="一覧から選んでください。"
        )
    _refuse_unkeepable(history, what, until, at)
    fact = CopyKeepingAsked(
        keeping=len(history.facts(CopyKeepingAsked)) + 1,
        party=party,
        what=what,
        until=until,
        reason_code=asked["reason_code"],
        note_number=asked["note_number"],
        asked_by=by,
        asked_at=at,
    )
    same = (one for one in history.facts(CopyKeepingAsked) if _content(one) == _content(fact))
    return next(same, fact)


def approve_keeping(
    history: CycleHistory, register: Register, keeping: int, *, by: Person, at: datetime
) -> CopyKeptAsInstructed:
    """The fact that makes an instruction hold; approved once more it is the standing one. Raises Refused."""
    if not register.holds_office(by.user_id, APPROVER):
        raise Refused(
            "指示による保管を承認できるのは、登録簿で承認者とされた者だけです。",
            advice="承認者がログインして行ってください。承認者が代わったときは「区の職員の役割」を登録してください。",
        )
    asked = next((one for one in history.facts(CopyKeepingAsked) if one.keeping == keeping), None)
    if asked is None:
        raise Refused(
            f"この発送回に、指示による保管の案 {keeping} はありません。",
            advice="発送回と案の番号を、案の実行の XCom かメールから写し直してください。",
        )
    if standing := [one for one in history.facts(CopyKeptAsInstructed) if one.keeping == keeping]:
        return standing[0]
    if asked.asked_by.user_id == by.user_id:
        raise Refused("案を作った者は、その案を承認できません。", advice="ほかの承認者が承認してください。")
    _refuse_unkeepable(history, asked.what, asked.until, at)
    return CopyKeptAsInstructed(
        keeping=keeping,
        party=asked.party,
        what=asked.what,
        until=asked.until,
        reason_code=asked.reason_code,
        note_number=asked.note_number,
        asked_by=asked.asked_by,
        decided_by=by,
        decided_at=at,
    )


def _refuse_unkeepable(history: CycleHistory, what: str, until: date, at: datetime) -> None:
    if not history.ever(HandoverRecord) or history.find(ClosingRecord):
        raise Refused(
            "引き渡していないか、完了した発送回です。委託先に保管させるものがありません。",
            advice=f"発送回の番号を{_AGAIN}",
        )
    if what != "paper" and history.find(ErasureRecord):
        raise Refused(
            "委託先の消去がすでに証明されています。保管させるデータがありません。",
            advice="消えていないものがあると分かったときは、事故として受け付けてください。",
        )
    year = FiscalYear(history.opening.fiscal_year)
    if not tokyo_date(at) < until <= year.end:
        raise Refused(
            f"保管の期限が、今日以前か、契約の終わる年度末（{year.end}）より後です。",
            advice=f"年度末までの日を入れてください。それより長い保管は、翌年度の契約で定めます。{_AGAIN}",
        )


def _content(fact: CopyKeepingAsked) -> tuple[object, ...]:
    return (fact.party, fact.what, fact.until, fact.reason_code, fact.note_number, fact.asked_by)
