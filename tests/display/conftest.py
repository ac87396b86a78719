"""Runs and results as the display meets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.artifacts.result import Attempt, ErrorRecord, Result
from runner.artifacts.run_status import RunStatus
from runner.config.run import RunConfig
from runner.engine.recorder import planned
from runner.engine.run import Event, Run

BEGAN = 1_800_000_000.0


class Story:
    """A sweep of one config, told event by event; its clock moves only when it is told to."""

    def __init__(self, config: RunConfig, count: int, **changes: Any) -> None:
        self.runs = [Run(n, config.model_copy(update={"replica": n}), Path("out", str(n)), (f"replica={n}",), **changes)
                     for n in range(count)]  # fmt: skip
        self.time = 0.0
        self.hears: list[Callable[[Event], object]] = []

    def __call__(self) -> float:
        return self.time

    def submit(self, *numbers: int, progress: float = 0, note: str | None = None) -> None:
        for number in numbers:
            self._tell(Event(self.runs[number], RunStatus.SUBMITTED, progress, "video_1", "in_progress", note))

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self._tell(Event(self.runs[number], RunStatus.SUBMITTING))

    def download(self, *numbers: int) -> None:
        for number in numbers:
            self._tell(Event(self.runs[number], RunStatus.COMPLETED, 100, "video_1", "completed"))

    def leave(self, *numbers: int) -> None:
        """What an interrupt does to jobs that go on at the provider."""
        for number in numbers:
            result = ended(self.runs[number], "submitted")
            self._tell(Event(self.runs[number], result.status, 0, "video_1", note="interrupted", result=result))

    def step_back(self, number: int) -> None:
        self._tell(Event(self.runs[number], RunStatus.PLANNED))

    def end(self, *numbers: int, status: str = "verified", error: str | None = None, usd: float = 0.8) -> None:
        for number in numbers:
            result = ended(self.runs[number], status, error, usd)
            self._tell(Event(self.runs[number], result.status, 100, result.job_id, result=result))

    def _tell(self, event: Event) -> None:
        for hear in self.hears:
            hear(event)


def ended(run: Run, status: str = "verified", error: str | None = None, usd: float = 0.8, **facts: Any) -> Result:
    """What became of a run that made one request."""
    record = error and ErrorRecord(type="ServerError", code=None, message=error, hint="try later", retryable=True)
    paid = Attempt(number=1, provider=run.config.provider.kind, started_at="2026-11-23T09:30:00Z", usd=usd)
    known = {"status": RunStatus(status), "error": record or None, "job_id": "video_1", "attempts": [paid], **facts}
    return planned(run, BEGAN).model_copy(update=known)


@pytest.fixture
def story(loaded) -> Callable[..., Story]:
    """A sweep at a provider that takes money, unless told otherwise."""
    return lambda count, *overrides, **changes: Story(loaded("provider=openai", *overrides), count, **changes)
