"""Hold a directory for one process by a lock that ends with it, and know which process may pay by a ledger."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from runner.artifacts.atomic import disk_errors
from runner.config.problem import Problem
from runner.errors import ConfigError
from runner.shell import command

from .ledger import NAME as LEDGER
from .ledger import Ledger, LedgerError, Original

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
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of `directory`, which exists; raises `LockedError` in an instant if someone else does.

    A lock file that is removed meanwhile is made again.
    """
    lock = _Lock(directory)
    with disk_errors(lock.path):
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
        with disk_errors(self.path):
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
        if path.is_file() and not path.is_symlink():
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


Facts = dict[str, Any]
"""JSON: what a ledger tells of itself."""


@contextmanager
def owned(ledger: Ledger) -> Iterator[None]:
    """Make this process the one that may write the ledger; raises `LockedError` if another one, still alive, is it.

    `ledger.copy_of` then tells of what directory this one is a copy, if it is.
    """
    mine = {**this_process(), "token": uuid.uuid4().hex, "inode": _inode(ledger)}
    with ledger.facts() as facts:
        _refuse_other(ledger, facts.get("owner"))
        facts["owner"] = mine
        ledger.copy_of = _settled(ledger, facts)
    ledger.token = str(mine["token"])
    try:
        yield
    finally:
        # Whoever has taken it over meanwhile keeps it.
        with suppress(Exception), ledger.facts() as facts:
            del facts["owner"]


def keep_copy(ledger: Ledger) -> None:
    """Make a copied ledger one of its own, which pays for what it has not finished."""
    with ledger.facts() as facts:
        facts["place"] = _place(ledger, uuid.uuid4().hex)
    ledger.copy_of = None


def refuse_owner(directory: Path) -> None:
    """Raise `LockedError` if a living process owns the ledger in `directory`, whatever else is wrong with it."""
    with suppress(LedgerError, OSError), Ledger(directory, readonly=True) as ledger:
        _refuse_other(ledger, ledger.known_facts().get("owner"))


class CopyError(ConfigError):
    """Tell that a directory was copied, and its original may have paid for the same runs meanwhile."""

    def __init__(self, directory: Path, original: Original, count: int) -> None:
        runs, them = ("1 run", "it") if count == 1 else (f"{count:,} runs", "them")
        super().__init__(
            f"{directory} is a copy of {original}, which may have paid for {runs} since; nothing was sent for {them}",
            hint=f"{command('resume', original.directory)} goes on in the original{' there' if original.host else ''}\n"
            f"{command('resume', directory, '--copied')} pays for {them} here, too",
        )


def _refuse_other(ledger: Ledger, owner: object) -> None:
    # One that was copied along owns the ledger that this is a copy of.
    if not isinstance(owner, dict) or owner.get("inode") != _inode(ledger):
        return
    if is_local(owner) and os.name != "nt" and is_alive(owner):
        raise LockedError(ledger.directory, f"{named(owner)}, though its lock file was removed or replaced")


def _settled(ledger: Ledger, facts: Facts) -> Original | None:
    """See to it that the ledger says where it lies; what it is a copy of, if nobody has agreed to that yet."""
    place = facts.get("place")
    if not isinstance(place, dict) or not {"id", "path", "inode", "host"} <= place.keys():
        facts["place"] = _place(ledger, uuid.uuid4().hex)
        return None
    original = _original(ledger, place)
    if original is None:
        facts["place"] = _place(ledger, str(place["id"]))
    return original


def _original(ledger: Ledger, place: Facts) -> Original | None:
    """Return the directory that the ledger was copied from; None if it lies where it was, or was moved."""
    here, there = ledger.directory.resolve() / LEDGER, Path(str(place["path"]))
    same_file, same_host = place["inode"] == _inode(ledger), place["host"] == socket.gethostname()
    if there == here:
        return None if same_file or same_host else Original(there.parent, str(place["host"]))
    with suppress(OSError, ValueError):
        if there.exists():
            copied = not there.samefile(here) and _id_of(there.parent) in (place["id"], None)
            return Original(there.parent) if copied else None
    if same_file:
        return None
    if not same_host:
        return Original(there.parent, str(place["host"]))
    others = (path for path in here.parent.parent.glob(f"*/{LEDGER}") if path != here)
    return next((Original(other.parent) for other in others if _id_of(other.parent) == place["id"]), None)


def _id_of(directory: Path) -> str | None:
    """Return the name that tells a ledger from others, None if it cannot be read."""
    with suppress(LedgerError, OSError), Ledger(directory, readonly=True) as ledger:
        place = ledger.known_facts().get("place")
        return str(place["id"]) if isinstance(place, dict) and "id" in place else ""
    return None


def _place(ledger: Ledger, name: str) -> Facts:
    path = ledger.directory.resolve() / LEDGER
    return {"id": name, "path": os.fspath(path), "inode": _inode(ledger), "host": socket.gethostname()}


def _inode(ledger: Ledger) -> int:
    return (ledger.directory / LEDGER).stat().st_ino
