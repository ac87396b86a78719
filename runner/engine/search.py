"""The search for jobs whose creation was asked for and never answered, once everything else is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from runner.artifacts.result import Attempt, RunStatus
from runner.config import VideoRequest
from runner.errors import RunnerError, UncertainError

from .adoption import Findings, look_for
from .endpoint import Endpoint
from .journal import Journal
from .lane import Lane
from .likeness import Lost
from .payment import settled
from .run import Run

_GRACE = 900.0
"""Seconds after a process vanished in which its request may still have been carried out."""

_CONSENT = "it counts as spent and is not repeated by itself; resuming with --resubmit-uncertain pays for it again"

Claimed = Callable[[], Collection[str]]
"""Tells the jobs that belong to other runs; asked only when a request was lost."""


class Case(NamedTuple):
    """A run with a lost request."""

    position: int
    journal: Journal
    lane: Lane


@dataclass(frozen=True, slots=True)
class Found:
    """What the search means for a run: `run` goes on if it is there; `error` says why it stays uncertain."""

    position: int
    lane: Lane
    run: Run | None
    error: RunnerError | None = None


class Search:
    """Collects runs with a lost request and looks for all their jobs at once."""

    def __init__(self) -> None:
        self._cases: list[Case] = []

    def __bool__(self) -> bool:
        return bool(self._cases)

    @property
    def journals(self) -> Iterator[Journal]:
        """The records of the runs."""
        return (case.journal for case in self._cases)

    @staticmethod
    def takes(journal: Journal, error: RunnerError) -> bool:
        """Whether a run that met `error` may be found again: images leave no job to find."""
        return isinstance(error, UncertainError) and isinstance(journal.run.config.request, VideoRequest)

    def add(self, position: int, journal: Journal, lane: Lane) -> None:
        """Take a run in."""
        self._cases.append(Case(position, journal, lane))

    async def carried_out(self, claimed: AbstractSet[str]) -> list[Found]:
        """Look at each endpoint's list; a run whose job is found, or that may be paid again, is recorded as such."""
        cases: dict[int, list[Case]] = defaultdict(list)
        for case in self._cases:
            cases[id(case.lane)].append(case)
        found = []
        for group in cases.values():
            endpoint = group[0].lane.endpoint
            findings = Findings() if endpoint is None else await _findings(endpoint, group, claimed)
            found += [await settled(_conclude(case, findings)) for case in group]
        return found


async def _findings(endpoint: Endpoint, cases: list[Case], claimed: AbstractSet[str]) -> Findings:
    lost = [_lost(case) for case in cases if case.journal.result.attempts]
    return await look_for(endpoint, lost, claimed)


def _lost(case: Case) -> Lost:
    result = case.journal.result
    attempt: Attempt = result.attempts[-1]
    started = attempt.started_at.timestamp()
    ended = attempt.ended_at.timestamp() if attempt.ended_at else started + _GRACE
    models = frozenset({attempt.model, result.model})
    return Lost(case.position, result.request_sent, models, started, ended)


async def _conclude(case: Case, findings: Findings) -> Found:
    position, journal, lane = case
    job = findings.adopted.get(position)
    if job is not None:
        await journal.adopt(job)
    elif journal.run.resubmit:
        await journal.start_again()
    else:
        reason = findings.reasons.get(position, "its endpoint could not be asked")
        error = UncertainError(f"{_what_was_met(journal)}; {reason}", hint=_CONSENT)
        journal.fail(RunStatus.UNCERTAIN, error)
        await journal.end()
        return Found(position, lane, None, error)
    return Found(position, lane, journal.go_on())


def _what_was_met(journal: Journal) -> str:
    """What the request met in place of an answer, without what earlier searches have found."""
    met = [attempt.error.message for attempt in journal.result.attempts[-1:] if attempt.error is not None]
    return met[0] if met else "the process ended before the answer to a paid request came"
