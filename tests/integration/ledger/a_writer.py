"""A process that writes to a ledger or holds a lock, so that tests can run several and kill one."""

import sys
import time
from pathlib import Path

from tests.builders import CYCLE, TASK, an_event

from notice_cycle.ledger.heads import Heads
from notice_cycle.ledger.store import Ledger

match sys.argv[1:]:
    case ["note", dsn, number, times]:
        for _ in range(int(times)):
            Ledger(dsn).note(CYCLE, an_event(int(number)), TASK)
    case ["note and head", dsn, folder, times]:
        for _ in range(int(times)):
            Ledger(dsn, Heads(Path(folder))).note(CYCLE, an_event(), TASK)
    case ["hold", dsn, cycle, stage]:
        with Ledger(dsn).locked(cycle, stage):
            print("held", flush=True)
            time.sleep(60)
