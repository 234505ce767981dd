"""The process: ten stages in a chain, one DAG per notice of the catalogue.

The set of DAGs follows the file names in include/config/notices and the structure of each is the same, so
that no mistake in a YAML file takes a DAG or an open run down. What an entry says (name, section, schedule)
is read leniently here; `catalogue_check.py` shows its mistakes as an import error of its own.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, DeadlineAlert, Param, SyncCallback, chain

from notice_cycle.catalogue import Notice, load_notice, notice_ids
from notice_cycle.errors import NoticeCycleError
from notice_cycle.opening import ORIGINALS_JA, REASONS_JA
from notice_cycle.settings import Settings
from notice_cycle.values import CYCLE_ID_PATTERN, Occasion
from notice_cycle_airflow.deadlines import ClosingDue, tell_closing_missed
from notice_cycle_airflow.notifiers.ward_mail import WardMail
from notice_cycle_airflow.timetables.fiscal_year import AnnualStartTimetable
from stages.acknowledgement import acknowledgement
from stages.closing import closing
from stages.composition import composition
from stages.delivery import delivery
from stages.encryption import encryption
from stages.erasure import erasure
from stages.extraction import extraction
from stages.handover import handover
from stages.opening import opening
from stages.validation import validation

DOC = """
### {name}

担当: {section} / 登録業務: {work}

一回の実行が一つの**発送回**です。開始 → 抽出 → 検証 → 印字データ作成 → 暗号化 → 引渡し → 受領確認 → 納品 → 消去 → 完了 の
十段階を順に進みます。

- **待っているとき**: 「書式:」のタスクは担当者・承認者の回答を、「待機:」のタスクは委託先の届出を待っています。
  回答は画面の「要対応項目」から行います。
- **止まったとき**: 赤いタスクのログの最後に、何が起きたかと「→」の後にすることが書かれています。原因を直して
  そのタスクを「タスクインスタンスを消去」（クリア）すると続きから動きます。消えるのは実行の状態だけで、データは消えません。記録済みの段階は二度実行されません。
- **随時処理**: 右上の「トリガー」から、年度・理由・基幹系の異動バッチ番号を入れて開始します。
  被保険者番号や氏名は入力しないでください（画面の履歴に残ります）。
"""

PARAMS = {
    "fiscal_year": Param(2026, type="integer", minimum=2026, maximum=2099, title="年度（西暦）"),
    "occasion": Param(
        Occasion.SUPPLEMENTARY.value,
        type="string",
        enum=[occasion.value for occasion in Occasion],
        values_display={occasion.value: occasion.label_ja for occasion in Occasion},
        title="当初・随時の別",
    ),
    "reason_code": Param(
        "corrected", type="string", enum=list(REASONS_JA), values_display=REASONS_JA, title="理由"
    ),
    "batch_no": Param(
        None,
        type=["null", "string"],
        pattern="^[0-9A-Za-z-]{1,40}$",
        title="異動バッチ番号",
        description="基幹系の処理票にある番号です。被保険者番号や氏名は入力しないでください。",
    ),
    "reprint_of": Param(
        None,
        type=["null", "string"],
        pattern=CYCLE_ID_PATTERN,
        title="もとの発送回（再作成のとき）",
        description="作り直すもとの発送回の番号です。",
    ),
    "originals": Param(
        None,
        type=["null", "string"],
        enum=[*ORIGINALS_JA, None],
        values_display={"null": "（再作成のときだけ）"},
        title="もとの通知（再作成のとき）",
    ),
}


def notice_cycle_dag(notice_id: str, entry: Notice | None) -> DAG:
    """The DAG of one notice; `entry` is None when its file cannot be read, and then it has no schedule."""
    starts = entry.starts if entry else None
    with DAG(
        dag_id=notice_id,
        dag_display_name=entry.name_ja if entry else notice_id,
        description="発送回（抽出から消去の証明まで）",
        doc_md=DOC.format(
            name=entry.name_ja if entry else notice_id,
            section=entry.section if entry else "（設定の誤りのため不明）",
            work=entry.registered_work if entry else "（設定の誤りのため不明）",
        ),
        schedule=AnnualStartTimetable(notice_id, starts.month, starts.hour) if starts else None,
        start_date=pendulum.datetime(2026, 4, 1, tz="Asia/Tokyo"),
        catchup=False,
        max_active_runs=16,
        params=PARAMS,
        render_template_as_native_obj=False,
        deadline=DeadlineAlert(
            reference=ClosingDue(),
            interval=timedelta(0),
            callback=SyncCallback(tell_closing_missed),
            name="完了の期限",
        ),
        tags=["発送回", entry.section] if entry else ["発送回", "設定の誤り"],
        default_args={
            "owner": entry.section if entry else "情報システム課",
            "retries": 3,
            "retry_delay": timedelta(seconds=Settings().retry_seconds),
            "on_failure_callback": WardMail("task_failed"),
        },
    ) as dag:
        chain(
            opening(),
            extraction(),
            validation(),
            composition(),
            encryption(),
            handover(),
            acknowledgement(),
            delivery(),
            erasure(),
            closing(),
        )
    return dag


def readable(notice_id: str) -> Notice | None:
    """The catalogue entry, None when it has a mistake (which catalogue_check.py tells)."""
    try:
        return load_notice(Settings().config_folder, notice_id)
    except NoticeCycleError:
        return None


for notice_id in notice_ids(Settings().config_folder):
    globals()[notice_id] = notice_cycle_dag(notice_id, readable(notice_id))
