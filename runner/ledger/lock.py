"""Hold a directory for one process by a lock that ends with it, and know who is at work there."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.artifacts.atomic import disk_errors
from runner.config.problem import Problem
from runner.errors import ConfigError

if TYPE_CHECKING:
    from filelock import FileLock

NAME = ".lock"

_GLANCE = 0.1
"""Seconds for which the lock is tried: `at_work` may hold it for an instant, to see whether it is free."""

_BEAT = 15.0
"""Seconds between two signs of life of who holds a lock."""

_SILENCE = 90.0
"""Seconds without a sign of life after which a holder on another machine is taken for dead."""

_NO_LOCKS = {
    number
    for name in ("ENOLCK", "ENOSYS", "EOPNOTSUPP", "ENOTSUP", "EINVAL")
    if (number := getattr(errno, name, None)) is not None
}
"""What a file system says that has no locks."""


class LockedError(ConfigError):
    """Raised when another process is at work in the directory."""

    def __init__(self, directory: Path, owner: str, why: str = "") -> None:
        hint = f"{why}wait for it to end, or end it; what it has submitted is kept and can be resumed then"
        super().__init__(f"{directory} is in use by {owner}", hint=hint)


@contextmanager
def locked(directory: Path, hint: str | None = None) -> Iterator[None]:
    """Hold the lock of `directory`, which exists; raises `LockedError` in an instant if someone else does.

    A lock file that is removed meanwhile is made again. `hint` is of the `DiskError` where none can be written: by
    default, that of whoever has jobs.
    """
    lock = _Lock(directory)
    with disk_errors(lock.path) if hint is None else disk_errors(lock.path, hint):
        lock.acquire()
    ended = threading.Event()
    keeper = threading.Thread(target=lock.keep, args=(ended,), name="runner-lock", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        lock.release()


def at_work(directory: Path) -> str | None:
    """Return who is at work in `directory`, in words; changes nothing.

    A process id outlives its process, as another's: only where the lock cannot be tried is it what counts. A holder on
    another machine is believed as long as it gives signs of life, as not every shared disk tells of locks.
    """
    signed = _signature(directory)
    if signed is None:
        return None
    path = directory / NAME
    there = _held(path, signed) if is_local(signed) else _beats(path, signed)
    return named(signed) if there else None


class _Lock:
    """Lock one directory."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        self._directory = directory
        self._file: int | None = None
        self._windows: FileLock | None = None
        self._signed = False

    def acquire(self) -> None:
        """Take the lock and sign it; raises `LockedError` or `OSError`."""
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
            kind = "link" if self.path.is_symlink() else "directory" if self.path.is_dir() else "device or pipe"
            raise ConfigError(f"{self.path} is a {kind}, and no lock of ours", hint="remove it")
        signed = _signature(self._directory)
        if signed is not None and not is_local(signed) and signed.get("machine") and _beats(self.path, signed):
            self._refuse(f"it was active less than {_SILENCE:.0f} s ago; ")
        if not self._taken():
            self._refuse()
        # In place: a file renamed over it would be another file than the one that is locked.
        self.path.write_text(json.dumps(this_process()) + "\n", encoding="utf-8")
        self._signed = True

    def keep(self, ended: threading.Event) -> None:
        """Give signs of life until `ended`, and make the lock file again if it is gone."""
        while not ended.wait(_BEAT):
            with suppress(OSError, ConfigError):
                if self._lost():
                    self._let_go()
                    self.acquire()
                else:
                    os.utime(self.path)

    def release(self) -> None:
        """Take the signature away and let go."""
        with suppress(OSError):
            if self._signed and not self._lost():
                self.path.write_text("", encoding="utf-8")
        self._let_go()

    def _taken(self) -> bool:
        deadline = time.monotonic() + _GLANCE
        while True:
            if self._tried():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_GLANCE / 5)

    def _tried(self) -> bool:
        if sys.platform == "win32":
            from filelock import FileLock, Timeout  # every other system has locks of its own

            self._windows = FileLock(self.path, timeout=0, thread_local=False)
            with suppress(Timeout):
                self._windows.acquire()
                return True
            return False
        import fcntl

        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in _NO_LOCKS:
                return self._taken_without_locks(error)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        # Someone may have removed the file just now: its lock would keep nobody out.
        self._file = file
        if self._lost():
            self._let_go()
            return False
        return True

    def _taken_without_locks(self, error: OSError) -> bool:
        """Return whether nobody who lives has signed the file, on a disk that has no locks."""
        signed = _signature(self._directory)
        if signed is not None and (is_alive(signed) if is_local(signed) else _beats(self.path, signed)):
            return signed.get("pid") == os.getpid() and self._signed
        if not self._signed:
            _warn(self._directory, error)
        return True

    def _lost(self) -> bool:
        """Return whether the file that is locked is no longer the one of this name."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return True
        if self._file is None:
            return False
        held = os.fstat(self._file)
        return (found.st_dev, found.st_ino) != (held.st_dev, held.st_ino)

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._windows is not None:
            self._windows.release()
            self._windows = None

    def _refuse(self, why: str = "") -> None:
        raise LockedError(self._directory, at_work(self._directory) or "another process", why) from None


def _warn(directory: Path, error: OSError) -> None:
    from runner.display.output import print_problems  # which reads ledgers

    message = f"the disk of {directory} has no locks ({error.strerror}): other machines are not kept out"
    hint = "hydra.sweep.dir or hydra.run.dir on another disk is safe; else resume it on one machine only"
    print_problems([Problem("", message, hint, "warning")])


def _signature(directory: Path) -> dict[str, Any] | None:  # Any: JSON
    path = directory / NAME
    with suppress(OSError, ValueError, RecursionError):
        state = path.lstat()
        if stat.S_ISREG(state.st_mode) and state.st_size:  # it is empty once the work is over
            with path.open("rb") as file:
                signed = json.loads(file.read(4096))
            if isinstance(signed, dict) and {"pid", "host", "since"} <= signed.keys():
                return signed
    return None


def _beats(path: Path, signed: dict[str, Any]) -> bool:  # Any: JSON
    """Return whether who signed on another machine gives signs of life; earlier versions gave none."""
    with suppress(OSError):
        return not signed.get("machine") or abs(time.time() - path.stat().st_mtime) < _SILENCE
    return False


def _held(path: Path, signed: dict[str, Any]) -> bool:  # Any: JSON
    """Return whether a process of this host holds the lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        return is_alive(signed)
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # closing releases it
    except BlockingIOError:
        return True
    except OSError:  # no right to read it, or a disk without such locks
        return is_alive(signed)
    return False


def this_process() -> dict[str, object]:
    """Return what tells this process from any other: host, pid, when it started, and the machine with its pids."""
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": f"{dt.datetime.now().astimezone():%Y-%m-%d %H:%M:%S}",
        "machine": _machine(),
        "started": _started(os.getpid()),
    }


def named(told: Mapping[str, object]) -> str:
    """Return the process in words."""
    return f"process {told.get('pid')} on {told.get('host')} since {told.get('since')}"


def is_local(told: Mapping[str, object]) -> bool:
    """Return whether its pid is one of this machine's (or container's), since it was last started."""
    if told.get("machine") is not None:
        return told["machine"] == _machine()
    return told.get("host") == socket.gethostname()


def is_alive(told: Mapping[str, object]) -> bool:
    """Return whether a local process is still there: the same one, not another that has got its pid."""
    pid = told.get("pid")
    if os.name == "nt" or not isinstance(pid, int):
        return True  # Windows knows no signal that only asks
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    now, then = _started(pid), told.get("started")
    return now is None or then is None or now == then


def _machine() -> str:
    """Return a name for what numbers this process: the boot and, in a container, its own space of pids."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(os.fspath(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _started(pid: int) -> str | None:
    """Return when a process started, in the system's own words; None if that cannot be told."""
    with suppress(OSError, IndexError):
        # The name, in brackets, may hold anything; what follows it has fixed places.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    if os.name == "nt" or Path("/proc/self/stat").exists():
        return None
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(  # noqa: S603 - nothing in it comes from outside
            ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 - where it lies differs
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
        return told.stdout.strip() or None
    return None
