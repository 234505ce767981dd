"""登録簿の書式: one small form for each kind of entry; an answer is a fact in the ledger, nothing is overwritten."""

from airflow.sdk import DAG, Param, task

from notice_cycle.register.changing import (
    ACTIONS_JA,
    FILED_PATTERN,
    KEY_PATTERN,
    REASONS_JA,
    Blank,
    blanks,
)
from notice_cycle.register.kinds import KINDS, Content
from notice_cycle_airflow.form_dag import SECTION, form_dag

DOC = """
### 登録簿: {label}

登録簿の「{label}」を追加・変更・終了し、証跡台帳に記録します。前の内容は消えません。変更は初日から、終了は末日まで効きます。

1. 「トリガー」から、登録番号・処理・日付・理由・文書番号と、内容を入れて開始します。
2. 終了のときは、末日だけを入れます。内容の欄は空でかまいません。
3. 記録できないときは、この実行が赤になり、ログに直すところが出ます。直して、もう一度「トリガー」から開始します。

**ここに書く氏名は、事業者または区の従事者のものです。被保険者の氏名・番号は、どの欄にも入力しないでください**（画面の履歴に残ります）。
"""

MORE = {
    "account_review": "確かめるもの: [利用者の一覧](/notice-cycle/accounts)（課長は自分の課、情報システム運用・監査・管理者はすべての利用者が見えます）。\n",
}
"""What the text of a single form adds."""

DAY_PATTERN = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"

FIRST = {
    "key": Param(
        None, type="string", pattern=KEY_PATTERN, title="登録番号", description="半角の英小文字・数字・ハイフン（例 2026-print-1）"
    ),
    "action": Param("add", type="string", enum=list(ACTIONS_JA), values_display=ACTIONS_JA, title="処理"),
}  # fmt: skip
LAST = {
    "valid_from": Param(
        "", type="string", pattern=DAY_PATTERN, title="有効期間の初日", description="例 2026-04-01（追加・変更のとき）"
    ),
    "valid_until": Param(
        None, type=["null", "string"], pattern=DAY_PATTERN, title="有効期間の末日", description="終了のときは必ず。期限のないものは空"
    ),
    "reason_code": Param("new", type="string", enum=list(REASONS_JA), values_display=REASONS_JA, title="理由"),
    "filed_as": Param(
        None, type="string", pattern=FILED_PATTERN, title="根拠の文書番号", description="届出や契約書を綴じた文書の番号（例 26介保第12号）"
    ),
}  # fmt: skip


def param(blank: Blank) -> Param:
    """A field of the form; each may stay empty, for an end asks for none: what is missing is told when judged.

    Airflow marks a field that takes no null with an asterisk: so are those that an addition needs.
    """
    empty, kind = ("", "string") if blank.required else (None, ["null", "string"])
    shape: dict[str, object] = {"title": blank.title_ja, "description": blank.help_ja or None}
    if blank.choices:
        shape |= {"enum": [empty, *blank.choices], "values_display": {"null": "（なし）"}}
    elif blank.day:
        shape |= {"pattern": DAY_PATTERN, "description": blank.help_ja or "例 2026-04-01"}
    else:
        shape |= {"format": "multiline"} if blank.lines else {"maxLength": 200}
    return Param(empty, type=kind, **shape)


def register_form(kind: type[Content]) -> DAG:
    """The form of one kind of entry."""
    with form_dag(
        dag_id=f"register_{kind.kind}",
        dag_display_name=f"登録簿: {kind.label_ja}",
        description=f"登録簿の「{kind.label_ja}」の追加・変更・終了",
        doc_md=DOC.format(label=kind.label_ja) + MORE.get(kind.kind, ""),
        tag="登録簿",
        owner=SECTION,
        params={**FIRST, **{blank.key: param(blank) for blank in blanks(kind)}, **LAST},
    ) as dag:

        @task(task_display_name="登録簿への記録")
        def enter_change() -> str:
            """登録簿の変更を証跡台帳に記録します。記録できないときは理由を示して止まります。"""
            from notice_cycle import clock
            from notice_cycle.register import Asked, enter
            from notice_cycle.settings import Settings
            from notice_cycle_airflow.run_context import form_request, telling

            with telling():
                ledger, asked, person = form_request()
                asked_for = Asked.of_params(kind.kind, asked)
                return enter(ledger, Settings().config_folder, asked_for, by=person, at=clock.now()).digest

        enter_change()
    return dag


for content in KINDS.values():
    globals()[f"register_{content.kind}"] = register_form(content)
