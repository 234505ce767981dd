"""Closes an account after failed logins, and tells of every change of an account. Flask-AppBuilder does neither.

A closed account is refused everywhere within half a minute, also where it is logged in. Only 管理者 opens it again.
The api-server can neither write the ledger nor send mails: it starts DAG `account_closed`, which does both, and for
changes by a person `account_changed`.
"""

import logging
from typing import Any

from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask import current_app
from flask_appbuilder.security.forms import ResetPasswordForm

from notice_cycle import clock
from notice_cycle.settings import Settings
from notice_cycle_airflow import account_changes
from notice_cycle_airflow.passwords import RULE_JA, require_good_password

_log = logging.getLogger(__name__)
DAG_ID = "account_closed"


class WardSecurityManager(FabAirflowSecurityManagerOverride):
    """Flask-AppBuilder's security manager, which closes accounts, tells of changes and asks for good passwords."""

    userdbmodelview = account_changes.WardUserView

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
        super().update_user(user)
        _log.warning("ログインに続けて失敗した利用者 %s を停止しました。", user.username)
        conf = {
            "login": user.username,
            "failures": user.fail_login_count,
            "closed_at": clock.now().isoformat(),
        }
        try:
            account_changes.start(DAG_ID, conf)
        except Exception as untold:  # the account is closed in any case
            _log.error("利用者の停止を知らせられませんでした（%s）。", type(untold).__name__)

    def update_user(self, user: Any) -> bool:
        """As Flask-AppBuilder, and told: from REST and from our commands; also called at every login."""
        before, after = account_changes.State.written(user.id), account_changes.State.of(user)
        done = bool(super().update_user(user))
        if done:
            account_changes.tell(user.username, before, after)
        return done

    def add_user(self, *arguments: Any, **named: Any) -> Any:
        """As Flask-AppBuilder, and told: from REST and from our commands."""
        user = super().add_user(*arguments, **named)
        if user:
            account_changes.tell(user.username, None, account_changes.State.of(user))
        return user
