"""Asking `zygote.py` for children, a few at a time."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.forking import address

PROGRAM = Path(__file__).with_name("zygote.py")
KILLED = -9


@dataclass(frozen=True)
class End:
    """How a child ended.

    Attributes:
        code: its exit code, or minus the signal's number.
        output: what it printed, both streams together.
        trail: what it was about to do, in order; the last line is where a killed one ended.
    """

    code: int
    output: str
    trail: list[str]


class Zygotes:
    """A pool of zygotes; `run` may be called from as many threads as there are zygotes."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._idle: queue.Queue[subprocess.Popen[str]] = queue.Queue()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            command = [sys.executable, str(PROGRAM), address()]
            zygotes = [
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                for _ in range(self._count)
            ]
            for zygote in zygotes:
                opening.enter_context(zygote)
            for zygote in zygotes:
                _answer(zygote)
                self._idle.put(zygote)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Leaving a Popen closes its pipes, at which the zygote ends, and waits for that.
        self._open.close()

    def run(
        self,
        arguments: Sequence[str],
        *,
        home: Path,
        environment: dict[str, str],
        kill_at: int | None = None,
        speed: float = 1,
        started: Callable[[int], None] = lambda _: None,
    ) -> End:
        """Execute `runner ARGUMENTS` in `home`, where time passes `speed` times as fast.

        `started` gets the pid of a child that has hardly begun.
        """
        output, trail = home.with_suffix(".output"), home.with_suffix(".trail")
        before = output.stat().st_size if output.exists() else 0
        task = {
            "arguments": list(arguments),
            "home": str(home),
            "environment": environment,
            "kill_at": kill_at,
            "speed": speed,
            "output": str(output),
            "trail": str(trail),
        }
        zygote = self._idle.get()
        try:
            _stdin(zygote).write(json.dumps(task) + "\n")
            _stdin(zygote).flush()
            started(int(_answer(zygote)))
            code = int(_answer(zygote))
        finally:
            self._idle.put(zygote)
        said = output.read_bytes()[before:].decode(errors="replace")
        return End(code, said, trail.read_text().splitlines())


def _stdin(zygote: subprocess.Popen[str]) -> IO[str]:
    assert zygote.stdin is not None
    return zygote.stdin


def _answer(zygote: subprocess.Popen[str]) -> str:
    assert zygote.stdout is not None
    line = zygote.stdout.readline()
    assert line, "the zygote is gone; its stderr says why"
    return line
