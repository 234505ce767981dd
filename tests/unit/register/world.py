"""A ward, a contractor and a subcontractor who have done everything: a test takes one thing away.

Nobody and nothing here exists.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from tests.builders import CONFIG, a_digest

from notice_cycle import register as reg
from notice_cycle.gates import Confirmed, CopyHeld, CycleFacts, ErasureProof, NamedPerson
from notice_cycle.register.kinds import KINDS, Content
from notice_cycle.values import Person

DAY = date(2026, 7, 1)  # Wednesday
NOTICE, CYCLE = "premium_notice_ordinary", "2026-premium_notice_ordinary-annual-01"
PRINT, INSERT = "example_print", "example_insert"
JOB = "介護保険料納入通知書等の印刷・封入封緘業務"
KACHO = Person(user_id="kacho", name="kacho")
TANTO = Person(user_id="tanto1", name="tanto1")
NOON = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)  # 12:00 in Tokyo


def held(
    kind: str, key: str, since: str = "2026-04-01", until: str | None = "2027-03-31", **content: Any
) -> reg.Held[Content]:
    """An entry as register.yaml would hold it."""
    last = date.fromisoformat(until) if until else None
    return reg.Held(key, date.fromisoformat(since), last, KINDS[kind].model_validate(content))


SUBCONTRACTOR = (
    held("subcontract", "sub", contractor=PRINT, subcontractor=INSERT, notices=(NOTICE,), clauses_2=True,
         direct_powers=True, document_sha256=a_digest("subcontract")),
    held("consent", "consent", contractor=PRINT, subcontractor=INSERT, notices=(NOTICE,), number="26介保第3号"),
    held("certificate", "insert-privacy", until="2028-03-31", party=INSERT, mark="プライバシーマーク", number="架空-2",
         checked_on="2026-04-01", source="付与事業者一覧"),
    held("handler", "insert-manager", party=INSERT, name="封入 一子", duty="取扱責任者", reported_to=("甲", "乙")),
    held("handler", "insert-clerk", party=INSERT, name="封入 二郎", duty="取扱者", reported_to=("甲", "乙")),
    held("training", "insert-clerk", party=INSERT, name="封入 二郎", fiscal_year=2026, held_on="2026-04-01", topics="情報保護"),
    held("pledge", "insert-clerk", party=INSERT, name="封入 二郎", signed_on="2026-04-01"),
    held("emergency_contact", "insert", party=INSERT, fiscal_year=2026, name="封入 一子", telephone="03-0000-0001",
         procedure_sha256=a_digest("procedure")),
    held("workflow_share", "insert", party=INSERT, version="第1版", document_sha256=a_digest("flow"),
         shared_on="2026-04-01", acknowledged_on="2026-04-03"),
    held("place", "insert-work", party=INSERT, name="架空封入 作業室", lock="作業場所"),
)  # fmt: skip


@cache
def the_seed() -> tuple[reg.Held[Content], ...]:
    """The sample register.yaml."""
    return tuple(reg.load_seed(CONFIG))


def entries(
    *,
    without: Iterable[str] = (),
    alter: dict[str, dict[str, Any]] | None = None,
    plus: Iterable[reg.Held[Content]] = (),
    subcontractor: bool = True,
) -> list[reg.Held[Content]]:
    """The sample register and the subcontractor; `without` and `alter` name entries as kind/key, `without` also a kind."""
    known = [*the_seed(), *(SUBCONTRACTOR if subcontractor else ())]
    names = {f"{one.content.kind}/{one.key}" for one in known} | {one.content.kind for one in known}
    assert set(without) | set(alter or {}) <= names, (set(without) | set(alter or {})) - names
    kept = [one for one in known if not {one.content.kind, f"{one.content.kind}/{one.key}"} & set(without)]
    return [*(_altered(one, (alter or {}).get(f"{one.content.kind}/{one.key}")) for one in kept), *plus]


def _altered(one: reg.Held[Content], changes: dict[str, Any] | None) -> reg.Held[Content]:
    if not changes:
        return one
    period = {name: changes[name] for name in ("valid_from", "valid_until") if name in changes}
    content = {name: value for name, value in changes.items() if name not in period}
    return replace(
        one, **period, content=type(one.content).model_validate(one.content.model_dump() | content)
    )


def a_register(*, as_of: date = DAY, **changes: Any) -> reg.Register:
    """The register of a day; changes as in `entries`."""
    return reg.Register.fold(entries(**changes), (), as_of)


def facts(**changes: Any) -> CycleFacts:
    """A cycle over LGWAN that has done everything up to its closing."""
    known: dict[str, Any] = {
        "cycle": CYCLE,
        "fiscal_year": 2026,
        "notice": NOTICE,
        "party": PRINT,
        "route": "lgwan",
        "standing": frozenset(
            ["extraction", "handover_approval", "encryption", "handover", "passphrase_handover", "delivery", "delivery_confirmation", "erasure", "erasure_confirmation"]
        ),
        "items": ("notice_no", "address"),
        "columns": ("notice_no", "address"),
        "ambiguous": 0,
        "storage_host": "airflow-worker-1",
        "sending_host": "lgwan-terminal-1",
        "endpoint": "sftp.print.example:22",
        "planned_erasure_on": date(2026, 8, 3),
        "package_format": "age",
        "data_handed_at": NOON,
        "password_handed_at": NOON + timedelta(hours=3),
        "password_gap_minutes": 120,
        "print_excess_unexplained": 0,
        "delivered_by": PRINT,
        "inbound_unprotected": 0,
        "named": (NamedPerson(name="印刷 太郎", party=PRINT, day=DAY, on_ja="パスワード引渡確認書"),),
        "copies": (
            CopyHeld(party=PRINT, carrier="パソコン", place="PRINT-PC-1", settled="消去"),
            CopyHeld(party=INSERT, carrier="紙", place="架空封入 作業室", settled="返還", settled_to="乙"),
        ),
        "confirmations": (Confirmed(what_ja="納品確認書", party=PRINT, checked_by="印刷 次郎"),),
        "erasures": (
            ErasureProof(party=PRINT, reported=True, certificate_to=("甲",), confirmed_by=("甲",)),
            ErasureProof(party=INSERT, reported=True, certificate_to=("甲", "乙"), confirmed_by=("甲", "乙")),
        ),
        "open_erasures": (),
    }  # fmt: skip
    return CycleFacts.model_validate(known | changes)


DVD: dict[str, Any] = {
    "route": "dvd",
    "switch_decided": True,
    "media_confirmed": True,
    "media_kept_in": "架空印刷 第一工場 金庫",
    "password_kept_in": "架空印刷 管理部 鍵付キャビネット",
    "media_out": 1,
    "media_back": 1,
    "passwords_out": 1,
    "passwords_back": 1,
    "media_given_by": "石川 恵",
    "password_given_by": "青木 一郎",
}
"""What a cycle on disc has besides."""
