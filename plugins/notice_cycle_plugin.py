"""Registers what the product adds to Airflow. The only file the plugin loader may import (see .airflowignore)."""

from airflow.plugins_manager import AirflowPlugin

from notice_cycle_airflow.deadlines import ClosingDue
from notice_cycle_airflow.form_refresh import FormRefresh
from notice_cycle_airflow.japanese_first import JapaneseFirst
from notice_cycle_airflow.timetables.fiscal_year import AnnualStartTimetable
from notice_cycle_airflow.views import account_review, copies, plan, preparation, report, runbook, today

# Each adds its route to the one app.
PAGES = (account_review, copies, plan, preparation, report, runbook, today)


class NoticeCyclePlugin(AirflowPlugin):
    """Timetable of the yearly start; pages report, plan, copies, preparation, today, accounts and runbook; forms that show what they say now; a UI in Japanese."""

    name = "notice_cycle"
    timetables = [AnnualStartTimetable]  # noqa: RUF012 - Airflow reads a list
    fastapi_apps = [  # noqa: RUF012 - as above
        {"app": PAGES[0].app, "url_prefix": report.PREFIX, "name": "notice cycle"}
    ]
    deadline_references = [ClosingDue]  # noqa: RUF012 - as above
    external_views = [report.VIEW, plan.VIEW, copies.VIEW, preparation.VIEW, today.VIEW]  # noqa: RUF012 - as above
    fastapi_root_middlewares = [  # noqa: RUF012 - as above
        {"name": "form refresh", "middleware": FormRefresh},
        {"name": "japanese first", "middleware": JapaneseFirst},
    ]
