"""Asking for a job until it has ended; only the deadline gives up."""

from __future__ import annotations

from runner.errors import ExpiredError, JobTimeoutError, ProviderError, RateLimitError, RunnerError, UncertainError
from runner.providers.base import Job, JobStatus

from .backoff import Backoff
from .clock import Clock
from .endpoint import Endpoint, stop_note
from .journal import Journal

_STRETCH = 1.0
"""Seconds up to which an interval grows while the job's progress says that its end is far."""

_JITTER = 0.1

_SOONEST = 0.1
"""The part of an interval that passes in any case, however near the end seems."""

_GONE = 3
"""Times in a row that a job must be unknown to its server: some forget a new one for a moment."""


async def poll(endpoint: Endpoint, journal: Journal, job: Job) -> Job:
    """Return the job once it has ended; raises `JobTimeoutError` when the deadline passes before.

    The deadline is the config's `patience`. A job is always asked for once after it has passed, so that a laptop that
    slept through it still collects what is there. Meanwhile the run counts among the jobs at the provider.
    """
    with endpoint.places.joined(journal):
        return await _ended(endpoint, journal, job)


async def _ended(endpoint: Endpoint, journal: Journal, job: Job) -> Job:
    clock, config = endpoint.clock, endpoint.config
    started = clock.elapsed()
    deadline = started + config.patience
    failures = 0
    wait = next_wait(job, 0, config.poll_interval, clock)
    while not job.status.terminal:
        await clock.sleep(min(wait, max(0.0, deadline - clock.elapsed())))
        last = clock.elapsed() >= deadline
        try:
            if endpoint.reads.left == 0:
                job = await endpoint.retrieve(job.id)
                failures = 0
                _hear(journal, job)
            wait = max(endpoint.reads.left, next_wait(job, clock.elapsed() - started, config.poll_interval, clock))
        except (ProviderError, UncertainError, ExpiredError) as error:
            failures += 1
            if isinstance(error, ExpiredError) and failures >= _GONE:
                raise
            _excuse(endpoint, journal, error)
            wait = max(endpoint.reads.left, Backoff(config.poll_interval, 60, 0.5).seconds(failures, clock))
        if last and not job.status.terminal:
            raise _timeout(journal, job, clock.elapsed() - started)
    return job


def next_wait(job: Job, age: float, interval: float, clock: Clock) -> float:
    """Seconds until the job is worth asking for again: the server's wish, else `interval` with some jitter.

    Progress tells when the end is due: a poll is moved forward to that moment, and while the end is far, intervals
    below a second are stretched to half of what is left.
    """
    if job.poll_after is not None:
        return max(job.poll_after, interval / 10)
    wait = interval * (1 - _JITTER + 2 * _JITTER * clock.random())
    if not 0 < job.progress < 100:
        return wait
    left = age * (100 - job.progress) / job.progress
    return max(interval * _SOONEST, min(left, max(wait, min(_STRETCH, left / 2))))


def _hear(journal: Journal, job: Job) -> None:
    journal.polled(job)
    if job.status is JobStatus.UNKNOWN:
        journal.warn(f"the server reports the unknown status {job.raw_status[:60]!r}; polling goes on")


def _excuse(endpoint: Endpoint, journal: Journal, error: RunnerError) -> None:
    if error.shared and endpoint.stop(error):
        # This job may still be answered later, but new ones would meet the same.
        journal.tell(note=stop_note(error))
    elif not endpoint.troubled and not isinstance(error, RateLimitError):
        endpoint.troubled = True
        journal.tell(note=f"asking for jobs fails and is tried again until the deadline: {error}")


def _timeout(journal: Journal, job: Job, seconds: float) -> JobTimeoutError:
    attempts = journal.result.polls
    return JobTimeoutError(
        f"job {job.id} was still {job.raw_status} after {seconds:.0f} s and {attempts} polls",
        hint="it goes on at the provider and its id is kept; provider.deadline_seconds=N waits longer",
        attempts=attempts,
        seconds=seconds,
        job_id=job.id,
    )
