"""One look of 届出の受信: into the reply folders of all open cycles, for what no waiting task looks for, and elsewhere.

One cycle whose host does not answer holds up no other; it is told in the log and looked at again.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

from notice_cycle import clock
from notice_cycle.errors import CannotLook, NoticeCycleError, Refused
from notice_cycle.exchange.messages import MESSAGES
from notice_cycle.ledger.entry import System
from notice_cycle.ledger.store import Ledger
from notice_cycle.records import ClosingRecord, EncryptionRecord, HandoverRecord, OpeningRecord, PaperReply
from notice_cycle.replies import transcribed
from notice_cycle.settings import Settings
from notice_cycle.strays import Seen
from notice_cycle.values import Person
from notice_cycle_airflow.elsewhere import look_elsewhere, looked_into
from notice_cycle_airflow.replies import Reception, find_transcription, reply_folder
from notice_cycle_airflow.run_context import RunningCycle, pullouts_of

_log = logging.getLogger(__name__)


def look(ledger: Ledger, settings: Settings, actor: System, context: Any) -> str:
    """Looks once. Gives a Japanese line for the log; raises, at the end, what a person must put right."""
    wrong: NoticeCycleError | None = None
    looked, seen = 0, Seen(settings.inbox / "seen.json")
    waiting = open_cycles(ledger, settings, actor)
    for cycle in waiting:
        try:
            asyncio.run(look_at(cycle, context, seen))
            looked += not cycle.is_pullout
        except CannotLook as unreachable:
            _log.warning("%s: %s", cycle.id, unreachable)
        except NoticeCycleError as stop:
            _log.error("%s: %s", cycle.id, stop)
            wrong = wrong or stop
    look_elsewhere(
        all_cycles(ledger, settings, actor), {looked_into(cycle) for cycle in waiting}, seen, context
    )
    seen.keep()
    if wrong:
        raise wrong
    return f"発送回 {looked}件の届出を見ました。"


def open_cycles(ledger: Ledger, settings: Settings, actor: System) -> list[RunningCycle]:
    """Every cycle whose package has been handed over, and that is neither closed nor withdrawn, with its pull-outs."""
    found: list[RunningCycle] = []
    for cycle in all_cycles(ledger, settings, actor):
        history = cycle.history()
        if history.entry_of(ClosingRecord):
            continue
        found += [
            each
            for each in (cycle, *pullouts_of(cycle))
            if each.history().find(EncryptionRecord) and each.history().ever(HandoverRecord)
        ]
    return found


def all_cycles(ledger: Ledger, settings: Settings, actor: System) -> list[RunningCycle]:
    """Every cycle there ever was, in order of opening."""
    openings = ledger.entries(kind=OpeningRecord.kind())
    return [
        RunningCycle(id=cycle, actor=actor, settings=settings, ledger=ledger)
        for cycle in dict.fromkeys(entry.cycle or "" for entry in openings)
    ]


async def look_at(cycle: RunningCycle, context: Any, seen: Seen) -> None:
    """Takes in what lies in a cycle's folder; what a stage still waits for is left to that stage's own task.

    What is no message, and lies as it lay at the look before (`seen`), is told.
    """
    reception = Reception(cycle, context)
    async with reply_folder(cycle, reception.history) as folder:
        found = await reception.find(folder, MESSAGES)
        reception.take([one for one in found if not reception.is_left_to_its_stage(one)])
        await reception.take_enclosures(folder)
        await reception.tell_strays(folder, seen)


def enter_transcription(cycle: RunningCycle, asked: dict[str, str], person: Person) -> PaperReply:
    """Enters that the file on the desk was transcribed from a party's paper. Raises Refused."""
    party = asked.get("party") or cycle.configuration.party.id
    if party not in cycle.signers.values():
        raise Refused(
            "その事業者は、この発送回の委託先でも、承諾した再委託先でもありません。",
            advice="事業者の登録番号と、登録簿の「再委託の承諾」を確かめてください。",
        )
    made = [each.history().find(EncryptionRecord) for each in (cycle, *pullouts_of(cycle))]
    folders: list[Path] = [cycle.settings.reply_desk / one.package for one in made if one]
    name, content = asyncio.run(find_transcription(folders, cycle, asked["kind"], party))
    fact = transcribed(
        asked["kind"],
        content,
        "csv" if name.endswith(".csv") else "json",
        cycle=cycle.id,
        party=party,
        document_number=asked["document_number"],
        by=person,
        at=clock.now(),
    )
    cycle.note(fact, by=person)
    _log.info(
        "転記したファイル %s の SHA-256 は %s です。書面の控えに書き留めてください。",
        name,
        fact.message_sha256,
    )
    return fact
