"""What the ledger costs: durable `LedgerStore.save`s of one record and of eight at once, with 10,000 runs in it.

    python tests/benchmarks/ledger.py [--runs 10000] [--saves 2000]

Both include `result.json`; the disk is that of the temporary folder.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from planted import shipped_config
from table import goal, heading, spread

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.engine.recorder import planned
from runner.engine.run import Run
from runner.engine.store import Record
from runner.ledger.ledger import Ledger
from runner.ledger.recording import LedgerStore, entered, recording

_TOGETHER = 8
"""As many as the requests that the engine has in flight."""


def main() -> None:
    """Fill a ledger, save into it, print what a save costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--saves", type=int, default=2000)
    options = parser.parse_args()
    heading(f"ledger of {options.runs} runs, {options.saves} changes of status")
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as folder, recording(Path(folder)) as ledger:
        runs = _runs(Path(folder), options.runs)
        start = time.perf_counter()
        entered(ledger, runs, ())
        print(f"entering {options.runs} runs: {1000 * (time.perf_counter() - start) / options.runs:.2f} ms each")
        _measure(ledger, runs, options.saves)


def _measure(ledger: Ledger, runs: list[Run], saves: int) -> None:
    store = LedgerStore(dict.fromkeys((run.directory for run in runs), ledger), lambda _run: None)
    some = runs[:: max(1, len(runs) // saves)][:saves]
    records = [Record(run, _submitted(run)) for run in some]

    def save(start: int, count: int) -> float:
        began = time.perf_counter()
        if any(store.save(records[start : start + count])):
            raise SystemExit("the disk is full")
        return 1000 * (time.perf_counter() - began)

    cpu = time.process_time()
    alone = [save(number, 1) for number in range(len(some))]
    cpu = 1000 * (time.process_time() - cpu) / len(some)
    print(f"one after the other: {spread(alone, 2)} ms each, CPU {cpu:.2f} ms")
    waits = [save(number, _TOGETHER) for number in range(0, len(some), _TOGETHER)]
    together = sum(waits) / len(some)
    print(f"{_TOGETHER} at once: {together:.2f} ms each, of which one waits {spread(waits, 2)} ms")
    goal("a transition", statistics.median(alone), 1, " ms")
    goal("a transition among several", together, 1, " ms")


def _submitted(run: Run) -> Result:
    result = planned(run, time.time())
    return result.model_copy(update={"status": RunStatus.SUBMITTED, "job_id": f"video_{run.index:048x}"})


def _runs(place: Path, count: int) -> list[Run]:
    config = shipped_config()
    runs = [
        Run(index, config, place / str(index), (f"replica={index}",), fingerprint=f"{index:064x}")
        for index in range(count)
    ]
    for run in runs:
        run.directory.mkdir()
    return runs


if __name__ == "__main__":
    main()
