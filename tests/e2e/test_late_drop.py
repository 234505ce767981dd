"""A dropped file that is late is waited for; one that comes wrong stops the run at once."""

from typing import Any

import pytest

from embedded_ward.ward import EmbeddedWard
from notice_cycle import records as r
from tests.e2e.conftest import task_logs, wait_for

pytestmark = pytest.mark.ward
NOTICE, BATCH, RUN = "support_program_notice", "2026-08-support", "late-drop"
API = f"/api/v2/dags/{NOTICE}/dagRuns"


def extraction(ward: EmbeddedWard) -> dict[str, Any]:
    answer = ward.person("unyo").request("GET", f"{API}/{RUN}/taskInstances/extraction.extract")
    found: dict[str, Any] = answer.json() if answer.is_success else {"state": None}
    return found


def test_a_late_drop_is_waited_for_and_a_wrong_one_refused(ward: EmbeddedWard) -> None:
    folder = ward.layout.drops / NOTICE
    control, kept = folder / f"{BATCH}.ctl", ward.layout.root / "the_right_one.ctl"
    control.rename(kept)
    asked = {"fiscal_year": 2026, "occasion": "supplementary", "reason_code": "corrected", "batch_no": BATCH}
    body = {"dag_run_id": RUN, "logical_date": None, "conf": asked}
    ward.person("unyo").request("POST", API, body).raise_for_status()

    def looks() -> int:
        return task_logs(ward, RUN).count("まだ連携フォルダに届いていません")

    wait_for(lambda: looks() > 4, "more looks than a task has retries")
    wait_for(lambda: extraction(ward)["state"] == "up_for_reschedule", "the wait")
    assert extraction(ward)["try_number"] == 1

    control.write_text(kept.read_text(encoding="utf-8").replace("notice=", "notice=x"), encoding="utf-8")
    wait_for(lambda: extraction(ward)["state"] == "failed", "the refusal")
    assert "統制票ファイルが、別の処理のものです" in task_logs(ward, RUN)

    kept.replace(control)
    cleared = {"dag_run_id": RUN, "task_ids": ["extraction.extract"], "dry_run": False, "only_failed": False}
    cleared |= {"include_downstream": True}
    answer = ward.person("unyo").request("POST", f"/api/v2/dags/{NOTICE}/clearTaskInstances", cleared)
    answer.raise_for_status()
    wait_for(lambda: extraction(ward)["state"] == "success", "the extraction")
    assert ward.ledger.history(str(ward.ledger.cycle_of_run(NOTICE, RUN))).find(r.ExtractionRecord)
