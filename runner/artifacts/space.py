"""Whether the disk has room for another run, asked before anything is paid."""

from __future__ import annotations

import shutil
from pathlib import Path

from runner.errors import DiskError

from .atomic import disk_errors

MIN_FREE_BYTES = 64 * 1024 * 1024
"""A long 1080p clip, its `.part` and the records beside it."""


def require_space(directory: Path) -> None:
    """Raise `DiskError` if `directory` is missing or its disk is as good as full."""
    with disk_errors(directory):
        free = shutil.disk_usage(directory).free
    if free < MIN_FREE_BYTES:
        raise DiskError(
            f"only {free / 1e6:,.0f} MB are free for {directory}",
            hint=f"free at least {MIN_FREE_BYTES / 1e6:,.0f} MB; jobs that were submitted go on at the provider",
        )
