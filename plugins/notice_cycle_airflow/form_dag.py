"""A DAG that a person starts to say something (or the api-server, of an account): one run is one answer, refused in its
log or kept in the ledger.

Ids, params and task ids of these DAGs are known to open runs and to who started them; they stay as they are.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from notice_cycle.settings import Settings
from notice_cycle.values import CYCLE_ID_PATTERN
from notice_cycle_airflow.notifiers.ward_mail import WardMail

IT, SECTION = "情報システム課", "介護保険課"
CYCLE = Param(None, type="string", pattern=CYCLE_ID_PATTERN, title="発送回の番号")


def form_dag(
    *,
    dag_id: str,
    dag_display_name: str,
    description: str,
    doc_md: str,
    params: dict[str, Param],
    tag: str = "運用",
    owner: str = IT,
    retries: int | None = None,
) -> DAG:
    """One run at a time, started by hand only, never paused at first; its task tells when it fails.

    `retries`: for a task that prints or mails, and so may meet a machine that is away.
    """
    retrying = {"retries": retries, "retry_delay": timedelta(seconds=Settings().retry_seconds)}
    return DAG(
        dag_id=dag_id,
        dag_display_name=dag_display_name,
        description=description,
        doc_md=doc_md,
        schedule=None,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,  # a paused one would accept the request and never run it
        tags=[tag],
        params=params,
        default_args={
            "owner": owner,
            "on_failure_callback": WardMail("task_failed"),
            **(retrying if retries is not None else {}),
        },
    )
