"""`make bench`, its data part: extract → validate → compose → encrypt of a whole ward, the product beside the obvious way.

Both work on the same ward, judge the same rules, and must come to the same verdicts and the same bytes of the print
file: where they differ there is nothing to compare, and the run fails. The product's stages are a process each, as
Airflow runs them. A time is never a test.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.case import Case
from bench.measure import Laps, laps_of, load_average, machine, together
from bench.product import STAGES
from bench.tables import table_of, targets_of
from bench.wards import ORDINARY, SPECIAL, temporary_postgres

RESULT = Path(__file__).parents[1] / "var" / "bench" / "data.json"
_SIZES = (70_000, 1_000_000)


class NotTheSame(Exception):
    """The two pipelines came to different verdicts or different bytes."""


def measured(notice: str, persons: int, *, with_naive: bool) -> dict[str, Any]:
    """Builds a ward and runs both pipelines over it; what they took, and how much they did."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, temporary_postgres() as dsn:
        subprocess.run([sys.executable, "-m", "bench.wards", notice, str(persons), folder, dsn], check=True)
        load = load_average()
        product: Laps = {}
        for stage in STAGES:
            laps = laps_of("bench.product", stage, folder)
            product |= {stage: laps.pop(stage), f"{stage}: imports": together(laps, *laps)}
        naive = laps_of("bench.naive", folder) if with_naive else {}
        case = Case.load(folder)
        if naive:
            refuse_difference(case)
        return {
            "notice": notice,
            "persons": persons,
            "rows": case.told("extraction.json")["rows"],
            "rules": len(case.configuration.expectations),
            "envelopes": case.told("composition.json")["quantities"]["envelopes"],
            "print_file_mb": round(case.told("composition.json")["print_file"]["size_bytes"] / 1e6),
            "load_average": [load, load_average()],
            "product": {name: asdict(figures) for name, figures in product.items()},
            "naive": {name: asdict(figures) for name, figures in naive.items()},
        }


def refuse_difference(case: Case) -> None:
    """Raises NotTheSame unless both found the same broken rules and made the same print file."""
    product = {rule["rule"]: rule["broken"] for rule in case.told("validation.json")["rules"]}
    naive = case.told("naive_verdicts.json")
    if different := sorted(rule for rule in product | naive if product.get(rule) != naive.get(rule)):
        raise NotTheSame(f"different verdicts: {', '.join(different)}")
    if case.told("composition.json")["print_file"]["sha256"] != case.told("naive_digest.json"):
        raise NotTheSame("different print files")


def main() -> None:
    """Measures, prints the tables, and writes them down."""
    parser = argparse.ArgumentParser(prog="python -m bench.data", description=__doc__)
    parser.add_argument("--persons", type=int, nargs="+", default=_SIZES, help="insured persons of each ward")
    parser.add_argument("--notice", nargs="+", default=[ORDINARY, SPECIAL], help="the catalogue's notices")
    parser.add_argument(
        "--naive-up-to",
        type=int,
        default=max(_SIZES),
        help="the naive pipeline runs for wards up to this size",
    )
    asked = parser.parse_args()
    found: dict[str, Any] = {"machine": machine(), "runs": [], "targets": []}
    print(_told(found["machine"]), flush=True)
    for notice in asked.notice:
        runs = []
        for persons in asked.persons:
            runs.append(measured(notice, persons, with_naive=persons <= asked.naive_up_to))
            print("\n" + table_of(runs[-1]), flush=True)
        found["runs"] += runs
        found["targets"] += targets_of(runs)
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        RESULT.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(
        "\n"
        + "\n".join(
            f"{one['reached']:<4}{one['notice']}: {one['target']}: {one['figure']}"
            for one in found["targets"]
        )
    )
    print(f"\n{RESULT}")


def _told(facts: dict[str, Any]) -> str:
    libraries = ", ".join(f"{name} {number}" for name, number in facts["libraries"].items())
    return (
        f"{facts['measured_at']}  {facts['cpus']} CPUs ({facts['processor']}), {facts['memory_gb']} GB, "
        f"{facts['system']}, Python {facts['python']}\n{libraries}"
    )


if __name__ == "__main__":
    main()
