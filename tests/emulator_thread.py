"""Serve an emulator in a thread of the tests' own process, with rules and a clock that a test gives."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from runner.emulator.app import create_app
from runner.emulator.faults import FaultRule
from runner.emulator.process import read_ledger
from runner.emulator.server import Server, base_url, listen
from runner.emulator.settings import EmulatorSettings


class EmulatorThread:
    """Serve an emulator on a free port while this context manager is open."""

    def __init__(
        self, settings: EmulatorSettings, *, rules: Sequence[FaultRule] = (), now: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self._socket = listen(settings)
        self._url = base_url(self._socket).removesuffix("/v1")
        self._up = threading.Event()
        self._server = Server(create_app(settings, rules=rules, now=now), self._up.set)
        self._thread = threading.Thread(target=self._run, name="emulator", daemon=True)

    def _run(self) -> None:
        asyncio.run(self._server.serve([self._socket]))

    @property
    def base_url(self) -> str:
        """Return OpenAI's base URL, ending in `/v1`."""
        return f"{self.azure_url}/v1"

    @property
    def azure_url(self) -> str:
        """Return the Azure endpoint, without a path."""
        return self._url

    def ledger(self) -> dict[str, object]:
        """Return the oracle of everything that was made and what it cost."""
        return read_ledger(self.base_url)

    def __enter__(self) -> Self:
        self._thread.start()
        self._up.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join()
