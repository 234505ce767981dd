"""Registers what the product adds to Airflow. The only file the plugin loader may import (see .airflowignore)."""

from airflow.plugins_manager import AirflowPlugin

from notice_cycle_airflow.timetables.fiscal_year import AnnualStartTimetable


class NoticeCyclePlugin(AirflowPlugin):
    """Timetable of the yearly start."""

    name = "notice_cycle"
    timetables = [AnnualStartTimetable]  # noqa: RUF012 - Airflow reads a list
