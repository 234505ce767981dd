"""The register as it was known on a day: what it started from, and every change the ledger holds up to then.

Two days are told apart. `as_of` is the day on which one knows: what was entered later is not seen. The day of a
question is the day an entry must hold on; a correction that came later answers for the past as it is known now.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Generic, TypeVar, cast

from notice_cycle.fiscal_year import FiscalYear, tokyo_date
from notice_cycle.register.facts import RegisterChanged
from notice_cycle.register.kinds import (
    KINDS,
    CertificateEntry,
    ComputerEntry,
    ConsentEntry,
    Content,
    ContractEntry,
    DeputyEntry,
    FirmEntry,
    HandlerEntry,
    Mark,
    OfficerEntry,
    PledgeEntry,
    SubcontractEntry,
    TrainingEntry,
)
from notice_cycle.values import canonical, sha256

C = TypeVar("C", bound=Content)

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Held(Generic[C]):
    """A content with its key and the days it holds on, both ends included; `valid_until` None: open."""

    key: str
    valid_from: date
    valid_until: date | None
    content: C

    def holds_on(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


@dataclass(frozen=True)
class Register:
    """All versions of all entries as known on `as_of`, in order of entry. Questions without a day mean `as_of`."""

    as_of: date
    versions: tuple[Held[Content], ...]

    @classmethod
    def fold(cls, seed: Iterable[Held[Content]], facts: Iterable[RegisterChanged], as_of: date) -> "Register":
        """The seed, changed by every fact entered up to the end of `as_of` in Tokyo, in the order of the ledger."""
        versions = list(seed)
        for fact in facts:
            if tokyo_date(fact.entered_at) <= as_of:
                versions = _applied(versions, fact)
        return cls(as_of, tuple(versions))

    @property
    def digest(self) -> str:
        """SHA-256 over everything it holds: which register a judgement was made by."""
        return sha256(
            canonical(
                [
                    [
                        held.content.kind,
                        held.key,
                        held.valid_from.isoformat(),
                        held.valid_until.isoformat() if held.valid_until else None,
                        held.content.model_dump(mode="json"),
                    ]
                    for held in self.versions
                ]
            )
        )

    # ---- any kind

    def ever(self, kind: type[C]) -> list[Held[C]]:
        """Every version of a kind, whenever it held."""
        return [cast(Held[C], held) for held in self.versions if type(held.content) is kind]

    def held(self, kind: type[C], day: date | None = None) -> list[Held[C]]:
        """What holds of a kind on a day."""
        return [held for held in self.ever(kind) if held.holds_on(day or self.as_of)]

    def of_key(self, kind: str, key: str) -> list[Held[Content]]:
        """The versions of one entry."""
        return [held for held in self.versions if (held.content.kind, held.key) == (kind, key)]

    # ---- what gates and forms ask

    def firm(self, party: str, day: date | None = None) -> FirmEntry | None:
        """A party's name and tier; its key is its id."""
        return next((held.content for held in self.held(FirmEntry, day) if held.key == party), None)

    def name_of(self, party: str) -> str:
        """How a sentence calls a party."""
        firm = self.firm(party)
        return firm.name_ja if firm else party

    def coupled_terminals(self, day: date | None = None) -> set[str]:
        """The ward's own hosts that may push by themselves: coupled with LGWAN, with their governance reference."""
        wards = {held.key for held in self.held(FirmEntry, day) if held.content.tier == "甲"}
        return {
            held.content.name
            for held in self.held(ComputerEntry, day)
            if held.content.purpose == "結合端末" and held.content.party in wards
        }

    def contracts_for(self, notice: str, party: str, day: date | None = None) -> list[Held[ContractEntry]]:
        """Contracts of a party that cover a notice on a day."""
        return [
            held
            for held in self.held(ContractEntry, day)
            if held.content.party == party and notice in held.content.notices
        ]

    def valid_certificate(
        self, party: str, mark: Mark, day: date | None = None
    ) -> Held[CertificateEntry] | None:
        """The party's mark that is valid on a day and lasts longest."""
        valid = [
            held
            for held in self.held(CertificateEntry, day)
            if (held.content.party, held.content.mark) == (party, mark)
        ]
        return max(valid, key=lambda held: held.valid_until or date.max, default=None)

    def roster(self, party: str, day: date | None = None) -> list[Held[HandlerEntry]]:
        """Everyone named for a party on a day, trained or not."""
        return [held for held in self.held(HandlerEntry, day) if held.content.party == party]

    def is_trained(self, party: str, name: str, day: date | None = None) -> bool:
        """Whether a handler was trained in the day's fiscal year, up to that day."""
        on = day or self.as_of
        return any(
            (one.content.party, _plain(one.content.name)) == (party, _plain(name))
            and one.content.fiscal_year == FiscalYear.of(on).year
            and one.content.held_on <= on
            for one in self.ever(TrainingEntry)
        )

    def has_pledged(self, party: str, name: str, day: date | None = None) -> bool:
        """Whether a handler signed the pledge up to that day; a pledge has no end."""
        return any(
            (one.content.party, _plain(one.content.name)) == (party, _plain(name))
            and one.content.signed_on <= (day or self.as_of)
            for one in self.ever(PledgeEntry)
        )

    def handler_on_roster(
        self, name: str, day: date | None = None, *, party: str | None = None
    ) -> Held[HandlerEntry] | None:
        """The active roster entry of a person: named, trained in the fiscal year, pledged."""
        return next(
            (
                held
                for held in self.held(HandlerEntry, day)
                if _plain(held.content.name) == _plain(name)
                and party in (None, held.content.party)
                and self.is_trained(held.content.party, name, day)
                and self.has_pledged(held.content.party, name, day)
            ),
            None,
        )

    def subcontracts_for(
        self, notice: str, contractor: str, day: date | None = None
    ) -> list[Held[SubcontractEntry]]:
        """The subcontracts by which somebody works on a contractor's notice."""
        return [
            held
            for held in self.held(SubcontractEntry, day)
            if held.content.contractor == contractor and notice in held.content.notices
        ]

    def consent_for(
        self, contractor: str, subcontractor: str, notice: str, day: date | None = None
    ) -> Held[ConsentEntry] | None:
        """The ward's consent that covers a notice on a day."""
        return next(
            (
                held
                for held in self.held(ConsentEntry, day)
                if (held.content.contractor, held.content.subcontractor) == (contractor, subcontractor)
                and notice in held.content.notices
            ),
            None,
        )

    def holds_office(self, user_id: str, office: str, day: date | None = None) -> bool:
        """Whether an account of the ward holds an office on a day."""
        return any(
            (held.content.user_id, held.content.office) == (user_id, office)
            for held in self.held(OfficerEntry, day)
        )

    def stands_in_for(self, user_id: str, day: date | None = None) -> set[str]:
        """The offices whose forms an account answers on a day in somebody's place."""
        return {
            held.content.office for held in self.held(DeputyEntry, day) if held.content.user_id == user_id
        }


def _applied(versions: list[Held[Content]], fact: RegisterChanged) -> list[Held[Content]]:
    """An amendment holds from its first day on, an end to its last; what held before stays answerable."""
    if fact.action == "end":
        return [_cut(held, fact, last=fact.valid_until) for held in versions if not _voided(held, fact)]
    first = cast(date, fact.valid_from)
    made = Held(fact.key, first, fact.valid_until, KINDS[fact.entry_kind].model_validate(fact.content))
    if fact.action == "amend":
        versions = [
            _cut(held, fact, last=first - _DAY)
            for held in versions
            if not (_is_of(held, fact) and held.valid_from >= first)
        ]
    return [*versions, made]


def _is_of(held: Held[Content], fact: RegisterChanged) -> bool:
    return (held.content.kind, held.key) == (fact.entry_kind, fact.key)


def _voided(held: Held[Content], fact: RegisterChanged) -> bool:
    return _is_of(held, fact) and held.valid_from > cast(date, fact.valid_until)


def _cut(held: Held[Content], fact: RegisterChanged, *, last: date | None) -> Held[Content]:
    if not _is_of(held, fact) or last is None or (held.valid_until and held.valid_until <= last):
        return held
    return replace(held, valid_until=last)


def _plain(name: str) -> str:
    return "".join(name.split())
