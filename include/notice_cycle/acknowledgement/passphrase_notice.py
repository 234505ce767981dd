"""パスワード通知書 and its 確認書: the passphrase leaves on numbered paper, on another occasion than the data.

The ledger knows the number, never the passphrase. E-mail is not among the means. Who carried the disc does not carry
the notice, and the configured time lies between.
"""

import re
from datetime import datetime, timedelta
from typing import Any, cast

from notice_cycle.catalogue import Configuration
from notice_cycle.confirmations import (
    FILED,
    SIGNED_BY,
    Staff,
    printed_number,
    refuse_while_held,
    require_on_roster,
)
from notice_cycle.documents import render
from notice_cycle.encryption import passphrase
from notice_cycle.errors import Differs, Refused
from notice_cycle.fiscal_year import tokyo_date
from notice_cycle.forms import Answer, Field, Form, plain, table, tokyo
from notice_cycle.gates.process import ONE_PERSON, can_be_two_people
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.printing import print_document
from notice_cycle.records import (
    EncryptionRecord,
    Fact,
    HandoverRecord,
    PassphraseHandoverRecord,
    PassphraseNoticeRecord,
    ReceiptRecord,
    Record,
)
from notice_cycle.settings import Settings
from notice_cycle.values import sha256
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import PASSPHRASE


def issue_passphrase_notice(
    encryption: EncryptionRecord,
    configuration: Configuration,
    vault: CycleVault,
    settings: Settings,
    *,
    cycle: str,
    number: int,
    synthetic: bool,
    at: datetime,
    passphrase_name: str = PASSPHRASE,
) -> PassphraseNoticeRecord:
    """Prints notice `number` of the cycle and gives its record; the document itself is not kept."""
    notice_number = f"{cycle}-PW{number}"
    secret = passphrase.parse(vault.secret(passphrase_name).decode())
    pdf = render(
        "passphrase_notice",
        {
            "number": notice_number,
            "cycle": cycle,
            "notice": configuration.notice.name_ja,
            "package": encryption.package,
            "section": f"{configuration.ward} {configuration.notice.section}",
            "contractor": configuration.party.name_ja,
            "passphrase": secret.reveal(),
            "fingerprint": encryption.signer_fingerprint,
        },
        at=at,
        synthetic=synthetic,
        documents=settings.config_folder / "documents",
    )
    print_document(settings, notice_number, pdf)
    return PassphraseNoticeRecord(notice_number=notice_number, document_sha256=sha256(pdf), printed_at=at)


HANDED_AT = Field(
    key="handed_at", title_ja="日時", help_ja="実際に渡した日時（例 2026-07-01 15:00）", moment=True
)
GIVER = Field(key="giver", title_ja="取扱者（区で渡した者）", help_ja="職員の氏名")
TAKER = Field(key="taker", title_ja="受領者（委託先で受け取った者）", help_ja="取扱者名簿にある者の氏名")
MEANS = Field(key="means", title_ja="方法", choices=("手渡し", "簡易書留", "口頭"))
TRACKING = Field(
    key="tracking_number",
    title_ja="追跡番号（簡易書留のとき）",
    help_ja="引受番号11桁または12桁",
    required=False,
)
QUANTITY = Field(key="quantity", title_ja="数量", help_ja="渡した通知書の部数")
HANDED = "引き渡した"
_TRACKING_NUMBER = re.compile(r"[0-9]{11,12}")


class PassphraseHandover(Form):
    """Filled in by the ward's officer after the paper was handed over; never by e-mail (R52, R53)."""

    id = "passphrase_handover"
    title_ja = "パスワード引渡確認書"
    role = "担当"
    options = (HANDED,)
    fields = (HANDED_AT, GIVER, TAKER, MEANS, TRACKING, QUANTITY, SIGNED_BY, FILED)
    record = PassphraseHandoverRecord

    def body(self, history: CycleHistory) -> str:
        """Which paper to hand over, and how."""
        notice, receipt = history.latest(PassphraseNoticeRecord), history.latest(ReceiptRecord)
        party = cast(dict[str, Any], history.opening.configuration["party"])
        facts = [
            ("情報の内容", f"パスワード通知書 {notice.notice_number} 1部"),
            ("相手", str(party["name_ja"])),
            ("データの引渡し", tokyo(history.latest(HandoverRecord).sent_at)),
            ("データの受領", f"{tokyo(receipt.received_at)} {plain(receipt.received_by)}"),
            ("渡せるのは", f"{tokyo(_not_before(history))} から"),
        ]
        if disc := history.latest(HandoverRecord).dvd:
            facts.append(("渡せない者", f"{plain(disc.giver)}（媒体を渡した者）"))
        return "\n".join(
            [
                "プリンタの通知書を、データとは別の機会に委託先へ渡し、渡した後で記入してください。",
                "方法は手渡し・簡易書留・口頭のいずれかです。**電子メールでは送れません。**",
                "",
                table(facts),
            ]
        )

    def judge(self, answer: Answer, history: CycleHistory) -> PassphraseHandoverRecord:
        """Checks occasion, means and quantity."""
        receipt, notice = history.latest(ReceiptRecord), history.latest(PassphraseNoticeRecord)
        handed_at, means = answer.moment(HANDED_AT), answer.text(MEANS)
        # People enter minutes, machines seconds.
        if handed_at < max(receipt.received_at, notice.printed_at).replace(second=0, microsecond=0):
            raise Differs(
                "パスワードの引渡しが、データの受領または通知書の発行より前の日時になっています。",
                advice="データとは別の機会に渡し、その日時を入力してください。",
            )
        if handed_at < (not_before := _not_before(history)):
            raise Refused(
                f"データの引渡しとの間隔が足りません（{tokyo(not_before)} から渡せます）。",
                advice="その時刻を待って渡してください。すでに渡したのなら、「パスワード通知書の無効化」に開示のおそれありとして記録してもらいます。",
            )
        tracking = answer.text(TRACKING)
        if means == "簡易書留" and not _TRACKING_NUMBER.fullmatch(tracking.replace("-", "")):
            raise Refused(
                "簡易書留の追跡番号がないか、11桁または12桁の数字ではありません。",
                advice="受領証の引受番号を半角数字で入力してください。",
            )
        if answer.count(QUANTITY) != 1:
            raise Differs("通知書の数量は1部です。", advice="渡した部数を確認してください。")
        return PassphraseHandoverRecord(
            confirmation_number=printed_number(self.id, history),
            notice_number=notice.notice_number,
            handed_at=handed_at,
            giver=answer.text(GIVER),
            taker=answer.text(TAKER),
            means=cast(Any, means),
            tracking_number=tracking,
            quantity=1,
            entered_by=answer.by,
            entered_at=answer.at,
            signed_by=answer.text(SIGNED_BY),
            filed_under=answer.text(FILED),
        )

    def compare(self, kept: Record | tuple[Fact, ...], history: CycleHistory, staff: Staff) -> None:
        """No incident stops it; taker and signer are on that day's roster; who gave the disc does not give the notice."""
        given = cast(PassphraseHandoverRecord, kept)
        configuration = Configuration.model_validate(history.opening.configuration)
        refuse_while_held(staff.register, configuration, given.handed_at)
        require_on_roster(
            staff, configuration, given.handed_at, [(TAKER, given.taker), (SIGNED_BY, given.signed_by)]
        )
        disc, day = history.latest(HandoverRecord).dvd, tokyo_date(given.handed_at)
        if disc is None or "".join(disc.giver.split()) != "".join(given.giver.split()):
            return
        cycle = str(history.entries[0].cycle)
        excepted = staff.excepts(ONE_PERSON, cycle=cycle, configuration=configuration, on=day)
        if can_be_two_people(staff.register, day) and not excepted:
            raise Refused(
                f"パスワード通知書を渡した者（{given.giver}）は、媒体を渡した者と同じです。",
                advice="別の職員が渡してください。体制上できないときは、課長が関門「媒体と通知書の別の取扱者」の例外を記録してから答え直します。",
            )


def _not_before(history: CycleHistory) -> datetime:
    """From when on the notice may be given: the configured time after the disc, or after the receipt of the data."""
    handover, receipt = history.latest(HandoverRecord), history.latest(ReceiptRecord)
    gap = Configuration.model_validate(history.opening.configuration).password_gap_minutes
    data_at = handover.sent_at if handover.dvd else receipt.received_at
    minutes = getattr(gap, handover.route)
    return data_at.replace(second=0, microsecond=0) + timedelta(minutes=minutes)
