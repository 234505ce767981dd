"""Health checks of the containers: each asks whether the service does its work, not whether a process exists.

`job TYPE`: the scheduler, DAG processor or triggerer of this container has written its heartbeat within a minute.
`worker QUEUE`: the Celery worker of this container answers over the broker and listens to its queue.
`api`: the api-server of this container answers and reaches its database.
`port N`: somebody answers on that port of this container. Exit status 0 is healthy.
"""

import json
import socket
import sys
import urllib.request
from pathlib import Path

SECRETS = Path("/run/secrets")
OLDEST_HEARTBEAT = "60 seconds"


def job(kind: str) -> bool:
    """Reads Airflow's own table of jobs, as `airflow jobs check --local` does, without importing Airflow."""
    import psycopg2

    dsn = (SECRETS / "metadata_dsn").read_text().strip().replace("+psycopg2", "", 1)
    with psycopg2.connect(dsn, connect_timeout=5) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM job WHERE job_type = %s AND hostname = %s AND state = 'running'"
            " AND latest_heartbeat > now() - %s::interval",
            (kind, socket.getfqdn(), OLDEST_HEARTBEAT),
        )
        return cursor.fetchone() is not None


def worker(queue: str) -> bool:
    """Asks this container's worker over the broker which queues it consumes."""
    from celery import Celery

    broker = Celery(broker=(SECRETS / "broker_url").read_text().strip())
    name = f"celery@{socket.gethostname()}"
    answer = broker.control.inspect(destination=[name], timeout=10).active_queues() or {}
    return [each["name"] for each in answer.get(name, [])] == [queue]


def api() -> bool:
    """Asks what Airflow's own health page says about the metadata database."""
    with urllib.request.urlopen("http://127.0.0.1:8080/api/v2/monitor/health", timeout=10) as answer:
        return bool(json.load(answer)["metadatabase"]["status"] == "healthy")


def port(number: str) -> bool:
    """Connects."""
    with socket.create_connection(("127.0.0.1", int(number)), timeout=5):
        return True


CHECKS = {"job": job, "worker": worker, "api": api, "port": port}

if __name__ == "__main__":
    try:
        sys.exit(0 if CHECKS[sys.argv[1]](*sys.argv[2:]) else 1)
    except Exception as unhealthy:  # whatever it is, docker inspect shows the sentence
        sys.exit(f"{type(unhealthy).__name__}: {unhealthy}")
