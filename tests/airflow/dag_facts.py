"""Run as a process of its own: loads the dags folder as Airflow does and prints what it found as JSON."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag


def offered(schema: dict[str, Any]) -> list[Any]:
    """What a field of a form lets one choose from."""
    items = schema.get("items")
    below = offered(items) if isinstance(items, dict) else []
    return [*schema.get("enum", []), *schema.get("examples", []), *below]


started = time.monotonic()
bag = DagBag(dag_folder=sys.argv[1], collect_dags=True)
facts = {
    "import_errors": {Path(file).name: error for file, error in bag.import_errors.items()},
    "seconds_by_file": {stat.file: stat.duration.total_seconds() for stat in bag.dagbag_stats},
    "dags": {
        dag_id: {
            "display_name": dag.dag_display_name,
            "tags": sorted(dag.tags),
            "max_active_runs": dag.max_active_runs,
            "starts_paused": dag.is_paused_upon_creation,
            "dagrun_timeout": dag.dagrun_timeout is not None,
            "catchup": dag.catchup,
            "schedule": dag.timetable.summary
            if hasattr(dag.timetable, "summary")
            else type(dag.timetable).__name__,
            "cron": [
                str(getattr(dag.timetable, name, None))
                for name in ("expression", "timezone", "run_immediately")
            ],
            "doc": dag.doc_md,
            "offers": [
                str(choice)
                for params in (dag.params, *(task.params for task in dag.tasks))
                for name in params
                for choice in offered(params.get_param(name).schema)
            ],
            "with_asterisk": [
                name
                for name in dag.params
                if "null" not in dag.params.get_param(name).schema.get("type", "null")
            ],
            "tasks": [
                {
                    "id": task.task_id,
                    "name": task.task_display_name,
                    "upstream": sorted(task.upstream_task_ids),
                    "operator": type(task).__name__,
                    "queue": task.queue,
                    "pool": task.pool,
                    "retries": task.retries,
                    "mode": getattr(task, "mode", None),
                    "timeout": getattr(task, "timeout", None),
                    "defaults": getattr(task, "defaults", None),
                    "response_timeout": getattr(task, "response_timeout", None) is not None,
                    "tells": bool(task.on_failure_callback),
                }
                for task in dag.topological_sort()
            ],
        }
        for dag_id, dag in bag.dags.items()
    },
}
print("FACTS " + json.dumps(facts, ensure_ascii=False, default=str))
