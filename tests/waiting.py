"""Wait for what a test has begun, as long as it takes on a machine that is busy with other work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

PATIENCE = 600.0
"""Seconds after which nothing comes any more: no test takes as long, and none may fail because others work."""

T = TypeVar("T")


class Process(Protocol):
    """A process that was started, whether forked or not."""

    def poll(self) -> int | None:
        """Return how it ended, or None."""
        ...


def wait_until(condition: Callable[[], T], process: Process | None = None) -> T:
    """Return what the condition returns once it is true; fails at once if the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        if process is not None and process.poll() is not None and not (found := condition()):
            raise AssertionError(f"the process ended with {process.poll()} before what was waited for")
        if found:
            break
        time.sleep(0.02)
    return found
