"""What the catalogue says of composition: layouts, slips, postal rules, 外字. Data models only, nothing heavy.

Refuses what could not be composed or could not be read back: columns whose widths do not fit the format, a
heading that stands twice, a trailer without the column that tells it apart, a 外字 without its counterpart.
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from notice_cycle.values import Frozen, Item

RECORD_KIND = "record_kind"
ORDINARY_MONTHS = (7, 8, 9, 10, 11, 12, 1, 2, 3)

EXCLUDED_JA = {"death": "死亡", "moved_out": "転出"}
"""Why the differential list leaves a person out, and how it reads."""

CHARSETS_JA = {"cp932-windows": "CP932（Windows の符号）", "utf-8": "UTF-8"}
"""The character sets of print files, and how they read."""

_MADE = frozenset(
    {RECORD_KIND, "data_kind", "cycle", "envelope_no", "sheet_no", "sheets_in_envelope", "lot_no", "position_in_lot",
     "postal_class", "postal_district", "customer_barcode"}
)  # fmt: skip

Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]+$")]
CodePoints = Annotated[str, StringConstraints(pattern=r"^U\+[0-9A-F]{4,6}( U\+[0-9A-F]{4,6})*$")]
"""Characters by their code points, as in `U+845B U+E0100`; more than one for a sequence (IVS, combining)."""


class Slips(Frozen):
    """The payment slips of a notice: one an instalment, or a single one over `amount` payable until `due_on`.

    `issuer`: 請求書発行企業コード. `levied_year` and `instalment` name the items of a single slip that say what it is
    for; without them it is the cycle's year and 99, all together. `collector_no` and `payment_class` are for Pay-easy.
    """

    issuer: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
    reissue: int = Field(default=0, ge=0, le=9)
    amount: Item | None = None
    due_on: Item = "pay_by_on"
    levied_year: Item | None = None
    instalment: Item | None = None
    collector_no: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")] | None = None
    payment_class: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}$")] | None = None

    @model_validator(mode="after")
    def _a_single_slip_has_an_amount(self) -> Self:
        if self.amount is None and (self.levied_year or self.instalment):
            raise ValueError("levied_year・instalment は、amount（納付書の額の項目）と共に書いてください")
        if (self.collector_no is None) != (self.payment_class is None):
            raise ValueError("collector_no と payment_class は、両方書くか、両方書かないでください")
        return self

    @property
    def endings(self) -> tuple[str, ...]:
        """What tells the columns of one slip from another's: `_07` … `_03`, or nothing for a single slip."""
        return ("",) if self.amount else tuple(f"_{month:02}" for month in ORDINARY_MONTHS)

    @property
    def made(self) -> frozenset[str]:
        """The items of a print file that are made for these slips."""
        made = {f"barcode{ending}" for ending in self.endings}
        if self.collector_no:
            made |= {"elqr_collector_no", "elqr_payment_class", "elqr_confirmation_no"}
            made |= {f"elqr_payment_no{ending}" for ending in self.endings}
        return frozenset(made)


def made_items(slips: Slips | None) -> frozenset[str]:
    """The items of a print file that composition makes itself, for a notice with these slips or none."""
    return _MADE | (slips.made if slips else frozenset())


class LayoutColumn(Frozen):
    """One column of the print file: its heading and the item printed there; `bytes` for fixed length only."""

    heading_ja: str
    item: Item
    bytes: PositiveInt | None = None


class Layout(Frozen):
    """A version of a print file's columns, format and character set. A trailer wants `record_kind` as first column."""

    id: str
    format: Literal["csv", "fixed"] = "csv"
    charset: Literal["cp932-windows", "utf-8"]
    trailer: bool = False
    columns: tuple[LayoutColumn, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_written_and_read(self) -> Self:
        headings = [column.heading_ja for column in self.columns]
        if twice := sorted({heading for heading in headings if headings.count(heading) > 1}):
            raise ValueError(f"columns に同じ見出し {', '.join(twice)} が重複しています")
        if any((column.bytes is not None) != (self.format == "fixed") for column in self.columns):
            raise ValueError("bytes は、固定長ならすべての列に書き、CSV なら書かないでください")
        if self.format == "fixed" and self.charset != "cp932-windows":
            raise ValueError("固定長は charset: cp932-windows だけで使えます")
        if self.trailer and self.columns[0].item != RECORD_KIND:
            raise ValueError("trailer: true のときは、最初の列を record_kind（レコード区分）にしてください")
        return self


class PostalRules(Frozen):
    """postal.yaml, agreed with the post office. `own_postcodes`: the postcodes, or first digits, that it delivers to.

    `five_digit_districts`: first three digits of those 郵便区番号 that have five digits instead of three.
    """

    own_postcodes: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{3,7}$")], ...]
    own_min_pieces: PositiveInt = 100
    sorted_min_pieces: PositiveInt = 2_000
    lot_size: PositiveInt = 5_000
    five_digit_districts: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{3}$")], ...] = ()


class GaijiEntry(Frozen):
    """One agreement: these characters are printed as `text`, or as the glyph `gaiji` of the contractor's own font."""

    characters: CodePoints
    text: Annotated[str, StringConstraints(min_length=1)] | None = None
    gaiji: Annotated[str, StringConstraints(pattern=r"^U\+(E[0-9A-F]{3}|F[0-8][0-9A-F]{2})$")] | None = None
    agreed_on: date
    agreed_by_ja: str

    @model_validator(mode="after")
    def _has_one_counterpart(self) -> Self:
        if (self.text is None) == (self.gaiji is None):
            raise ValueError("text（代わりの文字）か gaiji（委託先の外字の番号）の一方だけを書いてください")
        return self

    @property
    def original(self) -> str:
        """The characters themselves."""
        return _characters(self.characters)

    @property
    def printed(self) -> str:
        """What stands in the print file instead."""
        return self.text or _characters(self.gaiji or "")


class GaijiTable(Frozen):
    """外字の取決め with one contractor (gaiji/<party>.yaml). What is not in it is never replaced."""

    entries: tuple[GaijiEntry, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        named = [entry.characters for entry in self.entries]
        if twice := sorted({one for one in named if named.count(one) > 1}):
            raise ValueError(f"{', '.join(twice)} が重複しています")
        return self


def _characters(code_points: str) -> str:
    return "".join(chr(int(point[2:], 16)) for point in code_points.split())
