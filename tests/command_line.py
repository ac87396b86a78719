"""Run the command line in a process of its own, forked from one that has imported what commands need.

A terminal at which one is typed is `tests/terminal.py`. What takes `python -m runner` itself, as the system starts it:
start-up and what it imports, streams that are closed or full (`app/test_shell.py`), variables that the SDK reads as it
is imported and what the system lists of a process (`app/test_canary.py`), installed packages (`test_distribution.py`),
Ray, and other launchers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.forking import Forked

_INTERPRETERS = ("PYTHON", "LC_", "LANG")
"""How the names of variables begin that an interpreter reads when it starts."""


def command_line(
    arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], *, strict: bool = False, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `python -m runner` with these arguments until it ends; `strict`: warnings are errors.

    Raises `TimeoutError` after `timeout` seconds; standard input is empty.
    """
    new = any(name.startswith(_INTERPRETERS) and os.environ.get(name) != value for name, value in environment.items())
    if new or not hasattr(os, "fork"):
        command = [sys.executable, *(("-W", "error") if strict else ()), "-m", "runner", *arguments]
        return subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = Forked("runner", arguments, env=environment, cwd=cwd, stdout=out, stderr=err, strict=strict)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            err.seek(0)
            raise TimeoutError(f"runner {' '.join(arguments)} did not end in {timeout} s: {err.read()}") from None
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(list(arguments), process.returncode, out.read(), err.read())
