"""Make several saved runs again as one sweep: checked and priced together before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.artifacts.atomic import make_directory
from runner.compose.plan import Plan
from runner.compose.preflight import preflight
from runner.config.run import RunConfig
from runner.display.output import print_problems
from runner.engine.run import Run
from runner.ledger.recording import entered, reconcile, recording
from runner.ledger.reuse import new_run
from runner.shell import shown
from runner.tracking.tracker import Tracking

from .consent import agree_to_new, payable, print_dry_run
from .execution import execute
from .resumption import restore_directory


def repeat_together(configs: Sequence[RunConfig], overrides: Sequence[str], directory: Path) -> int:
    """Run the configs as a sweep in `directory`, in their order; returns the exit code.

    `overrides` are those that the configs have already. Raises `PreflightError`, `ConfigError` and `BudgetError` before
    anything is written.
    """
    place = shown(directory)
    runs: list[Run] = []
    for config in configs:
        run = new_run(len(runs), config, place / str(len(runs)), overrides)
        # Winners that differed only in what is overridden now would be the same work.
        if not run.fingerprint or run.fingerprint not in {each.fingerprint for each in runs}:
            runs.append(run)
    print_problems(preflight(Plan(runs, [overrides] * len(runs), total=len(runs))))
    if runs[0].config.dry_run:
        print_dry_run(runs, left=payable(runs, place))
        return 0
    said = agree_to_new(runs, place)
    make_directory(place)
    with Tracking(place) as tracking, recording(place) as ledger:
        before = reconcile(ledger)
        print_problems(before.problems)
        runs = entered(ledger, runs, before.runs)
        ledgers = dict.fromkeys((run.directory for run in runs), ledger)
        return execute(runs, ledgers, _make, directory=place, observers=[tracking.observer(runs)], said=said).exit_code


def _make(run: Run) -> None:
    make_directory(run.directory)
    restore_directory(run)
