"""Launch every run of a batch at once, as Hydra's launcher; returned runs read their config when it is asked for."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.compose.plan import Composition, Plan, Planner
from runner.compose.preflight import Finding, PreflightError, preflight
from runner.config.problem import Problem
from runner.config.run import NoTracking
from runner.display.output import print_problems
from runner.engine.run import Event, Observer, Run
from runner.errors import RunnerError
from runner.ledger.budget import spent
from runner.ledger.ledger import Ledger
from runner.ledger.recording import Reconciled, entered, reconcile, recording, refuse_unknown
from runner.ledger.summary import failure_of
from runner.metrics.scores import NO_SCORES, ScoreTable
from runner.results.run_key import main_scores, scores_of
from runner.results.totals import objective_value

from .consent import agree_to_new, agree_to_prompts, payable, print_dry_run
from .execution import Batches, execute
from .resumption import restore_directory

if TYPE_CHECKING:
    from runner.engine.execution import Engine
    from runner.tracking.tracker import Tracking


_GRAVEST_FIRST = (5, 3, 1, 2, 4)
NOT_UPLOADED = 4
"""The exit code where all runs succeeded, and something is left for `resume` to upload."""

Compose = Callable[[], DictConfig]
"""Composes a run's whole config, the `hydra` node included."""


class LazyJobReturn(JobReturn):
    """Compose a `JobReturn`'s `cfg` and `hydra_cfg` again on access."""

    def __init__(
        self,
        run: Run,
        compose: Compose,
        status: JobStatus,
        value: float | RunnerError | None,
        *,
        uploaded: bool = True,
    ) -> None:
        self._index = run.index
        self._compose = compose
        self.overrides = list(run.overrides)
        self.working_dir = str(Path.cwd())
        self.task_name = JobRuntime.instance().get("name")
        self.status = status
        self.return_value = self._value = value
        self.uploaded = uploaded

    @property
    def cfg(self) -> DictConfig:  # type: ignore[override]  # a property where Hydra has a field: that is the point
        """Return the task's config, as Hydra passes it to a task function."""
        config = self._compose()
        with read_write(config), open_dict(config):
            del config["hydra"]
        return config

    @property
    def hydra_cfg(self) -> DictConfig:  # type: ignore[override]  # as above
        """Return Hydra's own config, under the key `hydra`."""
        config = self._compose()
        OmegaConf.set_readonly(config.hydra, True)
        return OmegaConf.masked_copy(config, "hydra")

    def __reduce__(self) -> tuple[Any, ...]:  # Any: pickle's protocol
        """Pickle as a plain JobReturn that holds everything, as Hydra's callbacks expect of it."""
        fields = (self.overrides, self.cfg, self.hydra_cfg, self.working_dir, self.task_name, self.status)
        return JobReturn, (*fields, self._value)

    def __repr__(self) -> str:
        return f"<JobReturn of run {self._index}: {self.status.name}>"

    __hash__ = None  # type: ignore[assignment]  # as JobReturn


def job_return(
    run: Run,
    result: Result | None,
    error: RunnerError | None,
    compose: Compose,
    scores: ScoreTable = NO_SCORES,
    *,
    uploaded: bool = True,
) -> LazyJobReturn:
    """Return what came of a run: the objective's number, or the error that its `return_value` raises.

    `uploaded`: whether nothing of its sweep is left to upload.
    """
    if result is not None and result.status is RunStatus.VERIFIED:
        value = objective_value(result, run.config.objective, main_scores(scores, result))
        return LazyJobReturn(run, compose, JobStatus.COMPLETED, value, uploaded=uploaded)
    return LazyJobReturn(run, compose, JobStatus.FAILED, error or failure_of(result))


def exit_code(returns: object) -> int:
    """Return 0 if every run succeeded, else the gravest error's code; `returns` is what any sweeper returned."""
    codes = {*_codes(returns)}
    return next((code for code in _GRAVEST_FIRST if code in codes), max(codes, default=0))


def error_of(returned: JobReturn) -> BaseException | None:
    """Return what a job failed with."""
    try:
        # Hydra would print a line before it raises the error, which we print ourselves.
        with redirect_stderr(io.StringIO()):
            _ = returned.return_value
    except Exception as error:  # noqa: BLE001 - whatever a job raised
        return error
    return None


def _codes(returns: object) -> Iterator[int]:
    if isinstance(returns, JobReturn):
        if returns.status is not JobStatus.COMPLETED:
            error = error_of(returns)
            yield error.exit_code if isinstance(error, RunnerError) else 1
        elif not getattr(returns, "uploaded", True):
            yield NOT_UPLOADED
    elif isinstance(returns, Iterable) and not isinstance(returns, str | bytes):
        for each in returns:
            yield from _codes(each)


_trackings: dict[Path, Tracking] = {}
"""Those of sweeps whose sweeper has not returned: it may come with another batch."""


class RunnerLauncher:
    """Execute the runs that `RunnerSweeper` planned, or plan and check the batches of any other sweeper itself."""

    def __init__(self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take in what Hydra knows."""
        self.planner = Planner(hydra_context.config_loader, config)
        self._config = config
        self._callbacks = hydra_context.callbacks
        self._task_function = task_function
        self._earlier: list[tuple[Path, Result]] = []
        self._before: Reconciled | None = None

    def problems(self, runs: Sequence[Run]) -> list[Problem]:  # noqa: ARG002 - others have some
        """Return why this launcher cannot execute runs, if so."""
        return []

    def _engine(self, ledger: Ledger) -> Engine | None:  # noqa: ARG002 - others write it
        """Return what executes the runs of a ledger; None: this process."""
        return None

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Plan, check and run a batch of another sweeper; its runs go on at the same time."""
        setup_globals()
        plan = self.planner.plan(job_overrides, initial_job_idx)
        plan.findings += [Finding(None, problem) for problem in self.problems(plan.runs)]
        print_problems(self._preflight(plan))
        if not self._earlier:
            agree_to_prompts(plan.runs)
        if any(run.config.dry_run for run in plan.runs):
            note = "the sweeper chooses later runs by the results of these"
            print_dry_run(plan.runs, note=note, left=payable(plan.runs, Path(str(self._config.hydra.sweep.dir))))
            raise SystemExit(0)
        before = spent((result for _, result in self._earlier), plan.runs[0].config.budget)
        # The ledger of a study that goes on has more than this process.
        said = agree_to_new(plan.runs, Path(str(self._config.hydra.sweep.dir)), spent=before)
        return self.launch_planned(plan, more=True, said=said)

    def _preflight(self, plan: Plan) -> list[Problem]:
        try:
            return preflight(plan, repeats=True)
        except PreflightError as error:
            if not self._earlier:
                raise
            found = error.message.partition("\n")[2]
            earlier, place = len(self._earlier), self._earlier[0][0].parent
            message = f"a batch is refused, and nothing of it was sent; {earlier} earlier runs are in {place}:\n{found}"
            raise RunnerError(message) from error

    def launch_planned(
        self, plan: Plan, batch_size: int | None = None, *, more: bool = False, said: Collection[str] = ()
    ) -> list[JobReturn]:
        """Execute runs that passed the preflight, `batch_size` at a time; `SystemExit` after an interrupt.

        `more`: whether the sweeper may come with others after these. `said`: what was said of reuse already.
        """
        sweep_dir = Path(str(self._config.hydra.sweep.dir))
        _configure_logging(self._config)
        callbacks = self._callbacks
        observers = [JobCallbacks(callbacks, plan, self._task_function)] if callbacks.callbacks else []
        with recording(sweep_dir) as ledger:
            before = self._left_before(ledger)
            if more:
                # A sweeper that asks for the same as before finds it here; what it has not come to yet may wait.
                asked = {run.index for run in plan.runs}
                before = replace(before, runs=[run for run in before.runs if run.index in asked])
            print_problems(before.problems)
            if plan.growth is not None:
                refuse_unknown(ledger.directory, before.runs)
            # What is asked for stands first: its settings are the sweep's.
            others, count = _others(plan, before), len(plan.runs)
            runs = [*entered(ledger, plan.runs, before.runs, grows=plan.growth is not None), *others]
            outcome = execute(
                runs,
                dict.fromkeys((run.directory for run in runs), ledger),
                partial(_make_directory, plan),
                directory=sweep_dir,
                batches=Batches(batch_size, self._engine(ledger), more=more),
                observers=[*observers, *_trackers(sweep_dir, runs)],
                held=[run.index for run in others],
                earlier=self._earlier,
                said=said,
            )
        self._earlier += [(run.directory, result) for run, result in zip(runs, outcome.results, strict=False)]
        if outcome.interrupted is not None:
            raise SystemExit(128 + outcome.interrupted)
        ends = zip_longest(plan.runs, outcome.results[:count], outcome.errors[:count])
        scores = scores_of(sweep_dir, ())
        return [
            job_return(
                run, result, error, plan.compositions[run.index].config, scores, uploaded=not outcome.not_uploaded
            )
            for run, result, error in ends
        ]

    def _left_before(self, ledger: Ledger) -> Reconciled:
        """Return what an earlier process has left; its problems are told once."""
        if self._before is None:
            self._before = reconcile(ledger)
            return self._before
        return replace(self._before, problems=())


def _others(plan: Plan, before: Reconciled) -> list[Run]:
    """Return the ledger's runs that are not asked for: they stay as they are, under the budget of those that are."""
    if plan.growth is None:
        return []
    asked, changes = {run.index for run in plan.runs}, {"budget": plan.runs[0].config.budget, "reuse": False}
    return [
        replace(run, directory=run.directory.absolute(), config=run.config.model_copy(update=changes))
        for run in before.runs
        if run.index not in asked
    ]


def _make_directory(plan: Plan, run: Run) -> None:
    """Make a run's directory; what lies there of a run that was begun before stays."""
    composition = plan.compositions.get(run.index)
    if composition is None:
        restore_directory(run)
    elif run.status is RunStatus.PLANNED or not (run.directory / (composition.output_subdir or "")).is_dir():
        composition.create_directory(run.directory)


def _configure_logging(config: DictConfig) -> None:
    """Configure logging once for all jobs; their log files are written by `RunLog`, which keeps none of them open."""
    hydra = config.hydra
    configure_log(hydra.hydra_logging, hydra.verbose)
    logging = copy.deepcopy(hydra.job_logging)  # which looks up what it names where the original does
    if logging is None or not OmegaConf.select(logging, "handlers"):
        configure_log(logging, hydra.verbose)
        return
    with read_write(logging), open_dict(logging):
        files = [name for name, handler in logging.handlers.items() if "filename" in handler]
        for name in files:
            del logging.handlers[name]
        for logger in [logging.get("root"), *(logging.get("loggers") or {}).values()]:
            if logger is not None and logger.get("handlers"):
                logger.handlers = [name for name in logger.handlers if name not in files]
    configure_log(logging, hydra.verbose)


class JobCallbacks:
    """Call `on_job_start` when a run is submitted and `on_job_end` when it has ended.

    Each run has a shallow copy of every callback, so that what one stores on itself between the two calls is its
    run's; what they all refer to, such as a list or a client, stays shared, also with `on_multirun_end`.
    HydraConfig is set to the run around each call.
    """

    def __init__(
        self, callbacks: Any, plan: Plan, task_function: TaskFunction
    ) -> None:  # Any: Hydra's callbacks have no public name
        self._originals = callbacks
        # As they were planned: what is executed may go on with another's overrides.
        self._runs = {run.index: run for run in plan.runs}
        self._compositions: Mapping[int, Composition] = plan.compositions
        self._task_function = task_function
        self._active: dict[int, Any] = {}  # Any: as above

    def __call__(self, event: Event) -> None:
        """Call what is due at this event."""
        index = event.run.index
        if event.result is None:
            if event.status is not RunStatus.PLANNED and index not in self._active:
                self._start(index)
        elif index in self._active:
            self._end(index, event.result)

    def _start(self, index: int) -> None:
        own = self._active[index] = copy.copy(self._originals)
        own.callbacks = [copy.copy(callback) for callback in self._originals.callbacks]
        with _hydra_config(self._compositions[index].config()) as config:
            own.on_job_start(config=config, task_function=self._task_function)

    def _end(self, index: int, result: Result) -> None:
        own, compose = self._active.pop(index), self._compositions[index].config
        with _hydra_config(compose()) as config:
            own.on_job_end(config=config, job_return=job_return(self._runs[index], result, None, compose))


def _trackers(directory: Path, runs: Sequence[Run]) -> list[Observer]:
    """Return what records these runs of the sweep in `directory`, the same for each of its batches."""
    if isinstance(runs[0].config.tracking, NoTracking):
        return []
    from runner.tracking.tracker import Tracking  # most sweeps are recorded nowhere else

    return [_trackings.setdefault(directory, Tracking(directory)).observer(runs)]


@contextmanager
def whole_tracking() -> Iterator[None]:
    """Close the tracking of every sweep when its sweeper has returned, however that came."""
    try:
        yield
    finally:
        while _trackings:
            _trackings.popitem()[1].close()


@contextmanager
def _hydra_config(config: DictConfig) -> Iterator[DictConfig]:
    instance = HydraConfig.instance()
    before = instance.cfg
    instance.set_config(config)
    try:
        yield config
    finally:
        instance.cfg = before
