"""Return runs to Hydra's sweepers and callbacks without their config in memory until it is asked for."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobRuntime, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.engine.run import Run
from runner.errors import RunnerError
from runner.ledger.summary import failure_of
from runner.metrics.scores import NO_SCORES, ScoreTable
from runner.results.run_scores import main_scores
from runner.results.totals import objective_value

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
        return copy.deepcopy(OmegaConf.masked_copy(config, "hydra"))

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
