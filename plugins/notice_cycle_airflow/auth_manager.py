"""Logins by Flask-AppBuilder, with forms assigned to roles and user names.

Airflow assigns a form to numeric user ids; a ward thinks in roles. `role:担当` in a form's assignees means
everybody who holds that role now, `user:aoki` means that login.
"""

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User


class WardAuthManager(FabAuthManager):
    """FabAuthManager that understands `role:` and `user:` assignees."""

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Whether `user` may answer: by role, by login name, or by id. Not even an administrator otherwise."""
        names = {f"role:{role.name}" for role in user.roles} | {f"user:{user.username}", str(user.get_id())}
        return not names.isdisjoint(assigned_users)
