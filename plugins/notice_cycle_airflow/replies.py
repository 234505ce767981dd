"""Looking into the folder where a cycle's answers come, and taking them in: for the sensors and for 届出の受信.

Every message passes the door and is put into the inbox, or is quarantined with a reason, noted and mailed; once
each. Half-uploaded files are left alone: a `.part`, a message without its signature, a file that grew while it was
read. The process that runs here holds no key but the SFTP login.
"""

import errno
import io
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from notice_cycle import clock
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.exchange import door
from notice_cycle.exchange.enclosures import Container, Unprotected, container_of
from notice_cycle.exchange.malware import MalwareFound
from notice_cycle.exchange.messages import (
    MAX_MESSAGE_BYTES,
    Enclosure,
    IncidentNotice,
    Message,
    PulloutConfirmation,
    Rejection,
)
from notice_cycle.handover.lgwan import Destination, check_destination
from notice_cycle.handover.route import route_of
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    EnclosureKept,
    EnclosureUnprotected,
    EncryptionRecord,
    IncidentTold,
    PaperReply,
    RemoteFile,
    ReplyConflict,
    ReplyReceived,
    ReplyRefused,
    ReplyRepeated,
)
from notice_cycle.replies import (
    SETTLED_BY,
    Laid,
    Standing,
    find_laid,
    inbox_name,
    name_in_inbox,
    paper_of,
    receptions,
    standing_of,
)
from notice_cycle.strays import Lying, Seen, StraysFound, find_strays, untold
from notice_cycle.values import StoredFile, known_name, sha256
from notice_cycle_airflow.notifiers.ward_mail import TOLD_TO, WardMail
from notice_cycle_airflow.run_context import RunningCycle

_log = logging.getLogger(__name__)
MAX_SIGNATURE_BYTES = 4096


def incident_told(admitted: door.Admitted[IncidentNotice], received_at: datetime) -> IncidentTold:
    """What is kept of a party's notice: how it classified the incident, and when the ward knew."""
    notice = admitted.message
    return IncidentTold(
        message_sha256=admitted.sha256,
        party=admitted.party,
        what=notice.what,
        category=notice.category,
        persons_at_most=notice.persons_at_most,
        party_knew_at=notice.known_at,
        received_at=received_at,
    )


def tell_of_incident(
    admitted: door.Admitted[IncidentNotice], received_at: datetime, mail: Callable[..., None]
) -> None:
    """The mail 【事故の通知】 to those who must act; `mail` fills in which dispatch it is about."""
    mail(
        "incident_notice",
        ("director", "operator"),
        party=admitted.party,
        persons=f"{admitted.message.persons_at_most:,}",
        at=f"{received_at.astimezone(clock.TOKYO):%Y-%m-%d %H:%M}",
    )


class ReplyFolder(Protocol):
    """The contractor's folder on his host, or on the ward's desk."""

    async def listing(self) -> list[RemoteFile]:
        """The files that lie there."""

    async def everything(self) -> list[Lying]:
        """All that lies there, by its own name."""

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """At most `max_bytes` + 1 bytes of a file, None when there is no such file."""


@asynccontextmanager
async def reply_folder(cycle: RunningCycle, history: CycleHistory) -> AsyncIterator[ReplyFolder]:
    """Where the answers come: the contractor's host, or the desk where officers put what came another way."""
    # Costs half a second: not when a DAG is parsed.
    from notice_cycle_airflow.hooks.lgwan import LgwanHook

    party, package = cycle.configuration.party, history.latest(EncryptionRecord).package
    if route_of(history, cycle.configuration) != "lgwan":
        yield Desk(cycle.settings.reply_desk / package)
        return
    hook = LgwanHook(sftp_conn_id=party.connection)
    check_destination(await hook.destination(), allowed=Destination(host=party.host, port=party.port))
    async with hook.folder(f"/to_ward/{package}") as folder:
        yield folder


class Desk:
    """A folder on the ward's own disk, read like a remote one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def listing(self) -> list[RemoteFile]:
        """The folder's ordinary files by name; empty when there is no folder."""
        return [
            RemoteFile(name=known_name(one.name), size_bytes=one.size_bytes)
            for one in await self.everything()
            if one.is_file
        ]

    async def everything(self) -> list[Lying]:
        """Files, folders and links by their own names; empty when there is no folder."""
        try:
            with os.scandir(self._folder) as entries:
                found = {each.name: each.stat(follow_symlinks=False) for each in entries}
        except FileNotFoundError:
            return []
        except OSError as failed:
            raise _unreadable(failed) from None
        return [
            Lying(name, status.st_size, stat.S_ISREG(status.st_mode))
            for name, status in sorted(found.items())
        ]

    def within(self, name: str) -> "Desk":
        """A folder in this one."""
        return Desk(self._folder / name)

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """At most `max_bytes` + 1 bytes of a file, None when there is no such file. No link is followed."""
        try:
            with open(self._folder / name, "rb", opener=_no_link) as source:
                return source.read(max_bytes + 1)
        except FileNotFoundError:
            return None
        except OSError as failed:
            raise _unreadable(failed) from None


def _unreadable(failed: OSError) -> CannotLook:
    return CannotLook(
        f"委託先の届出を置くフォルダを読めません（{errno.errorcode.get(failed.errno or 0, '不明')}）。",
        advice="フォルダの接続と権限、置かれたものが通常のファイルであることを確認してください。",
    )


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


@dataclass(frozen=True)
class Found:
    """A message as it lies there, read whole: its name, its bytes and its signature (empty: transcribed from paper)."""

    laid: Laid
    content: bytes
    signature: bytes

    @property
    def quarantine_name(self) -> str:
        """Under which name it would lie, or lies, in quarantine."""
        return door.quarantine_name(self.laid.file, self.content, self.signature)


@dataclass
class Reception:
    """Taking a cycle's messages in, for a task: `context` is what its mails are told from."""

    cycle: RunningCycle
    context: Any
    history: CycleHistory = field(init=False)

    def __post_init__(self) -> None:
        self.history = self.cycle.history()

    @property
    def package(self) -> str:
        """The newest package, also while its encryption is done again: answers to earlier ones are not waited for."""
        return self.history.ever(EncryptionRecord)[-1].package

    async def find(self, folder: ReplyFolder, kinds: Collection[str]) -> list[Found]:
        """The complete messages of some kinds that lie in a folder, and what was entered as paper on the desk."""
        found = await self._found_in(folder, kinds, signed=True)
        if self.history.facts(PaperReply):
            desk = Desk(self.cycle.settings.reply_desk / self.package)
            found += await self._found_in(desk, kinds, signed=False)
        return found

    async def _found_in(self, folder: ReplyFolder, kinds: Collection[str], *, signed: bool) -> list[Found]:
        before = {file.name: file.size_bytes for file in await folder.listing()}
        read: list[Found] = []
        for laid in find_laid(before, self.cycle.signers, self.cycle.configuration.party.id):
            if laid.kind not in kinds or signed != (f"{laid.file}.sig" in before):
                continue
            # Every byte from outside is read here or in `_enclosed`, and scanned before anything else looks at it.
            content = await folder.read(laid.file, max_bytes=MAX_MESSAGE_BYTES)
            signature = b""
            if signed:
                signature = await folder.read(f"{laid.file}.sig", max_bytes=MAX_SIGNATURE_BYTES) or b""
            if content is None or (signed and not signature):
                continue
            if signed or paper_of(self.history, laid.kind, sha256(content)):
                read.append(Found(laid, content, signature))
        after = {file.name: file.size_bytes for file in await folder.listing()} if read else {}
        return [found for found in read if after.get(found.laid.file) == before[found.laid.file]]

    def is_left_to_its_stage(self, found: Found) -> bool:
        """A first answer of the contractor to a stage. A second one is looked at everywhere: it may be a different one."""
        party, kind = self.cycle.configuration.party, found.laid.kind
        own = found.laid.signer == party.signer
        return (
            own and kind in SETTLED_BY and not receptions(self.history, kind, party.id, contractor=party.id)
        )

    def take(self, found: list[Found], *, again: bool = False) -> None:
        """Takes what is new, once: the sensor and 届出の受信 may look at the same time.

        `again`: also what was taken before and put away since, because its sibling came anew.
        """
        with self.cycle.ledger.locked(self.cycle.id, "replies"):
            self.history = self.cycle.history()
            seen: set[tuple[str, str, str]] = set()
            for one in found:
                self._take(one, seen, again=again)
            self._tell_of_incidents()

    def _take(self, found: Found, seen: set[tuple[str, str, str]], *, again: bool) -> None:
        kind, digest = found.laid.message, sha256(found.content)
        contractor = self.cycle.configuration.party.id
        paper = None if found.signature else paper_of(self.history, kind.kind, digest)
        party = paper.party if paper else self.cycle.signers[found.laid.signer]
        standing = standing_of(self.history, kind, party, digest, package=self.package, contractor=contractor)
        repeated = standing == Standing.REPEATED or (
            standing == Standing.KNOWN and ((kind.kind, party, digest) in seen or self._is_of_before(digest))
        )
        seen.add((kind.kind, party, digest))
        if repeated:
            self._note_repeat(found, party, digest)
        if standing == Standing.KNOWN and again and not repeated:
            self._put_back(found, party)
        if standing not in (Standing.NEW, Standing.CONFLICT):
            return
        if (
            found.quarantine_name in {fact.quarantined_as for fact in self.history.facts(ReplyRefused)}
            and not again
        ):
            return  # told before
        try:
            admitted = self._admitted(found, paper)
        except Refused as wrong:
            self._refuse(found, wrong)
            return
        if standing == Standing.CONFLICT:
            self._stop(found, party, digest)
            return
        name = self._store(found, party)
        self.note_received(admitted, name)

    def _admitted(self, found: Found, paper: PaperReply | None) -> door.Admitted[Message]:
        signer = found.laid.signer
        if scanner := self.cycle.settings.malware_scanner:
            scanner.refuse_malware(found.content + found.signature, found.laid.message.label_ja)
        admitted = door.admit(
            found.content,
            found.signature,
            found.laid.message,
            cycle=self.cycle.id,
            # A file counts only as of the party whose name it bears.
            signers=self.cycle.signers if paper else {signer: self.cycle.signers[signer]},
            contractor=self.cycle.configuration.party.id,
            allowed=self.cycle.allowed_signers,
            at=clock.now(),
            form=found.laid.form,
            on_paper=paper,
        )
        packages = {record.manifest_sha256 for record in self.history.ever_with_pullouts(EncryptionRecord)}
        if found.laid.message in (Rejection, PulloutConfirmation):  # only about the package of this folder
            packages = {self.history.latest(EncryptionRecord).manifest_sha256}
        if found.laid.message is PulloutConfirmation and not self.cycle.is_pullout:
            raise Refused(
                "引抜き・差替えの確認が、依頼のパッケージのフォルダにありません。",
                advice="委託先に、依頼のパッケージを受け取って開いた後、その番号のフォルダに出し直すよう依頼してください。",
            )
        if found.laid.kind not in SETTLED_BY and admitted.message.manifest_sha256 not in packages:
            # Of the others the stage that waits for them says so.
            raise Refused(
                f"{found.laid.message.label_ja}が、この発送回のパッケージについてのものではありません。",
                advice="委託先に、受け取ったパッケージの manifest.json の SHA-256 を書いて出し直すよう依頼してください。",
            )
        return admitted

    def _store(self, found: Found, party: str) -> str:
        folder, own = self.cycle.settings.inbox / self.cycle.id, party == self.cycle.configuration.party.id
        taken = {path.name for path in folder.iterdir()} if folder.exists() else set()
        name = name_in_inbox(found.laid, taken, own=own, beside=self.cycle.is_pullout)
        kind = found.laid.message
        earlier = receptions(self.history, kind.kind, party, contractor=self.cycle.configuration.party.id)
        if not kind.several and earlier:  # it gave way: kept, but no longer in the inbox
            with suppress(FileNotFoundError):
                door.put_away(self.cycle.settings.inbox, self.cycle.id, inbox_name(kind, earlier[-1][1]))
        door.store(self.cycle.settings.inbox, self.cycle.id, name, found.content, found.signature)
        return name

    def note_received(self, admitted: door.Admitted[Message], name: str) -> None:
        """Enters that a message was taken in."""
        self._note(
            ReplyReceived(
                message=admitted.message.kind,
                message_sha256=admitted.sha256,
                signed_by=admitted.signed_by,
                party=admitted.party,
                file=name,
                package=self.package,
            )
        )
        _log.info("%sを受け付けました。", admitted.message.label_ja)

    def _put_back(self, found: Found, party: str) -> None:
        kind = found.laid.message
        *_, (_, fact) = receptions(
            self.history, kind.kind, party, contractor=self.cycle.configuration.party.id
        )
        name = inbox_name(kind, fact)
        if not (self.cycle.settings.inbox / self.cycle.id / name).exists():
            door.store(self.cycle.settings.inbox, self.cycle.id, name, found.content, found.signature)

    def _is_of_before(self, digest: str) -> bool:
        packages = {
            fact.package for fact in self.history.facts(ReplyReceived) if fact.message_sha256 == digest
        }
        return not packages & {"", self.package}

    def _note_repeat(self, found: Found, party: str, digest: str) -> None:
        fact = ReplyRepeated(
            message=found.laid.kind,
            message_sha256=digest,
            party=party,
            file=found.laid.file,
            package=self.package,
        )
        if fact not in self.history.facts(ReplyRepeated):
            self._note(fact)
            _log.info("%sは、すでに受け付けたものと同じです。", found.laid.message.label_ja)

    def _refuse(self, found: Found, wrong: Refused) -> None:
        kept_as = door.quarantine(
            self.cycle.settings.inbox, self.cycle.id, found.laid.file, found.content, found.signature
        )
        if kept_as in {fact.quarantined_as for fact in self.history.facts(ReplyRefused)}:
            return
        self._note(
            ReplyRefused(
                message=found.laid.kind,
                message_sha256=sha256(found.content),
                reason_ja=wrong.message,
                quarantined_as=kept_as,
            )
        )
        # Of an incident the director hears too, whatever is wrong with the notice.
        to = ("director", "operator") if found.laid.message is IncidentNotice else ("operator",)
        self._tell_refusal(wrong, found.laid.message.label_ja, to)

    def _tell_refusal(self, wrong: Refused, label: str, to: tuple[str, ...] = ("operator",)) -> None:
        against = {MalwareFound: "のマルウェア", Unprotected: "の暗号化されていない個人情報"}.get(type(wrong))
        if against:
            self._mail("violation", TOLD_TO["violation"], what_ja=label + against, reason=str(wrong))
        else:
            self._mail("reply_refused", to, message=label, reason=str(wrong))

    def _stop(self, found: Found, party: str, digest: str) -> None:
        """Keeps both, tells, and leaves it to a person: `once` lets no stage go on meanwhile."""
        kind = found.laid.message
        *_, (_, first) = receptions(
            self.history, kind.kind, party, contractor=self.cycle.configuration.party.id
        )
        told = {(one.first_sha256, one.second_sha256) for one in self.history.facts(ReplyConflict)}
        if (first.message_sha256, digest) in told:
            return
        kept_as = door.quarantine(
            self.cycle.settings.inbox, self.cycle.id, found.laid.file, found.content, found.signature
        )
        self._note(
            ReplyConflict(
                message=kind.kind,
                party=party,
                package=self.package,
                first_sha256=first.message_sha256,
                second_sha256=digest,
                quarantined_as=kept_as,
            )
        )
        self._mail("reply_conflict", "section", message=kind.label_ja, kind=kind.kind, party=party)

    def _tell_of_incidents(self) -> None:
        """Of every notice that was taken in and not told: rather twice than never, should this process die between."""
        told = {fact.message_sha256 for fact in self.history.facts(IncidentTold)}
        for admitted in self.cycle.all_received(IncidentNotice, but=told):
            received_at = clock.now()
            tell_of_incident(admitted, received_at, self._mail)
            self._note(incident_told(admitted, received_at))

    # ---- enclosures

    async def take_enclosures(self, folder: ReplyFolder) -> None:
        """Fetches the files that admitted messages announced, once they are complete; encrypted, as they came."""
        kept = {fact.announced_in_sha256 for fact in self.history.facts(EnclosureKept)}
        for admitted in self.cycle.all_received(Enclosure):
            if admitted.sha256 not in kept:
                await self._enclosed(folder, admitted)

    async def _enclosed(self, folder: ReplyFolder, admitted: door.Admitted[Enclosure]) -> None:
        announced = admitted.message
        sizes = {file.name: file.size_bytes for file in await folder.listing()}
        if announced.file not in sizes:
            return
        if sizes[announced.file] < announced.size_bytes:
            return  # still on its way
        content = b""
        if sizes[announced.file] == announced.size_bytes:
            content = await folder.read(announced.file, max_bytes=announced.size_bytes) or b""
        digest = sha256(content)
        try:
            if scanner := self.cycle.settings.malware_scanner:
                scanner.refuse_malware(content, announced.label_ja)
            container = _container_of(announced, content)
        except Refused as wrong:
            # What may be plaintext is not kept, only that it came.
            refused = ReplyRefused(
                message=announced.kind, message_sha256=digest, reason_ja=wrong.message, quarantined_as=""
            )
            if refused not in self.history.facts(ReplyRefused):
                if isinstance(wrong, Unprotected):
                    self._note(
                        EnclosureUnprotected(
                            announced_in_sha256=admitted.sha256,
                            party=admitted.party,
                            file_sha256=digest,
                            found_at=clock.now(),
                        )
                    )
                self._note(refused)
                self._tell_refusal(wrong, announced.label_ja)
            return
        kept_as = f"enclosed-{digest[:16]}-{announced.file}"
        target = self.cycle.settings.inbox / self.cycle.id / kept_as
        partial = target.with_name(target.name + ".partial")
        partial.write_bytes(content)
        partial.replace(target)
        file = StoredFile(name=announced.file, size_bytes=len(content), sha256=digest)
        self._note(
            EnclosureKept(
                announced_in_sha256=admitted.sha256,
                party=admitted.party,
                encrypted_file=file,
                container=container,
                kept_as=kept_as,
            )
        )

    # ---- what is no message

    async def tell_strays(self, folder: ReplyFolder, seen: Seen) -> None:
        """Tells once what lies there, unchanged since the look before, and is no message."""
        strays = find_strays(
            await folder.everything(),
            self.cycle.signers,
            self.cycle.configuration.party.id,
            announced={one.message.file for one in self.cycle.all_received(Enclosure)},
            on_paper={(fact.message, fact.party) for fact in self.history.facts(PaperReply)},
        )
        settled = [(one, reason) for one, reason in strays if seen.is_settled(self.package, one)]
        if fact := untold(settled, self.package, self.history.facts(StraysFound)):
            self._note(fact)
            listed = "\n".join(stray.sentence_ja for stray in fact.found)
            self._mail("reply_stray", "operator", folder=fact.folder, listed=listed)

    # ---- telling

    def _note(self, fact: Any) -> None:
        self.cycle.note(fact)
        self.history = self.cycle.history()

    def _mail(self, template: str, to: str | tuple[str, ...], **facts: str) -> None:
        notice = self.cycle.configuration.notice
        said = {"cycle": self.cycle.id, "notice": notice.name_ja, **facts}
        WardMail(template, to, said, section=notice.section)(self.context)


async def find_transcription(
    folders: Iterable[Path], cycle: RunningCycle, kind: str, party: str
) -> tuple[str, bytes]:
    """The unsigned file of a kind and party on the desk that no paper was entered for. Raises Refused."""
    history = cycle.history()
    for desk in map(Desk, folders):
        names = {file.name for file in await desk.listing()}
        for laid in find_laid(names, cycle.signers, cycle.configuration.party.id):
            if (laid.kind, cycle.signers[laid.signer]) != (kind, party) or f"{laid.file}.sig" in names:
                continue
            content = await desk.read(laid.file, max_bytes=MAX_MESSAGE_BYTES)
            if content is not None and not paper_of(history, kind, sha256(content)):
                return laid.file, content
    raise Refused(
        "転記したファイルが、届出を置くフォルダにありません（または登録済みです）。",
        advice="パッケージの番号のフォルダに、決まった名前で（署名なしで）置いてから、もう一度開始してください。",
    )


def _container_of(announced: Enclosure, content: bytes) -> Container:
    if (len(content), sha256(content)) != (announced.size_bytes, announced.file_sha256):
        raise Refused(
            "添付ファイルの大きさまたは SHA-256 が、届出と一致しません。",
            advice="委託先に、届出と添付ファイルの組み合わせを確かめ、届出を作り直すよう依頼してください。",
        )
    return container_of(io.BytesIO(content))
