"""Write to the path that a user names: a file, what a link leads to, a pipe or standard output."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from runner.errors import ConfigError

from .atomic import discard, disk_errors

_HINT = "another path, or room and rights to write there; runs and their files are not affected"


def output_errors(path: Path) -> AbstractContextManager[None]:
    """Turn an `OSError` about `path`, to which nothing is written that was paid, into a `DiskError`."""
    return disk_errors(path, _HINT)


def refuse_directory(path: Path, hint: str) -> None:
    """Raise `ConfigError` where a directory lies at a path to which a file is to be written."""
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises on names too long
        raise ConfigError(f"{path} is a directory, and a file is written; nothing was written", hint=hint)


def write_output(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file in one step, through links to it; a pipe, or what else is no file, is written to as it is.

    Raises `DiskError`.
    """
    with output_errors(path):
        if not _is_file_or_nothing(path):
            with path.open("wb") as there:
                there.writelines(pieces)
            return
        target = Path(os.path.realpath(path))
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                file.writelines(pieces)
            temporary.replace(target)
        except BaseException:
            discard(temporary)
            raise


def _is_file_or_nothing(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True
