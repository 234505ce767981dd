"""Which postal class an envelope goes by, in which lot and at which place: 郵便区内特別, 区分郵便物, then 一般 (料金後納).

Least numbers are data: 郵便区内特別 from 100 pieces delivered by the office that takes them in, 区分郵便物 from 2,000
pieces sorted by 郵便区番号 (post.japanpost.jp/service/discount/kubun_discount.html, zipmanual/p30). A class that has
fewer pieces is not used: all its envelopes go by the next one. Grouping is by the first three digits: the 郵便区番号
of districts that have three. Those with five, outside the ward, are one group here until the post office lists them.

Refuses a postcode that is not seven digits, and an envelope that stands twice.
"""

from enum import StrEnum
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import PositiveInt, StringConstraints

from notice_cycle.composition.customer_barcode import refuse_odd_postcodes
from notice_cycle.errors import Conflict
from notice_cycle.values import Frozen


class PostalClass(StrEnum):
    """The classes, in the order in which they are tried, dispatched and numbered."""

    OWN_DISTRICT = "郵便区内特別"
    SORTED = "区分郵便物"
    PLAIN = "一般"


class PostalRules(Frozen):
    """Data agreed with the post office. `own_postcodes`: the postcodes, or their first digits, that it delivers to."""

    own_postcodes: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{3,7}$")], ...]
    own_min_pieces: PositiveInt = 100
    sorted_min_pieces: PositiveInt = 2_000
    lot_size: PositiveInt = 5_000


def into_lots(envelopes: pd.DataFrame, rules: PostalRules) -> pd.DataFrame:
    """The envelopes in order of dispatch, with postal_class, postcode_group, lot_no (1…) and position_in_lot (1…).

    `envelopes` has one row an envelope with `envelope_no` and `postcode`. Order: class, postcode, envelope_no. A lot
    is of one class. Raises Refused on odd postcodes and Conflict when an envelope stands twice.
    """
    refuse_odd_postcodes(envelopes["postcode"])
    if twice := int(envelopes["envelope_no"].duplicated().sum()):
        raise Conflict(
            f"同じ封筒番号が二度あります（{twice}件）。",
            advice="送らずに、情報システム課に連絡してください。",
        )
    rank = _rank(envelopes["postcode"], rules)
    ordered = (
        envelopes.assign(_rank=rank, _postcode=envelopes["postcode"].astype("int64"))
        .sort_values(["_rank", "_postcode", "envelope_no"], kind="stable", ignore_index=True)
        .drop(columns="_postcode")
    )
    place = ordered.groupby("_rank").cumcount()
    return ordered.drop(columns="_rank").assign(
        postal_class=np.array([str(one) for one in PostalClass])[ordered["_rank"]],
        postcode_group=ordered["postcode"].str[:3],
        lot_no=(place % rules.lot_size == 0).cumsum().astype("int64"),
        position_in_lot=place % rules.lot_size + 1,
    )


def lot_table(lots: pd.DataFrame) -> pd.DataFrame:
    """件数表: a row a lot with postal_class, envelopes, postcode_groups, first_postcode and last_postcode."""
    return lots.groupby("lot_no", as_index=False).agg(
        postal_class=("postal_class", "first"),
        envelopes=("envelope_no", "size"),
        postcode_groups=("postcode_group", "nunique"),
        first_postcode=("postcode", "first"),
        last_postcode=("postcode", "last"),
    )


def class_table(lots: pd.DataFrame) -> pd.DataFrame:
    """件数表: a row for each postal class, used or not, with envelopes and lots."""
    return (
        lots.groupby("postal_class")
        .agg(envelopes=("envelope_no", "size"), lots=("lot_no", "nunique"))
        .reindex([str(one) for one in PostalClass], fill_value=0)
        .rename_axis("postal_class")
        .reset_index()
    )


def _rank(postcode: pd.Series, rules: PostalRules) -> pd.Series:
    """The place of each envelope's class in `PostalClass`, after falling back."""
    own = postcode.str.startswith(rules.own_postcodes) & bool(rules.own_postcodes)
    if own.sum() < rules.own_min_pieces:
        own = own & False
    others = PostalClass.SORTED if (~own).sum() >= rules.sorted_min_pieces else PostalClass.PLAIN
    order = list(PostalClass)
    return own.map({True: order.index(PostalClass.OWN_DISTRICT), False: order.index(others)}).astype("int64")
