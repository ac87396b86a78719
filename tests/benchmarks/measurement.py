"""What one command costs, from outside: wall and CPU seconds, peak memory, open files, all its processes included."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
MB = 1e6
SAMPLE_SECONDS = 0.05
"""A look takes half a millisecond and more; ever so many would take a part of the processors that shows."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figures:
    """What one finished command cost; `requests` are the server's count.

    `stolen` is the share of the processors' time that a virtual machine's host gave to others meanwhile.
    """

    wall: float
    cpu: float
    peak_mb: float
    requests: int = 0
    files: int = 0
    written: str = ""
    stolen: float = 0.0


class CommandError(Exception):
    """A measured command failed; its figures would mean nothing."""


def measure(command: Sequence[str | Path], requests: Callable[[], int] = lambda: 0) -> Figures:
    """Run a command to its end; raises `CommandError` unless it exits 0.

    CPU is the system's figure for the process and those it waited for; memory is the largest sum of what its
    processes held at once, looked at every 50 ms, and no less than the system's own peak of the largest one.
    """
    os.sync()  # what went before is not to be written meanwhile
    before, times, start = requests(), processors(), time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=environment(), cwd=REPO, stdout=output, stderr=subprocess.STDOUT)
        watch = Watch(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            watch.stop()
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode:
        raise CommandError(f"it ended with {process.returncode}:\n{text[-1000:]}")
    peak = max(watch.peak_bytes, usage.ru_maxrss * 1024) / MB
    cpu = usage.ru_utime + usage.ru_stime
    return Figures(wall, cpu, peak, requests() - before, watch.peak_files, text, stolen(times))


def processors() -> dict[str, int]:
    """What all processors together have spent their time on, in ticks; 0 where the system does not tell."""
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    try:
        ticks = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        ticks = ["0"] * len(names)
    return dict(zip(names, map(int, ticks), strict=False))


def stolen(since: Mapping[str, int]) -> float:
    """The share of all processors' time that the host gave to others, since `processors()` said this."""
    passed = {name: ticks - since[name] for name, ticks in processors().items()}
    return passed["steal"] / max(1, sum(passed.values()))


def environment() -> dict[str, str]:
    """The environment of every measured command: a key that is none, and the checkout's runner."""
    # What is installed has its bytecode, and the checkout is to have its, too.
    others = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**others, "OPENAI_API_KEY": "bench", "PYTHONPATH": str(REPO), "PYTHONWARNINGS": "ignore"}


def empty(directory: Path) -> None:
    """Free the space of what a command made; its files are deleted with everything else, at the end.

    Where ext4 has no journal it passes over what was just deleted, one by one, for each new file: who makes many small
    files would pay for those of the command before.
    """
    for path in directory.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


class Watch:
    """Looks at a process and its descendants until it is stopped."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self.peak_files = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End looking."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            family = list(descent(self._pid))
            self.peak_bytes = max(self.peak_bytes, sum(map(resident, family)))
            self.peak_files = max(self.peak_files, _open_files(self._pid))


def descent(pid: int) -> Iterator[int]:
    """The process and its descendants."""
    yield pid
    with suppress(OSError):  # it may end while it is looked at
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in path.read_text().split():
                yield from descent(int(child))


def resident(pid: int) -> int:
    """Bytes that a process holds in memory; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICK


def _open_files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - iterdir makes a Path of each, 20 times a second
    except OSError:
        return 0
