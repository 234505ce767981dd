"""After the contractor has opened the package: plaintext staging is no longer needed and goes.

Only the encrypted dispatch index of notice numbers stays until closing, so that a wrong letter can be traced.
"""

from datetime import datetime

from notice_cycle.errors import Altered
from notice_cycle.records import StagingWipeRecord
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import CYCLE_KEY, DISPATCH_INDEX, PASSPHRASE

KEPT = (DISPATCH_INDEX, PASSPHRASE, CYCLE_KEY)


def wipe_staging(vault: CycleVault, *, at: datetime) -> StagingWipeRecord:
    """Removes everything but the dispatch index and the keys, and looks again. Raises Altered when something is left."""
    wiped = vault.wipe([name for name in vault.names() if name not in KEPT])
    left = [name for name in vault.names() if name not in KEPT]
    if left:
        raise Altered(
            f"一時保管領域に消去できないファイルが{len(left)}件あります。",
            advice="情報システム課で権限を確認してください。",
        )
    return StagingWipeRecord(wiped=tuple(wiped), kept=tuple(vault.names()), wiped_at=at)
