"""The figures of a run as a table in plain text, and the targets with yes or no."""

from typing import Any

from bench.measure import Figures, Laps, together
from bench.product import STAGES

_LINE = "{:<12}{:>10}{:>9}{:>8}{:>11}{:>9}{:>11}{:>9}"


def table_of(run: dict[str, Any]) -> str:
    """Stage by stage, the product beside the naive pipeline; `work` is without imports."""
    product, naive = _laps(run, "product"), _laps(run, "naive")
    imports = together(product, *(f"{stage}: imports" for stage in STAGES))
    lines = [(stage, product[stage], naive.get(stage)) for stage in STAGES]
    lines.append(("work", _work(product), _work(naive) if naive else None))
    lines.append(("imports", imports, together(naive, "imports", "configuration") if naive else None))
    head = (
        f"{run['notice']}: {run['persons']:,} insured persons, {run['rows']:,} rows, {run['envelopes']:,} envelopes, "
        f"{run['rules']} rules, print file {run['print_file_mb']} MB, load {run['load_average'][0]}-{run['load_average'][1]}"
    )
    titles = [
        _LINE.format("", "CPU s", "", "", "wall s", "", "peak MB", ""),
        _LINE.format("", *("product", "naive", "ratio"), *("product", "naive"), *("product", "naive")),
    ]
    return "\n".join([head, *titles, *(_line(*line) for line in lines)])


def targets_of(runs: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What was aimed at, over the smallest and the largest ward of one notice."""
    small, large = min(runs, key=_rows), max(runs, key=_rows)
    product, naive = _laps(large, "product"), _laps(large, "naive")
    peak, seconds = _work(product).peak_mb, _work(_laps(small, "product")).wall_s
    judged = [
        (f"{large['rows']:,} rows under 1 GB", peak < 1000, f"{peak} MB"),  # noqa: PLR2004
        (f"{small['rows']:,} rows under 10 s of wall", seconds < 10, f"{seconds:.1f} s"),  # noqa: PLR2004
    ]
    if naive:
        ratios = [("in all", 4, _ratio(_work(product), _work(naive)))]
        ratios += [
            (stage, least, _ratio(product[stage], naive[stage]))
            for stage, least in (("extract", 4), ("compose", 5))
        ]
        judged += [
            (f"{least}x less CPU, {what}", ratio >= least, f"{ratio:.1f}x") for what, least, ratio in ratios
        ]
    if small is not large:
        each = [_work(_laps(run, "product")).cpu_s / run["rows"] * 1e6 for run in (small, large)]
        judged.append(
            ("growth at most linear", each[1] <= each[0], f"{each[0]:.0f} → {each[1]:.0f} µs of CPU a row")
        )
    return [
        {"notice": large["notice"], "target": target, "reached": "yes" if reached else "no", "figure": figure}
        for target, reached, figure in judged
    ]


def _line(name: str, product: Figures, naive: Figures | None) -> str:
    others = ("", "", "", "")
    if naive:
        others = (
            f"{naive.cpu_s:.2f}",
            f"{_ratio(product, naive):.1f}x",
            f"{naive.wall_s:.1f}",
            f"{naive.peak_mb:,}",
        )
    cpu, ratio, wall, peak = others
    return _LINE.format(
        name, f"{product.cpu_s:.2f}", cpu, ratio, f"{product.wall_s:.1f}", wall, f"{product.peak_mb:,}", peak
    )


def _work(laps: Laps) -> Figures:
    return together(laps, *STAGES)


def _ratio(product: Figures, naive: Figures) -> float:
    return naive.cpu_s / product.cpu_s


def _rows(run: dict[str, Any]) -> int:
    rows: int = run["rows"]
    return rows


def _laps(run: dict[str, Any], whose: str) -> Laps:
    return {name: Figures(**figures) for name, figures in run[whose].items()}
