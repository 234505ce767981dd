"""The invented persons of the pack: every branch of a layout, the longest texts, 外字, amounts of nothing.

Nobody here exists. Each row is one notice, with every item that the catalogue lets be given.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

MONTHS = (7, 8, 9, 10, 11, 12, 1, 2, 3)
_LONGEST = 40

_PLAIN: dict[str, Any] = {
    "insured_name": "見本　花子",
    "insured_kana": "ミホン　ハナコ",
    "birth_date": date(1950, 4, 1),
    "household_no": "5000000000",
    "recipient_kind": "self",
    "share_envelope": False,
    "support_measure": "none",
    "postcode": "9999001",
    "address": "架空区青葉町一丁目２番３号",
    "address_detail": "",
    "recipient_name": "見本　花子",
    "recipient_suffix": "様",
    "acquired_on": date(2015, 3, 31),
    "lost_on": None,
    "stage": 5,
    "months": 12,
    "stage_annual_yen": 72_600,
    "threshold_yen": 826_500,
    "annual_yen": 72_600,
    "collection_method": "ordinary",
    "payment_means": "slip",
    "ordinary_total_yen": 72_600,
    "special_total_yen": 0,
    "first_due_on": date(2026, 7, 31),
}

_SHARED = {
    "share_envelope": True,
    "recipient_id": "8000000001",
    "recipient_kind": "guardian",
    "recipient_name": "見本成年後見事務所",
}

PEOPLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("納付書、全期", {}),
    ("口座振替", {"payment_means": "account"}),
    ("一期だけ", {"instalments": {3: 6_100}, "months": 1}),
    ("額のない期がある", {"instalments": {7: 8_600, 9: 8_000, 1: 100}}),
    ("すべて零円", {"instalments": {}, "stage": 1, "stage_annual_yen": 0}),
    ("一円", {"instalments": {7: 1}}),
    ("最大の額", {"instalments": dict.fromkeys(MONTHS, 99_999), "stage": 17, "stage_annual_yen": 899_991}),
    ("特別徴収と併せて", {"special_total_yen": 36_000}),
    ("最も長い氏名", {"insured_name": "長" * _LONGEST, "recipient_name": "長" * _LONGEST}),
    ("最も長い住所と方書", {"address": "架" * (_LONGEST - 6) + "１２番３号", "address_detail": "棟" * _LONGEST}),
    ("最も短い", {"insured_name": "乙", "recipient_name": "乙", "address": "架空区", "insured_kana": "オ"}),
    ("方書に部屋番号", {"address_detail": "見本ハイツ　１０１号室"}),
    ("区切り・引用符のある方書", {"address_detail": '"見本",ハイツ;201'}),
    ("先頭が記号の方書", {"address_detail": "＝見本荘－２"}),
    ("枝番の多い住所", {"address": "架空区緑町３－４５－６７－８９０１"}),
    ("番地のない住所", {"address": "架空区字見本"}),
    ("ほかの郵便区", {"postcode": "0010010", "address": "見本県見本市北一条１丁目"}),
    ("海外に近い離島", {"postcode": "9071801", "address": "見本県見本町字西１番地"}),
    ("Windows だけの文字（髙﨑①Ⅲ㈱）", {"insured_name": "髙﨑　見本", "recipient_name": "髙﨑①Ⅲ㈱"}),
    ("波ダッシュと全角ハイフン（～－）", {"address_detail": "見本荘１～３－Ａ"}),
    ("法人あて", {"recipient_name": "株式会社見本成年後見センター", "recipient_suffix": "御中", "recipient_kind": "guardian"}),
    ("同封の一枚目", _SHARED | {"insured_name": "見本　一子"}),
    ("同封の二枚目", _SHARED | {"insured_name": "見本　二子"}),
    ("同封の三枚目、零円", _SHARED | {"insured_name": "見本　三子", "instalments": {}}),
    ("同じあて先だが別封", {"recipient_name": "見本成年後見事務所", "recipient_kind": "guardian"}),
    ("大正生まれ", {"birth_date": date(1922, 2, 29 - 1)}),
    ("年度の途中で資格を得た", {"acquired_on": date(2026, 6, 30), "months": 9}),
)  # fmt: skip
"""What a row is there for, and how it differs from the plainest one. `instalments`: yen by month."""


def rows(items: tuple[str, ...], agreed: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The staged rows, with exactly the items asked for, in order; one more for each 外字 `agreed` with the contractor."""
    named = (("外字", dict.fromkeys(("insured_name", "recipient_name"), f"{text}見本")) for text in agreed)
    for number, (_, changes) in enumerate((*PEOPLE, *named), 1):
        row = _PLAIN | {
            "notice_no": f"{number:011}",
            "payment_no": f"{number:011}",
            "insured_no": f"{number:010}",
            "recipient_id": f"{number:010}",
        }
        instalments = changes.get("instalments", {7: 8_600} | dict.fromkeys(MONTHS[1:], 8_000))
        row |= {key: value for key, value in changes.items() if key != "instalments"}
        for month in MONTHS:
            row[f"instalment_{month:02}"] = instalments.get(month, 0)
            row[f"slip_{month:02}"] = instalments.get(month, 0) if row["payment_means"] == "slip" else 0
        row["ordinary_total_yen"] = sum(instalments.values())
        row["annual_yen"] = row["ordinary_total_yen"] + row["special_total_yen"]
        yield {item: row[item] for item in items}
