"""Who changed which account: opened, closed, given other roles, made. Each is told to the ledger by DAG `account_changed`.

The api-server cannot write the ledger, as with the lock-out. A change without effect on roles or on being open (a
password, a login) is none of this. What cannot be told is in the log; the change stands all the same.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, NamedTuple

from airflow.exceptions import DagNotFound
from airflow.providers.fab.auth_manager.models import User
from airflow.providers.fab.auth_manager.views.user import CustomUserDBModelView
from flask import g, has_request_context
from flask_login import current_user  # type: ignore[import-untyped]  # it has no types

from notice_cycle import clock
from notice_cycle.accounts import shown_as

_log = logging.getLogger(__name__)
DAG_ID = "account_changed"

acting: ContextVar[str] = ContextVar("acting", default="")
"""Whose request is being answered, as Airflow notes a person; set when a token is read. Empty for a command."""


class State(NamedTuple):
    """What of an account is told when it changes."""

    active: bool
    roles: list[str]

    @classmethod
    def of(cls, user: User) -> "State":
        """As the object has it, written or not."""
        return cls(active=bool(user.active), roles=sorted(role.name for role in user.roles))

    @classmethod
    def written(cls, user_id: int | None) -> "State | None":
        """As the database has it; a session of its own sees nothing that is still being changed. None: no account."""
        from airflow.utils.session import create_session

        if user_id is None:
            return None
        with create_session(scoped=False) as session:
            user = session.get(User, user_id)
            return cls.of(user) if user else None


def tell(login: str, before: State | None, after: State) -> None:
    """Starts the DAG that enters the change; nothing when there is none. Never raises."""
    if before == after:
        return
    conf = {
        "login": login,
        "was_active": before.active if before else None,
        "active": after.active,
        "roles_before": before.roles if before else [],
        "roles": after.roles,
        "changed_by": _who(),
        "changed_at": clock.now().isoformat(),
    }
    try:
        start(DAG_ID, conf)
    except DagNotFound:
        _log.info("利用者 %s: 設置の途中なので、設置の終わりにまとめて記録します。", login)
    except Exception as untold:
        _log.warning("利用者 %s の変更を記録に回せませんでした（%s）。", login, type(untold).__name__)


def tell_all() -> None:
    """Starts the DAG with every account as it is now: what the ledger does not know of them is entered.

    So accounts made before there was a DAG, and changes that could not be told, do not stay out of the ledger.
    """
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        found = [
            {"login": user.username, **State.of(user)._asdict()}
            for user in session.query(User).order_by(User.username)
        ]
    conf = {"found": found, "changed_at": clock.now().isoformat()}
    try:
        try:
            start(DAG_ID, conf)
        except DagNotFound:
            _know(DAG_ID)
            start(DAG_ID, conf)
    except Exception as untold:  # what is not told now is told the next time; nobody is locked out for it
        _log.error("利用者の一覧を記録に回せませんでした（%s）。", type(untold).__name__)


def _know(dag_id: str) -> None:
    """Makes a DAG of the file of its name known, as the dag-processor will once it runs: an installation starts none."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    manager = DagBundlesManager()  # type: ignore[no-untyped-call]
    manager.sync_bundles_to_db()
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        bag = BundleDagBag(bundle.path / f"{dag_id}.py", bundle_path=bundle.path, bundle_name=bundle.name)
        sync_bag_to_db(bag, bundle.name, bundle_version=None)


def start(dag_id: str, conf: dict[str, Any]) -> None:
    """Starts a DAG from where neither ledger nor mail server can be reached.

    In a thread of its own: Airflow closes the thread's session behind it, and the request still needs its account.
    """
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    with ThreadPoolExecutor(1) as apart:
        apart.submit(trigger_dag, dag_id, triggered_by=DagRunTriggeredByType.REST_API, conf=conf).result()


def _who() -> str:
    if has_request_context() and current_user and current_user.is_authenticated:
        return shown_as(current_user.username, current_user.last_name, current_user.first_name)
    return acting.get()


class WardUserView(CustomUserDBModelView):
    """The page of 管理者, which writes accounts past the security manager."""

    def pre_update(self, item: User) -> None:
        """Before the change is written."""
        super().pre_update(item)
        g.account_before = State.written(item.id)
        g.account_after = State.of(item)

    def post_update(self, item: User) -> None:
        """After it was."""
        super().post_update(item)
        tell(item.username, g.account_before, g.account_after)

    def post_add(self, item: User) -> None:
        """After an account was made."""
        super().post_add(item)
        tell(item.username, None, State.of(item))
