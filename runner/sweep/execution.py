"""Executing runs in front of the user: display, logs, engine, results files, closing table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifacts.result import Result
from runner.config.run import Progress
from runner.display import observing, print_closing, print_error, reader_may_leave
from runner.engine.run import Event, Observer, Run
from runner.errors import DiskError
from runner.report.results import write_results

from .run_log import RunLog

if TYPE_CHECKING:
    from runner.engine import Outcome


def execute(
    runs: Sequence[Run],
    *,
    directory: Path,
    fail_fast: bool = False,
    progress: Progress = "auto",
    batch_size: int | None = None,
    observers: Sequence[Observer] = (),
    earlier: Sequence[tuple[Path, Result]] = (),
) -> Outcome:
    """Execute runs whose directories exist, one batch after the other, and tell the user what came of them.

    `directory` is the sweep's, or the run's own where there is one run and no sweep. Further `observers` see every
    event before the display does. `earlier` are a sweep's runs of former calls, which the results files keep.
    A batch that was interrupted or stopped is the last; the runs after it are not in the outcome.
    """
    with observing(runs, progress) as display:
        outcome = _in_batches(runs, batch_size, _all_of([RunLog(), *observers, display]), fail_fast=fail_fast)
    single = len(runs) == 1 and runs[0].directory == directory
    if not single:
        done = [(run.directory, result) for run, result in zip(runs, outcome.results, strict=False)]
        try:
            write_results(directory, [*earlier, *done])
        except DiskError as error:
            outcome.stopped_by = outcome.stopped_by or error
    # One run's files are where the run is, also if it was a sweep of one.
    _say_what_stopped(outcome)
    with reader_may_leave():
        print_closing(outcome.results, runs[0].directory if len(runs) == 1 else directory, [run.label for run in runs])
    return outcome


def _say_what_stopped(outcome: Outcome) -> None:
    """Show the error that ended submitting, if it is no run's own, which the closing table shows."""
    error = outcome.stopped_by
    if error is not None and all(result.error is None for result in outcome.results):
        print_error(error)


def _in_batches(runs: Sequence[Run], batch_size: int | None, observer: Observer, *, fail_fast: bool) -> Outcome:
    from runner.engine import Outcome, run_all  # the SDK behind it takes longer to import than most errors to find

    total = Outcome()
    for batch in _batches(runs, batch_size):
        outcome = run_all(batch, observer=observer, fail_fast=fail_fast)
        total.results += outcome.results
        total.errors += outcome.errors
        total.interrupted, total.stopped_by = outcome.interrupted, outcome.stopped_by
        if total.interrupted is not None or total.stopped_by is not None:
            break
    return total


def _batches(runs: Sequence[Run], size: int | None) -> Iterator[Sequence[Run]]:
    step = size or max(1, len(runs))
    for start in range(0, len(runs), step):
        yield runs[start : start + step]


def _all_of(observers: Sequence[Observer]) -> Observer:
    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe
