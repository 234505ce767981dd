"""Closes an account after failed logins. Flask-AppBuilder counts them and does nothing else.

A closed account is refused everywhere within half a minute, also where it is logged in. Only 管理者 opens it again.
The api-server can neither write the ledger nor send mails: it starts DAG `account_closed`, which does both.
"""

import logging
from typing import Any

from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask import current_app
from flask_appbuilder.security.forms import ResetPasswordForm

from notice_cycle import clock
from notice_cycle.settings import Settings
from notice_cycle_airflow.passwords import RULE_JA, require_good_password

_log = logging.getLogger(__name__)
DAG_ID = "account_closed"


class WardSecurityManager(FabAirflowSecurityManagerOverride):
    """Flask-AppBuilder's security manager, which closes accounts and asks for good passwords."""

    def __init__(self, appbuilder: Any) -> None:
        super().__init__(appbuilder)
        # Here rather than in webserver_config.py, so that no deployment can forget it.
        current_app.config["FAB_PASSWORD_COMPLEXITY_ENABLED"] = True
        current_app.config["FAB_PASSWORD_COMPLEXITY_VALIDATOR"] = require_good_password
        # Flask-AppBuilder's own words say that nothing is checked.
        ResetPasswordForm.password.kwargs["description"] = RULE_JA

    def on_user_login_failed(self, user: Any) -> None:
        """Every so many failures in a row close the account: also those after it was opened again."""
        limit = Settings().failed_logins
        if not user.active or user.fail_login_count % limit:
            return
        user.active = False
        self.update_user(user)
        _log.warning("ログインに続けて失敗した利用者 %s を停止しました。", user.username)
        try:
            _tell(user.username, user.fail_login_count)
        except Exception as untold:  # the account is closed in any case
            _log.error("利用者の停止を知らせられませんでした（%s）。", type(untold).__name__)


def _tell(login: str, failures: int) -> None:
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    conf = {"login": login, "failures": failures, "closed_at": clock.now().isoformat()}
    trigger_dag(DAG_ID, triggered_by=DagRunTriggeredByType.REST_API, conf=conf)
