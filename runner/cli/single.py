"""One run, from its composed config (or, for `repeat`, its saved one) to the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifacts.result import RunStatus
from runner.compose.app import App, Config
from runner.compose.documents import Documents
from runner.compose.examination import examined, loaded, overwritten
from runner.compose.hydra_run import HandedOver, HydraRun, handed_over
from runner.compose.preflight import Finding, PreflightError, problems_of, writable
from runner.config import Problem, RunConfig
from runner.display import print_problems
from runner.engine.run import Run
from runner.errors import ConfigError, RunnerError
from runner.ledger import entered, fingerprint, reconcile, recording
from runner.sweep.consent import Intent, agree, agree_to_new, agree_to_prompts, payable
from runner.sweep.foreign import unkept
from runner.tracking import Tracking

if TYPE_CHECKING:
    from runner.engine import Outcome


def run_composed(app: App, config: Config) -> int:
    """Check everything, then let Hydra make the directory and call the engine; returns the exit code."""
    alone = HydraRun(app.loader, config)
    run, directory, problems = examined(config)
    _refuse([*problems, overwritten(run, directory) if run is not None else None])
    if run is None:
        raise RunnerError("a config without problems did not load")
    agree_to_prompts([(run, alone.overrides)])
    if run.dry_run:
        return print_price(run, directory)
    agree_to_new([Intent(0, run, directory, fingerprint(run))])
    task = _Task(run, alone.overrides)
    alone.execute(task, directory)
    if task.outcome is None:
        raise task.error or RunnerError(f"{directory} has no outcome")
    return task.outcome.exit_code


def run_saved(run: RunConfig, overrides: Sequence[str], directory: Path) -> int:
    """Return the same for a config that nothing composed: `.hydra/` gets the config as it is."""
    _refuse([*problems_of(run), writable(directory)])
    if run.dry_run:
        return print_price(run, directory)
    agree_to_new([Intent(0, run, directory, fingerprint(run))])
    Documents(run.model_dump(mode="json"), overrides).write(directory / ".hydra")
    return _execute(run, overrides, directory).exit_code


def run_foreign(config: Config) -> float | None:
    """One job of a launcher that is not ours, in the directory that Hydra made; raises if it does not succeed."""
    from runner.sweep.job_return import failure_of
    from runner.sweep.objective import objective_value

    job = handed_over()
    run, problems = loaded(config)
    try:
        _refuse([*problems, *([*unkept(run.budget), *problems_of(run)] if run is not None else [])])
    except PreflightError as error:
        # Jobs before this one may have been sent, so that this is a failed run and no refused sweep.
        raise RunnerError(f"run {job.number} is refused: {error.message.partition(chr(10))[2]}") from error
    if run is None:
        raise RunnerError("a config without problems did not load")
    _agree_alone(run, job)
    outcome = _execute(run, job.overrides, job.directory, index=job.number)
    if outcome.interrupted is not None:
        raise SystemExit(128 + outcome.interrupted)
    result = outcome.results[0]
    if result.status is not RunStatus.VERIFIED:
        raise outcome.errors[0] or failure_of(result)
    return objective_value(result, run.objective)


def _agree_alone(run: RunConfig, job: HandedOver) -> None:
    """Ask what one job of many may cost, unless our own sweeper has asked about all of them."""
    try:
        agree([run.model_copy(update={"yes": run.yes or job.checked})], numbers=[job.number])
    except ConfigError as error:
        raise RunnerError(f"run {job.number} is refused: {error.message}", hint=error.hint) from error


def print_price(run: RunConfig, directory: Path) -> int:
    """Return the dry run: what would be sent and what it would cost."""
    from runner.config.varying import varying
    from runner.sweep.table import print_dry_run

    left = payable([Intent(0, run, directory, fingerprint(run))])
    print_dry_run([0], [run], varying([[]], [run]), left=left)
    return 0


class _Task:
    """The task function of a single run; it returns the objective's number, as Hydra's callbacks expect."""

    def __init__(self, run: RunConfig, overrides: Sequence[str]) -> None:
        self._run = run
        self._overrides = overrides
        self.outcome: Outcome | None = None
        self.error: Exception | None = None

    def __call__(self, directory: Path) -> float | None:
        from runner.sweep.objective import objective_value

        try:
            self.outcome = _execute(self._run, self._overrides, directory)
        except Exception as error:
            self.error = error
            raise
        failure = self.outcome.errors[0]
        if failure is not None:
            raise failure
        return objective_value(self.outcome.results[0], self._run.objective)


def _execute(run: RunConfig, overrides: Sequence[str], directory: Path, index: int = 0) -> Outcome:
    from runner.sweep.execution import execute

    place = _shown(directory)
    with Tracking(place) as tracking, recording(place) as ledger:
        before = reconcile(ledger)
        print_problems(before.problems)
        alone = Run(index, run, place, tuple(overrides))
        runs = entered(ledger, [alone], [fingerprint(run)], known=before)
        return execute(runs, {place: ledger}, directory=place, observers=[tracking.observer(runs)])


def _shown(directory: Path) -> Path:
    """Relative to where the user stands, if it lies below; the runner never changes directory."""
    here = Path.cwd()
    return directory.relative_to(here) if directory.is_relative_to(here) else directory


def _refuse(problems: Sequence[Problem | None]) -> None:
    found = [problem for problem in problems if problem is not None]
    if any(problem.severity == "error" for problem in found):
        raise PreflightError([Finding(0, problem) for problem in found], total=1)
    print_problems(found)
