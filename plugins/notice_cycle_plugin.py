"""Registers what the product adds to Airflow. The only file the plugin loader may import (see .airflowignore)."""

from airflow.plugins_manager import AirflowPlugin

from notice_cycle_airflow.form_refresh import FormRefresh
from notice_cycle_airflow.japanese_first import JapaneseFirst
from notice_cycle_airflow.timetables.fiscal_year import AnnualStartTimetable


class NoticeCyclePlugin(AirflowPlugin):
    """The timetable of the yearly start, forms that show what they say now, and a UI in Japanese."""

    name = "notice_cycle"
    timetables = [AnnualStartTimetable]  # noqa: RUF012 - Airflow reads a list
    fastapi_root_middlewares = [  # noqa: RUF012 - as above
        {"name": "form refresh", "middleware": FormRefresh},
        {"name": "japanese first", "middleware": JapaneseFirst},
    ]
