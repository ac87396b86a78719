"""Start the embedded server as a child process, one per state file, and speak to it like to any endpoint."""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import threading
from collections.abc import Mapping
from pathlib import Path

import httpx2
from pydantic import SecretStr

from runner.config import EmulatorConfig
from runner.config.dialect import DialectName
from runner.emulator import EmulatorProcess, EmulatorSettings, EmulatorStartError
from runner.errors import ConfigError, DiskError

from . import credentials, endpoint
from .credentials import EnvironmentCredential
from .sdk import SDKProvider

_KEY = EnvironmentCredential("Authorization", "the emulator, which takes any key", SecretStr("none"))


class EmulatorProvider(SDKProvider):
    """A server of ours on a free port of this machine; its jobs outlive it in the state file."""

    def __init__(
        self, config: EmulatorConfig, env: Mapping[str, str], transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        headers = credentials.headers(config, env)
        self._process = start(config)
        super().__init__(config, endpoint.resolve(config), _KEY, name=config.kind, headers=headers, transport=transport)
        self._listening = False
        self._starting = asyncio.Lock()

    async def _ready(self) -> None:
        if self._listening:
            return
        async with self._starting:
            if not self._listening:
                self._client.base_url = await asyncio.to_thread(wait, self._process)
                self._listening = True


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
    process = EmulatorProcess(EmulatorSettings(state_file=state_file, latency=latency, dialect=dialect)).start()
    atexit.register(_stop, process, owner)
    return process


def _stop(process: EmulatorProcess, owner: int) -> None:
    if os.getpid() == owner:
        process.stop()
