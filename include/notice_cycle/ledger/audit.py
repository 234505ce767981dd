"""台帳の検証: the whole chain, then every checkpoint against it, then a checkpoint of today's head."""

from datetime import datetime

from notice_cycle.errors import Altered
from notice_cycle.ledger.checkpoints import Checkpoint, Checkpoints
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.store import Ledger


def audit(ledger: Ledger, checkpoints: Checkpoints | None, *, at: datetime) -> Entry:
    """The last entry of a ledger that holds. Writes its checkpoint unless its seq has one.

    Raises Altered naming the first bad entry, or the first checkpoint that the ledger does not bear out.
    """
    verdict = ledger.verify()
    if not verdict.holds:
        raise Altered(verdict.reason_ja, advice="運用手順書の「台帳の検証」の節に従ってください。")
    head = ledger.head()  # what was appended since the walk, the database itself has linked to it
    if checkpoints:
        kept = checkpoints.kept()
        lost = set(ledger.lost([checkpoint.head for checkpoint in kept]))
        if wrong := next((checkpoint for checkpoint in kept if checkpoint.head in lost), None):
            raise Altered(
                f"チェックポイント {wrong.name}（第{wrong.seq}号）が、証跡台帳と一致しません。",
                advice="業務を止め、情報システム課の責任者と監査担当に連絡してください。",
            )
        checkpoints.keep(
            Checkpoint(
                ward=ledger.genesis().data["ward"],
                seq=head.seq,
                digest=head.digest,
                entries=head.seq,  # there is no gap
                recorded_at=head.recorded_at,
                made_at=at,
            )
        )
    return head
