"""What the engine has told of one run since the last page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.artifacts.result import Result
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

    def upon(self, known: Result) -> Result:
        """What was known before, with this added."""
        event = self.event
        if event.result is not None:
            return event.result
        # Between a job's submission and its end, the provider's own word tells more, and the run's cell can stay.
        both_paid = event.status.paid and known.status.paid
        if (both_paid or event.status is known.status) and event.job_id == known.job_id:
            return known
        times = {**known.timestamps, **_moments(self.times)}
        return known.model_copy(update={"status": event.status, "job_id": event.job_id, "timestamps": times})


def _moments(times: Mapping[str, float]) -> dict[str, dt.datetime]:
    return {name: dt.datetime.fromtimestamp(time, dt.UTC) for name, time in times.items()}
