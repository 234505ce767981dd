"""Runs in a container of service `init` and reads the whole ledger as the auditor's login: verdict and entries."""

import json
from pathlib import Path

from notice_cycle.ledger.store import Ledger

password = Path("/run/secrets/ledger_auditor_password").read_text().strip()
ledger = Ledger(f"host=postgres dbname=ledger user=ward_auditor password={password}")
verdict = ledger.verify()
told = {
    "holds": verdict.holds,
    "reason": verdict.reason_ja,
    "entries": [entry.text() for entry in ledger.entries()],
}
print(json.dumps(told, ensure_ascii=False))
