"""Who may reach, read and write what in the running deployment. What is not allowed here must be refused.

The tables are complete: every container against every listening service (by name and by each address), every secret
file and every shared folder. What is allowed is tried as well, so that a refusal means something. A refusal must be
of the right kind: a connection that somebody closed, or a password that was asked for, would mean there is a way.
"""

import http.client
import json
import ssl
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.compose_check.deployment import IMAGES, PROJECT, VERSION, CheckFailed, Container, Deployment

AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")
PRODUCT = (*AIRFLOW, "worker", "worker-lgwan")
PROXIES = ("web", "core-gateway", "mail-gateway")
ENDS_BY_ITSELF = ("secrets", "rotate-kek", "init", "fill-core-system")
WITHOUT_PYTHON = ("postgres", "redis", "core-system")

LISTENS = {
    "postgres": 5432,
    "redis": 6379,
    "api-server": 8080,
    "web": 8443,
    "core-gateway": 5432,
    "mail-gateway": 2525,
    "core-system": 5432,
    "mail-catcher": 2525,
    "contractor-host": 22,
}

_INNER = ("postgres", "redis", "api-server", "mail-gateway")
MAY_CONNECT: dict[str, tuple[str, ...]] = {
    "postgres": _INNER,
    "redis": _INNER,
    "api-server": (*_INNER, "web"),
    "scheduler": _INNER,
    "dag-processor": _INNER,
    "triggerer": _INNER,
    "worker": (*_INNER, "core-gateway"),
    "worker-lgwan": (*_INNER, "contractor-host"),
    "web": ("web", "api-server"),
    "core-gateway": ("core-gateway", "mail-gateway", "core-system", "mail-catcher"),
    "mail-gateway": (*_INNER, "core-gateway", "core-system", "mail-catcher"),
    "core-system": ("core-gateway", "mail-gateway", "core-system", "mail-catcher"),
    "mail-catcher": ("core-gateway", "mail-gateway", "core-system", "mail-catcher"),
    "contractor-host": ("contractor-host",),
    "contractor": ("contractor-host",),
    "officers": ("web",),
}
"""Every container that keeps running, and the services it shares a network with (databases ask for a password)."""

LEADS_NOWHERE = ("postgres", "redis", *AIRFLOW, "worker")
"""On networks only that the engine marks as internal."""
PUBLIC_ADDRESS = ("192.0.2.1", "443")  # RFC 5737: nobody's

HOLDS: dict[str, tuple[str, ...]] = {
    "postgres_password": ("postgres",),
    "redis_password": ("redis",),
    "metadata_password": (),
    "ledger_writer_password": (),
    "ledger_auditor_password": (),
    "ledger_reader_dsn": ("api-server",),
    "admin_password": (),
    "users.json": (),
    "metadata_dsn": AIRFLOW,
    "metadata_async_dsn": AIRFLOW,
    "fernet_key": AIRFLOW,
    "jwt_secret": AIRFLOW,
    "session_secret": AIRFLOW,
    "tls_key": ("web",),
    "tls_certificate": ("web", "officers"),
    "broker_url": ("scheduler", "worker", "worker-lgwan"),
    "result_backend": ("scheduler", "worker", "worker-lgwan"),
    "connections_worker.json": ("worker",),
    "kek": ("worker",),
    "signing_key": ("worker",),
    "small_total_key": ("worker",),
    "allowed_signers": ("worker", "worker-lgwan"),
    "connections_lgwan.json": ("worker-lgwan",),
    "sftp_key": ("worker-lgwan",),
    "sftp_key.pub": ("contractor-host",),
    "demo_core_system_password": ("core-system",),
    "demo_extractor_password": (),
    "demo_login_key.pub": ("contractor-host",),
    "demo_host_key": ("contractor-host",),
    "demo_host_key.pub": ("contractor",),
    "demo_login_key": ("contractor",),
    "demo_signing_key": ("contractor",),
    "demo_ward_signers": ("contractor",),
    "demo_officers.json": ("officers",),
}
"""Every secret file and the running containers that are given it; nobody means that only `init` or a filler is."""

SHARED: dict[str, dict[str, str]] = {
    "vault": {"worker": "written"},
    "outbox": {"worker": "written", "worker-lgwan": "read-only", "officers": "read-only"},
    "inbox": {"worker": "written", "worker-lgwan": "written"},
    "heads": {"worker": "written", "worker-lgwan": "written"},
    "checkpoints": {"worker": "written"},
    "drops": {"worker": "read-only"},
    "results": {"worker": "written"},
    "pullout_desk": {"worker": "written"},
    "reply_desk": {"worker-lgwan": "read-only", "officers": "written"},
    "watch": {"worker": "written"},
    "print_tray": {"worker": "written", "officers": "written"},
    "logs": {
        "worker": "written",
        "worker-lgwan": "written",
        "scheduler": "written",
        "dag-processor": "written",
        "triggerer": "written",
        "api-server": "read-only",
    },
    "mail": {"mail-catcher": "written"},
    "exchange": {"contractor-host": "written"},
    "contractor": {"contractor": "written"},
    "desk": {"contractor": "written", "officers": "written"},
}
"""Every volume below /srv: who sees it, and the answer to whoever writes there."""

NO_NAME, NO_WAY = ("no such name",), ("no route", "no answer")
MARKER = ".compose-check"
BETWEEN_LOOKS_SECONDS = 5
_DELETE, _COUNT = "DELETE FROM ledger.entry", "SELECT count(*) FROM ledger.entry"
_INSERT = "INSERT INTO ledger.entry SELECT * FROM ledger.entry"


@dataclass(frozen=True)
class Reach:
    """One thing a container tries, and the answers that are right. `control`: it must succeed."""

    who: str
    probe: tuple[str, ...]
    answers: tuple[str, ...]
    control: bool = False


def connections(containers: Iterable[Container]) -> Iterator[Reach]:
    """Everyone to everything that listens: what is allowed by name, all else by name and by every address."""
    addresses: dict[str, set[str]] = {}
    for container in containers:
        addresses.setdefault(container.service, set()).update(container.addresses.values())
    for who, allowed in MAY_CONNECT.items():
        for target, port in LISTENS.items():
            if target in allowed:
                yield Reach(who, ("connect", target, str(port)), ("reached",), control=True)
                continue
            yield Reach(who, ("connect", target, str(port)), NO_NAME)
            for address in sorted(addresses[target]):
                yield Reach(who, ("connect", address, str(port)), NO_WAY)
        if who in LEADS_NOWHERE:
            yield Reach(who, ("connect", *PUBLIC_ADDRESS), NO_WAY)


def files() -> Iterator[Reach]:
    """Everyone's secrets, shared folders and image."""
    for who in set(MAY_CONNECT) - set(WITHOUT_PYTHON):
        for secret, holders in HOLDS.items():
            holds = who in holders
            yield Reach(who, ("read", f"/run/secrets/{secret}"), ("read" if holds else "missing",), holds)
        for folder, sharing in SHARED.items():
            sees = who in sharing
            # A folder of that name may be in the image, empty; what the marker says is whether it is the shared one.
            answers = ("read",) if sees else ("missing", "denied")
            yield Reach(who, ("read", f"/srv/{folder}/{MARKER}"), answers, sees)
            if sees:
                written = sharing[who] == "written"
                yield Reach(who, ("write", f"/srv/{folder}/{MARKER}"), (sharing[who],), written)
        if who != "contractor-host":
            yield Reach(who, ("write", "/opt/notice-cycle/deploy/start.py"), ("read-only", "denied"))
            yield Reach(who, ("write", f"/opt/notice-cycle/{MARKER}"), ("read-only", "denied"))
            yield Reach(who, ("write", f"/tmp/{MARKER}"), ("written",), control=True)  # noqa: S108 - inside


def databases() -> Iterator[Reach]:
    """What the logins that the containers hold may do, and what no worker finds in its environment."""
    for who, credential in (
        ("worker", "connections_worker.json"),
        ("worker-lgwan", "connections_lgwan.json"),
    ):
        yield Reach(who, ("sql", credential, "ledger", _COUNT), ("done",), control=True)
        for statement in (
            _DELETE,
            "UPDATE ledger.entry SET body = body",
            "TRUNCATE ledger.entry",
            "ALTER TABLE ledger.entry DISABLE TRIGGER ALL",
            "DROP TABLE ledger.entry",
            "SET ROLE ledger_owner",
        ):
            yield Reach(who, ("sql", credential, "ledger", statement), ("denied",))
        yield Reach(who, ("sql", credential, "airflow", "SELECT 1"), ("denied",))
        yield Reach(who, ("redis", "broker_url"), ("done",), control=True)
        for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD",
                     "AIRFLOW__API_AUTH__JWT_SECRET_CMD", "AIRFLOW__CORE__FERNET_KEY_CMD"):  # fmt: skip
            yield Reach(who, ("variable", name), ("missing",))
    yield Reach("api-server", ("sql", "ledger_reader_dsn", "ledger", _COUNT), ("done",), control=True)
    yield Reach("api-server", ("sql", "ledger_reader_dsn", "ledger", _DELETE), ("denied",))
    yield Reach("api-server", ("sql", "ledger_reader_dsn", "ledger", _INSERT), ("denied",))
    for who in AIRFLOW:
        yield Reach(who, ("sql", "metadata_dsn", "airflow", "SELECT 1"), ("done",), control=True)
        yield Reach(who, ("sql", "metadata_dsn", "ledger", "SELECT 1"), ("denied",))
        yield Reach(who, ("redis", "none"), ("asked for a password",))
        yield Reach(who, ("variable", "AIRFLOW__CORE__FERNET_KEY_CMD"), ("set",), control=True)


def try_reaches(deployment: Deployment) -> str:
    """Tries all of it from inside the containers; raises CheckFailed with everything that is not as it should be."""
    containers = deployment.containers()
    running = [each for each in containers if each.service in MAY_CONNECT]
    _in_every_folder(deployment, "chmod 666 $f")
    reaches = [*connections(containers), *files(), *databases()]
    tried = {each.id: [reach for reach in reaches if reach.who == each.service] for each in running}
    with ThreadPoolExecutor(max_workers=4) as pool:
        told = pool.map(
            lambda each: _try(deployment, each, [reach.probe for reach in tried[each.id]]), running
        )
    wrong, refused, controls = _ways_out(deployment, running), 0, 0
    for container, said in zip(running, told, strict=True):
        for reach, answer in zip(tried[container.id], said, strict=True):
            controls += reach.control
            refused += not reach.control
            if answer not in reach.answers:
                name = f"{reach.who}-{container.number}: {' '.join(reach.probe)}"
                wrong.append(f"{name} → {answer} (expected {' or '.join(reach.answers)})")
    _in_every_folder(deployment, "rm $f")
    if wrong:
        raise CheckFailed("reaches that are not as they should be:\n" + "\n".join(wrong))
    return f"{refused} refused as they should be, {controls} allowed ones reached, from {len(running)} containers"


def _ways_out(deployment: Deployment, running: list[Container]) -> list[str]:
    """Networks that lead out although their containers must not: what the engine has, not what the file says."""
    return [
        f"{container.service}-{container.number} stands on {network}, which is not internal"
        for container in running
        if container.service in LEADS_NOWHERE
        for network in container.addresses
        if not deployment.is_internal(network)
    ]


def _try(deployment: Deployment, container: Container, probes: list[tuple[str, ...]]) -> list[str]:
    run = deployment.run_beside if container.service in WITHOUT_PYTHON else deployment.run_inside
    answers: list[str] = run(container, "probe.py", json.dumps(probes))
    return answers


def _in_every_folder(deployment: Deployment, command: str) -> None:
    """A shell command with $f for each marker, as root in a container of its own: some folders nobody here may write."""
    mounts = [part for folder in SHARED for part in ("-v", f"{PROJECT}_{folder}:/srv/{folder}")]
    loop = f"for f in /srv/*/{MARKER}; do {command}; done"
    told = "touch " + " ".join(f"/srv/{folder}/{MARKER}" for folder in SHARED) + f"; {loop}"
    deployment.docker(
        "run", "--rm", "-u", "0", *mounts, "--entrypoint", "sh", f"{IMAGES[0]}:{VERSION}", "-c", told
    )


# ---- from outside, and from the engine's side

NOT_FROM_OUTSIDE = (
    "/execution/health",
    "//execution/health",
    "/%65xecution/health",
    "/api/../execution/health",
    "/./execution/health",
    "/execution//health",
)


def try_front_door(deployment: Deployment, certificate: Path) -> str:
    """Nobody speaks to the execution API through `web`, in whatever way the path is written."""
    worker = deployment.of("worker")[0]
    inside = _try(deployment, worker, [("http", "http://api-server:8080/execution/health")])
    if inside != ["200"]:
        raise CheckFailed(f"the execution API does not even answer a worker: {inside[0]}", "api-server")
    if (status := _status(deployment, certificate, "/api/v2/monitor/health")) != http.client.OK:
        raise CheckFailed(f"the front door does not let the health page through: {status}", "web")
    answers = {path: _status(deployment, certificate, path) for path in NOT_FROM_OUTSIDE}
    if opened := {path: status for path, status in answers.items() if status != http.client.NOT_FOUND}:
        raise CheckFailed(f"the execution API is open to the outside: {opened}", "web")
    return f"{len(answers)} spellings of /execution/ answered with 404"


def _status(deployment: Deployment, certificate: Path, path: str) -> int:
    trusted = ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPSConnection("localhost", deployment.port, timeout=30, context=trusted)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def try_processes(deployment: Deployment) -> str:
    """No process of ours, of a database or of the broker runs as root. The contractor's sshd does: it is found."""
    before = _processes(deployment)
    time.sleep(BETWEEN_LOOKS_SECONDS)
    # What is there only once is a health check, which the engine starts as the image's user.
    lasting = before & _processes(deployment)
    with_root = {service for service, _, user in lasting if user == "0"}
    if "contractor-host" not in with_root:
        raise CheckFailed("the search for root processes does not find the contractor's sshd")
    if wrong := sorted(with_root - {"contractor-host"}):
        raise CheckFailed(f"processes run as root in: {', '.join(wrong)}", wrong[0])
    return f"none of {len(lasting)} is root, but the contractor's sshd"


def _processes(deployment: Deployment) -> set[tuple[str, str, str]]:
    """Service, process id and user id of everything that runs."""
    return {
        (container.service, *line.split())
        for container in deployment.containers()
        if container.state == "running"
        for line in deployment.docker("top", container.id, "-eo", "pid,uid").decode().splitlines()[1:]
    }


def try_secrets_in_images(deployment: Deployment, secrets: dict[str, bytes]) -> str:
    """No value of a secret stands in the images' history or in what `docker inspect` tells."""
    images = [f"{name}:{VERSION}" for name in IMAGES]
    told = deployment.docker("image", "inspect", *images)
    told += b"".join(deployment.docker("history", "--no-trunc", image) for image in images)
    told += deployment.docker("inspect", *(container.id for container in deployment.containers()))
    if b"notice_cycle_airflow.auth_manager" not in told or b"openssh-server" not in told:
        raise CheckFailed("the search in the images does not find what does stand there")
    values = {value: name for name, content in secrets.items() for value in secret_values(name, content)}
    if leaked := sorted({name for value, name in values.items() if value in told}):
        raise CheckFailed(f"secrets stand in an image or in a container's settings: {', '.join(leaked)}")
    return f"{len(values)} values of {len(secrets)} files looked for"


def secret_values(name: str, content: bytes) -> set[bytes]:
    """What must not be found of a secret file: its content, or what its JSON, key or address holds of secrets."""
    if name.endswith((".pub", "signers")) or name == "tls_certificate":
        return set()  # public
    if name == "demo_officers.json":
        return {password.encode() for password in json.loads(content).values()}
    if name.endswith(".json"):
        return {password.encode() for password in _passwords(json.loads(content))}
    lines = [line for line in content.splitlines() if line and not line.startswith(b"-----")]
    return {line.split(b"@")[0].rpartition(b":")[2] if b"://" in line else line for line in lines}


def _passwords(told: object) -> Iterator[str]:
    """Every field `password`, however deep."""
    if isinstance(told, dict):
        for name, value in told.items():
            if name == "password":
                yield value
            else:
                yield from _passwords(value)
    elif isinstance(told, list):
        for value in told:
            yield from _passwords(value)
