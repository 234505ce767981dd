"""When the yearly run starts by itself: on the first business day of July at 9:00, once a year.

Deploying or unpausing the DAG on any other day starts nothing; a start that fell into an outage happens
late, once. Airflow cannot tell the two apart (with catchup off it forgets a missed start at the next
parse, with catchup on it would invent old ones), so `next_start` decides. Its only memory is Airflow's
own row for the DAG: a start that was set while it still lay ahead is kept there until it has happened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, NamedTuple

import pendulum
from airflow.exceptions import AirflowTimetableInvalid
from airflow.sdk.timezone import utcnow
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from notice_cycle.business_calendar import BusinessCalendar
from notice_cycle.errors import NotConfigured
from notice_cycle.fiscal_year import TOKYO, FiscalYear
from notice_cycle.settings import Settings

JULY = 7
NINE_O_CLOCK = 9
_LAST_MONTH, _LAST_HOUR = 12, 23


@dataclass(frozen=True)
class AnnualStarts:
    """The starts themselves, one a year: first business day of the month, full hour, Tokyo time."""

    calendar: BusinessCalendar
    month: int = JULY
    hour: int = NINE_O_CLOCK

    def of_year(self, year: int) -> datetime:
        """The start of a calendar year."""
        day = self.calendar.first_business_day(year, self.month)
        return datetime.combine(day, time(self.hour), tzinfo=TOKYO)

    def first_after(self, moment: datetime, *, last_served: datetime | None) -> datetime:
        """The first start later than `moment` in a year that has had no automatic run."""
        year = _tokyo_year(moment)
        while (start := self.of_year(year)) <= moment or _is_served(start, last_served):
            year += 1
        return start

    def missed(self, now: datetime, *, last_served: datetime | None) -> datetime | None:
        """The latest start at or before `now`, in the same fiscal year, if it has had no automatic run."""
        this_year = _tokyo_year(now)
        latest = next(start for start in map(self.of_year, (this_year, this_year - 1)) if start <= now)
        # A start of a past fiscal year stays missed: last year's table must not run in a new year.
        if _is_served(latest, last_served) or FiscalYear.of(latest) != FiscalYear.of(now):
            return None
        return latest


def next_start(
    starts: AnnualStarts,
    *,
    last_served: datetime | None,
    armed: datetime | None,
    paused: bool,
    now: datetime,
) -> datetime:
    """The start the DAG is to be set to; it lies in the past if it is to happen late.

    `last_served`: the start of the last automatic run. `armed`: the start Airflow's row is set to.
    """
    missed = starts.missed(now, last_served=last_served)
    if missed is not None and missed == armed and not paused:
        return missed
    return starts.first_after(now, last_served=last_served)


def _is_served(start: datetime, last_served: datetime | None) -> bool:
    # By the year, not by the moment: a closure entered after the run moves the computed start behind it,
    # and must not make the year start a second time.
    return last_served is not None and _tokyo_year(last_served) >= _tokyo_year(start)


def _tokyo_year(moment: datetime) -> int:
    return moment.astimezone(TOKYO).year


class Remembered(NamedTuple):
    """Airflow's row of a DAG: the start it is set to, and whether the DAG is paused."""

    armed: datetime | None
    paused: bool


NOTHING_REMEMBERED = Remembered(armed=None, paused=False)


def remembered_by_airflow(dag_id: str) -> Remembered:
    """Reads the committed DagModel row of `dag_id`; nothing is armed if there is none.

    A session of its own: the scheduler and the dag-processor ask in the middle of their transactions,
    whose sessions may not be committed (prohibit_commit) and may already hold the new values. A plain
    SELECT does not wait for the row locks they hold. If it fails, Airflow sets no next run and forgets
    the armed start, hence the retries.
    """
    from airflow.models.dag import DagModel
    from airflow.utils.retries import run_with_db_retries
    from airflow.utils.session import create_session
    from sqlalchemy import select

    row = None
    for attempt in run_with_db_retries():
        with attempt, create_session(scoped=False) as session:
            row = session.execute(
                select(DagModel.next_dagrun_create_after, DagModel.is_paused).where(DagModel.dag_id == dag_id)
            ).one_or_none()
    return Remembered(*row) if row is not None else NOTHING_REMEMBERED


def readable_calendar() -> BusinessCalendar:
    """The ward's calendar; without its own closures while calendar.yaml cannot be read.

    A mistake there is shown by catalogue_check.py. Raised here it would take every DAG down, or clear the
    next start and with it the memory of a missed one.
    """
    try:
        return BusinessCalendar.from_file(Settings().config_folder / "calendar.yaml")
    except NotConfigured:
        return BusinessCalendar()


class AnnualStartTimetable(Timetable):
    """Starts `dag_id` once a year on the month's first business day at the full hour, Tokyo time.

    Give it the id of the very DAG it schedules, and set catchup=False on that DAG.
    """

    # The scheduler compares the start with the database's own clock, so the real time is right here;
    # notice_cycle.clock, which the demo moves, would only make the two disagree.
    now: Callable[[], datetime] = staticmethod(utcnow)
    remembered: Callable[[str], Remembered] = staticmethod(remembered_by_airflow)
    # Read anew at each question, so that a closure entered in June moves the start without a restart.
    calendar: Callable[[], BusinessCalendar] = staticmethod(readable_calendar)

    def __init__(self, dag_id: str, month: int = JULY, hour: int = NINE_O_CLOCK) -> None:
        self.dag_id = dag_id
        self.month = month
        self.hour = hour
        self.description = f"{self.summary}に自動で開始します (停止中に過ぎた場合は復旧後に1回だけ)。"

    @property
    def summary(self) -> str:
        """毎年7月の最初の開庁日 9:00."""
        return f"毎年{self.month}月の最初の開庁日 {self.hour}:00"

    def validate(self) -> None:
        """Refuses a month or hour that does not exist and a missing dag_id."""
        if not self.dag_id or not 1 <= self.month <= _LAST_MONTH or not 0 <= self.hour <= _LAST_HOUR:
            raise AirflowTimetableInvalid("dag_id must be given, month lies in 1-12, hour in 0-23")

    def serialize(self) -> dict[str, Any]:
        """Its three arguments; the calendar stays in its file."""
        return {"dag_id": self.dag_id, "month": self.month, "hour": self.hour}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "AnnualStartTimetable":
        """The counterpart of serialize."""
        return cls(**data)

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """A manual run stands for the moment it was triggered and never for a yearly start."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The start Airflow is to set; None beyond the DAG's end_date.

        With catchup (Airflow's backfills, and its list of coming runs) simply one start after another.
        """
        last_served = last_automated_data_interval.start if last_automated_data_interval else None
        start = self._planned(last_served, restriction) if restriction.catchup else self._due(last_served)
        if start is not None and restriction.earliest is not None and start < restriction.earliest:
            start = self._first_from(restriction.earliest, last_served)
        if start is None or (restriction.latest is not None and start > restriction.latest):
            return None
        return DagRunInfo.exact(pendulum.instance(start.astimezone(UTC)))

    def _due(self, last_served: datetime | None) -> datetime:
        starts, now = self._starts(), self.now()
        missed = starts.missed(now, last_served=last_served)
        memory = self.remembered(self.dag_id) if missed is not None else NOTHING_REMEMBERED
        return next_start(starts, last_served=last_served, armed=memory.armed, paused=memory.paused, now=now)

    def _planned(self, last_served: datetime | None, restriction: TimeRestriction) -> datetime | None:
        begin = restriction.earliest or last_served
        return None if begin is None else self._first_from(begin, last_served)

    def _first_from(self, begin: datetime, last_served: datetime | None) -> datetime:
        return self._starts().first_after(begin - datetime.resolution, last_served=last_served)

    def _starts(self) -> AnnualStarts:
        return AnnualStarts(self.calendar(), self.month, self.hour)
