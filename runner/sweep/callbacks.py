"""Hydra's per-job callbacks for jobs that run at the same time."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.types import TaskFunction
from omegaconf import DictConfig

from runner.artifacts.result import RunStatus
from runner.engine.run import Event

from .job import Job
from .job_return import Compose, job_return


class JobCallbacks:
    """An observer that calls `on_job_start` when a run is submitted and `on_job_end` when it has ended.

    Each job has a shallow copy of every callback, so that what one stores on itself between the two calls is its
    job's; what they all refer to, such as a list or a client, stays shared, also with `on_multirun_end`.
    HydraConfig is set to the job around each call.
    """

    def __init__(
        self, callbacks: Callbacks, jobs: Sequence[Job], compose: Compose, task_function: TaskFunction
    ) -> None:
        self._originals = callbacks.callbacks
        self._jobs = {job.num: job for job in jobs}
        self._compose = compose
        self._task_function = task_function
        self._active: dict[int, Callbacks] = {}

    def __call__(self, event: Event) -> None:
        """Call what is due at this event."""
        num = event.run.index
        if event.result is None:
            if event.status is not RunStatus.PLANNED and num not in self._active:
                self._start(self._jobs[num])
        elif num in self._active:
            self._end(self._jobs[num], event)

    def _start(self, job: Job) -> None:
        own = self._active[job.num] = Callbacks()
        own.callbacks = [copy.copy(callback) for callback in self._originals]
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
