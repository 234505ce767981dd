"""Runs the whole check, one step after another, and takes everything down again, also after a failure or Ctrl-C.

Exit status 0 only when every step held and nothing is left behind. --keep leaves the deployment up to be looked at,
--clean takes down what --keep left.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from deploy.compose_check import afterwards, reaches
from deploy.compose_check.cycle import DISC_RUN, MEETINGS, Cycle
from deploy.compose_check.deployment import (
    BUILDS,
    HEALTHY_WITHIN_SECONDS,
    CheckFailed,
    Deployment,
    engine_complaint,
)

from embedded_ward.officers import Officer

WORKERS = 2
LOG_LINES = 15


@dataclass
class Check:
    """The steps in order, and what they found."""

    deployment: Deployment
    certificate: Path
    times: list[tuple[str, float]] = field(default_factory=list)
    secrets: dict[str, bytes] = field(default_factory=dict)
    image_megabytes: dict[str, int] = field(default_factory=dict)
    memory_mib: dict[str, dict[str, float]] = field(default_factory=dict)
    step: str = ""
    cycle: Cycle | None = None

    def run(self) -> None:
        """Everything but the end."""
        for service in BUILDS:
            self._do(f"build {service}", lambda service=service: self._build(service))
        self._do("image sizes", self._image_sizes)
        self._do("secrets", self._make_secrets)
        self._do("up", self._up)
        self._do("second init", lambda: afterwards.check_second_init(self.deployment))
        self._do("memory idle", lambda: self._memory("idle"))
        self._do("processes", lambda: reaches.try_processes(self.deployment))
        self._do("secrets in images", lambda: reaches.try_secrets_in_images(self.deployment, self.secrets))
        self._do("front door", lambda: reaches.try_front_door(self.deployment, self.certificate))
        self._do("reaches", lambda: reaches.try_reaches(self.deployment))
        self._do("cycle with restarts", self._cycle)
        self._do("memory after", lambda: self._memory("after"))
        self._do("quantities, ledger", lambda: afterwards.check_quantities(self.deployment))
        self._do("package", lambda: afterwards.check_package(self.deployment, self._seen()))
        self._do("cycle by disc", self._disc_cycle)
        self._do("disc: quantities", lambda: afterwards.check_quantities(self.deployment, DISC_RUN))
        self._do("disc", lambda: afterwards.check_disc(self.deployment))
        self._do("nothing is left", lambda: afterwards.check_nothing_is_left(self.deployment))
        self._do("canary", lambda: afterwards.check_canary(self.deployment))

    def stop(self) -> None:
        """Takes everything down and looks whether it is gone."""
        self._do("down", self._down)

    def table(self) -> str:
        """Times, sizes and memory, to be read and quoted."""
        lines = [f"{name:<22}{seconds:>8.1f} s" for name, seconds in self.times]
        lines.append(f"{'altogether':<22}{sum(seconds for _, seconds in self.times):>8.1f} s")
        lines += ["", *(f"{name:<22}{size:>8,} MB" for name, size in self.image_megabytes.items())]
        idle, after = (self.memory_mib.get(when, {}) for when in ("idle", "after"))
        lines += ["", f"{'memory':<22}{'idle':>8}     {'after the cycle':>8}"]
        lines += [f"{name:<22}{idle[name]:>8.0f} MiB {_or_dash(after.get(name)):>8} MiB" for name in idle]
        return "\n".join(lines)

    # ---- the steps

    def _build(self, service: str) -> str:
        self.deployment.compose("build", service, patience=1800)
        return ""

    def _image_sizes(self) -> str:
        self.image_megabytes = self.deployment.image_megabytes()
        return ", ".join(f"{name} {size:,} MB" for name, size in self.image_megabytes.items())

    def _make_secrets(self) -> str:
        self.deployment.compose("run", "--rm", "-T", "secrets")
        self.secrets = self.deployment.read_secrets()
        self.deployment.compose("run", "--rm", "-T", "secrets")
        if self.deployment.read_secrets() != self.secrets:
            raise CheckFailed("a second run changed secrets that were there already")
        self.certificate.write_bytes(self.secrets["tls_certificate"])
        return f"{len(self.secrets)} files, a second run changes none"

    def _up(self) -> str:
        patience = ("--wait", "--wait-timeout", str(HEALTHY_WITHIN_SECONDS))
        until = time.monotonic() + HEALTHY_WITHIN_SECONDS
        while True:
            try:
                self.deployment.compose(
                    "up", "-d", "--no-recreate", *patience, "--scale", f"worker={WORKERS}"
                )
                break
            except CheckFailed as failed:
                self._still_waits(failed, until)
        running = [container for container in self.deployment.containers() if container.state == "running"]
        for container in running:
            self.deployment.wait_until_well(container.service)
        return f"{len(running)} containers run"

    def _still_waits(self, failed: CheckFailed, until: float) -> None:
        """A container that is only slow, on a busy machine, is waited for; one that ended is told at once."""
        unwell = [container for container in self.deployment.containers() if container.has_failed]
        if time.monotonic() > until or not unwell or any(each.health != "unhealthy" for each in unwell):
            raise CheckFailed(str(failed), unwell[0].service if unwell else None) from failed
        print(f"           {unwell[0].service} is not healthy yet", flush=True)
        time.sleep(20)

    def _memory(self, when: str) -> str:
        told = self.memory_mib[when] = self.deployment.memory_mib()
        return f"{sum(told.values()):,.0f} MiB in {len(told)} containers"

    def _cycle(self) -> str:
        self.cycle = cycle = Cycle(self.deployment, self._operator(), _tell)
        cycle.start()
        cycle.shake()
        cycle.wait_for_end()
        return (
            f"closed; {len(cycle.met)} of {len(MEETINGS)} meetings with a task as meant, "
            f"{len(cycle.cleared)} tasks had to be cleared by hand; begun again: {cycle.retried()}"
        )

    def _seen(self) -> list[str]:
        return self.cycle.seen_on_host if self.cycle else []

    def _down(self) -> str:
        self.deployment.down()
        if left := self.deployment.left_behind():
            raise CheckFailed("left behind: " + ", ".join(left))
        return "no container, network, volume or secret is left"

    def _disc_cycle(self) -> str:
        cycle = Cycle.by_disc(self.deployment, self._operator(), _tell)
        cycle.start()
        cycle.switch_to_disc()
        cycle.wait_for_end()
        if (sent := cycle.tasks()["handover.send"]["state"]) != "skipped":
            raise CheckFailed(f"handover.send is {sent} in a cycle by disc", "worker-lgwan")
        return f"closed; {len(cycle.cleared)} tasks had to be cleared by hand"

    def _operator(self) -> Officer:
        password = json.loads(self.secrets["demo_officers.json"])["unyo"]
        return Officer("unyo", password, self.deployment.address, self.certificate)

    def _do(self, name: str, act: Callable[[], str]) -> None:
        self.step = name
        began = time.monotonic()
        try:
            told = act()
        finally:
            seconds = time.monotonic() - began
            self.times.append((name, seconds))
        print(f"{seconds:7.1f} s  {name}{': ' if told else ''}{told}", flush=True)


def _tell(told: str) -> None:
    print(f"           {told}", flush=True)


def _or_dash(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}"


def main() -> int:
    """The exit status."""
    options = _options()
    if complaint := engine_complaint():
        print(complaint, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    deployment = Deployment()
    check = Check(deployment, deployment.secrets.with_suffix(".pem"))
    try:
        if options.clean:
            check.stop()
            return 0
        if there := deployment.of_earlier_check():
            deployment.remove_secrets()
            print(f"An earlier check is still there ({len(there)} things); "
                  "python -m deploy.compose_check --clean takes it down.", file=sys.stderr)  # fmt: skip
            return 2
        return _run(check, keep=options.keep)
    finally:
        check.certificate.unlink(missing_ok=True)


def _run(check: Check, *, keep: bool) -> int:
    held = False
    try:
        check.run()
        held = True
    except CheckFailed as failed:
        _tell_failure(check, failed)
    except KeyboardInterrupt:
        print(f"\ninterrupted in step {check.step}", file=sys.stderr)
    finally:
        if keep:
            print(f"kept: {check.deployment.address}, secrets in {check.deployment.secrets}")
        else:
            held = _stopped(check) and held
    print(f"\n{check.table()}\n\n{'everything held' if held else 'NOT everything held'}")
    return 0 if held else 1


def _stopped(check: Check) -> bool:
    """Whether nothing is left. A second Ctrl-C does not keep it from being taken down."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        check.stop()
    except CheckFailed as failed:
        print(f"FAILED in step {check.step}: {failed}", file=sys.stderr)
        return False
    return True


def _tell_failure(check: Check, failed: CheckFailed) -> None:
    print(f"\nFAILED in step {check.step}: {failed}", file=sys.stderr)
    if failed.service:
        log = check.deployment.last_lines(failed.service, LOG_LINES)
        print(f"the last lines of {failed.service}:\n{log}", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="builds, starts, tries and stops the deployment in containers"
    )
    parser.add_argument("--keep", action="store_true", help="leave it up")
    parser.add_argument(
        "--clean", action="store_true", help="take down what --keep left, and do nothing else"
    )
    return parser.parse_args()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
