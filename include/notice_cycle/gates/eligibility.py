"""The gates before a hand-over: may this party be given these data on this day, by this way?

Contract clauses, consent, an expired mark and encryption can never be excepted. Each closed gate is a sentence with
what is missing and a sentence with what to do.
"""

from datetime import date

from notice_cycle.fiscal_year import FiscalYear
from notice_cycle.gates.situation import Closed, Situation, rule
from notice_cycle.handover.route import ROUTES_JA
from notice_cycle.register.changing import bid_for
from notice_cycle.register.folded import Held
from notice_cycle.register.kinds import (
    AcceptanceEntry,
    AuditEntry,
    ContractEntry,
    EmergencyContactEntry,
    EndpointEntry,
    IncidentHoldEntry,
    LegalBasisEntry,
    MeasureChangeEntry,
    PageCredentialsEntry,
    PlaceEntry,
    ProofEntry,
    SubcontractEntry,
    WorkflowShareEntry,
)

STAGE = "handover"


def _contracts(s: Situation) -> list[Held[ContractEntry]]:
    """The contracts that cover the dispatch: notice, method and day."""
    return [
        held
        for held in s.register.contracts_for(s.facts.notice, s.facts.party, s.today)
        if s.facts.route in held.content.methods
    ]


# ---- contract and basis


@rule(
    "contract_covers",
    "契約の範囲",
    STAGE,
    "R12",
    scope="contractor",
    never_excepted=True,
    only_real_data=True,
)
def _contract_covers(s: Situation, party: str) -> Closed | None:
    if _contracts(s):
        return None
    return Closed(
        f"契約外です: {s.name(party)}との、{s.today}に{s.notice}を{s.way}で渡せる契約がありません。",
        "契約の期間・通知書・授受の方式を確かめ、契約を登録してください。契約の前に出せるのは架空データだけです。",
    )


@rule(
    "erasure_before_contract_end",
    "契約終了前の消去",
    STAGE,
    "R12 R42",
    scope="contractor",
    only_real_data=True,
)
def _erasure_before_contract_end(s: Situation, party: str) -> Closed | None:
    planned = s.facts.planned_erasure_on
    ends = [held.valid_until or date.max for held in _contracts(s)]
    if not ends or (planned and planned <= max(ends)):
        return None
    return Closed(
        f"消去を確かめる予定日（{planned or '未定'}）が、{s.name(party)}との契約の末日（{max(ends)}）より後です。",
        "引渡しを早めるか、契約の延長を登録してください。",
    )


@rule(
    "contract_clauses",
    "契約書の特記事項",
    STAGE,
    "R24",
    scope="contractor",
    never_excepted=True,
    only_real_data=True,
)
def _contract_clauses(s: Situation, party: str) -> Closed | None:
    held = s.register.contracts_for(s.facts.notice, party, s.today)
    if held and all(one.content.clauses_1 and one.content.clauses_2 for one in held):
        return None
    return Closed(
        f"{s.name(party)}との契約書に、特記事項の別紙1と別紙2を付したことが登録されていません。",
        "契約書を確かめて「契約」を直してください。付していなければ、契約を改めるまで渡せません。",
    )


@rule("legal_basis", "法的根拠・審議会", STAGE, "R1", scope="contractor", only_real_data=True)
def _legal_basis(s: Situation, party: str) -> Closed | None:
    if any(
        s.facts.notice in held.content.notices and s.facts.route in held.content.methods
        for held in s.register.held(LegalBasisEntry, s.today)
    ):
        return None
    return Closed(
        f"{s.notice}を{s.way}で渡すことの、有効な法的根拠・審議会への付議が登録されていません。",
        "通知書や授受の方式を加えたときは、審議会への諮問・報告の文書番号を登録してください。",
    )


@rule("acceptance_passed", "受入試験", STAGE, "R5", scope="contractor", only_real_data=True)
def _acceptance(s: Situation, party: str) -> Closed | None:
    if any(held.content.party == party for held in s.register.held(AcceptanceEntry, s.today)):
        return None
    return Closed(
        f"{s.name(party)}の受入試験（架空データ）の合格が登録されていません。",
        "最初の本番の前に受入試験を行い、合格した日を登録してください。",
    )


@rule("proof_approved", "校了", STAGE, "R5", scope="contractor", only_real_data=True)
def _proof(s: Situation, party: str) -> Closed | None:
    wanted = {
        "layout_on": "様式",
        "characters_on": "文字",
        "barcode_on": "バーコード読取り",
        "window_on": "窓の位置",
    }
    approved = [
        held.content
        for held in s.register.held(ProofEntry, s.today)
        if (held.content.party, held.content.notice, held.content.fiscal_year)
        == (party, s.facts.notice, s.facts.fiscal_year)
    ]
    missing = [
        title
        for field, title in wanted.items()
        if not any((day := getattr(one, field)) and day <= s.today for one in approved)
    ]
    if not missing:
        return None
    return Closed(
        f"{s.facts.fiscal_year}年度の{s.notice}の校了（{'・'.join(missing)}）が登録されていません。",
        f"{s.name(party)}の校正刷りを確かめ、「校了」に日付を登録してください。",
    )


# ---- marks


@rule(
    "privacy_mark",
    "プライバシーマーク",
    STAGE,
    "R13 R14",
    sub="R60",
    scope="parties",
    never_excepted=True,
    only_real_data=True,
)
def _privacy_mark(s: Situation, party: str) -> Closed | None:
    if s.register.valid_certificate(party, "プライバシーマーク", s.today):
        return None
    return Closed(
        f"{s.name(party)}の、{s.today}に有効なプライバシーマークが登録されていません。",
        "更新後の登録証を取り寄せ、番号と期限を登録してください。失効している間は渡せません。",
    )


@rule(
    "privacy_mark_until_erasure",
    "消去までのプライバシーマーク",
    STAGE,
    "R13 R14",
    sub="R60",
    scope="parties",
    warns=True,
)
def _privacy_mark_until_erasure(s: Situation, party: str) -> Closed | None:
    mark, planned = (
        s.register.valid_certificate(party, "プライバシーマーク", s.today),
        s.facts.planned_erasure_on,
    )
    if mark is None or planned is None or s.register.valid_certificate(party, "プライバシーマーク", planned):
        return None
    return Closed(
        f"{s.name(party)}のプライバシーマークは{mark.valid_until}に切れます。消去の予定日（{planned}）より前です。",
        "更新の手続きを委託先に確かめてください（引渡しは止まりません）。",
    )


@rule(
    "lgwan_asp",
    "LGWAN-ASP の認証",
    STAGE,
    "R13",
    scope="contractor",
    never_excepted=True,
    only_real_data=True,
)
def _lgwan_asp(s: Situation, party: str) -> Closed | None:
    if s.facts.route == "dvd" or s.register.valid_certificate(party, "LGWAN-ASP", s.today):
        return None
    return Closed(
        f"{s.name(party)}の、{s.today}に有効な LGWAN-ASP 接続サービス資格審査の認証が登録されていません。",
        "J-LIS の登録一覧を確かめて登録するか、契約が認めるなら DVD に切り替えてください。",
    )


@rule("lgwan_asp_until_erasure", "消去までの LGWAN-ASP の認証", STAGE, "R13", scope="contractor", warns=True)
def _lgwan_asp_until_erasure(s: Situation, party: str) -> Closed | None:
    standing = s.register.valid_certificate(party, "LGWAN-ASP", s.today)
    planned = s.facts.planned_erasure_on
    if s.facts.route == "dvd" or standing is None or planned is None:
        return None
    if s.register.valid_certificate(party, "LGWAN-ASP", planned):
        return None
    return Closed(
        f"{s.name(party)}の LGWAN-ASP の認証は{standing.valid_until}に切れます。消去の予定日（{planned}）より前です。",
        "更新の手続きを委託先に確かめてください（引渡しは止まりません）。",
    )


# ---- people and preparation


@rule("roster", "取扱者名簿", STAGE, "R37 R83", sub="R65 R97", scope="parties", only_real_data=True)
def _roster(s: Situation, party: str) -> Closed | None:
    roster = s.register.roster(party, s.today)
    duties = {held.content.duty for held in roster}
    missing = [duty for duty in ("取扱責任者", "取扱者") if duty not in duties]
    if missing:
        return Closed(
            f"{s.name(party)}の{'・'.join(missing)}が名簿にありません。",
            "名簿の提出を求め、「取扱責任者・取扱者」に登録してください。",
        )
    if party != s.facts.party and any(set(held.content.reported_to) != {"甲", "乙"} for held in roster):
        return Closed(
            f"{s.name(party)}の名簿が、区（甲）と委託先（乙）の両方に報告されていません。",
            "再委託先の名簿は甲と乙の両方へ報告させ、報告先を登録してください（別紙2 第14項）。",
        )
    return None


@rule("training", "研修と誓約書", STAGE, "R40 R88", sub="R65 R100", scope="parties", only_real_data=True)
def _training(s: Situation, party: str) -> Closed | None:
    handlers = [held.content for held in s.register.roster(party, s.today) if held.content.duty == "取扱者"]
    if any(s.register.handler_on_roster(one.name, s.today, party=party) for one in handlers):
        return None
    return Closed(
        f"{s.name(party)}に、今年度の研修を受け誓約書を出した取扱者がいません（名簿の取扱者{len(handlers)}人）。",
        "研修の受講記録と誓約書の提出を求め、登録してください。",
    )


@rule("emergency_contacts", "緊急時の連絡体制", STAGE, "R39", sub="R65", scope="parties", only_real_data=True)
def _emergency_contacts(s: Situation, party: str) -> Closed | None:
    year = FiscalYear.of(s.today).year
    if any(
        (held.content.party, held.content.fiscal_year) == (party, year)
        for held in s.register.held(EmergencyContactEntry, s.today)
    ):
        return None
    return Closed(
        f"{s.name(party)}の{year}年度の緊急時の連絡体制と対応手順が報告されていません。",
        "連絡体制と手順書の提出を求め、登録してください。",
    )


def _shared(s: Situation, party: str) -> list[WorkflowShareEntry]:
    return [
        held.content
        for held in s.register.held(WorkflowShareEntry, s.today)
        if held.content.party == party and s.facts.workflow_sha256 in (None, held.content.document_sha256)
    ]


@rule("workflow_shared", "業務フローの共有", STAGE, "R26", sub="R63", scope="parties", only_real_data=True)
def _workflow_shared(s: Situation, party: str) -> Closed | None:
    if _shared(s, party):
        return None
    return Closed(
        f"今の版の業務フローが、{s.name(party)}に共有されていません。",
        "業務フローを渡し、「業務フローの共有」に版と日付を登録してください。",
    )


@rule(
    "workflow_acknowledged", "業務フローの確認", STAGE, "R36", sub="R65", scope="parties", only_real_data=True
)
def _workflow_acknowledged(s: Situation, party: str) -> Closed | None:
    if any(one.acknowledged_on and one.acknowledged_on <= s.today for one in _shared(s, party)):
        return None
    return Closed(
        f"{s.name(party)}から、共有した業務フローを確認したとの返事がありません。",
        "委託先に確認を求め、返事の届いた日を登録してください。",
    )


@rule("designated_place", "指定場所", STAGE, "R73", sub="R93", scope="parties", only_real_data=True)
def _designated_place(s: Situation, party: str) -> Closed | None:
    if any(
        held.content.party == party and held.content.lock == "作業場所"
        for held in s.register.held(PlaceEntry, s.today)
    ):
        return None
    return Closed(
        f"{s.name(party)}がデータを扱う場所が指定されていません。",
        "作業場所の届出を求め、「指定場所・保管場所」に登録してください。",
    )


# ---- what stands in the way


@rule("incident_hold", "事故による停止", STAGE, "R41 R89", sub="R65", scope="parties", never_excepted=True,
      enforced_by="notice_cycle.confirmations")  # fmt: skip
def _incident_hold(s: Situation, party: str) -> Closed | None:
    holds = [
        held.content for held in s.register.held(IncidentHoldEntry, s.today) if held.content.party == party
    ]
    if not holds:
        return None
    return Closed(
        f"{s.name(party)}への引渡しは、事故（{'、'.join(one.reference for one in holds)}）のため止められています。",
        "原因と再発防止を確かめたら、課長が「事故の処理」に停止の解除を記録してください（登録簿の書式で止めたものは、その登録を終了します）。",
    )


@rule("measure_change", "対策の変更の協議", STAGE, "R41", sub="R65", scope="parties", only_real_data=True)
def _measure_change(s: Situation, party: str) -> Closed | None:
    waiting = [
        held.key
        for held in s.register.held(MeasureChangeEntry, s.today)
        if held.content.party == party and not (held.content.agreed_on and held.content.agreed_on <= s.today)
    ]
    if not waiting:
        return None
    return Closed(
        f"{s.name(party)}から届いた対策の変更（{'、'.join(waiting)}）の協議が整っていません。",
        "変更の内容を確かめて協議し、整った日を登録してください。",
    )


@rule("audit_last_year", "前年度の立入調査等", STAGE, "R86", sub="R102", scope="parties", only_real_data=True)
def _audit_last_year(s: Situation, party: str) -> Closed | None:
    this_year = FiscalYear.of(s.today).year
    last = FiscalYear(this_year - 1)
    missed = sorted(_jobs(s, party, last) - _audited(s, party, since=last.start))
    if not missed:
        return None
    return Closed(
        f"{last}年度に、{s.name(party)}の立入調査等を行っていません（{'・'.join(missed)}）。年度に1回以上の決まりです。",
        "すぐに調査を行って登録するか、課長の判断（関門の例外）を受けてください。",
    )


def _jobs(s: Situation, party: str, year: FiscalYear) -> set[str]:
    """The jobs a party worked on in a fiscal year, as contractor or under one."""
    contracts = [
        held
        for held in s.register.ever(ContractEntry)
        if held.valid_from <= year.end and (held.valid_until or date.max) >= year.start
    ]
    under = {
        (held.content.contractor, notice)
        for held in s.register.ever(SubcontractEntry)
        if held.content.subcontractor == party
        and held.valid_from <= year.end
        and (held.valid_until or date.max) >= year.start
        for notice in held.content.notices
    }
    return {
        held.content.job
        for held in contracts
        if held.content.party == party
        or any((held.content.party, notice) in under for notice in held.content.notices)
    }


def _audited(s: Situation, party: str, *, since: date) -> set[str]:
    return {
        held.content.job
        for held in s.register.ever(AuditEntry)
        if (held.content.party, held.content.by) == (party, "甲")
        and held.content.held_on
        and since <= held.content.held_on <= s.today
    }


@rule("open_erasures", "前年度の消去", STAGE, "R42", scope="contractor", warns=True)
def _open_erasures(s: Situation, party: str) -> Closed | None:
    if s.facts.open_erasures == ():
        return None
    cycles = "、".join(s.facts.open_erasures) if s.facts.open_erasures else "確かめていません"
    return Closed(
        f"{s.name(party)}の、前年度までの発送回に、消去の確認が済んでいないものがあります（{cycles}）。",
        "それぞれの消去証明書を求め、消去確認まで進めてください（引渡しは止まりません）。",
    )


# ---- the way


@rule("endpoint_allowed", "許可した送信先", STAGE, "R20", scope="contractor", never_excepted=True,
      enforced_by="notice_cycle_airflow.hooks.lgwan")  # fmt: skip
def _endpoint_allowed(s: Situation, party: str) -> Closed | None:
    allowed = {
        f"{held.content.host}:{held.content.port}"
        for held in s.register.held(EndpointEntry, s.today)
        if held.content.party == party
    }
    if s.facts.route == "dvd" or s.facts.endpoint in allowed:
        return None
    return Closed(
        f"送信先 {s.facts.endpoint} は、{s.name(party)}の許可した送信先にありません。",
        "接続の宛先を直すか、書面を確かめて「許可した送信先」に登録してください。",
    )


@rule("coupled_terminal", "結合端末", STAGE, "R1 R20", scope="contractor", never_excepted=True)
def _coupled_terminal(s: Situation, party: str) -> Closed | None:
    if s.facts.route != "lgwan" or s.facts.sending_host in s.register.coupled_terminals(s.today):
        return None
    return Closed(
        f"送信するホスト（{s.facts.sending_host or '不明'}）は、結合端末として登録されていません。",
        "自動の送信はできません。庁内端末からの手動の送信にするか、結合の承認の文書番号とともに登録してください。",
    )


@rule("page_credentials", "専用ページの通知", STAGE, "R53", scope="contractor")
def _page_credentials(s: Situation, party: str) -> Closed | None:
    if s.facts.route == "dvd" or any(
        held.content.party == party for held in s.register.held(PageCredentialsEntry, s.today)
    ):
        return None
    return Closed(
        f"{s.name(party)}の専用ページのアドレス・ID・パスワードを、認められた方法で受け取った記録がありません。",
        "手渡し・簡易書留・口頭のいずれで受け取ったかを登録してください（鍵だけの認証は、同等と認めた決定が要ります）。",
    )


@rule("encrypted_package", "暗号化したパッケージ", STAGE, "R51", never_excepted=True,
      enforced_by="notice_cycle.encryption.package")  # fmt: skip
def _encrypted_package(s: Situation, _party: str) -> Closed | None:
    formats = {held.content.package_format for held in _contracts(s)}
    if (
        "encryption" in s.facts.standing
        and s.facts.package_format
        and s.facts.package_format in (formats or {s.facts.package_format})
    ):
        return None
    return Closed(
        "契約で定めた形式で暗号化したパッケージがありません。",
        "「暗号化」の段階を確かめてください。平文のデータは、どの方法でも渡せません。",
    )


@rule("channel_switch", "経路の切替え", STAGE, "R11", never_excepted=True)
def _channel_switch(s: Situation, _party: str) -> Closed | None:
    if s.facts.route == s.facts.planned_route or s.facts.switch_decided:
        return None
    return Closed(
        f"経路を「{ROUTES_JA[s.facts.planned_route]}」から「{s.way}」に変える判断が記録されていません。",
        "理由を付けて経路の変更を記録してください。",
    )


@rule("drill_by_disc", "LGWAN 停止の訓練の経路", STAGE, "R11", never_excepted=True)
def _drill_by_disc(s: Situation, _party: str) -> Closed | None:
    if not s.facts.drill or s.facts.route == "dvd":
        return None
    return Closed(
        "この発送回は LGWAN 停止の訓練です。LGWAN は使えないものとして、送信しません。",
        "Dag「やり直し・取下げ」で「経路の変更」（DVD、理由「訓練」）を記録し、「暗号化と送付目録の署名」をクリアして（下流を含む）、媒体で渡してください。",
    )


# ---- subcontracting


@rule(
    "subcontract_consent", "再委託の承諾", STAGE, "R58 R62 R77", scope="subcontractors", never_excepted=True
)
def _subcontract_consent(s: Situation, party: str) -> Closed | None:
    if s.register.consent_for(s.facts.party, party, s.facts.notice, s.today):
        return None
    return Closed(
        f"{s.name(party)}が{s.notice}を扱うことを、{s.today}に承諾していません。",
        "承諾書の範囲（通知書・期間）を確かめ、承諾していなければ再委託をやめさせてください。",
    )


@rule("no_subcontract", "再委託をしない契約", STAGE, "R61", scope="subcontractors", never_excepted=True,
      enforced_by="notice_cycle.register.changing")  # fmt: skip
def _no_subcontract(s: Situation, party: str) -> Closed | None:
    held = s.register.contracts_for(s.facts.notice, s.facts.party, s.today)
    if not any(one.content.no_subcontract for one in held):
        return None
    return Closed(
        f"再委託をしない契約なのに、{s.name(party)}が再委託先として登録されています。",
        "再委託をやめさせ、再委託契約の登録を終了してください。",
    )


@rule("not_a_bidder", "入札参加者でないこと", STAGE, "R59", scope="subcontractors", never_excepted=True,
      enforced_by="notice_cycle.register.changing")  # fmt: skip
def _not_a_bidder(s: Situation, party: str) -> Closed | None:
    job = bid_for(s.register, s.facts.party, party, s.today)
    if job is None:
        return None
    return Closed(
        f"{s.name(party)}は「{job}」の入札参加者です。再委託先にはできません。",
        "委託先に、入札に参加していない再委託先を求めてください。",
    )


def _subcontracts(s: Situation, party: str) -> list[SubcontractEntry]:
    held = s.register.subcontracts_for(s.facts.notice, s.facts.party, s.today)
    return [one.content for one in held if one.content.subcontractor == party]


@rule(
    "subcontract_clauses", "再委託契約の別紙2", STAGE, "R63 R80", scope="subcontractors", never_excepted=True
)
def _subcontract_clauses(s: Situation, party: str) -> Closed | None:
    if all(one.clauses_2 for one in _subcontracts(s, party)):
        return None
    return Closed(
        f"{s.name(party)}との再委託契約に、特記事項の別紙2が明記されていません。",
        "委託先に再委託契約を改めさせ、写しを確かめて登録してください。",
    )


@rule(
    "subcontract_direct_powers",
    "再委託先への直接の権限",
    STAGE,
    "R79",
    scope="subcontractors",
    never_excepted=True,
)
def _direct_powers(s: Situation, party: str) -> Closed | None:
    if all(one.direct_powers for one in _subcontracts(s, party)):
        return None
    return Closed(
        f"{s.name(party)}との再委託契約に、区が直接に報告を求め、調査し、指導できることが明記されていません。",
        "委託先に再委託契約を改めさせ、写しを確かめて登録してください（別紙1 第12項）。",
    )


@rule("no_fourth_tier", "第四の階層がないこと", STAGE, "R94", scope="subcontractors", never_excepted=True,
      enforced_by="notice_cycle.register.changing")  # fmt: skip
def _no_fourth_tier(s: Situation, party: str) -> Closed | None:
    further = [
        held.content.subcontractor
        for held in s.register.held(SubcontractEntry, s.today)
        if held.content.contractor == party
    ]
    if not further:
        return None
    return Closed(
        f"再委託先の{s.name(party)}が、さらに{'・'.join(map(s.name, further))}に委託しています。認められません。",
        "委託先に直ちにやめさせ、事故（特記事項の違反）として受け付けてください（別紙2 第11項）。",
    )
