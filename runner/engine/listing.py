"""Reading an endpoint's list of jobs as far back as it is needed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

from runner.errors import JobNotFoundError, RunnerError, UnexpectedAnswerError
from runner.providers.base import Job, JobPage

from .backoff import Backoff
from .endpoint import Endpoint

A = TypeVar("A")
Q = TypeVar("Q")

MAX_PAGES = 50
"""Pages of 100 jobs that are read at most."""

TRIES = 4
"""Times that a page is asked for."""

_AGAIN = Backoff(base=1, cap=20, floor=0.5)


@dataclass(slots=True)
class Listing:
    """What was read of a list of jobs.

    Attributes:
        jobs: the jobs, newest first where the server keeps to that.
        whole: whether these are all.
        shortfall: why they are not, for people.
    """

    jobs: list[Job] = field(default_factory=list)
    whole: bool = False
    shortfall: str = ""

    @property
    def complete_since(self) -> float:
        """Unix seconds after which no job is missing; infinite where the order does not allow to say so."""
        if self.whole:
            return -math.inf
        times = [job.created_at for job in self.jobs if job.created_at is not None]
        newest_first = len(times) > 1 and times[0] > times[-1] and all(a >= b for a, b in itertools.pairwise(times))
        return times[-1] if newest_first else math.inf

    def take(self, page: JobPage) -> bool:
        """Add a page; whether it told anything new."""
        known = {job.id for job in self.jobs}
        fresh = [job for job in page.jobs if job.id not in known]
        self.jobs += fresh
        self.whole = not page.more
        return bool(fresh)


async def read_list(endpoint: Endpoint, since: float) -> Listing:
    """Read the list back to `since` (Unix seconds), or as far as that is possible; raises no `RunnerError`."""
    listing, after = Listing(), None
    for _ in range(MAX_PAGES):
        try:
            page = await patiently(endpoint, endpoint.jobs, after)
        except RunnerError as error:
            listing.shortfall = f"the list of jobs could not be read: {error}"
            return listing
        fresh = listing.take(page)
        if listing.complete_since < since:
            return listing
        if not fresh:
            break
        after = page.last
    listing.shortfall = f"only the newest {len(listing.jobs)} jobs could be listed, and the run's may be an older one"
    return listing


async def patiently(endpoint: Endpoint, ask: Callable[[Q], Awaitable[A]], subject: Q) -> A:
    """Return what `ask` answers about `subject`, asked again where that may help; raises its last error."""
    retrying = AsyncRetrying(
        sleep=endpoint.clock.sleep,
        stop=stop_after_attempt(TRIES),
        wait=_AGAIN.wait(endpoint.clock),
        retry=retry_if_exception(_may_pass),
        reraise=True,
    )
    return await retrying(ask, subject)


def _may_pass(error: BaseException) -> bool:
    passes = isinstance(error, RunnerError) and (error.retryable or isinstance(error, UnexpectedAnswerError))
    return passes and not isinstance(error, JobNotFoundError)
