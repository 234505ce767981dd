"""A throw-away deployment of profile `demo`, beside whatever else this Docker engine runs.

Everything is asked of the `docker` command. A command that fails raises CheckFailed with the end of what it said.
"""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).parent / "inside"
PROJECT = "notice-cycle-check"
VERSION = "check"
IMAGES = ("notice-cycle", "notice-cycle-proxy", "notice-cycle-demo")
BUILDS = ("web", "init", "fill-core-system")
"""The services that build an image, in the order in which one can use what the one before it made."""
HEALTHY_WITHIN_SECONDS = 1200  # a busy machine is no defect
_PATIENCE_SECONDS = 1800.0
_MEBIBYTES = {"B": 2**-20, "KiB": 2**-10, "MiB": 1.0, "GiB": 1024.0}


class CheckFailed(Exception):
    """Something did not hold. `service`: whose log tells more."""

    def __init__(self, sentence: str, service: str | None = None) -> None:
        super().__init__(sentence)
        self.service = service


@dataclass(frozen=True)
class Container:
    """One container as `docker inspect` tells it. `addresses`: network name of the compose file to IP."""

    id: str
    service: str
    number: int
    image: str
    state: str
    health: str
    ended_with: int
    addresses: dict[str, str]
    volumes: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Running, and healthy when somebody asks for its health."""
        return self.state == "running" and self.health in ("healthy", "")

    @property
    def has_failed(self) -> bool:
        """Unhealthy, restarted again and again, or ended with a status that is not 0."""
        return self.health == "unhealthy" or self.state == "restarting" or self.ended_with > 0

    @classmethod
    def from_inspection(cls, told: dict[str, Any]) -> "Container":
        """Reads one element of the engine's answer."""
        labels = told["Config"]["Labels"]
        return cls(
            id=told["Id"],
            service=labels["com.docker.compose.service"],
            number=int(labels.get("com.docker.compose.container-number", 0)),
            image=told["Config"]["Image"],
            state=told["State"]["Status"],
            health=told["State"].get("Health", {}).get("Status", ""),
            ended_with=told["State"]["ExitCode"],
            addresses={
                name.removeprefix(f"{PROJECT}_"): network["IPAddress"]
                for name, network in told["NetworkSettings"]["Networks"].items()
                if network["IPAddress"]
            },
            volumes=tuple(mount["Name"] for mount in told["Mounts"] if mount["Type"] == "volume"),
        )


class Deployment:
    """The project `notice-cycle-check`. `secrets` and `config` are made here and removed by `down`."""

    def __init__(self) -> None:
        self.secrets = Path(tempfile.mkdtemp(prefix="notice-cycle-check-"))
        self.config = _config_without_waiting()
        self.port = _free_port()
        self._volumes_seen: set[str] = set()
        self._known: list[Container] = []

    @property
    def address(self) -> str:
        """The web UI."""
        return f"https://localhost:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What wins over deploy/demo.env; settings of another deployment in this shell are left out."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NOTICE_CYCLE_", "COMPOSE_"))
        }
        return inherited | {
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_PROFILES": "demo",
            "NOTICE_CYCLE_SECRETS": str(self.secrets),
            "NOTICE_CYCLE_CONFIG_FOLDER": str(self.config),
            "NOTICE_CYCLE_PORT": str(self.port),
            "NOTICE_CYCLE_URL": self.address,
            "NOTICE_CYCLE_VERSION": VERSION,
        }

    # ---- commands

    def docker(
        self, *arguments: str, said: bytes = b"", allowed: int = 0, patience: float = _PATIENCE_SECONDS
    ) -> bytes:
        """One command to its end; gives standard output. `allowed`: the highest exit status that is no failure."""
        command = ["docker", *arguments]
        try:
            ended = subprocess.run(
                command,
                input=said,
                capture_output=True,
                check=False,
                cwd=ROOT,
                env=self.environment,
                timeout=patience,
            )
        except subprocess.TimeoutExpired as endless:
            raise CheckFailed(f"`{_short(command)}` did not end within {patience:.0f} s") from endless
        if ended.returncode > allowed or ended.returncode < 0:
            end = "\n".join((ended.stderr or ended.stdout).decode(errors="replace").splitlines()[-15:])
            raise CheckFailed(f"`{_short(command)}` ended with {ended.returncode}:\n{end}")
        return ended.stdout

    def compose(self, *arguments: str, said: bytes = b"", patience: float = _PATIENCE_SECONDS) -> bytes:
        """One `docker compose` command for this project."""
        files = ("--ansi", "never", "--env-file", "deploy/demo.env", "-f", "docker-compose.yaml")
        return self.docker("compose", *files, *arguments, said=said, patience=patience)

    def run_inside(self, container: Container, program: str, *arguments: str) -> Any:
        """Gives a program of inside/ to the container's Python; it answers with JSON."""
        said = (INSIDE / program).read_bytes()
        return json.loads(
            self.docker("exec", "-i", container.id, "python", "-", *arguments, said=said).decode()
        )

    def run_beside(self, container: Container, program: str, *arguments: str) -> Any:
        """The same for an image without Python: in a container that shares only this one's network."""
        said = (INSIDE / program).read_bytes()
        beside = ("run", "--rm", "-i", "--network", f"container:{container.id}", "--entrypoint", "python")
        image = f"notice-cycle-proxy:{VERSION}"
        return json.loads(self.docker(*beside, image, "-", *arguments, said=said).decode())

    def run_as_init(self, program: str) -> Any:
        """The same in a container of service `init`, which is given the auditor's password."""
        said = (INSIDE / program).read_bytes()
        return json.loads(self.compose("run", "--rm", "-T", "--no-deps", "init", "python", "-", said=said))

    # ---- what there is

    def containers(self) -> list[Container]:
        """Everything of this project, stopped containers too."""
        ids = self._of_project("ps", "-a")
        told = json.loads(self.docker("inspect", *ids)) if ids else []
        found = sorted(map(Container.from_inspection, told), key=lambda each: (each.service, each.number))
        self._volumes_seen.update(volume for container in found for volume in container.volumes)
        self._known = found
        return found

    def of(self, service: str) -> list[Container]:
        """The containers of one service."""
        return [container for container in self.containers() if container.service == service]

    def is_internal(self, network: str) -> bool:
        """Whether the engine lets a network of the project lead nowhere."""
        told = self.docker("network", "inspect", "-f", "{{.Internal}}", f"{PROJECT}_{network}")
        return told.strip() == b"true"

    def wait_until_well(self, service: str) -> None:
        """Blocks until every container of a service is healthy again."""
        until = time.monotonic() + HEALTHY_WITHIN_SECONDS
        while not all(container.is_well for container in self.of(service)):
            if time.monotonic() > until:
                raise CheckFailed(f"{service} is not healthy after {HEALTHY_WITHIN_SECONDS} s", service)
            time.sleep(1)

    def kill_and_start(self, service: str) -> None:
        """SIGKILL to every container of a service at once; the same containers are started again."""
        names = [
            f"{PROJECT}-{service}-{container.number}"
            for container in self._known
            if container.service == service
        ]
        self.docker("kill", "-s", "KILL", *names)
        self.docker("start", *names)

    def package_on_host(self) -> str:
        """Digest, inode and time of every file that the ward has put on the contractor's host."""
        looking = (
            "cd /srv/exchange/to_contractor && find . -type f -exec sha256sum {} + | sort"
            " && find . -type f -printf '%i %T@ %P\\n' | sort"
        )
        host = f"{PROJECT}-contractor-host-1"
        return self.docker("exec", host, "sh", "-c", looking).decode()

    def memory_mib(self) -> dict[str, float]:
        """What each running container uses, by its name without the project's."""
        ids = self._of_project("ps")
        lines = self.docker("stats", "--no-stream", "--format", "{{json .}}", *ids).decode().splitlines()
        told = [json.loads(line) for line in lines]
        return {
            each["Name"].removeprefix(f"{PROJECT}-"): mebibytes(each["MemUsage"].split("/")[0])
            for each in sorted(told, key=lambda each: str(each["Name"]))
        }

    def image_megabytes(self) -> dict[str, int]:
        """The size of each image as the engine tells it."""
        return {
            name: round(
                int(self.docker("image", "inspect", "-f", "{{.Size}}", f"{name}:{VERSION}")) / 1_000_000
            )
            for name in IMAGES
        }

    def read_secrets(self) -> dict[str, bytes]:
        """All secret files. They belong to the containers' user: only a container may read them for us."""
        read = ("run", "--rm", "-T", "--entrypoint", "tar", "secrets")
        packed = self.compose(*read, "-c", "-C", "/secrets", ".")
        with tarfile.open(fileobj=io.BytesIO(packed)) as files:
            return {
                Path(member.name).name: content.read()
                for member in files
                if (content := files.extractfile(member))
            }

    def copy_folder(self, service: str, folder: str, target: Path) -> None:
        """A folder of a container's volume onto this machine."""
        packed = self.docker("exec", self.of(service)[0].id, "tar", "-c", "-C", folder, ".")
        with tarfile.open(fileobj=io.BytesIO(packed)) as files:
            files.extractall(target, filter="data")

    def logs(self, *services: str, tail: str = "all") -> bytes:
        """What the containers said."""
        return self.compose("logs", "--no-color", "--tail", tail, *services)

    def last_lines(self, service: str, count: int) -> str:
        """The end of a service's log, for a failure that is being told: never fails itself."""
        try:
            return self.logs(service, tail=str(count)).decode(errors="replace").replace("\x1b[2K", "")
        except CheckFailed as silent:
            return str(silent)

    # ---- stopping

    def down(self) -> None:
        """Ends and removes everything of the project, and the secrets, these even when the engine is gone."""
        try:
            self.containers()  # remembers the volumes without a name of the project
            self.compose("--profile", "*", "down", "-v", "--remove-orphans", "--timeout", "5")
        finally:
            self.remove_secrets()

    def remove_secrets(self) -> None:
        """The folder alone."""
        shutil.rmtree(self.secrets, ignore_errors=True)
        shutil.rmtree(self.config, ignore_errors=True)

    def left_behind(self) -> list[str]:
        """What still carries the project's label, was one of its volumes, or is a secret file."""
        volumes = set(self.docker("volume", "ls", "-q").decode().split())
        return [
            *(f"container {each}" for each in self._of_project("ps", "-a")),
            *(f"network {each}" for each in self._of_project("network", "ls")),
            *(
                f"volume {each}"
                for each in sorted({*self._of_project("volume", "ls"), *(self._volumes_seen & volumes)})
            ),
            *(f"folder {folder}" for folder in (self.secrets, self.config) if folder.exists()),
        ]

    def of_earlier_check(self) -> list[str]:
        """What there is of the project before this check has begun."""
        return [each for each in self.left_behind() if not each.startswith("folder ")]

    def _of_project(self, *listing: str) -> list[str]:
        label = f"label=com.docker.compose.project={PROJECT}"
        return self.docker(*listing, "-q", "--filter", label).decode().split()


def engine_complaint() -> str | None:
    """Why this machine cannot run the check, None when it can."""
    if shutil.which("docker") is None:
        return "The command `docker` is not installed."
    asked = (
        (("docker", "info", "--format", "{{.ServerVersion}}"), "No Docker engine answers"),
        (("docker", "compose", "version", "--short"), "Docker Compose v2 is not installed"),
    )
    for command, complaint in asked:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode != 0 or not ended.stdout.strip():
            return f"{complaint}: {(ended.stderr.strip().splitlines() or ['no reason given'])[-1]}"
    if ended.stdout.strip().lstrip("v").startswith("1."):
        return f"Docker Compose v2 is needed, this is {ended.stdout.strip()}."
    return None


def mebibytes(told: str) -> float:
    """`12.5MiB` as docker stats writes it."""
    found = re.fullmatch(r"\s*([\d.]+)\s*([KMG]i)?B\s*", told)
    if not found:
        raise ValueError(told)
    return float(found[1]) * _MEBIBYTES[f"{found[2] or ''}B"]


def _config_without_waiting() -> Path:
    """The shipped configuration, but the passphrase may follow the disc at once: nobody waits two hours here."""
    folder = Path(tempfile.mkdtemp(prefix="notice-cycle-check-config-"))
    shutil.copytree(ROOT / "include" / "config", folder, dirs_exist_ok=True)
    folder.chmod(0o755)  # the containers' user reads it
    parties = folder / "parties.yaml"
    shipped = parties.read_text(encoding="utf-8")
    changed = shipped.replace("  dvd: 120\n", "  dvd: 0\n")
    if changed == shipped:
        raise CheckFailed("parties.yaml no longer says dvd: 120")
    parties.write_text(changed, encoding="utf-8")
    return folder


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _short(command: Iterable[str]) -> str:
    """A command for a sentence: container ids and probes are long and say nothing."""
    shortened = (part if len(part) <= 60 else f"{part[:12]}…" for part in command)  # noqa: PLR2004
    return " ".join(shortened)
