"""Copies against what was agreed: undeclared, on a carrier that is not allowed, at a place nobody designated."""

from collections.abc import Collection, Iterable

from notice_cycle.copies.facts import CopyViolation
from notice_cycle.copies.folded import WARD, Copy
from notice_cycle.gates.process import allowed_carriers
from notice_cycle.records import Route
from notice_cycle.register import Register
from notice_cycle.register.kinds import ComputerEntry, EndpointEntry, PlaceEntry

AGAINST_JA = {
    "undeclared": "届け出のない控えがありました",
    "carrier": "認めていない記録媒体に控えがあります",
    "place": "登録簿にない場所に控えがあります",
    "computer": "登録簿にないパソコンから印刷しています",
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


def sentence_ja(violation: CopyViolation, register: Register) -> str:
    """What a mail says of a violation."""
    where = violation.place or "場所の届出なし"
    return f"{AGAINST_JA[violation.against]}（{register.name_of(violation.party)}、{violation.carrier}、{where}）。"


def known_places(register: Register, party: str) -> set[str]:
    """Every place, computer and host the register has ever had for a party."""
    return {
        *(held.content.name for held in register.ever(PlaceEntry) if held.content.party == party),
        *(held.content.name for held in register.ever(ComputerEntry) if held.content.party == party),
        *(held.content.host for held in register.ever(EndpointEntry) if held.content.party == party),
    }
