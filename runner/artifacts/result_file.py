"""Read and write `result.json` in a run's directory."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ConfigError

from .atomic import write_bytes

if TYPE_CHECKING:
    from .result import Result

NAME = "result.json"

_MAX_BYTES = 64 * 1024**2
"""A file that is larger is none of ours."""


def result_bytes(result: Result) -> bytes:
    """Return the file's content: indented JSON, as people read it."""
    return result.model_dump_json(indent=2).encode() + b"\n"


def write_result(directory: Path, result: Result, *, durable: bool = True) -> None:
    """Replace the directory's `result.json` in one step; raises `DiskError`."""
    write_bytes(directory / NAME, result_bytes(result), durable=durable)


def restore_result(directory: Path, result: Result) -> None:
    """Write the directory's `result.json` again if it is not there or tells otherwise; raises `DiskError`."""
    path, content = directory / NAME, result_bytes(result)
    try:
        same = read_bytes(directory) == content
    except ConfigError:
        same = False
    if not same:
        write_bytes(path, content, durable=False)


def read_result(directory: Path) -> Result:
    """Return the run that `directory` holds; raises `ConfigError` if there is none or it cannot be read."""
    content = read_bytes(directory)
    if content is None:
        raise ConfigError(f"{directory} is no run's directory: it has no {NAME}")
    return result_of(content, directory / NAME)


def read_bytes(directory: Path) -> bytes | None:
    """Return what the directory's `result.json` holds, None if there is none; raises `ConfigError`.

    A directory may come from anyone: neither a link nor a device in place of the file is read.
    """
    path = directory / NAME
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"cannot read {path}: it is no plain file")
        if found.st_size > _MAX_BYTES:
            raise ConfigError(f"cannot read {path}: it has {found.st_size:,} bytes, and no result has so many")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


def result_of(content: bytes, path: Path) -> Result:
    """Return the run that the content of the file at `path` tells of; raises `ConfigError` if it is none."""
    from pydantic import ValidationError

    from .result import Result

    try:
        return Result.model_validate_json(content)
    except (ValidationError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a result of this version of runner") from error
