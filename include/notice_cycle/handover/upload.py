"""アップロードの記録: an officer uploads the package from the intranet PC and records what was done.

The same evidence as an automatic hand-over: which files, from which computer, by whom, when, what the contractor's
page listed afterwards where it lists anything, and when the copy on that computer was deleted. Refuses a time before
the package existed, a listing without the files, and a deletion before the upload.
"""

from datetime import datetime
from typing import Any, cast

from notice_cycle.catalogue import Configuration
from notice_cycle.confirmations import Staff, refuse_while_held
from notice_cycle.errors import Refused
from notice_cycle.forms import Answer, Field, Form, table
from notice_cycle.handover.route import route_of
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import ByUpload, EncryptionRecord, Fact, HandoverRecord, Record

UPLOADED_AT = Field(
    key="uploaded_at", title_ja="アップロードした日時", help_ja="例 2026-07-01 15:00", moment=True
)
COMPUTER = Field(
    key="computer", title_ja="使った庁内パソコンの番号", help_ja="登録されている端末の番号（例 INTRA-012）"
)
UPLOADER = Field(key="uploader", title_ja="アップロードした者", help_ja="職員の氏名")
FOLDER = Field(
    key="remote_folder", title_ja="委託先のページの保存先", help_ja="画面に表示されたフォルダの名前"
)
COMPARED = Field(
    key="digest_compared", title_ja="SHA-256 の照合", choices=("送信前に照合した", "照合していない")
)
LISTING = Field(
    key="listing",
    title_ja="アップロードの後の、委託先のページの一覧",
    choices=("4つのファイルが正しい名前で並んだ", "一覧を表示しないページである", "並ばない・足りない"),
)
DELETED_AT = Field(
    key="deleted_at", title_ja="パソコンの控えを消去した日時", help_ja="例 2026-07-01 15:10", moment=True
)
UPLOADED = "アップロードした"


class Upload(Form):
    """Filled in by the ward's officer after uploading; asked only when the route is the officer's own."""

    id = "upload"
    title_ja = "アップロードの記録"
    role = "担当"
    options = (UPLOADED,)
    fields = (UPLOADED_AT, COMPUTER, UPLOADER, FOLDER, COMPARED, LISTING, DELETED_AT)
    record = HandoverRecord

    def applies(self, history: CycleHistory) -> bool:
        """Only for the officer's own upload."""
        return route_of(history, _configuration(history)) == "manual"

    def body(self, history: CycleHistory) -> str:
        """Which files to upload, with their digests."""
        encryption = history.latest(EncryptionRecord)
        rows = [(file.name, f"{file.size_bytes:,}バイト `{file.sha256}`") for file in encryption.files]
        return "\n".join(
            [
                f"送信箱のフォルダ {history.entries[0].cycle} から次のファイルを取り出し、委託先のページにアップロードしてください。",
                "アップロードの前に SHA-256 を照合し、終わったらパソコンの控えを消去してから記入してください。",
                "",
                table(rows, ("ファイル", "大きさと SHA-256")),
            ]
        )

    def judge(self, answer: Answer, history: CycleHistory) -> HandoverRecord:
        """Keeps what was done, in the right order."""
        encryption, entry = history.latest(EncryptionRecord), history.entry_of(EncryptionRecord)
        uploaded_at, deleted_at = answer.moment(UPLOADED_AT), answer.moment(DELETED_AT)
        if answer.text(COMPARED) != COMPARED.choices[0]:
            raise Refused(
                "SHA-256 を照合せずにアップロードしたものは、引渡しとして記録できません。",
                advice="送信箱のファイルと照合してからアップロードし直し、委託先に前のものの削除を依頼してください。",
            )
        if (listing := answer.text(LISTING)) == LISTING.choices[-1]:
            raise Refused(
                "委託先のページに、送った4つのファイルがそろって並んでいません。",
                advice="足りないものをアップロードし直し、そろってから答え直してください。直らないときは委託先に電話してください。",
            )
        if entry is None or uploaded_at < _minute(entry.recorded_at):
            raise Refused(
                "アップロードした日時が、暗号化より前です。",
                advice="実際にアップロードした日時を入力してください。",
            )
        if deleted_at < uploaded_at:
            raise Refused(
                "パソコンの控えを消去した日時が、アップロードより前です。",
                advice="アップロードの後に控えを消去し、その日時を入力してください。",
            )
        return HandoverRecord(
            party=_configuration(history).party.id,
            files=encryption.files,
            sent_at=uploaded_at,
            manual=ByUpload(
                computer=answer.text(COMPUTER),
                remote_folder=answer.text(FOLDER),
                digest_compared="送信前に照合した",
                listing=cast(Any, listing),
                uploader=answer.text(UPLOADER),
                copy_deleted_at=deleted_at,
                entered_by=answer.by,
                entered_at=answer.at,
            ),
        )

    def compare(self, kept: Record | tuple[Fact, ...], history: CycleHistory, staff: Staff) -> None:
        """No incident stops it."""
        refuse_while_held(staff.register, _configuration(history), cast(HandoverRecord, kept).sent_at)


def _configuration(history: CycleHistory) -> Configuration:
    return Configuration.model_validate(history.opening.configuration)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)  # people enter minutes, machines seconds
