"""Write files that are complete at their name or not there at all, also where a user names it; know files by a sum."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from runner.errors import ConfigError, DiskError

ROOM = "free space or make the directory writable"
_OF_A_RUN = f"jobs that were submitted go on at the provider; {ROOM}"


@contextmanager
def disk_errors(path: Path, hint: str = _OF_A_RUN) -> Iterator[None]:
    """Turn an `OSError` about `path` into a `DiskError` whose `hint` says what is safe and what to do."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror or error}", hint=hint) from error


def make_directory(path: Path) -> None:
    """Make a directory with those above it, unless it is there; raises `DiskError`."""
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace the file at `path` in one step; `durable` also survives a power cut, at the price of two fsyncs."""
    write_pieces(path, (data,), durable=durable)


def write_pieces(path: Path, pieces: Iterable[bytes], *, durable: bool = True, hint: str = _OF_A_RUN) -> None:
    """Replace the file as `write_bytes` does, with content that is made while it is written.

    `hint` is of what is raised where it cannot be.
    """
    # One fixed name: what a killed process leaves is overwritten by the next.
    temporary = path.with_name(f".{path.name}.tmp")
    with disk_errors(path, hint):
        try:
            with open(temporary, "wb", opener=_no_link) as file:
                file.writelines(pieces)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            # The user needs to see the first error, for which this may fail, too.
            discard(temporary)
            raise
        if durable:
            sync_directory(path.parent)


def _no_link(path: str, flags: int) -> int:
    """Open a file of this name alone: a directory from elsewhere may hold a link there, to a file of the user's."""
    with suppress(OSError):
        if os.path.islink(path):  # noqa: PTH114 - plain text
            os.unlink(path)  # noqa: PTH108 - as above
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def write_text(path: Path, text: str, *, durable: bool = True, hint: str = _OF_A_RUN) -> None:
    """Replace the UTF-8 file at `path` in one step; `hint` is as of `write_pieces`."""
    write_pieces(path, (text.encode(),), durable=durable, hint=hint)


def publish(part: Path, final: Path) -> None:
    """Give a complete and checked file its final name, durably."""
    with disk_errors(final):
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(final)
        sync_directory(final.parent)


def discard(part: Path) -> None:
    """Remove a file that is of no use any more, if it is there and can be removed."""
    with suppress(OSError):
        part.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names of files in it survive a power cut; raises `OSError`."""
    if os.name == "nt":
        # Windows has no handle for a directory to flush; its rename is journalled.
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def has_sum(path: Path, sha256: object) -> bool:
    """Return whether a file is there, can be read, and has this SHA-256 (hexadecimal)."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
