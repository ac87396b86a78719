"""Run one run, from its composed config (or, for `repeat`, its saved one) to the exit code."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.compose.app import App, Config, HydraRun, asked_before, launched_index, launched_run
from runner.compose.documents import Documents
from runner.compose.examination import examined, loaded, overwritten
from runner.compose.points import left_out
from runner.compose.preflight import Finding, PreflightError, problems_of, writable
from runner.config.problem import Problem
from runner.config.run import RunConfig
from runner.display.output import print_problems
from runner.engine.run import Run
from runner.errors import ConfigError, RunnerError
from runner.ledger.recording import entered, reconcile, recording
from runner.ledger.reuse import fingerprint, new_run
from runner.shell import shown
from runner.sweeps.consent import agree, agree_to_new, agree_to_prompts, payable
from runner.sweeps.external_launcher import unbatched, unkept
from runner.tracking.tracker import Tracking

if TYPE_CHECKING:
    from runner.engine.run import Outcome


def run_composed(app: App, config: Config) -> int:
    """Check everything, then let Hydra make the directory and call the engine; returns the exit code."""
    alone = HydraRun(app.loader, config)
    found, directory, problems = examined(config)
    run = None if found is None else new_run(0, found, directory, alone.overrides)
    _refuse([*problems, overwritten(run) if run is not None else None])
    if run is None:
        raise RunnerError("a config without problems did not load")
    _refuse([left_out(config, run)])
    agree_to_prompts([run])
    if run.config.dry_run:
        return print_price(run)
    task = _Task(run, _agree(run))
    alone.execute(task, directory)
    if task.outcome is None:
        raise task.error or RunnerError(f"{directory} has no outcome")
    return task.outcome.exit_code


def run_saved(config: RunConfig, overrides: Sequence[str], directory: Path) -> int:
    """Return the same for a config that nothing composed: `.hydra/` gets the config as it is."""
    _refuse([*problems_of(config), writable(directory)])
    run = new_run(0, config, directory, overrides)
    if config.dry_run:
        return print_price(run)
    said = _agree(run)
    Documents(config.model_dump(mode="json"), overrides).write(directory / ".hydra")
    return _execute(run, said).exit_code


def run_under_external_launcher(config: Config) -> float | None:
    """Run one job of an external launcher, in the directory that Hydra made; raises if it does not succeed."""
    from runner.ledger.summary import failure_of

    found, problems = loaded(config)
    try:
        unfit = [] if found is None else [*unkept(found.budget), *unbatched([found]), *problems_of(found)]
        _refuse([*problems, *unfit])
    except PreflightError as error:
        # Jobs before this one may have been sent, so that this is a failed run and no refused sweep.
        raise RunnerError(f"run {launched_index()} is refused: {error.message.partition(chr(10))[2]}") from error
    if found is None:
        raise RunnerError("a config without problems did not load")
    run = launched_run(found)
    _require_request(run)
    _agree_alone(run, asked=asked_before())
    outcome = _execute(run)
    if outcome.interrupted is not None:
        raise SystemExit(128 + outcome.interrupted)
    result = outcome.results[0]
    if result.status is not RunStatus.VERIFIED:
        raise outcome.errors[0] or failure_of(result)
    return _objective(result, run)


def _agree(run: Run) -> tuple[str, ...]:
    """Ask what the run may cost; return what was said of reuse."""
    _require_request(run)
    return agree_to_new([run], run.directory)


def _agree_alone(run: Run, *, asked: bool) -> None:
    """Ask what one job of many may cost, unless our own sweeper has `asked` about all of them."""
    try:
        agree([replace(run, config=run.config.model_copy(update={"yes": run.config.yes or asked}))])
    except ConfigError as error:
        raise RunnerError(f"run {run.index} is refused: {error.message}", hint=error.hint) from error


def _require_request(run: Run) -> None:
    """Raise `ConfigError` if the run's request cannot be made, though no check has said so."""
    if not run.fingerprint:
        fingerprint(run.config)


def print_price(run: Run) -> int:
    """Print what would be sent and what it would cost; returns 0."""
    from runner.sweeps.consent import print_dry_run

    _require_request(run)
    print_dry_run([run], left=payable([run], run.directory))
    return 0


class _Task:
    """Run a single run as Hydra's task function; return the objective's number, as Hydra's callbacks expect."""

    def __init__(self, run: Run, said: Collection[str]) -> None:
        self._run = run
        self._said = said
        self.outcome: Outcome | None = None
        self.error: Exception | None = None

    def __call__(self, directory: Path) -> float | None:
        try:
            self.outcome = _execute(replace(self._run, directory=directory), self._said)
        except Exception as error:
            self.error = error
            raise
        failure = self.outcome.errors[0]
        if failure is not None:
            raise failure
        return _objective(self.outcome.results[0], replace(self._run, directory=directory))


def _objective(result: Result, run: Run) -> float | None:
    """Return the number that an optimiser gets."""
    from runner.results.run_key import main_scores, scores_of
    from runner.results.totals import objective_value

    return objective_value(result, run.config.objective, main_scores(scores_of(run.directory, ()), result))


def _execute(run: Run, said: Collection[str] = ()) -> Outcome:
    from runner.sweeps.execution import execute

    place = shown(run.directory)  # the runner never changes directory
    with Tracking(place) as tracking, recording(place) as ledger:
        before = reconcile(ledger)
        print_problems(before.problems)
        runs = entered(ledger, [replace(run, directory=place)], before.runs)
        return execute(runs, {place: ledger}, directory=place, observers=[tracking.observer(runs)], said=said)


def _refuse(problems: Sequence[Problem | None]) -> None:
    found = [problem for problem in problems if problem is not None]
    if any(problem.severity == "error" for problem in found):
        raise PreflightError([Finding(0, problem) for problem in found], total=1)
    print_problems(found)
