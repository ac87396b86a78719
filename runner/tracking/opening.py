"""Whether runs are tracked, and by what; nothing heavy is imported unless they are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from runner.artifacts.result import Result
from runner.config.tracking import MlflowTracking, NoTracking, WandbTracking
from runner.engine.run import Event, Observer, Run

from .store import Store


@contextmanager
def tracked(runs: Sequence[Run], directory: Path, earlier: Sequence[tuple[Path, Result]] = ()) -> Iterator[Observer]:
    """Yield the observer that records the ends of `runs` as their config says; wait for it at the end.

    Args:
        runs: all of the sweep, or of one batch of it.
        directory: the sweep's, or the run's own where there is one run and no sweep.
        earlier: the sweep's runs of former batches.
    """
    config = runs[0].config.tracking
    if isinstance(config, NoTracking):
        yield _ignore
        return
    from .tracker import Tracker

    tracker = Tracker(partial(_open, config), runs, directory, earlier, config)
    try:
        yield tracker
    finally:
        tracker.close()


def _open(config: MlflowTracking | WandbTracking) -> Store:
    """The store; imports its library, which takes seconds."""
    if isinstance(config, MlflowTracking):
        from .mlflow_store import MlflowStore

        return MlflowStore(config.tracking_uri, config.experiment, os.environ)
    from .wandb_store import WandbStore

    return WandbStore(config)


def _ignore(_event: Event) -> None:
    """Record nothing."""
