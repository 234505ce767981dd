"""Which postal class an envelope goes by, in which lot and at which place: 郵便区内特別, 区分郵便物, then 一般 (料金後納).

Least numbers are data: 郵便区内特別 from 100 pieces delivered by the office that takes them in, 区分郵便物 from 2,000
pieces sorted by 郵便区番号 (post.japanpost.jp/service/discount/kubun_discount.html, zipmanual/p30). A class that has
fewer pieces is not used: all its envelopes go by the next one. A 郵便区番号 has the postcode's first three digits, or
five in the districts that the rules name.

Refuses a postcode that is not seven digits.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.composition.columns import refuse_odd_postcodes
from notice_cycle.composition.rules import PostalRules
from notice_cycle.records import PostalLot

Whole = npt.NDArray[np.int32]


class PostalClass(StrEnum):
    """The classes, in the order in which they are tried, dispatched and numbered."""

    OWN_DISTRICT = "郵便区内特別"
    SORTED = "区分郵便物"
    PLAIN = "一般"


CLASSES = tuple(PostalClass)


@dataclass(frozen=True)
class Dispatch:
    """Envelopes in order of dispatch. `order`: which one leaves first, second …; the others are by that order.

    `postal_class`: place in `CLASSES`; `lot_no` and `position_in_lot` count from 1, and a lot is of one class.
    """

    order: Whole
    postal_class: Whole
    lot_no: Whole
    position_in_lot: Whole

    def lots(self) -> tuple[PostalLot, ...]:
        """件数表: what is handed in at the post office, lot by lot."""
        numbers, first, count = np.unique(self.lot_no, return_index=True, return_counts=True)
        classes = self.postal_class[first]
        return tuple(
            PostalLot(lot_no=int(lot), postal_class=CLASSES[place].value, envelopes=int(envelopes))
            for lot, place, envelopes in zip(numbers, classes, count, strict=True)
        )


def into_lots(postcode: pa.Array, ties: dict[str, pa.Array], rules: PostalRules) -> Dispatch:
    """Orders envelopes by class, postcode and then `ties` (address, detail, …), and fills lots in that order.

    One row an envelope. Raises Refused on odd postcodes. The last of `ties` must tell any two envelopes apart.
    """
    refuse_odd_postcodes(postcode)
    rank = _rank(postcode, rules)
    keys = {"rank": pa.array(rank, pa.int8()), "postcode": postcode, **ties}
    sort_keys = [(name, "ascending") for name in keys]
    order = pc.sort_indices(pa.RecordBatch.from_pydict(keys), sort_keys=sort_keys).to_numpy().astype(np.int32)
    ranks = rank[order]
    _, starts, counts = np.unique(ranks, return_index=True, return_counts=True)
    place = np.arange(len(order), dtype=np.int32) - np.repeat(starts, counts).astype(np.int32)
    return Dispatch(
        order=order,
        postal_class=ranks,
        lot_no=np.cumsum(place % rules.lot_size == 0, dtype=np.int32),
        position_in_lot=place % rules.lot_size + 1,
    )


def postal_districts(postcode: pa.Array, rules: PostalRules) -> pa.Array:
    """The 郵便区番号 of every postcode: what bundles are tied up by."""
    texts = postcode.cast(pa.string())
    three, five = (pc.utf8_slice_codeunits(texts, 0, digits) for digits in (3, 5))
    return pc.if_else(pc.is_in(three, pa.array(rules.five_digit_districts, pa.string())), five, three)


def _rank(postcode: pa.Array, rules: PostalRules) -> Whole:
    """The place of each envelope's class in `CLASSES`, after falling back."""
    texts = postcode.cast(pa.string())
    own = np.zeros(len(texts), dtype=bool)
    for prefix in rules.own_postcodes:
        own |= pc.starts_with(texts, prefix).to_numpy(False)
    if own.sum() < rules.own_min_pieces:
        own[:] = False
    others = PostalClass.SORTED if (~own).sum() >= rules.sorted_min_pieces else PostalClass.PLAIN
    return np.where(own, CLASSES.index(PostalClass.OWN_DISTRICT), CLASSES.index(others)).astype(np.int32)
