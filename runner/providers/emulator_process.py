"""Start the embedded server as a child process: one per state file and process, shared by all who want it.

It needs no SDK, so that the server starts while that is imported.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
from pathlib import Path

from runner.config.dialect import DialectName
from runner.config.provider import EmulatorConfig
from runner.emulator.process import EmulatorProcess, EmulatorStartError
from runner.emulator.settings import EmulatorSettings
from runner.errors import ConfigError, DiskError

# The address comes through a pipe, which only one thread may read.
_waiting = threading.Lock()


def start(config: EmulatorConfig) -> EmulatorProcess:
    """Return the running emulator for this config, started if it is not; it ends with this process."""
    # A fork has its parent's cache but not its parent's pipes: its id makes it start its own.
    return _start(config.state_file.absolute(), config.latency, config.dialect, os.getpid())


def wait(process: EmulatorProcess) -> str:
    """Block until the emulator listens, and give its base URL; raises `ConfigError` if it ended instead."""
    with _waiting:
        try:
            return process.wait_ready()
        except EmulatorStartError as error:
            raise ConfigError(f"the emulator did not start: {error}", hint="provider.state_file=PATH") from error


@functools.cache
def _start(state_file: Path, latency: float, dialect: DialectName, owner: int) -> EmulatorProcess:
    try:
        state_file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(
            f"{state_file.parent} cannot be made: {error.strerror}", hint="provider.state_file=PATH"
        ) from error
    chosen = EmulatorSettings.model_validate({"state_file": state_file, "latency": latency, "dialect": dialect})
    process = EmulatorProcess(chosen).start()
    atexit.register(_stop, process, owner)
    return process


def _stop(process: EmulatorProcess, owner: int) -> None:
    if os.getpid() == owner:
        process.stop()
