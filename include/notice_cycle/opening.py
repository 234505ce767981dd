"""Opening a cycle 開始: which dispatch this is, and the configuration it will run by.

The id is unique in the ledger and bound to the DAG run. An annual run exists once per notice and fiscal
year; after a 取下げ it may be opened again as the next round. A batch of the core system goes out once: its number is
refused while a dispatch of it stands. Invented premium tables, rehearsals and exercises run only in a ledger that was begun
for invented data. A 再作成 names the dispatch it replaces and says why nobody gets two letters.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import cast, get_args

from notice_cycle.catalogue import Configuration
from notice_cycle.errors import Conflict, Refused
from notice_cycle.exercise import DRILL
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import all_posted_at, posted_envelopes
from notice_cycle.records import HandoverBegun, HandoverRecord, OpeningRecord, Originals
from notice_cycle.register import Register
from notice_cycle.values import Frozen, Occasion

REASONS_JA = {
    "annual": "当初賦課",
    "age_65": "65歳到達",
    "moved_in": "転入",
    "corrected": "所得更正等による変更",
    "overdue": "納期限の経過（督促・催告）",
    "decided": "判定・認定",
    "distribution": "冊子の配布",
    "reprint": "再作成",
    "rehearsal": "リハーサル",
    "drill": "LGWAN 停止の訓練",
}
"""Reason codes of a run and how they read on the trigger form."""

REPRINT, REHEARSAL = "reprint", "rehearsal"
OF_INVENTED_DATA = frozenset({REHEARSAL, DRILL})
"""Reasons of runs that may precede the contract and never touch real data."""

ORIGINALS_JA = get_args(Originals)
PULLED = ORIGINALS_JA[0]


class OpeningRequest(Frozen):
    """What the schedule or the trigger form asks for."""

    dag_id: str
    run_id: str
    fiscal_year: int
    occasion: Occasion
    reason_code: str
    batch_no: str
    reprint_of: str = ""
    originals: str = ""


def by_default_route(configuration: Configuration, register: Register, day: date) -> Configuration:
    """LGWAN by itself only from a registered coupled terminal; without one the officer's own upload is the default."""
    if configuration.notice.route != "lgwan" or register.coupled_terminals(day):
        return configuration
    notice = configuration.notice.model_copy(update={"route": "manual"})
    return configuration.model_copy(update={"notice": notice})


def open_cycle(
    request: OpeningRequest,
    configuration: Configuration,
    openings: Sequence[Entry],
    history_of: Callable[[str], CycleHistory],
    *,
    synthetic: bool,
    preparation: Entry | None = None,
) -> tuple[str, OpeningRecord]:
    """The new cycle's id and its opening record; an annual run names its preparation, where there is one.

    Raises Conflict for a second annual run and for a batch that has its dispatch, Refused otherwise.
    """
    if request.reason_code not in REASONS_JA:
        raise Refused(
            "開始の理由コードが登録されたものではありません。",
            advice=f"{'・'.join(REASONS_JA)} から選んでください。",
        )
    if configuration.premiums.fictitious and not synthetic:
        raise Refused(
            f"{request.fiscal_year}年度の保険料表は見本（架空）のままです。",
            advice="担当課の保険料表に置き換え、fictitious を false にしてから開始してください。",
        )
    if request.reason_code in OF_INVENTED_DATA:
        _refuse_rehearsal(request, synthetic=synthetic)
    if request.reason_code == DRILL and configuration.notice.route == "dvd":
        raise Refused(
            "この通知書は、はじめから DVD で渡します。LGWAN 停止の訓練にはなりません。",
            advice="LGWAN で渡す通知書で訓練を開始してください。",
        )
    if request.reason_code == REPRINT or request.reprint_of or request.originals:
        _refuse_reprint(request, configuration.notice.id, openings, history_of)
    of_year = {
        entry.cycle: entry
        for entry in openings
        if entry.cycle
        and (entry.data["fiscal_year"], entry.data["notice"])
        == (request.fiscal_year, configuration.notice.id)
    }
    earlier = [cycle for cycle, entry in of_year.items() if entry.data["occasion"] == request.occasion.value]
    standing = [cycle for cycle in earlier if _stands(history_of(cycle))]
    if request.occasion is Occasion.ANNUAL and standing:
        raise Conflict(
            f"{request.fiscal_year}年度の当初処理（{standing[0]}）はすでに開始されています。",
            advice="続きはその発送回の画面で行ってください。始め直す場合は先に「取下げ」を記録します。",
        )
    if request.reason_code not in OF_INVENTED_DATA:
        _refuse_second_dispatch(request, of_year, history_of)
    number = len(earlier) + 1
    cycle = f"{request.fiscal_year}-{configuration.notice.id}-{request.occasion.value}-{number:02d}"
    return cycle, OpeningRecord(
        fiscal_year=request.fiscal_year,
        notice=configuration.notice.id,
        occasion=request.occasion,
        round=number,
        dag_id=request.dag_id,
        run_id=request.run_id,
        batch_no=request.batch_no,
        reason_code=request.reason_code,
        reprint_of=request.reprint_of or None,
        originals=cast(Originals, request.originals) if request.originals else None,
        prepared=preparation.digest if preparation and request.occasion is Occasion.ANNUAL else None,
        synthetic=synthetic,
        configuration=configuration.model_dump(mode="json"),
        configuration_sha256=configuration.digest(),
    )


def _stands(history: CycleHistory) -> bool:
    return not (history.withdrawn or history.recalled)


def _refuse_second_dispatch(
    request: OpeningRequest, of_year: Mapping[str, Entry], history_of: Callable[[str], CycleHistory]
) -> None:
    """A batch given twice would send its people two letters. Only what a 再作成 replaces may have been of the same batch."""
    replaced: set[str] = set()
    parent: str | None = request.reprint_of
    while parent and parent not in replaced:
        replaced.add(parent)
        parent = of_year[parent].data["reprint_of"] if parent in of_year else None
    first = next(
        (
            cycle
            for cycle, entry in of_year.items()
            if entry.data["batch_no"] == request.batch_no
            and entry.data["reason_code"] not in OF_INVENTED_DATA
            and cycle not in replaced
            and _stands(history_of(cycle))
        ),
        None,
    )
    if first is None:
        return
    again = (
        f"作り直すなら、理由「再作成」、もとの発送回 {first} で開始します。"
        if _has_left(history_of(first))
        else f"続きは {first} の画面で行います。始め直すなら、先に {first} の「取下げ」を記録します。"
    )
    raise Conflict(
        f"異動バッチ番号 {request.batch_no} は、発送回 {first} で使われています。同じ人に二通届くおそれがあるため、開始しません。",
        advice=f"{again}別の処理なら、処理票の番号を確かめ、正しい番号で「トリガー」し直してください。",
    )


def _refuse_rehearsal(request: OpeningRequest, *, synthetic: bool) -> None:
    if not synthetic:
        raise Refused(
            f"{REASONS_JA[request.reason_code]}は、架空データの台帳（検証用の環境）だけで行えます。",
            advice="実データの台帳では開始できません。検証用の環境で、架空データのバッチから開始してください。",
        )
    if request.occasion is Occasion.ANNUAL:
        raise Refused(
            f"{REASONS_JA[request.reason_code]}は、当初の発送回としては開始できません。",
            advice="当初・随時の別に「随時」を選んでください。",
        )


def _has_left(history: CycleHistory) -> bool:
    return bool(history.ever(HandoverRecord) or history.facts(HandoverBegun))


def _refuse_reprint(
    request: OpeningRequest,
    notice: str,
    openings: Sequence[Entry],
    history_of: Callable[[str], CycleHistory],
) -> None:
    if request.reason_code != REPRINT:
        raise Refused(
            "もとの発送回は、理由が「再作成」のときだけ入力します。",
            advice="理由に「再作成」を選ぶか、もとの発送回を空にしてください。",
        )
    parent = next(
        (entry for entry in openings if entry.cycle == request.reprint_of and entry.data["notice"] == notice),
        None,
    )
    if parent is None:
        raise Refused(
            "再作成には、同じ通知書の、もとの発送回の番号が要ります。",
            advice="もとの発送回の番号を画面から写してください。",
        )
    history = history_of(request.reprint_of)
    if not _has_left(history):
        raise Refused(
            f"もとの発送回 {request.reprint_of} は、まだ引き渡されていません。",
            advice="もとの発送回で「やり直し」を行ってください。再作成は要りません。",
        )
    if request.originals not in ORIGINALS_JA:
        raise Refused(
            "もとの通知をどうしたかが選ばれていません。同じ人に二通届くおそれがあります。",
            advice="差し出す前にすべて抜き取ってから、「もとの通知」を選んで開始してください。差し出した後は、変更通知書で直します。",
        )
    if request.originals == PULLED and posted_envelopes(history) and all_posted_at(history):
        raise Refused(
            f"もとの発送回 {request.reprint_of} は、納品した封筒をすべて差し出したと記録されています。抜き取ったことと合いません。",
            advice="差し出した後の誤りは変更通知書で直します。差出しの記録が誤りなら、先に「差出しの記録」を直してください。",
        )
