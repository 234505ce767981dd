"""`python -m synthetic_ward --dsn …`: build the invented ward, load it, print one line of counts."""

import argparse
import sys
import time

from synthetic_ward.core_system import NotTheSyntheticWard, load_ward
from synthetic_ward.generate import build_ward


def main() -> int:
    """Exit status 0 when loaded, 1 when the database holds somebody else's `kaigo` or `export`."""
    parser = argparse.ArgumentParser(prog="synthetic_ward", description="架空区の基幹系を作り直します")
    parser.add_argument("--dsn", required=True, help="PostgreSQL の接続文字列(スキーマを作れる利用者)")
    parser.add_argument("--persons", type=int, default=70_000, help="被保険者数(既定 70000)")
    parser.add_argument("--seed", type=int, default=2026, help="同じ値なら同じ区ができます(既定 2026)")
    parser.add_argument("--fiscal-year", type=int, default=2026, help="年度(既定 2026)")
    asked = parser.parse_args()

    started = time.perf_counter()
    ward = build_ward(asked.persons, asked.seed, asked.fiscal_year)
    built = time.perf_counter()
    try:
        load_ward(ward, asked.dsn)
    except NotTheSyntheticWard as refusal:
        print(refusal, file=sys.stderr)
        return 1
    loaded = time.perf_counter()
    counts = " ".join(f"{name}={count}" for name, count in ward.counts().items())
    print(f"{counts} digest={ward.digest()[:12]} built={built - started:.1f}s loaded={loaded - built:.1f}s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
