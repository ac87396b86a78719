"""Look for files of finished runs that are no longer where they were written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus


def missing_files(runs: Iterable[tuple[Path, Result]]) -> list[Path]:
    """Return the files that are named by finished runs, given with their directories, and are not there.

    Runs with a storage are left out: their files may be there alone.
    """
    return [
        directory / artifact.path
        for directory, result in runs
        if result.status is RunStatus.VERIFIED and result.config.storage.url is None
        for artifact in result.artifacts
        if not os.path.isfile(os.path.join(directory, artifact.path))  # noqa: PTH113, PTH118 - no name makes it raise
    ]
