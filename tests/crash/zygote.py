"""Forks children that execute runner's command line and SIGKILL themselves at a chosen moment of their own doing.

A program of its own: everything heavy is imported once, then each line on stdin (a `Task` as JSON) forks a child. Each
answers with two lines: the child's pid, and how it ended. Production code has no hooks: what a child does is seen from
outside, by audit events (files made, opened for writing, renamed, removed; connections) and by SQLite's trace.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pkgutil
import selectors
import signal
import sqlite3
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
READING = ("SELECT", "PRAGMA", "--")


class Moments:
    """Counts what the process is about to do, writes it down, and kills the process when the number comes."""

    def __init__(self, folder: Path, trail: int, kill_at: int | None) -> None:
        self._folder = str(folder)
        self._trail = trail
        self._kill_at = kill_at
        self._count = 0
        # Re-entrant: what happens under the lock may itself be an event.
        self._lock = threading.RLock()

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What `sys.addaudithook` calls, in every thread, before the thing is done."""
        match event, arguments:
            case "open", (path, _, int(flags)) if flags & WRITING and self._ours(path):
                self._pass(f"open {self._short(path)}")
            case "os.rename" | "os.mkdir" | "os.remove" | "os.symlink" | "os.link", (path, *_) if self._ours(path):
                self._pass(f"{event} {self._short(path)}")
            case "socket.connect", (_, (host, *_)):
                self._pass(f"{event} {host}")

    def statement(self, sql: str) -> None:
        """What SQLite calls before it executes a statement."""
        if not sql.lstrip().upper().startswith(READING):
            self._pass(f"sqlite {' '.join(sql.split())[:100]}")

    def _ours(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(self._folder)  # noqa: PTH100

    def _short(self, path: str | os.PathLike[str]) -> str:
        return os.path.relpath(path, self._folder)

    def _pass(self, what: str) -> None:
        with self._lock:
            self._count += 1
            os.write(self._trail, f"{self._count} {what}\n".encode())
            if self._count == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Serve tasks until stdin ends."""
    sys.path.insert(0, str(ROOT))
    _warm_up()
    from tests.forking import use

    use(sys.argv[1])
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _warm_up() -> None:
    import runner
    from tests.forking import IMAGE, SETTINGS, compose

    # First of all: Hydra executes its own plugins anew when it looks for them, and ours are built upon those.
    prompts = ("-m", "request.prompt=a harbour,a forest", "request.quality=low")
    compose([("request=draft", "provider=openai", *SETTINGS), (*IMAGE, "provider=openai"), (*prompts, *IMAGE)])
    import_module("tests.preloaded")
    for module in pkgutil.walk_packages(runner.__path__, "runner."):
        if not module.name.startswith(("runner.emulator.", "runner.__main__")):
            import_module(module.name)
    gc.collect()
    gc.freeze()


def _become(task: dict[str, Any]) -> None:
    """Be the process that the task describes, and end with its exit code."""
    code = 70
    try:
        home = Path(task["home"])
        os.chdir(home)
        os.environ.update(task["environment"])
        output = os.open(task["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        trail = os.open(task["trail"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nowhere, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        moments = Moments(home, trail, task["kill_at"])
        _trace_connections(moments)
        _hurry(task["speed"])
        sys.addaudithook(moments.audit)
        from runner.app import run

        code = run(task["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it is, the parent reads it from the output
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _trace_connections(moments: Moments) -> None:
    # CPython raises its audit event before a connection can be told to trace.
    connect = sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(moments.statement)
        return connection

    sqlite3.connect = traced


def _hurry(speed: float) -> None:
    """Let time pass `speed` times as fast for everything that waits: backoffs of a minute are no proof of anything."""
    now, gettime, select = asyncio.BaseEventLoop.time, time.clock_gettime, selectors.DefaultSelector.select

    def sooner(selector: selectors.DefaultSelector, timeout: float | None = None) -> list[Any]:
        return select(selector, None if timeout is None else timeout / speed)

    asyncio.BaseEventLoop.time = lambda loop: now(loop) * speed
    time.clock_gettime = lambda clock: gettime(clock) * speed
    selectors.DefaultSelector.select = sooner


if __name__ == "__main__":
    main()
