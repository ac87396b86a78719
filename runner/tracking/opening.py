"""Whether runs are tracked, and by what; nothing heavy is imported unless they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from runner.config.tracking import MlflowTracking, NoTracking, WandbTracking
from runner.engine.run import Event, Observer, Run

from .store import Store

if TYPE_CHECKING:
    from .tracker import Tracker


class Tracking:
    """The record of a directory's runs in a store, if their config asks for one.

    Must be closed, and only when the directory's lock is released: nothing that a user may want to do next waits for
    somebody's server. There is one tracker, over all batches: one that has failed is not tried again.
    """

    def __init__(self, directory: Path) -> None:
        """`directory` is the sweep's, or the run's own where there is one run and no sweep."""
        self._directory = directory
        self._tracker: Tracker | None = None

    def observer(self, runs: Sequence[Run]) -> Observer:
        """What records the ends of these runs, be they all or one batch of them; the first ones' config counts."""
        config = runs[0].config.tracking
        if isinstance(config, NoTracking):
            return _ignore
        if self._tracker is None:
            from .tracker import Tracker

            self._tracker = Tracker(partial(_open, config), self._directory, config)
        self._tracker.expect(runs)
        return self._tracker

    def close(self) -> None:
        """Wait until all is recorded, as long as it gets on, and say if it is not."""
        if self._tracker is not None:
            self._tracker.close()

    def __enter__(self) -> Self:
        """Be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


_sweeps: dict[Path, Tracking] = {}
"""Those of sweeps whose sweeper has not returned: it may come with another batch."""


def sweep_tracking(directory: Path) -> Tracking:
    """Return the tracking of the sweep in `directory`, the same for each of its batches; `whole_tracking` closes it."""
    return _sweeps.setdefault(directory, Tracking(directory))


@contextmanager
def whole_tracking() -> Iterator[None]:
    """Close the tracking of every sweep when its sweeper has returned, however that came."""
    try:
        yield
    finally:
        while _sweeps:
            _sweeps.popitem()[1].close()


def _open(config: MlflowTracking | WandbTracking, asks_server: Callable[[], None]) -> Store:
    """Return the store; imports its library, which takes seconds."""
    if isinstance(config, MlflowTracking):
        from .mlflow_store import MlflowStore

        return MlflowStore(config.tracking_uri, config.experiment, os.environ, asks_server=asks_server)
    from .wandb_store import WandbStore

    return WandbStore(config, asks_server=asks_server)


def _ignore(_event: Event) -> None:
    """Record nothing."""
