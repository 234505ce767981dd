"""Changing the register: what a form asks for one kind of entry, and how its answer becomes a fact.

Nothing is edited: an entry is added, amended from a day on, or ended with a day, with a reason code and the number
of the paper it rests on. What the clauses rule out cannot be entered at all: a fourth tier, a bidder as
subcontractor, a consent where the contract knows no subcontracting.
"""

import re
import types
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, Union, cast, get_args, get_origin

from pydantic import Field, ValidationError

from notice_cycle.errors import Refused
from notice_cycle.register.facts import RegisterChanged
from notice_cycle.register.folded import Register
from notice_cycle.register.kinds import (
    KINDS,
    PARTY_PATTERN,
    BidderEntry,
    ConsentEntry,
    Content,
    ContractEntry,
    DeputyEntry,
    FirmEntry,
    OfficerEntry,
    SubcontractEntry,
)
from notice_cycle.values import Frozen, Person

ACTIONS_JA = {"add": "追加", "amend": "変更", "end": "終了"}
REASONS_JA = {
    "new": "新規の届出・契約",
    "renewed": "更新",
    "changed": "届出の変更",
    "ended": "終了・取消し",
    "corrected": "登録の誤りの訂正",
}
"""Reason codes of a change; a reason is a code so that no one types a name."""

KEY_PATTERN = r"^[a-z0-9][a-z0-9_-]{2,59}$"
FILED_PATTERN = r"^[0-9]{1,4}[ァ-ヶー一-鿿]{1,8}第[0-9]{1,6}号$"
"""The number of a paper file, e.g. 26介保第12号."""

YES, NO = "はい", "いいえ"
_KNOWN_TIERS = {"甲", "乙", "丙"}


class Blank(Frozen):
    """One thing to fill in of an entry: a line, several lines, a choice or a date (YYYY-MM-DD)."""

    key: str
    title_ja: str
    help_ja: str
    choices: tuple[str, ...] = ()
    lines: bool = False
    day: bool = False
    required: bool = True


class Asked(Frozen):
    """What a form gives, all as text: which entry, what to do with it, from when to when, and why."""

    entry_kind: str
    key: str
    action: str
    valid_from: str = ""
    valid_until: str = ""
    reason_code: str = ""
    filed_as: str = ""
    content: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of_params(cls, entry_kind: str, params: Mapping[str, str]) -> "Asked":
        """From the flat answers of a form: what is not of the entry is of its content."""
        own = set(cls.model_fields) - {"entry_kind", "content"}
        return cls(
            entry_kind=entry_kind,
            content={name: text for name, text in params.items() if name not in own},
            **{name: text.strip() for name, text in params.items() if name in own},
        )


def blanks(kind: type[Content]) -> tuple[Blank, ...]:
    """What a form for one kind asks, read from the fields of its model."""
    return tuple(
        Blank(
            key=name,
            title_ja=str(field.title),
            help_ja=field.description or "",
            choices=_choices(field.annotation),
            lines=get_origin(field.annotation) is tuple,
            day=date in (field.annotation, *get_args(field.annotation)),
            required=field.is_required(),
        )
        for name, field in kind.model_fields.items()
    )


def change(register: Register, asked: Asked, *, by: Person, at: datetime) -> RegisterChanged:
    """The fact to enter. Raises Refused naming what to put right, in the words of the form."""
    kind = KINDS.get(asked.entry_kind)
    if kind is None or asked.action not in ACTIONS_JA or asked.reason_code not in REASONS_JA:
        raise Refused(
            "登録簿の種類・処理・理由のいずれかが、登録されたものではありません。",
            advice="書式の一覧から選んでください。",
        )
    stands = bool(register.of_key(kind.kind, asked.key))
    if asked.action == "add" and stands:
        raise Refused(
            f"{kind.label_ja}の {asked.key} は、すでに登録されています。",
            advice="直すときは処理に「変更」を選び、別のものなら別の登録番号にしてください。",
        )
    if asked.action != "add" and not stands:
        raise Refused(
            f"{kind.label_ja}の {asked.key} は、登録されていません。",
            advice="登録番号を確かめるか、処理に「追加」を選んでください。",
        )
    if kind is FirmEntry and not re.fullmatch(PARTY_PATTERN, asked.key):
        raise Refused(
            "事業者の登録番号は、英小文字で始まる英小文字・数字・下線（3〜50字）にしてください。",
            advice="通知書の設定の party と同じ番号を入れてください（例 example_print）。",
        )
    is_end = asked.action == "end"
    first = None if is_end else _day(asked.valid_from, "有効期間の初日")
    last = _day(asked.valid_until, "有効期間の末日") if asked.valid_until or is_end else None
    if first and last and last < first:
        raise Refused("有効期間の末日が初日より前です。", advice="二つの日付を確かめてください。")
    content = None if is_end else parsed(kind, asked.content)
    if content is not None:
        _refuse_what_clauses_rule_out(register, content, cast(date, first))
    if isinstance(content, OfficerEntry | DeputyEntry) and content.user_id == by.user_id:
        raise Refused(
            "自分の役割を自分で登録することはできません。",
            advice="ほかの職員がログインして登録してください。",
        )
    if isinstance(content, DeputyEntry):
        _refuse_an_endless_deputy(content, last)
    return RegisterChanged(
        entry_kind=kind.kind,
        key=asked.key,
        action=cast(Any, asked.action),
        valid_from=first,
        valid_until=last,
        content=content.model_dump(mode="json") if content else {},
        reason_code=asked.reason_code,
        filed_as=asked.filed_as,
        entered_by=by,
        entered_at=at,
    )


def standing(facts: Sequence[RegisterChanged], asked: Asked, by: Person) -> int | None:
    """Where among `facts` the last change of the same entry stands, when the same person said the same by it.

    A task that runs twice so enters nothing twice.
    """
    same = [
        place for place, one in enumerate(facts) if (one.entry_kind, one.key) == (asked.entry_kind, asked.key)
    ]
    return same[-1] if same and _says(facts[same[-1]], asked, by) else None


def _says(fact: RegisterChanged, asked: Asked, by: Person) -> bool:
    def day(text: str) -> str:
        return text.strip().replace("/", "-")

    is_end = fact.action == "end"
    try:
        content = {} if is_end else parsed(KINDS[asked.entry_kind], asked.content).model_dump(mode="json")
    except Refused:
        return False
    return (fact.action, fact.reason_code, fact.filed_as, fact.content, fact.entered_by) == (
        asked.action, asked.reason_code, asked.filed_as, content, by
    ) and (
        str(fact.valid_until or "") == day(asked.valid_until)
        and (is_end or str(fact.valid_from) == day(asked.valid_from))
    )  # fmt: skip


def parsed(kind: type[Content], answers: Mapping[str, str]) -> Content:
    """A form's answers as content. Raises Refused naming the first field that is wrong by its Japanese title."""
    if kind is FirmEntry and answers.get("tier", "").strip() not in {"", *_KNOWN_TIERS}:
        raise _fourth_tier()
    values: dict[str, Any] = {}
    for blank in blanks(kind):
        text = str(answers.get(blank.key) or "").strip()
        if blank.lines:
            values[blank.key] = tuple(line.strip() for line in text.splitlines() if line.strip())
        elif text or blank.required:
            values[blank.key] = {YES: True, NO: False}.get(text, text) if blank.choices else text
    try:
        return kind.model_validate(values, strict=False)
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        title = kind.model_fields[name].title if name in kind.model_fields else name
        raise Refused(
            f"登録簿の「{title}」が正しくありません（{_why(first)}）。", advice="入力し直してください。"
        ) from None


def _why(mistake: Any) -> str:
    match mistake["type"]:
        case "value_error":
            return str(mistake["ctx"]["error"])
        case "string_too_short" | "too_short" | "missing":
            return "入力されていません"
        case "literal_error" | "bool_parsing" | "bool_type":
            return "選択肢にありません"
        case "date_from_datetime_parsing" | "date_parsing":
            return "2026-07-01 の形の日付にしてください"
        case _:
            return "形が違います。説明の例のとおりにしてください"


def _refuse_what_clauses_rule_out(register: Register, content: Content, day: date) -> None:
    for field in ("party", "contractor", "subcontractor"):
        named = getattr(content, field, None)
        if named and register.firm(named, day) is None:
            raise Refused(
                f"事業者 {named} は、その日の登録簿にありません。",
                advice="先に「事業者」の書式で登録するか、登録番号と日付を確かめてください。",
            )
    if isinstance(content, ContractEntry):
        _refuse_tier(register, content.party, "乙", day)
    if isinstance(content, SubcontractEntry | ConsentEntry):
        # 別紙2 第11項: no proviso; what 丙 would hand on has no place in the register.
        _refuse_tier(register, content.contractor, "乙", day)
        _refuse_tier(register, content.subcontractor, "丙", day)
    if isinstance(content, ConsentEntry):
        _refuse_consent(register, content, day)


def _refuse_an_endless_deputy(content: DeputyEntry, last: date | None) -> None:
    if last is None:
        raise Refused(
            "代理には、有効期間の末日が要ります。",
            advice="本人が戻る日の前日を入れてください。延ばすときは「変更」で登録し直せます。",
        )
    if content.user_id == content.instead_of:
        raise Refused(
            "本人を本人の代理にはできません。", advice="代理をする職員のログイン名を確かめてください。"
        )


def _refuse_tier(register: Register, party: str, wanted: Literal["乙", "丙"], day: date) -> None:
    firm = cast(FirmEntry, register.firm(party, day))
    if firm.tier == wanted:
        return
    if firm.tier == "丙":
        raise _fourth_tier()
    raise Refused(
        f"{firm.name_ja}の立場は{firm.tier}です（ここには{wanted}が要ります）。",
        advice="事業者の登録番号を確かめてください。",
    )


def _refuse_consent(register: Register, consent: ConsentEntry, day: date) -> None:
    for notice in consent.notices:
        if any(
            held.content.no_subcontract for held in register.contracts_for(notice, consent.contractor, day)
        ):
            raise Refused(
                f"{notice} の契約は、再委託をしない契約です（R61）。",
                advice="再委託を認めるなら、先に契約の変更を登録してください。",
            )
    if job := bid_for(register, consent.contractor, consent.subcontractor, day):
        raise Refused(
            f"{register.name_of(consent.subcontractor)}は「{job}」の入札参加者です。再委託先にはできません（R59）。",
            advice="委託先に、入札に参加していない再委託先を求めてください。",
        )


def bid_for(register: Register, contractor: str, subcontractor: str, day: date) -> str | None:
    """The job of the contractor's contracts that the subcontractor had bid for, by corporate number or name."""
    firm = register.firm(subcontractor, day)
    jobs = {
        held.content.job for held in register.held(ContractEntry, day) if held.content.party == contractor
    }
    return next(
        (
            held.content.job
            for held in register.ever(BidderEntry)
            if firm
            and held.content.job in jobs
            and (
                held.content.corporate_number == firm.corporate_number or held.content.name_ja == firm.name_ja
            )
        ),
        None,
    )


def _fourth_tier() -> Refused:
    return Refused(
        "再委託先（丙）から先への委託は登録できません。甲・乙・丙の先に、第四の階層はありません（別紙2 第11項、R94）。",
        advice="登録せず、委託の実態を委託先に確かめ、あれば事故（特記事項の違反）として受け付けてください。",
    )


def _day(text: str, title: str) -> date:
    try:
        return date.fromisoformat(text.strip().replace("/", "-"))
    except ValueError:
        raise Refused(
            f"「{title}」が日付として読めません。", advice="2026-07-01 のように入力してください。"
        ) from None


def _choices(annotation: Any) -> tuple[str, ...]:
    if annotation is bool:
        return (YES, NO)
    if get_origin(annotation) is Literal:
        return tuple(str(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return next((found for part in get_args(annotation) if (found := _choices(part))), ())
    return ()
