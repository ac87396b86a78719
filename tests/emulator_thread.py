"""Serve an emulator, or an application of the tests', in a thread of the tests' own process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from starlette.applications import Starlette

from runner.emulator.app import create_app
from runner.emulator.faults import FaultRule
from runner.emulator.process import read_ledger
from runner.emulator.server import Server, base_url, listen
from runner.emulator.settings import EmulatorSettings


class ServerThread:
    """Serve an application on a free port while this context manager is open.

    Attributes:
        base_url: OpenAI's base URL, ending in `/v1`.
    """

    def __init__(self, app: Starlette, settings: EmulatorSettings) -> None:
        self._socket = listen(settings)
        self.base_url = base_url(self._socket)
        self._up = threading.Event()
        self._server = Server(app, self._up.set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="server", daemon=True)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve([self._socket])

    def __enter__(self) -> Self:
        self._thread.start()
        self._up.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join()


class EmulatorThread(ServerThread):
    """Serve an emulator, with rules and a clock that a test gives."""

    def __init__(
        self, settings: EmulatorSettings, *, rules: Sequence[FaultRule] = (), now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(create_app(settings, rules=rules, now=now), settings)
        self.settings = settings

    @property
    def azure_url(self) -> str:
        """Return the Azure endpoint, without a path."""
        return self.base_url.removesuffix("/v1")

    def ledger(self) -> dict[str, object]:
        """Return the oracle of everything that was made and what it cost."""
        return read_ledger(self.base_url)


def as_openai(server: EmulatorThread) -> tuple[str, ...]:
    """What is typed to reach a server as OpenAI, whose work costs something, and quickly."""
    return (
        "provider=openai",
        f"provider.base_url={server.base_url}",
        "provider.poll_interval=0.02",
        "provider.retired_models=off",
        "request=draft",
        "progress=off",
    )
