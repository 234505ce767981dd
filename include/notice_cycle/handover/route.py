"""Which way a package goes: LGWAN as the rule, an officer's upload or a disc where that cannot be.

The catalogue names the route; a person may switch it, with a reason, until the contractor has opened a package.
Switching makes a new package with a new passphrase, so that one that may still lie there can never be the one that
is printed.
"""

from datetime import datetime

from notice_cycle.catalogue import Configuration
from notice_cycle.errors import Refused
from notice_cycle.forms import tokyo
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    ContentReceiptRecord,
    Decision,
    DecisionKind,
    EncryptionRecord,
    HandoverBegun,
    HandoverRecord,
    PackageBeyond,
    Route,
    RouteSwitched,
)
from notice_cycle.values import Person

ROUTES_JA: dict[Route, str] = {
    "lgwan": "LGWAN（自動送信）",
    "manual": "LGWAN（職員によるアップロード）",
    "dvd": "DVD（媒体の引渡し）",
}
REASONS_JA = {
    "line_down": "LGWAN 回線の障害",
    "host_down": "委託先の受け口の停止",
    "deadline": "期限までに受領されない見込み",
    "contract": "契約の変更",
    "drill": "訓練",
}


def route_of(history: CycleHistory, configuration: Configuration) -> Route:
    """The route that holds now: the last switch, else the catalogue's."""
    switched = history.facts(RouteSwitched)
    return switched[-1].route if switched else configuration.notice.route


def switch(
    history: CycleHistory, configuration: Configuration, route: Route, reason_code: str, by: Person
) -> tuple[RouteSwitched, Decision | None]:
    """The switch, and the decision that supersedes a package made for the old route. Raises Refused when too late."""
    if reason_code not in REASONS_JA:
        raise Refused("理由コードが登録されたものではありません。", advice="一覧から選んでください。")
    if route == route_of(history, configuration):
        raise Refused(f"経路はすでに「{ROUTES_JA[route]}」です。", advice="することはありません。")
    if history.recalled:
        raise Refused(
            "引渡し後に取り下げられた発送回の経路は変更できません。", advice="消去の確認まで進めてください。"
        )
    if history.find(ContentReceiptRecord):
        raise Refused(
            "委託先がすでにデータを開いているため、経路は変更できません。",
            advice="このまま進めてください。作り直しが必要なら「やり直し」を記録します。",
        )
    made = history.entry_of(EncryptionRecord)
    decision = (
        Decision(
            decision=DecisionKind.REDO,
            supersedes=made.digest,
            stage="encryption",
            reason_code=reason_code,
            decided_by=by,
        )
        if made
        else None
    )
    return RouteSwitched(route=route, reason_code=reason_code, decided_by=by), decision


TRIES_BEFORE_PROPOSAL = 3


def propose_disc(tries: int, *, give_up_at: datetime | None, now: datetime) -> str | None:
    """What a failed send says besides: wait or switch. None while it is too early to ask that."""
    beyond = give_up_at is not None and now > give_up_at
    if tries < TRIES_BEFORE_PROPOSAL and not beyond:
        return None
    until = f"引渡しの期限（{tokyo(give_up_at)}）" if give_up_at else "引渡しの期限"
    return (
        f"LGWAN での送信に{tries}回失敗し{'、' + until + 'を過ぎ' if beyond else ''}ました。"
        f"{'' if beyond else until + 'に間に合わないおそれがあります。'}"
        "このまま待つか、DVD に切り替えるかを、課長の了解を得て決めてください。切り替えるには「やり直し・取下げ」で"
        "「経路の変更」を理由とともに記録します（鍵とパスワードは新しくなり、送りかけたものは引き上げます）。"
    )


def packages_that_left(history: CycleHistory, beyond: list[PackageBeyond]) -> dict[str, str]:
    """Name and SHA-256 of every encrypted file that was ever handed over, begun to be, or is `beyond` the ledger."""
    files = [record.files[0] for record in history.ever_with_pullouts(HandoverRecord)]
    files += [fact.encrypted_file for fact in history.facts(HandoverBegun)]
    files += [package.encrypted_file for package in beyond]
    return {file.name: file.sha256 for file in files}


def over_lgwan_before(history: CycleHistory, package: str) -> list[str]:
    """Other packages of the cycle that may lie on the contractor's host."""
    begun = [fact.package for fact in history.facts(HandoverBegun) if fact.route != "dvd"]
    return [one for one in dict.fromkeys(begun) if one != package]
