"""The gates along the cycle, from extraction to closing: what must be true before the next stage begins.

Most of them are refused a second time where the thing itself is done (`enforced_by`): a gate says in one place what
the code refuses in many, and closes on what the records tell.
"""

from collections.abc import Collection
from datetime import date

from notice_cycle.catalogue import FORBIDDEN_ITEMS
from notice_cycle.gates.situation import Carrier, Closed, Situation, rule
from notice_cycle.records import Route
from notice_cycle.register import Register
from notice_cycle.register.kinds import ComputerEntry, EndpointEntry, OfficerEntry, PlaceEntry, Tier

# ---- before the extraction and the validation


@rule("sensitive_items", "収集を禁じられた項目", "extraction", "R72", never_excepted=True,
      enforced_by="notice_cycle.catalogue")  # fmt: skip
def _sensitive_items(s: Situation, _party: str) -> Closed | None:
    if not (forbidden := sorted(FORBIDDEN_ITEMS.intersection(s.facts.items))):
        return None
    return Closed(
        f"渡すことを禁じられた項目（{', '.join(forbidden)}）が登録されています。",
        "通知書の items から外し、取下げて開始し直してください（別紙1 第5項）。",
    )


@rule("storage_host", "データを置くコンピュータ", "extraction", "R29")
def _storage_host(s: Situation, _party: str) -> Closed | None:
    listed = {
        held.content.name
        for held in s.register.held(ComputerEntry, s.today)
        if held.content.purpose == "一時保管領域"
    }
    if s.facts.storage_host in listed:
        return None
    return Closed(
        f"このホスト（{s.facts.storage_host or '不明'}）は、個人情報を置くコンピュータとして登録されていません。",
        "登録したホストで実行するか、「対象パソコン・サーバー」に用途「一時保管領域」で登録してください。",
    )


@rule("item_whitelist", "登録した項目だけ", "validation", "R4 R70", never_excepted=True,
      enforced_by="notice_cycle.extraction.extract")  # fmt: skip
def _item_whitelist(s: Situation, _party: str) -> Closed | None:
    if s.facts.columns and set(s.facts.columns) <= set(s.facts.items):
        return None
    surplus = sorted(set(s.facts.columns) - set(s.facts.items))
    return Closed(
        f"登録した項目のほかの列が抽出されています（{', '.join(surplus) or '列の記録がありません'}）。",
        "渡してよい項目か担当課に確かめ、抽出をやり直してください。",
    )


@rule("population", "対象者の数", "validation", "R8", never_excepted=True,
      enforced_by="notice_cycle.extraction.extract")  # fmt: skip
def _population(s: Situation, _party: str) -> Closed | None:
    return _needs(
        s,
        "extraction",
        "統制票の人数・金額と一致した抽出の記録がありません。",
        "抽出からやり直してください。",
    )


@rule("bundling_decided", "名寄せの判断", "encryption", "R6", never_excepted=True,
      enforced_by="notice_cycle.composition.approval")  # fmt: skip
def _bundling_decided(s: Situation, _party: str) -> Closed | None:
    if s.facts.ambiguous == 0 or s.facts.approved:
        return None
    return Closed(
        f"人の判断が要る名寄せ（{_count(s.facts.ambiguous)}）を、承認者がまだ確かめていません。",
        "「引渡し承認」で確かめてください。",
    )


# ---- media and password


@rule("media_confirmation", "媒体引渡確認書", "acknowledgement", "R35", never_excepted=True,
      enforced_by="notice_cycle.records")  # fmt: skip
def _media_confirmation(s: Situation, _party: str) -> Closed | None:
    if s.facts.route != "dvd" or s.facts.media_confirmed:
        return None
    return Closed("媒体を渡した時の確認書がありません。", "「媒体引渡確認書」に記入してください。")


@rule("single_copy", "二重印刷の防止", "acknowledgement", "R11", never_excepted=True)
def _single_copy(s: Situation, _party: str) -> Closed | None:
    if s.facts.route != "dvd" or not s.facts.sent_by_lgwan or s.facts.lgwan_copy_settled:
        return None
    return Closed(
        "LGWAN で送ったパッケージが、引き上げられても、未開封と確かめられてもいません。",
        "送ったものを引き上げるか、未開封であることを書面で確かめてから媒体を使わせてください。",
    )


@rule("separate_storage", "媒体と通知書の別の保管", "delivery", "R31")
def _separate_storage(s: Situation, _party: str) -> Closed | None:
    media, password = s.facts.media_kept_in, s.facts.password_kept_in
    if s.facts.route != "dvd" or (media and password and media != password):
        return None
    return Closed(
        "媒体とパスワード通知書の保管場所が、別の場所になっていません。",
        "別の鍵付キャビネットに保管させ、場所を記録し直してください。",
    )


@rule("safe_storage", "金庫での保管", "delivery", "R54")
def _safe_storage(s: Situation, _party: str) -> Closed | None:
    safes = {
        held.content.name for held in s.register.held(PlaceEntry, s.today) if held.content.lock == "金庫"
    }
    if s.facts.route != "dvd" or s.facts.media_kept_in in safes:
        return None
    return Closed(
        f"媒体の保管場所（{s.facts.media_kept_in or '記録なし'}）は、施錠できる金庫として登録されていません。",
        "金庫に移させるか、「指定場所・保管場所」に種類「金庫」で登録してください。",
    )


@rule("password_confirmation", "パスワード引渡確認書", "delivery", "R33", never_excepted=True,
      enforced_by="notice_cycle.acknowledgement.passphrase_notice")  # fmt: skip
def _password_confirmation(s: Situation, _party: str) -> Closed | None:
    return _needs(
        s,
        "passphrase_handover",
        "パスワードを渡した時の確認書がありません。",
        "「パスワード引渡確認書」に記入してください。パスワードそのものは書きません。",
    )


@rule("separate_occasion", "パスワードの別の機会", "delivery", "R32 R52", never_excepted=True,
      enforced_by="notice_cycle.acknowledgement.passphrase_notice")  # fmt: skip
def _separate_occasion(s: Situation, _party: str) -> Closed | None:
    if s.apart():
        return None
    return Closed(
        "パスワードが、データとは別の機会に渡されていません。",
        "データの受渡しと日時を分けて渡し直し、確認書を記録してください。",
    )


ONE_PERSON = "different_people"
"""The gate that 課長 may except where a section has nobody else to send."""


@rule(
    ONE_PERSON,
    "媒体と通知書の別の取扱者",
    "delivery",
    "R52",
    enforced_by="notice_cycle.acknowledgement.passphrase_notice",
)
def _different_people(s: Situation, _party: str) -> Closed | None:
    media, password = ("".join(one.split()) for one in (s.facts.media_given_by, s.facts.password_given_by))
    if s.facts.route != "dvd" or (media and password and media != password):
        return None
    if media == password and media and not can_be_two_people(s.register, s.today):
        return None
    return Closed(
        "媒体とパスワード通知書を、同じ職員が渡しているか、渡した者の記録がありません。",
        "別の職員が渡してください。体制上できないときは、課長の判断（関門の例外）を受けてください。",
    )


def can_be_two_people(register: Register, day: date) -> bool:
    """Whether the ward's roster allows two: unless it names exactly one who may carry. Nobody named is no excuse."""
    carriers = {
        held.content.user_id
        for held in register.held(OfficerEntry, day)
        if held.content.office in {"担当", "係長", "情報システム運用"}
    }
    return len(carriers) != 1


# ---- delivery and print log


@rule("print_log", "印刷ログ", "erasure", "R43", sub="R65", never_excepted=True,
      enforced_by="notice_cycle.delivery.reconcile")  # fmt: skip
def _print_log(s: Situation, _party: str) -> Closed | None:
    return _needs(
        s,
        "delivery",
        "印刷ログ（5項目）と納品の照合の記録がありません。",
        "印刷ログの提出を求め、照合してください。",
    )


@rule(
    "print_excess", "計画を超える印刷の理由", "erasure", "R44", enforced_by="notice_cycle.delivery.reconcile"
)
def _print_excess(s: Situation, _party: str) -> Closed | None:
    if s.facts.print_excess_unexplained == 0:
        return None
    return Closed(
        f"理由のない、計画を超える印刷があります（{_count(s.facts.print_excess_unexplained)}）。",
        "理由を付けた印刷ログの出し直しを求めてください。",
    )


@rule("delivery_confirmation", "納品確認書", "erasure", "R27", never_excepted=True,
      enforced_by="notice_cycle.delivery.confirmation")  # fmt: skip
def _delivery_confirmation(s: Situation, _party: str) -> Closed | None:
    return _needs(
        s,
        "delivery_confirmation",
        "納品の確認書がありません。",
        "数量を数え、「納品確認書」に記入してください。",
    )


@rule("delivering_party", "納品した者", "erasure", "R64")
def _delivering_party(s: Situation, _party: str) -> Closed | None:
    if s.facts.delivered_by in {s.facts.party, *s.subcontractors}:
        return None
    return Closed(
        f"納品した者（{s.facts.delivered_by or '記録なし'}）が、委託先でも承諾した再委託先でもありません。",
        "だれが納品したかを確かめ、確認書に乙・丙の別を記録してください。",
    )


# ---- before the cycle closes: copies, erasure, returns


@rule("carriers", "認めた記録媒体", "closing", "R15 R67")
def _carriers(s: Situation, _party: str) -> Closed | None:
    if s.facts.copies is None:
        return _NO_LIST_OF_COPIES
    wrong = [
        copy
        for copy in s.facts.copies
        if copy.carrier not in allowed_carriers(s.facts.routes, _tier(s, copy.party))
    ]
    if not wrong:
        return None
    return Closed(
        "認めていない記録媒体の控えがあります: "
        + "、".join(f"{s.name(copy.party)} {copy.carrier}" for copy in wrong)
        + "。",
        "違反として受け付け、その媒体の消去を確かめてください。",
    )


def allowed_carriers(routes: Collection[Route], tier: Tier) -> frozenset[Carrier]:
    """What may carry the data (処理させる情報項目の記録媒体), by party and by every method the dispatch took."""
    anywhere: frozenset[Carrier] = frozenset({"パソコン", "紙"})
    if tier == "丙":
        return anywhere
    by_route: dict[Route, Carrier] = {"lgwan": "サーバー", "manual": "サーバー", "dvd": "DVD"}
    return anywhere | {by_route[route] for route in routes}


@rule("copies_in_place", "指定場所の中の控え", "closing", "R73", sub="R93")
def _copies_in_place(s: Situation, _party: str) -> Closed | None:
    if s.facts.copies is None:
        return _NO_LIST_OF_COPIES
    places = {(held.content.party, held.content.name) for held in s.register.ever(PlaceEntry)}
    computers = {(held.content.party, held.content.name) for held in s.register.ever(ComputerEntry)}
    hosts = {(held.content.party, held.content.host) for held in s.register.ever(EndpointEntry)}
    outside = sorted(
        {
            copy.place
            for copy in s.facts.copies
            if copy.place and (copy.party, copy.place) not in places | computers | hosts
        }
        | set(s.facts.print_computers).difference(name for _, name in computers)
    )
    if not outside:
        return None
    return Closed(
        f"指定していない場所に控えがあります（{'、'.join(outside)}）。",
        "持出しの違反として受け付けるか、指定場所・対象パソコンの登録漏れなら登録してください。",
    )


@rule(
    "copies_declared",
    "届け出た控えだけ",
    "closing",
    "R76",
    sub="R93",
    enforced_by="notice_cycle.erasure.verify",
)
def _copies_declared(s: Situation, _party: str) -> Closed | None:
    if s.facts.copies is None:
        return _NO_LIST_OF_COPIES
    if not (undeclared := sum(not copy.declared for copy in s.facts.copies)):
        return None
    return Closed(
        f"届け出のない複写が{undeclared}件あります。",
        "違反として受け付け、消去報告書に加えさせてください。",
    )


@rule("dispositions", "控えの返還・引渡し・消去", "closing", "R81", sub="R95", never_excepted=True)
def _dispositions(s: Situation, _party: str) -> Closed | None:
    if s.facts.copies is None:
        return _NO_LIST_OF_COPIES
    left = [copy for copy in s.facts.copies if not copy.settled]
    wrong = [
        copy
        for copy in s.facts.copies
        if copy.settled in {"返還", "引渡し"} and not _goes_to(s, copy.party, copy.settled_to)
    ]
    if not (left or wrong):
        return None
    told = "、".join(
        f"{s.name(copy.party)} {copy.carrier} {copy.what_ja or copy.place}".strip()
        for copy in [*left, *wrong]
    )
    return Closed(
        f"返還・引渡し・消去のいずれも済んでいない控えが{len(left)}件、返還先の誤った控えが{len(wrong)}件あります（{told}）。",
        "委託先は区に、再委託先は区か委託先に返すか、消去を報告させてください。指示により保管させているものは、その期限に消去・廃棄させます。",
    )


def _goes_to(s: Situation, party: str, to: str) -> bool:
    return to in ({"甲", "乙"} if _tier(s, party) == "丙" else {"甲"})


@rule(
    "erasure_report",
    "消去報告書",
    "closing",
    "R42",
    never_excepted=True,
    enforced_by="notice_cycle.erasure.verify",
)
def _erasure_report(s: Situation, _party: str) -> Closed | None:
    if "erasure" in s.facts.standing and all(proof.reported for proof in s.facts.erasures):
        return None
    return Closed(
        "データ消去報告書が揃っていません。", "すべての控えについて消去報告書の提出を求めてください。"
    )


@rule("erasure_verified", "消去の証明と区の確認", "closing", "R82", never_excepted=True,
      enforced_by="notice_cycle.erasure.confirmation")  # fmt: skip
def _erasure_verified(s: Situation, _party: str) -> Closed | None:
    certified = all("甲" in proof.certificate_to for proof in s.facts.erasures)
    if {"erasure", "erasure_confirmation"} <= s.facts.standing and certified:
        return None
    return Closed(
        "消去証明書が届いていないか、区がまだ消去の状況を確かめていません。",
        "証明書の提出を求め、確かめた方法と日を「消去確認」に記入してください（別紙1 第15項）。",
    )


@rule(
    "subcontractor_certificate",
    "再委託先の消去証明書",
    "closing",
    "R96",
    scope="subcontractors",
    never_excepted=True,
)
def _subcontractor_certificate(s: Situation, party: str) -> Closed | None:
    proofs = [proof for proof in s.facts.erasures if proof.party == party]
    if s.facts.copies is not None and not any(copy.party == party for copy in s.facts.copies) and not proofs:
        return None  # it was given nothing of this dispatch
    if proofs and all(
        {"甲", "乙"} == set(proof.certificate_to) == set(proof.confirmed_by) for proof in proofs
    ):
        return None
    return Closed(
        f"{s.name(party)}の消去証明書が甲と乙の両方に提出され、両方が確かめたことになっていません。",
        "足りない方への提出と確認を求め、記録してください（別紙2 第13項）。",
    )


@rule("media_returned", "媒体とパスワードの返却", "closing", "R34 R56", enforced_by="notice_cycle.closing")
def _media_returned(s: Situation, _party: str) -> Closed | None:
    f = s.facts
    if f.route != "dvd" or (f.media_out == f.media_back > 0 and f.passwords_out == f.passwords_back):
        return None
    return Closed(
        f"返却の数量が合いません（媒体 渡した{s.facts.media_out}・戻った{s.facts.media_back}、"
        f"パスワード通知書 渡した{s.facts.passwords_out}・戻った{s.facts.passwords_back}）。",
        "返却を求め、「返却確認書」に数量を記入してください。",
    )


@rule("inbound_protected", "区への報告の暗号化", "closing", "R55", never_excepted=True)
def _inbound_protected(s: Situation, _party: str) -> Closed | None:
    if s.facts.inbound_unprotected == 0:
        return None
    return Closed(
        "個人情報を含むのに、暗号化されていないか、別の機会に受け取ったパスワードの記録のない届出があります"
        f"（{_count(s.facts.inbound_unprotected)}）。",
        "パスワードを受け取り、「添付ファイルのパスワードの受領」に記録してください。"
        "暗号化されていなかったものは消去・再提出させ、この発送回の「事故の受付」に違反として記録してください。",
    )


@rule("countersigned", "確認書の相手方の確認", "closing", "R57")
def _countersigned(s: Situation, _party: str) -> Closed | None:
    if s.facts.confirmations is None:
        return Closed("確認書の一覧がありません。", "確認書を記入し、委託先の確認を受けてください。")
    unchecked = [one.what_ja for one in s.facts.confirmations if not one.checked_by or one.difference_open]
    if not unchecked:
        return None
    return Closed(
        f"委託先の確認がないか、差異の残る確認書があります（{'、'.join(unchecked)}）。",
        "名簿にある者に内容を確かめさせ、署名した者と綴りの場所を記録してください。",
    )


@rule("handlers_on_roster", "名簿にある取扱者", "closing", "R37 R83", sub="R65 R97")
def _handlers_on_roster(s: Situation, _party: str) -> Closed | None:
    if s.facts.named is None:
        return Closed("記録された取扱者の一覧がありません。", "情報システム課に連絡してください。")
    unknown = [
        one for one in s.facts.named if not s.register.handler_on_roster(one.name, one.day, party=one.party)
    ]
    if not unknown:
        return None
    return Closed(
        "その日の名簿にない（または研修・誓約書のない）取扱者が記録されています: "
        + "、".join(f"{one.on_ja} {one.day}" for one in unknown)
        + "。",
        "名簿の提出漏れなら登録し、名簿にない者が扱ったなら違反として受け付けてください。",
    )


_NO_LIST_OF_COPIES = Closed(
    "委託先にある控えの一覧がありません。", "どこに控えがあるかの届出を求め、記録してください。"
)


def _count(number: int | None) -> str:
    return "件数の記録なし" if number is None else f"{number}件"


def _needs(s: Situation, record: str, reason_ja: str, advice_ja: str) -> Closed | None:
    return None if record in s.facts.standing else Closed(reason_ja, advice_ja)


def _tier(s: Situation, party: str) -> Tier:
    if party == s.facts.party:
        return "乙"
    firm = s.register.firm(party)
    return firm.tier if firm else "丙"
