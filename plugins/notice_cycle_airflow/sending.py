"""Running the hand-over over SFTP: the outbox is checked, the destination compared, progress logged."""

import asyncio
import logging
import time
from datetime import timedelta

from notice_cycle import clock
from notice_cycle.acknowledgement.voiding import disclosed_packages
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.handover.lgwan import (
    ByDigestFile,
    Destination,
    Progress,
    RemoteFolder,
    check_destination,
    check_outbox,
    hand_over,
    handover_record,
    withdraw,
)
from notice_cycle.handover.progress import Passage
from notice_cycle.handover.route import over_lgwan_before
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import CopyWithdrawn, EncryptionRecord, HandoverCompleting, HandoverRecord
from notice_cycle_airflow.hooks.lgwan import LgwanHook
from notice_cycle_airflow.run_context import RunningCycle

_log = logging.getLogger(__name__)
_LOG_EVERY_SECONDS = 10.0
_CLOCK_TOLERANCE = timedelta(minutes=15)


def send_package(cycle: RunningCycle, history: CycleHistory) -> HandoverRecord:
    """Sends the encrypted package of a cycle. Raises CannotLook, Refused, Altered or Conflict."""
    encryption, party = history.latest(EncryptionRecord), cycle.configuration.party
    if cycle.opening.synthetic != cycle.ledger.synthetic:
        raise Refused(
            "架空データの印が、証跡台帳の区分と合いません。",
            advice="送信せずに止めました。情報システム課に連絡してください。",
        )
    _refuse_a_wrong_clock(cycle, history)
    paths = check_outbox(encryption, cycle.settings.outbox, cycle.id)
    cycle.begin_handover("lgwan")
    was_completing = encryption.package in {fact.package for fact in history.facts(HandoverCompleting)}

    def completing() -> None:
        cycle.note(HandoverCompleting(package=encryption.package, completing_at=clock.now()))

    disclosed = disclosed_packages(history)
    for package in _not_withdrawn(history):
        if package in disclosed:
            cycle.note(asyncio.run(_take_off(cycle, package)))

    async def send() -> HandoverRecord:
        hook = LgwanHook(sftp_conn_id=party.connection)
        check_destination(await hook.destination(), allowed=Destination(host=party.host, port=party.port))
        async with hook.folder(f"/to_contractor/{encryption.package}") as folder:
            remote: RemoteFolder = folder
            if agreed := party.digest_files:
                remote = ByDigestFile(
                    folder, encryption.files, named=agreed.named, wait_seconds=agreed.wait_seconds
                )
            sent = await hand_over(
                remote,
                encryption.files,
                paths,
                _progress(),
                was_completing=was_completing,
                completing=completing,
            )
            _log.info("送信 %d件、すでに届いていたもの %d件。", len(sent), len(paths) - len(sent))
            listing = await remote.listing()
            return handover_record(encryption, remote, listing, party=party.id, sent_at=clock.now())

    return asyncio.run(send())


def _refuse_a_wrong_clock(cycle: RunningCycle, history: CycleHistory) -> None:
    """The hour of a hand-over is evidence: it is compared with the ledger's clock, which a moved one never matches."""
    encrypted, off = history.entry_of(EncryptionRecord), cycle.ledger.clock_is_off_by()
    before = encrypted is not None and clock.now() < encrypted.recorded_at
    if before or (abs(off) > _CLOCK_TOLERANCE and not clock.is_moved()):
        raise Refused(
            f"このコンピュータの時計が正しくありません（台帳のデータベースとの差 {off.total_seconds() / 60:.0f}分）。",
            advice="送信せずに止めました。時刻の同期を直してからクリアしてください。引渡しの日時は証跡に残ります。",
        )


def withdraw_packages(cycle: RunningCycle) -> str:
    """Takes earlier packages off the contractor's host. When it cannot be reached, the form asks for the proof."""
    waiting = _not_withdrawn(cycle.history())
    for package in waiting:
        try:
            cycle.note(asyncio.run(_take_off(cycle, package)))
        except CannotLook as unreachable:
            _log.warning("%s 次の書式で、委託先が開いていないことを書面で確認してください。", unreachable)
            return "回線が使えない"
    return f"引上げ {len(waiting)}件"


def _not_withdrawn(history: CycleHistory) -> list[str]:
    withdrawn = {fact.package for fact in history.facts(CopyWithdrawn) if not fact.left}
    current = history.latest(EncryptionRecord).package
    return [one for one in over_lgwan_before(history, current) if one not in withdrawn]


async def _take_off(cycle: RunningCycle, package: str) -> CopyWithdrawn:
    party = cycle.configuration.party
    hook = LgwanHook(sftp_conn_id=party.connection)
    check_destination(await hook.destination(), allowed=Destination(host=party.host, port=party.port))
    async with hook.folder(f"/to_contractor/{package}") as remote:
        return await withdraw(remote, package, at=clock.now())


def _progress() -> Progress:
    told = time.monotonic()
    begun: dict[str, tuple[float, int]] = {}

    def tell(name: str, sent: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        since, before = begun.setdefault(
            name, (now, sent)
        )  # what lay there before it went on was not sent now
        if sent == total or now - told > _LOG_EVERY_SECONDS:
            told = now
            _log.info("%s", Passage(name, sent, total, sent - before, now - since).text_ja)

    return tell
