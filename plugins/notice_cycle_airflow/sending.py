"""Running the hand-over over SFTP: the outbox is checked, the destination compared, progress logged."""

import asyncio
import logging
import time

from notice_cycle import clock
from notice_cycle.errors import CannotLook, Refused
from notice_cycle.handover.lgwan import (
    Destination,
    Progress,
    check_destination,
    check_outbox,
    hand_over,
    handover_record,
    withdraw,
)
from notice_cycle.handover.progress import Passage
from notice_cycle.handover.route import over_lgwan_before
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import CopyWithdrawn, EncryptionRecord, HandoverRecord
from notice_cycle_airflow.hooks.lgwan import LgwanHook
from notice_cycle_airflow.run_context import RunningCycle

_log = logging.getLogger(__name__)
_LOG_EVERY_SECONDS = 10.0


def send_package(cycle: RunningCycle, history: CycleHistory) -> HandoverRecord:
    """Sends the encrypted package of a cycle. Raises CannotLook, Refused, Altered or Conflict."""
    encryption, party = history.latest(EncryptionRecord), cycle.configuration.party
    if cycle.opening.synthetic != cycle.ledger.synthetic:
        raise Refused(
            "架空データの印が、証跡台帳の区分と合いません。",
            advice="送信せずに止めました。情報システム課に連絡してください。",
        )
    paths = check_outbox(encryption, cycle.settings.outbox, cycle.id)
    cycle.begin_handover("lgwan")

    async def send() -> HandoverRecord:
        hook = LgwanHook(sftp_conn_id=party.connection)
        check_destination(await hook.destination(), allowed=Destination(host=party.host, port=party.port))
        async with hook.folder(f"/to_contractor/{encryption.package}") as remote:
            sent = await hand_over(remote, encryption.files, paths, _progress())
            _log.info("送信 %d件、すでに届いていたもの %d件。", len(sent), len(paths) - len(sent))
            listing = await remote.listing()
            return handover_record(encryption, remote, listing, party=party.id, sent_at=clock.now())

    return asyncio.run(send())


def withdraw_packages(cycle: RunningCycle) -> str:
    """Takes earlier packages off the contractor's host. When it cannot be reached, the form asks for the proof."""
    history, party = cycle.history(), cycle.configuration.party
    withdrawn = {fact.package for fact in history.facts(CopyWithdrawn) if not fact.left}
    current = history.latest(EncryptionRecord).package
    waiting = [one for one in over_lgwan_before(history, current) if one not in withdrawn]

    async def take_off(package: str) -> CopyWithdrawn:
        hook = LgwanHook(sftp_conn_id=party.connection)
        check_destination(await hook.destination(), allowed=Destination(host=party.host, port=party.port))
        async with hook.folder(f"/to_contractor/{package}") as remote:
            return await withdraw(remote, package, at=clock.now())

    for package in waiting:
        try:
            cycle.note(asyncio.run(take_off(package)))
        except CannotLook as unreachable:
            _log.warning("%s 次の書式で、委託先が開いていないことを書面で確認してください。", unreachable)
            return "回線が使えない"
    return f"引上げ {len(waiting)}件"


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
