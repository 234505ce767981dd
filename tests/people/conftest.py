"""An embedded ward of its own: accounts are closed here, and nobody of the other tests may miss them."""

import os
import time
from collections.abc import Iterator

import pytest

from embedded_ward.layout import REPOSITORY, WardLayout
from embedded_ward.ward import NOTICE, EmbeddedWard
from notice_cycle import clock
from tests.e2e.conftest import free_ports, state_of, wait_for

RUN = "people"
LOGINS_ALLOWED = 40
"""By the login form, in ten minutes: more than the tests of the views need."""
SETTINGS, VALIDATION = "opening.confirm_year_settings", "validation.confirm_validation"


@pytest.fixture(scope="package")
def ward() -> Iterator[EmbeddedWard]:
    """With one supplementary cycle that waits for its first form, 年度設定確認."""
    ward = EmbeddedWard(
        WardLayout(REPOSITORY / "var" / "test-people", *free_ports(3)),
        persons=20_000,
        further_settings={"AIRFLOW__FAB__AUTH_RATE_LIMIT": f"{LOGINS_ALLOWED} per 10 minute"},
    )
    try:
        ward.start(people=False)
        os.environ[clock.CLOCK_FILE_VARIABLE] = str(ward.layout.root / "clock.json")
        wait_for(ward.knows_dag, "the DAG")
        wait_for(lambda: _knows(ward, "account_closed"), "the other DAGs")
        ward.trigger(RUN, occasion="supplementary", reason_code="corrected", batch_no="2026-08-supplementary")
        wait_for(lambda: state_of(ward, RUN, SETTINGS) == "awaiting_input", "the first form")
        time.sleep(2.5)  # Airflow 3.3 may lose an answer that comes while the form is being parked
        yield ward
    finally:
        os.environ.pop(clock.CLOCK_FILE_VARIABLE, None)
        ward.stop()


def _knows(ward: EmbeddedWard, dag_id: str) -> bool:
    return ward.person("unyo").request("GET", f"/api/v2/dags/{dag_id}").is_success


def answer_path(task: str) -> str:
    return f"/api/v2/dags/{NOTICE}/dagRuns/{RUN}/taskInstances/{task}/-1/hitlDetails"


def open_form(ward: EmbeddedWard, run_id: str, task: str) -> bool:
    """Whether a form of a run waits for its answer."""
    return state_of(ward, run_id, task) == "awaiting_input"
