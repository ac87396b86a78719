"""What an endpoint allows: so many running jobs at once, so many paid requests in a minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from runner.emulator.settings import EmulatorSettings
from runner.emulator.state import State
from runner.emulator.surface import Surface

_MINUTE = 60.0


class Limits:
    """Counts one emulator's paid requests and asks its state for the running jobs; no limit is the default."""

    def __init__(self, settings: EmulatorSettings, state: State, now: Callable[[], float]) -> None:
        self._settings = settings
        self._state = state
        self._now = now
        self._served: deque[float] = deque()

    def check_jobs(self, surface: Surface) -> None:
        """Raise Refusal(429) if as many jobs run as may."""
        most = self._settings.max_running_jobs
        if most is not None and self._state.running(self._now()) >= most:
            raise surface.crowded()

    def count_request(self, surface: Surface) -> dict[str, str]:
        """Count a paid request and give the headers of its answer; raises Refusal(429) if the minute's are used up."""
        most = self._settings.requests_per_minute
        if most is None:
            return {}
        now, minute = self._now(), self._settings.real(_MINUTE)
        while self._served and self._served[0] <= now - minute:
            self._served.popleft()
        if len(self._served) >= most:
            raise surface.exceeded(most, self._served[0] + minute - now)
        self._served.append(now)
        return surface.allowance(most, most - len(self._served), self._served[0] + minute - now)
