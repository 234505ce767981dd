"""The embedded ward's Airflow: its settings, its logins, its processes.

Importing Airflow costs three CPU seconds in each process, so one process imports it once, prepares the
metadata database with roles and users, and forks api-server, scheduler and dag-processor, which then share
their memory. Each of them becomes a process of the Supervisor's and is started alone when it is started again.
A deployment does not do this: there each component is an `airflow` command in its own container.
"""

import gc
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from embedded_ward.layout import REPOSITORY, WardLayout
from embedded_ward.postgres import databases_of
from embedded_ward.secrets import WardSecrets, load_secrets
from embedded_ward.supervisor import Supervisor
from notice_cycle.errors import CannotLook
from notice_cycle.settings import Settings
from notice_cycle_airflow import roles
from notice_cycle_airflow.pools import synchronise_pools

WARD_AUTH_MANAGER = "notice_cycle_airflow.auth_manager.WardAuthManager"
INSTANCE_NAME = "介護保険料通知（架空データ）"

# The commands behind the components, and what each imports before the database is ready.
_COMMANDS = {
    "api-server": ["api-server", "--workers", "1"],
    "scheduler": ["scheduler", "--skip-serve-logs"],  # the api-server reads the same disk
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_IMPORTS = {
    "api-server": (
        "airflow.api_fastapi.core_api.routes.public",
        "airflow.api_fastapi.core_api.routes.ui",
        "airflow.api_fastapi.execution_api.app",
        "airflow.providers.fab.www.app",
    ),
    "scheduler": ("airflow.cli.commands.scheduler_command", "airflow.executors.local_executor"),
    "dag-processor": ("airflow.cli.commands.dag_processor_command",),
    "triggerer": ("airflow.cli.commands.triggerer_command",),
}
# The triggerer has nothing to do yet; without it the home page would show a red light to the operator.
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")

# On every page of the UI, above everything else, whatever is shown.
_MARK_ON_EVERY_PAGE = {
    "globalCss": {
        "body::after": {
            "content": '"架空データ"',
            "position": "fixed",
            "top": "0",
            "left": "50%",
            "transform": "translateX(-50%)",
            "zIndex": "99999",
            "padding": "1px 18px",
            "borderRadius": "0 0 6px 6px",
            "background": "#b3261e",
            "color": "white",
            "fontWeight": "bold",
            "fontSize": "13px",
            "pointerEvents": "none",
        }
    }
}

# The login page is Flask-AppBuilder's and takes its language from here; the UI asks the browser.
_LOGIN_PAGE_SETTINGS = f"""\
from flask_appbuilder.security.views import AuthView
AuthView.title = "{INSTANCE_NAME}"
BABEL_DEFAULT_LOCALE = "ja_JP"
LANGUAGES = {{"ja_JP": {{"flag": "jp", "name": "日本語"}}}}
"""


@dataclass(frozen=True)
class Login:
    """One line of the roster: who may log in, in which role of `notice_cycle_airflow.roles`."""

    name: str
    role: str
    family_name: str
    given_name: str
    sections: tuple[str, ...] = ()

    @property
    def mail(self) -> str:
        """The address of an invented officer."""
        return f"{self.name}@ward.example"


INSURANCE, COMMUNITY_CARE = ("介護保険課",), ("地域包括ケア推進課",)

# Two in the section, because two-person rules compare the people; one of the other section, who sees none of its dispatches.
DEMO_ROSTER = (
    Login("tanto1", roles.SECTION, "青木", "一郎", INSURANCE),
    Login("tanto2", roles.SECTION, "石川", "恵", INSURANCE),
    Login("shonin", roles.APPROVER, "上田", "誠", INSURANCE + COMMUNITY_CARE),
    Login("kacho", roles.DIRECTOR, "北村", "修", INSURANCE),
    Login("houkatsu", roles.SECTION, "木村", "直子", COMMUNITY_CARE),
    Login("unyo", roles.OPERATOR, "江口", "望"),
    Login("kansa", roles.AUDITOR, "大野", "薫"),
    Login("kanri", roles.MANAGER, "小川", "豊"),
    Login("admin", roles.ADMINISTRATOR, "管理", "者"),
)


def airflow_environment(
    layout: WardLayout,
    secrets: WardSecrets,
    *,
    repository: Path = REPOSITORY,
    auth_manager: str = WARD_AUTH_MANAGER,
) -> dict[str, str]:
    """Every AIRFLOW… setting of the demo, PYTHONPATH included; add it to a cleaned environment."""
    uri = databases_of(layout, secrets).airflow.removeprefix("postgresql")
    base_url = f"http://127.0.0.1:{layout.ui_port}"
    logs = layout.airflow_home / "logs"
    settings: dict[str, dict[str, object]] = {
        "core": {
            "auth_manager": auth_manager,
            "dags_folder": repository / "dags",
            "plugins_folder": repository / "plugins",
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "executor": "LocalExecutor",
            "parallelism": 4,
            "default_timezone": "Asia/Tokyo",
            "execution_api_server_url": f"{base_url}/execution/",
            "fernet_key": secrets.fernet_key.get_secret_value(),
        },
        "database": {
            "sql_alchemy_conn": f"postgresql+psycopg2{uri}",
            "sql_alchemy_conn_async": f"postgresql+asyncpg{uri}",
        },
        "api": {
            "host": "127.0.0.1",
            "port": layout.ui_port,
            "workers": 1,
            "base_url": base_url,
            "instance_name": INSTANCE_NAME,
            "theme": json.dumps(_MARK_ON_EVERY_PAGE),
            "secret_key": secrets.session_secret.get_secret_value(),
        },
        "api_auth": {"jwt_secret": secrets.jwt_secret.get_secret_value()},
        "fab": {
            # Five logins in 40 seconds are too few where one person plays everyone.
            "auth_rate_limit": "60 per minute",
            # `prepare` has written every permission; the api-server need not do it again.
            "update_fab_perms": False,
        },
        "scheduler": {"scheduler_idle_sleep_time": 0.1},
        # Below 5 s Airflow 3.3 loses tasks that park and resume quickly (apache/airflow #66374).
        "workers": {"min_heartbeat_interval": 1},
        "dag_processor": {"refresh_interval": 10, "min_file_process_interval": 60},
        "logging": {
            "base_log_folder": logs,
            "dag_processor_child_process_log_directory": logs / "dag_processor",
            "remote_logging": False,
            "colored_console_log": False,
        },
        "usage_data_collection": {"enabled": False},
    }
    environment = {
        f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
        for section, options in settings.items()
        for name, value in options.items()
    }
    return environment | {
        "AIRFLOW_HOME": str(layout.airflow_home),
        "AIRFLOW_CONN_SMTP_DEFAULT": smtp_connection(layout),
        "PYTHONPATH": os.pathsep.join(str(repository / folder) for folder in ("include", "plugins")),
        "PYTHONUNBUFFERED": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def smtp_connection(layout: WardLayout) -> str:
    """The Airflow connection to the mail catcher, as JSON for an AIRFLOW_CONN_… variable."""
    extra = {"disable_tls": True, "disable_ssl": True, "from_email": "kaigo-hoken@ward.example"}
    return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": layout.smtp_port, "extra": extra})


def sftp_connection(layout: WardLayout, secrets: WardSecrets, user: str = "ward") -> str:
    """The Airflow connection of one SFTP user, host key pinned, as JSON for an AIRFLOW_CONN_… variable."""
    extra = {
        "key_file": str(secrets.sftp_client_keys[user]),
        "host_key": secrets.sftp_host_public_key,
        "no_host_key_check": "false",
    }
    return json.dumps(
        {"conn_type": "sftp", "host": "127.0.0.1", "port": layout.sftp_port, "login": user, "extra": extra}
    )


class AirflowStack:
    """Airflow as `make demo` runs it. `begin()` early, `wait_until_healthy()` when it is needed."""

    def __init__(
        self,
        layout: WardLayout,
        secrets: WardSecrets,
        supervisor: Supervisor,
        *,
        settings: Mapping[str, str] | None = None,
        auth_manager: str = WARD_AUTH_MANAGER,
        roster: Sequence[Login] = DEMO_ROSTER,
        components: Sequence[str] = COMPONENTS,
    ) -> None:
        """`settings` are further environment variables for every component and task."""
        self.layout = layout
        self.secrets = secrets
        self.supervisor = supervisor
        self.roster = roster
        self.components = tuple(components)
        # Nothing of another Airflow on this machine may reach ours.
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("AIRFLOW")}
        ours = airflow_environment(layout, secrets, auth_manager=auth_manager)
        self.environment = inherited | ours | dict(settings or {})

    def begin(self) -> None:
        """Start importing and preparing; PostgreSQL may still be on its way. Returns at once."""
        roster = [asdict(login) for login in self.roster]
        (self.layout.airflow_home / "roster.json").write_text(json.dumps(roster), encoding="utf-8")
        (self.layout.airflow_home / "webserver_config.py").write_text(_LOGIN_PAGE_SETTINGS, encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "embedded_ward.airflow_stack",
            str(self.layout.root),
            *self.components,
        ]
        self.supervisor.start("airflow", command, environment=self.environment)

    def wait_until_healthy(self, *, timeout_seconds: float = 120.0) -> None:
        """Wait until every component reports health; CannotLook with the log's end when one does not."""
        pids_file = _pids_file(self.layout)
        self.supervisor.wait_until("airflow", pids_file.exists, timeout_seconds=timeout_seconds)
        for name, pid in json.loads(pids_file.read_text(encoding="utf-8")).items():
            self.supervisor.adopt(name, pid, self.layout.logs / f"{name}.log")
        pids_file.unlink()
        for name in self.components:
            self.supervisor.wait_until(name, partial(self.is_healthy, name), timeout_seconds=timeout_seconds)

    def restart(self, name: str, *, timeout_seconds: float = 60.0) -> None:
        """Start one component again after it was stopped or killed."""
        self.supervisor.stop(name)
        command = [sys.executable, "-m", "airflow", *_COMMANDS[name]]
        begun_at = datetime.now(UTC)
        self.supervisor.start(name, command, environment=self.environment)
        self.supervisor.wait_until(
            name, lambda: self.is_healthy(name, since=begun_at), timeout_seconds=timeout_seconds
        )

    def is_healthy(self, component: str, *, since: datetime | None = None) -> bool:
        """What /api/v2/monitor/health says; the api-server is healthy when it answers.

        The dead look healthy for half a minute: `since` asks for a heartbeat after that moment.
        """
        try:
            status = self._ask("/api/v2/monitor/health")
        except OSError:
            return False
        if component == "api-server":
            return bool(status["metadatabase"]["status"] == "healthy")
        part = component.replace("-", "_")
        if status[part]["status"] != "healthy":
            return False
        heartbeat = datetime.fromisoformat(status[part][f"latest_{part}_heartbeat"])
        return since is None or heartbeat > since

    def token(self, user: str) -> str:
        """A bearer token for the API, as the roster's `user`."""
        password = self.secrets.user_passwords[user].get_secret_value()
        answer = self._ask("/auth/token", {"username": user, "password": password})
        return str(answer["access_token"])

    def _ask(self, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.layout.ui_port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=10) as response:
            answer: dict[str, Any] = json.load(response)
            return answer


def prepare(layout: WardLayout) -> None:
    """Migrate the metadata database and write roles and users, in the process that calls it."""
    from airflow.utils.db import upgradedb

    os.environ["AIRFLOW__FAB__UPDATE_FAB_PERMS"] = "True"
    _wait_for_database()
    upgradedb()
    passwords = load_secrets(layout).user_passwords
    roster = json.loads((layout.airflow_home / "roster.json").read_text(encoding="utf-8"))
    logins = [Login(**fields) for fields in roster]
    synchronise_pools()
    users = (
        roles.User(
            name=login.name,
            role=login.role,
            family_name=login.family_name,
            given_name=login.given_name,
            mail=login.mail,
            password=passwords[login.name],
            sections=tuple(login.sections),
        )
        for login in logins
    )
    roles.synchronise_roles_and_users(users, Settings().config_folder)


def run_components(layout: WardLayout, components: Sequence[str]) -> None:
    """Import Airflow once, fork one process that prepares and one a component; stay to collect the dead."""
    from airflow.cli import cli_parser

    parser = cli_parser.get_parser()
    # Keep the garbage collector from touching, and so copying, the pages that the children share.
    gc.collect()
    gc.freeze()
    preparing = _fork(layout.logs / "airflow-prepare.log", lambda: prepare(layout))
    gate = os.pipe()
    pids = {
        name: _fork(layout.logs / f"{name}.log", partial(_component, name, parser, gate))
        for name in components
    }
    beside = _pids_file(layout).with_suffix(".new")
    beside.write_text(json.dumps(pids), encoding="utf-8")
    beside.replace(_pids_file(layout))
    _, status = os.waitpid(preparing, 0)
    if status:
        raise SystemExit("the metadata database could not be prepared: see airflow-prepare.log")
    os.write(gate[1], b"." * len(components))
    names = {pid: name for name, pid in pids.items()}
    while names:
        pid, status = os.wait()
        print(f"{names.pop(pid, pid)} ended: {os.waitstatus_to_exitcode(status)}", flush=True)
    signal.pause()


def _component(name: str, parser: Any, gate: tuple[int, int]) -> None:
    """Import what the component needs, wait for one byte through the gate, then be the component."""
    from importlib import import_module

    passage, opener = gate
    os.close(opener)
    for module in _IMPORTS[name]:
        import_module(module)
    if not os.read(passage, 1):
        raise SystemExit("the metadata database could not be prepared: see airflow-prepare.log")
    os.close(passage)
    arguments = parser.parse_args(_COMMANDS[name])
    arguments.func(arguments)


def _fork(log: Path, work: Callable[[], None]) -> int:
    """Run `work` in a child with its own session and log; it ends when this process ends."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        end_with_parent(parent)
        with log.open("ab") as output:
            os.dup2(output.fileno(), sys.stdout.fileno())
            os.dup2(output.fileno(), sys.stderr.fileno())
        work()
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
        print(ending, flush=True)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def end_with_parent(parent: int) -> None:
    """Ask Linux for SIGTERM when our parent dies; elsewhere the Supervisor's guard must do."""
    if sys.platform != "linux":
        return
    import ctypes

    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit("the parent ended first")


def _wait_for_database() -> None:
    import psycopg2

    uri = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "", 1)
    for _ in range(600):
        try:
            psycopg2.connect(uri).close()
        except psycopg2.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise CannotLook("PostgreSQLが応答しません。", advice="postgres.log を確認してください。")


def _pids_file(layout: WardLayout) -> Path:
    return layout.airflow_home / "components.json"


if __name__ == "__main__":
    run_components(WardLayout(Path(sys.argv[1])), sys.argv[2:])
