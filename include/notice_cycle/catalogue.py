"""The catalogue of notices, the parties and the layouts: data in include/config, checked when read.

One file per notice, named by its id, so that a mistake in one entry never hides another: the ids are the
file names. `resolve` gathers everything a cycle runs by; the opening stage stores it in the ledger and
later stages read it there, never here. A mistake names file, key and remedy.
"""

from calendar import monthrange
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self, cast

import yaml
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.composition.rules import GaijiTable, Layout, PostalRules, Slips, made_items
from notice_cycle.encryption.formats import PackageTerms
from notice_cycle.erasure.methods import ErasureMethods
from notice_cycle.errors import NotConfigured, NoticeCycleError
from notice_cycle.premiums import FIRST_MONTH_OF_FISCAL_YEAR, PremiumTable, load_premiums
from notice_cycle.records import Route
from notice_cycle.validation.registry import refuse_unfit
from notice_cycle.values import Frozen, Item, NoticeId, canonical, sha256

FORBIDDEN_ITEMS = frozenset(
    # 個人番号 is never given; 別紙1 第5項 forbids the four categories (思想・信条及び宗教, 社会的差別の原因, 犯罪, その他).
    {"individual_no", "individual_number", "my_number", "bank_account", "account_number", "creed", "religion", "social_origin",
     "criminal_record", "medical_remark"}
)  # fmt: skip

Severity = Literal["error", "warning"]
ColumnType = Literal["text", "integer", "date", "flag"]


class YearlyStart(Frozen):
    """When the annual run starts by itself: the first business day of a month, at an hour in Tokyo.

    `batch`: the core system's batch number, with `{year}` for the fiscal year.
    """

    month: int = Field(ge=1, le=12)
    hour: int = Field(ge=0, le=23)
    batch: str = "{year}-annual"


class SqlSource(Frozen):
    """The core system's database: a schema with one view a notice and the control totals beside it."""

    kind: Literal["sql"]
    connection: str
    schema_name: str = Field(pattern=r"^[a-z_]+$")


class DropColumn(Frozen):
    """One column as the host writes it. `bytes`: its width, of fixed length only."""

    item: Item
    type: ColumnType
    bytes: int | None = Field(default=None, ge=1)


class FileDrop(Frozen):
    """Where and how the host drops a notice's files. `folder` lies below the deployment's drop root."""

    kind: Literal["file_drop"]
    folder: str = Field(pattern=r"^[a-z0-9_]+$")
    format: Literal["csv-cp932", "csv-utf8", "fixed-cp932"]
    columns: tuple[DropColumn, ...] = Field(min_length=1)
    max_age_hours: int = Field(ge=1, le=366 * 24)

    @model_validator(mode="after")
    def _columns_fit_the_format(self) -> Self:
        if len({column.item for column in self.columns}) != len(self.columns):
            raise ValueError("columns に同じ項目が重複しています")
        if any((column.bytes is not None) != self.is_fixed_length for column in self.columns):
            raise ValueError("bytes は、固定長ならすべての列に書き、CSV なら書かないでください")
        return self

    @property
    def is_fixed_length(self) -> bool:
        """Records of so many bytes instead of separated fields."""
        return self.format == "fixed-cp932"


class Total(Frozen):
    """An amount whose sum is kept equal from the core system to the contractor's count."""

    item: Item
    label_ja: str


class Variants(Frozen):
    """The item by which the contractor chooses the form, and how each of its values reads."""

    item: Item
    values: dict[str, str] = Field(min_length=1)


class ExpectedQuantities(Frozen):
    """What a section expects of the notice's usual run: the yearly one where no last year stands in the ledger."""

    notices: int = Field(ge=1)
    envelopes: int = Field(ge=1)
    sheets: int = Field(ge=1)


class Notice(Frozen):
    """One entry of the catalogue. `items` is the whitelist of what may be extracted, in order.

    `subject` is the item that says whom a notice is for. Within a `decision_group` nobody gets two decisions.
    `distributions` are counted for the section's report, this year beside last year.
    """

    id: NoticeId
    name_ja: str
    section: str
    registered_work: str
    starts: YearlyStart | None = None
    trigger_ja: str = ""
    expected: ExpectedQuantities | None = None
    source: SqlSource | FileDrop = Field(discriminator="kind")
    subject: Item = "insured_no"
    items: tuple[Item, ...]
    totals: tuple[Total, ...] = ()
    distributions: tuple[Item, ...] = ()
    decision_group: str | None = None
    variants: Variants | None = None
    slips: Slips | None = None
    layout: str
    expectations: str
    party: str
    route: Route

    @model_validator(mode="after")
    def _items_may_be_given(self) -> Self:
        if forbidden := sorted(FORBIDDEN_ITEMS.intersection(self.items)):
            raise ValueError(
                f"提供を禁じられた項目 {', '.join(forbidden)} が含まれています。items から外してください"
            )
        if len(set(self.items)) != len(self.items):
            raise ValueError("items に同じ項目が重複しています")
        named = {self.subject, *(total.item for total in self.totals), *self.distributions}
        if self.variants:
            named.add(self.variants.item)
        if unknown := sorted(named - set(self.items)):
            raise ValueError(
                f"subject・totals・distributions・variants に、items に無い項目 {', '.join(unknown)} があります"
            )
        if self.starts is None and not self.trigger_ja:
            raise ValueError("starts（自動で始める時期）か trigger_ja（いつ人が始めるか）を書いてください")
        return self


class Expectation(Frozen):
    """One rule of a suite: a named check with its arguments, what it means, and how many rows may break it.

    `tolerance_percent` is of the rows looked at; it stands instead of `tolerance`.
    """

    rule: str
    sentence_ja: str
    severity: Severity
    requirement: str
    check: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    tolerance: int = Field(default=0, ge=0)
    tolerance_percent: int | None = Field(default=None, ge=0, le=100)

    @field_validator("arguments")
    @classmethod
    def _arguments_can_be_kept(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            canonical(arguments)
        except (TypeError, ValueError):  # the opening keeps the configuration as canonical JSON
            raise ValueError("整数・文字列・真偽だけが使えます。小数や日付は使えません") from None
        return arguments


class Suite(Frozen):
    """The rules of one suite; a rule is told by its id, so no id stands twice."""

    expectations: tuple[Expectation, ...] = Field(min_length=1)

    @field_validator("expectations")
    @classmethod
    def _each_rule_once(cls, expectations: tuple[Expectation, ...]) -> tuple[Expectation, ...]:
        rules = [one.rule for one in expectations]
        if twice := sorted({rule for rule in rules if rules.count(rule) > 1}):
            raise ValueError(f"規則 {', '.join(twice)} が重複しています。別の規則IDにしてください")
        return expectations


class DigestFiles(Frozen):
    """Where the contract forbids the ward to read back: the contractor's digest files, and how long we wait for one."""

    named: str = Field(pattern=r"^\{name\}[A-Za-z0-9._-]+$")
    wait_seconds: int = Field(default=600, ge=1, le=7200)


class Party(Frozen):
    """A contractor: how it is reached, under which name it signs, and how the contract says it gets its data.

    `print_reasons`: which print jobs need a reason (R44): what goes beyond the plan (`per_item`), or every job of two
    sheets and more (`literal`). `pullout_until`: up to when, on a day in Tokyo, it is asked to pull letters out.
    """

    id: str
    name_ja: str
    tier: Literal["乙", "丙"]
    connection: str
    host: str
    port: int
    signer: str
    mail: str
    package: PackageTerms
    digest_files: DigestFiles | None = None
    print_reasons: Literal["per_item", "literal"] = "per_item"
    pullout_until: str = Field(default="18:00", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")


class Subcontractor(Frozen):
    """A firm that works for a contractor with the ward's consent (the register knows it): under which name it signs.

    `id`: its number in the register. What comes from it is put down as `<signer>.<kind>.json`.
    """

    id: str
    name_ja: str
    tier: Literal["丙"]
    contractor: str
    signer: str = Field(pattern=r"^[a-z][a-z0-9_]{2,49}$")
    mail: str


class MailAddresses(Frozen):
    """Whom to write to, by role."""

    section: str
    approver: str
    operator: str


class PasswordGap(Frozen):
    """How many minutes after the data a passphrase may be handed over, by route: after the disc, else after the receipt."""

    lgwan: int = Field(default=0, ge=0)
    manual: int = Field(default=0, ge=0)
    dvd: int = Field(default=120, ge=0)


class Parties(Frozen):
    """parties.yaml. A party is parsed only for the notice that names it: a mistake in one hides no other."""

    ward: str
    insured_number_rule: Literal["none", "modulus10", "modulus11"] = "modulus10"
    mail: MailAddresses
    password_gap_minutes: PasswordGap = PasswordGap()
    parties: dict[str, dict[str, Any]]
    subcontractors: dict[str, dict[str, Any]] = Field(default_factory=dict)


OTHERS = "その他"
"""The values of few persons, counted together."""


class ItemLabel(Frozen):
    """How an item and its values read on pages: `values` one by one, or all of them by the pattern `value_ja`."""

    label_ja: str
    values: dict[str, str] = Field(default_factory=dict)
    value_ja: str = "{}"

    def of(self, value: str) -> str:
        """A value as an officer reads it. What is no value of its own (その他) stays as it is."""
        if value == OTHERS:
            return value
        return self.values.get(value) or self.value_ja.format(value)

    @staticmethod
    def place(value: str) -> tuple[bool, int, str]:
        """Where a value stands among the others of its item: numbers as numbers, その他 last."""
        return (value == OTHERS, int(value) if value.isdecimal() else 10**9, value)


class Configuration(Frozen):
    """Everything a cycle runs by, as it was when the cycle opened."""

    ward: str
    notice: Notice
    labels: dict[Item, ItemLabel]
    layout: Layout
    postal: PostalRules
    gaiji: GaijiTable
    expectations: tuple[Expectation, ...]
    premiums: PremiumTable
    due_on: tuple[date, ...]
    insured_number_rule: Literal["none", "modulus10", "modulus11"]
    party: Party
    subcontractors: tuple[Subcontractor, ...] = ()
    mail: MailAddresses
    password_gap_minutes: PasswordGap = PasswordGap()
    erasure: ErasureMethods = ErasureMethods()

    def heading_of(self, item: str) -> str:
        """Under which heading the print file has an item; `resolve` sees to it that subject and totals have one."""
        return next(column.heading_ja for column in self.layout.columns if column.item == item)

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the whole."""
        return sha256(canonical(self.model_dump(mode="json")))


def notice_ids(config: Path) -> list[str]:
    """The ids of all notices, by file name, without opening a file."""
    return sorted(path.stem for path in (config / "notices").glob("*.yaml"))


def load_notice(config: Path, notice: str) -> Notice:
    """One catalogue entry. Raises NotConfigured naming file, key and remedy."""
    path = config / "notices" / f"{notice}.yaml"
    return cast(Notice, _parsed(path, Notice, _named(notice, path)))


def resolve(config: Path, notice_id: str, fiscal_year: int) -> Configuration:
    """A notice with all it needs in a fiscal year. Raises NotConfigured naming file, key and remedy."""
    notice = load_notice(config, notice_id)
    layout_path = config / "layouts" / f"{notice.layout}.yaml"
    layout = _parsed(layout_path, Layout, _named(notice.layout, layout_path))
    if unknown := sorted(
        {column.item for column in layout.columns} - set(notice.items) - made_items(notice.slips)
    ):
        raise NotConfigured(
            f"{layout_path.name}: columns に、notices/{notice.id}.yaml の items に無い項目 {', '.join(unknown)} があります。",
            advice="items に加える（担当課の承認が要ります）か、columns から外してください。",
        )
    told = {notice.subject, *(total.item for total in notice.totals)}
    if unprinted := sorted(told - {column.item for column in layout.columns}):
        raise NotConfigured(
            f"{layout_path.name}: columns に、notices/{notice.id}.yaml の subject・totals の項目 {', '.join(unprinted)} がありません。",
            advice="委託先が件数と金額を数えられるよう columns に加えるか、subject・totals から外してください。",
        )
    suite_path = config / "expectations" / f"{notice.expectations}.yaml"
    parties_path = config / "parties.yaml"
    known = cast(Parties, _parsed(parties_path, Parties, _parties(parties_path, notice.party)))
    if notice.party not in known.parties:
        raise NotConfigured(
            f"parties.yaml: parties に {notice.party} がありません（notices/{notice.id}.yaml の party）。",
            advice="委託先を parties.yaml に登録するか、party を直してください。",
        )
    premiums = load_premiums(config / "premiums", fiscal_year)
    return Configuration(
        ward=known.ward,
        notice=notice,
        labels=_labels(config / "items.yaml", notice),
        layout=layout,
        postal=_parsed(config / "postal.yaml", PostalRules, _mapping(config / "postal.yaml")),
        gaiji=_gaiji(config / "gaiji" / f"{notice.party}.yaml"),
        expectations=_suite(suite_path, notice),
        premiums=premiums,
        due_on=_due_dates(premiums, BusinessCalendar.from_file(config / "calendar.yaml")),
        insured_number_rule=known.insured_number_rule,
        party=_parsed(
            parties_path,
            Party,
            {"id": notice.party, **known.parties[notice.party]},
            within=f"parties.{notice.party}.",
        ),
        subcontractors=tuple(
            _parsed(parties_path, Subcontractor, {"id": name, **written}, within=f"subcontractors.{name}.")
            for name, written in known.subcontractors.items()
        ),
        mail=known.mail,
        password_gap_minutes=known.password_gap_minutes,
        erasure=_parsed(config / "erasure.yaml", ErasureMethods, _mapping(config / "erasure.yaml")),
    )


def _suite(path: Path, notice: Notice) -> tuple[Expectation, ...]:
    suite = cast(Suite, _parsed(path, Suite, _mapping(path)))
    refuse_unfit(suite.expectations, notice.items, path.name)
    return suite.expectations


def _gaiji(path: Path) -> GaijiTable:
    """What was agreed with a contractor about 外字; nothing when there is no file."""
    return cast(GaijiTable, _parsed(path, GaijiTable, _mapping(path))) if path.exists() else GaijiTable()


def _labels(path: Path, notice: Notice) -> dict[str, ItemLabel]:
    known = _mapping(path)
    if unnamed := [item for item in notice.items if item not in known]:
        raise NotConfigured(
            f"items.yaml: notices/{notice.id}.yaml の項目 {', '.join(unnamed)} の呼び名がありません。",
            advice="items.yaml に label_ja を書き加えてください。",
        )
    return {item: _parsed(path, ItemLabel, known[item], within=f"{item}.") for item in notice.items}


def _due_dates(premiums: PremiumTable, calendar: BusinessCalendar) -> tuple[date, ...]:
    """The due date of each ordinary instalment: the month's end, or the next business day."""
    year = premiums.fiscal_year
    ends = (
        _month_end(year if month >= FIRST_MONTH_OF_FISCAL_YEAR else year + 1, month)
        for month in premiums.ordinary_months
    )
    return tuple(calendar.next_business_day(end) for end in ends)


def _month_end(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])


def mistakes(config: Path, fiscal_year: int) -> list[str]:
    """One sentence for each notice that cannot be resolved; empty when the catalogue is sound."""
    found = []
    for notice in notice_ids(config):
        try:
            resolve(config, notice, fiscal_year)
        except NoticeCycleError as mistake:
            found.append(str(mistake))
    return found


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe, and a key that stands twice is a mistake instead of the last one winning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
        return cast(dict[Any, Any], super().construct_mapping(node, deep=deep))


def _mapping(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        raise NotConfigured(
            f"設定ファイル {path.parent.name}/{path.name} がありません。",
            advice="ファイル名と参照元を確認してください。",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as broken:
        where = getattr(broken, "problem_mark", None)
        raise NotConfigured(
            f"{path.parent.name}/{path.name}: YAML として読めません"
            + (f"（{where.line + 1}行目付近）。" if where else "。"),
            advice="字下げ、コロンの後の空白、引用符、同じキーの重複を確認してください。",
        ) from None
    if not isinstance(loaded, dict):
        raise NotConfigured(
            f"{path.parent.name}/{path.name}: 「キー: 値」の形ではありません。",
            advice="見本の項目名を確認してください。",
        )
    return loaded


def _named(name: str, path: Path) -> dict[str, Any]:
    """A file's content with its id, which is its name; refuses an id written inside."""
    content = _mapping(path)
    if "id" in content:
        raise NotConfigured(
            f"{path.parent.name}/{path.name}: キー id は書けません（ファイル名が ID です）。",
            advice="id の行を消してください。",
        )
    return {"id": name, **content}


def _parties(path: Path, wanted: str) -> dict[str, Any]:
    """parties.yaml with no other party than the wanted one and those that work for it."""
    content = _mapping(path)
    if isinstance(listed := content.get("parties"), dict):
        content["parties"] = {name: party for name, party in listed.items() if name == wanted}
    if isinstance(below := content.get("subcontractors"), dict):
        content["subcontractors"] = {
            name: party
            for name, party in below.items()
            if not isinstance(party, dict) or party.get("contractor") == wanted
        }
    return content


def _parsed(path: Path, kind: Any, value: Any, *, within: str = "") -> Any:
    try:
        return TypeAdapter(kind).validate_python(value, strict=False)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = within + ".".join(str(part) for part in first["loc"]) or "（全体）"
        raise NotConfigured(
            f"{path.parent.name}/{path.name}: キー {key} が正しくありません（{_remedy(first)}）。",
            advice=f"{path.name} の {key} を直してください。ほかの通知書には影響しません。",
        ) from None


def _remedy(mistake: Any) -> str:
    context = mistake.get("ctx", {})
    match mistake["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"{str(context['expected']).replace(' or ', ' か ')} のいずれかにしてください"
        case "greater_than_equal":
            return f"{context['ge']} 以上にしてください"
        case "less_than_equal":
            return f"{context['le']} 以下にしてください"
        case kind:
            return _REMEDIES.get(kind, "値の形が正しくありません。見本の書き方を確認してください")


_REMEDIES = {
    "missing": "必須のキーがありません",
    "extra_forbidden": "知らないキーです。綴りを確認してください",
    "string_type": "文字列にしてください",
    "int_type": "整数にしてください",
    "int_parsing": "整数にしてください",
    "int_from_float": "整数にしてください",
    "string_pattern_mismatch": "使えない文字が含まれています",
    "union_tag_invalid": "kind は sql か file_drop にしてください",
    "union_tag_not_found": "kind（sql か file_drop）がありません",
    "tuple_type": "「- 」で始まる行の並びにしてください",
    "too_short": "一つも書かれていません",
}
