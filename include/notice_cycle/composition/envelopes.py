"""Who shares an envelope, and in which order envelopes leave: 名寄せ and postal order.

Default is one person per envelope. Only notices for the identical registered recipient at the identical
address, with the section's consent on every one of them, share one: same surname and address is not the
same person. Pure functions over a frame; nothing is read or written.
"""

import pandas as pd

from notice_cycle.errors import Conflict

_RECIPIENT = ["recipient_name", "recipient_suffix", "postcode", "address", "address_detail"]


def in_envelopes(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in print order with envelope_no (1…), sheet_no and sheets_in_envelope.

    Order: postcode, address, detail, then the envelope's recipient and the notice number. Raises Conflict
    when one recipient id stands for two different addressees.
    """
    shares = rows["share_envelope"].astype("bool")
    key = rows["recipient_id"].where(shares, rows["notice_no"])
    key = key.where(~shares, "R" + key).where(shares, "N" + key)
    sharing = rows[shares]
    addressees = sharing.drop_duplicates(["recipient_id", *_RECIPIENT])["recipient_id"]
    if addressees.duplicated().any():
        raise Conflict(
            f"同じ宛名番号に異なる送付先が登録されています（{int(addressees.duplicated().sum())}件）。",
            advice="基幹系の送付先登録を担当課で確認し、直してから抽出をやり直してください。",
        )
    ordered = rows.assign(_key=key).sort_values(
        ["postcode", "address", "address_detail", "_key", "notice_no"], kind="stable", ignore_index=True
    )
    envelope_no = ordered["_key"].ne(ordered["_key"].shift()).cumsum()
    by_envelope = ordered.groupby(envelope_no, sort=False)["_key"]
    return ordered.drop(columns="_key").assign(
        envelope_no=envelope_no.astype("int64"),
        sheet_no=by_envelope.cumcount() + 1,
        sheets_in_envelope=by_envelope.transform("size").astype("int64"),
    )
