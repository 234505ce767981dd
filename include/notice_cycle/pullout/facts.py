"""What a request to pull letters out (引抜き・差替え) leaves beside the chain of its dispatch; counts and digests only.

Which notices it names stands in the vault (`list_file`), never here. Its package has records of its own, kept as
`PulloutStep`.
"""

from datetime import datetime
from typing import Literal

from notice_cycle.records import Fact
from notice_cycle.values import Digest, Frozen, Person, StoredFile

Purpose = Literal["引抜き", "差替え"]
"""引抜き: nobody gets the letter. 差替え: it is pulled out all the same, the new one comes with a dispatch made again."""

REASONS_JA: dict[str, str] = {
    "paid": "納付・還付の済み",
    "changed": "賦課の変更・減免",
    "lost": "資格の喪失・転出",
    "death": "死亡",
    "address": "送付先の変更",
    "misprint": "印字の誤り",
    "other": "その他",
}
"""Why a letter is pulled out, notice by notice in the officer's list."""


class LotEmptied(Frozen):
    """How many envelopes of a lot disappear because every notice in them is pulled out."""

    lot_no: int
    envelopes: int


class PulloutRequested(Fact):
    """引抜き・差替えの依頼: an officer's list was read, every number in it found in the dispatch.

    `dispatch`: SHA-256 of the print file that it is about; made again, the dispatch no longer knows the request.
    `envelopes`: those that disappear; `opened`: those that stay, with a notice less.
    """

    label_ja = "引抜き・差替えの依頼"
    pullout: int
    number: str
    purpose: Purpose
    dispatch: Digest
    dag_id: str
    run_id: str
    notices: int
    by_reason: dict[str, int]
    envelopes: int
    opened: int
    lots: tuple[LotEmptied, ...]
    list_file: StoredFile
    requested_by: Person
    requested_at: datetime


class PulloutCancelled(Fact):
    """引抜き・差替えの取りやめ: before its package left; nothing is pulled out."""

    label_ja = "引抜き・差替えの取りやめ"
    pullout: int
    cancelled_by: Person
    cancelled_at: datetime


class PulloutConfirmed(Fact):
    """引抜き・差替えの確認の記録: how many notices the contractor took out, and how many it did not find."""

    label_ja = "引抜き・差替えの確認の記録"
    pullout: int
    party: str
    message_sha256: Digest
    pulled: int
    not_found: int
    done_at: datetime
    done_by: str


# ---- after the delivery

METHODS_JA = {"shredding": "裁断", "dissolving": "溶解", "incineration": "焼却"}
"""How paper is destroyed."""

STAFF_PATTERN = r"^[^0-9０-９]{1,30}$"
"""A member of the staff by name; no number of an insured person."""


class Destroyed(Frozen):
    """What the ward itself destroyed, before a witness. `sheets`: as they were counted."""

    sheets: int
    method: Literal["shredding", "dissolving", "incineration"]
    destroyed_at: datetime
    operator: str
    witness: str


class DeliveredPulledOut(Fact):
    """納品後の引抜き: delivered letters taken out and destroyed, by the ward (`destroyed`) or by the contractor.

    `certificate_number`: of the contractor's 廃棄証明書; empty where the ward destroyed. `dispatch`: as in a pull-out.
    """

    label_ja = "納品後の引抜き"
    pullout: int
    dispatch: Digest
    dag_id: str
    run_id: str
    notices: int
    by_reason: dict[str, int]
    envelopes: int
    opened: int
    lots: tuple[LotEmptied, ...]
    list_file: StoredFile
    destroyed: Destroyed | None
    certificate_number: str
    entered_by: Person
    entered_at: datetime


class DeliveredPulloutCancelled(Fact):
    """納品後の引抜きの取消し: entered by mistake, the letters are to be posted all the same."""

    label_ja = "納品後の引抜きの取消し"
    pullout: int
    cancelled_by: Person
    cancelled_at: datetime
