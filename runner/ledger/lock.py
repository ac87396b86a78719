"""One process to a directory: a lock that names its holder and that the system releases, however the holder ends."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from runner.artifacts.atomic import disk_errors
from runner.errors import ConfigError

NAME = ".lock"

_GLANCE = 0.1
"""Seconds for which the lock is tried: `at_work` may hold it for an instant, to see whether it is free."""


class LockedError(ConfigError):
    """Another process is at work in the directory."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of `directory`, which exists; raises `LockedError` in an instant if someone else does."""
    path = directory / NAME
    lock = FileLock(path, timeout=_GLANCE, poll_interval=_GLANCE / 5)
    with disk_errors(path):
        _acquire(lock, directory)
    try:
        _sign(path)
        yield
    finally:
        with suppress(OSError):
            path.write_text("", encoding="utf-8")
        lock.release()


def _acquire(lock: BaseFileLock, directory: Path) -> None:
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(
            f"{directory} is in use by {at_work(directory) or 'another process'}",
            hint="wait for it to end, or end it; what it has submitted is kept and can be resumed then",
        ) from None


def at_work(directory: Path) -> str | None:
    """Who is at work in `directory`, in words; changes nothing.

    A process id outlives its process, as another's: only where the lock cannot be tried is it what counts. A holder on
    another host is believed, as not every shared disk tells of locks.
    """
    signed = _signature(directory)
    if signed is None or (signed["host"] == socket.gethostname() and not _held(directory / NAME, signed["pid"])):
        return None
    return f"process {signed['pid']} on {signed['host']} since {signed['since']}"


def _signature(directory: Path) -> dict[str, Any] | None:  # Any: JSON
    with suppress(OSError, ValueError):
        signed = json.loads((directory / NAME).read_text(encoding="utf-8"))
        if isinstance(signed, dict) and {"pid", "host", "since"} <= signed.keys():
            return signed
    return None


def _held(path: Path, pid: object) -> bool:
    """Whether a process of this host holds the lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        return _alive(pid)
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # closing releases it
    except BlockingIOError:
        return True
    except OSError:  # no right to read it, or a disk without such locks
        return _alive(pid)
    return False


def _alive(pid: object) -> bool:
    if os.name == "nt" or not isinstance(pid, int):
        return True  # Windows knows no signal that only asks
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sign(path: Path) -> None:
    since = f"{dt.datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
    # In place: a file renamed over it would be another file than the one that is locked.
    with disk_errors(path):
        path.write_text(text + "\n", encoding="utf-8")
