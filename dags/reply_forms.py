"""届出についての書式: which of two different messages holds, what came on paper, how an enclosure's passphrase came."""

from airflow.sdk import Param, task

from notice_cycle.decisions import REASONS_JA
from notice_cycle.exchange.messages import MESSAGES
from notice_cycle.register.changing import FILED_PATTERN
from notice_cycle.register.kinds import PARTY_PATTERN
from notice_cycle_airflow.form_dag import CYCLE, form_dag

CONFLICT = """
### 異なる届出の判断

同じ種類で内容の違う二通の届出が届いたとき、どちらを採るかを、委託先に電話で確かめてから記録します。

1. 「トリガー」から、発送回・届出の種類・事業者・判断・理由を選んで開始します。届いたメールに書いてあります。
2. **先のものを採る**: 後のものは、以後受け付けません。止まったタスクをクリアします。
3. **後のものを採る**: その届出で済んだ段階は、やり直しになります。この実行が緑になった後、その段階の「待機:」のタスクを、下流を含めてクリアします。
   引抜き・差替えの確認なら、Dag「引抜き・差替え」のその依頼の実行です。
"""

PAPER = """
### 書面の届出

書面で届いた届出を、職員がファイル（様式の JSON か CSV）に転記し、届出を置くフォルダに**署名なしで**置いてから、ここで登録します。

1. 「トリガー」から、発送回・届出の種類・事業者・書面の文書番号を入れて開始します。
2. この実行が、置かれたファイルを読み、SHA-256 をログに示して、だれが登録したかとともに記録します。
3. 登録した SHA-256 のファイルだけが、署名なしで受け付けられます。書面と転記は、別の職員がもう一度読み合わせてください。
"""

OTHER_OCCASION = """
### 添付ファイルのパスワードの受領

個人情報を含む添付ファイルのパスワードを、**ファイルとは別の機会に**受け取ったことを記録します。パスワードそのものは、どこにも入力しないでください。
"""

KIND = Param(
    None,
    type="string",
    enum=list(MESSAGES),
    values_display={kind: message.label_ja for kind, message in MESSAGES.items()},
    title="届出の種類",
)
PARTY = Param(None, type="string", pattern=PARTY_PATTERN, title="事業者の登録番号")

with form_dag(
    dag_id="reply_conflict",
    dag_display_name="異なる届出の判断",
    description="内容の異なる二通の届出の、どちらを採るか",
    doc_md=CONFLICT,
    params={
        "cycle": CYCLE,
        "kind": KIND,
        "party": PARTY,
        "choice": Param(
            "first",
            type="string",
            enum=["first", "second"],
            values_display={"first": "先のものを採る", "second": "後のものを採る（段階はやり直し）"},
            title="判断",
        ),
        "reason_code": Param(
            "contractor_corrected",
            type="string",
            enum=list(REASONS_JA),
            values_display=REASONS_JA,
            title="理由",
        ),
    },
):

    @task(task_display_name="どちらを採るかの記録")
    def decide_conflict() -> str:
        """判断を証跡台帳に記録します。後のものを採るときは、済んだ段階のやり直しも記録します。"""
        from notice_cycle.replies import decide
        from notice_cycle_airflow.run_context import decision_request, telling

        with telling():
            cycle, asked, person = decision_request()
            with cycle.standing_still():
                decided, redone = decide(
                    cycle.history(),
                    asked["kind"],
                    asked["party"],
                    choice=asked["choice"],
                    reason_code=asked["reason_code"],
                    by=person,
                )
                if redone:  # first: a crash between the two leaves the conflict open, never half decided
                    cycle.note(redone, by=person)
                cycle.note(decided, by=person)
            return decided.held_sha256

    decide_conflict()

with form_dag(
    dag_id="reply_on_paper",
    dag_display_name="書面の届出",
    description="書面の届出を転記したファイルの登録",
    doc_md=PAPER,
    params={
        "cycle": CYCLE,
        "kind": KIND,
        "party": PARTY,
        "document_number": Param(None, type="string", pattern=FILED_PATTERN, title="書面の文書番号"),
    },
):

    @task(task_display_name="転記の登録", queue="lgwan")
    def enter_paper() -> str:
        """置かれたファイルを読み、SHA-256 を示して記録します。様式に合わなければ、記録せずに止まります。"""
        from notice_cycle_airflow.reply_watching import enter_transcription
        from notice_cycle_airflow.run_context import decision_request, telling

        with telling():
            cycle, asked, person = decision_request()
            return enter_transcription(cycle, asked, person).message_sha256

    enter_paper()

with form_dag(
    dag_id="enclosure_passphrase",
    dag_display_name="添付ファイルのパスワードの受領",
    description="添付ファイルのパスワードを、別の機会に受け取ったことの記録",
    doc_md=OTHER_OCCASION,
    params={
        "cycle": CYCLE,
        "encrypted_file_sha256": Param(
            None, type="string", pattern="^[0-9a-f]{64}$", title="添付ファイルの SHA-256"
        ),
        "means": Param("手渡し", type="string", enum=["手渡し", "簡易書留", "口頭"], title="方法"),
        "giver": Param(
            None,
            type="string",
            minLength=1,
            maxLength=100,
            title="渡した者（事業者の従事者）",
            description="被保険者の氏名は入力しないでください。",
        ),
        "received_on": Param(None, type="string", format="date", title="受け取った日"),
    },
):

    @task(task_display_name="パスワードの受領の記録")
    def enter_passphrase_receipt() -> str:
        """どの添付ファイルのパスワードを、いつ、どの方法で受け取ったかを記録します。"""
        from notice_cycle import clock
        from notice_cycle.replies import passphrase_received
        from notice_cycle_airflow.run_context import decision_request, telling

        with telling():
            cycle, asked, person = decision_request()
            fact = passphrase_received(
                cycle.history(),
                asked["encrypted_file_sha256"],
                means=asked["means"],
                giver=asked["giver"],
                received_on=asked["received_on"],
                by=person,
                at=clock.now(),
            )
            cycle.note(fact, by=person)
            return fact.encrypted_file_sha256

    enter_passphrase_receipt()
