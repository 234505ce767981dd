"""Measuring a piece of work: CPU seconds, wall seconds, and the most memory the process held.

CPU seconds are the process's own, all threads, user and system (`getrusage`); the database server's are not in them.
Memory is the process's high-water mark from Linux's /proc: `ru_maxrss` would start from what the parent held when it
forked. Knows nothing of what is measured.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import reduce
from importlib import import_module
from importlib.metadata import version
from operator import add
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

_PROCESS_STARTED = time.perf_counter()  # near enough: the interpreter itself took some 20 ms before this
_LIBRARIES = (
    *("pyarrow", "adbc-driver-postgresql", "numpy", "pandas", "SQLAlchemy", "psycopg2-binary"),
    *("great-expectations", "cryptography"),
)
_KB = 1024  # what Linux calls kB
_MB = 1_000_000


@dataclass(frozen=True)
class Figures:
    """What one piece of work took. `peak_mb`: the most the process held meanwhile, with all it held before."""

    cpu_s: float
    wall_s: float
    peak_mb: int

    def __add__(self, other: "Figures") -> "Figures":
        """One after the other."""
        peak_mb = max(self.peak_mb, other.peak_mb)
        return Figures(self.cpu_s + other.cpu_s, self.wall_s + other.wall_s, peak_mb)


Laps = dict[str, Figures]


class Stopwatch:
    """The laps of one process."""

    def __init__(self) -> None:
        self.laps: Laps = {}

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Measures the block."""
        _forget_peak()
        cpu_s, wall_s = _cpu_s(), time.perf_counter()
        yield
        self.laps[name] = Figures(_cpu_s() - cpu_s, time.perf_counter() - wall_s, _peak_mb())


def run_measured(modules: Sequence[str], work: Callable[[Stopwatch], None]) -> None:
    """Imports the modules, works, and prints the laps as the last line; `imports` is all there was before the work."""
    for module in modules:
        import_module(module)
    watch = Stopwatch()
    watch.laps["imports"] = Figures(_cpu_s(), time.perf_counter() - _PROCESS_STARTED, _peak_mb())
    work(watch)
    print(json.dumps({name: asdict(figures) for name, figures in watch.laps.items()}))


def laps_of(module: str, *arguments: str) -> Laps:
    """Runs a module that ends in `run_measured` as a process of its own."""
    command = [sys.executable, "-m", module, *arguments]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {name: Figures(**figures) for name, figures in json.loads(ended.stdout.splitlines()[-1]).items()}


def together(laps: Laps, *names: str) -> Figures:
    """Some laps one after the other."""
    return reduce(add, (laps[name] for name in names))


def machine() -> dict[str, Any]:
    """On what is measured, and when."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "measured_at": datetime.now(ZoneInfo("Asia/Tokyo")).isoformat(timespec="minutes"),
        "cpus": os.cpu_count(),
        "memory_gb": round(memory / 1000**3, 1),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def load_average() -> float:
    """How many processes wanted the processors in the last minute: others' work lengthens wall time above all."""
    return round(os.getloadavg()[0], 1)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mb() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * _KB // _MB


def _forget_peak() -> None:
    """The high-water mark starts anew from what is held now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
