"""Against what was agreed: copies undeclared, on a carrier not allowed, at a place nobody designated, erased too early;
and people who were on no roster. What is found is told and kept; whether the cycle may go on is for the gates to say.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from notice_cycle.copies.facts import (
    CopyKeptAsInstructed,
    CopyViolation,
    HandlerViolation,
    Keepable,
    PapersDestroyed,
)
from notice_cycle.copies.folded import WARD, Copy, keepable_as
from notice_cycle.exchange.messages import Carrier
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.gates.process import allowed_carriers
from notice_cycle.gates.situation import NamedPerson
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import Route
from notice_cycle.register import Register
from notice_cycle.register.kinds import ComputerEntry, EndpointEntry, PlaceEntry

AGAINST_JA = {
    "undeclared": "届け出のない控えがありました",
    "carrier": "認めていない記録媒体に控えがあります",
    "place": "登録簿にない場所に控えがあります",
    "computer": "登録簿にないパソコンから印刷しています",
    "kept": "保管を指示した日より前に、消去または廃棄しています",
}


def find_violations(
    copies: Iterable[Copy],
    register: Register,
    *,
    contractor: str,
    routes: Collection[Route],
    computers: Iterable[str] = (),
) -> list[CopyViolation]:
    """Every copy of a contractor that should not be, once for each reason; closed ones too: it was there.

    `routes`: every one the dispatch took; a package that was begun over LGWAN may have lain on the host.
    `computers`: those that the print log names.
    """
    found: list[CopyViolation] = []
    places = {party: known_places(register, party) for party in {copy.party for copy in copies} - {WARD}}
    for copy in copies:
        if copy.party == WARD or not copy.holds_data:
            continue
        allowed = allowed_carriers(routes, "乙" if copy.party == contractor else "丙")
        for against, is_wrong in (
            ("undeclared", not copy.declared),
            ("carrier", copy.carrier not in allowed),
            ("place", bool(copy.place) and copy.place not in places[copy.party]),
        ):
            one = CopyViolation.model_validate(
                {
                    "against": against,
                    "party": copy.party,
                    "carrier": copy.carrier,
                    "place": copy.place,
                    "file_sha256": copy.sha256,
                }
            )
            if is_wrong and one not in found:
                found.append(one)
    listed = {held.content.name for held in register.ever(ComputerEntry)}
    found += [
        CopyViolation(against="computer", party=contractor, carrier="パソコン", place=name, file_sha256=None)
        for name in sorted(set(computers) - listed)
    ]
    return found


def find_erased_too_early(history: CycleHistory, copies: Iterable[Copy]) -> list[CopyViolation]:
    """What a party erased or destroyed before the day of the instruction that held by then (R81), once each."""
    gone: list[tuple[CopyViolation, Keepable, datetime]] = [
        (_kept(copy.party, copy.carrier, copy.place, copy.sha256), what, copy.ended_at)
        for copy in copies
        if copy.became == "消去" and copy.ended_at and (what := keepable_as(copy, history))
    ]
    # Paper counts as gone with its last sheet; the first may have been too early.
    gone += [
        (_kept(fact.party, "紙", "", None), "paper", paper.destroyed_at)
        for fact in history.facts(PapersDestroyed)
        for paper in fact.papers
    ]
    early = []
    for violation, what, at in gone:
        until = [
            one.until
            for one in history.facts(CopyKeptAsInstructed)
            if (one.party, one.what) == (violation.party, what) and one.decided_at <= at
        ]
        if until and tokyo_date(at) < until[-1] and violation not in early:
            early.append(violation)
    return early


def _kept(party: str, carrier: Carrier, place: str, sha256: str | None) -> CopyViolation:
    return CopyViolation(against="kept", party=party, carrier=carrier, place=place, file_sha256=sha256)


def find_unknown_handlers(named: Iterable[NamedPerson], register: Register) -> list[HandlerViolation]:
    """Who was on no roster of the day, once for each paper and day."""
    unknown = (
        HandlerViolation(party=one.party, on_ja=one.on_ja, day=one.day)
        for one in named
        if not register.handler_on_roster(one.name, one.day, party=one.party)
    )
    return list(dict.fromkeys(unknown))


def sentence_ja(violation: CopyViolation | HandlerViolation, register: Register) -> str:
    """What a mail says of a violation."""
    if isinstance(violation, HandlerViolation):
        return (
            f"{violation.on_ja}に、{violation.day}の取扱者名簿にない（または研修・誓約書のない）者がいます"
            f"（{register.name_of(violation.party)}）。"
        )
    where = violation.place or "場所の届出なし"
    return f"{AGAINST_JA[violation.against]}（{register.name_of(violation.party)}、{violation.carrier}、{where}）。"


def known_places(register: Register, party: str) -> set[str]:
    """Every place, computer and host the register has ever had for a party."""
    return {
        *(held.content.name for held in register.ever(PlaceEntry) if held.content.party == party),
        *(held.content.name for held in register.ever(ComputerEntry) if held.content.party == party),
        *(held.content.host for held in register.ever(EndpointEntry) if held.content.party == party),
    }
