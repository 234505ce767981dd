"""Shows Airflow (and its users) mistakes in the catalogue as an import error of this file, and takes no DAG down with it."""

from notice_cycle import clock
from notice_cycle.catalogue import mistakes
from notice_cycle.errors import NotConfigured
from notice_cycle.fiscal_year import FiscalYear
from notice_cycle.settings import Settings

if found := mistakes(Settings().config_folder, FiscalYear.of(clock.now()).year):
    raise NotConfigured(
        "／".join(found),
        advice="直すまで、その通知書は新しく開始できません。ほかの通知書と進行中の発送回は続きます。",
    )
