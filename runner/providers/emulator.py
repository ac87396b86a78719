"""Speak to the embedded server, started as a child process, like to any other endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx2
from pydantic import SecretStr

from runner.config import EmulatorConfig

from . import credentials, endpoint
from .credentials import EnvironmentCredential
from .emulator_process import start, wait
from .sdk import SDKProvider

_KEY = EnvironmentCredential("Authorization", "the emulator, which takes any key", SecretStr("none"))


class EmulatorProvider(SDKProvider):
    """Start a server of ours on a free port of this machine; its jobs outlive it in the state file."""

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
