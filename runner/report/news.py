"""What the engine has told of one run since the last page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from runner.artifacts.result import Result, RunStatus
from runner.engine.run import Event


@dataclass(slots=True)
class News:
    """The last event, and when each status was reached (Unix seconds)."""

    event: Event
    times: dict[str, float] = field(default_factory=dict)

    def take(self, event: Event, now: float) -> None:
        """Add an event that comes at `now`."""
        self.event = event
        self.times.setdefault(event.status.value, now)

    @property
    def paying(self) -> bool | None:
        """Whether a paid request has left whose end nobody knows yet; None if nothing is new about that."""
        if self.event.result is not None or self.event.status is RunStatus.PLANNED:
            return False
        return True if RunStatus.SUBMITTING.value in self.times else None

    def upon(self, known: Result) -> Result:
        """What was known before, with this added."""
        event = self.event
        if event.result is not None:
            return event.result
        # Between a job's submission and its end, the provider's own word tells more, and the run's cell can stay.
        both_paid = event.status.paid and known.status.paid
        same = (both_paid or event.status is known.status) and event.job_id == known.job_id
        if same and known.error is None:
            return known
        # How it ended the last time, if it did, is over.
        changes: dict[str, object] = {"status": event.status, "job_id": event.job_id, "error": None, "artifacts": []}
        return known.model_copy(update=changes if same else {**changes, "timestamps": self._times_upon(known)})

    def _times_upon(self, known: Result) -> dict[str, dt.datetime]:
        planned = RunStatus.PLANNED.value
        before = {planned: known.timestamps[planned]} if known.status.failed else known.timestamps
        return before | {name: dt.datetime.fromtimestamp(time, dt.UTC) for name, time in self.times.items()}
