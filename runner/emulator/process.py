"""Run the emulator as a child process whose life is tied to this one, and read its ledger."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from typing import IO, Self, cast

from runner.child import start

from .settings import EmulatorSettings

STOP_TIMEOUT = 5.0


class EmulatorStartError(Exception):
    """Tell that the child process ended before it listened; the message carries what it said."""


class EmulatorProcess:
    """Start an emulator at once and wait for it later; it always ends with this process.

    The child reads its settings from a pipe and stops when the pipe closes, which the system sees to even after
    kill -9. It has a session of its own, so a Ctrl-C on the terminal reaches only this process.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self._child: subprocess.Popen[bytes] | None = None
        self._base_url: str | None = None

    @property
    def pid(self) -> int | None:
        """Return the child's process id, once started."""
        return self._child.pid if self._child else None

    @property
    def base_url(self) -> str:
        """Return OpenAI's base URL, ending in `/v1`; waits until the child listens."""
        return self.wait_ready()

    def start(self) -> Self:
        """Start the child and return at once."""
        self._child = child = start("runner.emulator.child")
        with suppress(BrokenPipeError):  # a child that is gone already is told of by wait_ready
            cast("IO[bytes]", child.stdin).write(self.settings.model_dump_json().encode() + b"\n")
            cast("IO[bytes]", child.stdin).flush()
        return self

    def wait_ready(self) -> str:
        """Wait until the child listens and return its base URL; raises EmulatorStartError when it ended instead."""
        if self._base_url is None:
            if self._child is None:
                self.start()
            child = cast("subprocess.Popen[bytes]", self._child)
            line = cast("IO[bytes]", child.stdout).readline()
            if not line:
                child.wait()
                raise EmulatorStartError(f"the emulator ended with exit code {child.returncode} before it listened")
            message = json.loads(line)
            if "error" in message:
                raise EmulatorStartError(str(message["error"]))
            self._base_url = str(message["base_url"])
        return self._base_url

    def stop(self) -> None:
        """Close the pipe, which ends the child, and wait for it."""
        child, self._child, self._base_url = self._child, None, None
        if child is None:
            return
        for pipe in filter(None, (child.stdin, child.stdout)):
            with suppress(BrokenPipeError):  # what a child that has ended before was still to be told
                pipe.close()
        try:
            child.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def ledger(self) -> dict[str, object]:
        """Return the oracle of everything that was made and what it cost."""
        return read_ledger(self.base_url)

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


PATH = "/_emulator/ledger"
TIMEOUT = 10.0


def read_ledger(base_url: str) -> dict[str, object]:
    """Return the ledger of the emulator at `base_url` (with or without `/v1`)."""
    from urllib.request import urlopen

    with urlopen(base_url.rstrip("/").removesuffix("/v1") + PATH, timeout=TIMEOUT) as answer:  # noqa: S310
        return cast("dict[str, object]", json.load(answer))
