"""Wait for what a test has begun, as long as it takes on a machine that is busy with other work."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from tests.forking import Forked

PATIENCE = 600.0
"""Seconds after which nothing comes any more: no test takes as long, and none may fail because others work."""

T = TypeVar("T")


def wait_until(condition: Callable[[], T], process: subprocess.Popen[str] | Forked | None = None) -> T:
    """Return what the condition returns once it is true; fails at once if the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while True:
        code = None if process is None else process.poll()  # before the condition, which its end may make true
        if found := condition():
            return found
        assert code is None, f"the process ended with {code}, and what was waited for did not come"
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
