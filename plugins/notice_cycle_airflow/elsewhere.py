"""Looking for what no open cycle waits for: in the folders of closed and replaced packages, and of no package at all.

Of a known package only a notice of an incident still counts. Of an unknown one it counts too, signed by whomever the
ward knows; whatever else lies there is told to the operator. Nothing here stops a cycle.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from notice_cycle import clock
from notice_cycle.encryption.sshsig import AllowedSigners
from notice_cycle.errors import NoticeCycleError, Refused
from notice_cycle.exchange import csv_form, door
from notice_cycle.exchange.messages import MAX_MESSAGE_BYTES, IncidentNotice
from notice_cycle.handover.lgwan import Destination, check_destination
from notice_cycle.handover.route import route_of
from notice_cycle.ledger.store import Ledger
from notice_cycle.records import EncryptionRecord, HandoverBegun, IncidentTold, ReplyRefused
from notice_cycle.replies import Laid, find_laid
from notice_cycle.strays import Lying, Seen, StraysFound, untold
from notice_cycle.values import PACKAGE_ID_PATTERN, known_name, sha256
from notice_cycle_airflow.notifiers.ward_mail import WardMail
from notice_cycle_airflow.replies import (
    MAX_SIGNATURE_BYTES,
    Desk,
    Reception,
    incident_told,
    tell_of_incident,
)
from notice_cycle_airflow.run_context import RunningCycle

_log = logging.getLogger(__name__)
NO_CYCLE = "no-cycle"
"""The folder of inbox and quarantine for what belongs to no cycle."""
DESK = "desk"


@dataclass(frozen=True)
class Place:
    """Where folders of packages lie: the desk, or a contractor's host. `cycles`: those that went there, newest last."""

    name: str
    cycles: Sequence[RunningCycle]

    @property
    def signers(self) -> dict[str, str]:
        """Every name that signs for one of the parties of these cycles, with consent or without."""
        known: dict[str, str] = {}
        for cycle in self.cycles:
            configuration = cycle.configuration
            known[configuration.party.signer] = configuration.party.id
            known |= {sub.signer: sub.id for sub in configuration.subcontractors}
        return known

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        """The folder that holds the packages' folders."""
        newest = self.cycles[-1]
        if self.name == DESK:
            yield Desk(newest.settings.reply_desk)
            return
        # Costs half a second: not when a DAG is parsed.
        from notice_cycle_airflow.hooks.lgwan import LgwanHook

        party = newest.configuration.party
        hook = LgwanHook(sftp_conn_id=party.connection)
        check_destination(await hook.destination(), allowed=Destination(host=party.host, port=party.port))
        async with hook.folder("/to_ward") as folder:
            yield folder


def look_elsewhere(
    cycles: Sequence[RunningCycle], looked_at: Collection[str], seen: Seen, context: Any
) -> None:
    """Looks once into every place. `looked_at`: the packages whose folders somebody looks into anyway.

    A place that cannot be looked into is told in the log only: what an open cycle needs of it is missed there.
    """
    for place in places(cycles):
        try:
            asyncio.run(_look_into(place, looked_at, seen, context))
        except NoticeCycleError as unreachable:
            _log.warning("%s: %s", place.name, unreachable)


def places(cycles: Sequence[RunningCycle]) -> list[Place]:
    """The desk, and each contractor's host that a package was begun to be sent to. None before the first package."""
    sent = [cycle for cycle in cycles if cycle.history().ever(EncryptionRecord)]
    if not sent:
        return []
    by_line: dict[str, list[RunningCycle]] = {}
    for cycle in sent:
        if any(fact.route == "lgwan" for fact in cycle.history().facts(HandoverBegun)):
            by_line.setdefault(cycle.configuration.party.connection, []).append(cycle)
    return [Place(DESK, sent), *(Place(line, gone) for line, gone in by_line.items())]


def looked_into(cycle: RunningCycle) -> str:
    """The folder that an open cycle's own look covers: place and package."""
    history, configuration = cycle.history(), cycle.configuration
    by_line = route_of(history, configuration) == "lgwan"
    return (
        f"{configuration.party.connection if by_line else DESK}/{history.ever(EncryptionRecord)[-1].package}"
    )


async def _look_into(place: Place, looked_at: Collection[str], seen: Seen, context: Any) -> None:
    by_id = {cycle.id: cycle for cycle in place.cycles}
    nowhere = Nowhere(place, context)
    async with place.opened() as root:
        lying: list[Lying] = await root.everything()
        nowhere.tell_strays("to_ward", [one for one in lying if one.is_file], seen)
        for one in lying:
            if one.is_file or f"{place.name}/{one.name}" in looked_at:
                continue
            folder = root.within(one.name)
            cycle = by_id.get(re.sub("-p[0-9]+$", "", one.name))
            if cycle and re.fullmatch(PACKAGE_ID_PATTERN, one.name):
                reception = Reception(cycle, context)
                if found := await reception.find(folder, {IncidentNotice.kind}):
                    reception.take(found)
            else:
                await nowhere.take_in(one.name, folder, seen)


class Nowhere:
    """Taking in what lies in a folder of no cycle."""

    def __init__(self, place: Place, context: Any) -> None:
        self.place, self.context = place, context
        newest = place.cycles[-1]
        self.ledger: Ledger = newest.ledger
        self.settings, self.actor = newest.settings, newest.actor
        self.contractor, self.section = newest.configuration.party.id, newest.configuration.notice.section

    async def take_in(self, name: str, folder: Any, seen: Seen) -> None:
        """Incidents at once; the rest once it lies still."""
        lying: list[Lying] = await folder.everything()
        files = {one.name for one in lying if one.is_file}
        laid = find_laid(files, self.place.signers, self.contractor)
        notices = [one for one in laid if one.kind == IncidentNotice.kind and f"{one.file}.sig" in files]
        for one in notices:
            await self._take_notice(name, folder, one)
        taken = {one.file for one in notices} | {f"{one.file}.sig" for one in notices}
        self.tell_strays(name, [one for one in lying if one.name not in taken], seen)

    def tell_strays(self, name: str, lying: Sequence[Lying], seen: Seen) -> None:
        """Tells the operator once of what lies where nothing is looked for."""
        where = f"{self.place.name}/{name}"
        settled = [one for one in lying if not one.name.endswith(".part") and seen.is_settled(where, one)]
        told = [
            StraysFound.model_validate(entry.data) for entry in self.ledger.entries(kind=StraysFound.kind())
        ]
        if fact := untold([(one, "outside") for one in settled], name, told):
            self.ledger.note(None, fact, self.actor)
            listed = "\n".join(stray.sentence_ja for stray in fact.found)
            self._mail("reply_stray", ("operator",), name, folder=fact.folder, listed=listed)

    async def _take_notice(self, name: str, folder: Any, laid: Laid) -> None:
        content = await folder.read(laid.file, max_bytes=MAX_MESSAGE_BYTES)
        signature = await folder.read(f"{laid.file}.sig", max_bytes=MAX_SIGNATURE_BYTES)
        if content is None or not signature:
            return
        digest, inbox = sha256(content), self.settings.inbox
        if digest in self._known(IncidentTold) or digest in self._known(ReplyRefused):
            return
        try:
            if scanner := self.settings.malware_scanner:
                scanner.refuse_malware(content + signature, IncidentNotice.label_ja)
            is_csv = laid.form == "csv"
            said = csv_form.parse(IncidentNotice, content) if is_csv else IncidentNotice.parse(content)
            signers = self.place.signers
            admitted = door.admit(
                content,
                signature,
                IncidentNotice,
                cycle=said.cycle,  # any: that it is of none of ours is why it is told from here
                signers={laid.signer: signers[laid.signer]},
                contractor=self.contractor,
                allowed=AllowedSigners.load(self.settings.allowed_signers),
                at=clock.now(),
                form=laid.form,
            )
        except Refused as wrong:
            kept_as = door.quarantine(inbox, NO_CYCLE, laid.file, content, signature)
            self._mail(
                "reply_refused", ("director", "operator"), name,
                message=IncidentNotice.label_ja, reason=str(wrong),
            )  # fmt: skip
            self.ledger.note(
                None,
                ReplyRefused(
                    message=laid.kind, message_sha256=digest, reason_ja=wrong.message, quarantined_as=kept_as
                ),
                self.actor,
            )
            return
        door.store(inbox, NO_CYCLE, f"{digest[:16]}-{laid.file}", content, signature)
        received_at = clock.now()
        tell_of_incident(admitted, received_at, lambda *mail, **facts: self._mail(*mail, name, **facts))
        self.ledger.note(None, incident_told(admitted, received_at), self.actor)

    def _known(self, fact: type[IncidentTold] | type[ReplyRefused]) -> set[str]:
        return {
            str(entry.data["message_sha256"])
            for entry in self.ledger.entries(kind=fact.kind())
            if entry.cycle is None
        }

    def _mail(self, template: str, to: tuple[str, ...], name: str, **facts: str) -> None:
        said = {"cycle": known_name(name), "notice": "発送回の分からない届出", **facts}
        WardMail(template, to, said, section=self.section)(self.context)
