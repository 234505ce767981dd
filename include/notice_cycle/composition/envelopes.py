"""Who shares an envelope: 名寄せ by registered recipient.

Default is one person per envelope. Only notices for the identical registered recipient at the identical
address, with the section's consent on every one of them, share one: same surname and address is not the
same person. What looks alike and is not bundled is told as ambiguous, for a person to look at. Refuses
nothing but one recipient id that stands for two addressees. Nothing is read or written.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.errors import Conflict
from notice_cycle.values import Item

Rows = npt.NDArray[np.int32]
"""Row numbers: a million of them in half the space."""

ADDRESSEE: tuple[Item, ...] = ("recipient_name", "recipient_suffix", "postcode", "address", "address_detail")


SURNAME = "surname"
"""Made by `surnames` and given beside the addressee; never printed."""


@dataclass(frozen=True)
class Bundles:
    """The envelopes: `leaders` are the rows that give an envelope its address, `envelope` each row's place in them."""

    leaders: Rows
    envelope: Rows
    ambiguous: tuple[Rows, ...]


def bundled(
    addressee: dict[Item, pa.Array], recipient_id: pa.Array | None, consent: npt.NDArray[np.bool_]
) -> Bundles:
    """Each row into one envelope; the first row of an envelope leads it. Without recipients: one envelope a row.

    `addressee`: the columns `ADDRESSEE` and `SURNAME`. Raises Conflict when one recipient id stands for two different addressees.
    """
    own = np.arange(len(consent), dtype=np.int32)
    if recipient_id is None or not consent.any():
        return Bundles(own, own, ())
    sharing = own[consent]
    recipients = recipient_id.take(pa.array(sharing)).dictionary_encode()
    of_sharing = recipients.indices.to_numpy()
    _, first = np.unique(of_sharing, return_index=True)
    leader = own.copy()
    leader[sharing] = sharing[first[of_sharing]]
    _refuse_two_addressees(addressee, sharing, leader[sharing], of_sharing)
    leads = leader == own
    return Bundles(
        leaders=own[leads],
        envelope=np.cumsum(leads, dtype=np.int32)[leader] - 1,
        ambiguous=(
            *_mixed_consent(recipient_id, recipients.dictionary, consent),
            *_alike(addressee, sharing, of_sharing),
        ),
    )


def surnames(recipient_name: pa.Array, consent: pa.Array) -> pa.Array:
    """The part of a name before its first blank, of those who consented to share; nothing of the others."""
    return pc.replace_substring_regex(pc.if_else(consent, recipient_name, ""), "[ 　].*$", "")


def _refuse_two_addressees(
    addressee: dict[Item, pa.Array], rows: Rows, leaders: Rows, recipients: Rows
) -> None:
    differs = np.zeros(len(rows), dtype=bool)
    for item in ADDRESSEE:
        differs |= pc.not_equal(*(_filled(addressee[item], of) for of in (rows, leaders))).to_numpy(False)
    if differs.any():
        raise Conflict(
            f"同じ宛名番号に異なる送付先が登録されています（{len(np.unique(recipients[differs]))}件）。",
            advice="基幹系の送付先登録を担当課で確認し、直してから抽出をやり直してください。",
        )


def _mixed_consent(
    recipient_id: pa.Array, consenting: pa.Array, consent: npt.NDArray[np.bool_]
) -> list[Rows]:
    """The rows of each recipient for whom some notices may share an envelope and some may not."""
    alone = np.flatnonzero(~consent).astype(np.int32)
    others = recipient_id.take(pa.array(alone))
    mixed = pc.unique(others.filter(pc.is_in(others, consenting, skip_nulls=True)))
    rows = np.flatnonzero(pc.is_in(recipient_id, mixed, skip_nulls=True).to_numpy(False)).astype(np.int32)
    return _groups(rows, recipient_id.take(pa.array(rows)).dictionary_encode().indices.to_numpy())


def _alike(addressee: dict[Item, pa.Array], sharing: Rows, recipients: Rows) -> list[Rows]:
    """The rows of each surname at one address that consented to share and stand under several recipient ids."""
    where = [
        _filled(addressee[item], sharing).cast(pa.binary())
        for item in (SURNAME, "postcode", "address", "address_detail")
    ]
    places = pc.binary_join_element_wise(*where, b"\n").dictionary_encode().indices.to_numpy()
    pairs = np.unique(np.column_stack([places, recipients]), axis=0)
    several, count = np.unique(pairs[:, 0], return_counts=True)
    found = np.isin(places, several[count > 1])
    return _groups(sharing[found], places[found])


def _groups(rows: Rows, of: Rows) -> list[Rows]:
    return [rows[of == one] for one in np.unique(of)]


def _filled(column: pa.Array, rows: Rows) -> Any:
    return pc.fill_null(column.take(pa.array(rows)), "")
