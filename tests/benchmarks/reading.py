"""A finished sweep of 10,000 runs: `load_sweep`, and `report`, which makes its page.

    python tests/benchmarks/reading.py [--runs 10000] [--repeats 5]

The floor reads the same records with the standard library's sqlite3 and json, and does nothing with them. What imports
takes is no part of `load_sweep`'s figure, and of `report`'s it is.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from measurement import Figures, measure
from planted import plant_sweep, shipped_config
from table import goal, heading, print_figures, ratio

_FLOOR = "sqlite3 and json.loads alone"
_LOAD = "load_sweep"
_REPORT = "report"
_TIMED = """
import json, sys, time
{imports}
wall, cpu = time.perf_counter(), time.process_time()
found = {call}
print(json.dumps(dict(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu, runs=len(found))))
"""
_CALLS = {
    _FLOOR: _TIMED.format(
        imports="import sqlite3; db = sqlite3.connect(sys.argv[1] + '/ledger.sqlite3')",
        call="[(json.loads(c), json.loads(r)) for c, r in db.execute('SELECT config, result FROM runs')]",
    ),
    _LOAD: _TIMED.format(imports="from runner import load_sweep", call="load_sweep(sys.argv[1])"),
}


def main() -> None:
    """Measure all in turn, then print the table and the goals."""
    options = _arguments()
    heading(f"reading a sweep of {options.runs:,} runs")
    found: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        place = Path(folder) / "outputs" / "sweep"
        plant_sweep(place, shipped_config("provider=openai"), options.runs)
        for _ in range(options.repeats):
            for name, code in _CALLS.items():
                found.setdefault(name, []).append(_call(code, place))
            found.setdefault(_REPORT, []).append(measure([sys.executable, "-m", "runner", "report", place]))
    print_figures(found)
    walls = {name: [each.wall for each in figures] for name, figures in found.items()}
    goal(_LOAD, statistics.median(walls[_LOAD]), 1, " s")
    goal(_REPORT, statistics.median(walls[_REPORT]), 6, " s")
    for name in (_LOAD, _REPORT):
        print(f"  {name} / {_FLOOR}: {ratio(walls[name], walls[_FLOOR]):.2f}")


def _call(code: str, place: Path) -> Figures:
    figures = measure([sys.executable, "-c", code, place])
    told = json.loads(figures.written)
    return replace(figures, wall=told["wall"], cpu=told["cpu"], written="")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    return parser.parse_args()


if __name__ == "__main__":
    main()
