"""What the register may hold: a small closed set of kinds, each a frozen model with its Japanese labels.

A name typed here belongs to the staff of a contractor or of the ward, never to an insured person: a text with ten
digits in a row is refused, because an insured person's number looks like that. Tiers are 甲, 乙 and 丙; there is no
way to write a fourth. The period of an entry stands beside its content, not in it.
"""

import re
from datetime import date
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from notice_cycle.values import CycleId, Digest, Frozen, NoticeId

Tier = Literal["甲", "乙", "丙"]
Method = Literal["lgwan", "dvd", "manual"]
Mark = Literal["プライバシーマーク", "LGWAN-ASP"]
Zone = Literal["建物", "マシン室", "電磁的媒体保管庫", "印刷室"]
Visit = Literal["立入り", "ビデオ通話", "写真"]

ZONES: tuple[Zone, ...] = ("建物", "マシン室", "電磁的媒体保管庫", "印刷室")


def _no_number_of_a_person(text: str) -> str:
    if re.search(r"[0-9０-９]{10}", text):
        raise ValueError("10桁以上続く数字は書けません（被保険者番号のおそれがあります）")
    return text


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_no_number_of_a_person),
]
PARTY_PATTERN = r"^[a-z][a-z0-9_]{2,49}$"
PartyId = Annotated[str, StringConstraints(pattern=PARTY_PATTERN)]
CorporateNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{13}$")]
FiscalYearNumber = Annotated[int, Field(ge=2000, le=2099)]

_PARTY = Field(title="事業者", description="事業者の登録番号（例 example_print）")
_FIRM = Field(title="委託先（乙）", description="事業者の登録番号")
_SUB = Field(title="再委託先（丙）", description="事業者の登録番号")
_NOTICES = Field(title="対象の通知書", description="通知書の ID を一行に一つ", min_length=1)
_STAFF = Field(title="氏名（事業者の従事者）", description="被保険者の氏名は入力しないでください。")
_FY = Field(title="年度（西暦）")


class Content(Frozen):
    """The content of a register entry. `kind` is its name in the register, `label_ja` on forms and pages."""

    kind: ClassVar[str] = ""
    label_ja: ClassVar[str] = ""


# ---- who


class FirmEntry(Content):
    """A party by tier: the ward itself, a contractor, a subcontractor."""

    kind, label_ja = "firm", "事業者"
    name_ja: Text = Field(title="名称")
    tier: Tier = Field(
        title="立場", description="甲＝区、乙＝委託先、丙＝再委託先。これより先の再委託は登録できません。"
    )
    corporate_number: CorporateNumber = Field(title="法人番号（13桁）")


class OfficerEntry(Content):
    """Which account of the ward holds which office: who may except a gate, who is told when others are late."""

    kind, label_ja = "officer", "区の職員の役割"
    user_id: Text = Field(title="ログイン名")
    office: Literal["担当", "係長", "課長", "承認者", "情報システム運用", "監査"] = Field(title="役割")
    section: Text = Field(title="所属")


class HandlerEntry(Content):
    """A person named to the ward as 取扱責任者 or 取扱者 (別紙1 第16項; a subcontractor's also to 乙, 別紙2 第14項)."""

    kind, label_ja = "handler", "取扱責任者・取扱者"
    party: PartyId = _PARTY
    name: Text = _STAFF
    duty: Literal["取扱責任者", "取扱者"] = Field(title="役割")
    reported_to: tuple[Literal["甲", "乙"], ...] = Field(
        title="報告先", description="丙の名簿は甲と乙の両方", min_length=1
    )


class TrainingEntry(Content):
    """Security training of a handler in a fiscal year (別紙1 第21項)."""

    kind, label_ja = "training", "研修の受講"
    party: PartyId = _PARTY
    name: Text = _STAFF
    fiscal_year: FiscalYearNumber = _FY
    held_on: date = Field(title="受講日")
    topics: Text = Field(title="内容", description="例: 情報セキュリティ、個人情報保護法と罰則")


class PledgeEntry(Content):
    """A signed pledge of secrecy; it holds after the contract has ended (別紙1 第2項)."""

    kind, label_ja = "pledge", "誓約書"
    party: PartyId = _PARTY
    name: Text = _STAFF
    signed_on: date = Field(title="署名日")


class EmergencyContactEntry(Content):
    """Whom to call, and the procedure that the party has reported."""

    kind, label_ja = "emergency_contact", "緊急時の連絡体制"
    party: PartyId = _PARTY
    fiscal_year: FiscalYearNumber = _FY
    name: Text = _STAFF
    telephone: str = Field(title="電話番号", pattern=r"^0[0-9]{1,4}-[0-9]{1,4}-[0-9]{3,4}$")
    procedure_sha256: Digest = Field(title="対応手順書の SHA-256")


# ---- what was agreed


class ContractEntry(Content):
    """One contract: several a year are usual. Its period is the entry's; `job` is what audits are counted by."""

    kind, label_ja = "contract", "契約"
    party: PartyId = _FIRM
    number: Text = Field(title="契約番号")
    job: Text = Field(title="委託業務の名称")
    notices: tuple[NoticeId, ...] = _NOTICES
    methods: tuple[Method, ...] = Field(
        title="授受の方式", description="lgwan・dvd・manual を一行に一つ", min_length=1
    )
    package_format: Literal["age", "zip-aes256"] = Field(title="パッケージの形式")
    policy_clause: Text = Field(title="暗号方式の根拠（セキュリティポリシーの条項）")
    no_subcontract: bool = Field(title="再委託をしない契約")
    clauses_1: bool = Field(title="特記事項 別紙1 を付した")
    clauses_2: bool = Field(title="特記事項 別紙2 を付した")
    document_sha256: Digest = Field(title="契約書の SHA-256")
    delivery_place: Text = Field(title="納品場所")
    posted_by: Literal["区", "委託先"] = Field(title="差出しをする者")


class CertificateEntry(Content):
    """A mark with its validity as the entry's period, and where it was looked up."""

    kind, label_ja = "certificate", "認証"
    party: PartyId = _PARTY
    mark: Mark = Field(title="認証")
    number: Text = Field(title="認証番号")
    checked_on: date = Field(title="確認した日")
    source: Text = Field(title="確認した先")


class SubcontractEntry(Content):
    """The contract between 乙 and 丙 as the ward has seen it."""

    kind, label_ja = "subcontract", "再委託契約"
    contractor: PartyId = _FIRM
    subcontractor: PartyId = _SUB
    notices: tuple[NoticeId, ...] = _NOTICES
    clauses_2: bool = Field(title="特記事項 別紙2 を明記した（別紙1 第13項）")
    direct_powers: bool = Field(title="区の直接の報告徴収・調査・指導を明記した（別紙1 第12項）")
    document_sha256: Digest = Field(title="再委託契約書の SHA-256")


class ConsentEntry(Content):
    """The ward's consent to a subcontract: for these notices, for the entry's period."""

    kind, label_ja = "consent", "再委託の承諾"
    contractor: PartyId = _FIRM
    subcontractor: PartyId = _SUB
    notices: tuple[NoticeId, ...] = _NOTICES
    number: Text = Field(title="承諾書の文書番号")


class BidderEntry(Content):
    """A firm that bid for a job: it may not become the subcontractor of whoever won."""

    kind, label_ja = "bidder", "入札参加者"
    job: Text = Field(title="委託業務の名称")
    name_ja: Text = Field(title="名称")
    corporate_number: CorporateNumber = Field(title="法人番号（13桁）")


class LegalBasisEntry(Content):
    """On what the outsourcing rests, and what the council was told: scope by notice, method and item."""

    kind, label_ja = "legal_basis", "法的根拠・審議会"
    basis: Text = Field(title="根拠", description="例: 個人情報の保護に関する法律 第66条")
    council: Literal["諮問", "報告", "情報提供", "不要"] = Field(title="審議会への付議")
    reference: Text = Field(title="文書番号")
    decided_on: date = Field(title="答申・報告の日")
    notices: tuple[NoticeId, ...] = _NOTICES
    methods: tuple[Method, ...] = Field(title="授受の方式", min_length=1)


class WorkflowShareEntry(Content):
    """A version of the work flow, shared with a party, and when the party acknowledged it."""

    kind, label_ja = "workflow_share", "業務フローの共有"
    party: PartyId = _PARTY
    version: Text = Field(title="版")
    document_sha256: Digest = Field(title="業務フローの SHA-256")
    shared_on: date = Field(title="共有した日")
    acknowledged_on: date | None = Field(None, title="確認の届いた日")


class ProofEntry(Content):
    """校了 of a notice by a contractor for a fiscal year: four approvals, each with its day."""

    kind, label_ja = "proof", "校了"
    party: PartyId = _FIRM
    notice: NoticeId = Field(title="通知書")
    fiscal_year: FiscalYearNumber = _FY
    layout_on: date | None = Field(None, title="様式の校了日")
    characters_on: date | None = Field(None, title="文字の校了日")
    barcode_on: date | None = Field(None, title="バーコード読取りの確認日")
    window_on: date | None = Field(None, title="窓あき封筒の位置の確認日")


class AcceptanceEntry(Content):
    """A contractor has passed the acceptance pack with invented data."""

    kind, label_ja = "acceptance", "受入試験の合格"
    party: PartyId = _FIRM
    pack: Text = Field(title="試験の版")
    passed_on: date = Field(title="合格した日")


# ---- places, machines, ways


class PlaceEntry(Content):
    """A place the ward has designated (別紙1 第6項), and which lock it has."""

    kind, label_ja = "place", "指定場所・保管場所"
    party: PartyId = _PARTY
    name: Text = Field(title="場所の名前")
    lock: Literal["作業場所", "金庫", "鍵付キャビネット", "納品場所"] = Field(title="種類")


class ComputerEntry(Content):
    """A computer that may hold the data, or the terminal that is coupled with LGWAN (with its governance reference)."""

    kind, label_ja = "computer", "対象パソコン・サーバー"
    party: PartyId = _PARTY
    name: Text = Field(title="コンピュータ名")
    purpose: Literal["一時保管領域", "結合端末", "庁内端末", "印刷", "作業"] = Field(title="用途")
    governance_reference: Text | None = Field(None, title="結合の承認の文書番号（結合端末のとき）")

    @model_validator(mode="after")
    def _a_coupling_is_approved(self) -> Self:
        if self.purpose == "結合端末" and not self.governance_reference:
            raise ValueError("結合端末には、結合の承認の文書番号が要ります")
        return self


class EndpointEntry(Content):
    """Where data may be sent to, by host, port and the fingerprint of its key."""

    kind, label_ja = "endpoint", "許可した送信先"
    party: PartyId = _FIRM
    host: Text = Field(title="ホスト名")
    port: int = Field(title="ポート", ge=1, le=65535)
    host_key_fingerprint: str | None = Field(
        None, title="ホスト鍵の指紋", pattern=r"^SHA256:[A-Za-z0-9+/]{43}$"
    )


class PageCredentialsEntry(Content):
    """Address, ID and password of the dedicated page were received: on which way, never what they are."""

    kind, label_ja = "page_credentials", "専用ページの通知の受領"
    party: PartyId = _FIRM
    means: Literal["手渡し", "簡易書留", "口頭", "鍵認証のみ"] = Field(
        title="方法", description="電子メールは認められません。"
    )
    tracking_number: str | None = Field(None, title="追跡番号（簡易書留のとき）", pattern=r"^[0-9]{11,12}$")
    equivalence_reference: Text | None = Field(None, title="同等と認めた決定の文書番号（鍵認証のみのとき）")

    @model_validator(mode="after")
    def _the_way_is_proved(self) -> Self:
        if self.means == "簡易書留" and not self.tracking_number:
            raise ValueError("簡易書留には、追跡番号が要ります")
        if self.means == "鍵認証のみ" and not self.equivalence_reference:
            raise ValueError("鍵認証のみのときは、同等と認めた決定の文書番号が要ります")
        return self


class ZonePermissionEntry(Content):
    """Who may enter one of the four zones."""

    kind, label_ja = "zone_permission", "入退室の許可"
    party: PartyId = _PARTY
    zone: Zone = Field(title="区域")
    names: tuple[Text, ...] = Field(
        title="許可した従事者", description="一行に一人。被保険者の氏名は入力しないでください。", min_length=1
    )


# ---- what was done


class EntryLogCheckEntry(Content):
    """The entry log of a zone was compared with the permissions."""

    kind, label_ja = "entry_log_check", "入退室記録の点検"
    party: PartyId = _PARTY
    zone: Zone = Field(title="区域")
    checked_on: date = Field(title="点検した日")
    differences: int = Field(title="許可のない入室の件数", ge=0)


class LogSubmissionEntry(Content):
    """A log the party handed in on request; a subcontractor also its communication log."""

    kind, label_ja = "log_submission", "ログの提出"
    party: PartyId = _PARTY
    log: Literal["アクセスログ", "通信ログ", "利用者一覧"] = Field(title="種類")
    submitted_on: date = Field(title="提出日")
    up_to: date = Field(title="対象期間の末日")


class AuditEntry(Content):
    """実地の確認 per outsourced job, party and fiscal year (別紙1 第18・19項); `by` 乙 for 乙's audit of 丙."""

    kind, label_ja = "audit", "立入調査等"
    party: PartyId = _PARTY
    job: Text = Field(title="委託業務の名称")
    fiscal_year: FiscalYearNumber = _FY
    by: Literal["甲", "乙"] = Field(title="調査する者")
    planned_on: date | None = Field(None, title="予定日")
    held_on: date | None = Field(None, title="実施日")
    method: Visit = Field(title="方法")
    remote_reason: Text | None = Field(None, title="立入り以外の理由")
    findings: int = Field(title="指摘の件数", ge=0)

    @model_validator(mode="after")
    def _not_on_site_for_a_reason(self) -> Self:
        if self.held_on and self.method != "立入り" and not self.remote_reason:
            raise ValueError("立入り以外で行ったときは、その理由が要ります")
        return self


class CorrectiveActionEntry(Content):
    """改善の指導 and whether it was published (別紙1 第23項)."""

    kind, label_ja = "corrective_action", "改善の指導"
    party: PartyId = _PARTY
    instructed_on: date = Field(title="指導した日")
    due_on: date = Field(title="期限")
    done_on: date | None = Field(None, title="改善を確認した日")
    publication: Literal["未定", "公表する", "公表しない"] = Field(title="公表")


class StatusRequestEntry(Content):
    """A request for a report on the handling, by the ward or (to 丙) by 乙."""

    kind, label_ja = "status_request", "状況報告の求め"
    party: PartyId = _PARTY
    by: Literal["甲", "乙"] = Field(title="求めた者")
    requested_on: date = Field(title="求めた日")
    due_on: date = Field(title="期限")
    answered_on: date | None = Field(None, title="報告の届いた日")


class MeasureChangeEntry(Content):
    """A change of the party's measures: reported, then agreed with the ward."""

    kind, label_ja = "measure_change", "対策の変更の届出"
    party: PartyId = _PARTY
    summary: Text = Field(title="変更の内容")
    reported_on: date = Field(title="届出の日")
    agreed_on: date | None = Field(None, title="協議が整った日")


class IncidentHoldEntry(Content):
    """An incident freezes the party's hand-overs; ending the entry lifts the hold."""

    kind, label_ja = "incident_hold", "事故による引渡しの停止"
    party: PartyId = _PARTY
    reference: Text = Field(title="事故の受付番号")
    known_on: date = Field(title="区が知った日")


class WorkerNoticeEntry(Content):
    """乙 has told 丙's workers, former ones too, of secrecy and penalties (別紙1 第11項)."""

    kind, label_ja = "worker_notice", "従事者への周知"
    contractor: PartyId = _FIRM
    subcontractor: PartyId = _SUB
    fiscal_year: FiscalYearNumber = _FY
    notified_on: date = Field(title="周知した日")
    former_too: bool = Field(title="従事していた者にも周知した")


class AttestationEntry(Content):
    """What only the party itself can see, declared by it: one requirement an entry."""

    kind, label_ja = "attestation", "事業者の申告"
    party: PartyId = _PARTY
    requirement: str = Field(title="要件の番号", pattern=r"^R([1-9]|[1-9][0-9]|10[0-4])$")
    declared_on: date = Field(title="申告の日")
    statement: Text = Field(title="申告の内容")


class AccountReviewEntry(Content):
    """The ward's accounts and roles were gone through."""

    kind, label_ja = "account_review", "利用者の棚卸し"
    reviewed_on: date = Field(title="実施日")
    closed_accounts: int = Field(title="停止した利用者の数", ge=0)


class DeputyEntry(Content):
    """Who answers an office's forms in somebody's place (代理), for the days of the entry."""

    kind, label_ja = "deputy", "代理"
    user_id: Text = Field(title="代理をする職員のログイン名")
    office: Literal["担当", "承認者"] = Field(
        title="代理をする役割", description="その役割の書式に答えられます。"
    )
    instead_of: Text = Field(title="本人のログイン名")
    section: Text = Field(title="所属")


class ExerciseEntry(Content):
    """An exercise that was held: the disc when LGWAN is down, a restored backup, an accident."""

    kind, label_ja = "exercise", "訓練の実施"
    exercise: Literal[
        "LGWAN 停止時の媒体での引渡し", "バックアップからの復旧", "事故の受付と速報", "その他"
    ] = Field(title="訓練の種類")
    held_on: date = Field(title="実施日")
    cycle: CycleId | None = Field(
        None,
        title="使った発送回",
        description="リハーサルの発送回の番号。実データの発送回は訓練に使いません。",
    )
    findings: int = Field(title="改善することの件数", ge=0)


KINDS: dict[str, type[Content]] = {content.kind: content for content in Content.__subclasses__()}
"""Every kind of entry by its name: the closed set."""
