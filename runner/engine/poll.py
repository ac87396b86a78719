"""Ask for a job until it has ended; only the deadline gives up. One that its server does not find is parked."""

from __future__ import annotations

import datetime as dt

from runner.artifacts.result import Absence, Result
from runner.config.request import VideoRequest
from runner.errors import (
    ExpiredError,
    JobNotFoundError,
    JobTimeoutError,
    ProviderError,
    RateLimitError,
    RunnerError,
    UncertainError,
)
from runner.providers.base import Job, JobStatus, Provider, outlived

from .clock import Backoff, Clock
from .endpoint import Endpoint, stop_note
from .recorder import RunRecorder

ABSENT_SECONDS = 60.0
"""How long a job is asked for again before its run is parked: a gateway is redeployed in less."""

_LOOKS = 3
_HOURS = 6
"""Processes that looked in vain, and hours that passed meanwhile, before a job is given up."""


def absent(result: Result, error: JobNotFoundError, provider: Provider, clock: Clock) -> RunnerError:
    """Record that the run's job was not found in all of `ABSENT_SECONDS`; return what ends the run for now.

    `JobNotFoundError` parks it. `ExpiredError` gives it up: it was not found by several processes over hours, by the
    server's clock and by one that no change of time moves, where it was created and with the key that created it.
    """
    other_account = _other_account(result, provider)
    known = result.absence
    if known is None or (known.endpoint, known.credential) != (provider.endpoint, provider.credential):
        result.absence = _first(error, provider, clock)
    else:
        passed = _passed(known, error, clock)
        result.absence = known.model_copy(update={"looks": known.looks + 1, "seconds": passed})
    if not other_account and given_up(result.absence):
        return ExpiredError(
            f"{error.message}; not found by any of {result.absence.looks} processes "
            f"in {result.absence.seconds / 3600:.0f} h",
            hint="it is given up and not paid again by itself; resume still looks for it once",
            code="not_found",
            provider=error.provider,
            job_id=error.job_id,
            request_id=error.request_id,
        )
    if other_account:
        error.reword(f"{error.message}; {other_account}")
    return error


def outlived_error(what: str, job: Job, missing: JobNotFoundError) -> ExpiredError:
    """Return the error for a job or its file that is missing after the time for which it was to be kept."""
    message = f"{what} has outlived its time at the provider: {missing.message}"
    return ExpiredError(message, code=missing.code, provider=missing.provider, job_id=job.id)


def given_up(absence: Absence | None) -> bool:
    """Return whether a job was not found so often and for so long that this is no accident."""
    return absence is not None and absence.looks >= _LOOKS and absence.seconds >= _HOURS * 3600


def absence_timeout(result: Result, provider: Provider) -> float:
    """Return the seconds for which an absent job is asked for: none where it was given up, or another account asks."""
    return 0.0 if given_up(result.absence) or _other_account(result, provider) else ABSENT_SECONDS


def _first(error: JobNotFoundError, provider: Provider, clock: Clock) -> Absence:
    return Absence(
        since=dt.datetime.fromtimestamp(clock.time(), dt.UTC),
        endpoint=provider.endpoint,
        credential=provider.credential,
        server_time=error.server_time,
        boot=clock.boot(),
        elapsed=clock.elapsed(),
    )


def _passed(known: Absence, error: JobNotFoundError, clock: Clock) -> float:
    """Return seconds since the first look: the least that any clock tells that this machine's time cannot move."""
    told = []
    if known.server_time is not None and error.server_time is not None:
        told.append(error.server_time - known.server_time)
    if known.boot is not None and known.boot == clock.boot():
        told.append(clock.elapsed() - known.elapsed)
    return max(known.seconds, min(told, default=0.0))


def _other_account(result: Result, provider: Provider) -> str:
    """Return why the job is asked for where it was not created, for people; empty if nothing says so."""
    if result.endpoint != provider.endpoint:
        return f"it was created at {result.endpoint}, and is asked for at {provider.endpoint}"
    made = next((each.credential for each in result.attempts if each.job_id == result.job_id), "")
    then, now = made.partition("#"), provider.credential.partition("#")
    if not (then[2] and now[2]) or then[2] == now[2]:
        return ""
    return f"it was created with another key, organization or project (from {then[0]}) than {now[0]} has now"


_STRETCH = 1.0
"""Seconds up to which an interval grows while the job's progress says that its end is far."""

_UNSEEN = 4
"""Intervals up to which one is stretched while nothing but the past tells when the job's end is due."""

_JITTER = 0.1

_SOONEST = 0.1
"""The part of an interval that passes in any case, however near the end seems."""

_GONE = 3
"""Times in a row that a server must say that it no longer keeps a job."""


async def poll(endpoint: Endpoint, recorder: RunRecorder, job: Job) -> Job:
    """Return the job once it has ended; raises `JobTimeoutError` when the deadline passes before.

    The deadline is the config's `job_timeout`. A job is always asked for once after the deadline: a laptop may have
    slept through it, and the file may be there. Meanwhile the run counts among the jobs at the provider.

    Raises `JobNotFoundError` once the job has not been found for a minute; `ExpiredError` if the server says that it no
    longer keeps the job, or if that has not been found for hours.
    """
    with endpoint.joined(recorder), endpoint.job_list_poller.watch(job.id):
        return await _Watch(endpoint, recorder, job).end()


class _Watch:
    """Hold what is known of one job while it is waited for."""

    def __init__(self, endpoint: Endpoint, recorder: RunRecorder, job: Job) -> None:
        self.endpoint = endpoint
        self.recorder = recorder
        self.job = job
        request = recorder.run.config.request
        duration = request.duration_seconds if isinstance(request, VideoRequest) else None
        self.kind = (recorder.run.config.sent_model, duration, request.size)
        self.failures = 0
        self.missing_since: float | None = None
        self.started = self.heard_at = endpoint.clock.elapsed()
        self.deadline = self.started + endpoint.config.job_timeout

    async def end(self) -> Job:
        """Return the job once it has ended."""
        wait = self._next_wait()
        while not self.job.status.terminal:
            pause = self.endpoint.limits.reads.left
            if pause > 0 and self.endpoint.clock.elapsed() + pause > self.deadline:
                raise _timeout(self.recorder, self.job, self._seconds, self.endpoint.limits.reads.error)
            told, last = await self._waited(wait)
            try:
                if told is None and self.endpoint.limits.reads.left == 0:
                    told = await self.endpoint.retrieve(self.job.id)
                if told is not None:
                    self._take(told)
                wait = max(self.endpoint.limits.reads.left, self._next_wait())
            except JobNotFoundError as error:
                wait = self._not_found(error, last=last)
            except (ProviderError, UncertainError, ExpiredError) as error:
                wait = self._backoff(error)
            if last and not self.job.status.terminal:
                raise _timeout(self.recorder, self.job, self._seconds)
        return self.job

    async def _waited(self, wait: float) -> tuple[Job | None, bool]:
        """Return what the list tells of the job after `wait` seconds or sooner, and whether the deadline has come.

        With it the job is asked for alone: a list may take its time.
        """
        clock = self.endpoint.clock
        left = max(0.0, self.deadline - clock.elapsed())
        if wait < left:
            told = await self.endpoint.job_list_poller.wait_for(self.job.id, wait)
            return told, told is None and clock.elapsed() >= self.deadline
        await clock.sleep(left)
        return None, clock.elapsed() >= self.deadline

    def _take(self, told: Job) -> None:
        now = self.endpoint.clock.elapsed()
        if told.status is JobStatus.COMPLETED and self.job.status is not JobStatus.UNKNOWN:
            # It ended at some time since the last answer about it.
            self.endpoint.durations.learn(self.kind, self._age(told) - (now - self.heard_at) / 2)
        self.job, self.heard_at, self.failures, self.missing_since = told, now, 0, None
        _hear(self.recorder, told)

    def _next_wait(self) -> float:
        clock, interval = self.endpoint.clock, self.endpoint.config.poll_interval
        early = self.endpoint.durations.early(self.kind)
        expected = 0.0 if early is None else early - self._age(self.job)
        return next_wait(self.job, self._seconds, interval, clock, expected)

    def _not_found(self, error: JobNotFoundError, *, last: bool) -> float:
        """Return how long to wait before the job is asked for again; raise what ends the run for now."""
        now = self.endpoint.clock.elapsed()
        self.missing_since = now if self.missing_since is None else self.missing_since
        left = self.missing_since + absence_timeout(self.recorder.result, self.endpoint.provider) - now
        if last or left <= 0:
            # Not at the first look: a gateway whose clock is a day ahead says so of each job that it misses.
            if outlived(self.job, error.server_time):
                raise outlived_error(f"job {self.job.id}", self.job, error)
            raise absent(self.recorder.result, error, self.endpoint.provider, self.endpoint.clock)
        return min(self._backoff(error), max(left, self.endpoint.config.poll_interval))

    def _backoff(self, error: RunnerError) -> float:
        self.failures += 1
        if isinstance(error, ExpiredError) and self.failures >= _GONE:
            raise error
        _excuse(self.endpoint, self.recorder, error)
        backoff = Backoff(self.endpoint.config.poll_interval, 60, 0.5)
        return max(self.endpoint.limits.reads.left, backoff.seconds(self.failures, self.endpoint.clock))

    @property
    def _seconds(self) -> float:
        return self.endpoint.clock.elapsed() - self.started

    def _age(self, job: Job) -> float:
        """Return seconds since the job was created, which may have been by an earlier process."""
        return max(self._seconds, 0.0 if job.created_at is None else self.endpoint.clock.time() - job.created_at)


def next_wait(job: Job, age: float, interval: float, clock: Clock, expected: float = 0) -> float:
    """Return seconds until the job is worth asking for again: the server's wish, else `interval` with some jitter.

    Progress tells when the end is due, else the past, by which it is due no sooner than in `expected` seconds: a poll
    is moved forward to that moment. While it is far, intervals are stretched to half of what is left: up to a second
    where progress is watched, up to four intervals where nothing is to be seen.
    """
    if job.poll_after is not None:
        return max(job.poll_after, interval / 10)
    wait = interval * (1 - _JITTER + 2 * _JITTER * clock.random())
    if 0 < job.progress < 100:
        left, stretch = age * (100 - job.progress) / job.progress, _STRETCH
    elif expected > 0:
        left, stretch = expected, max(_STRETCH, _UNSEEN * interval)
    else:
        return wait
    return max(interval * _SOONEST, min(left, max(wait, min(stretch, left / 2))))


_NO_STATUS = "does not tell the job's status"


def _hear(recorder: RunRecorder, job: Job) -> None:
    recorder.polled(job)
    if job.status is JobStatus.UNKNOWN:
        told = f"reports the unknown status {job.raw_status[:60]!r}" if job.raw_status else _NO_STATUS
        recorder.warn(f"the server {told}; polling goes on")


def _excuse(endpoint: Endpoint, recorder: RunRecorder, error: RunnerError) -> None:
    if endpoint.concerns_all(error, paid=False) and endpoint.stop(error):
        # This job may still be answered later, but new ones would meet the same.
        recorder.tell(note=stop_note(error))
    elif not endpoint.troubled:
        endpoint.troubled = True
        until = "for a minute" if isinstance(error, JobNotFoundError) else "until the deadline"
        recorder.tell(note=f"asking for jobs fails and is tried again {until}: {error}")


def _timeout(recorder: RunRecorder, job: Job, seconds: float, refusal: RateLimitError | None = None) -> JobTimeoutError:
    attempts = recorder.result.polls
    why = "" if refusal is None else f", and its server asks not to be polled before the deadline: {refusal}"
    status = job.raw_status or "without a status"
    return JobTimeoutError(
        f"job {job.id} was still {status} after {seconds:.0f} s and {attempts} polls{why}",
        hint="it goes on at the provider and its id is kept; provider.deadline_seconds=N waits longer",
        attempts=attempts,
        seconds=seconds,
        job_id=job.id,
    )
