"""媒体引渡確認書: the discs go from hand to hand, and disc and passphrase notice are kept apart.

Refuses what the council paper forbids: a disc that was not read back, one place for disc and passphrase notice, a
carrier without a safe, and a disc that counts while an earlier package may still be printed from the contractor's
host.
"""

import re
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
from notice_cycle.errors import Differs, Refused
from notice_cycle.forms import Answer, Field, Form, table
from notice_cycle.handover.route import over_lgwan_before, route_of
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    CopyWithdrawn,
    DiscBurnt,
    DiscsMade,
    EncryptionRecord,
    Fact,
    HandoverBegun,
    HandoverRecord,
    OnDisc,
    Record,
)

HANDED_AT = Field(
    key="handed_at", title_ja="日時", help_ja="媒体を渡した日時（例 2026-07-01 15:00）", moment=True
)
GIVER = Field(key="giver", title_ja="取扱者（区で渡した者）", help_ja="職員の氏名")
TAKER = Field(key="taker", title_ja="受領者（委託先で受け取った者）", help_ja="取扱者名簿にある者の氏名")
QUANTITY = Field(key="quantity", title_ja="数量（枚）", help_ja="渡した媒体の枚数")
MEANS = Field(key="means", title_ja="方法", choices=("手渡し", "簡易書留"))
TRACKING = Field(key="tracking_number", title_ja="追跡番号（簡易書留のとき）", required=False)
BURNT_AT = Field(key="burnt_at", title_ja="書き込んだ場所", help_ja="例 情報システム課 機械室")
READ_BACK = Field(
    key="read_back", title_ja="書き込み後の読み戻し", choices=("一致した", "一致しない・していない")
)
SAFE = Field(key="kept_in_safe", title_ja="委託先での媒体の保管場所（金庫）", help_ja="例 本社2階 耐火金庫A")
NOTICE_PLACE = Field(
    key="notice_kept_in",
    title_ja="委託先でのパスワード通知書の保管場所",
    help_ja="媒体とは別の鍵付きキャビネット",
)
LGWAN_COPY = Field(
    key="lgwan_copy",
    title_ja="前に LGWAN で送ったもの",
    choices=("送っていない", "引き上げた", "未開封を書面で確認した"),
)
HANDED = "引き渡した"
_LOCKED = ("キャビネット", "保管庫", "金庫", "ロッカー")
_TRACKING_NUMBER = re.compile(r"[0-9]{11,12}")


class DiscHandover(Form):
    """Filled in by the ward's officer after the discs were handed over; asked only when the route is the disc."""

    id = "disc_handover"
    title_ja = "媒体引渡確認書"
    role = "担当"
    options = (HANDED,)
    fields = (
        *(HANDED_AT, GIVER, TAKER, QUANTITY, MEANS, TRACKING),
        *(BURNT_AT, READ_BACK, SAFE, NOTICE_PLACE, LGWAN_COPY, SIGNED_BY, FILED),
    )
    record = HandoverRecord

    def applies(self, history: CycleHistory) -> bool:
        """Only for the disc."""
        return route_of(history, _configuration(history)) == "dvd"

    def body(self, history: CycleHistory) -> str:
        """Which images to write to disc, and what to do with earlier packages."""
        made, encryption = _made(history), history.latest(EncryptionRecord)
        burnt = {fact.disc for fact in history.facts(DiscBurnt)}
        rows = [
            (
                disc.label,
                f"{disc.image.size_bytes:,}バイト{'（装置で書き込み、読み戻して一致）' if disc in burnt else ''}"
                f" `{disc.image.sha256}`",
            )
            for disc in made.discs
        ]
        lines = [
            f"送信箱のフォルダ {history.entries[0].cycle} のイメージを DVD に書き込み、読み戻して照合し、委託先に渡してください。",
            "印刷した盤面ラベルを媒体とケースに付け、送付票を添えます。",
            "パスワード通知書は、媒体とは**別の機会に、別の人が**渡します。媒体は金庫に、通知書は別の鍵付きキャビネットに保管してもらってください。",
            "",
            table(rows, ("媒体のラベル", "イメージの大きさと SHA-256")),
        ]
        if before := over_lgwan_before(history, encryption.package):
            withdrawn = {fact.package for fact in history.facts(CopyWithdrawn) if not fact.left}
            digests = {fact.package: fact.encrypted_file.sha256 for fact in history.facts(HandoverBegun)}
            told = [
                (one, f"{'引き上げ済み' if one in withdrawn else '**引き上げていない**'} `{digests[one]}`")
                for one in before
            ]
            lines += [
                "",
                "前に LGWAN で送り始めたものがあります。二重に印刷されないことを確かめてください。",
                "委託先に、使わずに消去し、消去報告書にこの SHA-256 を載せるよう伝えます（受け取っていなければ場所「受領なし」）。",
                "",
                table(told, ("前のパッケージ", "控えと SHA-256")),
            ]
        return "\n".join(lines)

    def judge(self, answer: Answer, history: CycleHistory) -> HandoverRecord:
        """Checks places, quantity, reading back and what lies on the contractor's host."""
        made, encryption = _made(history), history.latest(EncryptionRecord)
        handed_at, means = answer.moment(HANDED_AT), answer.text(MEANS)
        if handed_at < made.made_at.replace(second=0, microsecond=0):
            raise Differs(
                "媒体を渡した日時が、イメージの作成より前です。",
                advice="実際に渡した日時を入力してください。",
            )
        if answer.text(READ_BACK) != READ_BACK.choices[0]:
            raise Refused(
                "読み戻して一致した媒体だけを引き渡せます。",
                advice="書き込み直して読み戻し、一致してから渡してください。一致しない媒体は裁断します。",
            )
        if (quantity := answer.count(QUANTITY)) != len(made.discs):
            raise Differs(
                f"渡した枚数（{quantity}枚）が、作成した枚数（{len(made.discs)}枚）と一致しません。",
                advice="枚数を数え直してください。足りない媒体が見つかるまで、引渡しは記録できません。",
            )
        tracking = answer.text(TRACKING)
        if means == "簡易書留" and not _TRACKING_NUMBER.fullmatch(tracking.replace("-", "")):
            raise Refused(
                "簡易書留の追跡番号がないか、11桁または12桁の数字ではありません。",
                advice="受領証の引受番号を半角数字で入力してください。",
            )
        safe, notice_place = answer.text(SAFE), answer.text(NOTICE_PLACE)
        if _same_place(safe, notice_place):
            raise Refused(
                "媒体とパスワード通知書の保管場所が同じです。",
                advice="媒体は金庫に、通知書は別の鍵付きキャビネットに保管してもらい、それぞれの場所を入力してください。",
            )
        burnt_at = answer.text(BURNT_AT)
        if _same_place(burnt_at, safe) or _same_place(burnt_at, notice_place):
            raise Refused(
                "媒体を書き込んだ場所と、媒体またはパスワード通知書の保管場所が同じです。",
                advice="書き込んだ区の場所と、委託先で保管する金庫・キャビネットを、それぞれ入力してください。",
            )
        if "金庫" not in safe:
            raise Refused(
                "媒体の保管場所が金庫ではありません。",
                advice="施錠できる金庫に保管してもらい、その場所を入力してください。",
            )
        if not any(word in notice_place for word in _LOCKED):
            raise Refused(
                "パスワード通知書の保管場所が、鍵付きのキャビネットや保管庫ではありません。",
                advice="媒体とは別の鍵付きキャビネットに保管してもらい、その場所を入力してください。",
            )
        _refuse_double_printing(answer.text(LGWAN_COPY), history, encryption.package)
        return HandoverRecord(
            party=_configuration(history).party.id,
            files=encryption.files,
            sent_at=handed_at,
            dvd=OnDisc(
                confirmation_number=printed_number(self.id, history),
                discs=made.discs,
                burnt_at=burnt_at,
                kept_in_safe=safe,
                notice_kept_in=notice_place,
                giver=answer.text(GIVER),
                taker=answer.text(TAKER),
                handed_at=handed_at,
                means=cast(Any, means),
                tracking_number=tracking,
                quantity=quantity,
                lgwan_copy=cast(Any, answer.text(LGWAN_COPY)),
                filed_under=answer.text(FILED),
                signed_by=answer.text(SIGNED_BY),
                entered_by=answer.by,
                entered_at=answer.at,
            ),
        )

    def compare(self, kept: Record | tuple[Fact, ...], history: CycleHistory, staff: Staff) -> None:
        """No incident stops it; taker and signer are on that day's roster."""
        disc = cast(HandoverRecord, kept).dvd
        if disc:
            refuse_while_held(staff.register, _configuration(history), disc.handed_at)
            named = [(TAKER, disc.taker), (SIGNED_BY, disc.signed_by)]
            require_on_roster(staff, _configuration(history), disc.handed_at, named)


def _refuse_double_printing(said: str, history: CycleHistory, package: str) -> None:
    before = over_lgwan_before(history, package)
    withdrawn = {fact.package for fact in history.facts(CopyWithdrawn) if not fact.left}
    if before and said == "送っていない":
        raise Refused(
            f"前に LGWAN で送り始めたものがあります（{', '.join(before)}）。",
            advice="委託先の受け口から引き上げるか、未開封であることを書面で確認してから、選び直してください。",
        )
    if said == "引き上げた" and (left := [one for one in before if one not in withdrawn]):
        raise Refused(
            f"引き上げの記録がありません（{', '.join(left)}）。",
            advice="回線が戻っていれば「LGWAN の控えの引上げ」をクリアしてください。戻らないときは、委託先に未開封を書面で確認します。",
        )


def _made(history: CycleHistory) -> DiscsMade:
    package = history.latest(EncryptionRecord).package
    if made := [fact for fact in history.facts(DiscsMade) if fact.package == package]:
        return made[-1]
    raise Refused(
        "媒体のイメージがまだありません。", advice="「媒体イメージの作成」のタスクから実行してください。"
    )


def _same_place(one: str, other: str) -> bool:
    return "".join(one.split()) == "".join(other.split())


def _configuration(history: CycleHistory) -> Configuration:
    return Configuration.model_validate(history.opening.configuration)
