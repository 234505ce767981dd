"""What the register starts from: include/config/register.yaml, checked entry by entry. Later changes are in the ledger."""

from datetime import date
from pathlib import Path
from typing import Any

from notice_cycle.catalogue import _mapping, _parsed
from notice_cycle.errors import NotConfigured
from notice_cycle.register.folded import Held
from notice_cycle.register.kinds import KINDS, Content
from notice_cycle.values import Frozen

FILE = "register.yaml"


class _Period(Frozen):
    valid_from: date
    valid_until: date | None = None


def load_seed(config: Path) -> list[Held[Content]]:
    """Every entry of register.yaml: kind → key → period and content. Raises NotConfigured naming kind, key and field."""
    path = config / FILE
    return [
        _entry(path, kind, key, entry)
        for kind, entries in _mapping(path).items()
        for key, entry in (entries or {}).items()
    ]


def _entry(path: Path, kind: str, key: str, entry: Any) -> Held[Content]:
    if kind not in KINDS or not isinstance(entry, dict):
        raise NotConfigured(
            f"{FILE}: {kind}.{key} は、登録簿の種類と登録番号の形ではありません。",
            advice=f"種類は {'・'.join(KINDS)} のいずれかです。",
        )
    days = {name: entry[name] for name in _Period.model_fields if name in entry}
    period = _parsed(path, _Period, days, within=f"{kind}.{key}.")
    content = {name: value for name, value in entry.items() if name not in _Period.model_fields}
    return Held(
        key,
        period.valid_from,
        period.valid_until,
        _parsed(path, KINDS[kind], content, within=f"{kind}.{key}."),
    )
