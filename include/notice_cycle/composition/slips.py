"""The columns of a notice's payment slips, and the proof that every barcode belongs to the row it stands in.

A barcode is made from what the collection system 収納 holds (slip_07 …, payment_no) and compared, digit by digit,
with what the row prints (instalment_07 …, notice_no, due date). One that differs, is missing or is too much stops
composition: nobody may hold another person's slip. Whoever pays by account gets none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.composition.columns import Digits, notice_digits, whole_numbers
from notice_cycle.composition.payment_barcode import (
    Numbers,
    due_dates,
    is_payable,
    payment_barcodes,
    payment_numbers,
    read_payment_barcodes,
)
from notice_cycle.composition.rules import ORDINARY_MONTHS, Slips
from notice_cycle.errors import Conflict, NotConfigured
from notice_cycle.values import Item

ALL_TOGETHER = 99
"""In the place of an instalment's number: a slip over several of them."""

Columns = Mapping[Item, Any]


@dataclass(frozen=True)
class _Slip:
    """One slip of each row: the items it is made from and compared with, and what it is for."""

    ending: str
    collected: Item
    printed: Item
    due_on: date | Item
    levied_year: int | Item
    instalment: int | Item


class SlipColumns:
    """Makes and proves the barcodes of a notice, some rows at a time."""

    def __init__(
        self, slips: Slips, items: Iterable[Item], *, due_on: tuple[date, ...], fiscal_year: int
    ) -> None:
        """`items`: those that were extracted. `due_on`: the due date of each ordinary instalment."""
        self._rules, self._items = slips, frozenset(items)
        if slips.amount:
            single = slips.levied_year or fiscal_year, slips.instalment or ALL_TOGETHER
            self._slips = [_Slip("", slips.amount, slips.amount, slips.due_on, *single)]
        else:
            self._slips = [
                _Slip(f"_{month:02}", self._known(f"slip_{month:02}", f"instalment_{month:02}"), f"instalment_{month:02}",
                      due, fiscal_year, number)
                for number, (month, due) in enumerate(zip(ORDINARY_MONTHS, due_on, strict=True), 1)
            ]  # fmt: skip
        if missing := sorted(self.needed - self._items):
            raise NotConfigured(
                f"納付書に要る項目 {'、'.join(missing)} が、通知書の items にありません。",
                advice="notices の slips と items を照合してください。",
            )

    @property
    def needed(self) -> frozenset[Item]:
        """The items that the slips are made from, printed or not."""
        named = {"notice_no", *({"payment_no", "payment_means"} & self._items)}
        if self._rules.collector_no:
            named.add("confirmation_no")
        for slip in self._slips:
            named |= {slip.collected, slip.printed}
            named |= {
                item for item in (slip.due_on, slip.levied_year, slip.instalment) if isinstance(item, str)
            }
        return frozenset(named)

    def made(self, rows: Columns) -> dict[Item, pa.Array]:
        """The slips' columns for these rows: `barcode…`, and for Pay-easy `elqr_…`."""
        pays_by_slip = self._pays_by_slip(rows)
        numbers = notice_digits(rows["payment_no" if "payment_no" in self._items else "notice_no"])
        found: dict[Item, pa.Array] = {}
        for slip in self._slips:
            yen = pc.if_else(pays_by_slip, rows[slip.collected], 0)
            found[f"barcode{slip.ending}"] = payment_barcodes(
                self._rules.issuer,
                _numbers(rows, slip.levied_year),
                numbers,
                _numbers(rows, slip.instalment),
                _days(rows, slip.due_on),
                yen,
                reissue=self._rules.reissue,
            )
            found |= self._pay_easy(rows, slip, numbers)
        return found

    def refuse_slipped(self, rows: Columns) -> None:
        """Raises Conflict unless every barcode in `rows` says what its own row prints. Reads the columns as printed."""
        pays_by_slip = np.asarray(self._pays_by_slip(rows))
        notice_no = whole_numbers(notice_digits(rows["notice_no"]))
        wrong = np.zeros(len(notice_no), dtype=bool)
        for slip in self._slips:
            texts = rows[f"barcode{slip.ending}"]
            said, printed = read_payment_barcodes(texts), rows[slip.printed].cast(pa.int64()).to_numpy()
            due = is_payable(printed) & pays_by_slip
            right = (
                said.ok
                & (said.amount_yen == printed)
                & (said.notice_no == notice_no)
                & (said.due_on == due_dates(_days(rows, slip.due_on)))
                & (said.fiscal_year == _numbers(rows, slip.levied_year))
                & (said.instalment == _numbers(rows, slip.instalment))
                & (said.issuer == int(self._rules.issuer))
            )
            is_empty = pc.equal(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
            wrong |= np.where(due, ~right, ~is_empty)
        if wrong.any():
            raise Conflict(
                f"バーコードの内容が、同じ行に印字する通知書番号・金額・納期限と一致しません（{int(wrong.sum())}件）。",
                advice="収納の金額と期別額を担当課で照合してください。一致しているときは、印刷せずに情報システム課に連絡してください。",
            )

    def _pay_easy(self, rows: Columns, slip: _Slip, numbers: Digits) -> dict[Item, pa.Array]:
        if not (self._rules.collector_no and self._rules.payment_class):
            return {}
        fields = payment_numbers(
            self._rules.collector_no,
            self._rules.payment_class,
            numbers,
            _numbers(rows, slip.instalment),
            rows["confirmation_no"],
        )
        return {
            f"elqr_{name}{slip.ending if name == 'payment_no' else ''}": column
            for name, column in fields.items()
        }

    def _pays_by_slip(self, rows: Columns) -> pa.Array:
        if "payment_means" not in self._items:
            return pa.array(np.ones(len(rows["notice_no"]), dtype=bool))
        return pc.fill_null(pc.equal(rows["payment_means"].cast(pa.binary()), b"slip"), False)

    def _known(self, first: Item, otherwise: Item) -> Item:
        return first if first in self._items else otherwise


def _numbers(rows: Columns, number: int | Item) -> int | Numbers:
    return number if isinstance(number, int) else rows[number].cast(pa.int64()).to_numpy()


def _days(rows: Columns, day: date | Item) -> Any:
    return day if isinstance(day, date) else rows[day]
