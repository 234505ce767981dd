"""Waiting for a contractor's signed messages on his host or the ward's desk, in reschedule mode.

"Not there yet" looks again later; "cannot look" retries and says so; "wrong file" is quarantined, noted,
mailed, and waited out until a right one comes. Where a malware scanner is set, nothing enters unscanned. The task
that runs here holds no key but the SFTP login.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from airflow.sdk import BaseSensorOperator

from notice_cycle import clock
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.exchange import door
from notice_cycle.exchange.malware import MalwareFound
from notice_cycle.exchange.messages import MAX_MESSAGE_BYTES, Message
from notice_cycle.handover.lgwan import Destination, check_destination
from notice_cycle.handover.route import route_of
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import EncryptionRecord, Record, ReplyReceived, ReplyRefused
from notice_cycle.settings import Settings
from notice_cycle.values import sha256
from notice_cycle_airflow.notifiers.ward_mail import WardMail
from notice_cycle_airflow.run_context import RunningCycle, current_cycle, telling

_A_YEAR_SECONDS = 366 * 24 * 3600
_MAX_SIGNATURE_BYTES = 4096


@asynccontextmanager
async def _reply_folder(cycle: RunningCycle, history: CycleHistory) -> AsyncIterator[Any]:
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

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """At most `max_bytes` + 1 bytes of a file, None when there is no such file. No link is followed."""
        try:
            with open(self._folder / name, "rb", opener=_no_link) as source:
                return source.read(max_bytes + 1)
        except FileNotFoundError:
            return None
        except OSError as failed:
            raise CannotLook(
                f"委託先の届出を置くフォルダを読めません（{errno.errorcode.get(failed.errno or 0, '不明')}）。",
                advice="フォルダの接続と権限、置かれたものが通常のファイルであることを確認してください。",
            ) from None


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


class ContractorReplySensor(BaseSensorOperator):
    """Succeeds when every message of `kinds` lies in the inbox, or the record `settles` already stands."""

    def __init__(self, *, kinds: Sequence[type[Message]], settles: type[Record], **kwargs: Any) -> None:
        super().__init__(
            mode="reschedule",
            poke_interval=Settings().reply_interval_seconds,
            timeout=_A_YEAR_SECONDS,
            queue="lgwan",
            pool="lgwan",
            **kwargs,
        )
        self.kinds, self.settles = tuple(kinds), settles

    def poke(self, context: Any) -> bool:
        """Looks once."""
        with telling():
            cycle = current_cycle()
            history = cycle.history()
            if history.entry_of(self.settles):
                return True
            try:
                return asyncio.run(self._look(cycle, history, context))
            except CannotLook as unreachable:
                # The line may be down for a night: keep looking, and let the log say why nothing comes.
                self.log.warning("%s", unreachable)
                return False

    async def _look(self, cycle: RunningCycle, history: CycleHistory, context: Any) -> bool:
        party, missing = cycle.configuration.party, list[str]()
        async with _reply_folder(cycle, history) as folder:
            found: dict[type[Message], tuple[bytes, bytes]] = {}
            for kind in self.kinds:
                content = await folder.read(kind.file_name(), max_bytes=MAX_MESSAGE_BYTES)
                signature = await folder.read(f"{kind.file_name()}.sig", max_bytes=_MAX_SIGNATURE_BYTES)
                if content is None or signature is None:
                    missing.append(kind.label_ja)
                else:
                    found[kind] = content, signature
        names = {door.quarantine_name(kind.file_name(), *files) for kind, files in found.items()}
        if not missing and names <= {fact.quarantined_as for fact in history.facts(ReplyRefused)}:
            # Of messages that were refused together, one that is put there anew makes all count again.
            missing = ["受け付けなかったものに代わる届出"]
        else:
            taken = {kind: self._take(cycle, history, kind, found[kind], context) for kind in found}
            missing += [
                f"{kind.label_ja}（届いたものは受け付けられません）" for kind in found if not taken[kind]
            ]
        if missing:
            self.log.info("まだ届いていません: %s（%s）", "、".join(missing), party.name_ja)
        return not missing

    def _take(
        self,
        cycle: RunningCycle,
        history: CycleHistory,
        kind: type[Message],
        files: tuple[bytes, bytes],
        context: Any,
    ) -> bool:
        content, signature = files
        digest = sha256(content)
        inbox, party = cycle.settings.inbox, cycle.configuration.party
        try:
            if scanner := cycle.settings.malware_scanner:
                scanner.refuse_malware(content + signature, kind.label_ja)
            message = door.admit(
                content,
                signature,
                kind,
                cycle=cycle.id,
                signer=party.signer,
                allowed=cycle.allowed_signers,
                at=clock.now(),
            )
        except Refused as wrong:
            kept_as = door.quarantine(inbox, cycle.id, kind.file_name(), content, signature)
            if kept_as in {fact.quarantined_as for fact in history.facts(ReplyRefused)}:
                return False  # told before
            cycle.note(
                ReplyRefused(
                    message=kind.kind, message_sha256=digest, reason_ja=wrong.message, quarantined_as=kept_as
                )
            )
            facts = {"cycle": cycle.id, "message": kind.label_ja, "reason": str(wrong)}
            facts["what_ja"] = f"{kind.label_ja}のマルウェア"
            template = "violation" if isinstance(wrong, MalwareFound) else "reply_refused"
            WardMail(template, "operator", facts)(context)
            return False
        door.store(inbox, cycle.id, message, content, signature)
        earlier = [fact.message_sha256 for fact in history.facts(ReplyReceived) if fact.message == kind.kind]
        if earlier[-1:] != [digest]:
            cycle.note(ReplyReceived(message=kind.kind, message_sha256=digest, signed_by=party.signer))
            self.log.info("%sを受け付けました。", kind.label_ja)
        return True
