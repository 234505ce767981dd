"""事故の受付: what happened is taken down, the party's hand-overs stop, everyone responsible is told, a draft is printed."""

from airflow.sdk import Param, task

from notice_cycle.incidents.entering import TITLES_JA, choices
from notice_cycle.register.changing import FILED_PATTERN
from notice_cycle.register.kinds import PARTY_PATTERN
from notice_cycle_airflow.form_dag import SECTION, form_dag

DOC = """
### 事故の受付
事故・そのおそれ・特記事項の違反を聞いたら、**分からないことがあっても、すぐに**「トリガー」から受け付けます。委託先（乙）、再委託先（丙）、
区の職員のだれから聞いても同じです。時計は、**区のだれかが知った時**から進みます。

1. 受け付けると、その事業者への引渡し（データ・媒体・パスワード通知書）が止まり、担当・課長・情報システム課にメールが届き、速報の案が印刷されます。
2. 区の責任者に**直ちに**電話します。その後のことは、Dag「事故の処理」に記録します。
3. 分からない項目は「不明」を選びます。本人の数は、選んだ発送回の記録から数えます。

**被保険者の氏名・番号、相手方の氏名は、どの欄にも入力しないでください**（画面の履歴に残ります）。くわしい経緯は文書に綴じ、番号だけを入れます。
"""


def one(field: str, first: str | None = None) -> Param:
    """A field with one choice."""
    return Param(first, type="string", enum=choices(field), title=TITLES_JA[field])


def several(field: str) -> Param:
    """A field with any number of choices, at least one."""
    named = choices(field)
    return Param(
        [named[-1]],
        type="array",
        items={"type": "string", "enum": named},
        examples=named,
        minItems=1,
        title=TITLES_JA[field],
    )


with form_dag(
    dag_id="incident",
    dag_display_name="事故の受付",
    description="事故・おそれ・違反を受け付け、引渡しを止め、時計を動かす",
    doc_md=DOC,
    tag="事故",
    owner=SECTION,
    retries=3,
    params={
        "party": Param(
            None,
            type="string",
            pattern=PARTY_PATTERN,
            title="事業者",
            description="事業者の登録番号（例 example_print）",
        ),
        "incident_kind": one("incident_kind"),
        "known_at": Param(
            None,
            type="string",
            format="date-time",
            title="区が知った日時",
            description="区のだれかが最初に知った時",
        ),
        "told_by": one("told_by"),
        "told_by_means": one("told_by_means"),
        "cycles": Param(
            "",
            type="string",
            format="multiline",
            title="発送回",
            description="関係する自分の課の発送回の番号を一行に一つ。分からないとき、ほかの課のときは空",
        ),
        "carrier": one("carrier", "不明"),
        "items": several("items"),
        "encrypted": one("encrypted", "不明"),
        "malicious": one("malicious", "不明"),
        "measures": several("measures"),
        "filed_as": Param(
            None,
            type="string",
            pattern=FILED_PATTERN,
            title="受付票の文書番号",
            description="例 26介保第12号",
        ),
    },
):

    @task(task_display_name="受付と停止")
    def report_incident() -> str:
        """事故を証跡台帳に記録します。その事業者への引渡しは、ここから止まります。"""
        from notice_cycle import clock
        from notice_cycle.incidents.entering import report
        from notice_cycle.settings import Settings
        from notice_cycle_airflow.incidents import tell_incident
        from notice_cycle_airflow.run_context import form_request, telling

        with telling():
            ledger, asked, person = form_request()
            entry = report(ledger, Settings().config_folder, asked, by=person, at=clock.now())
            number = str(entry.data["number"])
            tell_incident(ledger, number)  # also when the first try had entered it and died: rather twice
            return number

    @task(task_display_name="速報の案の印刷")
    def print_draft(number: str) -> str:
        """法の項目の順に、台帳から分かることを書いた速報の案を、一度だけ印刷します。"""
        from notice_cycle_airflow.incidents import print_draft
        from notice_cycle_airflow.run_context import open_ledger, telling

        with telling():
            return print_draft(open_ledger(), number)

    print_draft(report_incident())
