"""The runs that go to one endpoint, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from runner.config import ProviderConfig

from .endpoint import Endpoint
from .run import Run


@dataclass(slots=True)
class Lane:
    """A queue of runs, each with its position among all; a run that waits here costs no task."""

    config: ProviderConfig
    waiting: deque[tuple[int, Run]] = field(default_factory=deque)
    endpoint: Endpoint | None = None
    workers: int = 0
    """How many runs are under way."""
    models: set[str] = field(default_factory=set)
    """What runs here send as their model."""

    def add(self, position: int, run: Run) -> None:
        """Let a run wait for its turn."""
        self.waiting.append((position, run))
        self.models.add(run.config.sent_model)

    @property
    def vacancies(self) -> int:
        """How many of the waiting runs may begin now."""
        return min(self.config.max_concurrent_jobs - self.workers, len(self.waiting))

    def take(self, *, existing: bool = False) -> tuple[int, Run] | None:
        """The next run, or, of `existing` ones only, the next whose job is at the provider already."""
        if not existing:
            return self.waiting.popleft() if self.waiting else None
        return next(iter(self._pick(lambda run: run.status.paid, most=1)), None)

    def take_lost(self) -> list[tuple[int, Run]]:
        """All runs of which an earlier process left a request without its answer."""
        return self._pick(lambda run: run.status.lost, most=len(self.waiting))

    def _pick(self, wanted: Callable[[Run], bool], most: int) -> list[tuple[int, Run]]:
        found = [item for item in self.waiting if wanted(item[1])][:most]
        for item in found:
            self.waiting.remove(item)
        return found


def lanes(runs: Sequence[Run]) -> dict[ProviderConfig, Lane]:
    """The runs sorted into lanes, one for each provider config."""
    found: dict[ProviderConfig, Lane] = {}
    for position, run in enumerate(runs):
        lane = found.get(run.config.provider)
        if lane is None:
            lane = found[run.config.provider] = Lane(run.config.provider)
        lane.add(position, run)
    return found
