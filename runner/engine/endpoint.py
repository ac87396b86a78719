"""Share one endpoint between its runs: client, limits, list of jobs, what stops them, how long jobs take."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from runner.artifacts.result import Artifact
from runner.config.provider import ProviderConfig, dialect_of
from runner.config.run import RunConfig
from runner.errors import (
    AuthenticationError,
    ConfigError,
    HTTPConnectionError,
    RateLimitError,
    RunnerError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)
from runner.providers.base import PAGE, ImageBatch, Job, JobPage, Provider

from .clock import Clock
from .job_list_poller import JobListPoller
from .limiter import EndpointLimits, Permits, StoppedError
from .recorder import RunRecorder
from .run import Run

if TYPE_CHECKING:
    from runner.providers.chat import ChatAnswer

    from .pool import PoolQueue

A = TypeVar("A")
Q = TypeVar("Q")

_log = logging.getLogger("runner")

_CLOSING_SECONDS = 5.0

_POLL_SECONDS = 30.0
"""How long the answer to one poll may take: a stalled one must not outlast the job's deadline."""

_STRIKES = 3
"""Runs in a row that must meet what may be their own fault before it is taken for everybody's."""


class Endpoint:
    """Hold a provider's one client with its limits.

    Attributes:
        limits: how many at a time, and how long to pause.
        stop_event: set when nothing more may be submitted here.
        doubles: what notices one job or file that came to two runs.
        durations: how long jobs here took.
        answered: whether this endpoint ever behaved like the API it should be.
        served: whether it ever did what was asked, so that the key was right at that time.
        accepted_at: when it last accepted a paid request, by `Clock.elapsed`.
        troubled: whether polls fail at present; said once for all runs.
        stopped_by: the error for which submitting ended here.
    """

    def __init__(
        self, provider: Provider, config: ProviderConfig, clock: Clock, permits: Permits | None = None
    ) -> None:
        """Take the provider; `permits` are what other processes share with this one."""
        self.provider = provider
        self.config = config
        self.clock = clock
        self._permits = permits
        self.limits = EndpointLimits(config, clock)
        self.stop_event = self.limits.stop_event
        self.doubles = Doubles()
        self.durations = Durations()
        self.answered = False
        self.served = False
        self.accepted_at = float("-inf")
        self._strikes = {True: 0, False: 0}
        self._missing: set[str] = set()
        self.troubled = False
        self.stopped_by: RunnerError | None = None
        self._named: dict[str, Hashable] = {}
        self._turn = asyncio.Lock()

    @cached_property
    def job_list_poller(self) -> JobListPoller:
        """Return what asks for many jobs at once; nobody polls before the first job is there."""
        dialect = dialect_of(self.config)
        listed = dialect.lists and not dialect.lists_by_backend
        return JobListPoller(self.clock, self.config.poll_interval, self._page, self.retrieve, listed=listed)

    @asynccontextmanager
    async def submission(self, run: Hashable, model: str) -> AsyncIterator[None]:
        """Wait for the turn to send one paid request: places, pauses, pace.

        Raises `StoppedError` if submitting ends before, or if this endpoint has no such model. The run keeps its place
        among the jobs, for as long as its job is at the provider, unless this is left with an error.
        """
        try:
            async with self._turn:
                if self._permits is not None:
                    # Before the rest: a run that waits for others holds no place among the requests meanwhile.
                    await self._permits.take(run)
                await self._take_turn(run)
            self.check_model(model)
            yield
        except BaseException:
            self.leave(run)
            raise
        finally:
            self.limits.end_turn(run)

    def leave(self, run: Hashable) -> None:
        """Give back the run's place among the jobs at the provider, if it has one."""
        self.limits.places.leave(run)
        if self._permits is not None:
            self._permits.leave(run)

    @contextmanager
    def joined(self, run: Hashable) -> Iterator[None]:
        """Count a run whose job is at the provider."""
        self.limits.places.join(run)
        if self._permits is not None:
            self._permits.join(run)
        try:
            yield
        finally:
            self.leave(run)

    @asynccontextmanager
    async def transfer(self) -> AsyncIterator[None]:
        """Wait until a download may begin."""
        await self._readable()
        async with self.limits.transfers.place(), self.limits.requests.place():
            yield

    async def retrieve(self, job_id: str) -> Job:
        """Ask for a job's state, as `ask` does."""
        job = await self.ask(self.provider.retrieve, job_id, f"answer about job {job_id}")
        self.troubled = False
        return job

    async def source_address(self, config: RunConfig) -> str:
        """Ask where the finished video lies now that a request starts from; for a run that has its turn to submit."""
        most = min(_POLL_SECONDS, self.config.timeout)
        try:
            async with asyncio.timeout(most):
                return await self.provider.source_address(config)
        except TimeoutError as error:
            message = f"no answer within {most:g} s about the video to start from; nothing was sent or paid"
            raise HTTPConnectionError(message, hint="try again later") from error

    async def jobs(self, after: str | None = None) -> JobPage:
        """List a page of the jobs here, newest first, as one of the bounded requests, once no pause is left."""
        await self._readable()
        return await self._page(after)

    async def _readable(self) -> None:
        """Wait until no pause is left; raises `RateLimitError` if that would take longer than a job is waited for."""
        while (wait := self.limits.reads.left) > 0:
            if wait > self.config.job_timeout:
                raise self._too_long(wait)
            await self.clock.sleep(wait)

    async def _page(self, after: str | None) -> JobPage:
        return await self.ask(self.provider.jobs, after, "list of jobs")

    async def ask(self, ask: Callable[[Q], Awaitable[A]], subject: Q, wanted: str) -> A:
        """Ask a free question, as one of the bounded requests.

        Raises `RateLimitError` unasked if a pause began while this waited for its turn.
        """
        async with self.limits.requests.place():
            reads = self.limits.reads
            if reads.left > 0:
                said = str(reads.error or "the endpoint asked everyone to wait")
                raise RateLimitError(said, retry_after=reads.left)
            sent_at = self.clock.elapsed()
            most = min(_POLL_SECONDS, self.config.timeout)
            try:
                async with asyncio.timeout(most):
                    answer = await ask(subject)
            except TimeoutError as error:
                raise ServerError(f"no {wanted} within {most:g} s") from error
            except RateLimitError as error:
                self.refused(error, sent_at, paid=False)
                raise
        reads.accepted(sent_at)
        self._serve(paid=False)
        return answer

    def _serve(self, *, paid: bool) -> None:
        self.answered = self.served = True
        self._strikes[paid] = 0

    def accepted(self, answer: Job | ImageBatch | ChatAnswer, run: Hashable, sent_at: float) -> None:
        """Hear the answer to a paid request of `run`, which was sent at `sent_at` (`Clock.elapsed`)."""
        self._serve(paid=True)
        self.accepted_at = self.clock.elapsed()
        self.limits.submissions.accepted(sent_at)
        if answer.submit_after is not None:
            self.limits.submissions.extend(answer.submit_after)
        if self._permits is not None:
            self._permits.accepted(sent_at, answer.submit_after)
        if not isinstance(answer, Job):
            # A job stays at the provider; what is answered at once does not.
            self.leave(run)

    def refused(self, error: RateLimitError, sent_at: float, *, paid: bool) -> None:
        """Hear of a 429, for a request that was sent at `sent_at` (`Clock.elapsed`)."""
        (self.limits.submissions if paid else self.limits.reads).refused(error, sent_at)
        if self._permits is not None:
            self._permits.refused(error, sent_at, paid=paid)

    def named_before(self, job_id: str, run: Hashable) -> bool:
        """Return whether a job was named to another run, too, in the answer to its paid request."""
        return self._named.setdefault(job_id, run) is not run

    def stop(self, error: RunnerError) -> bool:
        """End submitting here; whether this is the first to say so."""
        if self.stop_event.is_set:
            return False
        self.stopped_by = error
        self.stop_event.set()
        return True

    def check_model(self, model: str) -> None:
        """Raise `StoppedError` if this endpoint has no model of that name."""
        if model in self._missing:
            raise StoppedError

    def lacks_model(self, model: str) -> bool:
        """Let nothing more be submitted with `model`; whether this is the first to say so."""
        first = model not in self._missing
        self._missing.add(model)
        return first

    def concerns_all(self, error: RunnerError, *, paid: bool = True) -> bool:
        """Return whether every other run here would meet this error too, as far as can be told.

        What may be one run's own is counted, and is everybody's when it comes three times without a success between;
        `paid`: whether it met a paid request. To be asked once for each error.
        """
        early = HTTPConnectionError | UnexpectedAnswerError | ConfigError
        page = isinstance(error, UncertainError) and error.code == PAGE
        if self._may_be_its_own(error):
            self._strikes[paid] += 1
            return self._strikes[paid] >= _STRIKES
        never_served = paid and not self.answered and error.shared is False
        return error.shared is True or (never_served and (page or isinstance(error, early)))

    def _may_be_its_own(self, error: RunnerError) -> bool:
        if isinstance(error, AuthenticationError):
            # A key that was right a moment ago: one of a gateway's machines may not know it yet.
            return (error.status_code == 401 and self.served) or (error.shared is None and not self.served)
        return error.shared is None and not self.answered

    def beyond_deadline(self, error: RateLimitError) -> RateLimitError | None:
        """Return the error for a refusal whose wait passes the time that a run is waited for; None if it does not."""
        wait = self.limits.paused
        beyond = max(wait, self.limits.submissions.seconds) > self.config.job_timeout
        return self._too_long(wait, error) if beyond else None

    def _too_long(self, wait: float, refused: RateLimitError | None = None) -> RateLimitError:
        last = refused or self.limits.submissions.error or self.limits.reads.error
        names = ("provider", "model", "code", "request_id")
        origin: dict[str, Any] = {name: getattr(last, name, None) for name in names}  # Any: keyword arguments
        said = last or f"{self.provider.endpoint} allows no more requests for now"
        error = RateLimitError(
            f"{said}; {wait:,.0f} s more would pass the deadline of {self.config.job_timeout:,.0f} s, "
            "so nothing was sent",
            hint="resume it later; provider.deadline_seconds=N waits longer",
            retry_after=wait,
            **origin,
        )
        error.shared = True
        return error

    async def _take_turn(self, run: Hashable) -> None:
        """Take all that a paid request needs, at a moment when one may be sent."""
        while (wait := await self.limits.take_turn(run)) > 0:
            if (paused := self.limits.paused) > self.config.job_timeout:
                self.stop(self._too_long(paused))
            await self.stop_event.sleep(wait, self.clock)


def stop_note(error: RunnerError) -> str:
    """Return what to say once when `error` ends submitting."""
    return f"nothing more is submitted, as every other run there would meet this too: {error}"


async def close_client(provider: Provider) -> None:
    """Close a provider's connections; what does not close in time is left to the end of the process."""
    try:
        await asyncio.wait_for(provider.close(), _CLOSING_SECONDS)
    except (TimeoutError, RunnerError, OSError) as error:
        _log.warning("the client of %s did not close: %s", provider.endpoint, error)


_KEPT = 32
"""Jobs of one kind that are remembered: what a server needed an hour ago tells little."""

_KNOWN = 8
"""Jobs that must have ended before anything is concluded."""

_SOONER = 10
"""One in so many jobs ends sooner than is foretold."""


class Durations:
    """Record the seconds that an endpoint's latest jobs took, by their kind: whatever they have in common."""

    def __init__(self) -> None:
        self._seconds: defaultdict[Hashable, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._early: dict[Hashable, float] = {}

    def learn(self, kind: Hashable, seconds: float) -> None:
        """Take in how long a job took."""
        known = self._seconds[kind]
        known.append(seconds)
        if len(known) >= _KNOWN:
            self._early[kind] = sorted(known)[len(known) // _SOONER]

    def early(self, kind: Hashable) -> float | None:
        """Return seconds before which few such jobs end; None as long as too few are known."""
        return self._early.get(kind)


_WORK = (
    "operation", "video", "prompt", "input_reference", "image", "mask", "markup", "frame_images", "input_references",
    "images", "last_frame", "keyframes", "reference_images",
)  # fmt: skip
"""What tells requests apart whose files cannot be the same; some servers take any size or seed for one."""


class Doubles:
    """Notice jobs and files that came to two runs of one endpoint which asked for different things."""

    def __init__(self) -> None:
        self._jobs: dict[str, RunRecorder] = {}
        self._files: dict[str, RunRecorder] = {}
        self._shared: set[str] = set()

    def shared(self, job_id: str) -> bool:
        """Return whether two runs have the job."""
        return job_id in self._shared

    def job(self, job_id: str, recorder: RunRecorder) -> None:
        """Take a run's job in; both runs are warned if another has it, too."""
        other = self._jobs.setdefault(job_id, recorder)
        if other.run.directory != recorder.run.directory:
            self._shared.add(job_id)
            made = "the server may have made one job for both"
            recorder.warn(f"job {job_id} is also the answer to run {other.run.index}: {made}")
            if other.result.status.unfinished:
                other.warn(f"job {job_id} is also the answer to run {recorder.run.index}: {made}")

    def file(self, artifact: Artifact, recorder: RunRecorder) -> None:
        """Take a run's file in; warn if another run that asked for something else has the same."""
        other = self._files.setdefault(artifact.sha256, recorder)
        if other.run.directory != recorder.run.directory and _work(other) != _work(recorder):
            whose = f"what run {other.run.index} got, which asked for something else"
            recorder.warn(f"{artifact.path} is byte for byte {whose}: it may be another job's file")


def _work(recorder: RunRecorder) -> tuple[object, ...]:
    return tuple(recorder.result.request_sent.get(name) for name in _WORK)


@dataclass(slots=True)
class EndpointQueue:
    """Queue runs, each with its position among all; a run that waits here costs no task."""

    config: ProviderConfig
    waiting: deque[tuple[int, Run]] = field(default_factory=deque)
    endpoint: Endpoint | None = None
    workers: int = 0
    """How many runs are under way."""
    models: set[str] = field(default_factory=set)
    """What runs here send as their model."""
    pool: PoolQueue | None = None
    """The pool to which it belongs, in which it has its `number`."""
    number: int = 0

    @property
    def usable(self) -> bool:
        """Return whether anything may still be submitted."""
        return self.endpoint is not None and not self.endpoint.stop_event.is_set

    def add(self, position: int, run: Run) -> None:
        """Let a run wait for its turn."""
        self.waiting.append((position, run))
        self.models.add(run.config.sent_model)

    def take(self, *, existing: bool = False) -> tuple[int, Run] | None:
        """Return the next run, or, of `existing` ones only, the next whose job is at the provider already."""
        found = next((item for item in self.waiting if not existing or item[1].status.paid), None)
        if found is not None:
            self.waiting.remove(found)
        return found

    def take_batched(self) -> list[tuple[int, Run]]:
        """Return all runs that go out in batches."""
        own = [item for item in self.waiting if item[1].config.batch]
        self.waiting = deque(item for item in self.waiting if not item[1].config.batch)
        return own

    def take_lost(self) -> list[tuple[int, Run]]:
        """Return all runs of which an earlier process left a request without its answer."""
        waiting, lost = self.waiting, list[tuple[int, Run]]()
        self.waiting = deque()
        for item in waiting:
            run = item[1]
            (lost if run.earlier is not None and run.status.lost else self.waiting).append(item)
        return lost
