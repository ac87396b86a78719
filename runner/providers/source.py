"""The finished video that a run starts from: named by its job's id, or by the directory of the run that made it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifacts.result import read_result
from runner.config import RunConfig
from runner.errors import ConfigError

from . import endpoint

if TYPE_CHECKING:
    from runner.artifacts.result import Result

_PATHS = (".", "~", os.sep)
"""How a path begins that cannot be an id."""
_ID = "video_"
"""How ids begin, which may be base64 and hold a slash."""


def source_id(config: RunConfig, video: str) -> str:
    """The id of the job that made `video`; raises `ConfigError` where the run cannot start from it."""
    if Path(video).is_absolute() and os.path.isdir(video):  # noqa: PTH112 - an id may be longer than a name may be
        return _job_of(config, Path(video), read_result(Path(video)))
    if video.startswith(_PATHS) or (os.sep in video and not video.startswith(_ID)):
        raise ConfigError(
            f"{video} is no directory", hint="a job's id, or the directory of the run that made the video"
        )
    return video


def _job_of(config: RunConfig, directory: Path, result: Result) -> str:
    from runner.artifacts.result import RunStatus  # most videos are made from nothing

    finished = (RunStatus.COMPLETED, RunStatus.DOWNLOADED, RunStatus.VERIFIED)
    if result.job_id is None or result.status not in finished:
        raise ConfigError(f"{directory} holds no finished video: its run is {result.status.value}")
    if result.remote_deleted:
        raise ConfigError(f"the video of {directory} was deleted at its provider, where it would have to be")
    here = endpoint.resolve(config.provider).identity
    if result.endpoint != here:
        raise ConfigError(f"the video of {directory} is at {result.endpoint}, and this run goes to {here}",
                          hint=f"provider={result.provider}, as for that run")  # fmt: skip
    return result.job_id
