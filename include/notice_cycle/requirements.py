"""The obligations R1 to R104 and how this product meets each: include/config/requirements.yaml, checked and shown.

The table tells what is there today; what is planned stands under `planned_evidence` with a reason. An obligation with
neither evidence nor a stated reason is a mistake, so is a gate or a kind of record that does not exist.
`python -m notice_cycle.requirements` writes docs/requirements.md anew.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from notice_cycle import copies  # noqa: F401 - its facts are evidence
from notice_cycle.catalogue import _mapping, _parsed
from notice_cycle.errors import NotConfigured
from notice_cycle.gates import JUDGED_STAGES, RULES
from notice_cycle.records import Fact, Record
from notice_cycle.register.kinds import KINDS
from notice_cycle.register.reminders import REMINDERS, TOLD_BY
from notice_cycle.stage import STAGES
from notice_cycle.values import Frozen

FILE = "requirements.yaml"
CONFIG = Path(__file__).parents[1] / "config"
DOCUMENT = Path(__file__).parents[2] / "docs" / "requirements.md"
NUMBERS = range(1, 105)

Means = Literal["automated", "gated", "recorded", "reminded", "attested", "outside"]
MEANS_JA: dict[Means, str] = {
    "automated": "自動",
    "gated": "関門",
    "recorded": "証跡",
    "reminded": "督促",
    "attested": "申告",
    "outside": "製品の外",
}


class Requirement(Frozen):
    """One obligation. `tags` are those of the council paper's analysis, `met_by` what is true of this product."""

    id: str
    phrase_ja: str
    tags: tuple[Literal["A", "G", "E", "R", "X"], ...]
    met_by: tuple[Means, ...]
    where: str
    gates: tuple[str, ...] = ()
    reminders: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    planned_evidence: tuple[str, ...] = ()
    note_ja: str = ""

    @model_validator(mode="after")
    def _means_what_it_says(self) -> Self:
        if not self.met_by:
            raise ValueError("met_by を一つ以上書いてください")
        for means, given in (("gated", self.gates), ("reminded", self.reminders)):
            if (means in self.met_by) != bool(given):
                raise ValueError(f"met_by の {means} と gates・reminders が合いません")
        if "recorded" in self.met_by and not (self.evidence or self.entries):
            raise ValueError("met_by に recorded があるのに evidence がありません")
        needs_reason = self.planned_evidence or {"attested", "outside"} & set(self.met_by)
        if not self.note_ja and (needs_reason or not self.evidence):
            raise ValueError("証跡がないか、予定・申告・製品の外のときは note_ja に理由を書いてください")
        if "G" in self.tags and not self.gates:
            raise ValueError("tags に G があるのに gates がありません")
        return self


def load_requirements(config: Path = CONFIG) -> list[Requirement]:
    """All of them in order. Raises NotConfigured naming the row and what is wrong."""
    path = config / FILE
    rows = _mapping(path)
    wanted = [f"R{number}" for number in NUMBERS]
    if list(rows) != wanted:
        odd = sorted(set(rows) ^ set(wanted)) or ["順序"]
        raise NotConfigured(
            f"{FILE}: R1 から R104 までが一度ずつ、この順で並んでいません（{', '.join(odd)}）。",
            advice="足りない行を加え、余分な行を消してください。",
        )
    found: list[Requirement] = [
        _parsed(path, Requirement, {"id": name, **(row or {})}, within=f"{name}.")
        for name, row in rows.items()
    ]
    for one in found:
        if unknown := sorted(_unknown(one)):
            raise NotConfigured(
                f"{FILE}: {one.id} が、ないものを指しています（{', '.join(unknown)}）。",
                advice="関門・督促・記録の種類・登録簿の種類の名前を確かめてください。まだない記録は planned_evidence に書きます。",
            )
    return found


def _unknown(one: Requirement) -> Iterator[str]:
    kinds = evidence_kinds()
    yield from (name for name in one.gates if name not in RULES or one.id not in _requirements_of(name))
    yield from (name for name in one.reminders if one.id not in REMINDERS.get(name, ()))
    yield from (name for name in one.evidence if name not in kinds)
    yield from (name for name in one.planned_evidence if name in kinds)  # it exists: it is evidence now
    yield from (name for name in one.entries if name not in KINDS)


def _requirements_of(gate: str) -> tuple[str, ...]:
    return RULES[gate].requirements + RULES[gate].for_subcontractor


def evidence_kinds() -> dict[str, str]:
    """Every kind of record and fact with its Japanese name."""
    return {kept.kind(): kept.label_ja for kept in (*Record.__subclasses__(), *Fact.__subclasses__())}


def document(requirements: list[Requirement]) -> str:
    """docs/requirements.md: the table as it is, and every gate."""
    kinds = evidence_kinds()
    stages = {stage.id: stage.label_ja for stage in STAGES}
    lines = [
        "# 要件の充足 (requirements)",
        "",
        "審議会資料から読み取った要件 R1〜R104 を、この製品がどう満たすかの一覧です。",
        f"`include/config/{FILE}` から作ります（`python -m notice_cycle.requirements`）。手で直さないでください。",
        "",
        "- **満たし方**: 自動（処理そのものが守る）、関門（満たすまで止まる）、証跡（台帳に残る）、督促（期限の前に知らせる）、"
        "申告（事業者にしか見えない）、製品の外。",
        "- 「予定」の証跡はまだありません。理由は備考にあります。",
        f"- 督促は、DAG `{TOLD_BY}` が担当者に知らせます。"
        if TOLD_BY
        else "- 督促は、まだ判定だけです（知らせる DAG に組み込まれていません）。",
        "- 印「＊」の関門は、判定に要る記録がまだないので、段階の処理では判定しません。",
        "",
        "| 満たし方 | 要件の数 |",
        "|---|---|",
        *(
            f"| {label} | {sum(means in one.met_by for one in requirements)} |"
            for means, label in MEANS_JA.items()
        ),
        f"| （うち、証跡の一部が予定） | {sum(bool(one.planned_evidence) for one in requirements)} |",
        "",
        "## 要件 (table)",
        "",
        "| 要件 | 文言 | 満たし方 | 段階・書式 | 関門 | 証跡（台帳・登録簿） | 予定 | 備考 |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(one, kinds, stages) for one in requirements),
        "",
        "## 関門 (gates)",
        "",
        "段階の前に判定します。閉じていると、理由とすることを示してその段階で止まります。"
        "例外は課長だけが、理由と期限を付けて認められます。",
        "",
        "| 関門 | 名前 | 段階 | 要件 | 判定の相手 | 例外 | ほかに守る所 |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| `{rule.id}`{_star(rule.id)} | {rule.title_ja} | {stages[rule.stage]} | "
            f"{'・'.join(dict.fromkeys(rule.requirements + rule.for_subcontractor))} | {_SCOPE_JA[rule.scope]} | "
            f"{'認められる' if rule.may_be_excepted else '認められない' if rule.closes else '（注意だけ）'} | "
            f"{f'`{rule.enforced_by}`' if rule.enforced_by else '—'} |"
            for rule in RULES.values()
        ),
        "",
    ]
    return "\n".join(lines)


def _row(one: Requirement, kinds: dict[str, str], stages: dict[str, str]) -> str:
    kept = [kinds[name] for name in one.evidence]
    kept += [f"登録簿「{KINDS[name].label_ja}」" for name in one.entries]
    cells = (
        one.id,
        one.phrase_ja,
        "・".join(MEANS_JA[means] for means in one.met_by),
        _where(one.where, stages),
        "、".join(f"`{gate}`{_star(gate)}" for gate in one.gates) or "—",
        "、".join(kept) or "—",
        "、".join(f"`{name}`" for name in one.planned_evidence) or "—",
        one.note_ja or "—",
    )
    return f"| {' | '.join(cells)} |"


def _where(where: str, stages: dict[str, str]) -> str:
    kind = where.removeprefix("register_")
    if where != kind and kind in KINDS:
        return f"書式「{KINDS[kind].label_ja}」"
    return stages.get(where, where)


def _star(gate: str) -> str:
    return "" if RULES[gate].stage in JUDGED_STAGES else "＊"


_SCOPE_JA = {
    "cycle": "発送回",
    "contractor": "委託先",
    "parties": "委託先・再委託先",
    "subcontractors": "再委託先",
}


if __name__ == "__main__":
    DOCUMENT.write_text(document(load_requirements()), encoding="utf-8")
    sys.stdout.write(f"{DOCUMENT}\n")
