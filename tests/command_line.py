"""Run the command line in a process of its own, forked from one that has imported what commands need.

Starting an interpreter and importing Hydra and the SDK takes a second of CPU, the command itself a third of one. What
is about starting, signals, terminals or what the system lists of a process takes `python -m runner` itself.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

_INTERPRETERS = ("PYTHON", "LC_", "LANG")
"""How the names of variables begin that an interpreter reads when it starts."""

_FORKING = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
_FORKING.set_forkserver_preload(["tests.preloaded"])


def command_line(
    arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], *, strict: bool = False, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `python -m runner` with these arguments until it ends; `strict`: warnings are errors.

    Raises `TimeoutError` after `timeout` seconds; standard input is empty.
    """
    if any(name.startswith(_INTERPRETERS) and os.environ.get(name) != value for name, value in environment.items()):
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
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place, name) for name in ("out", "err")]
        process = _FORKING.Process(target=_command, args=(list(arguments), cwd, dict(environment), files, strict))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"runner {' '.join(arguments)} did not end in {timeout} s: {files[1].read_text()}")
        out, err = (file.read_text(encoding="utf-8") for file in files)
        return subprocess.CompletedProcess(list(arguments), process.exitcode, out, err)


def _command(arguments: list[str], cwd: Path, environment: dict[str, str], files: Sequence[Path], strict: bool) -> None:
    """Be the command, in the process that was forked for it."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(files, 1):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - the process's own streams
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
    warnings.resetwarnings()
    if strict:
        warnings.simplefilter("error")
    sys.argv = ["runner", *arguments]
    try:
        runpy.run_module("runner", run_name="__main__", alter_sys=True)
    finally:
        # As every interpreter does at its end; multiprocessing's children do not, and an emulator would outlive them.
        atexit._run_exitfuncs()
