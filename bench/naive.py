"""The obvious pipeline, in one process: `python -m bench.naive FOLDER`.

pandas.read_sql into object columns, Great Expectations COMPLETE over the frame, DataFrame sort and apply for
bundling, order and barcodes, to_csv, one-shot AES-GCM. It has the same input as the product, judges the same rules,
and makes the same print file through the same transcoder. Where the product does more (staging in an encrypted
vault, proving totals, reading every barcode back, tracing index, ambiguous cases, signing), this does not.
"""

import csv
import hashlib
import os
import sys
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from bench.case import Case
from bench.measure import Stopwatch, run_measured

_MODULES = ["pandas", "sqlalchemy", "psycopg2", "bench.naive_checks", "notice_cycle.composition.windows31j",
            "notice_cycle.composition.customer_barcode", "cryptography.hazmat.primitives.ciphers.aead"]  # fmt: skip
_ROWS_AT_A_TIME = 100_000  # as text, so that the frame is not held twice
_CORRECTED = ("recipient_kind", "postcode", "address", "address_detail", "recipient_name", "recipient_suffix")


def with_object_columns() -> None:
    """Texts as Python objects, as pandas held them until version 3 and as code written for it still may."""
    import pandas as pd

    warnings.filterwarnings("ignore", message=".*infer_string", category=DeprecationWarning)
    pd.set_option("future.infer_string", False)


def read(case: Case, relation: str, columns: str = "*", *, order: str = "") -> Any:
    """A relation of the core system for this notice's batch, in object columns."""
    import pandas as pd
    import psycopg2
    import sqlalchemy

    engine = sqlalchemy.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(case.dsn))
    of_notice = "" if relation == case.notice else f" AND notice = '{case.notice}'"
    query = f"SELECT {columns} FROM export.{relation} WHERE batch_no = '{case.batch}'{of_notice}{order}"  # noqa: S608
    return pd.read_sql(query, engine)


def extract(case: Case) -> Any:
    """All rows as one frame, compared with the control totals."""
    notice = case.configuration.notice
    frame = read(case, notice.id, ", ".join(notice.items), order=" ORDER BY notice_no")
    control = case.control
    if len(frame) != control.persons or any(
        frame[item].sum() != yen for item, yen in control.amounts.items()
    ):
        raise ValueError("the rows are not those of the control totals")
    return frame


def validate(case: Case, frame: Any) -> dict[str, int]:
    """Rule → how many broke it."""
    from bench.naive_checks import Naive, outcomes

    return outcomes(Naive(frame, case.configuration, case.control, case.siblings))


def compose(case: Case, frame: Any, differences: Any) -> Path:
    """The print file, in the case's folder, in the clear."""
    frame = _with_differences(frame, differences)
    frame = _in_order(frame, case)
    frame = frame.assign(
        record_kind="2", data_kind="架空データ", cycle=case.cycle, **_barcodes(frame, case.configuration)
    )
    columns = case.configuration.layout.columns
    printed = frame[[column.item for column in columns]]
    printed.columns = [column.heading_ja for column in columns]
    path = case.path / "naive.csv"
    with path.open("wb") as target:
        for part in _as_csv(printed):
            target.write(part)
        target.write(_trailer(frame, case))
    return path


def encrypt(path: Path) -> str:
    """Encrypts the print file at once; gives the digest of the plain one."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    plain, nonce = path.read_bytes(), os.urandom(12)
    path.with_suffix(".csv.enc").write_bytes(
        nonce + AESGCM(AESGCM.generate_key(256)).encrypt(nonce, plain, None)
    )
    return hashlib.sha256(plain).hexdigest()


# ---- composing


def _with_differences(frame: Any, differences: Any) -> Any:
    """Without those who died or moved out, and with the new addressees, each in an envelope of its own."""
    latest = (
        differences.sort_values("noted_at").drop_duplicates("notice_no", keep="last").set_index("notice_no")
    )
    changed = latest.reason == "recipient_changed"
    frame = frame[~frame.notice_no.isin(latest.index[~changed])].set_index("notice_no", drop=False)
    known = latest.index[changed].intersection(frame.index)
    frame.loc[known, list(_CORRECTED)] = latest.loc[known, list(_CORRECTED)].fillna("")
    frame.loc[known, "share_envelope"] = False
    return frame.reset_index(drop=True)


def _in_order(frame: Any, case: Case) -> Any:
    """The rows in the order of their envelopes, each with its envelope, lot and place in both."""
    from notice_cycle.composition import windows31j

    rules = case.configuration.postal
    alone = "-" + frame.notice_no
    frame = frame.assign(
        shared=frame.recipient_id.where(frame.share_envelope, alone),
        own_district=frame.postcode.str.startswith(tuple(rules.own_postcodes)),
    )
    envelopes = frame.drop_duplicates("shared").copy()
    own = envelopes.own_district & (envelopes.own_district.sum() >= rules.own_min_pieces)
    others = "区分郵便物" if (~own).sum() >= rules.sorted_min_pieces else "一般"
    envelopes["postal_class"] = own.map({True: "郵便区内特別", False: others})
    envelopes["rank"] = ~own
    for item in ("address", "address_detail"):  # in the order of the print file's bytes
        envelopes[f"{item}_bytes"] = envelopes[item].map(windows31j.encode)
    envelopes = envelopes.sort_values(
        ["rank", "postcode", "address_bytes", "address_detail_bytes", "notice_no"]
    )
    envelopes["envelope_no"] = range(1, len(envelopes) + 1)
    place = envelopes.groupby("rank").cumcount()
    envelopes["position_in_lot"] = place % rules.lot_size + 1
    envelopes["lot_no"] = (place % rules.lot_size == 0).cumsum()
    made = ["shared", "postal_class", "envelope_no", "lot_no", "position_in_lot"]
    frame = frame.merge(envelopes[made], on="shared").sort_values(["envelope_no", "notice_no"])
    sheets = frame.groupby("envelope_no").notice_no
    five = frame.postcode.str[:3].isin(rules.five_digit_districts)
    return frame.assign(
        sheets_in_envelope=sheets.transform("size"),
        sheet_no=sheets.cumcount() + 1,
        postal_district=frame.postcode.str[:5].where(five, frame.postcode.str[:3]),
    )


def _barcodes(frame: Any, configuration: Any) -> dict[str, Any]:
    """The customer barcode of every sheet, and the slips' where the notice has slips."""
    import pyarrow as pa

    from notice_cycle.composition.customer_barcode import customer_barcode, display_numbers
    from notice_cycle.composition.rules import ORDINARY_MONTHS

    # What of an address goes into a barcode both sides take from the same function.
    numbers = display_numbers(pa.array(frame.address), pa.array(frame.address_detail))
    addressed = frame[["postcode"]].assign(number=numbers.to_pylist())
    made = {
        "customer_barcode": addressed.apply(lambda row: customer_barcode(row.postcode, row.number), axis=1)
    }
    if slips := configuration.notice.slips:
        dues = list(zip(ORDINARY_MONTHS, configuration.due_on, strict=True))
        year = configuration.premiums.fiscal_year

        def of_row(row: Any) -> list[str]:
            means, notice_no, *amounts = row.tolist()
            if means != "slip":
                return [""] * len(dues)
            return [
                _payment_barcode(slips.issuer, year, notice_no, number, due, yen)
                for number, ((_, due), yen) in enumerate(zip(dues, amounts, strict=True), start=1)
            ]

        items = ["payment_means", "payment_no", *(f"slip_{month:02}" for month in ORDINARY_MONTHS)]
        barcodes = frame[items].apply(of_row, axis=1).tolist()
        made |= {
            f"barcode_{month:02}": [row[place] for row in barcodes] for place, (month, _) in enumerate(dues)
        }
    return made


def _payment_barcode(issuer: str, year: int, notice_no: str, instalment: int, due_on: date, yen: int) -> str:  # noqa: PLR0917
    if not 0 < yen <= 300_000:  # noqa: PLR2004 - what a store takes
        return ""
    digits = f"91{issuer}{year}{notice_no}{instalment:02}00000{due_on:%y%m%d}0{yen:06}"
    return f"{digits}{-sum(int(one) * (3 - 2 * (at % 2)) for at, one in enumerate(reversed(digits))) % 10}"


def _as_csv(printed: Any) -> Iterator[bytes]:
    from notice_cycle.composition import windows31j

    for start in range(0, len(printed), _ROWS_AT_A_TIME):
        part = printed[start : start + _ROWS_AT_A_TIME]
        yield windows31j.encode(
            part.to_csv(index=False, header=start == 0, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        )


def _trailer(frame: Any, case: Case) -> bytes:
    columns = case.configuration.layout.columns
    totals = {total.item for total in case.configuration.notice.totals}
    told = ["8", len(frame), frame.envelope_no.max(), len(frame)]
    told += [frame[column.item].sum() for column in columns if column.item in totals]
    return (
        ",".join(f'"{one}"' for one in [*told, *[""] * (len(columns) - len(told))]).encode("ascii") + b"\r\n"
    )


def main(folder: str) -> None:
    """Runs the whole pipeline, leaves verdicts and digest, and prints what each part took."""

    def work(watch: Stopwatch) -> None:
        with_object_columns()
        case = Case.load(folder)
        with watch.lap("configuration"):
            _ = case.configuration
        with watch.lap("extract"):
            frame = extract(case)
            differences = read(case, "difference")
        with watch.lap("validate"):
            case.tell("naive_verdicts.json", validate(case, frame))
        with watch.lap("compose"):
            path = compose(case, frame, differences)
        with watch.lap("encrypt"):
            case.tell("naive_digest.json", encrypt(path))

    run_measured(_MODULES, work)


if __name__ == "__main__":
    main(*sys.argv[1:])
