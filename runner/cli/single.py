"""One run, from its composed config (or, for `repeat`, its saved one) to the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from runner.artifacts.atomic import disk_errors
from runner.artifacts.result import RunStatus
from runner.config import Problem, RunConfig
from runner.display import print_problems
from runner.engine.run import Event, Run
from runner.errors import ConfigError, RunnerError
from runner.ledger import entered, fingerprint, reconcile, recording
from runner.sweep.consent import agree, agree_to_new, agree_to_prompts
from runner.sweep.finding import Finding
from runner.sweep.foreign import unkept
from runner.sweep.payable import Intent, payable
from runner.sweep.preflight import PreflightError, problems_of, writable
from runner.tracking import Tracking

from .examination import examined, loaded, overwritten
from .garbage import collect_from_now_on

if TYPE_CHECKING:
    from hydra.conf import HydraConf

    from runner.engine import Outcome

    from .hydra_app import HydraApp


def run_composed(app: HydraApp, config: DictConfig) -> int:
    """Check everything, then let Hydra make the directory and call the engine; returns the exit code."""
    from hydra._internal.callbacks import Callbacks
    from hydra.core.utils import run_job
    from hydra.types import HydraContext

    callbacks = Callbacks(config)  # before anything is resolved: they may register resolvers
    run, directory, problems = examined(config)
    _refuse([*problems, overwritten(run, directory) if run is not None else None])
    if run is None:
        raise RunnerError("a config without problems did not load")
    agree_to_prompts([(run, config.hydra.overrides.task)])
    if run.dry_run:
        return print_price(run, directory)
    agree_to_new([Intent(0, run, directory, fingerprint(run))])
    callbacks.on_run_start(config=config, config_name=config.hydra.job.config_name)
    task = _Task(run, OmegaConf.to_container(config.hydra.overrides.task))
    context = HydraContext(config_loader=app.config_loader, callbacks=callbacks)
    with disk_errors(directory):
        done = run_job(task, config, "hydra.run.dir", None, context)
    callbacks.on_run_end(config=config, config_name=config.hydra.job.config_name, job_return=done)
    if task.outcome is None:
        error = done._return_value  # noqa: SLF001 - the property would print a line of Hydra's before it raises it
        raise error if isinstance(error, Exception) else RunnerError(f"{directory} has no outcome")
    return task.outcome.exit_code


def run_saved(run: RunConfig, overrides: Sequence[str], directory: Path) -> int:
    """The same for a config that nothing composed: `.hydra/` gets the config as it is."""
    _refuse([*problems_of(run), writable(directory)])
    if run.dry_run:
        return print_price(run, directory)
    agree_to_new([Intent(0, run, directory, fingerprint(run))])
    hydra = directory / ".hydra"
    with disk_errors(hydra):
        hydra.mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(run.model_dump(mode="json")), hydra / "config.yaml")
    OmegaConf.save(OmegaConf.create(list(overrides)), hydra / "overrides.yaml")
    return _execute(run, overrides, directory).exit_code


def run_foreign(config: DictConfig) -> float | None:
    """One job of a launcher that is not ours, in the directory that Hydra made; raises if it does not succeed."""
    from hydra.core.hydra_config import HydraConfig

    from runner.sweep.job_return import failure_of
    from runner.sweep.objective import objective_value

    hydra = HydraConfig.get()
    run, problems = loaded(config)
    try:
        _refuse([*problems, *([*unkept(run.budget), *problems_of(run)] if run is not None else [])])
    except PreflightError as error:
        # Jobs before this one may have been sent, so that this is a failed run and no refused sweep.
        raise RunnerError(f"run {hydra.job.num} is refused: {error.message.partition(chr(10))[2]}") from error
    if run is None:
        raise RunnerError("a config without problems did not load")
    _agree_alone(run, hydra)
    outcome = _execute(run, list(hydra.overrides.task), Path(hydra.runtime.output_dir), index=hydra.job.num)
    if outcome.interrupted is not None:
        raise SystemExit(128 + outcome.interrupted)
    result = outcome.results[0]
    if result.status is not RunStatus.VERIFIED:
        raise outcome.errors[0] or failure_of(result)
    return objective_value(result, run.objective)


def _agree_alone(run: RunConfig, hydra: HydraConf) -> None:
    """What one job of many may cost; our own sweeper has asked about all of them."""
    asked = "RunnerSweeper" in str(hydra.sweeper["_target_"])
    try:
        agree([run.model_copy(update={"yes": run.yes or asked})], numbers=[hydra.job.num])
    except ConfigError as error:
        raise RunnerError(f"run {hydra.job.num} is refused: {error.message}", hint=error.hint) from error


def print_price(run: RunConfig, directory: Path) -> int:
    """The dry run: what would be sent and what it would cost."""
    from runner.config.varying import varying
    from runner.sweep.table import print_dry_run

    left = payable([Intent(0, run, directory, fingerprint(run))])
    print_dry_run([0], [run], varying([[]], [run]), left=left)
    return 0


class _Task:
    """The task function of a single run; `return_value` is the objective's number, as Hydra's callbacks expect."""

    def __init__(self, run: RunConfig, overrides: object) -> None:
        self._run = run
        self._overrides = [str(line) for line in overrides] if isinstance(overrides, list) else []
        self.outcome: Outcome | None = None

    def __call__(self, _config: DictConfig) -> float | None:
        from hydra.core.hydra_config import HydraConfig

        from runner.sweep.objective import objective_value

        self.outcome = _execute(self._run, self._overrides, Path(HydraConfig.get().runtime.output_dir))
        error = self.outcome.errors[0]
        if error is not None:
            raise error
        return objective_value(self.outcome.results[0], self._run.objective)


def _execute(run: RunConfig, overrides: Sequence[str], directory: Path, index: int = 0) -> Outcome:
    from runner.sweep.execution import execute

    place = _shown(directory)
    with Tracking(place) as tracking, recording(place) as ledger:
        before = reconcile(ledger)
        print_problems(before.problems)
        alone = Run(index, run, place, tuple(overrides))
        runs = entered(ledger, [alone], [fingerprint(run)], known=before)
        return execute(runs, {place: ledger}, directory=place, observers=[_started, tracking.observer(runs)])


def _started(event: Event) -> None:
    """From its first request on a run may last for hours; the SDK is imported then."""
    if event.status is not RunStatus.PLANNED:
        collect_from_now_on()


def _shown(directory: Path) -> Path:
    """Relative to where the user stands, if it lies below; the runner never changes directory."""
    here = Path.cwd()
    return directory.relative_to(here) if directory.is_relative_to(here) else directory


def _refuse(problems: Sequence[Problem | None]) -> None:
    found = [problem for problem in problems if problem is not None]
    if any(problem.severity == "error" for problem in found):
        raise PreflightError([Finding(0, problem) for problem in found], total=1)
    print_problems(found)
