"""What an incident leaves in the ledger: facts of no cycle, joined by the incident's number."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from notice_cycle.records import Fact
from notice_cycle.values import CycleId, Digest, Person

IncidentNumber = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-[0-9]{3}$")]
"""Fiscal year and running number, e.g. 2026-001."""

Kind = Literal["漏えい", "漏えいのおそれ", "滅失・毀損", "誤送付・誤封入", "特記事項の違反"]
Teller = Literal["委託先（乙）", "再委託先（丙）", "区の職員"]
Means = Literal["電話", "署名した届出", "書面", "区が発見"]
Carrier = Literal[
    "暗号化したパッケージ", "DVD", "パスワード通知書", "開いた印字データ", "印刷した通知書", "なし", "不明"
]
Concerned = Literal[
    "氏名・住所",
    "被保険者番号",
    "生年月日・性別",
    "保険料額・所得段階",
    "納付書・バーコード",
    "口座（一部を伏せたもの）",
    "負担割合",
    "不明",
]
Measure = Literal[
    "作業を止めた",
    "回収した",
    "ネットワークから切り離した",
    "記録を保全した",
    "警察に届け出た",
    "調査中",
    "まだ何もしていない",
]
Known = Literal["はい", "いいえ", "不明"]


class IncidentReported(Fact):
    """事故の受付: what the ward was told, by whom and when; `persons` is counted from the records of `cycles`.

    `persons` None: no cycle was named, or none of them has read any data. It is the most that can be concerned.
    """

    label_ja = "事故の受付"
    number: IncidentNumber
    incident_kind: Kind
    party: str
    told_by: Teller
    told_by_means: Means
    known_at: datetime
    cycles: tuple[CycleId, ...]
    persons: int | None
    carrier: Carrier
    items: tuple[Concerned, ...]
    encrypted: Known
    malicious: Known
    measures: tuple[Measure, ...]
    filed_as: str
    entered_by: Person
    entered_at: datetime


class IncidentStepped(Fact):
    """事故の処理: one step, when it was done, and under which number its paper is filed."""

    label_ja = "事故の処理"
    number: IncidentNumber
    step: str
    done_at: datetime
    reason_code: str
    filed_as: str
    entered_by: Person
    entered_at: datetime


class IncidentReportDrafted(Fact):
    """速報の案の印刷: the draft of the preliminary report that lay in the printer."""

    label_ja = "速報の案の印刷"
    number: IncidentNumber
    document_sha256: Digest
    printed_at: datetime
