"""Years of work: `ls`, `reuse=true` and whose a job is, over 1,000 finished sweeps of 100 runs each.

    python tests/benchmarks/archive.py [--sweeps 1000] [--runs 100] [--repeats 5]

Cold is without the index that lies beside the sweeps, warm is with it; the system has the files in memory in both. The
floors: `import openai`, and the standard library's sqlite3, which asks each ledger once what its attempts have cost.
What a process does beside its search is in the memory, not in the seconds. Making the sweeps takes a minute and 800 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from measurement import CommandError, Figures, measure
from planted import plant_archive, plant_files, shipped_config, work_of
from table import goal, heading, print_figures, ratio

from runner.engine.run import Run
from runner.ledger.other_runs import jobs_elsewhere
from runner.sweeps.consent import reuse_of

_INDEX = ".index.sqlite3"
_START = "import openai"
_READING = "sqlite3 alone: one query to each ledger"
_LOOKING = 100
"""Runs of a new sweep that look for finished work; every tenth finds some."""
_QUERY = "SELECT sum(json_extract(a.value, '$.usd')) FROM runs, json_each(runs.result, '$.attempts') AS a"
_FLOORS = {
    _START: "import openai",
    _READING: "import glob, sqlite3, sys\n"
    "for path in glob.glob(sys.argv[1] + '/multirun/*/*/ledger.sqlite3'):\n"
    f"    sqlite3.connect(path).execute({_QUERY!r}).fetchone()",
}


def main() -> None:
    """Measure all in turn, cold and warm, and print what each takes beside its floor."""
    options = _arguments()
    if options.inside:
        _search(options.inside, options.sweeps * options.runs)
        return
    heading(f"an archive of {options.sweeps:,} sweeps with {options.sweeps * options.runs:,} runs")
    found: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        outputs = Path(folder) / "outputs"
        began = time.perf_counter()
        places = plant_archive(outputs, options.sweeps, options.runs)
        for index in range(0, _LOOKING, _LOOKING // 10):
            plant_files(places[0], index)
        print(f"  made in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        for _ in range(options.repeats):
            for name, code in _FLOORS.items():
                found.setdefault(name, []).append(measure([sys.executable, "-c", code, outputs]))
            for name in ("ls", "reuse", "jobs"):
                (outputs / _INDEX).unlink(missing_ok=True)
                for warmth in ("cold", "warm"):
                    found.setdefault(f"{name}, {warmth}", []).append(_measured(name, outputs, options))
    print_figures(found)
    _goals(found)


def _measured(name: str, outputs: Path, options: argparse.Namespace) -> Figures:
    """A command as it is typed; of a search, which no command does alone, its own seconds and its process' memory."""
    if name == "ls":
        figures = measure([sys.executable, "-m", "runner", "ls", outputs])
        if figures.written.count(f"{outputs}/multirun/") < options.sweeps:
            raise CommandError(f"ls left some out:\n{figures.written[-1000:]}")
        return figures
    size = (f"--sweeps={options.sweeps}", f"--runs={options.runs}")
    figures = measure([sys.executable, Path(__file__).resolve(), f"--inside={outputs.parent}:{name}", *size])
    told = json.loads(figures.written.splitlines()[-1])
    return replace(figures, wall=told["wall"], cpu=told["cpu"])


def _search(place: str, runs: int) -> None:
    """Search as a new sweep or a resumed one does; prints its seconds."""
    folder, _, name = place.rpartition(":")
    os.chdir(folder)
    config = shipped_config("provider=openai").model_copy(update={"reuse": True})
    wall, cpu = time.perf_counter(), time.process_time()
    if name == "reuse":
        own = Path("outputs/multirun/new")
        known = reuse_of(own)
        looked = [index if index % 10 == 0 else -1 - index for index in range(_LOOKING)]
        found = [known.find(Run(0, config, own / "0", fingerprint=work_of(number))) for number in looked]
        complete = len([each for each in found if each]) == len([number for number in looked if number >= 0])
    else:
        complete = len(jobs_elsewhere(Path("outputs/multirun/new"), 0).jobs) == runs
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))
    if not complete:
        raise SystemExit("not everything was found")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=100, help="of each sweep, at least 100")
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args()


def _goals(found: dict[str, list[Figures]]) -> None:
    walls = {name: [each.wall for each in figures] for name, figures in found.items()}
    for name in ("ls", "reuse", "jobs"):
        cold, warm = f"{name}, cold", f"{name}, warm"
        goal(cold, statistics.median(walls[cold]), 3, " s")
        goal(f"{cold}: peak memory", statistics.median(each.peak_mb for each in found[cold]), 200, " MB")
        goal(warm, statistics.median(walls[warm]), 0.5, " s")
        print(f"  {cold} / {_READING}: {ratio(walls[cold], walls[_READING]):.2f}")
    print(f"  ls, warm / {_START}: {ratio(walls['ls, warm'], walls[_START]):.2f}")


if __name__ == "__main__":
    main()
