"""Logins by Flask-AppBuilder, with forms assigned to roles and user names.

Airflow assigns a form to numeric user ids; a ward thinks in roles. `role:担当` in a form's assignees means
everybody who holds that role now, `user:aoki` means that login. And answering a form needs the permission on
forms and a look at the DAG, not the permission to edit (and so to pause) it.
"""

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User
from airflow.providers.fab.www.security.permissions import RESOURCE_HITL_DETAIL


class WardAuthManager(FabAuthManager):
    """FabAuthManager that understands `role:` and `user:` assignees."""

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Whether `user` may answer: by role, by login name, or by id. Not even an administrator otherwise."""
        names = {f"role:{role.name}" for role in user.roles} | {f"user:{user.username}", str(user.get_id())}
        return not names.isdisjoint(assigned_users)

    def is_authorized_dag(
        self, *, method: Any, user: User, access_entity: Any = None, details: Any = None, **kwargs: Any
    ) -> bool:
        """As FabAuthManager, but a form may be answered by who may read its DAG and edit forms."""
        if access_entity is DagAccessEntity.HITL_DETAIL and method == "PUT":
            return self._is_authorized(
                method="PUT", resource_type=RESOURCE_HITL_DETAIL, user=user
            ) and self._is_authorized_dag(method="GET", details=details, user=user)
        return bool(
            super().is_authorized_dag(
                method=method, user=user, access_entity=access_entity, details=details, **kwargs
            )
        )
