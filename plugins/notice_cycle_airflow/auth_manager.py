"""Logins by Flask-AppBuilder, with forms assigned to roles and user names, and people told by their names.

Airflow assigns a form to numeric user ids; a ward thinks in roles. `role:担当` in a form's assignees means
everybody who holds that role now, `user:aoki` means that login; who is registered as deputy for an office may answer
for it. Answering a form and starting a DAG need their own permission and a look at the DAG, not the permission to
edit (and so to pause) it. What Airflow notes about a person (who answered, who started) is name, login and sections.
"""

import logging
from functools import cached_property, partial
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User
from airflow.providers.fab.www.security.permissions import (
    RESOURCE_DAG_RUN,
    RESOURCE_HITL_DETAIL,
    resource_name,
)

from notice_cycle.accounts import shown_as
from notice_cycle_airflow.account_changes import acting
from notice_cycle_airflow.lock_out import WardSecurityManager
from notice_cycle_airflow.roles import limited_to

_log = logging.getLogger(__name__)


class WardAuthManager(FabAuthManager):
    """FabAuthManager that understands `role:` and `user:` assignees, deputies, and starting without editing."""

    @cached_property
    def security_manager(self) -> WardSecurityManager:
        """Flask-AppBuilder's, with the lock-out."""
        return WardSecurityManager(self.appbuilder)

    def deserialize_user(self, token: dict[str, Any]) -> User:
        """The user behind a token, who is noted by name, login and sections."""
        user = super().deserialize_user(token)
        sections = limited_to({role.name for role in user.roles})
        user.get_name = partial(shown_as, user.username, user.last_name, user.first_name, sections)
        acting.set(user.get_name())
        return user

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Whether `user` may answer: by role, as a deputy, by login name, or by id. Not even an administrator otherwise."""
        names = {f"role:{role.name}" for role in user.roles} | {f"user:{user.username}", str(user.get_id())}
        if not names.isdisjoint(assigned_users):
            return True
        return not {f"role:{office}" for office in _stands_in_for(user.username)}.isdisjoint(assigned_users)

    def is_authorized_dag(
        self, *, method: Any, user: User, access_entity: Any = None, details: Any = None, **kwargs: Any
    ) -> bool:
        """As FabAuthManager, but answering a form and starting a run ask for no right to edit the DAG."""
        asked = (access_entity, method)
        if asked == (DagAccessEntity.HITL_DETAIL, "PUT"):
            return self._may("PUT", RESOURCE_HITL_DETAIL, user) and self._sees(details, user)
        if asked == (DagAccessEntity.RUN, "POST") and details and details.id:
            may_start = self._may("POST", RESOURCE_DAG_RUN, user) or self._may(
                "POST", resource_name(details.id, RESOURCE_DAG_RUN), user
            )
            return may_start and self._sees(details, user)
        return bool(
            super().is_authorized_dag(
                method=method, user=user, access_entity=access_entity, details=details, **kwargs
            )
        )

    def _may(self, method: Any, resource: str, user: User) -> bool:
        return bool(self._is_authorized(method=method, resource_type=resource, user=user))

    def _sees(self, details: Any, user: User) -> bool:
        return bool(self._is_authorized_dag(method="GET", details=details, user=user))


def _stands_in_for(login: str) -> set[str]:
    """The offices an account holds today as a deputy; none while the register cannot be read."""
    from notice_cycle import clock
    from notice_cycle.ledger.store import Ledger
    from notice_cycle.register import read_register
    from notice_cycle.settings import Settings

    try:
        settings, today = Settings(), clock.today()
        register = read_register(Ledger(settings.ledger_reader_dsn), settings.config_folder, today)
        return register.stands_in_for(login, today)
    except Exception as unreadable:
        _log.error("代理の登録を読めません（%s）。代理の回答は受け付けません。", type(unreadable).__name__)
        return set()
