"""Run the command line at a terminal, in a process forked from one that has imported what commands need."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Mapping
from pathlib import Path

from pexpect.fdpexpect import fdspawn

from tests.forking import Forked

INTERRUPT = "\x03"


class Terminal(fdspawn):
    """A terminal with `python -m runner` and these arguments at it; has what is used of `pexpect.spawn`."""

    exitstatus: int | None = None

    def __init__(
        self,
        arguments: list[str],
        cwd: Path,
        environment: Mapping[str, str],
        *,
        rows: int = 24,
        columns: int = 80,
        timeout: float = 120,
    ) -> None:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (rows, columns))
        self.process = Forked("runner", arguments, env=environment, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        super().__init__(ours, timeout=timeout, encoding="utf-8")

    def sendintr(self) -> None:
        """Type Ctrl-C."""
        self.send(INTERRUPT)

    def close(self) -> None:
        """Close the terminal, which ends what still runs there, and note the exit code."""
        if not self.closed:
            super().close()
            self.exitstatus = self.process.wait(self.timeout)
