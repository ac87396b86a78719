"""Which process is at work, and whether it still is: told so that another one can find out."""

from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


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
    """A name for what numbers this process: the boot and, in a container, its own space of pids."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(os.fspath(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _started(pid: int) -> str | None:
    """When a process started, in the system's own words; None if that cannot be told."""
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
