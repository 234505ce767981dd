"""What copies, erasures and papers tell the gates of the last stages: fields of CycleFacts, read from the ledger."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Literal, cast

from notice_cycle.catalogue import Configuration
from notice_cycle.clock import TOKYO
from notice_cycle.copies.facts import CopyTransferred, PapersDestroyed
from notice_cycle.copies.folded import PRINTED, WARD, Copy, copies_of
from notice_cycle.exchange.messages import ErasureCertificate, ErasureReport
from notice_cycle.gates.situation import Confirmed, CopyHeld, ErasureProof, NamedPerson
from notice_cycle.incidents.facts import IncidentReported
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout.facts import PulloutConfirmed
from notice_cycle.pullout.folded import packages_of
from notice_cycle.records import (
    DeliveryConfirmationRecord,
    DeliveryRecord,
    EnclosureKept,
    EnclosurePassphraseReceived,
    EnclosureUnprotected,
    ErasureConfirmationRecord,
    ErasureRecord,
    HandoverRecord,
    MediaReturn,
    PackageBeyond,
    PassphraseHandoverRecord,
    PassphraseReturn,
    ReceiptRecord,
    ReplyReceived,
    ReplyRefused,
)
from notice_cycle.register import Register


def told_facts(
    history: CycleHistory,
    register: Register | None = None,
    *,
    beyond: Sequence[PackageBeyond] = (),
    incidents: Iterable[IncidentReported] = (),
) -> dict[str, object]:
    """The fields of CycleFacts that the contractor's answers and the papers fill, as far as the cycle has come.

    `register` says whose staff a person named on the ward's own paper is; without it everybody is the contractor's.
    `incidents`: what was taken down as an incident, of any cycle.
    """
    contractor = Configuration.model_validate(history.opening.configuration).party.id
    delivery = history.find(DeliveryRecord)
    return {
        "copies": tuple(_held(copy) for copy in copies_of(history, beyond=beyond) if _concerns_gates(copy)),
        "erasures": tuple(_proofs(history, contractor)),
        "named": tuple(named_people(history, contractor, register)),
        "confirmations": tuple(_confirmations(history, contractor)),
        # Excess without a reason never becomes a record: verify_delivery refuses the log.
        "print_excess_unexplained": 0 if delivery else None,
        # Where was printed from, the data were: a PC that is on no list is a place that nobody designated.
        "print_computers": delivery.computers if delivery else (),
        "delivered_by": delivering_party(history, contractor) if delivery else None,
        "inbound_unprotected": _unprotected(history, incidents),
    }


def _unprotected(history: CycleHistory, incidents: Iterable[IncidentReported]) -> int:
    """Files with personal data that came unencrypted and were not taken down as an incident since, or without passphrase.

    The door takes messages without personal data only: what holds any is an enclosure.
    """
    opened_by = {fact.encrypted_file_sha256 for fact in history.facts(EnclosurePassphraseReceived)}
    kept = [fact.encrypted_file.sha256 for fact in history.facts(EnclosureKept)]
    cycle = history.entries[0].cycle
    taken_down = [one.entered_at for one in incidents if cycle in one.cycles]
    plain = [
        fact
        for fact in history.facts(EnclosureUnprotected)
        if not any(at >= fact.found_at for at in taken_down)
    ]
    return len(set(kept) - opened_by) + len({fact.file_sha256 for fact in plain})


def delivering_party(history: CycleHistory, contractor: str) -> str | None:
    """Who delivered, by the register: 丙 is whoever took printed matter last."""
    delivery = history.latest(DeliveryRecord)
    if delivery.delivering_party == "乙":
        return contractor
    took = [
        fact.to for fact in history.facts(CopyTransferred) if fact.carrier == "紙" and fact.to != contractor
    ]
    return took[-1] if took else None


def _concerns_gates(copy: Copy) -> bool:
    return copy.party != WARD and copy.holds_data


def _held(copy: Copy) -> CopyHeld:
    to = copy.to if copy.to in {"甲", "乙"} else ""
    kept = f"（指示により {copy.kept_until} まで保管）" if copy.kept_until else ""
    return CopyHeld(
        party=copy.party,
        carrier=copy.carrier,
        place=copy.place,
        what_ja=(f"{copy.what} {copy.quantity:,}枚" if copy.quantity is not None else copy.what) + kept,
        declared=copy.declared,
        # What 乙 handed on to 丙 is followed there.
        settled="消去" if copy.to == "丙" and copy.what == PRINTED else copy.became,
        settled_to=cast(Literal["", "甲", "乙"], to),
    )


def _proofs(history: CycleHistory, contractor: str) -> Iterator[ErasureProof]:
    record, confirmed = history.find(ErasureRecord), history.find(ErasureConfirmationRecord)
    given = {proof.party: proof for proof in record.parties} if record else {}
    for party in dict.fromkeys([contractor, *had_files(history), *given]):
        slots: list[Literal["甲", "乙"]] = ["甲"] if confirmed else []
        if confirmed and confirmed.subcontractor_confirmed_by and party != contractor:
            slots.append("乙")
        proof = given.get(party)
        yield ErasureProof(
            party=party,
            reported=proof is not None,
            certificate_to=proof.addressed_to if proof else (),
            confirmed_by=tuple(slots),
        )


def had_files(history: CycleHistory) -> list[str]:
    """The subcontractors that were given a file or told of one; who had paper only gives it on or back."""
    contractor = Configuration.model_validate(history.opening.configuration).party.id
    holders = [copy.party for copy in copies_of(history) if copy.carrier != "紙"]
    return [party for party in dict.fromkeys(holders) if party not in (WARD, contractor)]


def erasures_told_at(history: CycleHistory) -> datetime | None:
    """When the last of them had handed in report and certificate; None while one has not, or there is none."""
    told: list[datetime] = []
    refused = {fact.message_sha256 for fact in history.facts(ReplyRefused)}
    for party in had_files(history):
        for kind in (ErasureReport.kind, ErasureCertificate.kind):
            came = [
                entry.recorded_at
                for entry in history.entries
                if entry.kind == ReplyReceived.kind()
                and (entry.data["message"], entry.data["party"]) == (kind, party)
                and entry.data["message_sha256"] not in refused
            ]
            if not came:
                return None
            told.append(came[-1])
    return max(told, default=None)


def _returns(history: CycleHistory) -> list[MediaReturn | PassphraseReturn]:
    return [*history.facts(MediaReturn), *history.facts(PassphraseReturn)]


def named_people(history: CycleHistory, contractor: str, register: Register | None) -> Iterator[NamedPerson]:
    """Everybody whom the messages and papers of a dispatch name as handling the data, with the day."""
    yield from _named_in_packages(history, contractor, register)
    if delivery := history.find(DeliveryRecord):
        by = delivering_party(history, contractor) or contractor
        yield _person(delivery.delivered_by, delivery.delivered_at, "納品報告", by)
        if confirmed := history.find(DeliveryConfirmationRecord):
            yield _on_paper(register, confirmed.deliverer, confirmed.delivered_at, "納品確認書", by)
    for back in _returns(history):
        yield _on_paper(register, back.giver, back.returned_at, back.label_ja, contractor)
    for moved in history.facts(CopyTransferred):
        yield _person(moved.giver, moved.handed_at, "移送記録", moved.party)
        yield _person(moved.taker, moved.handed_at, "移送記録", moved.to)
    for destroyed in history.facts(PapersDestroyed):
        for paper in destroyed.papers:
            yield _person(paper.operator, paper.destroyed_at, "廃棄証明書", destroyed.party)
            yield _person(paper.witness, paper.destroyed_at, "廃棄証明書（立会い）", destroyed.party)
    if erasure := history.find(ErasureRecord):
        for proof in erasure.parties:
            for copy in proof.copies:
                yield _person(copy.operator, copy.erased_at, "消去報告書", proof.party)
                yield _person(copy.witness, copy.erased_at, "消去報告書（立会い）", proof.party)
            yield _person(proof.responsible_person, proof.certified_at, "消去証明書", proof.party)


def _named_in_packages(
    history: CycleHistory, contractor: str, register: Register | None
) -> Iterator[NamedPerson]:
    """Who took a package or its passphrase: the dispatch's own, and those of its pull-outs."""
    on_paper = partial(_on_paper, register, party=contractor)
    for each in (history, *packages_of(history)):
        handover = each.find(HandoverRecord)
        if handover and handover.dvd:
            yield on_paper(handover.dvd.taker, handover.dvd.handed_at, "媒体引渡確認書")
        if receipt := each.find(ReceiptRecord):
            yield _person(receipt.received_by, receipt.received_at, "受領通知（第1段階）", contractor)
        if password := each.find(PassphraseHandoverRecord):
            yield on_paper(password.taker, password.handed_at, "パスワード引渡確認書")
    for out in history.facts(PulloutConfirmed):
        yield _person(out.done_by, out.done_at, "引抜き・差替えの確認", contractor)


def _on_paper(register: Register | None, name: str, at: datetime, on_ja: str, party: str) -> NamedPerson:
    """The ward's own paper names no party: it is that on whose roster the person stands, else `party`."""
    entry = register.handler_on_roster(name, at.astimezone(TOKYO).date()) if register else None
    return _person(name, at, on_ja, entry.content.party if entry else party)


def _person(name: str, at: datetime, on_ja: str, party: str) -> NamedPerson:
    return NamedPerson(name=name, party=party, day=at.astimezone(TOKYO).date(), on_ja=on_ja)


def _confirmations(history: CycleHistory, contractor: str) -> Iterator[Confirmed]:
    for each in (history, *packages_of(history)):
        handover = each.find(HandoverRecord)
        if handover and handover.dvd:
            yield Confirmed(what_ja="媒体引渡確認書", party=contractor, checked_by=handover.dvd.taker)
        if password := each.find(PassphraseHandoverRecord):
            yield Confirmed(what_ja="パスワード引渡確認書", party=contractor, checked_by=password.taker)
    if delivered := history.find(DeliveryConfirmationRecord):
        yield Confirmed(what_ja="納品確認書", party=contractor, checked_by=delivered.deliverer)
    for back in _returns(history):
        yield Confirmed(what_ja=back.label_ja, party=contractor, checked_by=back.giver)
