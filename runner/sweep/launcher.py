"""Hydra's launcher: hands every job of a batch to the engine at once, in this process."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from runner.artifacts.result import Result, RunStatus
from runner.compose.job import Job
from runner.compose.plan import Plan, Planner
from runner.compose.preflight import PreflightError, preflight
from runner.config import Problem
from runner.config.varying import varying
from runner.display import print_problems
from runner.engine.run import Event, Observer, Run
from runner.errors import RunnerError
from runner.ledger import NOTHING, entered, reconcile, recording
from runner.ledger.budget import spent
from runner.tracking import sweep_tracking

from .consent import Intent, agree, agree_to_prompts, payable
from .execution import execute
from .job_return import Compose, job_return
from .table import print_dry_run

T = TypeVar("T")


class RunnerLauncher(Launcher):
    """Runs the jobs that `RunnerSweeper` planned, or plans and checks the batches of any other sweeper itself."""

    def __init__(self) -> None:
        super().__init__()
        self.config: DictConfig | None = None
        self.task_function: TaskFunction | None = None
        self.hydra_context: HydraContext | None = None
        self._planner: Planner | None = None
        self._earlier: list[tuple[Path, Result]] = []

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take in what Hydra knows."""
        self.config = config
        self.hydra_context = hydra_context
        self.task_function = task_function

    @property
    def planner(self) -> Planner:
        """Plans this sweep's jobs."""
        if self._planner is None:
            self._planner = Planner(known(self.hydra_context).config_loader, known(self.config))
        return self._planner

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Plan, check and run a batch of another sweeper; its jobs run at the same time."""
        setup_globals()
        plan = self.planner.plan(job_overrides, initial_job_idx)
        print_problems(self._preflight(plan))
        if not self._earlier:
            agree_to_prompts((job.config, job.task_overrides) for job in plan.jobs)
        if any(job.config.dry_run for job in plan.jobs):
            dry_run(plan.jobs, "the sweeper chooses later runs by the results of these")
            raise SystemExit(0)
        before = spent((result for _, result in self._earlier), plan.jobs[0].config.budget)
        agree([job.config for job in plan.jobs], spent=before, numbers=[job.num for job in plan.jobs])
        return self.launch_planned(plan.jobs, more=True)

    def _preflight(self, plan: Plan) -> list[Problem]:
        try:
            return preflight(plan, repeats=True)
        except PreflightError as error:
            if not self._earlier:
                raise
            found = error.message.partition("\n")[2]
            earlier, place = len(self._earlier), self._earlier[0][0].parent
            message = f"a batch is refused, of which nothing was sent; {earlier} earlier runs are in {place}:\n{found}"
            raise RunnerError(message) from error

    def launch_planned(
        self, jobs: Sequence[Job], batch_size: int | None = None, *, more: bool = False
    ) -> list[JobReturn]:
        """Run jobs that passed the preflight, `batch_size` at a time; `SystemExit` after an interrupt.

        `more`: whether the sweeper may come with others after these.
        """
        config = known(self.config)
        sweep_dir = Path(str(config.hydra.sweep.dir))
        _configure_logging(config)
        with recording(sweep_dir) as ledger:
            labels = labels_of(jobs)
            new = [job.run(label) for job, label in zip(jobs, labels, strict=True)]
            # The runs of earlier batches were made by this process.
            before = NOTHING if self._earlier else reconcile(ledger)
            print_problems(before.problems)
            fingerprints = [job.fingerprint for job in jobs]
            runs = entered(ledger, new, fingerprints, known=before, more=bool(self._earlier))
            outcome = execute(
                runs,
                dict.fromkeys((job.directory for job in jobs), ledger),
                _directories(jobs),
                directory=sweep_dir,
                batch_size=batch_size,
                observers=[*self._observers(jobs), sweep_tracking(sweep_dir).observer(runs)],
                earlier=self._earlier,
                more=more,
            )
        self._earlier += [(job.directory, result) for job, result in zip(jobs, outcome.results, strict=False)]
        if outcome.interrupted is not None:
            raise SystemExit(128 + outcome.interrupted)
        ends = zip_longest(jobs, outcome.results, outcome.errors)
        return [job_return(job, result, error, self.planner.compose) for job, result, error in ends]

    def _observers(self, jobs: Sequence[Job]) -> list[Observer]:
        callbacks = known(self.hydra_context).callbacks
        if not callbacks.callbacks:
            return []
        return [JobCallbacks(callbacks, jobs, self.planner.compose, known(self.task_function))]


def _directories(jobs: Sequence[Job]) -> Callable[[Run], None]:
    """Return what makes a run's directory with its `.hydra/`."""
    by_number = {job.num: job for job in jobs}
    return lambda run: by_number[run.index].create_directory()


def known(value: T | None) -> T:
    """Return what Hydra's `setup` gave a plugin, whose attributes are None before."""
    if value is None:
        raise RuntimeError("Hydra calls setup() before anything else")
    return value


def dry_run(jobs: Sequence[Job], note: str = "") -> None:
    """Print what the jobs would send and cost."""
    configs, left = [job.config for job in jobs], payable(map(Intent.of, jobs))
    differing = varying([job.task_overrides for job in jobs], configs)
    print_dry_run([job.num for job in jobs], configs, differing, note=note, left=left)


def labels_of(jobs: Sequence[Job]) -> list[str]:
    """Return what tells each job from its siblings."""
    differing = varying([job.task_overrides for job in jobs], [job.config for job in jobs])
    return [differing.label(row) for row in range(len(jobs))]


def _configure_logging(config: DictConfig) -> None:
    """Once for all jobs; their log files are written by `RunLog`, which keeps none of them open."""
    own = copy.deepcopy(config)
    configure_log(own.hydra.hydra_logging, own.hydra.verbose)
    logging = own.hydra.job_logging
    if logging is None or not OmegaConf.select(logging, "handlers"):
        configure_log(logging, own.hydra.verbose)
        return
    with read_write(logging), open_dict(logging):
        files = [name for name, handler in logging.handlers.items() if "filename" in handler]
        for name in files:
            del logging.handlers[name]
        for logger in [logging.get("root"), *(logging.get("loggers") or {}).values()]:
            if logger is not None and logger.get("handlers"):
                logger.handlers = [name for name in logger.handlers if name not in files]
    configure_log(logging, own.hydra.verbose)


class JobCallbacks:
    """An observer that calls `on_job_start` when a run is submitted and `on_job_end` when it has ended.

    Each job has a shallow copy of every callback, so that what one stores on itself between the two calls is its
    job's; what they all refer to, such as a list or a client, stays shared, also with `on_multirun_end`.
    HydraConfig is set to the job around each call.
    """

    def __init__(
        self, callbacks: Any, jobs: Sequence[Job], compose: Compose, task_function: TaskFunction
    ) -> None:  # Any: Hydra's callbacks have no public name
        self._originals = callbacks
        self._jobs = {job.num: job for job in jobs}
        self._compose = compose
        self._task_function = task_function
        self._active: dict[int, Any] = {}  # Any: as above

    def __call__(self, event: Event) -> None:
        """Call what is due at this event."""
        num = event.run.index
        if event.result is None:
            if event.status is not RunStatus.PLANNED and num not in self._active:
                self._start(self._jobs[num])
        elif num in self._active:
            self._end(self._jobs[num], event)

    def _start(self, job: Job) -> None:
        own = self._active[job.num] = copy.copy(self._originals)
        own.callbacks = [copy.copy(callback) for callback in self._originals.callbacks]
        with _hydra_config(self._compose(job)) as config:
            own.on_job_start(config=config, task_function=self._task_function)

    def _end(self, job: Job, event: Event) -> None:
        own = self._active.pop(job.num)
        with _hydra_config(self._compose(job)) as config:
            own.on_job_end(config=config, job_return=job_return(job, event.result, None, self._compose))


@contextmanager
def _hydra_config(config: DictConfig) -> Iterator[DictConfig]:
    instance = HydraConfig.instance()
    before = instance.cfg
    instance.set_config(config)
    try:
        yield config
    finally:
        instance.cfg = before
