"""A dropped file that is late is waited for; one that comes wrong stops the run at once."""

import re
from typing import Any

import pytest

from embedded_ward.ward import EmbeddedWard
from notice_cycle import clock
from notice_cycle import records as r
from tests.e2e.conftest import confirm_year_settings, task_logs, wait_for

pytestmark = pytest.mark.ward
NOTICE, BATCH, RUN = "burden_certificate", "2026-annual", "late-drop"
RUNS = f"/api/v2/dags/{NOTICE}/dagRuns"


def task(ward: EmbeddedWard, task_id: str) -> dict[str, Any]:
    answer = ward.person("unyo").request("GET", f"{RUNS}/{RUN}/taskInstances/{task_id}")
    found: dict[str, Any] = answer.json() if answer.is_success else {"state": None}
    return found


def test_a_late_drop_is_waited_for_and_a_wrong_one_refused(ward: EmbeddedWard) -> None:
    control = ward.layout.drops / NOTICE / f"{BATCH}.ctl"
    fresh = f"as_of={clock.now().isoformat()}"
    right = re.sub("^as_of=.*$", fresh, control.read_text(encoding="utf-8"), flags=re.MULTILINE)
    control.unlink()
    asked = {"fiscal_year": 2026, "occasion": "supplementary", "reason_code": "corrected", "batch_no": BATCH}
    body = {"dag_run_id": RUN, "logical_date": None, "conf": asked}
    ward.person("unyo").request("POST", RUNS, body).raise_for_status()
    confirm_year_settings(ward, NOTICE, RUN)

    def looks() -> int:
        return task_logs(ward, RUN).count("まだ連携フォルダに届いていません")

    wait_for(lambda: looks() > 4, "more looks than a task has retries")
    wait_for(lambda: task(ward, "extraction.extract")["state"] == "up_for_reschedule", "the wait")
    assert task(ward, "extraction.extract")["try_number"] == 1

    control.write_text(right.replace("notice=", "notice=x"), encoding="utf-8")
    wait_for(lambda: task(ward, "extraction.extract")["state"] == "failed", "the refusal")
    assert "統制票ファイルが、別の処理のものです" in task_logs(ward, RUN)

    control.write_text(right, encoding="utf-8")
    cleared = {"dag_run_id": RUN, "task_ids": ["extraction.extract"], "dry_run": False, "only_failed": False}
    answer = ward.person("unyo").request(
        "POST", f"/api/v2/dags/{NOTICE}/clearTaskInstances", cleared | {"include_downstream": True}
    )
    answer.raise_for_status()
    wait_for(lambda: task(ward, "extraction.extract")["state"] == "success", "the extraction")
    assert ward.ledger.history(str(ward.ledger.cycle_of_run(NOTICE, RUN))).find(r.ExtractionRecord)
