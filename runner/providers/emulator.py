"""Speak to the embedded server, started as a child process, like to any other endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx2

from runner.config.provider import EmulatorConfig

from .emulator_process import start, wait
from .sdk import SDKProvider


class EmulatorProvider(SDKProvider):
    """Start a server of ours on a free port of this machine; its jobs outlive it in the state file."""

    def __init__(
        self, config: EmulatorConfig, env: Mapping[str, str], transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._process = start(config)
        super().__init__(config, env, transport)
        self._listening = False
        self._starting = asyncio.Lock()

    async def _ready(self) -> None:
        if self._listening:
            return
        async with self._starting:
            if not self._listening:
                self._client.base_url = await asyncio.to_thread(wait, self._process)
                self._listening = True
