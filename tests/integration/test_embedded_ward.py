"""The embedded ward's servers, each started for real. Airflow itself is started by the end-to-end tests."""

import email
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path

import asyncssh
import psutil
import psycopg
import pytest

from embedded_ward.layout import REPOSITORY, WardLayout
from embedded_ward.postgres import start_postgres
from embedded_ward.secrets import WardSecrets, create_secrets, load_secrets
from embedded_ward.supervisor import Supervisor
from notice_cycle.errors import CannotLook, NotConfigured

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(str(REPOSITORY / name) for name in ("include", "plugins")),
}


def eventually(holds: Callable[[], bool], within_seconds: float = 5.0) -> bool:
    until = time.monotonic() + within_seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[WardLayout]:
    layout = WardLayout(tmp_path / "ward", a_free_port(), a_free_port(), a_free_port())
    layout.create()
    yield layout
    Supervisor(layout, grace_seconds=5).stop_all()
    layout.wipe()


@pytest.fixture
def secrets(layout: WardLayout) -> WardSecrets:
    return create_secrets(layout, ["tanto1"])


@pytest.fixture
def supervisor(layout: WardLayout) -> Iterator[Supervisor]:
    with Supervisor(layout, grace_seconds=5) as supervisor:
        yield supervisor


class TestLayout:
    def test_a_taken_port_is_named_with_the_variable_that_moves_it(self, layout: WardLayout) -> None:
        with socket.socket() as squatter:
            squatter.bind(("127.0.0.1", layout.sftp_port))
            squatter.listen()
            with pytest.raises(NotConfigured) as caught:
                layout.check_ports()
        sentence = str(caught.value)
        assert f"ポート {layout.sftp_port}" in sentence
        assert f"Port {layout.sftp_port} is taken" in sentence
        assert "WARD_SFTP_PORT=" in sentence

    def test_free_ports_pass(self, layout: WardLayout) -> None:
        layout.check_ports()

    def test_ports_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WARD_UI_PORT", "18081")
        assert WardLayout().ui_port == 18081
        monkeypatch.setenv("WARD_UI_PORT", "eighty")
        with pytest.raises(NotConfigured, match="WARD_UI_PORT"):
            WardLayout()

    def test_a_directory_with_other_peoples_files_is_neither_used_nor_wiped(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("three years of work")
        foreign = WardLayout(tmp_path)
        for act in (foreign.create, foreign.wipe):
            with pytest.raises(NotConfigured):
                act()
        assert (tmp_path / "thesis.txt").exists()

    def test_wiping_removes_the_runtime_directory_too(self, layout: WardLayout) -> None:
        runtime = layout.runtime
        assert len(str(runtime / ".s.PGSQL.5432")) < 100
        layout.wipe()
        assert not runtime.exists()
        assert not layout.root.exists()


class TestSecrets:
    def test_private_files_are_for_the_owner_only(self, secrets: WardSecrets, layout: WardLayout) -> None:
        private = [
            secrets.kek_file,
            secrets.ward_signing_key,
            secrets.contractor_signing_key,
            secrets.sftp_host_key,
            *secrets.sftp_client_keys.values(),
            layout.secrets / "values.json",
        ]
        assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
        assert {
            path.stat().st_mode & 0o777 for path in (layout.secrets, layout.vault, layout.print_tray)
        } == {0o700}

    def test_the_contractors_keys_lie_in_the_contractors_home(
        self, secrets: WardSecrets, layout: WardLayout
    ) -> None:
        assert secrets.contractor_signing_key.is_relative_to(layout.contractor_home)
        assert secrets.sftp_client_keys["contractor"].is_relative_to(layout.contractor_home)

    def test_secrets_do_not_print_and_load_again(self, secrets: WardSecrets, layout: WardLayout) -> None:
        password = secrets.user_passwords["tanto1"].get_secret_value()
        assert password not in repr(secrets)
        assert load_secrets(layout) == secrets


class TestPostgres:
    def test_starts_with_three_databases_on_a_socket_only(
        self, layout: WardLayout, secrets: WardSecrets, supervisor: Supervisor
    ) -> None:
        begun = time.monotonic()
        databases = start_postgres(layout, secrets, supervisor)
        assert time.monotonic() - begun < 15
        for uri, user in (
            (databases.airflow, "airflow"),
            (databases.ledger, "ledger_installer"),
            (databases.core_system, "core_system"),
        ):
            with psycopg.connect(uri) as connection:
                row = connection.execute(
                    "SELECT current_user, current_setting('listen_addresses')"
                ).fetchone()
                assert row == (user, "")

    def test_a_wrong_password_is_refused(
        self, layout: WardLayout, secrets: WardSecrets, supervisor: Supervisor
    ) -> None:
        databases = start_postgres(layout, secrets, supervisor)
        password = secrets.database_passwords["airflow"].get_secret_value()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(databases.airflow.replace(password, "guess"))
        assert password not in repr(databases)

    def test_the_extractor_changes_nothing(
        self, layout: WardLayout, secrets: WardSecrets, supervisor: Supervisor
    ) -> None:
        databases = start_postgres(layout, secrets, supervisor)
        with (
            psycopg.connect(databases.extraction) as connection,
            pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        ):
            connection.execute("CREATE TEMPORARY TABLE t (a int)")


@pytest.fixture
def sftp_host(layout: WardLayout, secrets: WardSecrets, supervisor: Supervisor) -> None:
    supervisor.start(
        "sftp-host",
        [
            *(sys.executable, "-m", "embedded_ward.sftp_host", "--root", layout.exchange),
            *("--port", str(layout.sftp_port), "--host-key", secrets.sftp_host_key),
            *("--authorized-keys", layout.authorized_keys, "--faults", layout.sftp_faults),
        ],
        environment=ENVIRONMENT,
    )
    supervisor.wait_until_listening("sftp-host", layout.sftp_port)


def connect(
    layout: WardLayout,
    secrets: WardSecrets,
    user: str,
    *,
    key: Path | None = None,
    host_key: str | None = None,
):
    pinned = f"[127.0.0.1]:{layout.sftp_port} {host_key or secrets.sftp_host_public_key}"
    return asyncssh.connect(
        "127.0.0.1",
        layout.sftp_port,
        username=user,
        client_keys=[str(key or secrets.sftp_client_keys[user])],
        known_hosts=asyncssh.import_known_hosts(pinned),
        agent_path=None,
        config=None,
    )


@pytest.mark.usefixtures("sftp_host")
class TestSftpHost:
    async def test_what_the_ward_renames_the_contractor_reads(
        self, layout: WardLayout, secrets: WardSecrets
    ) -> None:
        async with connect(layout, secrets, "ward") as line, line.start_sftp_client() as sftp:
            for content in (b"first", b"second"):
                async with sftp.open("to_contractor/package.part", "wb") as file:
                    await file.write(content)
                await sftp.posix_rename("to_contractor/package.part", "to_contractor/package.age")
        async with connect(layout, secrets, "contractor") as line, line.start_sftp_client() as sftp:
            assert {*await sftp.listdir("/")} - {".", ".."} == {"to_contractor", "to_ward"}
            async with sftp.open("to_contractor/package.age", "rb") as file:
                assert await file.read() == b"second"
        log = (layout.logs / "sftp-host.log").read_text()
        assert "ward posix-rename /to_contractor/package.part -> /to_contractor/package.age" in log
        assert "contractor close /to_contractor/package.age read 6 written 0 bytes" in log
        assert "second" not in log

    async def test_a_foreign_host_key_is_refused(self, layout: WardLayout, secrets: WardSecrets) -> None:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await connect(layout, secrets, "ward", host_key=other)

    @pytest.mark.parametrize("user", ["ward", "root", "../ward"])
    async def test_the_other_partys_key_opens_nothing(
        self, layout: WardLayout, secrets: WardSecrets, user: str
    ) -> None:
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(layout, secrets, user, key=secrets.sftp_client_keys["contractor"])
        log = layout.logs / "sftp-host.log"
        assert eventually(lambda: f"'{user}' login refused" in log.read_text())

    async def test_nobody_sees_beyond_the_exchange_directory(
        self, layout: WardLayout, secrets: WardSecrets
    ) -> None:
        async with connect(layout, secrets, "contractor") as line, line.start_sftp_client() as sftp:
            assert await sftp.realpath("../../..") == "/"
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await sftp.open("/../authorized_keys/ward", "rb")
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await sftp.symlink("/etc/passwd", "to_ward/passwd")
            with pytest.raises(asyncssh.ChannelOpenError):
                await line.run("id", check=True)

    async def test_a_taught_fault_stores_other_bytes(self, layout: WardLayout, secrets: WardSecrets) -> None:
        layout.sftp_faults.write_text('{"flip_bit_at": 2}')
        async with (
            connect(layout, secrets, "ward") as line,
            line.start_sftp_client() as sftp,
            sftp.open("to_contractor/package", "wb") as file,
        ):
            await file.write(b"AAAA")
        assert (layout.exchange / "to_contractor" / "package").read_bytes() == b"AA@A"

    async def test_a_host_that_plays_dead_hangs_up(self, layout: WardLayout, secrets: WardSecrets) -> None:
        layout.sftp_faults.write_text('{"unavailable": true}')
        with pytest.raises((asyncssh.ConnectionLost, ConnectionError)):
            await connect(layout, secrets, "ward")
        layout.sftp_faults.unlink()
        async with connect(layout, secrets, "ward"):
            pass


def test_a_japanese_mail_is_stored_whole(layout: WardLayout, supervisor: Supervisor) -> None:
    supervisor.start(
        "mail-catcher",
        [
            *(sys.executable, "-m", "embedded_ward.mail_catcher"),
            *("--mail", layout.mail, "--port", str(layout.smtp_port)),
        ],
        environment=ENVIRONMENT,
    )
    supervisor.wait_until_listening("mail-catcher", layout.smtp_port)
    for subject in ("【至急】受領通知が届いていません", "RE: a/b\\c .. d"):
        message = EmailMessage(policy=modern)
        message["From"], message["To"], message["Subject"] = (
            "kaigo@ward.example",
            "tanto1@ward.example",
            subject,
        )
        message.set_content("委託先に電話で確認してください。\n")
        with smtplib.SMTP("127.0.0.1", layout.smtp_port) as client:
            client.send_message(message)
    names = sorted(path.name for path in layout.mail.iterdir())
    assert names == ["0001-至急-受領通知が届いていません.eml", "0002-RE-a-b-c-d.eml"]
    stored = email.message_from_bytes((layout.mail / names[0]).read_bytes(), policy=modern)
    assert stored["Subject"] == "【至急】受領通知が届いていません"
    assert stored["X-Envelope-To"] == "tanto1@ward.example"
    assert stored.get_content().strip() == "委託先に電話で確認してください。"


# A process with a child in its group and another that made a group of its own, as PostgreSQL's backends do.
FAMILY = """
import os, signal, subprocess, sys, time
sleeper = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
children = [subprocess.Popen(sleeper), subprocess.Popen(sleeper, start_new_session=True)]
print(*(child.pid for child in children), flush=True)
time.sleep(600)
"""


def start_family(supervisor: Supervisor, layout: WardLayout) -> list[int]:
    record = supervisor.start("family", [sys.executable, "-c", FAMILY])
    log = layout.logs / "family.log"
    supervisor.wait_until("family", lambda: log.read_text().endswith("\n"), timeout_seconds=10)
    return [record.pid, *map(int, log.read_text().split())]


def all_gone(pids: list[int], within_seconds: float) -> bool:
    return eventually(lambda: not any(map(runs, pids)), within_seconds)


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class TestSupervisor:
    def test_ends_the_whole_family_even_the_deaf(self, layout: WardLayout, supervisor: Supervisor) -> None:
        pids = start_family(supervisor, layout)
        assert supervisor.proportional_memory_mb() > 5
        supervisor.stop_all()
        assert all_gone(pids, within_seconds=1)
        assert not layout.processes.exists()

    def test_a_later_process_ends_what_an_earlier_one_left_running(self, layout: WardLayout) -> None:
        earlier = Supervisor(layout)
        pids = start_family(earlier, layout)
        earlier.leave_running()
        assert runs(pids[0])
        Supervisor(layout, grace_seconds=1).stop_all()
        assert all_gone(pids, within_seconds=1)

    def test_leftovers_of_a_killed_leader_are_ended_too(
        self, layout: WardLayout, supervisor: Supervisor
    ) -> None:
        pids = start_family(supervisor, layout)
        os.kill(pids[0], signal.SIGKILL)
        assert eventually(lambda: bool(supervisor.ended()))
        supervisor.stop_all()
        assert not runs(pids[1])
        os.kill(pids[2], signal.SIGKILL)  # left the group and lost its parent: nobody can know it is ours

    def test_a_stranger_with_the_same_pid_is_left_alone(
        self, layout: WardLayout, supervisor: Supervisor
    ) -> None:
        supervisor.start("short", [sys.executable, "-c", "import time; time.sleep(600)"])
        time.sleep(0.05)  # start times are told in hundredths of a second
        stranger = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
        )
        try:
            record = supervisor.records()[0]
            text = layout.processes.read_text()
            layout.processes.write_text(text.replace(str(record.pid), str(stranger.pid)))
            Supervisor(layout).stop_all()
            assert stranger.poll() is None
        finally:
            stranger.kill()
            os.kill(record.pid, signal.SIGKILL)

    def test_nothing_survives_a_demo_that_was_killed(self, layout: WardLayout) -> None:
        demo = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys, time; from pathlib import Path\n"
                "from embedded_ward.layout import WardLayout\n"
                "from embedded_ward.supervisor import Supervisor\n"
                f"layout = WardLayout(Path({str(layout.root)!r}))\n"
                f"Supervisor(layout).start('family', [sys.executable, '-c', {FAMILY!r}])\n"
                "print('started', flush=True); time.sleep(600)\n",
            ],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
        )
        assert demo.stdout is not None
        demo.stdout.readline()
        log = layout.logs / "family.log"
        assert eventually(lambda: log.read_text().endswith("\n"))
        record = Supervisor(layout).records()[0]
        pids = [record.pid, *map(int, log.read_text().split())]
        demo.kill()
        demo.wait()
        assert all_gone(pids, within_seconds=15)
        assert all_gone([process.pid for process in guards_of(layout)], within_seconds=5)

    def test_a_process_that_ends_at_once_is_told_with_the_end_of_its_log(
        self, layout: WardLayout, supervisor: Supervisor
    ) -> None:
        supervisor.start(
            "broken", [sys.executable, "-c", "import time; time.sleep(0.3); raise SystemExit('no disk')"]
        )
        with pytest.raises(CannotLook, match="no disk"):
            supervisor.wait_until("broken", lambda: False, timeout_seconds=10)
        assert [record.name for record in supervisor.ended()] == ["broken"]


def guards_of(layout: WardLayout) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "embedded_ward.supervisor" in (process.info["cmdline"] or [])
        and str(layout.root) in process.info["cmdline"]
    ]


def test_every_permission_of_the_role_table_is_known_to_airflow() -> None:
    # Flask-AppBuilder invents a permission for any misspelt name, which would then protect nothing.
    from airflow.providers.fab.auth_manager.security_manager.override import (
        FabAirflowSecurityManagerOverride as Fab,
    )
    from airflow.providers.fab.auth_manager.views.user import CustomUserDBModelView

    from notice_cycle_airflow.roles import ROLES

    known = {
        *Fab.VIEWER_PERMISSIONS,
        *Fab.USER_PERMISSIONS,
        *Fab.OP_PERMISSIONS,
        *Fab.ADMIN_PERMISSIONS,
        *((action, "Users") for action in CustomUserDBModelView.base_permissions),
        # Made when the views are registered, not from a list.
        *(("menu_access", item) for item in ("Security", "List Users", "List Roles")),
    }
    assert {permission for permissions in ROLES.values() for permission in permissions} <= known


def test_the_auditor_only_reads() -> None:
    from notice_cycle_airflow.roles import AUDITOR, ROLES

    own_account = {("can_edit", "My Password")}
    assert {action for action, _ in set(ROLES[AUDITOR]) - own_account} == {"can_read", "menu_access"}
